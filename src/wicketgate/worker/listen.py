"""Accepts clients: looks at their first bytes without consuming them, starts TLS, and runs the greeting.
No handshake runs in the accept loop, none without a deadline, and half-open ones are bounded.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, cast

from wicketgate.protocols.base import (
    CancelAsked,
    Greeter,
    Greeting,
    GreetingFailed,
    ProtocolSpec,
    SignedIn,
)
from wicketgate.worker.session import LINGER
from wicketgate.worker.tasks import Tasks
from wicketgate.worker.tls import shown

ACCEPTS = 16
"""Clients accepted in one turn at most, so that open sessions are not delayed."""
PEEK = 1024
"""Bytes that a preamble may look at. A security limit: what needs more is refused."""
ROUNDS = 8
"""Replies before TLS at most (a client may ask for GSS, then for TLS)."""


@dataclass(frozen=True, slots=True)
class HandshakeLimits:
    """seconds: from accept to a whole sign-in. most, per_source: half-open handshakes; the oldest goes."""

    seconds: float = 10.0
    most: int = 1024
    per_source: int = 256


@dataclass(frozen=True, slots=True)
class Guest:
    """A client that has signed in (or asks to cancel), with its transport paused."""

    spec: ProtocolSpec
    transport: asyncio.Transport
    greeter: Greeter
    outcome: SignedIn | CancelAsked
    source: str


class Porch:
    """Half-open handshakes, oldest first in all and by source."""

    def __init__(self, limits: HandshakeLimits) -> None:
        self._limits = limits
        self._by_source: dict[str, dict[object, Callable[[], Any]]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def enter(self, source: str, visit: object, evict: Callable[[], Any]) -> None:
        """Count a handshake; where there are too many, the oldest of the source that has most goes."""
        mine = self._by_source.setdefault(source, {})
        mine[visit] = evict
        self._count += 1
        if len(mine) > self._limits.per_source:
            self._evict(source)
        elif self._count > self._limits.most:
            self._evict(max(self._by_source, key=lambda each: len(self._by_source[each])))

    def leave(self, source: str, visit: object) -> None:
        """The handshake is over. Does nothing where it was evicted before."""
        mine = self._by_source.get(source)
        if mine is not None and mine.pop(visit, None) is not None:
            self._count -= 1
            if not mine:
                del self._by_source[source]

    def _evict(self, source: str) -> None:
        visit, evict = next(iter(self._by_source[source].items()))
        self.leave(source, visit)
        evict()


class Door(asyncio.Protocol):
    """Carries the greeting's bytes until its outcome; then reading pauses and `outcome` is set."""

    def __init__(self, greet: Callable[[asyncio.Transport], Greeter]) -> None:
        self._greet = greet
        self.greeter: Greeter | None = None
        self.transport: asyncio.Transport | None = None
        self.outcome: asyncio.Future[SignedIn | CancelAsked | GreetingFailed] = (
            asyncio.get_running_loop().create_future()
        )
        self.gone = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self.transport = cast(asyncio.Transport, transport)
        try:
            self.greeter = self._greet(self.transport)
        except Exception as error:
            self._fail(error)

    def data_received(self, data: bytes) -> None:
        if self.transport is None or self.greeter is None:
            return
        if self.outcome.done():
            if self.greeter.parting:
                self._part(self.transport, self.greeter, data)
            return
        try:
            self.greeter.receive(data)
            out = self.greeter.bytes_to_send()
        except Exception as error:
            self._fail(error)
            return
        if out:
            self.transport.write(out)
        if self.greeter.outcome is not None:
            self.transport.pause_reading()
            self.outcome.set_result(self.greeter.outcome)

    @staticmethod
    def _part(transport: asyncio.Transport, greeter: Greeter, data: bytes) -> None:
        """A client that was refused answers once more, as its protocol wants it."""
        try:
            greeter.receive(data)
            transport.write(greeter.bytes_to_send())
        except Exception:
            transport.abort()
            return
        if not greeter.parting:
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        if not self.outcome.done():
            self.outcome.set_result(GreetingFailed("the client left"))

    def _fail(self, error: Exception) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)


class Refused(Exception):
    """The client is not let in; it was told what it may know."""


class Listener:
    """One protocol's listening sockets in this worker.

    context: the server's TLS context at this time. welcome: takes over a guest (a coroutine of its own task).
    plain: plain text is let in from loopback. open: whether sign-ins are taken now. issuers: those that are
    trusted now (Greeting.issuers). takes: whether a client's certificate (DER) is one to sign in with.
    """

    def __init__(
        self,
        spec: ProtocolSpec,
        plain: bool,
        context: Callable[[ProtocolSpec], ssl.SSLContext],
        welcome: Callable[[Guest], Coroutine[Any, Any, None]],
        porch: Porch,
        limits: HandshakeLimits,
        tasks: Tasks,
        log: Callable[[str], None],
        issuers: Callable[[], Mapping[str, str]] = dict,
        takes: Callable[[bytes], bool] = lambda certificate: False,
    ) -> None:
        self._spec = spec
        self._takes = takes
        self._issuers = issuers
        self._plain = plain
        self._context = context
        self._welcome = welcome
        self._porch = porch
        self._limits = limits
        self._tasks = tasks
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._sockets: list[socket.socket] = []
        self._accepting = False

    def add(self, listening: socket.socket) -> None:
        """Take over an inherited listening socket."""
        listening.setblocking(False)
        self._sockets.append(listening)

    def open(self, accepting: bool) -> None:
        """Accept, or let clients wait in the kernel's queue."""
        if accepting is self._accepting:
            return
        self._accepting = accepting
        for listening in self._sockets:
            if accepting:
                self._loop.add_reader(listening.fileno(), self._accept, listening)
            else:
                self._loop.remove_reader(listening.fileno())

    def close(self) -> None:
        """Accept no more, ever."""
        self.open(False)
        for listening in self._sockets:
            listening.close()
        self._sockets.clear()

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTS):
            try:
                client, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # Out of descriptors: let others close theirs first.
                self._log(f"accept: {error}")
                self.open(False)
                self._loop.call_later(0.2, self.open, True)
                return
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._tasks.start(self._visit(client, plain_address(address[0])), "sign-in")

    async def _visit(self, client: socket.socket, source: str) -> None:
        """One client, from its first byte to the end of its sign-in."""
        task = asyncio.current_task()
        assert task is not None
        self._porch.enter(source, task, task.cancel)
        guest = None
        transport: list[asyncio.Transport] = []
        try:
            async with asyncio.timeout(self._limits.seconds):
                guest = await self._greet(client, source, transport)
        except (Refused, OSError, TimeoutError, ssl.SSLError):
            return
        except Exception as error:
            self._log(f"sign-in: {type(error).__name__}: {error}")
            return
        finally:
            self._porch.leave(source, task)
            if guest is None:
                _part(client, transport)
        await self._welcome(guest)
        door = guest.transport.get_protocol()
        if guest.greeter.parting and isinstance(door, Door):
            # refused, and waited for once more: it counts until it is gone
            self._porch.enter(source, task, guest.transport.abort)
            await door.gone.wait()
            self._porch.leave(source, task)

    async def _greet(self, client: socket.socket, source: str, made: list[asyncio.Transport]) -> Guest:
        alpn = await self._preamble(client)
        secure = alpn is not None
        context = self._context(self._spec) if secure else None
        plain_allowed = self._plain and ip_address(source).is_loopback

        def greet(transport: asyncio.Transport) -> Greeter:
            if alpn:
                chosen = transport.get_extra_info("ssl_object").selected_alpn_protocol()
                if chosen != alpn:
                    raise Refused
            return self._spec.greet(
                Greeting(
                    secure=secure,
                    plain_allowed=plain_allowed,
                    source=source,
                    certificate=self._certificate(transport) if secure else None,
                    issuers=self._issuers(),
                )
            )

        door = Door(greet)
        transport, _ = await self._loop.connect_accepted_socket(
            lambda: door,
            client,
            ssl=context,
            ssl_handshake_timeout=self._limits.seconds if context else None,
        )
        made.append(transport)
        outcome = await door.outcome
        if isinstance(outcome, GreetingFailed) or door.greeter is None:
            raise Refused
        return Guest(self._spec, transport, door.greeter, outcome, source)

    def _certificate(self, transport: asyncio.Transport) -> bytes | None:
        """What the client signs in with, if its certificate is one for that."""
        certificate = shown(transport)
        return certificate if certificate is not None and self._takes(certificate) else None

    async def _preamble(self, client: socket.socket) -> str | None:
        """Talk until TLS or plain text begins. The ALPN required, `""` for TLS without, None for plain."""
        seen = 0
        rounds = 0
        while True:
            peeked = await self._peek(client, seen)
            said = self._spec.preamble(peeked)
            if said.step == "more":
                seen = len(peeked)
                continue
            if said.step in ("begin", "direct-tls"):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
                return None if said.step == "begin" else said.alpn or ""
            if said.step == "tls" and len(peeked) != said.consume:
                # Bytes behind the request, before TLS: someone in between put them there.
                raise Refused
            rounds += 1
            if said.step == "refuse" or rounds > ROUNDS:
                # Unread bytes would turn the close into a reset, and the reply be lost.
                client.recv(PEEK)
                _say(client, said.reply)
                raise Refused
            client.recv(said.consume)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
            _say(client, said.reply)
            if said.step == "tls":
                return ""
            seen = 0

    async def _peek(self, client: socket.socket, seen: int) -> bytes:
        """Bytes that wait, more than `seen` of them, left where they are."""
        if seen >= PEEK:
            raise Refused
        if seen:
            # Level-triggered polling would spin on the bytes that are there already.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, seen + 1)
        while True:
            try:
                peeked = client.recv(PEEK, socket.MSG_PEEK)
            except BlockingIOError:
                await self._readable(client)
                continue
            if len(peeked) > seen:
                return peeked
            if not peeked:
                raise Refused
            await self._readable(client)
            if len(client.recv(PEEK, socket.MSG_PEEK)) <= seen:
                raise Refused

    async def _readable(self, client: socket.socket) -> None:
        ready = self._loop.create_future()

        def wake() -> None:
            if not ready.done():
                ready.set_result(None)

        self._loop.add_reader(client.fileno(), wake)
        try:
            await ready
        finally:
            self._loop.remove_reader(client.fileno())


def _say(client: socket.socket, reply: bytes) -> None:
    """A few bytes into an empty send buffer."""
    if reply and client.send(reply) != len(reply):
        raise Refused


def _part(client: socket.socket, transport: list[asyncio.Transport]) -> None:
    """Close what belongs to a client that is not let in; what was written to it may still leave."""
    if not transport:
        client.close()
        return
    transport[0].close()
    asyncio.get_running_loop().call_later(LINGER, transport[0].abort)


def plain_address(address: str) -> str:
    """An address without scope, and as IPv4 where it is one mapped into IPv6."""
    found = ip_address(address.split("%", 1)[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)
