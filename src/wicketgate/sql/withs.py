"""Reads WITH: what its queries give, recursive ones too.
A reference that is not followed makes the lineage unknown."""

from dataclasses import replace

from wicketgate.sql.scope import COLUMN, DOUBT, VAST, Columns, Scope, equality, overlay
from wicketgate.sql.tree import Body, Node, strings
from wicketgate.sql.walk import Walk


def with_queries(walk: Walk, clause: Body, scope: Scope) -> None:
    """Put the WITH queries' columns into scope. Recursive ones are read until their columns hold still."""
    if not clause.keys() <= {"ctes", "recursive", "location"}:
        walk.unknown("syntax WithClause")
    recursive = bool(clause.get("recursive"))
    order = {str(node["CommonTableExpr"].get("ctename", "")): at for at, node in enumerate(clause["ctes"])}
    for at, node in enumerate(clause["ctes"]):
        body = node["CommonTableExpr"]
        if not body.keys() <= _WITH:
            walk.unknown("syntax CommonTableExpr")
        name = str(body.get("ctename", ""))
        aliases = strings(body.get("aliascolnames"))
        named = _named(walk, body.get("ctequery", {})) if recursive else frozenset()
        if any(order.get(other, -1) > at for other in named):
            walk.blur()  # WITH RECURSIVE may refer forward: not followed
        if name in named:
            columns = _recursive(walk, name, aliases, body, scope)
        else:
            columns = walk.query(walk, body.get("ctequery", {}), scope).renamed(aliases)
        scope.queries[name] = _searched(walk, body, columns)


_WITH = frozenset(
    "ctename aliascolnames ctematerialized ctequery search_clause cycle_clause location".split()
)


def _recursive(walk: Walk, name: str, aliases: tuple[str, ...], body: Body, scope: Scope) -> Columns:
    from wicketgate.sql.queries import compared, query, select, tail

    select_body = body["ctequery"].get("SelectStmt", {})
    if select_body.get("op", "SETOP_NONE") == "SETOP_NONE":
        scope.queries[name] = Columns(loose=DOUBT)
        return query(walk, body["ctequery"], scope).renamed(aliases)
    inner = Scope(scope)
    if "withClause" in select_body:
        with_queries(walk, select_body["withClause"], inner)
    columns = select(walk, select_body.get("larg", {}), inner).renamed(aliases)
    for _ in range(12):
        inner.queries[name] = _searched(walk, body, columns)
        right = select(walk, select_body.get("rarg", {}), inner)
        compared(walk, select_body, [columns, right])
        grown = overlay([columns, right])
        if len(grown.values) == len(columns.values):  # what grows with each turn may grow without end
            grown.values = [
                value if value.weight == before.weight else replace(value, weight=VAST)
                for before, value in zip(columns.values, grown.values, strict=True)
            ]
        if grown.loose is not None:
            grown.loose = replace(grown.loose, weight=VAST)
        if grown.values == columns.values and grown.loose == columns.loose:
            break
        columns = (
            Columns(list(columns.names), grown.values, grown.loose)
            if len(grown.names) == len(columns.names)
            else grown
        )
    else:
        walk.blur()
    tail(walk, select_body, Scope(inner), columns)
    return columns


def _searched(walk: Walk, body: Body, columns: Columns) -> Columns:
    """With the columns that SEARCH and CYCLE add."""
    search, cycle = body.get("search_clause"), body.get("cycle_clause")
    if not search and not cycle:
        return columns
    walk.operate(("=",))
    whole = columns.everything()
    path = whole
    found = Columns(list(columns.names), list(columns.values), columns.loose)
    if search:
        found.add(str(search.get("search_seq_column", "")), path)
    if cycle:
        names = strings(cycle.get("cycle_col_list"))
        again = [value for name in names if (value := columns.get(name)) is not None]
        walk.compare(again)
        found.add(str(cycle.get("cycle_mark_column", "")), equality([COLUMN, *again]))
        found.add(str(cycle.get("cycle_path_column", "")), path)
    return found


def _named(walk: Walk, node: Node) -> frozenset[str]:
    """What RangeVars below name without a schema."""
    found: set[str] = set()
    stack: list[object] = [node]
    while stack:
        walk.work(1)
        thing = stack.pop()
        if isinstance(thing, dict):
            if "relname" in thing and "schemaname" not in thing:
                found.add(str(thing["relname"]))
            stack.extend(thing.values())
        elif isinstance(thing, list):
            stack.extend(thing)
    return frozenset(found)
