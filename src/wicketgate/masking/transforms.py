"""What a masked value turns into, whole columns at a time (compiled).
It must never show a value that it could not read: what is not UTF-8, or too short or too long, is redacted.
"""

import re
from typing import Final

from librt.strings import BytesWriter, read_i32_le, read_i64_le, write_i32_le, write_i64_le
from mypy_extensions import i64, u8

from wicketgate.masking.eights import alphanumeric

TRANSFORMS: Final = frozenset({"redact", "null", "last4", "partial", "truncate", "pseudonym"})
"""Names that a policy may use. Some take an option behind a colon: `truncate:month`, `pseudonym:all`."""

LAST4_LEAST: Final = 8
"""Letters and digits that a value needs before its last four say less than half of it."""

PARTIAL_LEAST: Final = 6
TRUNCATE_LEAST: Final = 6
"""Characters that a value needs before its ends say less than half of it."""

LONGEST: Final = 128
"""Characters beyond which a value is prose, not one datum: then a part of it may be anything."""

ELLIPSIS: Final = "…".encode()

_DATE: Final = re.compile(
    rb"([0-9]{4})[-/](0[1-9]|1[0-2])"
    rb"(?:[-/](?:0[1-9]|[12][0-9]|3[01])(?:[T ][0-9]{2}:[0-9]{2}[0-9:.,+ Z-]{0,30})?)?"
)
"""A date or a time stamp that begins with its year (ISO 8601 and its relatives)."""


def apply(transform: str, values: list[bytes | None], data_class: str) -> list[bytes | None]:
    """The texts of one column, masked; None (NULL) stays None.

    transform: as a decision has it; one that is not known redacts, as pseudonym does here (see pseudonym.py).
    values: UTF-8 text, as the wire carries it. data_class: `*` where it is not known.
    """
    if transform == "null":
        nothing: list[bytes | None] = [None] * len(values)
        return nothing
    mark = redacted(data_class)
    if transform == "last4":
        return [None if value is None else last4(value, mark) for value in values]
    if transform == "partial":
        return [None if value is None else partial(value, mark) for value in values]
    if transform == "truncate":
        return [None if value is None else truncate(value, mark) for value in values]
    if transform == "truncate:month" or transform == "truncate:year":
        month = transform == "truncate:month"
        return [None if value is None else truncate_date(value, month, mark) for value in values]
    return [None if value is None else mark for value in values]


def marker(transform: str, data_class: str) -> bytes | None:
    """What a transform puts in the place of every text; None where that depends on the text, or is NULL."""
    if transform in ("null", "last4", "partial", "truncate", "truncate:month", "truncate:year"):
        return None
    return redacted(data_class)


def redacted(data_class: str) -> bytes:
    """The text in a value's place: `[redacted:email]`, or `[redacted]` where the class is not known.

    It needs no quoting in JSON, CSV or SQL, whatever the class is called.
    """
    if data_class == "*" or not 0 < len(data_class) <= 40:
        return b"[redacted]"
    for character in data_class:
        if not (character.isascii() and (character.isalnum() or character in "-_")):
            return b"[redacted]"
    return b"[redacted:" + data_class.encode() + b"]"


def last4(value: bytes, marker: bytes) -> bytes:
    """The last four letters or digits; stars for the others, separators and width as they were. A value with
    stars of its own is redacted: what is left of it could not be told from an ordinary text."""
    size: i64 = len(value)
    if size > LONGEST:
        return marker if value.isascii() else _last4_of_text(value, marker)
    sorts = _SORTS
    count: i64 = 0
    cut: i64 = size  # where the last four begin
    while cut > 0 and count < 4:
        cut -= 1
        sort: i64 = sorts[value[cut]]
        if sort == _ALPHANUMERIC:
            count += 1
        elif sort == _FOREIGN:
            return _last4_of_text(value, marker)
        elif sort == _STAR:
            return marker
    out = BytesWriter()
    at: i64 = 0
    while at < cut:
        if at + 8 <= cut and alphanumeric(read_i64_le(value, at)):
            write_i64_le(out, _STARS)
            count += 8
            at += 8
            continue
        code = value[at]
        sort = sorts[code]
        if sort == _ALPHANUMERIC:
            count += 1
            out.append(u8(42))
        elif sort == _FOREIGN:
            return _last4_of_text(value, marker)
        elif sort == _STAR:
            return marker
        else:
            out.append(u8(code))
        at += 1
    if count < LAST4_LEAST:
        return marker
    if at + 4 == size:
        write_i32_le(out, read_i32_le(value, at))
    else:
        out.write(value[at:])
    return out.getvalue()


_STARS: Final = 0x2A2A2A2A2A2A2A2A
_ALPHANUMERIC: Final = 1
_STAR: Final = 2
_FOREIGN: Final = 3
_SORTS: Final = bytes(
    _FOREIGN if code >= 128 else _STAR if code == 42 else int(chr(code).isalnum()) for code in range(256)
)
"""What a byte of a text is: a letter or digit of ASCII, a star, a part of another character, or else (0)."""


def _last4_of_text(value: bytes, marker: bytes) -> bytes:
    text = decoded(value)
    if text is None or len(text) > LONGEST or "*" in text:
        return marker
    count = 0
    for character in text:
        if character.isalnum():
            count += 1
    if count < LAST4_LEAST:
        return marker
    hidden = count - 4
    out: list[str] = []
    for character in text:
        if hidden > 0 and character.isalnum():
            out.append("*")
            hidden -= 1
        elif hidden > 0 and not character.isascii():
            # a combining mark, an emoji: it may say which letter it stood on
            out.append("*")
        else:
            out.append(character)
    return "".join(out).encode()


def partial(value: bytes, marker: bytes) -> bytes:
    """Of an email address the first character and the domain; else the first and the last character."""
    size: i64 = len(value)
    if size > LONGEST * 4:
        return marker
    signs: i64 = 0
    sign: i64 = 0
    # of the domain: 0 nothing yet, 1 text, 2 text and a dot, 3 text on both sides of a dot
    seen: i64 = 0
    at: i64 = 0
    while at < size:
        code: i64 = value[at]
        if code >= 128:
            return _partial_of_text(value, marker)
        if code == 64:
            signs += 1
            sign = at
        elif signs > 0:
            if code == 46:
                if seen == 1:
                    seen = 2
            elif seen == 0:
                seen = 1
            elif seen == 2:
                seen = 3
        at += 1
    if size > LONGEST:
        return marker
    if signs == 1 and sign > 0 and seen == 3:
        domain = value[sign:]
        return value[:1] + b"***" + domain if sign > 1 and value[0] != 42 else b"***" + domain
    if size < PARTIAL_LEAST or value[0] == 42 or value[size - 1] == 42:
        return marker
    return value[:1] + b"***" + value[size - 1 :]


def _partial_of_text(value: bytes, marker: bytes) -> bytes:
    text = decoded(value)
    if text is None or len(text) > LONGEST:
        return marker
    local, at, domain = text.partition("@")
    if at and local and "@" not in domain and "." in domain.strip("."):
        shown = local[0] if len(local) > 1 and local[0] != "*" else ""
        return (shown + "***@" + domain).encode()
    if len(text) < PARTIAL_LEAST or text[0] == "*" or text[-1] == "*":
        return marker
    return (text[0] + "***" + text[-1]).encode()


def truncate(value: bytes, marker: bytes) -> bytes:
    """The first three characters and an ellipsis."""
    text = decoded(value)
    if text is None or not TRUNCATE_LEAST <= len(text) <= LONGEST:
        return marker
    return text[:3].encode() + ELLIPSIS


def truncate_date(value: bytes, month: bool, marker: bytes) -> bytes:
    """Of a text that is a date its year, or year and month, and an ellipsis; any other is redacted."""
    if len(value) > 50:
        return marker
    found = _DATE.fullmatch(value)
    if found is None:
        return marker
    year: bytes = found[1]
    if not month:
        return year + ELLIPSIS
    number: bytes = found[2]
    return year + b"-" + number + ELLIPSIS


def decoded(value: bytes) -> str | None:
    """The value as text, or None where it is not UTF-8."""
    if len(value) > LONGEST * 4:
        # no character has more than four bytes: too long whatever it says
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
