"""COPY … TO STDOUT under a mask: rows are taken apart, masked, and put together again (compiled).
A row that can't be read as the statement's own options say never passes: the session ends.

Source: PostgreSQL manual, "COPY", "File Formats".
"""

from typing import Final

from librt.strings import BytesWriter, read_i16_be, read_i32_be, write_i32_be
from mypy_extensions import i64, u8

from wicketgate.protocols.postgres.copy_format import (
    BINARY,
    NEWLINE,
    CopyFormat,
    cell_end,
    cell_of,
    write_cell,
)
from wicketgate.protocols.postgres.frames import FrameError
from wicketgate.protocols.postgres.looks import Look
from wicketgate.protocols.postgres.maskers import Masker

LARGEST_HELD: Final = 64 << 20
"""Bytes of a row that has not come to its end which are held: a memory limit."""

SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0"


class CopyPlan:
    """How to mask the rows of one COPY. width: its columns. columns: positions, ascending; maskers, classes:
    one of each per position."""

    def __init__(
        self,
        form: CopyFormat,
        width: int,
        columns: list[int],
        maskers: list[Masker],
        classes: list[str],
        leaves: list[Look] | None = None,
    ) -> None:
        self.leaves = leaves or []
        """What looks into columns; these have no class of their own."""
        self.form = form
        self.width = width
        self.columns = columns
        self.maskers = maskers
        self.classes = classes

    def agrees(self, body: bytes) -> bool:
        """Whether a CopyOutResponse's body announces what the plan is for: format and number of columns."""
        if len(body) < 3:
            return False
        return body[0] == (1 if self.form.kind == BINARY else 0) and read_i16_be(body, 1) == self.width


class Copying:
    """One COPY's rows on their way."""

    def __init__(self, plan: CopyPlan) -> None:
        self.plan = plan
        self.held = b""
        """The beginning of a row whose end has not come."""
        self.begun = False
        self.ended = False
        """The trailer of the binary format has come."""

    def feed(self, data: bytes, at: int, end: int, counted: dict[str, int]) -> bytes:
        """The CopyData frames in data[at:end], masked: one frame a row, as PostgreSQL sends them. `counted`
        gains the cells masked by class. Raises FrameError for what is no row."""
        pieces = [self.held] if self.held else []
        here: i64 = at
        while here < end:
            stop: i64 = here + 1 + i64(read_i32_be(data, here + 1))
            pieces.append(data[here + 5 : stop])
            here = stop
        text = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if self.ended and text:
            raise FrameError("COPY goes on behind its end")
        if self.plan.form.kind != BINARY and not text.endswith(b"\n"):
            # a row ends with its frame; one that does not is not looked at again and again
            return self.hold(text)
        return self.rows(text, counted)

    def finish(self, counted: dict[str, int]) -> bytes:
        """What is left to send when the COPY is done. Raises FrameError if a row has not come to its end."""
        out = self.rows(self.held, counted) if self.held else b""
        if self.held or (self.plan.form.kind == BINARY and not self.ended):
            raise FrameError("COPY ends within a row")
        return out

    def hold(self, text: bytes) -> bytes:
        if len(text) > LARGEST_HELD:
            raise FrameError("row is too large to be masked")
        self.held = text
        return b""

    def rows(self, text: bytes, counted: dict[str, int]) -> bytes:
        """Whole rows of `text`, masked and framed; the rest is held."""
        plan = self.plan
        form = plan.form
        ends: list[int] = []
        """Where each row ends."""
        spans: list[int] = []
        """Begin and end of each cell to be masked, row by row."""
        columns: list[list[bytes | None]] = [[] for _ in plan.columns]
        plain: i64 = 0  # rows at the beginning that pass as they are
        at: i64 = 0
        size: i64 = len(text)
        self.held = b""
        if form.kind == BINARY:
            if not self.begun:
                at = header_end(text)
                if at < 0:
                    return self.hold(text)
            last = binary_rows(text, at, plan, ends, spans, columns)
            if last < 0:  # the trailer was met
                last = -last
                if last != size:
                    raise FrameError("COPY goes on behind its end")
                self.ended = True
        else:
            if form.header and not self.begun:
                at = line_end(text, 0, form)
                if at < 0:
                    return self.hold(text)
                ends.append(int(at))
                plain = 1
            last = line_rows(text, at, plan, ends, spans, columns)
        if not ends:
            return self.hold(text)
        self.begun = True
        for leaf in plan.leaves:
            leaf.counted = counted
        masked = [plan.maskers[index].mask(columns[index]) for index in range(len(columns))]
        out = build(text, plan, ends, spans, columns, masked, plain)
        for index in range(len(columns)):
            name = plan.classes[index]
            if not name:
                continue
            counted[name] = counted.get(name, 0) + len(columns[index]) - columns[index].count(None)
        if last < size:
            self.hold(text[last:])
        return out


# -- rows of text and CSV ----------------------------------------------------------------------------------
def line_end(text: bytes, at: i64, form: CopyFormat) -> i64:
    """Behind the newline that ends the row at `at`; -1 if it has not come."""
    size: i64 = len(text)
    while at < size:
        at = cell_end(text, at, form)
        if at < 0 or at >= size:
            return -1
        if text[at] == NEWLINE:
            return at + 1
        at += 1
    return -1


def line_rows(
    text: bytes,
    at: i64,
    plan: CopyPlan,
    ends: list[int],
    spans: list[int],
    columns: list[list[bytes | None]],
) -> i64:
    """Walk the rows from `at`; returns the end of the last whole one."""
    form = plan.form
    size: i64 = len(text)
    wanted: i64 = len(plan.columns)
    while at < size:
        start: i64 = at
        cells: list[int] = []
        index: i64 = 0
        position: i64 = 0
        whole = False
        while True:
            stop: i64 = cell_end(text, at, form)
            if stop < 0 or stop >= size:
                break
            if index < wanted and plan.columns[index] == position:
                cells.append(int(at))
                cells.append(int(stop))
                index += 1
            position += 1
            at = stop + 1
            if text[stop] == NEWLINE:
                whole = True
                break
        if not whole:
            return start
        if position != plan.width:
            raise FrameError("row has another number of columns than announced")
        for number in range(len(columns)):
            columns[number].append(cell_of(text, cells[2 * number], cells[2 * number + 1], form))
        spans += cells
        ends.append(int(at))
    return at


# -- rows of the binary format -----------------------------------------------------------------------------
def header_end(text: bytes) -> i64:
    """Behind the file header; -1 if it has not come."""
    size: i64 = len(text)
    if size < 19:
        if not SIGNATURE.startswith(text[:11]):
            raise FrameError("COPY has no header")
        return -1
    if text[:11] != SIGNATURE:
        raise FrameError("COPY has no header")
    flags: i64 = i64(read_i32_be(text, 11))
    more: i64 = i64(read_i32_be(text, 15))
    if flags != 0 or more < 0:
        raise FrameError("COPY has a header that is not known")
    return 19 + more if 19 + more <= size else -1


def binary_rows(
    text: bytes,
    at: i64,
    plan: CopyPlan,
    ends: list[int],
    spans: list[int],
    columns: list[list[bytes | None]],
) -> i64:
    """Walk the rows from `at`; returns the end of the last whole one, negative if that is the trailer."""
    size: i64 = len(text)
    wanted: i64 = len(plan.columns)
    while at + 2 <= size:
        start: i64 = at
        width: i64 = i64(read_i16_be(text, at))
        at += 2
        if width == -1:
            ends.append(int(at))
            return -at
        if width != plan.width:
            raise FrameError("row has another number of columns than announced")
        cells: list[int] = []
        index: i64 = 0
        position: i64 = 0
        while position < width:
            if at + 4 > size:
                return start
            length: i64 = i64(read_i32_be(text, at))
            if length < -1:
                raise FrameError("a cell has no such length")
            begin: i64 = at
            at += 4 + (length if length > 0 else 0)
            if at > size:
                return start
            if index < wanted and plan.columns[index] == position:
                cells.append(int(begin))
                cells.append(int(at) if length >= 0 else -1)
                index += 1
            position += 1
        for number in range(len(columns)):
            begin = cells[2 * number]
            stop: i64 = cells[2 * number + 1]
            columns[number].append(None if stop < 0 else text[begin + 4 : stop])
            if stop < 0:
                cells[2 * number + 1] = int(begin + 4)
        spans += cells
        ends.append(int(at))
    return at


def build(
    text: bytes,
    plan: CopyPlan,
    ends: list[int],
    spans: list[int],
    columns: list[list[bytes | None]],
    masked: list[list[bytes | None]],
    plain: i64,
) -> bytes:
    """The rows put together again, a frame each, with the cells at `spans` replaced. columns: what stood
    there; a cell that is the same object stays as it was written."""
    form = plan.form
    binary = form.kind == BINARY
    wanted: i64 = len(plan.columns)
    cells: i64 = len(spans)
    out = BytesWriter()
    at: i64 = 0
    span: i64 = 0
    row: i64 = -plain
    for ended in ends:
        end: i64 = ended
        start: i64 = len(out)
        out.append(100)
        write_i32_be(out, 0)
        if row >= 0 and span < cells and spans[span] < end:
            index: i64 = 0
            while index < wanted:
                begin: i64 = spans[span]
                out.write(text[at:begin])
                value = masked[index][row]
                if value is columns[index][row]:
                    out.write(text[begin : spans[span + 1]])
                elif not binary:
                    write_cell(out, value, form)
                elif value is None:
                    write_i32_be(out, -1)
                else:
                    write_i32_be(out, len(value))
                    out.write(value)
                at = spans[span + 1]
                span += 2
                index += 1
        out.write(text[at:end])
        at = end
        size: i64 = len(out) - start - 1
        out[start + 1] = u8((size >> 24) & 255)
        out[start + 2] = u8((size >> 16) & 255)
        out[start + 3] = u8((size >> 8) & 255)
        out[start + 4] = u8(size & 255)
        row += 1
    return out.getvalue()
