"""The history of access: gathers what workers tell of use, and keeps it in the store, a batch at a time.
It must never hold more than a bounded part in memory, and where it drops some it must say so in the store.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from wicketgate.control.messages import Used
from wicketgate.control.shared import HistoryStore
from wicketgate.model.errors import GatewayError
from wicketgate.model.usage import DAY, Member, Shape, Use, member_of, shape_of

FLUSH: Final = 2.0
"""Seconds between two batches; what was not kept by then is lost if this process dies."""
PRUNE: Final = 3600
"""Seconds between looks for what is too old."""
MOST: Final = 20_000
"""Uses that wait for the store, and identities whose groups are remembered: memory limits."""
MOST_SHAPES: Final = 1000
"""Different shapes of one identity on one resource in a day; those that come after are kept coarse."""
MOST_PAIRS: Final = 10_000
"""Identities on resources whose shapes are counted in a day; of those that come after all are kept coarse."""


class History:
    """store: None: nothing is kept. days: how long. clock: wall ns. Main loop only."""

    def __init__(
        self, store: HistoryStore | None, days: int, clock: Callable[[], int], log: Callable[[str], None]
    ) -> None:
        self._store = store
        self._days = days
        self._clock = clock
        self._log = log
        self._uses: dict[tuple[int, Shape], Use] = {}
        self._members: dict[str, tuple[int, Member]] = {}
        self._known: dict[str, Member] | None = None
        self._lost = 0
        self._today = 0
        self._shapes: dict[tuple[str, str], set[Shape]] = {}
        self._flushing = asyncio.Lock()
        self._away = False

    def add(self, used: Used) -> None:
        """What a worker tells."""
        try:
            uses = [Use(shape_of(each[0]), int(each[1]), int(each[2]), int(each[3])) for each in used.shapes]
            members = [member_of(each) for each in used.members]
        except (KeyError, TypeError, ValueError, IndexError):
            self._lost += 1
            return
        self._lost += used.lost
        for use in uses:
            self._use(use)
        for member in members:
            self._member(member)

    def accounts(self, entries: Mapping[str, Mapping[str, Any]]) -> None:
        """The gateway's own accounts, as they are now (ServiceAccount.replicated)."""
        for name, entry in entries.items():
            groups = frozenset() if entry["disabled"] is not None else frozenset(entry["groups"])
            self._member(Member(name, "local", str(entry["kind"]), str(entry["subject"]), groups))
        known = self._known or {}
        for name in [name for name, each in known.items() if each.issuer == "local" and not each.gone]:
            if name not in entries:
                self._member(Member(name, "local", known[name].kind, known[name].subject, frozenset(), True))

    async def watch(self) -> None:
        """Keep what came, again and again."""
        since = float(PRUNE)
        while True:
            await self.flush()
            if since >= PRUNE and self._store is not None:
                since = 0.0
                try:
                    await self._store.forget(self._clock() - self._days * DAY)
                except GatewayError:
                    since = PRUNE - 60.0
            await asyncio.sleep(FLUSH)
            since += FLUSH

    async def flush(self) -> None:
        """Keep what came. What the store did not take waits for the next time, as far as there is room."""
        store = self._store
        if store is None:
            self._uses.clear()
            self._members.clear()
            return
        async with self._flushing:
            try:
                if self._known is None:
                    self._known = {each.name: each for each in (await store.members())[-MOST:]}
                known = self._known
                members = [each for name, each in self._members.items() if known.get(name) != each[1]]
                uses, lost = self._uses, self._lost
                if uses or members or lost:
                    self._uses, self._lost = {}, 0
                    try:
                        await store.keep(list(uses.values()), members, lost)
                    except GatewayError:
                        self._lost += lost
                        for use in uses.values():
                            self._use(use)
                        raise
            except GatewayError as error:
                if not self._away:
                    self._log(f"the history of access is not kept: {error.detail or error.public}")
                self._away = True
                return
            for at, member in members:
                if self._members.get(member.name) == (at, member):
                    del self._members[member.name]
                if member.name in self._known or len(self._known) < MOST:
                    self._known[member.name] = member
            for name in [name for name, each in self._members.items() if self._known.get(name) == each[1]]:
                del self._members[name]
            self._away = False

    # -- one of each ----------------------------------------------------------------------------------------
    def _use(self, use: Use) -> None:
        shape = self._bounded(use.shape, use.last // DAY)
        key = (use.last // DAY, shape)
        before = self._uses.get(key)
        if before is None and len(self._uses) >= MOST:
            self._lost += use.count
            return
        if before is None:
            self._uses[key] = Use(shape, use.count, use.first, use.last)
        else:
            first, last = min(before.first, use.first), max(before.last, use.last)
            self._uses[key] = Use(shape, before.count + use.count, first, last)

    def _bounded(self, shape: Shape, day: int) -> Shape:
        """The shape, or the coarse one where its identity has had too many on its resource this day."""
        if day != self._today:
            self._today = day
            self._shapes.clear()
        pair = (shape.who.name, shape.resource)
        if pair not in self._shapes and len(self._shapes) >= MOST_PAIRS:
            return shape.coarse()
        known = self._shapes.setdefault(pair, set())
        if shape in known:
            return shape
        if len(known) >= MOST_SHAPES:
            return shape.coarse()
        known.add(shape)
        return shape

    def _member(self, member: Member) -> None:
        known = self._known
        if known is not None and known.get(member.name) == member:
            self._members.pop(member.name, None)
        elif member.name in self._members or len(self._members) < MOST:
            waiting = self._members.get(member.name)
            if waiting is None or waiting[1] != member:
                self._members[member.name] = (self._clock(), member)
