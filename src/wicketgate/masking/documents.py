"""Redacts JSON inside: every text, number and truth value goes, objects, arrays and nulls stay (compiled).
It must never let a scalar pass; a key passes only if it looks like a name that a program gave.

A key can be data as well (`{"alice@example.com": 3}`). One passes if it is of up to 32 letters, `_`, `$`, and
behind the first also `-`, `.` and at most three digits; others become the marker, numbered to stay apart. A
plain word is not told from a name in it (`{"alice": 3}`): where keys are data, the mask must be `null`.
"""

from typing import Final

from librt.strings import BytesWriter
from mypy_extensions import i64

DEEPEST: Final = 200
"""Levels of a document beyond which it is redacted whole."""

LONGEST_KEY: Final = 32
MOST_DIGITS: Final = 3

_QUOTE: Final = 34
_BACKSLASH: Final = 92


def redact_document(value: bytes, mark: bytes) -> bytes:
    """A JSON text in UTF-8 with its scalars redacted; what is no JSON text is redacted whole.

    mark: stands for each text, without quotes; it must need no escape. Numbers and truth values become null.
    """
    out = BytesWriter()
    size: i64 = len(value)
    at: i64 = 0
    hidden: i64 = 0
    levels = BytesWriter()  # the open brackets
    depth: i64 = 0
    # what may come: 0 a value, 1 a value or `]`, 2 a key, 3 a key or `}`, 4 `,` or the end of what is open
    state: i64 = 0
    while True:
        at = past_blanks(value, at)
        if at == size:
            break
        code: i64 = value[at]
        if state == 4:
            if depth == 0:
                return whole(mark)
            opened: i64 = i64(levels[depth - 1])
            if code == 44:  # ,
                out.append(44)
                at += 1
                state = 0 if opened == 91 else 2
                continue
            if (code == 93 and opened == 91) or (code == 125 and opened == 123):
                out.append(value[at])
                at += 1
                depth -= 1
                continue
            return whole(mark)
        if state == 2 or state == 3:
            if code == 125 and state == 3:
                out.append(125)
                at += 1
                depth -= 1
                state = 4
                continue
            if code != _QUOTE:
                return whole(mark)
            end = text_end(value, at)
            if end < 0:
                return whole(mark)
            if key_is_name(value, at + 1, end - 1):
                out.write(value[at:end])
            else:
                hidden += 1
                out.append(_QUOTE)
                out.write(mark)
                if hidden > 1:
                    out.write(b" %d" % int(hidden))
                out.append(_QUOTE)
            at = past_blanks(value, end)
            if at == size or value[at] != 58:
                return whole(mark)
            out.append(58)
            at += 1
            state = 0
            continue
        if code == 93 and state == 1:
            out.append(93)
            at += 1
            depth -= 1
            state = 4
        elif code == 123 or code == 91:
            if depth >= DEEPEST:
                return whole(mark)
            if depth < len(levels):
                levels[depth] = value[at]
            else:
                levels.append(value[at])
            depth += 1
            out.append(value[at])
            at += 1
            state = 3 if code == 123 else 1
        elif code == _QUOTE:
            at = text_end(value, at)
            if at < 0:
                return whole(mark)
            out.append(_QUOTE)
            out.write(mark)
            out.append(_QUOTE)
            state = 4
        else:
            end = word_end(value, at)
            if end == at:
                return whole(mark)
            out.write(b"null")
            at = end
            state = 4
    if state != 4 or depth != 0:
        return whole(mark)
    return out.getvalue()


def whole(mark: bytes) -> bytes:
    """The document that stands for one that can't be read."""
    return b'"' + mark + b'"'


def past_blanks(value: bytes, at: i64) -> i64:
    """Where the next byte stands that is no blank."""
    size: i64 = len(value)
    while at < size:
        code: i64 = value[at]
        if code != 32 and code != 10 and code != 13 and code != 9:
            break
        at += 1
    return at


def text_end(value: bytes, at: i64) -> i64:
    """Behind the closing quote of the text whose opening quote is at `at`; -1 if there is none."""
    size: i64 = len(value)
    at += 1
    while at < size:
        code: i64 = value[at]
        if code == _BACKSLASH:
            at += 2
        elif code == _QUOTE:
            return at + 1
        else:
            at += 1
    return -1


def word_end(value: bytes, at: i64) -> i64:
    """Behind a number, true, false or null: letters, digits and signs."""
    size: i64 = len(value)
    while at < size:
        code: i64 = value[at]
        if not (
            48 <= code <= 57
            or 97 <= code <= 122
            or 65 <= code <= 90
            or code == 43
            or code == 45
            or code == 46
        ):
            break
        at += 1
    return at


def key_is_name(value: bytes, at: i64, end: i64) -> bool:
    """Whether a key, value[at:end] as it is written, looks like a name that a program gave."""
    if end == at or end - at > LONGEST_KEY:
        return False
    first: i64 = at
    digits: i64 = 0
    while at < end:
        code: i64 = value[at]
        if at == first and (code < 65 and code != 36):
            return False
        if 48 <= code <= 57:
            digits += 1
        elif not (
            97 <= code <= 122 or 65 <= code <= 90 or code == 95 or code == 45 or code == 46 or code == 36
        ):
            return False
        at += 1
    return digits <= MOST_DIGITS
