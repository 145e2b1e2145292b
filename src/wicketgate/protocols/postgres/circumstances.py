"""What else a statement's meaning rests on in one session: temporary objects, and settings.
It must never tell the same of two moments in which the same text could mean two things.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from wicketgate.sql.changes import Changes
from wicketgate.sql.settings import canonical

REPORTED: Final = frozenset({"datestyle", "intervalstyle", "timezone"})
"""Settings by which constants are read, and of which the server tells each value."""
UNREPORTED: Final = frozenset(
    """
    array_nulls bytea_output default_table_access_method default_tablespace default_text_search_config
    extra_float_digits gin_fuzzy_search_limit lc_monetary lc_numeric lc_time
    restrict_nonsystem_relation_kind row_security seed xmlbinary xmloption
    """.split()
)
"""Others that change what a statement does, of which the server tells nothing."""

MOST_PENDING: Final = 32


@dataclass(frozen=True, slots=True)
class Moment:
    """temporary, settings: what temporary objects mean, and settings that nobody reports; each change makes
    another of it. loose: something of it hangs on the open transaction. pending: what was set of what is
    reported, as unit, name and value (None: that can't be told)."""

    temporary: bytes
    settings: bytes
    loose: bool
    pending: tuple[tuple[int, str, str | None], ...]


class Circumstances:
    """Of one session. `moment` is what holds for the statement that comes next; a string of which nothing
    ran puts back the one that it found."""

    def __init__(self) -> None:
        self.moment = Moment(b"", b"", False, ())
        self.values: dict[str, str] = {}
        self.asked: list[list[str]] = []
        self.changed = 0
        """The last unit in which a setting may have changed: what was prepared or bound before it was read by
        the one that held then."""

    def begin(self, reports: Mapping[str, str], asked: Mapping[str, str]) -> None:
        """reports: what the server says of the new session. asked: settings that its client began with."""
        for name, value in reports.items():
            self.reported(name, value, 0)
        self.asked = sorted([name, value] for name, value in asked.items() if name in UNREPORTED)

    def reported(self, name: str, value: str, unit: int) -> None:
        """The server says that a setting has this value. unit: the last of which something was sent."""
        key = name.lower()
        if key in REPORTED and self.values.get(key) != value:
            self.values[key] = value
            self.changed = max(unit, self.changed)

    def forwarded(self, changes: Changes, text: bytes, unit: int, discards: bool) -> None:
        """A statement with these changes goes upstream. text: all that says what it does. discards: temporary
        objects, too, it may be."""
        was = self.moment
        temporary, settings, loose, pending = was.temporary, was.settings, was.loose, was.pending
        if changes.temporary or changes.defines or discards:
            temporary, loose = _next(temporary, text), True
        if loose and changes.transaction is not None:
            temporary = _next(temporary, text)
        names = {canonical(name) for name, _ in changes.settings}
        if names & (REPORTED | UNREPORTED) or (changes.path_unknown and self.changed):
            # what is reset where nothing was set is as it was; a value that something else sets is reported
            self.changed = unit
        if names & UNREPORTED:
            settings, loose = _next(settings, text), True
        if changes.path_unknown:
            pending = _also(pending, unit, "", None)
        for name, value in changes.settings:
            if canonical(name) in REPORTED:
                pending = _also(pending, unit, canonical(name), value)
        self.moment = Moment(temporary, settings, loose, pending)

    def unsettled(self, text: bytes, unit: int) -> None:
        """Something runs that can't be told."""
        was = self.moment
        pending = _also(was.pending, unit, "", None)
        self.moment = Moment(_next(was.temporary, text), was.settings, True, pending)

    def older(self, made: Sequence[int], session: str, unit: int) -> list[object]:
        """What tells apart a statement that was made in these units from one that is made now."""
        first = min(made, default=self.changed + 1)
        if first > self.changed:
            return []
        # in the very unit of a change it can't be told on which side of it
        return ["made before", session, *made, unit if self.changed in made else 0]

    def unreported(self, unit: int, answered: int, moment: Moment) -> list[list[str]] | None:
        """Settings of a moment that this unit has made before, and that the server has not told; None: what
        holds then can't be told. answered: the last unit that is."""
        told: list[list[str]] = []
        for of, name, value in moment.pending:
            if of <= answered:
                continue
            if of != unit or value is None:  # an earlier unit may fail yet
                return None
            told.append([name, value])
        return told

    def taken_back(self) -> None:
        """Something failed, or a transaction ended: what it changed may be as it was before."""
        was = self.moment
        if was.loose:
            settings = _next(was.settings, b"") if was.settings else was.settings
            self.moment = Moment(_next(was.temporary, b""), settings, True, was.pending)

    def ended(self, alone: bool) -> None:
        """No transaction is open. alone: and nothing is on its way."""
        self.taken_back()
        if self.moment.loose and alone:
            self.moment = replace(self.moment, loose=False)


def _also(
    pending: tuple[tuple[int, str, str | None], ...], unit: int, name: str, value: str | None
) -> tuple[tuple[int, str, str | None], ...]:
    """One more; of older ones it is enough to know the last unit."""
    if len(pending) >= MOST_PENDING:
        pending = ((pending[-1][0], "", None),)
    return (*pending, (unit, name, value))


def _next(before: bytes, text: bytes) -> bytes:
    return sha256(before + len(text).to_bytes(8, "big") + text).digest()
