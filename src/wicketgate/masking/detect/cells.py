"""What stands in one cell: looks once at every byte, and asks only those finders that may find something
(compiled). It must never answer differently for the same text in another engine."""

import re
from collections.abc import Callable
from typing import Final

from mypy_extensions import i64

from wicketgate.masking.detect import assignments, codes, emails, networks, numbers, tokens
from wicketgate.masking.detect.classes import Found
from wicketgate.masking.detect.columns import Sense
from wicketgate.masking.detect.folding import FOLDABLE, fold
from wicketgate.masking.detect.idle import nothing
from wicketgate.masking.detect.leaves import (
    ESCAPED,
    ESCAPED_KEY,
    KEY,
    NUMBER,
    Leaf,
    array_leaves,
    array_unescaped,
    json_leaves,
    json_unescaped,
)
from wicketgate.masking.detect.survey import Survey, prose
from wicketgate.masking.detect.wholes import is_moment, is_uuid, whole

QUOTED: Final = 1
HEX: Final = 2
BACKSLASHED: Final = 4
"""How a marker is written: as a JSON string; in hexadecimal; its quotes with backslashes."""

Edit = tuple[str, int, int, int]
"""(data class, start, end, style): style is a sum of QUOTED, HEX and BACKSLASHED."""

Sensing = Callable[[str], Sense]
Extra = Callable[[bytes, Sense, list[Found]], None]


class Cells:
    """Finds in single cells. sensing: what a column's or key's name says. extra: finds custom classes."""

    def __init__(self, sensing: Sensing, extra: Extra | None) -> None:
        self._sensing: Final = sensing
        self._extra: Final = extra
        self._found: Final[list[Found]] = []
        self._survey: Final = Survey()
        self.surveyed = False
        """Whether `idle` has looked at the whole text."""

    def find(self, cell: bytes, sense: Sense, edits: list[Edit], as_json: bool) -> None:
        """Adds what one cell holds to `edits`, in no order, overlapping maybe.

        as_json: the column's type is JSON, so a number that stands alone is a leaf too."""
        size: i64 = len(cell)
        if size == 0:
            return
        first: i64 = cell[0]
        bracket = first == 123 or first == 91 or first == 34 or first <= 32
        if bracket and self._structured(cell, sense, edits, 0):
            return
        if (
            first == 92
            and size >= 10
            and cell[1] == 120
            and size % 2 == 0
            and self._bytea(cell, sense, edits)
        ):
            return
        self.text(cell, sense, self._found)
        self._edited(cell, edits, as_json)

    def idle(self, data: bytes, at: i64, end: i64, sense: Sense) -> bool:
        """Whether there is nothing to find in the cell data[at:end], told without taking it out. Else `find`
        finds what there is; where `surveyed`, `find_surveyed` does so faster.

        It is for cells without custom classes."""
        self.surveyed = False
        if end - at < 3:
            return True
        first: i64 = data[at]
        if first == 123 or first == 91 or first == 34 or first <= 32 or first == 92 or sense.whole:
            return False
        if prose(data, at, end):
            return True
        survey = self._survey
        survey.look(data, at, end)
        if survey.high:
            return False
        self.surveyed = True
        return nothing(survey, data, at, sense)

    def find_surveyed(self, cell: bytes, sense: Sense, found: list[Found]) -> None:
        """`find` in a text, right behind `idle`."""
        self._ask(cell, sense, found)

    def _edited(self, cell: bytes, edits: list[Edit], as_json: bool) -> None:
        """Findings become edits."""
        found = self._found
        if not found:
            return
        if as_json and cell[0] not in (34, 123, 91):  # a number or a word becomes a string
            size = len(cell)
            for data_class, _, _ in found:
                edits.append((data_class, 0, size, QUOTED))
        else:
            for data_class, start, end in found:
                edits.append((data_class, start, end, 0))
        while found:  # there are few: clearing a list costs more
            found.pop()

    # -- inside of a cell ----------------------------------------------------------------------------------
    def _structured(self, cell: bytes, sense: Sense, edits: list[Edit], depth: i64) -> bool:
        """JSON or an array; False where it is neither."""
        json = True
        leaves = json_leaves(cell)
        if leaves is None:
            json = False
            leaves = array_leaves(cell)
            if leaves is None:
                return False
        for leaf in leaves:
            self._leaf(cell, leaf, sense, edits, json, depth)
        return True

    def _leaf(self, cell: bytes, leaf: Leaf, sense: Sense, edits: list[Edit], json: bool, depth: i64) -> None:
        kind, start, end, key = leaf
        if end - start < 3 and self._extra is None:
            return
        if key and _NAME.fullmatch(key) is not None:
            named = self._sensing(key.decode("utf-8", "replace"))
            if named.raised or named.other or named.version:
                sense = named
        elif kind in (KEY, ESCAPED_KEY):
            sense = _KEYS
        raw = cell[start:end]
        escaped = kind in (ESCAPED, ESCAPED_KEY)
        inner: list[Edit] = []
        if not escaped:
            self._inner(raw, sense, inner, depth)
            for data_class, low, high, style in inner:
                if kind == NUMBER:
                    edits.append((data_class, start, end, QUOTED | (BACKSLASHED if depth else 0)))
                else:
                    edits.append((data_class, start + low, start + high, style))
            return
        text, starts, ends = json_unescaped(raw) if json else array_unescaped(raw)
        self._inner(text, sense, inner, depth)
        for data_class, low, high, style in inner:
            edits.append((data_class, start + starts[low], start + ends[high - 1], style))

    def _inner(self, text: bytes, sense: Sense, edits: list[Edit], depth: i64) -> None:
        first: i64 = text[0] if text else 0
        if (first == 123 or first == 91) and depth == 0 and self._structured(text, sense, edits, 1):
            return
        found: list[Found] = []
        self.text(text, sense, found)
        for data_class, start, end in found:
            edits.append((data_class, start, end, 0))

    def _bytea(self, cell: bytes, sense: Sense, edits: list[Edit]) -> bool:
        r"""`\x616263`; False where it is no text."""
        try:
            text = bytes.fromhex(cell[2:].decode("ascii"))
            text.decode("utf-8")
        except ValueError:
            return False
        if len(text) * 2 + 2 != len(cell):
            return False
        inner: list[Edit] = []
        self.find(text, sense, inner, False)
        for data_class, start, end, style in inner:
            edits.append((data_class, start * 2 + 2, end * 2 + 2, style | HEX))
        return True

    # -- a plain text --------------------------------------------------------------------------------------
    def text(self, cell: bytes, sense: Sense, found: list[Found]) -> None:
        """Adds what a text holds to `found`."""
        size: i64 = len(cell)
        if size < 3:
            if self._extra is not None and size > 0:
                self._extra(cell, sense, found)
            return
        self._survey.look(cell, 0, size)
        if self._survey.high and FOLDABLE.search(cell) is not None:
            folded = fold(cell)
            inner: list[Found] = []
            self._plain(folded.text, sense, inner)
            for data_class, low, end in inner:
                found.append((data_class, folded.starts[low], folded.ends[end - 1]))
            return
        if sense.raised and sense.whole and whole(cell, sense):
            found.append(("secret" if sense.raised == "password" else sense.raised, 0, size))
            return
        if self._extra is not None:
            self._extra(cell, sense, found)
        self._ask(cell, sense, found)

    def _ask(self, cell: bytes, sense: Sense, found: list[Found]) -> None:
        """Those finders that may find something in the text that was surveyed."""
        survey = self._survey
        size = survey.size
        digits = survey.digits
        letters = survey.letters
        dots = survey.dots
        dashes = survey.dashes
        colons = survey.colons
        if survey.signs > 0:
            emails.find(cell, found)
        if digits >= 4:
            if size == 36 and dashes == 4 and digits + letters == 32 and is_uuid(cell, 0):
                return
            if (
                19 <= size <= 32
                and colons >= 2
                and dashes >= 2
                and is_moment(cell, 0, size)
                and not sense.birth
            ):
                return
            if digits >= 7 or dots >= 3 or (digits >= 5 and letters >= 3) or sense.birth or sense.phone:
                numbers.find(cell, sense, found, survey.first_digit, survey.last_digit)
            if survey.mixed and (digits >= 7 or size >= 10):
                codes.find(cell, sense, found, dots >= 2)
        if survey.equals > 0 or (colons > 0 and letters >= 3):
            assignments.find(cell, found)
        if (colons >= 2 and digits + letters >= 2) or (digits + letters >= 12 and (dashes >= 5 or dots >= 2)):
            networks.find(cell, sense, found)
        if survey.long >= 0:
            tokens.find(cell, sense, found, survey.long)
            if letters >= 16:
                assignments.headers(cell, found)
        if dashes >= 10 or (colons > 0 and dashes >= 2):
            tokens.private_keys(cell, found)

    def _plain(self, cell: bytes, sense: Sense, found: list[Found]) -> None:
        """All finders: for a text that was folded."""
        if not cell:
            return
        if sense.raised and sense.whole and whole(cell, sense):
            found.append(("secret" if sense.raised == "password" else sense.raised, 0, len(cell)))
            return
        if self._extra is not None:
            self._extra(cell, sense, found)
        emails.find(cell, found)
        numbers.find(cell, sense, found, 0, len(cell))
        codes.find(cell, sense, found, True)
        assignments.find(cell, found)
        networks.find(cell, sense, found)
        tokens.find(cell, sense, found, 0)
        tokens.private_keys(cell, found)
        assignments.headers(cell, found)


_NAME: Final = re.compile(rb"[A-Za-z0-9_$\x80-\xff][A-Za-z0-9_ .$\x80-\xff-]{0,63}")
"""A key that may be a name: any other says nothing of what stands under it."""

_KEYS: Final = Sense("", False, False, "")
"""What stands over a key of JSON: nothing."""
