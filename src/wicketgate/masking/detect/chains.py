"""Groups of digits with separators between them, as numbers are written (compiled).
It must never join digits that a letter or a comma parts."""

from typing import Final

from librt.strings import BytesWriter, read_i32_le, write_i32_le
from mypy_extensions import i32, i64

SPACE: Final = 32
DASH: Final = 45
DOT: Final = 46
SLASH: Final = 47
PLUS: Final = 43
OPEN: Final = 40
CLOSE: Final = 41
WORDLIKE: Final = bytes(
    1 if 97 <= code <= 122 or 65 <= code <= 90 or 48 <= code <= 57 else 0 for code in range(256)
)
MIXED: Final = 1
"""Several characters stand between two groups of digits, like `) `."""


class Chain:
    """Groups of digits with a few separators between them, as `+49 (0)30 123-456`.

    count: of groups. total: digits. They are packed, twelve bytes each: as numbers of Python's they would be
    objects. Groups can be asked about when it is closed.
    """

    def __init__(self, cell: bytes) -> None:
        self.cell: Final = cell
        self.count: i64 = 0
        self.total: i64 = 0
        self.packed = BytesWriter()
        self.groups = b""

    def add(self, sep: i64, start: i64, end: i64) -> None:
        """sep: what stands before a group: a character, or MIXED; 0 before the first."""
        write_i32_le(self.packed, i32(start))
        write_i32_le(self.packed, i32(end))
        write_i32_le(self.packed, i32(sep))
        self.count += 1
        self.total += end - start

    def close(self) -> None:
        self.groups = self.packed.getvalue()

    def start(self, group: i64) -> i64:
        return i64(read_i32_le(self.groups, group * 12))

    def end(self, group: i64) -> i64:
        return i64(read_i32_le(self.groups, group * 12 + 4))

    def sep(self, group: i64) -> i64:
        """What stands behind a group, before the next."""
        return i64(read_i32_le(self.groups, group * 12 + 20))

    def length(self, group: i64) -> i64:
        return self.end(group) - self.start(group)

    def lone(self, first: i64, last: i64) -> bool:
        """Whether these groups stand for themselves."""
        return lone(self.cell, self.start(first), self.end(last))

    def apart(self, first: i64, last: i64) -> bool:
        """Besides, no dash ties them to a further group: not a piece of a UUID or a longer code."""
        if first > 0 and self.sep(first - 1) == DASH:
            return False
        if last + 1 < self.count and self.sep(last) == DASH:
            return False
        return untied(self.cell, self.start(first), self.end(last))


def lone(cell: bytes, start: i64, end: i64) -> bool:
    """Whether no letter stands beside these digits, and no decimal point or comma."""
    if start > 0:
        left: i64 = cell[start - 1]
        if wordlike(left) or ((left == DOT or left == 44) and start > 1 and digit(cell[start - 2])):
            return False
    size: i64 = len(cell)
    if end < size:
        right: i64 = cell[end]
        if wordlike(right) or ((right == DOT or right == 44) and end + 1 < size and digit(cell[end + 1])):
            return False
    return True


def untied(cell: bytes, start: i64, end: i64) -> bool:
    """Whether no dash ties these digits to a word."""
    if start > 1 and cell[start - 1] == DASH and wordlike(cell[start - 2]):
        return False
    return not (end + 1 < len(cell) and cell[end] == DASH and wordlike(cell[end + 1]))


def digit(code: i64) -> bool:
    return 48 <= code <= 57


def wordlike(code: i64) -> bool:
    return 97 <= code <= 122 or 65 <= code <= 90 or 48 <= code <= 57


def gap_behind(cell: bytes, at: i64, size: i64) -> i64:
    """How many characters separate this from the next group of digits: 0 where none follows."""
    if at + 1 >= size:
        return 0
    code: i64 = cell[at]
    if code != SPACE and code != DASH and code != DOT and code != SLASH and code != CLOSE and code != OPEN:
        return 0
    follower: i64 = cell[at + 1]
    if 48 <= follower <= 57:
        return 1
    if code in (DOT, SLASH):
        return 0
    look = at + 1
    while look < size and look < at + 3:
        follower = cell[look]
        if 48 <= follower <= 57:
            return look - at
        if follower != SPACE and follower != DASH and follower != OPEN and follower != CLOSE:
            return 0
        look += 1
    if look < size and digit(cell[look]):
        return look - at
    return 0
