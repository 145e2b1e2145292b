"""Reads SELECT, VALUES, set operations and WITH: which columns come out and which values stand where.
A field that is not named here makes the statement unknown.
"""

from dataclasses import replace

from wicketgate.model.statement import Effect
from wicketgate.sql import expressions as registered
from wicketgate.sql.bounds import aggregates, bound, proven_limit
from wicketgate.sql.calls import ordering, sorting, window
from wicketgate.sql.changes import named_setting
from wicketgate.sql.columns import items_named
from wicketgate.sql.froms import from_items
from wicketgate.sql.naming import output_name
from wicketgate.sql.reading import expression, expressions, predicate
from wicketgate.sql.scope import (
    CLEAN,
    DOUBT,
    ORIGIN,
    Columns,
    Scope,
    Value,
    converted,
    overlay,
    unite_values,
)
from wicketgate.sql.tree import Body, Node, split, strings
from wicketgate.sql.walk import TooComplex, Walk
from wicketgate.sql.withs import with_queries

_FIELDS = frozenset(
    """distinctClause targetList fromClause whereClause groupClause groupDistinct havingClause
    windowClause valuesLists sortClause limitOffset limitCount limitOption lockingClause withClause op all
    larg rarg""".split()
)


def query(walk: Walk, node: Node, scope: Scope) -> Columns:
    """The columns of a query inside a statement: a SELECT, or a WITH query that changes data."""
    name, body = split(node)
    if name == "SelectStmt":
        return select(walk, body, scope)
    if name in ("InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"):
        from wicketgate.sql.writing import change

        return change(walk, name, body, scope)
    walk.unknown(f"syntax {name}")
    return Columns(loose=DOUBT)


def select(walk: Walk, body: Body, outer: Scope, limited: bool = False) -> Columns:
    """limited: a literal LIMIT of a plain query around it bounds the rows."""
    if not body.keys() <= _FIELDS:
        walk.unknown("syntax SelectStmt")
    walk.spend()
    walk.enter()
    try:
        scope = Scope(outer)
        walk.effects.add(Effect.READ)
        if "withClause" in body:
            with_queries(walk, body["withClause"], scope)
        if body.get("op", "SETOP_NONE") != "SETOP_NONE":
            return _set_operation(walk, body, scope)
        if "valuesLists" in body:
            return _values(walk, body, scope)
        return _plain(walk, body, scope, limited)
    finally:
        walk.depth -= 1


def _plain(walk: Walk, body: Body, scope: Scope, limited: bool) -> Columns:
    conditions: list[Node] = []
    limited = limited or proven_limit(body)
    if limited:
        limited = not (body.keys() & {"groupClause", "havingClause", "distinctClause"})
        limited = limited and not aggregates(walk, body.get("targetList", []))
    before, walk.row_setting = walk.row_setting, None
    source = from_items(walk, body.get("fromClause", ()), scope, conditions, limited)
    scope.items, scope.pieces = source.items, source.pieces
    if "whereClause" in body:
        predicate(walk, body["whereClause"], scope)
        conditions.append(body["whereClause"])
    bound(walk, scope, conditions, limited)
    if all(relation.schema == "pg_catalog" for item in scope.items for relation in item.relations):
        walk.row_setting = named_setting(body)
    columns = targets(walk, body.get("targetList", []), scope)
    walk.row_setting = before
    for group in body.get("groupClause", ()):
        _group(walk, group, scope, columns)
    predicate(walk, body.get("havingClause"), scope)
    for definition in body.get("windowClause", ()):
        window(walk, definition.get("WindowDef", {}), scope)
    for distinct in body.get("distinctClause", ()):
        if distinct:
            # one row for each, of those first in an order: DISTINCT ON shows which come before others
            _steers(walk, distinct, scope, columns)
        else:
            for value in [*columns.values, *([] if columns.loose is None else [columns.loose])]:
                walk.compare([value])
    tail(walk, body, scope, columns)
    return columns


def _set_operation(walk: Walk, body: Body, scope: Scope) -> Columns:
    # a long chain of UNIONs leans to the left: followed in a loop
    branches: list[Body] = []
    links: list[Body] = []
    left = body
    while left.get("op", "SETOP_NONE") != "SETOP_NONE" and (
        left is body
        or not left.keys() & {"withClause", "sortClause", "limitCount", "limitOffset", "lockingClause"}
    ):
        if not left.keys() <= _FIELDS:
            walk.unknown("syntax SelectStmt")
        walk.spend()
        links.append(left)
        branches.append(left.get("rarg", {}))
        left = left.get("larg", {})
    branches.append(left)
    found = [select(walk, branch, scope) for branch in reversed(branches)]
    columns = overlay(found)
    for distinct in ("SETOP_UNION", "SETOP_INTERSECT", "SETOP_EXCEPT"):
        # the outermost link of a kind takes in what the others of the kind do
        for at, link in enumerate(links):
            if link.get("op") == distinct and not (distinct == "SETOP_UNION" and link.get("all")):
                compared(walk, link, found[: len(found) - at])
                break
    inner = Scope(scope)
    tail(walk, body, inner, columns)
    return columns


def compared(walk: Walk, link: Body, branches: list[Columns]) -> None:
    """All set operations but UNION ALL compare rows; UNION shows them all, maybe sorted."""
    union = link.get("op") == "SETOP_UNION"
    if union and link.get("all"):
        return
    before, walk.interleaves = walk.interleaves, union
    if any(branch.loose is not None for branch in branches):
        every = [value for branch in branches for value in branch.values]
        walk.compare([*every, *(branch.loose for branch in branches if branch.loose is not None)])
    else:
        for values in zip(*(branch.values for branch in branches), strict=False):
            turned = converted(list(values))
            walk.compare([replace(each, many=True) if turned and each.classes else each for each in values])
    walk.interleaves = before


def _values(walk: Walk, body: Body, scope: Scope) -> Columns:
    rows = [expressions(walk, row.get("List", {}).get("items"), scope) for row in body["valuesLists"]]
    width = max((len(row) for row in rows), default=0)
    columns = Columns()
    for at in range(width):
        value = unite_values([row[at] for row in rows if at < len(row)])
        columns.add(f"column{at + 1}", value)
        columns.shape.append(value)
    if any(spreads(item) for row in body["valuesLists"] for item in row.get("List", {}).get("items", ())):
        _loosen(columns, unite_values([DOUBT, *columns.values]))
        columns.shape = [None]
    inner = Scope(scope)
    tail(walk, body, inner, columns)
    return columns


def tail(walk: Walk, body: Body, scope: Scope, columns: Columns) -> None:
    """ORDER BY, LIMIT, OFFSET and FOR UPDATE."""
    for sort in body.get("sortClause", ()):
        ordering(walk, sort)
        node = sort.get("SortBy", {}).get("node", {})
        named = _output(node, columns)
        if named is not None:
            walk.steer(named)
            if "ColumnRef" not in node:
                continue
            if scope.items and _resolves(walk, strings(node["ColumnRef"].get("fields"))[0], scope):
                sorting(walk, sort, scope)
            continue
        sorting(walk, sort, scope)
    for field in ("limitCount", "limitOffset"):
        predicate(walk, body.get(field), scope)
    for lock in body.get("lockingClause", ()):
        _lock(walk, lock.get("LockingClause", {}), scope)


def _output(node: Node, columns: Columns) -> Value | None:
    """The output that an ordinal, or a bare name, in ORDER BY or GROUP BY stands for."""
    if "A_Const" in node and "ival" in node["A_Const"]:
        at = int(node["A_Const"]["ival"].get("ival", 0))
        if columns.loose is None and 1 <= at <= len(columns.values):
            return columns.values[at - 1]
        every = list(columns.values)
        if columns.loose is not None:
            every.append(columns.loose)
        return unite_values(every) if every else CLEAN
    if "ColumnRef" in node:
        parts = strings(node["ColumnRef"].get("fields"))
        if len(parts) == 1 and parts[0] in columns.names:
            return columns.get(parts[0])
    return None


def _resolves(walk: Walk, name: str, scope: Scope) -> bool:
    walk.work(len(scope.items))
    return any(item.columns.get(name) is not None for item in scope.items)


def _group(walk: Walk, node: Node, scope: Scope, columns: Columns) -> None:
    """GROUP BY and DISTINCT ON: a bare column is compared for equality, anything else steers."""
    name, body = split(node)
    if name == "GroupingSet":
        if not body.keys() <= {"kind", "content", "location"}:
            walk.unknown("syntax GroupingSet")
        for inner in body.get("content", ()):
            _group(walk, inner, scope, columns)
        return
    if name == "RowExpr":
        for inner in body.get("args", ()):
            _group(walk, inner, scope, columns)
        return
    named = _output(node, columns)
    if named is not None:
        walk.compare([named])
        if name == "A_Const" or not _resolves(walk, strings(body.get("fields"))[0], scope):
            return
    walk.compare([expression(walk, node, scope)])


def _steers(walk: Walk, node: Node, scope: Scope, columns: Columns) -> None:
    """DISTINCT ON."""
    named = _output(node, columns)
    if named is not None:
        walk.steer(named)
        if "A_Const" in node:
            return
    if named is None or _resolves(walk, strings(split(node)[1].get("fields"))[0], scope):
        walk.steer(expression(walk, node, scope))


def _lock(walk: Walk, body: Body, scope: Scope) -> None:
    """SELECT … FOR UPDATE needs the right to update: it counts as a write of the tables that it locks."""
    if not body.keys() <= {"lockedRels", "strength", "waitPolicy"}:
        walk.unknown("syntax LockingClause")
    names = [str(node.get("RangeVar", {}).get("relname", "")) for node in body.get("lockedRels", ())]
    for item in scope.items:
        if not names or item.name in names:
            walk.write(item.relations, item.name, item.doubtful, Effect.WRITE)
    walk.effects.add(Effect.WRITE)


# -- outputs -----------------------------------------------------------------------------------------------
def targets(walk: Walk, nodes: list[Node], scope: Scope) -> Columns:
    """An output list, stars expanded."""
    columns = Columns()
    for node in nodes:
        body = node.get("ResTarget", {})
        if not body.keys() <= {"name", "val", "location"}:
            walk.unknown("syntax ResTarget")
        value = body.get("val", {})
        starred = star(value)
        if starred is not None:
            _expand(walk, starred, scope, columns)
        else:
            found = expression(walk, value, scope)
            if spreads(value):
                # `(row).*`: as many columns as the row has, and that may be none
                columns.shape.append(None)
                _loosen(columns, found)
            else:
                columns.shape.append(found)
                name = str(body["name"]) if body.get("name") else output_name(value, walk.query_names)
                columns.add(name or "", found)
                if name is None:
                    _loosen(columns, found)
    if len(columns.names) > MOST_OUTPUTS:
        raise TooComplex
    return columns


MOST_OUTPUTS = 1664
"""PostgreSQL has no longer output lists (MaxTupleAttributeNumber)."""


def star(node: Node) -> tuple[str, ...] | None:
    """The qualifier of `*`, `t.*` or `s.t.*`; None for anything else."""
    if "ColumnRef" not in node:
        return None
    parts = strings(node["ColumnRef"].get("fields"))
    return parts[:-1] if parts[-1:] == ("*",) and "A_Star" in node["ColumnRef"]["fields"][-1] else None


def spreads(node: Node) -> bool:
    """Whether this stands for any number of values: `t.*`, `(row).*`."""
    if star(node) is not None:
        return True
    steps = node.get("A_Indirection", {}).get("indirection", ())
    return bool(steps) and "A_Star" in steps[-1]


def _loosen(columns: Columns, value: Value) -> None:
    """There are more columns than can be told, and they may hold this."""
    have = [] if columns.loose is None else [columns.loose]
    columns.loose = unite_values([DOUBT, value, *have])


def _expand(walk: Walk, qualifier: tuple[str, ...], scope: Scope, columns: Columns) -> None:
    if qualifier:
        items = items_named(walk, qualifier, scope)
        rows = [item.columns for item in items]
        if len(items) > 1:
            for row in rows:
                _loosen(columns, row.everything())
            columns.shape.append(None)
    else:
        rows = scope.row()
    if not rows:
        walk.unseen(".".join((*qualifier, "*")))
        columns.loose = DOUBT
        columns.shape.append(None)
        return
    for row in rows:
        walk.work(len(row.names))
        columns.names.extend(row.names)
        columns.values.extend(row.values)
        if row.loose is not None:
            _loosen(columns, unite_values([row.loose, *row.values]))
            columns.shape.append(None)
        else:
            columns.shape.extend([ORIGIN] * len(row.values) if row.origin else row.values)
        if len(columns.names) > MOST_OUTPUTS:
            raise TooComplex


__all__ = ["query", "registered", "select", "star", "targets", "with_queries"]
