"""A secret as the store keeps it: closed under a data key of its own, which is closed under another key.
It must never hold either in clear."""

import re
from dataclasses import dataclass, field
from typing import Final

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?")


def check_secret_name(name: str) -> str:
    """The name, if it may name a secret. Raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} can't name a secret: up to 63 lower-case letters, digits, and ._- between"
        )
    return name


@dataclass(frozen=True, slots=True)
class KeptSecret:
    """One secret. id: 32 hex digits, never given twice. version: 1, 2, …: one for each value it had.

    sealed: the value under its data key. wrapped: the data key, as who wraps keys wrote it. created,
    changed: wall clock ns; changed and author are the last value's.
    """

    name: str
    id: str
    version: int
    created: int
    changed: int
    author: str
    sealed: bytes = field(repr=False)
    wrapped: str = field(repr=False)

    @property
    def context(self) -> bytes:
        """What both ciphertexts are bound to: no other row's, and no other version's, opens in its place."""
        return f"wicketgate secret 1\0{self.name}\0{self.id}\0{self.version}".encode()
