"""The name that PostgreSQL gives an output column without one (FigureColname in parse_target.c).
A wrong name would make a reference find another column: what is not known here has no name at all."""

from collections.abc import Mapping

from wicketgate.sql.tree import Node, split, strings

UNNAMED = "?column?"

_FIXED = {
    "A_ArrayExpr": "array",
    "RowExpr": "row",
    "CoalesceExpr": "coalesce",
    "GroupingFunc": "grouping",
    "MergeSupportFunc": "merge_action",
    "XmlSerialize": "xmlserialize",
    "JsonParseExpr": "json",
    "JsonScalarExpr": "json_scalar",
    "JsonSerializeExpr": "json_serialize",
    "JsonObjectConstructor": "json_object",
    "JsonArrayConstructor": "json_array",
    "JsonArrayQueryConstructor": "json_array",
    "JsonObjectAgg": "json_objectagg",
    "JsonArrayAgg": "json_arrayagg",
}

_XML = {
    "IS_XMLCONCAT": "xmlconcat",
    "IS_XMLELEMENT": "xmlelement",
    "IS_XMLFOREST": "xmlforest",
    "IS_XMLPARSE": "xmlparse",
    "IS_XMLPI": "xmlpi",
    "IS_XMLROOT": "xmlroot",
    "IS_XMLSERIALIZE": "xmlserialize",
}

_JSON = {"JSON_EXISTS_OP": "json_exists", "JSON_QUERY_OP": "json_query", "JSON_VALUE_OP": "json_value"}

_SURE, _WEAK, _NONE = 2, 1, 0


def output_name(node: Node, queries: Mapping[int, str | None]) -> str | None:
    """`?column?` where there is none; None where it can't be told. queries: the first output's name of each
    subquery in the expression, by the identity of its SubLink."""
    name, _ = _figure(node, queries)
    return name


def _figure(node: Node, queries: Mapping[int, str | None]) -> tuple[str | None, int]:
    """The name, and how sure it is: a type's name yields to anything, and CASE's to a type's."""
    kind, body = split(node)
    if kind == "ColumnRef":
        parts = [part for part in strings(body.get("fields")) if part not in ("", "*")]
        return (parts[-1], _SURE) if parts else (UNNAMED, _NONE)
    if kind == "FuncCall":
        return strings(body.get("funcname"))[-1], _SURE
    if kind == "A_Indirection":
        fields = [part for part in strings(body.get("indirection")) if part not in ("", "*")]
        return (fields[-1], _SURE) if fields else _figure(body.get("arg", {}), queries)
    if kind == "TypeCast":
        name, strength = _figure(body.get("arg", {}), queries)
        return (name, strength) if strength == _SURE else (strings(body["typeName"].get("names"))[-1], _WEAK)
    if kind == "CollateClause":
        return _figure(body.get("arg", {}), queries)
    if kind == "CaseExpr":
        name, strength = _figure(body.get("defresult", {}), queries)
        return (name, strength) if strength == _SURE else ("case", _WEAK)
    if kind == "SubLink":
        if body.get("subLinkType") == "EXPR_SUBLINK":
            return queries.get(id(body)), _SURE
        fixed = {"EXISTS_SUBLINK": "exists", "ARRAY_SUBLINK": "array"}.get(str(body.get("subLinkType")))
        return (fixed, _SURE) if fixed is not None else (UNNAMED, _NONE)
    fixed = _FIXED.get(kind)
    if kind == "MinMaxExpr":
        fixed = "greatest" if body.get("op") == "IS_GREATEST" else "least"
    elif kind == "SQLValueFunction":
        # `current_time(2)` is SVFOP_CURRENT_TIME_N
        fixed = str(body.get("op", "")).removeprefix("SVFOP_").removesuffix("_N").lower()
    elif kind == "A_Expr" and body.get("kind") == "AEXPR_NULLIF":
        fixed = "nullif"
    elif kind == "XmlExpr":
        fixed = _XML.get(str(body.get("op")))
    elif kind == "JsonFuncExpr":
        fixed = _JSON.get(str(body.get("op")))
    return (fixed, _SURE) if fixed is not None else (UNNAMED, _NONE)
