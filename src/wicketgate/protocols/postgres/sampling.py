"""Looks at a bounded sample of what tables hold, for `wicket discover`.
It must only read, and never keep a value: what is kept are counts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from wicketgate.protocols.base import CatalogAccess
from wicketgate.protocols.postgres.catalog import fetch_each, fetch_rows
from wicketgate.protocols.postgres.discover import COLUMNS_MOST, ORDINARY, data_class
from wicketgate.protocols.survey import Evidence, Sampling, Survey

LONGEST: Final = 4000
"""Characters of a value that are looked at."""

_QUERY: Final = f"""
SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text, a.attname::pg_catalog.text,
  pg_catalog.format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL),
  c.reltuples::pg_catalog.float8, c.relkind::pg_catalog.text,
  pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT')
{ORDINARY}"""
_UNTOLD: Final = frozenset(
    {"boolean", "real", "double precision", "oid", "xid", "interval", "money", "tsvector"}
)
"""Types whose values say nothing by what they look like."""

_REASONS: Final = {
    "42501": "the account may not read it",
    "57014": "it took too long",
    "25006": "reading it would write",
}


@dataclass(slots=True)
class _Relation:
    schema: str
    name: str
    kind: str
    rows: float
    columns: list[tuple[str, str]]
    """(name, type) of those that may be read."""

    @property
    def qualified(self) -> str:
        return f"{self.schema}.{self.name}"


async def survey(access: CatalogAccess, sampling: Sampling) -> Survey:
    """Names and values of one database, over the account. Raises UpstreamFailed."""
    rows = await fetch_rows(access, _QUERY, COLUMNS_MOST + 1)
    relations = list(_relations(rows[:COLUMNS_MOST]))
    evidence: list[Evidence] = []
    unread: dict[str, str] = {}
    done = 0
    sampling.progress(0, len(relations))
    pending = iter(relations)
    async for found in fetch_each(
        access, (_sample(each, sampling.rows) for each in relations), sampling.seconds
    ):
        relation = next(pending)
        if isinstance(found, str):
            unread[relation.qualified] = _REASONS.get(found, f"SQLSTATE {found}")
            found = []
        evidence.extend(_evidence(relation, found, sampling))
        done += 1
        sampling.progress(done, len(relations))
    return Survey(
        tuple(evidence),
        len(relations),
        sum(len(each.columns) for each in relations),
        unread,
        truncated=len(rows) > COLUMNS_MOST,
    )


def _relations(rows: list[tuple[Any, ...]]) -> Iterator[_Relation]:
    relation: _Relation | None = None
    for schema, name, column, type_name, tuples, kind, readable in rows:
        if relation is None or (relation.schema, relation.name) != (schema, name):
            if relation is not None:
                yield relation
            relation = _Relation(schema, name, kind, tuples, [])
        if readable:
            relation.columns.append((column, type_name))
    if relation is not None:
        yield relation


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _sample(relation: _Relation, rows: int) -> str:
    """A query for some rows: of a large table, pages here and there; else the first that come."""
    listed = [column for column, type_name in relation.columns if type_name not in _UNTOLD]
    if not listed:
        return "SELECT WHERE false"
    columns = ", ".join(f"pg_catalog.left({_quoted(name)}::pg_catalog.text, {LONGEST:d})" for name in listed)
    source = f"{_quoted(relation.schema)}.{_quoted(relation.name)}"
    limited = f"LIMIT {rows:d}"
    if relation.kind != "r" or relation.rows < rows * 100:
        return f"SELECT {columns} FROM {source} {limited}"  # noqa: S608 - names are quoted
    # pages hold rows that were written together: many more are asked for than are taken
    percent = min(100.0, max(0.0001, 100.0 * rows * 20 / relation.rows))
    return f"SELECT {columns} FROM {source} TABLESAMPLE SYSTEM ({percent:.4f}) {limited}"  # noqa: S608


def _evidence(relation: _Relation, rows: list[tuple[Any, ...]], sampling: Sampling) -> Iterator[Evidence]:
    at = 0
    for column, type_name in relation.columns:
        cells: list[bytes | None] = []
        if type_name not in _UNTOLD:
            cells = [row[at].encode("utf-8", "surrogatepass") for row in rows if row[at]]
            at += 1
        named = data_class(relation.name, column, type_name)
        found = {name: count for name, count in sampling.look(cells, column).items() if count}
        if named is not None or found:
            yield Evidence(f"{relation.qualified}.{column}", named, len(cells), found)
