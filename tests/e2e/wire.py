"""A small synchronous PostgreSQL client for tests: every byte it sends is asked for, every frame is kept.
It must never retry, reconnect, guess or hide anything: what the peer did is what the test sees."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

PROTOCOL_3_0 = 196608
PROTOCOL_3_2 = 196610
SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102

Value = bytes | str | None


class WireClosed(Exception):
    """The peer closed the connection, or said nothing within the deadline."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message: its type byte and its body (without type and length)."""

    type: bytes
    body: bytes

    @property
    def fields(self) -> dict[str, str]:
        """The fields of an ErrorResponse or NoticeResponse by their one-letter code."""
        parts = self.body.rstrip(b"\0").split(b"\0")
        return {part[:1].decode("latin-1"): part[1:].decode("utf-8", "replace") for part in parts if part}

    @property
    def cells(self) -> list[bytes | None]:
        """The cells of a DataRow."""
        (count,) = struct.unpack_from("!H", self.body)
        at, cells = 2, []
        for _ in range(count):
            (length,) = struct.unpack_from("!i", self.body, at)
            at += 4
            cells.append(None if length < 0 else self.body[at : at + length])
            at += max(length, 0)
        return cells

    @property
    def columns(self) -> list[Column]:
        """The columns of a RowDescription."""
        (count,) = struct.unpack_from("!H", self.body)
        at, columns = 2, []
        for _ in range(count):
            end = self.body.index(b"\0", at)
            columns.append(
                Column(self.body[at:end].decode(), *struct.unpack_from("!IhIhih", self.body, end + 1))
            )
            at = end + 19
        return columns


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a RowDescription, as the protocol orders its parts."""

    name: str
    table: int
    attribute: int
    type: int
    width: int
    modifier: int
    format: int


# -- messages that a client sends ----------------------------------------------------------------------------
def frame(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def _text(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _string(value: str | bytes) -> bytes:
    return _text(value) + b"\0"


def query(text: str | bytes) -> bytes:
    return frame(b"Q", _string(text))


def parse(name: str | bytes, text: str | bytes, types: Sequence[int] = ()) -> bytes:
    body = _string(name) + _string(text) + struct.pack(f"!H{len(types)}I", len(types), *types)
    return frame(b"P", body)


def bind(
    portal: str | bytes = "",
    statement: str | bytes = "",
    values: Sequence[Value] = (),
    formats: Sequence[int] = (),
    results: Sequence[int] = (),
) -> bytes:
    body = _string(portal) + _string(statement)
    body += struct.pack(f"!H{len(formats)}H", len(formats), *formats)
    body += struct.pack("!H", len(values))
    for value in values:
        body += (
            struct.pack("!i", -1) if value is None else struct.pack("!i", len(_text(value))) + _text(value)
        )
    return frame(b"B", body + struct.pack(f"!H{len(results)}H", len(results), *results))


def describe_statement(name: str = "") -> bytes:
    return frame(b"D", b"S" + _string(name))


def describe_portal(name: str = "") -> bytes:
    return frame(b"D", b"P" + _string(name))


def execute(portal: str = "", rows: int = 0) -> bytes:
    return frame(b"E", _string(portal) + struct.pack("!I", rows))


def close_statement(name: str = "") -> bytes:
    return frame(b"C", b"S" + _string(name))


def close_portal(name: str = "") -> bytes:
    return frame(b"C", b"P" + _string(name))


def function_call(oid: int, values: Sequence[Value] = (), result: int = 0) -> bytes:
    body = struct.pack("!IHH", oid, 0, len(values))
    for value in values:
        body += (
            struct.pack("!i", -1) if value is None else struct.pack("!i", len(_text(value))) + _text(value)
        )
    return frame(b"F", body + struct.pack("!H", result))


def copy_data(data: str | bytes) -> bytes:
    return frame(b"d", _text(data))


def copy_fail(reason: str = "no") -> bytes:
    return frame(b"f", _string(reason))


SYNC = frame(b"S")
FLUSH = frame(b"H")
COPY_DONE = frame(b"c")
TERMINATE = frame(b"X")


def startup_packet(parameters: dict[str, str], version: int = PROTOCOL_3_0) -> bytes:
    body = struct.pack("!I", version)
    for name, value in parameters.items():
        body += _string(name) + _string(value)
    body += b"\0"
    return struct.pack("!I", len(body) + 4) + body


def cancel_packet(key: bytes) -> bytes:
    """key: the body of BackendKeyData (process id and secret)."""
    return struct.pack("!II", 8 + len(key), CANCEL_REQUEST) + key


# -- the connection ------------------------------------------------------------------------------------------
@dataclass(slots=True)
class Address:
    """Where and as whom to connect. tls: None for plain text, else the context to use.

    direct: TLS at once (`sslnegotiation=direct`), without asking. password: in clear or through SCRAM or md5.
    """

    host: str
    port: int
    user: str
    database: str
    password: str = ""
    tls: ssl.SSLContext | None = None
    direct: bool = False
    parameters: dict[str, str] = field(default_factory=dict)


class Wire:
    """One connection. `frames` keeps every frame received, in order; `sent` counts bytes that went out."""

    def __init__(self, peer: socket.socket, timeout: float = 20.0) -> None:
        peer.settimeout(timeout)
        self.peer = peer
        self.frames: list[Frame] = []
        self.status = b"I"
        self.key = b""
        self.parameters: dict[str, str] = {}
        self._buffer = bytearray()

    @classmethod
    def dial(cls, address: Address, timeout: float = 20.0) -> Wire:
        """Connect and start TLS as the address says; no startup message is sent."""
        peer = socket.create_connection((address.host, address.port), timeout)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if address.tls is not None:
            if not address.direct:
                peer.sendall(struct.pack("!II", 8, SSL_REQUEST))
                if peer.recv(1) != b"S":
                    peer.close()
                    raise WireClosed("the peer speaks no TLS")
            peer = address.tls.wrap_socket(peer, server_hostname=address.host)
        return cls(peer, timeout)

    @classmethod
    def open(cls, address: Address, timeout: float = 20.0, version: int = PROTOCOL_3_0) -> Wire:
        """Connect and sign in. Raises WireClosed with the error's fields if the peer refuses."""
        wire = cls.dial(address, timeout)
        refused = wire.sign_in(address, version)
        if refused is not None:
            wire.close()
            raise WireClosed(f"refused: {refused.fields}")
        return wire

    def sign_in(self, address: Address, version: int = PROTOCOL_3_0) -> Frame | None:
        """Send the startup message and answer what is asked. None once ready, else the ErrorResponse."""
        parameters = {"user": address.user, "database": address.database, **address.parameters}
        self.send(startup_packet(parameters, version))
        scram: _Scram | None = None
        while True:
            got = self.read()
            if got.type == b"E":
                return got
            if got.type == b"Z":
                return None
            if got.type != b"R":
                continue
            (asked,) = struct.unpack_from("!I", got.body)
            if asked == 3:
                self.send(frame(b"p", _string(address.password)))
            elif asked == 5:
                inner = hashlib.md5(_text(address.password) + _text(address.user)).hexdigest().encode()
                self.send(
                    frame(b"p", b"md5" + hashlib.md5(inner + got.body[4:8]).hexdigest().encode() + b"\0")
                )
            elif asked == 10:
                scram = _Scram(address.password)
                self.send(frame(b"p", scram.first()))
            elif asked == 11 and scram is not None:
                self.send(frame(b"p", scram.final(got.body[4:])))

    def send(self, *messages: bytes) -> None:
        try:
            self.peer.sendall(b"".join(messages))
        except OSError as error:
            raise WireClosed(str(error)) from error

    def read(self) -> Frame:
        """The next frame. Raises WireClosed at end of file or when nothing comes in time."""
        head = self._take(5)
        body = self._take(struct.unpack_from("!I", head, 1)[0] - 4)
        got = Frame(head[:1], body)
        self.frames.append(got)
        if got.type == b"Z":
            self.status = got.body
        elif got.type == b"K":
            self.key = got.body
        elif got.type == b"S":
            name, _, value = got.body.rstrip(b"\0").partition(b"\0")
            self.parameters[name.decode()] = value.decode("utf-8", "replace")
        return got

    def pour(self) -> Iterator[bytes]:
        """The next frame's body in pieces, none of it kept: for frames too large to hold."""
        (left,) = struct.unpack_from("!xI", self._take(5))
        left -= 4
        while left:
            piece = self._take(min(left, len(self._buffer) or 1))
            left -= len(piece)
            yield piece

    def until(self, *types: bytes) -> list[Frame]:
        """Frames up to and with the first of one of these types."""
        frames = [self.read()]
        while frames[-1].type not in types:
            frames.append(self.read())
        return frames

    def ready(self) -> list[Frame]:
        """Frames up to and with ReadyForQuery."""
        return self.until(b"Z")

    def ask(self, text: str | bytes) -> list[Frame]:
        """One simple query, whole. COPY is not answered here."""
        self.send(query(text))
        return self.ready()

    def run(self, messages: Iterable[bytes]) -> list[Frame]:
        """A pipeline that ends with Sync (added here), whole."""
        self.send(*messages, SYNC)
        return self.ready()

    def rest(self) -> list[Frame]:
        """Frames until the peer closes."""
        frames = []
        try:
            while True:
                frames.append(self.read())
        except WireClosed:
            return frames

    def close(self, politely: bool = True) -> None:
        try:
            if politely:
                self.peer.sendall(TERMINATE)
        except OSError:
            pass
        finally:
            self.peer.close()

    def vanish(self) -> None:
        """Close with a reset, as a killed client or a cut line does."""
        raw = self.peer
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            try:
                data = self.peer.recv(1 << 16)
            except OSError as error:
                raise WireClosed(str(error)) from error
            if not data:
                raise WireClosed("end of file")
            self._buffer += data
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


class _Scram:
    """SCRAM-SHA-256 without channel binding (RFC 7677), enough for a test's own servers."""

    def __init__(self, password: str) -> None:
        self._password = password.encode()
        self._bare = "n=,r=" + base64.b64encode(os.urandom(18)).decode()

    def first(self) -> bytes:
        message = ("n,," + self._bare).encode()
        return b"SCRAM-SHA-256\0" + struct.pack("!I", len(message)) + message

    def final(self, challenge: bytes) -> bytes:
        parts = dict(part.split("=", 1) for part in challenge.decode().split(","))
        salted = hashlib.pbkdf2_hmac("sha256", self._password, base64.b64decode(parts["s"]), int(parts["i"]))
        client = hmac.digest(salted, b"Client Key", "sha256")
        unproved = f"c=biws,r={parts['r']}"
        signed = f"{self._bare},{challenge.decode()},{unproved}".encode()
        signature = hmac.digest(hashlib.sha256(client).digest(), signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(client, signature, strict=True))
        return f"{unproved},p={base64.b64encode(proof).decode()}".encode()


# -- what a test asks of an answer ---------------------------------------------------------------------------
def errors(frames: Iterable[Frame]) -> list[dict[str, str]]:
    return [got.fields for got in frames if got.type == b"E"]


def rows(frames: Iterable[Frame]) -> list[list[bytes | None]]:
    return [got.cells for got in frames if got.type == b"D"]


def tags(frames: Iterable[Frame]) -> list[str]:
    return [got.body.rstrip(b"\0").decode() for got in frames if got.type == b"C"]
