"""Witnesses the journals: signs checkpoints of what writers said they sealed, and records what the dead left.
It must never sign what lies in files, only what workers told; and never use a checkpoint's number twice.
"""

import asyncio
import fcntl
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from wicketgate.control.messages import Sealed
from wicketgate.control.ports import ControlJournal, StorePort
from wicketgate.journal.checkpoint import FIRST, Checkpoint, Position, SigningKey, parse_checkpoint
from wicketgate.journal.past import Past, read_past
from wicketgate.journal.witness import Orphan, find_orphan
from wicketgate.model.errors import GatewayError, JournalFailed


class Notary:
    """journal: the control process's own. folder: the journals' root. Main loop only."""

    def __init__(
        self,
        store: StorePort,
        journal: ControlJournal,
        signing: SigningKey,
        folder: Path,
        node: str,
        log: Callable[[str], None],
    ) -> None:
        self._store = store
        self._journal = journal
        self._signing = signing
        self._folder = folder / node
        self._node = node
        self._log = log
        self._positions: dict[str, Position] = {}
        self._number = 0
        self._previous = FIRST
        self._unwitnessed = True
        self._known: set[str] = set()
        self._past = Past()
        self._lock = asyncio.Lock()
        self.failed = False

    async def start(self) -> None:
        """Go on behind the last checkpoint that the store or the node's own journal has. Raises GatewayError.

        Either may have lost what the other still has; a number used twice is a forked history for ever.
        """
        last = await self._store.last_checkpoint(self._node)
        stored = parse_checkpoint(last[1]) if last is not None else None
        try:
            self._past = await asyncio.to_thread(read_past, self._folder, self._signing.public)
        except OSError as error:
            raise GatewayError("the journal can't be read", str(error)) from None
        written = self._past.last
        if stored is not None:
            self._past.named.update(position.writer for position in stored.writers)
        if stored is not None and (written is None or written.number < stored.number):
            self._go_on(stored)
            if written is not None:
                # It was kept, and the process ended before it was written: read alone, files had a gap.
                self._line("checkpoint", stored.head())
        elif written is not None:
            self._go_on(written)

    def _go_on(self, checkpoint: Checkpoint) -> None:
        self._number, self._previous = checkpoint.number, checkpoint.digest()

    def sealed(self, writer: str, seal: Sealed) -> bool:
        """A writer told of a sealed block. True: for the first time, and no checkpoint names it yet."""
        self._positions[writer] = Position(writer, seal.segment, seal.last, seal.root)
        new = writer not in self._known
        self._known.add(writer)
        return new

    async def sign(self) -> bool:
        """Sign a checkpoint over what was sealed since the last one. False: there was nothing, or no store.

        It is kept in the store first: a number that stood in the journal alone could be used again.
        """
        async with self._lock:
            self._seal_own()
            if not self._unwitnessed and set(self._positions) <= {self._journal.writer}:
                # Nothing but the line of the checkpoint before: signing that would never end.
                return False
            positions = dict(self._positions)
            checkpoint = self._signing.sign(self._number + 1, self._previous, self._node, positions.values())
            try:
                await self._store.keep_checkpoint(checkpoint.number, self._node, checkpoint.render())
            except GatewayError as error:
                self._log(f"checkpoint {checkpoint.number} can't be kept: {error.detail or error.public}")
                return False
            self._number, self._previous = checkpoint.number, checkpoint.digest()
            self._unwitnessed = False
            for writer, position in positions.items():
                if self._positions.get(writer) == position:
                    del self._positions[writer]
            self._line("checkpoint", checkpoint.head())
            return True

    async def dead(self, writer: str) -> None:
        """The process of a writer that was given out here is gone: record how its files end, once."""
        self._known.discard(writer)
        await self._orphan(self._folder / writer, own=True)

    async def dead_before(self) -> None:
        """Record how files of earlier runs end, of writers that checkpoints name: no line is added behind.

        Of others nothing is recorded: whoever may write files could have made them while nobody ran.
        """
        for writer in sorted(self._past.named - self._past.ended - {self._journal.writer}):
            if (self._folder / writer).is_dir():
                await self._orphan(self._folder / writer, own=False)

    async def _orphan(self, path: Path, own: bool) -> None:
        try:
            found = await asyncio.to_thread(_left, path, own)
        except (OSError, ValueError) as error:
            self._log(f"journal of {path.name}: {error}")
            return
        if found is not None:
            self._line("orphan", found.head())
        if not self.failed:
            (path / "reserve").unlink(missing_ok=True)

    def record(self, kind: str, head: bytes, body: bytes | None = None) -> None:
        """A line of the control process's own. Raises JournalFailed."""
        self._journal.line(kind, None, head, body)
        self._journal.flush()
        if kind != "checkpoint":
            self._unwitnessed = True

    def _line(self, kind: str, head: bytes) -> None:
        try:
            self.record(kind, head)
        except JournalFailed as error:
            self._fail(error)

    def _seal_own(self) -> None:
        if self.failed:
            return
        try:
            seal = self._journal.seal()
        except JournalFailed as error:
            self._fail(error)
            return
        if seal is not None:
            self._positions[self._journal.writer] = Position(
                self._journal.writer, seal.segment, seal.last, seal.root
            )

    def _fail(self, error: JournalFailed) -> None:
        if not self.failed:
            self.failed = True
            self._log(f"the control process's journal: {error.detail or error.public}")


def _left(path: Path, own: bool) -> Orphan | None:
    """How a dead writer's files end; None: it made none. Raises OSError where it still lives."""
    if own and not path.exists():
        return None
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = find_orphan(path)
        return replace(found, own=own) if found is not None else None
    finally:
        os.close(folder)
