"""Finds email addresses (compiled).
It must never take `user@host` of a URL, a file's name or a package's version for one."""

from typing import Final

from mypy_extensions import i64

from wicketgate.masking.detect.classes import Found

_FILES: Final = frozenset(
    b"png jpg jpeg gif svg webp bmp ico css scss less js mjs cjs ts tsx jsx json yaml yml toml xml html"
    b" htm txt log lock exe"
    b" dll so jar war class gz tgz tar bz2 xz 7z whl rpm deb pdf doc docx xls xlsx csv tsv sql md rst ini"
    b" cfg conf bak tmp"
    b" swp java cpp hpp go rb php vue map woff woff2 ttf eot mp3 mp4 wav avi mkv service socket timer".split()
)
_MACHINES: Final = frozenset((b"git", b"hg", b"svn"))


_PLAIN: Final = bytes(
    1 if 97 <= code <= 122 or 65 <= code <= 90 or 48 <= code <= 57 or code >= 128 else 0
    for code in range(256)
)
_LOCAL: Final = bytes(1 if _PLAIN[code] == 1 or code in b"._-+%'" else 0 for code in range(256))


def find(cell: bytes, found: list[Found]) -> None:
    """Adds what it finds to `found`. An `@` may be written `%40`."""
    size: i64 = len(cell)
    at: i64 = 0
    # loops: compiled, a step costs a nanosecond and a call of bytes.find some hundred
    while at < size:
        code: i64 = cell[at]
        if code == 64:
            at = _around(cell, at, at + 1, size, found)
        elif code == 37 and at + 3 < size and cell[at + 1] == 52 and cell[at + 2] == 48:
            at = _around(cell, at, at + 3, size, found)
        else:
            at += 1


def _around(cell: bytes, sign: i64, after: i64, size: i64, found: list[Found]) -> i64:
    """Where to go on."""
    local = _LOCAL
    start = sign
    low: i64 = 0
    if sign > 128:
        low = sign - 128
    while start > low and local[cell[start - 1]] == 1:
        start -= 1
    while start > 0 and 128 <= cell[start] < 192:  # the middle of a character
        start -= 1
    # what only quotes or ends a sentence before it is no part of it
    while start < sign and _PLAIN[cell[start]] == 0 and cell[start] != 95 and cell[start] != 43:
        if cell[start] == 37 and start + 3 <= sign:
            start += 3
        else:
            start += 1
    if start == sign:
        return after
    while sign - start > 3 and cell[start] == 37:
        start += 3
    end = after
    high: i64 = after + 255
    dot: i64 = -1
    odd = False  # behind the last dot: a digit or a dash, which no top-level domain has
    while end < size and end < high:
        code: i64 = cell[end]
        if 97 <= code <= 122 or 65 <= code <= 90 or code >= 128:
            pass
        elif code == 46:
            if end + 1 >= size or _PLAIN[cell[end + 1]] == 0:
                break
            dot = end
            odd = False
        elif 48 <= code <= 57 or code == 45:
            odd = True
        else:
            break
        end += 1
    while end < size and 128 <= cell[end] < 192:
        end += 1
    if dot < 0 or dot == after or end - dot < 3 or cell[after] == 45 or (end < size and cell[end] == 95):
        return after
    if odd or (end - dot <= 8 and _may_be_file(cell, dot + 1, end)):
        last = cell[dot + 1 : end].lower()
        if odd and last[:4] == b"xn--":
            odd = False
        while odd and end > dot + 3 and cell[end - 1] == 45:
            end -= 1
            odd = not cell[dot + 1 : end].isalpha()
        if odd or last in _FILES:
            return after
    if sign - start <= 3 and cell[start:sign].lower() in _MACHINES:
        return after
    if _userinfo(cell, sign):
        return after
    found.append(("email", start, end))
    return end


def _may_be_file(cell: bytes, start: i64, end: i64) -> bool:
    """False for most that is none of _FILES, without a text of its own."""
    return _HEADS[_pair(cell, start)] == 1 and _TAILS[_pair(cell, end - 2)] == 1


def _pair(cell: bytes, at: i64) -> i64:
    """Five bits of each of two characters: letters of both cases are alike."""
    one: i64 = cell[at]
    two: i64 = cell[at + 1]
    return (one & 31) * 32 + (two & 31)


def _pairs(listed: list[bytes]) -> bytes:
    known = {(each[0] & 31) * 32 + (each[1] & 31) for each in listed}
    return bytes(1 if pair in known else 0 for pair in range(32 * 32))


_HEADS: Final = _pairs([each[:2] for each in _FILES])
_TAILS: Final = _pairs([each[-2:] for each in _FILES])


def _userinfo(cell: bytes, sign: i64) -> bool:
    """Whether this stands before a host in a URL: `https://name@host`, `https://name:password@host`."""
    low: i64 = 0
    if sign > 300:
        low = sign - 300
    at = sign - 1
    while at > low:
        code: i64 = cell[at]
        if code == 47:
            return at > 2 and cell[at - 1] == 47 and cell[at - 2] == 58
        if code <= 32 or code == 34 or code == 63 or code == 60 or code == 62:
            return False
        at -= 1
    return False
