"""What wraps data keys: keys of our own in a file or the environment, or a key that never leaves a server.
It must never make a key in the place of one that is missing, where something was wrapped with that."""

import base64
import binascii
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wicketgate.model.credential import CredentialMissing
from wicketgate.model.keyring import LENGTH, Keyring
from wicketgate.model.secret import Secret

if TYPE_CHECKING:
    from wicketgate.custody.server import Server

NONCE: Final = 12
LARGEST: Final = 1 << 16
"""Bytes of a keyring at most."""


class WrappingKeys(Protocol):
    """The port to a key management service. context: what a data key is bound to; the same to unwrap it.

    keep: seconds that what was unwrapped may be used before it is asked for again.
    """

    keep: float

    async def wrap(self, key: Secret, context: bytes) -> str:
        """With the newest key. Raises CredentialMissing."""
        ...

    async def unwrap(self, wrapped: str, context: bytes) -> Secret:
        """Raises CredentialMissing, also for what was wrapped for another context."""
        ...

    async def renew(self) -> bool:
        """Add a key, that is the newest from now on. False: that is done elsewhere."""
        ...

    def version(self, wrapped: str) -> str:
        """Which key it was wrapped with, for people."""
        ...

    async def close(self) -> None: ...


class OwnKeys:
    """Keys that we read. Text: `local:VERSION:` and base64url of nonce and ciphertext (AES-256-GCM)."""

    keep = 4.0

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random

    def ring(self) -> Keyring:
        """The keys as they are now. Raises CredentialMissing."""
        raise NotImplementedError

    async def wrap(self, key: Secret, context: bytes) -> str:
        ring = self.ring()
        nonce = self._random(NONCE)
        closed = AESGCM(ring.keys[ring.newest].reveal()).encrypt(nonce, key.reveal(), context)
        return f"local:{ring.newest}:{base64.urlsafe_b64encode(nonce + closed).decode('ascii')}"

    async def unwrap(self, wrapped: str, context: bytes) -> Secret:
        kind, _, rest = wrapped.partition(":")
        version, _, text = rest.partition(":")
        if kind != "local" or not version.isdecimal():
            raise CredentialMissing("custody: a secret was closed by other means than gateway.custody names")
        key = self.ring().keys.get(int(version))
        if key is None:
            raise CredentialMissing(f"custody: version {version} of the key is not there")
        try:
            closed = base64.urlsafe_b64decode(text.encode("ascii"))
            return Secret(AESGCM(key.reveal()).decrypt(closed[:NONCE], closed[NONCE:], context))
        except (ValueError, binascii.Error, InvalidTag):
            raise CredentialMissing(
                "custody: the key does not open a secret: one of them was changed"
            ) from None

    async def renew(self) -> bool:
        return False

    def version(self, wrapped: str) -> str:
        return ":".join(wrapped.split(":", 2)[:2])

    async def close(self) -> None:
        return


class EnvironmentKeys(OwnKeys):
    """Keys in a variable: lines `version key`, as in a file; commas do for line ends."""

    def __init__(self, name: str, environment: Mapping[str, str], random: Callable[[int], bytes]) -> None:
        super().__init__(random)
        self._name = name
        self._environment = environment

    def ring(self) -> Keyring:
        text = self._environment.get(self._name, "")
        if not text:
            raise CredentialMissing(f"custody: the environment has no {self._name}")
        try:
            return Keyring.parse(text.replace(",", "\n").encode("utf-8", "replace"))
        except ValueError as error:
            raise CredentialMissing(f"custody: {self._name}: {error}") from None


class FileKeys(OwnKeys):
    """Keys in a file of mode 0600, read at each use: one that was added is used at once, by every node."""

    def __init__(self, path: Path, random: Callable[[int], bytes]) -> None:
        super().__init__(random)
        self._path = path

    def ring(self) -> Keyring:
        try:
            with self._path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                text = file.read(LARGEST)
        except FileNotFoundError:
            raise CredentialMissing(f"custody: there is no {self._path}") from None
        except OSError as error:
            raise CredentialMissing(f"custody: {self._path}: {os.strerror(error.errno or 0)}") from None
        if mode & 0o077:
            raise CredentialMissing(f"custody: {self._path} may be read by others: chmod 600 it")
        try:
            return Keyring.parse(text)
        except ValueError as error:
            raise CredentialMissing(f"custody: {self._path}: {error}") from None

    def missing(self) -> bool:
        """Whether there is no file at all."""
        return not self._path.exists()

    def make(self) -> None:
        """A first key, where there is no file. Only for whoever knows that nothing was wrapped yet."""
        # written aside first: a crash on the way leaves no empty file in its place
        aside = self._path.with_name(f"{self._path.name}.{self._random(8).hex()}")
        try:
            self._write(aside, Keyring({1: Secret(self._random(LENGTH))}))
            os.link(aside, self._path)
            self._settle()
        except FileExistsError:
            return
        except OSError as error:
            raise CredentialMissing(f"custody: {self._path}: {os.strerror(error.errno or 0)}") from None
        finally:
            aside.unlink(missing_ok=True)

    async def renew(self) -> bool:
        ring = self.ring()
        added = Keyring({**ring.keys, ring.newest + 1: Secret(self._random(LENGTH))})
        if len(added.written()) > LARGEST:
            raise CredentialMissing(f"custody: {self._path} is full: delete keys that nothing is under")
        path = self._path.resolve()  # behind a link lies the file that others read too
        fresh = path.with_name(f"{path.name}.new")
        try:
            self._write(fresh, added)
        except FileExistsError:
            raise CredentialMissing(
                f"custody: {fresh} is there: another rotation runs, or one was cut short (then remove it)"
            ) from None
        try:
            # from here on nobody else adds one; what was added before that must not be lost
            if self.ring().written() != ring.written():
                raise CredentialMissing(f"custody: {self._path} was changed meanwhile: rotate again")
            fresh.replace(path)
            self._settle()
        except CredentialMissing:
            fresh.unlink(missing_ok=True)
            raise
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise CredentialMissing(f"custody: {self._path}: {os.strerror(error.errno or 0)}") from None
        return True

    def _write(self, path: Path, ring: Keyring) -> None:
        """Raises FileExistsError, and CredentialMissing for all else that goes wrong: then none is left."""
        made = False
        try:
            number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            made = True
            with os.fdopen(number, "wb") as file:
                file.write(ring.written())
                file.flush()
                os.fsync(file.fileno())
            self._settle()
        except FileExistsError:
            raise
        except OSError as error:
            if made:
                path.unlink(missing_ok=True)
            raise CredentialMissing(f"custody: {path}: {os.strerror(error.errno or 0)}") from None

    def _settle(self) -> None:
        """The folder to the disk: what is wrapped next must not outlive its key when the power fails."""
        number = os.open(self._path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(number)
        finally:
            os.close(number)


class TransitKeys:
    """A key of a server's transit engine, which alone can unwrap with it. Its rotation is the server's."""

    def __init__(self, server: "Server", mount: str, key: str) -> None:
        self._server = server
        self._mount = mount
        self._key = key
        self.keep = server.settings.cache_seconds

    async def wrap(self, key: Secret, context: bytes) -> str:
        answer = await self._ask("encrypt", "plaintext", base64.b64encode(key.reveal()).decode(), context)
        text = answer.get("ciphertext") if isinstance(answer, dict) else None
        if not isinstance(text, str) or not text.startswith("vault:") or len(text) > LARGEST:
            raise self._server.failed(f"{self._mount}/encrypt gave no ciphertext")
        return text

    async def unwrap(self, wrapped: str, context: bytes) -> Secret:
        if not wrapped.startswith("vault:"):
            raise CredentialMissing("custody: a secret was closed by other means than gateway.custody names")
        answer = await self._ask("decrypt", "ciphertext", wrapped, context)
        text = answer.get("plaintext") if isinstance(answer, dict) else None
        try:
            key = base64.b64decode(text.encode("ascii"), validate=True) if isinstance(text, str) else b""
        except (ValueError, binascii.Error):
            key = b""
        if len(key) != LENGTH:
            raise self._server.failed(f"{self._mount}/decrypt gave no key")
        return Secret(key)

    async def renew(self) -> bool:
        return False

    def version(self, wrapped: str) -> str:
        return ":".join(wrapped.split(":", 2)[:2])

    async def close(self) -> None:
        await self._server.close()

    async def _ask(self, verb: str, name: str, text: str, context: bytes) -> object:
        body = {name: text, "associated_data": base64.b64encode(context).decode()}
        return (await self._server.ask("POST", f"{self._mount}/{verb}/{self._key}", body)).get("data")
