"""Makes the data keys that journals are encrypted with, and has each wrapped before it is used.
It must never unwrap one, nor let a session be opened while no further key can be had.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from wicketgate.journal.encrypt import LENGTH, bound
from wicketgate.journal.keyfile import KeySupply, SegmentKey
from wicketgate.model.errors import GatewayError
from wicketgate.model.secret import Secret

Put = Callable[[str, str, Any, bytes | None], None]


class Wrapping(Protocol):
    """What wraps data keys (custody.keys.WrappingKeys). keep: seconds between looks whether it still does."""

    keep: float

    async def wrap(self, key: Secret, context: bytes) -> str:
        """Answers in a bounded time. Raises CredentialMissing, a GatewayError."""
        ...

    async def close(self) -> None: ...


async def make_key(
    wrapping: Wrapping, node: str, writer: str, segment: int, token: Callable[[int], bytes]
) -> SegmentKey:
    """A new key for one segment of one writer. Raises GatewayError."""
    key = Secret(token(LENGTH))
    return SegmentKey(key, await wrapping.wrap(key, bound(node, writer, segment)))


class SegmentKeys:
    """supply: of the control process's own writer; filled here. token: n random bytes. Main loop only.

    why: why no key can be had; None while all is well.
    """

    def __init__(
        self,
        wrapping: Wrapping,
        supply: KeySupply,
        token: Callable[[int], bytes],
        log: Callable[[str], None],
    ) -> None:
        self._wrapping = wrapping
        self._supply = supply
        self._token = token
        self._log = log
        self.why: str | None = None

    async def key(self, writer: str, segment: int) -> SegmentKey:
        """For a worker's writer. Raises GatewayError."""
        return await make_key(self._wrapping, self._supply.node, writer, segment, self._token)

    async def watch(self, every: float, put: Put) -> None:
        """Keep a key ahead for our own writer, and tell workers when none could be had: `standing`, `keys`.

        every: seconds between looks, or as long as what wraps says. Cancelled, it lets go of what wraps.
        """
        try:
            while True:
                await self.look(put)
                await asyncio.sleep(max(every, self._wrapping.keep))
        finally:
            with suppress(GatewayError):
                await self._wrapping.close()

    async def look(self, put: Put) -> None:
        """Once: have a key wrapped, the next one of our own writer if it has none."""
        wanted = self._supply.wanted
        try:
            made = await self.key(self._supply.writer, wanted or 0)
        except GatewayError as error:
            if self.why is None:
                self._log(f"journal: no key to encrypt with, so no session is let in: {error.detail}")
            self.why = error.detail or error.public
            put("standing", "keys", {"why": "no key to encrypt the record with"}, None)
            return
        if wanted is not None:
            self._supply.put(wanted, made)
        if self.why is not None:
            self._log("journal: keys to encrypt with are there again")
            put("standing", "keys", None, None)
        self.why = None
