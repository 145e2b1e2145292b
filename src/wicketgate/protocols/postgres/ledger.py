"""What was forwarded and not yet answered: steps, executions and the session's state they share (compiled).
Every upstream message is matched to the ledger's head; nothing here is "current"."""

from collections import deque
from functools import lru_cache
from typing import Final

from wicketgate.masking.detect import Detectors
from wicketgate.model.clearance import Clearance, Outcome
from wicketgate.model.decision import Decision, Denial
from wicketgate.model.detector import Detection
from wicketgate.model.digest import Digest
from wicketgate.model.statement import Statement
from wicketgate.protocols.conversing import Setting
from wicketgate.protocols.postgres.circumstances import Circumstances
from wicketgate.protocols.postgres.copying import Copying, CopyPlan
from wicketgate.protocols.postgres.names import Entry, Names
from wicketgate.protocols.postgres.plan import Plan
from wicketgate.protocols.postgres.returned import Carried, Returned
from wicketgate.protocols.postgres.types import Names as Tokens
from wicketgate.sql.member import Member
from wicketgate.sql.resolve import Analysis

HEAVIEST: Final = 32 << 20
"""Bytes of memory that the statements in flight may take: a memory limit."""

PARSE: Final = 1
BIND: Final = 2
DESCRIBE: Final = 3
EXECUTE: Final = 4
CLOSE: Final = 5
SYNC: Final = 6
QUERY: Final = 7


@lru_cache(maxsize=64)
def made(detection: Detection) -> Detectors:
    """One for all sessions."""
    return Detectors(detection.classes, detection.custom)


class Shape:
    """How the rows of one portal, or of a Query's member, are masked.

    hides: they are masked unless proven clean. asked: a Describe of the portal has gone upstream.
    body: of the RowDescription, None before it came; plan: what follows from it.
    """

    def __init__(self, analysis: Analysis, decision: Decision, hides: bool) -> None:
        self.analysis = analysis
        self.decision = decision
        self.hides = hides
        self.looks = hides
        """Its rows are masked or looked into: they do not pass without a description."""
        self.asked = False
        self.body: bytes | None = None
        self.plan: Plan | None = None
        self.copy: CopyPlan | None = None
        """How the rows of a COPY out are masked, whose columns nobody describes."""


class Execution:
    """One statement that was cleared, what of its answer has left so far, and the names that it changes."""

    def __init__(self, member: Member, shape: Shape, statement: Statement, clearance: Clearance) -> None:
        self.member = member
        self.shape = shape
        self.statement = statement
        self.clearance = clearance
        self.sensitive = False
        """It touches hidden values: what the server says of it is softened."""
        self.entries: list[Entry] | None = None
        self.overflow: Denial | None = None
        self.settled = False
        self.sending = False
        """It is a COPY out that has begun."""
        self.copying: Copying | None = None
        """What masks its rows."""
        self.rows = 0
        self.size = 0
        self.kept: list[bytes] = []
        self.digest: Digest | None = None
        self.masked: dict[str, int] = {}
        self.carried: Carried | None = None
        """Of COPY data from the client: the cell that goes on in the next message."""

    def record(self, chunk: bytes, setting: Setting) -> None:
        """Keep what goes to the client, or comes from it as COPY data: whole up to so many bytes, its digest
        beyond."""
        if self.settled:
            return
        before = self.size
        self.size = before + len(chunk)
        if self.digest is None:
            limit = setting.kept
            if self.size <= limit:
                self.kept.append(chunk)
                return
            digest = setting.digest()
            for piece in self.kept:
                digest.update(piece)
            self.digest = digest
            self.kept.append(chunk[: limit - before])
        self.digest.update(chunk)

    def outcome(self, code: str | None, tag: str | None) -> Outcome:
        """How it ended; what was kept of it is given away."""
        ended = Outcome(self.rows, self.size, self.masked, code, tag, b"".join(self.kept), self.size, None)
        if self.digest is not None:
            ended.sha256 = self.digest.hexdigest()
        self.kept = []
        return ended


class Step:
    """One forwarded message that the server answers.

    unit: the unit that it belongs to, 0 for the gateway's own probe. swallow: it is the gateway's own, and so
    is its answer. denial: it stands in for a denied statement, and the server's error becomes this.
    entry: the name that it gives or takes. shape: what a Describe of a portal tells about. executions: of a
    Query, its members in order; `index` is the one running. failed: the server's error for it has come.
    """

    def __init__(self, kind: int, unit: int) -> None:
        self.kind = kind
        self.unit = unit
        self.swallow = False
        self.probe = False
        self.sensitive = False
        self.overflowed = False
        self.poisoned = False
        self.failed = False
        self.moved = False
        """The text that the server got is another than the client's: positions in it say nothing."""
        self.index = 0
        self.weight = 0
        """Bytes of memory that its statements take."""
        self.position = 0
        """Where in the client's text a denied statement does not parse: 1-based characters, 0 for nowhere."""
        self.text = b""
        self.denial: Denial | None = None
        self.entry: Entry | None = None
        self.shape: Shape | None = None
        self.execution: Execution | None = None
        self.executions: list[Execution] | None = None


class State:
    """What both directions of one conversation share."""

    def __init__(self, setting: Setting, names: Names, tokens: Tokens | None) -> None:
        self.setting = setting
        self.desk = setting.desk
        self.host = setting.host
        self.names = names
        self.circumstances = Circumstances()
        self.tokens = tokens
        """What pseudonyms are made with; None: they are redacted."""
        self.returned = Returned(tokens)
        self.detection: Detection | None = None
        self.looking: Detectors | None = None
        self.steps: deque[Step] = deque()
        self.weight = 0
        """At most what is in flight weighs: what was answered is taken off when it matters."""
        self.up: list[bytes] = []
        self.down: list[bytes] = []
        self.transaction = b"I"
        self.unit = 1
        """The number of the unit that the client is sending."""
        self.answered = 0
        """The number of the last unit whose ReadyForQuery has come."""
        self.changed = 0
        """The last unit that may change names or settings: later ones wait until it is answered."""
        self.fresh = True
        """Nothing of the unit that the client is sending has been taken yet."""
        self.skipping = False
        """The open unit has failed: the server skips what the client sends until Sync, and so do we."""
        self.sensitive = False
        """A statement of the open transaction or unit touches hidden values: messages are softened."""
        self.ran = 0
        """The number of the last unit of which a portal was executed."""
        self.wrote = False
        """The open unit or transaction holds something that a commit would keep."""
        self.touched = False
        """The open unit or transaction has done more than change the session: it may hold locks."""
        self.began = 0
        """The unit at whose end the server was first in the open transaction."""
        self.copying: Execution | None = None
        """The COPY whose data the server reads."""
        self.unexecuted: list[Execution] = []
        """Cleared at Bind, and not executed yet."""
        self.barrier: Step | None = None
        """The step that must be answered before more is forwarded (COPY in, rows under a limit)."""
        self.over: str | None = None

    def detectors(self) -> Detectors | None:
        """What looks into values that lineage does not mask, as the policy has it now."""
        detection = self.desk.detection
        if detection is not self.detection:
            self.detection = detection
            self.looking = None if detection is None else made(detection)
        return self.looking

    def head(self) -> Step | None:
        """The step whose answer comes next."""
        return self.steps[0] if self.steps else None

    def gives(self, step: Step, entry: Entry) -> None:
        """A step gives a name its meaning, and holds it until it is answered."""
        step.entry = entry
        step.weight = entry.weight
        self.weight += entry.weight

    def heavy(self) -> bool:
        """Whether the statements in flight take as much memory as they may."""
        if self.weight >= HEAVIEST:
            self.weight = sum([step.weight for step in self.steps])
        return self.weight >= HEAVIEST

    def hides(self) -> bool:
        """Whether the database holds sensitive values, or may."""
        return not self.names.known or self.names.environment.catalog.sensitive

    def settle(self, execution: Execution, code: str | None, tag: str | None = None) -> None:
        """A cleared statement has ended; this counts once."""
        if not execution.settled:
            execution.settled = True
            self.desk.settle(execution.clearance, execution.outcome(code, tag))

    def settle_bound(self, unit: int) -> None:
        """A clearance ends with its unit at the latest: what of it was bound and never executed ends here."""
        for execution in self.unexecuted:
            self.settle(execution, None, "BIND")
        self.unexecuted.clear()

    def finish(self, reason: str, code: str) -> None:
        """The session is over: whatever was cleared and not answered ends here."""
        if self.over is None:
            self.over = reason
        while self.steps:
            step = self.steps.popleft()
            if step.execution is not None and step.kind == EXECUTE:
                self.settle(step.execution, code)
            if step.executions is not None:
                for execution in step.executions:
                    self.settle(execution, code)
        for execution in self.unexecuted:
            self.settle(execution, code)
        self.unexecuted.clear()
        self.copying = None
        self.barrier = None
