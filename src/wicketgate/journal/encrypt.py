"""Encrypts what a segment's lines say: a data key each segment, a key each session in it. Compiled.
It must never use a nonce twice under one key, nor show a key but to whom a session is exported.

- The segment's key is 32 random bytes. A session's key in it is HKDF-Expand (RFC 5869, SHA-256) of that, its
  info `wicketgate journal 1 session`, node, writer, segment and session, a null between; the segment key's
  id is the same with `id` for `session`, and 16 bytes: `begin` holds it, so a key that is another's is known.
- AES-256-GCM. The nonce is 6 nulls and a counter of 6 bytes, which goes on over all sessions of the segment
  and is not taken back when a write fails. What is bound (AAD): a byte for the part (0 HEAD, 1 BODY) and HEAD
  up to there, which names writer, line, clocks, kind, session and the line's number in it.
- What is encrypted is padded with spaces, so that lengths tell little.
"""

import hmac
from binascii import a2b_base64, b2a_base64
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

LENGTH: Final = 32
"""Bytes of a key."""
COUNTER: Final = 6
TAG: Final = 16
_ZEROS: Final = bytes(6)
_CONTEXT: Final = b"wicketgate journal 1"
HEAD: Final = b"\x00"
BODY: Final = b"\x01"
LAST: Final = 1 << 47
"""A segment ends long before its counter does."""
BEFORE: Final = b'{"cipher":"'
AFTER: Final = b'"}'
"""What stands around an encrypted BODY."""


class NotOpened(ValueError):
    """A key does not open it: the one or the other isn't what it was. The message holds neither."""


def bound(node: str, writer: str, segment: int) -> bytes:
    """What a segment's wrapped key is bound to."""
    return b"%b\0%b\0%b\0%d" % (_CONTEXT, node.encode(), writer.encode(), segment)


def padding(size: int) -> int:
    """How many spaces go behind so many bytes: to a multiple of 64; from 2 KiB on a sixteenth at most."""
    step = 64
    while step << 5 <= size:
        step <<= 1
    return -size % step


class SessionCipher:
    """One session's lines in one segment. key: its own, 32 bytes."""

    __slots__ = ("_aead", "_segment")

    def __init__(self, key: bytes, segment: "SegmentCipher | None" = None) -> None:
        self._aead = AESGCM(key)
        self._segment = segment

    def encrypt(self, data: bytes, part: bytes, before: bytes) -> bytes:
        """Base64 of counter, ciphertext and tag. part: HEAD or BODY. before: HEAD as far as it is clear."""
        segment = self._segment
        if segment is None:
            raise ValueError("this cipher only opens")
        count = segment.count + 1
        if count > LAST:
            raise ValueError("the segment's counter is used up")
        segment.count = count
        number = count.to_bytes(6, "big")
        spaces = padding(len(data))
        if spaces:
            data += b" " * spaces
        return b2a_base64(
            b"%b%b" % (number, self._aead.encrypt(_ZEROS + number, data, part + before)), newline=False
        )

    def decrypt(self, text: bytes, part: bytes, before: bytes) -> bytes:
        """What `encrypt` was given, with its padding. Raises NotOpened."""
        try:
            raw = a2b_base64(text, strict_mode=True)
            if len(raw) < COUNTER + TAG:
                raise NotOpened("it is too short")
            return self._aead.decrypt(_ZEROS + raw[:COUNTER], raw[COUNTER:], part + before)
        except NotOpened:
            raise
        except (ValueError, InvalidTag):
            raise NotOpened("the key does not open it") from None


class SegmentCipher:
    """One segment's key. id: 32 hex digits that say which key, and nothing of it. Raises ValueError.

    count: how often it was used.
    """

    __slots__ = ("_key", "_place", "count", "id")

    def __init__(self, key: bytes, node: str, writer: str, segment: int) -> None:
        if len(key) != LENGTH:
            raise ValueError("a segment's key has 32 bytes")
        self._key = key
        self._place = b"%b\0%b\0%d" % (node.encode(), writer.encode(), segment)
        self.count = 0
        self.id = self._expand(b"id", b"")[:16].hex()

    def _expand(self, use: bytes, session: bytes) -> bytes:
        info = b"%b %b\0%b\0%b\x01" % (_CONTEXT, use, self._place, session)
        return hmac.digest(self._key, info, "sha256")

    def session_key(self, session: bytes) -> bytes:
        """What opens this session's lines in this segment, and nothing else. Empty: lines of no session."""
        return self._expand(b"session", session)

    def session(self, session: bytes) -> SessionCipher:
        return SessionCipher(self.session_key(session), self)

    def __repr__(self) -> str:
        return f"SegmentCipher({self.id})"
