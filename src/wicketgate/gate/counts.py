"""What limits count in one session: statements, and rows that may still leave. Compiled.
It must never reserve of one limit what another one does not give."""

from wicketgate.gate.leases import Bucket, Draw, Leases
from wicketgate.model.clearance import UNLIMITED, Allowance
from wicketgate.model.decision import Limit


class Counts:
    """The session's own buckets, and its draws on these and on the identity's.

    used: whether any statement drew rows yet.
    """

    __slots__ = ("_draws", "_identity", "_leases", "_own", "used")

    def __init__(self, identity: str, leases: Leases) -> None:
        self.used: bool = False
        self._identity: str = identity
        self._leases: Leases = leases
        self._own: dict[tuple[str, str], Bucket] = {}
        self._draws: dict[tuple[Limit, ...], Draw] = {}

    def take(self, statements: tuple[Limit, ...], rows: tuple[Limit, ...]) -> Allowance | Bucket:
        """Count a statement and see to it that its first row may leave. A Bucket: that limit has nothing
        left, and nothing was counted."""
        counted = [self._bucket(limit) for limit in statements]
        draw = self._draw(rows) if rows else None
        now = self._leases.freshen(counted if draw is None else [*counted, *draw.buckets])
        for bucket in counted:
            if bucket.left <= 0:
                return bucket
        if draw is not None:
            empty = self._fill(draw, now)
            if empty is not None:
                return empty
        for bucket in counted:
            bucket.left -= 1
            bucket.touched = now
        if draw is None:
            return Allowance(UNLIMITED)
        draw.open += 1
        return draw.allowance

    def more(self, allowance: Allowance) -> Bucket | None:
        """Reserve more rows for who shares the allowance. A Bucket: that limit has nothing left."""
        draw = self._draw_of(allowance)
        return None if draw is None else self._fill(draw, self._leases.freshen(draw.buckets))

    def counts(self, allowance: Allowance) -> bool:
        """Whether this allowance is one of the session's."""
        return self._draw_of(allowance) is not None

    def settled(self, allowance: Allowance, first: bool) -> None:
        """A statement ended. What nobody in the session waits for goes back."""
        draw = self._draw_of(allowance)
        if draw is not None:
            if first:
                draw.open -= 1
            if draw.open <= 0:
                draw.give_back()

    def end(self) -> None:
        """The session is over: whatever is still reserved goes back."""
        for draw in self._draws.values():
            draw.give_back()

    @staticmethod
    def _fill(draw: Draw, now: int) -> Bucket | None:
        """Reserve rows, taking back what others in the session hold. The limit that lacks them, or None."""
        while not draw.fill(now):
            empty = draw.lacking()
            if empty is None or empty.limit.per != "session" or not empty.reclaim():
                return empty
        return None

    def _bucket(self, limit: Limit) -> Bucket:
        """The bucket that counts this limit: the session's own, or an identity's."""
        if limit.per != "session":
            return self._leases.bucket(limit.whose or self._identity, limit)
        key = (limit.rule, limit.what)
        found = self._own.get(key)
        if found is None:
            found = self._own[key] = Bucket(limit, limit.amount)
        elif found.limit.amount != limit.amount:
            found.adjust(limit)
        return found

    def _draw(self, limits: tuple[Limit, ...]) -> Draw:
        """What statements under these limits share. A rule's amount may have changed since: it counts now."""
        found = self._draws.get(limits)
        if found is None:
            found = self._draws[limits] = Draw(tuple([self._bucket(limit) for limit in limits]))
            self.used = True
            return found
        for limit in limits:
            if limit.per == "session":
                self._bucket(limit)
        return found

    def _draw_of(self, allowance: Allowance) -> Draw | None:
        for draw in self._draws.values():
            if draw.allowance is allowance:
                return draw
        return None
