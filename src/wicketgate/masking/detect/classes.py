"""The data classes that are looked for without being told how, and what a finding is."""

from typing import Final

Span = tuple[str, int, int]
"""(data class, start, end): bytes of the cell, end exclusive."""

Found = tuple[str, int, int]

CLASSES: Final = (
    "email",
    "payment-card",
    "national-id",
    "iban",
    "phone",
    "ip-address",
    "mac-address",
    "birth-date",
    "person-name",
    "address",
    "secret",
)
"""All built-in classes. `secret`: keys, tokens, passwords, private keys."""

USUAL: Final = tuple(name for name in CLASSES if name not in ("person-name", "address"))
"""Those that values themselves speak of: names and addresses are known by their column alone, which is
better said in `sensitive:`."""
