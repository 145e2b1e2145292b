"""An answer's recorded bytes, made readable for a replay. Sans I/O; any bytes are taken, cut ones too.
Shows what the client saw and nothing else: there is nothing to unmask here.
Source: PostgreSQL manual, "Message Formats"; binary forms from each type's send function.
"""

import datetime
import struct
import uuid
from collections.abc import Callable
from typing import Final

from wicketgate.protocols.shown import Shown, ShownTable

CELL_MOST: Final = 2000
"""Characters of one cell that are shown; the journal holds the rest."""

_EPOCH: Final = datetime.datetime(2000, 1, 1)


def _timestamp(data: bytes) -> str:
    number = struct.unpack(">q", data)[0]
    if number in (2**63 - 1, -(2**63)):
        return "infinity" if number > 0 else "-infinity"
    return str(_EPOCH + datetime.timedelta(microseconds=number))


def _date(data: bytes) -> str:
    number = struct.unpack(">i", data)[0]
    if number in (2**31 - 1, -(2**31)):
        return "infinity" if number > 0 else "-infinity"
    return str(_EPOCH.date() + datetime.timedelta(days=number))


def _numeric(data: bytes) -> str:
    count, weight, sign, scale = struct.unpack_from(">hhHh", data)
    if sign == 0xC000:
        return "NaN"
    if sign in (0xD000, 0xF000):
        return "Infinity" if sign == 0xD000 else "-Infinity"
    if not 0 <= scale <= 16383 or not -4096 <= weight <= 32767 or len(data) != 8 + 2 * count:
        raise ValueError("not a numeric")
    digits = [f"{digit:04d}" for digit in struct.unpack_from(f">{count}h", data, 8)]
    whole = "".join(digits[at] if at < count else "0000" for at in range(weight + 1)).lstrip("0") or "0"
    places = range(weight + 1, weight + 1 + (scale + 3) // 4)
    part = "".join(digits[at] if 0 <= at < count else "0000" for at in places)[:scale]
    return ("-" if sign == 0x4000 else "") + whole + (f".{part}" if part else "")


_BINARY: Final[dict[int, Callable[[bytes], str]]] = {
    16: lambda data: "t" if data == b"\x01" else "f",
    20: lambda data: str(struct.unpack(">q", data)[0]),
    21: lambda data: str(struct.unpack(">h", data)[0]),
    23: lambda data: str(struct.unpack(">i", data)[0]),
    26: lambda data: str(struct.unpack(">I", data)[0]),
    700: lambda data: repr(struct.unpack(">f", data)[0]),
    701: lambda data: repr(struct.unpack(">d", data)[0]),
    1082: _date,
    1114: _timestamp,
    1184: lambda data: _timestamp(data) + "+00",
    1700: _numeric,
    2950: lambda data: str(uuid.UUID(bytes=data)),
    3802: lambda data: data[1:].decode(),
}
_TEXT: Final = frozenset({18, 19, 25, 114, 142, 705, 1042, 1043})


def _cell(data: bytes | None, type_oid: int, binary: bool) -> str | None:
    """A cell as text. What can't be told is shown as PostgreSQL shows bytea, in hex."""
    if data is None:
        return None
    reader = _BINARY.get(type_oid) if binary else None
    try:
        if reader is not None:
            text = reader(data)
        else:
            text = data.decode("utf-8")
            if binary and type_oid not in _TEXT and not text.isprintable():
                raise ValueError("not text")
    except (ValueError, struct.error, OverflowError):
        text = "\\x" + data[: CELL_MOST // 2].hex() + ("…" if len(data) > CELL_MOST // 2 else "")
    return text if len(text) <= CELL_MOST + 2 else text[:CELL_MOST] + "…"


def _text(body: bytes, at: int) -> tuple[str, int]:
    end = body.index(b"\0", at)
    return body[at:end].decode("utf-8", "replace"), end + 1


def _fields(body: bytes) -> str:
    found: dict[str, str] = {}
    at = 0
    while at < len(body) and body[at]:
        found[chr(body[at])], at = _text(body, at + 1)
    text = f"{found.get('V', found.get('S', 'ERROR'))} {found.get('C', '')}: {found.get('M', '')}"
    for key, name in (("D", "DETAIL"), ("H", "HINT")):
        if key in found:
            text += f" {name}: {found[key]}"
    return text


class _Reader:
    """Gathers tables and notes while it walks over messages."""

    def __init__(self) -> None:
        self.tables: list[ShownTable] = []
        self.notes: list[str] = []
        self.columns: list[tuple[str, int, bool]] = []
        self.rows: list[tuple[str | None, ...]] = []
        self.copied: list[bytes] | None = None
        self.open = False

    def close(self, tag: str | None) -> None:
        if self.copied is not None:
            text = b"".join(self.copied)
            if text.startswith(b"PGCOPY\n\xff\r\n\0"):
                self.rows = [(f"{len(text)} bytes of binary COPY",)]
            else:
                self.rows = [(_cell(line, 25, False),) for line in text.splitlines()]
        if self.open or self.rows or tag is not None:
            self.tables.append(ShownTable(tuple(name for name, _, _ in self.columns), tuple(self.rows), tag))
        self.columns, self.rows, self.copied, self.open = [], [], None, False

    def take(self, kind: bytes, body: bytes) -> None:
        if kind == b"D":
            self.rows.append(self._row(body))
        elif kind == b"T":
            self.columns, self.open = self._description(body), True
        elif kind == b"C":
            self.close(_text(body, 0)[0])
        elif kind in b"EN":
            if kind == b"E":
                self.close(None)
            self.notes.append(_fields(body))
        elif kind == b"H":
            self.copied = []
        elif kind == b"d" and self.copied is not None:
            self.copied.append(body)
        elif kind == b"s":
            self.close("portal suspended")
        elif kind == b"I":
            self.close("empty statement")

    def _description(self, body: bytes) -> list[tuple[str, int, bool]]:
        (count,) = struct.unpack_from(">H", body)
        at, columns = 2, []
        for _ in range(count):
            name, at = _text(body, at)
            # table OID, attribute | type OID | type size, modifier | format
            type_oid, form = struct.unpack_from(">6xI6xh", body, at)
            columns.append((name, type_oid, form == 1))
            at += 18
        return columns

    def _row(self, body: bytes) -> tuple[str | None, ...]:
        (count,) = struct.unpack_from(">H", body)
        at, cells = 2, []
        for index in range(count):
            (length,) = struct.unpack_from(">i", body, at)
            at += 4
            data = None if length < 0 else body[at : at + length]
            if data is not None and len(data) != length:
                raise ValueError("a cell that ends outside its row")
            at += max(length, 0)
            # without a description the form is unknown: as if binary, so only what is text is shown as text
            _, type_oid, binary = self.columns[index] if index < len(self.columns) else ("", 0, True)
            cells.append(_cell(data, type_oid, binary))
        return tuple(cells)


def show(answer: bytes) -> Shown:
    """Messages of a server, as the client saw them, as tables and notes. Never raises.

    complete: False where the bytes end inside a message, or are no messages."""
    reader = _Reader()
    at, complete = 0, True
    while at < len(answer):
        if at + 5 > len(answer):
            complete = False
            break
        (length,) = struct.unpack_from(">I", answer, at + 1)
        end = at + 1 + length
        if length < 4 or end > len(answer):
            complete = False
            break
        try:
            reader.take(answer[at : at + 1], answer[at + 5 : end])
        except (ValueError, struct.error):
            reader.notes.append(f"a message that can't be read at byte {at}")
            complete = False
            break
        at = end
    reader.close(None)
    return Shown(tuple(reader.tables), tuple(reader.notes), complete)
