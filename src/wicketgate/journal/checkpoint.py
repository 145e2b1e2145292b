"""Checkpoints: what the control process signs of its workers' journals, and how a signature is trusted.

A checkpoint is one JSON object, rendered canonically: no white space, members in this order: number, prev,
node, key, writers, peers, next (only where a new key is introduced), sig. Digests and keys are lower-case
hex. What is signed is `wicketgate checkpoint 1\\n` and then the rendering without `sig`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

FIRST = "0" * 64
"""`prev` of a node's checkpoint number 1."""
_CONTEXT = b"wicketgate checkpoint 1\n"


class CheckpointForged(ValueError):
    """A checkpoint that is malformed, or not signed by a key that is trusted."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """How far a writer's journal is sealed. n: the last line of the sealed block. root: hex."""

    writer: str
    segment: int
    n: int
    root: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """prev: digest of the node's checkpoint before. key: id of the key that signed.

    writers: sorted; those that sealed something since the checkpoint before, at least.
    peers: other nodes -> (number, digest) of their latest checkpoint.
    next: the public key (hex) that is trusted from here on, introduced by the one that signed; or None.
    """

    number: int
    prev: str
    node: str
    key: str
    writers: tuple[Position, ...]
    peers: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    next: str | None = None
    sig: str = ""

    def _members(self) -> dict[str, Any]:
        members: dict[str, Any] = {
            "number": self.number,
            "prev": self.prev,
            "node": self.node,
            "key": self.key,
            "writers": [[at.writer, at.segment, at.n, at.root] for at in self.writers],
            "peers": {node: list(self.peers[node]) for node in sorted(self.peers)},
        }
        if self.next is not None:
            members["next"] = self.next
        return members

    def render(self) -> bytes:
        """The canonical rendering, signature included."""
        return orjson.dumps({**self._members(), "sig": self.sig})

    def signed_part(self) -> bytes:
        """What the signature is over."""
        return _CONTEXT + orjson.dumps(self._members())

    def digest(self) -> str:
        """Hex; the next checkpoint's `prev`."""
        return sha256(self.render()).hexdigest()

    def head(self) -> bytes:
        """HEAD's member of a line of kind `checkpoint`."""
        return b',"checkpoint":' + self.render()


def key_id(public: bytes) -> str:
    """A public key's id: the first 16 hex digits of its SHA-256."""
    return sha256(public).hexdigest()[:16]


class SigningKey:
    """An Ed25519 key of the control process."""

    __slots__ = ("_key", "id", "public")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.id = key_id(self.public)

    @classmethod
    def generate(cls) -> "SigningKey":
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, pem: bytes) -> "SigningKey":
        """From PKCS 8 PEM. Raises ValueError."""
        key = load_pem_private_key(pem, None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("not an Ed25519 key")
        return cls(key)

    def private_pem(self) -> bytes:
        """PKCS 8 PEM, unencrypted: for a file of mode 0600."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def public_pem(self) -> bytes:
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(
        self,
        number: int,
        prev: str,
        node: str,
        writers: Iterable[Position],
        peers: Mapping[str, tuple[int, str]] | None = None,
        next_key: bytes | None = None,
    ) -> Checkpoint:
        """Make and sign a checkpoint. next_key: a raw public key that takes over behind it."""
        introduced = None if next_key is None else next_key.hex()
        unsigned = Checkpoint(
            number, prev, node, self.id, tuple(sorted(writers)), dict(peers or {}), introduced
        )
        return replace(unsigned, sig=self._key.sign(unsigned.signed_part()).hex())


def read_public_key(data: bytes) -> bytes:
    """A raw Ed25519 public key (32 bytes) from PEM, hex or raw. Raises ValueError."""
    if len(data) == 32:
        return data
    if b"-----BEGIN" in data:
        key = load_pem_public_key(data)
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("not an Ed25519 key")
        return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    raw = bytes.fromhex(data.strip().decode("ascii"))
    if len(raw) != 32:
        raise ValueError("not an Ed25519 public key")
    return raw


def _hex(value: object, size: int) -> str:
    if not isinstance(value, str) or len(value) != size or not set(value) <= set("0123456789abcdef"):
        raise CheckpointForged("a member is not hex of its length")
    return value


def _number(value: object) -> int:
    if type(value) is not int or value < 1:
        raise CheckpointForged("a member is not a number from 1")
    return value


def _word(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise CheckpointForged("a member is not a text")
    return value


def read_checkpoint(members: object) -> Checkpoint:
    """From the object that JSON gave, its shape alone: no signature. Raises CheckpointForged."""
    if not isinstance(members, dict) or not set(members) <= set(
        ("number", "prev", "node", "key", "writers", "peers", "next", "sig")
    ):
        raise CheckpointForged("not a checkpoint")
    positions, peers = members.get("writers"), members.get("peers")
    if not isinstance(positions, list) or not isinstance(peers, dict):
        raise CheckpointForged("not a checkpoint")
    rows = [row for row in positions if isinstance(row, list) and len(row) == 4]
    pairs = {node: pair for node, pair in peers.items() if isinstance(pair, list) and len(pair) == 2}
    if len(rows) != len(positions) or len(pairs) != len(peers):
        raise CheckpointForged("writers or peers are malformed")
    return Checkpoint(
        number=_number(members.get("number")),
        prev=_hex(members.get("prev"), 64),
        node=_word(members.get("node")),
        key=_hex(members.get("key"), 16),
        writers=tuple(
            Position(_word(row[0]), _number(row[1]), _number(row[2]), _hex(row[3], 64)) for row in rows
        ),
        peers={_word(node): (_number(pair[0]), _hex(pair[1], 64)) for node, pair in pairs.items()},
        next=_hex(members["next"], 64) if "next" in members else None,
        sig=_hex(members.get("sig"), 128),
    )


def parse_checkpoint(data: bytes) -> Checkpoint:
    """From its rendering; anything but the canonical one is refused. Raises CheckpointForged."""
    data = data.strip()
    try:
        found = read_checkpoint(orjson.loads(data))
    except orjson.JSONDecodeError as error:
        raise CheckpointForged("not JSON") from error
    if found.render() != data:
        raise CheckpointForged("not rendered canonically")
    return found


def check_signature(checkpoint: Checkpoint, public: bytes) -> None:
    """Raises CheckpointForged if the key (raw) didn't sign it."""
    if checkpoint.key != key_id(public):
        raise CheckpointForged(f"checkpoint {checkpoint.number} is signed by a key that isn't trusted")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(
            bytes.fromhex(checkpoint.sig), checkpoint.signed_part()
        )
    except InvalidSignature as error:
        raise CheckpointForged(f"checkpoint {checkpoint.number} has a false signature") from error


class Trust:
    """The keys that may sign one node's checkpoints: handed in, then each introduced by the one before it.

    Checkpoints must be accepted in the order of their numbers. Once a new key has signed, the one that
    introduced it is trusted no longer.
    """

    __slots__ = ("_introduced", "_keys")

    def __init__(self, keys: Iterable[bytes]) -> None:
        self._keys = {key_id(key): key for key in keys}
        self._introduced: dict[str, str] = {}

    def accept(self, checkpoint: Checkpoint) -> None:
        """Raises CheckpointForged."""
        public = self._keys.get(checkpoint.key)
        if public is None:
            raise CheckpointForged(f"checkpoint {checkpoint.number} is signed by a key that isn't trusted")
        check_signature(checkpoint, public)
        if checkpoint.key in self._introduced:
            self._keys.pop(self._introduced.pop(checkpoint.key), None)
        if checkpoint.next is not None:
            raw = bytes.fromhex(checkpoint.next)
            self._keys[key_id(raw)] = raw
            self._introduced[key_id(raw)] = checkpoint.key
