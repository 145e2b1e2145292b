"""How one COPY writes its rows in text and CSV: read off the statement's options, cell by cell (compiled).
Options that leave in doubt what a cell is are none that can be masked.

Source: PostgreSQL manual, "COPY"; CopyAttributeOutText, CopyAttributeOutCSV and ProcessCopyOptions.
"""

from typing import Any, Final

from librt.strings import BytesWriter
from mypy_extensions import i64, u8

from wicketgate.protocols.postgres.frames import FrameError
from wicketgate.sql.settings import encoding_is_utf8
from wicketgate.sql.tree import Body, split

TEXT: Final = 0
CSV: Final = 1
BINARY: Final = 2

_BACKSLASH: Final = 92
NEWLINE: Final = 10
_RETURN: Final = 13
_ESCAPED: Final = {98: 8, 102: 12, 110: 10, 114: 13, 116: 9, 118: 11}
_ESCAPES: Final = {8: 98, 12: 102, 10: 110, 13: 114, 9: 116, 11: 118}


class CopyFormat:
    """What a COPY's options say of its rows. kind: TEXT, CSV or BINARY. delimiter, quote, escape: one byte.
    null: how NULL is written. header: the first row holds names. forced: it asks for quotes (FORCE_QUOTE)."""

    def __init__(
        self,
        kind: int,
        delimiter: int,
        null: bytes,
        quote: int,
        escape: int,
        header: bool,
        forced: bool = False,
    ) -> None:
        self.kind = kind
        self.delimiter = delimiter
        self.null = null
        self.quote = quote
        self.escape = escape
        self.header = header
        self.forced = forced


def format_of(statement: Body) -> CopyFormat | None:
    """The format of a CopyStmt's rows; None where it can't be masked: an option that is not known or stands
    twice, an encoding other than UTF-8, or in text a NULL that values may look like."""
    found: dict[str, Any] = {}
    for node in statement.get("options") or ():
        name, body = split(node)
        option = str(body.get("defname", ""))
        if name != "DefElem" or option in found:
            return None
        found[option] = body.get("arg")
    kinds = {"text": TEXT, "csv": CSV, "binary": BINARY}
    kind = kinds.get(_string(found.pop("format")) or "") if "format" in found else TEXT
    header = _flag(found.pop("header")) if "header" in found else False
    if kind is None or header is None:
        return None
    if "encoding" in found and not encoding_is_utf8(_string(found.pop("encoding")) or ""):
        return None
    # whichever columns it names: quotes that are not asked for change nothing of a value
    forced = found.pop("force_quote", None) is not None
    delimiter = _byte(found.pop("delimiter")) if "delimiter" in found else (44 if kind == CSV else 9)
    null = _string(found.pop("null")) if "null" in found else ("" if kind == CSV else "\\N")
    quote = _byte(found.pop("quote")) if "quote" in found else 34
    escape = _byte(found.pop("escape")) if "escape" in found else quote
    if found or delimiter is None or null is None or quote is None or escape is None:
        return None
    if kind == TEXT and null not in ("\\N", ""):
        return None
    return CopyFormat(kind, delimiter, null.encode(), quote, escape, header, forced)


def _string(node: Any) -> str | None:
    name, body = split(node or {})
    return str(body.get("sval", "")) if name == "String" else None


def _byte(node: Any) -> int | None:
    text = (_string(node) or "").encode()
    return text[0] if len(text) == 1 else None


def _flag(node: Any) -> bool | None:
    """As defGetBoolean reads it; None for what it would not."""
    name, body = split(node or {})
    if not name:
        return True
    if name == "Boolean":
        return bool(body.get("boolval"))
    if name == "Integer":
        number = body.get("ival", 0)
        return bool(number) if number in (0, 1) else None
    return {"true": True, "on": True, "false": False, "off": False}.get((_string(node) or "").lower())


def cell_end(text: bytes, at: i64, form: CopyFormat) -> i64:
    """Where the delimiter or newline stands behind the cell at `at`; -1, or a place that is not in the text,
    if it has not come."""
    size: i64 = len(text)
    delimiter: i64 = form.delimiter
    if form.kind == TEXT:
        while at < size:
            code: i64 = text[at]
            if code == _BACKSLASH:
                at += 2
                continue
            if code in (delimiter, NEWLINE):
                return at
            at += 1
        return -1
    quote: i64 = form.quote
    escape: i64 = form.escape
    if at < size and text[at] == quote:
        at += 1
        while at < size:
            code = text[at]
            if code == escape and at + 1 < size and (text[at + 1] == quote or text[at + 1] == escape):
                at += 2
                continue
            if code == quote:
                break
            at += 1
        at += 1
        if at < size and text[at] != delimiter and text[at] != NEWLINE:
            raise FrameError("a quoted cell goes on behind its quote")
        return at
    while at < size:
        code = text[at]
        if code in (delimiter, NEWLINE):
            return at
        if code == quote:
            raise FrameError("a quote stands within a cell")
        at += 1
    return -1


def cell_of(text: bytes, begin: i64, end: i64, form: CopyFormat) -> bytes | None:
    """The value of a cell."""
    cell = text[begin:end]
    if form.kind == TEXT:
        if cell == form.null:
            return None
        return cell if cell.find(b"\\") < 0 else unescaped(cell)
    if end == begin or text[begin] != form.quote:
        return None if cell == form.null else cell
    quote: i64 = form.quote
    escape: i64 = form.escape
    out = BytesWriter()
    at: i64 = begin + 1
    while at < end - 1:
        if text[at] == escape and at + 2 < end and (text[at + 1] == quote or text[at + 1] == escape):
            at += 1
        out.append(text[at])
        at += 1
    return out.getvalue()


def unescaped(cell: bytes) -> bytes:
    """A text cell's value: a backslash and a letter, or a backslash and the byte itself."""
    out = BytesWriter()
    size: i64 = len(cell)
    at: i64 = 0
    while at < size:
        code: i64 = cell[at]
        if code == _BACKSLASH:
            at += 1
            if at == size:
                raise FrameError("a cell ends within an escape")
            code = cell[at]
            if 48 <= code <= 57 or code == 120:  # octal or hexadecimal, which the server does not write
                raise FrameError("an escape that is not known")
            code = _ESCAPED.get(int(code), int(code))
        out.append(u8(code))
        at += 1
    return out.getvalue()


def write_cell(out: BytesWriter, value: bytes | None, form: CopyFormat) -> None:
    """Write a masked cell. Whether it stands in quotes is up to the statement and the mask, never to what it
    hides: with QUOTE '5' they would tell in which values there is a 5."""
    if value is None:
        out.write(form.null)
        return
    if form.kind == TEXT:
        delimiter: i64 = form.delimiter
        for code in value:
            if code < 14 and code in _ESCAPES:
                out.append(_BACKSLASH)
                out.append(_ESCAPES[code])
                continue
            if code in (_BACKSLASH, delimiter):
                out.append(_BACKSLASH)
            out.append(code)
        return
    if not form.forced and not needs_quotes(value, form):
        out.write(value)
        return
    out.append(form.quote)
    for code in value:
        if code == form.quote or code == form.escape:
            out.append(form.escape)
        out.append(code)
    out.append(form.quote)


def needs_quotes(value: bytes, form: CopyFormat) -> bool:
    """Whether a CSV cell would be read as something else without quotes."""
    if value == form.null or value == b"\\.":
        return True
    delimiter: i64 = form.delimiter
    quote: i64 = form.quote
    size: i64 = len(value)
    at: i64 = 0
    while at < size:
        code: i64 = value[at]
        if code in (delimiter, quote, NEWLINE, _RETURN):
            return True
        at += 1
    return False
