"""Skeletons: what is erased without parsing is what libpg_query erases, or there is no skeleton."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wicketgate.sql import member
from wicketgate.sql import parse as parsing
from wicketgate.sql.parse import SyntaxRefused, parse
from wicketgate.sql.skeleton import NUMBER, STRING, skeleton

N, S = bytes((NUMBER,)), bytes((STRING,))


@pytest.mark.parametrize(
    ("text", "bones"),
    [
        ("SELECT a FROM t WHERE id = 5;", b"SELECT a FROM t WHERE id = " + N + b";"),
        ("SELECT a1, b FROM t2 WHERE c = 'x y'", b"SELECT a1, b FROM t2 WHERE c = " + S),
        ("INSERT INTO t VALUES (1,'a')", b"INSERT INTO t VALUES (" + N + b"," + S + b")"),
        ("SELECT 'a'\n'b'", b"SELECT " + S + b"\n" + S),
        ("SELECT 12345678901", None),
        ("SELECT 1.5", None),
        ("SELECT 1e5", None),
        ("SELECT 0x1F", None),
        ("SELECT 1_000", None),
        ("SELECT 'it''s'", None),
        ("SELECT E'a'", None),
        ("SELECT b'1'", None),
        ("SELECT 'a\\b'", None),
        ("SELECT 'a", None),
        ("SELECT 1 -- 5", None),
        ("SELECT /* 5 */ 1", None),
        ('SELECT "5", "a b" FROM t WHERE "x" = 5', b'SELECT "5", "a b" FROM t WHERE "x" = ' + N),
        ('SELECT "a""5"', None),
        ('SELECT "a', None),
        ('SELECT "$1"', None),
        ("SELECT $1", None),
        ("SELECT $$5$$", None),
        ("SELECT 'é'", None),
        ("SELECT 'a\nb'", None),
        ("SELECT a ? 'b'", None),
        ("SELECT 1\x00", None),
    ],
)
def test_what_is_erased(text: str, bones: bytes | None) -> None:
    assert skeleton(text.encode()) == bones


PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            """SELECT FROM WHERE a b t = < > + - * / ( ) , ; . :: int4 text varchar LIMIT ORDER BY GROUP AND
            OR IN interval date LIKE BETWEEN x' E' U&' b' N' ' '' " "a" U&"a" UESCAPE -- /* */ $1 $a$ [ ] : -1
            1. .5 1e3 _1 a1 1a ? | @ # CASE WHEN THEN END NULL INSERT INTO VALUES UPDATE SET""".split()
        ),
        st.integers(0, 10**11).map(str),
        st.text(alphabet="ab '?\\%\n", max_size=4).map(lambda body: f"'{body}'"),
        st.sampled_from([" ", "\n", "\t", ""]),
    ),
    max_size=14,
)


def refilled(bones: bytes, numbers: list[int], strings: list[str]) -> str:
    """Another text of the same skeleton."""
    at = iter(range(1000))

    def fill(hole: re.Match[bytes]) -> bytes:
        index = next(at)
        if hole[0] == N:
            return str(numbers[index % len(numbers)]).encode()
        return b"'" + strings[index % len(strings)].encode() + b"'"

    return re.sub(b"[" + N + S + b"]", fill, bones).decode()


@example(["SELECT", " ", "a", " ", "FROM", " ", "t", " ", "WHERE", " ", "a", "=", "5"], [7], ["x"])
@example(["SELECT", " ", "'a'", "::", "varchar", "(", "5", ")"], [7], ["x"])
@example(["SELECT", " ", "a", " ", "FROM", " ", "t", " ", "ORDER", " ", "BY", " ", "1"], [2], ["x"])
@example(["SELECT", " ", "'a'", "\n", "'b'"], [2], ["x"])
@given(
    PIECES,
    st.lists(st.integers(0, 999_999_999), min_size=1, max_size=5),
    st.lists(st.text("abc %-1", max_size=5), min_size=1, max_size=5),
)
def test_texts_of_one_skeleton_are_one_statement(
    pieces: list[str], numbers: list[int], strings: list[str]
) -> None:
    """Whatever the first text leaves in the caches, the second is read as it would be without them."""
    text = "".join(pieces).encode()
    bones = skeleton(text)
    if bones is None:
        return
    other = refilled(bones, numbers, strings).encode()
    assert skeleton(other) == bones
    forget()
    alone = read(other)
    forget()
    read(text)
    kept = member.BY_SKELETON.get(bones)
    if kept is not None:
        assert normalized(other) == normalized(text)
        assert alone is not None
    again = read(other)
    assert (again is None) == (alone is None)
    assert told(again) == told(alone)


def forget() -> None:
    for cache in (member.BY_TEXT, member.BY_SKELETON):
        cache.clear()


def read(text: bytes) -> parsing.Script | None:
    try:
        return parse(text)
    except SyntaxRefused:
        return None


def told(script: parsing.Script | None) -> object:
    if script is None:
        return None
    return [(member.kind, member.name, member.node, member.changes) for member in script.members]


def normalized(text: bytes) -> bytes | None:
    return parsing._normalize(text)


def test_numbers_and_strings_are_not_the_same_statement() -> None:
    """Which casts an operand goes through depends on which of the two it is."""
    forget()
    assert parse(b"SELECT a FROM t WHERE b = 1") is not parse(b"SELECT a FROM t WHERE b = '1'")


def test_a_repeated_statement_is_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    forget()
    first = parse(b"SELECT abalance FROM accounts WHERE aid = 4;")
    monkeypatch.setattr(parsing, "_normalize", None)
    monkeypatch.setattr(parsing, "_raw", None)
    assert parse(b"SELECT abalance FROM accounts WHERE aid = 12345;") is first
