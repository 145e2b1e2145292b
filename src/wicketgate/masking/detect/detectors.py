"""Finds sensitive values in columns of cells, and writes markers in their place (compiled).
It must never show a value that it found, nor change a cell in which it found nothing."""

from collections.abc import Iterable, Sequence
from typing import Final

from mypy_extensions import i64

from wicketgate.masking.detect.cells import Cells, Edit
from wicketgate.masking.detect.classes import CLASSES, Span
from wicketgate.masking.detect.column import Column, Repeats
from wicketgate.masking.detect.columns import Sense, sense
from wicketgate.masking.detect.custom import Customs
from wicketgate.masking.detect.engines import Maybe
from wicketgate.masking.detect.written import CLEAN, united
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

    def column(self, name: str, shown: frozenset[str], as_json: bool, repeats: Repeats) -> Column | None:
        """For the cells of one column in one read, where they lie; None where custom classes are looked for:
        they are found in many cells at once, by `mask`."""
        if self._customs is not None:
            return None
        hidden = self.classes - shown if shown else self.classes
        return Column(self._builtin, self._sense(name), hidden, as_json, repeats)

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
        cells = self._both
        builtin = self._builtin
        column = Column(cells, named, hidden, as_json, Repeats())
        count: i64 = len(values)
        at: i64 = 0
        while at < count:
            value = values[at]
            if value is not None:
                masked = column.masked(cells if maybe is None or at in maybe else builtin, value, False)
                if masked is not CLEAN:
                    if out is None:
                        out = values.copy()
                    out[at] = masked.text
                    column.count(masked, counted)
            at += 1
        column.tell(counted)
        return out

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
