"""Which relations a query reads as a whole: those that no equality on a unique key and no row bound
limits."""

from wicketgate.sql.scope import Item, Scope
from wicketgate.sql.tree import Body, Node, strings
from wicketgate.sql.walk import Walk


def bound(walk: Walk, scope: Scope, conditions: list[Node], limited: bool) -> None:
    """Note for each relation in FROM whether it is bounded here. conditions: WHERE and inner joins' ON."""
    pinned: dict[int, set[str]] = {}
    if not limited:
        for node in conditions:
            _pins(walk, node, scope, pinned)
    for item in scope.items:
        for relation in item.relations:
            columns = pinned.get(id(item), set())
            keyed = (
                len(item.relations) == 1
                and not item.doubtful
                and (not relation.forks or item.only)
                and any(key <= columns for key in relation.keys)
            )
            bounds = walk.bounded if limited or keyed else walk.unbounded
            bounds.add(relation.qualified)
            bounds.update(child.qualified for child in walk.catalog.descendants(relation.oid))
            if relation.view is not None:
                (walk.bounded if limited else walk.unbounded).update(walk.catalog.body(relation).reads)


def _pins(walk: Walk, node: Node, scope: Scope, pinned: dict[int, set[str]]) -> None:
    """Columns that a conjunct compares for equality with constants or parameters."""
    stack = [node]
    while stack:
        this = stack.pop()
        if "BoolExpr" in this:
            if this["BoolExpr"].get("boolop") == "AND_EXPR":
                stack.extend(this["BoolExpr"].get("args", ()))
            continue
        body = this.get("A_Expr")
        if body is None or strings(body.get("name"))[-1:] != ("=",):
            continue
        if body.get("kind") not in ("AEXPR_OP", "AEXPR_IN", "AEXPR_OP_ANY"):
            continue
        left, right = body.get("lexpr", {}), body.get("rexpr", {})
        if "List" in right:
            constant = all(_constant(item) for item in right["List"].get("items", ()))
        else:
            constant = _constant(right)
        if constant and "ColumnRef" in left:
            _pin(walk, left, scope, pinned)
        elif "ColumnRef" in right and _constant(left) and body.get("kind") == "AEXPR_OP":
            _pin(walk, right, scope, pinned)


def _pin(walk: Walk, reference: Node, scope: Scope, pinned: dict[int, set[str]]) -> None:
    parts = strings(reference["ColumnRef"].get("fields"))
    name = parts[-1]
    walk.work(len(scope.items))
    found: list[Item] = [
        item
        for item in scope.items
        if item.columns.listed(name) is not None
        and not item.hidden
        and (len(parts) == 1 or item.name == parts[-2])
        and (len(parts) < 3 or parts[-3] in item.schemas)
    ]
    if len(found) == 1 and found[0].relations and not found[0].joined:
        at = found[0].columns.names.index(name)
        relation = found[0].relations[0]
        if at < len(relation.columns):
            # a column alias list may have renamed it: the key knows the real name
            pinned.setdefault(id(found[0]), set()).add(relation.columns[at][1])


def _constant(node: Node) -> bool:
    while "TypeCast" in node:
        node = node["TypeCast"].get("arg", {})
    if "A_ArrayExpr" in node:
        return all(_constant(item) for item in node["A_ArrayExpr"].get("elements", ()))
    return "A_Const" in node or "ParamRef" in node


LARGEST_LIMIT = 10_000
"""A literal LIMIT up to this many rows counts as a bound."""


def proven_limit(body: Body) -> bool:
    if body.get("limitOption") == "LIMIT_OPTION_WITH_TIES":
        return False
    constant = body.get("limitCount", {}).get("A_Const")
    if constant is None or "ival" not in constant:
        return False
    return 0 <= int(constant["ival"].get("ival", 0)) <= LARGEST_LIMIT


def aggregates(walk: Walk, nodes: list[Node]) -> bool:
    """Whether an output may gather many rows into one. Subqueries bound themselves."""
    stack: list[object] = list(nodes)
    while stack:
        thing = stack.pop()
        if isinstance(thing, dict):
            if "FuncCall" in thing:
                call = thing["FuncCall"]
                name = strings(call.get("funcname"))[-1]
                if walk.catalog.is_aggregate(name) or "over" in call or call.get("agg_star"):
                    return True
            if thing.keys() & {"JsonArrayAgg", "JsonObjectAgg"}:
                return True
            if "SubLink" in thing:
                continue
            stack.extend(thing.values())
        elif isinstance(thing, list):
            stack.extend(thing)
    return False
