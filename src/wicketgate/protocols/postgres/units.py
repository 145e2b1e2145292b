"""The client's side of a conversation: frames become statements, are decided, and go upstream with a step.

Rule 1. Nothing goes upstream without a Clearance, or a step of our own.
Rule 2. A denied message is replaced by one that the server cannot parse; the server's error becomes ours.
Rule 3. What the server would skip, or ignore, we drop.
Rule 4. A unit waits only while an unanswered earlier one may change names or settings.
"""

from dataclasses import replace
from typing import Final

from wicketgate.model.decision import Denial
from wicketgate.model.session import UNLIMITED, Clearance
from wicketgate.model.statement import UNKNOWN_FACTS, Effect, Facts, Statement
from wicketgate.protocols.postgres.frames import (
    FLUSH,
    POISON_PARSE,
    POISON_QUERY,
    PROBE,
    RESERVED,
    SYNC,
    TERMINATE,
    FrameError,
    bind_names,
    bind_parameters,
    describe_portal_frame,
    frame_end,
    text_end,
)
from wicketgate.protocols.postgres.ledger import (
    BIND,
    CLOSE,
    DESCRIBE,
    EXECUTE,
    PARSE,
    QUERY,
    Execution,
    State,
    Step,
)
from wicketgate.protocols.postgres.ledger import SYNC as SYNC_STEP
from wicketgate.protocols.postgres.messages import error_frame
from wicketgate.protocols.postgres.names import Portal, Prepared, Undo
from wicketgate.protocols.postgres.parameters import recorded
from wicketgate.protocols.postgres.plan import masks
from wicketgate.protocols.postgres.queries import KEEPS, QueryUnit
from wicketgate.sql.changes import NOTHING
from wicketgate.sql.errors import SyntaxRefused
from wicketgate.sql.parse import Member, parse
from wicketgate.sql.resolve import Analysis, unite

LARGEST: Final = 64 << 20
"""Bytes of the largest frame taken from a client: a security limit (the server's own is 1 GB)."""

VERDICT: Final = 1
CATALOG: Final = 2
UNIT: Final = 3
BARRIER: Final = 4
PATH: Final = 5
"""Why the client's frames wait."""

UNREAD_SECRET: Final = replace(UNKNOWN_FACTS, redact_text=True)
NO_STATEMENT: Final = Statement(UNKNOWN_FACTS, b"", b"", None)
UNUSABLE_NAME: Final = Denial(
    "unsupported", "This name can't be used here.", "a reserved name, or too many names"
)
SEVERAL_COMMANDS: Final = Denial(
    "syntax", "cannot insert multiple commands into a prepared statement", "several members in a Parse"
)
CURSOR_BY_EXECUTE: Final = Denial(
    "unsupported", "A cursor is read by FETCH through the gateway.", "Execute of a cursor"
)
FUNCTION_CALL: Final = Denial(
    "unsupported",
    "The gateway passes no function calls by OID.",
    "FunctionCall",
    "Call the function in a SELECT.",
)


class Units:
    """Takes the client's bytes. `wait` is why it does not go on: a verdict, a catalog, an earlier unit."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.inbox = b""
        self.pieces: list[bytes] = []
        self.size = 0
        self.needed = 0
        self.waiting = 0
        self.fresh = True
        self.first = True
        self.parsed: Statement | None = None
        self.touched = False

    # -- bytes --------------------------------------------------------------------------------------------
    def receive(self, data: bytes) -> None:
        """Bytes from the client."""
        self.pieces.append(data)
        self.size += len(data)
        if not self.waiting and self.size >= self.needed:
            self.pump()

    def pump(self) -> None:
        """Take whole frames for as long as nothing is waited for."""
        state = self.state
        if state.over is not None:
            self.pieces = []
            self.size = 0
            return
        data = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        at = 0
        self.needed = 0
        try:
            while not self.waiting and state.over is None:
                end = frame_end(data, at, LARGEST)
                if end == 0 or end > len(data):
                    self.needed = end - at if end else 0
                    break
                if not self.take(data, at, end):
                    break
                at = end
        except FrameError as fault:
            self.violation(str(fault))
        self.note_parsed()
        self.pieces = [data[at:]] if at < len(data) else []
        self.size = len(data) - at

    def resume(self, reason: int) -> None:
        """What was waited for has come; nothing happens if it was something else."""
        if self.waiting == reason:
            self.waiting = 0
            self.pump()
            self.state.host.wake()

    def resume_catalog(self) -> None:
        """The catalog that was asked for has come."""
        self.resume(CATALOG)

    def violation(self, text: str) -> None:
        """The client broke the protocol: nothing after this can be trusted."""
        state = self.state
        state.down.append(error_frame(Denial("protocol", text, "malformed bytes from the client"), "FATAL"))
        state.up.append(TERMINATE)
        state.over = "protocol-error"

    # -- one frame; False: it is not taken yet ------------------------------------------------------------
    def take(self, data: bytes, at: int, end: int) -> bool:
        state = self.state
        kind = data[at]
        if state.copying:
            return self.copy(data, at, end, kind)
        if kind == 83:  # Sync
            return self.sync()
        if kind == 88:  # Terminate
            state.up.append(TERMINATE)
            state.over = "client"
            return True
        if kind == 72:  # Flush
            if not state.skipping:
                self.note_parsed()
                state.up.append(FLUSH)
            return True
        if state.skipping:
            return True
        if state.barrier is not None:
            self.waiting = BARRIER
            return False
        if kind in (100, 99, 102):  # what is left of a COPY that failed: the server ignores it too
            return True
        self.first = self.fresh
        if self.fresh and not self.ready():
            return False
        if kind == 66:
            return self.bind(data, at, end)
        if kind == 69:
            return self.execute(data, at, end)
        if kind == 80:
            return self.parse(data, at, end)
        if kind == 68:
            return self.describe(data, at, end)
        if kind == 81:
            return self.query(data, at, end)
        if kind == 67:
            return self.close(data, at, end)
        if kind == 70:  # FunctionCall is answered by an error and ReadyForQuery, as a Query is
            state.desk.refused(NO_STATEMENT, FUNCTION_CALL)
            self.poison_query(FUNCTION_CALL)
            return True
        raise FrameError("unexpected message type")

    def copy(self, data: bytes, at: int, end: int, kind: int) -> bool:
        """The server reads COPY data: only what belongs to it passes."""
        state = self.state
        if kind in (100, 99, 102):
            state.up.append(data[at:end])
            if kind != 100:
                state.copying = False
            return True
        if kind in (72, 83):  # the server ignores Flush and Sync while it reads COPY data
            return True
        if kind == 88:
            state.up.append(TERMINATE)
            state.over = "client"
            return True
        raise FrameError("unexpected message during COPY")

    def sync(self) -> bool:
        state = self.state
        if state.barrier is not None and not state.skipping and not self.may_pass_barrier():
            self.waiting = BARRIER
            return False
        self.note_parsed()
        step = Step(SYNC_STEP)
        if self.touched:
            step.changes = True
            state.changing += 1
            self.touched = False
        step.sensitive = state.sensitive
        step.unit = state.unit
        state.unit += 1
        state.steps.append(step)
        state.up.append(SYNC)
        state.skipping = False
        state.barrier = None
        self.fresh = True
        return True

    def may_pass_barrier(self) -> bool:
        """A Sync may follow a limited answer that is still under way where it commits nothing."""
        state = self.state
        barrier = state.barrier
        return (
            barrier is not None
            and barrier.execution is not None
            and barrier.execution.member.kind != "copy_in"
            and state.transaction == b"I"
            and not state.wrote
            and all(step.kind not in (SYNC_STEP, QUERY) for step in state.steps)
        )

    def ready(self) -> bool:
        """Whether a new unit may begin: no earlier one may still change names, and the catalog is known."""
        state = self.state
        if state.changing:
            self.waiting = UNIT
            return False
        names = state.names
        if names.defined and state.transaction == b"I" and not state.steps:
            names.defined = False
            self.waiting = CATALOG
            state.host.on_catalog(self.resume_catalog)
            state.host.stale()
            return False
        catalog = state.host.catalog()
        if catalog is None:
            self.waiting = CATALOG
            state.host.on_catalog(self.resume_catalog)
            return False
        if catalog is not names.environment.catalog:
            names.catalog(catalog)
        self.fresh = False
        return True

    def wait_for_unit(self) -> bool:
        """This frame is taken again once an earlier unit is answered."""
        self.waiting = UNIT
        return False

    # -- extended query -----------------------------------------------------------------------------------
    def parse(self, data: bytes, at: int, end: int) -> bool:
        state = self.state
        self.note_parsed()
        stop = text_end(data, at + 5, end)
        name = data[at + 5 : stop]
        text = data[stop + 1 : text_end(data, stop + 1, end)]
        unread = Statement(unread_facts(text), text, text, None)
        if name.startswith(RESERVED) or state.names.full():
            return self.refuse(UNUSABLE_NAME, unread)
        try:
            script = parse(text)
        except SyntaxRefused as fault:
            return self.refuse(syntax_denial(fault), unread)
        if len(script.members) > 1:
            return self.refuse(SEVERAL_COMMANDS, unread)
        member = script.members[0]
        if state.names.uncertain(member, state.settled, state.unit):
            return self.wait_for_unit()
        if self.must_probe(member):
            return False
        prepared = Prepared(member, text, state.unit)
        analysis = state.names.resolved(prepared)
        statement = Statement(analysis.facts, text, text, None)
        denial = state.desk.weigh(statement)
        if denial is not None:
            return self.refuse(denial, statement)
        step = Step(PARSE)
        step.text = text
        step.sensitive = analysis.sensitive
        if name in state.names.statements and name:
            prepared.resolutions.extend(state.names.statements[name].resolutions)
            prepared.analysis = None
        step.undo = state.names.put_statement(name, prepared)
        state.steps.append(step)
        state.up.append(data[at:end])
        self.parsed = statement
        return True

    def note_parsed(self) -> None:
        """A Parse goes upstream without its Bind: what it says is recorded by itself."""
        statement = self.parsed
        if statement is not None:
            self.parsed = None
            self.state.desk.note(statement)

    def bind(self, data: bytes, at: int, end: int) -> bool:
        state = self.state
        names = state.names
        portal_name, name, after = bind_names(data, at + 5, end)
        if names.uncertain_statement(name, state.settled, state.unit):
            return self.wait_for_unit()
        prepared = names.statements.get(name)
        if prepared is None:
            self.note_parsed()
            shown = name.decode("utf-8", "replace")
            what = (
                f'prepared statement "{shown}" does not exist'
                if shown
                else "unnamed prepared statement does not exist"
            )
            return self.refuse(Denial("no-statement", what, "unknown name"), NO_STATEMENT)
        if portal_name.startswith(RESERVED) or names.full():
            return self.refuse(UNUSABLE_NAME, NO_STATEMENT)
        member = prepared.member
        if self.must_probe(member):
            return False
        analysis = names.resolved(prepared)
        if member.name is not None:
            analysis = names.resolve(member, names.environment)
        parameters = recorded(bind_parameters(data, after, end), analysis.sensitive_parameters)
        statement = Statement(analysis.facts, prepared.text, prepared.text, parameters)
        parsed = self.parsed
        if parsed is not None and parsed.text is prepared.text:
            self.parsed = None
        else:
            self.note_parsed()
        whole = data[at:end]

        def go_on(verdict: Clearance | Denial) -> None:
            self.bound(whole, portal_name, member, analysis, statement, verdict)
            self.resume(VERDICT)

        verdict = state.desk.submit(statement, go_on)
        if verdict is None:
            self.waiting = VERDICT
            return True
        self.bound(whole, portal_name, member, analysis, statement, verdict)
        return True

    def bound(
        self,
        whole: bytes,
        portal_name: bytes,
        member: Member,
        analysis: Analysis,
        statement: Statement,
        verdict: Clearance | Denial,
    ) -> None:
        """The gate has answered for a Bind."""
        state = self.state
        if isinstance(verdict, Denial):
            self.refuse_recorded(verdict)
            return
        execution = Execution(member, analysis, statement, verdict)
        execution.masks = masks(analysis, verdict.decision)
        step = Step(BIND)
        step.execution = execution
        step.undo = state.names.put_portal(
            portal_name, Portal(member, analysis, execution, state.names.environment, state.unit)
        )
        step.text = statement.text
        step.sensitive = execution.masks
        state.steps.append(step)
        state.up.append(whole)

    def describe(self, data: bytes, at: int, end: int) -> bool:
        state = self.state
        if end - at < 7:
            raise FrameError("Describe is cut")
        step = Step(DESCRIBE)
        if data[at + 5] == 80:
            name = data[at + 6 : text_end(data, at + 6, end)]
            if state.names.uncertain_portal(name, state.settled, state.unit):
                return self.wait_for_unit()
            portal = state.names.portals.get(name)
            if portal is None:
                self.note_parsed()
                return self.refuse(missing_portal(name), NO_STATEMENT)
            execution = portal.execution
            if isinstance(execution, Execution):
                execution.described = True
                step.execution = execution
        state.steps.append(step)
        state.up.append(data[at:end])
        return True

    def execute(self, data: bytes, at: int, end: int) -> bool:
        state = self.state
        self.note_parsed()
        name = data[at + 5 : text_end(data, at + 5, end)]
        if state.names.uncertain_portal(name, state.settled, state.unit):
            return self.wait_for_unit()
        portal = state.names.portals.get(name)
        if portal is None:
            return self.refuse(missing_portal(name), NO_STATEMENT)
        execution = portal.execution
        if not isinstance(execution, Execution):
            return self.refuse(CURSOR_BY_EXECUTE, NO_STATEMENT)
        denial = state.desk.weigh(execution.statement)
        member = execution.member
        if denial is None and (
            portal.environment is not state.names.environment or state.names.named(member) is not None
        ):
            denial = self.renew(portal, execution)
        if denial is not None:
            return self.refuse(denial, execution.statement)
        if execution.masks and not execution.described:
            own = Step(DESCRIBE)
            own.swallow = True
            own.execution = execution
            state.steps.append(own)
            state.up.append(describe_portal_frame(name))
            execution.described = True
        step = Step(EXECUTE)
        step.execution = execution
        step.undo = self.forwarded(member, execution.analysis, execution.statement.text)
        state.steps.append(step)
        state.up.append(data[at:end])
        step.text = execution.statement.text
        step.sensitive = execution.masks
        limited = (
            execution.analysis.facts.returns_rows and execution.clearance.allowance.left < UNLIMITED >> 1
        )
        if member.kind == "copy_in" or limited:
            state.up.append(FLUSH)
            state.barrier = step
        return True

    def close(self, data: bytes, at: int, end: int) -> bool:
        state = self.state
        self.note_parsed()
        if end - at < 7:
            raise FrameError("Close is cut")
        name = data[at + 6 : text_end(data, at + 6, end)]
        step = Step(CLOSE)
        step.undo = state.names.drop_portal(name) if data[at + 5] == 80 else state.names.drop_statement(name)
        state.steps.append(step)
        state.up.append(data[at:end])
        return True

    def renew(self, portal: Portal, execution: Execution) -> Denial | None:
        """Names mean something else than at Bind: utility statements look theirs up only now, and a newer
        catalog counts too, so both meanings are united."""
        names = self.state.names
        found = names.resolve(execution.member, names.environment)
        if found is execution.analysis:
            portal.environment = names.environment
            return None
        analysis = unite([execution.analysis, found])
        statement = Statement(
            analysis.facts,
            execution.statement.text,
            execution.statement.text_key,
            execution.statement.parameters,
        )
        denial = self.state.desk.weigh(statement)
        if denial is None:
            execution.analysis = analysis
            execution.statement = statement
            execution.masks = masks(analysis, execution.clearance.decision)
            execution.described = False
            execution.plan = None
            portal.environment = names.environment
        return denial

    # -- simple query -------------------------------------------------------------------------------------
    def query(self, data: bytes, at: int, end: int) -> bool:
        state = self.state
        self.note_parsed()
        text = data[at + 5 : text_end(data, at + 5, end)]
        try:
            script = parse(text)
        except SyntaxRefused as fault:
            denial = syntax_denial(fault)
            state.desk.refused(Statement(unread_facts(text), text, text, None), denial)
            self.poison_query(denial)
            return True
        for member in script.members:
            if state.names.uncertain(member, state.settled, state.unit):
                return self.wait_for_unit()
            if self.must_probe(member):
                return False
        QueryUnit(self, data[at:end], text, script.members).weigh()
        return True

    def poison_query(self, denial: Denial) -> None:
        """The whole string is replaced: the server fails it, keeps its own state, and is ready again."""
        step = Step(QUERY)
        step.denial = denial
        self.forward_query(step, POISON_QUERY)

    def forward_query(self, step: Step, message: bytes) -> None:
        """A Query goes upstream; it ends its unit."""
        state = self.state
        step.changes = self.touched or step.changes
        if step.changes:
            state.changing += 1
            self.touched = False
        step.unit = state.unit
        state.unit += 1
        state.steps.append(step)
        state.up.append(message)
        self.fresh = True

    # -- shared -------------------------------------------------------------------------------------------
    def forwarded(self, member: Member, analysis: Analysis, text: bytes) -> Undo | None:
        """What a statement that goes upstream does to the session's names, as if it succeeded."""
        state = self.state
        undo = state.names.follow(member, analysis, text, state.unit)
        if member.changes is not NOTHING and state.names.apply(member.changes):
            self.touched = True
        effects = analysis.facts.effects
        if not KEEPS.isdisjoint(effects):
            state.wrote = True
            if Effect.UNKNOWN in effects:
                state.names.unknown()
                self.touched = True
        if analysis.sensitive:
            state.sensitive = True
        return undo

    def must_probe(self, member: Member) -> bool:
        """Whether the path must be asked for first: a name has several candidates and the path is unknown.

        Only at a unit's start, when the server is ready: our Sync must not end a transaction of the client's.
        """
        state = self.state
        names = state.names
        if names.environment.path is not None or names.asked or not self.first or state.steps:
            return False
        if state.transaction == b"E" or not names.resolve(member, names.environment).ambiguous:
            return False
        names.asked = True
        for kind in (PARSE, BIND, EXECUTE, CLOSE, CLOSE, SYNC_STEP):
            step = Step(kind)
            step.swallow = True
            step.probe = True
            state.steps.append(step)
        state.up.append(PROBE)
        self.waiting = PATH
        self.fresh = True
        return True

    def refuse(self, denial: Denial, statement: Statement) -> bool:
        """Deny one message of an extended unit, and record it."""
        self.state.desk.refused(statement, denial)
        self.refuse_recorded(denial)
        return True

    def refuse_recorded(self, denial: Denial) -> None:
        """The server gets what it can't parse in the message's place, and skips the rest of the unit."""
        step = Step(PARSE)
        step.denial = denial
        self.state.steps.append(step)
        self.state.up.append(POISON_PARSE)
        self.state.skipping = True


def unread_facts(text: bytes) -> Facts:
    """What is known of a text that does not parse: nothing; one that speaks of a password is not recorded."""
    return UNREAD_SECRET if b"password" in text.lower() else UNKNOWN_FACTS


def syntax_denial(fault: SyntaxRefused) -> Denial:
    """The parser's no, in the words that the server itself would use."""
    return Denial(fault.kind, fault.message, f"not parsed: {fault.message}")


def missing_portal(name: bytes) -> Denial:
    """What the server says of a portal that is not there."""
    return Denial("no-portal", f'portal "{name.decode("utf-8", "replace")}" does not exist', "unknown name")
