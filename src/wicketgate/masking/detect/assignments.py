"""Finds secrets by what names them: in URLs, connection strings, headers, settings and code (compiled).
It must never take a type, a placeholder or a call in code for the secret."""

import re
from typing import Final

from mypy_extensions import i64

from wicketgate.masking.detect.classes import Found
from wicketgate.masking.detect.entropy import random_looking

_PHRASES: Final = tuple(
    each.encode()
    for each in (
        "password passwd passphrase passcode pwd kennwort passwort contraseña contrasena wachtwoord".split()
    )
)
"""Ends of names whose value may be anything that is no plain word."""

_WHOLE_PHRASES: Final = frozenset([*"pass pw senha haslo hasło".encode().split(), *_PHRASES])
_KEYS: Final = tuple(
    b"secret token apikey accesskey privatekey secretkey signingkey encryptionkey accountkey authkey"
    b" masterkey sharedkey credential credentials bearer sharedaccesssignature sessionid xamzsignature"
    b" xgoogsignature".split()
)
"""Ends of names, without `_` and `-`, whose value is a key or a token."""

_WHOLE_KEYS: Final = frozenset(b"sas sig sid".split())
_BEFORE_KEY: Final = frozenset(
    b"api access private secret signing encryption account auth master shared client".split()
)
_APART: Final = bytes(
    code | 32 if 65 <= code <= 90 else code if 97 <= code <= 122 or code >= 128 or 48 <= code <= 57 else 32
    for code in range(256)
)
_NAME_LONGEST: Final = 48

NONE: Final = 0
PHRASE: Final = 1
KEY: Final = 2


def named(cell: bytes, end: i64) -> i64:
    """What the name that ends here speaks of: PHRASE, KEY or NONE. Quotes and spaces may stand behind it."""
    turns: i64 = 0
    while end > 0 and turns < 5 and _BEHIND_NAME[cell[end - 1]] == 1:
        end -= 1
        turns += 1
    if end < 2:
        return NONE
    last: i64 = cell[end - 1]
    if 48 <= last <= 57:  # password2
        while end > 0 and (48 <= cell[end - 1] <= 57 or cell[end - 1] == 95 or cell[end - 1] == 45):
            end -= 1
        if end < 2:
            return NONE
        last = cell[end - 1]
    code: i64 = cell[end - 2]
    last = cell[end - 1]
    if _ENDING[code * 256 + last] == 0:
        return NONE
    low: i64 = 0
    if end > _NAME_LONGEST:
        low = end - _NAME_LONGEST
    parts = cell[low:end].translate(_APART).split()
    if not parts:
        return NONE
    word = parts[len(parts) - 1]
    if word in _WHOLE_PHRASES or word.endswith(_PHRASES):
        return PHRASE
    if word.endswith(_KEYS) or word in _WHOLE_KEYS:
        return KEY
    if len(parts) > 1:
        before = parts[len(parts) - 2]
        if word == b"key":
            return KEY if before in _BEFORE_KEY or before.endswith(_LEADS) else NONE
        if word == b"passe":
            return PHRASE if before == b"de" else NONE
        if word in (b"phrase", b"word", b"code"):
            return PHRASE if before == b"pass" else NONE
        if (before + word).endswith(_KEYS):
            return KEY
    return NONE


_LEADS: Final = (b"api", b"access", b"secret")
_ENDINGS: Final = frozenset(
    [
        each[-2:].lower()
        for each in (*_PHRASES, *_WHOLE_PHRASES, *_KEYS, *_WHOLE_KEYS, b"key", b"passe", b"code", b"word")
    ]
)
_ENDING: Final = bytes(
    1 if bytes([code >> 8, code & 255]).lower() in _ENDINGS else 0 for code in range(1 << 16)
)
_BEHIND_NAME: Final = bytes(1 if code in b" \t\"')]\\" else 0 for code in range(256))
_PLACEHOLDERS: Final = frozenset(
    (
        b"null nil none undefined true false yes no string str text varchar bytes int integer bool boolean "
        b"number optional required secret password passwd token changeme example placeholder redacted "
        b"masked hidden unset empty todo tbd n/a input default not self this os process env getenv request "
        b"req config settings args params ctx user data the is was are must should has been for your reset "
        b"expired invalid incorrect wrong missing failed sent changed updated and or to in of a an at on "
        b"with we it you i please refresh bearer basic digest valid strong weak encrypted hashed enabled "
        b"disabled ok new old type field column key value 0 1"
    ).split()
)
"""Words, in lower case, that stand where a secret would."""

_PLACEHOLDER_LONGEST: Final = max([len(each) for each in _PLACEHOLDERS])
_VARIABLE: Final = re.compile(rb"[%$:@][a-z_0-9({\[].*|<.*|\{.*|\[.*|\$.*|&.*")
_CONSTANT: Final = re.compile(rb"[A-Z][A-Z0-9]*_[A-Z0-9_]*")


def placeholder(value: bytes) -> bool:
    """Whether a text stands where a secret would: a word, a row of stars, a variable's or constant's name."""
    size = len(value)
    if size == 0:
        return False
    if size <= _PLACEHOLDER_LONGEST and value.lower() in _PLACEHOLDERS:
        return True
    first = value[0]
    sort = _FIRST[first]
    if sort == 1 and value.count(value[:1]) == size:
        return True
    if sort == 2:
        return _VARIABLE.fullmatch(value) is not None
    return 65 <= first <= 90 and 95 in value and _CONSTANT.fullmatch(value) is not None


_FIRST: Final = bytes(1 if code in b"*xX.-_?#" else 2 if code in b"%$:@<{[&" else 0 for code in range(256))
_AMPERSAND: Final = re.compile(rb"&(?:amp;|(?=[A-Za-z0-9_.%-]{1,64}=))")
_STOPS: Final = bytes(
    1 if code in b" \t\n\r\f\v\"'`,;<>)]}|\\" else 2 if code == 38 else 0 for code in range(256)
)
_SCHEME: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]{1,30}$")
_BEARER: Final = re.compile(
    rb"(?i:authorization[\"']?[ \t]*[:=][ \t]*[\"']?|^|[^a-z])(?i:(bearer|basic|token|apikey|negotiate"
    rb"|digest))[ \t]+([A-Za-z0-9_~+/.=-]{16,})"
)
LONGEST: Final = 4096
"""Bytes of a value that is taken for one secret."""


def find(cell: bytes, found: list[Found]) -> None:
    """Adds what it finds to `found`."""
    size: i64 = len(cell)
    at: i64 = 0
    while at < size:
        code: i64 = cell[at]
        if code == 61:
            _assigned(cell, at, found)
        elif code == 58:
            if at + 2 < size and cell[at + 1] == 47 and cell[at + 2] == 47:
                _url(cell, at, found)
            else:
                _assigned(cell, at, found)
        at += 1


def headers(cell: bytes, found: list[Found]) -> None:
    """`Authorization: Bearer …`, and `Bearer …` alone; other schemes only behind `Authorization`."""
    if not _credentials(cell):
        return
    for each in _BEARER.finditer(cell):
        value = each.group(2)
        if max([len(part) for part in value.replace(b"=", b".").split(b".")]) < 16:
            continue
        scheme = each.group(1).lower()
        if scheme in (b"bearer", b"token") and not random_looking(value, 2.8):
            continue
        if scheme not in (b"bearer", b"token") and each.group(0)[:13].lower() != b"authorization":
            continue
        found.append(("secret", each.start(2), each.end(2)))


def _credentials(cell: bytes) -> bool:
    """Whether 16 characters of what stands behind a scheme follow a space or a tab."""
    size: i64 = len(cell)
    at: i64 = 1
    run: i64 = -1  # characters since the last space; -1 where another character stood between
    while at < size:
        sort: i64 = _VALUE[cell[at]]
        at += 1
        if sort == 2:
            run = 0
        elif sort == 0:
            run = -1
        elif run >= 0:
            run += 1
            if run == 16:
                return True
    return False


_VALUE: Final = bytes(
    1 if chr(code).isascii() and (chr(code).isalnum() or code in b"_~+/.=-") else 2 if code in b" \t" else 0
    for code in range(256)
)


def _url(cell: bytes, colon: i64, found: list[Found]) -> None:
    """`scheme://user:password@host`: the password; without a user, a token that stands in its place."""
    low: i64 = 0
    if colon > 31:
        low = colon - 31
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
        if sign - mid > 1 and not placeholder(cell[mid + 1 : sign]):
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
    kind = named(cell, sign)
    if kind == NONE:
        return
    phrase = kind == PHRASE
    size: i64 = len(cell)
    at = sign + 1
    if at < size and cell[sign] == 61 and (cell[at] == 61 or cell[at] == 126):
        return  # a comparison
    if at < size and cell[at] == 61 and cell[sign] == 58:
        at += 1
    if at < size and cell[at] == 62:
        at += 1
    spaced = False
    while at < size and (cell[at] == 32 or cell[at] == 9):
        at += 1
        spaced = True
    if at >= size:
        return
    quote: i64 = cell[at]
    if quote == 92 and at + 1 < size and (cell[at + 1] == 34 or cell[at + 1] == 39):  # JSON inside of JSON
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
    end = at + LONGEST
    if end > size:
        end = size
    end = _stop(cell, at, end)
    # `password=a&b`: a URL's query ends there; a password in prose may end its sentence
    if end > at and cell[end - 1] == 46 and (end == size or cell[end] <= 32):
        end -= 1
    prose = cell[sign] == 58 and spaced
    if end - at >= 6 or (end - at >= 3 and not prose):
        if prose and not _unlike_words(cell[at:end]):
            return
        if end < size and cell[end] == 40:
            return
        _take(cell, at, end, False, phrase, found)


def _stop(cell: bytes, at: i64, end: i64) -> i64:
    """Where a value without quotes ends, before `end`."""
    begin = at
    while at < end:
        sort: i64 = _STOPS[cell[at]]
        if sort == 1 or (sort == 2 and _AMPERSAND.match(cell, at, begin + LONGEST) is not None):
            return at
        at += 1
    return end


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
    if placeholder(value) or value[:9] == b"[redacted":
        return
    if not quoted and (40 in value or value[0] == 61 or value[0] == 62):
        return  # code goes on here
    if phrase:
        if quoted and (len(value) > 128 or value.count(b" ") > 4):
            return
    else:
        # tokens are longer than words, and hold more than letters
        if len(value) < 8 or 32 in value or (value.isalpha() and len(value) < 20):
            return
        if not quoted and (value.count(b".") > 3 or value.isdigit()):
            return
        if len(value) < 12 and not random_looking(value, 2.0):
            return
        if value.replace(b"_", b"").replace(b"-", b"").replace(b".", b"").isalpha() and (
            value.islower() or 46 in value
        ):
            return  # a name in code
    if not quoted and phrase and 46 in value and _dotted_name(value):
        return  # `form.password.value`
    found.append(("secret", start, end))


def _dotted_name(value: bytes) -> bool:
    return value.replace(b".", b"").replace(b"_", b"").isalpha()
