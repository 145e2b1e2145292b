"""Makes a Catalog of what the reader brought: classes are put on columns and carried to what depends on
them."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from wicketgate.sql import builtins
from wicketgate.sql.compositions import compositions
from wicketgate.sql.errors import SyntaxRefused
from wicketgate.sql.functions import Doing, builtin, extension_is_pure
from wicketgate.sql.parse import parse_view
from wicketgate.sql.relation import Routine
from wicketgate.sql.snapshot import NO_CLASSES, Body, Cast, Catalog, Foreign, Named, Relation
from wicketgate.sql.source import routines_of
from wicketgate.sql.tree import strings, walk

__all__ = ["NO_CLASSES", "Body", "Cast", "Catalog", "Named", "Relation", "load"]

FORMAT = 7


def load(raw: bytes, sensitive: Mapping[str, str], options: Mapping[str, Any]) -> Catalog:
    """A catalog from what the reader made.

    sensitive: `schema.table.column` -> data class. options: the resource's settings; `functions` lists
    functions (`schema.name` or `name`) that the operator knows to compute from their arguments only.
    Raises ValueError for bytes of another format.
    """
    from wicketgate.sql.views import resolve_view

    source = orjson.loads(raw)
    if not isinstance(source, dict) or source.get("format") != FORMAT:
        raise ValueError("this catalog was written by another version")
    marked = bool(sensitive)
    trusted = frozenset(str(name) for name in options.get("functions", ()))
    relations = _relations(source, marked, trusted)
    unbound = _mark(relations.values(), sensitive)
    inherited = source.get("inherited", {})
    for key, oid, number, data_class in source.get("bound", ()):
        if oid in relations:  # what these columns were called when they were named sensitive
            relations[oid].classes[number] = relations[oid].classes.get(number, NO_CLASSES) | {data_class}
            if key in inherited:
                relations[oid].copied.add(number)
                relations[oid].gained.add(number)
    keys = {**inherited, **sensitive}
    for key, oid, number, _ in source.get("carried", ()):
        if key in keys and oid in relations and relations[oid].kind != "v":
            held = relations[oid].classes  # these were made from sensitive columns once
            held[number] = held.get(number, NO_CLASSES) | {keys[key]}
            relations[oid].copied.add(number)
            if key in inherited:
                relations[oid].gained.add(number)
    _close(relations, source)
    if marked:
        _sequences(relations, source)
    unsafe = _unsafe_types(source)
    casts = tuple(
        Cast(row[0], row[1], row[2], row[3], row[4], row[5])
        for row in source["casts"]
        if row[5] is not None and row[6] is None and row[5] not in trusted
    )
    holds = _holds(source, casts)
    salt = orjson.dumps([sorted(sensitive.items()), sorted(trusted)])
    catalog = Catalog(
        version=hashlib.sha256(raw + salt).hexdigest(),
        database=source["database"],
        server=source["server"],
        sensitive=marked,
        relations=relations,
        functions=_named(source["functions"], trusted, routines_of(source)),
        builtin_functions={
            row[0]: ("vsi"[int(row[1])] if not row[3] else "v", row[2]) for row in source["builtin_functions"]
        },
        operators=_operators(source["operators"], trusted),
        builtin_operators=frozenset(source["builtin_operators"]),
        types=_types(source, unsafe),
        builtin_types=frozenset(source["builtin_types"]),
        casts=casts,
        holds=holds,
        held_names=_held_names(source, holds),
        unsafe_types=frozenset(unsafe) | holds.keys(),
        known_types=frozenset(row[0] for row in source["types"]),
        uses=_uses(source),
        children=_children(source),
        foreign=_foreign(source),
        event_triggers=frozenset(row[0] for row in source["event_triggers"] if _acts(row, trusted)),
        collations={name: bool(exact) for name, exact in source["collations"]},
        collated=_collated(source, relations),
        open_schemas=frozenset(source.get("open_schemas", ())),
        schemas=frozenset(source.get("schemas", ())),
        names=_names(source),
        unbound=unbound,
        resolve_view=resolve_view,
    )
    catalog.compositions = compositions(source)
    return catalog


def _relations(source: dict[str, Any], sensitive: bool, trusted: frozenset[str]) -> dict[int, Relation]:
    expressions: dict[int, list[tuple[str, str]]] = {}
    for oid, moment, text in source["expressions"]:
        expressions.setdefault(oid, []).append((moment, text))
    code: dict[int, list[tuple[str, str]]] = {}
    for oid, moment, *function in source["code"]:
        if _acts(function, trusted):
            code.setdefault(oid, []).append((moment, function[0]))
    patterned: dict[int, set[int]] = {}
    for oid, number in source["patterned"]:
        patterned.setdefault(oid, set()).add(number)
    columns = {row[0]: tuple(zip(row[1], row[2], row[3], strict=True)) for row in source["columns"]}
    generated = {
        row[0]: frozenset(number for number, how in zip(row[1], row[4], strict=True) if how)
        for row in source["columns"]
    }
    modifiers = {row[0]: tuple(row[5]) for row in source["columns"] if len(row) > 5}
    used: dict[int, set[int]] = {}
    for oid, _, number in source["generated"]:
        used.setdefault(oid, set()).add(number)
    excluding = frozenset(source.get("excluding", ()))
    bounds = {oid: frozenset(numbers) for oid, numbers in source.get("bounds", ())}
    views = dict(source["views"])
    keys: dict[int, list[list[int]]] = {}
    for oid, numbers in source["keys"]:
        keys.setdefault(oid, []).append(numbers)
    found: dict[int, Relation] = {}
    for oid, schema, name, kind, _, _, forks, ruled, extension in source["relations"]:
        own = columns.get(oid, ())
        by_number = {number: column for number, column, _ in own}
        classes: dict[int, frozenset[str]] = {}
        for number, column, _ in own:
            builtin_class = builtins.classes_of(schema, name, column, sensitive, extension)
            classes[number] = NO_CLASSES if builtin_class is None else frozenset({builtin_class})
        found[oid] = Relation(
            oid=oid,
            schema=schema,
            name=name,
            kind=kind,
            columns=own,
            numbers={column: number for number, column, _ in own},
            classes=classes,
            generated=generated.get(oid, frozenset()),
            keys=tuple(
                frozenset(by_number[number] for number in key)
                for key in keys.get(oid, ())
                if key and all(number in by_number for number in key)
            ),
            forks=forks,
            ruled=ruled,
            extension=extension,
            view=views.get(oid, "") if kind in ("v", "m") and oid in views else None,
            expressions=tuple(expressions.get(oid, ())),
            code=tuple(code.get(oid, ())),
            patterned=frozenset(patterned.get(oid, ())),
            modifiers=modifiers.get(oid, ()),
            excludes=oid in excluding,
            bounds=bounds.get(oid, NO_CLASSES),
            used=frozenset(used.get(oid, ())),
        )
    return found


def _acts(function: list[Any], trusted: frozenset[str]) -> bool:
    """Whether a function (name, volatility, extension) may do more than compute."""
    name, volatility, extension = function
    bare = name.rpartition(".")[2]
    if name in trusted or bare in trusted:
        return False
    return extension is None or not extension_is_pure(extension, bare, volatility)


def _mark(relations: Iterable[Relation], sensitive: Mapping[str, str]) -> tuple[str, ...]:
    """Put the operator's classes on columns; returns keys that name none."""
    left = set(sensitive)
    if not left:
        return ()
    tables = {key.rpartition(".")[0] for key in left}
    for relation in relations:
        if relation.kind == "c" or relation.qualified not in tables:
            continue
        for number, column, _ in relation.columns:
            key = f"{relation.qualified}.{column}"
            if key in sensitive:
                relation.classes[number] = relation.classes[number] | {sensitive[key]}
                left.discard(key)
    return tuple(sorted(left))


def _close(relations: Mapping[int, Relation], source: dict[str, Any]) -> None:
    """Carry classes over inheritance (both ways), generated columns, row types and TOAST, until nothing
    changes."""
    row_types: dict[int, int] = {row[4]: row[0] for row in source["relations"] if row[4]}
    for row in source["types"]:
        if row[5] in row_types:
            row_types[row[0]] = row_types[row[5]]
    toast = [(row[0], row[5]) for row in source["relations"] if row[5]]
    typed = [
        (relation, number, row_types[type_oid])
        for relation in relations.values()
        for number, _, type_oid in relation.columns
        if type_oid in row_types
    ]
    inherits = [
        (relations[child], relations[parent])
        for child, parent in source["inherits"]
        if child in relations and parent in relations
    ]
    changed = True

    def add(relation: Relation, number: int, classes: frozenset[str]) -> None:
        nonlocal changed
        have = relation.classes.get(number, NO_CLASSES)
        if not classes <= have:
            relation.classes[number] = have | classes
            changed = True

    while changed:
        changed = False
        for child, parent in inherits:
            for number, column, _ in parent.columns:
                other = child.numbers.get(column)
                if other is not None:
                    add(child, other, parent.classes[number])
                    add(parent, number, child.classes[other])
        for oid, number, used in source["generated"]:
            if oid in relations:
                add(relations[oid], number, relations[oid].classes.get(used, NO_CLASSES))
        for relation, number, held in typed:
            add(relation, number, _union(relations[held].classes.values()))
        for oid, toasted in toast:
            if toasted in relations:
                for number, _, _ in relations[toasted].columns:
                    add(relations[toasted], number, _union(relations[oid].classes.values()))


def _sequences(relations: Mapping[int, Relation], source: dict[str, Any]) -> None:
    """A sequence that feeds a sensitive column tells its newest value; where none does, pg_sequences is as
    clean as its sequences are."""
    told = False
    for sequence, oid, number in source["sequences"]:
        if oid in relations and sequence in relations and relations[oid].classes.get(number):
            last = relations[sequence].numbers["last_value"]
            relations[sequence].classes[last] = frozenset({builtins.VALUE})
            told = True
    for relation in relations.values() if not told else ():
        if (relation.schema, relation.name) == ("pg_catalog", "pg_sequences"):
            relation.classes[relation.numbers["last_value"]] = NO_CLASSES


def _union(many: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*many)


def _named(
    rows: list[list[Any]], trusted: frozenset[str], routines: Mapping[int, Routine]
) -> dict[str, tuple[Named, ...]]:
    found: dict[str, list[Named]] = {}
    for schema, name, volatility, kind, extension, *more in rows:
        safe = name in trusted or f"{schema}.{name}" in trusted
        if not safe and extension is not None and kind != "p":
            safe = extension_is_pure(extension, name, volatility)
        safe = safe or (schema == "information_schema" and extension is None)
        oid, given, defaults = more or (0, -1, 0)
        body = routines.get(oid) if kind == "f" and extension is None else None
        named = Named(schema, name, safe, kind == "a", body, given, defaults)
        found.setdefault(name, []).append(named)
    return {name: tuple(many) for name, many in found.items()}


def _operators(rows: list[list[Any]], trusted: frozenset[str]) -> dict[str, tuple[Named, ...]]:
    found: dict[str, list[Named]] = {}
    for schema, name, volatility, extension in rows:
        safe = name in trusted or f"{schema}.{name}" in trusted
        if not safe and extension is not None:
            safe = extension_is_pure(extension, name, volatility or "v")
        found.setdefault(name, []).append(Named(schema, name, safe))
    return {name: tuple(many) for name, many in found.items()}


def _unsafe_types(source: dict[str, Any]) -> set[int]:
    """Types whose input, or a cast to them, may run a user's code."""
    members = {row[0]: row[3] for row in source["columns"]}
    unsafe = {
        row[0] for row in source["types"] if row[8] is None and (row[7] or (row[3] == "b" and row[5] == 0))
    }
    acting = {row[0]: ("vsi"[int(row[1])] if not row[3] else "v") for row in source["builtin_functions"]}
    for row in source["types"]:
        if row[9] and row[8] is None and not _computes(row[9], acting):
            unsafe.add(row[0])
    growing = True
    while growing:
        growing = False
        for oid, _, _, kind, relation, element, base, *_ in source["types"]:
            if oid in unsafe:
                continue
            parts = [element, base] if kind != "c" else list(members.get(relation, ()))
            if any(part in unsafe for part in parts):
                unsafe.add(oid)
                growing = True
    return unsafe


def _computes(text: str, volatilities: Mapping[str, str]) -> bool:
    """Whether the server's own functions in a domain's checks only compute (a user's are told apart by
    pg_depend)."""
    try:
        tree = parse_view(f"SELECT {text}").body
    except SyntaxRefused:
        return False
    called = {strings(part.get("funcname"))[-1] for node, part in walk(tree) if node == "FuncCall"}
    return all(builtin(name, volatilities.get(name, "i")) is Doing.PURE for name in called)


def _holds(source: dict[str, Any], casts: tuple[Cast, ...]) -> dict[int, frozenset[int]]:
    """Type -> those types with a user's cast that a value of it may hold, itself included."""
    found = {oid: frozenset({oid}) for cast in casts for oid in (cast.source, cast.target) if oid >= 16384}
    if not found:
        return {}
    members = {row[0]: row[3] for row in source["columns"]}
    growing = True
    while growing:
        growing = False
        for oid, _, _, kind, relation, element, base, *_ in source["types"]:
            parts = [element, base] if kind != "c" else list(members.get(relation, ()))
            held = frozenset().union(*(found[part] for part in parts if part in found))
            if not held <= found.get(oid, frozenset()):
                found[oid] = found.get(oid, frozenset()) | held
                growing = True
    return found


def _held_names(source: dict[str, Any], holds: Mapping[int, frozenset[int]]) -> dict[str, frozenset[int]]:
    """The same by the type's name, whatever its schema."""
    found: dict[str, frozenset[int]] = {}
    for row in source["types"] if holds else ():
        if row[0] in holds:
            found[row[2]] = found.get(row[2], frozenset()) | holds[row[0]]
    return found


def _types(source: dict[str, Any], unsafe: set[int]) -> dict[str, tuple[tuple[str, bool], ...]]:
    found: dict[str, list[tuple[str, bool]]] = {}
    for row in source["types"]:
        found.setdefault(row[2], []).append((row[1], row[0] not in unsafe))
    return {name: tuple(many) for name, many in found.items()}


def _uses(source: dict[str, Any]) -> dict[int, tuple[tuple[int, int], ...]]:
    found: dict[int, list[tuple[int, int]]] = {}
    for view, relation, column in source["uses"]:
        found.setdefault(view, []).append((relation, column))
    return {view: tuple(used) for view, used in found.items()}


def _children(source: dict[str, Any]) -> dict[int, tuple[int, ...]]:
    found: dict[int, list[int]] = {}
    for child, parent in source["inherits"]:
        found.setdefault(parent, []).append(child)
    return {parent: tuple(many) for parent, many in found.items()}


def _collated(source: dict[str, Any], relations: Mapping[int, Relation]) -> frozenset[str]:
    """Names of types whose values may compare by pattern: domains with such a collation, and rows with such a
    column."""
    domains = set(source["collated_types"])
    names = {row[2] for row in source["types"] if row[0] in domains}
    return frozenset(names | {relation.name for relation in relations.values() if relation.patterned})


def _foreign(source: dict[str, Any]) -> dict[int, tuple[Foreign, ...]]:
    found: dict[int, list[Foreign]] = {}
    for referenced, referring, on_update, on_delete, keys, columns in source["foreign"]:
        key = Foreign(referenced, referring, on_update, on_delete, tuple(keys), tuple(columns))
        found.setdefault(referenced, []).append(key)
    return {referenced: tuple(many) for referenced, many in found.items()}


def _names(source: dict[str, Any]) -> frozenset[str]:
    names: set[str] = set(source["names"])
    system = {
        row[0] for row in source["relations"] if row[1] in ("pg_catalog", "information_schema", "pg_toast")
    }
    names.update(row[2] for row in source["relations"])
    for row in source["columns"]:
        if row[0] not in system:
            names.update(row[2])
    names.update(row[1] for row in source["functions"])
    names.update(row[2] for row in source["types"])
    names.update(source["builtin_types"])
    return frozenset(names)
