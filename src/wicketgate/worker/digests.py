"""SHA-256 of large answers, on a thread beside the loop: without SHA instructions a core hashes half as fast
as rows go by. It must never tell a digest of less than it was given, nor keep more than BEHIND bytes waiting.
"""

from collections import deque
from hashlib import sha256
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Final

SMALL: Final = 4096
"""Bytes that are hashed on the spot: handing them over costs as much."""

BEHIND: Final = 1 << 19
"""Bytes of one answer that may wait for the thread; then whoever brings more hashes them."""


class Digests:
    """One worker's. The thread begins with the first large answer, and ends with the process."""

    def __init__(self) -> None:
        self._asked: SimpleQueue[Digest] = SimpleQueue()
        self._thread: Thread | None = None

    def begin(self) -> "Digest":
        """A digest of nothing yet, as hashlib.sha256() gives one; for the loop's thread alone."""
        return Digest(self)

    def hand(self, digest: "Digest") -> None:
        """Let the thread hash what waits in it."""
        if self._thread is None:
            self._thread = Thread(target=self._run, name="digests", daemon=True)
            self._thread.start()
        self._asked.put(digest)

    def _run(self) -> None:
        while True:
            self._asked.get().catch_up()


class Digest:
    """What was given is hashed in its order, by the thread or by whoever asks for the result."""

    __slots__ = ("_digests", "_done", "_given", "_order", "_sha", "_waiting")

    def __init__(self, digests: Digests) -> None:
        self._digests = digests
        self._sha = sha256()
        self._order = Lock()
        """Whoever takes a piece holds it until the piece is hashed."""
        self._waiting: deque[bytes] = deque()
        self._given = 0
        self._done = 0

    def update(self, piece: bytes) -> None:
        idle = self._done == self._given
        self._given += len(piece)
        if idle and len(piece) < SMALL:
            with self._order:
                self._sha.update(piece)
                self._done += len(piece)
            return
        self._waiting.append(piece)
        if self._given - self._done > BEHIND:
            self.catch_up()
        elif idle:
            self._digests.hand(self)

    def catch_up(self) -> None:
        """Hash all that waits, a piece at a time."""
        while True:
            with self._order:
                if not self._waiting:
                    return
                piece = self._waiting.popleft()
                self._sha.update(piece)
                self._done += len(piece)

    def hexdigest(self) -> str:
        """Of all that was given."""
        self.catch_up()
        with self._order:
            return self._sha.hexdigest()
