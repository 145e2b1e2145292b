"""Dates and time stamps, truncated to their month or year, in both formats (compiled).
What is not ISO 8601 as PostgreSQL writes it becomes NULL: in another order day and month can't be told apart.

A time stamp with time zone is truncated in UTC, whatever the session's zone, so that both formats say the
same. Infinity stays. Days before Christ keep their BC.
Source: PostgreSQL manual, "Date/Time Output"; timestamp.h.
"""

import re
from typing import Final

from librt.strings import BytesWriter, read_i32_be, read_i64_be, write_i32_be, write_i64_be
from mypy_extensions import i32, i64

from wicketgate.protocols.postgres.maskers import Masker

DAY: Final = 86_400_000_000
"""Microseconds."""

LEAST: Final = -(1 << 63)
MOST: Final = (1 << 63) - 1
"""A time stamp's -infinity and infinity."""

LEAST_DAY: Final = -(1 << 31)
MOST_DAY: Final = (1 << 31) - 1

EARLIEST: Final = -2_451_545
"""Of PostgreSQL's dates, 4714-11-24 BC."""

EPOCH: Final = 730_425
"""Days from 0000-03-01 to 2000-01-01."""

_TEXT: Final = re.compile(
    rb"([0-9]{4,7})-([0-9]{2})-([0-9]{2})"
    rb"(?: ([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]{1,6})?"
    rb"(?:([+-])([0-9]{2})(?::([0-9]{2}))?(?::([0-9]{2}))?)?)?"
    rb"( BC)?"
)


class Dates(Masker):
    """date. month: to its month, else to its year. binary: the format."""

    def __init__(self, month: bool, binary: bool) -> None:
        self.month = month
        self.binary = binary

    def one(self, value: bytes) -> bytes | None:
        if self.binary:
            if len(value) != 4:
                return None
            day: i64 = i64(read_i32_be(value, 0))
            if day in (LEAST_DAY, MOST_DAY):
                return value
            first: i64 = first_day(day, self.month)
            if first < EARLIEST:
                return None
            out = BytesWriter()
            write_i32_be(out, i32(first))
            return out.getvalue()
        if value == b"infinity" or value == b"-infinity":
            return value
        read = day_of(value, False, False)
        return None if read is None else written(read, self.month)

    def mask(self, values: list[bytes | None]) -> list[bytes | None]:
        return [None if value is None else self.one(value) for value in values]


class Stamps(Masker):
    """timestamp, or with zone timestamptz. month, binary: as for Dates."""

    def __init__(self, month: bool, binary: bool, zone: bool) -> None:
        self.month = month
        self.binary = binary
        self.zone = zone

    def one(self, value: bytes) -> bytes | None:
        if self.binary:
            if len(value) != 8:
                return None
            moment: i64 = read_i64_be(value, 0)
            if moment in (LEAST, MOST):
                return value
            first: i64 = first_day(moment // DAY, self.month)
            if first < EARLIEST:
                return None
            out = BytesWriter()
            write_i64_be(out, first * DAY)
            return out.getvalue()
        if value == b"infinity" or value == b"-infinity":
            return value
        read = day_of(value, True, self.zone)
        if read is None:
            return None
        text = written(read, self.month)
        if text is None:
            return None
        midnight = b" 00:00:00+00" if self.zone else b" 00:00:00"
        return text[:-3] + midnight + b" BC" if text.endswith(b" BC") else text + midnight

    def mask(self, values: list[bytes | None]) -> list[bytes | None]:
        return [None if value is None else self.one(value) for value in values]


def day_of(value: bytes, timed: bool, zoned: bool) -> int | None:
    """The day, counted from 2000-01-01 (in UTC where zoned), of a text; None for one that is none."""
    found = _TEXT.fullmatch(value)
    if found is None:
        return None
    year, month, day, hour, minute, second, sign, zone_hour, zone_minute, zone_second, before = found.groups()
    if (hour is not None) is not timed or (sign is not None) is not zoned:
        return None
    number = int(month)
    if not 1 <= number <= 12 or not 1 <= int(day) <= 31:
        return None
    days = day_from(1 - int(year) if before else int(year), number, int(day))
    if not zoned:
        return int(days)
    offset = int(zone_hour) * 3600 + int(zone_minute or 0) * 60 + int(zone_second or 0)
    seconds = int(hour) * 3600 + int(minute) * 60 + int(second)
    seconds += offset if sign == b"-" else -offset
    return int(days) + seconds // 86400


def written(day: i64, to_month: bool) -> bytes | None:
    """A date's text for the first day of a day's month, or year; None where the type has no such date."""
    first: i64 = first_day(day, to_month)
    if first < EARLIEST:
        return None
    year, month = year_and_month(first)
    if year > 0:
        return b"%04d-%02d-01" % (year, month)
    return b"%04d-%02d-01 BC" % (1 - year, month)


def first_day(day: i64, month: bool) -> i64:
    """The first day of a day's month, or year; days from 2000-01-01 in the Gregorian calendar."""
    year, number = year_and_month(day)
    return day_from(year, number if month else 1, 1)


def year_and_month(day: i64) -> tuple[i64, i64]:
    """Of a day counted from 2000-01-01. 1 BC is year 0. Source: Hinnant, chrono-compatible algorithms."""
    days: i64 = day + EPOCH
    era: i64 = days // 146097
    of_era: i64 = days - era * 146097
    year: i64 = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year: i64 = of_era - (365 * year + year // 4 - year // 100)
    march: i64 = (5 * of_year + 2) // 153
    year += era * 400
    if march < 10:
        return year, march + 3
    return year + 1, march - 9


def day_from(year: i64, month: i64, day: i64) -> i64:
    """The inverse: a date as days from 2000-01-01."""
    if month > 2:
        march: i64 = month - 3
    else:
        march = month + 9
        year -= 1
    era: i64 = year // 400
    of_era: i64 = year - era * 400
    of_year: i64 = (153 * march + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - EPOCH
