"""Functions in SQL: their bodies are read at the call, or the call is unknown."""

import asyncio

import pytest

from servers.postgres import Postgres
from sql.conftest import access
from wicketgate.protocols.postgres.catalog import read_catalog
from wicketgate.sql.analysis import Analysis
from wicketgate.sql.catalog import Catalog, load
from wicketgate.sql.parse import parse
from wicketgate.sql.resolve import Environment, resolve

DATABASE = "routines"
WORLD = """
CREATE TABLE people (id int, name text, ssn text, pay int);
CREATE TABLE notes (body text);
CREATE SCHEMA f;
CREATE FUNCTION f.low(x text) RETURNS text LANGUAGE sql AS 'select lower(x)';
CREATE FUNCTION f.ssn() RETURNS text LANGUAGE sql AS 'select ssn from public.people limit 1';
CREATE FUNCTION f.rows(i int) RETURNS TABLE (n text, s text) LANGUAGE sql
  AS 'select name, ssn from public.people where id = $1';
CREATE FUNCTION f.number(x text) RETURNS int LANGUAGE sql AS 'select x::int';
CREATE FUNCTION f.small() RETURNS int2 LANGUAGE sql AS 'select pay from public.people limit 1';
CREATE FUNCTION f.atomic(x text) RETURNS text BEGIN ATOMIC SELECT lower(ssn) FROM people WHERE name = x; END;
CREATE FUNCTION f.returned(x text) RETURNS text RETURN upper(x) || 'a';
CREATE FUNCTION f.itself(x text) RETURNS text LANGUAGE sql AS 'select f.itself(x)';
CREATE FUNCTION f.above(x text) RETURNS bool LANGUAGE sql
  AS 'select exists (select 1 from public.people where ssn > x)';
CREATE FUNCTION f.whole() RETURNS SETOF people LANGUAGE sql AS 'select * from public.people';
CREATE FUNCTION f.definer(x text) RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
  AS 'select ssn from people where name = x';
CREATE FUNCTION f.opaque(x text) RETURNS text LANGUAGE plpgsql AS 'begin return x; end';
CREATE FUNCTION f.two() RETURNS int LANGUAGE sql AS 'delete from public.notes; select 1';
CREATE FUNCTION f.gone() RETURNS bigint LANGUAGE sql
  AS 'with g as (delete from public.notes returning 1) select count(*) from g';
CREATE FUNCTION f.sets() RETURNS text LANGUAGE sql AS 'select set_config(''search_path'', ''x'', false)';
CREATE FUNCTION f.setting() RETURNS text LANGUAGE sql SET work_mem = '1MB' AS 'select ''x''';
CREATE FUNCTION f.pay(x people) RETURNS text LANGUAGE sql AS 'select ''x''';
CREATE FUNCTION f.found(x text) RETURNS text LANGUAGE sql AS 'select ssn from people';
CREATE FUNCTION f.over(x text) RETURNS text LANGUAGE sql AS 'select x';
CREATE FUNCTION f.over(x int) RETURNS text LANGUAGE plpgsql AS 'begin return x; end';
CREATE VIEW f.seen AS SELECT f.atomic(name) AS a, f.ssn() AS s, id FROM people;
"""


@pytest.fixture(scope="module")
def world(postgres15: Postgres) -> Catalog:
    postgres15.sql(f"CREATE DATABASE {DATABASE}", database="postgres")
    postgres15.sql(WORLD, database=DATABASE)
    raw = asyncio.run(read_catalog(access(postgres15, DATABASE)))
    return load(raw, {"public.people.ssn": "ssn", "public.people.pay": "pay"}, {})


def analyse(
    world: Catalog, text: str, path: tuple[str, ...] | None = ("public",), temporary: str = ""
) -> Analysis:
    (member,) = parse(text.encode()).members
    return resolve(member, Environment(world, path, frozenset(temporary.split()), "app", DATABASE, False))


@pytest.mark.parametrize(
    ("text", "outputs", "steered"),
    [
        ("SELECT f.low('x'), f.low(name), f.low(ssn) FROM people", "- - ssn", ""),
        ("SELECT f.ssn()", "ssn", ""),
        ("SELECT * FROM f.rows(1)", "- ssn", ""),
        ("SELECT n, q.s FROM f.rows(1) q", "- ssn", ""),
        ("SELECT q.b || '', a FROM f.rows(1) q(a, b)", "ssn -", ""),
        ("SELECT x.n FROM people p, LATERAL f.rows(p.pay) x", "-", ""),
        ("SELECT f.number(ssn) FROM people", "ssn", "ssn"),
        ("SELECT f.small()", "pay", "pay"),
        ("SELECT f.atomic('x'), f.returned('y')", "ssn -", ""),
        ("SELECT f.above('5')", "-", "ssn"),
        ("SELECT id, ssn, upper(name), pay FROM f.whole()", "- ssn - pay", ""),
        ("SELECT f.definer('x')", "ssn", ""),
        ("SELECT f.pay(p) FROM people p", "pay+ssn", ""),
        ("SELECT f.found('x')", "ssn", ""),
        ("SELECT a, s, id FROM f.seen", "ssn ssn -", ""),
        ("SELECT g || '' FROM f.ssn() g", "ssn", ""),
    ],
)
def test_what_a_body_gives(world: Catalog, text: str, outputs: str, steered: str) -> None:
    analysis = analyse(world, text)
    told = ["+".join(sorted(output.classes)) or "-" if output else "?" for output in analysis.head]
    assert " ".join(told) == outputs
    assert analysis.facts.steered == frozenset(steered.split())
    assert not analysis.facts.opaque
    assert not any(output and output.bare and output.classes for output in analysis.head if "f.rows" in text)


@pytest.mark.parametrize(
    "call",
    [
        "itself('x')",
        "opaque('x')",
        "two()",
        "gone()",
        "sets()",
        "setting()",
        "over('x')",
        "low(VARIADIC ARRAY['x'])",
        "low(x => 'y')",
        "nosuch()",
        "low('x', 'y')",
    ],
)
def test_what_cannot_be_read_is_unknown(world: Catalog, call: str) -> None:
    analysis = analyse(world, f"SELECT f.{call}")
    assert analysis.facts.opaque
    assert analysis.head in ((None,), ())


def test_what_goes_into_the_unknown_is_spilled(world: Catalog) -> None:
    assert analyse(world, "SELECT f.opaque(ssn) FROM people").facts.spilled == {"ssn"}
    assert analyse(world, "SELECT f.itself(ssn) FROM people").facts.spilled == {"ssn"}


def test_names_in_a_body_are_the_callers(world: Catalog) -> None:
    found = analyse(world, "SELECT f.found('x')", ("f",))
    assert found.facts.opaque or found.head == (None,)
    unknown = analyse(world, "SELECT f.found('x')", None)
    assert unknown.head[0] is not None
    assert unknown.head[0].classes == {"ssn"}
    shadowed = analyse(world, "SELECT f.found('x'), f.atomic('x')", temporary="people")
    assert shadowed.head[0] is None
    assert shadowed.head[1] is not None


def test_a_function_made_in_this_session_is_unknown(world: Catalog) -> None:
    assert analyse(world, "SELECT f.low('x')", temporary="low()").facts.opaque
