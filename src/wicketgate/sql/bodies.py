"""Whether the body of a function that is being defined is plainly free of sensitive data. Later calls are
unknown all the same: this only keeps code that can't be followed from being planted where it is then run
unseen."""

import re
from typing import Any

from wicketgate.model.statement import Effect
from wicketgate.sql.changes import is_set_config
from wicketgate.sql.errors import SyntaxRefused
from wicketgate.sql.parse import parse, parse_view
from wicketgate.sql.queries import query
from wicketgate.sql.reading import expression
from wicketgate.sql.scope import COLUMN, Columns, Item, Scope
from wicketgate.sql.tree import Body, literal, options, split, strings
from wicketgate.sql.tree import walk as every_node
from wicketgate.sql.walk import TooComplex, Walk

_QUERIES = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})


def plainly_clean(state: Walk, body: Body) -> bool:
    """body: of a CreateFunctionStmt. SQL that touches no sensitive relation and calls nothing unknown, or a
    trigger in PL/pgSQL that sets columns to what depends on no row."""
    given = options(body.get("options"))
    language = _language(given.get("language"))
    lines = strings((given.get("as") or {}).get("List", {}).get("items"))
    try:
        if "sql_body" in body:
            return _sql(state, body, _nested(body["sql_body"]), given)
        if language == "sql" and len(lines) == 1:
            members = parse(lines[0].encode()).members
            return _sql(state, body, [{member.node: member.body} for member in members if member.node], given)
        if language == "plpgsql" and len(lines) == 1:
            return _assigns(state, lines[0])
    except (SyntaxRefused, TooComplex, RecursionError):
        return False
    return False


def _language(node: Any) -> str:
    return str((node or {}).get("String", {}).get("sval", "sql")).lower()


def _nested(body: Body) -> list[Body]:
    """The statements of BEGIN ATOMIC, or the one expression of RETURN."""
    if "ReturnStmt" in body:
        return [body]
    return [
        inner for part in body.get("List", {}).get("items", ()) for inner in part["List"].get("items", ())
    ]


def _walk(state: Walk, path: tuple[str, ...] | None) -> Walk:
    walk = Walk(state.catalog, path, state.temporary, state.user, False)
    walk.query = query
    return walk


def _sql(state: Walk, body: Body, statements: list[Body], given: dict[str, Any]) -> bool:
    names = [str(node.get("FunctionParameter", {}).get("name", "")) for node in body.get("parameters", ())]
    columns = Columns([name for name in names if name], [COLUMN for name in names if name])
    scope = Scope(None, [Item(strings(body.get("funcname"))[-1], columns)])
    walk = _walk(state, _path(given.get("set")))
    for statement in statements:
        if any(node == "FuncCall" and is_set_config(part) for node, part in every_node(statement)):
            return False
        name, inner = split(statement)
        if name == "ReturnStmt":
            expression(walk, inner.get("returnval"), scope)
        elif name in _QUERIES and "intoClause" not in inner:
            query(walk, statement, scope)
        else:
            return False
    return _clean(walk)


def _path(node: Any) -> tuple[str, ...] | None:
    """The path that the function's own SET clause gives it; None for the caller's, whichever that will be."""
    setting = (node or {}).get("VariableSetStmt", {})
    if setting.get("name") != "search_path" or setting.get("kind") != "VAR_SET_VALUE":
        return None
    names = [literal(value) for value in setting.get("args", ())]
    return None if None in names else tuple(name for name in names if name is not None)


def _clean(walk: Walk) -> bool:
    walk.settle()
    return (
        not (walk.classes or walk.steered or walk.opaque or walk.unknown_names or walk.disturbs)
        and walk.complete
        and walk.effects <= {Effect.READ, Effect.WRITE, Effect.DELETE}
    )


_BLOCK = re.compile(r"\s*begin\s(.*)\send\s*;?\s*", re.IGNORECASE | re.DOTALL)
_SET = re.compile(r"new\.[a-z_][a-z0-9_]*\s*:?=(.+)", re.IGNORECASE | re.DOTALL)
_RETURN = re.compile(r"return\s+(?:new|old|null)", re.IGNORECASE)
_EXPRESSION = frozenset({"targetList", "limitOption", "op"})


def _assigns(state: Walk, text: str) -> bool:
    """`BEGIN new.changed := now(); RETURN new; END`, as most triggers are."""
    block = _BLOCK.fullmatch(text)
    if block is None or "--" in text or "/*" in text:
        return False
    walk = _walk(state, None)
    for line in (part.strip() for part in block[1].split(";")):
        assigned = _SET.fullmatch(line)
        if assigned is not None:
            select = parse_view(f"SELECT {assigned[1]}").body
            if not select.keys() <= _EXPRESSION or len(select["targetList"]) != 1:
                return False
            if any(
                node in ("SubLink", "ColumnRef") or (node == "FuncCall" and is_set_config(part))
                for node, part in every_node(select)
            ):
                return False
            expression(walk, select["targetList"][0]["ResTarget"].get("val"), Scope())
        elif line and not _RETURN.fullmatch(line):
            return False
    return _clean(walk)
