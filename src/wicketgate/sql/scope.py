"""What names stand for while a query is read: columns, FROM items, scopes."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from wicketgate.sql.snapshot import NO_CLASSES, Relation
from wicketgate.sql.value import (
    BARE_COLUMN,
    BARE_DOUBT,
    CLEAN,
    COLUMN,
    CONSTANT,
    DOUBT,
    ORIGIN,
    VAST,
    Value,
    combine,
    equality,
    unite_values,
)

__all__ = [
    "BARE_COLUMN",
    "BARE_DOUBT",
    "CLEAN",
    "COLUMN",
    "CONSTANT",
    "DOUBT",
    "ORIGIN",
    "VAST",
    "Columns",
    "Item",
    "Scope",
    "Value",
    "by_name",
    "combine",
    "equality",
    "merge",
    "overlay",
    "side_by_side",
    "unite_values",
]


@dataclass(slots=True)
class Columns:
    """A row's columns in order, by name. loose: what columns that are not listed may hold (None: there are no
    others). shape: for an output list, each output's value, in order: ORIGIN for those that a star stands
    for and that the server names the origin of, None for any number of outputs that can't be told. origin:
    these are a relation's own, and the server names it where a star stands for them."""

    names: list[str] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    loose: Value | None = None
    shape: list[Value | None] = field(default_factory=list)
    origin: bool = False
    _places: dict[str, list[int]] = field(default_factory=dict, repr=False, compare=False)
    _placed: int = field(default=0, repr=False, compare=False)

    def listed(self, name: str) -> Value | None:
        """All listed columns of this name united; None where there is none."""
        for at in range(self._placed, len(self.names)):  # names are only ever added
            self._places.setdefault(self.names[at], []).append(at)
        self._placed = len(self.names)
        found = self._places.get(name)
        return unite_values([self.values[at] for at in found]) if found else None

    def get(self, name: str) -> Value | None:
        """What a column of this name may hold; None where there can be none."""
        found = self.listed(name)
        return found if found is not None else self.loose

    def everything(self) -> Value:
        """The whole row."""
        extra = [self.loose] if self.loose is not None else []
        found = combine([*self.values, *extra])
        return Value(
            found.classes,
            False,
            True,
            False,
            combine(self.values).parameters,
            quiet=found.quiet,
            doubt=found.doubt or self.loose is not None,
            weight=found.weight,
        )

    def add(self, name: str, value: Value) -> None:
        self.names.append(name)
        self.values.append(value)

    def renamed(self, names: tuple[str, ...]) -> "Columns":
        """With an alias's column list over it. Where positions are loose, each new name may be any column."""
        if not names:
            return self
        if self.loose is not None:
            any_column = unite_values([*self.values, self.loose])
            blurred = replace(any_column, columns=True, constant=False, base=False, doubt=True)
            return Columns(list(names), [blurred] * len(names), blurred)
        return Columns([*names[: len(self.names)], *self.names[len(names) :]], list(self.values))


def side_by_side(pieces: list[Columns]) -> Columns:
    """One row of several, one after the other. Where one is loose, no position after it can be told."""
    if len(pieces) == 1:
        return pieces[0]
    row = Columns()
    loose: list[Value] = []
    for piece in pieces:
        row.names.extend(piece.names)
        row.values.extend(piece.values)
        if piece.loose is not None:
            loose.append(piece.loose)
    if loose:
        row.loose = unite_values([DOUBT, *loose, *row.values])
    return row


def merge(left: Columns, right: Columns, names: tuple[str, ...]) -> Columns:
    """The row of JOIN … USING (names): the merged columns in this order, what is left of the left row, then
    of the right. A merged column may be of either side: the server takes the one that needs no cast, both in
    a FULL JOIN. Loose where a side has not exactly one column of each name."""
    row = Columns()
    sure = left.loose is None and right.loose is None
    for name in names:
        sure = sure and left.names.count(name) == 1 == right.names.count(name)
        found = [value for value in (left.get(name), right.get(name)) if value is not None]
        value = together(found)
        row.add(name, value if value.columns else replace(value, bare=False, columns=True, constant=False))
    merged = frozenset(names)
    for side in (left, right):
        for name, value in zip(side.names, side.values, strict=True):
            if name not in merged:
                row.add(name, value)
    if not sure:
        extra = [side.loose for side in (left, right) if side.loose is not None]
        row.loose = unite_values([DOUBT, *extra, *left.values, *right.values])
    return row


def by_name(shapes: list[Columns]) -> Columns:
    """Several relations that one name may mean: columns united by name; positions can't be told."""
    names: dict[str, list[Value]] = {}
    for shape in shapes:
        for name, value in zip(shape.names, shape.values, strict=True):
            names.setdefault(name, []).append(value)
    every: set[str] = set()
    for values in names.values():
        for value in values:
            every |= value.classes
    merged = Columns(loose=Value(frozenset(every), True, True, doubt=True))
    for name, values in names.items():
        merged.add(name, replace(unite_values(values), columns=True))
    return merged


def overlay(many: list[Columns]) -> Columns:
    """Rows of any of these shapes: by position for set operations, widths may differ (then it is loose)."""
    first = many[0]
    if len(many) == 1:
        return first
    same = all(len(other.values) == len(first.values) and other.loose is None for other in many)
    if same and first.loose is None:
        return Columns(
            list(first.names),
            [_either(values) for values in zip(*(other.values for other in many), strict=True)],
            shape=_shape(many),
        )
    everything = [value for other in many for value in other.values]
    everything.extend(other.loose for other in many if other.loose is not None)
    loose = unite_values([DOUBT, *everything])
    names = list(dict.fromkeys(name for other in many for name in other.names))
    return Columns(names, [loose] * len(names), loose, _shape(many))


def _either(values: tuple[Value, ...]) -> Value:
    """One column of a set operation. Where some branches hold a class and others none, a comparison of what
    comes out would tell the first by the second."""
    united = together(list(values))
    mixed = bool(united.classes) and not all(value.classes for value in values)
    return replace(united, many=True) if mixed else united


def together(values: list[Value]) -> Value:
    """One column of several, in a set operation or merged by USING."""
    united = unite_values(values)
    return replace(united, many=True) if converted(values) else united


def converted(values: list[Value]) -> bool:
    """Whether the server may turn a hidden value into another type where it puts these into one column (a
    number into a float4). What comes out is computed then: many are equal that were not."""
    held = {_kind(value) for value in values if value.classes}
    if not held or held == {_TEXT}:
        return False
    return 0 in held or len({_kind(value) for value in values}) > 1


_TEXT: Final = 25
_VARCHAR: Final = 1043


def _kind(value: Value) -> int:
    """The OID of a value's type, whose length counts for nothing; 0 where it is not known."""
    oid = value.type & 0xFFFFFFFF
    return _TEXT if oid == _VARCHAR else oid


def _shape(many: list[Columns]) -> list[Value | None]:
    """The outputs of a set operation: the server names no origin of any. Where any branch holds what can't be
    told, positions can't be."""
    if any(other.loose is not None or None in other.shape for other in many):
        return [None]
    if any(len(other.values) != len(many[0].values) for other in many):
        return [None]
    return [unite_values(values) for values in zip(*(other.values for other in many), strict=True)]


@dataclass(slots=True, eq=False)
class Item:
    """One thing in FROM: what it may be called, its columns, and the relations it may be.

    schema: the schema that may qualify it (`s.t.column`), None for an alias. doubtful: it may be something
    whose columns are not all known. hidden: unqualified names don't find it (RETURNING's old and new).
    joined: a join under one alias.
    """

    name: str
    columns: Columns
    relations: tuple[Relation, ...] = ()
    schemas: frozenset[str] = NO_CLASSES
    doubtful: bool = False
    hidden: bool = False
    only: bool = False
    joined: bool = False


class Scope:
    """The names that an expression can see: this level's items, then its parents', and the WITH queries.

    pieces: what `*` stands for, in the server's order (None: the items' columns, one after the other).
    """

    __slots__ = ("items", "parent", "pieces", "queries")

    def __init__(
        self,
        parent: "Scope | None" = None,
        items: list[Item] | None = None,
        pieces: list[Columns] | None = None,
    ) -> None:
        self.parent = parent
        self.items = items if items is not None else []
        self.pieces = pieces
        self.queries: dict[str, Columns] = {}

    def row(self) -> list[Columns]:
        """What `*` stands for, piece by piece."""
        if self.pieces is not None:
            return self.pieces
        return [item.columns for item in self.items if not item.hidden]

    def levels(self) -> Iterator["Scope"]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def query(self, name: str) -> Columns | None:
        """The WITH query of this name."""
        for scope in self.levels():
            found = scope.queries.get(name)
            if found is not None:
                return found
        return None
