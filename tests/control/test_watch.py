"""What nodes hear of each other, and the store's coming and going: no race undoes a revocation."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from control.node import MemoryStore
from wicketgate.control import watch as module
from wicketgate.control.state import State
from wicketgate.control.watch import PENDING, StoreWatch
from wicketgate.model.errors import GatewayError


class SlowStore(MemoryStore):
    """Answers as of the moment when it was asked, but only when it is let. by_id: tokens_of's answer."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = asyncio.Event()
        self.readings = 0
        self.ids: list[set[str]] = []
        self.by_id: dict[str, Mapping[str, Any] | None] = {}

    async def replicated(self) -> Sequence[tuple[str, str, Mapping[str, Any]]]:
        found = await super().replicated()
        self.readings += 1
        self.asked.set()
        await self.gate.wait()
        return found

    async def tokens_of(self, ids: Iterable[str]) -> Sequence[tuple[str, str, Mapping[str, Any] | None]]:
        self._check()
        found: list[tuple[str, str, Mapping[str, Any] | None]] = [
            ("tokens", key, value) for key, value in self.by_id.items()
        ]
        self.ids.append(set(ids))
        self.asked.set()
        await self.gate.wait()
        return found


class PlayedBus:
    hears = True

    async def run(self, heard: Callable[[str], None], turned: Callable[[bool], None]) -> None:
        raise AssertionError("played")


class Stage:
    def __init__(self, every: float = 3600, grace: float = 60) -> None:
        self.store = SlowStore()
        self.bus = PlayedBus()
        self.state = State(lambda frames: None)
        self.log: list[str] = []
        self.ended = asyncio.Event()
        self.events: list[str] = []
        self.watch = StoreWatch(
            self.store,
            self.bus,
            self.state,
            self.put,
            lambda rows: None,
            lambda accounts: None,
            self.ended.set,
            time.monotonic_ns,
            self.log.append,
            every,
            grace,
        )

    def put(self, section: str, key: str, value: Any, blob: bytes | None) -> None:
        self.events.append(f"{key} {value is not None} after {self.store.readings}")
        self.state.put(section, key, value, blob)

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 (no event tells of it)
                await asyncio.sleep(0.005)


@asynccontextmanager
async def hearing(**named: Any) -> AsyncIterator[Stage]:
    stage = Stage(**named)
    tasks = [
        asyncio.create_task(stage.watch.hear(), name="hear"),
        asyncio.create_task(stage.watch.watch(), name="watch"),
    ]
    try:
        yield stage
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("way", ["all", "one"])
async def test_what_was_revoked_while_it_read_stays_revoked(way: str) -> None:
    async with hearing() as stage:
        await stage.watch.resync()
        assert stage.state.get("tokens", "good")
        stage.store.gate.clear()
        stage.store.asked.clear()
        stage.store.by_id = {"good": {"identity": "bot"}}
        stage.watch.heard("tokens" if way == "all" else "tokens:abc")
        await stage.store.asked.wait()
        stage.watch.put("revoked", "abc", {"at": 1})
        stage.watch.put("tokens", "good", None)
        stage.store.by_id = {}
        stage.store.gate.set()
        stage.watch.heard("tokens:after")
        await stage.until(lambda: {"after"} in stage.store.ids)
        assert stage.state.get("tokens", "good") is None
        assert stage.state.get("revoked", "abc") == {"at": 1}


async def test_a_token_of_another_node_is_known_before_that_node_told_it() -> None:
    """A session of a moment later, by way of a load balancer. What nobody issued is not worth a reading."""
    stage = Stage()
    await stage.watch.look_for("nobody's")
    assert stage.store.readings == 0
    await stage.watch.look_for("good")
    assert stage.state.get("tokens", "good")


async def test_what_is_granted_here_is_read_again() -> None:
    """It was revoked on another node, which told of it, before this one had put it."""
    async with hearing() as stage:
        await stage.watch.resync()
        stage.watch.put("grants", "fresh", {"identity": "ana"})
        assert stage.state.get("grants", "fresh")
        await stage.until(lambda: stage.state.get("grants", "fresh") is None)


async def test_what_is_issued_here_is_read_again() -> None:
    """Another node may have revoked it before its own node told it."""
    async with hearing() as stage:
        stage.store.by_id = {"fresh": None}
        stage.watch.put("tokens", "fresh", {"id": "abc", "identity": "bot"})
        assert stage.state.get("tokens", "fresh")
        await stage.until(lambda: stage.state.get("tokens", "fresh") is None)
        assert stage.store.ids == [{"abc"}]


async def test_what_anybody_may_send_is_not_believed() -> None:
    async with hearing() as stage:
        for message in (
            "",
            "tokens:",
            "tokens:' OR 1=1 --",
            "tokens:" + "a" * 200,
            "tokens:a:b",
            "errands:other",
            "policy",
            "TOKENS",
            "tokens\0",
            '{"section":"tokens","key":"x","value":{}}',
        ):
            stage.watch.heard(message)
        stage.watch.heard("tokens:abc")
        await stage.until(lambda: stage.store.ids)
        assert stage.store.ids == [{"abc"}]
        assert stage.store.readings == 0
        assert stage.state.get("tokens", "abc") is None


async def test_a_flood_costs_bounded_memory_and_misses_nothing() -> None:
    async with hearing() as stage:
        for number in range(PENDING * 20):
            stage.watch.heard(f"tokens:{number}")
        assert len(stage.watch._pending) <= PENDING
        stage.watch.heard("tokens:real")
        await stage.until(lambda: stage.store.readings)
        assert sum(len(ids) for ids in stage.store.ids) <= PENDING


@pytest.mark.parametrize("kind", ["known", "unknown"])
async def test_what_failed_is_done_again(kind: str) -> None:
    async with hearing() as stage:
        done: list[int] = []

        async def fails() -> None:
            done.append(1)
            if len(done) == 1:
                raise (GatewayError if kind == "known" else ZeroDivisionError)("not now")

        stage.watch.topics["secrets"] = fails
        stage.watch.heard("secrets")
        await stage.until(lambda: len(done) > 1)


async def test_all_is_read_before_anybody_is_let_in_again() -> None:
    async with hearing() as stage:
        stage.store.away = True
        stage.watch.turned(False)
        await stage.until(lambda: stage.watch.away)
        assert stage.state.get("standing", "closed")
        readings = stage.store.readings
        stage.store.away = False
        stage.store.tokens.clear()
        stage.watch.turned(True)
        await stage.until(lambda: not stage.watch.away)
        assert stage.events[-1] == f"closed False after {stage.store.readings}"
        assert stage.store.readings > readings
        assert stage.state.get("tokens", "good") is None


async def test_what_goes_on_without_the_store_ends() -> None:
    async with hearing(every=0.02, grace=0.05) as stage:
        stage.store.away = True
        async with asyncio.timeout(20):
            await stage.ended.wait()


async def test_a_node_that_hears_nothing_reads_at_each_look() -> None:
    async with hearing(every=0.01) as stage:
        stage.bus.hears = False
        await stage.until(lambda: stage.store.readings > 5)


async def test_a_wrong_clock_closes_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    async with hearing(every=0.01) as stage:
        stage.store.ahead = -6_000_000_000
        await stage.until(lambda: stage.log)
        assert "differ by 6 s" in stage.log[0]
        assert not stage.watch.away
        stage.store.ahead = module.SKEW_MOST + 1
        await stage.until(lambda: stage.watch.away)
        stage.store.ahead = 0
        await stage.until(lambda: not stage.watch.away)


async def test_a_review_that_changed_elsewhere_is_told_at_once_and_read_by_nobody_else() -> None:
    async with hearing() as stage:
        told: list[str] = []
        stage.watch.reviewed = told.append
        readings = stage.store.readings
        for message in ("reviews:short", f"reviews:{'A' * 26}", f"reviews:{'a' * 26}", "reviews:" + "A" * 27):
            stage.watch.heard(message)
        assert told == ["A" * 26]
        assert stage.store.readings == readings
