"""Which of many cells may match custom patterns: all of them in one call, by hyperscan or by RE2.
It must never leave out a cell that could match; which engine said so must never make a difference."""

import re
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final, Protocol

import re2

from wicketgate.masking.detect.custom import compiled, options

SEPARATOR: Final = b"\n"
"""Stands between cells. A match may cross it: then cells are looked at for nothing, none is missed."""

_EDGES: Final = re.compile(r"\^|\$|\\[AzZBCQ]|\(\?[^:)]*[smU-]")
"""What depends on where a text begins and ends, or is turned on within: tried on each cell."""

_ELSEWHERE: Final = re.compile(r"\\[SWDpPxvahKGRXNHk0-9]|\[\^[^\]]*\\|\[\[|\(\?[^:i]|[^\x20-\x7e]")
"""What hyperscan reads, or may read, otherwise than RE2 does."""


class Engine(Protocol):
    """Says of joined cells which may match."""

    def touched(self, joined: bytes, ends: list[int]) -> set[int]: ...


class Re2Engine:
    """One search behind another: each goes on behind the last cell that the one before touched."""

    def __init__(self, patterns: Sequence[str], folded: Sequence[str]) -> None:
        every = [f"(?:{pattern})" for pattern in patterns] + [f"(?i:{pattern})" for pattern in folded]
        self._any: Any = re2.compile("|".join(every).encode(), options(False))

    def touched(self, joined: bytes, ends: list[int]) -> set[int]:
        """joined: cells with a separator behind each. ends: where each separator stands."""
        found: set[int] = set()
        at = 0
        cell = 0
        count = len(ends)
        while cell < count and (match := self._any.search(joined, at)) is not None:
            start, end = match.span()
            while ends[cell] < start:
                cell += 1
            found.add(cell)
            while cell + 1 < count and ends[cell] < end:
                cell += 1
                found.add(cell)
            at = ends[cell] + 1
            cell += 1
        return found


class HyperscanEngine:
    """All patterns in one pass. Raises ImportError where hyperscan is not installed, ValueError where it does
    not take a pattern."""

    def __init__(self, patterns: Sequence[str], folded: Sequence[str]) -> None:
        import hyperscan

        every = [*patterns, *folded]
        flags = [0] * len(patterns) + [int(hyperscan.HS_FLAG_CASELESS)] * len(folded)
        self._database = hyperscan.Database()
        try:
            self._database.compile(
                expressions=[pattern.encode() for pattern in every],
                ids=list(range(len(every))),
                elements=len(every),
                flags=flags,
            )
        except hyperscan.error as error:
            raise ValueError(f"hyperscan does not take a pattern: {error}") from None

    def touched(self, joined: bytes, ends: list[int]) -> set[int]:
        stops: set[int] = set()

        def matched(number: int, start: int, end: int, flags: int, context: Any) -> None:
            stops.add(end)

        self._database.scan(joined, match_event_handler=matched)
        found: set[int] = set()
        cell = 0
        for stop in sorted(stops):
            while ends[cell] < stop - 1:
                cell += 1
            found.add(cell)
        return found


def _portable(pattern: str) -> bool:
    return _ELSEWHERE.search(pattern) is None


class Maybe:
    """Which cells may hold something of a custom class."""

    def __init__(self, patterns: Sequence[str], folded: Sequence[str], fast: bool) -> None:
        """fast: hyperscan takes what it can, if it is there."""
        joinable = [pattern for pattern in patterns if _EDGES.search(pattern) is None]
        self._alone = [compiled(pattern) for pattern in patterns if _EDGES.search(pattern) is not None]
        self.engines: list[Engine] = []
        slow_patterns, slow_folded = list(joinable), list(folded)
        if fast:
            quick = [pattern for pattern in joinable if _portable(pattern)]
            quick_folded = [pattern for pattern in folded if _portable(pattern)]
            try:
                if quick or quick_folded:
                    self.engines.append(HyperscanEngine(quick, quick_folded))
                    slow_patterns = [pattern for pattern in joinable if pattern not in quick]
                    slow_folded = [pattern for pattern in folded if pattern not in quick_folded]
            except (ImportError, ValueError):
                pass
        if slow_patterns or slow_folded:
            self.engines.append(Re2Engine(slow_patterns, slow_folded))

    def cells(self, values: Sequence[bytes | None]) -> set[int]:
        """Indexes of those that may match; what is written in escapes or other scripts always may."""
        found: set[int] = set()
        asked: list[int] = []
        texts: list[bytes] = []
        for at, value in enumerate(values):
            if value:
                if value.isascii() and b"\\" not in value:
                    asked.append(at)
                    texts.append(value)
                else:
                    found.add(at)
        if not texts:
            return found
        joined = SEPARATOR.join(texts) + SEPARATOR
        ends = [at + index for index, at in enumerate(accumulate(map(len, texts)))]
        for engine in self.engines:
            found.update(asked[cell] for cell in engine.touched(joined, ends))
        for pattern in self._alone:
            # JSON and arrays hold texts that begin and end elsewhere
            found.update(
                at
                for at, text in zip(asked, texts, strict=True)
                if text[0] in b'{[" ' or pattern.search(text)
            )
        return found
