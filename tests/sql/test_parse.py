"""Parsing: kinds, slices, changes; hostile input is refused in bounded depth and nothing else is ever
raised."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sql.picture import ROWS_TEXTS
from wicketgate.sql.changes import Changes
from wicketgate.sql.parse import Member, SyntaxRefused, parse


def one(text: str) -> Member:
    (member,) = parse(text.encode()).members
    return member


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("", "empty", None),
        (" -- nothing\n ;", "empty", None),
        ("SELECT 1", "select", None),
        ("INSERT INTO t VALUES (1)", "insert", None),
        ("BEGIN", "begin", None),
        ("START TRANSACTION", "begin", None),
        ("END", "commit", None),
        ("ABORT", "rollback", None),
        ("SAVEPOINT a", "savepoint", None),
        ("ROLLBACK TO a", "rollback_to", None),
        ("RELEASE a", "release", None),
        ("PREPARE TRANSACTION 'a'", "prepare_transaction", None),
        ("COMMIT PREPARED 'a'", "finish_prepared", None),
        ("SET a = 1", "set", None),
        ("SHOW a", "show", None),
        ("RESET ALL", "reset", None),
        ("DISCARD ALL", "discard", None),
        ('PREPARE "P" AS SELECT 1', "prepare", "P"),
        ("EXECUTE p", "execute", "p"),
        ("DEALLOCATE p", "deallocate", "p"),
        ("DEALLOCATE ALL", "deallocate", None),
        ("DECLARE c CURSOR FOR SELECT 1", "declare", "c"),
        ("FETCH c", "fetch", "c"),
        ("MOVE c", "fetch", "c"),
        ("CLOSE ALL", "close", None),
        ("CLOSE c", "close", "c"),
        ("COPY t FROM STDIN", "copy_in", None),
        ("COPY t TO STDOUT", "copy_out", None),
        ("COPY t TO '/x'", "copy_server", None),
        ("COPY (SELECT 1) TO PROGRAM 'x'", "copy_server", None),
        ("LISTEN a", "listen", None),
        ("EXPLAIN SELECT 1", "explain", None),
        ("VACUUM", "utility", None),
    ],
)
def test_kind_and_name(text: str, kind: str, name: str | None) -> None:
    member = one(text)
    assert (member.kind, member.name) == (kind, name)


def test_members_are_slices_of_the_text() -> None:
    text = "SELECT 'é' ; \n -- x\nSELECT 2;;SET a = 1 ".encode()
    members = parse(text).members
    assert [member.kind for member in members] == ["select", "select", "set"]
    assert [member.text(text).strip() for member in members] == [
        "SELECT 'é'".encode(),
        b"SELECT 2",
        b"SET a = 1",
    ]


def test_inner_statements() -> None:
    for text in (
        "PREPARE p AS DELETE FROM t",
        "EXPLAIN DELETE FROM t",
        "EXPLAIN (ANALYZE) DELETE FROM t",
    ):
        inner = one(text).inner
        assert inner is not None
        assert inner.kind == "delete"
    created = one("CREATE TABLE x AS EXECUTE p(1)").inner
    assert created is not None
    assert created.name == "p"
    assert one("CREATE TABLE x AS SELECT 1").inner is None


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("SELECT 1", Changes()),
        ("SET search_path TO a, \"B\", 'c d'", Changes(path=("a", "B", "c d"), settings=(("search_path",
        "a, B, c d"),))),
        ("SET LOCAL search_path = a", Changes(path=("a",), path_local=True, settings=(("search_path",
        "a"),))),
        ("SET SCHEMA 'a'", Changes(path=("a",), settings=(("search_path", "a"),))),
        ("SET search_path TO DEFAULT", Changes(path_unknown=True, settings=(("search_path", None),))),
        ("RESET search_path", Changes(path_unknown=True, settings=(("search_path", None),))),
        ("RESET ALL", Changes(path_unknown=True)),
        ("DISCARD ALL", Changes(path_unknown=True)),
        ("DISCARD TEMP", Changes()),
        ("RESET work_mem", Changes(settings=(("work_mem", None),))),
        ("SET work_mem TO '1MB'", Changes(settings=(("work_mem", "1MB"),))),
        ("SET TIME ZONE 'UTC'", Changes(settings=(("timezone", "UTC"),))),
        ("SET datestyle TO ISO, MDY", Changes(settings=(("datestyle", "iso, mdy"),))),
        ("BEGIN READ WRITE", Changes(transaction="begin", settings=(("transaction_read_only", "0"),))),
        ("COMMIT AND CHAIN", Changes(transaction="commit")),
        ("ROLLBACK TO a", Changes(transaction="rollback_to")),
        (
            "SELECT set_config('search_path', 'a, \"B\"', true)",
            Changes(path=("a", "B"), path_local=True, settings=(("search_path", 'a, "B"'),)),
        ),
        (
            "SELECT pg_catalog.set_config('search_path', '', false)",
            Changes(path=(), settings=(("search_path", ""),)),
        ),
        ("SELECT set_config('search_path', $1, false)", Changes(path_unknown=True,
        settings=(("search_path", None),))),
        ("SELECT set_config('search_path', 'a', x) FROM t", Changes(path_unknown=True,
        settings=(("search_path", "a"),))),
        ("SELECT set_config($1, 'a', false)", Changes(path_unknown=True)),
        (
            "SELECT set_config('search_path', 'a', false) FROM t",
            Changes(path_unknown=True, settings=(("search_path", "a"),)),
        ),
        ("SELECT set_config('jit', 'off', false)", Changes(settings=(("jit", "off"),))),
        ("UPDATE t SET a = set_config('search_path', 'a', false)", Changes(path_unknown=True,
        settings=(("search_path", "a"),))),
        ("DO 'x'", Changes(path_unknown=True, defines=True)),
        ("CALL x()", Changes(path_unknown=True, defines=True)),
        ("EXPLAIN SELECT set_config('search_path', 'a', false)", Changes()),
        (
            "EXPLAIN ANALYZE SELECT set_config('search_path', 'a', false)",
            Changes(path_unknown=True, settings=(("search_path", "a"),)),
        ),
        ("PREPARE p AS SELECT set_config('search_path', 'a', false)", Changes()),
        ("CREATE TABLE x (a int)", Changes(defines=True, temporary=frozenset({"x"}))),
        ("CREATE TEMP TABLE x (a int)", Changes(temporary=frozenset({"x"}))),
        ("CREATE TABLE pg_temp.x (a int)", Changes(temporary=frozenset({"x"}))),
        ("CREATE TEMP VIEW x AS SELECT 1", Changes(temporary=frozenset({"x"}))),
        ("SELECT 1 INTO TEMP x", Changes(temporary=frozenset({"x"}))),
        ("SELECT 1 INTO x UNION SELECT 2 UNION ALL SELECT 3", Changes(defines=True, temporary=frozenset({"x"}))),  # noqa: E501
        ("SELECT 1 INTO x", Changes(defines=True, temporary=frozenset({"x"}))),
        ("CREATE TABLE x AS SELECT 1", Changes(defines=True, temporary=frozenset({"x"}))),
        ("CREATE FUNCTION s.f() RETURNS int LANGUAGE sql AS ''", Changes(defines=True,
        temporary=frozenset({"f()"}))),
        ("CREATE OPERATOR = (FUNCTION = f)", Changes(defines=True, temporary=frozenset({"=()", "=!"}))),
        ("CREATE TYPE m AS ENUM ('a')", Changes(defines=True, temporary=frozenset({"m"}))),
        ("CREATE DOMAIN m AS int", Changes(defines=True, temporary=frozenset({"m!"}))),
        ("CREATE CAST (a AS b) WITH FUNCTION f(a)", Changes(defines=True, temporary=frozenset({"cast()"}))),
        ("ALTER TABLE t RENAME TO u", Changes(defines=True,
        temporary=frozenset({"t", "u", "u()", "u!", "u?"}))),
        ("ALTER TABLE t RENAME a TO b", Changes(defines=True,
        temporary=frozenset({"b", "b()", "b!", "b?", "t", "t?", "t\0"}))),
        ("CREATE TABLE x PARTITION OF t DEFAULT", Changes(defines=True, temporary=frozenset({"x", "x?"}))),
        ("CREATE TABLE x () INHERITS (t)", Changes(defines=True, temporary=frozenset({"x", "x?"}))),
        ("CREATE FOREIGN TABLE x PARTITION OF t DEFAULT SERVER s", Changes(defines=True,
        temporary=frozenset({"x", "x?"}))),
        ("ALTER TABLE t ATTACH PARTITION s.x DEFAULT", Changes(defines=True,
        temporary=frozenset({"t", "t\0", "x", "x?"}))),
        ("ALTER TABLE t SET SCHEMA s", Changes(defines=True,
        temporary=frozenset({"t", "t()", "t!", "t?"}))),
        ("ALTER TABLE t ADD COLUMN x int", Changes(defines=True, temporary=frozenset({"t", "t\0"}))),
        ("CREATE SCHEMA s CREATE TABLE x (a int)", Changes(defines=True, temporary=frozenset({"x"}))),
        ("DROP TABLE t", Changes(defines=True, temporary=frozenset({"t", "t\0"}))),
        ("DROP VIEW s.t CASCADE", Changes(defines=True, temporary=frozenset({"t", "t\0", "\0"}))),
        ("ALTER TABLE t DROP a CASCADE", Changes(defines=True, temporary=frozenset({"t", "t\0", "\0"}))),
        ("DROP TYPE t", Changes(defines=True)),
        ("DROP TYPE t CASCADE", Changes(defines=True, temporary=frozenset({"\0"}))),
        ("REVOKE USAGE ON SCHEMA s FROM u", Changes(defines=True, temporary=frozenset({"\0"}))),
        ("GRANT SELECT ON t TO u", Changes()),
    ],
)  # fmt: skip
def test_changes(text: str, changes: Changes) -> None:
    assert one(text).changes == changes


# -- what is refused ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "kind", "position"),
    [
        (b"SELEC 1", "syntax", 1),
        ("SELECT 'éé' FRM x y".encode(), "syntax", 17),
        (b"SELECT '", "syntax", 8),
        (b"SELECT 1\0", "syntax", None),
        (b"SELECT '\xff'", "syntax", None),
        (b"SELECT " + b"x" * 100_000, "too-large", None),
    ],
)
def test_refusals(text: bytes, kind: str, position: int | None) -> None:
    with pytest.raises(SyntaxRefused) as refused:
        parse(text)
    assert (refused.value.kind, refused.value.position) == (kind, position)


DEEP = {
    "parentheses": lambda n: "SELECT " + "(" * n + "1" + ")" * n,
    "sum": lambda n: "SELECT 1" + "+1" * n,
    "minus": lambda n: "SELECT " + "- " * n + "1",
    "not": lambda n: "SELECT " + "NOT " * n + "true",
    "casts": lambda n: "SELECT 1" + "::a" * n,
    "isnull": lambda n: "SELECT a" + " ISNULL" * n,
    "collate": lambda n: "SELECT a" + " COLLATE b" * n,
    "zone": lambda n: "SELECT a" + " AT LOCAL" * n,
    "subqueries": lambda n: "SELECT * FROM " + "(SELECT * FROM " * n + "t" + ") a" * n,
    "scalar": lambda n: "SELECT " + "(SELECT " * n + "1" + ")" * n,
    "unions": lambda n: "SELECT 1" + " UNION SELECT 1" * n,
    "joins": lambda n: "SELECT * FROM t" + " JOIN t ON true" * n,
    "arrays": lambda n: "SELECT ARRAY" + "[" * n + "1" + "]" * n,
    "calls": lambda n: "SELECT " + "f(" * n + "1" + ")" * n,
    "with": lambda n: "WITH a AS (" * n + "SELECT 1" + ") SELECT 1" * n,
    "cases": lambda n: "SELECT " + "CASE WHEN " * n + "true" + " THEN 1 END" * n,
    "members": lambda n: "SELECT 1;" * n,
    "indirection": lambda n: "SELECT (a)" + "[1]" * n,
}


@pytest.mark.parametrize("shape", DEEP)
@pytest.mark.parametrize("size", [30, 400, 3_000, 90_000])
def test_deep_text_ends_in_an_answer(shape: str, size: int) -> None:
    unit = len(DEEP[shape](2)) - len(DEEP[shape](1))
    text = DEEP[shape](max(size // unit, 1)).encode()
    kind = "read"
    try:
        parse(text)
    except SyntaxRefused as refused:
        kind = refused.kind
    assert kind in ("read", "too-large")


# -- properties --------------------------------------------------------------------------------------------
WORDS = [
    *sorted({word for text in ROWS_TEXTS for word in text.split()}),
    *("(", ")", ",", "'", '"', "$$", "--", "/*", "E'\\", ";"),
]


@given(st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join) | st.text(max_size=60))
@example("SELECT E'\\x00'")
@example("SELECT U&'\\0000'")
@example("/*")
def test_parse_raises_nothing_else(text: str) -> None:
    with contextlib.suppress(SyntaxRefused):
        parse(text.encode(errors="surrogatepass"))


@given(st.binary(max_size=80))
def test_bytes_raise_nothing_else(text: bytes) -> None:
    with contextlib.suppress(SyntaxRefused):
        parse(text)


def test_the_same_text_gives_the_same_script() -> None:
    assert parse(b"SELECT lower('a')") is parse(b"SELECT lower('a')")
    assert parse(b"SELECT lower('a')") is not parse(b"SELECT lower('b')")
    assert parse(b"SELECT a FROM t WHERE b = 1") is parse(b"SELECT a FROM t WHERE b = 2")
    assert parse(b"SELECT a FROM t WHERE b = 1") is not parse(b"SELECT a FROM t WHERE b = $1")
