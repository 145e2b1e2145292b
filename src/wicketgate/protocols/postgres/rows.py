"""Rows on their way to the client: masked, counted, recorded; large ones streamed; those over a limit dropped
(compiled). Rows under a mask pass only through their plan; without a plan they do not pass."""

from typing import TYPE_CHECKING, Final

from wicketgate.model.decision import Denial
from wicketgate.protocols.postgres.frames import FrameError, run
from wicketgate.protocols.postgres.ledger import Execution, State, Step
from wicketgate.protocols.postgres.questions import CANCELLED

if TYPE_CHECKING:
    from wicketgate.protocols.postgres.answers import Answers

LARGEST: Final = 1 << 30
"""Bytes of the largest frame that PostgreSQL sends."""

LARGEST_HELD: Final = 64 << 20
"""Bytes of the largest frame that we hold whole, to mask it or to read it: a memory limit."""

STREAMED: Final = 1 << 16
"""Frames above this that need no change go on as they come."""

BINARY_END: Final = b"\xff\xff"
"""The last message of a binary COPY, which is no row. In the other formats no row is like it."""

NO_MORE: Final = Denial("limit", "No more rows may leave.", "a lease of no rows")
TOO_LARGE: Final = Denial("too-large", "A row is too large to be masked.", "a row above LARGEST_HELD")


class Rows:
    """Runs of DataRow and CopyData frames. Each method returns where the next frame begins."""

    def __init__(self, state: State, answers: "Answers") -> None:
        self.state = state
        self.answers = answers
        self.through = 0
        """Bytes of a large frame that are still to come."""
        self.through_execution: Execution | None = None
        """Whose frame that is; None: it is dropped."""
        self.leasing: Execution | None = None
        """The execution whose rows wait for the gate."""
        self.asking = False

    def take(self, step: Step, data: bytes, at: int, end: int) -> int:
        """A run of frames of one answer, from `at`; the first of them ends at `end`."""
        state = self.state
        if step.overflowed:
            return self.drop(data, at, end)
        execution = self.answers.running(step)
        kind = data[at]
        if (kind == 100) is not execution.sending:
            raise FrameError("rows of another kind than announced")
        if execution.overflow is not None:
            return self.drop(data, at, end)
        shape = execution.shape
        plan = shape.plan
        copying = execution.copying
        if shape.looks and (shape.body is None or kind == 100):
            raise FrameError("rows came without a description")
        allowance = execution.clearance.allowance
        if kind == 100 and end - at == 7 and end > len(data):
            self.answers.needed = end - at
            return at
        last = kind == 100 and data[at + 5 : end] == BINARY_END
        if allowance.left <= 0 and not last:
            self.lease(execution)
            # the gate may have answered at once
            return at if self.answers.paused else self.take(step, data, at, end)
        if end > len(data):
            if plan is None and copying is None and end - at > STREAMED:
                allowance.left -= 1
                execution.rows += 1
                self.through = end - len(data)
                self.through_execution = execution
                chunk = data[at:]
                state.down.append(chunk)
                execution.record(chunk, state.setting)
                return len(data)
            if end - at > LARGEST_HELD:
                self.answers.doomed = TOO_LARGE
                raise FrameError("row is too large to be masked")
            self.answers.needed = end - at
            return at
        if last:
            stop, count = end, 0
        else:
            stop, count = run(data, at, kind, LARGEST, allowance.left)
        allowance.left -= count
        execution.rows += count
        if copying is not None:
            chunk = copying.feed(data, at, stop, execution.masked)
        else:
            chunk = data[at:stop] if plan is None else plan.mask(data, at, stop, execution.masked)
        state.down.append(chunk)
        execution.record(chunk, state.setting)
        return stop

    def drop(self, data: bytes, at: int, end: int) -> int:
        """Rows over a limit do not leave."""
        if end > len(data):
            self.through = end - len(data)
            self.through_execution = None
            return len(data)
        stop, _ = run(data, at, data[at], LARGEST, 1 << 30)
        return stop

    def pass_through(self, data: bytes) -> int:
        """The rest of a large frame."""
        take = min(self.through, len(data))
        self.through -= take
        execution = self.through_execution
        if execution is not None:
            chunk = data[:take]
            self.state.down.append(chunk)
            execution.record(chunk, self.state.setting)
        return take

    # -- limits -------------------------------------------------------------------------------------------
    def lease(self, execution: Execution) -> None:
        """The allowance is used up: nothing goes on until the gate has more, or says no."""
        self.leasing = execution
        self.answers.paused = True

        def go_on(denial: Denial | None) -> None:
            if self.leasing is not execution:
                return
            self.leased(execution, denial)
            if not self.asking:  # else the answer came at once, and the caller goes on
                self.answers.go_on()

        self.asking = True
        self.state.desk.more(execution.clearance, go_on)
        self.asking = False

    def leased(self, execution: Execution, denial: Denial | None) -> None:
        """The gate has given more rows, or none."""
        self.leasing = None
        self.answers.paused = False
        if denial is None and execution.clearance.allowance.left <= 0:
            denial = NO_MORE
        if denial is not None:
            execution.overflow = denial
            self.state.host.cancel_upstream()

    def cancel(self) -> bool:
        """The client cancels. True: rows were waiting, and now they are dropped."""
        execution = self.leasing
        if execution is None:
            return False
        self.leasing = None
        self.answers.paused = False
        execution.overflow = CANCELLED
        self.answers.go_on()
        return True
