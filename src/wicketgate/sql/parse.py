"""Text to statements, through PostgreSQL's own parser: the only module that imports postgast.
It must raise nothing but SyntaxRefused, whatever the bytes, and never take the process down with deep input.
"""

import re
import threading
from typing import Any

import orjson
from postgast import format_sql
from postgast.native import lib as _library

from wicketgate.sql.changes import NOTHING, Changes, changes
from wicketgate.sql.errors import SyntaxRefused
from wicketgate.sql.literals import erasable
from wicketgate.sql.member import BY_SKELETON, BY_TEXT, Member, Script, known
from wicketgate.sql.skeleton import LONGEST, NUMBER, STRING, skeleton
from wicketgate.sql.tree import Body, Node, hoisted, split

__all__ = ["Changes", "Member", "Script", "SyntaxRefused", "known", "parse"]

LARGEST = 100_000
"""Bytes of one text that are analysed; more is refused, so that parsing time is bounded."""

MEMBER = 2048
"""Bytes of memory that a statement takes while it is known, beside its tree."""

_SMALL = 4096
"""Up to here no nesting can be deep enough (two bytes a level) to exhaust a thread's ordinary stack."""

_STACK_PER_BYTE = 1024
"""libpg_query recurses up to once per two bytes of text; measured at less than 600 bytes of stack each."""

_WEIGHT = 12
"""Bytes of memory that a tree takes for each byte of its JSON: measured at 7 to 13."""

_starting = threading.Lock()


_EMPTY = Script((Member("", {}, "empty", None, None, NOTHING),))

_ERASED = b"(?:[%c%c]|(?i:null|true|false))" % (NUMBER, STRING)
"""libpg_query takes these words for literals too; in a skeleton they stand as they are."""
_PARAMETER = re.compile(rb"\$[0-9]+")


def parse(text: bytes, largest: int = LARGEST) -> Script:
    """The statements of a text (UTF-8, without its closing NUL). Cached, also across other literals where no
    fact depends on them.

    Raises SyntaxRefused for what does not parse, is larger than `largest` bytes, too deep, not UTF-8, or
    holds a NUL.
    """
    found = known(text) if largest >= LONGEST else BY_TEXT.get(text)
    if found is not None:
        return found
    bones = skeleton(text) if largest >= LONGEST else None
    size = len(text)
    if size > largest:
        raise SyntaxRefused(f"statement of {size} bytes is larger than {largest}", None, "too-large")
    if b"\0" in text:
        raise SyntaxRefused("statement holds a NUL byte")
    try:
        text.decode()
    except UnicodeDecodeError:
        raise SyntaxRefused("statement is not valid UTF-8") from None
    shape = _normalize(text) if bones is not None else None
    raw = _raw(text)
    script, shared = _script(_statements(raw), text, shape is not None, len(raw) * _WEIGHT)
    if shared and bones is not None and shape is not None and _agree(bones, shape):
        BY_SKELETON.put(bones, script, script.weight + size)
    else:
        BY_TEXT.put(text, script, script.weight + size)
    return script


def _agree(bones: bytes, shape: bytes) -> bool:
    """Whether libpg_query's normalized text erases each literal that the skeleton does. It would not do as a
    key itself: it has one sign for numbers and strings, and casts tell them apart."""
    return re.fullmatch(_ERASED.join(map(re.escape, _PARAMETER.split(shape))), bones) is not None


def parse_view(text: str) -> Member:
    """The one query of a view's definition. Raises SyntaxRefused; not cached."""
    raw = text.encode()
    script, _ = _script(_statements(_raw(raw)), raw, False, 0)
    if len(script.members) != 1 or script.members[0].node != "SelectStmt":
        raise SyntaxRefused("not one query")
    return script.members[0]


def parse_whole(text: bytes) -> Node:
    """The tree of a text of one statement, with places in this text. Raises SyntaxRefused; not cached."""
    statements = _statements(_raw(text))
    if len(statements) != 1:
        raise SyntaxRefused("not one statement")
    node: Node = statements[0].get("stmt", {})
    return node


def without_constants(text: bytes) -> bytes | None:
    """The text with a parameter in the place of each constant; None where that can't be. Comments stay."""
    return _normalize(text) if len(text) <= LARGEST and b"\0" not in text else None


def pretty(text: bytes) -> str | None:
    """The same statement, written as people read it, without comments. None for what is too long for that."""
    if len(text) > _SMALL:
        return None
    try:
        return str(format_sql(text.decode())).strip().rstrip(";")
    except Exception:  # a printer's fault is no statement's
        return None


# -- libpg_query -------------------------------------------------------------------------------------------
def _normalize(text: bytes) -> bytes | None:
    result = _library.pg_query_normalize(text)
    try:
        return None if result.error else result.normalized_query
    finally:
        _library.pg_query_free_normalize_result(result)


def _raw(text: bytes) -> bytes:
    return _parse(text) if len(text) <= _SMALL else _parse_on_a_deep_stack(text)


def _statements(raw: bytes) -> list[Node]:
    try:
        tree = orjson.loads(raw)
        statements = tree.get("stmts", [])
    except (orjson.JSONDecodeError, AttributeError):
        raise SyntaxRefused("statement is nested too deeply", None, "too-large") from None
    if not isinstance(statements, list):
        raise SyntaxRefused("statement cannot be read")
    return statements


def _parse(text: bytes) -> bytes:
    result = _library.pg_query_parse(text)
    try:
        if result.error:
            error = result.error.contents
            message = error.message.decode(errors="replace") if error.message else "syntax error"
            kind = "too-large" if message.startswith(("memory exhausted", "stack depth")) else "syntax"
            raise SyntaxRefused(message, error.cursorpos if error.cursorpos > 0 else None, kind)
        return result.parse_tree or b""
    finally:
        _library.pg_query_free_parse_result(result)


def _parse_on_a_deep_stack(text: bytes) -> bytes:
    answer: list[bytes | SyntaxRefused] = []

    def run() -> None:
        try:
            answer.append(_parse(text))
        except SyntaxRefused as refused:
            answer.append(refused)

    thread = threading.Thread(target=run, name="wicket-parse", daemon=True)
    with _starting:
        before = threading.stack_size(max(64 << 20, len(text) * _STACK_PER_BYTE))
        try:
            thread.start()
        except RuntimeError:
            raise SyntaxRefused("statement is too large to be read now", None, "too-large") from None
        finally:
            threading.stack_size(before)
    thread.join()
    found = answer[0] if answer else SyntaxRefused("statement cannot be read")
    if isinstance(found, SyntaxRefused):
        raise found
    return found


# -- members -----------------------------------------------------------------------------------------------
def _script(statements: list[Node], text: bytes, alone: bool, weight: int) -> tuple[Script, bool]:
    """The script, and whether it may be shared by texts that differ in their literals. weight: of all."""
    if not statements:
        return _EMPTY, False
    try:
        shared = alone and len(statements) == 1 and erasable(statements[0].get("stmt", {}))
        members = []
        for raw in statements:
            begin = None if shared else int(raw.get("stmt_location", 0))
            members.append(_member(raw.get("stmt", {}), begin, int(raw.get("stmt_len", 0))))
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
        # a tree of a shape that was not foreseen
        raise SyntaxRefused("statement cannot be analysed") from None
    for member in members:
        member.weight = weight // len(members) + MEMBER
    return Script(tuple(members), weight + MEMBER * len(members)), shared


def _member(node: Node, begin: int | None, length: int) -> Member:
    node_type, body = split(node)
    if node_type == "SelectStmt":
        body = hoisted(body)
    inner: Member | None = None
    nested = body.get("query") if node_type in _HOLDING else None
    if isinstance(nested, dict) and (node_type != "CreateTableAsStmt" or "ExecuteStmt" in nested):
        inner = _member(nested, None, 0)
    return Member(
        node_type,
        body,
        _kind(node_type, body),
        _name(node_type, body),
        inner,
        changes(node_type, body),
        begin,
        length,
    )


_HOLDING = frozenset({"PrepareStmt", "DeclareCursorStmt", "ExplainStmt", "CreateTableAsStmt"})

_NAMES = {
    "PrepareStmt": "name",
    "ExecuteStmt": "name",
    "DeallocateStmt": "name",
    "DeclareCursorStmt": "portalname",
    "FetchStmt": "portalname",
    "ClosePortalStmt": "portalname",
}

_KINDS = {
    "SelectStmt": "select",
    "InsertStmt": "insert",
    "UpdateStmt": "update",
    "DeleteStmt": "delete",
    "MergeStmt": "merge",
    "TruncateStmt": "truncate",
    "VariableSetStmt": "set",
    "VariableShowStmt": "show",
    "DiscardStmt": "discard",
    "PrepareStmt": "prepare",
    "ExecuteStmt": "execute",
    "DeallocateStmt": "deallocate",
    "DeclareCursorStmt": "declare",
    "FetchStmt": "fetch",
    "ClosePortalStmt": "close",
    "ExplainStmt": "explain",
    "CreateTableAsStmt": "create_as",
    "ListenStmt": "listen",
    "NotifyStmt": "notify",
    "UnlistenStmt": "unlisten",
    "LockStmt": "lock",
    "DoStmt": "do",
    "CallStmt": "call",
    "ConstraintsSetStmt": "set",
}


def _kind(node_type: str, body: Body) -> str:
    if node_type == "TransactionStmt":
        kind = changes(node_type, body).transaction
        if kind == "prepare":
            return "prepare_transaction"
        return kind or "finish_prepared"
    if node_type == "CopyStmt":
        if body.get("is_program") or body.get("filename"):
            return "copy_server"
        return "copy_in" if body.get("is_from") else "copy_out"
    if node_type == "VariableSetStmt" and body.get("kind") in ("VAR_RESET", "VAR_RESET_ALL"):
        return "reset"
    return _KINDS.get(node_type, "utility")


def _name(node_type: str, body: Body) -> str | None:
    field = _NAMES.get(node_type)
    if field is None:
        return None
    name: Any = body.get(field)
    return str(name) if name else None
