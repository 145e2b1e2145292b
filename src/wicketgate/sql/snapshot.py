"""One database's names as a snapshot: which relations, columns, functions and types there are, and which
columns
hold sensitive data. It is immutable; what views depend on is worked out when first asked for, once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from wicketgate.sql.compositions import Composition
from wicketgate.sql.functions import Doing, builtin

NO_CLASSES: frozenset[str] = frozenset()

BUILTIN = 16384
"""OIDs below this are given when a server is made, and are the same code everywhere (FirstNormalObjectId)."""


@dataclass(slots=True, eq=False)
class Relation:
    """A table, view, sequence … of the database. classes: by attribute number, closed over everything but
    view
    bodies (see Catalog.classes). forks: other tables inherit from it (not partitions), so its keys bound
    nothing. expressions: moment (`any`, `store`, `guard`) and text of what the server computes beside a
    statement. code: moment (also `trigger`) and name of functions that run so. patterned: columns whose
    collation takes different texts for equal."""

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

    @property
    def qualified(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def system(self) -> bool:
        return self.schema in ("pg_catalog", "information_schema")


@dataclass(frozen=True, slots=True)
class Body:
    """What reading a view does. columns: its columns' classes by position; None where they can't be told."""

    columns: tuple[frozenset[str], ...] | None
    effects: frozenset[Any]
    reads: frozenset[str]
    functions: frozenset[str]
    classes: frozenset[str]
    complete: bool
    opaque: bool


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
class Named:
    """A function or operator outside pg_catalog. safe: known to compute from its arguments only."""

    schema: str
    name: str
    safe: bool
    aggregate: bool = False


class Catalog:
    """See the module. All look-ups are by exact, folded names."""

    def __init__(
        self,
        *,
        version: str,
        database: str,
        server: int,
        sensitive: bool,
        relations: Mapping[int, Relation],
        functions: Mapping[str, tuple[Named, ...]],
        builtin_functions: Mapping[str, tuple[str, bool]],
        operators: Mapping[str, tuple[Named, ...]],
        builtin_operators: frozenset[str],
        types: Mapping[str, tuple[tuple[str, bool], ...]],
        builtin_types: frozenset[str],
        casts: tuple[Cast, ...],
        holds: Mapping[int, frozenset[int]],
        held_names: Mapping[str, frozenset[int]],
        unsafe_types: frozenset[int],
        known_types: frozenset[int],
        uses: Mapping[int, tuple[tuple[int, int], ...]],
        children: Mapping[int, tuple[int, ...]],
        foreign: Mapping[int, tuple[Foreign, ...]],
        event_triggers: frozenset[str],
        collations: Mapping[str, bool],
        open_schemas: frozenset[str],
        collated: frozenset[str],
        names: frozenset[str],
        unbound: tuple[str, ...],
        resolve_view: Callable[["Catalog", Relation], Body],
    ) -> None:
        self.version = version
        self.database = database
        self.server = server
        self.sensitive = sensitive
        self.unbound = unbound
        self.relations = relations
        self.functions = functions
        self.builtin_functions = builtin_functions
        self.operators = operators
        self.builtin_operators = builtin_operators
        self.types = types
        self.builtin_types = builtin_types
        self.casts = casts
        self.holds = holds
        self.held_names = held_names
        self.held = frozenset().union(*holds.values())
        self.unsafe_types = unsafe_types
        self._known_types = known_types
        self._uses = uses
        self._children = children
        self.foreign = foreign
        self.event_triggers = event_triggers
        self.collations = collations
        self.open_schemas = open_schemas
        self.collated = collated
        self.beside: dict[tuple[int, str], Any] = {}
        self.compositions: Mapping[int, Composition] = {}
        self._names = names
        self._resolve_view = resolve_view
        self._bodies: dict[int, Body] = {}
        self._opening: set[int] = set()
        by_name: dict[str, list[Relation]] = {}
        by_place: dict[tuple[str, str], Relation] = {}
        for relation in relations.values():
            if relation.kind == "c":
                continue
            by_name.setdefault(relation.name, []).append(relation)
            by_place[relation.schema, relation.name] = relation
        self._by_name = {name: tuple(found) for name, found in by_name.items()}
        self._by_place = by_place

    def descendants(self, oid: int) -> tuple[Relation, ...]:
        """The relation's partitions and inheritance children, and theirs."""
        first = self._children.get(oid)
        if first is None:
            return ()
        found: dict[int, None] = {}
        stack = list(first)
        while stack:
            child = stack.pop()
            if child not in found and child != oid:
                found[child] = None
                stack.extend(self._children.get(child, ()))
        return tuple(self.relations[child] for child in found if child in self.relations)

    # -- asked by the gateway ------------------------------------------------------------------------------
    def classes(self, relation_oid: int, attribute: int) -> frozenset[str] | None:
        """The data classes that a column may hold; None for an OID or attribute that is not known. System
        columns (negative numbers) hold none; 0 is the whole row."""
        relation = self.relations.get(relation_oid)
        if relation is None:
            return None
        if attribute < 0:
            return NO_CLASSES
        classes = self.relation_classes(relation)
        return NO_CLASSES.union(*classes.values()) if attribute == 0 else classes.get(attribute)

    def relation_name(self, oid: int) -> str | None:
        """`schema.relation`, or None."""
        relation = self.relations.get(oid)
        return None if relation is None else relation.qualified

    def names(self) -> frozenset[str]:
        """Every name of the database's own objects, for message templates."""
        return self._names

    # -- asked by the resolver -----------------------------------------------------------------------------
    def at(self, schema: str, name: str) -> Relation | None:
        return self._by_place.get((schema, name))

    def named(self, name: str) -> tuple[Relation, ...]:
        return self._by_name.get(name, ())

    def named_in(self, qualified: str) -> Relation | None:
        """The relation of a name as Relation.qualified gives it; not found if its schema has a dot."""
        schema, _, name = qualified.partition(".")
        return self.at(schema, name)

    def relation_classes(self, relation: Relation) -> Mapping[int, frozenset[str]]:
        """Attribute number -> classes, for every column of the relation."""
        if relation.view is None:
            return relation.classes
        body = self.body(relation)
        found = dict(relation.classes)
        for index, (number, _, _) in enumerate(relation.columns):
            if body.columns is None:
                own: frozenset[str] = self._coarse(relation)
            else:
                own = body.columns[index] if index < len(body.columns) else self._coarse(relation)
            if own:
                found[number] = found.get(number, NO_CLASSES) | own
        return found

    def body(self, relation: Relation) -> Body:
        """What reading this view does. A view that (wrongly) depends on itself is unknown."""
        found = self._bodies.get(relation.oid)
        if found is not None:
            return found
        if relation.oid in self._opening:
            return Body(None, frozenset(), NO_CLASSES, NO_CLASSES, self._coarse(relation), False, True)
        self._opening.add(relation.oid)
        try:
            body = self._resolve_view(self, relation)
        finally:
            self._opening.discard(relation.oid)
        if body.columns is None or body.opaque:
            coarse = self._coarse(relation)
            body = Body(
                None,
                body.effects,
                body.reads,
                body.functions,
                body.classes | coarse,
                body.complete,
                body.opaque,
            )
        self._bodies[relation.oid] = body
        return body

    def _coarse(self, relation: Relation) -> frozenset[str]:
        """All classes of all relations below a view, by pg_depend alone."""
        found: set[str] = set()
        seen = {relation.oid}
        stack = [relation.oid]
        while stack:
            for used, _ in self._uses.get(stack.pop(), ()):
                below = self.relations.get(used)
                if used in seen or below is None:
                    continue
                seen.add(used)
                stack.append(used)
                for classes in below.classes.values():
                    found |= classes
        return frozenset(found)

    def function(self, name: str, schemas: tuple[str, ...] | None) -> tuple[Doing | None, tuple[Named, ...]]:
        """The builtin's doing (None: there is none) and the namesakes outside pg_catalog in these schemas
        (None: in any)."""
        known = self.builtin_functions.get(name)
        doing = None if known is None else builtin(name, known[0])
        return doing, _within(self.functions.get(name, ()), schemas)

    def is_aggregate(self, name: str) -> bool:
        """Whether any function of this name may be an aggregate."""
        known = self.builtin_functions.get(name)
        if known is not None and known[1]:
            return True
        return any(function.aggregate for function in self.functions.get(name, ()))

    def operator(self, name: str, schemas: tuple[str, ...] | None) -> tuple[bool, tuple[Named, ...]]:
        return name in self.builtin_operators, _within(self.operators.get(name, ()), schemas)

    def type_is_safe(self, name: str, schemas: tuple[str, ...] | None) -> bool:
        """Whether a cast to a type of this name runs nothing of a user's. schemas: where it may be found
        (pg_catalog among them where the server would look there), None for anywhere."""
        found = [safe for schema, safe in self.types.get(name, ()) if schemas is None or schema in schemas]
        if name in self.builtin_types and (schemas is None or "pg_catalog" in schemas):
            return all(found)
        return bool(found) and all(found)

    def oid_is_safe(self, oid: int) -> bool:
        """The same of a type's OID: one that is neither the server's own nor in the catalog is not."""
        if oid < BUILTIN:
            return True
        return oid in self._known_types and oid not in self.unsafe_types


def _within(named: tuple[Named, ...], schemas: tuple[str, ...] | None) -> tuple[Named, ...]:
    if schemas is None or not named:
        return named
    return tuple(found for found in named if found.schema in schemas)
