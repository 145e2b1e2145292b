"""A session's life: the proof that it may be open, that a statement may go, and how each ended."""

from dataclasses import dataclass, field

from wicketgate.model.decision import Decision, Denial
from wicketgate.model.identity import Identity
from wicketgate.model.resource import Account, Resource


@dataclass(frozen=True, slots=True, eq=False)
class Admission:
    """Proof that a session may be opened. Only the gate makes one.

    session: 32 hex digits, random.
    read_only: every permit that applies lets only reads through, so the upstream session is made read-only.
    """

    session: str
    identity: Identity
    resource: Resource
    database: str
    account: Account
    read_only: bool


class Allowance:
    """Rows that may still leave before more must be leased. Shared by all statements under one lease.

    `left` is counted down by the row loop; at nought the protocol asks its desk for more.
    """

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left


UNLIMITED = 1 << 62


class Clearance:
    """Proof that one statement may be forwarded. Only the gate makes one.

    q: the session's line number of the `ask` that recorded it.
    allowance: rows that may leave.
    """

    __slots__ = ("allowance", "decision", "q", "settled", "started")

    def __init__(self, q: int, decision: Decision, allowance: Allowance, started: int) -> None:
        self.q = q
        self.decision = decision
        self.allowance = allowance
        self.started = started
        self.settled = False


@dataclass(slots=True)
class Outcome:
    """How a statement ended.

    rows: that reached the client. size: bytes of answer that reached the client.
    masked: data class -> number of cells masked.
    code: the protocol's error code (SQLSTATE), None on success. tag: the protocol's completion tag.
    kept: the answer's bytes as the client saw them up to the recording limit; length and sha256 (hex) are of
        the whole answer.
    """

    rows: int = 0
    size: int = 0
    masked: dict[str, int] = field(default_factory=dict)
    code: str | None = None
    tag: str | None = None
    kept: bytes = b""
    length: int = 0
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The gate's no to a sign-in."""

    denial: Denial


CLOSE_REASONS = frozenset(
    """client upstream denied revoked expired policy shutdown timeout protocol-error journal unavailable
    terminated limit lost""".split()
)
"""Why a session ended: a closed list."""
