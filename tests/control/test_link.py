"""The link's end, the replicated dictionary, the watch, and questions whose answer never comes."""

import asyncio
import socket
from typing import Any

import pytest

from wicketgate.control.link import END_AFTER, HOLD_AFTER, Asks, Link, LinkClosed, Replica, Watch
from wicketgate.control.messages import DOWN, UP, Answer, Ask, Commit, LinkBroken, Put, Ready, Spent


async def pair() -> tuple[Link, list[Any], socket.socket]:
    ours, theirs = socket.socketpair()
    told: list[Any] = []
    link = await Link.connect(ours, UP, told.append, told.append)
    theirs.setblocking(False)
    return link, told, theirs


async def test_end_of_file_is_told_once() -> None:
    link, told, theirs = await pair()
    theirs.close()
    while not told:  # noqa: ASYNC110
        await asyncio.sleep(0)
    link.close("again")
    link.send(Commit(1))
    assert told == ["end of file"]
    assert link.closed


async def test_a_message_that_may_not_come_breaks_the_link() -> None:
    link, told, theirs = await pair()
    other = await Link.connect(theirs, DOWN, told.append, lambda why: None)
    other.send(Ready("w"))
    while not told:  # noqa: ASYNC110
        await asyncio.sleep(0)
    other.send(Commit(1))
    while not link.closed:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert told[0] == Ready("w")
    assert told[1].startswith("broken")
    other.close("done")


def test_what_is_put_holds_from_the_commit() -> None:
    replica = Replica()
    changes: list[frozenset[str]] = []
    replica.on_commit(changes.append)
    replica.put(Put("tokens", "a", {"x": 1}))
    replica.put(Put("catalog", "r/d", {}, b"raw"))
    assert replica.get("tokens", "a") is None
    replica.commit(Commit(1))
    assert replica.get("tokens", "a") == {"x": 1}
    assert replica.blob("catalog", "r/d") == b"raw"
    replica.commit(Commit(1))
    replica.put(Put("tokens", "a", None))
    replica.put(Put("catalog", "r/d", None))
    assert replica.get("tokens", "a") == {"x": 1}
    replica.commit(Commit(2))
    assert replica.get("tokens", "a") is None
    assert replica.blob("catalog", "r/d") is None
    assert dict(replica.section("tokens")) == {}
    assert changes == [frozenset({"tokens", "catalog"})] * 2
    with pytest.raises(LinkBroken):
        replica.commit(Commit(1))


def test_silence_holds_and_then_ends() -> None:
    now = 0
    watch = Watch(lambda: now)
    assert watch.standing() == "live"
    now = HOLD_AFTER
    assert watch.standing() == "hold"
    watch.seen()
    assert watch.standing() == "live"
    now += END_AFTER
    assert watch.standing() == "end"


async def test_answers_find_their_questions() -> None:
    sent: list[Any] = []
    asks = Asks(sent.append)
    first = asyncio.ensure_future(asks.ask("lease", {"n": 1}))
    second = asyncio.ensure_future(asks.ask("lease", {"n": 2}))
    await asyncio.sleep(0)
    assert sent == [Ask(1, "lease", {"n": 1}), Ask(2, "lease", {"n": 2})]
    asks.answer(Answer(2, {"for": 2}))
    asks.answer(Answer(9, {}))
    assert (await second).body == {"for": 2}
    asks.spent(7, 3)
    assert sent[-1] == Spent(7, 3)
    asks.close()
    with pytest.raises(LinkClosed):
        await first
    with pytest.raises(LinkClosed):
        await asks.ask("lease", {})


async def test_an_answer_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wicketgate.control.link.ANSWER", 0.01)
    with pytest.raises(LinkClosed):
        await Asks(lambda message: None).ask("secret", {})
