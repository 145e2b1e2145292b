"""What stands in one cell: looks once at every byte, and asks only those finders that may find something
(compiled). It must never answer differently for the same text in another engine."""

import re
from collections.abc import Callable
from typing import Final

from librt.strings import read_i64_le
from mypy_extensions import i64

from wicketgate.masking.detect import assignments, codes, emails, networks, numbers, tokens
from wicketgate.masking.detect.classes import Found
from wicketgate.masking.detect.columns import Sense
from wicketgate.masking.detect.folding import FOLDABLE, fold
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
        found = self._found
        self.text(cell, sense, found)
        if found:
            style = QUOTED if as_json and not (first == 34 or first == 123 or first == 91) else 0
            for data_class, start, end in found:
                edits.append((data_class, 0 if style else start, size if style else end, style))
            found.clear()

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
        digits: i64 = 0
        letters: i64 = 0
        dots: i64 = 0
        dashes: i64 = 0
        colons: i64 = 0
        signs: i64 = 0
        equals: i64 = 0
        high = False
        run: i64 = 0  # characters since the last one that no key holds
        spelt = False  # one of them is a letter
        long: i64 = -1  # where the first run begins that is long enough for a key
        last: i64 = 0  # what came before: 1 a letter, 2 a digit
        single = False  # a capital that stands alone so far
        mixed = False  # letters and digits touch, or a capital stands alone: no plain words and numbers
        first_digit: i64 = size
        last_digit: i64 = 0
        at: i64 = 0
        word: i64 = 0
        left: i64 = 0
        while at < size:
            # eight bytes a read: an index costs as much as a whole word
            if left == 0:
                if at + 8 <= size:
                    word = read_i64_le(cell, at)
                    low = word & _LOW
                    lettered = (word >> 1) & _FIVE
                    if (
                        (word >> 1) & _SIX == 0
                        and (low + _PAST_Z) & _FIVE == 0
                        and (low + _NOT_NOUGHT) & _FIVE == lettered
                    ):
                        # eight letters or spaces, which is most of all prose
                        if lettered & 32:
                            mixed = mixed or last == 2
                        elif single and last == 1:
                            mixed = True
                        single = False
                        if lettered == _FIVE:
                            letters += 8
                            run += 8
                            spelt = True
                            last = 1
                        else:
                            if word & _FIVE != _FIVE:  # a capital, which may stand alone
                                mixed = True
                            count: i64 = 0
                            while (lettered >> (count * 8)) & 32:
                                count += 1
                            if run + count >= tokens.LEAST and long < 0 and (spelt or count > 0):
                                long = at - run
                            letters += ((lettered >> 5) * _ONES >> 56) & 255
                            count = 0
                            while (lettered >> (56 - count * 8)) & 32:
                                count += 1
                            run = count
                            spelt = count > 0
                            last = 1 if count > 0 else 0
                        at += 8
                        continue
                    left = 8
                elif size >= 8:
                    left = size - at
                    word = read_i64_le(cell, size - 8) >> ((8 - left) * 8)
                else:
                    word = cell[at]
                    left = 1
            code: i64 = word & 255
            word >>= 8
            left -= 1
            at += 1
            if 97 <= code <= 122 or 65 <= code <= 90:
                letters += 1
                run += 1
                spelt = True
                if last == 2:
                    mixed = True
                single = last == 0 and code <= 90
                last = 1
                continue
            if 48 <= code <= 57:
                if digits == 0:
                    first_digit = at - 1
                digits += 1
                last_digit = at
                run += 1
                if last == 1:
                    mixed = True
                last = 2
                continue
            if single:
                mixed = mixed or last == 1
                single = False
            last = 0
            if code == 45:
                dashes += 1
                run += 1
                continue
            if code == 95 or code == 47 or code == 43 or code == 126:
                run += 1
                continue
            if run >= tokens.LEAST and spelt and long < 0:
                long = at - 1 - run
            run = 0
            spelt = False
            if code == 46:
                dots += 1
            elif code == 58:
                colons += 1
            elif code == 64 or code == 37:
                signs += 1
            elif code == 61:
                equals += 1
            elif code >= 128:
                high = True
        if run >= tokens.LEAST and spelt and long < 0:
            long = size - run
        if single and last == 1:
            mixed = True
        if high and FOLDABLE.search(cell) is not None:
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
        if signs > 0:
            emails.find(cell, found)
        if digits >= 4:
            if size == 36 and dashes == 4 and digits + letters == 32 and is_uuid(cell):
                return
            if 19 <= size <= 32 and colons >= 2 and dashes >= 2 and is_moment(cell) and not sense.birth:
                return
            if digits >= 7 or dots >= 3 or (digits >= 5 and letters >= 3) or sense.birth or sense.phone:
                numbers.find(cell, sense, found, first_digit, last_digit)
            if mixed and (digits >= 7 or size >= 10):
                codes.find(cell, sense, found)
        if equals > 0 or (colons > 0 and letters >= 3):
            assignments.find(cell, found)
        if (colons >= 2 and digits + letters >= 2) or (digits + letters >= 12 and (dashes >= 5 or dots >= 2)):
            networks.find(cell, sense, found)
        if long >= 0:
            tokens.find(cell, sense, found, long)
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
        codes.find(cell, sense, found)
        assignments.find(cell, found)
        networks.find(cell, sense, found)
        tokens.find(cell, sense, found, 0)
        tokens.private_keys(cell, found)
        assignments.headers(cell, found)


_LOW: Final = 0x1F1F1F1F1F1F1F1F
_FIVE: Final = 0x2020202020202020
_SIX: Final = 0x4040404040404040
_PAST_Z: Final = 0x0505050505050505
_NOT_NOUGHT: Final = 0x1F1F1F1F1F1F1F1F
_ONES: Final = 0x0101010101010101
"""For eight bytes at once. ASCII letters are 64 or 96 and 1 to 26: bit 6 stands, and the low five bits are
neither 0 (adding 31 would not reach bit 5) nor above 26 (adding 5 would); a space has none of these."""

_NAME: Final = re.compile(rb"[A-Za-z0-9_$\x80-\xff][A-Za-z0-9_ .$\x80-\xff-]{0,63}")
"""A key that may be a name: any other says nothing of what stands under it."""

_KEYS: Final = Sense("", False, False, "")
"""What stands over a key of JSON: nothing."""
