"""What masks the cells of a PostgreSQL type, so that a masked cell still parses as its type (compiled).
A type that is not listed becomes NULL: nothing else is valid in every type.
Source: pg_type.dat (OIDs of built-in types never change); PostgreSQL's *_send and *_recv functions.
"""

from collections.abc import Mapping
from typing import Final

from wicketgate.masking.pseudonym import Pseudonyms, class_is_sound
from wicketgate.masking.transforms import marker, redacted
from wicketgate.protocols.postgres.arrays import Arrays
from wicketgate.protocols.postgres.composites import Composites
from wicketgate.protocols.postgres.maskers import Documents, Mark, Masker, Texts, Tokens
from wicketgate.protocols.postgres.moments import Dates, Stamps
from wicketgate.protocols.postgres.numbers import Floats, Integers, Numerics
from wicketgate.sql.compositions import Composition

NAME: Final = 19
TEXT: Final = 25
PADDED: Final = 1042
TEXT_TYPES: Final = frozenset({NAME, TEXT, 705, PADDED, 1043})
"""name, text, unknown, bpchar, varchar: the same bytes in text and in binary. Our marker fits a name.

Not "char" (18), which is one byte. citext, whose OID is another one in each database, the catalog tells.
"""

LONGEST_NAME: Final = 63

BYTES: Final = 17
JSON: Final = 114
JSONB: Final = 3802
NUMERIC: Final = 1700
DATE: Final = 1082
STAMP: Final = 1114
ZONED: Final = 1184
INTEGERS: Final = {20: 8, 21: 2, 23: 4}
FLOATS: Final = {700: 4, 701: 8}

ARRAYS: Final = {
    143: 142,
    199: JSON,
    629: 628,
    651: 650,
    775: 774,
    791: 790,
    1000: 16,
    1001: BYTES,
    1002: 18,
    1003: NAME,
    1005: 21,
    1007: 23,
    1008: 24,
    1009: TEXT,
    1014: PADDED,
    1015: 1043,
    1016: 20,
    1021: 700,
    1022: 701,
    1028: 26,
    1040: 829,
    1041: 869,
    1115: STAMP,
    1182: DATE,
    1183: 1083,
    1185: ZONED,
    1187: 1186,
    1231: NUMERIC,
    1270: 1266,
    1561: 1560,
    1563: 1562,
    2951: 2950,
    3807: JSONB,
}
"""Built-in array types whose delimiter is a comma -> their element types."""

DEEPEST: Final = 16
"""Types within types that are followed."""


class Names:
    """What a session's pseudonyms are made with. scopes: what a mask names (`identity`, `task`, `all`) -> the
    scope itself; one that is not there redacts."""

    def __init__(self, pseudonyms: Pseudonyms, scopes: Mapping[str, bytes]) -> None:
        self.pseudonyms = pseudonyms
        self.scopes = dict(scopes)


class Column:
    """What is to be done to one column, for whichever type it has. transform: a decision's; data_class: `*`
    where it is not known. names: None redacts pseudonyms. whole: nothing of an array, a document or a row is
    shown: which of two was computed can be told by how many parts it has."""

    def __init__(
        self,
        transform: str,
        data_class: str,
        compositions: Mapping[int, Composition],
        names: Names | None,
        whole: bool = False,
    ) -> None:
        self.whole = whole
        self.name, _, self.option = transform.partition(":")
        self.transform = transform
        self.data_class = data_class
        self.compositions = compositions
        self.names = names

    def masker(self, type_oid: int, form: int) -> Masker:
        """What masks cells of a type in a format (0 text, 1 binary)."""
        if form not in (0, 1) or self.name == "null":
            return Masker()
        return self._of(type_oid, form == 1, 0)

    def _of(self, oid: int, binary: bool, depth: int) -> Masker:
        if depth > DEEPEST:
            return Masker()
        if oid in TEXT_TYPES:
            return self._text(oid)
        if self.whole and oid in (JSON, JSONB):
            return Mark(
                (b"\x01" if oid == JSONB and binary else b"") + b'"' + redacted(self.data_class) + b'"'
            )
        if self.whole and oid in ARRAYS:
            return Masker()
        if oid in ARRAYS:
            return Arrays(self._of(ARRAYS[oid], binary, depth + 1), binary)
        if oid in (JSON, JSONB):
            return Documents(redacted(self.data_class), b"\x01" if oid == JSONB and binary else b"")
        if oid == BYTES:
            if self.name == "pseudonym":
                return Masker()
            mark = redacted(self.data_class)
            return Mark(mark if binary else b"\\x" + mark.hex().encode())
        if self.name == "truncate" and oid < 16384:
            return self._truncated(oid, binary)
        return self._made(oid, binary, depth)

    def _text(self, oid: int) -> Masker:
        padded = oid == PADDED
        if self.name == "pseudonym":
            names = self.names
            scope = None if names is None or oid == NAME else names.scopes.get(self.option)
            if names is None or scope is None or not class_is_sound(self.data_class):
                return Mark(redacted(self.data_class))
            return Tokens(names.pseudonyms.of(self.data_class, scope), padded)
        mark = marker(self.transform, self.data_class)
        if mark is not None:
            return Mark(mark)
        return Texts(self.transform, self.data_class, LONGEST_NAME if oid == NAME else 0, padded)

    def _truncated(self, oid: int, binary: bool) -> Masker:
        month = self.option in ("", "month")
        if month or self.option == "year":
            if oid == DATE:
                return Dates(month, binary)
            if oid in (STAMP, ZONED):
                return Stamps(month, binary, oid == ZONED)
            return Masker()
        size = bucket(self.option)
        if size == 0:
            return Masker()
        if oid in FLOATS:
            return Floats(size, FLOATS[oid], binary)
        if oid == NUMERIC:
            return Numerics(size, binary)
        if oid in INTEGERS:
            return Integers(size, INTEGERS[oid], binary)
        return Masker()

    def _made(self, oid: int, binary: bool, depth: int) -> Masker:
        """Of a type of the database's own."""
        made = self.compositions.get(oid)
        if made is None:
            return Masker()
        if made.kind == "text":
            return self._text(TEXT)
        if made.kind == "domain":
            return self._of(made.parts[0], binary, depth + 1)
        if self.whole and made.kind in ("array", "row"):
            return Masker()
        if made.kind == "array":
            element = made.parts[0]
            if not self._comma(element):
                return Masker()
            return Arrays(self._of(element, binary, depth + 1), binary)
        if made.kind == "row":
            types = list(made.parts)
            return Composites(types, [self._of(each, binary, depth + 1) for each in types], binary)
        return Masker()

    def _comma(self, oid: int) -> bool:
        """Whether arrays of a type surely have a comma between their elements."""
        for _ in range(DEEPEST):
            if oid < 16384:
                return oid in TEXT_TYPES or oid in ARRAYS.values()
            made = self.compositions.get(oid)
            if made is None or made.kind != "domain":
                return made is not None and made.kind in ("row", "text", "enum")
            oid = made.parts[0]
        return False


def bucket(option: str) -> int:
    """A truncation's size, a whole number from 2 to 10^15 (1 would hide nothing of whole numbers); 0 where it
    is none."""
    if not (option.isascii() and option.isdigit() and len(option) <= 16):
        return 0
    size = int(option)
    return size if 2 <= size <= 10**15 else 0
