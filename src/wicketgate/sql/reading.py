"""Reading an expression: the closed list of node types that are known, and the way in.
A node type or a field that is not registered makes the statement unknown.
"""

from collections.abc import Callable

from wicketgate.sql.scope import (
    CLEAN,
    CONSTANT,
    Scope,
    Value,
)
from wicketgate.sql.snapshot import NO_CLASSES
from wicketgate.sql.tree import Body, Node, split
from wicketgate.sql.walk import Walk

Handler = Callable[[Walk, Body, Scope], Value]

HANDLERS: dict[str, tuple[Handler, frozenset[str]]] = {}


def reads(node: str, fields: str) -> Callable[[Handler], Handler]:
    """Register the reader of a node type, with every field that it looks at or may ignore."""

    def register(handler: Handler) -> Handler:
        HANDLERS[node] = (handler, frozenset(f"{fields} location".split()))
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
    known = HANDLERS.get(name)
    if known is None:
        walk.unknown(f"syntax {name}")
        return everything(walk, scope)
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


def everything(walk: Walk, scope: Scope) -> Value:
    """Anything that any name in sight may hold."""
    classes: frozenset[str] = NO_CLASSES
    for level in scope.levels():
        for item in level.items:
            walk.work(1 + len(item.columns.names))
            classes |= item.columns.everything().classes
    return Value(classes, False, True, doubt=True)
