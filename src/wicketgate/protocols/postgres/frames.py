"""PostgreSQL's message frames: where each one ends, the few that we read, the few that we write (compiled).
It never trusts a length: every bound is checked before a byte is taken.
Source: PostgreSQL manual, "Message Formats".
"""

from typing import Final

from librt.strings import (
    BytesWriter,
    read_i16_be,
    read_i32_be,
    write_i16_be,
    write_i32_be,
)
from mypy_extensions import i64

HEADER: Final = 5
"""Bytes of a frame before its body: the type and a length that counts itself."""

RESERVED: Final = b"wicketgate."
"""Statements and portals whose names begin so are the gateway's own; a client may not use them."""

NEAR: Final = 64
"""Bytes in which a string's end is looked for one by one: names are short."""

POISON_TEXT: Final = b"wicketgate refused this statement"
"""What stands in a denied statement's place: no PostgreSQL parses it, so the server itself fails the unit."""


class FrameError(ValueError):
    """Bytes that are no frame. The text may be shown to the peer: it holds none of the bytes."""


def frame_end(data: bytes, at: int, limit: int) -> int:
    """Where the frame at `at` ends, which may lie beyond `data`; 0 if its header is not whole yet.

    limit: bytes of the largest frame taken. Raises FrameError for a length below 4 or above it.
    """
    if len(data) - at < HEADER:
        return 0
    start: i64 = at
    length: i64 = i64(read_i32_be(data, start + 1))
    if length < 4 or length > limit:
        raise FrameError("message length is out of bounds")
    return at + 1 + length


def run(data: bytes, at: int, kind: int, limit: int, most: int) -> tuple[int, int]:
    """Walk whole frames of one type (DataRow, CopyData) from `at`: (end of the last one, how many of them).

    limit: bytes of the largest frame taken; most: how many frames at most.
    """
    size: i64 = len(data)
    here: i64 = at
    rows: i64 = 0
    bound: i64 = most
    wanted: i64 = kind
    longest: i64 = limit
    while rows < bound and here + 5 <= size and data[here] == wanted:
        length: i64 = i64(read_i32_be(data, here + 1))
        if length < 4 or length > longest:
            raise FrameError("row length is out of bounds")
        end = here + 1 + length
        if end > size:
            break
        here = end
        rows += 1
    return int(here), int(rows)


def gather(data: bytes, at: int, end: int, width: int, columns: list[int]) -> list[list[bytes | None]]:
    """The named columns (ascending positions) of the DataRow frames in data[at:end], as lists of cells.

    Raises FrameError where a row has not `width` columns or a cell crosses its row's end.
    """
    found: list[list[bytes | None]] = [[] for _ in columns]
    here: i64 = at
    last: i64 = end
    every: i64 = width
    wanted: i64 = len(columns)
    places = shorts(columns)
    while here < last:
        stop = here + 1 + i64(read_i32_be(data, here + 1))
        if stop < here + 7 or i64(read_i16_be(data, here + 5)) != every:
            raise FrameError("row has another number of columns than announced")
        cell: i64 = here + 7
        position: i64 = 0
        index: i64 = 0
        while index < wanted:
            target: i64 = i64(read_i16_be(places, index * 2))
            while True:
                if cell + 4 > stop:
                    raise FrameError("row ends within a column")
                length: i64 = i64(read_i32_be(data, cell))
                cell += 4
                if length < -1 or (length > 0 and cell + length > stop):
                    raise FrameError("column crosses the end of its row")
                if position == target:
                    break
                if length > 0:
                    cell += length
                position += 1
            if length < 0:
                found[index].append(None)
            else:
                found[index].append(data[cell : cell + length])
                cell += length
            position += 1
            index += 1
        here = stop
    return found


def shorts(numbers: list[int]) -> bytes:
    """Two bytes each, as `read_i16_be` reads them."""
    out = BytesWriter()
    for number in numbers:
        write_i16_be(out, number)
    return out.getvalue()


def text_end(data: bytes, at: int, end: int) -> int:
    """Where the NUL-terminated string at `at` ends. Raises FrameError if it does not before `end`."""
    here: i64 = at
    last: i64 = end
    size: i64 = len(data)
    if here >= 0 and last <= size:
        near: i64 = here + NEAR
        if near > last:
            near = last
        while here < near:
            if data[here] == 0:
                return here
            here += 1
    found = data.find(b"\0", at, end)
    if found < 0:
        raise FrameError("string has no end")
    return found


def frame(kind: bytes, body: bytes) -> bytes:
    """One frame of the given type."""
    out = BytesWriter()
    out.write(kind)
    write_i32_be(out, len(body) + 4)
    out.write(body)
    return out.getvalue()


def parse_frame(name: bytes, text: bytes) -> bytes:
    """Parse, with no parameter types given."""
    return frame(b"P", name + b"\0" + text + b"\0\0\0")


def describe_portal_frame(name: bytes) -> bytes:
    """Describe a portal."""
    return frame(b"D", b"P" + name + b"\0")


POISON_PARSE: Final = parse_frame(RESERVED + b"poison", POISON_TEXT)
POISON_QUERY: Final = frame(b"Q", POISON_TEXT + b"\0")
FLUSH: Final = b"H\0\0\0\4"
SYNC: Final = b"S\0\0\0\4"
TERMINATE: Final = b"X\0\0\0\4"

PROBE: Final = b"".join(
    (
        parse_frame(RESERVED + b"path", b"SHOW search_path"),
        frame(b"B", RESERVED + b"path\0" + RESERVED + b"path\0" + b"\0\0\0\0\0\0"),
        frame(b"E", RESERVED + b"path\0\0\0\0\0"),
        frame(b"C", b"P" + RESERVED + b"path\0"),
        frame(b"C", b"S" + RESERVED + b"path\0"),
        SYNC,
    )
)
"""Asks for the session's search_path without touching the client's unnamed statement or portal."""


def first_cell(data: bytes, at: int, end: int) -> bytes | None:
    """The first column of the DataRow at `at`."""
    cells = gather(data, at, end, read_i16_be(data, at + 5), [0])
    return cells[0][0]


def error_code(data: bytes, at: int, end: int) -> str:
    """The SQLSTATE (field C) of the ErrorResponse or NoticeResponse body in data[at:end]; XX000 if none."""
    here = at
    while here < end and data[here] != 0:
        stop = text_end(data, here + 1, end)
        if data[here] == 67:
            return data[here + 1 : stop].decode("latin-1")
        here = stop + 1
    return "XX000"


def columns_of(data: bytes, at: int, end: int) -> list[tuple[int, int, int, int]]:
    """The columns of the RowDescription body in data[at:end]: (table OID, attribute, type OID, format)."""
    if end - at < 2:
        raise FrameError("row description is cut")
    count = read_i16_be(data, at)
    here = at + 2
    found: list[tuple[int, int, int, int]] = []
    for _ in range(count):
        here = text_end(data, here, end) + 1
        if here + 18 > end:
            raise FrameError("row description is cut")
        found.append(
            (
                int(read_i32_be(data, here)) & 0xFFFFFFFF,
                int(read_i16_be(data, here + 4)),
                int(read_i32_be(data, here + 6)) & 0xFFFFFFFF,
                int(read_i16_be(data, here + 16)),
            )
        )
        here += 18
    return found


def bind_names(data: bytes, at: int, end: int) -> tuple[bytes, bytes, int]:
    """The portal's and the statement's names of the Bind body in data[at:end], and where they end."""
    middle = text_end(data, at, end)
    stop = text_end(data, middle + 1, end)
    return data[at:middle], data[middle + 1 : stop], stop + 1
