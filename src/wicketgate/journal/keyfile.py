"""Segments' wrapped keys, each in a small file beside its segment: `000001.key`, one JSON object and LF.
It must never hold a key that is not wrapped, nor leave a segment without its key's file.

The file is written and synced before the segment's first line, whose `key` is the key's id. What wraps it may
change (a rotation puts another file in its place in one step); the segment is not touched by that.
"""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson

from wicketgate.journal.encrypt import SegmentCipher, bound
from wicketgate.model.errors import JournalFailed
from wicketgate.model.secret import Secret

LARGEST: Final = 1 << 16
"""Bytes of such a file."""
_NAME: Final = re.compile(r"([0-9]{6,})\.key(\.[0-9a-f]{16})?")
_ID: Final = re.compile(r"[0-9a-f]{32}")


def key_name(segment: int) -> str:
    return f"{segment:06d}.key"


def named(name: str) -> tuple[int, bool] | None:
    """A file's name -> its segment, and whether it is the file itself (else it is a rotation's, unfinished);
    None for any other name."""
    found = _NAME.fullmatch(name)
    if found is None or not int(found[1]) or f"{int(found[1]):06d}" != found[1]:
        return None
    return int(found[1]), found[2] is None


@dataclass(frozen=True, slots=True)
class SegmentKey:
    """A data key that was made for one segment. wrapped: as who wraps keys wrote it."""

    key: Secret
    wrapped: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """What lies beside a segment. context: what it is bound to (encrypt.bound)."""

    node: str
    writer: str
    segment: int
    id: str
    wrapped: str = field(repr=False)

    @property
    def context(self) -> bytes:
        return bound(self.node, self.writer, self.segment)

    def cipher(self, key: Secret) -> SegmentCipher:
        """With the key that was unwrapped. Raises ValueError where that is another's."""
        cipher = SegmentCipher(key.reveal(), self.node, self.writer, self.segment)
        if cipher.id != self.id:
            raise ValueError("the key is another segment's")
        return cipher


class KeySupply:
    """One writer's key for its next segment, put there by whoever may ask for one.

    The writer says when it is due, and goes on in the segment that it has until it is there: it never waits.
    It is not asked for ahead, so that none lies about wrapped with a key that a rotation has replaced.
    """

    __slots__ = ("_due", "_next", "_ready", "node", "writer")

    def __init__(self, node: str, writer: str) -> None:
        self.node = node
        self.writer = writer
        self._ready: SegmentKey | None = None
        self._next = 1
        self._due = True

    @property
    def wanted(self) -> int | None:
        """The segment for which a key is to be got now, or None."""
        return self._next if self._due and self._ready is None else None

    def put(self, segment: int, key: SegmentKey) -> None:
        if segment == self._next:
            self._ready = key

    def due(self) -> bool:
        """The next segment is to begin: whether its key is there."""
        self._due = True
        return self._ready is not None

    def take(self, segment: int) -> SegmentKey:
        """Raises JournalFailed where there is none: nothing is ever written in clear in its stead."""
        key = self._ready
        if key is None or segment != self._next:
            raise JournalFailed("the session's record can't be written", "journal: no key to encrypt it with")
        self._ready, self._due, self._next = None, False, segment + 1
        return key


def render_key(identity: str, wrapped: str) -> bytes:
    return orjson.dumps({"v": 1, "id": identity, "wrapped": wrapped}) + b"\n"


def read_key(path: Path, node: str, writer: str, segment: int) -> WrappedKey:
    """Raises OSError, and ValueError for what is no such file."""
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError("it is too large for a wrapped key")
    match orjson.loads(content):
        case {"v": 1, "id": str(identity), "wrapped": str(wrapped)} if _ID.fullmatch(identity):
            return WrappedKey(node, writer, segment, identity, wrapped)
    raise ValueError("it holds no wrapped key")


def write_file(path: Path, content: bytes) -> None:
    """A new file of mode 0600, on the disk when this returns. Raises OSError."""
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(number, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def rewrite_key(path: Path, key: WrappedKey, wrapped: str) -> None:
    """Put the key, wrapped anew, in the place of its file in one step. Raises OSError."""
    aside = path.with_name(f"{path.name}.{os.urandom(8).hex()}")
    try:
        write_file(aside, render_key(key.id, wrapped))
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
