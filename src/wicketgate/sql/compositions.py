"""What types outside pg_catalog consist of, so that their values can be masked part by part."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Composition:
    """kind: `array` (parts: its element), `domain` (its base), `row` (its fields in order), `enum`, `text`
    (as text is: citext), or `other`, of which nothing is known. parts: OIDs of types."""

    kind: str
    parts: tuple[int, ...]


def compositions(source: dict[str, Any]) -> dict[int, Composition]:
    """By type OID, from what the catalog's reader brought."""
    fields = {row[0]: tuple(row[3]) for row in source["columns"]}
    found: dict[int, Composition] = {}
    for row in source["types"]:
        oid, name, kind, relation, element, base, extension = (row[at] for at in (0, 2, 3, 4, 5, 6, 8))
        if kind == "d":
            made = Composition("domain", (base,))
        elif kind == "c":
            made = Composition("row", fields.get(relation, ()))
        elif kind == "b" and element and name.startswith("_"):
            # an array type is named so by the server; a base type with elements of its own is not
            made = Composition("array", (element,))
        elif kind == "e":
            made = Composition("enum", ())
        elif kind == "b" and extension == "citext" and name == "citext":
            made = Composition("text", ())
        else:
            made = Composition("other", ())
        found[oid] = made
    return found
