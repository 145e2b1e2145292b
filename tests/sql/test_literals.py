"""What may be erased from a cache key: texts that share a script have identical facts."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sql.picture import ROWS_TEXTS, Row, picture
from wicketgate.sql import parse as parsing
from wicketgate.sql.catalog import Catalog
from wicketgate.sql.parse import Member, SyntaxRefused, parse
from wicketgate.sql.resolve import resolve

SHARED = [
    ("SELECT * FROM t WHERE a = 'y'", "SELECT * FROM t WHERE a = 'x'"),
    (
        "SELECT * FROM t WHERE a IN (1, 2) AND b BETWEEN 1 AND 2",
        "SELECT * FROM t WHERE a IN (3, 4) AND b BETWEEN 5 AND 6",
    ),
    ("INSERT INTO t (a, b) VALUES (1, 'x'), (2, NULL)", "INSERT INTO t (a, b) VALUES (7, 'y'), (8, NULL)"),
    ("UPDATE t SET a = 1, b = b + 1 WHERE c = 2", "UPDATE t SET a = 5, b = b + 9 WHERE c = 7"),
    ("DELETE FROM t WHERE a LIKE 'x%'", "DELETE FROM t WHERE a LIKE 'y%'"),
]
APART = [
    ("SELECT * FROM t WHERE a = 1", "SELECT * FROM t WHERE a = 'x'"),
    ("INSERT INTO t (a) VALUES (1), (NULL)", "INSERT INTO t (a) VALUES (1), (2)"),
    ("SELECT 1", "SELECT 2"),
    ("SELECT * FROM t LIMIT 1", "SELECT * FROM t LIMIT 2"),
    ("SELECT * FROM t ORDER BY 1", "SELECT * FROM t ORDER BY 2"),
    ("SELECT a FROM t GROUP BY 1", "SELECT a FROM t GROUP BY 2"),
    ("SELECT set_config('a', 'b', false)", "SELECT set_config('c', 'b', false)"),
    ("SELECT query_to_xml('a', true, true, '')", "SELECT query_to_xml('b', true, true, '')"),
    ("SELECT 'a'::regclass", "SELECT 'b'::regclass"),
    ("SET a = 1", "SET a = 2"),
    ("SELECT a FROM t WHERE f('x') = 1", "SELECT a FROM t WHERE f('y') = 1"),
    ("SELECT a FROM t WHERE b = 'x'::text", "SELECT a FROM t WHERE b = 'y'::text"),
    ("SELECT a FROM t WHERE b ->> 'x' = 'a'", "SELECT a FROM t WHERE b ->> 'y' = 'a'"),
    ("SELECT a FROM t WHERE b[1] = 1", "SELECT a FROM t WHERE b[2] = 1"),
    ("INSERT INTO t SELECT 1", "INSERT INTO t SELECT 2"),
    ("SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE b = $1"),
    ("SELECT 1 WHERE 1 = 1; SELECT 2 WHERE 2 = 2", "SELECT 1 WHERE 1 = 3; SELECT 2 WHERE 2 = 2"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "other"), SHARED)
def test_shared(text: str, other: str) -> None:
    assert parse(text.encode()) is parse(other.encode())
    member = parse(other.encode()).members[0]
    assert member.text(other.encode()) == other.encode()
    assert member.text(text.encode()) == text.encode()


@pytest.mark.parametrize(("text", "other"), APART)
def test_apart(text: str, other: str) -> None:
    assert parse(text.encode()) is not parse(other.encode())


_LITERAL = re.compile(r"(?<![\w$\"])('(?:[^']|'')*'|\d+(?:\.\d+)?)(?![\w\"])")
_VALUES = st.sampled_from(
    ["1", "0", "-1", "99999999999", "1.5", "'x'", "''", "'1'", "'search_path'", "'public.customers'",
    "NULL", "true"]
)  # fmt: skip


@given(st.sampled_from(ROWS_TEXTS), st.data())
def test_texts_of_one_key_have_the_same_facts(catalog: Catalog, text: str, data: st.DataObject) -> None:
    other = _LITERAL.sub(lambda _: data.draw(_VALUES), text)
    try:
        first, second = parse(text.encode()), parse(other.encode())
        alone, _ = parsing._script(
            parsing._statements(parsing._raw(other.encode())), other.encode(), False, 0
        )
    except SyntaxRefused:
        return
    if first is not second:
        return
    environment = Row(other, {}).environment(catalog)

    def seen(member: Member) -> object:
        return picture(resolve(member, environment), catalog), member.kind, member.changes

    assert [seen(member) for member in first.members] == [seen(member) for member in alone.members]
