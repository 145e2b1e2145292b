"""Finds what masks leave in values, so that a masked value is not written back as data.
It must never be all that protects: NULLs and buckets look like any other value, and a text can be changed.

A mark is one of these; what they are is as narrow as lets each be told from ordinary text:

- anywhere in a text: `[redacted]` and `[redacted:class]`, also as hex digits (of a bytea);
- anywhere: an address of `partial`: at most one character, three stars, `@` and a domain with a dot;
- as the whole text: what `last4` leaves, four stars or more and four letters or digits behind them, with
  the separators that the value had; inside a longer text the same, if the separators are single ones of
  `-./_ `, a digit is among the four, and neither letters, digits nor stars touch it;
- as the whole text: one character, three stars, one character (`partial` of what is no address);
- as the whole text: three characters and `…`, or a year or a year and month and `…` (`truncate`).

A text is a literal, a bind parameter or one cell of COPY. `***`, `**bold**`, `f***` and `wait…` are no marks.
"""

import re
from typing import Final

_REDACTED: Final = re.compile(rb"\[redacted(?::[A-Za-z0-9_-]{1,40})?\]")
_HEX: Final = re.compile(rb"(?i)5b7265646163746564(?:5d|3a(?:[0-9a-f]{2}){1,40}?5d)")
_ADDRESS: Final = re.compile(
    rb"(?<![*\w])(?:[\x80-\xff]{1,4}|[^\s*@\x80-\xff])?\*\*\*@[^\s@*.]+(?:\.[^\s@*.]+)+"
)
_DIGITS: Final = re.compile(
    rb"(?<![\w*])(?<!\*[-./_ ])(?:\*[-./_ ]?){4,}+(?:[A-Za-z0-9][-./_ ]?){3}[A-Za-z0-9](?![-./_ ]?[\w*])"
)
_LAST4: Final = re.compile(r"(?:[^\w*]|_)*(?:\*(?:[^\w*]|_)*){4,}(?:[^\W_](?:[^\w*]|_)*){4}")
_ENDS: Final = re.compile(r"(?s)[^*]\*\*\*[^*]|[^*]?\*\*\*@[^@]*\.[^@]*")
_CUT: Final = re.compile(r"(?s)...…|[0-9]{4}(?:-[0-9]{2})?…")


def marks_in(text: bytes) -> list[tuple[int, int]]:
    """Where marks stand in a text of UTF-8: (begin, end) in bytes, ascending. One that is not UTF-8 has only
    those that are found anywhere."""
    found: list[tuple[int, int]] = []
    stars = b"***" in text or text.count(b"*") > 3
    if b"[redacted" in text:
        found += [match.span() for match in _REDACTED.finditer(text)]
    if b"5b72656461637465" in text or b"5B72656461637465" in text:
        found += [match.span() for match in _HEX.finditer(text)]
    if stars:
        found += [match.span() for match in _ADDRESS.finditer(text)]
    if not found and (stars or b"\xe2\x80\xa6" in text) and len(text) <= 600:
        whole = _whole(text)
        if whole:
            return [(0, len(text))]
    if stars:
        for match in _DIGITS.finditer(text):
            if any(48 <= code <= 57 for code in match[0]):
                found.append(match.span())
    return sorted(found)


def _whole(text: bytes) -> bool:
    try:
        whole = text.decode()
    except UnicodeDecodeError:
        return False
    bare = whole.strip()
    return any(pattern.fullmatch(each) for pattern in (_LAST4, _ENDS, _CUT) for each in (whole, bare))
