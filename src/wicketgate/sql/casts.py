"""Whether a cast that a user made may run: by the types of values that may be at hand, and those cast to.
No expression has a known type here, so a type counts as soon as its name, or a column of it, is seen."""

from typing import TYPE_CHECKING

from wicketgate.sql.snapshot import BUILTIN
from wicketgate.sql.tree import Node

if TYPE_CHECKING:
    from wicketgate.sql.walk import Walk


_WITHIN = "*"
"""A composite's fields are cast one by one, a domain's values to its base: the target may be any type."""


def spell(walk: "Walk", name: str, constant: bool, literal: bool) -> None:
    """A type's name stands in the statement. constant, literal: see Walk.cast."""
    catalog = walk.catalog
    if not catalog.casts:
        return
    own = name in walk.temporary
    walk.held_types |= catalog.held if own else catalog.held_names.get(name, frozenset())
    if not constant:
        names = walk.literal_casts if literal else walk.cast_names
        names |= {name, name.removeprefix("_")}  # an array is cast element by element
        if own or name in catalog.types:
            names.add(_WITHIN)


def settle(walk: "Walk") -> None:
    """Once all is read: a cast runs where a value of its source may meet its target."""
    for cast in walk.catalog.casts:
        builtin = cast.source < BUILTIN
        names = walk.cast_names | walk.literal_casts if builtin else walk.cast_names
        given = builtin or cast.source in walk.held_types
        taken = cast.target < BUILTIN or cast.target in walk.held_types
        spelt = cast.target_name in names or (_WITHIN in names and taken)
        if given and (spelt or (cast.context != "e" and taken)):
            walk.unknown(cast.function)


def only_literals(node: Node) -> bool:
    """Literals, rows and arrays of them: no column, parameter or function gives a value its type."""
    stack = [node]
    while stack:
        this = stack.pop()
        if "RowExpr" in this:
            stack.extend(this["RowExpr"].get("args", ()))
        elif "A_ArrayExpr" in this:
            stack.extend(this["A_ArrayExpr"].get("elements", ()))
        elif "A_Const" not in this:
            return False
    return True


def is_text(node: Node) -> bool:
    """A string literal or NULL: of no type until it is cast."""
    constant = node.get("A_Const")
    return constant is not None and ("sval" in constant or bool(constant.get("isnull")))
