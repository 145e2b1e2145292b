"""What is stored where: which columns take over a class, and what goes where no mask follows."""

import asyncio

import pytest

from servers.postgres import Postgres
from sql.conftest import access
from wicketgate.protocols.postgres.catalog import read_catalog
from wicketgate.sql.analysis import Analysis
from wicketgate.sql.catalog import Catalog, load
from wicketgate.sql.parse import parse
from wicketgate.sql.resolve import Environment, resolve

DATABASE = "storing"
WORLD = """
CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO PUBLIC; CREATE SCHEMA hid;
CREATE TABLE people (id int PRIMARY KEY, name text, ssn text, pay int, short varchar(20));
CREATE TABLE notes (id int, body text UNIQUE, plain text, less varchar(5), same varchar(20), pay int);
CREATE TABLE checked (body text CHECK (body < 'x'));
CREATE TABLE made (body text, n int, first text GENERATED ALWAYS AS (left(body, 1)) STORED);
CREATE TABLE parts (id int, body text) PARTITION BY LIST (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE elder (body text); CREATE TABLE younger () INHERITS (elder);
CREATE TABLE ruled (body text);
CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS 'begin return new; end';
CREATE TRIGGER acts BEFORE INSERT ON ruled FOR EACH ROW EXECUTE FUNCTION act();
CREATE TABLE keyed (body text PRIMARY KEY); CREATE TABLE refers (k text REFERENCES keyed ON UPDATE CASCADE);
CREATE TABLE excluding (body text, EXCLUDE USING btree (body WITH =));
CREATE TABLE copies (body text); CREATE VIEW shown AS SELECT body FROM notes;
"""
SENSITIVE = {"public.people.ssn": "ssn", "public.people.pay": "pay", "public.people.short": "short"}


@pytest.fixture(scope="module")
def raw(postgres15: Postgres) -> bytes:
    postgres15.sql(f"CREATE DATABASE {DATABASE}", database="postgres")
    postgres15.sql(WORLD, database=DATABASE)
    return asyncio.run(read_catalog(access(postgres15, DATABASE)))


@pytest.fixture(scope="module")
def world(raw: bytes) -> Catalog:
    return load(raw, SENSITIVE, {})


def analyse(
    world: Catalog, text: str, path: tuple[str, ...] | None = ("public",), temporary: str = ""
) -> Analysis:
    (member,) = parse(text.encode()).members
    return resolve(member, Environment(world, path, frozenset(temporary.split()), "app", DATABASE, False))


@pytest.mark.parametrize(
    ("text", "inherits"),
    [
        ("INSERT INTO notes (plain) SELECT ssn FROM people", "public.notes.plain=ssn"),
        (
            "INSERT INTO notes (plain) SELECT lower(ssn) || pay FROM people",
            "public.notes.plain=pay public.notes.plain=ssn",
        ),
        ("INSERT INTO notes (id, same) SELECT id, short FROM people", "public.notes.same=short"),
        ("INSERT INTO notes (pay) SELECT pay FROM people", "public.notes.pay=pay"),
        ("UPDATE notes SET plain = p.ssn FROM people p WHERE p.id = notes.id", "public.notes.plain=ssn"),
        ("UPDATE people SET name = ssn", "public.people.name=ssn"),
        ("INSERT INTO notes (plain) VALUES ((SELECT ssn FROM people LIMIT 1))", "public.notes.plain=ssn"),
        ("WITH w AS (INSERT INTO notes (plain) SELECT ssn FROM people) SELECT 1", "public.notes.plain=ssn"),
        (
            "MERGE INTO notes n USING people p ON n.id = p.id WHEN MATCHED THEN UPDATE SET plain = p.ssn"
            " WHEN NOT MATCHED THEN INSERT (plain) VALUES (p.ssn)",
            "public.notes.plain=ssn",
        ),
        ("CREATE TABLE t AS SELECT id, ssn AS s, pay + 0 AS p FROM people", None),
        ("CREATE TABLE t (a, b) AS SELECT id, ssn FROM people", "public.t.b=ssn"),
        ("SELECT id, ssn INTO app.t FROM people", "app.t.ssn=ssn"),
        ("CREATE MATERIALIZED VIEW t AS SELECT upper(ssn) FROM people", "public.t.upper=ssn"),
        ("CREATE VIEW t (x) AS SELECT ssn FROM people", "public.t.x=ssn"),
        ("CREATE TABLE t AS SELECT id, name FROM people", ""),
        ("INSERT INTO made (n) SELECT pay FROM people", "public.made.n=pay"),
        ("INSERT INTO people (id, ssn) SELECT id, ssn FROM people", ""),
    ],
)
def test_what_takes_over_a_class(world: Catalog, text: str, inherits: str | None) -> None:
    analysis = analyse(world, text)
    told = sorted(f"{column}={data_class}" for column, data_class in analysis.facts.inherits)
    if inherits is not None:
        assert told == inherits.split()
        assert not analysis.facts.spilled | analysis.facts.steered
        assert {(f"{gain.schema}.{gain.relation}.{gain.column}") for gain in analysis.inherits} == {
            column for column, _ in analysis.facts.inherits
        }
    else:
        assert analysis.facts.steered


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO notes (less) SELECT ssn FROM people",
        "INSERT INTO checked SELECT ssn FROM people",
        "INSERT INTO made (body) SELECT ssn FROM people",
        "INSERT INTO parts SELECT id, ssn FROM people",
        "INSERT INTO parts_1 SELECT id, ssn FROM people",
        "INSERT INTO elder SELECT ssn FROM people",
        "INSERT INTO ruled SELECT ssn FROM people",
        "UPDATE keyed SET body = p.ssn FROM people p",
        "INSERT INTO shown SELECT ssn FROM people",
        "INSERT INTO nosuch SELECT ssn FROM people",
        "INSERT INTO excluding SELECT ssn FROM people",
        "UPDATE people SET ssn = lower(ssn)",
        "CREATE TEMP TABLE t AS SELECT ssn FROM people",
        "CREATE TABLE pg_temp.t AS SELECT ssn FROM people",
        "SELECT ssn INTO TEMP t FROM people",
        "CREATE TABLE t AS SELECT nosuch, p FROM people p",
        "COPY (SELECT ssn FROM people) TO '/tmp/x'",
    ],
)
def test_what_goes_where_no_mask_follows(world: Catalog, text: str) -> None:
    analysis = analyse(world, text)
    assert "ssn" in analysis.facts.spilled
    assert not analysis.inherits


def test_where_a_table_is_made(world: Catalog) -> None:
    text = "CREATE TABLE t AS SELECT ssn FROM public.people"
    for path, schemas in (
        (("nosuch", "app", "public"), "app"),
        (("hid", "app"), "hid app"),
        (("$user", "public"), "app"),
    ):
        assert [gain.schema for gain in analyse(world, text, path).inherits] == schemas.split()
    for unknown in (None, ("pg_temp", "public"), ("nosuch",)):
        assert analyse(world, text, unknown).facts.spilled == {"ssn"}
    shadowed = "INSERT INTO notes (plain) SELECT ssn FROM people"
    assert analyse(world, shadowed, temporary="notes").facts.spilled == {"ssn"}


def test_keys_compare_what_is_stored(world: Catalog) -> None:
    assert analyse(world, "INSERT INTO notes (body) SELECT ssn FROM people").facts.compared == {"ssn"}
    assert analyse(world, "INSERT INTO notes (plain) SELECT ssn FROM people").facts.compared == frozenset()
    assert analyse(world, "INSERT INTO refers SELECT ssn FROM people").facts.compared == {"ssn"}


def test_a_copy_is_no_base_column(raw: bytes) -> None:
    import orjson

    source = orjson.loads(raw)
    oid = next(row[0] for row in source["relations"] if row[2] == "copies")
    source |= {
        "bound": [["public.copies.body=ssn", oid, 1, "ssn"]],
        "inherited": {"public.copies.body=ssn": "ssn"},
    }
    world = load(orjson.dumps(source), SENSITIVE, {})
    people = next(row[0] for row in source["relations"] if row[2] == "people")
    assert world.bare(people, 3)
    assert not world.bare(oid, 1)
    assert not world.bare(4711, 1)
    (output,) = analyse(world, "SELECT body FROM copies").head
    assert output is not None
    assert (output.classes, output.bare) == ({"ssn"}, False)
    # it may be the first digit alone
    assert analyse(world, "SELECT 1 FROM copies WHERE body = '5'").facts.steered == {"ssn"}
    assert not analyse(world, "UPDATE copies SET body = body || 'x'").facts.spilled


def test_what_somebody_writes_may_be_stored_again(world: Catalog) -> None:
    text = "INSERT INTO people (id, ssn) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET {} = excluded.ssn"
    assert not analyse(world, text.format("ssn")).facts.spilled
    assert [gain.column for gain in analyse(world, text.format("name")).inherits] == ["name"]


NEW = "new shifted shifted?"
"""What this session has made (`new`), and made of sensitive columns or renamed (`shifted`)."""


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("INSERT INTO copies SELECT body FROM nobody", True),
        ("INSERT INTO copies TABLE nobody", True),
        ("INSERT INTO copies VALUES ((SELECT body FROM app.nobody))", True),
        ("INSERT INTO copies SELECT x FROM (SELECT body AS x FROM nobody) q", True),
        ("WITH q AS (SELECT body FROM nobody) INSERT INTO copies SELECT body FROM q", True),
        ("INSERT INTO copies SELECT n::text FROM nobody n", True),
        ("INSERT INTO copies SELECT CASE WHEN true THEN body END FROM nobody", True),
        ("UPDATE copies SET body = n.body FROM nobody n", True),
        ("UPDATE copies SET (body) = (SELECT body FROM nobody)", True),
        ("UPDATE copies SET body = nocolumn", True),
        ("MERGE INTO copies USING nobody n ON true WHEN MATCHED THEN UPDATE SET body = n.body", True),
        (
            "INSERT INTO keyed VALUES ('a') ON CONFLICT (body) DO UPDATE SET body = (SELECT b FROM nobody)",
            True,
        ),
        ("CREATE TABLE x AS SELECT * FROM nobody", True),
        ("CREATE VIEW x AS SELECT * FROM nobody", True),
        ("CREATE MATERIALIZED VIEW x AS TABLE nobody", True),
        ("SELECT body INTO x FROM nobody", True),
        ("INSERT INTO copies SELECT body FROM shifted", True),
        ("INSERT INTO copies SELECT body FROM app.shifted", True),
        ("CREATE VIEW x AS SELECT * FROM shifted", True),
        ("SELECT 1 FROM shifted WHERE body < 'a'", True),
        ("SELECT 1 FROM shifted ORDER BY body", True),
        ("SELECT * FROM shifted", False),
        ("SELECT count(*) FROM shifted", False),
        ("SELECT 1 FROM nobody WHERE body < 'a'", False),
        ("INSERT INTO nobody VALUES (1)", False),
        ("INSERT INTO copies SELECT 'a' FROM nobody", False),
        ("DELETE FROM nobody", False),
        ("INSERT INTO copies SELECT body FROM new", False),
        ("CREATE VIEW x AS SELECT * FROM new", False),
        ("UPDATE new SET a = b", False),
        ("INSERT INTO copies SELECT name FROM people", False),
    ],
)
def test_what_is_not_known_is_stored_nowhere(world: Catalog, text: str, refused: bool) -> None:
    assert (analyse(world, text, temporary=NEW).facts.refusal is not None) == refused
