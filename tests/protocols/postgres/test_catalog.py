"""The catalog's reader on real servers: what it brings, when something changed, what probe warns of."""

import ssl
from collections.abc import Iterator
from dataclasses import replace

import orjson
import pytest

from servers.pgbouncer import Pgbouncer
from servers.postgres import ADMINISTRATOR, Postgres, password
from wicketgate.model.errors import UpstreamFailed
from wicketgate.model.resource import Account, CredentialReference, Resource, TlsMode
from wicketgate.model.secret import Secret
from wicketgate.protocols.base import CatalogAccess
from wicketgate.protocols.postgres.catalog import catalog_changed, probe, read_catalog, tls_context
from wicketgate.sql.catalog import load


def access(server: Postgres, user: str = "app_ro", database: str = "sales", **more: object) -> CatalogAccess:
    account = Account(user, user, CredentialReference("none", ""), "1")
    resource = Resource(
        "sales", "postgres", "127.0.0.1", server.port, (database,), TlsMode.REQUIRE, {user: account}
    )
    return CatalogAccess(replace(resource, **more), account, database, Secret(password(user).encode()))


async def test_it_reads_what_the_account_may_see(postgres: Postgres) -> None:
    raw = await read_catalog(access(postgres))
    catalog = load(raw, {"public.customers.ssn": "national-id"}, {})
    assert catalog.database == "sales"
    assert catalog.server // 10000 == postgres.version
    assert catalog.at("public", "customers") is not None
    assert not catalog.unbound
    assert raw == await read_catalog(access(postgres)), "the same catalog gives the same bytes"


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE fresh (id int)",
        "ALTER TABLE customers RENAME COLUMN age TO years",
        "ALTER TABLE customers ADD COLUMN more int",
        "CREATE OR REPLACE VIEW v AS SELECT id, ssn AS contact FROM customers",
        "CREATE FUNCTION fresh() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TYPE fresh AS ENUM ('a')",
        "CREATE SCHEMA fresh",
        "CREATE UNIQUE INDEX fresh ON orders (total)",
        "CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq)",
        "CREATE TRIGGER fresh BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION"
        " suppress_redundant_updates_trigger()",
        "DROP VIEW v CASCADE",
    ],
)
async def test_a_change_is_noticed(postgres15: Postgres, scratch: str, change: str) -> None:
    before = await read_catalog(access(postgres15, database=scratch))
    assert not await catalog_changed(access(postgres15, database=scratch), before)
    postgres15.sql(change, database=scratch)
    assert await catalog_changed(access(postgres15, database=scratch), before)
    assert await read_catalog(access(postgres15, database=scratch)) != before


@pytest.fixture
def scratch(postgres15: Postgres) -> Iterator[str]:
    name = postgres15.database()
    yield name
    postgres15.drop(name)


async def test_temporary_tables_of_others_change_nothing(postgres15: Postgres, scratch: str) -> None:
    before = await read_catalog(access(postgres15, database=scratch))
    with postgres15.connect(database=scratch) as connection:
        connection.execute("CREATE TEMP TABLE passing (id serial PRIMARY KEY, body text UNIQUE)")
        assert not await catalog_changed(access(postgres15, database=scratch), before)
        assert await read_catalog(access(postgres15, database=scratch)) == before


@pytest.mark.parametrize(
    ("lock", "named"),
    [
        ("ALTER TABLE customers ADD COLUMN more int", "customers"),
        ("LOCK TABLE v IN ACCESS EXCLUSIVE MODE", "v"),
        ("DROP TABLE orders CASCADE", "orders"),
        ("CREATE OR REPLACE VIEW v AS SELECT id, ssn AS contact FROM customers", "v"),
    ],
)
async def test_a_lock_hides_only_what_it_locks(postgres: Postgres, lock: str, named: str) -> None:
    scratch = postgres.database()
    asked = access(postgres, database=scratch)
    whole = load(await read_catalog(asked), {"public.customers.ssn": "national-id"}, {})
    with postgres.connect(database=scratch) as holding, holding.transaction(force_rollback=True):
        holding.execute(lock.encode())
        raw = await read_catalog(asked)
        assert await catalog_changed(asked, raw), "it is read again until it is whole"
        catalog = load(raw, {"public.customers.ssn": "national-id"}, {})
    assert catalog.relations.keys() == whole.relations.keys()
    hidden = {
        each.qualified for each in catalog.relations.values() if each.code != whole.relations[each.oid].code
    }
    assert f"public.{named}" in hidden
    for each in catalog.relations.values():
        if each.qualified in hidden:
            assert each.kind not in "vm" or each.view == ""
        else:
            other = whole.relations[each.oid]
            assert (each.view, each.expressions, each.code) == (other.view, other.expressions, other.code)
        for number, _, _ in each.columns:
            told = whole.classes(each.oid, number)
            assert told is not None
            assert (catalog.classes(each.oid, number) or frozenset()) >= told, (each.qualified, number)
    assert not await catalog_changed(asked, await read_catalog(asked))
    postgres.drop(scratch)


async def test_names_are_qualified_whatever_the_path(postgres15: Postgres, scratch: str) -> None:
    postgres15.sql(f'ALTER DATABASE "{scratch}" SET search_path = public, s1', database=scratch)
    raw = await read_catalog(access(postgres15, database=scratch))
    views = dict(orjson.loads(raw)["views"])
    assert views
    assert any("FROM public.customers" in text for text in views.values())


async def test_it_may_not_be_let_in(postgres15: Postgres) -> None:
    wrong = replace(access(postgres15), secret=Secret(b"wrong"))
    for call in (read_catalog(wrong), probe(wrong), catalog_changed(wrong, b"")):
        with pytest.raises(UpstreamFailed) as failed:
            await call
        assert "wrong" not in failed.value.public + failed.value.detail


async def test_probe_has_nothing_to_say_of_a_plain_reader(postgres: Postgres) -> None:
    assert await probe(access(postgres)) == []


async def test_probe_warns(postgres15: Postgres) -> None:
    warnings = await probe(access(postgres15, ADMINISTRATOR))
    assert any("superuser" in warning for warning in warnings)
    owner = await probe(access(postgres15, "app_owner"))
    assert any("owns" in warning for warning in owner)
    postgres15.sql(
        "CREATE ROLE probed LOGIN CREATEROLE BYPASSRLS REPLICATION IN ROLE pg_read_server_files, readers"
    )
    postgres15.sql(f"ALTER ROLE probed PASSWORD '{password('probed')}'")
    told = " ".join(await probe(access(postgres15, "probed")))
    for word in ("bypasses row security", "create and change roles", "replication", "pg_read_server_files"):
        assert word in told
    postgres15.sql("DROP ROLE probed")


async def test_probe_sees_a_pooler(postgres15: Postgres) -> None:
    bouncer = Pgbouncer(postgres15, "app_ro", "sales", 2)
    try:
        pooled = replace(access(postgres15).resource, port=bouncer.port, tls=TlsMode.DISABLE)
        warnings = await probe(replace(access(postgres15), resource=pooled))
        assert any("pooler" in warning for warning in warnings)
    finally:
        bouncer.destroy()


async def test_tls_is_what_the_resource_asks_for(postgres15: Postgres) -> None:
    base = access(postgres15).resource
    assert tls_context(replace(base, tls=TlsMode.DISABLE)) is False
    context = tls_context(replace(base, tls=TlsMode.REQUIRE))
    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_NONE
    for mode, named in ((TlsMode.VERIFY_CA, False), (TlsMode.VERIFY_FULL, True)):
        context = tls_context(replace(base, tls=mode, ca_file=str(postgres15.authority.root)))
        assert isinstance(context, ssl.SSLContext)
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, named)
    verified = access(
        postgres15, host="localhost", tls=TlsMode.VERIFY_FULL, ca_file=str(postgres15.authority.root)
    )
    assert await read_catalog(verified)
    with pytest.raises(UpstreamFailed):
        await read_catalog(access(postgres15, tls=TlsMode.VERIFY_FULL))
