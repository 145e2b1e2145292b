"""Limits in this worker: slices leased from the control process, reserved before anything leaves.
A limit is never exceeded: what can't be leased is denied."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from wicketgate.gate.ports import Asks
from wicketgate.model.decision import Denial, Limit
from wicketgate.model.errors import GatewayError

SLICE = 1000
"""Rows, or statements, that one statement reserves at most at a time."""


class Bucket:
    """What is left of one leased slice. until: wall ns when the lease's window ends; None: it does not."""

    __slots__ = ("lease", "left", "limit", "until", "used", "waiting")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.left = 0
        self.used = 0
        self.lease = 0
        self.until: int | None = None
        self.waiting: list[Callable[[Denial | None], None]] = []

    def take(self, want: int) -> int:
        """Reserve up to `want`; never all that is left where several could want some."""
        got = min(want, self.left, max(1, (self.left + 1) // 2)) if want > 1 else min(want, self.left)
        self.left -= got
        self.used += got
        return got

    def give_back(self, unused: int) -> None:
        """Reserved, and not needed."""
        self.left += unused
        self.used -= unused


class Leases:
    """The buckets of this worker, shared by its sessions; a limit per session has its own."""

    def __init__(self, asks: Asks, clock: Callable[[], int]) -> None:
        self._asks = asks
        self._clock = clock
        self._shared: dict[tuple[str, Limit], Bucket] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def bucket(self, identity: str, limit: Limit, own: dict[Limit, Bucket]) -> Bucket:
        """The bucket that counts this limit for this identity; `own` holds the session's."""
        if limit.per == "session":
            found = own.get(limit)
            if found is None:
                found = own[limit] = Bucket(limit)
                found.left = limit.amount
            return found
        key = (identity, limit)
        found = self._shared.get(key)
        if found is None:
            found = self._shared[key] = Bucket(limit)
        if found.until is not None and self._clock() >= found.until:
            self._return(found)
        return found

    def refill(self, identity: str, bucket: Bucket, resume: Callable[[Denial | None], None]) -> None:
        """Lease another slice: resume(None) when something is left, resume(Denial) when nothing is."""
        limit = bucket.limit
        if limit.per == "session":
            resume(exhausted(limit))
            return
        bucket.waiting.append(resume)
        if len(bucket.waiting) == 1:
            self._start(self._ask(identity, bucket), f"lease {limit.rule} {limit.what}")

    async def _ask(self, identity: str, bucket: Bucket) -> None:
        limit = bucket.limit
        self._return(bucket)
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
                    "want": max(1, min(SLICE, limit.amount // 10)),
                },
            )
            granted = 0 if reply.denial is not None else int(reply.body["granted"])
            if granted > 0:
                bucket.lease = int(reply.body["lease"])
                bucket.until = int(reply.body["until"])
                bucket.left = granted
                bucket.used = 0
            else:
                denial = exhausted(limit)
        except (GatewayError, KeyError, TypeError, ValueError) as error:
            denial = Denial("unavailable", "A limit could not be checked.", f"lease: {type(error).__name__}")
        waiting, bucket.waiting = bucket.waiting, []
        for resume in waiting:
            resume(denial)

    def _return(self, bucket: Bucket) -> None:
        """A lease is over: what was not used goes back."""
        if bucket.lease:
            self._asks.spent(bucket.lease, bucket.used)
        bucket.lease = 0
        bucket.left = 0
        bucket.used = 0
        bucket.until = None

    def _start(self, thing: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(thing, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def exhausted(limit: Limit) -> Denial:
    """The no of a limit, in words that tell an agent what to do."""
    return Denial(
        "limit",
        f"The limit of {limit.amount} {limit.what} per {limit.per} of rule {limit.rule!r} is used up.",
        f"limit {limit.what} per {limit.per}",
        "Ask for fewer rows." if limit.what == "rows" else "Try again later.",
        (limit.rule,),
    )
