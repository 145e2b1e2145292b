"""Digests of a block: leaves a session, and the root that chains the blocks of one writer. Pure.

A digest is SHA-256 over parts, each with its length before it (8 bytes, big endian), so that no two lists of
parts read alike:

- leaf(session, HEADs): the session's id (ASCII; empty for lines of no session), the number of HEADs (8
  bytes, big endian), then each HEAD's exact bytes in the order of their `n`.
- root(prev, leaves): the previous block's root (32 bytes; nulls before the first), then the leaves in the
  order of their bytes.
- tail(HEADs, torn): what a dead writer left behind its last seal: each HEAD, then the bytes of a torn last
  line (empty if there is none).

A leaf's second part has 8 bytes, a root's has 32, so neither can be passed off as the other.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

START = bytes(32)
"""The root before a writer's first block."""

_SIZES: Final[list[bytes]] = [size.to_bytes(8, "big") for size in range(1024)]
"""Lengths as they stand before parts: most HEADs are shorter."""


def _parts(parts: Iterable[bytes]) -> bytes:
    pieces: list[bytes] = []
    for part in parts:
        size = len(part)
        pieces.append(_SIZES[size] if size < len(_SIZES) else size.to_bytes(8, "big"))
        pieces.append(part)
    return b"".join(pieces)


def leaf(session: bytes, heads: list[bytes]) -> bytes:
    """32 bytes over one session's HEADs in one block."""
    return sha256(_parts([session, len(heads).to_bytes(8, "big"), *heads])).digest()


def root(prev: bytes, leaves: Iterable[bytes]) -> bytes:
    """32 bytes over the previous block's root and this block's leaves, in whatever order they come."""
    return sha256(_parts([prev, *sorted(leaves)])).digest()


def tail(heads: list[bytes], torn: bytes) -> bytes:
    """32 bytes over what stands behind a writer's last seal. BODYs are left out: they can be erased."""
    return sha256(_parts([*heads, torn])).digest()
