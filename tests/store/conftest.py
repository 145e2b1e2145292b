"""The same store twice: a file of SQLite, and an empty database of a real PostgreSQL."""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from servers.postgres import ADMINISTRATOR, Postgres
from wicketgate.store.address import store_url
from wicketgate.store.db import Store

_COUNT = itertools.count(1)


@pytest.fixture
def database(postgres15: Postgres) -> Iterator[str]:
    """The address of an empty database."""
    name = f"store{next(_COUNT)}"
    postgres15.sql(f'CREATE DATABASE "{name}"', database="postgres")
    yield postgres15.dsn(ADMINISTRATOR, name)
    postgres15.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """Where a store is that nobody opened yet."""
    shared = request.param == "postgresql"
    return store_url(request.getfixturevalue("database") if shared else None, tmp_path)


@pytest.fixture
async def store(url: URL) -> AsyncIterator[Store]:
    opened = await Store.open(url)
    yield opened
    await opened.close()
