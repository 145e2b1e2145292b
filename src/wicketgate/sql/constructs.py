"""Reads the constructs of JSON and XML: every value in them goes into something computed."""

from wicketgate.sql.calls import sorting
from wicketgate.sql.reading import HANDLERS, expression, reads
from wicketgate.sql.scope import (
    COLUMN,
    Scope,
    Value,
    combine,
)
from wicketgate.sql.tree import Body
from wicketgate.sql.walk import Walk

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
            elif name == "SortBy":
                values.append(sorting(walk, thing, scope))
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
        if columns.loose is not None:
            values.append(columns.loose)
    told = body.get("format", {}).get("format_type", "JS_FORMAT_DEFAULT") == "JS_FORMAT_DEFAULT"
    keyed = bool(expression(walk, body.get("key"), scope).classes)  # a mask of the document keeps its keys
    walk.consume(values, total=told and not keyed and body.keys() <= _BUILDING)
    return combine([COLUMN, *values])


_BUILDING = frozenset("exprs absent_on_null key value raw_expr formatted_expr format location".split())
"""Fields of JSON_OBJECT and JSON_ARRAY: they take whatever they are given."""


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
    HANDLERS[_node] = (_json, frozenset([*_fields.split(), "location"]))


@reads("XmlExpr", "op name named_args args xmloption indent type typmod arg_names")
def _xml_element(walk: Walk, body: Body, scope: Scope) -> Value:
    values = nested(walk, [body.get("named_args"), body.get("args")], scope)
    walk.consume(values)
    return combine(values)


@reads("XmlSerialize", "xmloption expr typeName indent")
def _xml(walk: Walk, body: Body, scope: Scope) -> Value:
    walk.cast(body.get("typeName", {}))
    value = expression(walk, body.get("expr"), scope)
    walk.consume([value])
    return combine([value])
