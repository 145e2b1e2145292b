"""Failed sign-ins, by source and by identity: after a few, each further one waits longer.
It must never grow without bound, nor let strangers shut an identity out of where it has signed in well.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

SECOND = 1_000_000_000
FREE_SOURCE = 10
"""Failures of one source before it waits."""
FREE_IDENTITY = 20
"""Failures of one identity, from wherever, before it waits."""
LONGEST = 300
"""Seconds that a wait is at most."""
FORGET = 900
"""Seconds without a failure after which all is forgotten."""
TRUST = 3600
"""Seconds that a source counts as an identity's own after a good sign-in."""
ENTRIES = 10_000
"""Sources, and identities, remembered; the longest untouched go first."""


@dataclass(slots=True)
class _Failures:
    count: int
    last: int
    until: int


class Attempts:
    """clock: monotonic ns."""

    def __init__(self, clock: Callable[[], int], entries: int = ENTRIES) -> None:
        self._clock = clock
        self._entries = entries
        self._sources: OrderedDict[str, _Failures] = OrderedDict()
        self._identities: OrderedDict[str, _Failures] = OrderedDict()
        self._trusted: OrderedDict[tuple[str, str], int] = OrderedDict()

    def tell(self, outcome: str, source: str, identity: str | None) -> int:
        """Count an attempt (`begin`: only ask, `failed`, `good`); the seconds until the next one may be made.

        identity: None where nobody claims to be anybody (a token by itself). Raises ValueError for another
        outcome, or a good attempt of nobody.
        """
        match outcome, identity:
            case "begin", _:
                pass
            case "failed", _:
                self.failed(source, identity)
            case "good", str(name):
                self.good(source, name)
            case _:
                raise ValueError("an attempt's outcome")
        return self.wait(source, identity)

    def wait(self, source: str, identity: str | None) -> int:
        """Seconds until this source may try to be this identity; 0: now."""
        now = self._clock()
        until = self._until(self._sources, source, now)
        if identity is None:
            return _seconds(until, now)
        trusted = self._trusted.get((source, identity))
        if trusted is None or now - trusted > TRUST * SECOND:
            until = max(until, self._until(self._identities, identity, now))
        return _seconds(until, now)

    def failed(self, source: str, identity: str | None) -> None:
        """A sign-in failed, for whatever reason."""
        now = self._clock()
        self._fail(self._sources, source, FREE_SOURCE, now)
        if identity is not None:
            self._fail(self._identities, identity, FREE_IDENTITY, now)

    def good(self, source: str, identity: str) -> None:
        """A sign-in succeeded: the source's failures are forgotten; the identity's hold for other sources."""
        self._sources.pop(source, None)
        self._trusted[source, identity] = self._clock()
        self._trusted.move_to_end((source, identity))
        while len(self._trusted) > self._entries:
            self._trusted.popitem(last=False)

    def _until(self, table: OrderedDict[str, _Failures], key: str, now: int) -> int:
        entry = table.get(key)
        if entry is None:
            return 0
        if now - entry.last > FORGET * SECOND:
            del table[key]
            return 0
        return entry.until

    def _fail(self, table: OrderedDict[str, _Failures], key: str, free: int, now: int) -> None:
        self._until(table, key, now)
        entry = table.setdefault(key, _Failures(0, now, 0))
        entry.count += 1
        entry.last = now
        if entry.count > free:
            entry.until = now + min(LONGEST, 1 << min(entry.count - free, 20)) * SECOND
        table.move_to_end(key)
        while len(table) > self._entries:
            table.popitem(last=False)


def _seconds(until: int, now: int) -> int:
    """From now until then, rounded up; 0 if it is past."""
    return -((now - until) // SECOND) if until > now else 0
