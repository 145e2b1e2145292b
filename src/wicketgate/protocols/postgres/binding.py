"""Binds `sensitive:` names to columns by (relation OID, attribute), and keeps that from reading to reading.
A column that was sensitive once stays so while it exists, whatever it is called: a rename never unmasks."""

import json
from collections.abc import Mapping
from typing import Any

from wicketgate.model.resource import Resource


class Unbound(ValueError):
    """A `sensitive:` name that means no column, and never did: nobody can tell what it should have masked."""


def bind(previous: bytes | None, raw: bytes, resource: Resource, database: str) -> bytes:
    """A catalog as it was read, with what its sensitive names are bound to.

    previous: the catalog before it, as this function gave it; None at the first reading. Adds `bound`: rows
    of [key, relation OID, attribute, data class], and `known`: keys that were bound once. Raises Unbound.
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
    for key, data_class in wanted.items():
        relation, _, column = key.rpartition(".")
        oid = relations.get(relation)
        number = columns.get(oid, {}).get(column) if oid is not None else None
        if number is not None:
            bound.append([key, oid, number, data_class])
            known.add(key)
        elif key not in known:
            missing.append(key)
    if missing:
        raise Unbound(
            f"no such column: {', '.join(sorted(missing))} (named in sensitive; renamed or misspelt?)"
        )
    catalog["bound"] = sorted({tuple(row) for row in bound if _wanted(wanted, row)})
    catalog["known"] = sorted(known & wanted.keys())
    return json.dumps(catalog, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _wanted(wanted: Mapping[str, str], row: list[Any]) -> bool:
    """Whether the policy still calls this key sensitive, as this class."""
    return bool(wanted.get(row[0]) == row[3])
