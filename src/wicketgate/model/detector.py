"""Data classes that values are searched for: built-in ones, and what an operator describes as plain text."""

from dataclasses import dataclass
from typing import Final

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


@dataclass(frozen=True, slots=True)
class Custom:
    """A class that is found where one of these says so; of patterns, words and columns, one is not empty.

    name: the data class; that of a built-in one adds to it.
    patterns: RE2. words: found whole, whatever their case. columns: names, with `*` and `?`, whatever their
    case; all that stands in such a column is of this class.
    context: patterns and words count only where one of these stands near or in the column's name.
    """

    name: str
    patterns: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    context: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Detection:
    """What values of one resource are searched for."""

    classes: tuple[str, ...]
    custom: tuple[Custom, ...] = ()
