"""A user's cast is seen coming, however its source is reached: each of these runs it on a real server."""

import asyncio

import psycopg
import pytest

from servers.postgres import Postgres
from sql.conftest import access
from wicketgate.model.statement import Effect
from wicketgate.protocols.postgres.catalog import read_catalog
from wicketgate.sql.catalog import Catalog, load
from wicketgate.sql.parse import parse
from wicketgate.sql.resolve import Environment, resolve

DATABASE = "casts"
WORLD = """
CREATE TABLE customers (id int PRIMARY KEY, email text);
CREATE TYPE mood AS ENUM ('calm');
CREATE FUNCTION spy(mood) RETURNS int LANGUAGE plpgsql IMMUTABLE
  AS $$ BEGIN RAISE EXCEPTION 'ran spy'; END $$;
CREATE CAST (mood AS int) WITH FUNCTION spy(mood);
CREATE TYPE crate AS ENUM ('a');
CREATE FUNCTION packed(int) RETURNS crate LANGUAGE plpgsql IMMUTABLE
  AS $$ BEGIN RAISE EXCEPTION 'ran spy'; END $$;
CREATE CAST (int AS crate) WITH FUNCTION packed(int);
CREATE TYPE crated AS (c crate);
CREATE TYPE other AS ENUM ('calm', 'x');
CREATE DOMAIN tempered AS mood;
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TYPE counted AS (n int);
CREATE TYPE inner_moods AS (id int, feels mood);
CREATE TABLE moods (id int, feels mood);
CREATE TABLE deep (id int, held inner_moods, many mood[]);
CREATE TABLE numbers (n int, ns int[]);
INSERT INTO moods VALUES (1, 'calm');
INSERT INTO numbers VALUES (1);
INSERT INTO deep VALUES (1, (1, 'calm'), '{calm}');
CREATE FUNCTION told() RETURNS mood LANGUAGE sql IMMUTABLE AS $$ SELECT 'calm'::mood $$;
"""

RUNS = (
    "SELECT 'calm'::mood::int",
    "SELECT feels::int FROM moods",
    "SELECT CAST(feels AS integer) FROM moods",
    "SELECT ('{calm}'::_mood)[1]::int",
    "SELECT ('{calm}'::mood[])[1]::int",
    "SELECT '{calm}'::mood[]::int[]",
    "SELECT '{calm}'::_mood::_int4",
    "SELECT many::int[] FROM deep",
    "SELECT (held).feels::int FROM deep",
    'SELECT (jsonb_populate_record(null::moods, \'{"feels":"calm"}\')).feels::int',
    'SELECT (jsonb_populate_record(null::deep, \'{"held":{"feels":"calm"}}\')).held.feels::int',
    "SELECT (ROW(1, 'calm')::moods).feels::int",
    "SELECT (ROW(1, 'calm')::inner_moods).feels::int",
    'SELECT x.feels::int FROM jsonb_to_record(\'{"feels":"calm"}\') AS x(feels mood)',
    'SELECT x.feels::int FROM json_populate_recordset(null::moods, \'[{"feels":"calm"}]\') x',
    "SELECT 'calm'::tempered::int",
    "SELECT 'calm'::mood::positive",
    "SELECT ROW('calm'::mood)::counted",
    "SELECT (SELECT f FROM (SELECT feels AS f FROM moods) q)::int",
    "SELECT (enum_first(null::mood))::int",
    "SELECT unnest(enum_range(null::mood))::int",
    "SELECT max(feels)::int FROM moods",
    "SELECT told()::int",
    "WITH w AS (SELECT feels FROM moods) SELECT f.feels::int FROM w f",
    "SELECT 1 FROM moods WHERE feels::int = 1",
    "SELECT 1::crate",
    "SELECT ROW(1)::crated",
    "SELECT ARRAY[1]::crate[]",
    "SELECT (1 + 1)::crate",
    "SELECT n::crate FROM numbers",
    "SELECT i.feels::int FROM (VALUES ('calm'::mood)) i(feels)",
)

HARMLESS = (
    "SELECT '1'::int, id::int, id::text FROM customers",
    "SELECT 'x'::other::text",
    "SELECT '{1,2}'::text[]::int[]",
    "SELECT feels, id FROM moods",
    "SELECT feels::text FROM moods",
    "SELECT feels FROM moods WHERE feels = 'calm'",
    "SELECT id, many FROM deep",
    "SELECT 'calm'::mood",
    "SELECT n::int8, ns::text[] FROM numbers",
    "SELECT ROW(1)::counted",
    "SELECT n::positive FROM numbers",
    "SELECT 'calm'::mood, 3::positive, ROW(1)::counted, (ROW(1)::counted).n, ARRAY[1, 2]::text[]",
    "SELECT 'a'::crate, '{a}'::crate[], '(a)'::crated, 1::int8",
)


@pytest.fixture(scope="module")
def server(postgres15: Postgres) -> Postgres:
    postgres15.sql(f"CREATE DATABASE {DATABASE}", database="postgres")
    postgres15.sql(WORLD, database=DATABASE)
    return postgres15


@pytest.fixture(scope="module")
def world(server: Postgres) -> Catalog:
    raw = asyncio.run(read_catalog(access(server, DATABASE)))
    return load(raw, {"public.customers.email": "email"}, {"functions": ("public.told",)})


def effects(world: Catalog, text: str, temporary: frozenset[str] = frozenset()) -> frozenset[Effect]:
    (member,) = parse(text.encode()).members
    return resolve(member, Environment(world, ("public",), temporary, "app", DATABASE, False)).facts.effects


@pytest.mark.parametrize("text", RUNS)
def test_a_cast_that_runs(server: Postgres, world: Catalog, text: str) -> None:
    with server.connect(database=DATABASE) as connection, pytest.raises(psycopg.Error, match="ran spy"):
        connection.execute(text.encode())
    assert Effect.UNKNOWN in effects(world, text)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_runs_none(server: Postgres, world: Catalog, text: str) -> None:
    with server.connect(database=DATABASE) as connection:
        connection.execute(text.encode())
    assert Effect.UNKNOWN not in effects(world, text)


def test_a_type_made_in_the_session_may_hold_any(world: Catalog) -> None:
    text = "SELECT ('(calm)'::fresh).feels::int"
    assert Effect.UNKNOWN in effects(world, text, frozenset({"fresh"}))
