"""Leases: workers together never exceed a limit, whatever the order of what happens."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.node import SECOND, MemoryStore
from wicketgate.control.leases import Leases
from wicketgate.model.errors import GatewayError

START = 1_800_000_000 // 3600 * 3600


class Clock:
    def __init__(self) -> None:
        self.seconds = START

    def __call__(self) -> int:
        return self.seconds * SECOND


step = st.one_of(
    st.tuples(st.just("lease"), st.integers(0, 3), st.integers(1, 40)),
    st.tuples(st.just("spent"), st.integers(0, 20), st.integers(-5, 60)),
    st.tuples(st.just("dies"), st.integers(0, 3), st.just(0)),
    st.tuples(st.just("control"), st.just(0), st.just(0)),
    st.tuples(st.just("stop"), st.just(0), st.just(0)),
    st.tuples(st.just("storm"), st.just(0), st.integers(1, 40)),
)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 100), st.lists(step, max_size=40))
def test_never_above_the_limit(amount: int, steps: list[tuple[str, int, int]]) -> None:
    asyncio.run(play(amount, steps))


async def play(amount: int, steps: list[tuple[str, int, int]]) -> None:
    store, clock = MemoryStore(), Clock()
    leases = Leases(store, clock)
    held: list[tuple[int, int, int]] = []
    used = 0

    async def lease(worker: int, want: int) -> None:
        got = await leases.lease(worker, "bot", "rule", "rows", "hour", amount, want)
        assert 0 <= got.granted <= want
        if got.granted:
            held.append((worker, got.number, got.granted))

    for kind, who, count in steps:
        if kind == "lease":
            await lease(who, count)
        elif kind == "storm":
            await asyncio.gather(*(lease(worker, count) for worker in range(4)))
        elif kind == "spent" and held:
            worker, number, granted = held.pop(who % len(held))
            used += max(0, min(count, granted))
            leases.spent(worker, number, count)
            leases.spent(worker, number, 0)  # a second time changes nothing
        elif kind == "dies":
            # What a dead worker held may have been used whole.
            used += sum(granted for worker, _, granted in held if worker == who)
            held = [each for each in held if each[0] != who]
            leases.worker_gone(who)
        elif kind in ("control", "stop"):
            if kind == "stop":
                await leases.stop()
            used += sum(granted for _, _, granted in held)
            held = []
            leases = Leases(store, clock)
        assert used + sum(granted for _, _, granted in held) <= amount
        assert sum(store.spent.values()) <= amount


async def test_a_window_ends_at_the_full_hour() -> None:
    store, clock = MemoryStore(), Clock()
    leases = Leases(store, clock)
    first = await leases.lease(0, "bot", "rule", "rows", "hour", 10, 10)
    assert (first.granted, first.until) == (10, (START + 3600) * SECOND)
    clock.seconds += 3599
    assert (await leases.lease(0, "bot", "rule", "rows", "hour", 10, 1)).granted == 0
    clock.seconds += 1
    assert (await leases.lease(0, "bot", "rule", "rows", "hour", 10, 1)).granted == 1
    leases.spent(0, first.number, 0)  # too late: its window is over
    await leases.stop()
    assert sum(store.spent.values()) == 11


async def test_identities_and_rules_count_apart() -> None:
    leases = Leases(MemoryStore(), Clock())
    for identity, rule, what in (
        ("a", "r", "rows"),
        ("b", "r", "rows"),
        ("a", "s", "rows"),
        ("a", "r", "statements"),
    ):
        assert (await leases.lease(0, identity, rule, what, "hour", 5, 5)).granted == 5


async def test_another_worker_can_not_give_back() -> None:
    leases = Leases(MemoryStore(), Clock())
    got = await leases.lease(0, "bot", "rule", "rows", "hour", 5, 5)
    leases.spent(1, got.number, 0)
    assert (await leases.lease(1, "bot", "rule", "rows", "hour", 5, 5)).granted == 0


async def test_without_the_store_there_is_no_lease() -> None:
    store = MemoryStore()
    leases = Leases(store, Clock())
    store.away = True
    with pytest.raises(GatewayError):
        await leases.lease(0, "bot", "rule", "rows", "hour", 5, 5)


@pytest.mark.parametrize("arguments", [{"per": "day"}, {"want": 0}, {"amount": -1}])
async def test_a_strange_question_is_refused(arguments: dict[str, Any]) -> None:
    asked = {"worker": 0, "identity": "a", "rule": "r", "what": "rows", "per": "hour", "amount": 5, "want": 1}
    with pytest.raises(ValueError, match="no lease"):
        await Leases(MemoryStore(), Clock()).lease(**asked | arguments)


async def test_a_task_s_ceiling_outlives_hours_and_restarts() -> None:
    store, clock = MemoryStore(), Clock()
    leases = Leases(store, clock)
    got = 0
    for _ in range(5):
        lease = await leases.lease(1, "bot", "task t 1", "rows", "task", 100, 10)
        assert lease.until > clock() + 10**18
        got += lease.granted
        await leases.lease(1, "bot", "rule", "rows", "hour", 100, 10)
        clock.seconds += 3600
    leases = Leases(store, clock)
    while (more := (await leases.lease(2, "bot", "task t 1", "rows", "task", 100, 10)).granted) and got < 200:
        got += more
    assert 90 <= got <= 100
    assert (await leases.lease(2, "bot", "task t 2", "rows", "task", 100, 10)).granted == 10
