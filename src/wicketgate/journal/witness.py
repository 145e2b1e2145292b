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
    """A dead writer's unsealed tail. offset: bytes, where it begins in the segment. lines: whole ones.
    torn: bytes of a line that isn't whole. digest: blocks.tail over it, hex."""

    writer: str
    segment: int
    offset: int
    lines: int
    torn: int
    digest: str

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
    """The tail that a dead writer left in its folder; None if all is sealed. Raises OSError.

    To be called once the writer's process is known to be gone.
    """
    files = writer_files(path)
    if not files.segments:
        return None
    segment = max(files.segments)
    offset, heads, torn = 0, list[bytes](), b""
    for raw in read_lines(files.segments[segment]):
        if raw.torn:
            torn = raw.data
            continue
        head = raw.data.partition(b"\t")[0]
        heads.append(head)
        if b'"k":"seal"' in head:
            offset, heads = raw.offset + len(raw.data) + 1, []
    if not heads and not torn:
        return None
    return Orphan(files.writer, segment, offset, len(heads), len(torn), tail(heads, torn).hex())


@dataclass(slots=True)
class Witnesses:
    """positions: (node, writer) -> n -> (checkpoint number, position). Only true checkpoints count here."""

    positions: dict[tuple[str, str], dict[int, tuple[int, Position]]] = field(default_factory=dict)
    orphans: dict[str, list[Orphan]] = field(default_factory=dict)
    gone: dict[str, list[Gone]] = field(default_factory=dict)
    nodes: set[str] = field(default_factory=set)
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


def _read_orphan(line: Line) -> Orphan | None:
    match line.members.get("orphan"):
        case {
            "writer": str(writer),
            "segment": int(segment),
            "offset": int(offset),
            "lines": int(lines),
            "torn": int(torn),
            "digest": str(digest),
        }:
            return Orphan(writer, segment, offset, lines, torn, digest)
    return None


def _telling_lines(files: WriterFiles) -> Iterable[Line]:
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
        for line in _telling_lines(writer):
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
    signed_in: dict[str, set[str]] = {}
    said: list[Line] = []
    for writer in files:
        for line in _telling_lines(writer):
            if line.kind != "checkpoint":
                said.append(line)
                continue
            try:
                checkpoint = read_checkpoint(line.members.get("checkpoint"))
            except CheckpointForged as error:
                found.findings.append(
                    Finding(Fault.CHECKPOINT_FORGED, str(error), writer.node, writer.writer, line=line.n)
                )
                continue
            candidates.setdefault(checkpoint.node, []).append(checkpoint)
            signed_in.setdefault(writer.writer, set()).add(checkpoint.digest())
    true: dict[str, Checkpoint] = {}
    for node, ones in candidates.items():
        true |= _believe(node, ones, keys, found)
        found.nodes.add(node)
    found.checkpoints = len(true)
    witnessed: dict[str, int] = {}
    for checkpoint in sorted(true.values(), key=lambda one: one.number):
        for position in checkpoint.writers:
            known = found.positions.setdefault((checkpoint.node, position.writer), {})
            known.setdefault(position.n, (checkpoint.number, position))
            witnessed[position.writer] = max(witnessed.get(position.writer, 0), position.n)
    for line in said:
        if signed_in.get(line.writer, set()).isdisjoint(true):
            continue
        gone, orphan = _read_gone(line), _read_orphan(line)
        if line.kind == "gone" and gone is not None and line.n <= witnessed.get(line.writer, 0):
            found.gone.setdefault(gone.writer, []).append(gone)
        if line.kind == "orphan" and orphan is not None:
            found.orphans.setdefault(orphan.writer, []).append(orphan)
    return found
