"""What a verification found: a closed list of faults, doubts and notes, and how far the witnesses reach.
It must never come to `sound` where nothing that was signed leads to what was recorded."""

from dataclasses import dataclass, field
from enum import Enum


class Fault(Enum):
    """What is wrong, not proven (DOUBTS), or worth telling: those in NOTES don't make a journal unsound."""

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
    """A writer's files don't end as the control process recorded that they did when the writer ended."""
    SEGMENT_MISSING = "segment-missing"
    SEGMENT_MISPLACED = "segment-misplaced"
    """A segment whose `begin` names another place."""
    WRITER_MISSING = "writer-missing"
    WRITER_STRANGE = "writer-strange"
    """A writer with recorded traffic that no checkpoint ever named, though later ones were signed."""
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
    KEY_LOST = "key-lost"
    """An encrypted segment whose wrapped key is not beside it, or is another's: nobody can read it."""
    KEY_FALSE = "key-false"
    """In an export: the key that it carries does not open its lines."""

    UNWITNESSED = "unwitnessed"
    """Lines that no signed checkpoint leads to: nothing tells them from forged ones."""
    END_UNPROVEN = "end-unproven"
    """In an export: there is no `close`, so lines may have been left out at its end."""
    EXPECT_UNTIED = "expect-untied"
    """In an export: the expected checkpoint witnesses no block that the session's lines lead to."""

    TORN = "torn"
    """The last line is not whole: the writer died while writing it, and what it speaks of never passed."""
    ORPHAN = "orphan"
    """A dead writer's tail, as the control process recorded it."""
    CLOCK_BACK = "clock-back"
    OFFLINE = "offline"
    """A writer without traffic that no checkpoint names: commands record so where no gateway runs."""
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
        Fault.OFFLINE,
        Fault.ERASING,
        Fault.ERASED,
        Fault.SESSION_OPEN,
    }
)


DOUBTS = frozenset({Fault.UNWITNESSED, Fault.END_UNPROVEN, Fault.EXPECT_UNTIED})


class Verdict(Enum):
    """What a verification comes to."""

    SOUND = "sound"
    """All is as it was written, and witnessed but for the newest lines of writers that still ran."""
    UNWITNESSED = "unwitnessed"
    """Nothing is shown to be wrong, and something is not proven: see the doubts."""
    BROKEN = "not sound"
    """Something was changed, is missing or was added."""


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

    @property
    def doubt(self) -> bool:
        return self.fault in DOUBTS


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
        """Nothing but notes. How many lines are too new to be witnessed, `unwitnessed` tells."""
        return self.verdict is Verdict.SOUND

    @property
    def verdict(self) -> Verdict:
        if self.faults:
            return Verdict.BROKEN
        return Verdict.UNWITNESSED if any(finding.doubt for finding in self.findings) else Verdict.SOUND

    @property
    def unwitnessed(self) -> int:
        """Lines that no checkpoint vouches for."""
        return sum(tail.lines for tail in self.tails)

    @property
    def faults(self) -> list[Finding]:
        return [finding for finding in self.findings if not finding.note and not finding.doubt]

    def has(self, fault: Fault) -> bool:
        return any(finding.fault is fault for finding in self.findings)
