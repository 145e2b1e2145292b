"""Limits over several nodes on one store: whatever happens, together they never get more than there is."""

import asyncio
import random
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import URL

from servers.postgres import ADMINISTRATOR, Postgres
from wicketgate.control.leases import Leases
from wicketgate.model.errors import GatewayError, StoreFailed
from wicketgate.store.address import store_url
from wicketgate.store.control import ControlStore
from wicketgate.store.db import Store
from wicketgate.store.tables import LIMITS

NOW = 1_800_000_000_000_000_000
STEP = st.tuples(st.integers(0, 2), st.sampled_from(["lease", "spend", "die", "stop"]), st.integers(1, 40))


async def play(url: URL, amount: int, steps: list[list[tuple[int, str, int]]]) -> None:
    """Several nodes; each list of steps happens at once. Counted is what workers may have used."""
    stores = [await Store.open(url) for _ in range(3)]
    try:
        async with stores[0].transaction() as connection:
            await connection.execute(sa.delete(LIMITS))
        nodes = [Leases(ControlStore(store, lambda _: {}, lambda: NOW), lambda: NOW) for store in stores]
        held: list[tuple[int, int, int]] = []
        used = 0

        async def step(node: int, what: str, count: int) -> None:
            nonlocal used
            if what == "lease":
                got = await nodes[node].lease(0, "bot", "r", "rows", "hour", amount, count)
                if got.granted:
                    held.append((node, got.number, got.granted))
            elif what == "spend" and held:
                owner, number, granted = held.pop(count % len(held))
                spent = min(count, granted)
                used += spent
                nodes[owner].spent(0, number, spent)
            elif what == "die":
                for each in [each for each in held if each[0] == node]:
                    held.remove(each)
                    used += each[2]
                nodes[node].worker_gone(0)
            elif what == "stop":
                await nodes[node].stop()
            assert used + sum(granted for _, _, granted in held) <= amount

        for together in steps:
            await asyncio.gather(*(step(*each) for each in together))
    finally:
        for store in stores:
            await store.close()


@settings(max_examples=12)
@given(st.integers(0, 120), st.lists(st.lists(STEP, min_size=1, max_size=6), max_size=8))
def test_never_above_the_limit(limits_url: URL, amount: int, steps: list[list[tuple[int, str, int]]]) -> None:
    asyncio.run(play(limits_url, amount, steps))


@pytest.fixture(scope="module")
def limits_url(postgres15: Postgres, tmp_path_factory: pytest.TempPathFactory) -> URL:
    name = postgres15.database()
    return store_url(postgres15.dsn(ADMINISTRATOR, name), tmp_path_factory.mktemp("limits"))


async def test_a_server_that_dies_while_it_is_asked_gives_nothing_twice(
    database: str, postgres15: Postgres, tmp_path: Path
) -> None:
    """Connections are cut again and again: what was granted is never more, and no refusal follows after."""
    url = store_url(database, tmp_path)
    stores = [await Store.open(url) for _ in range(2)]
    granted: list[int] = []
    failed = 0

    async def ask(store: Store) -> None:
        nonlocal failed
        for _ in range(25):
            try:
                granted.append(await store.lease("bot", "r", "rows", 0, 100, random.randint(1, 3)))
            except StoreFailed:
                failed += 1

    async def cut() -> None:
        kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'wicketgate'"
        for _ in range(6):
            await asyncio.sleep(0.02)
            await asyncio.to_thread(postgres15.sql, kill, database="postgres")

    try:
        await asyncio.gather(cut(), *(ask(store) for store in stores for _ in range(2)))
        assert sum(granted) <= 100
        [(spent,)] = await _spent(stores[0])
        assert sum(granted) <= spent <= 100
        for store in stores:
            for _ in range(10):
                await store.ready()
    finally:
        for store in stores:
            await store.close()


async def _spent(store: Store) -> list[tuple[int]]:
    async with store.transaction() as connection:
        return [(int(row.spent),) for row in await connection.execute(sa.select(LIMITS.c.spent))]


async def test_a_file_that_another_locks_is_away_and_comes_back(tmp_path: Path) -> None:
    """SQLite: somebody holds the write lock; nothing hangs for long, and nothing has to be started anew."""
    import sqlite3

    from wicketgate.store import control

    store = await Store.open(store_url(None, tmp_path))
    port = ControlStore(store, lambda _: {}, lambda: NOW)
    await port.node_number("n")
    locking = sqlite3.connect(tmp_path / "wicketgate.sqlite", isolation_level=None, check_same_thread=False)
    try:
        locking.execute("BEGIN IMMEDIATE")
        patience, control.SILENT = control.SILENT, 0.5
        try:
            for _ in range(2):
                async with asyncio.timeout(5):
                    with pytest.raises(GatewayError):
                        await port.ping()
        finally:
            control.SILENT = patience
            locking.execute("COMMIT")
        assert await port.ping() <= 0
        assert await store.lease("bot", "r", "rows", 0, 10, 3) == 3
    finally:
        locking.close()
        await store.close()
