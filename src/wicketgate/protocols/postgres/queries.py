"""One Query string: its members are decided in order, as if those before succeeded; it goes whole (compiled).
If one member is denied nothing of the string goes upstream."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from wicketgate.model.clearance import Clearance
from wicketgate.model.decision import Denial
from wicketgate.model.held import Approval, Particulars
from wicketgate.model.statement import UNKNOWN_FACTS, Statement
from wicketgate.protocols.postgres.circumstances import Moment
from wicketgate.protocols.postgres.clearing import execution_for, limited
from wicketgate.protocols.postgres.frames import frame
from wicketgate.protocols.postgres.ledger import QUERY, Execution, Step
from wicketgate.protocols.postgres.names import PLAIN, Entry
from wicketgate.protocols.postgres.questions import Question
from wicketgate.protocols.postgres.reading import UNUSABLE_NAME
from wicketgate.protocols.postgres.returned import NO_TOKENS, Held, suspicious
from wicketgate.protocols.postgres.reviewing import particulars, same
from wicketgate.sql.member import Member
from wicketgate.sql.resolve import Analysis, Environment

if TYPE_CHECKING:
    from wicketgate.protocols.postgres.units import Units

LIMITED_WRITE: Final = Denial(
    "limit",
    "A string that writes or changes the session cannot return rows while a row limit applies.",
    "rows under a limit in a Query that also writes, or would commit",
    "Send its statements one by one, and what writes and returns rows as a prepared statement.",
)

COPIES_ALONE: Final = Denial(
    "mask",
    "A statement that copies sensitive values must be sent by itself.",
    "a copy beside other statements, which were read before it was known where the values are",
    "Send the statements of this string one by one.",
)

_ENDS: Final = frozenset({"commit", "rollback", "prepare"})


class QueryUnit(Question):
    """Decides one Query string and forwards it, or what stands in its place."""

    def __init__(self, units: "Units", message: bytes, text: bytes, members: tuple[Member, ...]) -> None:
        super().__init__(units)
        self.message = message
        self.text = text
        self.members = members
        self.analyses: list[Analysis] = []
        self.environments: list[Environment] = []
        """In which each was analysed: those before it may have changed what names mean."""
        self.moments: list[Moment] = []
        """The circumstances of each, likewise."""
        self.statements: list[Statement] = []
        self.approvals: dict[int, Approval] = {}
        """Of members that are not asked for yet."""
        self.executions: list[Execution] = []
        self.entries: list[list[Entry] | None] = []
        self.held: list[Held] = []
        state = units.state
        names = state.names
        self.was = names.environment
        self.was_path_changed = names.changed
        self.was_unsure = names.unsure
        self.was_defined = names.defined
        self.was_changed = state.changed
        self.was_moment = self.left_moment = state.circumstances.moment
        self.was_controls = units.controls
        self.meaning = text
        """What goes upstream: the text, with values where tokens were."""

    def weigh(self) -> None:
        """Decide every member before anything is recorded as permitted; then ask for them."""
        units = self.units
        state = units.state
        names = state.names
        meanings = units.meanings
        several = len(self.members) > 1
        for member in self.members:
            text = member.text(self.text) if several else self.text
            if member.kind not in PLAIN:
                unfit = UNUSABLE_NAME if meanings.unusable(member) else meanings.missing(member)
                if unfit is not None:
                    self.refuse(unfit, Statement(UNKNOWN_FACTS, text, text, None))
                    return
            analysis = names.resolve(member, names.environment)
            statement = Statement(analysis.facts, text, text, None)
            denial = state.desk.weigh(statement)
            if denial is not None:
                self.refuse(denial, statement)
                return
            if several and analysis.facts.inherits:
                self.refuse(COPIES_ALONE, statement)
                return
            held = NO_TOKENS
            if suspicious(text):
                meant = state.returned.text(
                    member, text, names.environment, analysis, state.desk.judged(analysis.facts)
                )
                if isinstance(meant, Denial):
                    self.refuse(meant, statement)
                    return
                held = meant.held
                if held:
                    self.put(member.begin or 0, len(text), meant.text)
            self.held.append(held)
            self.analyses.append(analysis)
            self.environments.append(names.environment)
            self.moments.append(state.circumstances.moment)
            self.statements.append(statement)
            self.entries.append(meanings.forwarded(member, analysis, text, False))
            self.left_moment = state.circumstances.moment
        self.ask(self.statements[0])

    def put(self, begin: int, length: int, other: bytes) -> None:
        """Another text goes upstream in the place of the member that begins there; they are met in order."""
        at = begin + len(self.meaning) - len(self.text)
        self.meaning = self.meaning[:at] + other + self.meaning[at + length :]
        self.message = frame(b"Q", self.meaning + b"\0")

    def particulars(self, recent: Sequence[object]) -> Particulars | Denial:
        return self.told_of(len(self.executions), recent)

    def told_of(self, index: int, recent: Sequence[object]) -> Particulars | Denial:
        """What one member is."""
        return particulars(
            self.units.state,
            self.members[index],
            self.statements[index].text,
            self.analyses[index],
            b"",
            b"",
            len(self.members) - 1,
            recent,
            self.environments[index],
            self.moments[index],
        )

    def beside(self) -> Sequence[Statement]:
        return self.statements[len(self.executions) + 1 :]

    def about(self, statement: Statement, recent: Sequence[object]) -> Particulars | Denial:
        return self.told_of(self.place(statement), recent)

    def place(self, statement: Statement) -> int:
        """Which member it is. Raises ValueError for one of another string."""
        for index, each in enumerate(self.statements):
            if each is statement:
                return index
        raise ValueError("no statement of this string")

    def keep(self, statement: Statement, approval: Approval) -> None:
        self.approvals[self.place(statement)] = approval

    def kept(self, statement: Statement) -> Approval | None:
        return self.approvals.pop(self.place(statement), None)

    def means_the_same(self) -> bool:
        names = self.units.state.names
        for index, before in enumerate(self.environments):
            now = replace(before, catalog=names.environment.catalog)
            found = names.resolve(self.members[index], now)
            if not same(self.analyses[index], before, found, now):
                return False
            self.environments[index] = now
        return True

    def cleared(self, clearance: Clearance) -> Statement | None:
        """One member is cleared: the next is asked for, or the whole goes upstream."""
        index = len(self.executions)
        state = self.units.state
        execution = execution_for(
            state,
            self.members[index],
            self.analyses[index],
            self.statements[index],
            clearance,
            None,
            self.held[index],
        )
        if isinstance(execution, Denial):
            self.refuse(execution, self.statements[index])
            return None
        execution.entries = self.entries[index]
        self.executions.append(execution)
        if index + 1 < len(self.members):
            return self.statements[index + 1]
        self.forward()
        return None

    def denied(self, denial: Denial) -> None:
        """One member is denied, and recorded so: the string is replaced whole."""
        self.undo("withdrawn")
        self.units.poison_query(denial)

    def refuse(self, denial: Denial, statement: Statement) -> None:
        """One member is denied by ourselves."""
        self.units.state.desk.refused(statement, denial)
        self.denied(denial)

    def abandon(self) -> None:
        super().abandon()
        self.undo("08006")

    def forward(self) -> None:
        """All is cleared: the string goes upstream as it came."""
        units = self.units
        state = units.state
        if state.skipping:
            self.undo("skipped")
            return
        counted = False
        copies = False
        for execution in self.executions:
            counted = counted or limited(execution)
            copies = copies or execution.member.kind == "copy_in"
        if counted and self.could_commit():
            self.refuse(LIMITED_WRITE, self.statements[0])
            return
        step = Step(QUERY, state.unit)
        step.executions = self.executions
        step.text = self.text
        step.weight = sum([member.weight for member in self.members]) + len(self.text)
        state.weight += step.weight
        step.moved = self.meaning is not self.text
        for execution in self.executions:
            if execution.sensitive:
                step.sensitive = True
                state.sensitive = True
        if counted or copies:
            state.barrier = step
        units.forward_query(step, self.message)

    def could_commit(self) -> bool:
        """Whether something could last although a row limit ends the string with an error: the server may
        have finished all of it by then."""
        state = self.units.state
        ends = False
        for index in range(len(self.members)):
            changes = self.members[index].changes
            if self.analyses[index].keeps or self.entries[index]:
                return True
            if changes.path is not None or changes.path_unknown:
                return True
            ends = ends or changes.transaction in _ENDS
        return state.wrote and (ends or state.transaction != b"T" or len(state.steps) > 0)

    def undo(self, code: str) -> None:
        """Nothing of the string runs: what was assumed of its members is taken back."""
        units = self.units
        state = units.state
        names = state.names
        for execution in self.executions:
            state.settle(execution, code)
        for entries in reversed(self.entries):
            if entries is not None:
                for entry in reversed(entries):
                    names.revoke(entry)
        if names.environment is not self.was:
            names.change(names.environment.catalog, self.was.path, self.was.temporary)
        names.changed = self.was_path_changed
        names.unsure = self.was_unsure
        names.defined = self.was_defined
        state.changed = self.was_changed
        if state.circumstances.moment is self.left_moment:
            state.circumstances.moment = self.was_moment
        units.controls = self.was_controls
