"""What the server runs beside a statement, unseen in its text: row security, defaults, checks, indexes,
triggers, event triggers. It is read from the catalog as queries are; what is not understood is unknown."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wicketgate.model.statement import Effect
from wicketgate.sql.changes import is_set_config
from wicketgate.sql.errors import SyntaxRefused
from wicketgate.sql.parse import parse_view
from wicketgate.sql.scope import Scope
from wicketgate.sql.snapshot import NO_CLASSES, Catalog, Relation
from wicketgate.sql.tree import walk as every_node

if TYPE_CHECKING:
    from wicketgate.sql.walk import Walk

_DOUBT = frozenset({Effect.READ, Effect.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Beside:
    """What a relation's expressions of one moment do. looks: they look at sensitive values, so that an error
    may tell one; asks: as in Body; other fields as in Facts."""

    effects: frozenset[Effect] = frozenset()
    reads: frozenset[str] = NO_CLASSES
    functions: frozenset[str] = NO_CLASSES
    classes: frozenset[str] = NO_CLASSES
    complete: bool = True
    opaque: bool = False
    looks: bool = False
    asks: frozenset[str] = NO_CLASSES


_UNKNOWN = Beside(_DOUBT, complete=False, opaque=True, looks=True)


def reading(walk: "Walk", relation: Relation, rows: bool = True) -> None:
    """A relation is read, its children with it; where rows are looked at, row security decides which."""
    walk.reads.update(child.qualified for child in walk.catalog.descendants(relation.oid))
    if rows:
        _screen(walk, relation)


def writing(walk: "Walk", relation: Relation, storing: bool, effect: Effect) -> None:
    """Rows of a relation are changed, its children's with them, and of the tables below a view. storing: rows
    are stored, so that defaults are computed."""
    changed = [relation, *walk.catalog.descendants(relation.oid)]
    if relation.kind == "v":
        below = (walk.catalog.named_in(name) for name in sorted(walk.catalog.body(relation).reads))
        changed.extend(base for base in below if base is not None and not base.system)
    for each in changed:
        walk.writes.add(each.qualified)
        _screen(walk, each)
        _stir(walk, each, storing, effect is Effect.DEFINE)
    if effect is Effect.DELETE:
        _cascade(walk, changed, None)


def updating(walk: "Walk", relations: Iterable[Relation], columns: frozenset[str]) -> None:
    """These columns of a relation get new values: foreign keys that refer to them may carry these on."""
    for relation in relations:
        changed = [relation, *walk.catalog.descendants(relation.oid)]
        if relation.kind == "v":
            below = (walk.catalog.named_in(name) for name in walk.catalog.body(relation).reads)
            changed.extend(base for base in below if base is not None)
            _cascade(walk, changed, frozenset().union(*(base.numbers for base in changed)))
        else:
            _cascade(walk, changed, columns)


def _cascade(walk: "Walk", relations: list[Relation], columns: frozenset[str] | None) -> None:
    """What foreign keys change with these: by ON DELETE (columns: None), or by ON UPDATE of these columns."""
    stack = [(relation, columns) for relation in relations]
    seen: set[tuple[int, frozenset[str] | None]] = set()
    while stack:
        relation, columns = stack.pop()
        if (relation.oid, columns) in seen:
            continue
        seen.add((relation.oid, columns))
        for key in walk.catalog.foreign.get(relation.oid, ()):
            referring = walk.catalog.relations.get(key.referring)
            if referring is None:
                continue
            if columns is not None and not columns & _names(relation, key.keys):
                continue
            action = key.on_delete if columns is None else key.on_update
            if action not in ("c", "n", "d"):
                continue
            gone = columns is None and action == "c"
            carried = None if gone else _names(referring, key.columns)
            walk.effects.add(Effect.DELETE if gone else Effect.WRITE)
            for each in (referring, *walk.catalog.descendants(referring.oid)):
                walk.writes.add(each.qualified)
                held = frozenset().union(*walk.catalog.relation_classes(each).values())
                walk.classes |= held
                walk.sensitive = walk.sensitive or bool(held)
                _stir(walk, each, True, False)
                stack.append((each, carried))


def _names(relation: Relation, numbers: tuple[int, ...]) -> frozenset[str]:
    return frozenset(column for number, column, _ in relation.columns if number in numbers)


def _screen(walk: "Walk", relation: Relation) -> None:
    if relation.expressions or relation.code:
        _gather(walk, _beside(walk.catalog, relation, "any"))


def _stir(walk: "Walk", relation: Relation, storing: bool, defining: bool) -> None:
    """defining: it is DDL, which sets off no trigger."""
    if storing and any(type_oid in walk.catalog.unsafe_types for _, _, type_oid in relation.columns):
        walk.sensitive = walk.sensitive or walk.catalog.sensitive
    if not relation.expressions and not relation.code:
        return
    if storing:
        stored = _beside(walk.catalog, relation, "store")
        if stored.functions or stored.opaque:
            walk.functions |= stored.functions
            walk.blur()
    guards = _beside(walk.catalog, relation, "guard")
    functions = guards.functions
    if not defining:
        functions |= {name for moment, name in relation.code if moment == "trigger"}
    if functions or guards.opaque:
        set_off(walk, functions)


def set_off(walk: "Walk", functions: frozenset[str]) -> None:
    """A user's code runs with what is done: it belongs to the relation (or database), and who may write that
    may set it off. It may touch any other relation, and see sensitive values."""
    walk.functions |= functions
    walk.complete = False
    if walk.catalog.sensitive:
        walk.sensitive = True
        walk.unproven = True


def _gather(walk: "Walk", found: Beside) -> None:
    walk.effects |= found.effects
    walk.reads |= found.reads
    walk.bounded |= found.reads  # no row of these comes out
    walk.functions |= found.functions
    walk.classes |= found.classes
    walk.complete = walk.complete and found.complete
    walk.opaque = walk.opaque or found.opaque
    walk.sensitive = walk.sensitive or found.looks
    walk.asks |= found.asks
    walk.steered |= found.asks
    if Effect.UNKNOWN in found.effects:
        walk.disturbs = True


def _beside(catalog: Catalog, relation: Relation, moment: str) -> Beside:
    key = (relation.oid, moment)
    found: Beside | None = catalog.beside.get(key)
    if found is None:
        # what leads back to itself is refused by the server, and unknown here
        catalog.beside[key] = _UNKNOWN
        found = catalog.beside[key] = _look(catalog, relation, moment)
    return found


def _look(catalog: Catalog, relation: Relation, moment: str) -> Beside:
    from wicketgate.sql.queries import query
    from wicketgate.sql.reading import expressions
    from wicketgate.sql.walk import TooComplex, Walk

    texts = [text for when, text in relation.expressions if when == moment]
    code = [name for when, name in relation.code if when == moment]
    walk = Walk(catalog, (), NO_CLASSES, "", False)
    walk.query, walk.for_all = query, True
    for name in code:
        walk.unknown(name)
    try:
        for text in texts:
            body = parse_view(f"SELECT {text}").body
            if any(node == "FuncCall" and is_set_config(part) for node, part in every_node(body)):
                walk.unknown("pg_catalog.set_config")
            item = walk.item((relation,), relation.name, (), False)
            outputs = [node["ResTarget"]["val"] for node in body["targetList"]]
            for value in expressions(walk, outputs, Scope(None, [item])):
                if moment == "any":
                    walk.steer(value)
        walk.settle()
    except (SyntaxRefused, TooComplex, RecursionError, LookupError):
        return _UNKNOWN
    doubtful = walk.opaque or bool(walk.unknown_names)
    return Beside(
        frozenset(walk.effects),
        frozenset(walk.reads),
        frozenset(walk.functions),
        frozenset(walk.classes),
        walk.complete,
        doubtful,
        doubtful or bool(walk.steered),
        walk.asked(),
    )
