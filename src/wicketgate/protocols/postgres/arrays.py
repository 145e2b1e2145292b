"""Arrays masked element by element, in both formats (compiled). Bounds, dimensions and NULLs stay.
An array that can't be read to its very end becomes NULL.
Source: array_out, array_send of PostgreSQL; manual, "Array Input and Output Syntax".
"""

import re
from typing import Final

from librt.strings import BytesWriter, read_i32_be, write_i32_be
from mypy_extensions import i64

from wicketgate.protocols.postgres.maskers import Masker

DEEPEST: Final = 6
"""Dimensions that an array has at most."""

_BOUNDS: Final = re.compile(rb"(?:\[-?[0-9]{1,10}:-?[0-9]{1,10}\]){1,6}=")
_COMMA: Final = 44
_QUOTE: Final = 34
_BACKSLASH: Final = 92
_OPEN: Final = 123
_CLOSE: Final = 125


class Arrays(Masker):
    """Arrays whose elements another masks. Their delimiter is a comma."""

    def __init__(self, elements: Masker, binary: bool) -> None:
        self.elements = elements
        self.binary = binary

    def mask(self, values: list[bytes | None]) -> list[bytes | None]:
        pieces: list[list[bytes]] = []
        """Of each array what stands before, between and behind its elements; nothing for NULL."""
        elements: list[bytes | None] = []
        for value in values:
            around: list[bytes] = []
            if value is not None:
                found: list[bytes | None] = []
                read = read_binary(value, around, found) if self.binary else read_text(value, around, found)
                if read:
                    elements += found
                else:
                    around = []
            pieces.append(around)
        masked = self.elements.mask(elements)
        done: list[bytes | None] = []
        here = 0
        for around in pieces:
            if not around:
                done.append(None)
                continue
            count = len(around) - 1
            cells = masked[here : here + count]
            done.append(joined_binary(around, cells) if self.binary else joined_text(around, cells))
            here += count
        return done


def read_text(value: bytes, around: list[bytes], elements: list[bytes | None]) -> bool:
    """Take an array's text apart: its elements, unquoted, and what stands around them, one piece more."""
    size: i64 = len(value)
    at: i64 = 0
    if size and value[0] == 91:  # [2:3][0:1]={…}
        bounds = _BOUNDS.match(value)
        if bounds is None:
            return False
        at = bounds.end()
    start: i64 = 0
    depth: i64 = 0
    expected = True  # an element, or an opening brace
    while at < size:
        code: i64 = value[at]
        if not expected:
            at += 1
            if code == _CLOSE:
                depth -= 1
                if depth == 0:
                    break
            elif code == _COMMA:
                expected = True
            else:
                return False
        elif code == _OPEN:
            depth += 1
            at += 1
            if depth > DEEPEST:
                return False
            if at < size and value[at] == _CLOSE:
                if depth > 1 or elements:
                    return False
                at += 1
                depth = 0
                break
        elif depth == 0:
            return False
        elif code == _QUOTE:
            around.append(value[start:at])
            at += 1
            begin: i64 = at
            escaped = False
            while at < size and value[at] != _QUOTE:
                if value[at] == _BACKSLASH:
                    escaped = True
                    at += 1
                at += 1
            if at >= size:
                return False
            elements.append(unescaped(value, begin, at) if escaped else value[begin:at])
            at += 1
            start = at
            expected = False
        else:
            begin = at
            while at < size:
                code = value[at]
                if code in (_COMMA, _CLOSE):
                    break
                if code in (_OPEN, _QUOTE, _BACKSLASH):
                    return False
                at += 1
            if at == begin:
                return False
            around.append(value[start:begin])
            element = value[begin:at]
            elements.append(None if element == b"NULL" else element)
            start = at
            expected = False
    if depth != 0 or at != size or size == 0:
        return False
    around.append(value[start:])
    return True


def unescaped(value: bytes, begin: i64, end: i64) -> bytes:
    """The text between quotes: a backslash says that the next byte is itself."""
    out = BytesWriter()
    at: i64 = begin
    while at < end:
        if value[at] == _BACKSLASH:
            at += 1
        out.append(value[at])
        at += 1
    return out.getvalue()


def joined_text(around: list[bytes], elements: list[bytes | None]) -> bytes:
    """The inverse of read_text."""
    out = BytesWriter()
    for index, element in enumerate(elements):
        out.write(around[index])
        if element is None:
            out.write(b"NULL")
        elif plain(element):
            out.write(element)
        else:
            out.append(_QUOTE)
            for code in element:
                if code in (_QUOTE, _BACKSLASH):
                    out.append(_BACKSLASH)
                out.append(code)
            out.append(_QUOTE)
    out.write(around[len(elements)])
    return out.getvalue()


def plain(element: bytes) -> bool:
    """Whether an element needs no quotes."""
    size: i64 = len(element)
    if size == 0 or (size == 4 and element.upper() == b"NULL"):
        return False
    at: i64 = 0
    while at < size:
        code: i64 = element[at]
        if code == 32 or 9 <= code <= 13 or code in (_COMMA, _QUOTE, _BACKSLASH, _OPEN, _CLOSE):
            return False
        at += 1
    return True


def read_binary(value: bytes, around: list[bytes], elements: list[bytes | None]) -> bool:
    """Take an array's bytes apart. `around` gets the header, then an empty piece for each element."""
    size: i64 = len(value)
    if size < 12:
        return False
    dimensions: i64 = i64(read_i32_be(value, 0))
    if not 0 <= dimensions <= DEEPEST or size < 12 + 8 * dimensions:
        return False
    count: i64 = 1 if dimensions else 0
    number: i64 = 0
    while number < dimensions:
        count *= i64(read_i32_be(value, 12 + 8 * number))
        if count < 0 or count > size // 4:
            return False
        number += 1
    at: i64 = 12 + 8 * dimensions
    around.append(value[:at])
    while count > 0:
        if at + 4 > size:
            return False
        length: i64 = i64(read_i32_be(value, at))
        at += 4
        if length < -1 or at + length > size:
            return False
        if length < 0:
            elements.append(None)
        else:
            elements.append(value[at : at + length])
            at += length
        around.append(b"")
        count -= 1
    return at == size


def joined_binary(around: list[bytes], elements: list[bytes | None]) -> bytes:
    """The inverse of read_binary; the header says whether there are NULLs."""
    header = around[0]
    out = BytesWriter()
    out.write(header[:4])
    write_i32_be(out, 1 if None in elements else 0)
    out.write(header[8:])
    for element in elements:
        if element is None:
            write_i32_be(out, -1)
        else:
            write_i32_be(out, len(element))
            out.write(element)
    return out.getvalue()
