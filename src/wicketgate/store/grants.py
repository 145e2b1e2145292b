"""The store's tables of access for a while: what was asked for, and the grants that came of it.
It must never make two grants of one request, nor lengthen one that has ended.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from wicketgate.model.errors import GatewayError
from wicketgate.model.grant import AccessRequest, Answered, Grant, SoughtGrants
from wicketgate.model.review import MINUTE, Status, TooManyWait
from wicketgate.store.db import Store
from wicketgate.store.outbox import alone, tell
from wicketgate.store.review_tables import ACCESS_REQUESTS, GRANTS, REVIEW_EVENTS, REVIEW_VOTES, REVIEWS

Key = tuple[int, str]
ENDED: Final = "grant-ended"
MOST_ASKED: Final = 60
"""Requests of one identity, other than those that stand already, in an hour."""
_ASKED_IN: Final = 3600 * 1_000_000_000
_USED_EVERY: Final = 60_000_000_000
"""Nanoseconds that when a grant was last used is exact to."""
_TOLD: Final = 24 * 3600 * 1_000_000_000
"""Nanoseconds after its end in which that is told: nobody waits to hear of it after."""
_APPROVED: Final = (Status.APPROVED.value, Status.USED.value)


class GrantRows:
    """store: opened when it is first asked, on the loop that asks. Every method raises GatewayError."""

    def __init__(self, store: Callable[[], Awaitable[Store]]) -> None:
        self._store = store

    @asynccontextmanager
    async def _changing(self, telling: bool = False) -> AsyncIterator[AsyncConnection]:
        """telling: what channels are told of."""
        store = await self._store()
        async with store.transaction() as connection:
            if telling:
                await alone(store, connection)
            elif not store.shared:
                # SQLite's one write lock, before anything is read
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        async with (await self._store()).transaction() as connection:
            yield connection

    # -- requests --------------------------------------------------------------------------------------------
    async def asked(self, request: AccessRequest) -> None:
        """Keep what is asked for. To be called before there is a review: without one it comes to nothing.

        Raises TooManyWait: people who are asked on and on say yes some day."""
        table = ACCESS_REQUESTS.c
        lately = sa.select(sa.func.count()).where(
            table.identity == request.identity, table.created > request.created - _ASKED_IN
        )
        async with self._changing() as connection:
            if int((await connection.execute(lately)).scalar_one()) >= MOST_ASKED:
                raise TooManyWait(f"{MOST_ASKED} requests of {request.identity} in an hour")
            await connection.execute(sa.insert(ACCESS_REQUESTS).values(**asdict(request)))

    async def unasked(self, request: str) -> None:
        """There is no review of it."""
        async with self._changing() as connection:
            await connection.execute(sa.delete(ACCESS_REQUESTS).where(ACCESS_REQUESTS.c.id == request))

    async def same(self, identity: str, exact: str, now: int) -> str | None:
        """The request of which a grant has come that has not ended, and which is the very same."""
        query = (
            sa.select(GRANTS.c.id)
            .join(REVIEWS, REVIEWS.c.id == GRANTS.c.id)
            .where(GRANTS.c.identity == identity, GRANTS.c.ends > now, GRANTS.c.ended_by.is_(None))
            .where(REVIEWS.c.identity == identity, REVIEWS.c.exact == exact, REVIEWS.c.kind == "access")
        )
        async with self._reading() as connection:
            found: str | None = (await connection.execute(query.limit(1))).scalar()
        return found

    async def requests(self, ids: Collection[str]) -> dict[str, AccessRequest]:
        query = sa.select(ACCESS_REQUESTS).where(ACCESS_REQUESTS.c.id.in_(sorted(ids)))
        async with self._reading() as connection:
            return {row.id: _request(row) for row in await connection.execute(query)}

    async def answered(self) -> list[Answered]:
        """Those that were approved, and wait for what is to come of it; oldest first."""
        requests, reviews = ACCESS_REQUESTS.c, REVIEWS.c
        query = (
            sa.select(ACCESS_REQUESTS, reviews.ended, reviews.created.label("made"), reviews.conditions)
            .join(REVIEWS, reviews.id == requests.id)
            .where(requests.settled.is_(None), reviews.status.in_(_APPROVED), reviews.kind == "access")
            .order_by(requests.created, requests.id)
        )
        async with self._reading() as connection:
            rows = (await connection.execute(query)).all()
            votes = sa.select(REVIEW_VOTES.c.review, REVIEW_VOTES.c.person).where(
                REVIEW_VOTES.c.review.in_([row.id for row in rows]), REVIEW_VOTES.c.approves == 1
            )
            people: dict[str, list[str]] = {}
            for row in (await connection.execute(votes.order_by(REVIEW_VOTES.c.at))).all() if rows else ():
                people.setdefault(row.review, []).append(row.person)
        found = []
        for row in rows:
            minutes = dict(row.conditions).get("minutes")
            most = None if minutes is None else int(minutes) * MINUTE
            by = tuple(people.get(row.id, ()))
            found.append(Answered(_request(row), int(row.ended or row.made), most, by))
        return found

    async def settle(
        self, answered: Answered, now: int, record: Callable[[Grant | None], None]
    ) -> tuple[Grant | None, bool]:
        """What comes of an approval: a grant, a longer one, or nothing where its time is over. record: called
        before it holds, may raise. False: another was faster, it was done before, or is taken back by now.

        An approval that something came of is used, and is not taken back any more: its grant is ended."""
        request = answered.request
        table = ACCESS_REQUESTS.c
        async with self._changing(telling=True) as connection:
            approved = sa.exists().where(REVIEWS.c.id == table.id, REVIEWS.c.status.in_(_APPROVED))
            done = await connection.execute(
                sa.update(ACCESS_REQUESTS)
                .where(table.id == request.id, table.settled.is_(None), approved)
                .values(settled=now)
            )
            if done.rowcount != 1:
                return None, False
            if request.extends is not None:
                grant = await self._extended(connection, request, answered, now)
            else:
                grant = _granted(request, answered, now)
            record(grant)
            if grant is not None and request.extends is None:
                await connection.execute(sa.insert(GRANTS).values(**_row(grant)))
            elif grant is not None:
                values = {"ends": grant.ends, "extended": grant.extended}
                await connection.execute(sa.update(GRANTS).where(GRANTS.c.id == grant.id).values(**values))
            if grant is not None:
                await connection.execute(
                    sa.update(REVIEWS)
                    .where(REVIEWS.c.id == request.id, REVIEWS.c.status == Status.APPROVED.value)
                    .values(status=Status.USED.value, changes=REVIEWS.c.changes + 1)
                )
                what = "granted" if request.extends is None else "extended"
                await tell(connection, request.id, what, now, ", ".join(answered.by))
            return grant, True

    async def _extended(
        self, connection: AsyncConnection, request: AccessRequest, answered: Answered, now: int
    ) -> Grant | None:
        query = sa.select(GRANTS).where(GRANTS.c.id == request.extends).with_for_update()
        row = (await connection.execute(query)).first()
        if row is None:
            return None
        grant = _grant(row)
        same = (grant.identity, grant.issuer, grant.rule, grant.resource, grant.account, grant.task)
        asked = (request.identity, request.issuer, request.rule, request.resource, request.account)
        if same != (*asked, request.task) or grant.terms != request.terms:
            return None
        if grant.ended_by is not None or now >= grant.ends or grant.extended >= request.most_extended:
            return None
        lasts = request.lasts if answered.most is None else min(request.lasts, answered.most)
        ends = grant.ends + lasts if request.ends is None else min(grant.ends + lasts, request.ends)
        return replace(grant, ends=ends, extended=grant.extended + 1) if ends > grant.ends else None

    # -- grants ----------------------------------------------------------------------------------------------
    async def add(self, grant: Grant) -> None:
        """One that nobody was asked for."""
        async with self._changing() as connection:
            await connection.execute(sa.insert(GRANTS).values(**_row(grant)))

    async def end(self, grant: str, by: str, now: int) -> Grant | None:
        """The grant, ended by now; None, and nothing is done: there is none, or it has ended before."""
        table = GRANTS.c
        early = sa.case((table.starts > now, now), else_=table.starts)
        async with self._changing(telling=True) as connection:
            done = await connection.execute(
                sa.update(GRANTS)
                .where(table.id == grant, table.ends > now, table.ended_by.is_(None))
                .values(starts=early, ends=now, ended_by=by)
            )
            if done.rowcount != 1:
                return None
            await tell(connection, grant, ENDED, now, by)
            row = (await connection.execute(sa.select(GRANTS).where(table.id == grant))).one()
        return _grant(row)

    async def tell_ends(self, now: int) -> int:
        """Tell of grants whose time is over, each once, whichever node looks first. How many."""
        table, events = GRANTS.c, REVIEW_EVENTS.c
        # told before, of this very end: it may have been extended since
        told = sa.exists().where(
            events.review == table.id, events.what == ENDED, events.at >= table.ends, events.at > now - _TOLD
        )
        query = sa.select(table.id).where(table.ends <= now, table.ends > now - _TOLD, ~told)
        async with self._reading() as connection:
            if (await connection.execute(query.limit(1))).first() is None:
                return 0
        async with self._changing(telling=True) as connection:
            over = [row.id for row in await connection.execute(query.order_by(table.ends, table.id))]
            for each in over:
                await tell(connection, each, ENDED, now, "")
        return len(over)

    async def of_review(self, review: str) -> Grant | None:
        """What came of a request, or what it makes longer."""
        extends = sa.select(ACCESS_REQUESTS.c.extends).where(ACCESS_REQUESTS.c.id == review)
        query = sa.select(GRANTS).where(
            sa.or_(GRANTS.c.id == review, GRANTS.c.id == extends.scalar_subquery())
        )
        async with self._reading() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else _grant(row)

    async def grant(self, grant: str) -> Grant | None:
        async with self._reading() as connection:
            row = (await connection.execute(sa.select(GRANTS).where(GRANTS.c.id == grant))).first()
        return None if row is None else _grant(row)

    async def live(self, now: int, identities: Collection[str] | None = None) -> list[Grant]:
        """All that have not ended: what somebody ended is over, however far his node's clock is ahead.
        identities: only theirs."""
        query = sa.select(GRANTS).where(GRANTS.c.ends > now, GRANTS.c.ended_by.is_(None))
        if identities is not None:
            query = query.where(GRANTS.c.identity.in_(sorted(identities)))
        async with self._reading() as connection:
            return _readable(await connection.execute(query.order_by(GRANTS.c.id)))

    async def page(self, sought: SoughtGrants, after: Key | None, most: int) -> list[Grant]:
        """Newest first. after: created and id; what comes behind."""
        table = GRANTS.c
        query = sa.select(GRANTS)
        if sought.identities:
            query = query.where(table.identity.in_(sorted(sought.identities)))
        if sought.resource is not None:
            query = query.where(table.resource == sought.resource)
        if sought.live is not None:
            query = query.where(table.ends > sought.live, table.ended_by.is_(None))
        if after is not None:
            behind = sa.and_(table.created == after[0], table.id < after[1])
            query = query.where(sa.or_(table.created < after[0], behind))
        query = query.order_by(table.created.desc(), table.id.desc()).limit(most)
        async with self._reading() as connection:
            return _readable(await connection.execute(query))

    async def since(self, since: int) -> list[Grant]:
        """All that were in force at some time from then on."""
        query = sa.select(GRANTS).where(GRANTS.c.ends > since).order_by(GRANTS.c.created, GRANTS.c.id)
        async with self._reading() as connection:
            return _readable(await connection.execute(query))

    async def used(self, ids: Collection[str], now: int) -> None:
        """Sessions were opened by them."""
        table = GRANTS.c
        stale = sa.or_(table.last_used.is_(None), table.last_used < now - _USED_EVERY)
        async with self._changing() as connection:
            await connection.execute(
                sa.update(GRANTS)
                .where(table.id.in_(sorted(ids)), stale)
                .values(first_used=sa.func.coalesce(table.first_used, now), last_used=now)
            )

    async def forget(self, before: int) -> None:
        """Forget what ended, or was asked for in vain, before (wall ns)."""
        requests = ACCESS_REQUESTS.c
        live = sa.select(GRANTS.c.id)
        async with self._changing() as connection:
            await connection.execute(sa.delete(GRANTS).where(GRANTS.c.ends < before))
            await connection.execute(
                sa.delete(ACCESS_REQUESTS).where(requests.created < before, requests.id.not_in(live))
            )


def _granted(request: AccessRequest, answered: Answered, now: int) -> Grant | None:
    period = request.period(answered.at, answered.most)
    if period is None or now >= period[1]:
        return None
    return Grant(
        id=request.id,
        identity=request.identity,
        issuer=request.issuer,
        rule=request.rule,
        resource=request.resource,
        account=request.account,
        starts=period[0],
        ends=period[1],
        terms=request.terms,
        behalf=request.behalf,
        task=request.task,
        created=now,
        approved_by=answered.by,
    )


def _row(grant: Grant) -> dict[str, Any]:
    fields = asdict(grant)
    return fields | {"break_glass": int(grant.break_glass), "approved_by": list(grant.approved_by)}


def _grant(row: Any) -> Grant:
    """Raises GatewayError for a row that is none of ours."""
    fields: dict[str, Any] = dict(row._mapping)
    try:
        glass, by = bool(fields.pop("break_glass")), tuple(fields.pop("approved_by"))
        return Grant(break_glass=glass, approved_by=by, **fields)
    except (ValueError, TypeError) as error:
        raise GatewayError("a grant in the store does not read as one", type(error).__name__) from None


def _readable(rows: Iterable[Any]) -> list[Grant]:
    """One that does not read as a grant is none: it must not keep the others from being known."""
    found = []
    for row in rows:
        with suppress(GatewayError):
            found.append(_grant(row))
    return found


def _request(row: Any) -> AccessRequest:
    fields = {column.name: row._mapping[column.name] for column in ACCESS_REQUESTS.columns}
    return AccessRequest(**fields)
