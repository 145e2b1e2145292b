"""What closes reviews at rest, and signs the links to them: both under one key of the gateway's own.
It must never give a key out, nor open what was closed for something else.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wicketgate.custody.keys import NONCE
from wicketgate.model.credential import CredentialMissing
from wicketgate.model.errors import GatewayError, Unreadable
from wicketgate.model.secret import Secret

SECOND: Final = 1_000_000_000
LINK_SECONDS: Final = 3 * 86_400
"""How long a link opens its page."""
_STAMP: Final = 5
_MAC: Final = 32


class KeySource(Protocol):
    """custody.own.OwnVault."""

    @property
    def keep(self) -> float: ...
    async def own_key(self, name: str) -> Secret: ...
    async def close(self) -> None: ...


def _derived(key: Secret, purpose: bytes) -> Secret:
    return Secret(hmac.digest(key.reveal(), b"wicketgate 1\0" + purpose, "sha256"))


class Cipher:
    """AES-256-GCM. context: what a text is bound to; the same to open it."""

    def __init__(self, key: Secret, random: Callable[[int], bytes]) -> None:
        self._cipher = AESGCM(key.reveal())
        self._random = random

    def close(self, clear: bytes, context: bytes) -> bytes:
        nonce = self._random(NONCE)
        return nonce + self._cipher.encrypt(nonce, clear, context)

    def open(self, closed: bytes, context: bytes) -> bytes:
        """Raises Unreadable for what was not closed by this key, for this."""
        try:
            return self._cipher.decrypt(closed[:NONCE], closed[NONCE:], context)
        except (ValueError, InvalidTag):
            raise Unreadable("a review was changed beside the gateway") from None


class Sealing:
    """store.reviews.Seal, and the links to reviews. source: asked for the key when it is needed, and again
    when it may have been taken away. boot: monotonic ns. clock: wall ns. public_url: where people reach the
    API; None: nowhere, and there are no links."""

    def __init__(
        self,
        source: Callable[[], Awaitable[KeySource]],
        boot: Callable[[], int],
        clock: Callable[[], int],
        random: Callable[[int], bytes],
        public_url: str | None = None,
    ) -> None:
        self._open = source
        self._source: KeySource | None = None
        self._boot = boot
        self._clock = clock
        self._random = random
        self._public_url = public_url
        self._cipher: Cipher | None = None
        self._signing: Secret | None = None
        self._tickets: Cipher | None = None
        self._until = 0

    async def cipher(self) -> Cipher:
        """Raises GatewayError where the key is not at hand: then nothing is kept, and nothing read."""
        found = self._cipher
        if found is None or self._boot() >= self._until:
            if self._source is None:
                self._source = await self._open()
            source = self._source
            try:
                key = await source.own_key("reviews")
            except CredentialMissing as error:
                raise GatewayError("the key that closes reviews is not at hand", error.detail) from None
            found = self._cipher = Cipher(_derived(key, b"reviews at rest"), self._random)
            self._signing = _derived(key, b"links to reviews")
            self._tickets = Cipher(_derived(key, b"tickets of pages"), self._random)
            self._until = self._boot() + int(source.keep * SECOND)
        return found

    def link(self, review: str) -> str:
        """The address of a review's page, for people: it opens that page for a while, and needs a sign-in.
        Empty where people can't reach the API, or nothing was sealed here yet."""
        if self._public_url is None or self._signing is None:
            return ""
        until = (self._clock() // SECOND + LINK_SECONDS).to_bytes(_STAMP, "big")
        mark = base64.urlsafe_b64encode(until + self._mark(self._signing, review, until))
        return f"{self._public_url}/reviews/{review}?k={mark.decode('ascii').rstrip('=')}"

    async def opens(self, review: str, mark: str) -> bool:
        """Whether this is a link's mark, of this review, and still good. Raises GatewayError."""
        await self.cipher()
        assert self._signing is not None
        try:
            told = base64.b64decode(mark.encode("ascii") + b"=" * (-len(mark) % 4), b"-_", validate=True)
        except (ValueError, binascii.Error):
            return False
        until = told[:_STAMP]
        good = hmac.compare_digest(told[_STAMP:], self._mark(self._signing, review, until))
        return good and self._clock() // SECOND < int.from_bytes(until, "big")

    async def ticket(self, purpose: str, clear: bytes) -> str:
        """A text that a browser may keep for us: it can neither read it nor make one. Raises GatewayError."""
        await self.cipher()
        assert self._tickets is not None
        closed = self._tickets.close(clear, f"ticket\0{purpose}".encode())
        return base64.urlsafe_b64encode(closed).decode("ascii").rstrip("=")

    async def of_ticket(self, purpose: str, text: str) -> bytes | None:
        """What was closed for this purpose; None: it is none of ours. Raises GatewayError."""
        await self.cipher()
        assert self._tickets is not None
        try:
            closed = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
            return self._tickets.open(closed, f"ticket\0{purpose}".encode())
        except (ValueError, binascii.Error, GatewayError):
            return None

    async def close(self) -> None:
        """Close what gave the key."""
        source, self._source = self._source, None
        self._cipher = None
        if source is not None:
            await source.close()

    @staticmethod
    def _mark(key: Secret, review: str, until: bytes) -> bytes:
        text = b"page\0" + hashlib.sha256(review.encode("utf-8")).digest() + until
        return hmac.digest(key.reveal(), text, "sha256")[:_MAC]
