"""Binds `sensitive:` names to columns by (relation OID, attribute), and keeps that from reading to reading.
A column that was sensitive once, by its name or by what it was made from, stays so while it exists, whatever
becomes of it: neither a rename nor a detached partition ever unmasks."""

import json
from collections.abc import Mapping
from typing import Any, Final

from wicketgate.model.resource import Resource
from wicketgate.model.statement import Inherits
from wicketgate.sql.catalog import load

_KEPT: Final = frozenset("rpmf")
"""Kinds of relations that hold rows of their own. What a view holds is told anew by each definition."""


class Unbound(ValueError):
    """A `sensitive:` name that means no column, and never did: nobody can tell what it should have masked."""


def bind(
    previous: bytes | None, raw: bytes, resource: Resource, database: str, inherits: Inherits = ()
) -> bytes:
    """A catalog as it was read, with what its sensitive names are bound to.

    previous: the catalog before it, as this function gave it; None at the first reading. Adds `bound`: rows
    of [key, relation OID, attribute, data class], `known`: keys that were bound once, and `carried`: rows of
    [key, relation OID, attribute, `schema.relation.column`] for all that a bound column was ever carried to
    (children, generated columns, views). A relation that takes the place of one that is gone, under its name,
    takes what its columns were. inherits: columns into which values of a class were copied; they are bound
    as soon as they are there (`inherited`: a key for each -> its class). Raises Unbound.
    """
    catalog: dict[str, Any] = json.loads(raw)
    wanted = resource.sensitive.get(database, {})
    columns = {row[0]: dict(zip(row[2], row[1], strict=True)) for row in catalog["columns"]}
    relations = {f"{row[1]}.{row[2]}": row[0] for row in catalog["relations"]}
    earlier: dict[str, Any] = json.loads(previous) if previous is not None else {}
    alive = {(oid, number) for oid, numbers in columns.items() for number in numbers.values()}
    bound = [row for row in earlier.get("bound", ()) if (row[1], row[2]) in alive]
    known = set(earlier.get("known", ()))
    missing: list[str] = []
    inherited = {
        f"{column}={data_class}": data_class
        for column, data_class in inherits
        if column not in resource.clean
    }
    for key, data_class in [*wanted.items(), *inherited.items()]:
        name = key.rpartition("=")[0] if key in inherited else key
        relation, _, column = name.rpartition(".")
        oid = relations.get(relation)
        number = columns.get(oid, {}).get(column) if oid is not None else None
        if number is not None:
            bound.append([key, oid, number, data_class])
            known.add(key)
        elif key not in known and key not in inherited:
            missing.append(key)
    if missing:
        raise Unbound(
            f"no such column: {', '.join(sorted(missing))} (named in sensitive; renamed or misspelt?)"
        )
    wanted = {**inherited, **wanted}
    catalog["inherited"] = inherited
    catalog["bound"] = sorted({tuple(row) for row in bound if _wanted(wanted, row)})
    catalog["known"] = sorted(known & wanted.keys())
    catalog["carried"] = _kept(earlier.get("carried", []), catalog, alive, wanted)
    catalog["carried"] = _carried(catalog, wanted, resource)
    return _bytes(catalog)


def _bytes(catalog: dict[str, Any]) -> bytes:
    return json.dumps(catalog, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _kept(
    earlier: list[list[Any]], catalog: dict[str, Any], alive: set[tuple[int, int]], wanted: Mapping[str, str]
) -> list[list[Any]]:
    """What was carried before and still is somewhere that holds rows."""
    kinds = {row[0]: row[3] for row in catalog["relations"]}
    names = {row[0]: f"{row[1]}.{row[2]}" for row in catalog["relations"]}
    places = {
        f"{names[row[0]]}.{column}": (row[0], number)
        for row in catalog["columns"]
        if row[0] in names
        for number, column in zip(row[1], row[2], strict=True)
    }
    found = []
    for key, oid, number, name in earlier:
        place = (oid, number) if oid in kinds else places.get(name)
        if key in wanted and place is not None and place in alive and kinds[place[0]] in _KEPT:
            found.append([key, *place, name])
    return found


def _carried(catalog: dict[str, Any], wanted: Mapping[str, str], resource: Resource) -> list[list[Any]]:
    """Every column that a bound one is carried to, told by a catalog in which each key is its own class."""
    if not wanted:
        return []
    bound = [[key, oid, number, key] for key, oid, number, _ in catalog["bound"]]
    keys = {key: key for key in wanted}
    loaded = load(_bytes({**catalog, "bound": bound}), keys, resource.settings)
    own = {(key, oid, number) for key, oid, number, _ in bound}
    found = {tuple(row) for row in catalog["carried"]}
    for relation in loaded.relations.values():
        if relation.system or relation.kind not in "rpmfv":
            continue
        names = {number: column for number, column, _ in relation.columns}
        for number, classes in loaded.relation_classes(relation).items():
            for key in classes & keys.keys():
                if (key, relation.oid, number) not in own and number in names:
                    found.add((key, relation.oid, number, f"{relation.qualified}.{names[number]}"))
    newest: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for row in sorted(found):
        relation_now = loaded.relations[row[1]]
        names = {number: column for number, column, _ in relation_now.columns}
        newest[row[:3]] = (*row[:3], f"{relation_now.qualified}.{names[row[2]]}")
    return [list(row) for row in sorted(newest.values())]


def _wanted(wanted: Mapping[str, str], row: list[Any]) -> bool:
    """Whether the policy still calls this key sensitive, as this class."""
    return bool(wanted.get(row[0]) == row[3])
