"""What the verbs need of others. No adapter lives here: only Protocols, and the data that cross them."""

import concurrent.futures
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from wicketgate.model.identity import Identity
from wicketgate.model.kept import KeptSecret
from wicketgate.model.resource import Resource
from wicketgate.model.saml import SamlIssuer
from wicketgate.model.secret import Secret
from wicketgate.model.sign_in import Asserted, SignIn
from wicketgate.model.token import ServiceAccount, TokenRecord
from wicketgate.model.usage import Member, Use
from wicketgate.policy.document import Source
from wicketgate.policy.load import Policy


class TokenStore(Protocol):
    """The store, as far as identities and tokens go. Raises StoreFailed (store/db.Store)."""

    async def put_identity(self, account: ServiceAccount, now: int) -> None: ...
    async def identities(self) -> list[ServiceAccount]: ...
    async def add_token(self, record: TokenRecord) -> None: ...
    async def tokens(self, identity: str | None = None) -> list[TokenRecord]: ...
    async def token(self, token_id: str) -> TokenRecord | None: ...
    async def revoke_token(self, token_id: str, now: int) -> TokenRecord | None: ...
    async def ready(self) -> None: ...


class OpenSession(Protocol):
    """An open session (control/ports.SessionRow). opened: wall clock ns."""

    @property
    def session(self) -> str: ...
    @property
    def identity(self) -> str: ...
    @property
    def resource(self) -> str: ...
    @property
    def database(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def worker(self) -> int: ...
    @property
    def opened(self) -> int: ...


class SessionElsewhere(Protocol):
    """A session that is open on another node (store/nodes.ElsewhereSession)."""

    @property
    def session(self) -> str: ...
    @property
    def node(self) -> str: ...
    @property
    def node_name(self) -> str: ...
    @property
    def identity(self) -> str: ...
    @property
    def resource(self) -> str: ...
    @property
    def database(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def opened(self) -> int: ...


class NodeSeen(Protocol):
    """A node with a number on the store (store/nodes.NodeRow)."""

    @property
    def number(self) -> int: ...
    @property
    def node(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def seen(self) -> int: ...
    @property
    def alive(self) -> bool: ...


class Others(Protocol):
    """Nodes that share the store (store/nodes.NodeRows). Raises StoreFailed."""

    async def nodes(self) -> Sequence[NodeSeen]: ...
    async def elsewhere(self, node: str, session: str | None = None) -> Sequence[SessionElsewhere]: ...


class Standing(Protocol):
    """How the node stands (control/ports.Standing)."""

    @property
    def live(self) -> int: ...
    @property
    def wanted(self) -> int: ...
    @property
    def pids(self) -> Mapping[int, int]: ...
    @property
    def policy(self) -> str: ...
    @property
    def policy_error(self) -> str | None: ...
    @property
    def store_away(self) -> bool: ...
    @property
    def draining(self) -> bool: ...
    @property
    def catalogs(self) -> Mapping[str, str | None]: ...
    @property
    def counters(self) -> Mapping[str, int]: ...


class LoadedPolicy(Protocol):
    """The policy that holds (control/ports.LoadedPolicy)."""

    @property
    def digest(self) -> str: ...
    @property
    def file(self) -> str: ...
    @property
    def resources(self) -> Mapping[str, Resource]: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...
    @property
    def permits(self) -> frozenset[str]: ...


class Control(Protocol):
    """The control process, from any thread (control/ports.ControlPort)."""

    def sessions(self) -> Sequence[OpenSession]: ...
    def standing(self) -> Standing: ...
    def policy(self) -> LoadedPolicy | None: ...
    def end_session(self, session: str, reason: str = "terminated") -> "concurrent.futures.Future[bool]": ...
    def reload_policy(self) -> "concurrent.futures.Future[Any]": ...
    def put(
        self, section: str, key: str, value: Mapping[str, Any] | None
    ) -> "concurrent.futures.Future[None]": ...
    def record(self, head: bytes, body: bytes | None) -> "concurrent.futures.Future[None]": ...
    def ask_issuer(self, issuer: str) -> "concurrent.futures.Future[None]": ...
    def reread(self, secret: Secret) -> "concurrent.futures.Future[None]": ...
    def attempt(
        self, outcome: str, source: str, identity: str | None
    ) -> "concurrent.futures.Future[int]": ...


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One line of a session. head: HEAD as JSON; body: BODY as JSON, or None where it is gone or was none."""

    head: Mapping[str, Any]
    body: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class RecordedSession:
    """A session as the journal's index knows it. Times: wall clock ns; closed None: no close was recorded."""

    session: str
    identity: str
    resource: str
    opened: int
    closed: int | None
    reason: str | None
    statements: int
    database: str = ""
    account: str = ""


class Recordings(Protocol):
    """Reads the journal's files. Blocking: verbs call it on a thread of its own."""

    def sessions(self) -> Sequence[RecordedSession]:
        """All of them, oldest first."""
        ...

    def lines(self, session: str) -> Sequence[JournalLine]:
        """One session's lines in order; empty if there is none."""
        ...

    def export(self, session: str) -> bytes | None:
        """One session with its proof, as a file's bytes; None if there is none."""
        ...


class SecretVault(Protocol):
    """The vault of our own (custody/own.OwnVault). There is no way here to read a secret."""

    async def put(self, name: str, value: Secret, author: str) -> KeptSecret: ...
    async def rotate(self) -> tuple[int, bool]: ...
    async def rewrap(self) -> int: ...
    async def segments(self) -> Mapping[str, int]: ...
    async def listed(self) -> list[tuple[KeptSecret, str]]: ...
    async def remove(self, name: str) -> bool: ...
    async def close(self) -> None: ...


class SignIns(Protocol):
    """Sign-ins under way (store/saml.SignInRows). Raises StoreFailed."""

    async def begin(self, sign_in: SignIn) -> bool: ...
    async def send(
        self, ticket: str, issuer: str, now: int, *, request: str, relay: str, browser: str
    ) -> bool: ...
    async def sent(self, relay: str, issuer: str, now: int) -> SignIn | None: ...
    async def take(self, issuer: str, assertion: str, expires: int) -> bool: ...
    async def prove(self, ticket: str, code: str, proven: Mapping[str, Any], expires: int) -> bool: ...
    async def redeem(
        self, ticket: str, issuer: str, code: str, challenge: str, now: int
    ) -> SignIn | None: ...


class SamlPort(Protocol):
    """SAML (federation.Federation). What proves nobody raises SignInRefused."""

    @property
    def rows(self) -> SignIns: ...
    def issuer(self, name: str) -> SamlIssuer | None: ...
    async def metadata(self, issuer: SamlIssuer) -> bytes: ...
    async def address(self, issuer: SamlIssuer, request: str, relay: str, now: int) -> str: ...
    async def prove(self, issuer: SamlIssuer, text: bytes, request: str | None, now: int) -> Asserted: ...


class KeptReport(Protocol):
    """A report of access that was kept (store/history.KeptReport). at: wall ns."""

    @property
    def at(self) -> int: ...
    @property
    def author(self) -> str: ...
    @property
    def policy(self) -> str: ...
    @property
    def granted(self) -> list[dict[str, Any]]: ...


class AccessHistory(Protocol):
    """Who used what, and who was in which groups (store/history.HistoryRows). Raises StoreFailed."""

    async def uses(
        self, since: int, identity: str | None = None, resource: str | None = None
    ) -> tuple[list[Use], int]: ...
    async def members(self) -> list[Member]: ...
    async def changes(self, since: int) -> list[tuple[int, Member]]: ...
    async def before(self, moment: int) -> dict[str, Member]: ...
    async def begins(self) -> int | None: ...
    async def keep_report(self, at: int, author: str, policy: str, granted: list[dict[str, Any]]) -> None: ...
    async def last_report(self) -> KeptReport | None: ...


class Texts(Protocol):
    """The texts of the policy that holds, and what makes a policy of such texts. Any thread."""

    def sources(self) -> tuple[Source, ...]: ...
    def compile(self, sources: Sequence[Source]) -> Policy:
        """Raises PolicyError."""
        ...


@dataclass(frozen=True, slots=True)
class Office:
    """Everything that verbs are given.

    unite: stored accounts -> all by name. issue: identity.tokens.issue. clock: wall ns. random: n -> bytes.
    prove: a token as presented and its source -> the identity that it proves now, and its record (None
    where a trusted issuer made it); or None.
    audit: verifies the whole journal, off this process: {"ok": bool, "findings": [text], "facts"}.
    saml: None: none.
    history: of access. texts: of the policy; None: no gateway runs here.
    show: a protocol's name and an answer's bytes -> what people can read. admin_groups: who administrates.
    node: this one's random id. others: the other nodes; None where there can be none.
    """

    store: TokenStore
    vault: SecretVault
    control: Control
    recordings: Recordings
    unite: Callable[[Iterable[ServiceAccount]], Mapping[str, ServiceAccount]]
    issue: Callable[..., tuple[Secret, TokenRecord]]
    prove: Callable[[Secret, str], Awaitable[tuple[Identity, TokenRecord | None] | None]]
    show: Callable[[str, bytes], Any]
    audit: Callable[[], Awaitable[Mapping[str, Any]]]
    admin_groups: frozenset[str]
    clock: Callable[[], int]
    random: Callable[[int], bytes]
    history: AccessHistory
    texts: Texts | None
    node: str = ""
    others: Others | None = None
    saml: SamlPort | None = None
