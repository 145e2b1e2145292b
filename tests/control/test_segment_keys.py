"""Keys of encrypted journals: made and wrapped by the control process, asked for by workers when due."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from wicketgate.control.answers import Answers
from wicketgate.control.messages import Answer, Ask
from wicketgate.control.segment_keys import SegmentKeys
from wicketgate.journal.encrypt import bound
from wicketgate.journal.keyfile import KeySupply
from wicketgate.model.credential import CredentialMissing
from wicketgate.model.secret import Secret
from wicketgate.worker.segment_keys import PAUSE, KeysAhead
from wicketgate.worker.tasks import Tasks


class Wraps:
    """keep: as a server's. away: it does not answer."""

    keep = 0.0

    def __init__(self) -> None:
        self.away = False
        self.closed = False
        self.thrice = asyncio.Event()
        self.asked: list[tuple[bytes, bytes]] = []

    async def wrap(self, key: Secret, context: bytes) -> str:
        if self.away:
            raise CredentialMissing("custody: there is no key")
        self.asked.append((key.reveal(), context))
        if len(self.asked) == 3:
            self.thrice.set()
        return f"wrapped-{len(self.asked)}"

    async def close(self) -> None:
        self.closed = True


class Stage:
    def __init__(self) -> None:
        self.wraps = Wraps()
        self.supply = KeySupply("n", "control")
        self.standing: dict[str, Any] = {}
        self.said: list[str] = []
        self.count = 0
        self.keys = SegmentKeys(self.wraps, self.supply, self._token, self.said.append)

    def _token(self, size: int) -> bytes:
        self.count += 1
        return self.count.to_bytes(size, "big")

    def put(self, section: str, key: str, value: Any, blob: bytes | None) -> None:
        assert (section, blob) == ("standing", None)
        self.standing[key] = value


def answers(keys: SegmentKeys | None) -> Answers:
    none: Any = None
    return Answers(none, none, none, none, none, none, none, none, keys)


async def test_a_worker_gets_a_new_key_bound_to_its_own_writer() -> None:
    stage = Stage()
    answer = answers(stage.keys)
    first = await answer.answer(0, Ask(1, "segment", {"segment": 1, "writer": "another"}), "w1")
    second = await answer.answer(0, Ask(2, "segment", {"segment": 1}), "w1")
    assert first.denial is None
    assert first.body == {"wrapped": "wrapped-1"}
    assert first.secret is not None
    assert first.secret != second.secret
    assert [context for _, context in stage.wraps.asked] == [bound("n", "w1", 1)] * 2
    assert first.secret.reveal().hex() not in repr(first)


@pytest.mark.parametrize(
    ("body", "writer"), [({}, "w1"), ({"segment": 0}, "w1"), ({"segment": "x"}, "w1"), ({"segment": 1}, "")]
)
async def test_a_strange_question_gets_no_key(body: dict[str, Any], writer: str) -> None:
    stage = Stage()
    answer = await answers(stage.keys).answer(0, Ask(1, "segment", body), writer)
    assert answer.denial is not None
    assert answer.secret is None
    assert stage.wraps.asked == []


async def test_without_keys_or_without_what_wraps_them_there_is_none() -> None:
    stage = Stage()
    stage.wraps.away = True
    for keys, cause in ((None, "journals are not encrypted"), (stage.keys, "custody: there is no key")):
        answer = await answers(keys).answer(0, Ask(1, "segment", {"segment": 1}), "w1")
        assert answer.denial is not None
        assert answer.denial[2] == cause
        assert answer.secret is None


async def test_sessions_are_refused_while_nothing_wraps_and_let_in_when_it_does_again() -> None:
    stage = Stage()
    await stage.keys.look(stage.put)
    assert stage.standing == {}
    assert stage.supply.wanted is None
    stage.supply.take(1)
    await stage.keys.look(stage.put)
    assert stage.supply.wanted is None  # none is had ahead: it would lie about under an old key
    assert not stage.supply.due()
    stage.wraps.away = True
    for _ in range(2):
        await stage.keys.look(stage.put)
        assert stage.standing == {"keys": {"why": "no key to encrypt the record with"}}
    assert stage.said == [
        "journal: no key to encrypt with, so no session is let in: custody: there is no key"
    ]
    stage.wraps.away = False
    await stage.keys.look(stage.put)
    assert stage.standing == {"keys": None}
    assert stage.supply.due()
    assert stage.wraps.asked[-1][1] == bound("n", "control", 2)
    assert stage.keys.why is None


async def test_the_watch_lets_go_of_what_wraps_when_it_ends() -> None:
    stage = Stage()
    watch = asyncio.create_task(stage.keys.watch(0.0, stage.put), name="watch")
    await stage.wraps.thrice.wait()
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    assert stage.wraps.closed


# -- the worker's side -------------------------------------------------------------------------------------
class Asked:
    """Answers with what it is given, in turn."""

    def __init__(self, *gives: Any) -> None:
        self.gives = list(gives)
        self.asked: list[tuple[str, Any]] = []

    async def ask(self, what: str, body: Any, secret: Secret | None = None) -> Any:
        self.asked.append((what, body))
        given = self.gives.pop(0)
        if isinstance(given, Exception):
            raise given
        return given


GOOD = Answer(1, {"wrapped": "w"}, None, Secret(b"k" * 32))


@pytest.mark.parametrize(
    ("gives", "why"),
    [
        (Answer(1, {}, ["unavailable", "public", "custody: there is no key"]), "custody: there is no key"),
        (Answer(1, {"wrapped": "w"}), "the answer holds no key"),
        (Answer(1, {}, None, Secret(b"k" * 32)), "the answer holds no key"),
        (Answer(1, {"wrapped": ""}, None, Secret(b"k" * 32)), "the answer holds no key"),
        (Answer(1, {"wrapped": 7}, None, Secret(b"k" * 32)), "the answer holds no key"),
        (Answer(1, {"wrapped": "w"}, None, Secret(b"k" * 31)), "the answer holds no key of 32 bytes"),
        (CredentialMissing("the link is gone"), "the link is gone"),
    ],
)
async def test_without_a_key_there_is_none_and_why_is_told(gives: Any, why: str) -> None:
    ahead = KeysAhead(Asked(gives), "n", "w1")  # type: ignore[arg-type]
    assert await ahead.fetch() == why
    assert ahead.supply.wanted == 1


async def test_a_key_is_asked_for_when_it_is_due_once_at_a_time_and_again_after_a_second() -> None:
    asked = Asked(GOOD, CredentialMissing("away"), GOOD)
    ahead = KeysAhead(asked, "n", "w1")  # type: ignore[arg-type]
    tasks = Tasks(print)
    assert await ahead.fetch() is None
    assert await ahead.fetch() is None
    ahead.supply.take(1)
    for _ in range(3):
        ahead.look(tasks)
    assert asked.asked == [("segment", {"segment": 1})]
    assert not ahead.supply.due()
    ahead.look(tasks)
    ahead.look(tasks)
    await _idle(tasks)
    assert asked.asked[1:] == [("segment", {"segment": 2})]
    for _ in range(PAUSE):
        ahead.look(tasks)
    await _idle(tasks)
    assert len(asked.asked) == 2
    ahead.look(tasks)
    await _idle(tasks)
    assert ahead.supply.due()
    assert ahead.supply.take(2).wrapped == "w"


async def _idle(tasks: Tasks) -> None:
    await asyncio.gather(*tasks._running)


def test_a_key_for_another_segment_than_the_next_is_not_taken() -> None:
    supply = KeySupply("n", "w")
    key: Any = SimpleNamespace()
    supply.put(2, key)
    assert supply.wanted == 1
