"""Pseudonyms: tokens that stand for values, and the way back for whoever holds the keys (compiled).
It must never turn a token into a value unless these keys made exactly this token, for a scope asked about.

A token is `wkp`, the key's version, `_` and URL-safe base64 of SIV and ciphertext: deterministic
authenticated encryption in the manner of SIV (Rogaway and Shrimpton 2006; RFC 5297), so that no table of
values is kept.

- A version and a scope have two subkeys: keyed BLAKE2b (RFC 7693) over a label and the scope.
- SIV = BLAKE2b under the first subkey over class, NUL, value, in 16 bytes: the tag and the nonce in one.
- plaintext = class, NUL, value, filled with NULs until the token's bytes are a multiple of 12, so that a
  token tells its value's length in steps of 12 only, and its base64 has no spare bits.
- ciphertext = plaintext XOR AES-256 under the second subkey over the blocks SIV ^ 0, SIV ^ 1 … (in its last
  byte). Different values share such a block only if 15 bytes of their SIVs agree: 2^-57 among 2^32 values.

Equal values of one class in one scope have equal tokens, on purpose: who sees tokens sees which are equal.
"""

import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.constant_time import bytes_eq
from mypy_extensions import i64

from wicketgate.masking.blake2b import Keyed, keyed
from wicketgate.masking.sealing import filled, sealed
from wicketgate.masking.transforms import redacted

PREFIX: Final = b"wkp"
"""What every token begins with; the key's version and `_` follow."""

LONGEST: Final = 256
"""Bytes of the longest value that gets a token; a longer one is prose, and is redacted."""

LONGEST_CLASS: Final = 64
"""Characters of the longest class name; with LONGEST, far less than the 256 blocks that one byte counts."""

KEY: Final = 32
"""Bytes that a master key has at least."""

MOST_KNOWN: Final = 1 << 18
"""Tokens remembered for all scopes and classes together: some 50 MB."""

WINDOW: Final = 1 << 15
"""Values after which it is judged whether remembering pays."""

MOST_SCOPES: Final = 4096
"""Scopes whose subkeys are remembered."""

_TOKEN: Final = re.compile(rb"(?i)wkp[0-9]{1,9}_[a-z0-9_-]{8,}")
"""A token, also one that was cut, changed in case, or that other text was glued to."""
_WHOLE: Final = re.compile(rb"wkp([1-9][0-9]{0,8})_([A-Za-z0-9_-]{32,})")
_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")


class Subkeys:
    """What one version's master key gives one scope."""

    def __init__(self, master: bytes, scope: bytes) -> None:
        self.tag = hashlib.blake2b(scope, key=master, digest_size=32, person=b"wkp tag").digest()
        self.keyed: Keyed | None = keyed(self.tag)
        cipher = hashlib.blake2b(scope, key=master, digest_size=32, person=b"wkp cipher").digest()
        # one-block permutations only, each on a block of its own: what ECB is named, not what it is used for
        self.encrypt: Any = Cipher(AES256(cipher), ECB()).encryptor().update  # noqa: S305

    def tags(self, data_class: bytes) -> Any:
        """BLAKE2b's state after key, class and NUL; a copy takes a value and gives its SIV."""
        return hashlib.blake2b(data_class + b"\0", key=self.tag, digest_size=16)


class Pseudonym:
    """Tokens of one class in one scope."""

    def __init__(self, owner: "Pseudonyms", data_class: str, subkeys: Subkeys, version: int) -> None:
        self.owner = owner
        self.begin = data_class.encode() + b"\0"
        self.mark = redacted(data_class)
        self.prefix = PREFIX + b"%d_" % version
        self.encrypt: Any = subkeys.encrypt
        self.copy: Any = subkeys.tags(data_class.encode()).copy
        self.keyed = subkeys.keyed
        self.known: dict[bytes, bytes] = {}
        self.generation = owner.generation
        self.asked = 0
        self.missed = 0
        """Of the values asked for in this window, those that had no remembered token."""
        self.resting = 0
        """Values to come for which nothing is looked up or remembered, as few came again."""

    def tokens(self, values: list[bytes | None]) -> list[bytes | None]:
        """A token for each value; None stays. What is too long, holds a NUL or is not UTF-8 is redacted."""
        owner = self.owner
        if self.generation != owner.generation:
            self.known = {}
            self.generation = owner.generation
        known = self.known
        remember = self.resting <= 0
        if not remember:
            self.resting -= len(values)
        sound = all_sealable(values)
        if sound and not remember:
            whole = [value for value in values if value is not None and len(value) <= LONGEST]
            if len(whole) == len(values):  # all of them are wanted
                return [*self.seal(whole)]
        found: list[bytes | None] = []
        wanted: list[bytes] = []
        places: list[int] = []
        for index, value in enumerate(values):
            token: bytes | None = None
            if value is not None:
                if remember:
                    token = known.get(value)
                if token is None:
                    if len(value) <= LONGEST and (sound or sealable(value)):
                        wanted.append(value)
                        places.append(index)
                    else:
                        token = self.mark
            found.append(token)
        if remember:
            self.judge(len(values), len(wanted))
        if not wanted:
            return found
        made = self.seal(wanted)
        total = len(made)
        here: i64 = 0
        while here < total:
            found[places[here]] = made[here]
            here += 1
        if remember:
            owner.remember(known, wanted, made)
        return found

    def judge(self, asked: int, missed: int) -> None:
        """Whether remembering pays: where seven of eight values are new, it costs more than it saves."""
        self.asked += asked
        self.missed += missed
        if self.asked >= self.owner.window:
            if self.missed * 8 > self.asked * 7:
                self.resting = self.owner.window * 15
            self.asked = 0
            self.missed = 0

    def seal(self, values: list[bytes]) -> list[bytes]:
        """A token for each value, all enciphered in one call."""
        return sealed(values, self.begin, self.prefix, self.copy, self.keyed, self.encrypt)


class Pseudonyms:
    """Makes tokens, and reads its own.

    keys: version (1 to 999999999) -> master key of at least 32 random bytes. newest: the version of new
    tokens; those of the others are still read. most_known, window, most_scopes: what is remembered, as the
    constants tell. Raises ValueError for keys that are none.
    """

    def __init__(
        self,
        keys: Mapping[int, bytes],
        newest: int,
        most_known: int = MOST_KNOWN,
        window: int = WINDOW,
        most_scopes: int = MOST_SCOPES,
    ) -> None:
        if newest not in keys or any(not 0 < version < 10**9 for version in keys):
            raise ValueError("the newest version has no key, or a version is out of bounds")
        if any(len(key) < KEY for key in keys.values()):
            raise ValueError("a key is too short")
        # BLAKE2b takes keys of up to 64 bytes; a longer one would be an error, not a stronger key
        self.keys = {version: hashlib.blake2b(key, digest_size=64).digest() for version, key in keys.items()}
        self.newest = newest
        self.most_known = most_known
        self.window = window
        self.most_scopes = most_scopes
        self.generation = 0
        self.remembered = 0
        self.subkeys: dict[tuple[int, bytes], Subkeys] = {}
        self.columns: dict[tuple[str, bytes], Pseudonym] = {}

    def __repr__(self) -> str:
        return "Pseudonyms(…)"

    def of(self, data_class: str, scope: bytes) -> Pseudonym:
        """What makes tokens of a class in a scope, with what it remembers."""
        key = (data_class, scope)
        found = self.columns.get(key)
        if found is None:
            if len(self.columns) >= self.most_scopes:
                self.columns.clear()
            found = Pseudonym(self, data_class, self._subkeys(self.newest, scope), self.newest)
            self.columns[key] = found
        return found

    def tokens(self, values: list[bytes | None], data_class: str, scope: bytes) -> list[bytes | None]:
        """A token for each value of a class in a scope; None stays. What is too long, holds a NUL or is not
        UTF-8 is redacted, and so are all where the class's name is too long or holds a NUL."""
        if not class_is_sound(data_class):
            mark = redacted(data_class)
            return [None if value is None else mark for value in values]
        return self.of(data_class, scope).tokens(values)

    def value_of(self, token: bytes, scopes: Iterable[bytes]) -> tuple[str, bytes] | None:
        """The class and the value of a whole token that these keys made for one of the scopes; else None."""
        match = _WHOLE.fullmatch(token)
        if match is None:
            return None
        version = int(match[1])
        text: bytes = match[2]
        if version not in self.keys or len(text) % 16 or len(text) > 4 * (LONGEST + LONGEST_CLASS):
            return None
        sealed = binascii.a2b_base64(text.translate(_FROM_URL))
        size = len(sealed) - 16
        tag = sealed[:16]
        blocks = b"".join([tag[:15] + bytes([tag[15] ^ block]) for block in range((size + 15) // 16)])
        found: tuple[str, bytes] | None = None
        for scope in scopes:
            subkeys = self._subkeys(version, scope)
            plain = xor(sealed[16:], subkeys.encrypt(blocks)[:size])
            data_class, _, value = plain.rstrip(b"\0").partition(b"\0")
            state = subkeys.tags(data_class)
            state.update(value)
            exact = filled(len(data_class) + 1 + len(value)) == size
            if bytes_eq(state.digest(), tag) and exact and found is None:
                found = (data_class.decode(), value)
        return found

    def remember(self, known: dict[bytes, bytes], values: list[bytes], made: list[bytes]) -> None:
        """Keep tokens that were just made; all are forgotten where there are too many."""
        count: i64 = len(values)
        if self.remembered + count > self.most_known:
            self.generation += 1
            self.remembered = 0
            return
        self.remembered += count
        at: i64 = 0
        while at < count:
            known[values[at]] = made[at]
            at += 1

    def _subkeys(self, version: int, scope: bytes) -> Subkeys:
        key = (version, scope)
        found = self.subkeys.get(key)
        if found is None:
            if len(self.subkeys) >= self.most_scopes:
                self.subkeys.clear()
            found = Subkeys(self.keys[version], scope)
            self.subkeys[key] = found
        return found


def found_in(text: bytes) -> list[tuple[int, int]]:
    """Where things stand that look like tokens, authentic or not, cut or glued to others: (begin, end)."""
    if b"wkp" not in text.lower():
        return []
    return [match.span() for match in _TOKEN.finditer(text)]


def all_sealable(values: list[bytes | None]) -> bool:
    """Whether all values are ASCII without a NUL: a look at all at once."""
    text = b"".join([value for value in values if value is not None])
    return text.isascii() and text.find(b"\0") < 0


def sealable(value: bytes) -> bool:
    """Whether a value can have a token: UTF-8, and without a NUL (which ends it)."""
    if b"\0" in value:
        return False
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def class_is_sound(data_class: str) -> bool:
    """Whether a class's name can stand in a token."""
    return "\0" not in data_class and 0 < len(data_class) <= LONGEST_CLASS


def xor(one: bytes, other: bytes) -> bytes:
    """Of two texts of the same length."""
    length = len(one)
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(length, "big")
