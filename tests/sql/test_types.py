"""Types that run a user's code, on a real server: what runs it there is unknown to us too."""

import asyncio

import psycopg
import pytest

from servers.postgres import Postgres
from sql.conftest import access
from sql.picture import Row, analyse
from wicketgate.model.statement import Effect
from wicketgate.protocols.postgres.catalog import read_catalog
from wicketgate.sql.catalog import Catalog, load
from wicketgate.sql.parse import parse
from wicketgate.sql.resolve import Environment, declared, resolve

DATABASE = "types"

WORLD = """
CREATE TABLE customers (id int PRIMARY KEY, email text);
CREATE TABLE ran (what text);
CREATE FUNCTION spy(what text) RETURNS bool LANGUAGE plpgsql IMMUTABLE
  AS $$ BEGIN RAISE EXCEPTION 'ran %', what; END $$;
CREATE DOMAIN evil AS text CHECK (VALUE IS NULL OR spy(VALUE));
CREATE DOMAIN evil_upon AS evil;
CREATE TYPE evil_row AS (a int, b evil);
CREATE DOMAIN evil_number AS int CHECK (VALUE IS NULL OR spy(VALUE::text));
CREATE TYPE evil_range AS RANGE (SUBTYPE = evil_number, SUBTYPE_OPCLASS = int4_ops,
  MULTIRANGE_TYPE_NAME = evil_ranges);
CREATE TYPE raw;
CREATE FUNCTION raw_in(cstring) RETURNS raw LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION raw_out(raw) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE raw (INPUT = raw_in, OUTPUT = raw_out, LIKE = text);
CREATE TYPE crate AS (a int);
CREATE FUNCTION open_crate(crate) RETURNS int LANGUAGE plpgsql IMMUTABLE
  AS $$ BEGIN RAISE EXCEPTION 'ran open_crate'; END $$;
CREATE CAST (crate AS int) WITH FUNCTION open_crate(crate) AS IMPLICIT;
CREATE TYPE mood AS ENUM ('calm');
CREATE DOMAIN short AS text CHECK (length(VALUE) < 9);
CREATE TYPE fine_range AS RANGE (SUBTYPE = date);
CREATE TABLE held (id int, word evil, words evil[], span evil_range);
INSERT INTO held VALUES (1, NULL, '{}', NULL);
"""
RUNS = (
    ("evil", "x"),
    ("evil_upon", "x"),
    ("evil[]", "{x}"),
    ("evil_row", "(1,x)"),
    ("evil_row[]", '{"(1,x)"}'),
    ("evil_range", "[1,2]"),
    ("evil_ranges", "{[1,2]}"),
    ("evil_range[]", '{"[1,2]"}'),
)
"""Type -> a text whose input runs spy."""

INFERRED = (
    ("SELECT array_append(words, $1) FROM held", "x"),
    ("SELECT array_prepend($1, words) FROM held", "x"),
    ("SELECT array_position(words, $1) FROM held", "x"),
    ("SELECT array_remove(array_agg(word), $1) FROM held", "x"),
    ("SELECT lag(word, 1, $1) OVER () FROM held", "x"),
    ("SELECT (jsonb_populate_record(h, $1)).id FROM held h", '{"word": "x"}'),
)


@pytest.fixture(scope="session")
def typed(postgres15: Postgres) -> Postgres:
    postgres15.sql(f"CREATE DATABASE {DATABASE}", database="postgres")
    postgres15.sql(WORLD, database=DATABASE)
    return postgres15


@pytest.fixture(scope="session")
def types(typed: Postgres) -> Catalog:
    raw = asyncio.run(read_catalog(access(typed, DATABASE)))
    return load(raw, {"public.customers.email": "email"}, {})


def oid(server: Postgres, name: str) -> int:
    ((found,),) = server.sql(f"SELECT '{name}'::regtype::oid", database=DATABASE)
    return int(found)


def effects(catalog: Catalog, text: str, types: tuple[int, ...] = ()) -> frozenset[Effect]:
    (member,) = parse(text.encode()).members
    environment = Environment(catalog, ("public",), frozenset(), "app", catalog.database, False)
    return declared(resolve(member, environment), catalog, types).facts.effects


def ran(server: Postgres, text: str, value: str) -> None:
    """The statement runs the user's code there, with its parameter's type left to the server."""
    with server.connect(database=DATABASE) as connection:
        unnamed = psycopg.RawCursor(connection)
        with pytest.raises(psycopg.errors.RaiseException, match="ran "):
            unnamed.execute(text, [value])


@pytest.mark.parametrize(("name", "value"), RUNS, ids=[name for name, _ in RUNS])
def test_a_type_that_runs_code(typed: Postgres, types: Catalog, name: str, value: str) -> None:
    ran(typed, f"SELECT $1::{name}", value)
    assert Effect.UNKNOWN in effects(types, f"SELECT $1::{name}")
    assert Effect.UNKNOWN in effects(types, "SELECT $1", (25, oid(typed, name)))
    assert Effect.UNKNOWN in effects(types, f"PREPARE q ({name}) AS SELECT $1")


@pytest.mark.parametrize(("text", "value"), INFERRED)
def test_a_type_that_the_server_infers(typed: Postgres, types: Catalog, text: str, value: str) -> None:
    ran(typed, text, value)
    assert Effect.UNKNOWN in effects(types, text)


@pytest.mark.parametrize("name", ["raw", "raw[]", "crate", "crate[]"])
def test_a_type_with_an_input_or_a_cast_of_its_own(typed: Postgres, types: Catalog, name: str) -> None:
    assert Effect.UNKNOWN in effects(types, "SELECT $1", (oid(typed, name),))


def test_a_cast_that_runs_code(typed: Postgres, types: Catalog) -> None:
    ran(typed, "SELECT $1::crate + 1", "(1)")
    assert Effect.UNKNOWN in effects(types, "SELECT $1::crate + 1")


@pytest.mark.parametrize("text", ["INSERT INTO held (word) VALUES ($1)", "UPDATE held SET word = $1"])
def test_what_storing_runs_is_softened(typed: Postgres, types: Catalog, text: str) -> None:
    """As with triggers, a table's own code is its owner's; but what it says is not shown."""
    ran(typed, text, "x")
    assert analyse(Row(text, {}), types).sensitive


@pytest.mark.parametrize(
    "name", ["mood", "mood[]", "short", "short[]", "fine_range", "customers", "text", "int4[]"]
)
def test_a_type_that_runs_nothing(typed: Postgres, types: Catalog, name: str) -> None:
    assert effects(types, "SELECT $1", (oid(typed, name), 0)) == {Effect.READ}


def test_a_table_of_such_types_can_be_read(types: Catalog) -> None:
    assert effects(types, "SELECT id, word, words FROM held WHERE id = $1") == {Effect.READ}
