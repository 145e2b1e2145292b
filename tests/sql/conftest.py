"""The catalog of the classify database, read from a real PostgreSQL by the real reader."""

import pytest

from servers.postgres import ADMINISTRATOR, Postgres, password
from sql.picture import CORPUS, DATABASE, OPTIONS, SENSITIVE
from wicketgate.model.resource import Account, CredentialReference, Resource, TlsMode
from wicketgate.model.secret import Secret
from wicketgate.protocols.base import CatalogAccess
from wicketgate.protocols.postgres.catalog import read_catalog
from wicketgate.sql.catalog import Catalog, load


def access(server: Postgres, database: str, user: str = ADMINISTRATOR) -> CatalogAccess:
    account = Account(user, user, CredentialReference("none", ""), "1")
    resource = Resource(
        "classify", "postgres", "127.0.0.1", server.port, (database,), TlsMode.REQUIRE, {user: account}
    )
    return CatalogAccess(resource, account, database, Secret(password(user).encode()))


@pytest.fixture(scope="session")
def classify(postgres15: Postgres) -> Postgres:
    """PostgreSQL 15 with the classify database."""
    postgres15.sql(f"CREATE DATABASE {DATABASE}", database="postgres")
    postgres15.sql((CORPUS / "classify.sql").read_text(), database=DATABASE)
    return postgres15


@pytest.fixture(scope="session")
def raw(classify: Postgres) -> bytes:
    import asyncio

    return asyncio.run(read_catalog(access(classify, DATABASE)))


@pytest.fixture(scope="session")
def catalog(raw: bytes) -> Catalog:
    return load(raw, SENSITIVE, OPTIONS)
