"""What is said of a text that the gateway could not read, and refusals that need no text (compiled)."""

from dataclasses import replace
from typing import Final

from wicketgate.model.decision import Denial
from wicketgate.model.statement import UNKNOWN_FACTS, Statement
from wicketgate.sql.errors import SyntaxRefused

UNREAD_SECRET: Final = replace(UNKNOWN_FACTS, redact_text=True)

NO_STATEMENT: Final = Statement(UNKNOWN_FACTS, b"", b"", None)
"""What is recorded where a message names no statement that we know."""

UNUSABLE_NAME: Final = Denial(
    "unsupported",
    "This name can't be used here.",
    "a reserved name, one over 63 bytes, or too many names",
)


def unread(text: bytes) -> Statement:
    """A text of which nothing is known; one that speaks of a password is recorded without it."""
    return Statement(UNREAD_SECRET if b"password" in text.lower() else UNKNOWN_FACTS, text, text, None)


def syntax_denial(fault: SyntaxRefused) -> Denial:
    """The parser's no, in the words that the server itself would use."""
    return Denial(fault.kind, fault.message, f"not parsed: {fault.message}")
