"""What the control process needs of others (ports that app.py fills), and its face to the API thread.
No adapter lives here: only Protocols, and the frozen data that cross them.
"""

import concurrent.futures
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from wicketgate.control.segment_keys import SegmentKeys
from wicketgate.control.shared import (
    BusPort,
    GrantStore,
    HistoryStore,
    NodesPort,
    ReviewStore,
    UserInfo,
)
from wicketgate.journal.checkpoint import SigningKey
from wicketgate.model.credential import Source
from wicketgate.model.decision import Denial
from wicketgate.model.grant import Grant
from wicketgate.model.identity import Identity
from wicketgate.model.issuer import Issuer, Unread
from wicketgate.model.keyring import Keyring
from wicketgate.model.resource import Resource
from wicketgate.model.secret import Secret
from wicketgate.protocols.base import ProtocolSpec


# -- what app.py gives -------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy that was validated whole.

    text, file: what workers load again. resources: by name. digest: recorded with each decision.
    replicate: further entries (section, key, value) that workers need with this policy.
    issuers: whose tokens are taken, by name. permits: names of the rules that permit or reveal.
    exchanges: whether an agent may exchange tokens. offers: what an identity can ask for (policy.offers).
    revision: its number in the store; None where it comes from a file.
    """

    text: str
    file: str
    digest: str
    resources: Mapping[str, Resource]
    warnings: tuple[str, ...] = ()
    replicate: tuple[tuple[str, str, Any], ...] = ()
    issuers: Mapping[str, Issuer] = field(default_factory=dict)
    permits: frozenset[str] = frozenset()
    exchanges: Callable[[Identity], bool] = lambda agent: False
    revision: int | None = None
    offers: Callable[..., Sequence[Any]] = lambda identity, resource=None: ()


class PolicyPort(Protocol):
    """Where the policy comes from, and what it says of one session."""

    async def load(self) -> LoadedPolicy:
        """Read and validate the policy, off the loop. Raises PolicyError; nothing has changed then."""
        ...

    async def newest(self) -> int | None:
        """The number of the store's newest revision; None where the policy comes from a file, which nobody
        looks at unasked. Raises GatewayError where the store is away."""
        ...

    def adopt(self, policy: LoadedPolicy) -> None:
        """This is the policy now. Called on the main loop; what the store replicates is read again after."""
        ...

    async def used(self, credential: str) -> None:
        """A token of ours opened a session. Raises GatewayError where the store is away."""
        ...

    def unread(self, secret: Secret) -> Unread | None:
        """What a trusted issuer's token proves once its issuer was asked again; None where it need not be.
        Raises ValueError where the token is not sound."""
        ...

    async def may_open(
        self,
        identity: str,
        credential: str | None,
        resource: str,
        database: str,
        account: str,
        proof: Secret | None = None,
    ) -> Denial | None:
        """Decide again, before a secret leaves: whether this identity, by this credential, may open this.

        proof: a trusted issuer's token, as the client presented it."""
        ...

    async def request(self, asked: Mapping[str, Any], proof: Secret | None) -> Mapping[str, Any]:
        """Ask for access by connecting, as AskPort has it. The same is asked once. Raises GatewayError."""
        ...


MakePolicy = Callable[[Callable[[bytes], None]], Awaitable[LoadedPolicy]]
"""Given what records an `admin` line (BODY members), keeps a policy and gives it. Run on the main loop."""


class KeySets(Protocol):
    """Reads what issuers publish (identity.keys). Both raise ValueError."""

    def read_discovery(self, body: bytes, issuer: str) -> str:
        """Where the key set is."""
        ...

    def read_keys(self, body: bytes) -> list[dict[str, str]]:
        """The keys that can be used, as JSON values."""
        ...


@dataclass(frozen=True, slots=True)
class Counted:
    """What a limit counts: one identity under one rule, `what` (`rows`, `statements`), in one window.

    window: start of the window, seconds since the epoch (UTC). until: its end.
    """

    identity: str
    rule: str
    what: str
    window: int
    until: int


class StorePort(Protocol):
    """What lasts. Every method raises GatewayError where the store is away."""

    async def node_number(self, node: str) -> int:
        """The small number (0…255) that stands for this node in cancel keys."""
        ...

    async def reserve(self, counted: Counted, want: int, amount: int) -> int:
        """Atomically add up to `want` to what was spent, never above `amount`; how many were added."""
        ...

    async def give_back(self, counted: Counted, unspent: int) -> None:
        """Take `unspent` off again."""
        ...

    async def keep_checkpoint(self, number: int, node: str, checkpoint: bytes) -> None: ...

    async def last_checkpoint(self, node: str) -> tuple[int, bytes] | None: ...

    async def replicated(self) -> Sequence[tuple[str, str, Mapping[str, Any]]]:
        """Entries (section, key, value) of `tokens`, `identities` and `revoked` as workers need them."""
        ...

    async def tokens_of(self, ids: Iterable[str]) -> Sequence[tuple[str, str, Mapping[str, Any] | None]]:
        """The same of some tokens, by their ids; None: there is no such entry."""
        ...

    async def has_token(self, token_hash: str) -> bool:
        """Whether a token with this hash holds now."""
        ...

    async def inherit(self, resource: str, database: str, inherits: Iterable[tuple[str, str]]) -> None:
        """Keep that these columns (qualified) hold values of these data classes."""
        ...

    async def inherited(self) -> Sequence[tuple[str, str, str, str]]:
        """(resource, database, column, data class) of all that is kept."""
        ...

    async def ping(self) -> int:
        """This node lives. How many ns the store's clock is ahead of ours."""
        ...

    async def close(self) -> None:
        """Let go of its connections; nothing is asked after. Raises nothing."""
        ...


class ControlJournal(Protocol):
    """The control process's own journal (journal.writer.Writer has these)."""

    writer: str

    @property
    def failed(self) -> bool: ...
    def line(self, kind: str, session: None, head: bytes, body: bytes | None) -> int: ...
    def flush(self) -> None: ...
    def seal(self) -> Any: ...
    def close(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class ControlPorts:
    """Everything that the control process is given.

    journal: opened control journal. signing: the key of checkpoints.
    clock: wall ns. boot: monotonic ns. token: n random bytes.
    pseudonyms: the keys of pseudonyms; workers ask for them at their start.
    key_sets: None: no issuer's keys are ever read. userinfo: None: no issuer is ever asked again.
    history: None: none is kept.
    decrypt: an inline credential's ciphertext -> the secret. log: one line for the operator, no secret.
    sources: credentials' sources outside of the process, by the name that references give them.
    bus, nodes: None where no other node can be on the store.
    segment_keys: what journals are encrypted with; None: they are written in clear.
    reviews: None: nobody can be asked. link: a review's page.
    """

    policy: PolicyPort
    store: StorePort
    journal: ControlJournal
    signing: SigningKey
    protocols: Mapping[str, ProtocolSpec]
    pseudonyms: Keyring
    decrypt: Callable[[str], Secret]
    clock: Callable[[], int]
    boot: Callable[[], int]
    token: Callable[[int], bytes]
    log: Callable[[str], None]
    sources: Mapping[str, Source] = field(default_factory=dict)
    key_sets: KeySets | None = None
    bus: BusPort | None = None
    nodes: NodesPort | None = None
    segment_keys: SegmentKeys | None = None
    userinfo: UserInfo | None = None
    history: HistoryStore | None = None
    grants: GrantStore | None = None
    reviews: ReviewStore | None = None
    link: Callable[[str], str] = lambda review: ""


@dataclass(frozen=True, slots=True)
class Listen:
    """One port. hosts: addresses to bind (IPv4 and IPv6). plain: plain text is let in from loopback."""

    protocol: str
    port: int
    hosts: tuple[str, ...] = ("127.0.0.1", "::1")
    plain: bool = False


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths (PEM) of what workers terminate TLS with. client_ca None: no client certificates are wanted."""

    certificate: str
    key: str
    client_ca: str | None = None

    def told(self) -> dict[str, Any]:
        """As workers are told of it."""
        return {"certificate": self.certificate, "key": self.key, "client_ca": self.client_ca}


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """What never hot-reloads. Times in seconds, sizes in bytes.

    command: what a worker is executed as. node: this node's random id. journal: the folder of all writers.
    worker: further settings for workers, any JSON (they come back in Welcome.settings).
    renew: called daily; the TLS files to use from then on (the local CA renews its certificate), or None.
    sessions_per_identity: over all workers of this node. store_every: between looks whether the store is
    there. store_grace: what is open may go on this long without it.
    """

    node: str
    listen: tuple[Listen, ...]
    workers: int
    command: tuple[str, ...]
    journal: Path
    tls: TlsFiles
    worker: Mapping[str, Any] = field(default_factory=dict)
    renew: Callable[[], TlsFiles | None] | None = None
    drain: float = 30.0
    sessions_per_identity: int = 1000
    store_every: float = 2.0
    store_grace: float = 60.0
    checkpoint_every: float = 5.0
    catalog_every: float = 5.0
    credentials_every: float = 5.0
    history_days: int = 400


# -- what the API thread sees ------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class SessionRow:
    """One open session. opened: wall ns. worker: the worker's small number."""

    session: str
    identity: str
    resource: str
    database: str
    account: str
    source: str
    worker: int
    opened: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How the node stands. catalogs: `resource/database` -> why it is closed, or None where it was read.

    addresses: (protocol, host, port) that listen. live: workers that are ready. pids: by worker number.
    counters: summed over workers, living and dead. policy_revision: of the policy that holds, if it has one.
    """

    addresses: tuple[tuple[str, str, int], ...]
    live: int
    wanted: int
    pids: Mapping[int, int]
    policy: str
    policy_error: str | None
    store_away: bool
    draining: bool
    catalogs: Mapping[str, str | None]
    counters: Mapping[str, int]
    policy_revision: int | None = None


class ControlPort(Protocol):
    """The control process, seen from another thread. Reads are snapshots; writes are posted to the main loop.

    A Future ends when the thing was done on the main loop and committed to workers; its exception is a
    GatewayError (or PolicyError). On an asyncio loop: `await asyncio.wrap_future(port.end_session(…))`.
    """

    def sessions(self) -> list[SessionRow]: ...

    def standing(self) -> Standing: ...

    def policy(self) -> LoadedPolicy | None: ...

    def end_session(self, session: str, reason: str = "terminated") -> "concurrent.futures.Future[bool]":
        """False: no such session, here or on another node. Raises GatewayError where its node is silent."""
        ...

    def reload_policy(self) -> "concurrent.futures.Future[LoadedPolicy]": ...

    def apply_policy(self, make: "MakePolicy") -> "concurrent.futures.Future[LoadedPolicy]":
        """Make a policy hold that `make` keeps and gives; what it raises leaves all as it was. Ends when the
        policy holds on every worker; goes on where nobody waits for it any more."""
        ...

    def poke_policy(self) -> None:
        """Look now whether the store has a newer policy: somebody heard that it has."""
        ...

    def put(
        self, section: str, key: str, value: Mapping[str, Any] | None
    ) -> "concurrent.futures.Future[None]":
        """Replicate an entry of `tokens`, `identities` or `revoked` (None: removed), nothing else."""
        ...

    def break_glass(self, grant: Grant, reason: str) -> "concurrent.futures.Future[None]": ...

    def end_grant(self, grant: str, by: str, what: str) -> "concurrent.futures.Future[Grant | None]":
        """End it, and what rests on it. what: `returned` | `revoked`. None: none holds."""
        ...

    def settle_grants(self) -> "concurrent.futures.Future[None]":
        """Make hold what was approved: somebody heard that something was."""
        ...

    def record(self, head: bytes, body: bytes | None) -> "concurrent.futures.Future[None]":
        """An `admin` line in the control process's journal, flushed."""
        ...

    def issuer_keys(self) -> Mapping[str, Mapping[str, Any]]:
        """The keys of trusted issuers, as workers have them: issuer -> entry."""
        ...

    def ask_issuer(self, issuer: str) -> "concurrent.futures.Future[None]":
        """Ask an issuer for its keys again, unless that was done just now."""
        ...

    def seen(self) -> Mapping[str, Mapping[str, Any]]:
        """What issuers said when they were asked again, as workers have it: a token's id -> entry."""
        ...

    def reread(self, secret: Secret) -> "concurrent.futures.Future[None]":
        """Ask the issuer of a token again, unless that was done just now."""
        ...

    def attempt(self, outcome: str, source: str, identity: str | None) -> "concurrent.futures.Future[int]":
        """Count a sign-in from `source` with those on the wire. outcome: `begin`, `failed` or `good`.

        identity: None where nobody is claimed, or proven. Seconds to wait before the next one; 0: none."""
        ...

    def heard_review(self, review: str) -> "concurrent.futures.Future[None]":
        """A review has changed in the store: whoever waits for it looks."""
        ...

    def call(self, thing: "Callable[[], Awaitable[Any]]") -> "concurrent.futures.Future[Any]":
        """Run a coroutine on the main loop."""
        ...
