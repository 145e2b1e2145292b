"""Delivers what becomes of reviews: one task for each channel, one node at a time, at least once.
It must never hold up another channel, nor anybody who waits for an answer elsewhere.

A node takes a channel's lease in the store, moves what the outbox says into the channel's deliveries, and
tries those whose time has come. Who has the lease and dies loses it after LEASE.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from wicketgate.channels.notice import event_of, notice, trial
from wicketgate.channels.ports import Granted, Labels, Link, Outbox, Rows
from wicketgate.channels.senders import Sender
from wicketgate.channels.settings import Channel
from wicketgate.channels.wire import Unsent
from wicketgate.model.delivery import LASTS, Delivery, State
from wicketgate.model.errors import GatewayError, Unreadable
from wicketgate.model.review import Kind, Review, ReviewEvent

SECOND: Final = 1_000_000_000
EVERY = 1.0
"""Seconds between looks at the outbox, where nobody says that there is something."""
LEASE: Final = 60.0
RENEW: Final = 15.0
"""Seconds after which a lease is renewed: an attempt takes half a minute at most."""
AWAY: Final = 5.0
"""Seconds before the next look where the store is away, or something is wrong."""
FIRST: Final = 1.0
SLOWEST: Final = 3600.0
"""Seconds between attempts: the first pause, which doubles, and the longest."""
MOST: Final = 200
"""Events that are read at once."""
AT_ONCE: Final = 8
"""Attempts of one channel at a time, each about another review."""
PRUNE: Final = 3600.0
GONE: Final = "there is no such review any more, or it can't be read"


@dataclass(slots=True)
class _Held:
    """How one channel stands here. cursor: how far its outbox was read; None: another node delivers.
    renew, paused: monotonic ns. told: the failure that was told last."""

    cursor: int | None = None
    renew: int = 0
    paused: int = 0
    told: str = ""
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class Deliveries:
    """holder: this life of this node. clock: wall ns. boot: monotonic ns. random: from 0 to 1.

    Bound to the loop that runs it."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        senders: Mapping[str, Sender],
        outbox: Outbox,
        rows: Rows,
        link: Link,
        labels: Labels,
        holder: str,
        clock: Callable[[], int],
        boot: Callable[[], int],
        random: Callable[[], float],
        log: Callable[[str], None],
        granted: Granted,
    ) -> None:
        self._channels = channels
        self._senders = senders
        self._outbox = outbox
        self._rows = rows
        self._link = link
        self._labels = labels
        self._holder = holder
        self._clock = clock
        self._boot = boot
        self._random = random
        self._log = log
        self._granted = granted
        self._held = {name: _Held() for name in channels}

    async def run(self) -> None:
        """Until it is cancelled. Then others may take its leases at once."""
        try:
            async with asyncio.TaskGroup() as group:
                for name in self._channels:
                    group.create_task(self._serve(name), name=f"channel {name}")
                group.create_task(self._forget(), name="old deliveries")
        finally:
            try:
                async with asyncio.timeout(2.0):
                    await self._rows.release(self._holder)
            except (GatewayError, TimeoutError):
                self._log("channels: other nodes take over when the leases run out")

    def poke(self) -> None:
        """There may be something new."""
        for held in self._held.values():
            held.wake.set()

    async def test(self, name: str) -> str:
        """Send a message that says that this is a test, once. Why it did not arrive; empty: it did.
        Raises KeyError."""
        sender = self._senders[name]
        try:
            await sender.send(trial(name, self._clock(), self._link("0" * 26)))
        except Unsent as error:
            return error.why
        return ""

    # -- one channel ----------------------------------------------------------------------------------------
    async def _serve(self, name: str) -> None:
        held = self._held[name]
        while True:
            try:
                wait = await self.round(name)
                self._tell(name, held, "")
            except GatewayError as error:
                wait = AWAY
                held.renew = 0
                self._tell(name, held, error.detail or error.public)
            except Exception as error:  # whatever it is: a channel that ended would be silent for good
                wait = AWAY
                held.renew = 0
                self._tell(name, held, type(error).__name__)
            try:
                async with asyncio.timeout(wait):
                    await held.wake.wait()
            except TimeoutError:
                pass
            held.wake.clear()

    async def round(self, name: str) -> float:
        """Look once at everything of one channel. Seconds until the next look. Raises GatewayError."""
        held = self._held[name]
        if self._boot() >= held.renew:
            known = held.cursor is not None
            begins = 0 if known else await self._rows.newest()
            held.cursor = await self._rows.take(
                name, self._holder, int(LEASE * SECOND), begins, self._clock()
            )
            held.renew = self._boot() + int(RENEW * SECOND)
        if held.cursor is None:
            held.renew = self._boot() + int(AWAY * SECOND)
            return AWAY
        more = await self._read(name, held, held.cursor)
        if held.cursor is None or self._boot() < held.paused:
            return EVERY
        due = await self._rows.due(name, self._clock(), AT_ONCE)
        if due:
            # gathered, not grouped: one that fails must not cut another one off in the middle
            done = await asyncio.gather(*(self._attempt(name, each) for each in due), return_exceptions=True)
            for each in done:
                if isinstance(each, BaseException):
                    raise each
        return 0.0 if more or len(due) == AT_ONCE else EVERY

    async def _read(self, name: str, held: _Held, cursor: int) -> bool:
        """Take what the outbox says. Whether there is more."""
        events = await self._outbox.events(cursor, MOST)
        if not events:
            return False
        settings = self._channels[name].settings
        reviews: dict[str, Review | None] = {}
        wanted: list[ReviewEvent] = []
        for each in events:
            if each.review not in reviews:
                reviews[each.review] = await self._review(each.review)
            review = reviews[each.review]
            # a channel that comes back after long is not told of what nobody waits for any more
            if each.at < self._clock() - LASTS or review is None:
                continue
            if settings.wants(event_of(each, review), review.resource, self._labels(review.resource)):
                wanted.append(each)
        last = events[-1].seq
        if not await self._rows.fill(name, self._holder, wanted, last, self._clock()):
            held.cursor = None  # another node has taken over
            return False
        held.cursor = last
        return len(events) == MOST

    async def _review(self, name: str) -> Review | None:
        """None: there is none, or none that will ever be read; it keeps no other one waiting."""
        try:
            return await self._outbox.review(name)
        except Unreadable as error:
            self._log(f"review {name}: {error.public}: nobody is told of it")
            return None

    async def _attempt(self, name: str, delivery: Delivery) -> None:
        """Try once, and keep what came of it. Raises GatewayError where the store is away."""
        settings = self._channels[name].settings
        review = await self._review(delivery.change.review)
        tried = replace(delivery, attempts=delivery.attempts + 1, ended=self._clock(), error="")
        if review is None:
            gone = replace(tried, state=State.DEAD, error=GONE)
            await self._rows.tried(delivery, gone)
            return
        link = self._link(review.id)
        grant = None if review.kind is Kind.STATEMENT else await self._granted(review.id)
        try:
            await self._senders[name].send(notice(delivery.change, review, link, settings.shows, grant))
        except Unsent as error:
            await self._rows.tried(delivery, self._later(name, tried, error))
        except Exception as error:  # whatever it is: one that fails always must be given up some day
            unforeseen = Unsent(type(error).__name__, again=True)
            await self._rows.tried(delivery, self._later(name, tried, unforeseen))
        else:
            await self._rows.tried(delivery, replace(tried, state=State.DELIVERED, ended=self._clock()))

    def _later(self, name: str, tried: Delivery, error: Unsent) -> Delivery:
        """What becomes of it after a failure."""
        now = self._clock()
        wait = max(self.pause(tried.attempts), error.after or 0.0)
        if error.again and error.after:
            self._held[name].paused = self._boot() + int(error.after * SECOND)
        then = now + int(wait * SECOND)
        if error.again and then < tried.began + LASTS:
            return replace(tried, next_at=then, ended=None, error=error.why)
        why = error.why if not error.again else f"{error.why}; given up after {tried.attempts} attempts"
        self._log(f"channel {name}: {tried.change.what} of {tried.change.review} is not delivered: {why}")
        return replace(tried, state=State.DEAD, ended=now, error=why)

    def pause(self, attempts: int) -> float:
        """Seconds before the next attempt; not the same for all, so that they do not come back together."""
        longest = min(SLOWEST, FIRST * 2.0 ** min(attempts - 1, 20))
        return longest * (0.5 + self._random() / 2)

    def _tell(self, name: str, held: _Held, why: str) -> None:
        """A failure once, and once that it is over."""
        if held.told != why:
            self._log(f"channel {name}: {why or 'it goes on'}")
            held.told = why

    async def _forget(self) -> None:
        while True:
            with contextlib.suppress(GatewayError):
                await self._rows.forget(self._clock())
            await asyncio.sleep(PRUNE)
