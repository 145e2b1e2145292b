"""What can be said of a cell as a whole: a UUID, a moment, what its column's name promises (compiled).
It must never take a marker for a value."""

from typing import Final

from mypy_extensions import i64

from wicketgate.masking.detect.columns import Sense
from wicketgate.masking.detect.dates import compact


def is_uuid(data: bytes, at: i64) -> bool:
    """Whether what begins here has a UUID's dashes; 36 bytes at least follow."""
    return data[at + 8] == 45 and data[at + 13] == 45 and data[at + 18] == 45 and data[at + 23] == 45


def is_moment(data: bytes, at: i64, end: i64) -> bool:
    """`2026-11-21 10:48:53.123+00`, whole; 19 bytes at least."""
    if data[at + 4] != 45 or data[at + 7] != 45 or data[at + 13] != 58 or data[at + 16] != 58:
        return False
    if data[at + 10] != 32 and data[at + 10] != 84:
        return False
    while at < end:
        code: i64 = data[at]
        if not (
            48 <= code <= 58
            or code == 45
            or code == 46
            or code == 43
            or code == 32
            or code == 84
            or code == 90
        ):
            return False
        at += 1
    return True


def whole(cell: bytes, sense: Sense) -> bool:
    """Whether the whole cell is what its column's name says."""
    size: i64 = len(cell)
    raised = sense.raised
    if cell[:9] == b"[redacted" and cell[size - 1] == 93:
        return False
    if raised == "birth-date":
        return size == 8 and compact(cell)
    text = cell.strip()
    size = len(text)
    if raised == "person-name":
        return 2 <= size <= 256 and not _numeric(text) and text.lower() not in _NOTHING
    if raised == "address":
        return 3 <= size <= 1024 and text.lower() not in _NOTHING
    if raised == "password":
        return size >= 3 and text.lower() not in _NOTHING
    return size >= 8 and text.lower() not in _NOTHING and (text.find(b" ") < 0 or size > 200)


_NOTHING: Final = frozenset(
    (
        b"null",
        b"none",
        b"true",
        b"false",
        b"yes",
        b"no",
        b"n/a",
        b"na",
        b"unknown",
        b"undefined",
        b"-",
        b"--",
        b"---",
        b"***",
        b"not set",
        b"unset",
        b"empty",
        b"missing",
        b"redacted",
        b"anonymous",
        b"undisclosed",
    )
)


def _numeric(text: bytes) -> bool:
    return all(not (65 <= code <= 90 or 97 <= code <= 122 or code >= 128) for code in text)
