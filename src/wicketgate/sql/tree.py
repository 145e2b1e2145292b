"""Reading libpg_query's JSON tree: nodes are one-key dictionaries, `{"A_Const": {...}}`.
Nothing here recurses, so that depth costs no stack.
"""

from collections.abc import Iterator
from typing import Any

Body = dict[str, Any]
Node = dict[str, Any]


def split(node: Node) -> tuple[str, Body]:
    """A node's type and body; an absent node (libpg_query writes `{}`) is of type ''."""
    for name, body in node.items():
        return name, body
    return "", {}


def strings(nodes: list[Node] | None) -> tuple[str, ...]:
    """The texts of a list of String nodes; a `*` stands as it is, anything else as the empty string."""
    found = []
    for node in nodes or ():
        if "String" in node:
            found.append(str(node["String"].get("sval", "")))
        else:
            found.append("*" if "A_Star" in node else "")
    return tuple(found)


def without_database(name: tuple[str, ...]) -> tuple[str, ...]:
    """`database.schema.name` as `schema.name`: the server takes the session's own database there, nothing
    else (Walk.place refuses another)."""
    return name[1:] if len(name) == 3 else name


def literal(node: Node | None) -> str | None:
    """A constant's text as SET and set_config would read it; None for NULL and for what is no constant.

    `'x'::text` (and `varchar`, `name`, `bool`) count as the constant inside: their text does not change.
    """
    if not node:
        return None
    if "TypeCast" in node:
        cast = node["TypeCast"]
        target = strings(cast["typeName"].get("names"))
        plain = not cast["typeName"].get("typmods") or target[-1] == "bool"
        if target[-1] in ("text", "varchar", "name", "bool") and plain and len(target) <= 2:
            if len(target) == 2 and target[0] != "pg_catalog":
                return None
            return literal(cast["arg"])
        return None
    body = node.get("A_Const")
    if body is None or body.get("isnull"):
        return None
    if "sval" in body:
        return str(body["sval"].get("sval", ""))
    if "ival" in body:
        return str(body["ival"].get("ival", 0))
    if "fval" in body:
        return str(body["fval"].get("fval", ""))
    if "boolval" in body:
        return "true" if body["boolval"].get("boolval") else "false"
    return None


def walk(root: Any) -> Iterator[tuple[str, Body]]:
    """Every node below (and with) root, in no particular order. Finds bodies that stand without their
    type too
    (libpg_query leaves the type out where a field can hold only one): those come with the type ''."""
    stack: list[Any] = [root]
    while stack:
        thing = stack.pop()
        if isinstance(thing, list):
            stack.extend(thing)
        elif isinstance(thing, dict):
            if len(thing) == 1:
                ((name, body),) = thing.items()
                if name[:1].isupper() and isinstance(body, dict):
                    yield name, body
                    stack.extend(body.values())
                    continue
            yield "", thing
            stack.extend(thing.values())


def options(nodes: list[Node] | None) -> dict[str, Node | None]:
    """A list of DefElem as name -> argument node."""
    return {
        str(node["DefElem"].get("defname", "")): node["DefElem"].get("arg")
        for node in nodes or ()
        if "DefElem" in node
    }


def hoisted(select: Body) -> Body:
    """A SELECT with its leftmost branch's INTO at the top: `SELECT 1 INTO x UNION SELECT 2` creates x."""
    chain = [select]
    while isinstance(chain[-1].get("larg"), dict):
        chain.append(chain[-1]["larg"])
    into = chain[-1].get("intoClause")
    if into is None or len(chain) == 1:
        return select
    body = {field: inner for field, inner in chain[-1].items() if field != "intoClause"}
    for link in reversed(chain[:-1]):
        body = {**link, "larg": body}
    return {**body, "intoClause": into}
