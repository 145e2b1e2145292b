"""A signed token (JWS compact, RFC 7515; JWT, RFC 7519) taken apart: strictly, and trusting nothing in it.
It must never follow what a token's header points at, nor take one spelling of JSON for two."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

LARGEST: Final = 16_000
"""Bytes of a token: a security limit (a sign-in's password message has some more)."""

_PART: Final = re.compile(rb"[A-Za-z0-9_-]+")
_TYPES: Final = frozenset({"jwt", "at+jwt"})
"""Types (`typ`) that are for signing in: ID tokens and access tokens (RFC 9068). None given counts as JWT."""


class NotProven(ValueError):
    """A token that proves nobody. Its text is for the journal, and repeats nothing of the token."""


@dataclass(frozen=True, slots=True)
class Token:
    """Taken apart, and nothing more: not verified. algorithm, key: as the header names them (key None: no).
    signed: the bytes that the signature is over. payload: JSON."""

    algorithm: str
    key: str | None
    claims: Mapping[str, Any] = field(repr=False)
    payload: bytes = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def resembles(secret: bytes) -> bool:
    """Whether what was presented is to be read as such a token: no token of ours has a dot."""
    return b"." in secret


def take_apart(secret: bytes) -> Token:
    """The token. Raises NotProven."""
    if len(secret) > LARGEST:
        raise NotProven("the token is too large")
    parts = secret.split(b".")
    if len(parts) != 3:
        raise NotProven("not a signed token")
    header = members(decode(parts[0]))
    algorithm, key, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if not isinstance(algorithm, str):
        raise NotProven("the token names no algorithm")
    if key is not None and not (isinstance(key, str) and 0 < len(key) <= 256):
        raise NotProven("the token's key id is no text")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in _TYPES:
        raise NotProven("the token is of a type that is not for signing in")
    if "crit" in header or "b64" in header:
        raise NotProven("the token asks for what is not understood (crit)")
    if not parts[2]:
        raise NotProven("the token is not signed")
    payload = decode(parts[1])
    signed = secret[: len(parts[0]) + 1 + len(parts[1])]
    return Token(algorithm, key, members(payload), payload, signed, decode(parts[2]))


def decode(part: bytes) -> bytes:
    """Base64url without padding, in its one canonical spelling. Raises NotProven."""
    if not _PART.fullmatch(part) or len(part) % 4 == 1:
        raise NotProven("not a signed token")
    found = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(found).rstrip(b"=") != part:
        raise NotProven("not a signed token")
    return found


def members(text: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8 in which no name is given twice, at any depth. Raises NotProven."""
    try:
        found = json.loads(
            text.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse, parse_int=_integer
        )
    except NotProven:
        raise
    except (ValueError, RecursionError):
        raise NotProven("the token holds no JSON") from None
    if not isinstance(found, dict):
        raise NotProven("the token holds no JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotProven("the token gives a claim twice")
    return found


def _refuse(text: str) -> NoReturn:
    raise NotProven("the token holds no JSON")


def _integer(text: str) -> int:
    if len(text) > 30:  # of hundreds of digits nothing is a time, and reading them takes long
        raise NotProven("the token holds a number that is too long")
    return int(text)
