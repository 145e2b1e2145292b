"""The quick look for tokens and for what masks left: it never misses what the searches find."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wicketgate.protocols.postgres.returned import SHORT, suspicious

HEX = [b"5b72656461637465", b"5B72656461637465"]
MARKS = [b"wkp1_", b"WKP1_", b"[redacted email]", *HEX, b"\xe2\x80\xa6", b"***"]
"""What a token, or a mask, leaves in a text."""
NEARLY = [b"wk", b"kp", b"Wkp", b"[red", b"redacted", b"5b", b"b7265", b"\xe2\x80", b"\x80\xa6", b"*", b"a**"]
"""What begins so and is none."""


@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_is_seen_wherever_it_stands(mark: bytes) -> None:
    for size in (0, 1, 5, SHORT - len(mark), SHORT - len(mark) + 1, 3 * SHORT):
        for before in (b"x", b"5", b"[", b"w", b"W", b"\xe2", b"\x00", b"\xff"):
            text = before * size + mark
            assert suspicious(text)
            assert suspicious(text + b"y")


@given(
    st.lists(st.sampled_from([*NEARLY, b"WHERE k = 5", b" ", b"w", b"k", b"\xff"]) | st.binary(max_size=8))
)
@example([b"SELECT * FROM works WHERE [r]"])
def test_nothing_else_is(pieces: list[bytes]) -> None:
    text = b"".join(pieces)
    found = any(mark[:3] in text for mark in (b"wkp", b"WKP")) or text.count(b"*") > 2
    found = found or any(mark in text for mark in (b"[redacted", b"\xe2\x80\xa6", *HEX))
    assert suspicious(text) == found
