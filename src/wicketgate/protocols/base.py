"""The seam between the protocol-blind worker and a protocol: what each side gives the other.
Nothing here may name a protocol, and nothing here does I/O.

A connection passes four stages. The worker does the I/O in each, the protocol says what the bytes mean:

1. `preamble(peeked)`: before TLS. Says whether to reply, start TLS, or begin.
2. `greet(greeting) -> Greeter`: the client signs in; ends in SignedIn, CancelAsked or GreetingFailed.
3. `dial(call) -> Caller`: we sign in to the target; ends in Connected or DialFailed.
4. `converse(setting) -> Conversation`: statements and answers, until one side ends (conversing.py).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from wicketgate.model.decision import Denial
from wicketgate.model.identity import Claim
from wicketgate.model.resource import Account, Resource, TlsMode
from wicketgate.model.secret import Secret
from wicketgate.model.statement import Inherits
from wicketgate.protocols.conversing import Conversation, Setting
from wicketgate.protocols.shown import Shown
from wicketgate.protocols.survey import Sampling, Survey


# -- 1. before TLS -----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Preamble:
    """What to do with the bytes peeked so far (nothing is consumed but `consume`).

    step: `more` (peek again), `reply` (consume, send reply, peek again), `tls` (consume, send reply, then the
        TLS handshake; the worker refuses the connection if bytes are already buffered behind `consume`),
        `direct-tls` (handshake at once, nothing consumed; `alpn` is then required), `begin` (go to greet in
        plain text), `refuse` (send reply, close).
    """

    step: str
    consume: int = 0
    reply: bytes = b""
    alpn: str | None = None


# -- 2. the client signs in --------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Greeting:
    """secure: inside TLS. plain_allowed: the operator allows plain text and the client is on loopback.
    source: the client's address without port. certificate: what it signs in with (DER, verified
    by TLS); None: it must show a token.
    issuers: those that are trusted, by name -> where each publishes its configuration (OIDC discovery)."""

    secure: bool
    plain_allowed: bool
    source: str
    certificate: bytes | None = None
    issuers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """startup: what the protocol keeps for stage 3 and 4 (opaque to the worker).

    proof: bytes of a cancel key's secret that the client's protocol has room for, 4 to 32.
    """

    claim: Claim
    startup: Any
    proof: int = 32


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """Another connection asks to cancel a statement. number: routes to node and worker; proof: the secret."""

    number: int
    proof: bytes


@dataclass(frozen=True, slots=True)
class GreetingFailed:
    """The bytes made no sign-in; what the client may see has been put into bytes_to_send already."""

    reason: str


class Greeter(Protocol):
    """The client's sign-in, sans I/O. After SignedIn the worker asks the gate, and may call `refuse`.

    parting: after `refuse`, whether the protocol wants one more answer of the client's before the last bytes;
    the worker then carries bytes until it is False, for a while.
    """

    outcome: SignedIn | CancelAsked | GreetingFailed | None
    parting: bool

    def receive(self, data: bytes) -> None: ...
    def bytes_to_send(self) -> bytes: ...
    def refuse(self, denial: Denial) -> bytes:
        """The protocol's own error for a sign-in that is not let in."""
        ...

    def rest(self) -> bytes:
        """Bytes received behind the sign-in, to be handed to the conversation."""
        ...


# -- 3. we sign in to the target ---------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Call:
    """keys: a dictionary that lives as long as the account's version, for what makes later dials fast."""

    resource: Resource
    account: Account
    database: str
    read_only: bool
    startup: Any
    keys: dict[Any, Any]


@dataclass(frozen=True, slots=True)
class Connected:
    """session: what the protocol learned at sign-in and needs to converse (opaque to the worker)."""

    session: Any


@dataclass(frozen=True, slots=True)
class DialFailed:
    """code: the target's own error code, if it gave one. detail: for the operator, holding no secret.
    asked: it is for a setting that the client's connection asks for."""

    detail: str
    code: str | None = None
    asked: bool = False


class Caller(Protocol):
    """Our sign-in to the target, sans I/O.

    The worker: sends `tls_request()` if not None and hands the one answer to `tls_answer`, which says whether
    TLS starts; calls `begin(binding)` with the tls-server-end-point hash (RFC 5929) or None; then carries
    bytes until `outcome`. When `needs_secret` turns True it fetches the secret and calls `provide`.
    """

    outcome: Connected | DialFailed | None
    needs_secret: bool

    def tls_request(self) -> bytes | None: ...
    def tls_answer(self, data: bytes) -> bool: ...
    def begin(self, binding: bytes | None) -> None: ...
    def receive(self, data: bytes) -> None: ...
    def provide(self, secret: Secret) -> None: ...
    def bytes_to_send(self) -> bytes: ...
    def rest(self) -> bytes: ...


# -- what init and replay ask of a protocol ----------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Address:
    """A working address, taken apart. secret None: the target asks for none. ca_file: for verify-*."""

    host: str
    port: int
    username: str
    secret: Secret | None
    database: str
    tls: TlsMode
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class Discovery:
    """What the target seems to hold. sensitive: `schema.table.column` -> data class, from names alone: a
    proposal. relations, columns: how many were looked at. truncated: there were more than are looked at."""

    sensitive: Mapping[str, str]
    relations: int
    columns: int
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Introduction:
    """How a newcomer's address becomes a resource, and what the client is to use instead.

    schemes: of addresses that `read` takes. read: raises ValueError, whose text never repeats the address.
    discover: looks at column names over an account.
    write: (identity, token text, host, port, resource, path of the CA) -> the client's new address.
    """

    schemes: tuple[str, ...]
    read: Callable[[str], Address]
    discover: "Callable[[CatalogAccess], Awaitable[Discovery]]"
    write: Callable[[str, str, str, int, str, str], str]


@dataclass(frozen=True, slots=True)
class CatalogAccess:
    """What a protocol's catalog reader gets: the one place where a protocol may do I/O (law 9)."""

    resource: Resource
    account: Account
    database: str
    secret: Secret | None


@dataclass(frozen=True, slots=True)
class ProtocolSpec:
    """A protocol, as the registry knows it.

    validate: the protocol's own resource settings -> checked settings; raises ValueError((key, message)).
    check_column: whether a `sensitive` key is well-formed (`schema.table.column`); raises ValueError.
    read_catalog: reads the target's catalog, as bytes that travel to workers (None: it has none).
    bind_catalog: (the catalog before it or None, as it was read, resource, database, columns that took over
        a data class) -> the catalog with its sensitive names bound; raises ValueError where one means nothing
        (the database is then closed).
    load_catalog: those bytes -> what conversations use.
    probe: for `wicket check`: warnings about an account.
    estimate: how many rows a statement would touch, by the target's planner; None where it can't be told.
    survey: for `wicket discover`: looks at names and at a sample of values.
    introduction: for `wicket init`. show: for replays: an answer's bytes as recorded -> what people can read.
    """

    name: str
    default_port: int
    preamble: Callable[[bytes], Preamble]
    greet: Callable[[Greeting], Greeter]
    dial: Callable[[Call], Caller]
    converse: Callable[[Setting], Conversation]
    validate: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    check_column: Callable[[str], None]
    alpn: tuple[str, ...] = ()
    tls_modes: frozenset[TlsMode] = frozenset(TlsMode)
    read_catalog: Callable[[CatalogAccess], Awaitable[bytes]] | None = None
    catalog_changed: Callable[[CatalogAccess, bytes], Awaitable[bool]] | None = None
    bind_catalog: Callable[[bytes | None, bytes, Resource, str, Inherits], bytes] | None = None
    load_catalog: Callable[[bytes, Resource, str], Any] | None = None
    probe: Callable[[CatalogAccess], Awaitable[list[str]]] | None = None
    introduction: Introduction | None = None
    survey: "Callable[[CatalogAccess, Sampling], Awaitable[Survey]] | None" = None
    show: Callable[[bytes], Shown] | None = None
    estimate: "Callable[[CatalogAccess, Mapping[str, Any]], Awaitable[int | None]] | None" = None
    transforms: frozenset[str] = field(default_factory=lambda: frozenset({"redact", "null"}))
