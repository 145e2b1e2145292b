"""What makes two statements the same, and the same but for constants: trees without places, as bytes.
It must never take two for the same that the server would run differently.
"""

import re
from typing import Any, Final

import orjson

from wicketgate.sql.errors import SyntaxRefused
from wicketgate.sql.parse import parse_whole, pretty, without_constants

_PLACES: Final = frozenset(
    """location stmt_location stmt_len name_location type_location rexpr_list_start rexpr_list_end list_start
    list_end""".split()
)
"""Fields of libpg_query's trees that say where something stood in the text."""
_LEADING: Final = re.compile(rb"\A\s*/\*[^*]*\*/")
HIDDEN: Final = "(not shown: it may hold sensitive values)"
_READABLE: Final = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})


def tree(text: bytes) -> Any:
    """The tree of a text of one statement, without places. Raises SyntaxRefused."""
    return _without(parse_whole(text), False)


def shape(text: bytes) -> Any:
    """The same without constants: all of them look alike. Parameters stay, by number."""
    return _without(parse_whole(text), True)


def highest_parameter(text: bytes) -> int:
    """The highest number of its parameters."""
    highest = 0
    stack: list[Any] = [parse_whole(text)]
    while stack:
        thing = stack.pop()
        if isinstance(thing, list):
            stack.extend(thing)
        elif isinstance(thing, dict):
            found = thing.get("ParamRef")
            if isinstance(found, dict):
                highest = max(highest, int(found.get("number", 0)))
            stack.extend(thing.values())
    return highest


def canonical(thing: Any) -> bytes:
    """The same bytes for the same tree. Raises TypeError for what is nested too deeply to be written."""
    return orjson.dumps(thing, option=orjson.OPT_SORT_KEYS)


def readable(text: bytes) -> str | None:
    """The text as people would write it; None where a printer's fault would show them another statement."""
    found = pretty(text)
    try:
        return found if found is not None and tree(found.encode()) == tree(text) else None
    except SyntaxRefused:
        return None


def masked(text: bytes) -> str:
    """The text for who may not see sensitive values: no constant of it stands there, and no comment."""
    node = parse_whole(text)
    if len(node) != 1 or next(iter(node)) not in _READABLE:
        return HIDDEN
    erased = without_constants(text)
    found = None if erased is None else readable(erased) or _uncommented(erased)
    try:
        return HIDDEN if found is None or _constant(parse_whole(found.encode())) else found
    except SyntaxRefused:
        return HIDDEN


def _uncommented(text: bytes) -> str | None:
    """The text without the comment that it begins with; None where another may stand in it."""
    found = _LEADING.sub(b"", text).strip()
    return None if b"--" in found or b"/*" in found else found.decode()


def _constant(root: Any) -> bool:
    """Whether a constant that may be a value is left."""
    stack: list[Any] = [root]
    while stack:
        thing = stack.pop()
        if isinstance(thing, list):
            stack.extend(thing)
        elif isinstance(thing, dict):
            found = thing.get("A_Const")
            if isinstance(found, dict) and not found.get("isnull") and "boolval" not in found:
                return True
            stack.extend(thing.values())
    return False


def _without(root: Any, constants: bool) -> Any:
    """A copy without places, and without constants where that is wanted. Depth costs no stack."""
    top: list[Any] = [None]
    stack: list[tuple[Any, Any, Any]] = [(root, top, 0)]
    while stack:
        thing, into, key = stack.pop()
        if isinstance(thing, list):
            made: Any = [None] * len(thing)
            into[key] = made
            stack.extend((each, made, index) for index, each in enumerate(thing))
        elif isinstance(thing, dict):
            made = {}
            into[key] = made
            for name, value in thing.items():
                if name in _PLACES and isinstance(value, int):  # a tablespace's location is a text
                    continue
                if constants and name == "A_Const":
                    made[name] = {}
                    continue
                stack.append((value, made, name))
        else:
            into[key] = thing
    return top[0]
