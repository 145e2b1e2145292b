"""One question to the gate, whose answer may come later: then the client's frames wait for it (compiled).
A Clearance that comes when nobody waits for it any more is settled, and nothing is forwarded on it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from wicketgate.model.clearance import Clearance, Outcome
from wicketgate.model.decision import Denial
from wicketgate.model.held import Approval, Particulars
from wicketgate.model.statement import Statement
from wicketgate.protocols.postgres.frames import FLUSH
from wicketgate.protocols.postgres.messages import notice_frame
from wicketgate.protocols.postgres.names import Entry
from wicketgate.protocols.postgres.reviewing import in_transaction, let_go

if TYPE_CHECKING:
    from wicketgate.protocols.postgres.units import Units

VERDICT: Final = 1

CANCELLED: Final = Denial("cancelled", "canceling statement due to user request", "cancelled while it waited")

WITHDRAWN_CODE: Final = "57014"


class Question:
    """Asks for clearances, one at a time; `cleared` and `denied` say what follows from an answer.

    It is what people are told of, too, where they have to look first (model.held.Holding)."""

    def __init__(self, units: "Units") -> None:
        self.units = units
        self.asked: Statement | None = None
        self.asking = False
        self.waiting = False
        self.early: Clearance | Denial | None = None
        self.leave: Callable[[], None] | None = None
        """To be told where the client does not want it any more."""

    def ask(self, statement: Statement) -> None:
        """Ask the gate, and for what follows from its answers. Without one yet, the client's frames wait."""
        units = self.units
        next_one: Statement | None = statement
        while next_one is not None:
            self.asked = next_one
            self.asking = True
            verdict = units.state.desk.submit(next_one, self.answer, self)
            self.asking = False
            if verdict is None:
                verdict = self.early
                self.early = None
            if verdict is None:
                self.waiting = True
                units.question = self
                units.waiting = VERDICT
                return
            if isinstance(verdict, Denial):
                self.denied(verdict)
                return
            next_one = self.cleared(verdict)

    def answer(self, verdict: Clearance | Denial) -> None:
        """The gate answers, later than asked."""
        if self.asking:
            self.early = verdict
            return
        if not self.waiting:
            if isinstance(verdict, Clearance):
                self.units.state.desk.settle(verdict, Outcome(code=WITHDRAWN_CODE))
            return
        self.released()
        if isinstance(verdict, Denial):
            self.denied(verdict)
        else:
            next_one = self.cleared(verdict)
            if next_one is not None:
                self.ask(next_one)
        self.units.go_on()

    def released(self) -> None:
        """Nothing is waited for."""
        self.leave = None
        self.waiting = False
        self.units.question = None
        self.units.waiting = 0

    def withdraw(self) -> None:
        """The client cancelled what waits: it is refused in its place."""
        statement = self.asked
        self.left()
        self.released()
        if statement is not None:
            self.units.state.desk.refused(statement, CANCELLED)
        self.denied(CANCELLED)

    def abandon(self) -> None:
        """The session is over."""
        self.left()
        self.released()

    # -- what people are told -----------------------------------------------------------------------------
    def particulars(self, recent: Sequence[object]) -> Particulars | Denial:
        """What it is. Raises whatever, for what can't be told."""
        raise NotImplementedError

    def beside(self) -> Sequence[Statement]:
        """What is asked for next, in the same string."""
        return ()

    def about(self, statement: Statement, recent: Sequence[object]) -> Particulars | Denial:
        """What one of those is."""
        raise NotImplementedError

    def keep(self, statement: Statement, approval: Approval) -> None:
        """One of those was approved, too."""
        raise NotImplementedError

    def kept(self, statement: Statement) -> Approval | None:
        """What was kept of this one, once."""
        return None

    def unchanged(self) -> bool:
        """Whether its names mean what they meant when people were asked, by the newest catalog: what follows
        in its unit is read with that one, too."""
        state = self.units.state
        catalog = state.host.catalog()
        if catalog is None:
            return False
        if catalog is state.names.environment.catalog:
            return True
        state.names.catch_up(catalog)
        return self.means_the_same()

    def means_the_same(self) -> bool:
        """Whether what it means in the session's names, which are newer than it, is what it meant."""
        raise NotImplementedError

    def in_transaction(self) -> bool:
        """Whether waiting would hold what the server has locked for the session."""
        return in_transaction(self.units.state, self.delayed())

    def delayed(self) -> Entry | None:
        """What was prepared, and has not been sent to the server yet."""
        delayed = self.units.delayed
        return None if delayed is None else delayed.entry

    def waits(self, withdraw: Callable[[], None]) -> None:
        """It waits for people from now on."""
        self.leave = withdraw

    def left(self) -> None:
        """Nobody wants it any more."""
        leave = self.leave
        self.leave = None
        if leave is not None:
            leave()

    def told(self, message: str, hint: str, detail: str) -> bool:
        """Tell the client that it waits. What went before it is answered meanwhile."""
        units = self.units
        if not self.waiting or units.midway():
            return False
        state = units.state
        if state.steps:
            state.up.append(FLUSH)
        let_go(state, self.delayed())
        state.down.append(notice_frame(message, hint, detail))
        state.host.wake()
        return True

    def cleared(self, clearance: Clearance) -> Statement | None:
        """The gate permits it. Returns what is to be asked next, if anything."""
        raise NotImplementedError

    def denied(self, denial: Denial) -> None:
        """The gate, or the client itself, does not let it go on. It has been recorded."""
        raise NotImplementedError
