"""Arrays and composites: exact for what a server writes, NULL for anything else."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wicketgate.protocols.postgres import arrays, composites
from wicketgate.protocols.postgres.arrays import Arrays
from wicketgate.protocols.postgres.composites import Composites
from wicketgate.protocols.postgres.maskers import Mark, Masker

TEXTS = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=6) | st.text(
    alphabet="{}(),\"\\ NULnul\n'[=]", max_size=6
)
CELLS = st.none() | TEXTS.map(str.encode)
MARK = Mark(b"M")


class Keep(Masker):
    """Shows every value as it is, and notes them."""

    def __init__(self) -> None:
        self.seen: list[bytes | None] = []

    def mask(self, values: list[bytes | None]) -> list[bytes | None]:
        self.seen += values
        return values


def array_out(elements: list[bytes | None], width: int, prefix: bytes = b"") -> bytes:
    """As array_out writes them: one dimension, or rows of `width`."""

    def cell(value: bytes | None) -> bytes:
        if value is None:
            return b"NULL"
        if value and value.upper() != b"NULL" and not set(value) & set(b'{}",\\ \t\n\r\v\f'):
            return value
        return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'

    if not elements:
        return b"{}"
    cells = [cell(element) for element in elements]
    if not width or len(cells) % width:
        return prefix + b"{" + b",".join(cells) + b"}"
    rows = [b"{" + b",".join(cells[at : at + width]) + b"}" for at in range(0, len(cells), width)]
    return prefix + b"{" + b",".join(rows) + b"}"


def array_send(elements: list[bytes | None], oid: int) -> bytes:
    if not elements:
        return struct.pack(">iii", 0, 0, oid)
    out = struct.pack(">iiiii", 1, int(None in elements), oid, len(elements), 1)
    for element in elements:
        out += struct.pack(">i", -1) if element is None else struct.pack(">i", len(element)) + element
    return out


def record_out(fields: list[bytes | None]) -> bytes:
    def cell(value: bytes | None) -> bytes:
        if value is None:
            return b""
        if value and not set(value) & set(b'()",\\ \t\n\r\v\f'):
            return value
        return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'""') + b'"'

    return b"(" + b",".join([cell(field) for field in fields]) + b")"


def record_send(fields: list[bytes | None], types: list[int]) -> bytes:
    out = struct.pack(">i", len(fields))
    for oid, field in zip(types, fields, strict=True):
        out += struct.pack(">I", oid)
        out += struct.pack(">i", -1) if field is None else struct.pack(">i", len(field)) + field
    return out


@given(
    st.lists(st.lists(CELLS, max_size=6), max_size=4),
    st.integers(0, 3),
    st.sampled_from([b"", b"[0:5]=", b"[-1:0][2:3]="]),
)
def test_arrays_there_and_back(many: list[list[bytes | None]], width: int, prefix: bytes) -> None:
    keep = Keep()
    values: list[bytes | None] = [array_out(elements, width, prefix) for elements in many]
    assert Arrays(keep, False).mask([*values, None]) == [*values, None]
    assert keep.seen == [element for elements in many for element in elements]
    keep = Keep()
    values = [array_send(elements, 25) for elements in many]
    assert Arrays(keep, True).mask([None, *values]) == [None, *values]
    assert keep.seen == [element for elements in many for element in elements]
    marked = [array_out([None if e is None else b"M" for e in elements], width, prefix) for elements in many]
    assert Arrays(MARK, False).mask([array_out(elements, width, prefix) for elements in many]) == marked


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=4))
def test_composites_there_and_back(many: list[list[bytes | None]]) -> None:
    types = [25, 4_000_000_000, 23]
    for binary in (False, True):
        keeps = [Keep(), Keep(), Keep()]
        values: list[bytes | None] = [record_send(row, types) if binary else record_out(row) for row in many]
        assert Composites(types, [*keeps], binary).mask([*values, None]) == [*values, None]
        for index, keep in enumerate(keeps):
            assert keep.seen == [row[index] for row in many]


@given(st.lists(CELLS, max_size=4))
def test_composites_within_arrays_within_composites(fields: list[bytes | None]) -> None:
    inner = record_out(fields) if len(fields) != 1 or fields[0] is not None else record_out([b""])
    outer = record_out([array_out([inner, None], 0), b"x"])
    width = max(len(fields), 0)
    keeps: list[Masker] = [Keep() for _ in range(width)]
    nested = Composites([1, 2], [Arrays(Composites([25] * width, keeps, False), False), Keep()], False)
    if width == 0:
        return
    assert nested.mask([outer]) == [outer]


@given(st.binary(max_size=40) | st.text(alphabet='{}[]:=01,"\\aNUL', max_size=20).map(str.encode))
def test_any_text_is_masked_or_null_as_an_array(value: bytes) -> None:
    [masked] = Arrays(MARK, False).mask([value])
    assert masked is None or not set(masked.replace(b"NULL", b"")) - set(b'{}[]:=-0123456789,M"')
    [masked] = Arrays(MARK, True).mask([value])
    assert masked is None or len(masked) >= 12


@given(st.binary(max_size=40) | st.text(alphabet='(),"\\a ', max_size=20).map(str.encode))
def test_any_text_is_masked_or_null_as_a_composite(value: bytes) -> None:
    [masked] = Composites([25, 25], [MARK, MARK], False).mask([value])
    assert masked in (None, b"(M,M)", b"(,M)", b"(M,)", b"(,)")
    [masked] = Composites([25], [MARK], True).mask([value])
    assert masked is None or len(masked) in (12, 13)


@pytest.mark.parametrize(
    "value",
    [
        *(
            b"",
            b"{",
            b"}",
            b"{a",
            b"{a}}",
            b"{{a}",
            b"{a}x",
            b"a",
            b"{a,}",
            b"{,a}",
            b"{a,,b}",
            b'{"a}',
            b'{"a\\"}',
            b"{a{b}}",
        ),
        *(
            b'{a"b}',
            b"{a\\b}",
            b"{{}}",
            b"{{},{}}",
            b"{}x",
            b"[0:1]",
            b"[a:b]={x}",
            b"[0:1={x}",
            b"{a}{b}",
            b'{"a"b}',
        ),
        *(
            b"{{{{{{{a}}}}}}}",
            b"{" * 50_000,
            b"alice@example.com",
            b"[alice@example.com]={a}",
            b"{a},{b}",
            b'{"',
        ),
    ],
)
def test_no_arrays(value: bytes) -> None:
    assert Arrays(Keep(), False).mask([value]) == [None]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        array_send([b"a"], 25)[:-1],
        array_send([b"a"], 25) + b"x",
        struct.pack(">iii", -1, 0, 25),
        struct.pack(">iii", 7, 0, 25) + bytes(60),
        struct.pack(">iiiii", 1, 0, 25, 2, 1) + struct.pack(">i", -1),
        struct.pack(">iiiii", 1, 0, 25, -1, 1),
        struct.pack(">iiiii", 1, 0, 25, 2**31 - 1, 1),
        struct.pack(">iiiiiii", 2, 0, 25, 65536, 1, 65536, 1) + struct.pack(">i", -1) * 4,
        struct.pack(">iiiii", 1, 0, 25, 1, 1) + struct.pack(">i", -2),
        struct.pack(">iii", 0, 0, 25) + b"x",
        b"{alice@example.com}",
    ],
)
def test_no_binary_arrays(value: bytes) -> None:
    assert Arrays(Keep(), True).mask([value]) == [None]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"(",
        b"(a",
        b"(a,b",
        b"a,b",
        b"(a,b)x",
        b'("a,b)',
        b'(a"b,c)',
        b"(a\\b,c)",
        b"(a)",
        b"(a,b,c)",
        b'("a"b,c)',
        b"((a,b)",
        b'("a\\',
        b"(a,",
    ],
)
def test_no_composites(value: bytes) -> None:
    assert Composites([25, 25], [Keep(), Keep()], False).mask([value]) == [None]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\0\0\0\2",
        record_send([b"a"], [25]),
        record_send([b"a", b"b"], [25, 23]),
        record_send([b"a", b"b"], [25, 25])[:-1],
        record_send([b"a", b"b"], [25, 25]) + b"x",
        struct.pack(">iIi", 2, 25, -2) + struct.pack(">Ii", 25, -1),
        struct.pack(">iIi", 2, 25, 2**31 - 1),
    ],
)
def test_no_binary_composites(value: bytes) -> None:
    assert Composites([25, 25], [Keep(), Keep()], True).mask([value]) == [None]


def test_a_broken_value_disturbs_no_other() -> None:
    assert Arrays(MARK, False).mask([b"{a,b}", b"{a", None, b"{c}"]) == [b"{M,M}", None, None, b"{M}"]
    made = Composites([25, 25], [MARK, Masker()], False)
    assert made.mask([b"(a,b)", b"(a", None, b"(,c)"]) == [b"(M,)", None, None, b"(,)"]


def test_what_needs_quotes_gets_them() -> None:
    assert arrays.joined_text([b"{", b",", b"}"], [b"null", b"a b"]) == b'{"null","a b"}'
    assert composites.joined_text([b"", b"a,b"]) == b'("","a,b")'
