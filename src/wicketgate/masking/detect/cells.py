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
                if size < 8:
                    word = cell[at]
                    left = 1
                else:
                    left = size - at
                    if left >= 8:
                        word = read_i64_le(cell, at)
                        left = 8
                    else:  # spaces fill it up
                        word = (read_i64_le(cell, size - 8) >> ((8 - left) * 8)) & (_ALL >> (62 - left * 8))
                        word |= _SPACES << (left * 8)
                    low = word & _LOW
                    lettered = (word >> 1) & (low + _NOT_NOUGHT) & ~(low + _PAST_Z) & _FIVE
                    number = word ^ _NOUGHTS
                    other = ((number & _NIBBLES) + _PAST_NINE) | number | (number >> 1) | (number >> 2)
                    numeric = ((other & _FOUR) ^ _FOUR) << 1
                    worded = lettered | numeric
                    other = ((word & _NIBBLES) + _NIBBLES) | word | (word >> 2)
                    blank = (((other & _FOUR) ^ _FOUR) << 1) & word
                    if worded | blank == _FIVE and (word >> 2) & _FIVE == 0:
                        # letters, digits and spaces, which is most of all text
                        if lettered & 32:
                            mixed = mixed or last == 2
                        elif (numeric & 32 or single) and last == 1:
                            mixed = True
                        single = False
                        capitals = lettered & ~word
                        if capitals:  # which may stand alone
                            if numeric == 0 and left == 8:
                                mixed = mixed or worded != _FIVE
                            else:
                                behind = worded << 8
                                if last != 0:
                                    behind |= 32
                                capitals &= ~behind
                                mixed = mixed or capitals & ~(worded >> 8) & _SEVEN != 0
                                single = (capitals >> 56) & 32 != 0
                        if numeric:
                            if digits == 0:
                                first_digit = at
                            last_digit = at + left
                            digits += ((numeric >> 5) * _ONES >> 56) & 255
                            if (lettered & (numeric << 8)) | (numeric & (lettered << 8)):
                                mixed = True
                        letters += ((lettered >> 5) * _ONES >> 56) & 255
                        if worded == _FIVE:
                            run += 8
                            spelt = spelt or lettered != 0
                            last = 1 if (lettered >> 56) & 32 else 2
                        else:
                            count: i64 = 0
                            if run + 8 > tokens.LEAST and long < 0:
                                while (worded >> (count * 8)) & 32:
                                    count += 1
                                spelt = spelt or lettered & (_ALL >> (62 - count * 8)) != 0
                                if run + count >= tokens.LEAST and spelt:
                                    long = at - run
                                count = 0
                            while (worded >> (56 - count * 8)) & 32:
                                count += 1
                            run = count
                            last = 0
                            spelt = False
                            if count > 0:
                                last = 1 if (lettered >> 56) & 32 else 2
                                spelt = (lettered >> (64 - count * 8)) & _FIVE != 0
                        at += left
                        left = 0
                        continue
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
                codes.find(cell, sense, found, dots >= 2)
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
        codes.find(cell, sense, found, True)
        assignments.find(cell, found)
        networks.find(cell, sense, found)
        tokens.find(cell, sense, found, 0)
        tokens.private_keys(cell, found)
        assignments.headers(cell, found)


_LOW: Final = 0x1F1F1F1F1F1F1F1F
_FIVE: Final = 0x2020202020202020
_ALL: Final = 0x3FFFFFFFFFFFFFFF
_FOUR: Final = 0x1010101010101010
_SPACES: Final = 0x2020202020202020
_NOUGHTS: Final = 0x3030303030303030
_NIBBLES: Final = 0x0F0F0F0F0F0F0F0F
_SEVEN: Final = 0x0020202020202020
_PAST_NINE: Final = 0x0606060606060606
_PAST_Z: Final = 0x0505050505050505
_NOT_NOUGHT: Final = 0x1F1F1F1F1F1F1F1F
_ONES: Final = 0x0101010101010101
"""For eight bytes at once, none of them above 127; what is found stands in bit 5 of each.

ASCII letters are 64 or 96 and 1 to 26: bit 6 stands, and the low five bits are neither 0 (adding 31 would not
reach bit 5) nor above 26 (adding 5 would). Of a digit without its 48 at most 9 is left (adding 6 would not
reach bit 4); a space has bit 5 alone (adding 15 to its low four bits would not reach bit 4).

Bits are made by shifting _ALL right: compiled, a small number shifted left is one of 32 bits, and one above
2^62 an object."""

_NAME: Final = re.compile(rb"[A-Za-z0-9_$\x80-\xff][A-Za-z0-9_ .$\x80-\xff-]{0,63}")
"""A key that may be a name: any other says nothing of what stands under it."""

_KEYS: Final = Sense("", False, False, "")
"""What stands over a key of JSON: nothing."""
