"""A text without its plainest literals, told without parsing: whole numbers and simple strings (compiled).
It must never erase what PostgreSQL's lexer would read as anything else: in doubt there is no skeleton.

Two texts of one skeleton have the same tokens but for the values of those literals, and so the same tree but
for them. Whether the values matter to what is proven of a statement is not told here (sql.parse asks
libpg_query once per skeleton which literals it erases, and keeps only what agrees).
"""

from typing import Final

from librt.strings import BytesWriter
from mypy_extensions import i64

LONGEST: Final = 2048
"""Bytes of a text that is worth it."""

DIGITS: Final = 9
"""A longer number may be no int4: the lexer gives it another token."""

NUMBER: Final = 1
STRING: Final = 2
"""Bytes that stand for erased literals: no text with a skeleton has them."""

_IN_NAME: Final = 1
_DIGIT: Final = 2
_REFUSED: Final = 4


def _kinds() -> bytes:
    kinds = bytearray(256)
    for code in range(256):
        letter = chr(code)
        if code >= 127 or (code < 32 and letter not in "\t\n\r") or letter in "?$\\":
            kinds[code] = _REFUSED
        elif "0" <= letter <= "9":
            kinds[code] = _DIGIT
        elif letter.isalpha() or letter in "_.":
            kinds[code] = _IN_NAME
    return bytes(kinds)


_KINDS: Final = _kinds()


def skeleton(text: bytes) -> bytes | None:
    """The text with a byte in the place of each whole number and simple string; None where one can't be sure.

    There is none for a text with a comment, a quote in a quoted name, a parameter, a backslash, a byte that
    is not plain ASCII, a number that is no short run of digits, or a string with a prefix, a quote or a line
    in it.
    """
    size: i64 = len(text)
    if size > LONGEST:
        return None
    out = BytesWriter()
    kinds = _KINDS
    kept: i64 = 0
    at: i64 = 0
    before: i64 = 0  # the kind of the byte before: 0 for nothing that a name or number could go on from
    while at < size:
        code = text[at]
        kind: i64 = kinds[code]
        if kind == _REFUSED:
            return None
        if kind == _DIGIT and before == 0:
            end = at + 1
            while end < size and kinds[text[end]] == _DIGIT:
                end += 1
            if end - at > DIGITS or (end < size and kinds[text[end]] != 0):
                return None
            out.write(text[kept:at])
            out.append(NUMBER)
            at = end
            kept = end
            before = 0
            continue
        if code == 39:  # '
            if before != 0:
                return None
            end = at + 1
            while end < size and text[end] != 39:
                inner = text[end]
                if inner < 32 or inner > 126 or inner == 92:
                    return None
                end += 1
            if end >= size or (end + 1 < size and (text[end + 1] == 39 or kinds[text[end + 1]] != 0)):
                return None
            out.write(text[kept:at])
            out.append(STRING)
            at = end + 1
            kept = at
            before = 0
            continue
        if code == 34:  # a quoted name stays as it is
            end = at + 1
            while end < size and text[end] != 34:
                if text[end] < 32 or text[end] > 126 or text[end] == 92 or text[end] == 63 or text[end] == 36:
                    return None
                end += 1
            if end >= size or (end + 1 < size and text[end + 1] == 34):
                return None
            at = end + 1
            before = _IN_NAME
            continue
        if at + 1 < size and ((code == 45 and text[at + 1] == 45) or (code == 47 and text[at + 1] == 42)):
            return None
        before = _IN_NAME if kind == _DIGIT else kind
        at += 1
    out.write(text[kept:size])
    return out.getvalue()
