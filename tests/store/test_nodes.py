"""Nodes on one store: numbers, errands, open sessions and agreed keys, on SQLite and PostgreSQL."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from wicketgate.model.errors import StoreFailed
from wicketgate.store import nodes
from wicketgate.store.db import Store
from wicketgate.store.nodes import ALIVE, NodeRows
from wicketgate.store.tables import ERRANDS, NODES

SECOND = 1_000_000_000


class Clock:
    now = 1_800_000_000 * SECOND

    def __call__(self) -> int:
        self.now += 1
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rows(store: Store, clock: Clock) -> NodeRows:
    async def opened() -> Store:
        return store

    return NodeRows(opened, clock)


async def older(store: Store, clock: Clock, seconds: int) -> None:
    """Time passes."""
    clock.now += seconds * SECOND
    async with store.transaction() as connection:
        if store.shared:
            await connection.execute(sa.update(NODES).values(seen=NODES.c.seen - seconds * SECOND))
            await connection.execute(sa.update(ERRANDS).values(created=ERRANDS.c.created - seconds * SECOND))


async def test_numbers_are_small_and_stay(
    rows: NodeRows, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "NODES_MOST", 2)
    assert [await rows.number(name, f"name of {name}") for name in "abc"] == [0, 1, 2]
    assert await rows.number("a") == 0
    if store.shared:
        with pytest.raises(StoreFailed, match="3 nodes"):
            await rows.number("d")
    await older(store, clock, 30)
    for name in "ac":
        await rows.beat(name)
    # b was seen longest ago
    assert [each.alive for each in await rows.nodes()] == [True, False, True]
    assert await rows.number("d") == 1
    assert await rows.number("d") == 1
    with pytest.raises(StoreFailed, match="does not know this node"):
        await rows.beat("b")


async def test_a_copy_of_a_node_ends_the_one_that_runs(rows: NodeRows) -> None:
    assert await rows.number("a", life="first") == 0
    await rows.beat("a", "first")
    assert await rows.number("a", life="second") == 0
    with pytest.raises(StoreFailed) as caught:
        await rows.beat("a", "first")
    assert "copy of this one's state/node" in caught.value.detail
    await rows.beat("a", "second")


async def test_numbers_are_given_once(rows: NodeRows) -> None:
    given = await asyncio.gather(*(rows.number(f"n{at}") for at in range(8)))
    assert sorted(given) == list(range(8))


async def test_a_clock_that_differs_is_told(rows: NodeRows, store: Store, clock: Clock) -> None:
    await rows.number("a")
    ahead = await rows.beat("a")
    if store.shared:
        assert abs(ahead) > 3600 * SECOND, "our clock in this test is that of 2027"
    else:
        assert ahead <= 0


async def test_errands_are_done_once_by_whom_they_are_for(rows: NodeRows, store: Store, clock: Clock) -> None:
    await rows.send([("1" * 32, "a", "end", {"session": "s"}), ("2" * 32, "b", "cancel", {"number": 1})])
    assert not await rows.taken("1" * 32)
    both = await asyncio.gather(*(rows.take("a") for _ in range(4)))
    assert [(each.kind, each.body) for found in both for each in found] == [("end", {"session": "s"})]
    assert await rows.taken("1" * 32)
    assert not await rows.withdraw("1" * 32)
    assert await rows.withdraw("2" * 32)
    await rows.send([("3" * 32, "a", "end", {})])
    await older(store, clock, 40)
    assert list(await rows.take("a")) == [], "too old to be meant still"
    await rows.send([("4" * 32, "a", "end", {})])
    await older(store, clock, 40)
    await rows.sweep()
    assert await rows.taken("4" * 32)


def row(session: str) -> dict[str, Any]:
    names = ("identity", "resource", "database", "account", "source")
    return {"session": session, "opened": 7, **dict.fromkeys(names, "x")}


async def test_sessions_of_others(rows: NodeRows, store: Store, clock: Clock) -> None:
    for node in "ab":
        await rows.number(node, f"gw-{node}")
    await rows.share("a", [row("one"), row("two")], [])
    await rows.share("b", [row("three"), row("one")], ["two"])
    assert {each.session for each in await rows.elsewhere("b")} == {"one", "two"}, "nobody closes another's"
    [found] = await rows.elsewhere("b", "two")
    assert (found.node, found.node_name, found.number, found.opened) == ("a", "gw-a", 0, 7)
    await rows.share("a", [row("two")], ["one"], anew=True)
    assert [each.session for each in await rows.elsewhere("b")] == ["two"]
    assert [each.session for each in await rows.elsewhere("a")] == ["three"]
    await older(store, clock, ALIVE // SECOND + 1)
    assert await rows.elsewhere("b") == [], "a node that is gone has none"
    await rows.beat("a")
    assert len(await rows.elsewhere("b")) == 1
    await rows.leave("a")
    assert await rows.elsewhere("b") == []
    await older(store, clock, 4000)
    await rows.number("c")
    await rows.sweep()
    await rows.beat("b")
    assert await rows.elsewhere("a") == []


async def test_keys_are_agreed_on(rows: NodeRows, store: Store, clock: Clock) -> None:
    assert dict(await rows.agree("a", "ring", {1: "x"})) == {1: ("x", "a")}
    assert dict(await rows.agree("b", "ring", {1: "x", 2: "y"})) == {1: ("x", "a"), 2: ("y", "b")}
    # another ring changes nothing, neither what is there nor beyond it
    assert dict(await rows.agree("c", "ring", {1: "z", 3: "q"})) == {1: ("x", "a"), 2: ("y", "b")}
    assert dict(await rows.agree("c", "ring", {4: "q"})) == {1: ("x", "a"), 2: ("y", "b")}
    assert dict(await rows.agree("c", "other", {1: "z"})) == {1: ("z", "c")}
    await rows.number("a")
    with pytest.raises(StoreFailed, match="1 nodes run"):
        await rows.forget_keys("ring")
    await rows.leave("a")
    assert await rows.forget_keys("ring") == 2
    assert dict(await rows.agree("c", "ring", {4: "q"})) == {4: ("q", "c")}


async def test_the_first_of_many_sets_the_keys(rows: NodeRows) -> None:
    told = await asyncio.gather(*(rows.agree(f"n{at}", "ring", {1: f"x{at}"}) for at in range(6)))
    assert len({found[1] for found in told}) == 1
