"""What a verification found: a closed list of faults and notes, and how far the witnesses reach."""

from dataclasses import dataclass, field
from enum import Enum


class Fault(Enum):
    """What is wrong, or worth telling. Those in NOTES don't make a journal unsound."""

    HEAD_CHANGED = "head-changed"
    """A block whose HEADs don't give its root."""
    BODY_CHANGED = "body-changed"
    """A line whose BODY doesn't give the digest in its HEAD."""
    BODY_MISSING = "body-missing"
    """A line whose BODY is gone without a witnessed `gone` line for it."""
    SEAL_CHANGED = "seal-changed"
    """A seal that says other than its block does, or that can't be read."""
    LINES_MISSING = "lines-missing"
    LINES_REORDERED = "lines-reordered"
    LINES_DUPLICATED = "lines-duplicated"
    LINES_STRANGE = "lines-strange"
    """Lines that don't belong where they stand: another writer's, another block's, or no lines at all."""
    BLOCKS_MISSING = "blocks-missing"
    BLOCKS_REORDERED = "blocks-reordered"
    BLOCKS_DUPLICATED = "blocks-duplicated"
    CHAIN_BROKEN = "chain-broken"
    """A block that doesn't continue the one before it."""
    TAIL_CUT = "tail-cut"
    """A file ends before what a checkpoint, or the next segment, says was there."""
    TAIL_CHANGED = "tail-changed"
    """What a dead writer left isn't what the control process recorded of it."""
    SEGMENT_MISSING = "segment-missing"
    SEGMENT_MISPLACED = "segment-misplaced"
    """A segment whose `begin` names another place."""
    WRITER_MISSING = "writer-missing"
    STRANGE_FILE = "strange-file"
    SESSION_GAP = "session-gap"
    """A session's lines with a hole between them."""
    CHECKPOINT_FORGED = "checkpoint-forged"
    CHECKPOINT_FORKED = "checkpoint-forked"
    """Two checkpoints of one number, or one that doesn't follow from the one before."""
    CHECKPOINT_MISSING = "checkpoint-missing"
    CHECKPOINT_UNMET = "checkpoint-unmet"
    """The files hold another history than the one that was signed."""
    UNREADABLE = "unreadable"

    TORN = "torn"
    """The last line is not whole: the writer died while writing it, and what it speaks of never passed."""
    ORPHAN = "orphan"
    """A dead writer's tail, as the control process recorded it."""
    CLOCK_BACK = "clock-back"
    UNWITNESSED = "unwitnessed"
    """A node of which no checkpoint is known."""
    ERASING = "erasing"
    """An erasure that was interrupted: its unfinished copy lies beside the segment."""
    ERASED = "erased"
    """In an export: a BODY was gone already. Only the journal itself shows who allowed it."""
    SESSION_OPEN = "session-open"
    """A session without its `close`."""


NOTES = frozenset(
    {
        Fault.TORN,
        Fault.ORPHAN,
        Fault.CLOCK_BACK,
        Fault.UNWITNESSED,
        Fault.ERASING,
        Fault.ERASED,
        Fault.SESSION_OPEN,
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found, and where. detail: a sentence for the operator. Unknown places are None.

    block, line: numbers in the writer (`n`); through: the last one, where it is a range.
    """

    fault: Fault
    detail: str
    node: str | None = None
    writer: str | None = None
    segment: int | None = None
    block: int | None = None
    line: int | None = None
    through: int | None = None
    session: str | None = None

    @property
    def note(self) -> bool:
        return self.fault in NOTES


@dataclass(frozen=True, slots=True)
class Tail:
    """How far one writer's journal is proven.

    last: its last whole line. sealed: the last line of its last block. witnessed: the last line that a
    checkpoint vouches for. lines, size: how many lines and bytes stand behind that.
    """

    node: str
    writer: str
    last: int
    sealed: int
    witnessed: int
    lines: int
    size: int


@dataclass(slots=True)
class Report:
    """erased: BODYs that are gone with authority. checkpoints: how many were found true."""

    findings: list[Finding] = field(default_factory=list)
    tails: list[Tail] = field(default_factory=list)
    writers: int = 0
    segments: int = 0
    blocks: int = 0
    lines: int = 0
    sessions_closed: int = 0
    sessions_open: int = 0
    erased: int = 0
    checkpoints: int = 0

    @property
    def sound(self) -> bool:
        """Nothing but notes. Says nothing of the unwitnessed lines: see `unwitnessed`."""
        return all(finding.note for finding in self.findings)

    @property
    def unwitnessed(self) -> int:
        """Lines that no checkpoint vouches for."""
        return sum(tail.lines for tail in self.tails)

    @property
    def faults(self) -> list[Finding]:
        return [finding for finding in self.findings if not finding.note]

    def has(self, fault: Fault) -> bool:
        return any(finding.fault is fault for finding in self.findings)
