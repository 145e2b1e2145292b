"""Numbers, truncated to a bucket: the greatest multiple of a size not above them, in both formats (compiled).
A number without such a multiple in its type becomes NULL, as do NaN and the infinities.

Source: int8send, float8send and numeric_send of PostgreSQL; NumericVar in numeric.c.
"""

import math
import re
import struct
from typing import Final

from librt.strings import (
    BytesWriter,
    read_i16_be,
    read_i32_be,
    read_i64_be,
    write_i16_be,
    write_i32_be,
    write_i64_be,
)
from mypy_extensions import i64

from wicketgate.protocols.postgres.maskers import Masker

LONGEST: Final = 1200
"""Digits of a numeric beyond which it is prose: a bucket of it costs time and says nothing."""

EXACT: Final = 1 << 53
"""Up to here a float8 holds every whole number."""

_INTEGER: Final = re.compile(rb"-?[0-9]{1,19}")
_NUMERIC: Final = re.compile(rb"(-?)([0-9]+)(?:\.([0-9]*))?")


class Integers(Masker):
    """int2, int4, int8. width: 2, 4 or 8 bytes. size: of a bucket, above 1, within an int8."""

    def __init__(self, size: int, width: int, binary: bool) -> None:
        self.size = size
        self.width = width
        self.binary = binary
        self.least = -(1 << (8 * width - 1))

    def one(self, value: bytes) -> bytes | None:
        if not self.binary:
            if _INTEGER.fullmatch(value) is None:
                return None
            bucket = int(value) // self.size * self.size
            return b"%d" % bucket if bucket >= self.least else None
        if len(value) != self.width:
            return None
        if self.width == 2:
            number = int(read_i16_be(value, 0))
        elif self.width == 4:
            number = int(read_i32_be(value, 0))
        else:
            number = int(read_i64_be(value, 0))
        bucket = number // self.size * self.size
        if bucket < self.least:
            return None
        out = BytesWriter()
        if self.width == 2:
            write_i16_be(out, bucket)
        elif self.width == 4:
            write_i32_be(out, bucket)
        else:
            write_i64_be(out, bucket)
        return out.getvalue()

    def mask(self, values: list[bytes | None]) -> list[bytes | None]:
        return [None if value is None else self.one(value) for value in values]


class Floats(Masker):
    """float4, float8. width: 4 or 8 bytes."""

    def __init__(self, size: int, width: int, binary: bool) -> None:
        self.size = size
        self.form = ">f" if width == 4 else ">d"
        self.width = width
        self.binary = binary

    def one(self, value: bytes) -> bytes | None:
        number = 0.0
        if self.binary:
            if len(value) != self.width:
                return None
            number = float(struct.unpack(self.form, value)[0])
        else:
            try:
                number = float(value)
                # what a float4's text says is rounded to its digits: as the type itself has it
                number = float(struct.unpack(self.form, struct.pack(self.form, number))[0])
            except (ValueError, OverflowError):
                return None
        if not math.isfinite(number) or abs(number) >= EXACT:
            return None
        bucket = math.floor(number) // self.size * self.size
        if abs(bucket) >= EXACT:
            return None
        cell = struct.pack(self.form, float(bucket))
        # a great bucket is no float4: both formats show the one next to it
        return cell if self.binary else b"%d" % int(struct.unpack(self.form, cell)[0])

    def mask(self, values: list[bytes | None]) -> list[bytes | None]:
        return [None if value is None else self.one(value) for value in values]


class Numerics(Masker):
    """numeric: a whole number without digits behind the point, whatever the column's scale."""

    def __init__(self, size: int, binary: bool) -> None:
        self.size = size
        self.binary = binary

    def one(self, value: bytes) -> bytes | None:
        number = floor_of_binary(value) if self.binary else floor_of_text(value)
        if number is None:
            return None
        bucket = number // self.size * self.size
        return numeric(bucket) if self.binary else b"%d" % bucket

    def mask(self, values: list[bytes | None]) -> list[bytes | None]:
        return [None if value is None else self.one(value) for value in values]


def floor_of_text(value: bytes) -> int | None:
    """The greatest whole number not above a numeric's text; None for what has none."""
    if len(value) > LONGEST:
        return None
    found = _NUMERIC.fullmatch(value)
    if found is None:
        return None
    number = int(found[2])
    rest: bytes | None = found[3]
    if not found[1]:
        return number
    return -number - 1 if rest is not None and rest.strip(b"0") else -number


def floor_of_binary(value: bytes) -> int | None:
    """The same of numeric_send's bytes: how many digits of base 10000, the first one's weight, sign, scale,
    the digits."""
    size: i64 = len(value)
    if size < 8:
        return None
    count: i64 = i64(read_i16_be(value, 0))
    weight: i64 = i64(read_i16_be(value, 2))
    sign: i64 = i64(read_i16_be(value, 4)) & 0xFFFF
    if count < 0 or size != 8 + 2 * count or weight > LONGEST // 4 or (sign != 0 and sign != 0x4000):
        return None
    number = 0
    part = False
    place: i64 = 0
    while place < count or place <= weight:
        digit: i64 = 0
        if place < count:
            digit = i64(read_i16_be(value, 8 + 2 * place))
            if not 0 <= digit < 10000:
                return None
        if place <= weight:
            number = number * 10000 + int(digit)
        elif digit:
            part = True
        place += 1
    if sign == 0:
        return number
    return -number - 1 if part else -number


def numeric(number: int) -> bytes:
    """A whole number as numeric_recv reads it."""
    digits: list[int] = []
    rest = abs(number)
    while rest:
        rest, digit = divmod(rest, 10000)
        digits.append(digit)
    digits.reverse()
    weight = len(digits) - 1 if digits else 0
    while digits and digits[-1] == 0:
        digits.pop()
    out = BytesWriter()
    write_i16_be(out, len(digits))
    write_i16_be(out, weight)
    write_i16_be(out, 0x4000 if number < 0 else 0)
    write_i16_be(out, 0)
    for digit in digits:
        write_i16_be(out, digit)
    return out.getvalue()
