"""What both sides of a sign-in share: bytes before TLS, a client's startup, a server's session, our welcome.
Source: PostgreSQL manual, "Message Flow" (Start-up) and "Message Formats".
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from wicketgate.protocols.base import Preamble
from wicketgate.protocols.postgres.frames import frame
from wicketgate.protocols.postgres.settings import parameter_status_allowed

SSL_REQUEST: Final = 80877103
GSS_REQUEST: Final = 80877104
CANCEL_REQUEST: Final = 80877102
PROTOCOL_MAJOR: Final = 3
NEWEST_MINOR: Final = 2
"""The newest minor version towards clients (PostgreSQL 18's)."""

STARTUP_LIMIT: Final = 10_000
"""Bytes of a startup packet: a security limit, PostgreSQL's own MAX_STARTUP_PACKET_LENGTH."""

TLS_RECORD: Final = 0x16
ALPN: Final = "postgresql"
SSL_PACKET: Final = struct.pack(">II", 8, SSL_REQUEST)


@dataclass(frozen=True, slots=True)
class Startup:
    """A client's startup packet, checked.

    minor: of the protocol version agreed on (0 or 2). parameters: settings that may go to the target,
    lower-case name -> value. application_name: what the client calls itself, if it does.
    """

    minor: int
    parameters: Mapping[str, str] = field(default_factory=dict)
    application_name: str | None = None


@dataclass(frozen=True, slots=True)
class ServerSession:
    """A session at the target, signed in and ready.

    parameters: its reports, names as the server spells them. pid, key: what a cancel request must present.
    server_version_num: 150004 for 15.4, as the server's setting of that name. user, database: signed in as.
    """

    parameters: Mapping[str, str]
    pid: int
    key: bytes = field(repr=False)
    server_version_num: int
    database: str
    user: str


def preamble(peeked: bytes) -> Preamble:
    """What a connection's first bytes ask for (stage 1). Decides on at most 8 bytes."""
    if not peeked:
        return Preamble("more")
    if peeked[0] == TLS_RECORD:
        return Preamble("direct-tls", alpn=ALPN)
    if peeked[:2].strip(b"\0"):
        return Preamble("refuse")
    if len(peeked) < 4:
        return Preamble("more")
    length = int.from_bytes(peeked[:4], "big")
    if length < 8 or length > STARTUP_LIMIT:
        return Preamble("refuse")
    if len(peeked) < 8:
        return Preamble("more")
    code = int.from_bytes(peeked[4:8], "big")
    if code in (SSL_REQUEST, GSS_REQUEST):
        if length != 8:
            return Preamble("refuse")
        if code == SSL_REQUEST:
            return Preamble("tls", consume=8, reply=b"S", alpn=None)
        return Preamble("reply", consume=8, reply=b"N")
    return Preamble("begin")


def welcome(server: ServerSession, key: tuple[int, bytes], minor: int) -> bytes:
    """What a client that was let in gets: AuthenticationOk to ReadyForQuery, with our cancel key.

    key: (number, proof). Protocol 3.0 has room for 4 bytes of proof, and then gets its first 4.
    Raises ValueError for a proof that is too short or too long to travel.
    """
    number, proof = key
    if not 4 <= len(proof) <= 256:
        raise ValueError("a cancel key's proof has 4 to 256 bytes")
    sent = proof if minor >= 2 else proof[:4]
    reports = [
        frame(b"S", name.encode() + b"\0" + value.encode() + b"\0")
        for name, value in server.parameters.items()
        if parameter_status_allowed(name)
    ]
    return b"".join(
        (
            frame(b"R", b"\0\0\0\0"),
            *reports,
            frame(b"K", struct.pack(">I", number) + sent),
            frame(b"Z", b"I"),
        )
    )


def cancel_packet(pid: int, key: bytes) -> bytes:
    """A CancelRequest, to be sent on a connection of its own (inside TLS where the session has TLS)."""
    return struct.pack(">III", 12 + len(key), CANCEL_REQUEST, pid & 0xFFFFFFFF) + key


def version_number(text: str) -> int | None:
    """server_version as a number (`15.4 (Debian …)` -> 150004, `9.6.24` -> 90624, `18beta1` -> 180000)."""
    digits: list[int] = []
    word = text.split(" ", 1)[0]
    for part in word.split("."):
        head = part[: len(part) - len(part.lstrip("0123456789"))]
        if not head or len(head) > 4 or not head.isascii():
            break
        digits.append(int(head))
        if head != part:
            break
    if not digits:
        return None
    if digits[0] >= 10:
        return digits[0] * 10_000 + (digits[1] if len(digits) > 1 else 0)
    padded = [*digits, 0, 0]
    return padded[0] * 10_000 + padded[1] * 100 + padded[2]
