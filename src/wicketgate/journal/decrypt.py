"""Reads what was encrypted: which key a segment needs, and its lines opened with it.
It must never show a line as opened that its key does not open: what was changed stays closed, and is told."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import orjson

from wicketgate.journal.encrypt import AFTER, BEFORE, BODY, HEAD, NotOpened, SegmentCipher, SessionCipher
from wicketgate.journal.keyfile import WrappedKey, key_name, read_key
from wicketgate.journal.parse import Line, LineMalformed, parse
from wicketgate.journal.segments import read_lines
from wicketgate.model.errors import GatewayError, KeyMissing
from wicketgate.model.secret import Secret

Unwrap = Callable[[Sequence[WrappedKey]], Sequence[Secret | GatewayError]]
"""Unwraps segments' keys, many at a time: each one's key, or why there is none. Blocking."""

KEEP: Final = 4_000_000_000
"""Nanoseconds that a key is kept, for the reads that follow."""
MOST: Final = 1024
"""Keys that are kept."""
CLOSED: Final = "z"
"""HEAD's member of a line that is encrypted; one that was opened has none."""


def is_closed(line: Line) -> bool:
    """Whether anything in the line is encrypted, or it is one that `opened` could not open."""
    return CLOSED in line.members or (line.body is not None and line.body.startswith(BEFORE))


def opened(line: Line, cipher: SessionCipher | None) -> Line:
    """A line of an encrypted segment, opened; where it is not as it was written, closed, and nothing of what
    stands there. cipher None: of a segment in clear, as it is."""
    if cipher is None:
        return line
    try:
        return open_line(line, cipher)
    except NotOpened:
        return replace(line, members={CLOSED: ""}, body=None)


def open_line(line: Line, cipher: SessionCipher) -> Line:
    """A session's line as it was handed to the writer; its HEAD stays what stands in the file. Raises
    NotOpened, also for what stands in clear where all is encrypted."""
    before = line.head.partition(b',"z":"' if CLOSED in line.members else b',"h":"')[0]
    members: dict[str, Any] = dict(line.members)
    closed = members.pop(CLOSED, None)
    if members:
        raise NotOpened("it is not encrypted, where all is")
    try:
        if closed is not None:
            text = cipher.decrypt(str(closed).encode("ascii"), HEAD, before)
            members |= orjson.loads(b"{%b}" % text.removeprefix(b","))
        body = line.body
        if body is not None and line.digest is not None:
            if not (body.startswith(BEFORE) and body.endswith(AFTER)):
                raise NotOpened("it is not encrypted, where all is")
            body = cipher.decrypt(body[len(BEFORE) : -len(AFTER)], BODY, before)
    except (UnicodeEncodeError, orjson.JSONDecodeError):
        raise NotOpened("it is not what a writer writes") from None
    return replace(line, members=members, body=body)


def key_of(path: Path) -> str | None:
    """The id of the key that a segment is encrypted with; None where it is in clear. Raises OSError."""
    for raw in read_lines(path):
        try:
            first = parse(raw.data)
        except LineMalformed:
            return None
        found = first.members.get("key")
        return found if first.kind == "begin" and isinstance(found, str) else None
    return None


class Opener:
    """Segments' ciphers, by their keys' files. Blocking; any thread.

    unwrap: None: there is nobody to ask. boot: monotonic ns.
    """

    def __init__(self, unwrap: Unwrap | None, boot: Callable[[], int], keep: int = KEEP) -> None:
        self._lock = threading.Lock()
        self._unwrap = unwrap
        self._boot = boot
        self._keep = keep
        self._found: dict[Path, tuple[int, SegmentCipher]] = {}

    def now(self) -> int:
        """Monotonic ns."""
        return self._boot()

    def cipher(self, path: Path) -> SegmentCipher | None:
        """A segment's; None where it is in clear. Raises KeyMissing, OSError."""
        found = self.ciphers([path])[path]
        if isinstance(found, GatewayError):
            raise found
        return found

    def ciphers(self, paths: Iterable[Path]) -> dict[Path, SegmentCipher | KeyMissing | None]:
        """Those of many segments, whose keys are unwrapped together. Raises OSError."""
        with self._lock:
            return self._ciphers(paths)

    def _ciphers(self, paths: Iterable[Path]) -> dict[Path, SegmentCipher | KeyMissing | None]:
        now = self._boot()
        self._found = {path: (at, one) for path, (at, one) in self._found.items() if now - at < self._keep}
        answer: dict[Path, SegmentCipher | KeyMissing | None] = {}
        wanted: dict[Path, WrappedKey] = {}
        for path in paths:
            if path in self._found:
                answer[path] = self._found[path][1]
                continue
            identity = key_of(path)
            if identity is None:
                answer[path] = None
                continue
            try:
                wanted[path] = _beside(path, identity)
            except ValueError as error:
                answer[path] = KeyMissing(f"{path.with_name(key_name(int(path.stem)))}: {error}")
        if wanted:
            answer |= self._ask(wanted, now)
        return answer

    def _ask(self, wanted: dict[Path, WrappedKey], now: int) -> dict[Path, SegmentCipher | KeyMissing | None]:
        if self._unwrap is None:
            missing = KeyMissing("no configuration says where the key lies: name it with -c")
            return dict.fromkeys(wanted, missing)
        answer: dict[Path, SegmentCipher | KeyMissing | None] = {}
        for (path, wrapped), key in zip(wanted.items(), self._unwrap(list(wanted.values())), strict=True):
            try:
                if isinstance(key, GatewayError):
                    raise KeyMissing(key.detail or key.public)
                cipher = wrapped.cipher(key)
            except KeyMissing as error:
                answer[path] = error
            except ValueError as error:
                answer[path] = KeyMissing(f"{path}: {error}")
            else:
                answer[path] = cipher
                if len(self._found) < MOST:
                    self._found[path] = now, cipher
        return answer


def _beside(path: Path, identity: str) -> WrappedKey:
    """The wrapped key of a segment. Raises ValueError."""
    node, writer, segment = path.parent.parent.name, path.parent.name, int(path.stem)
    try:
        found = read_key(path.with_name(key_name(segment)), node, writer, segment)
    except FileNotFoundError:
        raise ValueError("it is missing") from None
    if found.id != identity:
        raise ValueError("it is another segment's")
    return found
