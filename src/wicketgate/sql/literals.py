"""Whether a statement's literals can be erased from its cache key without a fact depending on them.
It must say no whenever in doubt: function arguments, casts, LIMIT, ordinals and settings decide facts.
"""

from typing import Any

from wicketgate.sql.changes import is_set_config
from wicketgate.sql.tree import Node, split, strings, walk

_COMPARING = frozenset({"=", "<>", "!=", "<", ">", "<=", ">=", "+", "-", "*", "/"})
_KINDS = frozenset(
    {"AEXPR_OP", "AEXPR_IN", "AEXPR_BETWEEN", "AEXPR_NOT_BETWEEN", "AEXPR_LIKE", "AEXPR_ILIKE"}
)
_STATEMENTS = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt"})


def erasable(statement: Node) -> bool:
    """True when every literal is an operand of a comparison (or plain arithmetic), or a value stored."""
    name, body = split(statement)
    if name not in _STATEMENTS:
        return False
    stack: list[Any] = []
    if any(node == "FuncCall" and is_set_config(call) for node, call in walk(body)):
        return False  # `FROM pg_settings WHERE name = '…'` says which setting is meant
    for field, child in body.items():
        if name == "InsertStmt" and field == "selectStmt":
            select = child.get("SelectStmt", {})
            for key, value in select.items():
                if key == "valuesLists":
                    for row in value:
                        stack.extend(_operands(row["List"].get("items", [])))
                else:
                    stack.append(value)
        elif name == "UpdateStmt" and field == "targetList":
            for target in child:
                stack.extend(_operands([target["ResTarget"].get("val", {})]))
                stack.append(target["ResTarget"].get("indirection"))
        else:
            stack.append(child)
    while stack:
        thing = stack.pop()
        if isinstance(thing, list):
            stack.extend(thing)
        elif isinstance(thing, dict):
            if "A_Const" in thing:
                return False
            expression = thing.get("A_Expr")
            if isinstance(expression, dict) and _harmless(expression):
                operands = [expression.get("lexpr", {})]
                right = expression.get("rexpr", {})
                operands.extend(right["List"].get("items", []) if "List" in right else [right])
                stack.extend(_operands(operands))
            else:
                stack.extend(thing.values())
    return True


def _operands(nodes: list[Node]) -> list[Node]:
    """Those of the nodes that still need looking into: a literal standing here is erasable."""
    return [node for node in nodes if "A_Const" not in node]


def _harmless(expression: dict[str, Any]) -> bool:
    kind = expression.get("kind")
    if kind not in _KINDS:
        return False
    return kind != "AEXPR_OP" or strings(expression.get("name"))[-1] in _COMPARING
