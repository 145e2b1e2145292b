"""Connects to a target and signs in there: transport, TLS with verification, and the protocol's Caller.
It must never speak plain text where the resource demands TLS, and keep no secret beyond the dial.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from wicketgate.model.errors import GatewayError, UpstreamFailed
from wicketgate.model.resource import Account, Resource, TlsMode
from wicketgate.model.secret import Secret
from wicketgate.protocols.base import Call, Caller, Connected, DialFailed, ProtocolSpec

UNREACHED = "The target can't be reached."
REFUSED_SETTING = "The target refuses a setting that the connection asks for."
"""What clients are told; why is the operator's to know."""

KEYS_KEPT = 60.0
"""Seconds that what makes dials fast is kept after an account's last session."""


class ResumingContext(ssl.SSLContext):
    """A client context that resumes the last TLS session it saw.

    asyncio has no parameter for it, but both its loops come through `wrap_bio`.
    """

    resume: ssl.SSLSession | None = None

    def wrap_bio(self, *arguments: Any, **named: Any) -> ssl.SSLObject:
        if self.resume is not None:
            named["session"] = self.resume
        return super().wrap_bio(*arguments, **named)


def client_context(resource: Resource, alpn: tuple[str, ...]) -> ResumingContext:
    """TLS 1.2 or newer towards a target, verifying as its `tls` says. Raises OSError for a bad CA file."""
    context = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = resource.tls is TlsMode.VERIFY_FULL
    if resource.tls in (TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL):
        context.verify_mode = ssl.CERT_REQUIRED
        if resource.ca_file is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(cafile=resource.ca_file)
    else:
        context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def end_point_hash(certificate: bytes) -> bytes | None:
    """tls-server-end-point (RFC 5929, 4.1) of a DER certificate: its signature's hash, SHA-256 for weak ones.

    None where the signature has no single hash (Ed25519): no binding is then possible.
    """
    used = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    if used is None:
        return None
    algorithm = hashes.SHA256() if isinstance(used, hashes.MD5 | hashes.SHA1) else used
    digest = hashes.Hash(algorithm)
    digest.update(certificate)
    return digest.finalize()


class _Kept:
    """What is kept of one account: keys of fast dials, a TLS context, and how many sessions use them."""

    __slots__ = ("context", "keys", "resource", "timer", "users", "version")

    def __init__(self, version: str, resource: Resource) -> None:
        self.version = version
        self.resource = resource
        self.keys: dict[Any, Any] = {}
        self.context: ResumingContext | None = None
        self.users = 0
        self.timer: asyncio.TimerHandle | None = None


class Trunk(asyncio.Protocol):
    """Carries a Caller's bytes. `changed()` waits until something came."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.transport: asyncio.Transport | None = None
        self.answer: bytes | None = None
        self.lost: str | None = None
        self.begun = False
        self._waiter: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if not self.begun:
            self.answer = (self.answer or b"") + data
        elif self.lost is None:
            try:
                self.caller.receive(data)
                self.flush()
            except Exception as error:
                self.lost = f"{type(error).__name__} while signing in"
            if self.caller.outcome is not None and self.transport is not None:
                self.transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.lost is None:
            self.lost = "the target closed the connection" if exc is None else f"{exc}"
        self._wake()

    def flush(self) -> None:
        out = self.caller.bytes_to_send()
        if out and self.transport is not None:
            self.transport.write(out)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def changed(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter


@dataclass(frozen=True, slots=True)
class Dialled:
    """A target that let us in. transport: reading is paused. rest: bytes that came behind the sign-in."""

    transport: asyncio.Transport
    session: Any
    rest: bytes


class Dialer:
    """Dials for one worker. seconds: for connect, TLS and sign-in together.

    version: a resource's account -> the version that holds now (it changes with its credential).
    """

    def __init__(self, seconds: float, version: Callable[[Resource, Account], str]) -> None:
        self._seconds = seconds
        self._version = version
        self._kept: dict[tuple[str, str], _Kept] = {}

    # -- what is kept per account ---------------------------------------------------------------------------
    def acquire(self, resource: Resource, account: Account) -> None:
        """A session of this account begins."""
        kept = self._keep(resource, account)
        kept.users += 1
        if kept.timer is not None:
            kept.timer.cancel()
            kept.timer = None

    def release(self, resource: Resource, account: Account) -> None:
        """A session of this account ended; its keys go 60 s after the last one."""
        at = (resource.name, account.name)
        kept = self._kept.get(at)
        if kept is None:
            return
        kept.users = max(0, kept.users - 1)
        if not kept.users and kept.timer is None:
            kept.timer = asyncio.get_running_loop().call_later(KEYS_KEPT, self._drop, at, kept)

    def review(self, resource: Callable[[str], Resource | None]) -> None:
        """After a commit: keys of accounts that are gone or have another version go at once."""
        for (name, account_name), kept in list(self._kept.items()):
            now = resource(name)
            account = now.accounts.get(account_name) if now is not None else None
            if now is None or account is None or self._version(now, account) != kept.version:
                kept.keys.clear()
                kept.context = None
                kept.version = ""

    def _drop(self, at: tuple[str, str], kept: _Kept) -> None:
        kept.keys.clear()
        if self._kept.get(at) is kept:
            del self._kept[at]

    def _keep(self, resource: Resource, account: Account) -> _Kept:
        version = self._version(resource, account)
        at = (resource.name, account.name)
        kept = self._kept.get(at)
        if kept is None:
            kept = self._kept[at] = _Kept(version, resource)
        elif kept.version != version or kept.resource != resource:
            # Cleared in place as well: a dial under way with the old version must leave nothing behind.
            kept.keys.clear()
            kept.keys = {}
            kept.context = None
            kept.version, kept.resource = version, resource
        return kept

    # -- dialling -------------------------------------------------------------------------------------------
    async def dial(
        self,
        spec: ProtocolSpec,
        call: Callable[[dict[Any, Any]], Call],
        resource: Resource,
        account: Account,
        secret: Callable[[], Awaitable[Secret]],
    ) -> Dialled:
        """Connect and sign in. Raises UpstreamFailed (its detail holds no secret) or what `secret` raises."""
        kept = self._keep(resource, account)
        caller = spec.dial(call(kept.keys))
        trunk = Trunk(caller)
        try:
            async with asyncio.timeout(self._seconds):
                binding = await self._connect(spec, trunk, resource, kept)
                trunk.begun = True
                caller.begin(binding)
                trunk.flush()
                await self._sign_in(trunk, secret)
        except BaseException as error:
            if trunk.transport is not None:
                trunk.transport.abort()
            if isinstance(error, TimeoutError):
                raise _failed("timed out") from None
            if isinstance(error, OSError):
                raise _failed(f"{error}") from None
            raise
        assert trunk.transport is not None
        assert isinstance(caller.outcome, Connected)
        tls = trunk.transport.get_extra_info("ssl_object")
        if kept.context is not None and tls is not None and tls.session is not None:
            kept.context.resume = tls.session
        return Dialled(trunk.transport, caller.outcome.session, caller.rest())

    async def _connect(
        self, spec: ProtocolSpec, trunk: Trunk, resource: Resource, kept: _Kept
    ) -> bytes | None:
        """Transport and TLS. The tls-server-end-point hash, or None."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(lambda: trunk, resource.host, resource.port)
        end = transport.get_extra_info("socket")
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if resource.tls is TlsMode.DISABLE:
            return None
        request = trunk.caller.tls_request()
        if request is not None:
            transport.write(request)
            while trunk.answer is None:
                if trunk.lost is not None:
                    raise _failed(trunk.lost)
                await trunk.changed()
            if not trunk.caller.tls_answer(trunk.answer):
                outcome = trunk.caller.outcome
                detail = outcome.detail if isinstance(outcome, DialFailed) else "the target has no TLS"
                raise _failed(detail)
        if kept.context is None:
            kept.context = client_context(resource, spec.alpn)
        try:
            secured = await loop.start_tls(transport, trunk, kept.context, server_hostname=resource.host)
        except ssl.SSLCertVerificationError as error:
            raise _failed(f"certificate: {error.verify_message}") from None
        if secured is None:
            raise _failed("the target closed the connection")
        trunk.transport = secured
        certificate = secured.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return end_point_hash(certificate) if certificate else None

    async def _sign_in(self, trunk: Trunk, secret: Callable[[], Awaitable[Secret]]) -> None:
        caller = trunk.caller
        provided = False
        while caller.outcome is None:
            if trunk.lost is not None:
                raise _failed(trunk.lost)
            if caller.needs_secret and not provided:
                provided = True
                caller.provide(await secret())
                trunk.flush()
            else:
                await trunk.changed()
        if isinstance(caller.outcome, DialFailed):
            code = f" ({caller.outcome.code})" if caller.outcome.code else ""
            told = REFUSED_SETTING if caller.outcome.asked else UNREACHED
            raise UpstreamFailed(told, f"{caller.outcome.detail}{code}")
        if trunk.lost is not None:
            raise _failed(trunk.lost)

    async def send_cancel(
        self,
        spec: ProtocolSpec,
        call: Callable[[dict[Any, Any]], Call],
        resource: Resource,
        account: Account,
        request: bytes,
    ) -> None:
        """Send a request to cancel over a connection of its own, and wait until the target closes it.

        Raises UpstreamFailed.
        """
        kept = self._keep(resource, account)
        trunk = Trunk(spec.dial(call({})))
        try:
            async with asyncio.timeout(self._seconds):
                await self._connect(spec, trunk, resource, kept)
                assert trunk.transport is not None
                trunk.transport.write(request)
                while trunk.lost is None:
                    await trunk.changed()
        except TimeoutError:
            raise _failed("timed out") from None
        except OSError as error:
            raise _failed(f"{error}") from None
        finally:
            if trunk.transport is not None:
                trunk.transport.abort()


def _failed(detail: str) -> GatewayError:
    return UpstreamFailed(UNREACHED, detail)
