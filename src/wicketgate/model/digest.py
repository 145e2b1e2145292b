"""What a digest in the making is, whoever computes it. It must never tell one of less than it was given."""

from typing import Protocol


class Digest(Protocol):
    """SHA-256 of what it is given, as hashlib's."""

    def update(self, piece: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...
