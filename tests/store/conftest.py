"""The same store twice: a file of SQLite, and a database of a real PostgreSQL."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from servers import stores
from servers.postgres import Postgres
from wicketgate.store.address import store_url
from wicketgate.store.db import Store


@pytest.fixture
def database(postgres15: Postgres) -> str:
    """The address of a database with empty tables."""
    return stores.emptied(postgres15)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """Where a store with empty tables is."""
    shared = request.param == "postgresql"
    if not shared:
        stores.lay(tmp_path)
    return store_url(request.getfixturevalue("database") if shared else None, tmp_path)


@pytest.fixture
async def store(url: URL) -> AsyncIterator[Store]:
    opened = await Store.open(url)
    yield opened
    await opened.close()
