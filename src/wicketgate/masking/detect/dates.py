"""Dates as people write them, where something says that one is a date of birth (compiled).
It must never decide by itself that a date is anybody's."""

import re
from typing import Final

from mypy_extensions import i64

from wicketgate.masking.detect.checksums import value_of

_MONTHS: Final = (
    b"jan(?:uary|uar|vier|uari)?|feb(?:ruary|ruar|ruari)?|f(?:\xc3\xa9|e)v(?:rier|ereiro)?|mar(?:ch|s|zo"
    b"|\xc3\xa7o|zec)?|m(?:\xc3\xa4|a)rz"
    b"|maart|apr(?:il|ile)?|avr(?:il)?|abr(?:il)?|may|mai|mei|mayo|maio|maggio|jun[ie]?|juin|junio|junho"
    b"|giugno|jul[iy]?|juillet|julio"
    b"|julho|luglio|aug(?:ust|ustus)?|ao(?:\xc3\xbb|u)t|ago(?:sto)?|sep(?:t|tember|tembre|tiembre)?"
    b"|set(?:embro|tembre)?|oct(?:ober|obre|ubre)?"
    b"|okt(?:ober)?|ott(?:obre)?|out(?:ubro)?|nov(?:ember|embre|iembre|embro)?|dec(?:ember)?|dez(?:ember"
    b"|embro)?|d(?:\xc3\xa9|e)c(?:embre)?"
    b"|dic(?:iembre|embre)?|gen(?:naio)?|ene(?:ro)?|jan(?:eiro)?|stycznia|lutego|marca|kwietnia|maja"
    b"|czerwca|lipca|sierpnia|wrze\xc5\x9bnia"
    b"|pa\xc5\xbadziernika|listopada|grudnia|febbraio|febrero|marzo"
)
_WRITTEN: Final = re.compile(
    rb"(?:(?<![0-9])(?:0?[1-9]|[12][0-9]|3[01])(?:st|nd|rd|th|er|\.|\xc2\xba)?[ -]{1,2}(?:of |de |di |den"
    rb" )?(?:" + _MONTHS + rb")"
    rb"\.?,?[ -](?:de |of |del )?(?:19[0-9]{2}|20[0-2][0-9])"
    rb"|(?<![a-z])(?:"
    + _MONTHS
    + rb")\.?[ -](?:0?[1-9]|[12][0-9]|3[01])(?:st|nd|rd|th)?,?[ -](?:19[0-9]{2}|20[0-2][0-9]))$"
)


def date_between(cell: bytes, start: i64, end: i64) -> bool:
    """Whether this is a date in digits, with - / or . between: year first or last, of two or four digits."""
    size = end - start
    if size < 6 or size > 10:
        return False
    first = _stop(cell, start, end)
    if first < 0 or first + 1 >= end:
        return False
    second = _stop(cell, first + 1, end)
    if second < 0 or second + 1 >= end or cell[first] != cell[second]:
        return False
    one = first - start
    two = second - first - 1
    three = end - second - 1
    middle = value_of(cell, first + 1, second)
    if two < 1 or two > 2:
        return False
    if one == 4:
        return (
            three <= 2
            and _year(value_of(cell, start, first))
            and _day(middle, value_of(cell, second + 1, end))
        )
    if one > 2 or (three != 4 and three != 2):
        return False
    if three == 4 and not _year(value_of(cell, second + 1, end)):
        return False
    day = value_of(cell, start, first)
    return _day(middle, day) or _day(day, middle)


def _stop(cell: bytes, at: i64, end: i64) -> i64:
    while at < end:
        code: i64 = cell[at]
        if code == 45 or code == 47 or code == 46:
            return at
        if code < 48 or code > 57:
            return -1
        at += 1
    return -1


def _year(year: i64) -> bool:
    return 1900 <= year <= 2099


def _day(month: i64, day: i64) -> bool:
    return 1 <= month <= 12 and 1 <= day <= 31


def date_before(cell: bytes, end: i64) -> i64:
    """Where a date with a month's name begins whose year ends at `end`; -1 where there is none."""
    low: i64 = end - 32 if end > 32 else 0
    found = _WRITTEN.search(cell[low:end].lower())
    return low + found.start() if found is not None else -1


def compact(cell: bytes) -> bool:
    """`19900504`."""
    if not cell.isdigit() or len(cell) != 8:
        return False
    return _year(value_of(cell, 0, 4)) and _day(value_of(cell, 4, 6), value_of(cell, 6, 8))
