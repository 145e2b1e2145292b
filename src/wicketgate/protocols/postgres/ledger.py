"""What was forwarded and not yet answered: steps, executions and the session's state they share (compiled).
Every upstream message is matched to the ledger's head; nothing here is "current"."""

import hashlib
from collections import deque
from typing import Final

from wicketgate.model.decision import Decision, Denial
from wicketgate.model.session import Clearance, Outcome
from wicketgate.model.statement import Statement
from wicketgate.protocols.base import Setting
from wicketgate.protocols.postgres.names import Names, Undo
from wicketgate.protocols.postgres.plan import Plan
from wicketgate.sql.parse import Member
from wicketgate.sql.resolve import Analysis

PARSE: Final = 1
BIND: Final = 2
DESCRIBE: Final = 3
EXECUTE: Final = 4
CLOSE: Final = 5
SYNC: Final = 6
QUERY: Final = 7


class Execution:
    """One statement that was cleared: what runs, how its answer is masked, and what of it has left so far."""

    def __init__(
        self, member: Member, analysis: Analysis, statement: Statement, clearance: Clearance
    ) -> None:
        self.member = member
        self.analysis = analysis
        self.statement = statement
        self.clearance = clearance
        self.masks = False
        self.plan: Plan | None = None
        self.described = False
        self.described_as: bytes = b""
        self.undo: Undo | None = None
        self.overflow: Denial | None = None
        self.rows = 0
        self.size = 0
        self.code: str | None = None
        self.kept: list[bytes] = []
        self.digest: object = None
        self.masked: dict[str, int] = {}

    def record(self, chunk: bytes, limit: int) -> None:
        """Keep what the client is about to see: whole up to `limit` bytes, its digest in any case beyond."""
        before = self.size
        self.size = before + len(chunk)
        if self.digest is None:
            if self.size <= limit:
                self.kept.append(chunk)
                return
            digest = hashlib.sha256()
            for piece in self.kept:
                digest.update(piece)
            self.digest = digest
            self.kept.append(chunk[: limit - before])
        self.digest.update(chunk)  # type: ignore[attr-defined]  # hashlib's type has no name under mypyc

    def outcome(self, code: str | None, tag: str | None) -> Outcome:
        """How it ended; what was gathered starts anew (a portal may be executed again)."""
        ended = Outcome(self.rows, self.size, self.masked, code, tag, b"".join(self.kept), self.size, None)
        if self.digest is not None:
            ended.sha256 = self.digest.hexdigest()  # type: ignore[attr-defined]
            self.digest = None
        self.rows = 0
        self.size = 0
        if self.masked:
            self.masked = {}
        self.kept = []
        return ended


class Step:
    """One forwarded message that the server answers.

    swallow: it is the gateway's own, and so is its answer. denial: it stands in for a denied statement, and
    the server's error becomes this. executions: of a Query, its members in order; `index` is the one running.
    """

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self.swallow = False
        self.denial: Denial | None = None
        self.undo: Undo | None = None
        self.execution: Execution | None = None
        self.executions: list[Execution] = []
        self.index = 0
        self.changes = False
        self.probe = False
        self.overflowed = False
        self.sensitive = False
        self.text = b""
        self.unit = 0


class State:
    """What both directions of one conversation share."""

    def __init__(self, setting: Setting, names: Names) -> None:
        self.setting = setting
        self.desk = setting.desk
        self.host = setting.host
        self.names = names
        self.plans: dict[tuple[bytes, Analysis, Decision], Plan | None] = {}
        self.steps: deque[Step] = deque()
        self.up: list[bytes] = []
        self.down: list[bytes] = []
        self.transaction = b"I"
        self.skipping = False
        """The open unit has failed: the server skips what the client sends until Sync, and so do we."""
        self.sensitive = False
        """A statement of the open transaction or unit touched sensitive data: messages are softened."""
        self.wrote = False
        """The open unit or transaction holds something that a commit would keep."""
        self.copying = False
        self.changing = 0
        """Forwarded units, not yet answered, that may change names or settings."""
        self.settled = 0
        """The last unit that the server has answered."""
        self.unit = 1
        """The number of the unit that the client is sending."""
        self.barrier: Step | None = None
        """The step that must be answered before more is forwarded (COPY in, rows under a limit)."""
        self.over: str | None = None

    def head(self) -> Step | None:
        """The step whose answer comes next."""
        return self.steps[0] if self.steps else None
