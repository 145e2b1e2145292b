"""Reads expressions: what values they may hold, what they call, and which sensitive values stand where.
A closed list: a node type or a field that is not named here makes the statement unknown.
"""

from collections.abc import Callable

from wicketgate.sql.builtins import VALUE
from wicketgate.sql.catalog import NO_CLASSES
from wicketgate.sql.changes import is_set_config
from wicketgate.sql.functions import Doing
from wicketgate.sql.scope import (
    BARE_COLUMN,
    CLEAN,
    COLUMN,
    CONSTANT,
    Item,
    Scope,
    Value,
    combine,
    unite_values,
)
from wicketgate.sql.settings import allowed, canonical, refusal
from wicketgate.sql.tree import Body, Node, literal, split, strings
from wicketgate.sql.walk import SYSTEM_COLUMNS, Walk

Handler = Callable[[Walk, Body, Scope], Value]

_HANDLERS: dict[str, tuple[Handler, frozenset[str]]] = {}


def _reads(node: str, fields: str) -> Callable[[Handler], Handler]:
    """Register the reader of a node type, with every field that it looks at or may ignore."""

    def register(handler: Handler) -> Handler:
        _HANDLERS[node] = (handler, frozenset(f"{fields} location".split()))
        return handler

    return register


def expression(walk: Walk, node: Node | None, scope: Scope) -> Value:
    """What this expression may hold. An absent one is clean."""
    if not node:
        return CLEAN
    name, body = split(node)
    walk.nodes += 1
    if name == "A_Const":
        return CONSTANT
    known = _HANDLERS.get(name)
    if known is None:
        walk.unknown(f"syntax {name}")
        return _everything(scope)
    handler, fields = known
    if not body.keys() <= fields:
        walk.unknown(f"syntax {name}")
    walk.spend()
    walk.enter()
    try:
        return handler(walk, body, scope)
    finally:
        walk.depth -= 1


def expressions(walk: Walk, nodes: list[Node] | None, scope: Scope) -> list[Value]:
    return [expression(walk, node, scope) for node in nodes or ()]


def predicate(walk: Walk, node: Node | None, scope: Scope) -> Value:
    """A condition: a sensitive column may steer it only through `=` and IN."""
    value = expression(walk, node, scope)
    walk.steer(value)
    return value


def _everything(scope: Scope) -> Value:
    """Anything that any name in sight may hold."""
    classes: frozenset[str] = NO_CLASSES
    for level in scope.levels():
        for item in level.items:
            classes |= item.columns.everything().classes
    return Value(classes, False, True)


# -- columns -----------------------------------------------------------------------------------------------
@_reads("ColumnRef", "fields")
def _column(walk: Walk, body: Body, scope: Scope) -> Value:
    parts = strings(body.get("fields"))
    if len(parts) == 1 and parts[0] != "*":
        return column(walk, parts[0], scope)
    if parts[-1] == "*":
        # a star that is no output by itself: the whole row, or `count(*)`'s relative
        value = _whole_row(walk, parts[:-1], scope)
        walk.steer(value)
        return value
    found = _qualified(walk, parts, scope)
    if found is not None:
        return found
    return _unseen(walk, ".".join(parts), scope)


def _unseen(walk: Walk, name: str, scope: Scope) -> Value:
    """A column that nothing in sight has: an error of the server's, unless what is in sight was made by a query
    and holds sensitive values, where this module might be the one that is wrong."""
    walk.unseen(name)
    derived = [item for level in scope.levels() for item in level.items if not item.relations]
    held = combine([COLUMN, *(item.columns.everything() for item in derived)])
    if held.classes:
        walk.blur()
        walk.steer(held)
    return Value(held.classes, False, True)


def column(walk: Walk, name: str, scope: Scope) -> Value:
    """An unqualified column: the innermost level that surely has it; where that is in doubt, what outer levels
    have too, and the whole row of an item of that name."""
    found: list[Value] = []
    for level in scope.levels():
        certain = False
        loose: list[Value] = []
        for item in level.items:
            if item.hidden:
                continue
            listed = item.columns.listed(name)
            if listed is not None:
                found.append(listed)
                certain = certain or not item.doubtful
            elif item.columns.loose is not None:
                loose.append(item.columns.loose)
        if certain:
            return unite_values(found)
        found.extend(loose)
    if name in SYSTEM_COLUMNS:
        found.append(BARE_COLUMN)
    for level in scope.levels():
        named = [item for item in level.items if item.name == name]
        if named:
            whole = combine([COLUMN, *(item.columns.everything() for item in named)])
            walk.steer(whole)
            found.append(whole)
            break
    if found:
        return unite_values(found)
    return _unseen(walk, name, scope)


def items_named(parts: tuple[str, ...], scope: Scope) -> list[Item]:
    """The FROM items that `t`, `schema.t` or `database.schema.t` may mean: the innermost, and outer ones too
    where its schema is in doubt. A schema never names an alias."""
    name = parts[-1]
    schema = parts[-2] if len(parts) > 1 else None
    found: list[Item] = []
    for level in scope.levels():
        here = [
            item for item in level.items if item.name == name and (schema is None or schema in item.schemas)
        ]
        found.extend(here)
        if here and (schema is None or all(item.schemas == {schema} for item in here)):
            break
    return found


def _qualified(walk: Walk, parts: tuple[str, ...], scope: Scope) -> Value | None:
    """`t.c`, `s.t.c`, `d.s.t.c`; `t.f` may also be f(t), where t has no such column."""
    found = items_named(parts[:-1], scope)
    if not found:
        return None
    name = parts[-1]
    values = [value for item in found if (value := item.columns.listed(name)) is not None]
    if values and not any(item.doubtful for item in found):
        return unite_values(values)
    values.extend(item.columns.loose for item in found if item.columns.loose is not None)
    if name in SYSTEM_COLUMNS:
        return unite_values([BARE_COLUMN, *values])
    if values:
        _, others = walk.catalog.function(name, walk.schemas)
        if others or f"{name}()" in walk.temporary:
            walk.does(walk.call((name,)), name)
        return unite_values(values)
    return _project(walk, name, combine([COLUMN, *(item.columns.everything() for item in found)]))


def _project(walk: Walk, name: str, whole: Value) -> Value:
    """`(row).name`: a field, or a call of a function of that name."""
    doing, others = walk.catalog.function(name, walk.schemas)
    if doing is not None or others or f"{name}()" in walk.temporary:
        walk.steer(whole)
        walk.does(walk.call((name,)), name)
    elif name in walk.catalog.types or name in walk.catalog.builtin_types:
        walk.steer(whole)
        walk.unknown(name)
    else:
        walk.unseen(name)
    return Value(whole.classes, False, True, False, whole.parameters)


def _whole_row(walk: Walk, parts: tuple[str, ...], scope: Scope) -> Value:
    found = items_named(parts, scope) if parts else [item for item in scope.items if not item.hidden]
    if not found:
        walk.blur()
        return _everything(scope)
    return combine([COLUMN, *(item.columns.everything() for item in found)])


@_reads("A_Indirection", "arg indirection")
def _indirection(walk: Walk, body: Body, scope: Scope) -> Value:
    """`(x).field`, `x[1]`, `(x).*`."""
    argument = body.get("arg", {})
    value = expression(walk, argument, scope)
    values = [value]
    for step in body.get("indirection", ()):
        name, inner = split(step)
        if name == "A_Indices":
            values.extend(
                [expression(walk, inner.get("lidx"), scope), expression(walk, inner.get("uidx"), scope)]
            )
        elif name == "String":
            # (x).f may be f(x)
            field = str(inner.get("sval", ""))
            doing, others = walk.catalog.function(field, walk.schemas)
            if others or doing not in (None, Doing.PURE) or f"{field}()" in walk.temporary:
                walk.does(walk.call((field,)), field)
        elif name != "A_Star":
            walk.unknown(f"syntax {name}")
    walk.consume(values)
    found = combine(values)
    return Value(found.classes, False, True, False, found.parameters)


@_reads("ParamRef", "number")
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


@_reads("A_Expr", "kind name lexpr rexpr rexpr_list_start rexpr_list_end")
def _operator(walk: Walk, body: Body, scope: Scope) -> Value:
    # left-associative chains (a || b || c …) are followed in a loop, so that they cost no depth
    chain = [body]
    while True:
        left = chain[-1].get("lexpr")
        if not left or "A_Expr" not in left or len(chain) > 20_000:
            break
        walk.spend()
        inner = left["A_Expr"]
        if not inner.keys() <= _HANDLERS["A_Expr"][1]:
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
        return Value(found.classes, bare, found.columns, False, found.parameters)
    return expression(walk, node, scope)


@_reads("BoolExpr", "boolop args")
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
        _HANDLERS[node] = (handler, frozenset([*wanted, "location", *_PLAIN_FIELDS.get(node, "").split()]))


_PLAIN_FIELDS = {
    "NullTest": "nulltesttype argisrow",
    "BooleanTest": "booltesttype",
    "MinMaxExpr": "op",
    "NamedArgExpr": "name argnumber",
    "CoalesceExpr": "",
    "A_ArrayExpr": "list_start list_end",
    "RowExpr": "row_format",
    "CollateClause": "collname",
}

_computed("arg", "NullTest", "BooleanTest", "NamedArgExpr", "CollateClause")
_computed("args", "MinMaxExpr", "CoalesceExpr")
_computed("elements", "A_ArrayExpr")
_computed("args colnames", "RowExpr")


@_reads("CaseExpr", "arg args defresult")
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


@_reads("TypeCast", "arg typeName")
def _cast(walk: Walk, body: Body, scope: Scope) -> Value:
    argument = body.get("arg", {})
    value = expression(walk, argument, scope)
    target = body.get("typeName", {})
    walk.cast(target, "A_Const" in argument)
    if value.constant:
        return value
    named = strings(argument.get("ColumnRef", {}).get("fields"))
    if (
        named[-1:] == ("classid",)
        and value.classes <= {VALUE}
        and strings(target.get("names")) == ("regclass",)
    ):
        # what pgAdmin asks of pg_locks: a number becomes a name or stays a number, nothing else happens
        return Value(value.classes, False, True)
    walk.consume([value])
    return combine([value])


@_reads("SQLValueFunction", "op typmod type")
def _sql_value(walk: Walk, body: Body, scope: Scope) -> Value:
    return CLEAN


@_reads("SetToDefault", "typeId typeMod collation")
def _default(walk: Walk, body: Body, scope: Scope) -> Value:
    return CLEAN


@_reads("CurrentOfExpr", "cvarno cursor_name cursor_param")
def _current_of(walk: Walk, body: Body, scope: Scope) -> Value:
    return COLUMN


@_reads("GroupingFunc", "args refs agglevelsup")
def _grouping(walk: Walk, body: Body, scope: Scope) -> Value:
    expressions(walk, body.get("args"), scope)
    return COLUMN


@_reads("MergeSupportFunc", "msftype msfcollid")
def _merge_action(walk: Walk, body: Body, scope: Scope) -> Value:
    if walk.catalog.server < 170000:
        json_syntax(walk)
    return COLUMN


@_reads("MultiAssignRef", "source colno ncolumns")
def _multiple(walk: Walk, body: Body, scope: Scope) -> Value:
    return expression(walk, body.get("source"), scope)


# -- functions ---------------------------------------------------------------------------------------------
@_reads(
    "FuncCall",
    "funcname args agg_order agg_filter over agg_within_group agg_star agg_distinct func_variadic funcformat",
)
def _function(walk: Walk, body: Body, scope: Scope) -> Value:
    name = strings(body.get("funcname"))
    nodes = body.get("args") or []
    values = expressions(walk, nodes, scope)
    counting = (
        name in (("count",), ("pg_catalog", "count"))
        and body.get("agg_distinct")
        and len(values) == 1
        and values[0].bare
    )
    if counting:
        walk.compare(values)
    else:
        walk.consume(values)
    extra: list[Value] = []
    for sort in body.get("agg_order", ()):
        extra.append(sorting(walk, sort, scope))
    if "agg_filter" in body:
        extra.append(predicate(walk, body["agg_filter"], scope))
    if "over" in body:
        extra.append(window(walk, body["over"], scope))
    if is_set_config(body):
        _configure(walk, nodes)
    doing = _called(walk, name, values)
    walk.does(doing, name[-1])
    found = combine([*values, *extra])
    if doing is Doing.PURE or doing is Doing.WRITES or doing is Doing.CONFIGURES:
        return Value(NO_CLASSES, False, True, False, found.parameters) if counting else found
    return Value(found.classes, False, True, False, found.parameters)


def _called(walk: Walk, name: tuple[str, ...], values: list[Value]) -> Doing:
    """What a call does; `int4(x)` and `regclass('t')` are casts where no function has the name."""
    if name == ("pg_catalog", "extract") and "extract" not in walk.catalog.builtin_functions:
        return Doing.PURE  # up to 13, EXTRACT is date_part
    if len(name) == 1 and len(values) == 1:
        doing, others = walk.catalog.function(name[0], walk.schemas)
        if doing is None and not others and f"{name[0]}()" not in walk.temporary:
            if name[0] in walk.catalog.builtin_types:
                walk.cast({"names": [{"String": {"sval": name[0]}}]})
                return Doing.PURE
            if not values[0].constant and name[0] not in walk.catalog.types:
                # f(t) may be t.f
                return Doing.PURE if _is_column_name(walk, name[0]) else walk.call(name)
    return walk.call(name)


def _is_column_name(walk: Walk, name: str) -> bool:
    return any(name in relation.numbers for relation in walk.relations.values())


def _configure(walk: Walk, nodes: list[Node]) -> None:
    """set_config: a SET by another name."""
    name = literal(nodes[0]) if nodes else None
    if name is None and nodes and strings(nodes[0].get("ColumnRef", {}).get("fields")) == ("name",):
        name = walk.row_setting
    if name is None or len(nodes) != 3:
        walk.unknown("pg_catalog.set_config")
        return
    value = literal(nodes[1])
    setting(walk, name, value)


def setting(walk: Walk, name: str, value: str | None) -> None:
    """A setting is changed, to a literal or to something that can't be told (None)."""
    if not allowed(name):
        walk.unknown(f"setting {canonical(name)}")
        return
    refused = refusal(name, value, walk.user, walk.read_only)
    if refused is not None and walk.refusal is None:
        walk.refusal = refused


def sorting(walk: Walk, node: Node, scope: Scope) -> Value:
    """One ORDER BY entry inside an aggregate or window: its value steers."""
    body = node.get("SortBy", {})
    if not body.keys() <= {"node", "sortby_dir", "sortby_nulls", "useOp", "location"}:
        walk.unknown("syntax SortBy")
    if body.get("useOp"):
        walk.operate(strings(body["useOp"]))
    value = expression(walk, body.get("node"), scope)
    walk.steer(value)
    return value


_WINDOW = frozenset(
    "name refname partitionClause orderClause frameOptions startOffset endOffset location".split()
)


def window(walk: Walk, body: Body, scope: Scope) -> Value:
    """A window's definition: what it partitions and orders by steers."""
    if not body.keys() <= _WINDOW:
        walk.unknown("syntax WindowDef")
    values = expressions(walk, body.get("partitionClause"), scope)
    values.append(expression(walk, body.get("startOffset"), scope))
    values.append(expression(walk, body.get("endOffset"), scope))
    walk.consume(values)
    values.extend(sorting(walk, sort, scope) for sort in body.get("orderClause", ()))
    return combine(values)


# -- subqueries --------------------------------------------------------------------------------------------
@_reads("SubLink", "subLinkType subLinkId testexpr operName subselect")
def _subquery(walk: Walk, body: Body, scope: Scope) -> Value:
    kind = str(body.get("subLinkType"))
    equality = kind == "ANY_SUBLINK" and strings(body.get("operName"))[-1:] in ((), ("=",))
    compared = kind in ("ANY_SUBLINK", "ALL_SUBLINK", "ROWCOMPARE_SUBLINK")
    tested = (_operand if compared else expression)(walk, body.get("testexpr"), scope)
    columns = walk.query(walk, body.get("subselect", {}), scope)
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


# -- JSON and XML ------------------------------------------------------------------------------------------
_NEW_SYNTAX = (
    "json json_scalar json_serialize json_array json_object json_arrayagg json_objectagg json_exists"
    " json_value json_query json_table merge_action"
).split()
"""What older servers read as calls of functions of these names."""


def nested(walk: Walk, thing: object, scope: Scope) -> list[Value]:
    """Every operand below a JSON or XML construct, wherever libpg_query left out its type."""
    values: list[Value] = []
    if isinstance(thing, list):
        for inner in thing:
            values.extend(nested(walk, inner, scope))
    elif isinstance(thing, dict):
        name = next(iter(thing), "")
        if len(thing) == 1 and name[:1].isupper():
            if name == "TypeName":
                walk.cast(thing[name])
            elif name in _NESTING:
                values.extend(nested(walk, list(thing[name].values()), scope))
            elif name not in ("String", "Integer"):
                values.append(expression(walk, thing, scope))
        elif "names" in thing:
            walk.cast(thing)
        else:
            for inner in thing.values():
                values.extend(nested(walk, inner, scope))
    return values


_NESTING = frozenset(
    "JsonTableColumn JsonTablePathSpec RangeTableFuncCol JsonOutput JsonBehavior ResTarget".split()
)


def json_syntax(walk: Walk) -> None:
    """Where a function has the name of a newer construct, an older server would call it."""
    for name in _NEW_SYNTAX:
        for other in walk.catalog.functions.get(name, ()):
            if not other.safe:
                walk.unknown(f"{other.schema}.{name}")


def _json(walk: Walk, body: Body, scope: Scope) -> Value:
    json_syntax(walk)
    queries = [body["query"]] if "query" in body else []
    values = nested(walk, {field: inner for field, inner in body.items() if field != "query"}, scope)
    for query in queries:
        columns = walk.query(walk, query, scope)
        values.extend(columns.values)
    walk.consume(values)
    return combine([COLUMN, *values])


for _node, _fields in {
    "JsonParseExpr": "expr output unique_keys",
    "JsonScalarExpr": "expr output",
    "JsonSerializeExpr": "expr output",
    "JsonIsPredicate": "expr format item_type unique_keys",
    "JsonValueExpr": "raw_expr formatted_expr format",
    "JsonKeyValue": "key value",
    "JsonObjectConstructor": "exprs output absent_on_null unique",
    "JsonArrayConstructor": "exprs output absent_on_null",
    "JsonArrayQueryConstructor": "query output format absent_on_null",
    "JsonArgument": "val name",
    "JsonFuncExpr": "op column_name context_item pathspec passing output on_empty on_error wrapper quotes",
    "JsonObjectAgg": "constructor arg absent_on_null unique",
    "JsonArrayAgg": "constructor arg absent_on_null",
}.items():
    _HANDLERS[_node] = (_json, frozenset([*_fields.split(), "location"]))


@_reads("XmlExpr", "op name named_args args xmloption indent type typmod arg_names")
def _xml_element(walk: Walk, body: Body, scope: Scope) -> Value:
    values = nested(walk, [body.get("named_args"), body.get("args")], scope)
    walk.consume(values)
    return combine(values)


@_reads("XmlSerialize", "xmloption expr typeName indent")
def _xml(walk: Walk, body: Body, scope: Scope) -> Value:
    walk.cast(body.get("typeName", {}))
    value = expression(walk, body.get("expr"), scope)
    walk.consume([value])
    return combine([value])
