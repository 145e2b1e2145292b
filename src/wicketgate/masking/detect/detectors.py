"""Finds sensitive values in columns of cells, and writes markers in their place (compiled).
It must never show a value that it found, nor change a cell in which it found nothing."""

from collections.abc import Iterable, Sequence
from typing import Final

from mypy_extensions import i64

from wicketgate.masking.detect.cells import BACKSLASHED, HEX, QUOTED, Cells, Edit
from wicketgate.masking.detect.classes import CLASSES, Span
from wicketgate.masking.detect.columns import Sense, sense
from wicketgate.masking.detect.custom import Customs
from wicketgate.masking.detect.engines import Maybe
from wicketgate.masking.transforms import redacted
from wicketgate.model.detector import Custom

_REMEMBERED: Final = 4096
"""Names whose meaning is kept."""


class Detectors:
    """Compiled once, for a set of classes; shared by all sessions. Holds nothing of what it saw."""

    def __init__(self, classes: Iterable[str], custom: Sequence[Custom] = (), fast: bool = True) -> None:
        """classes: those to find, built-in or custom; a custom one that is not among them is left out.
        fast: hyperscan may say which cells are worth a look; the findings are the same without it.

        Raises ValueError for a class that does not exist, or a pattern that RE2 refuses."""
        self.classes: Final = frozenset(classes)
        unknown = self.classes - set(CLASSES) - {each.name for each in custom}
        if unknown:
            raise ValueError(f"there is no data class {', '.join(sorted(unknown))} to detect")
        wanted = [each for each in custom if each.name in self.classes]
        self._senses: dict[str, Sense] = {}
        self._customs: Final = Customs(wanted) if wanted else None
        self._maybe: Maybe | None = None
        if self._customs is not None and (self._customs.searched or self._customs.listed):
            self._maybe = Maybe(self._customs.searched, self._customs.listed, fast)
        self._builtin: Final = Cells(self._sense, None)
        self._both: Final = self._builtin if self._customs is None else Cells(self._sense, self._customs.find)

    def _sense(self, name: str) -> Sense:
        known = self._senses.get(name)
        if known is None:
            if len(self._senses) >= _REMEMBERED:
                self._senses.clear()
            known = sense(name)
            self._senses[name] = known
        return known

    def scan(
        self, values: list[bytes | None], column: str = "", as_json: bool = False
    ) -> list[tuple[int, list[Span]]]:
        """What the cells of a column hold: (index, spans in order, none overlapping), of those that hold any.

        column: its name, "" where there is none. as_json: its type is json or jsonb."""
        found: list[tuple[int, list[Span]]] = []
        named = self._sense(column)
        maybe = self._maybes(values, named)
        for at in range(len(values)):
            value = values[at]
            if value is None:
                continue
            edits = self._edits(value, named, maybe is None or at in maybe, self.classes, as_json)
            if edits:
                found.append((at, [(data_class, start, end) for data_class, start, end, _ in edits]))
        return found

    def mask(
        self,
        values: list[bytes | None],
        column: str,
        shown: frozenset[str],
        counted: dict[str, int],
        as_json: bool = False,
    ) -> list[bytes | None] | None:
        """The cells with a marker in the place of each finding; None where nothing was found.

        shown: classes that stay as they are. counted: class -> findings masked, is added to."""
        hidden = self.classes - shown if shown else self.classes
        return self._mask(values, self._sense(column), hidden, counted, as_json)

    def mask_columns(
        self,
        columns: list[list[bytes | None]],
        names: list[str],
        shown: frozenset[str],
        counted: dict[str, int],
        as_json: frozenset[int] = frozenset(),
    ) -> list[list[bytes | None] | None]:
        """`mask` for each column. as_json: indexes of columns whose type is json or jsonb."""
        hidden = self.classes - shown if shown else self.classes
        out: list[list[bytes | None] | None] = []
        for at in range(len(columns)):
            out.append(self._mask(columns[at], self._sense(names[at]), hidden, counted, at in as_json))
        return out

    def mask_text(self, text: str, shown: frozenset[str] = frozenset()) -> str:
        """A text that stands in no column, like an error's; the same object where nothing was found."""
        masked = self.mask([text.encode("utf-8", "surrogatepass")], "", shown, {})
        if masked is None or masked[0] is None:
            return text
        return masked[0].decode("utf-8", "surrogatepass")

    # -- within --------------------------------------------------------------------------------------------
    def _mask(
        self,
        values: list[bytes | None],
        named: Sense,
        hidden: frozenset[str],
        counted: dict[str, int],
        as_json: bool,
    ) -> list[bytes | None] | None:
        out: list[bytes | None] | None = None
        maybe = self._maybes(values, named)
        edits: list[Edit] = []
        plain = maybe is not None
        cells = self._both
        builtin = self._builtin
        # within these values alone: what is seen is not kept
        known: dict[bytes, Masked] = {}
        settled: dict[bytes, Masked] = {}
        keeping = True
        asked: i64 = 0
        missed: i64 = 0
        nothing = _CLEAN
        count: i64 = len(values)
        at: i64 = 0
        while at < count:
            value = values[at]
            at += 1
            if value is None:
                continue
            # a dictionary costs as much as a look at a short text
            long = keeping and len(value) >= _SHORT
            if long:
                asked += 1
            masked = known.get(value) if long else None
            if masked is None:
                masked = nothing
                if plain and maybe is not None and at - 1 not in maybe:
                    builtin.find(value, named, edits, as_json)
                else:
                    cells.find(value, named, edits, as_json)
                if edits:
                    kept = united(edits, hidden)
                    if kept:
                        masked = written(value, kept)
                        if tied(value, kept):
                            last = settled.get(masked.text)
                            if last is None:
                                last = self._settled(masked.text, named, hidden, as_json)
                                settled[masked.text] = last
                            if last is not nothing:
                                masked = Masked(last.text, masked.names + last.names)
                    edits.clear()
                if long:
                    known[value] = masked
                    missed += 1
                    keeping = missed & _WINDOW != 0 or missed * 4 < asked * 3  # only where cells come again
            if masked is not nothing:
                if out is None:
                    out = values.copy()
                out[at - 1] = masked.text
                for name in masked.names:
                    counted[name] = counted.get(name, 0) + 1
        return out

    def _settled(self, value: bytes, named: Sense, hidden: frozenset[str], as_json: bool) -> "Masked":
        """What becomes of a masked cell until nothing more is found in it: a marker is another neighbour than
        the value was."""
        done = _CLEAN
        turns: i64 = 0
        while turns < 4:
            edits = self._edits(value, named, True, hidden, as_json)
            if not edits:
                break
            once = written(value, edits)
            value = once.text
            done = Masked(value, done.names + once.names)
            turns += 1
        return done

    def _edits(
        self, value: bytes, named: Sense, custom: bool, hidden: frozenset[str], as_json: bool
    ) -> list[Edit]:
        edits: list[Edit] = []
        (self._both if custom else self._builtin).find(value, named, edits, as_json)
        return united(edits, hidden)

    def _maybes(self, values: list[bytes | None], named: Sense) -> set[int] | None:
        """Cells that custom classes must look at; None: all."""
        if self._customs is None or self._customs.by_column(named):
            return None
        return set() if self._maybe is None else self._maybe.cells(values)


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
    size: i64 = len(value)
    for edit in edits:
        start: i64 = edit[1]
        end: i64 = edit[2]
        if (start > 0 and _ties(value[start - 1])) or (end < size and _ties(value[end])):
            return True
    return False


def _ties(code: i64) -> bool:
    # no space, comma, semicolon, quote or closing bracket
    return code > 32 and code not in (44, 59, 34, 39, 93, 125)


def _start(edit: Edit) -> tuple[int, int]:
    return edit[1], -edit[2]


class Masked:
    """A cell with markers in it, and the classes that they are of."""

    def __init__(self, text: bytes, names: list[str]) -> None:
        self.text: Final = text
        self.names: Final = names


_CLEAN: Final = Masked(b"", [])
"""Nothing was found: the cell stays as it is."""

_SHORT: Final = 16
"""Bytes of the shortest cell that is remembered."""

_WINDOW: Final = 63
"""One less than the cells after which it is judged whether remembering pays: a power of two."""


def written(value: bytes, edits: list[Edit]) -> Masked:
    """The cell with markers."""
    if len(edits) == 1:
        name, start, end, style = edits[0]
        mark = marker(name, style)
        if start == 0 and end == len(value):
            return Masked(mark, [name])
        return Masked(value[:start] + mark + value[end:], [name])
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


_MARKS: Final[dict[str, bytes]] = {}


def marker(name: str, style: int) -> bytes:
    """A class's marker in a style of cells.py."""
    mark = _MARKS.get(name)
    if mark is None:
        mark = redacted(name)
        if len(_MARKS) < _REMEMBERED:
            _MARKS[name] = mark
    if style == 0:
        return mark
    if style & QUOTED:
        quote = b'\\"' if style & BACKSLASHED else b'"'
        mark = quote + mark + quote
    return mark.hex().encode() if style & HEX else mark
