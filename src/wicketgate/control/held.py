"""Holds what a source of credentials gave, for as short a while as the source says.
It must never use a credential after that time because its source is away, nor repeat another's error.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from wicketgate.model.credential import Credential, CredentialMissing, Source
from wicketgate.model.secret import Secret

MOST: Final = 4096
"""Credentials of one source at once; the one that was fetched longest ago goes first."""
FAILED: Final = 2_000_000_000
"""Nanoseconds for which a failure stands: many dials at a time ask a broken source once."""
SLOWEST: Final = 30.0
"""Seconds after which a source that does not keep its own bound is given up."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """until: monotonic ns."""

    outcome: Credential | str
    until: int


class Held:
    """One source. boot: monotonic ns. Bound to one event loop."""

    def __init__(self, name: str, source: Source, boot: Callable[[], int]) -> None:
        self._name = name
        self._source = source
        self._boot = boot
        self._entries: dict[str, _Entry] = {}
        self._asking: dict[str, asyncio.Task[_Entry]] = {}
        self._releasing: set[asyncio.Task[None]] = set()

    async def fetch(self, locator: str) -> Secret | None:
        """The secret, from the source or from before. Whoever asks meanwhile waits for the same answer.

        Raises CredentialMissing."""
        entry = self._entries.get(locator)
        if entry is None or self._boot() >= entry.until:
            task = self._asking.get(locator)
            if task is None:
                task = asyncio.get_running_loop().create_task(
                    self._ask(locator), name=f"credential of {self._name}"
                )
                self._asking[locator] = task
                task.add_done_callback(lambda _: self._asking.pop(locator, None))
            entry = await asyncio.shield(task)
        if isinstance(entry.outcome, str):
            raise CredentialMissing(entry.outcome)
        return entry.outcome.secret

    def forget(self) -> None:
        """Ask the source anew from now on: what it gave may have changed."""
        for locator in list(self._entries):
            self._drop(locator)

    async def close(self) -> None:
        """Give all back, and close the source."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        for locator in list(self._entries):
            self._drop(locator)
        await asyncio.gather(*self._releasing, return_exceptions=True)
        await self._source.close()

    async def _ask(self, locator: str) -> _Entry:
        """Never raises: a failure is an entry as well."""
        outcome: Credential | str
        try:
            async with asyncio.timeout(SLOWEST):
                outcome = await self._source.fetch(locator)
        except CredentialMissing as error:
            outcome = error.detail
        except TimeoutError:
            outcome = f"{self._name}: no answer in {SLOWEST:.0f} s"
        except Exception as error:
            # its text may hold what was read
            outcome = f"{self._name}: {type(error).__name__}"
        now = self._boot()
        self._drop(locator)
        if isinstance(outcome, str):
            entry = _Entry(outcome, now + FAILED)
        else:
            until = now + int(outcome.keep * 1e9)
            entry = _Entry(outcome, until if outcome.expires is None else min(until, outcome.expires))
        for old in [each for each, held in self._entries.items() if now >= held.until]:
            self._drop(old)
        while len(self._entries) >= MOST:
            self._drop(next(iter(self._entries)))
        self._entries[locator] = entry
        return entry

    def _drop(self, locator: str) -> None:
        entry = self._entries.pop(locator, None)
        if entry is not None and isinstance(entry.outcome, Credential) and entry.outcome.release is not None:
            task = asyncio.get_running_loop().create_task(
                _release(entry.outcome.release), name=f"release to {self._name}"
            )
            self._releasing.add(task)
            task.add_done_callback(self._releasing.discard)


async def _release(release: Callable[[], Awaitable[None]]) -> None:
    """A source that can't take it back lets it expire."""
    try:
        async with asyncio.timeout(SLOWEST):
            await release()
    except Exception:
        return
