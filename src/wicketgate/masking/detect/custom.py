"""Classes that operators describe: RE2 patterns, words, columns, each maybe with words that must stand near.
It must never run a pattern on an engine whose time is not linear."""

import re
from collections.abc import Sequence
from typing import Any, Final

import re2

from wicketgate.masking.detect.classes import Found
from wicketgate.masking.detect.columns import Sense, words
from wicketgate.masking.detect.nearby import AFTER, BEFORE
from wicketgate.model.detector import Custom

_MEMORY: Final = 8 << 20
"""Bytes that one pattern's automaton may take. RE2 then goes on without it, slower but in linear time."""


def options(fold: bool) -> Any:
    """How every pattern is compiled; policies check theirs with the same."""
    made = re2.Options()
    made.max_mem = _MEMORY
    made.log_errors = False
    made.case_sensitive = not fold
    return made


def compiled(pattern: str, fold: bool = False) -> Any:
    """The pattern, for bytes. Raises ValueError with RE2's own word."""
    try:
        return re2.compile(pattern.encode(), options(fold))
    except re2.error as error:
        reason = error.args[0] if error.args else "it can't be read"
        raise ValueError(
            reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        ) from None


def words_pattern(listed: Sequence[str]) -> str:
    """One pattern for any of these words, the longest first."""
    longest_first = sorted(set(listed), key=lambda word: (-len(word), word))
    return "(?:" + "|".join(re2.escape(word) for word in longest_first) + ")"


def _glob(name: str) -> str:
    return "".join(".*" if each == "*" else "." if each == "?" else re.escape(each) for each in name.lower())


class _Class:
    """One custom class, ready to search."""

    def __init__(self, custom: Custom) -> None:
        self.name = custom.name
        self.patterns = [compiled(pattern) for pattern in custom.patterns]
        self.words = compiled(words_pattern(custom.words), fold=True) if custom.words else None
        self.columns = (
            re.compile("|".join(_glob(name) for name in custom.columns)) if custom.columns else None
        )
        self.context = compiled(words_pattern(custom.context), fold=True) if custom.context else None
        self.context_words = frozenset(words(word) for word in custom.context)

    def find(self, cell: bytes, sense: Sense, found: list[Found]) -> None:
        if self.columns is not None and self.columns.fullmatch(sense.name) and not _marked(cell):
            found.append((self.name, 0, len(cell)))
            return
        spoken = self.context is None or self._named(sense.name)
        for pattern in self.patterns:
            for match in pattern.finditer(cell):
                start, end = match.span()
                if end > start and (spoken or self._near(cell, start, end)):
                    found.append((self.name, start, end))
        if self.words is not None:
            at = 0
            while (match := self.words.search(cell, at)) is not None:
                start, end = match.span()
                at = start + 1
                if _bounded(cell, start, end) and (spoken or self._near(cell, start, end)):
                    found.append((self.name, start, end))
                    at = end

    def _named(self, name: str) -> bool:
        said = f" {words(name)} "
        return any(f" {word} " in said for word in self.context_words if word)

    def _near(self, cell: bytes, start: int, end: int) -> bool:
        assert self.context is not None
        for low, high in ((max(0, start - BEFORE), start), (end, end + AFTER)):
            piece = cell[low:high]
            at = 0
            while (match := self.context.search(piece, at)) is not None:
                if _bounded(piece, *match.span()):
                    return True
                at = match.start() + 1
        return False


def _marked(cell: bytes) -> bool:
    return cell[:9] == b"[redacted" and cell[-1:] == b"]"


def _wordlike(code: int) -> bool:
    return 48 <= code <= 57 or 65 <= code <= 90 or 97 <= code <= 122 or code == 95 or code >= 128


def _bounded(cell: bytes, start: int, end: int) -> bool:
    """Whether the match is a whole word: what begins or ends with a sign needs no edge there."""
    if start > 0 and _wordlike(cell[start]) and _wordlike(cell[start - 1]):
        return False
    return not (end < len(cell) and _wordlike(cell[end - 1]) and _wordlike(cell[end]))


class Customs:
    """All custom classes together."""

    def __init__(self, customs: Sequence[Custom]) -> None:
        self._classes = [_Class(custom) for custom in customs]
        self.searched = tuple(pattern for custom in customs for pattern in custom.patterns)
        """What a cell must match for a pattern to count."""
        self.listed = tuple(words_pattern(custom.words) for custom in customs if custom.words)
        """The same for words, whatever their case."""

    def by_column(self, sense: Sense) -> bool:
        """Whether some class takes all that stands in this column."""
        return any(each.columns is not None and each.columns.fullmatch(sense.name) for each in self._classes)

    def find(self, cell: bytes, sense: Sense, found: list[Found]) -> None:
        """Adds what one text holds to `found`."""
        for each in self._classes:
            each.find(cell, sense, found)
