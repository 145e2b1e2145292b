"""Which transform a PostgreSQL type can bear, so that a masked cell still parses as its type (compiled).
A type that is not listed becomes NULL: nothing else is valid in every type.
Source: pg_type.dat (OIDs of built-in types never change); PostgreSQL's *_send and *_recv functions.
"""

from typing import Final

from wicketgate.masking.transforms import REDACT_JSON, REDACT_JSON_VERSIONED, TRANSFORMS

TEXT_TYPES: Final = frozenset({19, 25, 705, 1042, 1043})
"""name, text, unknown, bpchar, varchar: the same bytes in text and in binary. Our marker fits a name.

Not "char" (18), which is one byte, and not citext, whose OID is another one in each database.
"""

JSON: Final = 114
JSONB: Final = 3802


def for_type(type_oid: int, transform: str, fmt: int) -> str:
    """What really applies to cells of a type in a format (0 text, 1 binary): a name for transforms.apply.

    Text takes the transform as it is. JSON takes none but redact and null: the whole document turns into a
    string. All other types, and formats that are none, become NULL.
    """
    if fmt not in (0, 1) or transform == "null":
        return "null"
    if type_oid in TEXT_TYPES:
        return transform if transform in TRANSFORMS else "redact"
    if type_oid == JSON:
        return REDACT_JSON
    if type_oid == JSONB:
        return REDACT_JSON if fmt == 0 else REDACT_JSON_VERSIONED
    return "null"
