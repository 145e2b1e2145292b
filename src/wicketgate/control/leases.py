"""Limits over all workers: what an identity may still use under a rule is handed out in slices ahead of use.
It must never hand out more than the limit; a slice that never came back counts as spent.

The store holds what was reserved. The control process reserves there in pools, and hands slices of a pool to
workers. An hour is a window that begins at the full hour, UTC.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from wicketgate.control.ports import Counted, StorePort
from wicketgate.model.errors import GatewayError

SECOND = 1_000_000_000
WINDOWS = {"hour": 3600}
"""Kinds of window -> seconds. A session's own limits are counted by its worker and need no lease."""
TASK = "task"
ENDLESS = 9_000_000_000
"""The one window of a task's ceiling, which no hour ends: seconds since the epoch (2255), int64 as ns."""
POOL_SHARE = 20
"""A pool is at least this part of the limit, so that the store is not asked for each slice."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A slice. granted: 0 where the limit is used up. until: wall ns after which it is worth nothing."""

    number: int
    granted: int
    until: int


class _Pool:
    __slots__ = ("free", "lock")

    def __init__(self) -> None:
        self.free = 0
        self.lock = asyncio.Lock()


class Leases:
    """clock: wall ns."""

    def __init__(self, store: StorePort, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._pools: dict[Counted, _Pool] = {}
        self._out: dict[int, tuple[int, Counted, int]] = {}
        self._last = 0

    async def lease(
        self, worker: int, identity: str, rule: str, what: str, per: str, amount: int, want: int
    ) -> Lease:
        """A slice of at most `want` of a limit of `amount` per window.

        Raises GatewayError where the store is away, ValueError for a window that is not leased.
        """
        if (per not in WINDOWS and per != TASK) or amount < 0 or want < 1:
            raise ValueError(f"no lease of {want} of {amount} per {per}")
        if per == TASK:
            counted = Counted(identity, rule, what, ENDLESS, ENDLESS)
        else:
            seconds = WINDOWS[per]
            window = self._clock() // SECOND // seconds * seconds
            counted = Counted(identity, rule, what, window, window + seconds)
            self._forget(window)
        pool = self._pools.setdefault(counted, _Pool())
        async with pool.lock:
            if pool.free < want:
                share = min(amount, max(want, amount // POOL_SHARE))
                pool.free += await self._store.reserve(counted, share - pool.free, amount)
            granted = min(want, pool.free)
            pool.free -= granted
        self._last += 1
        if granted:
            self._out[self._last] = (worker, counted, granted)
        return Lease(self._last, granted, counted.until * SECOND)

    def spent(self, worker: int, lease: int, used: int) -> None:
        """A lease is over. What was not used may be handed out again within its window.

        An unknown lease, or another worker's, changes nothing.
        """
        entry = self._out.get(lease)
        if entry is None or entry[0] != worker:
            return
        del self._out[lease]
        _, counted, granted = entry
        pool = self._pools.get(counted)
        if pool is not None:
            pool.free += granted - min(max(used, 0), granted)

    def worker_gone(self, worker: int) -> None:
        """A worker died: what it held counts as spent."""
        self._out = {lease: entry for lease, entry in self._out.items() if entry[0] != worker}

    async def stop(self) -> None:
        """Give back what lies in the pools. The store being away means that it counts as spent."""
        for counted, pool in self._pools.items():
            free, pool.free = pool.free, 0
            if free:
                try:
                    await self._store.give_back(counted, free)
                except GatewayError:
                    return

    def _forget(self, now: int) -> None:
        """Drop pools and leases of windows that are over."""
        if any(counted.until <= now for counted in self._pools):
            self._pools = {counted: pool for counted, pool in self._pools.items() if counted.until > now}
            self._out = {lease: entry for lease, entry in self._out.items() if entry[1].until > now}
