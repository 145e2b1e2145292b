"""What one layer is to another with each statement: base classes, since compiled code calls those directly
and a Protocol's methods by name (compiled). Nothing here does anything.
"""

from collections.abc import Callable
from typing import Final

from mypy_extensions import mypyc_attr

from wicketgate.model.clearance import Clearance, Outcome
from wicketgate.model.decision import Decision, Denial
from wicketgate.model.detector import Detection
from wicketgate.model.held import Holding
from wicketgate.model.statement import Facts, Statement

NEVER: Final = 1 << 62
"""A moment that does not come, of a clock in ns."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Desk:
    """The gate, seen from one session.

    detection: what its values are searched for; None: nothing.
    due: monotonic ns; from then on the worker lets nothing pass before the session is admitted again.
    """

    __slots__ = ("detection", "due")

    detection: Detection | None
    due: int

    def submit(
        self,
        statement: Statement,
        resume: Callable[[Clearance | Denial], None],
        holding: Holding | None = None,
    ) -> Clearance | Denial | None:
        """Decide, discharge, record. None: it waits, and `resume` is called with the answer later.
        holding: what people would be told of it; without one, what has to be reviewed is denied."""
        raise NotImplementedError

    def upheld(self, clearance: Clearance, statement: Statement) -> Denial | None:
        """Whether what was cleared may still run, without recording a thing."""
        raise NotImplementedError

    def weigh(self, statement: Statement) -> Denial | None:
        """Whether a statement could be permitted at all, without recording a thing (a Parse)."""
        raise NotImplementedError

    def judged(self, facts: Facts) -> Decision:
        """What holds for a statement of these facts now, without recording a thing."""
        raise NotImplementedError

    def note(self, statement: Statement) -> None:
        """A statement's text goes upstream to be prepared, unbound: recorded before it does."""
        raise NotImplementedError

    def refused(self, statement: Statement, denial: Denial) -> None:
        """A statement is not forwarded (weigh said so, or the protocol itself): recorded with its cause."""
        raise NotImplementedError

    def more(self, clearance: Clearance, resume: Callable[[Denial | None], None]) -> None:
        """The allowance is used up: lease more rows. `resume(None)` when there are some, else a Denial."""
        raise NotImplementedError

    def settle(self, clearance: Clearance, outcome: Outcome) -> None:
        """The statement ended. Recorded before the answer's last bytes leave."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class Lines:
    """One session's lines in the journal. q: the number of the last one."""

    __slots__ = ("q",)

    q: int

    def line(self, kind: str, head: bytes = b"", body: bytes | None = None) -> int:
        """Append to the turn's buffer; the session's line number. Raises JournalFailed."""
        raise NotImplementedError

    def moment(self) -> int:
        """The boot clock (ns) that this turn's lines carry. To be asked only where a line is written in the
        same turn. Raises JournalFailed."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class Flushing:
    """A journal's writer, seen from the turn of a loop."""

    __slots__ = ()

    def flush(self) -> None:
        """One write (and one fsync with `synced`). Raises JournalFailed, and then ever after."""
        raise NotImplementedError
