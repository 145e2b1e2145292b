"""Whole frames out of a stream that comes in pieces, while either side signs in.
It must never hold more than its limit: who speaks here has not proven a thing yet.
"""

from wicketgate.protocols.postgres.frames import HEADER, FrameError, frame_end


class Inbox:
    """Bytes received and not yet taken. Frames longer than `limit` bytes raise FrameError."""

    __slots__ = ("_held", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._held = b""

    def put(self, data: bytes) -> None:
        """Add what was received."""
        self._held += data

    def frame(self) -> tuple[int, bytes] | None:
        """Take one frame: its type and its body, or None while it is not whole. Raises FrameError."""
        end = frame_end(self._held, 0, self.limit)
        if end == 0 or end > len(self._held):
            return None
        kind, body = self._held[0], self._held[HEADER:end]
        self._held = self._held[end:]
        return kind, body

    def packet(self, least: int) -> bytes | None:
        """Take one packet without a type (a length that counts itself, then a body), or None if cut.

        Raises FrameError for a length below `least` or above the limit.
        """
        if len(self._held) < 4:
            if self._held[:2].strip(b"\0"):
                # no limit of ours needs the upper bytes: refuse before the rest of a length came
                raise FrameError("message length is out of bounds")
            return None
        length = int.from_bytes(self._held[:4], "big")
        if length < least or length > self.limit:
            raise FrameError("message length is out of bounds")
        if len(self._held) < length:
            return None
        body = self._held[4:length]
        self._held = self._held[length:]
        return body

    def first(self) -> int | None:
        """The type of the frame that comes next, if its first byte is there."""
        return self._held[0] if self._held else None

    def __len__(self) -> int:
        return len(self._held)

    def take(self) -> bytes:
        """Take all that is left."""
        held, self._held = self._held, b""
        return held
