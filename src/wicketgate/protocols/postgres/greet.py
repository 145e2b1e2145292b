"""A client signs in (stage 2): startup packet, then a token, as a password in clear or by SASL
OAUTHBEARER; or nothing, where its certificate signs it in.
It must never ask for either outside TLS unless the greeting says that plain text is allowed.
Source: PostgreSQL manual, "Start-up" and "Message Formats".
"""

import struct
from collections.abc import Callable
from typing import Final

from wicketgate.model.decision import Denial
from wicketgate.model.identity import Claim
from wicketgate.model.secret import Secret
from wicketgate.protocols.base import CancelAsked, Greeting, GreetingFailed, SignedIn
from wicketgate.protocols.postgres import login, messages, oauthbearer
from wicketgate.protocols.postgres.frames import FrameError, frame
from wicketgate.protocols.postgres.inbox import Inbox
from wicketgate.protocols.postgres.settings import StartupRefused, check_settings, parse_options, shown
from wicketgate.sql import settings as listed

PASSWORD_LIMIT: Final = 16_384
"""Bytes of a password message: a security limit (PostgreSQL's is 65 535); tokens have some thousand."""

BEHIND_LIMIT: Final = 65_536
"""Bytes that may lie behind a sign-in before it is answered: a security limit; ordinary clients send none."""

NAME_LIMIT: Final = 256
"""Characters of an identity's, an account's, a resource's or a database's name."""

ISSUER: Final = "wicketgate.issuer"
"""The setting by which a client asks to sign in by SASL OAUTHBEARER, and names the issuer: a server says how
to sign in before it knows what its client can."""

ASK_PASSWORD: Final = frame(b"R", b"\0\0\0\3")
ASK_SASL: Final = frame(b"R", b"\0\0\0\x0a" + oauthbearer.MECHANISM + b"\0\0")
PASSWORD: Final = ord("p")
TERMINATE: Final = ord("X")


class Greeter:
    """A client's sign-in, sans I/O (see base.Greeter). Never raises for what a client sends."""

    __slots__ = (
        "_configuration",
        "_greeting",
        "_inbox",
        "_last",
        "_minor",
        "_names",
        "_out",
        "_startup",
        "_turn",
        "outcome",
        "parting",
    )

    def __init__(self, greeting: Greeting) -> None:
        self.outcome: SignedIn | CancelAsked | GreetingFailed | None = None
        self._greeting = greeting
        self._inbox = Inbox(login.STARTUP_LIMIT)
        self._out: list[bytes] = []
        self._names: _Names | None = None
        self._startup = login.Startup(0)
        self._minor = 0
        self._turn: Callable[[], bool] = self._await_startup
        self._configuration: str | None = None
        self._last = b""
        self.parting = False

    def receive(self, data: bytes) -> None:
        """Take bytes. What lies behind the sign-in is kept for `rest`; too much of it undoes the sign-in."""
        self._inbox.put(data)
        if self.parting:
            self._await_farewell()
            return
        try:
            while self.outcome is None and self._turn():
                pass
        except StartupRefused as refused:
            self._fail(refused.code, refused.message, refused.hint)
        except FrameError:
            if self._turn == self._await_startup:
                # not a byte of this is PostgreSQL's protocol: the server says nothing either
                self._over("not a startup packet")
            else:
                self._fail("08P01", "password message is out of bounds")
        if len(self._inbox) > BEHIND_LIMIT:
            self._over("too many bytes behind the sign-in")

    def bytes_to_send(self) -> bytes:
        """What is to go to the client, once."""
        out = b"".join(self._out)
        self._out.clear()
        return out

    def refuse(self, denial: Denial) -> bytes:
        """The FATAL ErrorResponse for a sign-in that is not let in; in SASL, first where to get a token."""
        if self._configuration is None:
            return messages.sign_in_error(denial)
        self._last = messages.sign_in_error(denial)
        self.parting = True
        self._await_farewell()
        return self._challenge() + self.bytes_to_send()

    def rest(self) -> bytes:
        """Bytes received behind the sign-in."""
        return self._inbox.take()

    # -- turns: each takes one message, and says whether there was one --------------------------------------
    def _await_startup(self) -> bool:
        body = self._inbox.packet(least=8)
        if body is None:
            return False
        version = int.from_bytes(body[:4], "big")
        if version == login.CANCEL_REQUEST:
            self._cancel(body[4:])
            return True
        major, minor = version >> 16, version & 0xFFFF
        if version in (login.SSL_REQUEST, login.GSS_REQUEST):
            raise StartupRefused("08P01", "encryption is asked for twice")
        if major != login.PROTOCOL_MAJOR:
            raise StartupRefused(
                "0A000",
                f"unsupported frontend protocol {major}.{minor}: "
                f"this gateway speaks 3.0 to 3.{login.NEWEST_MINOR}",
            )
        if not (self._greeting.secure or self._greeting.plain_allowed):
            raise StartupRefused(
                "28000",
                "this gateway takes connections over TLS only",
                "Set sslmode=verify-full (or require).",
            )
        pairs = _pairs(body[4:])
        options = tuple(name for name, _ in pairs if name.startswith("_pq_."))
        # 3.1 was never given out: what asks for it gets what 3.0 has
        self._minor = 2 if minor >= 2 else 0
        self._read(dict(pairs))
        if minor > login.NEWEST_MINOR or options:
            newest = (login.PROTOCOL_MAJOR << 16) | min(minor, login.NEWEST_MINOR)
            names = b"".join(name.encode() + b"\0" for name in options)
            self._out.append(frame(b"v", struct.pack(">II", newest, len(options)) + names))
        self._inbox.limit = PASSWORD_LIMIT
        if self._configuration is None and self._greeting.certificate is not None:
            return self._sign_in(Secret(b""))
        if self._configuration is None:
            self._out.append(ASK_PASSWORD)
            self._turn = self._await_password
        else:
            self._out.append(ASK_SASL)
            self._turn = self._await_mechanism
        return True

    def _response(self) -> bytes | None:
        """The body of a client's answer to what was asked, or None while it is not whole."""
        first = self._inbox.first()
        if first == TERMINATE:
            self._over("the client left before its password")
            return None
        if first is not None and first != PASSWORD:
            # before its length counts: another message may be longer than a password may be
            raise StartupRefused("08P01", f"expected a password, got message type {first}")
        taken = self._inbox.frame()
        return None if taken is None else taken[1]

    def _await_password(self) -> bool:
        body = self._response()
        if body is None:
            return False
        if body[-1:] != b"\0" or body.count(0) != 1:
            raise StartupRefused("08P01", "malformed password message")
        password = body[:-1]
        if not password or not _is_text(password):
            # no token is empty or anything but text: the same answer as for a wrong one
            self._fail("28P01", messages.SIGN_IN_MESSAGE, messages.SIGN_IN_HINT, "no usable password")
            return True
        return self._sign_in(Secret(password))

    # -- SASL OAUTHBEARER (RFC 7628) ------------------------------------------------------------------------
    def _await_mechanism(self) -> bool:
        body = self._response()
        if body is None:
            return False
        response = oauthbearer.initial(body)
        if response is not None:
            return self._await_token(response)
        self._out.append(frame(b"R", b"\0\0\0\x0b"))
        self._turn = self._await_token
        return True

    def _await_token(self, response: bytes | None = None) -> bool:
        response = self._response() if response is None else response
        names = self._names
        if response is None or names is None:
            return False
        token = oauthbearer.token(response, names.identity)
        if token is not None:
            return self._sign_in(token)
        # it asks where tokens are had, and comes again with one
        self._last = messages.error(
            "FATAL", "28000", "a token is needed", "Get one from the issuer, and sign in."
        )
        self._out.append(self._challenge())
        self._turn = self._await_end
        return True

    def _challenge(self) -> bytes:
        """Tells of a failure, and where tokens are had."""
        return frame(b"R", b"\0\0\0\x0b" + oauthbearer.failure(self._configuration or ""))

    def _await_end(self) -> bool:
        body = self._response()
        if body is None:
            return False
        self._out.append(self._last)
        self._over("the client asked where to get a token")
        return True

    def _await_farewell(self) -> None:
        """After `refuse`: whatever the client answers, that was the last of it."""
        try:
            answered = self._inbox.frame() is not None
        except FrameError:
            answered = True
        if answered:
            self.parting = False
            self._inbox.take()
            self._out.append(self._last)

    def _sign_in(self, secret: Secret) -> bool:
        names = self._names
        if names is None:
            return False
        application = self._startup.application_name
        claim = Claim(
            identity=names.identity,
            account=names.account,
            resource=names.resource,
            database=names.database,
            secret=secret,
            source=self._greeting.source,
            certificate=self._greeting.certificate,
            claimed={} if application is None else {"application_name": application},
        )
        self.outcome = SignedIn(claim, self._startup, 32 if self._minor >= 2 else 4)
        return True

    def _cancel(self, body: bytes) -> None:
        # 4 bytes of key in protocol 3.0, up to 256 in 3.2; older libpq sends this outside TLS, always
        if not 8 <= len(body) <= 4 + 256:
            self._over("malformed cancel request")
            return
        self.outcome = CancelAsked(int.from_bytes(body[:4], "big"), body[4:])

    def _read(self, parameters: dict[str, str]) -> None:
        if parse_replication(parameters.pop("replication", None)):
            raise StartupRefused("0A000", "replication connections are not let through this gateway")
        self._names = _Names(parameters.pop("user", ""), parameters.pop("database", ""))
        options = parse_options(parameters.pop("options", ""))
        direct = [(name, value) for name, value in parameters.items() if not name.startswith("_pq_.")]
        # a server applies `options` first and the packet's own parameters after them
        settings = [*options, *direct]
        wanted = [value for name, value in settings if name.lower() == ISSUER]
        checked = check_settings([pair for pair in settings if pair[0].lower() != ISSUER])
        if wanted:
            self._configuration = self._greeting.issuers.get(wanted[-1])
            if self._configuration is None:
                raise StartupRefused("28000", f"{ISSUER} names no issuer that this gateway trusts")
        name = checked.get("application_name")
        self._startup = login.Startup(self._minor, checked, shown(name, NAME_LIMIT) if name else None)

    def _fail(self, code: str, message: str, hint: str | None = None, reason: str | None = None) -> None:
        self._out.append(messages.error("FATAL", code, message, hint))
        self._over(reason or message)

    def _over(self, reason: str) -> None:
        self.outcome = GreetingFailed(reason)
        self._inbox.take()


class _Names:
    """Whom and what a startup packet names. Raises StartupRefused where it does not name them."""

    __slots__ = ("account", "database", "identity", "resource")

    def __init__(self, user: str, address: str) -> None:
        self.identity, tilde, account = user.partition("~")
        self.account = account if tilde else None
        if not _is_name(self.identity) or (tilde and not _is_name(account)):
            raise StartupRefused(
                "28000", "user does not name an identity", "Set user to an identity, or to identity~account."
            )
        if not address:
            raise StartupRefused(
                "3D000",
                "the connection names no resource",
                "Set dbname to a resource, or to resource/database.",
            )
        self.resource, slash, database = address.partition("/")
        self.database = database if slash else None
        if not _is_name(self.resource) or (slash and not _is_name(database)):
            raise StartupRefused(
                "3D000",
                "dbname does not name a resource",
                "Set dbname to a resource, or to resource/database.",
            )


def greet(greeting: Greeting) -> Greeter:
    """A client that was accepted begins to sign in."""
    return Greeter(greeting)


def parse_replication(value: str | None) -> bool:
    """Whether a `replication` parameter asks for replication; anything but a clear no counts as yes."""
    return value is not None and listed.boolean(value) is not False


def _pairs(body: bytes) -> list[tuple[str, str]]:
    """The parameters of a startup packet. Raises StartupRefused for one that is malformed."""
    if body == b"\0":
        return []
    if body[-2:] != b"\0\0":
        raise StartupRefused("08P01", "invalid startup packet layout: expected terminator as last byte")
    try:
        words = body[:-2].decode("utf-8").split("\0")
    except UnicodeDecodeError:
        raise StartupRefused("22021", "startup parameters must be UTF-8") from None
    names = words[0::2]
    if len(words) % 2 or "" in names:
        raise StartupRefused("08P01", "invalid startup packet layout")
    if len(set(names)) != len(names):
        raise StartupRefused("08P01", "a startup parameter is given twice")
    return list(zip(names, words[1::2], strict=True))


def _is_name(text: str) -> bool:
    return 0 < len(text) <= NAME_LIMIT and text.isprintable()


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
