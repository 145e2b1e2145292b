"""What the policy answers: permit, deny or review, with obligations, and why, in two separate voices."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from wicketgate.model.terms import Terms


class Verdict(Enum):
    PERMIT = "permit"
    DENY = "deny"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Denial:
    """Why not. `message` and `hint` are shown to the client; `cause` goes to the journal only.

    detail: for programs, in the protocol's field for that; the rules' names where there is none.
    review: the id of the review that it is about.

    kind: one of a closed list that protocols map to their own error codes:
        `policy`, `mask`, `limit`, `review`, `syntax`, `unsupported`, `sign-in`, `unavailable`, `shutdown`,
        `revoked`, `cancelled`, `too-large`, `drift` (more than the session's task declared).
    """

    kind: str
    message: str
    cause: str
    hint: str | None = None
    rules: tuple[str, ...] = ()
    detail: str | None = None
    review: str | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """One rule's bound: at most `amount` of `what` (`rows`, `statements`) per `per`.

    per: `session`, `hour`; or `task`: what a task declared, in all sessions of its token.
    whose: the identity whose it is; None: the session's."""

    rule: str
    what: str
    amount: int
    per: str
    whose: str | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """What a rule with `enforce: observe` would have done."""

    rule: str
    would: str


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """The policy's answer to one evaluation.

    mask: data class -> transform name (`redact`, `null`, `last4`, `partial`, `truncate`) or `reveal`; the key
        `"*"` always exists and stands for classes not named and for values of no proven class.
    resolves: classes whose tokens may be stored as the values that they stand for.
    review: of REVIEW: what must be met before; all else of it holds then as of PERMIT.
    valid_until: wall clock ns after which this answer must be asked for again; None: as long as the policy.
    policy: the digest of the policy that gave it.
    """

    verdict: Verdict
    policy: str
    rules: tuple[str, ...] = ()
    denial: Denial | None = None
    mask: Mapping[str, str] = field(default_factory=lambda: {"*": "redact"})
    limits: tuple[Limit, ...] = ()
    observed: tuple[Observed, ...] = ()
    valid_until: int | None = None
    resolves: frozenset[str] = frozenset()
    review: Terms | None = None

    def transform(self, data_class: str) -> str:
        """The transform for a data class: a transform's name, or `reveal`."""
        found = self.mask.get(data_class)
        return found if found is not None else self.mask["*"]
