"""A turn: recorded first, sent afterwards; alone at once, several together; nothing that is not recorded."""

import asyncio

import pytest

from wicketgate.model.errors import JournalFailed
from wicketgate.model.ports import Flushing
from wicketgate.worker.turn import Touched, Turn


class Journal(Flushing):
    failed = False

    def __init__(self, did: list[str]) -> None:
        self.did = did

    def flush(self) -> None:
        if self.failed:
            raise JournalFailed("the session's record can't be written", "no room")
        self.did.append("flush")

    def seal(self) -> None: ...
    def close(self) -> None: ...


class Session(Touched):
    def __init__(self, name: str, did: list[str]) -> None:
        self.touched = False
        self.name = name
        self.did = did

    def take(self) -> None:
        self.did.append(f"take {self.name}")

    def send(self) -> None:
        self.did.append(f"send {self.name}")

    def drop(self) -> None:
        self.did.append(f"drop {self.name}")


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


def made() -> tuple[Turn, Journal, list[str], Session, Session]:
    did: list[str] = []
    journal = Journal(did)
    turn = Turn(asyncio.get_running_loop(), journal, lambda error: did.append("failed"))
    return turn, journal, did, Session("a", did), Session("b", did)


async def test_several_sessions_are_recorded_with_one_write() -> None:
    turn, _, did, a, b = made()
    turn.arrived(a)
    turn.arrived(b)
    turn.touch(a)
    assert did == []
    await settle()
    assert did == ["take a", "take b", "flush", "send a", "send b"]


async def test_one_that_is_alone_at_work_ends_its_turn_at_once() -> None:
    turn, _, did, a, b = made()
    turn.arrived(a)
    await settle()
    did.clear()
    turn.arrived(a)
    assert did == ["take a", "flush", "send a"]
    did.clear()
    turn.arrived(b)
    turn.arrived(a)
    assert did == []
    await settle()
    assert did == ["take b", "take a", "flush", "send b", "send a"]


async def test_one_that_is_over_is_not_remembered() -> None:
    turn, _, did, a, _ = made()
    turn.arrived(a)
    await settle()
    turn.forget(a)
    did.clear()
    turn.arrived(a)
    assert did == []
    await settle()
    assert did == ["take a", "flush", "send a"]


@pytest.mark.parametrize("alone", [True, False])
async def test_nothing_is_sent_that_could_not_be_recorded(alone: bool) -> None:
    turn, journal, did, a, b = made()
    turn.arrived(a)
    await settle()
    did.clear()
    journal.failed = True
    if not alone:
        turn.arrived(b)
    turn.arrived(a)
    await settle()
    assert turn.broken
    assert not [each for each in did if each.startswith(("send", "flush"))]
    assert [each for each in did if each.startswith("drop")] == (
        ["drop a"] if alone else ["drop b", "drop a"]
    )
    assert did.count("failed") == 1
