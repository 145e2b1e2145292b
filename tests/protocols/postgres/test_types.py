"""Which transform a type can bear, tried on a real server: a masked cell still parses as its type."""

import pytest

from servers.postgres import Postgres
from wicketgate.masking.transforms import TRANSFORMS, apply
from wicketgate.protocols.postgres.types import for_type


@pytest.mark.parametrize(
    ("oid", "transform", "fmt", "applied"),
    [
        (25, "redact", 0, "redact"),
        (25, "last4", 1, "last4"),
        (1043, "partial", 0, "partial"),
        (1042, "truncate", 0, "truncate"),
        (19, "redact", 1, "redact"),
        (705, "redact", 0, "redact"),
        (25, "null", 0, "null"),
        (25, "reveal", 0, "redact"),
        (25, "unheard-of", 0, "redact"),
        (114, "last4", 0, "redact-json"),
        (114, "redact", 1, "redact-json"),
        (114, "null", 1, "null"),
        (3802, "redact", 0, "redact-json"),
        (3802, "redact", 1, "redact-json-1"),
        (17, "redact", 0, "null"),
        (18, "redact", 0, "null"),
        (23, "redact", 1, "null"),
        (1009, "redact", 0, "null"),
        (2249, "redact", 0, "null"),
        (99999, "redact", 0, "null"),
        (25, "redact", 2, "null"),
        (25, "redact", -1, "null"),
    ],
)
def test_for_type(oid: int, transform: str, fmt: int, applied: str) -> None:
    assert for_type(oid, transform, fmt) == applied


@pytest.mark.parametrize("transform", sorted(TRANSFORMS))
def test_masked_cells_are_values_of_their_type(postgres: Postgres, transform: str) -> None:
    values = {25: "text", 1043: "varchar", 1042: "bpchar", 19: "name", 114: "json", 3802: "jsonb"}
    with postgres.connect() as connection:
        for oid, name in values.items():
            for fmt in (0, 1):
                [cell] = apply(for_type(oid, transform, fmt), [b"4111 1111 1111 1234"], "payment-card")
                if cell is None:
                    continue
                answer = connection.pgconn.exec_params(
                    f"SELECT $1::{name}::text".encode(), [cell], param_types=[oid], param_formats=[fmt]
                )
                assert answer.status == 2, (name, fmt, answer.error_message)
                got = answer.get_value(0, 0)
                assert got is not None
                assert b"4111" not in got or transform == "null"
