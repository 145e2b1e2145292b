"""What a catalog tells of each thing: relations, view bodies, foreign keys, casts, functions."""

from dataclasses import dataclass, field
from typing import Any

from wicketgate.sql.value import Value

PLAIN = frozenset(
    int(oid)
    for oid in """16 17 18 19 20 21 23 25 26 114 142 650 700 701 774 790 829 869 1042 1043 1082 1083 1114 1184
    1186 1266 1700 2950 3802""".split()
)
"""Types of one simple value: bool bytea char name int text oid json xml float inet money date … jsonb."""

BUILTIN = 16384
"""OIDs below this are given when a server is made, and are the same code everywhere (FirstNormalObjectId)."""


def typed(oid: int, modifier: int) -> int:
    """A column's type and its modifier (-1: none) as one number."""
    return oid | (modifier + 1) << 32


@dataclass(slots=True, eq=False)
class Relation:
    """A table, view, sequence … of the database.

    classes: by attribute number, closed over everything but view bodies (see Catalog.classes). forks: other
    tables inherit from it (not partitions), so its keys bound nothing. expressions: moment (`any`, `store`,
    `guard`) and text of what the server computes beside a statement. code: moment (also `trigger`) and name
    of functions that run so. patterned: columns whose collation takes different texts for equal. modifiers:
    of the columns' types, by position. excludes: an exclusion constraint compares rows. bounds:
    columns that say which partition takes a row. used: attributes that
    generated columns are made of. copied: columns whose class came with values that were stored there: they
    may be computed. gained: those of them into which a statement copied.
    """

    oid: int
    schema: str
    name: str
    kind: str
    columns: tuple[tuple[int, str, int], ...]
    numbers: dict[str, int]
    classes: dict[int, frozenset[str]]
    generated: frozenset[int]
    keys: tuple[frozenset[str], ...]
    forks: bool
    ruled: bool
    extension: bool
    view: str | None
    expressions: tuple[tuple[str, str], ...] = ()
    code: tuple[tuple[str, str], ...] = ()
    patterned: frozenset[int] = frozenset()
    modifiers: tuple[int, ...] = ()
    excludes: bool = False
    bounds: frozenset[int] = frozenset()
    used: frozenset[int] = frozenset()
    copied: set[int] = field(default_factory=set)
    gained: set[int] = field(default_factory=set)

    @property
    def qualified(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def system(self) -> bool:
        return self.schema in ("pg_catalog", "information_schema")


@dataclass(frozen=True, slots=True)
class Body:
    """What reading a view does. columns: what its columns hold by position; None where that can't be told.
    asks: classes that it asks about and that came with copies into what it reads: whoever made the view may
    have known that they would come, so they are held against its reader.
    """

    columns: tuple[Value, ...] | None
    effects: frozenset[Any]
    reads: frozenset[str]
    functions: frozenset[str]
    classes: frozenset[str]
    complete: bool
    opaque: bool
    asks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Foreign:
    """A foreign key: what a change of `referenced` changes in `referring`. on_update, on_delete: `a` and `r`
    (nothing), `c` cascade, `n` set null, `d` set default. keys, columns: attributes of the two."""

    referenced: int
    referring: int
    on_update: str
    on_delete: str
    keys: tuple[int, ...]
    columns: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cast:
    """A cast that runs a user's function. context: `e` only where it is written out, `a` where a value is
    stored
    too, `i` anywhere. source, target: OIDs."""

    source: int
    target: int
    context: str
    source_name: str
    target_name: str
    function: str


@dataclass(frozen=True, slots=True)
class Routine:
    """A function in SQL. atomic: its names were bound when it was made. path: its own search_path, if any.
    definer: it runs as its owner. names: of its arguments, `` where there is none. results: names and types
    of the columns that it gives; one for a plain value."""

    oid: int
    schema: str
    name: str
    body: str
    atomic: bool
    path: tuple[str, ...] | None
    definer: bool
    names: tuple[str, ...]
    results: tuple[tuple[str, int], ...]

    @property
    def qualified(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Named:
    """A function or operator outside pg_catalog. safe: known to compute from its arguments only. routine: its
    body, where it can be read. given: how many arguments it takes, -1 for any number; defaults: how many of
    them may be left out."""

    schema: str
    name: str
    safe: bool
    aggregate: bool = False
    routine: Routine | None = None
    given: int = -1
    defaults: int = 0
