"""Reads FROM: relations, subqueries, functions and joins, as items that names can refer to.
A field or node that is not named here makes the statement unknown.
"""

from dataclasses import dataclass, replace

from wicketgate.sql.constructs import json_syntax, nested
from wicketgate.sql.reading import expression, predicate
from wicketgate.sql.scope import (
    COLUMN,
    DOUBT,
    Columns,
    Item,
    Scope,
    Value,
    combine,
    merge,
    side_by_side,
    unite_values,
)
from wicketgate.sql.tree import Body, Node, split, strings
from wicketgate.sql.walk import Walk


@dataclass(frozen=True, slots=True)
class Source:
    """Something in FROM. items: what names in it can refer to. pieces: what `*` stands for, in order."""

    items: list[Item]
    pieces: list[Columns]


def _single(item: Item) -> Source:
    return Source([item], [item.columns])


def from_items(walk: Walk, nodes: list[Node], scope: Scope, conditions: list[Node], limited: bool) -> Source:
    """A FROM list. conditions: gathers the inner joins' ON. limited: see queries.select."""
    items: list[Item] = []
    pieces: list[Columns] = []
    for node in nodes:
        source = _item(walk, node, scope, items, conditions, limited)
        items.extend(source.items)
        pieces.extend(source.pieces)
    return Source(items, pieces)


def _item(
    walk: Walk, node: Node, scope: Scope, before: list[Item], conditions: list[Node], limited: bool
) -> Source:
    name, body = split(node)
    walk.spend()
    walk.enter()
    try:
        if name == "RangeVar":
            return _single(range_item(walk, body, scope))
        if name == "JoinExpr":
            return _join(walk, body, scope, before, conditions, limited)
        if name == "RangeSubselect":
            return _single(_subselect(walk, body, scope, before, limited))
        if name == "RangeFunction":
            return _single(_functions(walk, body, Scope(scope, before)))
        if name == "RangeTableSample":
            return _sample(walk, body, scope, before, conditions, limited)
        if name in ("RangeTableFunc", "JsonTable"):
            return _single(_table_function(walk, name, body, Scope(scope, before)))
    finally:
        walk.depth -= 1
    walk.unknown(f"syntax {name}")
    return _single(Item("", Columns(loose=DOUBT), doubtful=True))


_RANGE = frozenset("catalogname schemaname relname inh relpersistence alias location".split())


def alias_of(body: Body) -> tuple[str, tuple[str, ...]]:
    """An alias and its column list."""
    alias = body.get("alias", {})
    return str(alias.get("aliasname", "")), strings(alias.get("colnames"))


def range_item(walk: Walk, body: Body, scope: Scope) -> Item:
    """A relation, or a WITH query of that name."""
    if not body.keys() <= _RANGE:
        walk.unknown("syntax RangeVar")
    name = str(body.get("relname", ""))
    alias, columns = alias_of(body)
    if "schemaname" not in body and "catalogname" not in body:
        walk.work(walk.depth)
        query = scope.query(name)
        if query is not None:
            walk.work(len(columns) and len(query.names))
            return Item(alias or name, query.renamed(columns))
    walk.work(20)
    relations, doubtful = walk.find(body)
    walk.read(relations, name, doubtful)
    item = walk.item(relations, alias or name, columns, doubtful)
    if alias:
        item.schemas = frozenset()
    elif "schemaname" in body:
        item.schemas |= {str(body["schemaname"])}
    item.only = not body.get("inh", False)
    return item


def _subselect(walk: Walk, body: Body, scope: Scope, before: list[Item], limited: bool) -> Item:
    from wicketgate.sql.queries import select

    if not body.keys() <= {"lateral", "subquery", "alias"}:
        walk.unknown("syntax RangeSubselect")
    inner = Scope(scope, before) if body.get("lateral") else scope
    name, query = split(body.get("subquery", {}))
    if name != "SelectStmt":
        walk.unknown(f"syntax {name}")
        return Item("", Columns(loose=DOUBT), doubtful=True)
    columns = select(walk, query, inner, limited)
    alias, names = alias_of(body)
    return Item(alias, columns.renamed(names))


_FUNCTION = frozenset("lateral ordinality is_rowsfrom functions alias coldeflist".split())


def _functions(walk: Walk, body: Body, scope: Scope) -> Item:
    if not body.keys() <= _FUNCTION:
        walk.unknown("syntax RangeFunction")
    values: list[Value] = []
    columns = Columns()
    named = ""
    for node in body.get("functions", ()):
        call, *definitions = node.get("List", {}).get("items", [{}])
        values.append(expression(walk, call, scope))
        kind, inner = split(call)
        if kind == "FuncCall":
            named = named or strings(inner.get("funcname"))[-1]
        for definition in definitions:
            _definitions(walk, definition.get("List", {}).get("items", ()), columns)
    _definitions(walk, body.get("coldeflist", ()), columns)
    # a set-returning function's argument decides how many rows there are
    told = _told(walk, body)
    if told is not None:
        return told
    for value in values:
        walk.steer(value)
    held = combine(values)
    written = bool(values) and all(value.constant for value in values)  # unnest of literals
    row = replace(held, bare=False, columns=True, constant=written, many=False)
    columns.values = [row] * len(columns.names)
    alias, names = alias_of(body)
    columns.loose = row
    if names:
        columns = Columns(list(names), [row] * len(names), row)
    if alias or named:
        columns.add(alias or named, row)
    if body.get("ordinality"):
        columns.add("ordinality", COLUMN)
    return Item(alias or named, columns)


def _told(walk: Walk, body: Body) -> Item | None:
    """A function whose body was read: its columns are known. What steers its rows was noted there."""
    (first, *more) = body.get("functions") or [{}]
    call, *definitions = first.get("List", {}).get("items", [{}])
    columns = walk.routine_columns.get(id(call.get("FuncCall")))
    if columns is None or columns.loose is not None or more or body.keys() & {"ordinality", "coldeflist"}:
        return None
    if any(definition for definition in definitions):
        return None
    alias, names = alias_of(body)
    name = alias or strings(call["FuncCall"].get("funcname"))[-1]
    row = columns.renamed(names)
    if alias and not names and len(columns.names) == 1:
        row = columns.renamed((alias,))  # one value goes by the alias
        row.loose = unite_values([DOUBT, *columns.values])
    return Item(name, row)


def _definitions(walk: Walk, nodes: list[Node], columns: Columns) -> None:
    for node in nodes:
        definition = node.get("ColumnDef", {})
        walk.cast(definition.get("typeName", {}))
        columns.add(str(definition.get("colname", "")), COLUMN)


def _table_function(walk: Walk, name: str, body: Body, scope: Scope) -> Item:
    """XMLTABLE and JSON_TABLE: what they are given decides what comes out."""
    if name == "JsonTable" and walk.catalog.server < 170000:
        json_syntax(walk)
    fields = {field: inner for field, inner in body.items() if field != "alias"}
    values = nested(walk, [[inner] if isinstance(inner, dict) else inner for inner in fields.values()], scope)
    walk.consume(values)
    held = combine(values)
    row = replace(held, bare=False, columns=True, constant=False, many=False)
    alias, names = alias_of(body)
    columns = Columns(loose=row)
    for column in names:
        columns.add(column, row)
    return Item(alias or ("xmltable" if name == "RangeTableFunc" else "json_table"), columns)


def _sample(
    walk: Walk, body: Body, scope: Scope, before: list[Item], conditions: list[Node], limited: bool
) -> Source:
    if not body.keys() <= {"relation", "method", "args", "repeatable", "location"}:
        walk.unknown("syntax RangeTableSample")
    if (
        strings(body.get("method"))[-1:] not in (("bernoulli",), ("system",))
        or len(body.get("method", ())) != 1
    ):
        walk.unknown("tablesample")
    inner = Scope(scope, before)
    for node in [*body.get("args", ()), body.get("repeatable")]:
        walk.steer(expression(walk, node, inner))
    return _item(walk, body.get("relation", {}), scope, before, conditions, limited)


_JOIN = frozenset("jointype isNatural larg rarg usingClause join_using_alias quals alias rtindex".split())


def _join(
    walk: Walk, body: Body, scope: Scope, before: list[Item], conditions: list[Node], limited: bool
) -> Source:
    # a chain of joins leans to the left: followed in a loop
    chain = [body]
    while "JoinExpr" in chain[-1].get("larg", {}) and not chain[-1]["larg"]["JoinExpr"].get("alias"):
        walk.spend()
        chain.append(chain[-1]["larg"]["JoinExpr"])
    first = _item(walk, chain[-1].get("larg", {}), scope, before, conditions, limited)
    items, pieces = list(first.items), list(first.pieces)
    for link in reversed(chain):
        if not link.keys() <= _JOIN:
            walk.unknown("syntax JoinExpr")
        full = link.get("jointype") == "JOIN_FULL"
        walk.work(len(before) + len(items))
        right = _item(walk, link.get("rarg", {}), scope, [*before, *items], conditions, limited)
        items = [*items, *right.items]
        before_this, walk.interleaves = walk.interleaves, full
        if link.get("usingClause") or link.get("isNatural"):
            whole, merged = _merged(walk, link, side_by_side(pieces), side_by_side(right.pieces))
            pieces = [whole]
            if "join_using_alias" in link:
                items.append(Item(str(link["join_using_alias"].get("aliasname", "")), merged, hidden=True))
        else:
            pieces.extend(right.pieces)
        if "quals" in link:
            predicate(walk, link["quals"], Scope(scope, items))
            if link.get("jointype", "JOIN_INNER") == "JOIN_INNER":
                conditions.append(link["quals"])
        walk.interleaves = before_this
    alias, names = alias_of(body)
    if not alias:
        return Source(items, pieces)
    # the alias hides all names below it
    row = side_by_side(pieces)
    walk.work(len(row.names))
    joined = Item(alias, row.renamed(names), tuple(r for item in items for r in item.relations), joined=True)
    joined.doubtful = any(item.doubtful for item in items)
    return _single(joined)


def _merged(walk: Walk, link: Body, left: Columns, right: Columns) -> tuple[Columns, Columns]:
    """The row of a join by USING or NATURAL, and its merged columns alone: they are compared for equality."""
    walk.work(2 * (len(left.names) + len(right.names)))
    walk.operate(("=",))
    names = strings(link.get("usingClause"))
    natural = bool(link.get("isNatural"))
    if natural:
        have = frozenset(right.names)
        names = tuple(dict.fromkeys(name for name in left.names if name in have))
    for name in names:
        values = [value for value in (left.get(name), right.get(name)) if value is not None]
        walk.compare(values)
    row = merge(left, right, names)
    merged = Columns(row.names[: len(names)], row.values[: len(names)], row.loose)
    return row, merged
