"""A statement that people are to look at: what its protocol tells of it, and what becomes of it.
It must never be approved as one thing and go as another: the digests say what it is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from wicketgate.model.decision import Denial
from wicketgate.model.statement import Statement
from wicketgate.model.terms import Terms


@dataclass(frozen=True, slots=True)
class Particulars:
    """exact, shape: hex digests of what the statement is, with its parameters and what its names mean; of
    the same without constants. shown: what reviewers see of it (JSON). reason: what the asker wrote beside
    it, claimed and not proven. plan: what rows could be estimated by (JSON), None: they can't.
    """

    exact: str
    shape: str
    shown: Mapping[str, Any]
    reason: str = ""
    plan: Mapping[str, Any] | None = None


class Holding(Protocol):
    """A protocol's side of a statement that may have to wait."""

    def particulars(self, recent: Sequence[object]) -> Particulars | Denial:
        """What it is; or why it can't be reviewed. recent: keys of texts that the session asked before."""
        ...

    def beside(self) -> Sequence[Statement]:
        """What stands behind it in the same string, and is asked for next: all of them go, or none."""
        ...

    def about(self, statement: Statement, recent: Sequence[object]) -> Particulars | Denial:
        """The same as `particulars`, of one that stands behind it. Raises whatever."""
        ...

    def keep(self, statement: Statement, approval: "Approval") -> None:
        """One that stands behind it was approved together with it."""
        ...

    def kept(self, statement: Statement) -> "Approval | None":
        """What `keep` kept of this one, once."""
        ...

    def unchanged(self) -> bool:
        """Whether it means by now what it meant when `particulars` told of it. Raises whatever."""
        ...

    def in_transaction(self) -> bool:
        """Whether waiting would hold what the target has locked."""
        ...

    def waits(self, withdraw: Callable[[], None]) -> None:
        """It waits from now on. withdraw: to be called, once, when its client does not want it any more."""
        ...

    def told(self, message: str, hint: str, detail: str) -> bool:
        """Tell the client that it waits. False: not now, in the middle of an answer."""
        ...


@dataclass(frozen=True, slots=True)
class Approval:
    """What people approved. review: its id. by: who, for the journal. rows: at most so many may leave.
    terms: what was met."""

    review: str
    by: str
    terms: Terms
    rows: int | None = None
