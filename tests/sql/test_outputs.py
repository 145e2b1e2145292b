"""Of each output: which classes it is computed from, and whether it is one base column itself."""

import asyncio

import pytest

from servers.postgres import Postgres
from sql.conftest import access
from sql.picture import Row, analyse
from wicketgate.protocols.postgres.catalog import read_catalog
from wicketgate.sql.analysis import Analysis, Output
from wicketgate.sql.catalog import Catalog, load
from wicketgate.sql.parse import parse
from wicketgate.sql.resolve import Environment, resolve


def words(outputs: tuple[Output | None, ...]) -> str:
    """`-` clean, `?` not told, else the classes; with `!` where it is the column itself."""

    def word(output: Output | None) -> str:
        if output is None:
            return "?"
        return "+".join(sorted(output.classes)) + "!" * output.bare if output.classes else "-"

    return " ".join(map(word, outputs))


ID, MAIL = "national-id", "email"
SHAPES = (
    ("SELECT id, upper(name), age + 1, ssn FROM customers", f"- - - {ID}!"),
    (
        "SELECT lower(email), email || 'x', email::text, ssn::varchar(3) FROM customers",
        "email email email! " + ID,
    ),
    ("SELECT ssn = 'x', ssn IN ('a'), NOT (ssn = 'x') FROM customers", " ".join([ID] * 3)),
    # of a column as it stands, whether it is NULL is told as its count is; of what is computed it is not
    ("SELECT ssn IS NULL, c.email IS NOT NULL, NOT (ssn IS NULL OR id = 1) FROM customers c", "- - -"),
    (
        "SELECT CASE WHEN ssn IS NULL THEN 0 ELSE 1 END, bool_and(email IS NULL) FROM customers GROUP BY 1",
        "- -",
    ),
    ("SELECT count(*) FILTER (WHERE ssn IS NULL), sum((ssn IS NULL)::int) FROM customers", "- -"),
    (
        "SELECT lower(ssn) IS NULL, nullif(ssn, 'x') IS NULL, (ssn = 'x') IS NULL FROM customers",
        " ".join([ID] * 3),
    ),
    (
        "SELECT email_norm IS NULL, x.l IS NULL FROM (SELECT *, lower(ssn) AS l FROM customers) x",
        f"email {ID}",
    ),
    ("SELECT CASE WHEN ssn IS NULL THEN email END FROM customers", "email"),
    # what a value's type tells of it stands in the statement
    ("SELECT pg_typeof(ssn), pg_typeof(lower(ssn)), pg_column_size(ssn) FROM customers", f"- - {ID}"),
    # a field of a FROM item's row is its column
    (
        "SELECT (c).ssn, (c).name, (c).id + 1, ((c).ssn), upper((c).ssn) FROM customers c",
        f"{ID}! - - {ID}! {ID}",
    ),
    ("SELECT (x).b, (x).a FROM (SELECT ssn AS a, id AS b FROM customers) x", f"- {ID}!"),
    ("SELECT (ssn).ssn FROM customers, (SELECT id AS ssn FROM notes) ssn", ID),
    ("SELECT (SELECT (c).name), (SELECT (c).ssn FROM notes LIMIT 1) FROM customers c", f"- {ID}!"),
    ("SELECT (c).id FROM notes c, (SELECT ssn AS c FROM customers) x", ID),
    ("SELECT to_jsonb(c) FROM customers c", "email+national-id+payment-card"),
    ("SELECT (c).ssn, (c).name, c.*::text FROM customers c", None),
    (
        "SELECT coalesce(ssn, email), CASE WHEN id = 1 THEN ssn ELSE 'x' END FROM customers",
        f"email+{ID} {ID}",
    ),
    ("SELECT count(ssn), count(DISTINCT ssn), count(*), count(lower(ssn)) FROM customers", "- - - -"),
    ("SELECT string_agg(ssn, ','), array_agg(ssn), json_agg(ssn), min(ssn), max(ssn) FROM customers", None),
    ("SELECT lag(ssn) OVER (ORDER BY id), row_number() OVER (ORDER BY id) FROM customers", f"{ID} -"),
    (
        "SELECT ARRAY[ssn, name], ROW(id, ssn), ARRAY(SELECT ssn FROM customers) FROM customers",
        " ".join([ID] * 3),
    ),
    ("SELECT contact, id FROM contacts", "email! -"),
    ("SELECT c2, big FROM contacts2", "email! -"),
    ("SELECT le, n FROM emailed", "email -"),
    ("SELECT number FROM stored", f"{ID}!"),
    ("SELECT x.a, x.b FROM (SELECT ssn AS a, id AS b FROM customers) x", f"{ID}! -"),
    ("WITH w(a, b) AS (SELECT ssn, lower(ssn) FROM customers) SELECT a, b, a FROM w", f"{ID}! {ID} {ID}!"),
    ("SELECT ssn FROM customers UNION ALL SELECT ssn FROM other.customers", None),
    ("SELECT ssn FROM customers UNION ALL SELECT 'guess'", ID),
    ("SELECT ssn FROM customers UNION SELECT ssn FROM customers", f"{ID}!"),
    ("SELECT ssn FROM customers UNION ALL SELECT email FROM customers", f"email+{ID}"),
    ("SELECT coalesce(NULL, 'guess')", "-"),
    ("VALUES (1, 'a')", "- -"),
    ("SELECT ssn, id FROM customers c JOIN (VALUES ('g')) v(ssn) USING (ssn)", f"{ID} -"),
    ("SELECT q.* FROM (SELECT id, lower(ssn) AS l FROM customers) q", f"- {ID}"),
    (
        "SELECT (SELECT ssn FROM customers LIMIT 1), EXISTS (SELECT 1 FROM customers WHERE ssn = 'x')",
        f"{ID}! -",
    ),
    ("SELECT 'x' IN (SELECT ssn FROM customers)", ID),
    ("SELECT nullif(ssn, 'x'), greatest(ssn, 'x') FROM customers", f"{ID} {ID}"),
    ("SELECT email_norm FROM customers", "email"),
    ("SELECT payload FROM events_2024 UNION ALL SELECT payload FROM events", "payload!"),
    ("SELECT phone FROM staff", "phone!"),
    ("SELECT q.x FROM customers c, LATERAL (SELECT c.ssn || c.name AS x) q", ID),
    ("SELECT name, sum(age), grouping(name) FROM customers GROUP BY GROUPING SETS ((name), ())", "- - -"),
    ("SELECT count(*) FILTER (WHERE age > 3), max(name) FILTER (WHERE age > 3) FROM customers", "- -"),
    ("SELECT max(name) FILTER (WHERE ssn = 'x') FROM customers", ID),
    (
        "WITH RECURSIVE t(n, s) AS (SELECT 1, ssn FROM customers UNION ALL SELECT n + 1, s FROM t WHERE n < 3"
        ") SELECT n, s FROM t",
        f"- {ID}!",
    ),
    (
        "WITH RECURSIVE t(n, s) AS (SELECT 1, 'a' UNION ALL SELECT n + 1, ssn FROM t, customers WHERE n < 3)"
        " SELECT n, s FROM t",
        f"- {ID}",
    ),
    (
        "WITH d AS (DELETE FROM customers WHERE id = 1 RETURNING id, ssn, upper(ssn)) SELECT * FROM d",
        f"- {ID}! {ID}",
    ),
    ("UPDATE customers SET age = 1 RETURNING id, ssn, age", f"- {ID}! -"),
    ("UPDATE customers SET ssn = 'guess' RETURNING ssn, email", f"{ID} email!"),
    ("UPDATE customers SET age = 1 RETURNING old.ssn, new.ssn, new.age", f"{ID}! {ID}! -"),
    ("UPDATE customers SET ssn = 'g' RETURNING old.ssn, new.ssn", f"{ID}! {ID}"),
    ("INSERT INTO notes (body) SELECT ssn FROM customers RETURNING id, body", f"- {ID}"),
    ("INSERT INTO notes (body) SELECT name FROM customers RETURNING *, lower(body)", "- - -"),
    ("INSERT INTO notes (body) SELECT ssn FROM customers RETURNING *, lower(body)", f"- {ID} {ID}"),
    (
        "UPDATE notes SET body = c.ssn FROM customers c WHERE c.id = notes.id RETURNING body, c.name",
        f"{ID} -",
    ),
    (
        "MERGE INTO notes n USING customers c ON n.id = c.id WHEN MATCHED THEN UPDATE SET body = c.ssn"
        " RETURNING merge_action(), n.id, n.body, c.name",
        f"- - {ID} -",
    ),
    ("INSERT INTO customers (id, email, ssn) SELECT 1, ssn, NULL FROM customers RETURNING email_norm", None),
)


@pytest.mark.parametrize(("text", "expected"), SHAPES, ids=[text[:60] for text, _ in SHAPES])
def test_what_outputs_are_computed_from(catalog: Catalog, text: str, expected: str | None) -> None:
    analysis = analyse(Row(text, {}), catalog)
    assert not analysis.starred
    assert analysis.facts.steered == frozenset()
    assert not analysis.facts.opaque
    if expected is not None:
        assert words(analysis.head) == expected
    else:
        assert any(output is None or output.classes for output in analysis.head)


PLANS = (
    ("SELECT name FROM customers WHERE age > 40 ORDER BY id", "-"),
    ("SELECT c.name, n.id FROM customers c JOIN notes n ON n.id = c.id AND c.age = 3", "-"),
    ("SELECT count(*) FROM customers JOIN notes USING (id) GROUP BY name HAVING sum(age) > 3", "-"),
    ("WITH q AS (SELECT id, age FROM customers) SELECT q.age FROM q WHERE q.id = 'ssn'::text::int", "-"),
    ("SELECT ssn FROM customers", "?"),
    ("SELECT id FROM customers WHERE ssn = 'x'", "?"),
    ("SELECT id FROM customers WHERE ssn IS NULL", "?"),
    ("SELECT count(ssn) FROM customers", "?"),
    ("SELECT count(DISTINCT email) FROM customers", "?"),
    ("SELECT count(*) FROM (SELECT lower(ssn) FROM customers OFFSET 0) q", "?"),
    ("SELECT * FROM customers", "?"),
    ("SELECT count(c.*) FROM customers c", "?"),
    ("SELECT count(c) FROM customers c", "?"),
    ("SELECT count(customers) FROM customers", "?"),
    ("SELECT (c).age FROM customers c", "?"),
    ("SELECT z FROM customers c(a, b, z)", "?"),
    ("SELECT id FROM customers JOIN (SELECT 'x' AS ssn) y USING (ssn)", "?"),
    ("SELECT count(*) FROM customers NATURAL JOIN notes", "?"),
    ("SELECT id FROM contacts", "?"),
    ("SELECT number IS NULL FROM stored", "?"),
    ("TABLE customers", "?"),
    ("SELECT id FROM customers WHERE id = 1 FOR UPDATE", "?"),
    ("SELECT email_norm FROM customers", "?"),
)


@pytest.mark.parametrize(("text", "expected"), PLANS)
def test_a_plan_is_clean_where_no_sensitive_column_is_named(
    catalog: Catalog, text: str, expected: str
) -> None:
    for options in ("", "VERBOSE ", "(FORMAT json, GENERIC_PLAN) "):
        assert words(analyse(Row(f"EXPLAIN {options}{text}", {}), catalog).head) == expected
    for options in ("ANALYZE ", "(ANALYZE, VERBOSE) ", "(ANALYZE true) "):
        assert words(analyse(Row(f"EXPLAIN {options}{text}", {}), catalog).head) == "?"
    assert words(analyse(Row(f"EXPLAIN DECLARE c CURSOR FOR {text}", {}), catalog).head) == "?"


def test_a_star_over_relations_is_left_to_the_servers_word(catalog: Catalog) -> None:
    analysis = analyse(Row("SELECT *, upper(ssn), o.id + 1 FROM customers c, orders o", {}), catalog)
    assert not analysis.starred
    assert words(analysis.head) == " ".join(["?"] * 15 + [ID, "-"])


def test_stars_where_it_cannot_be_told_how_many(catalog: Catalog) -> None:
    analysis = analyse(
        Row("SELECT 1, upper(ssn), x.*, name FROM customers, json_to_record('{}') x", {}), catalog
    )
    assert analysis.starred
    assert words(analysis.head) == f"- {ID}"
    assert words(analysis.tail) == "-"


@pytest.mark.parametrize("path", [("other", "public"), None])
def test_a_name_that_may_mean_several(catalog: Catalog, path: tuple[str, ...] | None) -> None:
    analysis = analyse(Row("SELECT upper(ssn), id FROM customers", {}, path), catalog)
    assert words(analysis.head) in (f"{ID} -", "- -" if path else "")


@pytest.mark.parametrize("text", ["SELECT upper(name), 1 FROM customers", "SELECT upper(q), 1 FROM nosuch"])
def test_what_may_be_something_unknown_is_not_told(catalog: Catalog, text: str) -> None:
    analysis = analyse(Row(text, {}, temporary=frozenset({"customers"})), catalog)
    assert words(analysis.head) == "? -"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("COPY (SELECT id, ssn, lower(ssn), upper(name) FROM customers) TO STDOUT", f"- {ID}! {ID} -"),
        ("COPY customers (id, email) TO STDOUT", "- email!"),
        ("COPY (SELECT nosuch FROM customers) TO STDOUT", None),
        ("COPY nosuch TO STDOUT", None),
        ("COPY (SELECT public.wipe(), 1) TO STDOUT", None),
    ],
)
def test_what_a_copy_gives(catalog: Catalog, text: str, expected: str | None) -> None:
    copied = analyse(Row(text, {}), catalog).copied
    assert (copied if copied is None else words(copied)) == expected


JSON_TABLES = """
CREATE TABLE docs (id int, doc jsonb, title text);
CREATE TYPE place AS (street text, no int);
CREATE DOMAIN short AS text CHECK (length(VALUE) < 9);
CREATE TABLE homes (id int, at place, code short);
CREATE VIEW looped AS SELECT 1 AS a;
"""


@pytest.fixture(scope="module")
def eighteen(postgres18: Postgres) -> Catalog:
    postgres18.sql("CREATE DATABASE outputs", database="postgres")
    postgres18.sql(JSON_TABLES, database="outputs")
    raw = asyncio.run(read_catalog(access(postgres18, "outputs")))
    sensitive = {"public.docs.doc": "doc", "public.homes.at": "place", "public.homes.code": "code"}
    return load(raw, sensitive, {})


def told(catalog: Catalog, text: str) -> Analysis:
    (member,) = parse(text.encode()).members
    return resolve(member, Environment(catalog, ("public",), frozenset(), "app", catalog.database, False))


def test_json_table(eighteen: Catalog) -> None:
    text = (
        "SELECT d.title, j.a FROM docs d, JSON_TABLE({}, '$[*]' COLUMNS (a int PATH '$.a', n FOR ORDINALITY,"
        " NESTED PATH '$.b' COLUMNS (c text PATH '$'))) j"
    )
    clean = told(eighteen, text.format("'{}'::jsonb"))
    assert not clean.facts.steered
    assert words(clean.head[:1]) == "-"
    # how many rows there are depends on the document
    assert told(eighteen, text.format("d.doc")).facts.steered == {"doc"}


@pytest.mark.parametrize(
    ("text", "steered"),
    [
        ("SELECT JSON_VALUE(doc, '$.a') FROM docs", {"doc"}),
        ("SELECT JSON_EXISTS(doc, '$.a') FROM docs", {"doc"}),
        ("SELECT JSON_OBJECT('a': doc), JSON_ARRAY(doc, title) FROM docs", set()),
        ("SELECT doc -> 'a' ->> 'b', doc #>> '{a,b}' FROM docs", set()),
        ("SELECT doc -> title FROM docs", {"doc"}),
        ("SELECT (at).street, (at).no, at::text FROM homes", set()),
        ("SELECT code::text, code || 'x', lower(code) FROM homes", None),
        ("SELECT title::short FROM docs", set()),
        ("SELECT (doc ->> 'a')::short FROM docs", {"doc"}),
    ],
)
def test_documents_composites_and_domains(eighteen: Catalog, text: str, steered: set[str] | None) -> None:
    analysis = told(eighteen, text)
    if steered is not None:
        assert analysis.facts.steered == steered
    assert any(output is None or output.classes for output in analysis.head) is ("title::" not in text)
