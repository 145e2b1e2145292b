"""One session with its proof, as one file: its own lines, and of everything else digests alone.
It must never carry another session's line, nor a line of no session.

The file has one record a line, a letter and a space before it:

- `H` the header: schema, session, node, writer.
- `B` a block: segment, block, last, prev, root, and `leaves`, those of the block's other sessions. Its
  numbers are there for people; what is proven are the lines, through root and checkpoint.
- `L` a line of the session, byte for byte, in the block before it, or behind `T` in none.
- `K` what follows is encrypted; `key` (base64url) opens the session's lines of that segment, and no others.
- `T` what follows is not sealed yet.
- `C` a checkpoint.

Blocks that hold none of the session's lines are there only to reach the next block that a checkpoint names.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from wicketgate.journal.blocks import leaf
from wicketgate.journal.checkpoint import Checkpoint
from wicketgate.journal.decrypt import Opener
from wicketgate.journal.parse import Line, LineMalformed, parse
from wicketgate.journal.segments import WriterFiles, read_lines, writers
from wicketgate.journal.witness import read_checkpoints


def export(
    folder: Path, session: str, checkpoints: Iterable[Checkpoint] = (), opener: Opener | None = None
) -> bytes | None:
    """The session's file; None if no writer holds a line of it. Raises OSError, and KeyMissing where it is
    encrypted and its key is not at hand.

    checkpoints: those of the store; the ones in the journal itself are found.
    """
    files = writers(folder)
    mark = b'"s":"%b"' % session.encode()
    for writer in files:
        numbers = [number for number in sorted(writer.segments) if _holds(writer.segments[number], mark)]
        if numbers:
            known = [*checkpoints, *read_checkpoints(files)]
            own = [one for one in known if one.node == writer.node]
            return _Exporter(writer, session, own, opener or Opener(None, lambda: 0)).run(numbers[0])
    return None


def _holds(path: Path, mark: bytes) -> bool:
    return any(mark in raw.data for raw in read_lines(path))


class _Exporter:
    def __init__(
        self, files: WriterFiles, session: str, checkpoints: list[Checkpoint], opener: Opener
    ) -> None:
        self._opener = opener
        self._keyed = 0
        self._files = files
        self._session = session
        self._witness: dict[int, Checkpoint] = {}
        for checkpoint in sorted(checkpoints, key=lambda one: one.number):
            for position in checkpoint.writers:
                if position.writer == files.writer:
                    self._witness.setdefault(position.n, checkpoint)
        self._used = {one.digest(): one for one in checkpoints if one.next is not None}
        self._records: list[bytes] = []
        self._heads: dict[str, list[bytes]] = {}
        self._own: list[bytes] = []
        self._owing = False
        self._closed = False

    def run(self, since: int) -> bytes:
        header = {
            "v": 1,
            "export": "session",
            "session": self._session,
            "node": self._files.node,
            "writer": self._files.writer,
        }
        self._records.append(b"H " + orjson.dumps(header))
        for number in sorted(self._files.segments):
            if number < since or (self._closed and not self._owing):
                continue
            self._segment(number)
        if self._own:
            self._records += [b"T", *self._own]
        for checkpoint in sorted(self._used.values(), key=lambda one: one.number):
            self._records.append(b"C " + checkpoint.render())
        return b"\n".join(self._records) + b"\n"

    def _segment(self, number: int) -> None:
        self._heads, self._own = {}, []
        for raw in read_lines(self._files.segments[number]):
            if raw.torn:
                return
            try:
                line = parse(raw.data)
            except LineMalformed:
                continue
            if line.kind == "seal":
                self._seal(number, line)
                if self._closed and not self._owing:
                    return
                continue
            self._heads.setdefault(line.session, []).append(line.head)
            if line.session == self._session:
                if self._keyed != number:
                    self._keyed = number
                    self._key(number)
                self._own.append(b"L " + raw.data)
                self._closed = self._closed or line.kind == "close"

    def _key(self, segment: int) -> None:
        """The key of the session's lines in this segment, before the first of them."""
        cipher = self._opener.cipher(self._files.segments[segment])
        if cipher is not None:
            key = urlsafe_b64encode(cipher.session_key(self._session.encode())).decode("ascii")
            self._own.append(b"K " + orjson.dumps({"segment": segment, "key": key}))

    def _seal(self, segment: int, seal: Line) -> None:
        heads, own = self._heads, self._own
        self._heads, self._own = {}, []
        self._owing = self._owing or bool(own)
        if not self._owing:
            return
        others = sorted(
            leaf(session.encode(), lines).hex()
            for session, lines in heads.items()
            if session != self._session
        )
        block: dict[str, Any] = {"segment": segment}
        block |= {name: seal.members.get(name) for name in ("block", "last", "prev", "root")}
        self._records += [b"B " + orjson.dumps(block | {"leaves": others}), *own]
        witness = self._witness.get(int(block["last"] or 0))
        if witness is not None:
            self._used[witness.digest()] = witness
            self._owing = False
