"""Deliveries: at least once, again and again for a day, by one node; nobody holds another one up."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from channels.formats import check_cloud_event, check_teams
from channels.stage import (
    CANARY,
    ID,
    LINK,
    NOW,
    REVIEW,
    SECOND,
    Box,
    Received,
    Receiver,
    Vault,
    another,
    fine,
    key,
    link,
    receiving,
)
from wicketgate.channels.delivery import AWAY, EVERY, LEASE, Deliveries
from wicketgate.channels.notice import Notice
from wicketgate.channels.senders import Sender, sender
from wicketgate.channels.settings import Channel, ChannelSettings
from wicketgate.channels.signatures import headers, key_of
from wicketgate.channels.wire import Unsent
from wicketgate.model.delivery import LASTS, State
from wicketgate.model.errors import StoreFailed
from wicketgate.model.grant import Grant
from wicketgate.model.review import Kind, Status
from wicketgate.model.secret import Secret
from wicketgate.store.address import store_url
from wicketgate.store.channels import ChannelRows
from wicketgate.store.db import Store


@dataclass
class Played:
    """A way that answers as it is told, and keeps what it was given."""

    answers: list[Unsent | Exception] = field(default_factory=list)
    got: list[Notice] = field(default_factory=list)

    async def send(self, notice: Notice) -> None:
        self.got.append(notice)
        if self.answers:
            raise self.answers.pop(0)


GONE = "there is no such review any more, or it can't be read"


class PlayedRows(ChannelRows):
    """With an outbox that is played."""

    def __init__(self, store: Store, box: Box) -> None:
        super().__init__(store)
        self._box = box

    async def newest(self) -> int:
        return len(self._box.rows)


async def until(true: Callable[[], Any]) -> None:
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to be")


@dataclass
class Yard:
    """One store, its outbox and a clock for all nodes."""

    store: Store
    box: Box = field(default_factory=Box)
    now: int = NOW
    logged: list[str] = field(default_factory=list)
    grants: dict[str, Grant] = field(default_factory=dict)

    @property
    def rows(self) -> ChannelRows:
        return PlayedRows(self.store, self.box)

    async def granted(self, review: str) -> Grant | None:
        return self.grants.get(review)

    def node(
        self,
        ways: Mapping[str, Sender],
        holder: str = "a",
        labels: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Deliveries:
        base = {"kind": "webhook", "url": "https://hook.example/", "secrets": [{"env": "KEY"}]}
        channels = {name: Channel(name, ChannelSettings.model_validate({**base, **more})) for name in ways}
        return Deliveries(
            channels,
            ways,
            self.box,
            self.rows,
            link,
            lambda resource: (labels or {}).get(resource, {}),
            holder,
            lambda: self.now,
            lambda: self.now,
            lambda: 1.0,
            self.logged.append,
            self.granted,
        )

    def passes(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


@pytest.fixture
async def yard(tmp_path: Path) -> AsyncIterator[Yard]:
    store = await Store.open(store_url(None, tmp_path))
    yield Yard(store)
    await store.close()


async def test_what_changes_is_told_once_and_in_order(yard: Yard) -> None:
    way = Played()
    yard.box.add(REVIEW, "asked")
    node = yard.node({"ops": way})
    assert await node.round("ops") == EVERY
    assert way.got == []  # what was before the channel was there is none of its
    yard.box.add(REVIEW, "asked")
    yard.box.add(replace(REVIEW, status=Status.APPROVED), "approved", "bea")
    for _ in range(3):
        await node.round("ops")
    assert [(each.what, each.id) for each in way.got] == [
        ("asked", f"evt_{ID}_2"),
        ("approved", f"evt_{ID}_3"),
    ]
    assert way.got[1].facts["Ended by"] == "bea"


async def test_a_channel_chooses_what_it_is_told(yard: Yard) -> None:
    way, prod, glass = Played(), Played(), Played()
    only = yard.node({"only": way}, events=["denied"], resources={"names": ["sales"]})
    labelled = yard.node(
        {"prod": prod}, labels={"sales": {"env": "prod"}}, resources={"labels": {"env": "prod"}}
    )
    broken = yard.node({"glass": glass}, events=["break-glass"])
    for node, name in ((only, "only"), (labelled, "prod"), (broken, "glass")):
        await node.round(name)
    elsewhere = replace(another(2), resource="bravo")
    for review, what in (
        (REVIEW, "asked"),
        (REVIEW, "denied"),
        (elsewhere, "denied"),
        (replace(another(3), kind=Kind.AFTER), "asked"),
    ):
        yard.box.add(review, what)
    yard.box.add(another(4), "denied", at=NOW - LASTS - 1)
    del yard.box.reviews[another(4).id]
    for node, name in ((only, "only"), (labelled, "prod"), (broken, "glass")):
        await node.round(name)
        await node.round(name)
    assert [(each.what, each.resource) for each in way.got] == [("denied", "sales")]
    assert [each.what for each in prod.got] == ["asked", "break-glass", "denied"]
    assert [each.what for each in glass.got] == ["break-glass"]


async def test_access_for_a_while_is_told_of_to_its_end(yard: Yard) -> None:
    every, quiet = Played(), Played()
    nodes = [
        (yard.node({"every": every}), "every"),
        (yard.node({"quiet": quiet}, events=["grant-ended"]), "quiet"),
    ]
    for node, name in nodes:
        await node.round(name)
    access = replace(REVIEW, kind=Kind.ACCESS, status=Status.APPROVED)
    glass = replace(another(2), kind=Kind.AFTER)
    yard.grants[ID] = Grant(
        ID, "crew-bot", "local", "on request", "sales", "reader", NOW, NOW + 60 * SECOND, "t" * 32
    )
    for review, what in ((access, "granted"), (access, "grant-ended"), (glass, "grant-ended")):
        yard.box.add(review, what, "")
    for node, name in nodes * 3:
        await node.round(name)
    assert [each.title for each in every.got] == [
        "A request for access led to access for a while",
        "An emergency access led to access that has ended",
        "A request for access led to access that has ended",
    ]
    assert every.got[0].facts["Access"] == "2027-01-15T08:00:00Z to 2027-01-15T08:01:00Z"
    assert every.got[0].data["grant"]["ends"] == "2027-01-15T08:01:00Z"
    assert {each.what for each in quiet.got} == {"grant-ended"}


async def begun(yard: Yard, way: Sender, **more: Any) -> Deliveries:
    node = yard.node({"ops": way}, **more)
    await node.round("ops")
    yard.box.add(REVIEW, "asked")
    return node


async def test_what_fails_is_tried_again_ever_more_slowly_for_a_day(yard: Yard) -> None:
    way = Played([Unsent("it answers 500", again=True) for _ in range(100)])
    node = await begun(yard, way)
    at = []
    while not await yard.rows.dead("ops", 0, 9):
        await node.round("ops")
        at.append((yard.now - NOW) // SECOND)
        # nothing is due before its time
        [waits] = await yard.rows.due("ops", yard.now + LASTS, 9) or [None]
        if waits is not None:
            assert await yard.rows.due("ops", waits.next_at - 1, 9) == []
            yard.now = waits.next_at
    pauses = [after - before for before, after in pairwise(at)]
    assert pauses == [2**each for each in range(12)] + [3600] * (len(pauses) - 12)
    assert 86_400 > at[-1] > 82_800
    [dead] = await yard.rows.dead("ops", 0, 9)
    assert dead.error == f"it answers 500; given up after {len(at)} attempts"
    assert {each.id for each in way.got} == {f"evt_{ID}_1"}
    # an operator has it tried again, for another day
    way.answers.clear()
    assert await yard.rows.replay("ops", None, yard.now) == 1
    await node.round("ops")
    assert (await yard.rows.backlogs())["ops"].pending == 0


async def test_a_no_is_taken_at_once_and_a_wish_is_heeded(yard: Yard) -> None:
    way = Played([Unsent("it answers 429", again=True, after=300.0), Unsent("it answers 410", again=False)])
    node = await begun(yard, way)
    await node.round("ops")
    yard.box.add(another(2), "asked")
    for _ in range(299):
        yard.passes(1)
        assert await node.round("ops") == EVERY
    assert len(way.got) == 1  # the whole channel rests
    yard.passes(2)
    await node.round("ops")
    assert sorted(each.review for each in way.got) == sorted([ID, ID, another(2).id])
    [dead] = await yard.rows.dead("ops", 0, 9)
    assert dead.error == "it answers 410"
    assert any("not delivered: it answers 410" in line for line in yard.logged)


async def test_a_wish_beyond_the_day_ends_it(yard: Yard) -> None:
    node = await begun(yard, Played([Unsent("it answers 503", again=True, after=86_400.0)]))
    await node.round("ops")
    assert [each.attempts for each in await yard.rows.dead("ops", 0, 9)] == [1]


async def test_what_nobody_foresaw_is_tried_again_and_given_up_some_day(yard: Yard) -> None:
    way = Played([RuntimeError(CANARY)])
    node = await begun(yard, way)
    await node.round("ops")
    backlog = (await yard.rows.backlogs())["ops"]
    assert (backlog.pending, backlog.error) == (1, "RuntimeError")
    yard.passes(2)
    await node.round("ops")
    assert (await yard.rows.backlogs())["ops"].pending == 0


async def test_a_review_that_is_gone_is_given_up(yard: Yard) -> None:
    way = Played([Unsent("away", again=True)])
    node = await begun(yard, way)
    await node.round("ops")
    yard.box.reviews.clear()
    yard.passes(5)
    await node.round("ops")
    assert [each.error for each in await yard.rows.dead("ops", 0, 9)] == [GONE]


async def test_a_review_that_can_not_be_read_keeps_no_other_waiting(yard: Yard) -> None:
    """Somebody changed its row beside the gateway: all channels would try it for ever."""
    way = Played()
    node = await begun(yard, way)
    yard.box.unreadable.add(yard.box.rows[-1].review)
    yard.box.add(another(7), "asked")
    for _ in range(3):
        await node.round("ops")
        yard.passes(5)
    assert [each.review for each in way.got] == [another(7).id]
    assert all("nobody is told of it" in each for each in yard.logged)
    assert yard.logged


async def test_two_nodes_deliver_once_and_one_takes_over(yard: Yard) -> None:
    here, there = Played(), Played()
    a, b = yard.node({"ops": here}, "a"), yard.node({"ops": there}, "b")
    await asyncio.gather(a.round("ops"), b.round("ops"))
    for number in range(20):
        yard.box.add(another(number), "asked")
    for _ in range(6):
        await asyncio.gather(a.round("ops"), b.round("ops"))
    assert sorted([len(here.got), len(there.got)]) == [0, 20]
    first, second = (a, there) if here.got else (b, here)
    taken = second.got
    for number in range(20, 24):
        yard.box.add(another(number), "asked")
    # the first one dies: nothing is sent until its lease is over
    other = b if first is a else a
    yard.passes(LEASE / 2)
    assert await other.round("ops") == AWAY
    assert taken == []
    yard.passes(LEASE)
    await other.round("ops")
    assert [each.review for each in taken] == [another(number).id for number in range(20, 24)]
    # it comes back, and learns that it has the channel no more
    assert await first.round("ops") == AWAY
    yard.box.add(another(99), "asked")
    await asyncio.gather(first.round("ops"), other.round("ops"))
    assert len(here.got) + len(there.got) == 25


async def test_who_ends_leaves_its_channels_at_once(yard: Yard) -> None:
    a, b = yard.node({"ops": Played()}, "a"), yard.node({"ops": Played()}, "b")
    running = asyncio.create_task(a.run())
    for _ in range(500):
        if "ops" in await yard.rows.backlogs():
            break
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await b.round("ops") == EVERY


async def test_a_store_that_is_away_ends_nothing(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    way = Played()
    node = await begun(yard, way)

    async def away(after: int, most: int) -> Any:
        raise StoreFailed("the store does not answer", "gone")

    monkeypatch.setattr(yard.box, "events", away)
    running = asyncio.create_task(node.run())
    await until(lambda: yard.logged)
    assert yard.logged == ["channel ops: gone"]
    monkeypatch.undo()
    node.poke()
    await until(lambda: way.got)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_one_channel_that_hangs_holds_up_no_other(yard: Yard, tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def hang(received: Received) -> web.StreamResponse:
        await ended.wait()
        return web.Response()

    async with receiving(tmp_path) as slow:
        slow.answer = hang
        way = Played()
        settings = _webhook(slow)
        vault = Vault({"KEY": key()})
        hangs = sender(Channel("slow", settings), vault.fetch, yard.rows, lambda: yard.now)
        node = yard.node({"slow": hangs, "ops": way})
        for name in ("slow", "ops"):
            await node.round(name)
        yard.box.add(REVIEW, "asked")
        running = asyncio.create_task(node.run())
        await slow.some()
        await until(lambda: way.got)
        ended.set()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _webhook(receiver: Receiver, **more: Any) -> ChannelSettings:
    given = {
        "kind": "webhook",
        "url": f"{receiver.address}/hook",
        "secrets": [{"env": "KEY"}],
        "private": True,
    }
    return ChannelSettings.model_validate({**given, "ca_file": receiver.ca, "timeout_seconds": 1.0, **more})


async def test_a_webhook_is_signed_and_its_secrets_rotate_with_overlap(yard: Yard, tmp_path: Path) -> None:
    """A receiver with the old secret, and one with the new one, both know it while both sign."""
    vault = Vault({"KEY": key("a"), "NEXT": key("b")})
    async with receiving(tmp_path) as receiver:
        for names in (["KEY"], ["NEXT", "KEY"], ["NEXT"]):
            settings = _webhook(receiver, secrets=[{"env": each} for each in names])
            way = sender(Channel("ops", settings), vault.fetch, yard.rows, lambda: yard.now)
            node = yard.node({f"ops-{names[0].lower()}-{len(names)}": way}, events=["asked"])
            [name] = node._channels
            await node.round(name)
            yard.box.add(REVIEW, "asked")
            await node.round(name)
        assert [verified(each) for each in await receiver.some(3)] == [{"KEY"}, {"KEY", "NEXT"}, {"NEXT"}]
        for each in receiver.got:
            assert each.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
            assert CANARY.encode() not in each.body
            check_cloud_event(each.json)
            assert each.json["id"] == each.headers["webhook-id"]
            assert each.json["data"]["link"] == LINK


def verified(received: Received) -> set[str]:
    """Under which of the two keys its signature is good."""
    found = set()
    for name, letter in (("KEY", "a"), ("NEXT", "b")):
        made = headers(
            [key_of(Secret(key(letter)))],
            received.headers["webhook-id"],
            int(received.headers["webhook-timestamp"]),
            received.body,
        )
        if made["webhook-signature"] in received.headers["webhook-signature"].split(" "):
            found.add(name)
    return found


@pytest.mark.parametrize("kept", [{}, {"KEY": b""}, {"KEY": b"weak"}])
async def test_without_a_good_secret_nothing_is_sent(
    yard: Yard, tmp_path: Path, kept: dict[str, bytes]
) -> None:
    async with receiving(tmp_path) as receiver:
        way = sender(Channel("ops", _webhook(receiver)), Vault(kept).fetch, yard.rows, lambda: yard.now)
        node = await begun(yard, way)
        await node.round("ops")
        backlog = (await yard.rows.backlogs())["ops"]
        assert (backlog.pending, receiver.got) == (1, [])
        assert "weak" not in backlog.error


async def test_teams_gets_a_card_at_an_address_that_is_a_secret(yard: Yard, tmp_path: Path) -> None:
    async with receiving(tmp_path) as receiver:
        settings = ChannelSettings.model_validate(
            {
                "kind": "teams",
                "url": {"env": "URL"},
                "private": True,
                "ca_file": receiver.ca,
                "shows": "statement",
            }
        )
        vault = Vault({"URL": f"{receiver.address}/workflows/1?sig={CANARY}\n".encode()})
        way = sender(Channel("teams", settings), vault.fetch, yard.rows, lambda: yard.now)
        node = await begun(yard, way)
        await node.round("ops")
        [got] = receiver.got
        assert got.path == f"/workflows/1?sig={CANARY}"
        check_teams(got.json)
        assert CANARY not in json.dumps(got.json)
        assert settings.place == "(env URL)"

        async def refuse(received: Received) -> web.StreamResponse:
            return web.Response(status=401)

        receiver.answer = refuse
        assert await node.test("ops") == "it answers 401"
        receiver.answer = fine
        assert await node.test("ops") == ""
        vault.kept["URL"] = b"http://10.0.0.1/" + CANARY.encode()
        assert await node.test("ops") == "its address must be https://host/path"
        vault.kept.clear()
        assert CANARY not in await node.test("ops")


async def test_pauses_are_not_the_same_for_all(yard: Yard) -> None:
    node = yard.node({"ops": Played()})
    node._random = lambda: 0.0
    assert [node.pause(each) for each in (1, 2, 13, 1000)] == [0.5, 1.0, 1800.0, 1800.0]
    assert State.DEAD.value == "dead"
