"""SCRAM-SHA-256 and -PLUS towards a server, sans I/O, with keys that spare later exchanges the password.
It must never take a server that has not proven that it knows the password, too.
Sources: RFC 5802 and 7677 (SCRAM), 5929 (channel bindings), 4013 (how passwords are prepared).
"""

import hashlib
import hmac
import stringprep
import unicodedata
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Final

from wicketgate.model.secret import Secret

PLAIN: Final = "SCRAM-SHA-256"
PLUS: Final = "SCRAM-SHA-256-PLUS"

FEWEST_ITERATIONS: Final = 4096
"""RFC 7677's least. With less, who answers in a server's place guesses the password from our proof."""

MOST_ITERATIONS: Final = 600_000
"""A security limit: about a third of a second for one derivation, done once per salt."""

LONGEST: Final = 4096
"""Bytes of one message of the server: a security limit."""

NONCE_BYTES: Final = 18


class ScramError(ValueError):
    """An exchange that must end. The text holds no secret and nothing that the server wrote."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What is kept of a password for one salt and iteration count: ClientKey and ServerKey."""

    client: Secret
    server: Secret


def derive(password: bytes, salt: bytes, iterations: int) -> Keys:
    """The keys of a password. Slow by intent."""
    salted = hashlib.pbkdf2_hmac("sha256", prepare(password), salt, iterations)
    return Keys(
        client=Secret(hmac.digest(salted, b"Client Key", "sha256")),
        server=Secret(hmac.digest(salted, b"Server Key", "sha256")),
    )


class Exchange:
    """One exchange: `first`, `challenge`, `final`, `verify`, in this order."""

    __slots__ = (
        "_bare",
        "_binding",
        "_expected",
        "_header",
        "_nonce",
        "_server_first",
        "iterations",
        "mechanism",
        "salt",
    )

    def __init__(self, mechanism: str, header: str, binding: bytes, nonce: str) -> None:
        """header: the GS2 header (`n,,`, `y,,` or `p=tls-server-end-point,,`). binding: its channel's bytes.

        nonce: printable, without commas, new for each exchange.
        """
        self.mechanism = mechanism
        self.salt = b""
        self.iterations = 0
        self._header = header
        self._binding = binding
        self._nonce = nonce
        # PostgreSQL takes the user from the startup packet and wants none here
        self._bare = f"n=,r={nonce}"
        self._server_first = ""
        self._expected = b""

    def first(self) -> bytes:
        """The client's first message."""
        return (self._header + self._bare).encode()

    def challenge(self, message: bytes, fewest: int = FEWEST_ITERATIONS) -> None:
        """Read the server's first message; `salt` and `iterations` then say which keys `final` wants."""
        text = _text(message)
        fields = text.split(",")
        if len(fields) < 3 or not (
            fields[0].startswith("r=") and fields[1].startswith("s=") and fields[2].startswith("i=")
        ):
            raise ScramError("the server's SCRAM challenge is malformed")
        nonce, count = fields[0][2:], fields[2][2:]
        if not nonce.startswith(self._nonce) or len(nonce) == len(self._nonce):
            raise ScramError("the server's SCRAM nonce does not continue ours")
        if not count.isdecimal() or not count.isascii() or len(count) > 9:
            raise ScramError("the server's SCRAM iteration count is malformed")
        self.iterations = int(count)
        if not fewest <= self.iterations <= MOST_ITERATIONS:
            raise ScramError("the server's SCRAM iteration count is out of bounds")
        self.salt = _decoded(fields[1][2:])
        if not self.salt:
            raise ScramError("the server's SCRAM salt is empty")
        self._nonce = nonce
        self._server_first = text

    def final(self, keys: Keys) -> bytes:
        """The client's final message, with its proof."""
        channel = b64encode(self._header.encode() + self._binding).decode()
        unproven = f"c={channel},r={self._nonce}"
        signed = f"{self._bare},{self._server_first},{unproven}".encode()
        client_key = keys.client.reveal()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._expected = hmac.digest(keys.server.reveal(), signed, "sha256")
        return f"{unproven},p={b64encode(proof).decode()}".encode()

    def verify(self, message: bytes) -> None:
        """Read the server's final message. Raises ScramError unless the server knows the keys as well."""
        text = _text(message)
        if text.startswith("e="):
            raise ScramError("the server refused the SCRAM proof")
        if not text.startswith("v="):
            raise ScramError("the server's SCRAM signature is malformed")
        if not self._expected or not hmac.compare_digest(_decoded(text[2:].split(",")[0]), self._expected):
            raise ScramError("the server's SCRAM signature is wrong")


def prepare(password: bytes) -> bytes:
    """A password as SASLprep (RFC 4013) writes it; as in PostgreSQL, unchanged where that is undefined."""
    if password.isascii():
        return password
    try:
        text = password.decode()
    except UnicodeDecodeError:
        return password
    # a zero-width space stands in both tables: PostgreSQL looks for spaces first
    mapped = "".join(
        " " if stringprep.in_table_c12(character) else character
        for character in text
        if stringprep.in_table_c12(character) or not stringprep.in_table_b1(character)
    )
    normal = unicodedata.normalize("NFKC", mapped)
    if not normal or any(_prohibited(character) for character in normal):
        return password
    if any(stringprep.in_table_d1(character) for character in normal) and (
        any(stringprep.in_table_d2(character) for character in normal)
        or not (stringprep.in_table_d1(normal[0]) and stringprep.in_table_d1(normal[-1]))
    ):
        return password
    return normal.encode()


def _prohibited(character: str) -> bool:
    return (
        stringprep.in_table_a1(character)
        or stringprep.in_table_c12(character)
        or stringprep.in_table_c21_c22(character)
        or stringprep.in_table_c3(character)
        or stringprep.in_table_c4(character)
        or stringprep.in_table_c5(character)
        or stringprep.in_table_c6(character)
        or stringprep.in_table_c7(character)
        or stringprep.in_table_c8(character)
        or stringprep.in_table_c9(character)
    )


def _text(message: bytes) -> str:
    if len(message) > LONGEST or not message.isascii() or b"\0" in message:
        raise ScramError("the server's SCRAM message is malformed")
    return message.decode("ascii")


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        raise ScramError("the server's SCRAM message is malformed") from None
