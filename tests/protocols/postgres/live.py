"""A real server spoken to with our own sign-in and blocking sockets."""

import hashlib
import socket
import ssl

from protocols.postgres.rehearsal import call, frames
from servers.postgres import Postgres
from servers.postgres import password as password_of
from wicketgate.model.resource import TlsMode
from wicketgate.model.secret import Secret
from wicketgate.protocols.postgres.call import Caller, dial
from wicketgate.protocols.postgres.frames import frame


def sign_in(
    server: Postgres,
    user: str,
    tls: TlsMode,
    keys: dict[object, object],
    secret: str | None = None,
    read_only: bool = False,
    **parameters: str,
) -> tuple[Caller, socket.socket]:
    """What the worker does, with blocking sockets."""
    caller = dial(call(tls, user, "sales", read_only, keys, **parameters))
    link: socket.socket = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    binding = None
    request = caller.tls_request()
    if request is not None:
        link.sendall(request)
        assert caller.tls_answer(link.recv(1))
        context = ssl.create_default_context(cafile=str(server.authority.root))
        wrapped = context.wrap_socket(link, server_hostname="localhost")
        certificate = wrapped.getpeercert(binary_form=True)
        assert certificate is not None
        binding = hashlib.sha256(certificate).digest()
        link = wrapped
    caller.begin(binding)
    while True:
        out = caller.bytes_to_send()
        if out:
            link.sendall(out)
        if caller.outcome is not None:
            return caller, link
        if caller.needs_secret:
            caller.provide(Secret((secret or password_of(user)).encode()))
            continue
        data = link.recv(7)
        assert data
        caller.receive(data)


def ask(link: socket.socket, text: str) -> bytes:
    """The first cell of the answer."""
    [row] = [body for kind, body in answer(link, text) if kind == "D"]
    return row[6:]


def answer(link: socket.socket, text: str) -> list[tuple[str, bytes]]:
    """All frames of the answer to a Query string."""
    link.sendall(frame(b"Q", text.encode() + b"\0"))
    data = b""
    while data[-6:-1] != b"Z\0\0\0\5":
        got = link.recv(65536)
        assert got
        data += got
    return frames(data)
