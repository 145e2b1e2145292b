"""Finds secrets by what names them: in URLs, connection strings, headers, settings and code (compiled).
It must never take a type, a placeholder or a call in code for the secret."""

import re
from typing import Final

from mypy_extensions import i64

from wicketgate.masking.detect.classes import Found
from wicketgate.masking.detect.entropy import random_looking

_NAMES: Final = re.compile(
    rb"(?:^|[^a-z0-9]|(?<=[a-z0-9])(?=[A-Z])|_|-)(?i:"
    rb"(p(?:ass)?(?:word|wd|phrase|code)|pass|pwd|kennwort|passwort|contrase(?:n|\xc3\xb1)a|mot de passe"
    rb"|senha|has(?:l|\xc5\x82)o|wachtwoord)"
    rb"|((?:[a-z0-9]{1,24}[_-]?){0,3}(?:secret|token|api[_-]?key|apikey|access[_-]?key|private[_-]?key"
    rb"|secret[_-]?key|signing[_-]?key"
    rb"|encryption[_-]?key|account[_-]?key|auth[_-]?key|shared[_-]?access[_-]?key"
    rb"|shared[_-]?access[_-]?signature|sas|sig|credentials?"
    rb"|client[_-]?secret|secret[_-]?access[_-]?key|bearer|session[_-]?id|sessionid|sid|x-amz-signature"
    rb"|x-goog-signature)))"
    rb"(?:[_-]?[0-9]{1,2})?[\"'\])]{0,2}[ \t]{0,3}$"
)
_ENDINGS: Final = frozenset(
    [*b"rd wd se de ss et en ey as ig ls al er id ia re te ra ha lo ort".split(), b"\xc5\x82o"]
)
_PLACEHOLDERS: Final = re.compile(
    rb"(?i:null|nil|none|undefined|true|false|yes|no|string|str|text|varchar|bytes|int|integer|bool"
    rb"|boolean|number|optional|required"
    rb"|secret|password|passwd|token|changeme|example|placeholder|redacted|masked|hidden|unset|empty|todo"
    rb"|tbd|n/a|input|default|not"
    rb"|self|this|os|process|env|getenv|request|req|config|settings|args|params|ctx|user|data|the|is|was"
    rb"|are|must|should|has|been|for|your"
    rb"|reset|expired|invalid|incorrect|wrong|missing|failed|sent|changed|updated|and|or|to|in|of|a|an|at"
    rb"|on|with|we|it|you|i|please"
    rb"|refresh|bearer|basic|digest|valid|strong|weak|encrypted|hashed|enabled|disabled|ok|new|old|type"
    rb"|field|column|key|value)"
    rb"|\*+|x+|X+|\.+|-+|_+|\?+|#+|[%$:@][a-z_0-9({\[].*|<.*|\{.*|\[.*|\$.*|[A-Z][A-Z0-9]*_[A-Z0-9_]*|&.*|0|1"
)
_STOP: Final = re.compile(rb"[\s\"'`,;&<>)\]}|\\]")
_SCHEME: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]{1,30}$")
_BEARER: Final = re.compile(
    rb"(?i:authorization[\"']?[ \t]*[:=][ \t]*[\"']?|^|[^a-z])(?i:(bearer|basic|token|apikey|negotiate"
    rb"|digest))[ \t]+([A-Za-z0-9_~+/.=-]{16,})"
)
LONGEST: Final = 4096
"""Bytes of a value that is taken for one secret."""


def find(cell: bytes, found: list[Found]) -> None:
    """Adds what it finds to `found`."""
    at: i64 = cell.find(b"=")
    while at >= 0:
        _assigned(cell, at, found)
        at = cell.find(b"=", at + 1)
    at = cell.find(b":")
    while at >= 0:
        if cell[at + 1 : at + 3] == b"//":
            _url(cell, at, found)
        else:
            _assigned(cell, at, found)
        at = cell.find(b":", at + 1)


def headers(cell: bytes, found: list[Found]) -> None:
    """`Authorization: Bearer …`, and `Bearer …` alone; other schemes only behind `Authorization`."""
    for each in _BEARER.finditer(cell):
        value = each.group(2)
        scheme = each.group(1).lower()
        if scheme in (b"bearer", b"token") and not random_looking(value, 2.8):
            continue
        if scheme not in (b"bearer", b"token") and each.group(0)[:13].lower() != b"authorization":
            continue
        found.append(("secret", each.start(2), each.end(2)))


def _url(cell: bytes, colon: i64, found: list[Found]) -> None:
    """`scheme://user:password@host`: the password; without a user, a token that stands in its place."""
    low: i64 = colon - 31 if colon > 31 else 0
    if _SCHEME.search(cell[low:colon]) is None:
        return
    size: i64 = len(cell)
    start = colon + 3
    at = start
    mid: i64 = -1
    sign: i64 = -1
    high = start + 1024
    while at < size and at < high:
        code: i64 = cell[at]
        if code <= 32 or code == 34 or code == 60 or code == 62 or code == 96:
            break
        if code == 47 or code == 63 or code == 35:
            # a password may hold these unescaped: only where an `@` follows in the same word does it go on
            if mid < 0 or not _sign_follows(cell, at, size):
                break
        elif code == 64:
            sign = at
        elif code == 58 and mid < 0:
            mid = at
        at += 1
    if sign < 0:
        return
    if mid >= 0 and mid < sign:
        if sign - mid > 1 and _PLACEHOLDERS.fullmatch(cell[mid + 1 : sign]) is None:
            found.append(("secret", mid + 1, sign))
    elif sign - start >= 20 and random_looking(cell[start:sign], 3.0):
        found.append(("secret", start, sign))


def _sign_follows(cell: bytes, at: i64, size: i64) -> bool:
    """Whether an `@` with a host behind it stands before the next slash."""
    high = at + 64
    look = at + 1
    while look < size and look < high:
        code: i64 = cell[look]
        if code == 64:
            return True
        if code <= 32 or code == 47 or code == 34 or code == 63 or code == 58:
            return False
        look += 1
    return False


def _assigned(cell: bytes, sign: i64, found: list[Found]) -> None:
    """A name of a secret, `=` or `:`, and its value."""
    low = sign
    while low > 0 and sign - low < 5 and cell[low - 1] in b" \t\"')]":
        low -= 1
    # most names end otherwise: not worth a look
    if low < 3:
        return
    last: i64 = cell[low - 1]
    if not (48 <= last <= 57) and cell[low - 2 : low].lower() not in _ENDINGS:
        return
    bottom: i64 = sign - 72 if sign > 72 else 0
    named = _NAMES.search(cell[bottom:sign])
    if named is None:
        return
    phrase = named.group(1) is not None
    size: i64 = len(cell)
    at = sign + 1
    if at < size and cell[sign] == 61 and (cell[at] == 61 or cell[at] == 126):
        return  # a comparison
    if at < size and cell[at] == 61 and cell[sign] == 58:
        at += 1
    if at < size and cell[at] == 62:
        at += 1
    spaced = False
    while at < size and cell[at] in b" \t":
        at += 1
        spaced = True
    if at >= size:
        return
    quote: i64 = cell[at]
    if quote == 92 and at + 1 < size and cell[at + 1] in b"\"'":  # JSON inside of JSON
        quote = cell[at + 1]
        at += 2
        end: i64 = cell.find(b"\\" + bytes([quote]), at, at + LONGEST)
        if end > at:
            _take(cell, at, end, True, phrase, found)
        return
    if quote == 34 or quote == 39 or quote == 96:
        at += 1
        end = at
        high = at + LONGEST
        while end < size and end < high and cell[end] != quote and cell[end] != 10:
            end += 2 if cell[end] == 92 else 1
        end = end if end < size else size
        if end > at:
            _take(cell, at, end, True, phrase, found)
        return
    stop = _STOP.search(cell, at, at + LONGEST)
    end = stop.start() if stop is not None else (size if size < at + LONGEST else at + LONGEST)
    # `password=a&b`: a URL's query ends there; a password in prose may end its sentence
    if end > at and cell[end - 1] == 46 and (end == size or cell[end] <= 32):
        end -= 1
    prose = cell[sign] == 58 and spaced
    if end - at >= (6 if prose else 3):
        if prose and not _unlike_words(cell[at:end]):
            return
        if end < size and cell[end] == 40:
            return
        _take(cell, at, end, False, phrase, found)


def _unlike_words(value: bytes) -> bool:
    """A digit or a sign in it, or letters in both cases: no plain word follows a colon like that."""
    if value.isalpha():
        return not (value.islower() or value.istitle() or value.isupper())
    return (not value.replace(b"-", b"").replace(b"'", b"").isalpha() and not value.isdigit()) or (
        len(value) >= 8 and value.isdigit()
    )


def _take(cell: bytes, start: i64, end: i64, quoted: bool, phrase: bool, found: list[Found]) -> None:
    while end < len(cell) and 128 <= cell[end] < 192:  # the middle of a character
        end += 1
    value = cell[start:end]
    if _PLACEHOLDERS.fullmatch(value) is not None or value[:9] == b"[redacted":
        return
    if not quoted and (b"(" in value or value[:1] in b"=!>"):
        return  # code goes on here
    if phrase:
        if quoted and (len(value) > 128 or value.count(b" ") > 4):
            return
    else:
        # tokens are longer than words, and hold more than letters
        if len(value) < 8 or b" " in value or (value.isalpha() and len(value) < 20):
            return
        if not quoted and (value.count(b".") > 3 or value.isdigit()):
            return
        if len(value) < 12 and not random_looking(value, 2.0):
            return
        if value.replace(b"_", b"").replace(b"-", b"").replace(b".", b"").isalpha() and (
            value.islower() or b"." in value
        ):
            return  # a name in code
    if not quoted and phrase and b"." in value and value.replace(b".", b"").replace(b"_", b"").isalpha():
        return  # `form.password.value`
    found.append(("secret", start, end))
