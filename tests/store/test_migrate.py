"""Migrations: they make what tables.py says, once, under a lock, from every version; never a newer store."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine

from servers.postgres import ADMINISTRATOR
from wicketgate.identity import tokens
from wicketgate.model.errors import GatewayError
from wicketgate.store import migrate
from wicketgate.store.address import connecting, store_url
from wicketgate.store.db import Store
from wicketgate.store.review_tables import METADATA

NOW = 1_800_000_000_000_000_000
SCRIPT = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
VERSIONS = [each.revision for each in SCRIPT.walk_revisions()][::-1]
_, RECORD = tokens.issue("bot", NOW, os.urandom, note="kept")
_TOKEN = {"id": RECORD.id, "hash": RECORD.hash, "identity": "bot", "created": NOW, "resources": '["sales"]'}
ROWS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "0001": [
        ("identities", {"name": "bot", "kind": "agent", "created": NOW}),
        ("memberships", {"identity": "bot", "group_name": "crew"}),
        ("tokens", _TOKEN | {"note": "kept", "revoked": NOW}),
        ("limits", {"identity": "bot", "rule": "r", "what": "rows", "window": 0, "spent": 7}),
        ("checkpoints", {"node": "n", "number": 1, "created": NOW, "line": "{}"}),
        ("nodes", {"number": 5, "node": "n", "created": NOW, "seen": NOW}),
    ],
    "0002": [
        (
            "inherited",
            {"resource": "r", "database": "d", "column_name": "c", "data_class": "email", "created": NOW},
        )
    ],
    "0003": [
        (
            "secrets",
            {"name": "s", "id": "i", "version": 1, "created": NOW, "changed": NOW, "author": "a"}
            | {"sealed": b"\0\xff", "wrapped": "w"},
        )
    ],
    "0006": [
        (
            "saml_logins",
            {"ticket": "t", "issuer": "i", "source": "s", "challenge": "c", "port": 1, "state": "s"}
            | {"created": NOW, "expires": NOW, "relay": "r"},
        ),
        ("saml_seen", {"issuer": "i", "assertion": "a", "expires": NOW}),
    ],
    "0010": [
        ("shapes", {"id": "s", "identity": "bot", "resource": "r", "told": "{}"}),
        ("uses", {"day": 1, "shape": "s", "count": 2, "first": NOW, "last": NOW}),
        ("group_history", {"identity": "bot", "at": NOW, "told": "{}"}),
        ("access_reports", {"at": NOW, "author": "ana", "policy": "p", "granted": "[]"}),
    ],
    "0011": [
        (
            "reviews",
            {"id": "r", "kind": "statement", "status": "pending", "identity": "bot", "asker": "{}"}
            | {"resource": "r", "database": "d", "account": "a", "panels": "[]", "exact": "e", "shape": "s"}
            | {"mode": "wait", "node": "n", "created": NOW, "expires": NOW, "ended_by": "", "message": ""}
            | {"conditions": "{}", "sealed": b"\0", "changes": 0},
        ),
        (
            "review_votes",
            {"review": "r", "voter": "ana", "person": "Ana", "approves": 1, "at": NOW}
            | {"person_groups": "[]", "conditions": "{}", "comment": b"\0"},
        ),
        ("review_chairs", {"review": "r", "chair": "person:ana"}),
        ("review_events", {"seq": 1, "review": "r", "what": "asked", "at": NOW, "by": "bot"}),
    ],
    "0012": [
        (
            "access_requests",
            {"id": "r", "identity": "bot", "issuer": "local", "rule": "x", "resource": "r", "account": "a"}
            | {"terms": "t", "lasts": 1, "most_extended": 0, "created": NOW},
        ),
        (
            "grants",
            {"id": "r", "identity": "bot", "issuer": "local", "rule": "x", "resource": "r", "account": "a"}
            | {"terms": "t", "starts": NOW, "ends": NOW, "break_glass": 0, "created": NOW, "extended": 0}
            | {"approved_by": "[]"},
        ),
    ],
    "0013": [
        ("channels", {"channel": "ops", "seq": 7, "holder": "", "until": 0, "error": ""}),
        (
            "channel_deliveries",
            {"channel": "ops", "seq": 7, "review": "r", "what": "asked", "at": NOW, "by": "bot"}
            | {"state": "dead", "attempts": 3, "began": NOW, "next_at": NOW, "error": "e"},
        ),
        ("channel_messages", {"channel": "ops", "review": "r", "place": "C1 1.2", "at": NOW}),
        ("channel_seen", {"digest": "d", "expires": NOW}),
    ],
}
"""What a store of that version held, beside what the ones before did."""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """Where a store is that nobody opened yet."""
    if request.param == "sqlite":
        yield store_url(None, tmp_path)
        return
    server = request.getfixturevalue("postgres15")
    server.sql('CREATE DATABASE "migrated"', database="postgres")
    yield store_url(server.dsn(ADMINISTRATOR, "migrated"), tmp_path)
    server.drop("migrated")


async def on(url: URL, work: Any) -> Any:
    given: dict[str, Any] = {}
    if url.get_backend_name() != "sqlite":
        url, given = connecting(url)
    engine = create_async_engine(url, connect_args=given)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


def differences(connection: sa.Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), METADATA))


async def test_they_make_exactly_what_the_tables_say(url: URL) -> None:
    await (await Store.open(url)).close()
    assert await on(url, differences) == []


def as_of(version: str) -> Any:
    """Makes a store as that version left it, with rows in it."""

    def make(connection: sa.Connection) -> None:
        command.upgrade(migrate._config(connection), version)
        for each in VERSIONS[: VERSIONS.index(version) + 1]:
            for table, row in ROWS.get(each, []):
                names = ", ".join(f'"{name}"' for name in row)
                values = ", ".join(f":{name}" for name in row)
                connection.execute(sa.text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)

    return make


@pytest.mark.parametrize("version", VERSIONS)
async def test_from_every_version_with_rows(url: URL, version: str) -> None:
    await on(url, as_of(version))
    store = await Store.open(url)
    try:
        [account] = await store.identities()
        assert (account.name, account.groups) == ("bot", {"crew"})
        [token] = await store.tokens()
        assert (token.hash, token.note, token.revoked, token.resources) == (
            RECORD.hash,
            "kept",
            NOW,
            {"sales"},
        )
        assert (token.rules, token.networks, token.task) == (frozenset(), frozenset(), None)
        assert await store.lease("bot", "r", "rows", 0, 10, 9) == 3
        assert [each.line for each in await store.checkpoints()] == ["{}"]
        if version >= "0002":
            assert list(await store.inherited()) == [("r", "d", "c", "email")]
    finally:
        await store.close()
    assert await on(url, differences) == []


async def test_many_that_start_at_once_migrate_once(url: URL) -> None:
    stores = await asyncio.gather(*(Store.open(url) for _ in range(5)))
    for store in stores:
        await store.ready()
        await store.close()
    [(head,)] = await on(
        url, lambda connection: connection.execute(sa.text("SELECT * FROM alembic_version")).all()
    )
    assert [head] == SCRIPT.get_heads()


async def test_a_newer_store_is_left_alone(url: URL) -> None:
    await (await Store.open(url)).close()
    await on(
        url,
        lambda connection: connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'")),
    )
    with pytest.raises(GatewayError, match="newer version"):
        await Store.open(url)


def test_the_newest_is_known_without_alembic() -> None:
    assert [migrate.newest()] == SCRIPT.get_heads()
