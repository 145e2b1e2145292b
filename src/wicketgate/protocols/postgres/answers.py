"""The server's side of a conversation: each message is matched to its step, masked, recorded (compiled).

Rule 1. A message that the head does not expect ends the session: the server is not trusted to be right.
Rule 2. Rows under a mask pass only through their plan; without a plan they do not pass.
Rule 3. Messages that need no change pass as the bytes they came in.
Rule 4. What a limit or a denial ended is never followed by a commit that the client does not expect.
"""

from typing import Final

from wicketgate.model.decision import Denial
from wicketgate.model.session import Outcome
from wicketgate.protocols.postgres.frames import (
    POISON_PARSE,
    POISON_QUERY,
    FrameError,
    error_code,
    first_cell,
    frame,
    frame_end,
    run,
    text_end,
)
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
from wicketgate.protocols.postgres.messages import error_frame, soften
from wicketgate.protocols.postgres.plan import plan_for
from wicketgate.protocols.postgres.settings import parameter_status_allowed
from wicketgate.protocols.postgres.units import BARRIER, PATH, UNIT, Units
from wicketgate.sql.path import read_path

LARGEST: Final = 1 << 30
"""Bytes of the largest frame that PostgreSQL sends."""

LARGEST_HELD: Final = 64 << 20
"""Bytes of the largest frame that we hold whole, to mask it or to read it: a memory limit."""

MOST_PLANS: Final = 256
"""Plans that a session keeps."""

STREAMED: Final = 1 << 16
"""Frames above this that need no change go on as they come."""


class Answers:
    """Takes the server's bytes."""

    def __init__(self, state: State, units: Units) -> None:
        self.state = state
        self.units = units
        self.pieces: list[bytes] = []
        self.size = 0
        self.needed = 0
        self.through = 0
        self.through_execution: Execution | None = None
        self.paused = False
        self.asking = False

    # -- bytes --------------------------------------------------------------------------------------------
    def receive(self, data: bytes) -> None:
        """Bytes from the server."""
        self.pieces.append(data)
        self.size += len(data)
        if not self.paused and self.size >= self.needed:
            self.pump()

    def pump(self) -> None:
        """Take whole frames for as long as no lease is waited for."""
        state = self.state
        if state.over is not None:
            self.pieces = []
            self.size = 0
            return
        data = self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)
        at = 0
        self.needed = 0
        try:
            if self.through:
                at = self.pass_through(data)
            while not self.paused and state.over is None and not self.through:
                after = self.take(data, at)
                if after == at:
                    break
                at = after
        except FrameError as fault:
            self.broken(str(fault))
        self.pieces = [data[at:]] if at < len(data) else []
        self.size = len(data) - at

    def broken(self, detail: str) -> None:
        """The server's bytes make no sense: nothing after this can be passed."""
        state = self.state
        denial = Denial("unavailable", "The database sent an answer that the gateway can't follow.", detail)
        state.down.append(error_frame(denial, "FATAL"))
        state.over = "protocol-error"

    def pass_through(self, data: bytes) -> int:
        """The rest of a large frame that needs no change. Returns how much of `data` it took."""
        take = min(self.through, len(data))
        self.through -= take
        self.show(data[:take], self.through_execution)
        return take

    def show(self, chunk: bytes, execution: Execution | None) -> None:
        """Bytes go to the client, and into the record of the statement that they answer."""
        self.state.down.append(chunk)
        if execution is not None:
            execution.record(chunk, self.state.setting.kept)

    # -- one frame; returns where the next one begins, or `at` when this one is not whole -----------------
    def take(self, data: bytes, at: int) -> int:
        end = frame_end(data, at, LARGEST)
        if end == 0:
            return at
        kind = data[at]
        if kind == 68:
            return self.rows(data, at, end)
        if kind == 100:
            return self.rows(data, at, end)
        if end > len(data):
            if end - at > LARGEST_HELD:
                raise FrameError("message is too large")
            self.needed = end - at
            return at
        step = self.state.head()
        if kind == 90:  # ReadyForQuery
            self.ready(data, at, end)
        elif kind == 67 or kind == 73 or kind == 115:  # CommandComplete, EmptyQueryResponse, PortalSuspended
            self.complete(data, at, end, kind)
        elif kind == 49 or kind == 50 or kind == 51:  # Parse-, Bind-, CloseComplete
            if step is None or step.kind != (PARSE if kind == 49 else BIND if kind == 50 else CLOSE):
                raise FrameError("unexpected completion")
            self.pop(data, at, end)
        elif kind == 84 or kind == 110:  # RowDescription, NoData
            self.described(data, at, end, kind)
        elif kind == 69:
            self.failed(data, at, end)
        elif kind == 78:  # NoticeResponse
            self.notice(data, at, end)
        elif kind == 83:  # ParameterStatus
            self.parameter(data, at, end)
        elif kind == 116:  # ParameterDescription
            if step is None or step.kind != DESCRIBE:
                raise FrameError("unexpected parameter description")
            self.state.down.append(data[at:end])
        elif kind == 65:  # NotificationResponse
            if not self.state.names.environment.catalog.sensitive:
                self.state.down.append(data[at:end])
            else:
                self.state.host.count("notifications_withheld")
        elif kind == 71 or kind == 72:  # CopyInResponse, CopyOutResponse
            self.copies(data, at, end, kind)
        elif kind == 99:  # CopyDone
            self.show(data[at:end], self.running())
        else:
            raise FrameError("unexpected message type")
        return end

    def running(self) -> Execution:
        """The execution that the head step answers."""
        step = self.state.head()
        if step is not None:
            if step.kind == EXECUTE and step.execution is not None:
                return step.execution
            if step.kind == QUERY and step.index < len(step.executions):
                return step.executions[step.index]
        raise FrameError("unexpected answer")

    def pop(self, data: bytes, at: int, end: int) -> None:
        """The head is answered by this frame."""
        state = self.state
        step = state.steps.popleft()
        if not step.swallow:
            state.down.append(data[at:end])
        if step is state.barrier:
            self.release()

    def release(self) -> None:
        """What the client sent behind a barrier may go on."""
        self.state.barrier = None
        self.units.resume(BARRIER)

    # -- rows ---------------------------------------------------------------------------------------------
    def rows(self, data: bytes, at: int, end: int) -> int:
        """A run of DataRow or CopyData frames of one answer."""
        state = self.state
        step = state.head()
        if step is not None and step.probe:
            return self.probed(data, at, end)
        if step is not None and step.overflowed:
            return self.skip_rows(data, at, end)
        execution = self.running()
        if execution.overflow is not None:
            return self.skip_rows(data, at, end)
        allowance = execution.clearance.allowance
        if allowance.left <= 0:
            self.lease(execution)
            return at if self.paused else self.rows(data, at, end)
        plan = execution.plan
        if execution.masks and ((plan is None and not execution.described_as) or data[at] == 100):
            raise FrameError("rows came without a description")
        if end > len(data):
            if end - at > (LARGEST_HELD if plan is not None else LARGEST):
                raise FrameError("row is too large to be masked")
            if plan is None and end - at > STREAMED:
                allowance.left -= 1
                execution.rows += 1
                self.through = end - len(data)
                self.through_execution = execution
                self.show(data[at:], execution)
                return len(data)
            self.needed = end - at
            return at
        stop, count = run(data, at, data[at], LARGEST, allowance.left)
        allowance.left -= count
        execution.rows += count
        chunk = data[at:stop] if plan is None else plan.mask(data, at, stop, execution.masked)
        state.down.append(chunk)
        execution.record(chunk, state.setting.kept)
        return stop

    def skip_rows(self, data: bytes, at: int, end: int) -> int:
        """Rows over a limit do not leave."""
        if end > len(data):
            if end - at > LARGEST_HELD:
                raise FrameError("row is too large")
            self.needed = end - at
            return at
        stop, _ = run(data, at, data[at], LARGEST, 1 << 30)
        return stop

    def lease(self, execution: Execution) -> None:
        """The allowance is used up: nothing goes on until the gate has more, or says no."""
        self.paused = True
        self.asking = True

        def go_on(denial: Denial | None) -> None:
            self.paused = False
            if denial is not None:
                execution.overflow = denial
                self.state.host.cancel_upstream()
            if not self.asking:  # else the answer came at once, and the caller goes on
                self.pump()
                self.state.host.wake()

        self.state.desk.more(execution.clearance, go_on)
        self.asking = False

    # -- what a statement's answer consists of ------------------------------------------------------------
    def described(self, data: bytes, at: int, end: int, kind: int) -> None:
        """RowDescription or NoData, of a Describe or of a Query's member."""
        state = self.state
        step = state.head()
        if step is None:
            raise FrameError("unexpected row description")
        if step.kind == DESCRIBE:
            execution = step.execution
            if execution is not None and kind == 84:
                self.plan(execution, data[at + 5 : end])
            if execution is not None and not step.swallow:
                execution.record(data[at:end], state.setting.kept)
            self.pop(data, at, end)
            return
        if step.kind == QUERY and step.overflowed:
            return
        if step.kind == QUERY and kind == 84:
            execution = self.running()
            self.plan(execution, data[at + 5 : end])
            self.show(data[at:end], execution)
            return
        raise FrameError("unexpected row description")

    def plan(self, execution: Execution, body: bytes) -> None:
        """How this answer's rows are masked."""
        if execution.described_as == body:
            return
        plans = self.state.plans
        key = (body, execution.analysis, execution.clearance.decision)
        if key in plans:
            execution.plan = plans[key]
        else:
            catalog = self.state.names.environment.catalog
            execution.plan = plan_for(body, execution.analysis, catalog, execution.clearance.decision)
            if len(plans) >= MOST_PLANS:
                plans.clear()
            plans[key] = execution.plan
        execution.described_as = body

    def complete(self, data: bytes, at: int, end: int, kind: int) -> None:
        """A statement has run to its end, or a portal to its row limit."""
        state = self.state
        step = state.head()
        if step is None:
            raise FrameError("unexpected completion")
        if step.probe:
            state.steps.popleft()
            return
        if step.kind == QUERY and step.overflowed:
            return
        if step.kind == QUERY and kind == 73 and not step.executions:
            state.down.append(data[at:end])
            return
        execution = self.running()
        denial = execution.overflow
        if denial is not None:
            self.overflowed(step, execution, denial)
            return
        tag = data[at + 5 : end - 1].decode("latin-1") if kind == 67 else None
        self.show(data[at:end], execution)
        state.desk.settle(execution.clearance, execution.outcome(None, tag))
        state.copying = False
        if step.kind == QUERY:
            step.index += 1
            return
        state.steps.popleft()
        if step is state.barrier:
            self.release()

    def overflowed(self, step: Step, execution: Execution, denial: Denial) -> None:
        """The server finished what a limit had ended: it is made to fail too, so that nothing commits."""
        state = self.state
        execution.overflow = None
        state.desk.settle(execution.clearance, execution.outcome("limit", None))
        if step.kind == QUERY:
            state.down.append(error_frame(denial))
            for each in step.executions[step.index + 1 :]:
                state.desk.settle(each.clearance, Outcome(code="skipped"))
            step.index = len(step.executions)
            step.overflowed = True
            return
        state.steps.popleft()
        if step is state.barrier and len(state.steps) == 0:
            poison = Step(PARSE)
            poison.denial = denial
            state.steps.append(poison)
            state.up.append(POISON_PARSE)
            state.skipping = True
            self.release()
            return
        state.down.append(error_frame(denial))
        self.skip(step)
        if step is state.barrier:
            self.release()

    def copies(self, data: bytes, at: int, end: int, kind: int) -> None:
        """The server begins to take or to send COPY data."""
        state = self.state
        execution = self.running()
        if kind == 72 and execution.masks:
            raise FrameError("COPY of sensitive data")
        self.show(data[at:end], execution)
        if kind == 71:
            state.copying = True
            if state.head() is state.barrier:
                self.release()

    # -- errors, notices, states --------------------------------------------------------------------------
    def failed(self, data: bytes, at: int, end: int) -> None:
        """ErrorResponse: the head failed, and in an extended unit all behind it up to Sync is skipped."""
        state = self.state
        step = state.head()
        code = error_code(data, at + 5, end)
        if step is None:
            state.down.append(self.softened(data, at, end, state.sensitive, b""))
            return
        shown = self.error_shown(step, data, at, end)
        state.copying = False
        if step.kind == QUERY:
            if step.index < len(step.executions):
                execution = step.executions[step.index]
                self.settle_failed(execution, shown, code)
            if shown:
                state.down.append(shown)
            for execution in reversed(step.executions[step.index :]):
                state.names.undo(execution.undo)
            for execution in step.executions[step.index + 1 :]:
                state.desk.settle(execution.clearance, Outcome(code="skipped"))
            step.index = len(step.executions)
            state.names.failed()
            return
        if step.execution is not None and step.kind != DESCRIBE:
            self.settle_failed(step.execution, shown, code)
        if shown:
            state.down.append(shown)
        self.skip(step)
        if state.barrier is not None and state.barrier not in state.steps:
            self.release()

    def error_shown(self, step: Step, data: bytes, at: int, end: int) -> bytes:
        """What the client sees of an error: a denial in our words, the server's own, or a softened one."""
        if step.probe or step.overflowed:
            return b""
        denial = step.denial
        if denial is not None:
            return error_frame(denial)
        execution = step.execution
        if step.kind == QUERY and step.index < len(step.executions):
            execution = step.executions[step.index]
        if execution is not None and execution.overflow is not None:
            over = execution.overflow
            execution.overflow = None
            return error_frame(over)
        sensitive = step.sensitive
        if step.kind == QUERY:
            sensitive = any(e.masks for e in step.executions) or self.state.sensitive
        return self.softened(data, at, end, sensitive, step.text)

    def softened(self, data: bytes, at: int, end: int, sensitive: bool, text: bytes) -> bytes:
        """The frame, or one whose text holds nothing but what the client or the catalog already says."""
        if not sensitive:
            return data[at:end]
        catalog = self.state.names.environment.catalog
        return frame(data[at : at + 1], soften(data[at + 5 : end], text, catalog.names().__contains__))

    def settle_failed(self, execution: Execution, shown: bytes, code: str) -> None:
        if shown:
            execution.record(shown, self.state.setting.kept)
        self.state.desk.settle(execution.clearance, execution.outcome(code, None))

    def skip(self, failed: Step) -> None:
        """The server skips all behind a failed step up to Sync: what was assumed of it is taken back."""
        state = self.state
        undone: list[Step] = []
        if state.steps and state.steps[0] is failed:
            undone.append(state.steps.popleft())
        settled = failed.execution
        while state.steps and state.steps[0].kind != SYNC:
            step = state.steps.popleft()
            undone.append(step)
            execution = step.execution
            if step.kind == QUERY:
                for each in step.executions:
                    state.desk.settle(each.clearance, Outcome(code="skipped"))
                if step.changes:
                    state.changing -= 1
            elif execution is not None and execution is not settled and not execution.clearance.settled:
                state.desk.settle(execution.clearance, Outcome(code="skipped"))
        for step in reversed(undone):
            for each in reversed(step.executions):
                state.names.undo(each.undo)
            state.names.undo(step.undo)
            if step.kind == DESCRIBE and step.execution is not None:
                step.execution.described = False
        if not state.steps:
            state.skipping = True
        state.names.failed()

    def notice(self, data: bytes, at: int, end: int) -> None:
        step = self.state.head()
        text = step.text if step is not None else b""
        self.state.down.append(self.softened(data, at, end, self.state.sensitive, text))

    def parameter(self, data: bytes, at: int, end: int) -> None:
        """ParameterStatus passes for listed names only; 18 tells the search_path by it."""
        stop = text_end(data, at + 5, end)
        name = data[at + 5 : stop].decode("latin-1")
        if name == "search_path":
            names = self.state.names
            value = data[stop + 1 : text_end(data, stop + 1, end)]
            names.reported = read_path(value.decode("utf-8", "replace"))
        if parameter_status_allowed(name, self.state.sensitive):
            self.state.down.append(data[at:end])

    def probed(self, data: bytes, at: int, end: int) -> int:
        """The answer to our own question for the search_path."""
        if end > len(data):
            self.needed = end - at
            return at
        value = first_cell(data, at, end)
        names = self.state.names
        path = read_path(value.decode("utf-8", "replace")) if value is not None else None
        if path is not None:
            names.path(path)
        return end

    def ready(self, data: bytes, at: int, end: int) -> None:
        """ReadyForQuery: a unit has ended; what its transaction held is settled."""
        state = self.state
        step = state.head()
        if step is None or (step.kind != SYNC and step.kind != QUERY) or end - at != 6:
            raise FrameError("unexpected ReadyForQuery")
        before = state.transaction
        state.transaction = data[at + 5 : end]
        if (
            step.overflowed and state.transaction == b"T"
        ):  # the block must fail, as the client believes it did
            state.up.append(POISON_QUERY)
            return
        state.steps.popleft()
        if not step.probe:
            state.settled = step.unit
        if step.changes:
            state.changing -= 1
        if state.transaction == b"I":
            state.names.ended(before != b"I", step.unit)
            if not state.steps and self.units.fresh:
                state.sensitive = False
                state.wrote = False
        if state.names.reported is not None and not state.changing:
            state.names.path(state.names.reported)
        if step.probe:
            self.units.resume(PATH)
            return
        state.down.append(data[at:end])
        if step is state.barrier:
            self.release()
        if not state.changing:
            self.units.resume(UNIT)
