"""Keeps what workers believe of identities and tokens as the store has it, and knows whether it is there.
It must never put what it read over what was put while it read: a revocation would be undone.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from wicketgate.control.ports import StorePort
from wicketgate.control.shared import BusPort
from wicketgate.control.state import State
from wicketgate.model.errors import GatewayError

REPLICATED: Final = ("tokens", "identities", "revoked", "grants")
"""Sections that the store fills."""
RESYNC_EVERY: Final = 15
"""Looks at the store between two readings of all that it replicates, where other nodes are heard of."""
PENDING: Final = 512
"""Messages of other nodes that wait; more of them mean that all is read."""
BREATH: Final = 0.01
"""Seconds between two turns of reading what others say; a turn is followed by a rest as long as itself."""
AGAIN: Final = 0.5
"""Seconds before what failed is tried again."""
SKEW_TOLD: Final = 5_000_000_000
SKEW_MOST: Final = 60_000_000_000
"""Nanoseconds that clocks may differ: times in the store, and ends of tokens, mean nothing beyond."""
_TOKEN: Final = re.compile(r"tokens:([0-9A-Za-z]{1,16})")
_REVIEW: Final = re.compile(r"reviews:([0-9A-Z]{26})")


class StoreWatch:
    """put_soon: into the replicated dictionary, committed soon. inherited: takes rows of what columns
    inherited. accounts: takes all accounts that were read. ends: ends all sessions. bus: None where the
    store is ours alone. boot: monotonic ns. every, grace: seconds.

    reviewed: told which review somebody says has changed.
    topics: what is done when a message names one; each may raise GatewayError, and is then tried again.
    """

    def __init__(
        self,
        store: StorePort,
        bus: BusPort | None,
        state: State,
        put_soon: Callable[[str, str, Any, bytes | None], None],
        inherited: Callable[[Any], None],
        accounts: Callable[[Mapping[str, Mapping[str, Any]]], None],
        ends: Callable[[], None],
        boot: Callable[[], int],
        log: Callable[[str], None],
        every: float,
        grace: float,
    ) -> None:
        self._store = store
        self._bus = bus
        self._state = state
        self._put_soon = put_soon
        self._inherited = inherited
        self._accounts = accounts
        self._ends = ends
        self._boot = boot
        self._log = log
        self._every = every
        self._grace = grace
        self.away = False
        self.topics: dict[str, Callable[[], Awaitable[None]]] = {
            "tokens": self.resync,
            "identities": self.resync,
            "grants": self.resync,
            "inherited": self._read_inherited,
        }
        self.reviewed: Callable[[str], None] = lambda review: None
        self._pending: set[str] = set()
        self._wake = asyncio.Event()
        self._look = asyncio.Event()
        self._behind = False
        self._skewed = False
        self._reading = asyncio.Lock()
        self._newer: set[tuple[str, str]] | None = None
        """What was put while something is being read."""

    # -- what is replicated ----------------------------------------------------------------------------------
    def put(self, section: str, key: str, value: Mapping[str, Any] | None) -> None:
        """What the store has by now, told by who changed it. Holds at once.

        What was issued, or granted, is read again: another node may have revoked it before this was told."""
        if self._newer is not None:
            self._newer.add((section, key))
        self._state.put(section, key, None if value is None else dict(value))
        self._state.commit()
        if section == "tokens" and value is not None:
            self.heard(f"tokens:{value.get('id')}")
        elif section == "grants" and value is not None:
            self.heard("grants")

    async def resync(self, *, commit: bool = True) -> None:
        """Read all that workers replicate. Raises GatewayError where the store is away.

        commit: whether it holds at once; else with the next commit, together with what is put until then."""
        async with self._reading:
            newer = self._newer = set()
            try:
                sections: dict[str, dict[str, Any]] = {name: {} for name in REPLICATED}
                for section, key, value in await self._store.replicated():
                    sections[section][key] = dict(value)
                rows = await self._store.inherited()
            finally:
                self._newer = None
            for section, entries in sections.items():
                self._state.replace(section, entries, newer)
            self._accounts(sections["identities"])
            self._inherited(rows)
            if commit:
                self._state.commit_changes()

    async def look_for(self, token_hash: str) -> None:
        """Read all, where another node issued this token and has not told of it yet. Raises GatewayError."""
        if self._bus is not None and await self._store.has_token(token_hash):
            await self.resync()

    async def _read_inherited(self) -> None:
        self._inherited(await self._store.inherited())

    async def _read_tokens(self, ids: set[str]) -> None:
        async with self._reading:
            newer = self._newer = set()
            try:
                entries = await self._store.tokens_of(ids)
            finally:
                self._newer = None
            for section, key, value in entries:
                if (section, key) not in newer:
                    self._state.put(section, key, None if value is None else dict(value))
            self._state.commit_changes()

    # -- what others say -------------------------------------------------------------------------------------
    def heard(self, message: str) -> None:
        """A message of another node, or of anybody: it is looked at soon, and never believed."""
        if (review := _REVIEW.fullmatch(message)) is not None:
            self.reviewed(review[1])
            return
        if message not in self.topics and _TOKEN.fullmatch(message) is None:
            return
        if len(self._pending) < PENDING:
            self._pending.add(message)
        else:
            self._behind = True
        self._wake.set()

    def turned(self, hears: bool) -> None:
        """The bus is heard from now on, or not any more: the store tells what was missed."""
        if hears:
            self._log("other nodes are heard")
            self._behind = True
            self._wake.set()
        self._look.set()

    async def hear(self) -> None:
        """Look at what others say was changed; as often as there is something, never all of the time."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            began = self._boot()
            said, self._pending = self._pending, set()
            if self._behind:
                self._behind = False
                said |= self.topics.keys()
            try:
                await self._turn(said)
            except Exception:
                self._behind = True  # the watch reads all when the store is back
                self._look.set()
                await asyncio.sleep(AGAIN)
            await asyncio.sleep(max(BREATH, (self._boot() - began) / 1e9))

    async def _turn(self, said: set[str]) -> None:
        actions = dict.fromkeys(self.topics[each] for each in self.topics if each in said)
        ids = {found[1] for each in said if (found := _TOKEN.fullmatch(each)) is not None}
        if ids and self.topics["tokens"] not in actions:
            await self._read_tokens(ids)
        failed: Exception | None = None
        for action in actions:
            try:
                await action()
            except Exception as error:
                failed = error
        if failed is not None:
            raise failed

    # -- whether it is there ---------------------------------------------------------------------------------
    async def watch(self) -> None:
        """Where the store is away, nothing new is let in; after a set time nothing goes on."""
        away = 0
        for looks in range(1, 1 << 62):
            try:
                async with asyncio.timeout(self._every):
                    await self._look.wait()
            except TimeoutError:
                pass
            self._look.clear()
            try:
                self._check_clock(await self._store.ping())
                deaf = self._bus is not None and not self._bus.hears
                if away or deaf or looks % RESYNC_EVERY == 0:
                    await self._turn(set(self.topics))
            except Exception as error:  # whatever it is: a watch that ended would let everybody in
                if not away:
                    away = self._boot()
                    why = (error.detail or error.public) if isinstance(error, GatewayError) else ""
                    self._log(f"the store is away: {why or type(error).__name__}")
                self.away = True
                self._put_soon("standing", "closed", {"why": "the store is away"}, None)
                if self._boot() - away > self._grace * 1_000_000_000:
                    self._ends()
            else:
                if away:
                    self._log("the store is back")
                away, self.away = 0, False
                self._put_soon("standing", "closed", None, None)
                if self._behind:
                    self._wake.set()

    def _check_clock(self, ahead: int) -> None:
        """Raises GatewayError where our clock, or the store's, is wrong."""
        seconds = f"this node's clock and the store's differ by {abs(ahead) / 1e9:.0f} s"
        if abs(ahead) > SKEW_MOST:
            raise GatewayError("the store is away", f"{seconds}: set them right")
        skewed = abs(ahead) > SKEW_TOLD
        if skewed and not self._skewed:
            self._log(f"{seconds}: limits and ends of tokens are judged by each node's own")
        self._skewed = skewed
