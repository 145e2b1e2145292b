"""Values of composite types masked field by field, each by its own type, in both formats (compiled).
A value that can't be read to its very end, or has other fields than the catalog knows, becomes NULL.
Source: record_out, record_send of PostgreSQL; manual, "Composite Type Input and Output Syntax".
"""

from typing import Final

from librt.strings import BytesWriter, read_i32_be, write_i32_be
from mypy_extensions import i32, i64

from wicketgate.protocols.postgres.maskers import Masker

_COMMA: Final = 44
_QUOTE: Final = 34
_BACKSLASH: Final = 92
_OPEN: Final = 40
_CLOSE: Final = 41


class Composites(Masker):
    """types: the fields' type OIDs, in order; fields: what masks each."""

    def __init__(self, types: list[int], fields: list[Masker], binary: bool) -> None:
        self.types = types
        self.fields = fields
        self.binary = binary

    def mask(self, values: list[bytes | None]) -> list[bytes | None]:
        width = len(self.fields)
        columns: list[list[bytes | None]] = [[] for _ in self.fields]
        read: list[bool] = []
        for value in values:
            fields: list[bytes | None] = []
            good = False
            if value is not None:
                good = read_binary(value, self.types, fields) if self.binary else read_text(value, fields)
            good = good and len(fields) == width
            read.append(good)
            if good:
                for index in range(width):
                    columns[index].append(fields[index])
        masked = [self.fields[index].mask(columns[index]) for index in range(width)]
        done: list[bytes | None] = []
        row = 0
        for good in read:
            if not good:
                done.append(None)
                continue
            cells = [column[row] for column in masked]
            done.append(joined_binary(self.types, cells) if self.binary else joined_text(cells))
            row += 1
        return done


def read_text(value: bytes, fields: list[bytes | None]) -> bool:
    """Take a record's text apart: its fields, unquoted; an empty one without quotes is NULL."""
    size: i64 = len(value)
    if size < 2 or value[0] != _OPEN:
        return False
    if size == 2 and value[1] == _CLOSE:
        return True
    at: i64 = 1
    while at < size:
        begin: i64 = at
        if value[at] == _QUOTE:
            out = BytesWriter()
            at += 1
            while True:
                if at >= size:
                    return False
                code: i64 = value[at]
                if code == _QUOTE:
                    if at + 1 >= size or value[at + 1] != _QUOTE:
                        break
                    at += 1
                elif code == _BACKSLASH:
                    at += 1
                    if at >= size:
                        return False
                out.append(value[at])
                at += 1
            fields.append(out.getvalue())
            at += 1
        else:
            while at < size:
                code = value[at]
                if code in (_COMMA, _CLOSE):
                    break
                if code in (_QUOTE, _BACKSLASH, _OPEN):
                    return False
                at += 1
            fields.append(value[begin:at] if at > begin else None)
        if at >= size:
            return False
        code = value[at]
        at += 1
        if code == _CLOSE:
            return at == size
        if code != _COMMA:
            return False
        if at == size:
            return False
    return False


def joined_text(fields: list[bytes | None]) -> bytes:
    """The inverse of read_text."""
    out = BytesWriter()
    out.append(_OPEN)
    for index, field in enumerate(fields):
        if index:
            out.append(_COMMA)
        if field is None:
            continue
        if plain(field):
            out.write(field)
            continue
        out.append(_QUOTE)
        for code in field:
            if code in (_QUOTE, _BACKSLASH):
                out.append(code)
            out.append(code)
        out.append(_QUOTE)
    out.append(_CLOSE)
    return out.getvalue()


def plain(field: bytes) -> bool:
    """Whether a field needs no quotes."""
    size: i64 = len(field)
    at: i64 = 0
    while at < size:
        code: i64 = field[at]
        if code == 32 or 9 <= code <= 13 or code in (_COMMA, _QUOTE, _BACKSLASH, _OPEN, _CLOSE):
            return False
        at += 1
    return size > 0


def read_binary(value: bytes, types: list[int], fields: list[bytes | None]) -> bool:
    """Take a record's bytes apart; its fields must be of these types."""
    size: i64 = len(value)
    if size < 4 or i64(read_i32_be(value, 0)) != len(types):
        return False
    at: i64 = 4
    for oid in types:
        if at + 8 > size or i64(read_i32_be(value, at)) & 0xFFFFFFFF != oid:
            return False
        length: i64 = i64(read_i32_be(value, at + 4))
        at += 8
        if length < -1 or at + length > size:
            return False
        if length < 0:
            fields.append(None)
        else:
            fields.append(value[at : at + length])
            at += length
    return at == size


def joined_binary(types: list[int], fields: list[bytes | None]) -> bytes:
    """The inverse of read_binary."""
    out = BytesWriter()
    write_i32_be(out, len(types))
    for index, field in enumerate(fields):
        oid: i64 = types[index]
        write_i32_be(out, i32(oid if oid < 1 << 31 else oid - (1 << 32)))
        if field is None:
            write_i32_be(out, -1)
        else:
            write_i32_be(out, len(field))
            out.write(field)
    return out.getvalue()
