"""Writes look-alikes of ASCII as ASCII: digits of other scripts, full-width forms, spaces, dashes; what has
no width is left out (compiled). It must always say where each byte came from."""

import re
import unicodedata
from typing import Final

FOLDABLE: Final = re.compile(
    rb"\xc2[\xa0\xad\xb2\xb3\xb7\xb9]|\xcd\x8f|\xd8\x9c|\xd9[\xa0-\xa9]|\xdb[\xb0-\xb9]|\xdf[\x80-\x89]"
    rb"|[\xe0\xe1\xea][\x80-\xbf][\x80-\xbf]"
    rb"|\xe2(?:\x80[\x80-\x95\xa0-\xaf]|\x81[\x9f-\xbf]|\x82[\x80-\x8f]|\x88[\x92\x99]|\x91|\x93)"
    rb"|\xe3\x80[\x80\xa0]|\xef[\xb8-\xbf]"
    rb"|\xf0(?:\x9d|\x9f\x84|\x9f\xaf|\x90|\x91)|\xf3\xa0"
)
"""Finds what may be folded; a text without it is as it is."""

_DROPPED: Final = frozenset(
    (
        0x034F,
        0x115F,
        0x1160,
        0x3164,
        0xFFA0,
        *range(0xFE00, 0xFE10),
        *range(0x180B, 0x1810),
        *range(0xE0100, 0xE01F0),
    )
)
_AS_DASH: Final = frozenset((0x2212, 0xFE63, 0x00B7, 0x2022, 0x2027, 0x2219, 0x30FB, 0x2043))


class Folded:
    """text: the folded text. starts, ends: for each of its bytes, where the character that it came from
    begins and ends in what was folded."""

    def __init__(self, text: bytes, starts: list[int], ends: list[int]) -> None:
        self.text: Final = text
        self.starts: Final = starts
        self.ends: Final = ends


def fold(cell: bytes) -> Folded:
    """The folded text. Bytes that are not UTF-8 stay as they are."""
    out: list[bytes] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for character in cell.decode("utf-8", "surrogateescape"):
        code = ord(character)
        if code < 128:
            out.append(bytes([code]))
            starts.append(at)
            at += 1
            ends.append(at)
            continue
        raw = character.encode("utf-8", "surrogateescape")
        after = at + len(raw)
        for byte in _folded(character, code, raw):
            out.append(bytes([byte]))
            starts.append(at)
            ends.append(after)
        at = after
    return Folded(b"".join(out), starts, ends)


def _folded(character: str, code: int, raw: bytes) -> bytes:
    if code < 0xA0 or 0xD800 <= code < 0xE000:
        return raw
    category = unicodedata.category(character)
    if category == "Nd":
        return b"%d" % unicodedata.digit(character)
    if category == "Zs":
        return b" "
    if category == "Cf" or code in _DROPPED:
        return b""
    if category == "Pd" or code in _AS_DASH:
        return b"-"
    plain = unicodedata.normalize("NFKC", character)
    if len(plain) == 1 and plain.isascii():
        return plain.encode()
    return raw
