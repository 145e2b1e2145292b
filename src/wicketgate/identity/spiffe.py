"""Whom does a client's certificate prove? An X.509-SVID that TLS has verified in, an Identity out.
It must never read a name from anywhere but the one URI, nor mend what is written in it.

Source: SPIFFE-ID and X509-SVID specifications (spiffe.io), sections 2 and 2, 4, 5.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from wicketgate.identity.jwt import NotProven
from wicketgate.model.identity import Identity, Proof
from wicketgate.model.token import check_name, is_any
from wicketgate.model.workload import CERTIFICATE, Mesh, Workload

LARGEST: Final = 16_000
"""Bytes of a certificate: a security limit."""
LONGEST: Final = 2048
"""Bytes of a SPIFFE ID."""
SECOND: Final = 1_000_000_000

_ID: Final = re.compile(r"spiffe://([a-z0-9._-]{1,255})((?:/[A-Za-z0-9._-]+)+)")


class Workloads:
    """Proves by certificates. mesh: None: nobody. given: whether a name is somebody else's to give, or given
    to somebody: (name, prefix that it begins with) -> bool."""

    __slots__ = ("_given", "_mesh")

    def __init__(self, mesh: Mesh | None, given: Callable[[str, str], bool]) -> None:
        self._mesh = mesh
        self._given = given

    def shows(self, certificate: bytes) -> bool:
        """Whether a certificate is one to sign in with: it names what is like a SPIFFE ID, or can't be
        read. Others are for TLS alone, and prove nobody."""
        if self._mesh is None:
            return False
        try:
            return any(each.lower().startswith("spiffe:") for each in _uris(_load(certificate)))
        except NotProven:
            return True

    def prove(
        self, certificate: bytes, local: Mapping[str, Any], claimed: Mapping[str, str], now: int
    ) -> Identity:
        """Whom it proves at `now` (wall ns). certificate: DER. local: names that accounts of this gateway
        have. Raises NotProven: its text is for the journal."""
        mesh = self._mesh
        if mesh is None:
            raise NotProven("no certificates are taken")
        found = _load(certificate)
        _check_leaf(found)
        begins, ends = _moment(found, "not_valid_before_utc"), _moment(found, "not_valid_after_utc")
        if not begins <= now < ends:
            raise NotProven("the certificate has expired, or is not good yet")
        name, path = identifier(_uris(found))
        if name != mesh.trust_domain:
            raise NotProven("the certificate is of another trust domain")
        given, groups = self._accepted(mesh, path)
        if given in local:
            raise NotProven("the certificate's name is that of an account of this gateway")
        digest = hashlib.sha256(certificate).hexdigest()
        return Identity(
            name=given,
            subject=f"spiffe://{name}/{'/'.join(path)}",
            issuer=f"spiffe://{name}",
            kind=mesh.kind,
            how=CERTIFICATE,
            groups=groups,
            credential_id=f"x509-{digest[:16]}",
            valid_until=ends,
            claimed=claimed,
            proof=Proof(CERTIFICATE, digest, certificate),
        )

    def _accepted(self, mesh: Mesh, path: tuple[str, ...]) -> tuple[str, frozenset[str]]:
        """The name and the groups. Raises NotProven where there is not exactly one name."""
        fitting = [(each, stars) for each in mesh.accept if (stars := fits(each, path)) is not None]
        if not fitting:
            raise NotProven("the workload is not accepted")
        names = {each.identity for each, _ in fitting if each.identity is not None}
        if not names:
            names = {self._composed(mesh, each, stars) for each, stars in fitting}
        if len(names) != 1:
            raise NotProven("what is accepted gives the workload several names")
        groups: frozenset[str] = frozenset().union(*(each.groups for each, _ in fitting))
        return names.pop(), groups

    def _composed(self, mesh: Mesh, workload: Workload, stars: tuple[str, ...]) -> str:
        if any("." in each for each in stars[:-1]):
            raise NotProven(
                "a part of the workload's name has a dot"
            )  # joined by dots, it could be another's
        name = workload.prefix + ".".join(stars)
        try:
            check_name(name)
        except ValueError:
            raise NotProven("the workload's name can't name an identity here") from None
        longer = any(len(each) > len(workload.prefix) and name.startswith(each) for each in mesh.prefixes)
        if is_any(name) or name in mesh.fixed or longer or self._given(name, workload.prefix):
            raise NotProven("the workload's name is given to others")
        return name


def fits(workload: Workload, path: tuple[str, ...]) -> tuple[str, ...] | None:
    """What the stars of a pattern stand for in a path; None where it does not fit."""
    if len(path) != len(workload.path):
        return None
    pairs = list(zip(workload.path, path, strict=True))
    if any(part not in ("*", given) for part, given in pairs):
        return None
    return tuple(given for part, given in pairs if part == "*")


def identifier(uris: list[str]) -> tuple[str, tuple[str, ...]]:
    """Trust domain and path of the one SPIFFE ID. Raises NotProven for any other spelling."""
    if len(uris) != 1:
        raise NotProven("the certificate has not one URI")
    found = _ID.fullmatch(uris[0]) if len(uris[0]) <= LONGEST else None
    if found is None:
        raise NotProven("the certificate's URI is no SPIFFE ID of a workload")
    path = tuple(found[2][1:].split("/"))
    if any(part in (".", "..") for part in path):
        raise NotProven("the certificate's URI is no SPIFFE ID of a workload")
    return found[1], path


def _load(certificate: bytes) -> x509.Certificate:
    if len(certificate) > LARGEST:
        raise NotProven("the certificate is too large")
    try:
        found = x509.load_der_x509_certificate(certificate)
        list(found.extensions)  # all of them can be read, and none is there twice
    except Exception:
        raise NotProven("the certificate can't be read") from None
    return found


def _uris(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return list(names.get_values_for_type(x509.UniformResourceIdentifier))


def _check_leaf(certificate: x509.Certificate) -> None:
    """What a leaf must be. Raises NotProven."""
    extensions = certificate.extensions
    for each in extensions:
        if isinstance(each.value, x509.BasicConstraints) and each.value.ca:
            raise NotProven("the certificate is a CA's")
        if (
            isinstance(each.value, x509.ExtendedKeyUsage)
            and ExtendedKeyUsageOID.CLIENT_AUTH not in each.value
        ):
            raise NotProven("the certificate is not a client's")
    usages = [each.value for each in extensions if isinstance(each.value, x509.KeyUsage)]
    if not usages or not usages[0].digital_signature:
        raise NotProven("the certificate's key is not for signatures")
    if usages[0].key_cert_sign or usages[0].crl_sign:
        raise NotProven("the certificate's key may sign certificates")


def _moment(certificate: x509.Certificate, name: str) -> int:
    """One of its two times, as wall ns."""
    return int(getattr(certificate, name).timestamp()) * SECOND
