"""Windows of a schedule: overnight, by the clocks of zones, over the days on which clocks are changed."""

import datetime
import itertools
import zoneinfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wicketgate.policy.schedule import DAYS, Schedule, days_of, minutes_of

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
ALL = frozenset(range(7))


def at(text: str) -> int:
    """`2026-03-29 01:30+01:00` as wall ns."""
    return int(datetime.datetime.fromisoformat(text).timestamp()) * SECOND


def told(moment: int | None) -> str:
    if moment is None:
        return "never"
    return f"{datetime.datetime.fromtimestamp(moment // SECOND, datetime.UTC):%Y-%m-%d %H:%M}"


def schedule(days: str, begin: str, end: str, zone: str = "Europe/Berlin") -> Schedule:
    chosen = days_of(days)
    first, last = minutes_of(begin), minutes_of(end)
    assert chosen is not None
    assert first is not None
    assert last is not None
    return Schedule(chosen, first, last, zoneinfo.ZoneInfo(zone))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mon", {0}),
        ("mon-fri", {0, 1, 2, 3, 4}),
        ("fri-mon", {4, 5, 6, 0}),
        ("sun-sun", {6}),
        ("mon-sun", ALL),
        ("Mon", None),
        ("mon-", None),
        ("-fri", None),
        ("mon-fri-sun", None),
        ("", None),
        ("monday", None),
    ],
)
def test_days(text: str, found: set[int] | None) -> None:
    assert days_of(text) == (None if found is None else frozenset(found))


@pytest.mark.parametrize(
    ("text", "found"),
    [("00:00", 0), ("24:00", 1440), ("22:30", 1350), ("24:01", None), ("25:00", None), ("7:00", None)],
)
def test_times(text: str, found: int | None) -> None:
    assert minutes_of(text) == found


NIGHTS = schedule("mon-fri", "22:00", "06:00")


@pytest.mark.parametrize(
    ("now", "closes", "opens"),
    [
        # Friday evening, until Saturday morning; none begins on Saturday or Sunday
        ("2026-01-16 21:59+01:00", "never", "2026-01-16 21:00"),
        ("2026-01-16 22:00+01:00", "2026-01-17 05:00", "2026-01-16 21:00"),
        ("2026-01-17 05:59+01:00", "2026-01-17 05:00", "2026-01-17 04:59"),
        ("2026-01-17 06:00+01:00", "never", "2026-01-19 21:00"),
        ("2026-01-17 23:00+01:00", "never", "2026-01-19 21:00"),
        # Monday morning is no part of a window that began on Sunday
        ("2026-01-19 03:00+01:00", "never", "2026-01-19 21:00"),
        # the night in which an hour is skipped (Sat to Sun) has none; the one after is by summer time
        ("2026-03-30 22:00+02:00", "2026-03-31 04:00", "2026-03-30 20:00"),
    ],
)
def test_overnight(now: str, closes: str, opens: str) -> None:
    assert told(NIGHTS.closes(at(now))) == closes
    assert told(NIGHTS.opens(at(now))) == opens


@pytest.mark.parametrize(
    ("begin", "end", "day", "window"),
    [
        # 2026-03-29: 02:00 to 03:00 is skipped
        ("22:00", "06:00", "2026-03-28", ("2026-03-28 21:00", "2026-03-29 04:00")),  # seven hours long
        ("02:30", "04:00", "2026-03-29", ("2026-03-29 01:00", "2026-03-29 02:00")),
        ("01:30", "02:15", "2026-03-29", ("2026-03-29 00:30", "2026-03-29 01:00")),
        ("02:10", "02:50", "2026-03-29", ("never", "never")),
        # 2026-10-25: 02:00 to 03:00 is shown twice
        ("22:00", "06:00", "2026-10-24", ("2026-10-24 20:00", "2026-10-25 05:00")),  # nine hours long
        ("02:00", "02:30", "2026-10-25", ("2026-10-25 00:00", "2026-10-25 00:30")),
        ("01:30", "02:30", "2026-10-25", ("2026-10-24 23:30", "2026-10-25 00:30")),
        ("02:30", "04:00", "2026-10-25", ("2026-10-25 00:30", "2026-10-25 03:00")),
    ],
)
def test_days_on_which_clocks_change(begin: str, end: str, day: str, window: tuple[str, str]) -> None:
    name = DAYS[datetime.date.fromisoformat(day).weekday()]
    found = schedule(name, begin, end)
    start = at(f"{day} 00:00+00:00") - 4 * 60 * MINUTE
    opened = [start + each * MINUTE for each in range(40 * 60) if found.closes(start + each * MINUTE)]
    if not opened:
        assert window == ("never", "never")
        return
    assert (told(opened[0]), told(opened[-1] + MINUTE)) == window
    assert [later - one for one, later in itertools.pairwise(opened)] == [MINUTE] * (len(opened) - 1)


def test_windows_that_adjoin_are_one() -> None:
    always = schedule("mon-sun", "00:00", "24:00")
    now = at("2026-03-28 12:00+01:00")
    closes = always.closes(now)
    assert closes is not None
    assert closes > now + 6 * 24 * 60 * MINUTE
    weekdays = schedule("mon-fri", "00:00", "24:00")
    assert told(weekdays.closes(at("2026-01-13 12:00+01:00"))) == "2026-01-16 23:00"


ZONES = st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"])


@settings(max_examples=120, deadline=None)
@given(
    days=st.sets(st.integers(0, 6), min_size=1),
    begin=st.integers(0, 1439),
    end=st.integers(0, 1440),
    zone=ZONES,
    now=st.integers(at("2025-01-01 00:00+00:00") // SECOND, at("2028-01-01 00:00+00:00") // SECOND),
)
def test_edges_are_where_it_opens_and_closes(
    days: set[int], begin: int, end: int, zone: str, now: int
) -> None:
    if begin == end:
        return
    found = Schedule(frozenset(days), begin, end, zoneinfo.ZoneInfo(zone))
    moment = now * SECOND
    closes, opens = found.closes(moment), found.opens(moment)
    if closes is not None:
        assert opens == moment
        assert closes > moment
        assert found.closes(closes - 1) == closes or found.closes(closes - 1) is not None
        if closes - moment < 6 * 24 * 60 * MINUTE:
            assert found.closes(closes) is None
    elif opens is not None:
        assert opens > moment
        assert found.closes(opens - 1) is None
        assert found.closes(opens) is not None
    # but on days when clocks change it is what the clock shows
    local = datetime.datetime.fromtimestamp(now, zoneinfo.ZoneInfo(zone))
    around = {(local + datetime.timedelta(days=each)).utcoffset() for each in (-2, -1, 0, 1, 2)}
    if len(around) == 1:
        minute = local.hour * 60 + local.minute
        yesterday = (local.weekday() - 1) % 7
        if end > begin:
            shown = local.weekday() in days and begin <= minute < end
        else:
            shown = (local.weekday() in days and minute >= begin) or (yesterday in days and minute < end)
        assert (closes is not None) is shown


@settings(max_examples=60, deadline=None)
@given(
    begin=st.integers(0, 1439),
    length=st.integers(1, 1439),
    zone=ZONES,
    day=st.dates(datetime.date(2025, 1, 1), datetime.date(2027, 12, 31)),
)
def test_a_window_is_never_longer_than_its_clock_and_an_hour(
    begin: int, length: int, zone: str, day: datetime.date
) -> None:
    end = (begin + length) % 1440
    found = Schedule(frozenset({day.weekday()}), begin, end, zoneinfo.ZoneInfo(zone))
    noon = int(datetime.datetime.combine(day, datetime.time(0), zoneinfo.ZoneInfo(zone)).timestamp())
    opens = found.opens((noon - 86400) * SECOND)
    if opens is None:
        return
    closes = found.closes(opens)
    assert closes is not None
    assert closes - opens <= (length + 60) * MINUTE
