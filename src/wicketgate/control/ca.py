"""The local certificate authority: made at first start, it signs what the gateway shows to its clients.
Its key must never leave the control process; every key file has mode 0600 from its first byte.

In its folder: `ca.pem` (for clients), `ca.key`, `server.pem` (chain and key in one file, so that a renewal is
one rename and workers never read half of it).
"""

import datetime
import os
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wicketgate.control.ports import TlsFiles
from wicketgate.model.errors import GatewayError

CA_DAYS = 3650
SERVER_DAYS = 90
RENEW_DAYS = 30
"""A server certificate with less than this left is renewed."""
ALWAYS = ("localhost", "127.0.0.1", "::1")
"""Names that every server certificate holds."""


class AuthorityUnusable(GatewayError):
    """The local CA's files can't be used."""


class Authority:
    """names: what clients call this gateway (DNS names and addresses). now: time of the call, UTC."""

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        certificate: x509.Certificate,
        key: ec.EllipticCurvePrivateKey,
        client_ca: str | None,
    ) -> None:
        self._folder = folder
        self._names = tuple(dict.fromkeys([*names, *ALWAYS]))
        self._certificate = certificate
        self._key = key
        self._client_ca = client_ca

    @classmethod
    def load_or_make(
        cls, folder: Path, names: Sequence[str], now: datetime.datetime, client_ca: str | None = None
    ) -> "Authority":
        """The CA of a folder, made if there is none, with a server certificate that holds.

        Raises AuthorityUnusable for a key that others may read, or for files that are no CA.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path, key_path = folder / "ca.pem", folder / "ca.key"
        if not key_path.exists():
            key = ec.generate_private_key(ec.SECP256R1())
            certificate = _make_ca(key, now)
            # The key last: while there is none, a start that was cut off is begun anew.
            _write(path, certificate.public_bytes(Encoding.PEM), 0o644)
            _write(key_path, _pem(key), 0o600)
        if key_path.stat().st_mode & 0o077:
            raise AuthorityUnusable(f"{key_path} may be read by others: chmod 600 it")
        try:
            loaded = load_pem_private_key(key_path.read_bytes(), None)
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
        except (OSError, ValueError) as error:
            raise AuthorityUnusable(f"the local CA in {folder} can't be read", f"{error}") from None
        if not isinstance(loaded, ec.EllipticCurvePrivateKey) or (
            loaded.public_key() != certificate.public_key()
        ):
            raise AuthorityUnusable(f"the local CA's key and certificate in {folder} don't belong together")
        authority = cls(folder, names, certificate, loaded, client_ca)
        authority.renew(now)
        return authority

    @property
    def files(self) -> TlsFiles:
        """What workers terminate TLS with."""
        path = str(self._folder / "server.pem")
        return TlsFiles(path, path, self._client_ca)

    @property
    def certificate_pem(self) -> bytes:
        """What clients need for verify-full."""
        return self._certificate.public_bytes(Encoding.PEM)

    def renew(self, now: datetime.datetime) -> TlsFiles | None:
        """A fresh server certificate where it ends soon, lacks a name or is missing; None: it still holds."""
        if self._holds(now):
            return None
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign_server(key, now)
        _write(
            self._folder / "server.pem",
            certificate.public_bytes(Encoding.PEM) + self.certificate_pem + _pem(key),
            0o600,
        )
        return self.files

    def _holds(self, now: datetime.datetime) -> bool:
        path = self._folder / "server.pem"
        try:
            if path.stat().st_mode & 0o077:
                return False
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
            certificate.verify_directly_issued_by(self._certificate)
            found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except Exception:
            return False
        left = certificate.not_valid_after_utc - now
        return left > datetime.timedelta(days=RENEW_DAYS) and found == _alternatives(self._names)

    def _sign_server(self, key: ec.EllipticCurvePrivateKey, now: datetime.datetime) -> x509.Certificate:
        issuer = self._certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        days = datetime.timedelta(days=SERVER_DAYS)
        return (
            x509.CertificateBuilder()
            .subject_name(_name(self._names[0][:64]))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(min(now + days, self._certificate.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_alternatives(self._names), critical=False)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )


def _make_ca(key: ec.EllipticCurvePrivateKey, now: datetime.datetime) -> x509.Certificate:
    # The random part tells the CAs of two gateways apart in a client's store.
    name = _name(f"Wicketgate local CA {os.urandom(4).hex()}")
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _alternatives(names: Sequence[str]) -> x509.SubjectAlternativeName:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return x509.SubjectAlternativeName(found)


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all, never readable by others for a moment."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
