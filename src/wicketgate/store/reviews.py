"""The store's tables of reviews: each change is one transaction, and of races between nodes one wins.
It must never let an approval be used twice, nor keep a statement, a reason or a comment in clear.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from wicketgate.model.errors import GatewayError
from wicketgate.model.review import (
    NEXT,
    Kind,
    NotAnswerable,
    Review,
    ReviewEvent,
    Sought,
    Status,
    TooManyWait,
    Vote,
    answered,
    may_go,
    standing,
)
from wicketgate.store.db import Store
from wicketgate.store.review_rows import Cipher, Seal, of_row, row_of, vote_row
from wicketgate.store.review_search import wanted
from wicketgate.store.review_tables import REVIEW_CHAIRS, REVIEW_EVENTS, REVIEW_VOTES, REVIEWS

KEPT: Final = 90 * 86_400 * 1_000_000_000
"""How long reviews that ended are kept here. The journal tells of them for good."""
PENDING_MOST: Final = 200
"""Reviews of one identity that may wait at once."""
LIKE_MOST: Final = 500
"""Reviews that are looked at for one question; what is approved comes first. Beyond, it is asked anew."""
_LOCK: Final = 0x7772_7677
"""'wrvw': the number of our advisory lock on PostgreSQL. Changes of reviews come one by one, so that events
are numbered in the order in which they hold."""


class Reviews:
    """control.shared.ReviewStore, and what verbs need. store: opened when it is first asked, on the loop that
    asks. seal: what closes at rest (custody.seal.Sealing). Every method raises GatewayError.

    What `expired`, `abandon` and `page` give is not opened: it has neither `shown` nor reason nor comments.
    """

    def __init__(self, store: Callable[[], Awaitable[Store]], seal: Seal) -> None:
        self._store = store
        self._seal = seal

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that changes reviews: nobody else does meanwhile, on whatever node."""
        store = await self._store()
        async with store.transaction() as connection:
            if store.shared:
                await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            else:
                # SQLite's one write lock, before anything is read
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        async with (await self._store()).transaction() as connection:
            yield connection

    # -- asking and using ------------------------------------------------------------------------------------
    async def ask(self, asked: Review, now: int, room: bool = True) -> tuple[Review, bool]:
        """See ReviewStore. Raises TooManyWait."""
        return (await self.ask_all([asked], now, room))[0]

    async def ask_all(
        self, asked: Sequence[Review], now: int, room: bool = True
    ) -> list[tuple[Review, bool]]:
        """See ReviewStore. Raises TooManyWait."""
        cipher = await self._seal.cipher()
        if all(each.kind is Kind.STATEMENT for each in asked):
            # what changes nothing is found without waiting for anybody
            async with self._reading() as connection:
                found = await self._standing(connection, asked, now)
                if not room and None in found:
                    raise TooManyWait(f"reviews of {asked[0].asker.identity} wait already")
                there = [each for each in found if each is not None]
                may = may_go(found)
                if len(there) == len(asked) and not (may and "once" in _scopes(there)):
                    opened = [await self._opened(connection, cipher, each) for each in there]
                    if [_stand(each) for each in opened] == [_stand(each) for each in there]:
                        return [(each, may) for each in opened]
        async with self._changing() as connection:
            found = await self._standing(connection, asked, now)
            if not room and None in found:
                raise TooManyWait(f"reviews of {asked[0].asker.identity} wait already")
            may = may_go(found)
            answers = []
            for one, each in zip(found, asked, strict=True):
                if one is None:
                    await self._check_room(connection, each)
                    await self._add(connection, cipher, each)
                    answers.append((each, False))
                else:
                    opened_one = await self._opened(connection, cipher, one)
                    answers.append((await self._use(connection, opened_one, now) if may else opened_one, may))
            return answers

    async def _standing(
        self, connection: AsyncConnection, asked: Sequence[Review], now: int
    ) -> list[Review | None]:
        looked = [each for each in asked if each.kind is not Kind.AFTER]
        like = [await self._like(connection, each, now) for each in looked]
        return standing(asked, like if looked else [[] for _ in asked], now)

    async def spend(self, review: str, session: str, now: int) -> tuple[Review, bool]:
        """See ReviewStore. Raises GatewayError where there is none."""
        cipher = await self._seal.cipher()
        # who only waits takes no lock from others
        async with self._reading() as connection:
            found = await self._one(connection, cipher, review)
        if found is None:
            raise GatewayError("there is no such review")
        if not _spendable(found, session, now):
            return found, False
        async with self._changing() as connection:
            found = await self._one(connection, cipher, review)
            if found is None:
                raise GatewayError("there is no such review")
            if not _spendable(found, session, now):
                return found, False
            return await self._use(connection, found, now), True

    async def end(self, review: str, status: Status, by: str, now: int) -> Review | None:
        """See ReviewStore."""
        cipher = await self._seal.cipher()
        async with self._changing() as connection:
            found = await self._one(connection, cipher, review)
            if found is None or status not in (Status.WITHDRAWN, Status.EXPIRED):
                return found
            if status not in NEXT[found.status]:
                return found
            ended = replace(found, status=status, ended=now, ended_by=by)
            await self._write(connection, found, ended, now, by)
            return ended

    async def review(self, review: str) -> Review | None:
        """One of them, opened."""
        cipher = await self._seal.cipher()
        async with self._reading() as connection:
            return await self._one(connection, cipher, review)

    # -- answering -------------------------------------------------------------------------------------------
    async def answer(
        self,
        review: str,
        vote: Vote,
        now: int,
        check: Callable[[Review], None] = lambda review: None,
    ) -> Review:
        """The review after an answer, which holds then. check: may raise, before anything is changed.
        Raises NotAnswerable."""
        cipher = await self._seal.cipher()
        async with self._changing() as connection:
            found = await self._one(connection, cipher, review)
            if found is None:
                raise NotAnswerable("there is no such review")
            check(found)
            usable = found.expires - found.created if found.usable is None else found.usable
            after = answered(found, vote, now, max(usable, 0))
            await connection.execute(sa.insert(REVIEW_VOTES).values(**vote_row(cipher, review, vote)))
            await self._write(connection, found, after, now, vote.person)
        return after

    # -- what ends by itself ---------------------------------------------------------------------------------
    async def expired(self, now: int) -> Sequence[Review]:
        """See ReviewStore. Forgets, too, what ended long ago."""
        table = REVIEWS.c
        unanswered = sa.and_(
            table.status == Status.PENDING.value, table.kind != Kind.AFTER.value, table.expires <= now
        )
        unused = sa.and_(table.status == Status.APPROVED.value, table.usable_until <= now)
        why = {Status.PENDING: "nobody answered in time", Status.APPROVED: "it was not used in time"}
        async with self._reading() as connection:
            due = (await connection.execute(sa.select(table.id).where(sa.or_(unanswered, unused)))).first()
        if due is None:
            return []
        found = await self._end_all(sa.or_(unanswered, unused), Status.EXPIRED, why, now)
        await self.forget(now - KEPT)
        return found

    async def abandon(self, node: str, why: str, now: int) -> Sequence[Review]:
        """See ReviewStore."""
        table = REVIEWS.c
        waits = sa.and_(
            table.node == node,
            table.mode == "wait",
            table.status.in_([Status.PENDING.value, Status.APPROVED.value]),
            table.kind == Kind.STATEMENT.value,
            table.session.is_not(None),
        )
        whys = {Status.PENDING: why, Status.APPROVED: why}
        return await self._end_all(waits, Status.WITHDRAWN, whys, now)

    async def _end_all(
        self, where: Any, status: Status, why: dict[Status, str], now: int
    ) -> Sequence[Review]:
        ended = []
        async with self._changing() as connection:
            for row in (await connection.execute(sa.select(REVIEWS).where(where))).all():
                found = of_row(row, (), None)
                after = replace(found, status=status, ended=now, ended_by=why[found.status])
                await self._write(connection, found, after, now, after.ended_by)
                ended.append(after)
        return ended

    async def forget(self, before: int) -> None:
        """Forget what ended before (wall ns), and what was told of it. The newest event stays: the next one
        has a higher number."""
        newest = sa.select(sa.func.max(REVIEW_EVENTS.c.seq)).scalar_subquery()
        old = sa.select(REVIEWS.c.id).where(
            REVIEWS.c.ended < before,
            sa.func.coalesce(REVIEWS.c.usable_until, 0) < before,
            REVIEWS.c.status.not_in([Status.PENDING.value, Status.APPROVED.value]),
        )
        async with self._changing() as connection:
            ids = [row.id for row in await connection.execute(old)]
            for table in (REVIEW_VOTES, REVIEW_CHAIRS):
                await connection.execute(sa.delete(table).where(table.c.review.in_(ids)))
            await connection.execute(sa.delete(REVIEWS).where(REVIEWS.c.id.in_(ids)))
            await connection.execute(
                sa.delete(REVIEW_EVENTS).where(REVIEW_EVENTS.c.at < before, REVIEW_EVENTS.c.seq < newest)
            )

    # -- looking ---------------------------------------------------------------------------------------------
    async def page(self, sought: Sought, after: tuple[int, str] | None, most: int) -> list[Review]:
        """Newest first, not opened. after: created and id; what comes behind."""
        query = sa.select(REVIEWS).where(*wanted(sought))
        if after is not None:
            query = query.where(
                sa.or_(
                    REVIEWS.c.created < after[0],
                    sa.and_(REVIEWS.c.created == after[0], REVIEWS.c.id < after[1]),
                )
            )
        query = query.order_by(REVIEWS.c.created.desc(), REVIEWS.c.id.desc()).limit(most)
        async with self._reading() as connection:
            rows = (await connection.execute(query)).all()
            votes = await self._votes(connection, [row.id for row in rows])
        return [of_row(row, votes.get(row.id, ()), None) for row in rows]

    async def statuses(self, reviews: Sequence[str]) -> dict[str, Status]:
        """Of those that there are: for whoever waits for one."""
        query = sa.select(REVIEWS.c.id, REVIEWS.c.status).where(REVIEWS.c.id.in_(sorted(reviews)))
        async with self._reading() as connection:
            return {row.id: Status(row.status) for row in await connection.execute(query)}

    async def events(self, after: int, most: int) -> list[ReviewEvent]:
        """The outbox: what comes behind an event, in order."""
        query = sa.select(REVIEW_EVENTS).where(REVIEW_EVENTS.c.seq > after)
        query = query.order_by(REVIEW_EVENTS.c.seq).limit(most)
        async with self._reading() as connection:
            rows = (await connection.execute(query)).all()
        return [ReviewEvent(row.seq, row.review, row.what, row.at, row.by) for row in rows]

    # -- rows ------------------------------------------------------------------------------------------------
    async def _one(self, connection: AsyncConnection, cipher: Cipher, review: str) -> Review | None:
        row = (await connection.execute(sa.select(REVIEWS).where(REVIEWS.c.id == review))).first()
        if row is None:
            return None
        return of_row(row, (await self._votes(connection, [review])).get(review, ()), cipher)

    async def _like(self, connection: AsyncConnection, asked: Review, now: int) -> list[Review]:
        """Those of the same identity that may answer what is asked, not opened and without votes; the widest
        approvals first, then the oldest. What is over in time is none of them."""
        table = REVIEWS.c
        waits = sa.and_(table.status == Status.PENDING.value, table.expires > now)
        denied = sa.and_(table.status == Status.DENIED.value, table.expires > now)
        approved = sa.and_(table.status == Status.APPROVED.value, table.usable_until > now)
        exact = table.exact == asked.exact
        query = sa.select(*[each for each in table if each is not table.sealed]).where(
            table.identity == asked.asker.identity,
            table.kind == asked.kind.value,
            table.resource == asked.resource,
            table.database == asked.database,
            sa.or_(
                sa.and_(approved, sa.or_(exact, table.shape == asked.shape)),
                sa.and_(exact, waits),
                sa.and_(exact, denied),
            ),
        )
        # "approved" stands before the others in the alphabet, too
        query = query.order_by(table.status, table.created, table.id).limit(LIKE_MOST)
        found = [of_row(row, (), None) for row in (await connection.execute(query)).all()]
        return sorted(found, key=lambda each: each.conditions.scope == "once")

    async def _opened(self, connection: AsyncConnection, cipher: Cipher, review: Review) -> Review:
        """One that was found in this transaction, whole."""
        found = await self._one(connection, cipher, review.id)
        return review if found is None else found

    async def _votes(self, connection: AsyncConnection, reviews: Sequence[str]) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        if reviews:
            query = sa.select(REVIEW_VOTES).where(REVIEW_VOTES.c.review.in_(reviews))
            for row in await connection.execute(query.order_by(REVIEW_VOTES.c.at, REVIEW_VOTES.c.voter)):
                found.setdefault(row.review, []).append(row)
        return found

    async def _check_room(self, connection: AsyncConnection, asked: Review) -> None:
        count = (
            sa.select(sa.func.count())
            .select_from(REVIEWS)
            .where(
                REVIEWS.c.identity == asked.asker.identity,
                REVIEWS.c.status == Status.PENDING.value,
                REVIEWS.c.kind != Kind.AFTER.value,
            )
        )
        if asked.kind is not Kind.AFTER and (await connection.execute(count)).scalar_one() >= PENDING_MOST:
            raise TooManyWait(f"{PENDING_MOST} reviews of {asked.asker.identity} wait already")

    async def _add(self, connection: AsyncConnection, cipher: Cipher, asked: Review) -> None:
        await connection.execute(sa.insert(REVIEWS).values(**row_of(cipher, asked)))
        chairs = {chair for panel in asked.panels for chair in panel.chairs}
        chairs |= {f"own:{name}" for name in asked.asker.own}
        await connection.execute(
            sa.insert(REVIEW_CHAIRS), [{"review": asked.id, "chair": chair} for chair in sorted(chairs)]
        )
        await self._tell(connection, asked.id, "asked", asked.created, asked.asker.identity)

    async def _use(self, connection: AsyncConnection, found: Review, now: int) -> Review:
        """An approval is used: what is good for once is so no more."""
        if found.conditions.scope != "once":
            return found
        used = replace(found, status=Status.USED)
        await self._write(connection, found, used, now, found.asker.identity)
        return used

    async def _write(
        self, connection: AsyncConnection, before: Review, after: Review, now: int, by: str
    ) -> None:
        """Compare and set. Raises GatewayError where another was faster, which the lock prevents."""
        done = await connection.execute(
            sa.update(REVIEWS)
            .where(REVIEWS.c.id == before.id, REVIEWS.c.status == before.status.value)
            .values(
                status=after.status.value,
                conditions=row_of(None, after)["conditions"],
                usable_until=after.usable_until,
                ended=after.ended,
                ended_by=after.ended_by,
                changes=REVIEWS.c.changes + 1,
            )
        )
        if done.rowcount != 1:
            raise GatewayError("the review was changed by another")
        what = "voted" if after.status is before.status else after.status.value
        await self._tell(connection, after.id, what, now, by)

    async def _tell(self, connection: AsyncConnection, review: str, what: str, at: int, by: str) -> None:
        await connection.execute(sa.insert(REVIEW_EVENTS).values(review=review, what=what, at=at, by=by))


def _scopes(reviews: Sequence[Review]) -> set[str]:
    return {each.conditions.scope for each in reviews}


def _stand(review: Review) -> tuple[str, Status, int | None]:
    return review.id, review.status, review.usable_until


def _spendable(review: Review, session: str, now: int) -> bool:
    """Whether a session that waited for this one may go on by it."""
    return (
        review.status is Status.APPROVED
        and review.session == session
        and review.usable_until is not None
        and now < review.usable_until
        and review.conditions.account in (None, review.account)
    )
