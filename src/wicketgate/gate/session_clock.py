"""The clock that a session is judged by: wall time, but it never goes back, nor slower than time passes
(compiled).
It must never give a session time that somebody gained by setting a clock back."""

from collections.abc import Callable

from wicketgate.model.ports import NEVER


class SessionClock:
    """wall: ns. boot: monotonic ns."""

    __slots__ = ("_ahead", "_boot", "_wall")

    def __init__(self, wall: Callable[[], int], boot: Callable[[], int]) -> None:
        self._wall = wall
        self._boot = boot
        self._ahead = wall() - boot()
        """Of the monotonic clock: it only grows."""

    def now(self) -> int:
        """Wall ns."""
        boot = self._boot()
        self._ahead = max(self._ahead, self._wall() - boot)
        return boot + self._ahead

    def due(self, *moments: int | None) -> int:
        """When the first of these (wall ns) has come at the latest, as monotonic ns."""
        to_come = [each for each in moments if each is not None]
        return self._boot() + max(0, min(to_come) - self.now()) if to_come else NEVER
