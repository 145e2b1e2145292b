"""Certificates of workloads for tests (X.509-SVIDs), good ones and every kind of bad one."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ID = "spiffe://example.org/ns/agents/sa/bot"
DAY = datetime.timedelta(days=1)
USAGES = (
    "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign "
    "crl_sign encipher_only decipher_only"
).split()


@cache
def _key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True)
class Shown:
    """A certificate and its key; `write` gives the two files."""

    der: bytes
    key: ec.EllipticCurvePrivateKey
    pem: bytes

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        chain, key = folder / f"{name}.pem", folder / f"{name}.key"
        chain.write_bytes(self.pem)
        key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        key.chmod(0o600)
        return chain, key


def usage(*names: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{each: each in names for each in USAGES})


def make(
    *uris: str,
    ca: str = "one",
    common: str = "",
    authority: bool = False,
    usages: tuple[str, ...] | None = ("digital_signature",),
    client: bool | None = True,
    begins: datetime.timedelta = -DAY,
    ends: datetime.timedelta = DAY,
    dns: tuple[str, ...] = (),
    itself: bool = False,
) -> Shown:
    """A certificate by a CA of this name. usages None: no such extension; client None: no extended usage."""
    now = datetime.datetime.now(datetime.UTC)
    signer = _key(f"ca {ca}")
    key = signer if itself else _key(f"leaf {ca}")
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"tests' mesh {ca}")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)]) if common else x509.Name([])
    builder = (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(issuer if itself else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
    )
    names = [x509.UniformResourceIdentifier(each) for each in uris]
    listed = [*names, *(x509.DNSName(each) for each in dns)]
    if listed:
        builder = builder.add_extension(x509.SubjectAlternativeName(listed), critical=not common)
    if usages is not None:
        builder = builder.add_extension(usage(*usages), critical=True)
    if client is not None:
        kind = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([kind]), critical=False)
    made = builder.sign(signer, hashes.SHA256())
    return Shown(made.public_bytes(Encoding.DER), key, made.public_bytes(Encoding.PEM))


def authority(name: str = "one", *uris: str) -> Shown:
    """The CA's own certificate."""
    sign = ("key_cert_sign", "crl_sign", "digital_signature")
    return make(*uris, ca=name, authority=True, usages=sign, client=None, itself=True)
