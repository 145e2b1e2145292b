"""Access tokens of service accounts: made, read and recorded. State, clock and chance are handed in.
The token's text must never be stored: what is kept is its SHA-256, which tells nobody the token."""

import hashlib
import hmac
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from wicketgate.model.saml import SignedInBy, signed_in_by
from wicketgate.model.secret import Secret
from wicketgate.model.task import Task, task_of
from wicketgate.model.token import TokenRecord, check_name

__all__ = [
    "LENGTH",
    "PATTERN",
    "PREFIX",
    "TokenRecord",
    "check_name",
    "from_replicated",
    "hash_of",
    "issue",
    "parse",
]

PREFIX: Final = "wkt_"
RANDOM_BYTES: Final = 32
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY: Final = 43  # 62^43 > 2^256
_CHECK: Final = 6  # 62^6 > 2^32
LENGTH: Final = len(PREFIX) + _BODY + _CHECK
PATTERN: Final = re.compile(rf"\b{PREFIX}[0-9A-Za-z]{{{_BODY + _CHECK}}}\b")
"""What a scanner for leaked tokens looks for; `parse` tells a true one from an accident."""


def _base62(number: int, width: int) -> str:
    digits: list[str] = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode("ascii")), _CHECK)


def hash_of(secret: Secret) -> str:
    """SHA-256 of what a client presented, 64 hex digits: the key under which a token is found."""
    return hashlib.sha256(secret.reveal()).hexdigest()


def parse(secret: Secret) -> bool:
    """Whether this is a token's text: prefix, length, alphabet and checksum. It may still be unknown."""
    value = secret.reveal()
    if len(value) != LENGTH or not value.startswith(PREFIX.encode()):
        return False
    text = value.decode("latin-1")
    if not PATTERN.fullmatch(text):
        return False
    return hmac.compare_digest(_checksum(text[:-_CHECK]), text[-_CHECK:])


def issue(
    identity: str,
    now: int,
    random: Callable[[int], bytes],
    *,
    expires: int | None = None,
    resources: frozenset[str] = frozenset(),
    note: str = "",
    rules: frozenset[str] = frozenset(),
    networks: frozenset[str] = frozenset(),
    task: Task | None = None,
    proven: SignedInBy | None = None,
) -> tuple[Secret, TokenRecord]:
    """A new token for an identity: its text, to be shown once, and the record to keep.

    random: n -> n bytes nobody can guess (`os.urandom`). Raises ValueError for a bad name or a past expiry.
    """
    check_name(identity)
    chance = random(RANDOM_BYTES)
    if len(chance) != RANDOM_BYTES:
        raise ValueError("the source of chance gave too little")
    stem = PREFIX + _base62(int.from_bytes(chance, "big"), _BODY)
    secret = Secret((stem + _checksum(stem)).encode("ascii"))
    record = TokenRecord(
        hash=hash_of(secret),
        id=random(8).hex(),
        identity=identity,
        created=now,
        expires=expires,
        resources=resources,
        note=note,
        rules=rules,
        networks=networks,
        task=task,
        proven=proven,
    )
    return secret, record


def from_replicated(hash_text: str, fields: Mapping[str, Any]) -> TokenRecord:
    """The record that `replicated` gave, less what that leaves out.

    Raises KeyError, TypeError, ValueError."""
    expires, revoked, task = fields["expires"], fields["revoked"], fields["task"]
    proven = fields["proven"]
    return TokenRecord(
        hash=hash_text,
        id=str(fields["id"]),
        identity=str(fields["identity"]),
        created=int(fields["created"]),
        expires=None if expires is None else int(expires),
        resources=frozenset(str(name) for name in fields["resources"]),
        revoked=None if revoked is None else int(revoked),
        rules=frozenset(str(name) for name in fields["rules"]),
        networks=frozenset(str(network) for network in fields["networks"]),
        task=None if task is None else task_of(task),
        proven=None if proven is None else signed_in_by(proven),
    )
