"""A path passes over schemas that the account may not use: what stands there hides nothing after it."""

import asyncio

import pytest

from servers.postgres import Postgres
from sql.conftest import access
from wicketgate.protocols.postgres.catalog import catalog_changed, read_catalog
from wicketgate.sql.catalog import Catalog, load
from wicketgate.sql.parse import parse
from wicketgate.sql.resolve import Analysis, Environment, resolve

DATABASE = "usages"
WORLD = """
CREATE SCHEMA hid; CREATE SCHEMA opened; CREATE SCHEMA kept;
GRANT USAGE ON SCHEMA opened TO PUBLIC;
CREATE TABLE hid.t (id int, value text, extra int);
CREATE TABLE opened.t (id int, value text);
CREATE TABLE kept.t (id int, value text);
CREATE TABLE hid.alone (id int, value text);
"""


@pytest.fixture(scope="module")
def raw(postgres15: Postgres) -> bytes:
    postgres15.sql(f"CREATE DATABASE {DATABASE}", database="postgres")
    postgres15.sql(WORLD, database=DATABASE)
    return asyncio.run(read_catalog(access(postgres15, DATABASE)))


@pytest.fixture(scope="module")
def world(raw: bytes) -> Catalog:
    return load(raw, {"kept.t.value": "secret", "opened.t.value": "secret"}, {})


def analyse(world: Catalog, path: str, text: str) -> Analysis:
    (member,) = parse(text.encode()).members
    return resolve(member, Environment(world, tuple(path.split()), frozenset(), "app", DATABASE, False))


@pytest.mark.parametrize(
    ("path", "reads"),
    [
        ("hid kept", "hid.t kept.t"),
        ("hid opened kept", "hid.t opened.t"),
        ("opened hid kept", "opened.t"),
        ("kept", "kept.t"),
        ("hid", "hid.t"),
        ("kept hid", "hid.t kept.t"),
    ],
)
def test_a_name_means_all_that_it_may_mean(world: Catalog, path: str, reads: str) -> None:
    found = analyse(world, path, "SELECT value || '' FROM t")
    assert found.facts.reads == set(reads.split())
    (output,) = found.head
    assert output is not None
    assert ("secret" in output.classes) is (reads != "hid.t")
    assert not found.ambiguous
    assert analyse(world, path, "DELETE FROM t").facts.writes == set(reads.split())


def test_positions_are_not_told_of_several(world: Catalog) -> None:
    assert analyse(world, "hid kept", "SELECT lower(a) FROM t AS x(b, c, a)").head == (None,)


def test_what_stands_alone_is_told(world: Catalog) -> None:
    found = analyse(world, "hid kept opened", "SELECT value FROM alone")
    assert found.facts.reads == {"hid.alone"}
    assert not found.facts.classes


@pytest.mark.parametrize(
    "text", ["GRANT USAGE ON SCHEMA hid TO x", "REVOKE ALL ON SCHEMA hid, kept FROM PUBLIC"]
)
def test_rights_on_schemas_change_what_names_mean(text: str) -> None:
    (member,) = parse(text.encode()).members
    assert member.changes.defines


def test_a_right_given_beside_us_is_noticed(postgres15: Postgres, raw: bytes) -> None:
    reader = access(postgres15, DATABASE)
    assert not asyncio.run(catalog_changed(reader, raw))
    postgres15.sql("REVOKE USAGE ON SCHEMA opened FROM PUBLIC", database=DATABASE)
    try:
        assert asyncio.run(catalog_changed(reader, raw))
        assert load(asyncio.run(read_catalog(reader)), {}, {}).open_schemas.isdisjoint({"opened", "hid"})
    finally:
        postgres15.sql("GRANT USAGE ON SCHEMA opened TO PUBLIC", database=DATABASE)
