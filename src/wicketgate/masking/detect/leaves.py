"""Finds the strings and numbers of a JSON text, and the elements of an array's text (compiled).
It must never call a text JSON that a parser would refuse."""

from typing import Final

from mypy_extensions import i64

STRING: Final = 0
ESCAPED: Final = 1
NUMBER: Final = 2
KEY: Final = 3
ESCAPED_KEY: Final = 4

Leaf = tuple[int, int, int, bytes]
"""(kind, start, end, key): a string without its quotes; the key that it stands under, as it is written."""

_SPACE: Final = b" \t\r\n"
_VALUE: Final = 0
_AFTER: Final = 1
_KEY: Final = 2


def json_leaves(cell: bytes) -> list[Leaf] | None:
    """All strings, keys and numbers, or None where this is no JSON object, array or string (RFC 8259)."""
    size: i64 = len(cell)
    at: i64 = 0
    found: list[Leaf] = []
    stack: list[i64] = []  # 123 in an object, 91 in an array
    keys: list[bytes] = []
    key = b""
    state: i64 = _VALUE
    fresh = False  # right behind an opening bracket
    while at < size:
        code: i64 = cell[at]
        if code == 32 or code == 10 or code == 13 or code == 9:
            at += 1
            continue
        if state == _AFTER:
            if not stack:
                return None
            if code == 44:
                state = _KEY if stack[-1] == 123 else _VALUE
                fresh = False
                at += 1
                continue
            if code != (125 if stack[-1] == 123 else 93):
                return None
            stack.pop()
            key = keys.pop()
            at += 1
            continue
        if fresh and (code == 125 or code == 93):
            if code != (125 if stack[-1] == 123 else 93):
                return None
            stack.pop()
            key = keys.pop()
            state = _AFTER
            fresh = False
            at += 1
            continue
        fresh = False
        if code == 34:
            start = at + 1
            end = _string_end(cell, start, size)
            if end < 0:
                return None
            escaped = end & 1 == 1
            end >>= 1
            at = end + 1
            if state == _KEY:
                key = cell[start:end]
                found.append((ESCAPED_KEY if escaped else KEY, start, end, b""))
                while at < size and cell[at] in _SPACE:
                    at += 1
                if at >= size or cell[at] != 58:
                    return None
                at += 1
                state = _VALUE
            else:
                found.append((ESCAPED if escaped else STRING, start, end, key))
                state = _AFTER
            continue
        if state == _KEY:
            return None
        if code == 123 or code == 91:
            stack.append(code)
            keys.append(key)
            state = _KEY if code == 123 else _VALUE
            fresh = True
            at += 1
            continue
        if not stack:
            return None
        if code == 116 and cell[at : at + 4] == b"true":
            at += 4
        elif code == 102 and cell[at : at + 5] == b"false":
            at += 5
        elif code == 110 and cell[at : at + 4] == b"null":
            at += 4
        else:
            end = _number_end(cell, at, size)
            if end < 0:
                return None
            found.append((NUMBER, at, end, key))
            at = end
        state = _AFTER
    if stack or state != _AFTER:
        return None
    return found


def _string_end(cell: bytes, at: i64, size: i64) -> i64:
    """Where the closing quote stands, times two, plus one where an escape is; -1 where there is none."""
    escaped: i64 = 0
    while at < size:
        code: i64 = cell[at]
        if code == 34:
            return at * 2 + escaped
        if code < 32:
            return -1
        if code == 92:
            escaped = 1
            at += 1
            if at >= size:
                return -1
            code = cell[at]
            if code == 117:
                if at + 4 >= size:
                    return -1
                for digit in cell[at + 1 : at + 5]:
                    if not (48 <= digit <= 57 or 97 <= digit <= 102 or 65 <= digit <= 70):
                        return -1
                at += 4
            elif code not in b'"\\/bfnrt':
                return -1
        at += 1
    return -1


def _number_end(cell: bytes, start: i64, size: i64) -> i64:
    at = start
    if cell[at] == 45:
        at += 1
    begin = at
    while at < size and 48 <= cell[at] <= 57:
        at += 1
    if at == begin or (cell[begin] == 48 and at - begin > 1):
        return -1
    if at < size and cell[at] == 46:
        at += 1
        begin = at
        while at < size and 48 <= cell[at] <= 57:
            at += 1
        if at == begin:
            return -1
    if at < size and (cell[at] == 101 or cell[at] == 69):
        at += 1
        if at < size and (cell[at] == 43 or cell[at] == 45):
            at += 1
        begin = at
        while at < size and 48 <= cell[at] <= 57:
            at += 1
        if at == begin:
            return -1
    return at


def array_leaves(cell: bytes) -> list[Leaf] | None:
    """The elements of `{a,"b c",{d}}`, or None where this is no array's text (PostgreSQL manual, 8.15.6)."""
    size: i64 = len(cell)
    if size < 2 or cell[0] != 123 or cell[size - 1] != 125:
        return None
    found: list[Leaf] = []
    depth: i64 = 0
    at: i64 = 0
    closed = False  # an element or an inner array has just ended
    while at < size:
        code: i64 = cell[at]
        if code == 123:
            if closed:
                return None
            depth += 1
            at += 1
        elif code == 125:
            depth -= 1
            closed = True
            at += 1
            if depth == 0:
                return found if at == size else None
        elif code == 44:
            closed = False
            at += 1
        elif closed:
            return None
        elif code == 34:
            start = at + 1
            escaped = False
            at = start
            while at < size and cell[at] != 34:
                if cell[at] == 92:
                    escaped = True
                    at += 1
                at += 1
            if at >= size:
                return None
            found.append((ESCAPED if escaped else STRING, start, at, b""))
            at += 1
            closed = True
        else:
            start = at
            escaped = False
            while at < size and cell[at] != 44 and cell[at] != 125 and cell[at] != 123 and cell[at] != 34:
                if cell[at] == 92:
                    escaped = True
                    at += 1
                at += 1
            if at >= size:
                return None
            found.append((ESCAPED if escaped else STRING, start, at, b""))
            closed = True
    return None


def json_unescaped(raw: bytes) -> tuple[bytes, list[int], list[int]]:
    """A JSON string's text, and for each of its bytes where what it came from begins and ends in raw."""
    out: list[bytes] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    size = len(raw)
    while at < size:
        code = raw[at]
        if code != 92:
            out.append(raw[at : at + 1])
            starts.append(at)
            ends.append(at + 1)
            at += 1
            continue
        begin = at
        kind = raw[at + 1]
        if kind == 117:
            point = int(raw[at + 2 : at + 6], 16)
            at += 6
            if 0xD800 <= point < 0xDC00 and raw[at : at + 2] == b"\\u":
                low = int(raw[at + 2 : at + 6], 16)
                if 0xDC00 <= low < 0xE000:
                    point = 0x10000 + ((point - 0xD800) << 10) + low - 0xDC00
                    at += 6
            text = chr(point).encode("utf-8", "surrogatepass")
        else:
            text = _SIMPLE.get(kind, raw[at + 1 : at + 2])
            at += 2
        for byte in text:
            out.append(bytes([byte]))
            starts.append(begin)
            ends.append(at)
    return b"".join(out), starts, ends


_SIMPLE: Final = {98: b"\b", 102: b"\f", 110: b"\n", 114: b"\r", 116: b"\t"}


def array_unescaped(raw: bytes) -> tuple[bytes, list[int], list[int]]:
    """The same for an element of an array's text: a backslash means the character behind it."""
    out: list[bytes] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    size = len(raw)
    while at < size:
        begin = at
        if raw[at] == 92 and at + 1 < size:
            at += 1
        out.append(raw[at : at + 1])
        at += 1
        starts.append(begin)
        ends.append(at)
    return b"".join(out), starts, ends
