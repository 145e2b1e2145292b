"""The client's side of a conversation: its frames, in order, and what they wait for (compiled).

Rule 1. Nothing goes upstream without a Clearance, or a step of our own.
Rule 2. A denied message is replaced by one that the server cannot parse; the server's error becomes ours.
Rule 3. What the server would skip, or ignore, we drop.
Rule 4. A unit waits only while an unanswered earlier one may change names or settings.
"""

from typing import TYPE_CHECKING, Final

from wicketgate.model.decision import Denial
from wicketgate.model.statement import Statement
from wicketgate.protocols.postgres.copy_in import LARGEST, copy_frame
from wicketgate.protocols.postgres.extended import Extended
from wicketgate.protocols.postgres.frames import (
    FLUSH,
    POISON_PARSE,
    POISON_QUERY,
    SYNC,
    TERMINATE,
    FrameError,
    frame_end,
    text_end,
)
from wicketgate.protocols.postgres.ledger import EXECUTE, PARSE, QUERY, State, Step
from wicketgate.protocols.postgres.ledger import SYNC as SYNC_STEP
from wicketgate.protocols.postgres.meanings import PATH, UNIT, Meanings
from wicketgate.protocols.postgres.messages import error_frame
from wicketgate.protocols.postgres.queries import QueryUnit
from wicketgate.protocols.postgres.questions import CANCELLED, VERDICT, Question
from wicketgate.protocols.postgres.reading import NO_STATEMENT, syntax_denial, unread
from wicketgate.sql.errors import SyntaxRefused
from wicketgate.sql.parse import known, parse

if TYPE_CHECKING:
    from wicketgate.protocols.postgres.answers import Answers

MOST_STEPS: Final = 8192
"""Messages in flight: a memory limit. At half of it the client's frames go on."""

CATALOG: Final = 2
BARRIER: Final = 4
DEPTH: Final = 6
"""Why the client's frames wait, with VERDICT, UNIT and PATH."""

FUNCTION_CALL: Final = Denial(
    "unsupported",
    "The gateway passes no function calls by OID.",
    "FunctionCall",
    "Call the function in a SELECT.",
)
NO_CATALOG: Final = Denial(
    "unavailable",
    "This database is closed for now.",
    "its catalog could not be read, so nothing can be decided",
    "Ask the operator: the gateway can't read the database's catalog.",
)


class Units:
    """Takes the client's bytes. `waiting` is why it does not go on, 0 while it does."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.meanings = Meanings(self, state)
        self.extended = Extended(self, state)
        self.inbox = b""
        self.at = 0
        self.pieces: list[bytes] = []
        self.size = 0
        """Bytes that came and are not taken yet."""
        self.needed = 0
        self.waiting = 0
        self.pumping = False
        self.question: Question | None = None
        self.refusal: Denial | None = None
        """The frame that comes next is refused unread: it was cancelled, or there is no catalog."""
        self.renewed = False
        """A catalog that was waited for has come, or has not."""
        self.first = True
        """The frame in hand is the first of its unit."""
        self.controls = False
        """The open unit holds a transaction statement."""
        self.parsed: Statement | None = None
        self.delayed: Step | None = None
        """A Parse whose Bind may have to wait for people: it goes upstream with what follows, so that the
        server locks nothing meanwhile. `parsed` is then its statement."""
        self.delayed_message = b""
        self.answers: Answers | None = None

    # -- bytes --------------------------------------------------------------------------------------------
    def receive(self, data: bytes) -> None:
        """Bytes from the client."""
        self.pieces.append(data)
        self.size += len(data)
        if not self.waiting and self.size >= self.needed:
            self.pump()

    def pump(self) -> None:
        """Take whole frames for as long as nothing is waited for."""
        if self.pumping:
            return
        state = self.state
        if self.pieces:
            if self.at < len(self.inbox):
                self.pieces.insert(0, self.inbox[self.at :])
            self.inbox = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
            self.pieces = []
            self.at = 0
        data = self.inbox
        at = self.at
        self.needed = 0
        self.pumping = True
        try:
            while not self.waiting and state.over is None:
                end = frame_end(data, at, LARGEST)
                if end == 0 or end > len(data):
                    self.needed = end - at if end else 0
                    break
                at = self.take(data, at, end)
        except FrameError as fault:
            self.violation(str(fault))
        finally:
            self.pumping = False
        if self.question is None or self.delayed is None:
            self.note_parsed()
        if state.over is not None or at == len(data):
            self.inbox = b""
            at = 0
        self.at = at
        self.size = len(self.inbox) - at

    def resume(self, reason: int) -> None:
        """What was waited for has come; nothing happens if it was something else."""
        if self.waiting == reason:
            self.waiting = 0
            self.go_on()

    def go_on(self) -> None:
        """Take what has come in the meantime, unless something else is waited for now."""
        if not self.waiting and not self.pumping:
            self.pump()
            self.state.host.wake()

    def resume_catalog(self) -> None:
        """The reading of the catalog that was asked for is over."""
        self.renewed = True
        self.resume(CATALOG)

    def cancel(self) -> bool:
        """The client cancels. True: something of its runs at the server, which must be asked.

        What only waits, for a verdict, a catalog or a path, is refused in its place.
        """
        state = self.state
        if self.waiting in (VERDICT, CATALOG, PATH):
            for step in state.steps:
                if (step.kind == EXECUTE or step.kind == QUERY) and not step.probe:
                    return True
            if self.question is not None:
                self.question.withdraw()
            else:
                self.refusal = CANCELLED
                self.waiting = 0
            self.go_on()
            return False
        return any(not step.probe for step in state.steps)

    def violation(self, text: str) -> None:
        """The client broke the protocol: nothing after this can be trusted."""
        state = self.state
        state.down.append(error_frame(Denial("protocol", text, "malformed bytes from the client"), "FATAL"))
        state.up.append(TERMINATE)
        self.finish("protocol-error", "08P01")

    def finish(self, reason: str, code: str) -> None:
        """The session is over."""
        self.delayed = None
        self.note_parsed()
        if self.question is not None:
            self.question.abandon()
        self.state.finish(reason, code)

    # -- one frame; returns where the next one begins, or `at` when it is not taken yet -------------------
    def take(self, data: bytes, at: int, end: int) -> int:
        state = self.state
        kind = data[at]
        if state.copying is not None:
            return copy_frame(self, data, at, end, kind)
        if kind == 83:  # Sync
            return end if self.sync() else at
        if kind == 88:  # Terminate
            state.up.append(TERMINATE)
            self.finish("client", "08006")
            return end
        if kind == 72:  # Flush
            if not state.skipping:
                self.note_parsed()
                state.up.append(FLUSH)
            return end
        if state.skipping:
            self.refusal = None
            return end
        if state.barrier is not None:
            self.waiting = BARRIER
            return at
        if kind == 100 or kind == 99 or kind == 102:
            return end  # what is left of a COPY that failed: the server ignores it too
        if self.refusal is not None:
            self.refuse_frame(kind, self.refusal)
            return end
        if len(state.steps) >= MOST_STEPS or state.heavy():
            state.up.append(FLUSH)
            self.waiting = DEPTH
            return at
        self.first = state.fresh
        if self.first and not self.ready():
            return at
        if kind == 66:
            return end if self.extended.bind(data, at, end) else at
        if kind == 69:
            return end if self.extended.execute(data, at, end) else at
        if kind == 80:
            return end if self.extended.parse(data, at, end) else at
        if kind == 68:
            return end if self.extended.describe(data, at, end) else at
        if kind == 81:
            return end if self.query(data, at, end) else at
        if kind == 67:
            return end if self.extended.close(data, at, end) else at
        if kind == 70:  # FunctionCall is answered by an error and ReadyForQuery, as a Query is
            self.note_parsed()
            state.desk.refused(NO_STATEMENT, FUNCTION_CALL)
            self.poison_query(FUNCTION_CALL)
            return end
        raise FrameError("unexpected message type")

    def sync(self) -> bool:
        state = self.state
        if state.barrier is not None and not state.skipping and not self.may_pass_barrier():
            self.waiting = BARRIER
            return False
        if len(state.steps) >= MOST_STEPS:
            state.up.append(FLUSH)
            self.waiting = DEPTH
            return False
        self.note_parsed()
        step = Step(SYNC_STEP, state.unit)
        state.unit += 1
        state.steps.append(step)
        state.up.append(SYNC)
        state.skipping = False
        state.fresh = True
        self.controls = False
        return True

    def may_pass_barrier(self) -> bool:
        """A Sync may follow a limited answer that is still under way where it commits nothing."""
        state = self.state
        barrier = state.barrier
        if barrier is None or barrier.execution is None or barrier.execution.member.kind == "copy_in":
            return False
        if state.transaction != b"I" or state.wrote or self.controls:
            return False
        return all(step.kind != SYNC_STEP and step.kind != QUERY for step in state.steps)

    def ready(self) -> bool:
        """Whether a new unit may begin: no earlier one may still change names, and the catalog is known."""
        state = self.state
        names = state.names
        settled = False
        if state.changed > state.answered:
            self.waiting = UNIT
            return False
        if names.defined and state.transaction == b"I" and not state.steps:
            if not self.renewed:
                self.ask_catalog()
                return False
            names.defined = False
            settled = True
        catalog = state.host.catalog()
        if catalog is None:
            if not self.renewed:
                self.ask_catalog()
                return False
            self.renewed = False
            self.refusal = NO_CATALOG
            return False
        self.renewed = False
        if settled or catalog is not names.environment.catalog:
            names.catalog(catalog, settled)
        state.fresh = False
        return True

    def ask_catalog(self) -> None:
        """Wait for a catalog whose reading begins after now."""
        self.waiting = CATALOG
        self.state.host.on_catalog(self.resume_catalog)
        self.state.host.stale()

    def refuse_frame(self, kind: int, denial: Denial) -> None:
        """Put what fails in a frame's place, unread."""
        self.refusal = None
        self.note_parsed()
        self.state.desk.refused(NO_STATEMENT, denial)
        if kind == 81 or kind == 70:
            self.poison_query(denial)
        else:
            self.refuse_recorded(denial)

    # -- simple query -------------------------------------------------------------------------------------
    def query(self, data: bytes, at: int, end: int) -> bool:
        state = self.state
        self.note_parsed()
        text = data[at + 5 : text_end(data, at + 5, end)]
        try:
            script = known(text) or parse(text)
        except SyntaxRefused as fault:
            denial = syntax_denial(fault)
            state.desk.refused(unread(text), denial)
            self.poison_query(denial, fault.position or 0)
            return True
        meanings = self.meanings
        for member in script.members:
            if meanings.must_probe(member) or meanings.must_wait(member):
                return False
        QueryUnit(self, data[at:end], text, script.members).weigh()
        return True

    def poison_query(self, denial: Denial, position: int = 0) -> None:
        """The whole string is replaced: the server fails it, keeps its own state, and is ready again."""
        if self.state.skipping:
            return
        step = Step(QUERY, self.state.unit)
        step.denial = denial
        step.position = position
        self.forward_query(step, POISON_QUERY)

    def forward_query(self, step: Step, message: bytes) -> None:
        """A Query goes upstream; it ends its unit."""
        state = self.state
        state.unit += 1
        state.steps.append(step)
        state.up.append(message)
        state.fresh = True
        self.controls = False

    # -- shared -------------------------------------------------------------------------------------------
    def note_parsed(self) -> None:
        """A Parse goes upstream without its Bind: what it says is recorded by itself."""
        statement = self.parsed
        if statement is not None:
            self.parsed = None
            if self.delayed is not None:
                self.release()
            self.state.desk.note(statement)

    def delay(self, step: Step, message: bytes) -> None:
        """A Parse waits for what follows it."""
        self.delayed = step
        self.delayed_message = message

    def release(self) -> None:
        """It goes upstream now; where the unit has failed meanwhile, the server would skip it."""
        step = self.delayed
        self.delayed = None
        if step is None:
            return
        if self.state.skipping:
            if step.entry is not None:
                self.state.names.revoke(step.entry)
            return
        self.state.steps.append(step)
        self.state.up.append(self.delayed_message)

    def midway(self) -> bool:
        """Whether the client stands in the middle of a message."""
        return self.answers is not None and self.answers.rows.through > 0

    def refuse(self, denial: Denial, statement: Statement, position: int = 0) -> bool:
        """Deny one message of an extended unit, and record it."""
        self.note_parsed()
        self.state.desk.refused(statement, denial)
        self.refuse_recorded(denial, position)
        return True

    def refuse_recorded(self, denial: Denial, position: int = 0) -> None:
        """The server gets what it can't parse in the message's place, and skips the rest of the unit."""
        state = self.state
        if self.delayed is not None:
            self.release()
        if state.skipping:
            return
        step = Step(PARSE, state.unit)
        step.denial = denial
        step.position = position
        state.steps.append(step)
        state.up.append(POISON_PARSE)
        state.skipping = True
        state.fresh = False
