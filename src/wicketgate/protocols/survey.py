"""What `wicket discover` asks of a protocol, and what it hears.
Nothing here may hold a value, nor name a protocol."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a column to be sensitive. It never holds a value.

    column: `schema.table.column`. named: the data class that its name speaks of.
    sampled: values that were looked at (neither NULL nor empty).
    found: data class -> of these, how many hold something of it.
    """

    column: str
    named: str | None
    sampled: int
    found: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Survey:
    """A sample of a database. relations, columns: how many were looked at.
    unread: `schema.table` -> why it could not be read. truncated: there were more than are looked at."""

    evidence: tuple[Evidence, ...]
    relations: int
    columns: int
    unread: Mapping[str, str]
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a database is sampled. look: (cells, column) -> data class -> how many of them hold some of it.
    rows, seconds: of and for each relation at most. progress: (relations done, all)."""

    look: Callable[[list[bytes | None], str], Mapping[str, int]]
    rows: int
    seconds: int
    progress: Callable[[int, int], None]
