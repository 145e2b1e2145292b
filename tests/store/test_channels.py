"""Deliveries in the store, on SQLite and PostgreSQL: one node delivers, and what comes of it holds once."""

import asyncio
from dataclasses import replace

import pytest

from channels.stage import ID, NOW, SECOND, another
from wicketgate.model.delivery import Delivery, State
from wicketgate.model.review import ReviewEvent
from wicketgate.store import channels as module
from wicketgate.store.channels import KEPT, KEPT_DEAD, ChannelRows
from wicketgate.store.db import Store

EVENTS = [ReviewEvent(seq, another(seq % 2).id, "asked", NOW, "bot") for seq in (1, 2, 3, 5)]


@pytest.fixture
def rows(store: Store) -> ChannelRows:
    return ChannelRows(store)


async def expire(store: Store, rows: ChannelRows, seconds: int) -> int:
    """Time passes: a store of several nodes counts leases by its own clock."""
    import sqlalchemy as sa

    from wicketgate.store.review_tables import CHANNELS

    if store.shared:
        async with store.transaction() as connection:
            await connection.execute(sa.update(CHANNELS).values(until=CHANNELS.c.until - seconds * SECOND))
    return NOW + seconds * SECOND


async def test_one_has_the_lease_until_it_runs_out(store: Store, rows: ChannelRows) -> None:
    lasts = 60 * SECOND
    assert await rows.take("ops", "a", lasts, 7, NOW) == 7
    assert await rows.take("ops", "b", lasts, 9, NOW) is None
    assert await rows.take("dba", "b", lasts, 9, NOW) == 9
    assert await rows.take("ops", "a", lasts, 0, NOW) == 7
    later = await expire(store, rows, 61)
    assert await rows.take("ops", "b", lasts, 0, later) == 7
    # who had it before can do nothing with it any more
    assert not await rows.fill("ops", "a", EVENTS, 5, later)
    assert await rows.due("ops", later, 9) == []
    assert await rows.fill("ops", "b", EVENTS[:1], 1, later)
    await rows.release("b")
    assert await rows.take("ops", "a", lasts, 0, later) == 1


async def test_of_many_at_once_one_takes_it(rows: ChannelRows) -> None:
    for _ in range(3):
        found = await asyncio.gather(*(rows.take("ops", each, 60 * SECOND, 3, NOW) for each in "abcdef"))
        assert sorted(found, key=str) == [3, *[None] * 5]
        for each in "abcdef":
            await rows.release(each)


async def test_what_is_due_comes_in_order_of_each_review(rows: ChannelRows) -> None:
    await rows.take("ops", "a", 60 * SECOND, 0, NOW)
    assert await rows.fill("ops", "a", EVENTS, 5, NOW)
    assert await rows.fill("ops", "a", EVENTS, 5, NOW)  # read twice: kept once
    due = await rows.due("ops", NOW, 9)
    assert [each.change.seq for each in due] == [1, 2]
    first = due[0]
    later = replace(first, attempts=1, next_at=NOW + SECOND, error="it answers 500")
    assert await rows.tried(first, later)
    assert not await rows.tried(first, replace(first, state=State.DELIVERED, ended=NOW))
    # what failed holds up what happened to the same review after it, and nothing else
    assert [each.change.seq for each in await rows.due("ops", NOW, 9)] == [2]
    assert later in await rows.due("ops", NOW + SECOND, 9)
    done = replace(later, attempts=2, state=State.DELIVERED, ended=NOW + SECOND, error="")
    assert await rows.tried(later, done)
    assert [each.change.seq for each in await rows.due("ops", NOW, 9)] == [2, 3]
    backlog = (await rows.backlogs())["ops"]
    assert (backlog.pending, backlog.dead, backlog.delivered, backlog.holder) == (3, 0, NOW + SECOND, "a")


async def die(rows: ChannelRows, channel: str = "ops") -> list[Delivery]:
    await rows.take(channel, "a", 60 * SECOND, 0, NOW)
    await rows.fill(channel, "a", EVENTS, 5, NOW)
    while due := await rows.due(channel, NOW, 9):
        for each in due:
            await rows.tried(
                each, replace(each, attempts=1, state=State.DEAD, ended=NOW, error="it answers 410")
            )
    return await rows.dead(channel, 0, 9)


async def test_what_was_given_up_is_listed_and_tried_again(rows: ChannelRows) -> None:
    dead = await die(rows)
    assert [(each.change.seq, each.error) for each in dead] == [
        (seq, "it answers 410") for seq in (1, 2, 3, 5)
    ]
    await die(rows, "dba")
    assert len(await rows.dead(None, 0, 99)) == 8
    assert [each.change.seq for each in await rows.dead("ops", 2, 1)] == [3]
    assert await rows.replay("ops", [2, 3, 999], NOW + SECOND) == 2
    assert [each.change.seq for each in await rows.due("ops", NOW + SECOND, 9)] == [2, 3]
    assert [(each.attempts, each.began) for each in await rows.due("ops", NOW + SECOND, 9)] == [
        (0, NOW + SECOND)
    ] * 2
    assert await rows.replay("ops", None, NOW) == 2
    assert await rows.replay("ops", None, NOW) == 0
    assert len(await rows.dead("dba", 0, 9)) == 4


async def test_messages_are_found_again(rows: ChannelRows) -> None:
    assert await rows.message("dba", ID) is None
    await rows.keep_message("dba", ID, "C1 1.1", NOW)
    await rows.keep_message("dba", ID, "C1 2.2", NOW)
    assert await rows.message("dba", ID) == "C1 2.2"
    assert await rows.message("ops", ID) is None


async def test_a_request_is_taken_once(rows: ChannelRows, monkeypatch: pytest.MonkeyPatch) -> None:
    found = await asyncio.gather(*(rows.seen("d" * 64, NOW + SECOND, NOW) for _ in range(5)))
    assert sorted(found) == [False] * 4 + [True]
    monkeypatch.setattr(module, "MOST_SEEN", 1)
    assert not await rows.seen("e" * 64, NOW + SECOND, NOW)
    await rows.forget(NOW + 2 * SECOND)
    assert await rows.seen("d" * 64, NOW + SECOND, NOW + 2 * SECOND)


async def test_what_is_old_is_forgotten(rows: ChannelRows) -> None:
    dead = await die(rows)
    await rows.replay("ops", [1], NOW)
    [first] = await rows.due("ops", NOW, 9)
    await rows.tried(first, replace(first, attempts=1, state=State.DELIVERED, ended=NOW))
    await rows.keep_message("ops", ID, "C1 1.1", NOW)
    await rows.forget(NOW + KEPT + 1)
    assert await rows.replay("ops", [1], NOW) == 0
    assert await rows.dead("ops", 0, 9) == dead[1:]
    assert await rows.message("ops", ID) is not None
    await rows.forget(NOW + KEPT_DEAD + 1)
    assert await rows.dead("ops", 0, 9) == []
    assert await rows.message("ops", ID) is None


async def test_a_channel_begins_with_what_is_new(store: Store, rows: ChannelRows) -> None:
    import sqlalchemy as sa

    from wicketgate.store.review_tables import REVIEW_EVENTS

    assert await rows.newest() == 0
    async with store.transaction() as connection:
        row = {"review": ID, "what": "asked", "at": NOW, "by": "bot"}
        await connection.execute(sa.insert(REVIEW_EVENTS), [row, row])
    assert await rows.newest() == 2
