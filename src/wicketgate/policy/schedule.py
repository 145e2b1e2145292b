"""When access can be had: days of the week and hours of a day, by the clock of a time zone. Pure.
It must never be open where the clock can't tell: an hour that is shown twice counts once.

A window begins on one of its days and may end on the next. Of a time that the clock shows twice the first
counts; one that it skips stands for the moment of the skip."""

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wicketgate.policy.conditions import moment

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES: Final = 24 * 60
SECOND: Final = 1_000_000_000
_TIME: Final = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])")
_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
AHEAD: Final = 15
"""Days that the next opening is looked for: each day of the week, twice, and what a zone may skip."""


def minutes_of(text: str) -> int | None:
    """`22:30` as minutes of the day; `24:00` is its end. None: it is no time."""
    found = _TIME.fullmatch(text)
    minutes = int(found[1]) * 60 + int(found[2]) if found is not None else MINUTES + 1
    return minutes if minutes <= MINUTES else None


def days_of(text: str) -> frozenset[int] | None:
    """`mon`, `mon-fri`, `fri-mon` as days of the week, Monday is 0. None: they are no days."""
    first, dash, last = text.partition("-")
    if first not in DAYS or (dash and last not in DAYS):
        return None
    begin = DAYS.index(first)
    length = (DAYS.index(last) - begin) % 7 if dash else 0
    return frozenset((begin + each) % 7 for each in range(length + 1))


@dataclass(frozen=True, slots=True)
class Schedule:
    """days: on which windows begin. begin, end: minutes of the day; where end is not after begin, the window
    ends on the next day."""

    days: frozenset[int]
    begin: int
    end: int
    zone: datetime.tzinfo

    def closes(self, now: int) -> int | None:
        """When the window that is open now ends (wall ns); None: none is open."""
        found = None
        for begin, end in self._windows(now, -2, 9):
            if (found is None and begin <= now < end) or (found is not None and begin <= found < end):
                found = end
        return found

    def opens(self, now: int) -> int | None:
        """When the next window begins: now, where one is open. None: none does, as far as can be seen."""
        if self.closes(now) is not None:
            return now
        return next((begin for begin, end in self._windows(now, -2, AHEAD) if begin > now), None)

    def turns(self, now: int) -> int | None:
        """When it opens or closes next; None: it never does."""
        return self.closes(now) or self.opens(now)

    def _windows(self, now: int, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Windows that begin so many days around now (wall ns), in their order."""
        today = moment(now).astimezone(self.zone).date()
        for number in range(first, last):
            day = today + datetime.timedelta(days=number)
            if day.weekday() in self.days:
                over = self.end <= self.begin
                begin = self._edge(day, self.begin)
                end = self._edge(day + datetime.timedelta(days=1) if over else day, self.end)
                if begin < end:
                    yield begin, end

    def _edge(self, day: datetime.date, minutes: int) -> int:
        """A time of a day's clock as wall ns."""
        written = datetime.datetime.combine(day, datetime.time()) + datetime.timedelta(minutes=minutes)
        shown = written.replace(tzinfo=self.zone)
        found = _seconds(shown)
        if self._shown(found) != written:
            # the clock skips it: the skip lies between what the offsets before and after make of it
            early, found = sorted((_seconds(shown.replace(fold=1)), found))
            before = self._offset(early)
            while found - early > 1:
                middle = (early + found) // 2
                early, found = (middle, found) if self._offset(middle) == before else (early, middle)
        return found * SECOND

    def _shown(self, seconds: int) -> datetime.datetime:
        """What the clock shows."""
        return moment(seconds * SECOND).astimezone(self.zone).replace(tzinfo=None)

    def _offset(self, seconds: int) -> datetime.timedelta | None:
        return moment(seconds * SECOND).astimezone(self.zone).utcoffset()


def _seconds(at: datetime.datetime) -> int:
    return (at.astimezone(datetime.UTC) - _EPOCH) // datetime.timedelta(seconds=1)
