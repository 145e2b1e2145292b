"""Which sessions there are, and where their lines lie. Derived: it can be thrown away and made again.
It must never be taken for proof: what it says is read from the files, not verified."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from wicketgate.journal.decrypt import Opener, opened
from wicketgate.journal.encrypt import SegmentCipher, SessionCipher
from wicketgate.journal.parse import Line, LineMalformed, parse
from wicketgate.journal.segments import WriterFiles, read_lines, writers
from wicketgate.model.errors import KeyMissing

AGAIN = 10_000_000_000
"""Nanoseconds after which segments whose key was missing are tried again."""
_VERSION = 1
_SCHEMA = f"""
CREATE TABLE segment (node TEXT, writer TEXT, number INTEGER, inode INTEGER, scanned INTEGER,
    PRIMARY KEY (node, writer, number)) WITHOUT ROWID;
CREATE TABLE session (session TEXT PRIMARY KEY, node TEXT, writer TEXT, identity TEXT, resource TEXT,
    database TEXT, account TEXT, opened INTEGER, closed INTEGER, reason TEXT, statements INTEGER,
    denied INTEGER, rows INTEGER, size INTEGER, q INTEGER) WITHOUT ROWID;
CREATE TABLE span (session TEXT, number INTEGER, begin INTEGER, finish INTEGER,
    PRIMARY KEY (session, number)) WITHOUT ROWID;
CREATE INDEX session_opened ON session (opened);
CREATE INDEX session_writer ON session (node, writer);
PRAGMA user_version = {_VERSION};
"""
_COLUMNS = (
    "session, node, writer, identity, resource, database, account, opened, closed, reason, statements,"
    " denied, rows, size, q"
)


@dataclass(slots=True)
class RecordedSession:
    """One session. opened, closed: wall clock ns; closed None: no `close` was recorded. lines: its last q.
    Where it is encrypted and the key is not at hand, nothing is known of it but times and counts of lines.

    rows, size: rows and bytes that reached the client. statements: lines of kind `ask`; denied: `deny`.
    """

    session: str
    node: str
    writer: str
    identity: str = ""
    resource: str = ""
    database: str = ""
    account: str = ""
    opened: int = 0
    closed: int | None = None
    reason: str | None = None
    statements: int = 0
    denied: int = 0
    rows: int = 0
    size: int = 0
    lines: int = 0


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _add(entry: RecordedSession, line: Line) -> None:
    entry.lines = max(entry.lines, line.q)
    outcome = line.members.get("o")
    outcome = outcome if isinstance(outcome, dict) else {}
    if line.q == 1:
        entry.opened = line.wall
    if line.kind == "open":
        who = line.members.get("i")
        who = who if isinstance(who, dict) else {}
        entry.identity = _text(who.get("name")) or _text(who.get("subject"))
        entry.resource = _text(who.get("resource"))
        entry.database = _text(who.get("database"))
        entry.account = _text(line.members.get("a"))
    elif line.kind == "ask":
        entry.statements += 1
    elif line.kind == "deny":
        entry.denied += 1
    elif line.kind == "answer":
        rows, size = outcome.get("rows"), outcome.get("bytes")
        entry.rows += rows if isinstance(rows, int) else 0
        entry.size += size if isinstance(size, int) else 0
    elif line.kind == "close":
        entry.closed = line.wall
        entry.reason = _text(outcome.get("tag")) or None


class Index:
    """folder: the journal's root. file: where the index is kept (outside of the folder); None: in memory.
    opener: of what is encrypted; its index is kept in memory alone, for it holds who opened what.

    Blocking; may be used from any thread, one at a time. Methods raise OSError where files can't be read.
    """

    def __init__(self, folder: Path, file: Path | None = None, opener: Opener | None = None) -> None:
        if file is not None and opener is not None:
            raise ValueError("what was encrypted must not lie in an index's file")
        self._folder = folder
        self._file = file
        self._opener = opener or Opener(None, lambda: 0)
        self._blind: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()
        self._base = self._open()

    def _open(self) -> sqlite3.Connection:
        try:
            base = self._connect()
            found = base.execute("PRAGMA user_version").fetchone()[0]
            if found == 0:
                base.executescript(_SCHEMA)
            if found in (0, _VERSION):
                return base
            base.close()
        except sqlite3.DatabaseError:
            pass
        # Another version's, or not a database: it is derived, so make it anew.
        self._unlink()
        base = self._connect()
        base.executescript(_SCHEMA)
        return base

    def _connect(self) -> sqlite3.Connection:
        if self._file is None:
            return sqlite3.connect(":memory:", check_same_thread=False)
        os.close(os.open(self._file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        base = sqlite3.connect(self._file, check_same_thread=False)
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = OFF")
        return base

    def _unlink(self) -> None:
        if self._file is not None:
            for suffix in ("", "-wal", "-shm"):
                self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)

    def close(self) -> None:
        with self._lock:
            self._base.close()

    def rebuild(self) -> None:
        """Throw the index away and make it again."""
        with self._lock:
            self._base.close()
            self._unlink()
            self._base = self._open()
            self._refresh()

    def refresh(self) -> None:
        """Take in what was written since."""
        with self._lock:
            self._refresh()

    def sessions(self) -> list[RecordedSession]:
        """All sessions, oldest first."""
        with self._lock:
            self._refresh()
            return [
                RecordedSession(*row)
                for row in self._base.execute(f"SELECT {_COLUMNS} FROM session ORDER BY opened, session")  # noqa: S608 - columns are ours
            ]

    def find(self, session: str) -> RecordedSession | None:
        with self._lock:
            self._refresh()
            return self._find(session)

    def read(self, session: str) -> list[Line]:
        """The session's lines, in the order they were written; empty if there is none. One that its key does
        not open stays closed. Raises KeyMissing where a key is not at hand."""
        with self._lock:
            for _ in range(3):
                self._refresh()
                found = self._read(session)
                if found is not None:
                    return found
        raise OSError("the journal's files were replaced again and again while they were read")

    # -- inside the lock ------------------------------------------------------------------------------------
    def _find(self, session: str) -> RecordedSession | None:
        row = self._base.execute(
            f"SELECT {_COLUMNS} FROM session WHERE session = ?",  # noqa: S608 - columns are ours
            (session,),
        ).fetchone()
        return None if row is None else RecordedSession(*row)

    def _read(self, session: str) -> list[Line] | None:
        """None where a segment was replaced (an erasure) since the refresh."""
        entry = self._find(session)
        if entry is None:
            return []
        spans = self._base.execute(
            "SELECT span.number, begin, finish, inode FROM span, segment WHERE session = ? AND node = ?"
            " AND writer = ? AND segment.number = span.number ORDER BY span.number",
            (session, entry.node, entry.writer),
        ).fetchall()
        lines: list[Line] = []
        mark = b'"s":"%b"' % session.encode()
        paths = {
            number: self._folder / entry.node / entry.writer / f"{number:06d}.log" for number, *_ in spans
        }
        ciphers = self._opener.ciphers(paths.values())
        for number, begin, finish, inode in spans:
            path = paths[number]
            if path.stat().st_ino != inode:
                return None
            cipher = ciphers[path]
            if isinstance(cipher, KeyMissing):
                raise cipher
            own = None if cipher is None else cipher.session(session.encode())
            for raw in read_lines(path, begin):
                if raw.offset >= finish:
                    break
                if mark in raw.data and not raw.torn:
                    try:
                        line = parse(raw.data)
                    except LineMalformed:
                        continue
                    if line.session == session:
                        lines.append(opened(line, own))
            if path.stat().st_ino != inode:
                return None
        return lines

    def _refresh(self) -> None:
        looked = [self._grown(files) for files in (writers(self._folder) if self._folder.is_dir() else [])]
        # the keys of all that is to be read are unwrapped together
        ciphers = self._opener.ciphers(files.segments[number] for files, grown in looked for number in grown)
        for files, grown in looked:
            with self._base:
                for number, (inode, scanned) in grown.items():
                    cipher = ciphers[files.segments[number]]
                    if isinstance(cipher, KeyMissing):
                        self._blind.setdefault((files.node, files.writer), self._opener.now())
                        cipher = None
                    self._scan(files, number, inode, scanned, cipher)

    def _grown(self, files: WriterFiles) -> tuple[WriterFiles, dict[int, tuple[int, int]]]:
        """A writer's segments that are to be read, in order: number -> inode, and how far they were."""
        known = {
            number: (inode, scanned)
            for number, inode, scanned in self._base.execute(
                "SELECT number, inode, scanned FROM segment WHERE node = ? AND writer = ?",
                (files.node, files.writer),
            )
        }
        stats = {number: path.stat() for number, path in files.segments.items()}
        blind = self._blind.get((files.node, files.writer))
        if (blind is not None and self._opener.now() - blind >= AGAIN) or any(
            number not in stats or stats[number].st_ino != inode or stats[number].st_size < scanned
            for number, (inode, scanned) in known.items()
        ):
            self._forget(files)
            known = {}
        found = {
            number: (stats[number].st_ino, known.get(number, (0, 0))[1])
            for number in sorted(stats)
            if known.get(number, (0, 0))[1] < stats[number].st_size
        }
        return files, found

    def _forget(self, files: WriterFiles) -> None:
        """A segment was replaced or is gone: the writer is read again from its start."""
        where = (files.node, files.writer)
        self._blind.pop(where, None)
        with self._base:
            self._base.execute(
                "DELETE FROM span WHERE session IN"
                " (SELECT session FROM session WHERE node = ? AND writer = ?)",
                where,
            )
            self._base.execute("DELETE FROM session WHERE node = ? AND writer = ?", where)
            self._base.execute("DELETE FROM segment WHERE node = ? AND writer = ?", where)

    def _scan(
        self, files: WriterFiles, number: int, inode: int, start: int, cipher: SegmentCipher | None
    ) -> None:
        entries: dict[str, RecordedSession] = {}
        spans: dict[str, tuple[int, int]] = {}
        own: dict[str, SessionCipher] = {}
        end = start
        for line, offset, finish in _session_lines(files.segments[number], start):
            end = finish
            if line is None:
                continue
            entry = entries.get(line.session)
            if entry is None:
                entry = self._find(line.session) or RecordedSession(line.session, files.node, files.writer)
                if (entry.node, entry.writer) != (files.node, files.writer):
                    continue  # an id that another writer has already: `verify` tells
                entries[line.session] = entry
            if cipher is not None and line.session not in own:
                own[line.session] = cipher.session(line.session.encode())
            _add(entry, opened(replace(line, body=None), own.get(line.session)))
            spans[line.session] = (spans.get(line.session, (offset, 0))[0], finish)
        marks = ", ".join("?" * 15)
        self._base.executemany(
            f"INSERT OR REPLACE INTO session ({_COLUMNS}) VALUES ({marks})",  # noqa: S608 - columns are ours
            [_row(entry) for entry in entries.values()],
        )
        self._base.executemany(
            "INSERT INTO span VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET finish = excluded.finish",
            [(session, number, begin, finish) for session, (begin, finish) in spans.items()],
        )
        self._base.execute(
            "INSERT OR REPLACE INTO segment VALUES (?, ?, ?, ?, ?)",
            (files.node, files.writer, number, inode, end),
        )


def _row(entry: RecordedSession) -> tuple[object, ...]:
    return (
        entry.session, entry.node, entry.writer, entry.identity, entry.resource, entry.database,
        entry.account, entry.opened, entry.closed, entry.reason, entry.statements, entry.denied, entry.rows,
        entry.size, entry.lines,
    )  # fmt: skip


def _session_lines(path: Path, start: int) -> Iterator[tuple[Line | None, int, int]]:
    """Whole lines from an offset on: (line, its offset, the next one's); None for one of no session."""
    for raw in read_lines(path, start):
        if raw.torn:
            return
        line = None
        if b'"s":"' in raw.data:
            try:
                line = parse(raw.data)
            except LineMalformed:
                line = None
            if line is not None and not line.session:
                line = None
        yield line, raw.offset, raw.offset + len(raw.data) + 1


def sessions(folder: Path, opener: Opener | None = None) -> list[RecordedSession]:
    """All sessions of a journal, oldest first, without a kept index."""
    index = Index(folder, opener=opener)
    try:
        return index.sessions()
    finally:
        index.close()


def read_session(folder: Path, session: str, opener: Opener | None = None) -> list[Line]:
    """One session's lines, without a kept index; empty if there is none."""
    index = Index(folder, opener=opener)
    try:
        return index.read(session)
    finally:
        index.close()
