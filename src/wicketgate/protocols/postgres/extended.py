"""The extended protocol's messages, Parse to Close: facts bind at Bind and ride in the portal (compiled).
It never forwards a Bind or an Execute without a Clearance of this very unit."""

from typing import TYPE_CHECKING

from wicketgate.model.clearance import Clearance, Outcome
from wicketgate.model.decision import Denial
from wicketgate.model.statement import UNKNOWN_FACTS, Statement
from wicketgate.protocols.postgres.anew import parameters_of, text_anew
from wicketgate.protocols.postgres.clearing import execution_for, limited
from wicketgate.protocols.postgres.frames import (
    FLUSH,
    FrameError,
    bind_names,
    describe_portal_frame,
    frame,
    text_end,
)
from wicketgate.protocols.postgres.ledger import (
    BIND,
    CLOSE,
    DESCRIBE,
    EXECUTE,
    PARSE,
    Execution,
    State,
    Step,
)
from wicketgate.protocols.postgres.meanings import UNIT, missing_portal, missing_statement
from wicketgate.protocols.postgres.names import PLAIN, Portal, Prepared
from wicketgate.protocols.postgres.parameters import bound_to, declares, recorded, values_of
from wicketgate.protocols.postgres.reading import (
    CURSOR_BY_EXECUTE,
    NO_STATEMENT,
    SEVERAL_COMMANDS,
    UNUSABLE_NAME,
    syntax_denial,
    unread,
    unusable_name,
)
from wicketgate.protocols.postgres.returned import suspicious
from wicketgate.protocols.postgres.verdicts import BindQuestion, ExecuteQuestion
from wicketgate.sql.errors import SyntaxRefused
from wicketgate.sql.parse import Member, known, parse
from wicketgate.sql.resolve import Analysis, unite

if TYPE_CHECKING:
    from wicketgate.protocols.postgres.units import Units


class Extended:
    """Each method takes one frame. False: it is not taken yet, and `units.waiting` says why."""

    def __init__(self, units: "Units", state: State) -> None:
        self.units = units
        self.state = state

    # -- Parse --------------------------------------------------------------------------------------------
    def parse(self, data: bytes, at: int, end: int) -> bool:
        units = self.units
        state = self.state
        names = state.names
        units.note_parsed()
        stop = text_end(data, at + 5, end)
        name = data[at + 5 : stop]
        after = text_end(data, stop + 1, end)
        text = data[stop + 1 : after]
        types = declares(data, after + 1, end)
        try:
            script = known(text) or parse(text)
        except SyntaxRefused as fault:
            return self.refuse_parse(name, syntax_denial(fault), unread(text), fault.position or 0)
        if len(script.members) > 1:
            return self.refuse_parse(name, SEVERAL_COMMANDS, unread(text))
        member = script.members[0]
        if unusable_name(name) or (name and names.full(member.weight + len(text))):
            return self.refuse_parse(name, UNUSABLE_NAME, unread(text))
        if units.meanings.must_probe(member):
            return False
        absent = False
        if member.kind not in PLAIN:
            if units.meanings.must_wait(member):
                return False
            if units.meanings.unusable(member):
                return self.refuse_parse(name, UNUSABLE_NAME, Statement(UNKNOWN_FACTS, text, text, None))
            absent = units.meanings.missing(member) is not None
        prepared = Prepared(name, state.unit, member, text, types)
        prepared.declared = data[after + 1 : end]
        analysis = names.resolved(prepared)
        statement = Statement(analysis.facts, text, text, None)
        # an EXECUTE or FETCH of what is not there yet is looked up, and decided, at Bind
        denial = None if absent else state.desk.weigh(statement)
        if denial is not None:
            return self.refuse_parse(name, denial, statement)
        message = data[at:end]
        if suspicious(text):
            meant = state.returned.text(
                member, text, names.environment, analysis, state.desk.judged(analysis.facts)
            )
            if isinstance(meant, Denial):
                return self.refuse_parse(name, meant, statement)
            prepared.held = meant.held
            if meant.held:
                prepared.meaning = meant.text, names.environment
                message = frame(b"P", data[at + 5 : stop + 1] + meant.text + data[after:end])
        step = Step(PARSE, state.unit)
        step.text = text
        step.moved = bool(prepared.held)
        step.sensitive = analysis.sensitive
        names.put(names.statements, prepared)
        state.gives(step, prepared)
        units.parsed = statement
        if state.desk.judged(analysis.facts).review is not None:
            units.delay(step, message)
        else:
            state.steps.append(step)
            state.up.append(message)
        return True

    def refuse_parse(self, name: bytes, denial: Denial, statement: Statement, position: int = 0) -> bool:
        """A Parse is refused. The server would have forgotten its unnamed statement before it read this."""
        state = self.state
        self.units.refuse(denial, statement, position)
        if not name:
            state.steps[-1].entry = state.names.drop(state.names.statements, b"", state.unit)
        return True

    def unfit(self, member: Member) -> Denial | None:
        """Why a statement about names can't run at all."""
        if self.units.meanings.unusable(member):
            return UNUSABLE_NAME
        return self.units.meanings.missing(member)

    # -- Bind ---------------------------------------------------------------------------------------------
    def bind(self, data: bytes, at: int, end: int) -> bool:
        units = self.units
        names = self.state.names
        portal_name, name, after = bind_names(data, at + 5, end)
        if units.meanings.unsettled(names.statements.get(name)):
            return False
        prepared = names.statement(name)
        if prepared is None:
            return units.refuse(missing_statement(name), NO_STATEMENT)
        member = prepared.member
        text = prepared.text
        if portal_name and (unusable_name(portal_name) or names.full(member.weight)):
            return units.refuse(UNUSABLE_NAME, Statement(UNKNOWN_FACTS, text, text, None))
        if not names.told(prepared) and units.meanings.must_probe(member):
            return False
        if member.kind in PLAIN:
            analysis = names.resolved(prepared)
        else:
            if units.meanings.must_wait(member):
                return False
            denial = self.unfit(member)
            if denial is not None:
                return units.refuse(denial, Statement(UNKNOWN_FACTS, text, text, None))
            analysis = names.typed(member, names.environment, prepared.types)
        message = data[at:end]
        held = prepared.held
        moved = text_anew(self.state, prepared, analysis)
        if moved is not None:
            return units.refuse(moved, Statement(analysis.facts, text, text, None))
        sensitive = analysis.sensitive_parameters
        if suspicious(message):
            meant = parameters_of(self.state, prepared, values_of(data, after, end), analysis)
            if isinstance(meant, Denial):
                return units.refuse(meant, Statement(analysis.facts, text, text, None))
            held += meant.held
            if meant.parameters:
                message = bound_to(data, at, after, end, meant.parameters)
                if sensitive is not None:
                    sensitive -= meant.parameters.keys()  # what came is a token: that is recorded
        parameters = recorded(data, after, end, sensitive)
        statement = prepared.statement
        if parameters is not None or statement is None or statement.facts is not analysis.facts:
            statement = Statement(analysis.facts, text, text, parameters)
            if parameters is None:
                prepared.statement = statement
        parsed = units.parsed
        fresh = parsed is not None and parsed.text is text
        if not fresh:
            units.note_parsed()
        question = BindQuestion(units, message, portal_name, prepared, analysis, statement)
        question.held = held
        question.ask(statement)
        if fresh and not question.waiting:
            units.parsed = None  # the Bind's own record holds the text
        return True

    def bound(self, question: BindQuestion, clearance: Clearance) -> None:
        """The gate has cleared a Bind."""
        units = self.units
        state = self.state
        names = state.names
        if state.skipping:
            state.desk.settle(clearance, Outcome(code="skipped"))
            return
        member = question.prepared.member
        analysis = question.analysis
        statement = question.statement
        execution = execution_for(state, member, analysis, statement, clearance, None, question.held)
        if isinstance(execution, Denial):
            units.refuse(execution, statement)
            return
        was = names.portal(question.portal)
        if was is not None:
            self.unexecuted_no_more(was)
        units.meanings.runs(analysis, execution.sensitive)
        if analysis.facts.inherits:
            names.catch_up(state.host.catalog())
        portal = Portal(question.portal, state.unit, member, analysis, execution, names.environment)
        portal.types = question.prepared.types
        portal.prepared = question.prepared
        portal.values = question.values
        portal.tokens = question.held
        names.put(names.portals, portal)
        state.unexecuted.append(execution)
        if units.delayed is not None:
            units.release()
            units.parsed = None  # the Bind's own record holds the text
        step = Step(BIND, state.unit)
        step.entry = portal
        step.execution = execution
        step.text = statement.text
        step.sensitive = execution.sensitive
        state.steps.append(step)
        state.up.append(question.frame)

    def unexecuted_no_more(self, portal: Portal) -> None:
        """A portal is replaced: if it was never executed, its clearance ends here."""
        execution = portal.execution
        if isinstance(execution, Execution) and not portal.used and not execution.settled:
            self.state.unexecuted.remove(execution)
            self.state.settle(execution, None, "BIND")

    # -- Describe -----------------------------------------------------------------------------------------
    def describe(self, data: bytes, at: int, end: int) -> bool:
        units = self.units
        state = self.state
        if end - at < 7:
            raise FrameError("Describe is cut")
        if units.delayed is not None:
            units.release()
        step = Step(DESCRIBE, state.unit)
        if data[at + 5] == 80:
            name = data[at + 6 : text_end(data, at + 6, end)]
            if self.unanswered(name):
                return False
            portal = state.names.portal(name)
            if portal is None:
                return units.refuse(missing_portal(name), NO_STATEMENT)
            execution = portal.execution
            if isinstance(execution, Execution):
                execution.shape.asked = True
                step.shape = execution.shape
                step.execution = execution
                step.sensitive = execution.sensitive
        state.steps.append(step)
        state.up.append(data[at:end])
        return True

    # -- Execute ------------------------------------------------------------------------------------------
    def execute(self, data: bytes, at: int, end: int) -> bool:
        units = self.units
        state = self.state
        names = state.names
        units.note_parsed()
        name = data[at + 5 : text_end(data, at + 5, end)]
        if self.unanswered(name):
            return False
        portal = names.portal(name)
        if portal is None:
            return units.refuse(missing_portal(name), NO_STATEMENT)
        execution = portal.execution
        if not isinstance(execution, Execution):
            return units.refuse(CURSOR_BY_EXECUTE, NO_STATEMENT)
        analysis = execution.shape.analysis
        if portal.member.kind not in PLAIN:
            if units.meanings.must_wait(portal.member):
                return False
            denial = self.unfit(portal.member)
            if denial is not None:
                return units.refuse(denial, execution.statement)
            analysis = self.renewed(portal)
        elif portal.environment is not names.environment:
            analysis = self.renewed(portal)
        statement = execution.statement
        if (
            portal.used
            or execution.settled
            or portal.unit != state.unit
            or analysis is not execution.shape.analysis
        ):
            if statement.facts is not analysis.facts:
                statement = Statement(
                    analysis.facts, statement.text, statement.text_key, statement.parameters
                )
            question = ExecuteQuestion(units, data[at:end], name, portal, execution, analysis, statement)
            question.ask(statement)
            return True
        denial = state.desk.upheld(execution.clearance, statement)
        if denial is not None:
            return units.refuse(denial, statement)
        self.run(data[at:end], name, portal, execution)
        return True

    def unanswered(self, name: bytes) -> bool:
        """Whether a portal was bound, or closed, by an earlier unit that is not answered: then we wait."""
        entry = self.state.names.portals.get(name)
        if entry is None or not entry.pending or entry.unit == self.state.unit:
            return False
        self.units.waiting = UNIT
        return True

    def renewed(self, portal: Portal) -> Analysis:
        """Names may mean something else than at Bind: utility statements look theirs up only now, and a newer
        catalog counts too, so both meanings are united."""
        names = self.state.names
        found = names.typed(portal.member, names.environment, portal.types)
        portal.environment = names.environment
        if found is not portal.found:
            portal.found = found
            if found is not portal.analysis:
                portal.analysis = unite([portal.analysis, found])
        return portal.analysis

    def cleared_again(self, question: ExecuteQuestion, clearance: Clearance) -> None:
        """The gate has cleared an Execute for itself."""
        state = self.state
        if state.skipping:
            state.desk.settle(clearance, Outcome(code="skipped"))
            return
        portal = question.portal
        was = question.was
        execution = execution_for(
            state,
            portal.member,
            question.analysis,
            question.statement,
            clearance,
            was.shape,
            portal.tokens,
        )
        if isinstance(execution, Denial):
            self.units.refuse(execution, question.statement)
            return
        self.unexecuted_no_more(portal)
        portal.execution = execution
        if question.analysis.facts.inherits:
            state.names.catch_up(state.host.catalog())
        self.run(question.frame, question.name, portal, execution)

    def run(self, frame: bytes, name: bytes, portal: Portal, execution: Execution) -> None:
        """An Execute goes upstream, behind a Describe of ours where its rows are masked and nobody asked."""
        state = self.state
        unexecuted = state.unexecuted
        if unexecuted and unexecuted[-1] is execution:
            unexecuted.pop()
        elif unexecuted and not portal.used and execution in unexecuted:
            unexecuted.remove(execution)
        portal.used = True
        state.ran = state.unit
        shape = execution.shape
        analysis = shape.analysis
        if shape.looks and not shape.asked and analysis.facts.returns_rows:
            own = Step(DESCRIBE, state.unit)
            own.swallow = True
            own.shape = shape
            own.sensitive = execution.sensitive
            shape.asked = True
            state.steps.append(own)
            state.up.append(describe_portal_frame(name))
        step = Step(EXECUTE, state.unit)
        step.execution = execution
        text = execution.statement.text
        step.text = text
        step.sensitive = execution.sensitive
        member = execution.member
        execution.entries = self.units.meanings.forwarded(member, analysis, text, execution.sensitive)
        state.steps.append(step)
        state.up.append(frame)
        if member.kind == "copy_in" or limited(execution):
            state.up.append(FLUSH)
            state.barrier = step

    # -- Close --------------------------------------------------------------------------------------------
    def close(self, data: bytes, at: int, end: int) -> bool:
        units = self.units
        state = self.state
        names = state.names
        units.note_parsed()
        if end - at < 7:
            raise FrameError("Close is cut")
        name = data[at + 6 : text_end(data, at + 6, end)]
        step = Step(CLOSE, state.unit)
        step.entry = names.drop(names.portals if data[at + 5] == 80 else names.statements, name, state.unit)
        state.steps.append(step)
        state.up.append(data[at:end])
        return True
