"""When something fails: whose error it was, what the client sees of it, and what the server skips (compiled).
It must never pass a server's text where hidden values may stand in it, nor lose count of what was skipped."""

from typing import TYPE_CHECKING, Final

from wicketgate.masking.detect import Detectors
from wicketgate.model.decision import Denial
from wicketgate.protocols.postgres.frames import HEADER, POISON_PARSE, FrameError, error_code, frame
from wicketgate.protocols.postgres.ledger import EXECUTE, PARSE, QUERY, SYNC, Execution, State, Step
from wicketgate.protocols.postgres.meanings import UNIT
from wicketgate.protocols.postgres.messages import error_frame, fields_of, soften, sqlstate

if TYPE_CHECKING:
    from wicketgate.protocols.postgres.answers import Answers

LOOKED_UP: Final = frozenset({"no-statement", "no-portal"})

ABORTED: Final = Denial(
    "aborted",
    "current transaction is aborted, commands ignored until end of transaction block",
    "a name that is not there, in a block that has failed",
)


class Failures:
    """The part of the server's side that knows errors."""

    def __init__(self, state: State, answers: "Answers") -> None:
        self.state = state
        self.answers = answers

    def failed(self, step: Step | None, data: bytes, at: int, end: int) -> None:
        """ErrorResponse: the head failed, and in an extended unit all behind it up to Sync is skipped."""
        state = self.state
        fields = fields_of(data[at + 5 : end])
        severity = fields.get("V") or fields.get("S") or "ERROR"
        if severity == "FATAL" or severity == "PANIC":
            self.fatal(step, data, at, end)
            return
        if step is None:
            raise FrameError("unexpected error")
        if step.failed:
            raise FrameError("a second error")
        step.failed = True
        state.copying = None
        shown = self.shown(step, data, at, end)
        if shown:
            state.down.append(shown)
        code = sqlstate(error_code(shown, 5, len(shown)) if shown else fields.get("C"))
        state.names.failed()
        state.circumstances.taken_back()
        if step.kind == QUERY:
            self.query_failed(step, shown, code)
            return
        if step.kind == SYNC:  # what was to be checked at the end: the unit fails as a whole
            return
        if step.kind == EXECUTE and step.execution is not None:
            step.execution.record(shown, state.setting)
            state.settle(step.execution, code)
        self.skip()
        if state.barrier is not None and state.barrier not in state.steps:
            self.answers.release()
        if not state.steps:
            # a Query that the server skipped is never answered: what waits for that is dropped up to Sync
            self.answers.units.resume(UNIT)

    def fatal(self, step: Step | None, data: bytes, at: int, end: int) -> None:
        """The server ends the session, whatever it was doing."""
        state = self.state
        text = step.text if step is not None else b""
        shown = self.softened(data, at, end, self.hides(step), text)
        state.down.append(shown)
        code = sqlstate(error_code(data, at + 5, end))
        if step is not None and step.kind == EXECUTE and step.execution is not None:
            step.execution.record(shown, state.setting)
        self.answers.units.finish("upstream", code)

    def query_failed(self, step: Step, shown: bytes, code: str) -> None:
        """A Query failed: its members from here on did not run."""
        state = self.state
        executions = step.executions
        if executions is None:
            return
        rest = executions[step.index :]
        step.index = len(executions)
        if rest:
            rest[0].record(shown, state.setting)
            state.settle(rest[0], code)
        for execution in rest[1:]:
            state.settle(execution, "skipped")
        for execution in reversed(rest):
            self.revoke(execution)

    def skip(self) -> None:
        """The server skips all behind the failed head up to Sync: what was assumed of it is taken back."""
        state = self.state
        undone: list[Step] = []
        while state.steps and state.steps[0].kind != SYNC:
            undone.append(state.steps.popleft())
        for step in undone:
            execution = step.execution
            if execution is not None and step.kind == EXECUTE:
                state.settle(execution, "skipped")
            if step.executions is not None:
                for each in step.executions:
                    state.settle(each, "skipped")
        for step in reversed(undone):
            if step.executions is not None:
                for each in reversed(step.executions):
                    self.revoke(each)
            if step.kind == EXECUTE and step.execution is not None:
                self.revoke(step.execution)
            if step.entry is not None:
                if step.failed and step.denial is not None:
                    state.names.confirm(step.entry)  # a refused Parse ends the unnamed statement
                else:
                    state.names.revoke(step.entry)
            if step.shape is not None:
                step.shape.asked = False
        if not state.steps:
            state.skipping = True

    def revoke(self, execution: Execution) -> None:
        """A statement about names did not run."""
        entries = execution.entries
        if entries is not None:
            execution.entries = None
            for entry in reversed(entries):
                self.state.names.revoke(entry)

    def overflowed(self, step: Step, execution: Execution, denial: Denial) -> None:
        """The server finished what a limit had ended: it is made to fail too, so that nothing commits."""
        state = self.state
        shown = error_frame(denial)
        code = sqlstate(error_code(shown, 5, len(shown)))
        if step.kind == QUERY:
            state.down.append(shown)
            execution.record(shown, state.setting)
            state.settle(execution, code)
            if step.executions is not None:
                for each in step.executions[step.index + 1 :]:
                    state.settle(each, "skipped")
                step.index = len(step.executions)
            step.overflowed = True
            return
        execution.record(shown, state.setting)
        state.settle(execution, code)
        state.steps.popleft()
        if state.steps:  # the Sync, which passed because it commits nothing
            state.down.append(shown)
            self.skip()
        else:
            poison = Step(PARSE, state.unit)
            poison.denial = denial
            state.steps.append(poison)
            state.up.append(POISON_PARSE)
            state.skipping = True
        if step is state.barrier:
            self.answers.release()

    # -- what the client sees -----------------------------------------------------------------------------
    def shown(self, step: Step, data: bytes, at: int, end: int) -> bytes:
        """What the client sees of an error: a denial in our words, the server's own, or a softened one."""
        if step.probe or step.overflowed:
            return b""
        denial = step.denial
        if denial is not None:
            if denial.kind in LOOKED_UP and step.kind == QUERY and self.state.transaction == b"E":
                denial = ABORTED  # the server does not look names up in a block that has failed
            return positioned(error_frame(denial), step.position)
        execution = step.execution
        executions = step.executions
        if executions is not None and step.index < len(executions):
            execution = executions[step.index]
        if execution is not None and execution.overflow is not None:
            return error_frame(execution.overflow)
        told = self.softened(data, at, end, self.hides(step), step.text)
        return unplaced(told) if step.moved else told

    def notice(self, step: Step | None, data: bytes, at: int, end: int) -> None:
        """NoticeResponse: at any time."""
        text = step.text if step is not None else b""
        self.state.down.append(self.softened(data, at, end, self.hides(step), text))

    def hides(self, step: Step | None) -> bool:
        """Whether hidden values may stand in what the server says now."""
        return self.state.sensitive or (step is not None and step.sensitive)

    def softened(self, data: bytes, at: int, end: int, hides: bool, text: bytes) -> bytes:
        """The frame, or one whose text holds nothing but what the client or the catalog already says."""
        if not hides:
            detectors = self.state.detectors()
            return data[at:end] if detectors is None else looked_into(data, at, end, detectors)
        catalog = self.state.names.environment.catalog
        return frame(data[at : at + 1], soften(data[at + 5 : end], text, catalog.names().__contains__))


def looked_into(data: bytes, at: int, end: int, detectors: Detectors) -> bytes:
    """An ErrorResponse or NoticeResponse without what detectors find in its texts."""
    fields = data[at + 5 : end].split(b"\0")
    texts: list[bytes | None] = [field[1:] if field[:1] in _TEXTS else None for field in fields]
    found = detectors.mask(texts, "", frozenset(), {})
    if found is None:
        return data[at:end]
    for index, text in enumerate(found):
        if text is not None:
            fields[index] = fields[index][:1] + text
    return frame(data[at : at + 1], b"\0".join(fields))


_TEXTS: Final = (b"M", b"D", b"H", b"W", b"q")


def unplaced(error: bytes) -> bytes:
    """An ErrorResponse that does not say where: the server's text was another, and its length is none of the
    client's business."""
    fields = [field for field in error[HEADER:].rstrip(b"\0").split(b"\0") if field[:1] not in (b"P", b"p")]
    return frame(b"E", b"\0".join(fields) + b"\0\0")


def positioned(error: bytes, position: int) -> bytes:
    """An ErrorResponse that says where in the statement it is."""
    if position <= 0:
        return error
    return frame(b"E", error[HEADER : len(error) - 1] + b"P" + str(position).encode() + b"\0\0")
