"""Errors in PostgreSQL's own form: a denial as the client sees it, fields read from a server's report.
A denial's cause must never stand in one: it goes to the journal only.
Source: PostgreSQL manual, "Error and Notice Message Fields", "PostgreSQL Error Codes".
"""

from collections.abc import Callable
from typing import Final

from wicketgate.model.decision import Denial
from wicketgate.protocols.postgres.frames import FrameError, frame, text_end
from wicketgate.protocols.postgres.settings import parameter_status_allowed
from wicketgate.protocols.postgres.sqlstates import CONDITIONS
from wicketgate.protocols.postgres.templates import Known, passes

__all__ = [
    "error",
    "error_frame",
    "fatal_frame",
    "fields_of",
    "notice_frame",
    "parameter_status_allowed",
    "report",
    "rewrite_error",
    "sign_in_error",
    "soften",
    "sqlstate",
]

CODES: Final = {
    "policy": "42501",
    "mask": "42501",
    "drift": "42501",
    "review": "42501",
    "limit": "53400",
    "syntax": "42601",
    "unsupported": "0A000",
    "sign-in": "28P01",
    "unavailable": "57P03",
    "shutdown": "57P01",
    "revoked": "28000",
    "cancelled": "57014",
    "too-large": "54000",
    "protocol": "08P01",
    "upstream": "08006",
    "no-statement": "26000",
    "no-portal": "34000",
    "aborted": "25P02",
}
"""Kind of a denial -> SQLSTATE."""

WAITS: Final = "WG001"
"""SQLSTATE of the notice that a statement waits for people: of a class that is nobody else's."""

SIGN_IN_CODES: Final = CODES | {"limit": "53300"}
"""The same while a client signs in: there a limit is one of sessions or attempts."""

SIGN_IN_MESSAGE: Final = "sign-in refused"
SIGN_IN_HINT: Final = (
    "Check user (an identity, or identity~account), dbname (a resource, or resource/database) "
    "and password (a token)."
)
"""One text for unknown identity, wrong token, unknown resource and not allowed: they must look alike."""

LONGEST: Final = 4000
"""Characters of one field that a client gets: messages may quote what an operator or a client wrote."""

SEVERITIES: Final = frozenset({"ERROR", "FATAL", "PANIC", "WARNING", "NOTICE", "DEBUG", "INFO", "LOG"})

WITHHELD_HINT: Final = "The server's own text is withheld: the statement touches sensitive columns."

FIELDS_LIMIT: Final = 64
"""Fields of one report: a security limit. PostgreSQL has 18 kinds, each at most once."""


def report(
    severity: str, code: str, message: str, hint: str | None = None, detail: str | None = None
) -> bytes:
    """The body of an ErrorResponse or NoticeResponse."""
    fields: list[tuple[bytes, str]] = [(b"S", severity), (b"V", severity), (b"C", code), (b"M", message)]
    if detail:
        fields.append((b"D", detail))
    if hint:
        fields.append((b"H", hint))
    return b"".join(kind + _text(value) + b"\0" for kind, value in fields) + b"\0"


def error(
    severity: str, code: str, message: str, hint: str | None = None, detail: str | None = None
) -> bytes:
    """An ErrorResponse, whole."""
    return frame(b"E", report(severity, code, message, hint, detail))


def fatal_frame(code: str, message: str, hint: str | None = None) -> bytes:
    """An ErrorResponse that ends the session, whole."""
    return error("FATAL", code, message, hint)


def error_frame(denial: Denial, severity: str = "ERROR") -> bytes:
    """A denial as an ErrorResponse, whole: its kind as SQLSTATE, its message and hint, the rules' names."""
    return _denied(denial, severity, CODES)


def sign_in_error(denial: Denial) -> bytes:
    """A denial of a sign-in as a FATAL ErrorResponse, whole."""
    return _denied(denial, "FATAL", SIGN_IN_CODES)


def notice_frame(message: str, hint: str, detail: str) -> bytes:
    """A NoticeResponse of our own, whole."""
    return frame(b"N", report("NOTICE", WAITS, message, hint, detail))


def rewrite_error(denial: Denial, body: bytes) -> bytes:
    """What a client gets, whole, for the server's ErrorResponse to what we put in a denied statement's place.

    body: of that ErrorResponse. A FATAL one is not about that text: the session ends, and the client
    learns that, in our words.
    """
    fields = fields_of(body)
    severity = fields.get("V") or fields.get("S") or "ERROR"
    if severity in ("FATAL", "PANIC"):
        return error("FATAL", sqlstate(fields.get("C")), "the target ended the session")
    return error_frame(denial)


def soften(body: bytes, statement: bytes | None, catalog_names: Callable[[str], bool]) -> bytes:
    """What may pass of an ErrorResponse or NoticeResponse body of a statement that touches sensitive columns.

    statement: the client's own text, None where there is none. catalog_names: whether the catalog has a
    relation, column, constraint, function, type or index of that name.

    Severity and SQLSTATE stay (if they are PostgreSQL's), so does the position; the message if it is a known
    one whose variables are names of the catalog or whole tokens of the statement, else the SQLSTATE's meaning
    stands there; names of schema, table, column, type and constraint if they are the catalog's. All else
    (detail, hint, context, internal query, source file) is gone. Never raises.
    """
    fields = fields_of(body)
    text = statement or b""
    severity = next((fields[key] for key in "VS" if fields.get(key) in SEVERITIES), "ERROR")
    code = fields.get("C", "")
    if code not in CONDITIONS:
        code = "XX000"
    kept = [("S", severity), ("V", severity), ("C", code)]
    message = fields.get("M", "")
    if passes(code, message, Known(text, catalog_names)):
        kept.append(("M", message))
    else:
        kept += [("M", CONDITIONS[code]), ("H", WITHHELD_HINT)]
    position = fields.get("P", "")
    # the place behind the last character is one, too: "syntax error at end of input"
    last = len(text) + 1 if text else 0
    if position.isascii() and position.isdecimal() and len(position) < 9 and int(position) <= last:
        kept.append(("P", position))
    for key in "stcdn":
        name = fields.get(key)
        if name and catalog_names(name):
            kept.append((key, name))
    return b"".join(key.encode() + _text(value) + b"\0" for key, value in kept) + b"\0"


def fields_of(body: bytes) -> dict[str, str]:
    """The fields of an ErrorResponse or NoticeResponse body, the first of each kind; never raises.

    Bytes that are no report give what could be read up to there; bytes that are no UTF-8 are replaced.
    """
    found: dict[str, str] = {}
    at = 0
    while at < len(body) and body[at] != 0 and len(found) < FIELDS_LIMIT:
        try:
            end = text_end(body, at + 1, len(body))
        except FrameError:
            break
        found.setdefault(chr(body[at]), body[at + 1 : end].decode("utf-8", "replace"))
        at = end + 1
    return found


def sqlstate(code: str | None) -> str:
    """A server's SQLSTATE if it has the form of one, else XX000."""
    if code is not None and len(code) == 5 and code.isascii() and code.isalnum() and code == code.upper():
        return code
    return "XX000"


def _denied(denial: Denial, severity: str, codes: dict[str, str]) -> bytes:
    code = codes.get(denial.kind, "42501")
    if denial.kind == "sign-in":
        return error(severity, code, SIGN_IN_MESSAGE, SIGN_IN_HINT)
    rules = ", ".join(denial.rules)
    detail = f"Rule: {rules}" if len(denial.rules) == 1 else f"Rules: {rules}"
    named = detail if denial.rules else None
    return error(severity, code, denial.message, denial.hint, denial.detail or named)


def _text(value: str) -> bytes:
    kept = value if len(value) <= LONGEST else value[: LONGEST - 1] + "…"
    return kept.replace("\0", "").encode("utf-8", "replace")
