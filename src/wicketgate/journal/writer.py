"""A writer's segment files: exclusive, locked, whole lines only.
It must never say that a line is written when it isn't, and never write after a failed fsync.

Layout: `<folder>/<node>/<writer>/000001.log` and onwards, and `<writer>/reserve`, a small allocated file that
is given up when the disk is full, so that open sessions can still be closed and the block sealed; where lines
are encrypted, each segment's wrapped key (keyfile.py). A writer is never resumed: each process start gets a
new id. The folder and the segment being written hold a flock.
"""

import errno
import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from mypy_extensions import mypyc_attr

from wicketgate.journal.encrypt import SegmentCipher
from wicketgate.journal.keyfile import KeySupply, key_name, render_key, write_file
from wicketgate.journal.lines import Block, Lines, SessionLines, check_id
from wicketgate.model.errors import JournalFailed
from wicketgate.model.ports import Flushing

SEGMENT_SIZE = 64 << 20
"""Bytes. A segment ends with the first block that takes it over this."""
SEGMENT_AGE = 3600
"""Seconds."""
RESERVE = 1 << 20
"""Bytes: room to close about 4 000 sessions."""
_SEAL_ROOM = 4096
_CLOSE_ROOM = 320
"""Bytes: more than a closing line has behind its writer's id."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_CLOSED_BY_JOURNAL = b',"o":{"tag":"journal"}'


@dataclass(frozen=True, slots=True)
class Seal:
    """A sealed block, as it is told to the control process. root: hex. size: the segment's bytes so far."""

    segment: int
    block: int
    last: int
    root: str
    size: int


@mypyc_attr(allow_interpreted_subclasses=True)
class Disk:
    """The system calls that a writer makes on an open file; a seam for tests of failing disks."""

    def write(self, file: int, data: bytes) -> int:
        return os.write(file, data)

    def sync(self, file: int) -> None:
        os.fdatasync(file)

    def truncate(self, file: int, size: int) -> None:
        os.ftruncate(file, size)


def segment_name(number: int) -> str:
    return f"{number:06d}.log"


class Writer(Flushing):
    """Appends lines to segments of its own.

    folder: the journal's root. node, writer: random ids that the control process gave out.
    clock, boot: wall and boot clock, ns. token: that many random bytes (salts).
    sync: one fdatasync at each flush. segment_size: bytes; segment_age: seconds. keys: lines are encrypted
    with these; a segment goes on beyond its size and age while there is none for the next.
    Raises JournalFailed if the folder exists or can't be made.
    """

    def __init__(
        self,
        folder: Path,
        node: str,
        writer: str,
        clock: Callable[[], int],
        boot: Callable[[], int],
        token: Callable[[int], bytes],
        sync: bool,
        segment_size: int = SEGMENT_SIZE,
        segment_age: int = SEGMENT_AGE,
        reserve: int = RESERVE,
        disk: Disk | None = None,
        keys: KeySupply | None = None,
    ) -> None:
        check_id(node)
        self.node = node
        self.writer = writer
        self.last_seal: Seal | None = None
        self._lines = Lines(writer, clock, boot, token)
        self._boot = boot
        self._sync = sync
        self._segment_size = segment_size
        self._segment_age = segment_age * 1_000_000_000
        self._reserve = reserve
        self._disk = disk or Disk()
        self._keys = keys
        self._path = folder / node / writer
        self._folder = self._file = -1
        self._segment = 0
        self._size = 0
        self._started = 0
        self._begun = 0
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path.mkdir(mode=0o700)
            self._folder = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._make_reserve()
            self._open_segment()
            self._fsync_folder(self._path.parent)
        except JournalFailed:
            self._release()
            raise
        except OSError as error:
            self._release()
            raise JournalFailed("the session's record can't be written", f"journal: {error}") from error

    # -- what the gate and the worker call ------------------------------------------------------------------
    def session(self, session: str) -> SessionLines:
        """A session's place in this writer; its `line` is the fast path."""
        return self._lines.session(session)

    def line(
        self, kind: str, session: SessionLines | None, head: bytes = b"", body: bytes | None = None
    ) -> int:
        """Append a line to the turn; see SessionLines.line. Returns q, 0 for a line of no session."""
        if session is not None:
            return session.line(kind, head, body)
        self._lines.line(kind, head, body)
        return 0

    @property
    def failed(self) -> bool:
        """Nothing can be written any more; every further call raises JournalFailed."""
        return bool(self._lines.failure)

    @property
    def pending(self) -> bool:
        """Whether lines wait for a flush."""
        return bool(self._lines.pending)

    def flush(self) -> None:
        """Write the turn's lines with one call (and one fdatasync if synced). Raises JournalFailed.

        When it raises, none of the turn's lines count: they are taken back from the file. If the disk is full
        the reserve is given up, open sessions get a `close` for reason `journal`, and the block is sealed;
        `last_seal` then says how far.
        """
        lines = self._lines
        if lines.pending:
            self._append(b"".join(lines.pending))
            lines.taken()
        elif lines.failure:
            self._raise()

    def seal(self) -> Seal | None:
        """Flush, and close the block if anything stands in it. To be called at the latest every 100 ms.

        A segment that is large or old enough ends here, behind its seal. Raises JournalFailed as flush does.
        """
        lines = self._lines
        if lines.failure:
            self._raise()
        block = lines.close_block()
        if block is None:
            return None
        self._append(b"".join([*lines.pending, block.line, b"\n"]))
        seal = self._sealed(block)
        # A segment that holds its `begin` alone is not ended by age: an idle writer makes no files.
        old = self._boot() - self._started >= self._segment_age and block.last > self._begun
        due = self._size >= self._segment_size or old
        if due and (self._keys is None or self._keys.due()):
            self._rotate()
        return seal

    def close(self) -> Seal | None:
        """Seal what is open, then let go of files and lock. Returns the last block's seal."""
        try:
            if not self.failed:
                self.seal()
        finally:
            if not self._lines.failure:
                self._lines.failure = "the writer is closed"
                self._drop_reserve()
            self._lines.stamp = b""
            self._release()
        return self.last_seal

    # -- files ----------------------------------------------------------------------------------------------
    def _append(self, data: bytes) -> None:
        """Append whole lines or none."""
        if self._lines.failure:
            self._raise()
        try:
            self._write(data)
        except OSError as error:
            self._fail(error)
        if self._sync:
            try:
                self._disk.sync(self._file)
            except OSError as error:
                # What the kernel still holds of the file is unknown from here on; trying again would lie.
                self._poison(f"journal: fsync failed and is not tried again: {error}")
                self._raise()
        self._size += len(data)

    def _write(self, data: bytes) -> None:
        written = self._disk.write(self._file, data)
        while written < len(data):
            # A full disk shortens a write without an error; the next one tells.
            more = self._disk.write(self._file, data[written:])
            if more <= 0:
                raise OSError(errno.EIO, "a write wrote nothing")
            written += more

    def _fail(self, error: OSError) -> NoReturn:
        """A write failed: take its bytes back, close what can be closed, and raise."""
        self._lines.rollback()
        try:
            self._disk.truncate(self._file, self._size)
        except OSError as worse:
            self._poison(f"journal: {error}; truncating: {worse}")
            self._raise()
        if error.errno in _FULL:
            try:
                self._last_words()
            except OSError as worse:
                self._poison(f"journal: {error}; closing: {worse}")
                self._raise()
        self._poison(f"journal: {error}")
        self._raise()

    def _last_words(self) -> None:
        """On a full disk: give up the reserve, close every open session, seal."""
        lines = self._lines
        # Its name stays until the block is sealed: it marks a writer that left an unsealed tail.
        os.truncate(self._path / "reserve", 0)
        room = self._reserve - _SEAL_ROOM
        for session in list(lines.open.values()):
            if session.q == 0:
                continue
            room -= len(lines.start) + _CLOSE_ROOM
            if room < 0:
                break
            session.line("close", _CLOSED_BY_JOURNAL)
        block = lines.close_block()
        if block is None:
            return
        try:
            data = b"".join([*lines.pending, block.line, b"\n"])
            self._write(data)
            if self._sync:
                self._disk.sync(self._file)
        except OSError:
            # The tail stays unsealed; the control process records it as an orphan.
            lines.rollback()
            self._disk.truncate(self._file, self._size)
            return
        self._size += len(data)
        self._sealed(block)
        self._drop_reserve()

    def _sealed(self, block: Block) -> Seal:
        self._lines.taken()
        self._lines.sealed(block)
        self.last_seal = Seal(self._segment, block.number, block.last, block.root.hex(), self._size)
        return self.last_seal

    def _rotate(self) -> None:
        """Begin the next segment. If that fails, this one, whole and sealed, takes the last words."""
        before = (self._file, self._segment, self._size, self._started, self._begun)
        try:
            self._open_segment()
        except OSError as error:
            if self._file != before[0]:
                os.close(self._file)
                (self._path / segment_name(self._segment)).unlink(missing_ok=True)
                (self._path / key_name(self._segment)).unlink(missing_ok=True)
            self._file, self._segment, self._size, self._started, self._begun = before
            self._fail(error)
        os.close(before[0])

    def _open_segment(self) -> None:
        """Make the next segment and write its `begin`. Raises OSError with the lines rolled back."""
        number = self._segment + 1
        path = self._path / segment_name(number)
        cipher, named = self._take_key(number)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._file, self._segment, self._size = file, number, 0
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        lines = self._lines
        self._started = self._boot()
        lines.line(
            "begin",
            b',"node":"%b","segment":%d,"prev":"%b"%b'
            % (self.node.encode(), number, lines.prev.hex().encode(), named),
        )
        self._begun = lines.n
        data = b"".join(lines.pending)
        try:
            self._write(data)
            if self._sync:
                self._disk.sync(file)
            os.fsync(self._folder)
        except OSError:
            lines.rollback()
            raise
        lines.taken()
        lines.cipher = cipher
        self._size = len(data)

    def _take_key(self, segment: int) -> tuple[SegmentCipher | None, bytes]:
        """The next segment's cipher, its wrapped key on the disk, and what `begin` says of it."""
        if self._keys is None:
            return None, b""
        taken = self._keys.take(segment)
        cipher = SegmentCipher(taken.key.reveal(), self.node, self.writer, segment)
        write_file(self._path / key_name(segment), render_key(cipher.id, taken.wrapped))
        return cipher, b',"key":"%b"' % cipher.id.encode()

    def _make_reserve(self) -> None:
        file = os.open(self._path / "reserve", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(file, 0, self._reserve)
        finally:
            os.close(file)

    def _drop_reserve(self) -> None:
        (self._path / "reserve").unlink(missing_ok=True)

    def _fsync_folder(self, path: Path) -> None:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _poison(self, detail: str) -> None:
        self._lines.failure = detail
        self._lines.stamp = b""
        self._lines.pending.clear()

    def _raise(self) -> NoReturn:
        raise JournalFailed("the session's record can't be written", self._lines.failure)

    def _release(self) -> None:
        for file in (self._file, self._folder):
            if file >= 0:
                os.close(file)
        self._file = self._folder = -1
