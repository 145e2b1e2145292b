"""Sign-ins that failed or are under way, by source: after a few failures, each further one waits longer.
It must never grow without bound, never let tries at once pass where tries one by one would not, nor let what
somebody else did elsewhere shut an identity out.

An attempt is reserved when it begins, so that those under way count as if they had failed; who finds no room
waits for others' outcomes. Failures count against the source that they came from, for the identity that they
named: a good sign-in forgets its own identity's alone. Where an identity signed in well within the hour only
its own failures there count, so that a client with a dead token does not shut out its neighbours. Nothing
counts against an identity from all sources: tokens are too long to be guessed, and its owner would be locked
out.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from wicketgate.model.network import source_network as network

SECOND = 1_000_000_000
FREE_SOURCE = 10
"""Failures of one source before it waits."""
LONGEST = 300
"""Seconds that a wait is at most."""
LONGEST_TRUSTED = 10
"""The same where the identity signed in well before: it is slowed down, not locked out."""
FORGET = 900
"""Seconds without a failure after which all is forgotten."""
TRUST = 3600
"""Seconds that a source counts as an identity's own after a good sign-in."""
UNDER_WAY = 10
"""Seconds after which an attempt that nobody told the outcome of is taken for none."""
PATIENCE = 5.0
"""Seconds that an attempt waits for room."""
WAITING = 1024
"""Attempts of one source that wait for room."""
ENTRIES = 10_000
"""Sources remembered, and identities at sources; the longest untouched go first."""
NAMES = 64
"""Identities whose failures are told apart for one source."""


@dataclass(slots=True)
class _Lane:
    """Attempts that count together: of one source, or of one identity at a source that is its own.

    failures: by identity. until: no attempt before. begun: under way, each with the moment it began."""

    longest: int
    failures: dict[str | None, int] = field(default_factory=dict)
    last: int = 0
    until: int = 0
    begun: deque[tuple[str | None, int]] = field(default_factory=deque)
    waiting: deque["asyncio.Future[None]"] = field(default_factory=deque)

    def room(self, now: int) -> int:
        """How many attempts may begin now; what is under way may yet fail. After the wait, one may always."""
        while self.begun and now - self.begun[0][1] > UNDER_WAY * SECOND:
            self.begun.popleft()
        if self.failures and now - self.last > FORGET * SECOND:
            self.failures.clear()
        if self.until > now:
            return 0
        return max(1, FREE_SOURCE + 1 - sum(self.failures.values())) - len(self.begun)

    def ended(self, identity: str | None) -> bool:
        """The oldest attempt of this identity that is under way is so no more; False: there was none."""
        for each in self.begun:
            if each[0] == identity:
                self.begun.remove(each)
                return True
        return False

    def fail(self, identity: str | None, now: int) -> None:
        self.room(now)
        name = identity if identity in self.failures or len(self.failures) < NAMES else None
        self.failures[name] = self.failures.get(name, 0) + 1
        self.last = now
        over = sum(self.failures.values()) - FREE_SOURCE
        if over > 0:
            self.until = now + min(self.longest, 1 << min(over, 20)) * SECOND

    def forget(self, identity: str | None) -> None:
        self.failures.pop(identity, None)
        if sum(self.failures.values()) <= FREE_SOURCE:
            self.until = 0

    def wake(self, now: int) -> None:
        """Let those look again who may find room, or must hear that there is none."""
        for _ in range(len(self.waiting) if self.until > now else self.room(now)):
            if self.waiting and not (turn := self.waiting.popleft()).done():
                turn.set_result(None)


class Attempts:
    """clock: monotonic ns. Used on one loop."""

    def __init__(self, clock: Callable[[], int], entries: int = ENTRIES) -> None:
        self._clock = clock
        self._entries = entries
        self._sources: OrderedDict[Hashable, _Lane] = OrderedDict()
        self._trusted: OrderedDict[Hashable, tuple[int, _Lane]] = OrderedDict()

    async def tell(self, outcome: str, source: str, identity: str | None) -> int:
        """Count an attempt (`begin`, then `failed` or `good`); the seconds until the next one may be made.

        `begin` with 0 reserves: the attempt may be made, and its outcome is to be told. identity: who is
        claimed, or another text for what is claimed; None: nothing. Raises ValueError for another outcome,
        or a good attempt of nobody.
        """
        match outcome, identity:
            case "begin", _:
                return await self.begin(source, identity)
            case "failed", _:
                self.failed(source, identity)
            case "good", str(name):
                self.good(source, name)
            case _:
                raise ValueError("an attempt's outcome")
        return self.wait(source, identity)

    async def begin(self, source: str, identity: str | None) -> int:
        """Reserve an attempt: 0, or the seconds until it may be tried again. Waits while those under way
        leave no room, PATIENCE at most."""
        while True:
            lane, now = self._lane(source, identity), self._clock()
            if lane.room(now) > 0:
                lane.begun.append((identity, now))
                return 0
            if lane.until > now or len(lane.waiting) >= WAITING:
                return max(1, _seconds(lane.until, now))
            turn = asyncio.get_running_loop().create_future()
            lane.waiting.append(turn)
            try:
                async with asyncio.timeout(PATIENCE):
                    await turn
            except TimeoutError:
                return 1
            finally:
                if turn in lane.waiting:
                    lane.waiting.remove(turn)

    def wait(self, source: str, identity: str | None) -> int:
        """Seconds until this source may try to be this identity; 0: now, if there is room."""
        return _seconds(self._lane(source, identity).until, self._clock())

    def failed(self, source: str, identity: str | None) -> None:
        """A sign-in failed, for whatever reason. It counts for the source, and for the identity there."""
        now = self._clock()
        own, everybody = self._lane(source, identity), self._source(source)
        if not own.ended(identity) and own is not everybody:
            everybody.ended(identity)
        for lane in (own,) if own is everybody else (own, everybody):
            lane.fail(identity, now)
            lane.wake(now)

    def good(self, source: str, identity: str) -> None:
        """A sign-in succeeded: this identity's failures at this source are forgotten, and nobody else's."""
        now = self._clock()
        key = (network(source), identity)
        _, own = self._trusted.get(key, (now, _Lane(LONGEST_TRUSTED)))
        everybody = self._source(source)
        if not own.ended(identity):
            everybody.ended(identity)
        self._trusted[key] = (now, own)
        for lane in (own, everybody):
            lane.forget(identity)
            lane.wake(now)
        self._trusted.move_to_end(key)
        while len(self._trusted) > self._entries:
            self._trusted.popitem(last=False)

    def _lane(self, source: str, identity: str | None) -> _Lane:
        """Where the identity's attempts from there count now."""
        key = (network(source), identity)
        trusted = self._trusted.get(key)
        if trusted is not None and self._clock() - trusted[0] <= TRUST * SECOND:
            return trusted[1]
        return self._source(source)

    def _source(self, source: str) -> _Lane:
        key = network(source)
        lane = self._sources.setdefault(key, _Lane(LONGEST))
        self._sources.move_to_end(key)
        while len(self._sources) > self._entries:
            self._sources.popitem(last=False)
        return lane


def _seconds(until: int, now: int) -> int:
    """From now until then, rounded up; 0 if it is past."""
    return -((now - until) // SECOND) if until > now else 0
