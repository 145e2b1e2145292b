"""What nodes hear over a real PostgreSQL: every change, nothing else, and that they hear no more."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from servers import system
from servers.postgres import Postgres
from wicketgate.identity import tokens
from wicketgate.model.kept import KeptSecret
from wicketgate.model.token import ServiceAccount
from wicketgate.store.address import store_url
from wicketgate.store.bus import Bus
from wicketgate.store.db import Store
from wicketgate.store.nodes import NodeRows
from wicketgate.store.secrets import SecretRows

NOW = 1_800_000_000_000_000_000


class Ear:
    def __init__(self, bus: Bus, log: list[str]) -> None:
        self.bus = bus
        self.log = log
        self.said: list[str] = []
        self.turns: list[bool] = []

    async def until(self, condition: Callable[[], Any], seconds: float = 20) -> None:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 (what is waited for lies in other processes)
                await asyncio.sleep(0.01)


@asynccontextmanager
async def listening(address: str) -> AsyncIterator[Ear]:
    log: list[str] = []
    ear = Ear(Bus(lambda: store_url(address, Path()), log.append), log)
    task = asyncio.create_task(ear.bus.run(ear.said.append, ear.turns.append), name="bus")
    try:
        await ear.until(lambda: ear.bus.hears)
        yield ear
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def shared(database: str, tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(store_url(database, tmp_path))
    yield store
    await store.close()


async def test_every_change_is_told_and_nothing_of_it(shared: Store, database: str) -> None:
    async def opened() -> Store:
        return shared

    nodes = NodeRows(opened, lambda: NOW)
    _, record = tokens.issue("bot", NOW, os.urandom, note="canary-note")
    _, other = tokens.issue("bot", NOW, os.urandom)
    await shared.add_token(other)
    secret = KeptSecret("s", "i", 1, NOW, NOW, "canary-author", b"canary", "canary")
    async with listening(database) as ear:
        for act, told in (
            (shared.put_identity(ServiceAccount("bot", groups=frozenset({"crew"})), NOW), {"identities"}),
            (shared.add_token(record), {f"tokens:{record.id}"}),
            (shared.revoke_token(record.id, NOW), {f"tokens:{record.id}"}),
            (shared.inherit("r", "d", [("c", "email")], NOW), {"inherited"}),
            (SecretRows(shared).add_secret(secret), {"secrets"}),
            (SecretRows(shared).replace_secret(replace(secret, version=2), secret), {"secrets"}),
            (nodes.send([("1" * 32, "ab", "cancel", {"proof": "canary"})]), {"errands:ab"}),
            (nodes.agree("n", "pseudonyms", {1: "f"}), {"keys"}),
        ):
            ear.said.clear()
            await act
            await ear.until(lambda told=told: set(ear.said) >= told, 5)  # type: ignore[misc]
            assert set(ear.said) == told
        ear.said.clear()
        await shared.used_token(other.id, NOW)
        await shared.lease("bot", "r", "rows", 0, 10, 1)
        await nodes.number("n")
        await shared.revoke_token("0" * 16, NOW)
        await shared.put_identity(ServiceAccount("last"), NOW)
        await ear.until(lambda: ear.said)
        assert set(ear.said) == {"identities"}, "what is nobody's concern is not told"
        assert ear.turns == [True]


def backend(server: Postgres) -> int:
    """The process behind the connection that listens."""
    [(pid,)] = server.sql(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'wicketgate'"
        " AND (query LIKE 'LISTEN%%' OR query LIKE '%%pg_notify%%') AND pid <> pg_backend_pid()",
        database="postgres",
    )
    return int(pid)


async def test_a_connection_that_is_cut_is_made_anew(database: str, postgres15: Postgres) -> None:
    async with listening(database) as ear:
        postgres15.sql("SELECT pg_terminate_backend(%s)", backend(postgres15), database="postgres")
        await ear.until(lambda: ear.turns == [True, False, True], 5)
        assert "the connection was closed" in ear.log[0]


async def test_a_connection_that_falls_silent_is_noticed(database: str, postgres15: Postgres) -> None:
    """It stands, and nothing comes: no error ever would tell."""
    async with listening(database) as ear:
        pid = backend(postgres15)
        system.halt(pid)
        try:
            began = time.monotonic()
            await ear.until(lambda: ear.turns[:2] == [True, False], 10)
            assert time.monotonic() - began < 5
            await ear.until(lambda: ear.bus.hears, 10)
        finally:
            os.kill(pid, signal.SIGCONT)


async def test_a_stranger_can_wake_and_nothing_else(
    shared: Store, database: str, postgres15: Postgres
) -> None:
    """A login without any right here sends what it likes, as much as it likes: a change is still heard."""
    _, record = tokens.issue("bot", NOW, os.urandom)
    await shared.add_token(record)
    name = store_url(database, Path()).database or ""
    async with listening(database) as ear:

        def flood() -> None:
            with psycopg.connect(postgres15.dsn("app_ro", name), autocommit=True) as stranger:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    stranger.execute("SELECT * FROM errands")
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    stranger.execute("INSERT INTO errands VALUES ('x', 'x', 'end', '{}', 0)")
                stranger.execute(
                    "SELECT pg_notify('wicketgate', 'tokens:' || n) FROM generate_series(1, 20000) AS n"
                )
                stranger.execute("SELECT pg_notify('wicketgate', repeat('x', 7900))")

        await asyncio.to_thread(flood)
        ear.said.clear()
        await shared.revoke_token(record.id, NOW)
        await ear.until(lambda: f"tokens:{record.id}" in ear.said, 10)
        assert not any(len(message) > 200 for message in ear.said)


async def test_where_nobody_else_can_be_there_is_nothing_to_hear() -> None:
    bus = Bus(lambda: store_url(None, Path()), lambda line: None)
    async with asyncio.timeout(5):
        await bus.run(lambda message: None, lambda hears: None)
