"""What the control process says of writers' files: checkpoints, `orphan` and `gone` lines; whom to believe.
A `gone` counts only where a checkpoint witnesses it, in a journal that holds true checkpoints itself."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from wicketgate.journal.blocks import tail
from wicketgate.journal.checkpoint import (
    FIRST,
    Checkpoint,
    CheckpointForged,
    Position,
    Trust,
    read_checkpoint,
)
from wicketgate.journal.parse import Line, LineMalformed, parse
from wicketgate.journal.report import Fault, Finding
from wicketgate.journal.segments import WriterFiles, read_lines, writer_files

_TELLING = (b'"k":"checkpoint"', b'"k":"orphan"', b'"k":"gone"')


@dataclass(frozen=True, slots=True)
class Orphan:
    """How a writer's files end, and the tail behind its last seal. offset: bytes, where that begins in the
    segment. lines: whole ones. torn: bytes of a line that isn't whole. digest: blocks.tail over it, hex.

    last, root: the last line of the last sealed block, and its root (hex); 0 and "" where there is none.
    own: whoever records it gave out the writer's id and saw its process end; else it was found at a start.
    """

    writer: str
    segment: int
    offset: int
    lines: int
    torn: int
    digest: str
    last: int
    root: str
    own: bool = False

    def head(self) -> bytes:
        """HEAD's member of a line of kind `orphan`."""
        return b',"orphan":' + orjson.dumps(
            {
                "writer": self.writer,
                "segment": self.segment,
                "offset": self.offset,
                "lines": self.lines,
                "torn": self.torn,
                "digest": self.digest,
                "last": self.last,
                "root": self.root,
                "own": self.own,
            }
        )


@dataclass(frozen=True, slots=True)
class Gone:
    """Authority for missing BODYs: lines first to last of a writer; of one session's alone, if it is named.

    by: who ordered it. why: the ground (`retention`, a case number …).
    """

    writer: str
    first: int
    last: int
    by: str
    why: str
    session: str | None = None

    def head(self) -> bytes:
        """HEAD's member of a line of kind `gone`."""
        members = {"writer": self.writer, "first": self.first, "last": self.last}
        whose = {} if self.session is None else {"session": self.session}
        return b',"gone":' + orjson.dumps({**members, **whose, "by": self.by, "why": self.why})

    def covers(self, line: Line) -> bool:
        return (
            line.writer == self.writer
            and self.first <= line.n <= self.last
            and self.session in (None, line.session)
        )


def find_orphan(path: Path) -> Orphan | None:
    """How a dead writer's files end; None where it has none. Raises OSError.

    To be called once the writer's process is known to be gone.
    """
    files = writer_files(path)
    if not files.segments:
        return None
    segment = max(files.segments)
    offset, heads, torn = 0, list[bytes](), b""
    last, root = 0, ""
    for raw in read_lines(files.segments[segment]):
        if raw.torn:
            torn = raw.data
            continue
        head = raw.data.partition(b"\t")[0]
        heads.append(head)
        if raw.offset == 0 and segment > 1:
            last, root = _sealed_before(raw.data)
        if b'"k":"seal"' in head:
            offset, heads = raw.offset + len(raw.data) + 1, []
            last, root = _sealed_by(raw.data)
    digest = tail(heads, torn).hex()
    return Orphan(files.writer, segment, offset, len(heads), len(torn), digest, last, root)


def _sealed_by(raw: bytes) -> tuple[int, str]:
    """What a seal says that it seals: (last line, root)."""
    try:
        match parse(raw).members:
            case {"last": int(last), "root": str(root)}:
                return last, root
    except LineMalformed:
        pass
    return 0, ""


def _sealed_before(raw: bytes) -> tuple[int, str]:
    """What was sealed when a later segment's first line, a `begin`, was written: (last line, root)."""
    try:
        line = parse(raw)
    except LineMalformed:
        return 0, ""
    root = line.members.get("prev")
    return (line.n - 2, root) if isinstance(root, str) else (0, "")


@dataclass(slots=True)
class Witnesses:
    """positions: (node, writer) -> n -> (checkpoint number, position). Only true checkpoints count here.

    ends: how writers' files ended, where a checkpoint witnesses that; orphans: the same, not witnessed yet.
    nodes: those of which a true checkpoint is known -> when the newest was recorded (wall clock ns; 0: none
    is in the files). control: writers that hold true checkpoints.
    """

    positions: dict[tuple[str, str], dict[int, tuple[int, Position]]] = field(default_factory=dict)
    ends: dict[tuple[str, str], list[Orphan]] = field(default_factory=dict)
    orphans: dict[tuple[str, str], list[Orphan]] = field(default_factory=dict)
    control: set[tuple[str, str]] = field(default_factory=set)
    gone: dict[str, list[Gone]] = field(default_factory=dict)
    nodes: dict[str, int] = field(default_factory=dict)
    checkpoints: int = 0
    findings: list[Finding] = field(default_factory=list)

    def allows(self, line: Line) -> bool:
        """Whether the line's BODY may be missing."""
        return any(gone.covers(line) for gone in self.gone.get(line.writer, ()))


def _read_gone(line: Line) -> Gone | None:
    match line.members.get("gone"):
        case {
            "writer": str(writer),
            "first": int(first),
            "last": int(last),
            "by": str(by),
            "why": str(why),
            **others,
        }:
            session = others.get("session")
            if session is None or isinstance(session, str):
                return Gone(writer, first, last, by, why, session)
    return None


def read_orphan(line: Line) -> Orphan | None:
    match line.members.get("orphan"):
        case {
            "writer": str(writer),
            "segment": int(segment),
            "offset": int(offset),
            "lines": int(lines),
            "torn": int(torn),
            "digest": str(digest),
            "last": int(last),
            "root": str(root),
            "own": bool(own),
        }:
            return Orphan(writer, segment, offset, lines, torn, digest, last, root, own)
    return None


def telling_lines(files: WriterFiles) -> Iterable[Line]:
    for path in files.segments.values():
        for raw in read_lines(path):
            if raw.torn or not any(mark in raw.data for mark in _TELLING):
                continue
            try:
                line = parse(raw.data)
            except LineMalformed:
                continue  # the walk over this writer's lines names it
            if line.writer == files.writer:
                yield line


def read_checkpoints(files: Iterable[WriterFiles]) -> list[Checkpoint]:
    """All well-formed checkpoints that lie in the files, unproven. Raises OSError."""
    found: list[Checkpoint] = []
    for writer in files:
        for line in telling_lines(writer):
            if line.kind == "checkpoint":
                try:
                    found.append(read_checkpoint(line.members.get("checkpoint")))
                except CheckpointForged:
                    continue
    return found


def _believe(
    node: str, candidates: list[Checkpoint], keys: Iterable[bytes], found: Witnesses
) -> dict[str, Checkpoint]:
    """The true ones among a node's checkpoints, by digest; faults of the chain are noted."""
    trust = Trust(keys)
    true: dict[str, Checkpoint] = {}
    before: Checkpoint | None = None
    for checkpoint in sorted({one.digest(): one for one in candidates}.values(), key=lambda one: one.number):
        try:
            trust.accept(checkpoint)
        except CheckpointForged as error:
            found.findings.append(Finding(Fault.CHECKPOINT_FORGED, str(error), node))
            continue
        true[checkpoint.digest()] = checkpoint
        number, last = checkpoint.number, before.number if before else 0
        follows = FIRST if before is None else before.digest()
        if number == last:
            detail = f"there are two checkpoints {number}, both signed"
            found.findings.append(Finding(Fault.CHECKPOINT_FORKED, detail, node))
        elif number > last + 1:
            detail = f"checkpoints {last + 1} to {number - 1} are missing"
            found.findings.append(Finding(Fault.CHECKPOINT_MISSING, detail, node))
        elif checkpoint.prev != follows:
            detail = f"checkpoint {number} doesn't follow from the one before it"
            found.findings.append(Finding(Fault.CHECKPOINT_FORKED, detail, node))
        before = checkpoint
    return true


def gather(
    files: list[WriterFiles],
    checkpoints: Iterable[Checkpoint],
    keys: Iterable[bytes],
    expect: Checkpoint | None = None,
) -> Witnesses:
    """All that is testified: by the checkpoints handed in and by those that lie in the files.

    keys: raw public keys that are trusted from outside. Raises OSError.
    """
    found = Witnesses()
    keys = list(keys)
    candidates: dict[str, list[Checkpoint]] = {}
    for checkpoint in [*checkpoints, *([] if expect is None else [expect])]:
        candidates.setdefault(checkpoint.node, []).append(checkpoint)
    signed_in: dict[tuple[str, str], dict[str, int]] = {}
    said: list[tuple[str, Line]] = []
    for writer in files:
        for line in telling_lines(writer):
            if line.kind != "checkpoint":
                said.append((writer.node, line))
                continue
            try:
                checkpoint = read_checkpoint(line.members.get("checkpoint"))
            except CheckpointForged as error:
                found.findings.append(
                    Finding(Fault.CHECKPOINT_FORGED, str(error), writer.node, writer.writer, line=line.n)
                )
                continue
            candidates.setdefault(checkpoint.node, []).append(checkpoint)
            if checkpoint.node == writer.node:
                signed_in.setdefault((writer.node, writer.writer), {})[checkpoint.digest()] = line.wall
    true: dict[str, Checkpoint] = {}
    for node, ones in candidates.items():
        believed = _believe(node, ones, keys, found)
        true |= believed
        if believed:
            found.nodes[node] = 0
    found.checkpoints = len(true)
    for place, signed in signed_in.items():
        times = [when for digest, when in signed.items() if digest in true]
        if times:
            found.control.add(place)
            found.nodes[place[0]] = max(found.nodes[place[0]], *times)
    witnessed: dict[tuple[str, str], int] = {}
    for checkpoint in sorted(true.values(), key=lambda one: one.number):
        for position in checkpoint.writers:
            known = found.positions.setdefault((checkpoint.node, position.writer), {})
            known.setdefault(position.n, (checkpoint.number, position))
            place = checkpoint.node, position.writer
            witnessed[place] = max(witnessed.get(place, 0), position.n)
    for node, line in said:
        if (node, line.writer) not in found.control:
            continue
        sure = line.n <= witnessed.get((node, line.writer), 0)
        gone, orphan = _read_gone(line), read_orphan(line)
        if line.kind == "gone" and gone is not None and sure:
            found.gone.setdefault(gone.writer, []).append(gone)
        if line.kind == "orphan" and orphan is not None:
            place = node, orphan.writer
            (found.ends if sure else found.orphans).setdefault(place, []).append(orphan)
    return found
