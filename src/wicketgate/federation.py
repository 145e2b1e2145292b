"""The composition of SAML: what the policy trusts, the provider's files, our own key, the store's sign-ins.
It must never keep a provider's keys longer than its files say: these are read at each sign-in."""

import asyncio
import contextlib
import datetime
import hashlib
import importlib.util
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from wicketgate.identity.issuers import IssuerTokens
from wicketgate.identity.jwt import NotProven
from wicketgate.model.errors import GatewayError, PolicyError
from wicketgate.model.saml import SamlIssuer, SignedInBy
from wicketgate.model.sign_in import Asserted, SignInRefused
from wicketgate.store.saml import SignInRows

if TYPE_CHECKING:
    from wicketgate.identity.saml.provider import Provider

KEY_FILE = "saml.pem"
LARGEST_FILE = 1 << 20


def need(issuers: Mapping[str, SamlIssuer], file: str) -> None:
    """Raises PolicyError where the policy trusts one and what reads SAML is not installed."""
    missing = [each for each in ("signxml", "lxml") if importlib.util.find_spec(each) is None]
    if issuers and missing:
        raise PolicyError(
            f"{file}: identity: saml needs {' and '.join(missing)}: pip install 'wicketgate[saml]'"
        )


def unreadable(issuers: Iterable[SamlIssuer], now: int) -> list[str]:
    """A line for each provider whose files can't be used now. now: wall ns."""
    found = []
    for issuer in issuers:
        try:
            provider_of(issuer, now)
        except (OSError, ValueError) as error:
            found.append(f"identity provider {issuer.name}: {error}")
    return found


def provider_of(issuer: SamlIssuer, now: int) -> "Provider":
    """By its files, as they are. Raises OSError, ValueError."""
    from wicketgate.identity.saml.provider import of_files, of_metadata

    if issuer.metadata is not None:
        return of_metadata(_content(issuer.metadata), issuer.entity_id, now)
    return of_files(issuer.sso or "", (_content(each) for each in issuer.certificates))


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(LARGEST_FILE + 1)


def own_key(path: Path) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    """Our key and its certificate, made with mode 0600 where there is none. Raises GatewayError."""
    text = path.read_bytes() if path.exists() else _made(path)
    try:
        key = serialization.load_pem_private_key(text, None)
        certificate = x509.load_pem_x509_certificate(text)
    except ValueError:
        raise GatewayError("SAML's own key can't be read", str(path)) from None
    if not isinstance(key, rsa.RSAPrivateKey) or certificate.public_key() != key.public_key():
        raise GatewayError("SAML's own key and certificate do not belong together", str(path))
    return key, certificate


def _made(path: Path) -> bytes:
    """Written aside first: a crash on the way leaves no empty file in its place. Raises OSError."""
    from wicketgate.office import kept

    aside = path.with_name(f"{path.name}.{os.urandom(8).hex()}")
    try:
        kept(aside, _new_key)
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    return path.read_bytes()


def _new_key() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "wicketgate SAML")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


class Federation:
    """admin.ports.SamlPort. trusted: what the policy trusts, as of now. clock: wall ns."""

    def __init__(self, state: Path, trusted: Callable[[], IssuerTokens], rows: SignInRows) -> None:
        self.rows = rows
        self._path = state / KEY_FILE
        self._trusted = trusted
        self._making = asyncio.Lock()
        self._own: tuple[rsa.RSAPrivateKey, x509.Certificate] | None = None

    def names(self) -> list[str]:
        """Of all that the policy trusts."""
        return sorted(self._trusted().saml)

    def issuer(self, name: str) -> SamlIssuer | None:
        return self._trusted().saml.get(name)

    def still_trusts(self, name: str, proven: SignedInBy, lifetime: int) -> bool:
        """Whether what a provider proved once would still be taken from it, for so long (ns)."""
        return self._trusted().still_trusts(name, proven, lifetime)

    async def metadata(self, issuer: SamlIssuer) -> bytes:
        """Raises GatewayError."""
        from wicketgate.identity.saml.requests import metadata

        _, certificate = await self._key()
        return metadata(issuer, certificate)

    async def address(self, issuer: SamlIssuer, request: str, relay: str, now: int) -> str:
        """Where a browser is sent. Raises SignInRefused where the provider's files can't be used."""
        from wicketgate.identity.saml import requests

        key, _ = await self._key()
        provider = await self._provider(issuer, now)
        message = requests.request(issuer, provider.sso, request, now)
        return requests.redirect(provider.sso, message, relay, key if issuer.sign_requests else None)

    async def prove(self, issuer: SamlIssuer, text: bytes, request: str | None, now: int) -> Asserted:
        """Whom a response proves. Raises SignInRefused."""
        from wicketgate.identity.saml import responses

        key, _ = await self._key()
        provider = await self._provider(issuer, now)
        try:
            found = await asyncio.to_thread(responses.prove, text, issuer, provider, (key,), request, now)
            self._trusted().check_given(found.name, issuer.prefix)
        except NotProven as error:
            raise SignInRefused(f"{issuer.name}: {error}") from None
        except Exception as error:
            # what nobody foresaw proves nobody, and is recorded as that
            raise SignInRefused(f"{issuer.name}: it can't be judged ({type(error).__name__})") from None
        which = hashlib.sha256(f"{issuer.entity_id}\0{found.assertion}".encode()).hexdigest()
        return Asserted(found.name, found.subject, found.groups, found.until, which, found.forget)

    async def _provider(self, issuer: SamlIssuer, now: int) -> "Provider":
        try:
            return await asyncio.to_thread(provider_of, issuer, now)
        except (OSError, ValueError) as error:
            # a file's name and what is wrong with it: the operator's own words, nothing of a client's
            raise SignInRefused(f"{issuer.name}: its files can't be used: {error}") from None

    async def _key(self) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
        async with self._making:
            if self._own is None:
                try:
                    self._own = await asyncio.to_thread(own_key, self._path)
                except OSError as error:
                    raise GatewayError(
                        "SAML's own key can't be read", os.strerror(error.errno or 0)
                    ) from None
            return self._own
