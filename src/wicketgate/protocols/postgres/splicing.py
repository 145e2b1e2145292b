"""Rows with some of their cells replaced (compiled).
It must never let a cell through that it was told to replace, nor touch a byte of any other."""

from typing import Final

from librt.strings import BytesWriter, read_i16_be, read_i32_be, read_i64_be, write_i32_be, write_i64_be
from mypy_extensions import i64, u8

from wicketgate.masking.detect.column import Column
from wicketgate.masking.detect.written import CLEAN
from wicketgate.protocols.postgres.frames import FrameError, shorts

VALUE: Final = 0
MARK: Final = 1
NULL: Final = 2
LOOK: Final = 3
"""What stands in a masked cell's place: a value of its own, one mark for all, NULL, or what looking into it
leaves of it."""

SHORT: Final = 128
"""Bytes up to which copying eight at a time is faster than a slice, which is an object of its own."""


def splice(
    data: bytes,
    at: int,
    end: int,
    width: int,
    columns: list[int],
    kinds: list[int],
    marks: list[bytes],
    values: list[list[bytes | None]],
    looks: list[Column | None],
    counts: list[int],
    counted: dict[str, int],
) -> bytes:
    """The DataRow frames in data[at:end] with the named columns (ascending positions) replaced; NULL stays.

    kinds: VALUE, MARK, NULL or LOOK for each. marks, values, looks: what replaces it, or finds what does; for
    VALUE a cell a row, as `gather` found them. counts: gains the cells of each column that were replaced, but
    for LOOK; counted: gains what was found there, by class. Raises FrameError as `gather` does.
    """
    out = BytesWriter()
    here: i64 = at
    kept: i64 = at  # what stands before is in `out`
    last: i64 = end
    row: i64 = 0
    every: i64 = width
    wanted: i64 = len(columns)
    # read once a cell: as bytes they cost no call
    places = shorts(columns)
    what = bytes(kinds)
    nulls = [0] * len(columns)
    while here < last:
        stop: i64 = here + 1 + i64(read_i32_be(data, here + 1))
        if stop < here + 7 or i64(read_i16_be(data, here + 5)) != every:
            raise FrameError("row has another number of columns than announced")
        head: i64 = -1  # where in `out` the row's length stands
        size: i64 = stop - here - 1
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
            position += 1
            kind: i64 = what[index]
            if length < 0:
                nulls[index] += 1
                index += 1
                continue
            value: bytes | None = None
            if kind == LOOK:
                look = looks[index]
                if look is None:
                    raise FrameError("nothing looks into a column")
                masked = look.masked_at(data, cell, cell + length)
                if masked is CLEAN:
                    cell += length
                    index += 1
                    continue
                value = masked.text
                look.count(masked, counted)
            elif kind == MARK:
                value = marks[index]
            elif kind == VALUE:
                value = values[index][row]
            _copy(out, data, kept, cell - 4)
            if head < 0:
                head = len(out) - (cell - 4 - here) + 1
            cell += length
            kept = cell
            size -= length
            if value is None:
                write_i32_be(out, -1)
            else:
                write_i32_be(out, len(value))
                out.write(value)
                size += len(value)
            index += 1
        if head >= 0:
            out[head] = u8((size >> 24) & 255)
            out[head + 1] = u8((size >> 16) & 255)
            out[head + 2] = u8((size >> 8) & 255)
            out[head + 3] = u8(size & 255)
        here = stop
        row += 1
    for place in range(len(counts)):
        seen = looks[place] if kinds[place] == LOOK else None
        if seen is None:
            counts[place] += int(row) - nulls[place]
        else:
            seen.tell(counted)
    if kept == at:
        return data[at:end]
    _copy(out, data, kept, last)
    return out.getvalue()


def _copy(out: BytesWriter, data: bytes, at: i64, end: i64) -> None:
    if end - at > SHORT:
        out.write(data[at:end])
        return
    while at + 8 <= end:
        write_i64_be(out, read_i64_be(data, at))
        at += 8
    while at < end:
        out.append(data[at])
        at += 1
