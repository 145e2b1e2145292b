"""One column's cells on their way to the client: looked into, where they lie or taken out, and rewritten
(compiled). Equal cells are looked at once, but nothing that was seen is kept longer than a column object."""

from typing import Final

from mypy_extensions import i64

from wicketgate.masking.detect.cells import Cells, Edit
from wicketgate.masking.detect.classes import Found
from wicketgate.masking.detect.columns import Sense
from wicketgate.masking.detect.written import CLEAN, Masked, alone, beside, marker, tied, united, written

_SHORT: Final = 16
"""Bytes of the shortest cell that is remembered: a dictionary costs as much as a look at a short text."""

_WINDOW: Final = 63
"""One less than the cells after which it is judged whether remembering pays: a power of two."""

_REST: Final = 32
"""Reads for which nothing is remembered where it did not pay."""


class Repeats:
    """Whether equal cells come again in a column: counts alone, for many reads."""

    def __init__(self) -> None:
        self.resting: i64 = 0


class Column:
    """For one read. sense: what the column's name says. hidden: classes that are masked. as_json: its type is
    JSON. repeats: what earlier reads told."""

    def __init__(
        self, cells: Cells, sense: Sense, hidden: frozenset[str], as_json: bool, repeats: Repeats
    ) -> None:
        self._cells: Final = cells
        self._sense: Final = sense
        self._hidden: Final = hidden
        self._as_json: Final = as_json
        self._repeats: Final = repeats
        self._known: dict[bytes, Masked] = {}
        self._settled: dict[bytes, Masked] = {}
        self._edits: list[Edit] = []
        self._found: list[Found] = []
        self._keeping = repeats.resting == 0
        self._asked: i64 = 0
        self._missed: i64 = 0
        self._last = ""
        self._names: list[str] = []
        self._mark = b""
        self._name = ""
        self._times: i64 = 0
        if repeats.resting > 0:
            repeats.resting -= 1

    def masked_at(self, data: bytes, at: i64, end: i64) -> Masked:
        """What becomes of the cell data[at:end]; CLEAN where nothing was found. Most cells are never taken
        out. It is for columns without custom classes."""
        if self._cells.idle(data, at, end, self._sense):
            return CLEAN
        return self.masked(self._cells, data[at:end], self._cells.surveyed)

    def masked(self, cells: Cells, value: bytes, surveyed: bool) -> Masked:
        """What becomes of a cell; CLEAN where nothing was found. cells: what looks into it. surveyed: it has
        looked at it already."""
        if not self._keeping or len(value) < _SHORT:
            return self._anew(cells, value, surveyed)
        known = self._known.get(value)
        self._asked += 1
        if known is not None:
            return known
        masked = self._anew(cells, value, surveyed)
        self._known[value] = masked
        self._missed += 1
        if self._missed & _WINDOW == 0 and self._missed * 4 >= self._asked * 3:
            self._keeping = False
            self._known = {}
            self._repeats.resting = _REST
        return masked

    def count(self, masked: Masked, counted: dict[str, int]) -> None:
        """The cell goes out as this: `counted` gains its classes, at the latest by `tell`."""
        for name in masked.names:
            if name is not self._name:  # else it is the same once more, which costs no dictionary
                self.tell(counted)
                self._name = name
            self._times += 1

    def tell(self, counted: dict[str, int]) -> None:
        """`counted` gains what `count` has not told yet."""
        if self._times > 0:
            counted[self._name] = counted.get(self._name, 0) + int(self._times)
            self._times = 0

    def _anew(self, cells: Cells, value: bytes, surveyed: bool) -> Masked:
        edits = self._edits
        if surveyed and not self._as_json:
            found = self._found
            cells.find_surveyed(value, self._sense, found)
            if not found:
                return CLEAN
            if len(found) == 1:
                return self._single(value, found.pop())
            for name, start, end in found:
                edits.append((name, start, end, 0))
            found.clear()
        else:
            cells.find(value, self._sense, edits, self._as_json)
            if not edits:
                return CLEAN
        kept = united(edits, self._hidden)
        masked = CLEAN
        if kept:
            masked = written(value, kept)
            if tied(value, kept):
                masked = self._resettled(masked)
        edits.clear()
        return masked

    def _single(self, value: bytes, found: Found) -> Masked:
        """One finding in a text, as in most cells that hold any."""
        name, start, end = found
        if name is not self._last:  # else it is what was found before, as in most columns
            if name not in self._hidden:
                return CLEAN
            self._last = name
            self._names = [name]
            self._mark = marker(name, 0)
        masked = alone(value, self._names, start, end, self._mark)
        if beside(value, start, end):
            return self._resettled(masked)
        return masked

    def _resettled(self, masked: Masked) -> Masked:
        """The same, with what is found once more: a marker is another neighbour than the value was."""
        last = self._settled.get(masked.text)
        if last is None:
            last = self._settle(masked.text)
            self._settled[masked.text] = last
        return masked if last is CLEAN else Masked(last.text, masked.names + last.names)

    def _settle(self, value: bytes) -> Masked:
        """What becomes of a masked cell until nothing more is found in it."""
        done = CLEAN
        turns: i64 = 0
        while turns < 4:
            edits: list[Edit] = []
            self._cells.find(value, self._sense, edits, self._as_json)
            kept = united(edits, self._hidden)
            if not kept:
                break
            once = written(value, kept)
            value = once.text
            done = Masked(value, done.names + once.names)
            turns += 1
        return done
