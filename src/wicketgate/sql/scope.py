"""What names stand for while a query is read: values with their data classes, columns, FROM items, scopes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from wicketgate.sql.snapshot import NO_CLASSES, Relation

NO_PARAMETERS: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression may hold.

    classes: data classes of values it may be computed from, except through `=` and IN. bare: it is such a
    column itself, unchanged. columns: it depends on some column (so it is not proven clean). constant: a
    literal or parameter. parameters: numbers of the $n in it. many: it may stand for values that nobody wrote
    out: it is computed from columns in part, or generated.
    """

    classes: frozenset[str] = NO_CLASSES
    bare: bool = False
    columns: bool = False
    constant: bool = False
    parameters: frozenset[int] = NO_PARAMETERS
    many: bool = False

    @property
    def guesses(self) -> bool:
        """Whether comparing this for equality asks more than somebody wrote: it is no column as it stands, no
        literal, parameter or single value made of those. `pin = id * 500` is a search, not a look-up."""
        return self.many or (self.columns and not self.bare and not self.constant)


CLEAN = Value()
CONSTANT = Value(constant=True)
COLUMN = Value(columns=True)
BARE_COLUMN = Value(bare=True, columns=True)


def unite_values(values: Iterable[Value]) -> Value:
    """Any of these: bare only where all are that hold a class (or simply all, where none does)."""
    many = list(values)
    if len(many) == 1:
        return many[0]
    if not many:
        return CLEAN
    return Value(
        frozenset().union(*(value.classes for value in many)),
        all(value.bare for value in [value for value in many if value.classes] or many),
        any(value.columns for value in many),
        all(value.constant for value in many),
        frozenset().union(*(value.parameters for value in many)),
        any(value.guesses for value in many),
    )


def combine(values: Iterable[Value]) -> Value:
    """Something computed from all of these."""
    classes: frozenset[str] = NO_CLASSES
    parameters = NO_PARAMETERS
    columns = False
    generated = False
    for value in values:
        generated = generated or value.many
        if value.classes:
            classes |= value.classes
        if value.parameters:
            parameters |= value.parameters
        columns = columns or value.columns
    if not classes and not parameters and not generated:
        return COLUMN if columns else CLEAN
    return Value(classes, False, columns, False, parameters, generated)


@dataclass(slots=True)
class Columns:
    """A row's columns in order, by name. loose: what columns that are not listed may hold (None: there are no
    others). shape: for an output list, whether each entry is proven to depend on no column; None for a
    star."""

    names: list[str] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    loose: Value | None = None
    shape: list[bool | None] = field(default_factory=list)
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
        return Value(
            combine([*self.values, *extra]).classes, False, True, False, combine(self.values).parameters
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
            blurred = replace(any_column, columns=True, constant=False)
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
        row.loose = unite_values([COLUMN, *loose, *row.values])
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
        value = unite_values(found)
        row.add(name, value if value.columns else Value(value.classes, False, True))
    merged = frozenset(names)
    for side in (left, right):
        for name, value in zip(side.names, side.values, strict=True):
            if name not in merged:
                row.add(name, value)
    if not sure:
        extra = [side.loose for side in (left, right) if side.loose is not None]
        row.loose = unite_values([COLUMN, *extra, *left.values, *right.values])
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
    merged = Columns(loose=Value(frozenset(every), True, True))
    for name, values in names.items():
        held = frozenset().union(*(value.classes for value in values))
        merged.add(name, Value(held, True, True))
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
    loose = unite_values([COLUMN, *everything])
    names = list(dict.fromkeys(name for other in many for name in other.names))
    return Columns(names, [loose] * len(names), loose, _shape(many))


def _either(values: tuple[Value, ...]) -> Value:
    """One column of a set operation. Where some branches hold a class and others none, a comparison of what
    comes out would tell the first by the second."""
    united = unite_values(values)
    mixed = bool(united.classes) and not all(value.classes for value in values)
    return replace(united, many=True) if mixed else united


def _shape(many: list[Columns]) -> list[bool | None]:
    """Clean where all branches are; where any holds a star, positions can't be told."""
    if any(None in other.shape or len(other.shape) != len(many[0].shape) for other in many):
        return [None]
    return [all(clean) for clean in zip(*(other.shape for other in many), strict=True)]


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
