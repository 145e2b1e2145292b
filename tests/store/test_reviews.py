"""Reviews in the store, on SQLite and on PostgreSQL, from two nodes: every change holds once, and is told."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from servers.postgres import ADMINISTRATOR
from wicketgate.custody.seal import Sealing
from wicketgate.model.errors import GatewayError, StoreFailed
from wicketgate.model.review import (
    Asker,
    Conditions,
    Kind,
    NotAnswerable,
    Panel,
    Review,
    Sought,
    Status,
    Vote,
    chairs,
)
from wicketgate.model.secret import Secret
from wicketgate.store import reviews as module
from wicketgate.store.address import parameters, store_url
from wicketgate.store.db import Store
from wicketgate.store.review_tables import REVIEW_CHAIRS, REVIEW_EVENTS, REVIEW_VOTES, REVIEWS
from wicketgate.store.reviews import Reviews

NOW = 1_800_000_000_000_000_000
MINUTE = 60_000_000_000
CANARY = "SELECT 'canary-4711'"
DBA = Panel("orders", groups=frozenset({"dba"}))
TWO = replace(DBA, quorum=2)
KEY = os.urandom(32)


class Keys:
    """A vault with one key."""

    keep = 4.0

    async def own_key(self, name: str) -> Secret:
        return Secret(KEY)

    async def close(self) -> None:
        pass


def sealing(public_url: str | None = None) -> Sealing:
    async def source() -> Keys:
        return Keys()

    return Sealing(source, lambda: 0, lambda: NOW, os.urandom, public_url)


def number() -> str:
    return os.urandom(13).hex().upper()


def asked(**more: Any) -> Review:
    given: dict[str, Any] = {
        "id": number(),
        "kind": Kind.STATEMENT,
        "status": Status.PENDING,
        "asker": Asker("crew-bot", "agent", "eve", "crew-bot", "loaders", "t-42", "load"),
        "resource": "sales",
        "database": "sales",
        "account": "writer",
        "panels": (DBA,),
        "exact": "e" * 64,
        "shape": "s" * 64,
        "mode": "retry",
        "created": NOW,
        "expires": NOW + 10 * MINUTE,
        "node": "node-a",
        "session": "1" * 32,
        "reason": "INC-4711 canary",
        "shown": {"statement": CANARY},
    }
    return Review(**(given | more))


def vote(person: str = "ana", approves: bool = True, at: int = NOW + 1, **more: Any) -> Vote:
    conditions = more.pop("conditions", Conditions())
    return Vote(person, frozenset({"dba"}), approves, at, "a canary comment", conditions, **more)


@dataclass
class Nodes:
    url: URL
    stores: list[Store]
    rows: list[Reviews]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    """A store that all tests use, one after the other."""
    folder = tmp_path_factory.mktemp("reviews")
    if request.param == "sqlite":
        yield store_url(None, folder)
        return
    server = request.getfixturevalue("postgres15")
    server.sql('CREATE DATABASE "reviews"', database="postgres")
    yield store_url(server.dsn(ADMINISTRATOR, "reviews"), folder)
    server.drop("reviews")


@pytest.fixture
async def nodes(place: URL) -> AsyncIterator[Nodes]:
    """Two nodes on one store, in which is nothing yet."""
    url = place
    stores = [await Store.open(url) for _ in range(2)]
    async with stores[0].transaction() as connection:
        for table in (REVIEW_EVENTS, REVIEW_VOTES, REVIEW_CHAIRS, REVIEWS):
            await connection.execute(sa.delete(table))

    def opened(store: Store) -> Any:
        async def get() -> Store:
            return store

        return get

    yield Nodes(url, stores, [Reviews(opened(store), sealing()) for store in stores])
    for each in stores:
        await each.close()


async def told(rows: Reviews, review: str) -> list[str]:
    return [each.what for each in await rows.events(0, 1000) if each.review == review]


async def test_asked_on_one_answered_on_the_other_used_once(nodes: Nodes) -> None:
    one, two = nodes.rows
    first = asked(panels=(TWO,))
    assert await one.ask(first, NOW) == (first, False)
    assert await two.review(first.id) == first
    again, good = await two.ask(asked(panels=(TWO,)), NOW)
    assert (again.id, good) == (first.id, False), "the same statement is asked once"
    after = await two.answer(first.id, vote(), NOW + 1)
    assert after.status is Status.PENDING
    after = await one.answer(first.id, vote("ben"), NOW + 2)
    assert (after.status, after.ended_by) == (Status.APPROVED, "approved by ana, ben")
    assert after.usable_until == NOW + 2 + 10 * MINUTE
    assert await two.review(first.id) == after
    used = await asyncio.gather(
        *(
            rows.ask(asked(panels=(TWO,), session=f"{at:032}"), NOW + 3)
            for at in range(4)
            for rows in nodes.rows
        )
    )
    assert sum(good for _, good in used) == 1
    [spent] = [found for found, good in used if good]
    assert (spent.id, spent.status) == (first.id, Status.USED)
    assert len({found.id for found, good in used if not good}) == 1, "the others wait for one more together"
    assert await told(one, first.id) == ["asked", "voted", "approved", "used"]


async def test_how_long_an_approval_is_usable(nodes: Nodes) -> None:
    one, two = nodes.rows
    first = asked(usable=MINUTE)
    await one.ask(first, NOW)
    assert (await two.answer(first.id, vote(), NOW + 5)).usable_until == NOW + 5 + MINUTE
    assert (await one.ask(asked(), NOW + 5 + MINUTE))[1] is False
    assert [each.id for each in await two.expired(NOW + 5 + MINUTE)] == [first.id]


SESSION, OTHER = "1" * 32, "2" * 32
SCOPES = [(Conditions("once", rows=5), 1), (Conditions("session"), 2), (Conditions("shape", 15), 2)]


async def test_how_often_an_approval_is_used(nodes: Nodes) -> None:
    one, two = nodes.rows
    for at, (conditions, most) in enumerate(SCOPES):
        first = asked(exact=f"{at:064}", shape=f"{at:064}")
        await one.ask(first, NOW)
        given = await one.answer(first.id, vote(conditions=conditions), NOW)
        assert given.conditions == conditions
        again = (asked(exact=f"{at:064}", shape=f"{at:064}") for _ in range(2))
        found = await asyncio.gather(
            *(rows.ask(each, NOW + 1) for rows, each in zip((one, two), again, strict=True))
        )
        assert sum(good for review, good in found if review.id == first.id) == most
        assert not (await two.ask(asked(exact=f"{at:064}", asker=Asker("other", "agent")), NOW + 2))[1]


async def test_several_that_go_together_are_spent_together(nodes: Nodes) -> None:
    one, two = nodes.rows

    def both(session: str = SESSION) -> list[Review]:
        return [asked(exact="a" * 64, session=session), asked(exact="b" * 64, session=session)]

    first = both()
    assert await one.ask_all(first, NOW) == [(each, False) for each in first]
    again = await two.ask_all(both(OTHER), NOW)
    assert [(found.id, good) for found, good in again] == [(each.id, False) for each in first]
    await one.answer(first[0].id, vote(), NOW + 1)
    half = await two.ask_all(both(OTHER), NOW + 2)
    assert [(found.status, good) for found, good in half] == [
        (Status.APPROVED, False),
        (Status.PENDING, False),
    ]
    await two.answer(first[1].id, vote(), NOW + 3)
    raced = await asyncio.gather(
        *(rows.ask_all(both(f"{at:032}"), NOW + 4) for at in range(3) for rows in nodes.rows)
    )
    assert sum(all(good for _, good in each) for each in raced) == 1, "of all that race, one goes"
    assert sum(good for each in raced for _, good in each) == 2
    for each in first:
        assert await told(one, each.id) == ["asked", "approved", "used"]


async def test_one_of_several_alone_leaves_the_other(nodes: Nodes) -> None:
    """What is asked for alone meanwhile takes its approval away: then nothing of the rest is spent."""
    rows = nodes.rows[0]
    pair = [asked(exact="a" * 64), asked(exact="b" * 64)]
    await rows.ask_all(pair, NOW)
    for each in pair:
        await rows.answer(each.id, vote(), NOW + 1)
    raced = await asyncio.gather(
        nodes.rows[1].ask(asked(exact="a" * 64), NOW + 2),
        rows.ask_all([asked(exact="a" * 64), asked(exact="b" * 64)], NOW + 2),
    )
    alone, together = raced[0][1], all(good for _, good in raced[1])
    assert alone is not together
    second = await rows.review(pair[1].id)
    assert second is not None
    assert second.status is (Status.USED if together else Status.APPROVED)


async def test_a_session_that_waits_has_its_own(nodes: Nodes) -> None:
    one, two = nodes.rows
    first, second = asked(mode="wait"), asked(mode="wait", session=OTHER)
    assert await one.ask(first, NOW) == (first, False)
    assert await one.ask(second, NOW) == (second, False)
    assert await two.spend(first.id, SESSION, NOW) == (first, False)
    await two.answer(first.id, vote(), NOW + 1)
    third, good = await one.ask(asked(mode="wait", session="3" * 32), NOW + 2)
    assert (third.id != first.id, good) == (True, False), "nobody takes what another waits for"
    assert not (await one.spend(first.id, OTHER, NOW + 2))[1]
    assert not (await one.spend(first.id, SESSION, NOW + 11 * MINUTE))[1]
    spent = await asyncio.gather(*(rows.spend(first.id, SESSION, NOW + 3) for rows in nodes.rows * 3))
    assert sum(good for _, good in spent) == 1
    assert {found.status for found, _ in spent} == {Status.USED}
    with pytest.raises(GatewayError, match="no such review"):
        await one.spend("0" * 26, SESSION, NOW)


async def test_who_asks_again_learns_of_a_denial(nodes: Nodes) -> None:
    one, two = nodes.rows
    first = asked()
    await one.ask(first, NOW)
    denied = await two.answer(first.id, vote(approves=False), NOW + 1)
    assert (denied.status, denied.ended_by) == (Status.DENIED, "denied by ana")
    assert await one.ask(asked(), NOW + 2) == (denied, False)
    assert denied.votes[0].comment == "a canary comment"
    late = asked()
    assert await one.ask(late, NOW + 10 * MINUTE) == (late, False)


async def test_what_was_denied_long_ago_is_not_read(nodes: Nodes) -> None:
    """However much somebody was denied, each question opens one review at most."""
    rows, opened = nodes.rows[0], []
    later = NOW + 10 * MINUTE
    for at in range(6):
        first = asked(created=NOW + at, exact=("e" if at < 3 else "f") * 64)
        assert await rows.ask(first, NOW) == (first, False), "what was denied is over"
        async with nodes.stores[0].transaction() as connection:
            denied = sa.update(REVIEWS).where(REVIEWS.c.id == first.id)
            await connection.execute(denied.values(status="denied", expires=later if at == 5 else NOW))
    whole = rows._seal

    class Counting:
        async def cipher(self) -> Any:
            cipher = await whole.cipher()

            class Counts:
                def close(self, clear: bytes, context: bytes) -> bytes:
                    return cipher.close(clear, context)

                def open(self, closed: bytes, context: bytes) -> bytes:
                    opened.append(context)
                    return cipher.open(closed, context)

            return Counts()

    rows._seal = Counting()
    found, good = await rows.ask(asked(exact="f" * 64), NOW + MINUTE)
    assert (found.id, found.status, good) == (first.id, Status.DENIED, False)
    assert found.reason == first.reason
    again, good = await rows.ask(asked(id="Z" * 26), NOW + MINUTE)
    assert (again.id, good) == ("Z" * 26, False)
    assert len(opened) == 1


async def test_how_many_are_looked_at(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is approved comes first, so that a bound never takes away what somebody may."""
    monkeypatch.setattr(module, "LIKE_MOST", 3)
    rows = nodes.rows[0]
    waits = [asked(panels=(replace(DBA, rule=f"r{at}"),), created=NOW + at) for at in range(4)]
    for each in waits:
        await rows.ask(each, NOW)
    await rows.answer(waits[3].id, vote(), NOW + 1)
    async with rows._reading() as connection:
        seen = await rows._like(connection, asked(), NOW + 2)
    assert [each.id for each in seen] == [waits[at].id for at in (3, 0, 1)]
    found, good = await rows.ask(replace(waits[3], id="Y" * 26), NOW + 2)
    assert (found.id, good) == (waits[3].id, True)


async def test_who_waits_takes_no_lock(nodes: Nodes) -> None:
    """What is asked about every few seconds delays nobody, and is delayed by nobody."""
    one, two = nodes.rows
    first = asked(mode="wait")
    await one.ask(first, NOW)
    async with two._changing(), asyncio.timeout(2):
        found, good = await one.spend(first.id, SESSION, NOW + 1)
    assert (found.status, good) == (Status.PENDING, False)


async def test_nobody_answers_twice_or_what_is_over(nodes: Nodes) -> None:
    one, two = nodes.rows
    first = asked(panels=(replace(DBA, quorum=3),))
    await one.ask(first, NOW)
    both = await asyncio.gather(
        *(rows.answer(first.id, vote(name), NOW + 1) for rows in nodes.rows for name in ("ana", "ANA")),
        return_exceptions=True,
    )
    refused = [str(each) for each in both if isinstance(each, NotAnswerable)]
    assert refused == ["you have answered it already"] * 3
    for name in ("crew-bot", "eve", "EVE"):
        with pytest.raises(NotAnswerable, match="nobody answers his own"):
            await one.answer(first.id, vote(name), NOW + 1)
    with pytest.raises(NotAnswerable, match="it has expired"):
        await one.answer(first.id, vote("ben"), NOW + 10 * MINUTE)
    with pytest.raises(NotAnswerable, match="no such review"):
        await one.answer("0" * 26, vote(), NOW)

    def check(review: Review) -> None:
        raise NotAnswerable("not like this")

    with pytest.raises(NotAnswerable, match="not like this"):
        await one.answer(first.id, vote("ben"), NOW + 1, check)
    await two.answer(first.id, vote("ben", approves=False), NOW + 2)
    with pytest.raises(NotAnswerable, match="it is denied already"):
        await one.answer(first.id, vote("cyd"), NOW + 3)
    found = await one.review(first.id)
    assert found is not None
    assert [(each.person, each.approves) for each in found.votes] == [("ana", True), ("ben", False)] or [
        (each.person, each.approves) for each in found.votes
    ] == [("ANA", True), ("ben", False)]


ENDS = [
    (Status.PENDING, Status.WITHDRAWN, True),
    (Status.PENDING, Status.EXPIRED, True),
    (Status.PENDING, Status.APPROVED, False),
    (Status.PENDING, Status.USED, False),
    (Status.APPROVED, Status.WITHDRAWN, True),
    (Status.DENIED, Status.WITHDRAWN, False),
]


async def test_what_ends(nodes: Nodes) -> None:
    one, two = nodes.rows
    for at, (before, after, done) in enumerate(ENDS):
        first = asked(exact=f"{at:064}")
        await one.ask(first, NOW)
        if before is not Status.PENDING:
            await one.answer(first.id, vote(approves=before is Status.APPROVED), NOW + 1)
        found = await two.end(first.id, after, "its asker took it back", NOW + 2)
        assert found is not None
        assert found.status is (after if done else before), (before, after)
    assert await one.end("0" * 26, Status.EXPIRED, "x", NOW) is None


async def test_what_ends_by_itself_is_told_once(nodes: Nodes) -> None:
    one, _ = nodes.rows
    late, used, after = asked(), asked(exact="b" * 64), asked(kind=Kind.AFTER, exact="c" * 64)
    for each in (late, used, after):
        await one.ask(each, NOW)
    await one.answer(used.id, vote(), NOW + 1)
    assert await one.expired(NOW + 9 * MINUTE) == []
    found = await asyncio.gather(*(rows.expired(NOW + 11 * MINUTE) for rows in nodes.rows * 2))
    ended = {each.id: each.ended_by for some in found for each in some}
    assert ended == {late.id: "nobody answered in time", used.id: "it was not used in time"}
    assert sum(map(len, found)) == 2
    open_still = await one.review(after.id)
    assert open_still is not None
    assert open_still.status is Status.PENDING
    closed = await one.answer(after.id, vote("cyd"), NOW + 500 * MINUTE)
    assert closed.status is Status.CLOSED
    await one.forget(NOW + 400 * MINUTE)
    assert await one.review(late.id) is None
    assert await one.review(after.id) is not None
    events = await one.events(0, 100)
    assert [each.what for each in events] == ["closed"], "the newest stays, so that numbers rise on"
    fresh = asked()
    await one.ask(fresh, NOW)
    assert [each.seq > events[0].seq for each in await one.events(events[0].seq, 9)] == [True]


async def test_a_node_that_is_gone_leaves_nothing_that_waits(nodes: Nodes) -> None:
    one, two = nodes.rows
    waits, retried, elsewhere = asked(mode="wait"), asked(), asked(mode="wait", node="node-b")
    approved = asked(mode="wait", session="4" * 32)
    for each in (waits, retried, elsewhere, approved):
        await one.ask(each, NOW)
    await one.answer(approved.id, vote(), NOW + 1)
    found = await two.abandon("node-a", "the gateway restarted", NOW + 2)
    assert {each.id: each.status for each in found} == dict.fromkeys(
        (waits.id, approved.id), Status.WITHDRAWN
    )
    assert await two.abandon("node-a", "again", NOW + 3) == []
    assert not (await one.spend(approved.id, "4" * 32, NOW + 3))[1]


async def test_one_identity_does_not_fill_the_store(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PENDING_MOST", 2)
    one, _ = nodes.rows
    for at in range(2):
        await one.ask(asked(exact=f"{at:064}"), NOW)
    with pytest.raises(module.TooManyWait, match="2 reviews of crew-bot wait already"):
        await one.ask(asked(), NOW)
    with pytest.raises(module.TooManyWait):
        await one.ask(asked(), NOW, room=False)
    assert not (await one.ask(asked(exact=f"{1:064}"), NOW, room=False))[1]
    await one.ask(asked(kind=Kind.AFTER), NOW)
    await one.ask(asked(asker=Asker("other", "human")), NOW)


async def test_what_lies_in_the_store_is_closed(nodes: Nodes) -> None:
    one, _ = nodes.rows
    first, second = asked(panels=(TWO,)), asked(exact="b" * 64)
    for each in (first, second):
        await one.ask(each, NOW)
    await one.answer(first.id, vote(), NOW + 1)
    store = nodes.stores[0]
    async with store.transaction() as connection:
        rows = (await connection.execute(sa.select(REVIEWS))).all()
        votes = (await connection.execute(sa.select(REVIEW_VOTES))).all()
    assert b"canary" not in repr((rows, votes)).encode()
    if not store.shared:
        with sqlite3.connect(str(nodes.url.database)) as file:
            assert "canary" not in "\n".join(file.iterdump())
    [page] = [each for each in await one.page(Sought(everything=True), None, 9) if each.id == first.id]
    assert (page.shown, page.reason, page.votes[0].comment) == (None, "", "")
    # another's text in its place opens nothing, nor does one of another statement
    other = next(row for row in rows if row.id == second.id)
    for values in ({"sealed": other.sealed}, {"exact": "d" * 64}, {"sealed": b""}):
        async with store.transaction() as connection:
            await connection.execute(sa.update(REVIEWS).where(REVIEWS.c.id == first.id).values(**values))
        with pytest.raises(GatewayError, match="changed beside the gateway"):
            await one.review(first.id)


async def test_lists_hold_what_somebody_may_see(nodes: Nodes) -> None:
    one, _ = nodes.rows
    named = Panel("hr", names=frozenset({"ana"}))
    mine = asked(asker=Asker("ana", "human"), exact="a" * 64, created=NOW + 1)
    of_agent = asked(asker=Asker("bot", "agent", "ana", "bot", None, "t-1"), resource="hr", created=NOW + 2)
    seated = asked(asker=Asker("bob", "human"), panels=(named,), exact="c" * 64, created=NOW + 3)
    others = asked(asker=Asker("bob", "human"), resource="hr", exact="d" * 64, created=NOW + 4)
    for each in (mine, of_agent, seated, others):
        await one.ask(each, NOW)
    ana = Sought(chairs=chairs("ana", frozenset()), own="ana")

    async def seen(sought: Sought, after: tuple[int, str] | None = None, most: int = 9) -> list[str]:
        return [each.id for each in await one.page(sought, after, most)]

    assert await seen(ana) == [seated.id, of_agent.id, mine.id]
    assert await seen(ana, most=1) == [seated.id]
    assert await seen(ana, (seated.created, seated.id), 1) == [of_agent.id]
    assert await seen(replace(ana, mine=True)) == [seated.id]
    assert await seen(replace(ana, scope=frozenset({"hr"}))) == [of_agent.id]
    assert await seen(replace(ana, reach=frozenset({"hr"}))) == [others.id, seated.id, of_agent.id, mine.id]
    assert await seen(replace(ana, everything=True, identity="bob")) == [others.id, seated.id]
    assert await seen(replace(ana, everything=True, resource="hr", kind=Kind.ACCESS)) == []
    assert await seen(Sought()) == []
    assert await seen(Sought(own="bot", task="t-1")) == [of_agent.id]
    assert await seen(Sought(own="bot", task="t-2")) == []
    dba = Sought(chairs=chairs("cyd", frozenset({"dba"})), own="cyd", mine=True)
    assert len(await seen(dba)) == 3
    await one.answer(mine.id, vote("cyd"), NOW + 5)
    assert len(await seen(dba)) == 2
    assert await seen(replace(dba, mine=False, status=frozenset({Status.APPROVED}))) == [mine.id]
    assert await one.statuses([mine.id, others.id, "x"]) == {
        mine.id: Status.APPROVED,
        others.id: Status.PENDING,
    }


async def test_every_node_is_told_which_review_changed(nodes: Nodes) -> None:
    one, two = nodes.rows
    if not nodes.stores[0].shared:
        return
    heard: asyncio.Queue[str] = asyncio.Queue()
    connection = await asyncpg.connect(**parameters(nodes.url))
    try:
        await connection.add_listener("wicketgate", lambda *told: heard.put_nowait(told[3]))
        first = asked(panels=(TWO,))
        await one.ask(first, NOW)
        await two.answer(first.id, vote(), NOW + 1)
        async with asyncio.timeout(5):
            assert [await heard.get() for _ in range(2)] == [f"reviews:{first.id}"] * 2
    finally:
        await connection.close()


async def test_without_the_key_nothing_is_kept_or_read(nodes: Nodes) -> None:
    class Gone(Sealing):
        async def cipher(self) -> Any:
            raise GatewayError("the key that closes reviews is not at hand")

    async def get() -> Store:
        return nodes.stores[0]

    async def away() -> Store:
        raise StoreFailed("the store does not answer")

    gone = Reviews(get, Gone(None, lambda: 0, lambda: 0, os.urandom))  # type: ignore[arg-type]
    for call in (
        gone.ask(asked(), NOW),
        gone.review("x"),
        gone.spend("x", "y", NOW),
        gone.answer("x", vote(), 0),
    ):
        with pytest.raises(GatewayError, match="not at hand"):
            await call
    assert await nodes.rows[0].page(Sought(everything=True), None, 9) == []
    for call in (Reviews(away, sealing()).ask(asked(), NOW), Reviews(away, sealing()).expired(NOW)):
        with pytest.raises(StoreFailed):
            await call
