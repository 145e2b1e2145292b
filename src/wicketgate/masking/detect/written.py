"""Writes markers in the place of findings (compiled).
It must never change a byte that belongs to no finding, nor leave one that does."""

from typing import Final

from mypy_extensions import i64

from wicketgate.masking.detect.cells import BACKSLASHED, HEX, QUOTED, Edit
from wicketgate.masking.transforms import redacted


def united(edits: list[Edit], hidden: frozenset[str]) -> list[Edit]:
    """Those of hidden classes, in order; where they overlap, one for all, named as the longest of them."""
    if len(edits) == 1:
        return edits if edits[0][0] in hidden else []
    kept = [edit for edit in edits if edit[0] in hidden]
    if len(kept) < 2:
        return kept
    kept.sort(key=_start)
    out: list[Edit] = []
    name, start, end, style = kept[0]
    longest = end - start
    for at in range(1, len(kept)):
        edit = kept[at]
        if edit[1] < end:
            size = edit[2] - edit[1]
            if size > longest or (size == longest and edit[0] == "secret"):
                name = edit[0]
                longest = edit[2] - edit[1]
            if edit[2] > end:
                end = edit[2]
            style |= edit[3]
        else:
            out.append((name, start, end, style))
            name, start, end, style = edit
            longest = end - start
    out.append((name, start, end, style))
    return out


def tied(value: bytes, edits: list[Edit]) -> bool:
    """Whether something stands beside a finding that is read together with it."""
    return any(beside(value, edit[1], edit[2]) for edit in edits)


def beside(value: bytes, start: i64, end: i64) -> bool:
    """The same of one finding."""
    if start > 0 and _TIES[value[start - 1]] == 1:
        return True
    return end < len(value) and _TIES[value[end]] == 1


_TIES: Final = bytes(1 if code > 32 and code not in b",;\"']}" else 0 for code in range(256))
"""No space, comma, semicolon, quote or closing bracket."""


def _start(edit: Edit) -> tuple[int, int]:
    return edit[1], -edit[2]


class Masked:
    """A cell with markers in it, and the classes that they are of."""

    def __init__(self, text: bytes, names: list[str]) -> None:
        self.text: Final = text
        self.names: Final = names


CLEAN: Final = Masked(b"", [])
"""Nothing was found: the cell stays as it is."""


def written(value: bytes, edits: list[Edit]) -> Masked:
    """The cell with markers."""
    if len(edits) == 1:
        name, start, end, style = edits[0]
        return alone(value, [name], start, end, marker(name, style))
    parts: list[bytes] = []
    names: list[str] = []
    at = 0
    for name, start, end, style in edits:
        names.append(name)
        parts.append(value[at:start])
        parts.append(marker(name, style))
        at = end
    parts.append(value[at:])
    return Masked(b"".join(parts), names)


def alone(value: bytes, names: list[str], start: i64, end: i64, mark: bytes) -> Masked:
    """The cell with one marker, whose class `names` holds."""
    if end < len(value):
        mark += value[end:]
    if start > 0:
        mark = value[:start] + mark
    return Masked(mark, names)


_MARKS: Final[dict[str, bytes]] = {}
_MOST_MARKS: Final = 4096


def marker(name: str, style: int) -> bytes:
    """A class's marker in a style of cells.py."""
    mark = _MARKS.get(name)
    if mark is None:
        mark = redacted(name)
        if len(_MARKS) < _MOST_MARKS:
            _MARKS[name] = mark
    if style == 0:
        return mark
    if style & QUOTED:
        quote = b'\\"' if style & BACKSLASHED else b'"'
        mark = quote + mark + quote
    return mark.hex().encode() if style & HEX else mark
