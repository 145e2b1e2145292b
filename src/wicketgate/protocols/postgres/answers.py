"""The server's side of a conversation: each message is matched to its step, masked, recorded (compiled).

Rule 1. A message that the head does not expect ends the session: the server is not trusted to be right.
Rule 2. Rows under a mask pass only through their plan; without a plan they do not pass.
Rule 3. Messages that need no change pass as the bytes they came in.
Rule 4. What a limit or a denial ended is never followed by a commit that the client does not expect.
"""

from typing import Final

from wicketgate.model.decision import Denial
from wicketgate.protocols.postgres.failures import Failures
from wicketgate.protocols.postgres.frames import POISON_QUERY, FrameError, first_cell, frame_end, text_end
from wicketgate.protocols.postgres.ledger import (
    BIND,
    CLOSE,
    DESCRIBE,
    EXECUTE,
    PARSE,
    QUERY,
    SYNC,
    Execution,
    State,
    Step,
)
from wicketgate.protocols.postgres.meanings import PATH, UNIT
from wicketgate.protocols.postgres.messages import error_frame
from wicketgate.protocols.postgres.plans import Plans
from wicketgate.protocols.postgres.rows import LARGEST, LARGEST_HELD, Rows
from wicketgate.protocols.postgres.settings import parameter_status_allowed, report_is_sound
from wicketgate.protocols.postgres.units import BARRIER, DEPTH, MOST_STEPS, Units
from wicketgate.sql.path import read_path

BROKEN: Final = Denial(
    "unavailable", "The database sent an answer that the gateway can't follow.", "an unexpected answer"
)


CHANGED: Final = Denial(
    "unavailable",
    "A setting of the session was changed that the gateway rests on: the session ends.",
    "the server reports a changed setting",
)


class Answers:
    """Takes the server's bytes."""

    def __init__(self, state: State, units: Units) -> None:
        self.state = state
        self.units = units
        self.rows = Rows(state, self)
        self.failures = Failures(state, self)
        self.plans = Plans(state)
        self.pieces: list[bytes] = []
        self.size = 0
        self.needed = 0
        self.paused = False
        """A lease is waited for."""
        self.pumping = False
        self.doomed: Denial | None = None
        """Why the session ends, if not for an answer out of place."""

    # -- bytes --------------------------------------------------------------------------------------------
    def receive(self, data: bytes) -> None:
        """Bytes from the server."""
        self.pieces.append(data)
        self.size += len(data)
        if not self.paused and self.size >= self.needed:
            self.pump()

    def pump(self) -> None:
        """Take whole frames for as long as no lease is waited for."""
        if self.pumping:
            return
        state = self.state
        data = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        at = 0
        self.needed = 0
        self.pumping = True
        try:
            if self.rows.through:
                at = self.rows.pass_through(data)
            while not self.paused and state.over is None and not self.rows.through:
                after = self.take(data, at)
                if after == at:
                    break
                at = after
        except FrameError:
            self.broken()
        finally:
            self.pumping = False
        if state.over is not None:
            at = len(data)
        self.pieces = [data[at:]] if at < len(data) else []
        self.size = len(data) - at
        if self.units.waiting == DEPTH and len(state.steps) <= MOST_STEPS // 2 and not state.heavy():
            self.units.resume(DEPTH)

    def go_on(self) -> None:
        """What was waited for has come."""
        self.pump()
        self.state.host.wake()

    def broken(self) -> None:
        """The server's bytes make no sense, or can't be passed: nothing after this can be."""
        state = self.state
        if not self.rows.through:
            denial = self.doomed if self.doomed is not None else BROKEN
            state.down.append(error_frame(denial, "FATAL"))
        self.units.finish("protocol-error", "08P01")

    # -- one frame; returns where the next one begins, or `at` when this one is not whole -----------------
    def take(self, data: bytes, at: int) -> int:
        end = frame_end(data, at, LARGEST)
        if end == 0:
            return at
        kind = data[at]
        state = self.state
        step = state.steps[0] if state.steps else None
        if kind == 68 or kind == 100:
            if step is None:
                raise FrameError("unexpected rows")
            if step.probe:
                return self.probed(step, data, at, end)
            return self.rows.take(step, data, at, end)
        if end > len(data):
            if end - at > LARGEST_HELD:
                raise FrameError("message is too large")
            self.needed = end - at
            return at
        if kind == 78:  # NoticeResponse
            self.failures.notice(step, data, at, end)
        elif kind == 83:  # ParameterStatus
            self.parameter(data, at, end)
        elif kind == 65:  # NotificationResponse
            if state.hides():
                state.host.count("notifications_withheld")
            else:
                state.down.append(data[at:end])
        elif kind == 69:
            self.failures.failed(step, data, at, end)
        elif step is None:
            raise FrameError("unexpected answer")
        elif kind == 90:  # ReadyForQuery
            self.ready(step, data, at, end)
        elif kind == 67 or kind == 73 or kind == 115:  # CommandComplete, EmptyQueryResponse, PortalSuspended
            self.complete(step, data, at, end, kind)
        elif kind == 49:  # ParseComplete
            self.pop(step, PARSE, data, at, end)
        elif kind == 50:  # BindComplete
            self.pop(step, BIND, data, at, end)
        elif kind == 51:  # CloseComplete
            self.pop(step, CLOSE, data, at, end)
        elif kind == 84 or kind == 110:  # RowDescription, NoData
            self.described(step, data, at, end, kind)
        elif kind == 116:  # ParameterDescription
            if step.kind != DESCRIBE or step.shape is not None:
                raise FrameError("unexpected parameter description")
            state.down.append(data[at:end])
        elif kind == 71 or kind == 72:  # CopyInResponse, CopyOutResponse
            self.copies(step, data, at, end, kind)
        elif kind == 99:  # CopyDone
            self.copied(step, data, at, end)
        else:
            raise FrameError("unexpected message type")
        return end

    def running(self, step: Step) -> Execution:
        """The execution that a step's answer belongs to now."""
        if step.kind == EXECUTE and step.execution is not None:
            return step.execution
        executions = step.executions
        if executions is not None and step.index < len(executions):
            return executions[step.index]
        raise FrameError("unexpected answer")

    def pop(self, step: Step, kind: int, data: bytes, at: int, end: int) -> None:
        """A Parse, Bind or Close is done."""
        state = self.state
        if step.kind != kind or step.denial is not None:
            raise FrameError("unexpected completion")
        state.steps.popleft()
        if step.entry is not None:
            state.names.confirm(step.entry)
        if not step.swallow:
            state.down.append(data[at:end])

    def release(self) -> None:
        """What the client sent behind a barrier may go on."""
        self.state.barrier = None
        self.units.resume(BARRIER)

    # -- what a statement's answer consists of ------------------------------------------------------------
    def described(self, step: Step, data: bytes, at: int, end: int, kind: int) -> None:
        """RowDescription or NoData, of a Describe or of a Query's member."""
        state = self.state
        if step.kind == DESCRIBE:
            shape = step.shape
            if shape is not None and kind == 84:
                self.plans.plan(shape, data[at + 5 : end])
            state.steps.popleft()
            if step.swallow:
                return
            state.down.append(data[at:end])
            if step.execution is not None:
                step.execution.record(data[at:end], state.setting)
            return
        if step.kind != QUERY or kind != 84:
            raise FrameError("unexpected row description")
        if step.overflowed:
            return
        execution = self.running(step)
        self.plans.plan(execution.shape, data[at + 5 : end])
        state.down.append(data[at:end])
        execution.record(data[at:end], state.setting)

    def complete(self, step: Step, data: bytes, at: int, end: int, kind: int) -> None:
        """A statement has run to its end, or a portal to its row limit."""
        state = self.state
        if step.probe and step.kind == EXECUTE:
            state.steps.popleft()
            return
        if step.overflowed:
            return
        if kind == 115 and step.kind != EXECUTE:
            raise FrameError("unexpected suspension")
        execution = self.running(step)
        state.copying = None
        if execution.overflow is not None:
            self.failures.overflowed(step, execution, execution.overflow)
            return
        entries = execution.entries
        if entries is not None and kind != 115:
            for entry in entries:
                state.names.confirm(entry)
        whole = data[at:end]
        state.down.append(whole)
        execution.record(whole, state.setting)
        state.settle(execution, None, data[at + 5 : end - 1].decode("latin-1") if kind == 67 else None)
        if step.kind == QUERY:
            step.index += 1
            return
        state.steps.popleft()
        if step is state.barrier:
            self.release()

    def copies(self, step: Step, data: bytes, at: int, end: int, kind: int) -> None:
        """The server begins to take or to send COPY data."""
        state = self.state
        if kind == 72 and step.overflowed:
            return
        execution = self.running(step)
        if execution.member.kind != ("copy_in" if kind == 71 else "copy_out"):
            raise FrameError("unexpected COPY")
        if kind == 72 and execution.shape.hides:
            raise FrameError("COPY of hidden values")
        copying = execution.copying
        if kind == 72 and copying is not None and not copying.plan.agrees(data[at + 5 : end]):
            raise FrameError("COPY of other columns than were masked")
        state.down.append(data[at:end])
        execution.record(data[at:end], state.setting)
        if kind == 72:
            execution.sending = True
            return
        if step is not state.barrier:
            raise FrameError("unexpected COPY")
        state.copying = execution
        self.release()

    def copied(self, step: Step, data: bytes, at: int, end: int) -> None:
        """The server has sent all COPY data."""
        if step.overflowed:
            return
        execution = self.running(step)
        if not execution.sending:
            raise FrameError("unexpected CopyDone")
        if execution.overflow is None:
            copying = execution.copying
            rest = b"" if copying is None else copying.finish(execution.masked)
            self.state.down.append(rest + data[at:end])
            execution.record(rest + data[at:end], self.state.setting)

    # -- what the server says beside answers --------------------------------------------------------------
    def parameter(self, data: bytes, at: int, end: int) -> None:
        """ParameterStatus passes for listed names only; 18 tells the search_path by it. One that says that
        statements are read in another way than ours ends the session before anything else passes."""
        stop = text_end(data, at + 5, end)
        name = data[at + 5 : stop].decode("latin-1")
        value = data[stop + 1 : text_end(data, stop + 1, end)].decode("utf-8", "replace")
        names = self.state.names
        if not report_is_sound(name, value, names.user, names.read_only):
            self.doomed = CHANGED
            raise FrameError("a setting was changed that must not be")
        state = self.state
        # what of the unit in hand was read may have come before it or after
        state.circumstances.reported(name, value, state.unit - 1 if state.fresh else state.unit)
        if name == "search_path":
            names.reported = read_path(value)
        if parameter_status_allowed(name, self.state.sensitive):
            self.state.down.append(data[at:end])

    def probed(self, step: Step, data: bytes, at: int, end: int) -> int:
        """The answer to our own question for the search_path."""
        if step.kind != EXECUTE:
            raise FrameError("unexpected rows")
        if end > len(data):
            if end - at > LARGEST_HELD:
                raise FrameError("message is too large")
            self.needed = end - at
            return at
        value = first_cell(data, at, end)
        path = read_path(value.decode("utf-8", "replace")) if value is not None else None
        if path is not None:
            self.state.names.path(path)
        return end

    def ready(self, step: Step, data: bytes, at: int, end: int) -> None:
        """ReadyForQuery: a unit has ended; what its transaction held is settled."""
        state = self.state
        if (step.kind != SYNC and step.kind != QUERY) or end - at != 6:
            raise FrameError("unexpected ReadyForQuery")
        status = data[at + 5 : end]
        if status != b"I" and status != b"T" and status != b"E":
            raise FrameError("unknown transaction state")
        if step.kind == QUERY and not step.failed and not step.overflowed and not answered(step):
            raise FrameError("unexpected ReadyForQuery")
        if step.overflowed and status == b"T":  # the block must fail, as the client believes it did
            if step.poisoned:
                raise FrameError("unexpected ReadyForQuery")
            step.poisoned = True
            step.failed = False
            state.up.append(POISON_QUERY)
            return
        before = state.transaction
        state.transaction = status
        state.steps.popleft()
        names = state.names
        if step.probe:
            self.units.resume(PATH)
            return
        if step.swallow:
            return
        if before == b"I":
            state.began = step.unit
        state.answered = step.unit
        if state.unexecuted:
            state.settle_bound(step.unit)
        if status == b"I":
            names.ended(before != b"I", step.unit)
            state.circumstances.ended(not state.steps and state.fresh)
            if names.defined:
                state.host.stale()  # other sessions look at it too
            if not state.steps and state.fresh:
                state.sensitive = False
                state.wrote = False
                state.touched = False
        if names.reported is not None and state.changed <= state.answered:
            names.path(names.reported)
        state.down.append(data[at:end])
        if step is state.barrier:
            self.release()
        self.units.resume(UNIT)


def answered(step: Step) -> bool:
    """Whether all members of a Query have been answered."""
    return step.denial is None and step.executions is not None and step.index >= len(step.executions)
