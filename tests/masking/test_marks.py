"""What masks leave is found again; what only looks a little like it is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicketgate.masking.marks import marks_in
from wicketgate.masking.transforms import apply, redacted


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("[redacted]", ["[redacted]"]),
        ("see [redacted:email] and [redacted:a_b-9]", ["[redacted:email]", "[redacted:a_b-9]"]),
        ('{"[redacted:email]",NULL}', ["[redacted:email]"]),
        ("\\x" + b"[redacted:photo]".hex(), [b"[redacted:photo]".hex()]),
        ("\\x00" + b"[redacted]".hex().upper() + "00", [b"[redacted]".hex().upper()]),
        ("a***@example.com", ["a***@example.com"]),
        ("***@example.com", ["***@example.com"]),
        ("é***@exämple.fr", ["é***@exämple.fr"]),
        ("write to a***@b.example.com, soon", ["a***@b.example.com,"]),
        ("****-****-****-7738", ["****-****-****-7738"]),
        ("***-**-9031", ["***-**-9031"]),
        ("card **** **** **** 7738, paid", ["**** **** **** 7738"]),
        ("****efgh", ["****efgh"]),
        ("***-**-90-31-", ["***-**-90-31-"]),
        ("5***1", ["5***1"]),
        ("Fre…", ["Fre…"]),
        ("ünï…", ["ünï…"]),
        ("1984-03…", ["1984-03…"]),
        ("1984…", ["1984…"]),
    ],
)
def test_marks(text: str, marks: list[str]) -> None:
    raw = text.encode()
    assert [raw[begin:end].decode() for begin, end in marks_in(raw)] == marks


@pytest.mark.parametrize(
    "text",
    [
        "",
        "***",
        "****",
        "**bold** and __more__",
        "***bold italic***",
        "f***",
        "what the f*** is f***ed",
        "wait…",
        "and so on…",
        "a * b ** c",
        "SELECT 2***3 FROM t",
        "redacted",
        "[redacted",
        "[redacted: email]",
        "a**@example.com",
        "alice@example.com",
        "***@localhost",
        "**** TODO ****",
        "# **** 1234 stars ****",
        "note: **** look here",
        "/***************************************/",
        "***-**-90311",
        "5b72656461637465",
        "(*) required, (**) optional",
        "A*** 12345678",
    ],
)
def test_no_marks(text: str) -> None:
    assert marks_in(text.encode()) == []


@given(st.text(max_size=60), st.sampled_from(["redact", "last4", "partial", "truncate"]))
def test_whatever_a_transform_leaves_is_a_mark(value: str, name: str) -> None:
    [masked] = apply(name, [value.encode()], "email")
    assert masked is not None
    assert marks_in(masked)


@given(st.binary(max_size=200))
def test_any_bytes(text: bytes) -> None:
    for begin, end in marks_in(text):
        assert 0 <= begin < end <= len(text)


@pytest.mark.parametrize(
    "text", ["*" * 100_000, "* " * 50_000, "****a" * 20_000, "[redacted:" * 10_000, "*-" * 300]
)
def test_long_texts_end_soon(text: str) -> None:
    marks_in(text.encode())


def test_the_marker_of_an_odd_class_is_found() -> None:
    assert marks_in(redacted("no class")) == [(0, 10)]
