"""One Query string: its members are decided in order, as if those before succeeded; it goes whole.
If one member is denied nothing of the string goes upstream."""

from typing import TYPE_CHECKING, Final

from wicketgate.model.decision import Denial
from wicketgate.model.session import UNLIMITED, Clearance, Outcome
from wicketgate.model.statement import Effect, Statement
from wicketgate.protocols.postgres.ledger import QUERY, Execution, Step
from wicketgate.protocols.postgres.names import Undo
from wicketgate.protocols.postgres.plan import masks
from wicketgate.sql.parse import Member
from wicketgate.sql.resolve import Analysis

if TYPE_CHECKING:
    from wicketgate.protocols.postgres.units import Units

KEEPS: Final = frozenset(
    {Effect.WRITE, Effect.DELETE, Effect.DEFINE, Effect.GRANT, Effect.EXECUTE, Effect.UNKNOWN}
)
"""Effects that a commit would keep."""

VERDICT: Final = 1

LIMITED_WRITE: Final = Denial(
    "limit",
    "A string that writes cannot return rows while a row limit applies.",
    "rows under a limit in a Query that writes",
    "Send it through a prepared statement (extended protocol), or without RETURNING.",
)


class QueryUnit:
    """Decides one Query string and forwards it, or what stands in its place."""

    def __init__(self, units: "Units", message: bytes, text: bytes, members: tuple[Member, ...]) -> None:
        self.units = units
        self.message = message
        self.text = text
        self.members = members
        self.analyses: list[Analysis] = []
        self.statements: list[Statement] = []
        self.executions: list[Execution] = []
        self.undos: list[Undo | None] = []
        names = units.state.names
        self.was = names.environment
        self.was_provisional = names.provisional
        self.was_defined = names.defined
        self.was_touched = units.touched

    def weigh(self) -> None:
        """Decide every member before anything is recorded as permitted; then submit them."""
        units = self.units
        state = units.state
        several = len(self.members) > 1
        for member in self.members:
            analysis = state.names.resolve(member, state.names.environment)
            text = member.text(self.text) if several else self.text
            statement = Statement(analysis.facts, text, text, None)
            denial = state.desk.weigh(statement)
            if denial is not None:
                self.deny(denial, statement)
                return
            self.analyses.append(analysis)
            self.statements.append(statement)
            self.undos.append(units.forwarded(member, analysis, text))
        self.submit()

    def submit(self) -> None:
        """Get a Clearance for each member in turn; a wait goes on where it stopped."""
        units = self.units
        desk = units.state.desk

        def go_on(verdict: Clearance | Denial) -> None:
            units.waiting = 0
            if self.cleared(verdict):
                self.submit()
            if not units.waiting:
                units.pump()
                units.state.host.wake()

        while len(self.executions) < len(self.members):
            verdict = desk.submit(self.statements[len(self.executions)], go_on)
            if verdict is None:
                units.waiting = VERDICT
                return
            if not self.cleared(verdict):
                return
        self.forward()

    def cleared(self, verdict: Clearance | Denial) -> bool:
        """Take one verdict. False: the string is denied."""
        index = len(self.executions)
        if isinstance(verdict, Denial):
            self.withdraw("denied")
            self.units.poison_query(verdict)
            return False
        analysis = self.analyses[index]
        execution = Execution(self.members[index], analysis, self.statements[index], verdict)
        execution.masks = masks(analysis, verdict.decision)
        execution.undo = self.undos[index]
        self.executions.append(execution)
        return True

    def forward(self) -> None:
        """All is cleared: the string goes upstream as it came."""
        units = self.units
        state = units.state
        limited = any(
            e.analysis.facts.returns_rows and e.clearance.allowance.left < UNLIMITED >> 1
            for e in self.executions
        )
        if limited and any(not KEEPS.isdisjoint(e.analysis.facts.effects) for e in self.executions):
            self.withdraw("limit")
            state.desk.refused(self.statements[0], LIMITED_WRITE)
            units.poison_query(LIMITED_WRITE)
            return
        step = Step(QUERY)
        step.executions = self.executions
        step.text = self.text
        if limited or any(e.member.kind == "copy_in" for e in self.executions):
            state.barrier = step
        units.forward_query(step, self.message)

    def deny(self, denial: Denial, statement: Statement) -> None:
        """One member is denied: the string is replaced whole."""
        self.withdraw("denied")
        self.units.state.desk.refused(statement, denial)
        self.units.poison_query(denial)

    def withdraw(self, tag: str) -> None:
        """Nothing of the string runs: what was assumed of its members is taken back."""
        state = self.units.state
        for execution in self.executions:
            state.desk.settle(execution.clearance, Outcome(tag=tag))
        for undo in reversed(self.undos):
            state.names.undo(undo)
        names = state.names
        names.change(names.environment.catalog, self.was.path, self.was.temporary)
        names.provisional = self.was_provisional
        names.defined = self.was_defined
        self.units.touched = self.was_touched
