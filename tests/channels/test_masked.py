"""Statements without values: a table of hostile ones, and whatever hypothesis finds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.stage import CANARY
from wicketgate.channels.masked import LONGEST, REST, mask, plain_name

HOSTILE = [
    "SELECT 'X'",
    "SELECT 'it''s X'",
    "SELECT E'a\\'X'",
    "SELECT e'\\\\\\'X'",
    r"SELECT 'a\' , X, '",
    "SELECT N'X', B'X', x'X', U&'X'",
    "SELECT U&'d\\0061X' UESCAPE '!'",
    "SELECT $$X$$",
    "SELECT $t$ $$ X $t$",
    "SELECT $t$X",
    "SELECT $täg$X$täg$",
    "SELECT 'a'\n'X'",
    "SELECT 1 -- X",
    "SELECT 1 /* X */",
    "SELECT 1 /* a /* b */ X */",
    "SELECT 1 /* X",
    "SELECT 'X",
    'SELECT 1 AS "X@example.org"',
    'SELECT 1 AS "a"" X 4111-1111"',
    'SELECT U&"\\0058X"',
    'SELECT 1 AS "X',
    "SELECT 4111X",
    "SELECT 0xX, 1.5eX, .5X",
    "SELECT * FROM card_4111111111111111X",
    "SELECT 1 AS card4111X",
    "SET app.user = X",
    "SET app.user TO X, Y",
    "SET LOCAL app.user TO X; SELECT 1",
    "ALTER ROLE r SET app.user TO X",
    "ALTER ROLE r PASSWORD 'X'",
    "SELECT 1; SET a.b = 'y', X",
    'SET a.b TO "X"',
    "SELECT 1\x00X",
    "SELECT \u202e'X'",
    "SELECT ‘X’",
    "SELECT ’X",
    "SELECT 'ok' ' \\' X",
    "INSERT INTO t VALUES ('X', 4711, $$X$$)",
    "COPY t FROM PROGRAM 'curl X'",
    "DO $$ BEGIN PERFORM 'X'; END $$",
    "NOTIFY c, 'X'",
    "SELECT '" + "a" * 200_000 + "X'",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_value_is_shown(hostile: str) -> None:
    assert plain_name(CANARY), "else it would be hidden wherever it stands"
    assert CANARY not in mask(hostile.replace("X", CANARY))
    assert len(mask(hostile)) <= LONGEST + len(REST)


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        (
            "SELECT id, c.email FROM public.customers c WHERE id = 4711 AND name LIKE 'A%' LIMIT 10",
            "SELECT id, c.email FROM public.customers c WHERE id = ? AND name LIKE ? LIMIT ?",
        ),
        ("update t set a = b + 1,\n  c=$2 where d is null", "update t set a = b + ?,\nc=$2 where d is null"),
        ('SELECT "Kundennummer" FROM "Größe" -- all', 'SELECT "Kundennummer" FROM "Größe"'),
        ("SET search_path TO public; SELECT true", "SET search_path TO ?; SELECT ?"),
        ("", ""),
        (r"SELECT 'a\_b', 1", f"SELECT ?{REST}"),
    ],
)
def test_what_is_left_can_be_read(statement: str, shown: str) -> None:
    assert mask(statement) == shown


@given(st.text(alphabet=st.sampled_from(list("'\"$Ee\\ \n-/*;=_aTO1.🙂\x00")), max_size=60))
@settings(max_examples=300, deadline=None)
def test_literals_never_leak_whatever_stands_around(around: str) -> None:
    """A number behind anything: in a string, a comment, a name or in the open, it is hidden."""
    made = mask(f"{around}4111111111111111")
    assert "4111" not in made
    assert len(made) <= LONGEST + len(REST)


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_anything_can_be_read(text: str) -> None:
    shown = mask(text)
    assert "'" not in shown
    assert not any(each.isdigit() and int(each) > 9 for each in shown if each.isascii())


@pytest.mark.parametrize("name", ["", "a@b", "12", "a12345", "x" * 65, "a\nb", "a\u202eb", "-", "٣٤٥٦٧a"])
def test_what_looks_like_no_name(name: str) -> None:
    assert not plain_name(name)
