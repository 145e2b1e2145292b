"""What a node's own journal says of earlier runs: the last checkpoint, which writers were named, which ended.
It must never believe a checkpoint that the node's own key didn't sign."""

from dataclasses import dataclass, field
from pathlib import Path

from wicketgate.journal.checkpoint import Checkpoint, CheckpointForged, check_signature, read_checkpoint
from wicketgate.journal.parse import Line, LineMalformed, parse
from wicketgate.journal.segments import read_lines, writer_files
from wicketgate.journal.witness import read_orphan

_TELLING = (b'"k":"checkpoint"', b'"k":"orphan"')


@dataclass(slots=True)
class Past:
    """last: the checkpoint with the highest number. named: writers that checkpoints name. ended: those whose
    end is recorded."""

    last: Checkpoint | None = None
    named: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)


def read_past(node: Path, public: bytes) -> Past:
    """From `<journal>/<node>`; nothing where that is no folder. Blocking: reads control processes' journals
    whole, and of workers' what stands before their first session. public: raw key. Raises OSError."""
    past = Past()
    for path in sorted(node.iterdir()) if node.is_dir() else []:
        if path.is_dir():
            _read_writer(path, public, past)
    return past


def _read_writer(path: Path, public: bytes, past: Past) -> None:
    ended: set[str] = set()
    true = False
    segments = writer_files(path).segments
    for number in sorted(segments):
        for raw in read_lines(segments[number]):
            if b'"s":"' in raw.data.partition(b"\t")[0]:
                return  # a worker's
            if raw.torn or not any(mark in raw.data for mark in _TELLING):
                continue
            try:
                line: Line = parse(raw.data)
            except LineMalformed:
                continue
            orphan = read_orphan(line) if line.kind == "orphan" else None
            if orphan is not None:
                ended.add(orphan.writer)
            elif line.kind == "checkpoint":
                true = _read_checkpoint(line, path.parent.name, public, past) or true
    if true:
        past.ended |= ended


def _read_checkpoint(line: Line, node: str, public: bytes, past: Past) -> bool:
    try:
        checkpoint = read_checkpoint(line.members.get("checkpoint"))
        check_signature(checkpoint, public)
    except CheckpointForged:
        return False
    if checkpoint.node != node:
        return False
    past.named.update(position.writer for position in checkpoint.writers)
    if past.last is None or checkpoint.number > past.last.number:
        past.last = checkpoint
    return True
