"""Keys for encrypted journals in tests: a wrapping key held here, supplies that never lack, and an opener."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wicketgate.journal.decrypt import Opener
from wicketgate.journal.encrypt import LENGTH, bound
from wicketgate.journal.keyfile import KeySupply, SegmentKey, WrappedKey
from wicketgate.model.credential import CredentialMissing
from wicketgate.model.errors import GatewayError
from wicketgate.model.secret import Secret


@dataclass
class Ring:
    """One wrapping key. away: it is not at hand. keys: every data key that was ever made, by place."""

    key: AESGCM = field(default_factory=lambda: AESGCM(os.urandom(32)))
    away: bool = False
    asked: int = 0
    keys: dict[tuple[str, str, int], bytes] = field(default_factory=dict)

    def wrap(self, key: bytes, context: bytes) -> str:
        nonce = os.urandom(12)
        return (nonce + self.key.encrypt(nonce, key, context)).hex()

    def made(self, node: str, writer: str, segment: int) -> SegmentKey:
        key = self.keys[node, writer, segment] = os.urandom(LENGTH)
        return SegmentKey(Secret(key), self.wrap(key, bound(node, writer, segment)))

    def unwrap(self, wanted: Sequence[WrappedKey]) -> list[Secret | GatewayError]:
        self.asked += len(wanted)
        return [self._one(each) for each in wanted]

    def _one(self, each: WrappedKey) -> Secret | GatewayError:
        if self.away:
            return CredentialMissing("custody: there is no key")
        try:
            raw = bytes.fromhex(each.wrapped)
            return Secret(self.key.decrypt(raw[:12], raw[12:], each.context))
        except (ValueError, InvalidTag):
            return CredentialMissing("custody: the key does not open it")

    def opener(self, keep: int = 0) -> Opener:
        return Opener(self.unwrap, lambda: 0, keep)


class Plenty(KeySupply):
    """Has a key whenever one is due, unless `short`."""

    __slots__ = ("ring", "short")

    def __init__(self, ring: Ring, node: str, writer: str) -> None:
        super().__init__(node, writer)
        self.ring = ring
        self.short = False
        self.put(1, ring.made(node, writer, 1))

    def due(self) -> bool:
        super().due()
        if self.wanted is not None and not self.short:
            self.put(self.wanted, self.ring.made(self.node, self.writer, self.wanted))
        return super().due()
