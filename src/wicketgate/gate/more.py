"""Rows beyond those that were reserved: more of them are leased, or there are none (compiled).
It must never give rows to a statement whose session is over."""

from collections.abc import Callable
from typing import Protocol

from wicketgate.gate.counts import Counts
from wicketgate.gate.leases import Leases, exhausted
from wicketgate.model.clearance import Clearance
from wicketgate.model.decision import Denial


class Owner(Protocol):
    """The desk whose rows they are."""

    broken: bool
    ended: bool
    forbidden: Denial | None


class More:
    """One session's. identity: whose limits count its rows."""

    __slots__ = ("_counts", "_identity", "_leases", "_owner")

    def __init__(self, owner: Owner, counts: Counts, leases: Leases, identity: str) -> None:
        self._owner: Owner = owner
        self._counts: Counts = counts
        self._leases: Leases = leases
        self._identity: str = identity

    def more(self, clearance: Clearance, resume: Callable[[Denial | None], None]) -> None:
        """See protocols.base.Desk: `resume` is called later, never before this returns."""

        def turn() -> None:
            self._more(clearance, resume)

        self._leases.later(turn)

    def _more(self, clearance: Clearance, resume: Callable[[Denial | None], None]) -> None:
        if self._owner.ended:
            return
        denial = self._owner.forbidden
        if denial is None and not self._counts.counts(clearance.allowance):
            denial = Denial("limit", "No more rows may leave.", "rows of a statement that reserved none")
        if denial is None:
            empty = self._counts.more(clearance.allowance)
            if empty is not None and empty.limit.per != "session":
                self._leases.refill(
                    empty.limit.whose or self._identity, empty, self._after_refill(clearance, resume)
                )
                return
            if empty is not None:
                denial = exhausted(empty.limit)
        self._tell(resume, denial)

    def _after_refill(
        self, clearance: Clearance, resume: Callable[[Denial | None], None]
    ) -> Callable[[Denial | None], None]:
        def go_on(denial: Denial | None) -> None:
            if self._owner.ended:
                return
            if denial is None:
                self._more(clearance, resume)
            else:
                self._tell(resume, denial)

        return go_on

    def _tell(self, resume: Callable[[Denial | None], None], denial: Denial | None) -> None:
        try:
            resume(denial)
        except Exception:  # the conversation failed: doubt ends the session
            self._owner.broken = True
