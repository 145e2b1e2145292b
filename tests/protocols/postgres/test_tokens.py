"""A statement's tokens: names folded and cut, literals whole, nothing out of comments, bounded time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicketgate.protocols.postgres.tokens import NONE, tokens_of


@pytest.mark.parametrize(
    ("text", "names", "literals"),
    [
        ("SELECT Email FROM t", {"select", "email", "from", "t"}, set()),
        ('"Email" . x.y', {"Email", "x", "y", "Email.x", "Email.x.y"}, set()),
        ('"a""b"', {'a"b'}, set()),
        ("ÄB", {"Äb"}, set()),
        ("'it''s' 'B'", set(), {"it's", "B"}),
        ("E'a''b' e'a\\'b'", set(), {"a'b"}),
        ("x'1f' B'01' N'n' U&'u'", set(), set()),
        ("$$a$b$$ $t$ c $$ d $t$", set(), {"a$b", " c $$ d "}),
        ("a$b$c $1", {"a$b$c"}, set()),
        ("1 -- 'x' y\n'z'", set(), {"z"}),
        ("/* 'x' /* y */ z */ 'w' /* 'v'", set(), {"w"}),
        ("a 'open b", {"a"}, set()),
        ('a "open b', {"a"}, set()),
        ("a $q$ open b", {"a"}, set()),
        ("a E'open b\\'", {"a"}, set()),
        ("x" * 70, {"x" * 63}, set()),
        ("é" * 40, {"é" * 31}, set()),
        ("a . 1 . b", {"a", "b"}, set()),
    ],
)
def test_tokens(text: str, names: set[str], literals: set[str]) -> None:
    found = tokens_of(text.encode())
    assert found.names == names
    assert found.literals == literals


def test_words_as_typed() -> None:
    assert tokens_of(b"SELECT 'a' <> 1.5e3 + $2::Int").words == {
        "SELECT", "'a'", "<>", "1.5e3", "+", "$2", "::", "Int",
    }  # fmt: skip


def test_no_utf8_no_tokens() -> None:
    assert tokens_of(b"SELECT \xff") == NONE


@given(st.text(alphabet="ab'\"$/*-\\ eE.1\n", max_size=60))
def test_any_text_has_an_end(text: str) -> None:
    found = tokens_of(text.encode())
    assert all(word in text for word in found.words)


@pytest.mark.parametrize("piece", ["$a", "/*", "'", '"', "e'\\", "U&", "$$", ".", "(", "a.", "--\n", "1e"])
def test_long_texts_take_linear_steps(piece: str) -> None:
    # a quadratic scan of this would not end within the suite's time limit
    tokens_of((piece * 300_000).encode())
    tokens_of("".join(f"$t{i}$ " for i in range(50_000)).encode())
