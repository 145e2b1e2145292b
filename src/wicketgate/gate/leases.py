"""Limits in this worker: slices leased from the control process, reserved before anything leaves.
It must never let out more than was granted: what can't be leased is denied.

A Bucket counts one limit, a Draw holds what one session's statements have reserved of all limits on rows that
apply to them. A row counts in the hour in which it was reserved. Everything here runs on one loop, so what is
reserved and not used yet can be taken back between two turns of it: nobody is denied what another only holds.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

from wicketgate.gate.ports import Asks
from wicketgate.model.clearance import Allowance
from wicketgate.model.decision import Denial, Limit
from wicketgate.model.errors import GatewayError
from wicketgate.model.task import DRIFT

SLICE: Final = 1000
"""Rows that one session reserves at a time, and that are leased at a time, at most."""
SHARE: Final = 50
"""A lease is at most this part of the limit: what another worker holds is not there for this one."""
IDLE: Final = 10_000_000_000
"""Nanoseconds after which a slice that nobody took from goes back."""

Resume = Callable[[Denial | None], None]


class Bucket:
    """What this worker may still take of one limit, for one session or for one identity's sessions.

    left: may be taken. out: taken by Draws, and perhaps not used. until: wall ns when the leases' window
    ends; None: nothing is leased, or the limit is a session's own. touched: wall ns of the last taking.
    """

    __slots__ = ("draws", "granted", "leases", "left", "limit", "out", "touched", "until", "waiting")

    def __init__(self, limit: Limit, left: int = 0) -> None:
        self.limit = limit
        self.left = left
        self.out = 0
        self.granted = 0
        self.leases: list[tuple[int, int]] = []
        self.until: int | None = None
        self.touched = 0
        self.draws: set[Draw] = set()
        self.waiting: list[Resume] = []

    def adjust(self, limit: Limit) -> None:
        """The rule's amount changed: what was used so far counts against the new one."""
        self.left += limit.amount - self.limit.amount
        self.limit = limit

    def reclaim(self) -> bool:
        """Take back what Draws hold and have not used. Whether something is left then."""
        for draw in list(self.draws):
            draw.give_back()
        return self.left > 0


class Draw:
    """Rows that a session's statements under the same limits may still let leave; they share the allowance.

    open: statements that are not settled yet.
    """

    __slots__ = ("_reserved", "_untils", "allowance", "buckets", "open")

    def __init__(self, buckets: tuple[Bucket, ...]) -> None:
        self.buckets = buckets
        self.allowance = Allowance(0)
        self.open = 0
        self._reserved = 0
        self._untils: tuple[int | None, ...] = ()

    def lacking(self) -> Bucket | None:
        """The first limit of which nothing is left."""
        for bucket in self.buckets:
            if bucket.left <= 0:
                return bucket
        return None

    def fill(self, now: int) -> bool:
        """Reserve the same number of rows of every limit, if none are left. False: some limit lacks them."""
        if self.allowance.left > 0:
            return True
        self.give_back()
        got = min(SLICE, min(bucket.left for bucket in self.buckets))
        if got <= 0:
            return False
        for bucket in self.buckets:
            bucket.left -= got
            bucket.out += got
            bucket.touched = now
            bucket.draws.add(self)
        self._untils = tuple([bucket.until for bucket in self.buckets])
        self._reserved = got
        self.allowance.left = got
        return True

    def give_back(self) -> None:
        """What was reserved and not used goes back, unless its window is over."""
        reserved, unused = self._reserved, max(self.allowance.left, 0)
        if not reserved:
            return
        self.allowance.left = 0
        self._reserved = 0
        for bucket, until in zip(self.buckets, self._untils, strict=True):
            bucket.draws.discard(self)
            if bucket.until == until:
                bucket.out -= reserved
                bucket.left += unused


class Leases:
    """The buckets of this worker that identities' sessions share. clock: wall ns."""

    def __init__(self, asks: Asks, clock: Callable[[], int]) -> None:
        self._asks = asks
        self._clock = clock
        self._shared: dict[str, dict[Limit, Bucket]] = {}
        self._sessions: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # -- sessions -----------------------------------------------------------------------------------------
    def enter(self, identity: str) -> None:
        """A session of the identity was opened."""
        self._sessions[identity] = self._sessions.get(identity, 0) + 1

    def leave(self, identity: str) -> None:
        """A session was closed, its Draws given back. With the identity's last one its slices go back."""
        count = self._sessions.get(identity, 0) - 1
        if count > 0:
            self._sessions[identity] = count
            return
        self._sessions.pop(identity, None)
        for bucket in self._shared.pop(identity, {}).values():
            self._surrender(bucket)

    def sweep(self) -> None:
        """Give back slices that nobody took from for a while."""
        now = self._clock()
        for buckets in self._shared.values():
            for bucket in buckets.values():
                if bucket.leases and not bucket.waiting and now - bucket.touched > IDLE:
                    bucket.reclaim()
                    self._surrender(bucket)

    # -- buckets ------------------------------------------------------------------------------------------
    def bucket(self, identity: str, limit: Limit) -> Bucket:
        """The bucket that counts this limit for all of the identity's sessions here."""
        buckets = self._shared.setdefault(identity, {})
        found = buckets.get(limit)
        if found is None:
            found = buckets[limit] = Bucket(limit)
        return found

    def freshen(self, buckets: Iterable[Bucket]) -> int:
        """Drop what belongs to a window that is over. The wall clock's ns."""
        now = self._clock()
        for bucket in buckets:
            if bucket.until is not None and now >= bucket.until:
                self._surrender(bucket)
        return now

    def later(self, resume: Callable[[], None]) -> None:
        """Call it in the loop's next turn."""
        asyncio.get_running_loop().call_soon(resume)

    def refill(self, identity: str, bucket: Bucket, resume: Resume) -> None:
        """Lease another slice of a shared limit. Later resume(None) when something is left, or the Denial."""
        bucket.waiting.append(resume)
        if len(bucket.waiting) == 1:
            self._start(self._ask(identity, bucket), f"lease {bucket.limit.rule} {bucket.limit.what}")

    async def _ask(self, identity: str, bucket: Bucket) -> None:
        limit = bucket.limit
        self._report(bucket)
        denial: Denial | None = None
        try:
            reply = await self._asks.ask(
                "lease",
                {
                    "identity": identity,
                    "rule": limit.rule,
                    "what": limit.what,
                    "per": limit.per,
                    "amount": limit.amount,
                    "want": max(1, min(SLICE, limit.amount // SHARE)),
                },
            )
            if reply.denial is not None:
                denial = _unchecked(": ".join(str(part) for part in reply.denial))
            elif int(reply.body["granted"]) > 0:
                self._granted(
                    bucket, int(reply.body["lease"]), int(reply.body["granted"]), int(reply.body["until"])
                )
            elif not bucket.reclaim():
                denial = exhausted(limit)
        except (GatewayError, KeyError, TypeError, ValueError) as error:
            denial = _unchecked(type(error).__name__)
        waiting, bucket.waiting = bucket.waiting, []
        for resume in waiting:
            resume(denial)
        if identity not in self._sessions:
            self._surrender(bucket)

    def _granted(self, bucket: Bucket, lease: int, amount: int, until: int) -> None:
        if bucket.until is not None and bucket.until != until:
            self._surrender(bucket)
        bucket.leases.append((lease, amount))
        bucket.granted += amount
        bucket.left += amount
        bucket.until = until
        bucket.touched = self._clock()

    def _report(self, bucket: Bucket) -> None:
        """Tell of leases that are used up: the oldest ones first, as far as it is certain."""
        used = bucket.granted - bucket.left - bucket.out
        while bucket.leases and bucket.leases[0][1] <= used:
            lease, amount = bucket.leases.pop(0)
            self._asks.spent(lease, amount)
            bucket.granted -= amount
            used -= amount

    def _surrender(self, bucket: Bucket) -> None:
        """The leases are over: what was not used goes back. What Draws hold counts as used."""
        used = max(bucket.granted - bucket.left, 0)
        for lease, amount in bucket.leases:
            spent = min(used, amount)
            self._asks.spent(lease, spent)
            used -= spent
        bucket.leases = []
        bucket.granted = bucket.left = bucket.out = 0
        bucket.until = None
        bucket.draws = set()

    def _start(self, thing: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(thing, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def exhausted(limit: Limit) -> Denial:
    """The no of a limit, in words that tell an agent what to do."""
    if limit.per == "task":
        return Denial(
            "drift",
            f"The task declared at most {limit.amount} {limit.what}, and these have left.",
            f"{DRIFT}: more than {limit.amount} {limit.what}",
        )
    return Denial(
        "limit",
        f"The limit of {limit.amount} {limit.what} per {limit.per} of rule {limit.rule!r} is used up.",
        f"limit {limit.what} per {limit.per}",
        "Ask for fewer rows." if limit.what == "rows" else "Try again later.",
        (limit.rule,),
    )


def _unchecked(detail: str) -> Denial:
    return Denial("unavailable", "A limit could not be checked.", f"lease: {detail}", "Try again later.")
