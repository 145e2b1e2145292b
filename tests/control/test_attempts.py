"""Failed sign-ins wait longer and longer, in bounded memory; nobody is shut out by others elsewhere."""

import asyncio

import pytest

from wicketgate.control import attempts as module
from wicketgate.control.attempts import (
    FORGET,
    FREE_SOURCE,
    LONGEST,
    LONGEST_TRUSTED,
    SECOND,
    TRUST,
    UNDER_WAY,
    Attempts,
    network,
)

HERE = "10.0.0.1"


class Clock:
    def __init__(self) -> None:
        self.now = 10**15

    def __call__(self) -> int:
        return self.now


def fail(attempts: Attempts, times: int, source: str = HERE, identity: str | None = "bot") -> None:
    for _ in range(times):
        attempts.failed(source, identity)


def test_a_source_waits_twice_as_long_each_time() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(FREE_SOURCE):
        attempts.failed(HERE, "bot")
        assert attempts.wait(HERE, "bot") == 0
    waits = []
    for _ in range(12):
        attempts.failed(HERE, "bot")
        waits.append(attempts.wait(HERE, "bot"))
    assert waits[:5] == [2, 4, 8, 16, 32]
    assert waits[-1] == LONGEST
    clock.now += LONGEST * SECOND
    assert attempts.wait(HERE, "bot") == 0


def test_a_good_sign_in_forgets_its_own() -> None:
    attempts = Attempts(Clock())
    fail(attempts, FREE_SOURCE + 1)
    attempts.good(HERE, "bot")
    assert attempts.wait(HERE, "bot") == 0
    assert attempts.wait(HERE, "other") == 0


async def test_a_good_sign_in_forgets_nobody_elses() -> None:
    """Nine guesses at somebody and one sign-in of one's own, over and over: the guesses add up."""
    clock = Clock()
    attempts = Attempts(clock)
    tried = 0
    for _ in range(10):
        for _ in range(9):
            if await attempts.tell("begin", HERE, "boss") == 0:
                tried += 1
                await attempts.tell("failed", HERE, "boss")
        assert await attempts.tell("begin", HERE, "own") == 0 or tried > FREE_SOURCE
        await attempts.tell("good", HERE, "own")
    assert tried == FREE_SOURCE + 1
    assert attempts.wait(HERE, "boss") > 0
    assert attempts.wait(HERE, "anybody") > 0


async def test_tries_at_once_pass_no_more_than_tries_one_by_one() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    tried = under_way = most = 0

    async def one(index: int) -> int:
        nonlocal tried, under_way, most
        wait = await attempts.tell("begin", HERE, f"name {index % 7}")
        if wait == 0:
            tried += 1
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1
            await attempts.tell("failed", HERE, f"name {index % 7}")
        return wait

    waits = await asyncio.gather(*(one(index) for index in range(60)))
    assert tried == FREE_SOURCE + 1
    assert sum(1 for wait in waits if wait) == 60 - tried
    # after the wait one may try, and no second one beside it
    clock.now += 2 * SECOND
    assert await attempts.tell("begin", HERE, "a") == 0
    second = asyncio.ensure_future(attempts.tell("begin", HERE, "b"))
    await asyncio.sleep(0)
    assert not second.done()
    await attempts.tell("failed", HERE, "a")
    assert await second == 4


async def test_many_good_ones_at_once_all_pass() -> None:
    attempts = Attempts(Clock())

    async def one(index: int) -> int:
        wait = await attempts.tell("begin", HERE, f"bot {index % 3}")
        await asyncio.sleep(0)
        return wait + await attempts.tell("good", HERE, f"bot {index % 3}")

    assert set(await asyncio.gather(*(one(index) for index in range(300)))) == {0}
    assert not any(lane.begun or lane.waiting for lane in attempts._sources.values())
    assert not any(lane.begun or lane.waiting for _, lane in attempts._trusted.values())


async def test_who_finds_no_room_waits_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(FREE_SOURCE + 1):
        assert await attempts.tell("begin", HERE, "bot") == 0
    assert await attempts.tell("begin", HERE, "bot") == 1
    assert not attempts._sources[HERE].waiting
    monkeypatch.setattr(module, "WAITING", 0)
    assert await attempts.tell("begin", HERE, "bot") == 1
    # whoever never told the outcome does not hold the place for ever
    clock.now += (UNDER_WAY + 1) * SECOND
    assert await attempts.tell("begin", HERE, "bot") == 0


def test_time_forgets() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    fail(attempts, FREE_SOURCE)
    clock.now += (FORGET + 1) * SECOND
    attempts.failed(HERE, "bot")
    assert attempts.wait(HERE, "bot") == 0


def test_failures_elsewhere_shut_nobody_out() -> None:
    attempts = Attempts(Clock())
    for index in range(500):
        attempts.failed(f"10.1.{index >> 8}.{index & 255}", "boss")
    assert attempts.wait("10.9.9.9", "boss") == 0


def test_a_neighbour_with_a_dead_token_shuts_out_nobody_who_signed_in_well() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    attempts.good(HERE, "bot")
    fail(attempts, 100, identity="neighbour")
    assert attempts.wait(HERE, "neighbour") == LONGEST
    assert attempts.wait(HERE, "stranger") == LONGEST
    assert attempts.wait(HERE, "bot") == 0
    # guesses at itself slow it down there, shortly
    fail(attempts, 100)
    assert attempts.wait(HERE, "bot") == LONGEST_TRUSTED
    clock.now += (TRUST + 1) * SECOND
    fail(attempts, FREE_SOURCE + 1, identity="neighbour")
    assert attempts.wait(HERE, "bot") > 0


def test_sources_are_networks() -> None:
    assert network("10.0.0.1") == network("::ffff:10.0.0.1") == "10.0.0.1"
    assert network("2001:db8::1") == network("2001:db8::ffff:1") != network("2001:db8:0:1::1")
    assert network("fe80::1%eth0") == network("fe80::2")
    assert network("nonsense") == "nonsense"


async def test_an_outcome_is_one_of_three() -> None:
    attempts = Attempts(Clock())
    for outcome, identity in (("good", None), ("fine", "bot")):
        with pytest.raises(ValueError, match="outcome"):
            await attempts.tell(outcome, HERE, identity)


def test_memory_is_bounded() -> None:
    clock = Clock()
    attempts = Attempts(clock, entries=100)
    for index in range(1000):
        attempts.failed(f"source {index}", f"identity {index}")
        attempts.failed("one", f"identity {index}")
        attempts.good(f"other {index}", "bot")
    assert len(attempts._sources) <= 100
    assert len(attempts._trusted) <= 100
    assert len(attempts._sources["one"].failures) <= module.NAMES + 1
