"""SASL OAUTHBEARER, the server's side: what a client's response holds, and what it is told when that fails.
It must never take a response that can be read in two ways, nor let a token reach an error.
Source: RFC 7628 sections 3.1 and 3.2, RFC 6750 section 2.1, RFC 5801 section 4; PostgreSQL's auth-oauth.c.
"""

import json
import re
from typing import Final

from wicketgate.model.secret import Secret
from wicketgate.protocols.postgres.settings import StartupRefused

MECHANISM: Final = b"OAUTHBEARER"
END: Final = b"\x01"
"""What a client answers to a failure with; it separates members, too."""

_HEADER: Final = re.compile(rb"([ny]|p=[^,]*),(?:a=([^,]*))?,\x01")
_MEMBER: Final = re.compile(rb"([A-Za-z]+)=([\t\r\n\x20-\x7e]*)\x01")
_BEARER: Final = re.compile(rb"(?i:bearer) +([A-Za-z0-9._~+/-]+=*)")


def initial(body: bytes) -> bytes | None:
    """The response in a SASLInitialResponse's body; None where the client holds it back for now.

    Raises StartupRefused."""
    mechanism, nul, rest = body.partition(b"\0")
    if not nul or len(rest) < 4:
        raise _malformed("SASL response")
    if mechanism != MECHANISM:
        raise StartupRefused("08P01", "client selected an invalid SASL authentication mechanism")
    length, response = int.from_bytes(rest[:4], "big", signed=True), rest[4:]
    if length == -1 and not response:
        return None
    if length != len(response):
        raise _malformed("SASL response")
    return response


def token(response: bytes, identity: str) -> Secret | None:
    """The token that a client's first response holds; None where it holds none, and asks where to get one.

    identity: whom the startup packet names, and an authorization identity must, too. Raises StartupRefused.
    """
    header = _HEADER.match(response)
    if header is None:
        raise _malformed("OAUTHBEARER message")
    if header[1].startswith(b"p"):
        raise StartupRefused("08P01", "OAUTHBEARER has no channel binding")
    if header[2] is not None and _name(header[2]) != identity:
        raise StartupRefused("08P01", "the authorization identity is another than user")
    at, found = header.end(), {}
    while member := _MEMBER.match(response, at):
        name = bytes(member[1])
        if name in found:
            raise _malformed("OAUTHBEARER message")
        found[name] = bytes(member[2])
        at = member.end()
    if response[at:] != END or b"auth" not in found:
        raise _malformed("OAUTHBEARER message")
    if not found[b"auth"]:
        return None
    bearer = _BEARER.fullmatch(found[b"auth"])
    if bearer is None:
        raise _malformed("OAUTHBEARER message")
    return Secret(bearer[1])


def failure(configuration: str) -> bytes:
    """The challenge that tells of a failure, and where tokens are had. configuration: a discovery address."""
    told = {"status": "invalid_token", "openid-configuration": configuration, "scope": "openid"}
    return json.dumps(told).encode()


def _name(text: bytes) -> str | None:
    """A `saslname` (RFC 5801): a comma and an equals sign stand escaped. None for what is none."""
    if re.search(rb"=(?!2C|3D)|\0", text) or not text:
        return None
    try:
        return text.replace(b"=2C", b",").replace(b"=3D", b"=").decode("utf-8")
    except UnicodeDecodeError:
        return None


def _malformed(what: str) -> StartupRefused:
    return StartupRefused("08P01", f"malformed {what}")
