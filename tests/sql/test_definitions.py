"""Definitions on a database with sensitive columns: what could plant code or lose a class is not followed,
and ordinary migrations are."""

import pytest

from sql.picture import DATABASE
from wicketgate.model.statement import Effect
from wicketgate.sql.catalog import Catalog, load
from wicketgate.sql.parse import parse
from wicketgate.sql.resolve import Analysis, Environment, resolve


def analyse(catalog: Catalog, text: str) -> Analysis:
    environment = Environment(catalog, ("public",), frozenset(), "app", DATABASE, False)
    return resolve(parse(text.encode()).members[0], environment)


def denied(catalog: Catalog, text: str) -> bool:
    facts = analyse(catalog, text).facts
    return facts.opaque or bool(facts.steered) or Effect.UNKNOWN in facts.effects


CLASSES_LOST = """
ALTER TABLE customers DROP COLUMN ssn
ALTER TABLE ONLY people DROP COLUMN phone
ALTER TABLE people DROP COLUMN phone CASCADE
ALTER TABLE staff DROP COLUMN phone
ALTER TABLE ONLY events DROP COLUMN payload
ALTER TABLE customers DROP COLUMN age, DROP COLUMN ssn
ALTER TABLE customers ALTER COLUMN ssn TYPE varchar
ALTER TABLE customers ALTER COLUMN email_norm DROP EXPRESSION
ALTER TABLE events DETACH PARTITION events_2024
ALTER TABLE staff NO INHERIT people
ALTER TABLE customers ALTER COLUMN age TYPE text USING ssn
ALTER TABLE customers RENAME COLUMN ssn TO note
ALTER TABLE customers CLUSTER ON customers_pkey
CLUSTER customers USING customers_pkey
CLUSTER VERBOSE customers
CLUSTER
ALTER TABLE customers ADD EXCLUDE USING gist (ssn WITH &&)
ALTER TABLE customers ADD CHECK (ssn LIKE '5%')
ALTER TABLE customers ADD COLUMN x text GENERATED ALWAYS AS (ssn || '') STORED
CREATE INDEX ON customers (id) WHERE ssn > '5'
CREATE INDEX ON customers ((ssn || ''))
CREATE STATISTICS st ON (lower(ssn)), id FROM customers
CREATE POLICY p ON orders USING (EXISTS (SELECT FROM customers WHERE ssn LIKE '5%'))
ALTER POLICY p ON orders USING (EXISTS (SELECT FROM customers WHERE ssn LIKE '5%'))
""".strip().splitlines()

PLANTED = r"""
CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT ssn FROM customers'
CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT 1; SELECT ssn FROM public.customers'
CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM customers'
CREATE FUNCTION f() RETURNS text LANGUAGE sql RETURN (SELECT ssn FROM customers)
CREATE FUNCTION f() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT ssn FROM customers; END
CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT set_config(''search_path'', ''x'', false)'
CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT nosuch(1)'
CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT * FROM nosuch'
CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT query_to_xml(''x'', true, true, '''')'
CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'ALTER TABLE orders ADD x int'
CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT c FROM contacts c'
CREATE FUNCTION f() RETURNS text LANGUAGE sql SET search_path = other AS 'SELECT ssn FROM public.customers'
CREATE OR REPLACE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; RETURN new; END $$
CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.a := (SELECT ssn FROM customers); RETURN new; END $$
CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.a := new.ssn; RETURN new; END $$
CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.a := wipe(); RETURN new; END $$
CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.a := 1 FROM customers; RETURN new; END $$
CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.a := 1 INTO x; RETURN new; END $$
CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.a := set_config('jit', 'off', false); RETURN new; END $$
CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE x text := ssn FROM customers; BEGIN RETURN new; END $$
CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; EXCEPTION WHEN others THEN RETURN old; END $$
CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT x FROM customers x); END $$
CREATE FUNCTION f() RETURNS text LANGUAGE c AS 'x'
CREATE FUNCTION f() RETURNS text LANGUAGE internal AS 'lower'
CREATE FUNCTION f() RETURNS text LANGUAGE plpython3u AS 'return 1'
CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'a', 'b'
CREATE FUNCTION f(a int DEFAULT wipe()) RETURNS int LANGUAGE sql AS 'SELECT a'
CREATE PROCEDURE p() LANGUAGE sql AS 'INSERT INTO notes (body) SELECT ssn FROM customers'
ALTER FUNCTION wipe() SET search_path = evil
ALTER FUNCTION wipe() SECURITY DEFINER
ALTER FUNCTION wipe() RENAME TO listed
ALTER FUNCTION wipe() SET SCHEMA other
ALTER SCHEMA other RENAME TO trusted
CREATE AGGREGATE g (int) (SFUNC = wipe, STYPE = int)
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = wipe)
CREATE TYPE rr AS RANGE (subtype = float8, subtype_diff = public.wipe)
CREATE TYPE rr AS RANGE (subtype = float8, canonical = wipe)
CREATE OPERATOR CLASS o FOR TYPE int USING btree AS FUNCTION 1 wipe(int, int)
CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION wipe()
CREATE RULE r AS ON INSERT TO orders DO ALSO SELECT 1
CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION wipe()
CREATE POLICY p ON orders USING (wipe() > 0)
CREATE CAST (int AS text) WITH FUNCTION wipe(int)
ALTER TABLE orders ADD COLUMN z text DEFAULT set_config('standard_conforming_strings', 'off', false)
ALTER TABLE orders ADD COLUMN z text DEFAULT pg_catalog.set_config('jit', 'off', false)
ALTER TABLE orders ALTER COLUMN id SET DEFAULT wipe()
ALTER TABLE orders ADD CHECK (set_config('jit', 'off', false) IS NOT NULL)
ALTER TABLE orders ADD COLUMN z text DEFAULT query_to_xml('select ssn from customers', true, true, '')
CREATE TABLE z (a text DEFAULT set_config('jit', 'off', false))
CREATE TABLE z (a text CHECK (wipe() > 0))
CREATE TABLE z (a int) PARTITION BY RANGE ((wipe()))
CREATE DOMAIN z AS text CHECK (wipe() > 0)
ALTER DOMAIN z ADD CHECK (wipe() > 0)
CREATE INDEX ON orders (wipe())
CREATE STATISTICS st ON (wipe()), id FROM orders
CREATE VIEW z AS SELECT set_config('jit', 'off', false) AS a
CREATE VIEW z AS SELECT wipe() AS a
CREATE MATERIALIZED VIEW z AS SELECT set_config('search_path', 'x', false) AS a
""".strip().splitlines()  # noqa: E501

ORDINARY = r"""
CREATE TABLE z (id bigserial PRIMARY KEY, a text NOT NULL DEFAULT 'x' CHECK (a <> ''), b timestamptz DEFAULT now(), c int GENERATED ALWAYS AS (length(a)) STORED)
CREATE TABLE z (id int REFERENCES customers (id) ON DELETE CASCADE, UNIQUE (id))
CREATE TABLE z (at date) PARTITION BY RANGE (date_trunc('month', at))
CREATE TABLE events_2030 PARTITION OF events FOR VALUES FROM ('2030-01-01') TO (MAXVALUE)
CREATE INDEX CONCURRENTLY ON orders (lower(state)) WHERE state <> 'gone'
CREATE INDEX ON customers (age) WHERE age > 18
CREATE UNIQUE INDEX ON customers (ssn)
CREATE VIEW z AS SELECT id, state FROM orders WHERE state <> 'gone'
ALTER TABLE orders ADD COLUMN z text DEFAULT 'x' NOT NULL, ADD CHECK (z <> ''), ALTER COLUMN z SET STATISTICS 10
ALTER TABLE orders ADD COLUMN z serial
ALTER TABLE orders ALTER COLUMN state TYPE varchar(10) USING left(state, 10)
ALTER TABLE orders DROP COLUMN state
ALTER TABLE customers ADD COLUMN z int DEFAULT 1
ALTER TABLE customers DROP COLUMN age
ALTER TABLE customers ALTER COLUMN age TYPE bigint
ALTER TABLE customers ADD CHECK (age > 0) NOT VALID
ALTER TABLE orders ATTACH PARTITION notes FOR VALUES FROM (MINVALUE) TO (10)
ALTER TABLE orders ENABLE ROW LEVEL SECURITY
CREATE POLICY p ON orders USING (state = current_setting('app.state', true))
CREATE POLICY p ON customers USING (age > 18)
CLUSTER orders USING orders_pkey
CREATE STATISTICS st ON id, state FROM orders
CREATE DOMAIN z AS text DEFAULT 'x' CHECK (length(value) > 2)
CREATE TYPE z AS ENUM ('a')
CREATE TYPE z AS RANGE (subtype = float8, subtype_diff = float8mi)
CREATE AGGREGATE g (text) (SFUNC = textcat, STYPE = text, INITCOND = '')
CREATE COLLATION z (provider = icu, locale = 'und', deterministic = false)
CREATE FUNCTION f(a int, b text DEFAULT 'x') RETURNS text LANGUAGE sql AS 'SELECT b || a || $1'
CREATE FUNCTION f(a int) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM orders o WHERE o.id = a'
CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql RETURN a + 1
CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC UPDATE orders SET state = 'x' WHERE id = a; SELECT a; END
CREATE OR REPLACE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at = now(); RETURN NEW; END; $$
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$ begin new.a := 'it''s'; new.b := gen_random_uuid(); return null; end $$
ALTER FUNCTION wipe() STABLE PARALLEL SAFE
CREATE PROCEDURE p(a int) LANGUAGE sql AS 'DELETE FROM orders WHERE id = a'
ALTER TYPE mood ADD VALUE 'x'
COMMENT ON COLUMN customers.ssn IS 'x'
VACUUM customers
""".strip().splitlines()  # noqa: E501


@pytest.mark.parametrize("text", CLASSES_LOST + PLANTED)
def test_it_does_not_pass(catalog: Catalog, text: str) -> None:
    assert denied(catalog, text)


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_migration_passes(catalog: Catalog, text: str) -> None:
    facts = analyse(catalog, text).facts
    assert not denied(catalog, text), facts
    assert facts.effects <= {Effect.DEFINE, Effect.READ, Effect.WRITE}


@pytest.mark.parametrize(
    "text", [line for line in PLANTED if line.startswith(("CREATE FUNCTION", "ALTER FUNCTION"))]
)
def test_without_sensitive_columns_a_definition_only_defines(raw: bytes, text: str) -> None:
    facts = analyse(load(raw, {}, {}), text).facts
    assert "code in a definition" not in facts.functions


PATTERNS = [
    "SELECT id FROM customers WHERE ssn = '5' COLLATE any9",
    "SELECT id FROM customers WHERE '5' COLLATE public.any9 = ssn",
    "SELECT id FROM customers WHERE ssn = ('5' COLLATE any9) || '0'",
    "SELECT id FROM customers WHERE ssn IN ('5' COLLATE any9)",
    "SELECT id FROM customers WHERE ssn = (SELECT x FROM (SELECT '5' COLLATE any9 AS x) y)",
    "SELECT c.id FROM customers c JOIN (SELECT '5' COLLATE any9 AS x) y ON y.x = c.ssn",
    "UPDATE customers SET age = 1 WHERE ssn = '5' COLLATE any9",
    "SELECT id FROM customers WHERE email = '5' COLLATE \"new-one\"",
]


@pytest.mark.parametrize("text", PATTERNS)
def test_a_collation_may_make_equality_a_pattern(catalog: Catalog, text: str) -> None:
    assert analyse(catalog, text).facts.steered


@pytest.mark.parametrize(
    "text",
    [
        "SELECT id FROM customers WHERE ssn = '5' COLLATE \"C\"",
        "SELECT id FROM customers WHERE ssn = '5' ORDER BY name COLLATE \"C\"",
        "SELECT id FROM orders WHERE state = 'x' COLLATE any9",
    ],
)
def test_a_collation_that_tells_texts_apart_changes_nothing(catalog: Catalog, text: str) -> None:
    assert not analyse(catalog, text).facts.steered
