"""Reads INSERT, UPDATE, DELETE and MERGE: what they write, and where sensitive values would be stored.
A field that is not named here makes the statement unknown.
"""

from dataclasses import replace

from wicketgate.model.statement import Effect
from wicketgate.sql.beside import updating
from wicketgate.sql.bounds import bound
from wicketgate.sql.froms import alias_of, from_items
from wicketgate.sql.queries import query, select, spreads, targets
from wicketgate.sql.reading import expression, predicate
from wicketgate.sql.scope import DOUBT, Columns, Item, Scope, Value, unite_values
from wicketgate.sql.snapshot import NO_CLASSES
from wicketgate.sql.storing import Target, carried, store
from wicketgate.sql.tree import Body, Node, split
from wicketgate.sql.walk import Walk
from wicketgate.sql.withs import with_queries

_FIELDS = {
    "InsertStmt": "relation cols selectStmt onConflictClause returningClause withClause override",
    "UpdateStmt": "relation targetList whereClause fromClause returningClause withClause",
    "DeleteStmt": "relation usingClause whereClause returningClause withClause",
    "MergeStmt": "relation sourceRelation joinCondition mergeWhenClauses returningClause withClause",
}

_COMMANDS = {"InsertStmt": "insert", "UpdateStmt": "update", "DeleteStmt": "delete", "MergeStmt": "merge"}


def change(walk: Walk, name: str, body: Body, outer: Scope) -> Columns:
    """The columns that RETURNING gives; none without one."""
    if not body.keys() <= set(_FIELDS[name].split()):
        walk.unknown(f"syntax {name}")
    walk.commands.add(_COMMANDS[name])
    walk.spend()
    walk.enter()
    try:
        scope = Scope(outer)
        if "withClause" in body:
            with_queries(walk, body["withClause"], scope)
        target = _target(walk, body.get("relation", {}))
        if name == "InsertStmt":
            _insert(walk, body, scope, target)
        elif name == "UpdateStmt":
            _update(walk, body, scope, target)
        elif name == "DeleteStmt":
            _delete(walk, body, scope, target)
        else:
            _merge(walk, body, scope, target)
        return _returning(walk, body.get("returningClause"), scope, target)
    finally:
        walk.depth -= 1


def _target(walk: Walk, reference: Body) -> Target:
    relations, doubtful = walk.find(reference)
    name = str(reference.get("relname", ""))
    alias, columns = alias_of(reference)
    item = walk.item(relations, alias or name, columns, doubtful)
    if alias:
        item.schemas = NO_CLASSES
    item.only = not reference.get("inh", False)
    return Target(item, name, doubtful)


def _writes(walk: Walk, target: Target, effect: Effect) -> None:
    storing = effect is Effect.WRITE
    walk.write(target.item.relations, target.name, target.doubtful, effect, storing)


def _insert(walk: Walk, body: Body, scope: Scope, target: Target) -> None:
    _writes(walk, target, Effect.WRITE)
    for relation in target.item.relations:
        children = walk.catalog.descendants(relation.oid)
        walk.bounded.update(each.qualified for each in (relation, *children))
    into = _into(target, body.get("cols", ()))
    source = body.get("selectStmt")
    if source:
        kind, inner = split(source)
        plain = kind == "SelectStmt" and inner.keys() <= {"valuesLists", "limitOption", "op"}
        if plain and "valuesLists" in inner:
            for row in inner["valuesLists"]:
                _row(walk, row.get("List", {}).get("items", ()), scope, target, into)
        else:
            if kind != "SelectStmt":
                walk.unknown(f"syntax {kind}")
            columns = select(walk, inner, scope)
            for at, value in enumerate(columns.values):
                told = at < len(into) and columns.loose is None
                store(walk, target, into[at] if told else None, value)
            if columns.loose is not None:
                store(walk, target, None, columns.loose)
    if "onConflictClause" in body:
        _conflict(walk, body["onConflictClause"], scope, target)


def _row(walk: Walk, nodes: list[Node], scope: Scope, target: Target, into: list[str | None]) -> None:
    """One row of VALUES."""
    told = not any(spreads(node) for node in nodes)
    for at, node in enumerate(nodes):
        column = into[at] if told and at < len(into) else None
        walk.put(node, target.known(), column)
        store(walk, target, column, expression(walk, node, scope))


def _conflict(walk: Walk, body: Body, scope: Scope, target: Target) -> None:
    if not body.keys() <= {"action", "infer", "targetList", "whereClause", "location"}:
        walk.unknown("syntax OnConflictClause")
    excluded = Item("excluded", target.excluded(), target.item.relations, doubtful=target.item.doubtful)
    excluded.hidden = True
    inner = Scope(scope, [target.item, excluded])
    infer = body.get("infer", {})
    for node in infer.get("indexElems", ()):
        element = node.get("IndexElem", {})
        if "expr" in element:
            walk.steer(expression(walk, element["expr"], inner))
    predicate(walk, infer.get("whereClause"), inner)
    _assign(walk, body.get("targetList", ()), inner, target)
    predicate(walk, body.get("whereClause"), inner)


def _update(walk: Walk, body: Body, scope: Scope, target: Target) -> None:
    _writes(walk, target, Effect.WRITE)
    conditions: list[Node] = []
    source = from_items(walk, body.get("fromClause", ()), scope, conditions, False)
    scope.items = [target.item, *source.items]
    scope.pieces = [target.item.columns, *source.pieces]
    _assign(walk, body.get("targetList", ()), scope, target)
    predicate(walk, body.get("whereClause"), scope)
    if "whereClause" in body:
        conditions.append(body["whereClause"])
    bound(walk, scope, conditions, False)


def _delete(walk: Walk, body: Body, scope: Scope, target: Target) -> None:
    _writes(walk, target, Effect.DELETE)
    conditions: list[Node] = []
    source = from_items(walk, body.get("usingClause", ()), scope, conditions, False)
    scope.items = [target.item, *source.items]
    scope.pieces = [target.item.columns, *source.pieces]
    predicate(walk, body.get("whereClause"), scope)
    if "whereClause" in body:
        conditions.append(body["whereClause"])
    bound(walk, scope, conditions, False)


def _merge(walk: Walk, body: Body, scope: Scope, target: Target) -> None:
    source = from_items(walk, [body.get("sourceRelation", {})], scope, [], False)
    both = [target.item, *source.items]
    scope.pieces = [*source.pieces, target.item.columns]  # what RETURNING * gives, in this order
    joined = Scope(scope, both)
    predicate(walk, body.get("joinCondition"), joined)
    for node in body.get("mergeWhenClauses", ()):
        clause = node.get("MergeWhenClause", {})
        if not clause.keys() <= {"matchKind", "commandType", "override", "condition", "targetList", "values"}:
            walk.unknown("syntax MergeWhenClause")
        predicate(walk, clause.get("condition"), joined)
        command = clause.get("commandType")
        if command == "CMD_DELETE":
            _writes(walk, target, Effect.DELETE)
        elif command == "CMD_UPDATE":
            _writes(walk, target, Effect.WRITE)
            _assign(walk, clause.get("targetList", ()), joined, target)
        elif command == "CMD_INSERT":
            _writes(walk, target, Effect.WRITE)
            into = _into(target, clause.get("targetList", ()))
            _row(walk, clause.get("values", []), joined, target, into)
        elif command != "CMD_NOTHING":
            walk.unknown(f"syntax {command}")
    scope.items = both
    bound(walk, Scope(scope, source.items), [], False)


# -- what is stored ----------------------------------------------------------------------------------------
def _into(target: Target, columns: list[Node]) -> list[str | None]:
    """The columns that values go into, in order."""
    if columns:
        return [
            None if "indirection" in node["ResTarget"] else str(node["ResTarget"].get("name", ""))
            for node in columns
        ]
    if target.item.columns.loose is not None:
        return []
    return list(target.item.columns.names)


def _assign(walk: Walk, nodes: list[Node], scope: Scope, target: Target) -> None:
    names = frozenset(str(node.get("ResTarget", {}).get("name", "")) for node in nodes)
    updating(walk, target.item.relations, names)
    for node in nodes:
        body = node.get("ResTarget", {})
        if not body.keys() <= {"name", "indirection", "val", "location"}:
            walk.unknown("syntax ResTarget")
        name = str(body.get("name", ""))
        if target.item.columns.get(name) is None:
            walk.unseen(name)
        for step in body.get("indirection", ()):
            for inner in step.get("A_Indices", {}).values():
                if isinstance(inner, dict):
                    walk.steer(expression(walk, inner, scope))
        whole = "indirection" not in body
        settled = () if carried(walk, target, name) else target.known()
        walk.put(_source(body.get("val", {})), settled, name if whole else None)
        store(walk, target, name, _assigned(walk, body.get("val", {}), scope), whole)


def _source(node: Node) -> Node:
    """The expression of one SET; of `(a, b) = (x, y)`, its own."""
    multiple = node.get("MultiAssignRef", {})
    parts = multiple.get("source", {}).get("RowExpr", {}).get("args", [])
    at = int(multiple.get("colno", 0)) - 1
    return parts[at] if 0 <= at < len(parts) else node


def _assigned(walk: Walk, node: Node, scope: Scope) -> Value:
    """The value of one SET. `(a, b) = (x, y)` gives each its own; a subquery's columns are united."""
    multiple = node.get("MultiAssignRef")
    if multiple is None:
        return expression(walk, node, scope)
    source = multiple.get("source", {})
    at = int(multiple.get("colno", 0)) - 1
    if "RowExpr" in source:
        parts = source["RowExpr"].get("args", ())
        if any(spreads(part) for part in parts):
            return unite_values([DOUBT, *(expression(walk, part, scope) for part in parts)])
        return expression(walk, parts[at], scope) if 0 <= at < len(parts) else DOUBT
    if "SubLink" in source:
        columns = query(walk, source["SubLink"].get("subselect", {}), scope)
        if columns.loose is None and 0 <= at < len(columns.values):
            return columns.values[at]
        return unite_values([DOUBT, *columns.values, *([columns.loose] if columns.loose is not None else [])])
    return expression(walk, source, scope)


# -- RETURNING ---------------------------------------------------------------------------------------------
def _returning(walk: Walk, clause: Body | None, scope: Scope, target: Target) -> Columns:
    if not clause:
        return Columns()
    if not clause.keys() <= {"options", "exprs"}:
        walk.unknown("syntax ReturningClause")
    walk.returning = True
    # the target's rows come back: it is read too
    walk.read(target.item.relations, target.name, target.doubtful)
    names = {"old": "old", "new": "new"}
    for option in clause.get("options", ()):
        body = option.get("ReturningOption", {})
        key = "old" if body.get("option") == "RETURNING_OPTION_OLD" else "new"
        names[key] = str(body.get("value", ""))
    before, after = target.item, replace(target.item, columns=target.returned())
    items = [after if item is before else item for item in scope.items]
    if before not in scope.items:
        items = [after, *items]
    taken = {item.name for item in items}
    for key, name in names.items():
        if name not in taken:
            shown = before.columns if key == "old" else after.columns
            items.append(Item(name, shown, before.relations, doubtful=before.doubtful, hidden=True))
    pieces = scope.pieces if scope.pieces is not None else [before.columns]
    pieces = [after.columns if piece is before.columns else piece for piece in pieces]
    if walk.stored:  # origins prove nothing: all that stars stand for is listed
        pieces = [Columns(piece.names, piece.values, piece.loose) for piece in pieces]
    return targets(walk, clause.get("exprs", []), Scope(scope, items, pieces))
