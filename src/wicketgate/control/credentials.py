"""Fetches an account's credential from where it lies: environment, file, encrypted in the configuration, or a
source outside. It must never keep a secret longer than its source says, nor let one into an error's text.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wicketgate.control.held import Held
from wicketgate.model.credential import LONGEST, CredentialMissing, Source
from wicketgate.model.resource import Account, CredentialReference
from wicketgate.model.secret import Secret

_CONTEXT = b"wicketgate credential 1"
_NONCE = 12

__all__ = ["CredentialMissing", "Credentials", "LocalKey"]


class LocalKey:
    """The key (AES-256-GCM) of credentials that stand encrypted in the configuration."""

    __slots__ = ("_cipher",)

    def __init__(self, key: Secret) -> None:
        self._cipher = AESGCM(key.reveal())

    @classmethod
    def load_or_make(cls, path: Path) -> "LocalKey":
        """From a file of mode 0600, made at first use.

        Raises CredentialMissing for a file that others may read, or that holds no key.
        """
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(descriptor, "wb") as file:
                file.write(base64.urlsafe_b64encode(secrets.token_bytes(32)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise CredentialMissing(f"{path} may be read by others: chmod 600 it")
            text = file.read(100)
        try:
            key = base64.urlsafe_b64decode(text.strip())
        except (ValueError, binascii.Error):
            key = b""
        if len(key) != 32:
            raise CredentialMissing(f"{path} holds no key")
        return cls(Secret(key))

    def encrypt(self, secret: Secret) -> str:
        """The ciphertext as it stands in the configuration (base64url)."""
        nonce = secrets.token_bytes(_NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, secret.reveal(), _CONTEXT)
        return base64.urlsafe_b64encode(sealed).decode("ascii")

    def decrypt(self, text: str) -> Secret:
        """Raises CredentialMissing for a text that this key did not make."""
        try:
            sealed = base64.urlsafe_b64decode(text.encode("ascii"))
            return Secret(self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], _CONTEXT))
        except (ValueError, binascii.Error, InvalidTag):
            raise CredentialMissing("an inline credential that the local key file does not open") from None


class Credentials:
    """decrypt: an inline credential's ciphertext -> the secret. sources: name -> a source outside, which is
    closed with this. environment: of this process. boot: monotonic ns."""

    def __init__(
        self,
        decrypt: Callable[[str], Secret],
        environment: Mapping[str, str] | None = None,
        sources: Mapping[str, Source] | None = None,
        boot: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._decrypt = decrypt
        self._environment = os.environ if environment is None else environment
        self._sources = {name: Held(name, source, boot) for name, source in (sources or {}).items()}
        # Versions travel to workers: without this key they would be a way to guess a weak password.
        self._key = secrets.token_bytes(32)

    async def fetch(self, reference: CredentialReference) -> Secret | None:
        """The secret; None where the target trusts us. Raises CredentialMissing."""
        match reference.source:
            case "none":
                return None
            case "inline":
                return self._decrypt(reference.locator)
            case "env":
                value = self._environment.get(reference.locator)
                if not value:
                    raise CredentialMissing(f"the environment has no {reference.locator}")
                return Secret(value.encode("utf-8", "surrogateescape"))
            case "file":
                return self._read(reference.locator)
            case source if source in self._sources:
                return await self._sources[source].fetch(reference.locator)
            case _:
                raise CredentialMissing(f"no such source of credentials: {reference.source}")

    def forget(self, source: str) -> None:
        """What this source gave may have changed: it is asked anew."""
        if source in self._sources:
            self._sources[source].forget()

    async def close(self) -> None:
        """Give back what sources lent, and close them."""
        for held in self._sources.values():
            await held.close()

    @staticmethod
    def _read(path: str) -> Secret:
        try:
            with Path(path).open("rb") as file:
                value = file.read(LONGEST + 1)
        except OSError as error:
            raise CredentialMissing(f"{path}: {error.strerror}") from None
        value = value.removesuffix(b"\n").removesuffix(b"\r")
        if not value or len(value) > LONGEST:
            raise CredentialMissing(f"{path} is empty or too large for a credential")
        return Secret(value)

    async def version(self, account: Account) -> str:
        """Changes when the credential's value does; tells nothing of it. Raises CredentialMissing."""
        secret = await self.fetch(account.credential)
        value = b"" if secret is None else secret.reveal()
        return hmac.new(self._key, value, hashlib.sha256).hexdigest()[:16]
