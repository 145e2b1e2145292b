"""Witnesses the journals: signs checkpoints of what writers said they sealed, and records what the dead left.
It must never sign what lies in files, only what workers told; and never use a checkpoint's number twice.
"""

import asyncio
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from wicketgate.control.messages import Sealed
from wicketgate.control.ports import ControlJournal, StorePort
from wicketgate.journal.checkpoint import FIRST, Position, SigningKey, parse_checkpoint
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
        self._lock = asyncio.Lock()
        self.failed = False

    async def start(self) -> None:
        """Go on where the store says that the last checkpoint was. Raises GatewayError."""
        last = await self._store.last_checkpoint(self._node)
        if last is not None:
            checkpoint = parse_checkpoint(last[1])
            self._number, self._previous = checkpoint.number, checkpoint.digest()

    def sealed(self, writer: str, seal: Sealed) -> None:
        """A writer told of a sealed block."""
        self._positions[writer] = Position(writer, seal.segment, seal.last, seal.root)

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
        """A writer's process is gone: record what it left unsealed, once."""
        await self._orphan(self._folder / writer)

    async def dead_before(self) -> None:
        """Record what writers left that died without a control process to see it (both were killed)."""
        if not self._folder.is_dir():
            return
        for path in sorted(self._folder.iterdir()):
            if path.name != self._journal.writer:
                await self._orphan(path)

    async def _orphan(self, path: Path) -> None:
        try:
            found, died = await asyncio.to_thread(_left, path)
        except (OSError, ValueError) as error:
            self._log(f"journal of {path.name}: {error}")
            return
        if found is not None:
            self._line("orphan", found.head())
        if died and not self.failed:
            # The reserve stands for a writer that ended without closing; gone, it is not recorded twice.
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


def _left(path: Path) -> tuple[Orphan | None, bool]:
    """What a dead writer left, and whether it ended without closing. Raises OSError where it still lives."""
    if not (path / "reserve").exists():
        return None, False
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return find_orphan(path), True
    finally:
        os.close(folder)
