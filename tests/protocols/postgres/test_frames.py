"""Frames agree with a plain reading of them, and hostile bytes raise FrameError only."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicketgate.protocols.postgres.frames import (
    POISON_PARSE,
    POISON_QUERY,
    PROBE,
    FrameError,
    bind_names,
    columns_of,
    error_code,
    first_cell,
    frame,
    frame_end,
    gather,
    run,
    text_end,
)
from wicketgate.protocols.postgres.parameters import recorded
from wicketgate.protocols.postgres.splicing import MARK, NULL, VALUE, splice

cells = st.one_of(st.none(), st.binary(max_size=40))
MOST = 1 << 40


def row(values: list[bytes | None]) -> bytes:
    body = struct.pack("!h", len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return frame(b"D", body)


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, list[list[bytes | None]], list[int]]:
    width = draw(st.integers(1, 6))
    rows = draw(st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=5))
    columns = sorted(draw(st.sets(st.integers(0, width - 1), min_size=1)))
    return width, rows, columns


@given(tables())
def test_gather_and_splice_agree_with_a_plain_reading(
    table: tuple[int, list[list[bytes | None]], list[int]],
) -> None:
    width, rows, columns = table
    data = b"".join(row(values) for values in rows)
    assert run(data, 0, 68, 1 << 20, MOST) == (len(data), len(rows))
    found = gather(data, 0, len(data), width, columns)
    assert found == [[values[column] for values in rows] for column in columns]
    kinds = [(VALUE, MARK, NULL)[column % 3] for column in columns]
    marks = [b"[mark]" for _ in columns]
    values: list[list[bytes | None]] = [
        [b"*" * (n + 3) for n in range(len(rows))] if kind == VALUE else [] for kind in kinds
    ]
    counts = [0] * len(columns)
    spliced = splice(data, 0, len(data), width, columns, kinds, marks, values, [], counts, {})

    def replaced(column: int, n: int, cell: bytes | None) -> bytes | None:
        if cell is None or column not in columns:
            return cell
        index = columns.index(column)
        return {VALUE: b"*" * (n + 3), MARK: marks[index], NULL: None}[kinds[index]]

    expected = b"".join(
        row([replaced(column, n, cell) for column, cell in enumerate(each)]) for n, each in enumerate(rows)
    )
    assert spliced == expected
    assert counts == [sum(each[column] is not None for each in rows) for column in columns]


@given(tables(), st.integers(0, 400))
def test_run_stops_at_a_cut_frame_and_at_the_most(
    table: tuple[int, list[list[bytes | None]], list[int]], cut: int
) -> None:
    _, rows, _ = table
    frames = [row(values) for values in rows]
    data = b"".join(frames)[:cut]
    end, count = run(data, 0, 68, 1 << 20, MOST)
    assert end == sum(len(each) for each in frames[:count]) <= len(data)
    assert run(data, 0, 68, 1 << 20, 1)[1] <= 1


@given(st.binary(max_size=200), st.integers(1, 5))
def test_hostile_rows_raise_nothing_but_frame_errors(noise: bytes, width: int) -> None:
    data = frame(b"D", noise)
    with contextlib.suppress(FrameError):
        end, _ = run(data, 0, 68, 1 << 20, MOST)
        gather(data, 0, end, width, [width - 1])
    with contextlib.suppress(FrameError):
        end, _ = run(data, 0, 68, 1 << 20, MOST)
        splice(data, 0, end, width, [width - 1], [MARK], [b"[mark]"], [[]], [], [0], {})


@given(st.binary(max_size=120))
def test_hostile_bodies_raise_nothing_but_frame_errors(noise: bytes) -> None:
    for read in (columns_of, error_code, bind_names):
        with contextlib.suppress(FrameError):
            read(noise, 0, len(noise))
    with contextlib.suppress(FrameError):
        recorded(noise, 0, len(noise), frozenset({1}))


@pytest.mark.parametrize("length", [0, 3, -1, 1 << 30])
def test_lengths_out_of_bounds_are_refused(length: int) -> None:
    with pytest.raises(FrameError):
        frame_end(b"Q" + struct.pack("!i", length), 0, 1 << 20)


def test_frame_end_waits_for_a_whole_header() -> None:
    assert frame_end(b"Q\0\0\0", 0, 100) == 0
    assert frame_end(b"Q\0\0\0\x09", 0, 100) == 10


def test_bind_reads_names_formats_and_nulls() -> None:
    body = b"p\0s\0" + struct.pack("!hhh", 2, 1, 0) + struct.pack("!h", 2)
    body += struct.pack("!i", 4) + b"\0\0\0\x07" + struct.pack("!i", -1) + struct.pack("!h", 0)
    portal, statement, after = bind_names(body, 0, len(body))
    assert (portal, statement) == (b"p", b"s")
    assert recorded(body, after, len(body), frozenset()) == ("\\x00000007", None)
    assert recorded(body, after, len(body), None) == ("[redacted]", None)
    assert recorded(body, after, len(body), frozenset({2})) == ("\\x00000007", None)


def test_our_own_messages_are_well_formed() -> None:
    for data in (POISON_PARSE, POISON_QUERY, PROBE):
        at = 0
        while at < len(data):
            at = frame_end(data, at, 1 << 20)
        assert at == len(data)
    assert text_end(b"ab\0", 0, 3) == 2
    data = row([b"public", b"x"])
    assert first_cell(data, 0, len(data)) == b"public"
    assert error_code(b"SERROR\0C42501\0Mno\0\0", 0, 20) == "42501"
