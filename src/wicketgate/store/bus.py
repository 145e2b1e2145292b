"""What nodes on one PostgreSQL hear of each other: LISTEN over a direct connection of its own.
It must never be believed: a message says what to look at, never what is there, as anybody may send one.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any, Final

import asyncpg
from sqlalchemy.engine import URL

from wicketgate.model.errors import GatewayError
from wicketgate.store.address import parameters

CHANNEL: Final = "wicketgate"
PROBE: Final = 1.0
"""Seconds between looks whether the connection still hears: it sends itself a word."""
SILENT: Final = 2.0
"""Seconds that the word may take."""
WAITS: Final = (0.1, 0.5, 1.0, 2.0)
"""Seconds before it connects again, the n-th time in a row."""
LONGEST: Final = 200
"""Characters of a message; a longer one is none of ours."""


class Bus:
    """url: of the store; where it is no PostgreSQL, there is nobody to hear of, and `run` returns."""

    def __init__(self, url: Callable[[], URL], log: Callable[[str], None]) -> None:
        self._url = url
        self._log = log
        self.hears = False
        """Whether the connection stands and was heard to work a moment ago."""

    async def run(self, heard: Callable[[str], None], turned: Callable[[bool], None]) -> None:
        """Until it is cancelled. heard: a message. turned: True when it hears from now on (what was said
        before was missed), False when it does not any more."""
        misses = 0
        told = ""
        while True:
            try:
                url = self._url()
                if url.get_backend_name() == "sqlite":
                    return
                connection = await asyncpg.connect(**parameters(url), command_timeout=SILENT)
            except GatewayError as error:
                why = error.public
            except Exception as error:
                why = type(error).__name__  # its text may hold an address
            else:
                try:
                    why = await self._listen(connection, heard, turned)
                finally:
                    if self.hears:
                        misses, told = 0, ""
                        self.hears = False
                        turned(False)
                    connection.terminate()
            if why != told:
                self._log(f"other nodes are not heard: {why}; the store is read every few seconds")
                told = why
            await asyncio.sleep(WAITS[min(misses, len(WAITS) - 1)])
            misses += 1

    async def _listen(
        self, connection: Any, heard: Callable[[str], None], turned: Callable[[bool], None]
    ) -> str:
        """Listen while the connection is good; why it is not any more."""
        word = secrets.token_hex(16)
        echo, ended = asyncio.Event(), asyncio.Event()

        def told(_connection: Any, _pid: int, channel: str, payload: str) -> None:
            if channel != CHANNEL:
                echo.set()
            elif len(payload) <= LONGEST:
                heard(payload)

        def gone(_connection: Any) -> None:
            ended.set()
            echo.set()

        connection.add_termination_listener(gone)
        try:
            await connection.add_listener(CHANNEL, told)
            await connection.add_listener(f"{CHANNEL}_{word}", told)
            while not ended.is_set():
                echo.clear()
                await connection.execute("SELECT pg_catalog.pg_notify($1, '')", f"{CHANNEL}_{word}")
                async with asyncio.timeout(SILENT):
                    await echo.wait()
                if ended.is_set():
                    break
                if not self.hears:
                    self.hears = True
                    turned(True)
                try:
                    async with asyncio.timeout(PROBE):
                        await ended.wait()
                except TimeoutError:
                    continue
        except TimeoutError:
            return "the connection fell silent"
        except Exception as error:
            return type(error).__name__  # its text may hold an address
        return "the connection was closed"
