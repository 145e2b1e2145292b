"""Which columns a token may be stored in as its value: where nothing but a key asks what it is."""

import asyncio
from collections.abc import Iterable

import pytest

from servers.postgres import Postgres
from sql.conftest import access
from wicketgate.protocols.postgres.catalog import read_catalog
from wicketgate.sql.catalog import Catalog, load
from wicketgate.sql.changes import UNSETTLED
from wicketgate.sql.operands import Use, operands
from wicketgate.sql.parse import parse
from wicketgate.sql.resolve import Environment, resolve

DATABASE = "kept"
WORLD = """
CREATE TABLE people (id int PRIMARY KEY, e text UNIQUE, note text, n int CHECK (n > 0));
CREATE TABLE checked (e text CHECK (e < 'm'), n int);
CREATE TABLE whole (e text, n int, CHECK (whole.* IS NOT NULL));
CREATE TABLE indexed (e text); CREATE INDEX ON indexed ((1 / (length(e) - 20)));
CREATE TABLE partial (e text); CREATE UNIQUE INDEX ON partial ((1)) WHERE e LIKE 'a%';
CREATE TABLE screened (e text); ALTER TABLE screened ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON screened USING (e LIKE 'a%');
CREATE TABLE ranged (n int, e text) PARTITION BY RANGE (e);
CREATE TABLE ranged_low PARTITION OF ranged FOR VALUES FROM (MINVALUE) TO ('m');
CREATE TABLE ranged_high (e text, n int);
ALTER TABLE ranged ATTACH PARTITION ranged_high FOR VALUES FROM ('m') TO (MAXVALUE);
CREATE TABLE deep (n int, e text) PARTITION BY LIST (n);
CREATE TABLE deep_1 PARTITION OF deep FOR VALUES IN (1) PARTITION BY RANGE (e);
CREATE TABLE deep_1_low PARTITION OF deep_1 FOR VALUES FROM (MINVALUE) TO ('m');
CREATE TABLE dated (n int, e text) PARTITION BY RANGE (n);
CREATE TABLE dated_1 PARTITION OF dated FOR VALUES FROM (1) TO (2);
CREATE TABLE elder (e text); CREATE TABLE younger (CHECK (e < 'm')) INHERITS (elder);
CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS 'begin return new; end';
CREATE TABLE acting (e text);
CREATE TRIGGER acts BEFORE INSERT OR UPDATE ON acting FOR EACH ROW EXECUTE FUNCTION act();
CREATE TABLE above (n int, e text) PARTITION BY LIST (n);
CREATE TABLE acting_1 PARTITION OF above FOR VALUES IN (1);
CREATE TRIGGER acts BEFORE INSERT OR UPDATE ON acting_1 FOR EACH ROW EXECUTE FUNCTION act();
CREATE TABLE spread (n int, e text) PARTITION BY LIST (n);
CREATE TABLE spread_1 PARTITION OF spread FOR VALUES IN (1);
ALTER TABLE spread_1 ADD EXCLUDE USING btree (left(e, 1) WITH =);
CREATE TABLE afar (n int, e text) PARTITION BY LIST (n);
CREATE FOREIGN DATA WRAPPER far; CREATE SERVER far FOREIGN DATA WRAPPER far;
CREATE FOREIGN TABLE afar_1 PARTITION OF afar FOR VALUES IN (1) SERVER far;
CREATE TABLE carrying (e text PRIMARY KEY);
CREATE TABLE carried (k text REFERENCES carrying ON UPDATE CASCADE);
"""
TABLES = """people checked whole indexed partial screened ranged ranged_low ranged_high deep deep_1 deep_1_low
    dated dated_1 elder younger acting above acting_1 carrying spread spread_1 afar afar_1""".split()


@pytest.fixture(scope="module")
def world(postgres15: Postgres) -> Catalog:
    postgres15.sql(f"CREATE DATABASE {DATABASE}", database="postgres")
    postgres15.sql(WORLD, database=DATABASE)
    raw = asyncio.run(read_catalog(access(postgres15, DATABASE)))
    return load(raw, {f"public.{table}.e": "email" for table in TABLES}, {})


def environment(world: Catalog, temporary: Iterable[str] = ()) -> Environment:
    return Environment(world, ("public",), frozenset(temporary), "app", DATABASE, False)


def use(world: Catalog, text: str, temporary: Iterable[str] = ()) -> Use:
    (member,) = parse(text.encode()).members
    *_, literal = operands(member, text.encode(), environment(world, temporary)).literals
    return literal.operand.use


@pytest.mark.parametrize("table", ["people", "dated", "dated_1"])
@pytest.mark.parametrize("text", ["INSERT INTO {} (e) VALUES ('tok')", "UPDATE {} SET e = 'tok'"])
def test_a_token_is_stored_where_keys_alone_ask(world: Catalog, table: str, text: str) -> None:
    assert use(world, text.format(table)) is Use.STORED


@pytest.mark.parametrize(
    "table",
    "checked whole indexed partial screened ranged ranged_low ranged_high deep deep_1 deep_1_low younger"
    " acting acting_1 above spread spread_1 afar afar_1".split(),
)
@pytest.mark.parametrize("text", ["INSERT INTO {} (e) VALUES ('tok')", "UPDATE {} SET e = 'tok'"])
def test_no_value_is_put_to_the_question_by_a_token(world: Catalog, table: str, text: str) -> None:
    assert use(world, text.format(table)) is Use.OTHER


def test_an_update_reaches_children(world: Catalog) -> None:
    assert use(world, "UPDATE elder SET e = 'tok'") is Use.OTHER


@pytest.mark.parametrize(
    "temporary",
    [("people",), ("people", "people?"), (UNSETTLED,), ("people", f"people{UNSETTLED}")],
    ids=repr,
)
def test_no_token_is_stored_in_what_a_transaction_has_changed(
    world: Catalog, temporary: tuple[str, ...]
) -> None:
    assert use(world, "INSERT INTO people (e) VALUES ('tok')", temporary) is Use.OTHER


@pytest.mark.parametrize("table", ["checked", "ranged", "ranged_high", "screened", "younger", "indexed"])
def test_a_copy_asks_as_a_check_does(world: Catalog, table: str) -> None:
    (member,) = parse(f"INSERT INTO {table} (e) SELECT e FROM people WHERE id = 1".encode()).members
    facts = resolve(member, environment(world)).facts
    assert "email" in facts.steered | facts.spilled
    (member,) = parse(b"INSERT INTO dated (n, e) SELECT 1, e FROM people").members
    facts = resolve(member, environment(world)).facts
    assert not facts.steered | facts.spilled


def test_a_foreign_key_carries_no_value_on(world: Catalog) -> None:
    assert use(world, "UPDATE carrying SET e = 'tok'") is Use.OTHER
    assert use(world, "INSERT INTO carrying VALUES ('x') ON CONFLICT (e) DO UPDATE SET e = 'x'") is Use.OTHER
    assert use(world, "INSERT INTO carrying VALUES ('tok')") is Use.STORED
