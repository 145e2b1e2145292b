"""Reads INSERT, UPDATE, DELETE and MERGE: what they write, and where sensitive values would be stored.
A field that is not named here makes the statement unknown.
"""

from wicketgate.model.statement import Effect
from wicketgate.sql.beside import updating
from wicketgate.sql.bounds import bound
from wicketgate.sql.froms import alias_of, from_items
from wicketgate.sql.queries import query, select, spreads, targets
from wicketgate.sql.reading import expression, predicate
from wicketgate.sql.scope import COLUMN, Columns, Item, Scope, Value, unite_values
from wicketgate.sql.snapshot import NO_CLASSES
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


class _Target:
    """The relation that is written, as an item for its own columns."""

    def __init__(self, item: Item, name: str, doubtful: bool) -> None:
        self.item = item
        self.name = name
        self.doubtful = doubtful


def _target(walk: Walk, reference: Body) -> _Target:
    relations, doubtful = walk.find(reference)
    name = str(reference.get("relname", ""))
    alias, columns = alias_of(reference)
    item = walk.item(relations, alias or name, columns, doubtful)
    if alias:
        item.schemas = NO_CLASSES
    item.only = not reference.get("inh", False)
    return _Target(item, name, doubtful)


def _writes(walk: Walk, target: _Target, effect: Effect) -> None:
    storing = effect is Effect.WRITE
    walk.write(target.item.relations, target.name, target.doubtful, effect, storing)


def _insert(walk: Walk, body: Body, scope: Scope, target: _Target) -> None:
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
                nodes = row.get("List", {}).get("items", ())
                told = not any(spreads(node) for node in nodes)
                for at, node in enumerate(nodes):
                    held = into[at] if told and at < len(into) else _any(target)
                    _store(walk, expression(walk, node, scope), held, False)
        else:
            if kind != "SelectStmt":
                walk.unknown(f"syntax {kind}")
            columns = select(walk, inner, scope)
            for at, value in enumerate(columns.values):
                held = into[at] if at < len(into) and columns.loose is None else _any(target)
                _store(walk, value, held, False)
            if columns.loose is not None:
                _store(walk, columns.loose, _any(target), False)
    if "onConflictClause" in body:
        _conflict(walk, body["onConflictClause"], scope, target)


def _conflict(walk: Walk, body: Body, scope: Scope, target: _Target) -> None:
    if not body.keys() <= {"action", "infer", "targetList", "whereClause", "location"}:
        walk.unknown("syntax OnConflictClause")
    excluded = Item("excluded", target.item.columns, target.item.relations, doubtful=target.item.doubtful)
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


def _update(walk: Walk, body: Body, scope: Scope, target: _Target) -> None:
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


def _delete(walk: Walk, body: Body, scope: Scope, target: _Target) -> None:
    _writes(walk, target, Effect.DELETE)
    conditions: list[Node] = []
    source = from_items(walk, body.get("usingClause", ()), scope, conditions, False)
    scope.items = [target.item, *source.items]
    scope.pieces = [target.item.columns, *source.pieces]
    predicate(walk, body.get("whereClause"), scope)
    if "whereClause" in body:
        conditions.append(body["whereClause"])
    bound(walk, scope, conditions, False)


def _merge(walk: Walk, body: Body, scope: Scope, target: _Target) -> None:
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
            nodes = clause.get("values", ())
            told = not any(spreads(node) for node in nodes)
            for at, value_node in enumerate(nodes):
                held = into[at] if told and at < len(into) else _any(target)
                _store(walk, expression(walk, value_node, joined), held, False)
        elif command != "CMD_NOTHING":
            walk.unknown(f"syntax {command}")
    scope.items = both
    bound(walk, Scope(scope, source.items), [], False)


# -- what is stored ----------------------------------------------------------------------------------------
def _into(target: _Target, columns: list[Node]) -> list[Value]:
    """The columns that values go into, in order."""
    if columns:
        found = []
        for node in columns:
            value = target.item.columns.get(str(node.get("ResTarget", {}).get("name", "")))
            found.append(value if value is not None else _any(target))
        return found
    if target.item.columns.loose is not None:
        return []
    return list(target.item.columns.values)


def _any(target: _Target) -> Value:
    return target.item.columns.everything()


def _store(walk: Walk, value: Value, into: Value, own: bool) -> None:
    """A value is stored. own: it may be a bare column of the same class (SET email = excluded.email)."""
    if into.classes:
        walk.sensitive_parameters |= value.parameters
    if value.classes:
        walk.unproven = True
        if not (own and value.bare and value.classes <= into.classes):
            walk.steer(value)


def _assign(walk: Walk, nodes: list[Node], scope: Scope, target: _Target) -> None:
    names = frozenset(str(node.get("ResTarget", {}).get("name", "")) for node in nodes)
    updating(walk, target.item.relations, names)
    for node in nodes:
        body = node.get("ResTarget", {})
        if not body.keys() <= {"name", "indirection", "val", "location"}:
            walk.unknown("syntax ResTarget")
        into = target.item.columns.get(str(body.get("name", "")))
        if into is None:
            walk.unseen(str(body.get("name", "")))
            into = _any(target)
        for step in body.get("indirection", ()):
            for inner in step.get("A_Indices", {}).values():
                if isinstance(inner, dict):
                    walk.steer(expression(walk, inner, scope))
        _store(walk, _assigned(walk, body.get("val", {}), scope), into, "indirection" not in body)


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
            return unite_values([COLUMN, *(expression(walk, part, scope) for part in parts)])
        return expression(walk, parts[at], scope) if 0 <= at < len(parts) else COLUMN
    if "SubLink" in source:
        columns = query(walk, source["SubLink"].get("subselect", {}), scope)
        if columns.loose is None and 0 <= at < len(columns.values):
            return columns.values[at]
        every = [*columns.values, *([columns.loose] if columns.loose is not None else [])]
        return unite_values(every)
    return expression(walk, source, scope)


# -- RETURNING ---------------------------------------------------------------------------------------------
def _returning(walk: Walk, clause: Body | None, scope: Scope, target: _Target) -> Columns:
    if not clause:
        return Columns()
    if not clause.keys() <= {"options", "exprs"}:
        walk.unknown("syntax ReturningClause")
    walk.returning = True
    # the target's rows come back: it is read too
    walk.read(target.item.relations, target.name, target.doubtful, source=False)
    names = {"old": "old", "new": "new"}
    for option in clause.get("options", ()):
        body = option.get("ReturningOption", {})
        key = "old" if body.get("option") == "RETURNING_OPTION_OLD" else "new"
        names[key] = str(body.get("value", ""))
    items = scope.items if target.item in scope.items else [target.item, *scope.items]
    taken = {item.name for item in items}
    for name in names.values():
        if name not in taken:
            items = [*items, Item(name, target.item.columns, target.item.relations, hidden=True)]
    pieces = scope.pieces if scope.pieces is not None else [target.item.columns]
    return targets(walk, clause.get("exprs", []), Scope(scope, items, pieces))
