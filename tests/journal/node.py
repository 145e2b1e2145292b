"""A small node: a worker's writer, the control process's writer, its key, and hands to tamper with files."""

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wicketgate.journal.checkpoint import FIRST, Checkpoint, Position, SigningKey
from wicketgate.journal.report import Report
from wicketgate.journal.verify import verify
from wicketgate.journal.writer import Seal, Writer


class Clock:
    """Nanoseconds that move by one microsecond at each reading."""

    def __init__(self, at: int) -> None:
        self.at = at

    def __call__(self) -> int:
        self.at += 1_000
        return self.at


@dataclass
class Node:
    folder: Path
    name: str = "node1"
    key: SigningKey = field(default_factory=SigningKey.generate)
    wall: Clock = field(default_factory=lambda: Clock(1_764_000_000_000_000_000))
    boot: Clock = field(default_factory=lambda: Clock(5_000_000_000))
    checkpoints: list[Checkpoint] = field(default_factory=list)
    seals: dict[str, Seal] = field(default_factory=dict)
    sessions: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.control = self.writer("control")
        self.public = self.key.public

    def writer(self, name: str, **options: object) -> Writer:
        made = Writer(self.folder, self.name, name, self.wall, self.boot, os.urandom, False, **options)  # type: ignore[arg-type]
        return made

    def seal(self, writer: Writer) -> Seal | None:
        seal = writer.seal()
        if seal is not None:
            self.seals[writer.writer] = seal
        return seal

    def checkpoint(self, next_key: bytes | None = None) -> Checkpoint:
        """Seal the control journal, sign all that is known, record it as the control process does."""
        self.seal(self.control)
        prev = self.checkpoints[-1].digest() if self.checkpoints else FIRST
        positions = [Position(name, at.segment, at.last, at.root) for name, at in self.seals.items()]
        made = self.key.sign(len(self.checkpoints) + 1, prev, self.name, positions, None, next_key)
        self.checkpoints.append(made)
        self.control.line("checkpoint", None, made.head())
        self.control.flush()
        return made

    def play(self, writer: Writer, statements: int = 3) -> str:
        """One session from open to close, a seal in its midst."""
        session = f"{next(self.sessions):032x}"
        place = writer.session(session)
        place.line("open", b',"i":{"name":"crew-bot"},"a":"reader","resource":"sales","database":"sales"')
        for at in range(statements):
            ask = place.line("ask", b',"d":"permit"', b'"text":"SELECT %d"' % at)
            place.line("answer", b',"r":%d' % ask, b'"bytes":"%b"' % (b"QUJD" * 10))
            writer.flush()
            if at == 1:
                self.seal(writer)
        place.line("close", b',"o":{"reason":"client"}')
        writer.flush()
        return session

    def path(self, writer: str, segment: int = 1) -> Path:
        return self.folder / self.name / writer / f"{segment:06d}.log"

    def lines(self, writer: str, segment: int = 1) -> list[bytes]:
        return self.path(writer, segment).read_bytes().splitlines(keepends=True)

    def edit(self, writer: str, change: Callable[[list[bytes]], list[bytes]], segment: int = 1) -> None:
        self.path(writer, segment).write_bytes(b"".join(change(self.lines(writer, segment))))

    def verify(self, expect: Checkpoint | None = None) -> Report:
        return verify(self.folder, [], self.public, expect)
