"""One database's names as a snapshot: which relations, columns, functions and types there are, and which
columns
hold sensitive data. It is immutable; what views depend on is worked out when first asked for, once.
"""

from collections.abc import Callable, Mapping
from typing import Any

from wicketgate.sql.compositions import Composition
from wicketgate.sql.functions import Doing, builtin
from wicketgate.sql.relation import BUILTIN, PLAIN, Body, Cast, Foreign, Named, Relation, typed
from wicketgate.sql.value import NO_CLASSES, Value

__all__ = [
    "BUILTIN",
    "NO_CLASSES",
    "PLAIN",
    "Body",
    "Cast",
    "Catalog",
    "Foreign",
    "Named",
    "Relation",
    "typed",
]


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
        schemas: frozenset[str],
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
        self._referring = {
            (key.referring, number) for many in foreign.values() for key in many for number in key.columns
        }
        self._partitions = frozenset(
            child
            for parent, many in children.items()
            for child in many
            if parent in relations and relations[parent].kind == "p"
        )
        self.foreign = foreign
        self.event_triggers = event_triggers
        self.collations = collations
        self.open_schemas = open_schemas
        self.schemas = schemas
        self.collated = collated
        self.beside: dict[tuple[int, str], Any] = {}
        self.trees: dict[int, Any] = {}
        """The parsed bodies of functions, by OID; None for what can't be read."""
        self.compositions: Mapping[int, Composition] = {}
        self._names = names
        self._resolve_view = resolve_view
        self._bodies: dict[int, Body] = {}
        self._opening: set[int] = set()
        self._values: dict[int, tuple[Value, ...]] = {}
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

    def refers(self, oid: int, number: int) -> bool:
        """Whether a foreign key looks up this column's values elsewhere."""
        return (oid, number) in self._referring

    def is_partition(self, oid: int) -> bool:
        """Whether a partitioned table says which rows it takes."""
        return oid in self._partitions

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
                known = index < len(body.columns)
                own = body.columns[index].classes if known else self._coarse(relation)
            if own:
                found[number] = found.get(number, NO_CLASSES) | own
        return found

    def values(self, relation: Relation) -> tuple[Value, ...]:
        """What its columns hold, by position."""
        found = self._values.get(relation.oid)
        if found is None:
            found = tuple(self._value(relation, at) for at in range(len(relation.columns)))
            if relation.oid not in self._opening:
                self._values[relation.oid] = found
        return found

    def _value(self, relation: Relation, at: int) -> Value:
        number, _, oid = relation.columns[at]
        classes = self.relation_classes(relation).get(number, NO_CLASSES)
        modifier = relation.modifiers[at] if at < len(relation.modifiers) else 0
        base = self._is_base(relation, at)
        return Value(
            classes,
            bare=base or not classes,
            columns=True,
            base=base,
            type=typed(oid, modifier),
            odd=oid not in PLAIN,
        )

    def _is_base(self, relation: Relation, at: int) -> bool:
        number = relation.columns[at][0]
        if number in relation.copied or number in relation.generated:
            return False
        if relation.view is None:
            return True
        body = self.body(relation)
        if body.columns is None or at >= len(body.columns):
            return False
        return body.columns[at].base and body.columns[at].classes == self.relation_classes(relation)[number]

    def bare(self, relation_oid: int, attribute: int) -> bool:
        """Whether a column's values are one base column's own, unchanged: no view or generated column that is
        computed, and no column whose class came with what was stored in it. False for what is not known."""
        relation = self.relations.get(relation_oid)
        if relation is None:
            return False
        for value, (number, _, _) in zip(self.values(relation), relation.columns, strict=True):
            if number == attribute:
                return value.base
        return False

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
                body.asks,
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
