"""The server's own functions, operators and casts that a sensitive value may go into: a closed list.
Each never fails, and gives NULL for no other reason than a NULL or what equality tells, whatever it is.

Anything else would answer questions about the value by an error or a NULL: `1 / (ascii(ssn) - 53)`. Limits of
size and of types' ranges that nobody can move with another operand are left out of account.
"""

from typing import Final

from wicketgate.sql.tree import Body, Node, literal, strings
from wicketgate.sql.value import Value
from wicketgate.sql.walk import Walk

ANY: Final = None

_MOST = 100

TOTAL: Final[dict[str, tuple[int, int, tuple[int, ...] | None]]] = {
    name: (least, most, places)
    for names, least, most, places in (
        ("lower upper initcap length char_length character_length octet_length bit_length", 1, 1, ANY),
        ("md5 ascii reverse quote_literal quote_ident quote_nullable", 1, 1, ANY),
        ("btrim ltrim rtrim", 1, 2, ANY),
        ("left right strpos position starts_with", 2, 2, ANY),
        ("replace translate", 3, 3, ANY),
        ("substr", 2, 3, (0,)),
        ("split_part", 3, 3, (0, 1)),
        ("lpad rpad", 2, 3, (0, 2)),
        ("concat", 1, _MOST, ANY),
        ("concat_ws", 2, _MOST, ANY),
        ("to_json to_jsonb", 1, 1, ANY),
        ("row_to_json array_to_json", 1, 2, (0,)),
        ("json_build_array jsonb_build_array", 1, _MOST, ANY),
        ("json_build_object jsonb_build_object", 1, _MOST, tuple(range(1, _MOST, 2))),
        ("json_agg jsonb_agg array_agg min max bool_and bool_or every", 1, 1, ANY),
        ("string_agg", 2, 2, ANY),
        ("json_object_agg jsonb_object_agg", 2, 2, (1,)),
        ("lag lead", 1, 3, (0, 2)),
        ("first_value last_value", 1, 1, ANY),
        ("nth_value", 2, 2, (0,)),
        ("encode", 2, 2, (0,)),
        ("sha224 sha256 sha384 sha512", 1, 1, ANY),
        ("pg_typeof pg_column_size", 1, 1, ANY),
    )
    for name in names.split()
}
"""Name -> fewest and most arguments, and which of them may be sensitive (no keys of a document: masks keep
them). For all overloads of the name."""

_WRITTEN = frozenset(
    "substring format convert_to sum avg stddev stddev_pop stddev_samp variance var_pop var_samp".split()
)
"""Those of which only some forms are total."""

GROWING = frozenset(
    "repeat lpad rpad replace regexp_replace format string_agg array_agg json_agg jsonb_agg json_object_agg"
    " jsonb_object_agg array_fill xmlagg overlay to_char".split()
)
ENDLESS = frozenset("repeat lpad rpad replace regexp_replace format array_fill overlay to_char".split())
"""They make long texts of short ones."""

FLAT = frozenset(
    "concat concat_ws format to_json to_jsonb row_to_json array_to_json json_build_object jsonb_build_object"
    " json_build_array jsonb_build_array json_agg jsonb_agg json_object_agg jsonb_object_agg quote_literal"
    " quote_nullable count length md5".split()
)
"""They make a text, JSON or a number of anything: what comes out is never odd."""

TOLD_BY_TYPE = frozenset({"pg_typeof"})
"""They tell of the argument's type, which stands in the statement, and nothing of its value."""

_JSON = frozenset(name for name in FLAT if "json" in name)

_TEXTUAL = frozenset("text varchar bpchar name".split())
_CHANGELESS = frozenset({25, 1043})

_WIDER: Final[dict[int, frozenset[str]]] = {
    16: frozenset({"int4"}),
    21: frozenset("int4 int8 numeric float4 float8".split()),
    23: frozenset("int8 numeric float8".split()),
    20: frozenset("numeric float4 float8".split()),
    1114: frozenset({"date"}),
    1184: frozenset({"date"}),
}
"""Type of a base column -> types that take all its values."""

_SUMMED = frozenset({20, 21, 23, 1700})


def base_type(value: Value) -> int:
    """The type's OID of a base column; 0 for anything else."""
    return value.type & 0xFFFFFFFF if value.base and not value.many else 0


def function_is_total(walk: Walk, name: tuple[str, ...], body: Body, values: list[Value]) -> bool:
    """Whether this call is the server's own, and takes whatever its sensitive arguments are."""
    if not any(value.classes for value in values):
        return True
    bare = name[-1]
    if len(name) > 1 and name[0] != "pg_catalog":
        return False
    if len(name) == 1 and _has_namesake(walk, bare, values):
        return False
    if bare not in walk.catalog.builtin_functions:
        return False
    nodes = body.get("args") or []
    if body.get("func_variadic") or body.get("agg_within_group") or any("NamedArgExpr" in n for n in nodes):
        return False
    odd = any(value.odd and value.classes for value in values)
    if odd and (bare not in FLAT or bare in ("length", "md5")) and bare not in ("lag", "lead"):
        return False
    if bare in _JSON and walk.catalog.casts:
        walk.cast_names |= {"json"}  # a user's cast to json runs where there is one
    known = TOTAL.get(bare)
    if known is not None:
        least, most, places = known
        if not least <= len(values) <= most:
            return False
        return places is None or all(at in places for at, value in enumerate(values) if value.classes)
    return bare in _WRITTEN and _form_is_total(bare, nodes, values)


def _has_namesake(walk: Walk, name: str, values: list[Value]) -> bool:
    """Whether another function may be meant. One that only computes is not, where the server's own takes text
    and text is given: an exact match is found first where the path has pg_catalog first."""
    others = walk.catalog.function(name, walk.schemas)[1]
    if f"{name}()" in walk.temporary:
        return True
    exact = walk.path is not None and "pg_catalog" not in walk.path
    exact = exact and all(base_type(value) == 25 for value in values if value.classes)
    return bool(others) and not (exact and all(other.safe for other in others))


def _form_is_total(name: str, nodes: list[Node], values: list[Value]) -> bool:
    if len(nodes) == 1:
        return base_type(values[0]) in _SUMMED  # sums, averages and the like
    if name == "substring":
        return all("ival" in node.get("A_Const", {}) for node in nodes[1:]) and not _held(values[1:])
    if name == "format":
        text = literal(nodes[0])
        return text is not None and "*" not in text and "%I" not in text and not values[0].classes
    return name == "convert_to" and (literal(nodes[-1]) or "").lower().replace("-", "") == "utf8"


def _held(values: list[Value]) -> bool:
    return any(value.classes for value in values)


def operator_is_total(walk: Walk, kind: str, name: tuple[str, ...], values: list[Value], right: Node) -> bool:
    """Whether an operator, not a comparison, takes whatever its sensitive operands are."""
    if kind != "AEXPR_OP" or not name or len(values) != 2 or not _held(values):
        return kind == "AEXPR_OP" and not _held(values)
    if (len(name) > 1 and name[0] != "pg_catalog") or f"{name[-1]}()" in walk.temporary:
        return False
    if walk.catalog.operator(name[-1], walk.schemas)[1] or any(value.odd for value in values):
        return False
    if name[-1] == "||":
        return True
    if name[-1] in ("->", "->>", "#>", "#>>") and not values[1].classes and values[1].constant:
        walk.compared |= values[0].classes  # whether there is such a key
        return True
    return False


def is_same(walk: Walk, target: Body, value: Value) -> bool:
    """Whether a cast leaves a column as it is."""
    name = builtin_name(walk, target)
    if name is None or target.get("typmods") or target.get("arrayBounds") or not value.bare:
        return False
    return value.type & 0xFFFFFFFF in _CHANGELESS and name in ("text", "varchar")


def cast_is_total(walk: Walk, target: Body, value: Value, argument: Node) -> bool:
    """Whether every value can be cast to this type."""
    name = builtin_name(walk, target)
    if name is None:
        return False
    if target.get("arrayBounds"):
        made = "A_ArrayExpr" in argument or argument.get("SubLink", {}).get("subLinkType") == "ARRAY_SUBLINK"
        made = made or strings(argument.get("FuncCall", {}).get("funcname"))[-1:] == ("array_agg",)
        return made and name in ("text", "varchar") and not value.odd
    if name in _TEXTUAL:
        return True
    if name in ("json", "jsonb"):
        return strings(argument.get("FuncCall", {}).get("funcname"))[-1:] in [(each,) for each in _JSON]
    return name in _WIDER.get(base_type(value), ()) and not target.get("typmods")


def builtin_name(walk: Walk, target: Body) -> str | None:
    """A type's name, where it can be none but the server's own."""
    name = strings(target.get("names"))
    if not name or f"{name[-1]}!" in walk.temporary or name[-1] in walk.temporary or target.get("setof"):
        return None
    if "cast()" in walk.temporary or name[-1] not in walk.catalog.builtin_types:
        return None
    if len(name) > 1:
        return name[-1] if name[0] == "pg_catalog" else None
    return None if name[-1] in walk.catalog.types else name[-1]


__all__ = ["TOTAL", "cast_is_total", "function_is_total", "is_same", "operator_is_total"]
