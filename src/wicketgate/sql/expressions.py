"""Reads operators, casts, conditions and subqueries. Importing it registers every kind of expression.
A sensitive column may be compared for equality here, nothing else.
"""

from dataclasses import replace

from wicketgate.sql import calls, columns, constructs
from wicketgate.sql.builtins import VALUE
from wicketgate.sql.casts import is_text, only_literals
from wicketgate.sql.constructs import json_syntax
from wicketgate.sql.reading import HANDLERS, expression, expressions, reads
from wicketgate.sql.scope import (
    CLEAN,
    COLUMN,
    Scope,
    Value,
    combine,
    unite_values,
)
from wicketgate.sql.snapshot import NO_CLASSES
from wicketgate.sql.tree import Body, Node, strings
from wicketgate.sql.walk import Walk


@reads("ParamRef", "number")
def _parameter(walk: Walk, body: Body, scope: Scope) -> Value:
    return Value(constant=True, parameters=frozenset({int(body.get("number", 0))}))


# -- operators ---------------------------------------------------------------------------------------------
_PREFIXED = {
    "AEXPR_LIKE": (),
    "AEXPR_ILIKE": (),
    "AEXPR_SIMILAR": (),
    "AEXPR_OP": (),
    "AEXPR_OP_ANY": (),
    "AEXPR_OP_ALL": (),
    "AEXPR_IN": (),
    "AEXPR_DISTINCT": ("=",),
    "AEXPR_NOT_DISTINCT": ("=",),
    "AEXPR_NULLIF": ("=",),
    "AEXPR_BETWEEN": (">=", "<="),
    "AEXPR_NOT_BETWEEN": ("<", ">"),
    "AEXPR_BETWEEN_SYM": (">=", "<=", "<", ">"),
    "AEXPR_NOT_BETWEEN_SYM": (">=", "<=", "<", ">"),
}
_EQUALITY = frozenset({"AEXPR_OP", "AEXPR_OP_ANY", "AEXPR_IN"})


@reads("A_Expr", "kind name lexpr rexpr rexpr_list_start rexpr_list_end")
def _operator(walk: Walk, body: Body, scope: Scope) -> Value:
    # left-associative chains (a || b || c …) are followed in a loop, so that they cost no depth
    chain = [body]
    while True:
        left = chain[-1].get("lexpr")
        if not left or "A_Expr" not in left or len(chain) > 20_000:
            break
        walk.spend()
        inner = left["A_Expr"]
        if not inner.keys() <= HANDLERS["A_Expr"][1]:
            walk.unknown("syntax A_Expr")
        chain.append(inner)
    value: Value | None = None
    for link in reversed(chain):
        value = _apply(walk, link, scope, value)
    return value if value is not None else CLEAN


def _apply(walk: Walk, body: Body, scope: Scope, left: Value | None) -> Value:
    kind = str(body.get("kind"))
    name = strings(body.get("name"))
    operators = _PREFIXED.get(kind)
    if operators is None:
        walk.unknown(f"syntax {kind}")
        operators = ()
    for implied in operators or (name[-1:] and [name]):
        walk.operate((implied,) if isinstance(implied, str) else implied)
    equality = kind in _EQUALITY and name[-1:] == ("=",)
    read = _operand if equality else expression
    if left is None:
        left = read(walk, body.get("lexpr"), scope)
    right_node = body.get("rexpr", {})
    if "List" in right_node:
        right = [read(walk, node, scope) for node in right_node["List"].get("items", ())]
    else:
        right = [read(walk, right_node, scope)]
    values = [left, *right]
    if equality:
        walk.compare(values)
        return COLUMN if any(value.columns for value in values) else CLEAN
    walk.consume(values)
    return combine(values)


def _operand(walk: Walk, node: Node | None, scope: Scope) -> Value:
    """An operand of `=`: a row of bare columns is compared column by column, an array element by element."""
    if node and ("RowExpr" in node or "A_ArrayExpr" in node):
        body = node.get("RowExpr") or {}
        nested = body.get("args") if "RowExpr" in node else node["A_ArrayExpr"].get("elements")
        values = [_operand(walk, inner, scope) for inner in nested or ()]
        if "A_ArrayExpr" in node:
            walk.spend()
        found = combine(values)
        bare = all(value.bare or not value.classes for value in values)
        asked = any(value.guesses for value in values)
        return Value(found.classes, bare, found.columns, False, found.parameters, asked)
    return expression(walk, node, scope)


@reads("BoolExpr", "boolop args")
def _boolean(walk: Walk, body: Body, scope: Scope) -> Value:
    values = expressions(walk, body.get("args"), scope)
    for value in values:
        walk.steer(value)
    classes = NO_CLASSES.union(*(value.classes for value in values))
    return Value(classes, False, any(value.columns for value in values))


def _computed(fields: str, *nodes: str) -> None:
    """Node types whose every operand goes into something computed."""
    wanted = fields.split()

    def handler(walk: Walk, body: Body, scope: Scope) -> Value:
        values: list[Value] = []
        for field in wanted:
            inner = body.get(field)
            if isinstance(inner, list):
                values.extend(expressions(walk, inner, scope))
            elif inner:
                values.append(expression(walk, inner, scope))
        walk.consume(values)
        return combine(values)

    for node in nodes:
        HANDLERS[node] = (handler, frozenset([*wanted, "location", *_PLAIN_FIELDS.get(node, "").split()]))


_PLAIN_FIELDS = {
    "NullTest": "nulltesttype argisrow",
    "BooleanTest": "booltesttype",
    "MinMaxExpr": "op",
    "NamedArgExpr": "name argnumber",
    "CoalesceExpr": "",
    "RowExpr": "row_format",
}

_computed("arg", "NullTest", "BooleanTest", "NamedArgExpr")
_computed("args", "MinMaxExpr", "CoalesceExpr")
_computed("args colnames", "RowExpr")


@reads("CollateClause", "arg collname")
def _collate(walk: Walk, body: Body, scope: Scope) -> Value:
    """COLLATE may make `=` take different texts for equal, wherever in an operand it stands."""
    if not walk.catalog.collations.get(strings(body.get("collname"))[-1], False):
        walk.patterned = True
    value = expression(walk, body.get("arg"), scope)
    walk.consume([value])
    return combine([value])


@reads("A_ArrayExpr", "elements list_start list_end")
def _array(walk: Walk, body: Body, scope: Scope) -> Value:
    values = expressions(walk, body.get("elements"), scope)
    walk.consume(values)
    found = combine(values)
    return replace(found, constant=True) if all(value.constant for value in values) else found


@reads("CaseExpr", "arg args defresult")
def _case(walk: Walk, body: Body, scope: Scope) -> Value:
    values = []
    if body.get("arg"):
        walk.operate(("=",))
        values.append(expression(walk, body["arg"], scope))
    for branch in body.get("args", ()):
        when = branch["CaseWhen"]
        if not when.keys() <= {"expr", "result", "location"}:
            walk.unknown("syntax CaseWhen")
        values.append(expression(walk, when.get("expr"), scope))
        values.append(expression(walk, when.get("result"), scope))
    values.append(expression(walk, body.get("defresult"), scope))
    walk.consume(values)
    return combine(values)


@reads("TypeCast", "arg typeName")
def _cast(walk: Walk, body: Body, scope: Scope) -> Value:
    argument = body.get("arg", {})
    value = expression(walk, argument, scope)
    target = body.get("typeName", {})
    walk.cast(target, is_text(argument), only_literals(argument))
    named = strings(argument.get("ColumnRef", {}).get("fields"))
    of_relation = named[-1:] == ("relation",) and strings(target.get("names"))[-1:] == ("regclass",)
    if of_relation and not value.classes and _is_of_locks(scope):
        return CLEAN  # a relation's name, as it stands in pg_class
    if value.constant or (value.bare and not value.classes):
        return value
    if (
        named[-1:] == ("classid",)
        and value.classes <= {VALUE}
        and strings(target.get("names")) == ("regclass",)
    ):
        # what pgAdmin asks of pg_locks: a number becomes a name or stays a number, nothing else happens
        return Value(value.classes, False, True)
    walk.consume([value])
    return combine([value])


def _is_of_locks(scope: Scope) -> bool:
    """Whether `relation` can be nothing else than that column of pg_locks."""
    items = [
        item
        for level in scope.levels()
        for item in level.items
        if "relation" in item.columns.names or item.columns.loose is not None
    ]
    return bool(items) and all(
        [relation.qualified for relation in item.relations] == ["pg_catalog.pg_locks"] and not item.doubtful
        for item in items
    )


@reads("SQLValueFunction", "op typmod type")
def _sql_value(walk: Walk, body: Body, scope: Scope) -> Value:
    return CLEAN


@reads("SetToDefault", "typeId typeMod collation")
def _default(walk: Walk, body: Body, scope: Scope) -> Value:
    return CLEAN


@reads("CurrentOfExpr", "cvarno cursor_name cursor_param")
def _current_of(walk: Walk, body: Body, scope: Scope) -> Value:
    return COLUMN


@reads("GroupingFunc", "args refs agglevelsup")
def _grouping(walk: Walk, body: Body, scope: Scope) -> Value:
    expressions(walk, body.get("args"), scope)
    return COLUMN


@reads("MergeSupportFunc", "msftype msfcollid")
def _merge_action(walk: Walk, body: Body, scope: Scope) -> Value:
    if walk.catalog.server < 170000:
        json_syntax(walk)
    return COLUMN


@reads("MultiAssignRef", "source colno ncolumns")
def _multiple(walk: Walk, body: Body, scope: Scope) -> Value:
    return expression(walk, body.get("source"), scope)


@reads("SubLink", "subLinkType subLinkId testexpr operName subselect")
def _subquery(walk: Walk, body: Body, scope: Scope) -> Value:
    kind = str(body.get("subLinkType"))
    equality = kind == "ANY_SUBLINK" and strings(body.get("operName"))[-1:] in ((), ("=",))
    compared = kind in ("ANY_SUBLINK", "ALL_SUBLINK", "ROWCOMPARE_SUBLINK")
    tested = (_operand if compared else expression)(walk, body.get("testexpr"), scope)
    columns = walk.query(walk, body.get("subselect", {}), scope)
    walk.query_names[id(body)] = columns.names[0] if columns.names and columns.loose is None else None
    inside = list(columns.values)
    if columns.loose is not None:
        inside.append(columns.loose)
    depends = any(value.columns for value in inside)
    if kind == "EXISTS_SUBLINK":
        return COLUMN if depends else CLEAN
    if kind == "EXPR_SUBLINK":
        return unite_values(inside) if len(inside) == 1 else combine(inside)
    if kind == "ARRAY_SUBLINK":
        walk.consume(inside)
        return combine(inside)
    if compared:
        walk.operate(strings(body.get("operName")) or ("=",))
        if equality:
            walk.compare([tested, *inside])
            return COLUMN
        walk.consume([tested, *inside])
        return combine([COLUMN, tested, *inside])
    walk.unknown(f"syntax {kind}")
    return combine([COLUMN, tested, *inside])


__all__ = ["calls", "columns", "constructs"]
