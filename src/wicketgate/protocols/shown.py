"""An answer's recorded bytes, made readable: what replays show.
Nothing here may be more than what the client saw."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShownTable:
    """One result of an answer. columns may be empty where the client did not ask for their names."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer's recorded bytes, made readable. notes: errors and notices, in order.
    complete: False where the bytes end inside a message."""

    tables: tuple[ShownTable, ...]
    notes: tuple[str, ...]
    complete: bool
