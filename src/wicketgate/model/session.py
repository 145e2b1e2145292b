"""A session's life: the proof that it may be open, and why it ended."""

from dataclasses import dataclass

from wicketgate.model.decision import Denial
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


@dataclass(frozen=True, slots=True)
class Refused:
    """The gate's no to a sign-in."""

    denial: Denial


CLOSE_REASONS = frozenset(
    """client upstream denied revoked expired policy shutdown timeout protocol-error journal unavailable
    terminated limit lost""".split()
)
"""Why a session ended: a closed list."""
