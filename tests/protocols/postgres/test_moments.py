"""Dates and numbers truncated: the same in both formats, never above the value or closer than asked."""

import struct
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicketgate.protocols.postgres.moments import Dates, Stamps
from wicketgate.protocols.postgres.numbers import Floats, Integers, Numerics, floor_of_binary, numeric

EPOCH = date(2000, 1, 1)
MIDNIGHT = datetime(2000, 1, 1)


@given(st.dates(), st.booleans())
def test_dates(day: date, month: bool) -> None:
    first = day.replace(day=1) if month else day.replace(month=1, day=1)
    [text] = Dates(month, False).mask([day.isoformat().encode()])
    assert text == first.isoformat().encode()
    [raw] = Dates(month, True).mask([struct.pack(">i", (day - EPOCH).days)])
    assert raw == struct.pack(">i", (first - EPOCH).days)


@given(st.datetimes(), st.booleans(), st.integers(-57599, 57599))
def test_stamps(moment: datetime, month: bool, offset: int) -> None:
    first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if not month:
        first = first.replace(month=1)
    micros = (moment - MIDNIGHT) // timedelta(microseconds=1)
    wanted = struct.pack(">q", (first - MIDNIGHT) // timedelta(microseconds=1))
    written = moment.isoformat(" ").encode()
    for zone in (False, True):
        assert Stamps(month, True, zone).mask([struct.pack(">q", micros)]) == [wanted]
        shown = first.isoformat(" ").encode() + (b"+00" if zone else b"")
        assert Stamps(month, False, zone).mask([written + (b"+00" if zone else b"")]) == [shown]
    sign, rest = ("-", -offset) if offset < 0 else ("+", offset)
    zoned = f"{sign}{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}".encode()
    [shown_there] = Stamps(month, False, True).mask([written + zoned])
    assert shown_there is not None
    try:
        utc = moment - timedelta(seconds=offset)
    except OverflowError:
        return
    assert shown_there[:7] == (utc.strftime("%Y-%m") if month else f"{utc:%Y}-01").rjust(7, "0").encode()


@pytest.mark.parametrize(
    "value",
    [
        *(
            b"",
            b"1984-03",
            b"12/03/1984",
            b"12.03.1984",
            b"Mon 12 Mar 1984",
            b"1984-13-01",
            b"1984-00-01",
            b"1984-01-00",
        ),
        *(
            b"84-03-12",
            b"1984-03-12 BCE",
            b"1984-03-12\n",
            b"1984-03-12 10:11:12",
            b"alice@example.com",
            b"Infinity",
        ),
        b"99999999-01-01",
    ],
)
def test_no_dates(value: bytes) -> None:
    assert Dates(True, False).mask([value]) == [None]


@pytest.mark.parametrize(
    "value",
    [
        b"1984-03-12",
        b"1984-03-12 10:11",
        b"1984-03-12 10:11:12 CET",
        b"1984-03-12T10:11:12",
        b"03/12/1984 10:11:12 PST",
        b"",
    ],
)
def test_no_stamps(value: bytes) -> None:
    for zone in (False, True):
        assert Stamps(True, False, zone).mask([value]) == [None]
    assert Stamps(True, False, True).mask([b"1984-03-12 10:11:12"]) == [None]
    assert Stamps(True, False, False).mask([b"1984-03-12 10:11:12+00"]) == [None]


@given(st.binary(max_size=12))
def test_no_bytes_break_it(value: bytes) -> None:
    for masker in (
        Dates(True, True),
        Stamps(False, True, True),
        Integers(10, 4, True),
        Floats(10, 4, True),
        Floats(10, 8, True),
        Numerics(10, True),
        Dates(True, False),
        Stamps(True, False, True),
        Integers(10, 4, False),
        Floats(10, 8, False),
        Numerics(10, False),
    ):
        masker.mask([value])


@given(st.integers(-(2**63), 2**63 - 1), st.integers(2, 10**15), st.sampled_from([2, 4, 8]))
def test_integers(number: int, size: int, width: int) -> None:
    number %= 1 << 8 * width
    number -= 1 << 8 * width - 1
    bucket = number // size * size
    least = -(1 << 8 * width - 1)
    [text] = Integers(size, width, False).mask([b"%d" % number])
    [raw] = Integers(size, width, True).mask([number.to_bytes(width, "big", signed=True)])
    if bucket < least:
        assert text is raw is None
    else:
        assert text == b"%d" % bucket
        assert raw == bucket.to_bytes(width, "big", signed=True)


@given(st.floats(allow_nan=True), st.integers(2, 10**6))
def test_floats(number: float, size: int) -> None:
    [text] = Floats(size, 8, False).mask([repr(number).encode()])
    [raw] = Floats(size, 8, True).mask([struct.pack(">d", number)])
    assert (text is None) is (raw is None)
    if text is not None and raw is not None:
        [bucket] = struct.unpack(">d", raw)
        assert float(text) == bucket
        assert bucket <= number < bucket + size
        assert bucket % size == 0


@given(st.decimals(allow_nan=False, allow_infinity=False, places=5), st.integers(2, 10**15))
def test_numerics(number: Decimal, size: int) -> None:
    whole = int(number.to_integral_value("ROUND_FLOOR"))
    [text] = Numerics(size, False).mask([f"{number:f}".encode()])
    assert text == b"%d" % (whole // size * size)


@given(st.integers(-(10**40), 10**40) | st.integers(-30000, 30000))
def test_numerics_as_bytes(number: int) -> None:
    assert floor_of_binary(numeric(number)) == number
    half = numeric(abs(number) * 10000 + 5000)
    weight = struct.unpack(">h", half[2:4])[0] - 1
    sign = b"\x40\0" if number < 0 else b"\0\0"
    # the same digits one place further right: a half more than the number
    moved = half[:2] + struct.pack(">h", weight) + sign + half[6:]
    assert floor_of_binary(moved) == (number if number >= 0 else number - 1)


@pytest.mark.parametrize(
    "value", [b"NaN", b"Infinity", b"-Infinity", b"", b"1e5", b"1_0", b"0x10", b" 1", b"9" * 5000]
)
def test_no_numbers(value: bytes) -> None:
    assert Numerics(10, False).mask([value]) == [None]
    assert Integers(10, 8, False).mask([value]) == [None]
