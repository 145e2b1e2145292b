"""What the sign-in's tests share: bytes cut into pieces, clients' and servers' messages, a call to make."""

import struct
from collections.abc import Iterable, Iterator

from wicketgate.model.resource import Account, CredentialReference, Resource, TlsMode
from wicketgate.protocols.base import Call
from wicketgate.protocols.postgres.frames import frame, frame_end
from wicketgate.protocols.postgres.login import Startup
from wicketgate.protocols.postgres.messages import fields_of

WHOLE = 1 << 30
SIZES = (WHOLE, 1, 2, 3, 7)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def frames(data: bytes) -> list[tuple[str, bytes]]:
    """All frames of a stream; it must hold whole ones."""
    found: list[tuple[str, bytes]] = []
    at = 0
    while at < len(data):
        end = frame_end(data, at, WHOLE)
        assert 0 < end <= len(data)
        found.append((chr(data[at]), data[at + 5 : end]))
        at = end
    return found


def error_of(data: bytes) -> dict[str, str]:
    """The fields of the one ErrorResponse that the stream ends with."""
    kind, body = frames(data)[-1]
    assert kind == "E"
    return fields_of(body)


def startup(*parameters: tuple[str, str], version: int = 0x30000) -> bytes:
    body = b"".join(name.encode() + b"\0" + value.encode() + b"\0" for name, value in parameters) + b"\0"
    return struct.pack(">II", len(body) + 8, version) + body


def password(text: str) -> bytes:
    return frame(b"p", text.encode() + b"\0")


def authentication(method: int, rest: bytes = b"") -> bytes:
    return frame(b"R", struct.pack(">I", method) + rest)


def ready(without: Iterable[str] = (), **changed: str) -> bytes:
    """What a server sends after authentication."""
    reports = {
        "server_version": "15.4 (Debian 15.4-1)",
        "client_encoding": "UTF8",
        "standard_conforming_strings": "on",
        "TimeZone": "UTC",
        **changed,
    }
    return b"".join(
        (
            *(
                frame(b"S", f"{name}\0{value}\0".encode())
                for name, value in reports.items()
                if name not in set(without)
            ),
            frame(b"K", struct.pack(">I", 4711) + b"KEY!"),
            frame(b"Z", b"I"),
        )
    )


def refusal(code: str, message: str) -> bytes:
    return frame(b"E", f"SFATAL\0VFATAL\0C{code}\0M{message}\0\0".encode())


def call(
    tls: TlsMode = TlsMode.REQUIRE,
    username: str = "ro",
    database: str = "sales",
    read_only: bool = False,
    keys: dict[object, object] | None = None,
    source: str = "env",
    **parameters: str,
) -> Call:
    account = Account("reader", username, CredentialReference(source, "X"), "1")
    resource = Resource("sales", "postgres", "localhost", 5432, (database,), tls, {"reader": account})
    return Call(resource, account, database, read_only, Startup(0, parameters), {} if keys is None else keys)
