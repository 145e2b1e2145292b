"""Recorded answers made readable: text, binary, COPY, errors, and bytes that are no messages."""

import datetime
import struct
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicketgate.protocols.postgres.show import show


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">I", len(body) + 4) + body


def description(*columns: tuple[str, int, int]) -> bytes:
    body = struct.pack(">H", len(columns))
    for name, type_oid, form in columns:
        body += name.encode() + b"\0" + struct.pack(">IhIhih", 0, 0, type_oid, -1, -1, form)
    return message(b"T", body)


def row(*cells: bytes | None) -> bytes:
    body = struct.pack(">H", len(cells))
    for cell in cells:
        body += struct.pack(">i", -1) if cell is None else struct.pack(">i", len(cell)) + cell
    return message(b"D", body)


def done(tag: bytes) -> bytes:
    return message(b"C", tag + b"\0")


def test_text_results() -> None:
    found = show(
        description(("id", 23, 0), ("email", 25, 0))
        + row(b"1", "********é".encode())
        + row(b"2", None)
        + done(b"SELECT 2")
        + message(b"Z", b"I")
    )
    [table] = found.tables
    assert table.columns == ("id", "email")
    assert table.rows == (("1", "********é"), ("2", None))
    assert table.tag == "SELECT 2"
    assert (found.notes, found.complete) == ((), True)


@pytest.mark.parametrize(
    ("type_oid", "data", "text"),
    [
        (16, b"\x01", "t"),
        (20, struct.pack(">q", -5), "-5"),
        (21, struct.pack(">h", 7), "7"),
        (23, struct.pack(">i", 42), "42"),
        (701, struct.pack(">d", 1.5), "1.5"),
        (2950, uuid.UUID(int=1).bytes, str(uuid.UUID(int=1))),
        (
            1082,
            struct.pack(">i", (datetime.date(2026, 11, 21) - datetime.date(2000, 1, 1)).days),
            "2026-11-21",
        ),
        (1082, struct.pack(">i", 2**31 - 1), "infinity"),
        (1114, struct.pack(">q", 1_000_000), "2000-01-01 00:00:01"),
        (1184, struct.pack(">q", 0), "2000-01-01 00:00:00+00"),
        (1184, struct.pack(">q", -(2**63)), "-infinity+00"),
        (1700, struct.pack(">hhHHhh", 2, 0, 0, 2, 12, 3400), "12.34"),
        (1700, struct.pack(">hhHHh", 1, -1, 0x4000, 4, 25), "-0.0025"),
        (1700, struct.pack(">hhHHh", 1, 1, 0, 0, 3), "30000"),
        (1700, struct.pack(">hhHH", 0, 0, 0, 2), "0.00"),
        (1700, struct.pack(">hhHH", 0, 0, 0xC000, 0), "NaN"),
        (25, b"plain", "plain"),
        (3802, b'\x01{"a":1}', '{"a":1}'),
        (23, b"odd", "\\x6f6464"),
        (17, b"\x00\x01", "\\x0001"),
        (600, struct.pack(">dd", 1.0, 2.0), "\\x" + struct.pack(">dd", 1.0, 2.0).hex()),
    ],
)
def test_binary_cells(type_oid: int, data: bytes, text: str) -> None:
    [table] = show(description(("c", type_oid, 1)) + row(data) + done(b"SELECT 1")).tables
    assert table.rows == ((text,),)


def test_an_answer_that_nobody_described() -> None:
    [table] = show(row(b"plain", struct.pack(">i", 5)) + done(b"SELECT 1")).tables
    assert table.columns == ()
    assert table.rows == (("plain", "\\x00000005"),)


def test_several_results_errors_and_notices() -> None:
    error = message(b"E", b"SERROR\0VERROR\0C42501\0MNot here.\0HAsk the dba.\0\0")
    found = show(done(b"BEGIN") + message(b"N", b"SNOTICE\0C00000\0Mhello\0\0") + done(b"INSERT 0 1") + error)
    assert [table.tag for table in found.tables] == ["BEGIN", "INSERT 0 1"]
    assert found.notes == ("NOTICE 00000: hello", "ERROR 42501: Not here. HINT: Ask the dba.")


def test_copy_out_in_text_and_binary() -> None:
    head = message(b"H", b"\0" + struct.pack(">H", 0))
    [text] = show(head + message(b"d", b"1\ta\n2\tb\n") + message(b"c", b"") + done(b"COPY 2")).tables
    assert text.rows == (("1\ta",), ("2\tb",))
    body = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
    [binary] = show(head + message(b"d", body) + message(b"c", b"") + done(b"COPY 0")).tables
    assert binary.rows == (("19 bytes of binary COPY",),)


def test_cut_bytes_are_told_and_shown_as_far_as_they_go() -> None:
    whole = description(("a", 25, 0)) + row(b"first") + row(b"second")
    found = show(whole[:-3])
    assert not found.complete
    assert found.tables[0].rows == (("first",),)


def test_long_cells_are_shortened() -> None:
    [table] = show(row(b"x" * 10_000) + done(b"SELECT 1")).tables
    cell = table.rows[0][0]
    assert cell is not None
    assert len(cell) < 2100


@given(st.binary(max_size=200))
def test_any_bytes_are_taken(data: bytes) -> None:
    show(data)


@given(st.lists(st.tuples(st.sampled_from(b"TDCENHdcsIZ12nt"), st.binary(max_size=40)), max_size=6))
def test_any_messages_are_taken(messages: list[tuple[int, bytes]]) -> None:
    show(b"".join(message(bytes([kind]), body) for kind, body in messages))
