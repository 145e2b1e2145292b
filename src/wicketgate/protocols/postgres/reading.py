"""What is said of a text that the gateway could not read, and refusals that need no text (compiled)."""

from dataclasses import replace
from typing import Final

from wicketgate.model.decision import Denial
from wicketgate.model.statement import UNKNOWN_FACTS, Statement
from wicketgate.protocols.postgres.frames import RESERVED
from wicketgate.protocols.postgres.names import LONGEST_NAME
from wicketgate.sql.errors import SyntaxRefused

UNREAD_SECRET: Final = replace(UNKNOWN_FACTS, redact_text=True)

NO_STATEMENT: Final = Statement(UNKNOWN_FACTS, b"", b"", None)
"""What is recorded where a message names no statement that we know."""

UNUSABLE_NAME: Final = Denial(
    "unsupported",
    "This name can't be used here.",
    "a reserved name, one over 63 bytes, or too many names, or too much is prepared",
    "Names have up to 63 bytes; deallocate statements and close cursors that are not needed any more.",
)


SEVERAL_COMMANDS: Final = Denial(
    "syntax", "cannot insert multiple commands into a prepared statement", "several members in a Parse"
)

CURSOR_BY_EXECUTE: Final = Denial(
    "unsupported", "A cursor is read by FETCH through the gateway.", "Execute of a cursor"
)


def unusable_name(name: bytes) -> bool:
    """Whether a statement or portal may not be called so."""
    return len(name) > LONGEST_NAME or name.startswith(RESERVED)


def unread(text: bytes) -> Statement:
    """A text of which nothing is known; one that speaks of a password is recorded without it."""
    return Statement(UNREAD_SECRET if b"password" in text.lower() else UNKNOWN_FACTS, text, text, None)


def syntax_denial(fault: SyntaxRefused) -> Denial:
    """The parser's no, in the words that the server itself would use."""
    return Denial(fault.kind, fault.message, f"not parsed: {fault.message}")
