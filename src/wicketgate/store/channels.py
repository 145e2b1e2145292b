"""The store's tables of channels: who delivers, how far, what is yet to be delivered, what Slack showed us.
They must never hold what a message says: it is made of the review, anew at each attempt.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from wicketgate.model.delivery import Backlog, Delivery, State
from wicketgate.model.review import ReviewEvent
from wicketgate.store.db import Store, server_clock
from wicketgate.store.review_tables import (
    CHANNEL_DELIVERIES,
    CHANNEL_MESSAGES,
    CHANNEL_SEEN,
    CHANNELS,
    REVIEW_EVENTS,
)

SECOND: Final = 1_000_000_000
DAY: Final = 24 * 3600 * SECOND
KEPT: Final = 7 * DAY
"""How long what was delivered is kept."""
KEPT_DEAD: Final = 30 * DAY
MOST_SEEN: Final = 100_000
"""Requests remembered at once: where there are more, none is taken."""


class ChannelRows:
    """Every method raises StoreFailed. Times are wall ns; leases are counted by the store's own clock."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def _clock(self, connection: AsyncConnection, now: int) -> int:
        if not self._store.shared:
            return now
        return int((await connection.execute(sa.select(server_clock()))).scalar_one())

    async def newest(self) -> int:
        """The outbox's last event; nought where there is none."""
        query = sa.select(sa.func.max(REVIEW_EVENTS.c.seq))
        async with self._store.transaction() as connection:
            return int((await connection.execute(query)).scalar() or 0)

    # -- who delivers ---------------------------------------------------------------------------------------
    async def take(self, channel: str, holder: str, lasts: int, begins: int, now: int) -> int | None:
        """The lease of a channel, for `lasts` ns: how far its outbox was read. None: another one has it.

        begins: where a channel starts that was never served. Who has it, and takes it again, keeps it."""
        table = CHANNELS.c
        row = {"channel": channel, "seq": begins, "holder": "", "until": 0, "delivered": None, "error": ""}
        async with self._store.transaction() as connection:
            await connection.execute(self._store.insert(CHANNELS).values(**row).on_conflict_do_nothing())
            clock = await self._clock(connection, now)
            taken = await connection.execute(
                sa.update(CHANNELS)
                .where(table.channel == channel, sa.or_(table.holder == holder, table.until <= clock))
                .values(holder=holder, until=clock + lasts)
                .returning(table.seq)
            )
            found = taken.scalar_one_or_none()
        return None if found is None else int(found)

    async def release(self, holder: str) -> None:
        """It ends: others need not wait for its leases to run out."""
        async with self._store.transaction() as connection:
            await connection.execute(
                sa.update(CHANNELS).where(CHANNELS.c.holder == holder).values(holder="", until=0)
            )

    async def fill(
        self, channel: str, holder: str, changes: Iterable[ReviewEvent], seq: int, now: int
    ) -> bool:
        """Add deliveries, and remember how far the outbox was read. False, and nothing is done: the lease is
        another's. What was added before stays as it is."""
        table = CHANNELS.c
        rows = [
            {
                "channel": channel,
                "seq": each.seq,
                "review": each.review,
                "what": each.what,
                "at": each.at,
                "by": each.by,
                "state": State.PENDING.value,
                "attempts": 0,
                "began": now,
                "next_at": now,
                "ended": None,
                "error": "",
            }
            for each in changes
        ]
        async with self._store.transaction() as connection:
            moved = await connection.execute(
                sa.update(CHANNELS).where(table.channel == channel, table.holder == holder).values(seq=seq)
            )
            if not moved.rowcount:
                return False
            if rows:
                insert = self._store.insert(CHANNEL_DELIVERIES).on_conflict_do_nothing()
                await connection.execute(insert, rows)
        return True

    # -- deliveries -----------------------------------------------------------------------------------------
    async def due(self, channel: str, now: int, most: int) -> list[Delivery]:
        """Those whose time has come; of one review none before what happened to it earlier."""
        table, earlier = CHANNEL_DELIVERIES.c, CHANNEL_DELIVERIES.alias()
        waits = sa.exists().where(
            earlier.c.channel == table.channel,
            earlier.c.review == table.review,
            earlier.c.state == State.PENDING.value,
            earlier.c.seq < table.seq,
        )
        query = (
            sa.select(CHANNEL_DELIVERIES)
            .where(table.channel == channel, table.state == State.PENDING.value, table.next_at <= now, ~waits)
            .order_by(table.next_at, table.seq)
            .limit(most)
        )
        async with self._store.transaction() as connection:
            return [_delivery(row) for row in (await connection.execute(query)).all()]

    async def tried(self, before: Delivery, after: Delivery) -> bool:
        """What came of an attempt. False, and nothing is done: another one has tried it meanwhile."""
        table = CHANNEL_DELIVERIES.c
        async with self._store.transaction() as connection:
            done = await connection.execute(
                sa.update(CHANNEL_DELIVERIES)
                .where(
                    table.channel == before.channel,
                    table.seq == before.change.seq,
                    table.state == before.state.value,
                    table.attempts == before.attempts,
                )
                .values(
                    state=after.state.value,
                    attempts=after.attempts,
                    next_at=after.next_at,
                    ended=after.ended,
                    error=after.error,
                )
            )
            if done.rowcount:
                told: dict[str, Any] = {"error": after.error}
                if after.state is State.DELIVERED:
                    told["delivered"] = after.ended
                await connection.execute(
                    sa.update(CHANNELS).where(CHANNELS.c.channel == before.channel).values(**told)
                )
        return bool(done.rowcount)

    async def dead(self, channel: str | None, after: int, most: int) -> list[Delivery]:
        """Those that were given up, oldest first. after: a seq; what comes behind it."""
        table = CHANNEL_DELIVERIES.c
        query = sa.select(CHANNEL_DELIVERIES).where(table.state == State.DEAD.value, table.seq > after)
        if channel is not None:
            query = query.where(table.channel == channel)
        async with self._store.transaction() as connection:
            rows = (await connection.execute(query.order_by(table.seq, table.channel).limit(most))).all()
        return [_delivery(row) for row in rows]

    async def replay(self, channel: str, seqs: Sequence[int] | None, now: int) -> int:
        """Have those that were given up tried again, for as long as new ones; None: all. How many."""
        table = CHANNEL_DELIVERIES.c
        statement = (
            sa.update(CHANNEL_DELIVERIES)
            .where(table.channel == channel, table.state == State.DEAD.value)
            .values(state=State.PENDING.value, attempts=0, began=now, next_at=now, ended=None)
        )
        if seqs is not None:
            statement = statement.where(table.seq.in_(list(seqs)))
        async with self._store.transaction() as connection:
            return int((await connection.execute(statement)).rowcount)

    async def backlogs(self) -> dict[str, Backlog]:
        """How each channel stands."""
        table = CHANNEL_DELIVERIES.c
        counts = (
            sa.select(
                table.channel,
                table.state,
                sa.func.count().label("many"),
                sa.func.min(table.at).label("first"),
            )
            .where(table.state != State.DELIVERED.value)
            .group_by(table.channel, table.state)
        )
        async with self._store.transaction() as connection:
            rows = (await connection.execute(sa.select(CHANNELS))).all()
            found: dict[tuple[str, str], Any] = {
                (row.channel, row.state): row for row in (await connection.execute(counts)).all()
            }
        made = {}
        for row in rows:
            pending = found.get((row.channel, State.PENDING.value))
            dead = found.get((row.channel, State.DEAD.value))
            made[row.channel] = Backlog(
                0 if pending is None else int(pending.many),
                0 if dead is None else int(dead.many),
                row.delivered,
                None if pending is None else int(pending.first),
                row.error,
                row.holder,
            )
        return made

    async def forget(self, now: int) -> None:
        """What is too old."""
        table, seen, messages = CHANNEL_DELIVERIES.c, CHANNEL_SEEN.c, CHANNEL_MESSAGES.c
        async with self._store.transaction() as connection:
            await connection.execute(
                sa.delete(CHANNEL_DELIVERIES).where(
                    sa.or_(
                        sa.and_(table.state == State.DELIVERED.value, table.ended < now - KEPT),
                        sa.and_(table.state == State.DEAD.value, table.ended < now - KEPT_DEAD),
                    )
                )
            )
            await connection.execute(sa.delete(CHANNEL_SEEN).where(seen.expires <= now))
            await connection.execute(sa.delete(CHANNEL_MESSAGES).where(messages.at < now - KEPT_DEAD))

    # -- what a chat system showed us -----------------------------------------------------------------------
    async def message(self, channel: str, review: str) -> str | None:
        """Where a review's message stands in the chat system."""
        table = CHANNEL_MESSAGES.c
        query = sa.select(table.place).where(table.channel == channel, table.review == review)
        async with self._store.transaction() as connection:
            found = (await connection.execute(query)).scalar_one_or_none()
        return None if found is None else str(found)

    async def keep_message(self, channel: str, review: str, place: str, now: int) -> None:
        changed = {"place": place, "at": now}
        statement = self._store.insert(CHANNEL_MESSAGES).values(channel=channel, review=review, **changed)
        statement = statement.on_conflict_do_update(
            index_elements=[CHANNEL_MESSAGES.c.channel, CHANNEL_MESSAGES.c.review], set_=changed
        )
        async with self._store.transaction() as connection:
            await connection.execute(statement)

    async def seen(self, digest: str, expires: int, now: int) -> bool:
        """Remember a request as taken; False where it was before, or too many are remembered."""
        count = sa.select(sa.func.count()).select_from(CHANNEL_SEEN).where(CHANNEL_SEEN.c.expires > now)
        async with self._store.transaction() as connection:
            if (await connection.execute(count)).scalar_one() >= MOST_SEEN:
                return False
        # apart: SQLite would not let a transaction write that read before another one wrote
        statement = self._store.insert(CHANNEL_SEEN).values(digest=digest, expires=expires)
        async with self._store.transaction() as connection:
            return bool((await connection.execute(statement.on_conflict_do_nothing())).rowcount)


def _delivery(row: Any) -> Delivery:
    return Delivery(
        row.channel,
        ReviewEvent(row.seq, row.review, row.what, row.at, row.by),
        State(row.state),
        row.attempts,
        row.began,
        row.next_at,
        row.ended,
        row.error,
    )
