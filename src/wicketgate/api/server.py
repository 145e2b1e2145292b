"""The API's servers: our socket (same user only) and, where set, HTTPS; on a thread and loop of its own.
They must never trust a header to say who or where a client is, nor open the socket to another user."""

import asyncio
import contextlib
import os
import socket
import ssl
import stat
import struct
import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from wicketgate.admin.ports import Office
from wicketgate.api.people import CERTIFICATE, LOCAL
from wicketgate.api.problems import Receive, Scope, Send
from wicketgate.api.routes import make
from wicketgate.model.errors import GatewayError

CONNECTIONS: Final = 200
HEAD_MOST: Final = 32 * 1024
"""Bytes of a request's head at most: a security limit."""


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """socket: path of the local socket; its folder is ours alone. https: (host, port), or None for none.

    certificate, key: PEM files for HTTPS; needed where https is set. request_seconds: in which a request must
    have arrived whole, counted from the connection's start or the answer before. url: where others reach it.
    client_ca: PEM; clients may then show a certificate of it.
    """

    socket: Path
    https: tuple[str, int] | None = None
    certificate: Path | None = None
    key: Path | None = None
    request_seconds: float = 10.0
    url: str | None = None
    client_ca: Path | None = None


def peer_uid(connection: Any) -> int | None:
    """The user id of a Unix socket's peer, from the kernel (SO_PEERCRED); None where it can't be told."""
    try:
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", data)[1])
    except (OSError, AttributeError, struct.error):
        return None


class _Protocol(H11Protocol):
    """HTTP/1.1 with a deadline for each request's whole arrival: trickled bytes do not put it off."""

    seconds: float
    deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch(afresh=True)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch(afresh=False)

    def on_response_complete(self) -> None:
        # an answer that did not wait for the body does not make the body's time longer
        afresh = self.conn.their_state is not h11.SEND_BODY
        super().on_response_complete()
        self._watch(afresh)

    def _watch(self, afresh: bool) -> None:
        arriving = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
        if self.deadline is not None and (afresh or not arriving):
            self.deadline.cancel()
            self.deadline = None
        if self.deadline is None and arriving:
            self.deadline = self.loop.call_later(self.seconds, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.deadline is not None:
            self.deadline.cancel()
        super().connection_lost(exc)


class _SecureProtocol(_Protocol):
    """Over TLS: requests know the certificate that their connection's client has shown."""

    def connection_made(self, transport: Any) -> None:
        certificate = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        if certificate:
            self.app_state = {**self.app_state, CERTIFICATE: bytes(certificate)}
        super().connection_made(transport)


class _LocalProtocol(_Protocol):
    """On our socket: whoever is not the same user is cut off before a byte is read."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if peer_uid(transport.get_extra_info("socket")) != os.geteuid():
            transport.abort()


class _Local:
    """Marks what comes in over our socket. Only the socket's own server wraps the application in it."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[LOCAL] = os.geteuid()
        await self._app(scope, receive, send)


def _server(app: Any, protocol: type[H11Protocol], settings: ApiSettings, secure: bool) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        http=type(protocol.__name__, (protocol,), {"seconds": settings.request_seconds}),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        log_level="critical",
        server_header=False,
        # nobody stands before us: X-Forwarded-For is a client's word
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=3,
        h11_max_incomplete_event_size=HEAD_MOST,
        ssl_certfile=str(settings.certificate) if secure and settings.certificate else None,
        ssl_keyfile=str(settings.key) if secure and settings.key else None,
    )
    config.load()
    if config.ssl is not None:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.client_ca is not None:
            config.ssl.load_verify_locations(cafile=settings.client_ca)
            config.ssl.verify_mode = ssl.CERT_OPTIONAL
            config.ssl.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
            config.ssl.num_tickets = 0
    return uvicorn.Server(config)


def bind_local(path: Path) -> socket.socket:
    """Our socket, 0600 from its first moment. Replaces one that nobody answers on.

    Raises GatewayError where another gateway answers, or the path is something else."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise GatewayError(f"{path} exists and is no socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(str(path))
            except (ConnectionRefusedError, FileNotFoundError):
                path.unlink(missing_ok=True)
            except OSError as error:
                raise GatewayError(f"{path} can't be taken: {error.strerror}", str(error)) from None
            else:
                raise GatewayError(f"another gateway answers on {path}")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        # the mode of the inode that bind makes: nobody can connect between bind and a later chmod
        os.fchmod(sock.fileno(), 0o600)
        sock.bind(str(path))
        os.chmod(path, 0o600)
        sock.listen(64)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise GatewayError(f"{path} can't be bound: {error.strerror or error}", str(error)) from None
    return sock


def _bind_https(address: tuple[str, int]) -> socket.socket:
    host, port = address
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.create_server((host, port), family=family, backlog=64)
    except OSError as error:
        raise GatewayError(
            f"the API can't listen on {host}:{port}: {error.strerror or error}", str(error)
        ) from None
    sock.setblocking(False)
    return sock


class ApiHandle:
    """The running API. port: of HTTPS, None where there is none."""

    def __init__(self, settings: ApiSettings, log: Callable[[str], None]) -> None:
        self._settings = settings
        self._log = log
        self._servers: list[uvicorn.Server] = []
        self._sockets: list[socket.socket] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self.port: int | None = None

    def _start(self, office: Callable[[], AbstractAsyncContextManager[Office]]) -> None:
        if self._settings.https is not None:
            if self._settings.certificate is None or self._settings.key is None:
                raise GatewayError("the API over HTTPS needs a certificate and its key")
            self._sockets.append(_bind_https(self._settings.https))
            self.port = int(self._sockets[0].getsockname()[1])
        try:
            self._sockets.append(bind_local(self._settings.socket))
        except GatewayError:
            self._close()
            raise
        self._thread = threading.Thread(target=self._run, args=(office,), name="api", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            self.stop()
            raise self._error

    def _run(self, office: Callable[[], AbstractAsyncContextManager[Office]]) -> None:
        try:
            asyncio.run(self._serve(office))
        except BaseException as error:  # the thread's end: told to whoever waits, and to the operator
            self._error = error
            self._log(f"api: ended by {type(error).__name__}")
        finally:
            self._ready.set()

    async def _serve(self, office: Callable[[], AbstractAsyncContextManager[Office]]) -> None:
        async with office() as opened:
            app = make(opened, self._log, self._settings.url)
            https = self._sockets[:-1]
            self._servers = [_server(_Local(app), _LocalProtocol, self._settings, secure=False)]
            if https:
                self._servers.append(_server(app, _SecureProtocol, self._settings, secure=True))
            pairs = zip(self._servers, (self._sockets[-1], *https), strict=True)
            async with asyncio.TaskGroup() as group:
                self._tasks = [
                    group.create_task(server.serve(sockets=[sock]), name="api server")
                    for server, sock in pairs
                ]
                self._ready.set()

    def _close(self) -> None:
        for sock in self._sockets:
            sock.close()
        self._sockets.clear()

    def stop(self, patience: float = 6.0) -> None:
        """End it; waits for the thread, `patience` seconds at most. May be called twice, from any thread."""
        for server in self._servers:
            server.should_exit = True
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(patience)
        if self._sockets:
            self._close()
            self._settings.socket.unlink(missing_ok=True)


def serve(
    office: Callable[[], AbstractAsyncContextManager[Office]],
    settings: ApiSettings,
    log: Callable[[str], None],
) -> ApiHandle:
    """Bind, start the thread, and return once requests are taken. office: opened on the API's own loop.

    Raises GatewayError where a port or the socket can't be had, or what the office raises when it is opened.
    """
    handle = ApiHandle(settings, log)
    handle._start(office)
    return handle
