"""We sign in to a PostgreSQL server (stage 3), sans I/O: TLS asked for, startup, authentication, its reports.
It must never send a password in clear outside TLS, nor show what the server wrote once it knows a password.
Source: PostgreSQL manual, "Start-up", "SASL Authentication", "SSL Session Encryption".
"""

import hashlib
import os
import struct
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Final

from wicketgate.model.resource import TlsMode
from wicketgate.model.secret import Secret
from wicketgate.protocols.base import Call, Connected, DialFailed
from wicketgate.protocols.postgres import login, messages, scram
from wicketgate.protocols.postgres.frames import FrameError, frame
from wicketgate.protocols.postgres.inbox import Inbox
from wicketgate.protocols.postgres.settings import shown
from wicketgate.sql import settings as listed

FRAME_LIMIT: Final = 65_536
"""Bytes of one message: a security limit. libpq takes 30 000 for an error, 2 000 for authentication."""

FRAMES_LIMIT: Final = 1000
"""Messages until ReadyForQuery: a security limit. A server sends about twenty."""

KEPT_KEYS: Final = 4
"""SCRAM keys kept per account: a salt changes only with the password, or from one replica set to another."""

APPLICATION: Final = "wicketgate"

_OK, _CLEAR, _MD5, _SASL, _SASL_CONTINUE, _SASL_FINAL = 0, 3, 5, 10, 11, 12


class _Failed(Exception):
    """This dial is over. The text is for the operator."""


_SHOW = frame(b"Q", b"SHOW default_transaction_read_only\0")


class Caller:
    """Our sign-in to the target, sans I/O (see base.Caller). Never raises for what a server sends."""

    __slots__ = (
        "_binding", "_call", "_exchange", "_frames", "_inbox", "_key", "_knows", "_out", "_parameters",
        "_resume", "_secure", "_shown", "_token", "_turn", "_used", "needs_secret", "outcome",
    )  # fmt: skip

    def __init__(self, call: Call, token: Callable[[int], bytes]) -> None:
        self.outcome: Connected | DialFailed | None = None
        self.needs_secret = False
        self._call = call
        self._token = token
        self._inbox = Inbox(FRAME_LIMIT)
        self._out: list[bytes] = []
        self._secure = False
        self._binding: bytes | None = None
        self._exchange: scram.Exchange | None = None
        self._used: object = None
        self._knows = False
        self._parameters: dict[str, str] = {}
        self._key: tuple[int, bytes] | None = None
        self._frames = 0
        self._resume: Callable[[Secret], None] | None = None
        self._turn: Callable[[int, bytes], None] = self._await_authentication
        self._shown: bytes | None = None

    # -- TLS ------------------------------------------------------------------------------------------------
    def tls_request(self) -> bytes | None:
        """SSLRequest, or None where the resource says that the link has no TLS."""
        return None if self._call.resource.tls is TlsMode.DISABLE else login.SSL_PACKET

    def tls_answer(self, data: bytes) -> bool:
        """Whether TLS starts. Anything but one `S` ends the dial: nobody has proven who wrote it."""
        if data == b"S":
            self._secure = True
            return True
        if data == b"N":
            self._end("the target does not offer TLS")
        elif data[:1] == b"S":
            self._end("the target sent bytes before the TLS handshake")
        elif data[:1] == b"E":
            self._end("the target answered the request for TLS with an error")
        else:
            self._end("the target's answer to the request for TLS is none of PostgreSQL's")
        return False

    def begin(self, binding: bytes | None) -> None:
        """Send the startup packet. binding: tls-server-end-point (RFC 5929); None where there is none."""
        if self.outcome is not None:
            return
        if self._call.resource.tls is not TlsMode.DISABLE and not self._secure:
            self._end("TLS is wanted and was not started")
            return
        self._binding = binding if self._secure else None
        packet = b"".join(
            name.encode() + b"\0" + value.encode() + b"\0" for name, value in self._startup().items()
        )
        version = login.PROTOCOL_MAJOR << 16
        self._out.append(struct.pack(">II", len(packet) + 9, version) + packet + b"\0")

    def _asked(self) -> Mapping[str, str]:
        """The settings that the client asks for."""
        return self._call.startup.parameters if isinstance(self._call.startup, login.Startup) else {}

    def _startup(self) -> dict[str, str]:
        # the client's settings first: none of them can stand in for what is ours to say
        chosen = dict(self._asked())
        if self._call.resource.sensitive.get(self._call.database):
            # a plan is not the client's to choose here (sql/settings); results are the same without
            chosen = {name: value for name, value in chosen.items() if not listed.chooses_plans(name)}
        chosen.setdefault("application_name", APPLICATION)
        chosen["client_encoding"] = "UTF8"
        if self._call.read_only:
            chosen["default_transaction_read_only"] = "on"
        chosen["user"] = self._call.account.username
        chosen["database"] = self._call.database
        return chosen

    # -- bytes ----------------------------------------------------------------------------------------------
    def receive(self, data: bytes) -> None:
        """Take bytes. What lies behind ReadyForQuery is kept for `rest`."""
        if isinstance(self.outcome, DialFailed):
            return
        self._inbox.put(data)
        try:
            while self.outcome is None:
                taken = self._inbox.frame()
                if taken is None:
                    break
                self._frames += 1
                if self._frames > FRAMES_LIMIT:
                    raise _Failed("the target sends message after message and never gets ready")
                self._take(*taken)
        except FrameError:
            self._end("the target's messages are malformed")
        except (_Failed, scram.ScramError) as failed:
            self._end(str(failed))

    def provide(self, secret: Secret) -> None:
        """The credential that `needs_secret` asked for. An empty one ends the dial."""
        resume, self._resume = self._resume, None
        self.needs_secret = False
        if self.outcome is not None or resume is None:
            return
        password = secret.reveal()
        if not password or b"\0" in password:
            self._end("the target asks for a password and the account has no usable one")
            return
        try:
            resume(secret)
        except (_Failed, scram.ScramError) as failed:
            self._end(str(failed))

    def bytes_to_send(self) -> bytes:
        """What is to go to the target, once."""
        out = b"".join(self._out)
        self._out.clear()
        return out

    def rest(self) -> bytes:
        """Bytes received behind ReadyForQuery."""
        return self._inbox.take()

    # -- messages -------------------------------------------------------------------------------------------
    def _take(self, kind: int, body: bytes) -> None:
        if kind == 69:  # ErrorResponse
            self._refused(body)
        elif kind == 78:  # NoticeResponse: nobody asked anything yet
            return
        elif self.needs_secret:
            raise _Failed("the target did not wait for our answer")
        else:
            self._turn(kind, body)

    def _refused(self, body: bytes) -> None:
        fields = messages.fields_of(body)
        code = messages.sqlstate(fields.get("C"))
        if code[:2] == "28" and self._used is not None:
            # kept keys may be of a password that was changed there and here: the next dial asks anew
            self._call.keys.pop(self._used, None)
        text = "" if self._knows else shown(fields.get("M", ""), 300)
        asked = bool(self._asked()) and code in ("22023", "42704")
        self._end(f"the target refused to sign us in: {code} {text}".rstrip(), code, asked)

    def _await_authentication(self, kind: int, body: bytes) -> None:
        if kind == 118:  # NegotiateProtocolVersion
            # asked for 3.0 and no option, there is nothing to take back
            if len(body) < 8 or body[:8] != struct.pack(">II", login.PROTOCOL_MAJOR << 16, 0):
                raise _Failed("the target does not speak protocol 3.0")
            return
        method, rest = _authentication(kind, body)
        if method == _OK:
            self._turn = self._await_ready
        elif method == _CLEAR:
            if not self._secure:
                raise _Failed("the target asks for the password in clear outside TLS")
            self._ask(self._answer_clear)
        elif method == _MD5:
            if len(rest) != 4:
                raise _Failed("the target's md5 salt is malformed")
            self._challenge_md5(rest)
        elif method == _SASL:
            self._choose(rest)
        else:
            raise _Failed(f"the target asks for authentication method {method}, which is not supported")

    def _ask(self, resume: Callable[[Secret], None]) -> None:
        if self._call.account.credential.source == "none":
            raise _Failed("the target asks for a password and the account has none")
        self._turn = self._await_ok
        self._resume = resume
        self.needs_secret = True

    def _answer_clear(self, secret: Secret) -> None:
        self._knows = True
        self._out.append(frame(b"p", secret.reveal() + b"\0"))

    # -- md5 ------------------------------------------------------------------------------------------------
    def _challenge_md5(self, salt: bytes) -> None:
        slot = ("md5", self._call.account.username)

        def answer(inner: Secret) -> None:
            digest = hashlib.md5(inner.reveal() + salt, usedforsecurity=False).hexdigest()
            self._out.append(frame(b"p", b"md5" + digest.encode() + b"\0"))

        def keep(secret: Secret) -> None:
            text = secret.reveal() + self._call.account.username.encode()
            inner = Secret(hashlib.md5(text, usedforsecurity=False).hexdigest().encode())
            self._call.keys[slot] = inner
            answer(inner)

        self._used = slot
        kept = self._call.keys.get(slot)
        if isinstance(kept, Secret):
            self._turn = self._await_ok
            answer(kept)
        else:
            self._ask(keep)

    # -- SCRAM ----------------------------------------------------------------------------------------------
    def _choose(self, offer: bytes) -> None:
        offered = offer.split(b"\0")
        plus, plain = scram.PLUS.encode() in offered, scram.PLAIN.encode() in offered
        if self._binding is not None and plus:
            mechanism, header, binding = scram.PLUS, "p=tls-server-end-point,,", self._binding
        elif plain:
            # y: we could bind and believe that the server can't; it refuses if it had offered to
            mechanism, header, binding = scram.PLAIN, "n,," if self._binding is None else "y,,", b""
        else:
            raise _Failed("the target offers no SASL mechanism that we can use")
        nonce = b64encode(self._token(scram.NONCE_BYTES)).decode()
        self._exchange = scram.Exchange(mechanism, header, binding, nonce)
        first = self._exchange.first()
        self._out.append(frame(b"p", mechanism.encode() + b"\0" + struct.pack(">I", len(first)) + first))
        self._turn = self._await_challenge

    def _await_challenge(self, kind: int, body: bytes) -> None:
        method, rest = _authentication(kind, body)
        exchange = self._exchange
        if method != _SASL_CONTINUE or exchange is None:
            raise _Failed("the target broke off the SCRAM exchange")
        # inside TLS an operator's own lower count does no harm
        exchange.challenge(rest, 1 if self._secure else scram.FEWEST_ITERATIONS)
        keys = self._call.keys
        slot = ("scram", self._call.account.username, exchange.salt, exchange.iterations)
        self._used = slot

        def answer(found: scram.Keys) -> None:
            self._out.append(frame(b"p", exchange.final(found)))

        def keep(secret: Secret) -> None:
            derived = scram.derive(secret.reveal(), exchange.salt, exchange.iterations)
            older = [one for one in keys if isinstance(one, tuple) and one[:1] == ("scram",)]
            for one in older[: max(0, len(older) - KEPT_KEYS + 1)]:
                del keys[one]
            keys[slot] = derived
            answer(derived)

        kept = keys.get(slot)
        if isinstance(kept, scram.Keys):
            answer(kept)
        else:
            self._ask(keep)
        self._turn = self._await_proof

    def _await_proof(self, kind: int, body: bytes) -> None:
        method, rest = _authentication(kind, body)
        if method != _SASL_FINAL or self._exchange is None:
            raise _Failed("the target did not prove that it knows the password")
        self._exchange.verify(rest)
        self._turn = self._await_ok

    def _await_ok(self, kind: int, body: bytes) -> None:
        method, _ = _authentication(kind, body)
        if method != _OK:
            raise _Failed("the target asks for a second authentication")
        self._turn = self._await_ready

    # -- reports --------------------------------------------------------------------------------------------
    def _await_ready(self, kind: int, body: bytes) -> None:
        if kind == 83:  # ParameterStatus
            name, value = _report(body)
            self._parameters[name] = value
        elif kind == 75:  # BackendKeyData
            if not 8 <= len(body) <= 4 + 256 or self._key is not None:
                raise _Failed("the target's cancel key is malformed")
            self._key = (int.from_bytes(body[:4], "big"), body[4:])
        elif kind == 90:  # ReadyForQuery
            if body != b"I":
                raise _Failed("the target is not idle after sign-in")
            self._ready()
        else:
            raise _Failed(f"the target sent message type {kind} while signing us in")

    def _ready(self) -> None:
        reported = {name.lower(): value for name, value in self._parameters.items()}
        version = login.version_number(reported.get("server_version", ""))
        if self._key is None:
            raise _Failed("the target gave no cancel key")
        if version is None:
            raise _Failed("the target does not name its version")
        if not listed.encoding_is_utf8(reported.get("client_encoding", "")):
            raise _Failed("the target's session is not in UTF8: its text could not be read")
        if listed.boolean(reported.get("standard_conforming_strings", "on")) is not True:
            raise _Failed("standard_conforming_strings is off at the target: SQL would be read differently")
        if self._call.read_only:
            told = reported.get("default_transaction_read_only")
            if told is None and self._shown is None:
                # servers before 14 don't report it, and a pooler may have dropped it
                self._out.append(_SHOW)
                self._turn = self._await_shown
                return
            found = told if told is not None else (self._shown or b"").decode("latin-1")
            if listed.boolean(found) is not True:
                raise _Failed("the target did not make the session read-only")
        self.outcome = Connected(
            login.ServerSession(
                parameters=self._parameters,
                pid=self._key[0],
                key=self._key[1],
                server_version_num=version,
                database=self._call.database,
                user=self._call.account.username,
            )
        )

    def _await_shown(self, kind: int, body: bytes) -> None:
        """The answer to our question whether the session is read-only."""
        if kind == 83:  # ParameterStatus
            name, value = _report(body)
            self._parameters[name] = value
        elif kind == 68 and self._shown is None:  # DataRow: one column of text
            if len(body) < 6 or body[:2] != b"\0\1" or int.from_bytes(body[2:6], "big") != len(body) - 6:
                raise _Failed("the target's answer is malformed")
            self._shown = body[6:]
        elif kind == 90 and body == b"I":
            self._shown = self._shown or b""
            self._ready()
        elif kind not in (84, 67):  # RowDescription, CommandComplete
            raise _Failed(f"the target sent message type {kind} while signing us in")

    def _end(self, detail: str, code: str | None = None, asked: bool = False) -> None:
        self.outcome = DialFailed(detail, code, asked)
        self.needs_secret = False
        self._resume = None
        self._inbox.take()


def dial(call: Call, token: Callable[[int], bytes] = os.urandom) -> Caller:
    """Begin to sign in to the target. token: so many bytes from a source of secrets."""
    return Caller(call, token)


def _authentication(kind: int, body: bytes) -> tuple[int, bytes]:
    if kind != 82 or len(body) < 4:
        raise _Failed(f"the target sent message type {kind} while authenticating us")
    method = int.from_bytes(body[:4], "big")
    if method == _OK and len(body) != 4:
        raise _Failed("the target's authentication message is malformed")
    return method, body[4:]


def _report(body: bytes) -> tuple[str, str]:
    parts = body.split(b"\0")
    if len(parts) != 3 or parts[2] or not parts[0]:
        raise _Failed("the target's parameter report is malformed")
    try:
        return parts[0].decode(), parts[1].decode()
    except UnicodeDecodeError:
        raise _Failed("the target's parameter report is not UTF-8") from None
