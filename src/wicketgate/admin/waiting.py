"""Waits for people's answers without holding a connection to the store: all who wait here ask together.
It must never let one who waits keep others from being answered.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from wicketgate.model.review import Status

EVERY: Final = 0.3
"""Seconds between two looks at the store, however many wait."""
LONGEST: Final = 60.0
MOST: Final = 100
"""Who waits at once; connections to the API are twice as many."""
MOST_OF_ONE: Final = 10


class Waiting:
    """statuses: of reviews, by the store. To be used on one loop. clock: monotonic seconds."""

    def __init__(
        self,
        statuses: Callable[[Sequence[str]], Awaitable[dict[str, Status]]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._statuses = statuses
        self._clock = clock
        self._waits: Counter[str] = Counter()
        self._of: Counter[str] = Counter()
        self._known: dict[str, Status] = {}
        self._looked = -EVERY
        self._looking = asyncio.Lock()
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """Something has changed here: look at once."""
        self._looked = -EVERY
        self._nudged.set()
        self._nudged = asyncio.Event()

    async def settled(self, review: str, who: str, seconds: float) -> bool:
        """Whether it is no longer pending, in that time. Where too many wait, nobody else does: it answers at
        once. Raises GatewayError where the store is away."""
        if self._waits.total() >= MOST or self._of[who] >= MOST_OF_ONE:
            return False
        until = self._clock() + min(seconds, LONGEST)
        self._waits[review] += 1
        self._of[who] += 1
        try:
            while True:
                nudged = self._nudged
                await self._look()
                if self._known.get(review) is not Status.PENDING:
                    return True
                left = until - self._clock()
                if left <= 0:
                    return False
                try:
                    async with asyncio.timeout(min(EVERY, left)):
                        await nudged.wait()
                except TimeoutError:
                    continue
        finally:
            for counter, name in ((self._waits, review), (self._of, who)):
                counter[name] -= 1
                if not counter[name]:
                    del counter[name]

    async def _look(self) -> None:
        """One look for all who wait by now; who comes in the meantime has another."""
        began = self._clock()
        async with self._looking:
            if self._looked >= began:
                return
            self._looked = self._clock()
            self._known = await self._statuses(list(self._waits))
