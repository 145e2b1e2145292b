"""Reads operators, casts, conditions and subqueries. Importing it registers every kind of expression.
A sensitive column may be compared for equality here, nothing else.
"""

from dataclasses import replace

from wicketgate.sql import calls, columns, constructs
from wicketgate.sql.builtins import VALUE
from wicketgate.sql.casts import is_text, only_literals
from wicketgate.sql.constructs import json_syntax
from wicketgate.sql.reading import HANDLERS, expression, expressions, reads
from wicketgate.sql.scope import CLEAN, COLUMN, DOUBT, Scope, Value, combine, equality, unite_values
from wicketgate.sql.total import cast_is_total, is_same, operator_is_total
from wicketgate.sql.tree import Body, Node, strings
from wicketgate.sql.value import NO_PARAMETERS
from wicketgate.sql.walk import Walk


@reads("ParamRef", "number")
def _parameter(walk: Walk, body: Body, scope: Scope) -> Value:
    number = int(body.get("number", 0))
    if walk.arguments is not None:  # in the body of a function
        return walk.arguments[number - 1] if 0 < number <= len(walk.arguments) else DOUBT
    return Value(constant=True, parameters=frozenset({number}))


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
_EQUALITY = frozenset({"AEXPR_OP", "AEXPR_OP_ANY", "AEXPR_OP_ALL", "AEXPR_IN"})
_DISTINCTION = frozenset({"AEXPR_DISTINCT", "AEXPR_NOT_DISTINCT", "AEXPR_NULLIF"})


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
    equal = kind in _DISTINCTION or (kind in _EQUALITY and name[-1] in ("=", "<>", "!="))
    read = _operand if equal else expression
    if left is None:
        left = read(walk, body.get("lexpr"), scope)
    right_node = body.get("rexpr", {})
    if "List" in right_node:
        right = [read(walk, node, scope) for node in right_node["List"].get("items", ())]
    else:
        right = [read(walk, right_node, scope)]
    values = [left, *right]
    if equal:
        walk.compare(values)
        if kind in ("AEXPR_OP", "AEXPR_IN") and name[-1] == "=":
            nodes = right_node["List"].get("items", []) if "List" in right_node else [right_node]
            walk.met([body.get("lexpr", {}), *nodes], values)
        if kind == "AEXPR_NULLIF":  # the left operand, or NULL where they are equal
            return replace(combine(values), odd=left.odd)
        return equality(values)
    walk.consume(values, operator_is_total(walk, kind, name, values, right_node))
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
        return replace(found, bare=bare, constant=False, many=asked)
    return expression(walk, node, scope)


@reads("BoolExpr", "boolop args")
def _boolean(walk: Walk, body: Body, scope: Scope) -> Value:
    values = expressions(walk, body.get("args"), scope)
    for value in values:
        walk.steer(value)
    return replace(combine(values), parameters=NO_PARAMETERS, many=False, weight=1)


@reads("NullTest", "arg nulltesttype argisrow")
def _null(walk: Walk, body: Body, scope: Scope) -> Value:
    """Whether it is NULL is shown by its mask as well, and nothing that is not steered makes it NULL. Of a
    column as it stands it is no secret at all, as its count is none; of what is computed it may be."""
    value = expression(walk, body.get("arg"), scope)
    walk.compared |= value.classes
    walk.sensitive_parameters |= value.parameters if value.classes else NO_PARAMETERS
    return COLUMN if value.bare and value.columns and not value.doubt else equality([value])


def _computed(fields: str, *nodes: str) -> None:
    """Node types whose every operand goes into something computed, which never fails."""
    wanted = fields.split()

    def handler(walk: Walk, body: Body, scope: Scope) -> Value:
        values: list[Value] = []
        for field in wanted:
            inner = body.get(field)
            if isinstance(inner, list):
                values.extend(expressions(walk, inner, scope))
            elif inner:
                values.append(expression(walk, inner, scope))
        walk.consume(values, total=True)
        return combine(values)

    for node in nodes:
        HANDLERS[node] = (handler, frozenset([*wanted, "location", *_PLAIN_FIELDS.get(node, "").split()]))


_PLAIN_FIELDS = {
    "BooleanTest": "booltesttype",
    "MinMaxExpr": "op",
    "NamedArgExpr": "name argnumber",
    "CoalesceExpr": "",
    "RowExpr": "row_format",
}

_computed("arg", "BooleanTest", "NamedArgExpr")
_computed("args", "MinMaxExpr", "CoalesceExpr")
_computed("args colnames", "RowExpr")


@reads("CollateClause", "arg collname")
def _collate(walk: Walk, body: Body, scope: Scope) -> Value:
    """COLLATE may make `=` take different texts for equal, wherever in an operand it stands."""
    if not walk.catalog.collations.get(strings(body.get("collname"))[-1], False):
        walk.patterned = True
    value = expression(walk, body.get("arg"), scope)
    walk.consume([value], total=True)
    return combine([value])


@reads("A_ArrayExpr", "elements list_start list_end")
def _array(walk: Walk, body: Body, scope: Scope) -> Value:
    values = expressions(walk, body.get("elements"), scope)
    walk.consume(values, total=not any(value.odd for value in values))
    found = combine(values)
    return replace(found, constant=True) if all(value.constant for value in values) else found


@reads("CaseExpr", "arg args defresult")
def _case(walk: Walk, body: Body, scope: Scope) -> Value:
    conditions: list[Value] = []
    values: list[Value] = []
    if body.get("arg"):
        walk.operate(("=",))
        conditions.append(_operand(walk, body["arg"], scope))
    for branch in body.get("args", ()):
        when = branch["CaseWhen"]
        if not when.keys() <= {"expr", "result", "location"}:
            walk.unknown("syntax CaseWhen")
        conditions.append((_operand if body.get("arg") else expression)(walk, when.get("expr"), scope))
        values.append(expression(walk, when.get("result"), scope))
    values.append(expression(walk, body.get("defresult"), scope))
    if body.get("arg"):
        walk.compare(conditions)
        conditions = [equality(conditions)]
    for condition in conditions:
        walk.steer(condition)
    walk.consume(values, total=True)
    return combine([*conditions, *values])


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
    if value.constant or is_same(walk, target, value):
        return value
    if value.bare and not value.classes:
        return replace(value, base=False)
    if (
        named[-1:] == ("classid",)
        and value.classes <= {VALUE}
        and strings(target.get("names")) == ("regclass",)
    ):
        # what pgAdmin asks of pg_locks: a number becomes a name or stays a number, nothing else happens
        return replace(value, bare=False, base=False)
    walk.consume([value], cast_is_total(walk, target, value, argument))
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
    name = strings(body.get("operName"))[-1:]
    equal = (kind == "ANY_SUBLINK" and name in ((), ("=",))) or (kind == "ALL_SUBLINK" and name == ("<>",))
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
        walk.consume(inside, total=not any(value.odd for value in inside))
        return combine(inside)
    if compared:
        walk.operate(strings(body.get("operName")) or ("=",))
        if equal:
            walk.compare([tested, *inside])
            return equality([COLUMN, tested, *inside])
        walk.consume([tested, *inside])
        return combine([COLUMN, tested, *inside])
    walk.unknown(f"syntax {kind}")
    return combine([COLUMN, tested, *inside])


__all__ = ["calls", "columns", "constructs"]
