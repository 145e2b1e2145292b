"""Stores with empty tables, made once for a process: the migrations are tests/store/test_migrate.py's to try.
A test must never be given one that another test still uses."""

import asyncio
import functools
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from servers.postgres import ADMINISTRATOR, Postgres
from wicketgate.store.address import store_url
from wicketgate.store.db import Store

FILE = "wicketgate.sqlite"
DATABASE = "store"
_TABLES = (
    "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables "
    "WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
)


def lay(state: Path) -> None:
    """Put a file with empty tables into a state folder, where there is none yet."""
    place = state / FILE
    if not place.exists():
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.touch(0o600)
        place.write_bytes(_template())


def emptied(server: Postgres) -> str:
    """The address of that server's one database for stores, with empty tables."""
    if not server.sql("SELECT 1 FROM pg_database WHERE datname = %s", DATABASE, database="postgres"):
        server.sql(f'CREATE DATABASE "{DATABASE}"', database="postgres")
    address = server.dsn(ADMINISTRATOR, DATABASE)
    [(tables,)] = server.sql(_TABLES, database=DATABASE)
    if tables is None:
        _made(address, Path())
    else:
        server.sql(f"SET lock_timeout = 10000; TRUNCATE {tables} RESTART IDENTITY", database=DATABASE)
    return address


@functools.cache
def _template() -> bytes:
    with tempfile.TemporaryDirectory(prefix="wicketgate-store-") as folder:
        _made(None, Path(folder))
        return (Path(folder) / FILE).read_bytes()


def _made(address: str | None, folder: Path) -> None:
    """On a thread of its own: whoever asks may be on a loop."""

    async def opened() -> None:
        await (await Store.open(store_url(address, folder))).close()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, opened()).result()
