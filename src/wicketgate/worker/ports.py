"""What a worker's shell needs of others (ports that app.py fills): the gate, the journal, the protocols.
No adapter lives here: only Protocols, and the frozen data that cross them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from wicketgate.control.messages import Answer, Welcome
from wicketgate.gate.usage import Usage
from wicketgate.journal.keyfile import KeySupply
from wicketgate.model.decision import Denial
from wicketgate.model.identity import Claim
from wicketgate.model.ports import Desk
from wicketgate.model.resource import Resource
from wicketgate.model.secret import Secret
from wicketgate.model.session import Admission, Refused
from wicketgate.protocols.base import ProtocolSpec


class GatePort(Protocol):
    """The policy enforcement point (gate.gate.Gate)."""

    async def admit(self, claim: Claim) -> tuple[Admission, Desk] | Refused:
        """Authenticate, decide, record `open`. Takes a like time whatever the reason of a refusal."""
        ...

    def readmit(self) -> list[tuple[str, Denial]]:
        """After a commit that changed policy, tokens or identities: sessions that must end, and why."""
        ...

    def turning(self) -> int | None:
        """ns until grants change what some open session may do; `readmit` is to be called then. None: they
        don't."""
        ...

    def lapsed(self) -> list[tuple[str, Denial]]:
        """After `readmit`: sessions that must end unless they are idle, and why."""
        ...

    def close(self, admission: Admission, reason: str) -> None:
        """Record `close`. Called once per admission."""
        ...


class JournalPort(Protocol):
    """One writer's journal (journal.writer.Writer), which its turns flush."""

    failed: bool

    def seal(self) -> Any:
        """Close the block if it is due: a Seal (segment, block, last, root, size), or None."""
        ...

    def close(self) -> Any:
        """Seal what is left and let go: a writer that did not close counts as dead."""
        ...


class ReplicaPort(Protocol):
    """The replicated dictionary, as of the last commit (control.link.Replica)."""

    number: int

    def get(self, section: str, key: str) -> Any:
        """The value (JSON), or None."""
        ...

    def blob(self, section: str, key: str) -> bytes | None: ...

    def section(self, name: str) -> Mapping[str, Any]:
        """All of a section: key -> value. Not to be changed."""
        ...

    def on_commit(self, resume: Callable[[frozenset[str]], None]) -> None:
        """Call `resume` with the sections that changed, after each commit that changed any."""
        ...


class AskPort(Protocol):
    """What the control process answers. All raise LinkClosed (a GatewayError) where the link is gone."""

    async def ask(self, what: str, body: Mapping[str, Any], secret: Secret | None = None) -> Answer:
        """`secret`: {session, identity, credential, resource, database, account, version}; with what a client
        presented, where the control process can't know it by its id.
        `issuer`: {issuer} -> {} once its keys have been asked for, or need not be.
        `reread`: {} -> {} once the issuer of what a client presented was asked about it, or need not be.
        `request`: {identity, credential, resource, account, rule} -> {review, status, link}; access asked for
        by connecting, with what a client presented as for `secret`.
        `lease`: {identity, rule, what, per, amount, want} -> {lease, granted, until (wall ns)}.
        `attempt`: {source, identity, outcome: begin|failed|good} -> {allowed, wait (seconds)}.
        `segment`: {segment} -> {wrapped}, with the key: what that segment of our writer is encrypted with.
        `review`: {session, asker, resource, database, account, version, terms, mode, exact, shape, reason,
        shown, plan} -> {review, status, expires, usable_until, link, conditions, by, reason, passes}.
        `reviewed`: {review, session} -> the same, once it is no longer pending or after a while.
        `withdraw`: {review, session} -> {}: what waits for it is not wanted any more."""
        ...

    def spent(self, lease: int, used: int) -> None:
        """A lease is over: `used` of it were used."""
        ...


@dataclass(frozen=True, slots=True)
class GateNeeds:
    """What the gate is built from. clock: wall ns. boot: monotonic ns. token: n random bytes.

    touch: the gate recorded something outside a turn: flush soon. usage: of what sessions do.
    """

    welcome: Welcome
    replica: ReplicaPort
    journal: Any
    asks: AskPort
    count: Callable[[str, int], None]
    touch: Callable[[], None]
    clock: Callable[[], int]
    boot: Callable[[], int]
    token: Callable[[int], bytes]
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class WorkerPorts:
    """Everything that a worker is given.

    build_journal: opens the writer named in the Welcome; raises JournalFailed or OSError. What it writes is
        encrypted where it is given keys.
    build_gate: called once, after the first commit; it must subscribe to the replica itself, before the
        worker does, so that `readmit` sees the new state.
    resource: the resource of this name in the policy that holds now, or None (asked after commits).
    issuers: those that are trusted now, by name -> where each publishes its configuration.
    takes: whether a client's certificate (DER, verified by TLS) is one to sign in with.
    """

    protocols: Mapping[str, ProtocolSpec]
    build_journal: Callable[[Welcome, KeySupply | None], Any]
    build_gate: Callable[[GateNeeds], GatePort]
    resource: Callable[[GatePort, str], Resource | None]
    clock: Callable[[], int]
    boot: Callable[[], int]
    token: Callable[[int], bytes]
    log: Callable[[str], None]
    issuers: Callable[[GatePort], Mapping[str, str]] = lambda gate: {}
    takes: Callable[[GatePort, bytes], bool] = lambda gate, certificate: False
