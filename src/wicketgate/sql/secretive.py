"""Whether a statement's text holds a password where servers take one: in calls, settings and code.
It must never ask for the name of what is secret in data: those are recorded as they were asked.
"""

import re
from typing import Final

from wicketgate.sql.tree import Body, Node, literal, walk

_KEYWORD: Final = r"\b(?:ssl)?(?:password|passwd|passphrase)\s*="
_ADDRESS: Final = r"[a-z][a-z0-9+.-]*://[^\s/:@]*:[^\s/]*@"
_CONNECTION: Final = re.compile(f"(?i){_KEYWORD}|{_ADDRESS}")
"""A connection string with a password, or an address with one."""

_SETTING: Final = re.compile(r"(?i)passw|passphrase|secret|token|api_?key|credential|private_?key")
"""Settings whose values are secret by their name."""

_ENCRYPTION: Final = "password_encryption"

_CODE: Final = re.compile(rf"(?i)\bpassword\s*(?:u&|e)?['$%|]|['$][^'$]*{_KEYWORD}|{_ADDRESS}")
"""Code that sets a password (the word and a literal, or what a literal is put together from), or connects."""

_CONNECTS: Final = "dblink"
"""Calls whose names begin so take connection strings."""


def in_call(name: str, arguments: list[Node]) -> bool:
    """Whether a call connects elsewhere with a password, or with what is handed in apart from the text."""
    if not name.startswith(_CONNECTS):
        return False
    for node, body in walk(arguments):
        if node == "ParamRef" or (node == "A_Const" and _CONNECTION.search(literal({node: body}) or "")):
            return True
    return False


def in_setting(name: str, value: str | None) -> bool:
    """Whether a setting is given a secret."""
    if name.lower() == _ENCRYPTION:
        return False
    return _SETTING.search(name) is not None or (value is not None and _CONNECTION.search(value) is not None)


def in_code(node: object) -> bool:
    """Whether code below this node, which is not read here, holds a password."""
    return any(_CODE.search(str(body.get("sval", ""))) for _, body in walk(node))


def in_set(statement: Body) -> bool:
    """The same of a SET that stands in ALTER ROLE, DATABASE or SYSTEM, or in a function's definition."""
    name = str(statement.get("name", ""))
    return any(in_setting(name, literal(value)) for value in statement.get("args", ()))
