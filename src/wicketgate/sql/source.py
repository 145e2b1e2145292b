"""What the catalog's reader brought of functions in SQL, as Routines."""

from typing import Any

from wicketgate.sql.path import read_path
from wicketgate.sql.relation import Routine

_GIVEN = "ibv"
_RESULTS = "obt"


def routines_of(source: dict[str, Any]) -> dict[int, Routine]:
    """By OID. One with a setting of its own beside a search_path that can be read is left out."""
    rows = {row[4]: row[0] for row in source["relations"] if row[4]}
    columns = {
        row[0]: tuple(zip(row[2], row[3], strict=True))
        for row in source["columns"]
        if row[0] in rows.values()
    }
    found = {}
    for row in source.get("routines", ()):
        oid, schema, name, text, atomic, definer, settings, kind, names, modes, types = row
        path: tuple[str, ...] | None = None
        if settings:
            key, _, value = settings[0].partition("=")
            path = read_path(value) if key == "search_path" else None
            if len(settings) > 1 or path is None:
                continue
        modes = modes or ["i"] * len(types)
        names = names or [""] * len(types)
        results = tuple((n, t) for n, m, t in zip(names, modes, types, strict=True) if m in _RESULTS)
        if not results:
            results = columns.get(rows.get(kind), ((name, kind),))
        found[oid] = Routine(
            oid,
            schema,
            name,
            atomic or text,
            atomic is not None,
            path,
            definer,
            tuple(n for n, m in zip(names, modes, strict=True) if m in _GIVEN),
            results,
        )
    return found
