"""Other nodes: what is asked of them is asked once and bounded, and no message is obeyed."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from wicketgate.control import neighbours as module
from wicketgate.control.messages import Cancel
from wicketgate.control.neighbours import CANCELS, Neighbours, fingerprint
from wicketgate.control.ports import SessionRow
from wicketgate.model.errors import GatewayError, NodeSilent
from wicketgate.model.keyring import Keyring
from wicketgate.model.secret import Secret
from wicketgate.store.address import store_url
from wicketgate.store.db import Store
from wicketgate.store.nodes import NodeRows

RING = Keyring({1: Secret(b"k" * 32)})


class Shared(NodeRows):
    """Nodes on one file, as if it were shared."""

    async def shared(self) -> bool:
        return True


class House:
    def __init__(self, nodes: NodeRows, node: str, ring: Keyring = RING) -> None:
        self.rows: dict[str, SessionRow] = {}
        self.ended: list[tuple[str, str]] = []
        self.cancelled: list[Cancel] = []
        self.log: list[str] = []
        self.node = node
        self.neighbours = Neighbours(
            nodes,
            node,
            ring,
            self.rows,
            self.end,
            self.cancelled.append,
            time.monotonic_ns,
            os.urandom,
            self.log.append,
        )

    def end(self, session: str, reason: str) -> bool:
        self.ended.append((session, reason))
        return self.rows.pop(session, None) is not None


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[NodeRows]:
    store = await Store.open(store_url(None, tmp_path))

    async def opened() -> Store:
        return store

    yield Shared(opened, time.time_ns)
    await store.close()


async def pair(nodes: NodeRows) -> tuple[House, House]:
    houses = House(nodes, "a" * 32), House(nodes, "b" * 32)
    for each in houses:
        await nodes.number(each.node, f"gw-{each.node[0]}")
        await each.neighbours.begin()
    await houses[0].neighbours.begin()
    return houses


async def test_other_pseudonyms_are_refused_at_the_start_and_told_later(nodes: NodeRows) -> None:
    first, _ = await pair(nodes)
    strange = House(nodes, "c" * 32, Keyring({1: Secret(b"x" * 32)}))
    with pytest.raises(GatewayError, match=r"pseudonym.keys is not the one \(version 1\) that node aaaaaaaa"):
        await strange.neighbours.begin()
    rotated = House(nodes, "d" * 32, Keyring({1: Secret(b"k" * 32), 2: Secret(b"n" * 32)}))
    await rotated.neighbours.begin()
    for _ in range(3):
        await first.neighbours.agree()
    [told] = first.log
    assert "lacks version 2, which node dddddddd" in told
    with pytest.raises(GatewayError, match="lacks version 2"):
        await House(nodes, "e" * 32).neighbours.begin()
    kept = await nodes.agree("q", "pseudonyms", {})
    assert not any("6b6b6b6b" in each for each, _ in kept.values())
    assert fingerprint(b"k" * 32, "pseudonyms") != fingerprint(b"k" * 32, "other")


async def test_a_session_is_ended_where_it_is(nodes: NodeRows, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = await pair(nodes)
    row = SessionRow("s" * 32, "bot", "sales", "sales", "reader", "10.0.0.9", 0, 7)
    other.rows[row.session] = row
    await other.neighbours._share(nodes)
    [seen] = await nodes.elsewhere(one.node)
    assert (seen.session, seen.node_name) == (row.session, "gw-b")
    ending = asyncio.create_task(one.neighbours.end(row.session, "terminated"), name="end")
    async with asyncio.timeout(10):
        while not other.ended:
            await other.neighbours.take()
            await asyncio.sleep(0.01)
    assert await ending
    assert other.ended == [(row.session, "terminated")]
    assert not await one.neighbours.end("t" * 32, "terminated")
    monkeypatch.setattr(module, "ANSWER", 0.1)
    with pytest.raises(NodeSilent, match="gw-b does not answer"):
        await one.neighbours.end(row.session, "terminated")
    await other.neighbours.take()
    assert len(other.ended) == 1, "what was withdrawn is not done later"


async def test_cancels_are_bounded_and_go_to_nodes_that_there_are(nodes: NodeRows) -> None:
    one, other = await pair(nodes)
    for number in range(5000):
        one.neighbours.cancel(Cancel(1 << 23 | number, "00" * 32))
        one.neighbours.cancel(Cancel(77 << 23 | number, "00" * 32))
        one.neighbours.cancel(Cancel(0 << 23 | number, "00" * 32))
    sending = asyncio.create_task(one.neighbours.send(), name="send")
    try:
        async with asyncio.timeout(10):
            while not other.cancelled:
                await other.neighbours.take()
                await asyncio.sleep(0.01)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    assert len(other.cancelled) == CANCELS
    assert {each.number >> 23 for each in other.cancelled} == {1}
    assert one.cancelled == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("end", {"session": 7, "reason": "terminated"}),
        ("end", {"session": "s", "reason": "because"}),
        ("end", {"session": "s"}),
        ("cancel", {"number": "1", "proof": "00"}),
        ("cancel", {"number": 1, "proof": "0" * 4000}),
        ("cancel", [1, "00"]),
        ("put", {"section": "tokens", "key": "x", "value": {}}),
    ],
)
async def test_a_strange_errand_is_told_and_not_done(nodes: NodeRows, kind: str, body: Any) -> None:
    one, _ = await pair(nodes)
    async with (await nodes._store()).transaction() as connection:
        from wicketgate.store.tables import ERRANDS

        row = {"id": "1", "node": one.node, "kind": kind, "body": body, "created": time.time_ns()}
        await connection.execute(ERRANDS.insert(), [row])
    await one.neighbours.take()
    assert (one.ended, one.cancelled) == ([], [])
    assert one.log == ["another node asks for what is not known here: it may be newer"]


async def test_where_there_can_be_no_other_nothing_is_done() -> None:
    alone = House(None, "a" * 32)  # type: ignore[arg-type]
    await alone.neighbours.begin()
    alone.neighbours.changed("s")
    alone.neighbours.cancel(Cancel(1 << 23, "00"))
    await alone.neighbours.take()
    await alone.neighbours.agree()
    assert not await alone.neighbours.end("s", "terminated")
    async with asyncio.timeout(5):
        await alone.neighbours.work()
        await alone.neighbours.send()
    await alone.neighbours.leave()
