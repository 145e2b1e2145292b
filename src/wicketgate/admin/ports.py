"""What the verbs need of others. No adapter lives here: only Protocols, and the data that cross them."""

import concurrent.futures
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from wicketgate.admin.code_ports import CodePort
from wicketgate.admin.grant_ports import GrantDesk
from wicketgate.admin.history import AccessHistory, Texts
from wicketgate.admin.rate import USUAL, Rate
from wicketgate.admin.review_ports import Links, ReviewDesk
from wicketgate.admin.roles import Seat
from wicketgate.admin.waiting import Waiting
from wicketgate.model.answered import KeptAnswer
from wicketgate.model.grant import Grant
from wicketgate.model.identity import Identity
from wicketgate.model.issuer import Issuer
from wicketgate.model.kept import KeptSecret
from wicketgate.model.resource import Resource
from wicketgate.model.revision import Revision
from wicketgate.model.saml import SamlIssuer, SignedInBy
from wicketgate.model.secret import Secret
from wicketgate.model.sign_in import Asserted, SignIn
from wicketgate.model.token import ServiceAccount, TokenRecord

if TYPE_CHECKING:
    from wicketgate.admin.channels import ChannelPort
    from wicketgate.admin.policies import Draft


class TokenStore(Protocol):
    """The store, as far as identities and tokens go. Raises StoreFailed (store/db.Store)."""

    async def put_identity(self, account: ServiceAccount, now: int) -> None: ...
    async def identities(self) -> list[ServiceAccount]: ...
    async def add_token(self, record: TokenRecord) -> None: ...
    async def tokens(self, identity: str | None = None) -> list[TokenRecord]: ...
    async def token(self, token_id: str) -> TokenRecord | None: ...
    async def revoke_token(self, token_id: str, now: int) -> TokenRecord | None: ...
    async def ready(self) -> None: ...


Key = tuple[int, str]
"""Where a list goes on: a moment (wall clock ns) and an id."""


class AccountStore(Protocol):
    """The store, as far as accounts are changed and tokens paged (store/accounts.Accounts). StoreFailed."""

    async def add(self, account: ServiceAccount, now: int) -> bool:
        """False: there is one of that name."""
        ...

    async def change(self, old: ServiceAccount | None, new: ServiceAccount, now: int) -> bool:
        """False, and nothing is done: it is not `old` any more."""
        ...

    async def remove(self, old: ServiceAccount, now: int) -> list[TokenRecord] | None:
        """Its tokens that were revoked by it; None, and nothing is done: it is not `old` any more."""
        ...

    async def end_tokens(self, identity: str, now: int) -> list[TokenRecord]:
        """Revoke all tokens of an identity; those that were not yet."""
        ...

    async def tokens(
        self,
        *,
        identity: str | None,
        only: str | None,
        state: str | None,
        now: int,
        after: Key | None,
        most: int | None,
    ) -> list[TokenRecord]:
        """Oldest first. only: the one with this id. See admin/access.list_tokens."""
        ...


class Once(Protocol):
    """Answers kept by idempotency key (store/once.Answers). Raises StoreFailed. actor: digest of who asks."""

    async def begin(self, actor: str, key: str, request: str, now: int) -> KeptAnswer | None:
        """None: it is ours to do now, and `end` or `forget` must follow. Else what is kept."""
        ...

    async def end(self, actor: str, key: str, kept: KeptAnswer) -> None: ...
    async def forget(self, actor: str, key: str) -> None: ...


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
    @property
    def policy_revision(self) -> int | None: ...


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
    @property
    def issuers(self) -> Mapping[str, Issuer]: ...
    @property
    def exchanges(self) -> Callable[[Identity], bool]: ...
    @property
    def revision(self) -> int | None: ...
    @property
    def offers(self) -> Callable[..., Sequence[Any]]: ...


class Control(Protocol):
    """The control process, from any thread (control/ports.ControlPort)."""

    def sessions(self) -> Sequence[OpenSession]: ...
    def standing(self) -> Standing: ...
    def policy(self) -> LoadedPolicy | None: ...
    def end_session(self, session: str, reason: str = "terminated") -> "concurrent.futures.Future[bool]": ...
    def reload_policy(self) -> "concurrent.futures.Future[Any]": ...
    def apply_policy(self, make: Callable[..., Awaitable[Any]]) -> "concurrent.futures.Future[Any]": ...
    def put(
        self, section: str, key: str, value: Mapping[str, Any] | None
    ) -> "concurrent.futures.Future[None]": ...
    def record(self, head: bytes, body: bytes | None) -> "concurrent.futures.Future[None]": ...
    def ask_issuer(self, issuer: str) -> "concurrent.futures.Future[None]": ...
    def reread(self, secret: Secret) -> "concurrent.futures.Future[None]": ...
    def attempt(
        self, outcome: str, source: str, identity: str | None
    ) -> "concurrent.futures.Future[int]": ...
    def heard_review(self, review: str) -> "concurrent.futures.Future[None]": ...
    def break_glass(self, grant: Grant, reason: str) -> "concurrent.futures.Future[None]": ...
    def end_grant(self, grant: str, by: str, what: str) -> "concurrent.futures.Future[Grant | None]": ...
    def settle_grants(self) -> "concurrent.futures.Future[None]": ...


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

    async def put(
        self,
        name: str,
        value: Secret,
        author: str,
        check: Callable[[KeptSecret | None], None] = ...,
    ) -> KeptSecret: ...
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
    def names(self) -> Sequence[str]: ...
    def still_trusts(self, name: str, proven: SignedInBy, lifetime: int) -> bool: ...
    async def metadata(self, issuer: SamlIssuer) -> bytes: ...
    async def address(self, issuer: SamlIssuer, request: str, relay: str, now: int) -> str: ...
    async def prove(self, issuer: SamlIssuer, text: bytes, request: str | None, now: int) -> Asserted: ...


class PolicyDesk(Protocol):
    """Where the policy comes from (policies.Revisions). source: `file` or `store`; config: the file's name.

    Of a file there are no revisions. All raise StoreFailed; check and compare also Refused, PolicyError."""

    @property
    def source(self) -> str: ...
    @property
    def config(self) -> str: ...
    async def newest(self) -> Revision | None: ...
    async def revision(self, number: int, text: bool = True) -> Revision | None: ...
    async def revisions(self, before: int | None, most: int) -> Sequence[Revision]: ...
    async def filed(self) -> str:
        """The policy part of the file as it is now, without what looks like a credential."""
        ...

    async def check(self, text: str) -> Mapping[str, Any]: ...
    async def compare(self, old: str, new: str, old_name: str, new_name: str) -> Mapping[str, Any]: ...
    async def apply(self, draft: "Draft") -> None:
        """Keep it as the next revision, and make it hold. Ends when it holds on every worker here."""
        ...


@dataclass(frozen=True, slots=True)
class Office:
    """Everything that verbs are given.

    unite: stored accounts -> all by name. issue: identity.tokens.issue. clock: wall ns. random: n -> bytes.
    prove: a token as presented, its source and a certificate beside it (DER) -> the identity that they prove
    now, and the token's record (None where a trusted issuer made it, or there is none); or None.
    audit: verifies the whole journal, off this process: {"ok": bool, "findings": [text], "facts"}.
    policies: where the policy comes from. saml, codes (sign-in with a browser by an issuer): None: none.
    holding: an identity and wall ns -> how many exchanged tokens of it hold.
    show: a protocol's name and an answer's bytes -> what people can read. admin_groups: who administrates.
    seats: who has another role. rate: of requests.
    history: of access. texts: of the policy; None: no gateway runs here.
    reviews: what waits for people. grants: access for a while. waiting: for that. links: to it.
    channels: where people are told of it.
    reveals: whether policy shows an identity a data class on a resource, whatever it asks there.
    node: this one's random id. others: the other nodes; None where there can be none.
    """

    store: TokenStore
    vault: SecretVault
    control: Control
    recordings: Recordings
    unite: Callable[[Iterable[ServiceAccount]], Mapping[str, ServiceAccount]]
    issue: Callable[..., tuple[Secret, TokenRecord]]
    prove: Callable[[Secret, str, bytes | None], Awaitable[tuple[Identity, TokenRecord | None] | None]]
    holding: Callable[[str, int], Awaitable[int]]
    show: Callable[[str, bytes], Any]
    audit: Callable[[], Awaitable[Mapping[str, Any]]]
    admin_groups: frozenset[str]
    policies: PolicyDesk
    clock: Callable[[], int]
    random: Callable[[int], bytes]
    accounts: AccountStore
    once: Once
    history: AccessHistory
    texts: Texts | None
    reviews: ReviewDesk
    grants: GrantDesk
    waiting: Waiting
    links: Links
    reveals: Callable[[Identity, str, str], bool]
    seats: tuple[Seat, ...] = ()
    rate: Rate = USUAL
    channels: "ChannelPort | None" = None
    node: str = ""
    others: Others | None = None
    saml: SamlPort | None = None
    codes: CodePort | None = None
