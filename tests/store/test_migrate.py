"""Migrations: they make what tables.py says, once, under a lock, and never touch a newer store."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.ext.asyncio import create_async_engine

from wicketgate.model.errors import GatewayError
from wicketgate.store.db import Store, store_url
from wicketgate.store.tables import METADATA


async def test_they_make_exactly_what_the_tables_say(tmp_path: Path) -> None:
    await (await Store.open(store_url(None, tmp_path))).close()
    engine = create_async_engine(store_url(None, tmp_path))

    def differences(connection: sa.Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), METADATA))

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_many_that_start_at_once_migrate_once(tmp_path: Path) -> None:
    stores = await asyncio.gather(*(Store.open(store_url(None, tmp_path)) for _ in range(5)))
    for store in stores:
        await store.ready()
        await store.close()
    with sqlite3.connect(tmp_path / "wicketgate.sqlite") as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0010",)]


async def test_a_newer_store_is_left_alone(tmp_path: Path) -> None:
    await (await Store.open(store_url(None, tmp_path))).close()
    with sqlite3.connect(tmp_path / "wicketgate.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(GatewayError, match="newer version"):
        await Store.open(store_url(None, tmp_path))
