"""Where values are stored: which columns take over a data class, and what RETURNING may then show.
What is stored where nobody can say what becomes of it goes beyond every mask: it is spilled.
"""

from collections.abc import Iterator
from dataclasses import replace

from wicketgate.sql.analysis import Inherited
from wicketgate.sql.scope import Columns, Item, Value, unite_values
from wicketgate.sql.snapshot import NO_CLASSES, Relation
from wicketgate.sql.total import base_type
from wicketgate.sql.walk import Walk


class Target:
    """The relation that is written, as an item for its own columns, and what was stored in them so far."""

    def __init__(self, item: Item, name: str, doubtful: bool) -> None:
        self.item = item
        self.name = name
        self.doubtful = doubtful
        self.stored: dict[str, Value] = {}
        self.anywhere: Value | None = None

    def known(self) -> tuple[Relation, ...]:
        """The relation; nothing where the name may mean another, or what is known of it may not be so."""
        return () if self.doubtful or self.item.doubtful else self.item.relations

    def any(self) -> Value:
        """All its columns together."""
        return self.item.columns.everything()

    def own(self, column: str | None) -> Value:
        """What a column may hold by itself; None for one that can't be told."""
        found = self.item.columns.get(column) if column is not None else None
        return found if found is not None else self.any()

    def returned(self) -> Columns:
        """Its columns as they are afterwards: what they held, or what was stored."""
        columns = self.item.columns
        if not self.stored and self.anywhere is None:
            return Columns(columns.names, columns.values, columns.loose, origin=columns.origin)
        held = [value for value in self.stored.values() if value.classes or value.doubt]
        spread = [self.anywhere] if self.anywhere is not None else []
        computed = _computed(self.item.relations)
        values = []
        for name, value in zip(columns.names, columns.values, strict=True):
            found = [value, *spread]
            if name in self.stored:
                found.append(self.stored[name])
            elif computed is None or name in computed:
                found.extend(held)
            values.append(unite_values(found) if len(found) > 1 else value)
        loose = columns.loose
        if loose is not None:
            loose = unite_values([loose, *spread, *held])
        return Columns(columns.names, values, loose)

    def excluded(self) -> Columns:
        """The row that was to be inserted. What somebody wrote is as good as the column's own."""
        columns = self.returned()
        values = []
        for own, name, value in zip(self.item.columns.values, columns.names, columns.values, strict=True):
            stored = self.stored.get(name)
            plain = stored is not None and not stored.classes and not stored.doubt and self.anywhere is None
            values.append(own if plain else value)
        return Columns(columns.names, values, columns.loose)


def _computed(relations: tuple[Relation, ...]) -> frozenset[str] | None:
    """Columns that are made from others of their row; None where any may be."""
    found: frozenset[str] = NO_CLASSES
    for relation in relations:
        if relation.kind not in "rp":
            return None
        found |= {column for number, column, _ in relation.columns if number in relation.generated}
    return found


def store(walk: Walk, target: Target, column: str | None, value: Value, whole: bool = True) -> None:
    """A value is stored in a column (None: in one that can't be told). whole: not in an element of it."""
    own = target.own(column)
    if column is None or column not in target.item.columns.names:
        target.anywhere = value if target.anywhere is None else unite_values([target.anywhere, value])
    else:
        before = target.stored.get(column)
        base = value.base and value.classes == own.classes
        kept = value if base or not (value.base or value.many) else replace(value, base=False, many=False)
        target.stored[column] = kept if before is None else unite_values([before, kept])
    if own.classes:
        walk.sensitive_parameters |= value.parameters
    walk.strange = walk.strange or value.doubt
    if not value.classes:
        return
    walk.stored = True
    walk.sensitive_parameters |= value.parameters
    if whole and value.base and value.classes <= own.classes and not own.doubt:
        if not all(_holds(relation, column or "", value) for relation in target.item.relations):
            walk.steer(value)  # whether it fits is an answer, and what is left of it another
        _keyed(walk, target, column or "", value)
        return
    if column is None or not whole or not _keeps(walk, target, column, value):
        walk.spill(value)
    elif value.classes <= own.classes:
        if own.base:
            walk.spill(value)  # a partial mask of what is computed would tell of it
    else:
        _keyed(walk, target, column, value)
        relation = target.item.relations[0]
        walk.inherits.append(Inherited(relation.schema, relation.name, column, value.classes))


def _keyed(walk: Walk, target: Target, column: str, value: Value) -> None:
    """Keys compare what is stored for equality."""
    for relation in target.item.relations:
        number = relation.numbers.get(column)
        keyed = any(column in key for key in relation.keys)
        if keyed or number is None or relation.kind != "r" or walk.catalog.refers(relation.oid, number):
            walk.compared |= value.classes
        if relation.excludes or relation.patterned or judged(walk, relation, column):
            walk.steer(value)


def judged(walk: Walk, relation: Relation, column: str) -> bool:
    """Whether a row may be refused for what it holds there beyond a key's being equal, or goes to a place
    that tells of it: by a check, an index's expression or predicate, a policy, or a partition's bounds."""
    for each in _reached(walk, relation):
        number = each.numbers.get(column)
        if number is None or number in each.bounds or each.excludes or each.patterned:
            return True
        if each is not relation and each.kind not in "rp":
            return True  # rows go to another server
        for moment, text in each.expressions:
            if moment != "store" and (column in text or ".*" in text or '"' in column):
                return True
    return False


def acted_on(walk: Walk, relation: Relation) -> bool:
    """Whether code of somebody's own sees a row that is stored there: a trigger's keeps what it likes."""
    return any(each.code for each in _reached(walk, relation))


def _reached(walk: Walk, relation: Relation) -> Iterator[Relation]:
    """The relation, its children, and the partitioned tables above it, which say what it takes."""
    catalog = walk.catalog
    yield relation
    yield from catalog.descendants(relation.oid)
    if catalog.is_partition(relation.oid):
        for each in catalog.relations.values():
            if each.kind == "p" and relation in catalog.descendants(each.oid):
                yield each


def _keeps(walk: Walk, target: Target, column: str, value: Value) -> bool:
    """Whether the column takes every such value as it is, nothing else looks at it, and it lasts."""
    if len(target.item.relations) != 1 or target.doubtful or target.item.doubtful or value.doubt:
        return False
    relation = target.item.relations[0]
    number = relation.numbers.get(column)
    if number is None or relation.kind != "r" or relation.system or relation.ruled or relation.excludes:
        return False
    if (
        relation.code
        or number in relation.used
        or any(moment != "store" for moment, _ in relation.expressions)
    ):
        return False
    if number in relation.used or walk.catalog.descendants(relation.oid):
        return False
    if walk.catalog.is_partition(relation.oid):
        return False
    if carried(walk, target, column):
        return False
    at = [each for each, _, _ in relation.columns].index(number)
    return _takes(relation, at, value)


def carried(walk: Walk, target: Target, column: str) -> bool:
    """Whether foreign keys refer to the column: others may be changed with it, of whatever class."""
    return any(
        relation.numbers.get(column) in key.keys
        for relation in target.item.relations
        for key in walk.catalog.foreign.get(relation.oid, ())
    )


def _takes(relation: Relation, at: int, value: Value) -> bool:
    """Whether storing it in this column never fails, and changes nothing."""
    oid = relation.columns[at][2]
    modifier = relation.modifiers[at] if at < len(relation.modifiers) else 0
    if base_type(value) == oid and value.type >> 32 == modifier + 1:
        return True
    return modifier == -1 and oid in (25, 1043)


_WIDER = {
    21: frozenset({20, 21, 23, 1700}),
    23: frozenset({20, 23, 1700}),
    20: frozenset({20, 1700}),
    700: frozenset({700, 701}),
    1082: frozenset({1082, 1114, 1184}),
    1042: frozenset({25, 1043}),
    25: frozenset({25, 1043}),
    1043: frozenset({25, 1043}),
}
"""Type of a base column -> types without a length that take all its values, each as another."""


def _holds(relation: Relation, column: str, value: Value) -> bool:
    """Whether the column takes every value of that base column, and tells all apart as that one does."""
    number = relation.numbers.get(column)
    at = [each for each, _, _ in relation.columns].index(number) if number is not None else -1
    if at < 0:
        return False
    oid = relation.columns[at][2]
    modifier = relation.modifiers[at] if at < len(relation.modifiers) else 0
    given = base_type(value)
    if given == oid:
        return modifier == -1 or value.type >> 32 == modifier + 1 or _longer(oid, modifier, value)
    return modifier == -1 and oid in _WIDER.get(given, ())


def _longer(oid: int, modifier: int, value: Value) -> bool:
    """Whether a varchar(n) takes what a shorter one holds."""
    return oid == 1043 and 0 < value.type >> 32 <= modifier + 1


def place_of(walk: Walk, reference: dict[str, object]) -> tuple[str, ...] | None:
    """The schemas in which CREATE may put what it names so; None where it does not last or can't be told."""
    if reference.get("relpersistence") == "t" or reference.get("catalogname"):
        return None
    schema = reference.get("schemaname")
    if schema is not None:
        return None if str(schema).startswith("pg_temp") else (str(schema),)
    if walk.path is None:
        walk.ambiguous = True  # the server can be asked
    if walk.path is None or walk.path[:1] == ("pg_temp",) or walk.schemas is None:
        return None
    found: list[str] = []
    for each in walk.schemas:
        if each == "pg_catalog" and "pg_catalog" not in walk.path:
            continue
        if each in walk.catalog.schemas:
            found.append(each)
            if each in walk.catalog.open_schemas:
                return tuple(found)
    return tuple(found) or None


def keep_query(walk: Walk, reference: dict[str, object], names: tuple[str, ...], columns: Columns) -> None:
    """A query's columns become a new relation's. names: those it gives them, as far as it does."""
    values = list(columns.values)
    if columns.loose is not None:
        values.append(columns.loose)
    walk.strange = walk.strange or any(value.doubt for value in values)
    if not any(value.classes for value in values):
        return
    places = place_of(walk, reference)
    temporary = any(name.startswith("pg_temp.") for name in walk.reads)
    listed = [*names, *columns.names[len(names) :]]
    sure = columns.loose is None and len(listed) == len(columns.values) and all(listed)
    relation = str(reference.get("relname", ""))
    for name, value in zip(listed, columns.values, strict=False):
        if places is None or temporary or not sure or value.doubt:
            break
        for schema in places if value.classes else ():
            walk.inherits.append(Inherited(schema, relation, name, value.classes))
    else:
        return
    walk.inherits.clear()
    for value in values:
        walk.spill(value)
