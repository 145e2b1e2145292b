"""Access for a while in the store, on SQLite and PostgreSQL: one grant of one approval, whoever makes it."""

import asyncio
import os
from typing import Any

import pytest

from store.test_reviews import sealing
from wicketgate.model.errors import JournalFailed
from wicketgate.model.grant import AccessRequest, Grant, SoughtGrants
from wicketgate.model.review import Asker, Conditions, Kind, Panel, Review, Status, Vote
from wicketgate.store import outbox, reviews
from wicketgate.store.db import Store
from wicketgate.store.grants import GrantRows
from wicketgate.store.reviews import Reviews

NOW = 1_800_000_000_000_000_000
SECOND = 1_000_000_000
HOUR = 3600 * SECOND
PANEL = Panel("on request", groups=frozenset({"dba"}))


class House:
    def __init__(self, store: Store) -> None:
        async def opened() -> Store:
            return store

        self.store = store
        self.rows = GrantRows(opened)
        self.reviews = Reviews(opened, sealing())
        self.recorded: list[Grant | None] = []

    async def ask(self, **other: Any) -> AccessRequest:
        fields: dict[str, Any] = {
            "id": os.urandom(13).hex().upper(),
            "identity": "ana",
            "issuer": "local",
            "rule": "on request",
            "resource": "sales",
            "account": "reader",
            "terms": "t" * 32,
            "lasts": 2 * HOUR,
            "created": NOW,
        }
        request = AccessRequest(**(fields | other))
        await self.rows.asked(request)
        review = Review(
            request.id,
            Kind.ACCESS,
            Status.PENDING,
            Asker(request.identity, "human"),
            request.resource,
            "",
            request.account,
            (PANEL,),
            os.urandom(32).hex(),
            os.urandom(32).hex(),
            "retry",
            NOW,
            NOW + HOUR,
            "node",
            reason="INC-4711",
        )
        assert (await self.reviews.ask(review, NOW))[0].id == request.id
        return request

    async def approve(self, request: AccessRequest, at: int = NOW, minutes: int | None = None) -> None:
        vote = Vote("bob", frozenset({"dba"}), True, at, "fine", Conditions(minutes=minutes))
        await self.reviews.answer(request.id, vote, at)

    async def settle(self, now: int = NOW) -> list[Grant | None]:
        found = []
        for each in await self.rows.answered():
            grant, done = await self.rows.settle(each, now, self.recorded.append)
            if done:
                found.append(grant)
        return found

    async def granted(self, **other: Any) -> Grant:
        await self.approve(await self.ask(**other))
        [grant] = await self.settle()
        assert grant is not None
        return grant


@pytest.fixture
async def house(store: Store) -> House:
    return House(store)


async def test_an_approval_becomes_one_grant(house: House) -> None:
    request = await house.ask()
    assert await house.settle() == []
    await house.approve(request, NOW + SECOND)
    # two nodes that see it at once
    [answered] = await house.rows.answered()
    both = await asyncio.gather(
        *(house.rows.settle(answered, NOW + 2 * SECOND, house.recorded.append) for _ in range(2))
    )
    assert sorted(done for _, done in both) == [False, True]
    assert len(house.recorded) == 1
    grant = await house.rows.grant(request.id)
    assert grant is not None
    assert (grant.starts, grant.ends) == (NOW + SECOND, NOW + SECOND + 2 * HOUR)
    assert grant.approved_by == ("bob",)
    assert await house.settle() == []
    assert await house.rows.live(NOW + HOUR) == [grant]
    assert await house.rows.live(grant.ends) == []
    assert await house.rows.live(NOW, ["somebody"]) == []


async def test_what_was_not_recorded_does_not_hold(house: House) -> None:
    """And is made good later: a crash in between loses nothing and doubles nothing."""
    await house.approve(await house.ask())
    [answered] = await house.rows.answered()

    def full(grant: Grant | None) -> None:
        raise JournalFailed("the journal is full")

    with pytest.raises(JournalFailed):
        await house.rows.settle(answered, NOW, full)
    assert await house.rows.live(NOW) == []
    assert len(await house.settle()) == 1


@pytest.mark.parametrize("status", [Status.WITHDRAWN, Status.EXPIRED])
async def test_what_was_not_approved_gives_nothing(house: House, status: Status) -> None:
    request = await house.ask()
    await house.reviews.end(request.id, status, "somebody", NOW)
    denied = await house.ask()
    await house.reviews.answer(denied.id, Vote("bob", frozenset({"dba"}), False, NOW), NOW)
    assert await house.settle() == []
    # one that is taken back between the look and what comes of it
    late = await house.ask()
    await house.approve(late)
    [answered] = await house.rows.answered()
    await house.reviews.end(late.id, status, "bob", NOW)
    assert await house.rows.settle(answered, NOW, house.recorded.append) == (None, False)
    assert (house.recorded, await house.rows.live(NOW)) == ([], [])
    # one that was approved and taken back before anything came of it
    taken = await house.ask()
    await house.approve(taken)
    await house.reviews.end(taken.id, Status.WITHDRAWN, "bob", NOW)
    assert await house.settle() == []


async def test_shorter_than_asked(house: House) -> None:
    request = await house.ask()
    await house.approve(request, minutes=30)
    [grant] = await house.settle()
    assert grant is not None
    assert grant.ends - grant.starts == HOUR // 2


@pytest.mark.parametrize(
    ("asked", "approved", "found"),
    [
        ({"starts": NOW + HOUR}, 0, (HOUR, 3 * HOUR)),
        ({"starts": NOW + HOUR}, 2 * HOUR // 2 + SECOND, (HOUR + SECOND, 3 * HOUR + SECOND)),
        ({"starts": NOW + HOUR, "ends": NOW + 2 * HOUR}, 0, (HOUR, 2 * HOUR)),
        ({"ends": NOW + HOUR}, HOUR // 2, (HOUR // 2, HOUR)),
        ({"ends": NOW + HOUR // 2}, HOUR // 2, None),
    ],
)
async def test_its_time(
    house: House, asked: dict[str, Any], approved: int, found: tuple[int, int] | None
) -> None:
    request = await house.ask(**asked)
    await house.approve(request, min(NOW + approved, NOW + HOUR - 1))
    [grant] = await house.settle(NOW + approved)
    if found is None:
        assert grant is None
        assert house.recorded == [None]
        return
    assert grant is not None
    assert abs(grant.starts - NOW - found[0]) <= SECOND + 1
    assert abs(grant.ends - NOW - found[1]) <= SECOND + 1


async def test_extended_as_often_as_allowed_and_never_after_its_end(house: House) -> None:
    grant = await house.granted()
    again = {"extends": grant.id, "most_extended": 1, "lasts": HOUR}
    longer = await house.granted(**again)
    assert (longer.id, longer.ends, longer.extended) == (grant.id, grant.ends + HOUR, 1)
    await house.approve(await house.ask(**again))
    assert await house.settle() == [None]
    # of another identity, rule, account or task, on other terms: none of it is longer for it
    other = await house.granted()
    for attack in (
        {"identity": "eve"},
        {"rule": "another"},
        {"account": "owner"},
        {"issuer": "elsewhere"},
        {"terms": "u" * 32},
        {"task": "t-1", "behalf": "ana"},
        {"resource": "notes"},
    ):
        await house.approve(await house.ask(**({"extends": other.id, "most_extended": 9} | attack)))
        assert await house.settle() == [None]
    await house.rows.end(other.id, "ana", NOW + SECOND)
    await house.approve(await house.ask(extends=other.id, most_extended=9))
    assert await house.settle(NOW + 2 * SECOND) == [None]
    assert await house.rows.live(NOW + 2 * SECOND) == [longer]


async def test_ended_once(house: House) -> None:
    grant = await house.granted(starts=NOW + HOUR)
    ended = await house.rows.end(grant.id, "ana", NOW + SECOND)
    assert ended is not None
    assert (ended.starts, ended.ends, ended.ended_by) == (NOW + SECOND, NOW + SECOND, "ana")
    assert await house.rows.end(grant.id, "bob", NOW + SECOND) is None
    assert await house.rows.end("0" * 26, "bob", NOW) is None
    assert await house.rows.live(NOW + SECOND) == []


async def test_what_was_revoked_is_over_for_a_node_whose_clock_is_behind(house: House) -> None:
    """A node ahead by five minutes revokes; to one behind, that end still lies ahead."""
    grant = await house.granted()
    waits = await house.ask(extends=grant.id, most_extended=1)
    await house.approve(waits)
    revoked = NOW + 300 * SECOND
    assert await house.rows.end(grant.id, "bob", revoked) is not None
    assert await house.rows.live(NOW + SECOND) == []
    assert await house.rows.page(SoughtGrants(live=NOW + SECOND), None, 9) == []
    # nor is it lengthened there, nor ended once more
    assert await house.settle(NOW + SECOND) == [None]
    assert await house.rows.end(grant.id, "ana", NOW + SECOND) is None
    kept = await house.rows.grant(grant.id)
    assert kept is not None
    assert (kept.ends, kept.ended_by) == (revoked, "bob")


async def test_ended_and_lengthened_at_once_it_is_over(house: House) -> None:
    """On two nodes, in whichever order they come."""
    for _ in range(3):
        grant = await house.granted()
        await house.approve(await house.ask(extends=grant.id, most_extended=1, lasts=HOUR))
        [answered] = await house.rows.answered()
        ended, _ = await asyncio.gather(
            house.rows.end(grant.id, "bob", NOW + SECOND),
            house.rows.settle(answered, NOW + SECOND, house.recorded.append),
        )
        assert ended is not None
        kept = await house.rows.grant(grant.id)
        assert kept is not None
        assert (kept.ends, kept.ended_by) == (NOW + SECOND, "bob")
        assert await house.rows.live(NOW + SECOND) == []


async def events(house: House) -> list[tuple[str, str, str]]:
    return [(each.review, each.what, each.by) for each in await house.reviews.events(0, 99)]


async def test_channels_are_told_of_a_grant_from_its_beginning_to_its_end(house: House) -> None:
    grant = await house.granted()
    longer = await house.ask(extends=grant.id, most_extended=1, lasts=HOUR)
    # it is looked at between the two ends that it has
    await house.approve(longer)
    assert await house.rows.tell_ends(NOW) == 0
    await house.settle()
    assert [each for each in await events(house) if each[1] not in ("asked", "approved")] == [
        (grant.id, "granted", "bob"),
        (longer.id, "extended", "bob"),
    ]
    both = await house.rows.of_review(grant.id), await house.rows.of_review(longer.id)
    assert [each and each.id for each in both] == [grant.id, grant.id]
    assert await house.rows.of_review("0" * 26) is None
    over = grant.ends + HOUR
    assert await house.rows.tell_ends(over - 1) == 0
    # two nodes that look at once
    assert sorted(await asyncio.gather(*(house.rows.tell_ends(over) for _ in range(2)))) == [0, 1]
    assert await house.rows.tell_ends(over + SECOND) == 0
    assert (await events(house))[-1] == (grant.id, "grant-ended", "")
    # one that was taken away is told of then, and not again; one that ended long ago is not told of at all
    other = await house.granted()
    await house.rows.end(other.id, "ana", NOW + SECOND)
    assert (await events(house))[-1] == (other.id, "grant-ended", "ana")
    assert await house.rows.tell_ends(NOW + 2 * SECOND) == 0
    last = await house.granted()
    assert await house.rows.tell_ends(last.ends + 25 * HOUR) == 0


async def test_what_is_told_is_told_in_its_order() -> None:
    """Reviews and grants number what they tell under one lock."""
    assert outbox.LOCK == reviews._LOCK


async def test_pages_uses_and_what_is_forgotten(house: House) -> None:
    grants = [await house.granted(identity=name) for name in ("ana", "bob2", "carl")]
    page = await house.rows.page(SoughtGrants(), None, 2)
    assert {each.identity for each in page} <= {"ana", "bob2", "carl"}
    rest = await house.rows.page(SoughtGrants(), (page[-1].created, page[-1].id), 2)
    assert {each.id for each in page + rest} == {each.id for each in grants}
    mine = SoughtGrants(identities=frozenset({"ana"}), resource="sales", live=NOW)
    assert [each.identity for each in await house.rows.page(mine, None, 9)] == ["ana"]
    await house.rows.used([grants[0].id], NOW + SECOND)
    await house.rows.used([grants[0].id], NOW + 2 * SECOND)
    await house.rows.used([grants[0].id], NOW + 100 * SECOND)
    used = await house.rows.grant(grants[0].id)
    assert used is not None
    assert (used.first_used, used.last_used) == (NOW + SECOND, NOW + 100 * SECOND)
    assert len(await house.rows.since(NOW)) == 3
    await house.rows.forget(NOW + 10 * HOUR)
    assert await house.rows.since(0) == []


async def test_a_row_that_is_none_of_ours_is_no_grant(house: House) -> None:
    import sqlalchemy as sa

    from wicketgate.store.review_tables import GRANTS

    grant = await house.granted()
    other = await house.granted()
    async with house.store.transaction() as connection:
        await connection.execute(sa.update(GRANTS).where(GRANTS.c.id == grant.id).values(terms=""))
    assert await house.rows.live(NOW) == [other]
