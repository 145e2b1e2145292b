"""What is known of an identity provider: where browsers are sent, and whose signatures count.
It must never take a key that the operator's own files do not name.

Source: SAML 2.0 metadata. Pure: files are read elsewhere.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography import x509

from wicketgate.identity.jwt import NotProven
from wicketgate.identity.saml.documents import DSIG, METADATA, PROTOCOL, Element, moment, parse, tagged
from wicketgate.identity.saml.signatures import MOST_CERTIFICATES, strong
from wicketgate.model.issuer import check_url

LARGEST: Final = 1 << 20
"""Bytes of a metadata file: a security limit."""
_REDIRECT: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"


@dataclass(frozen=True, slots=True)
class Provider:
    """sso: where AuthnRequests go (HTTP-Redirect). certificates: of the keys that may sign."""

    sso: str
    certificates: tuple[x509.Certificate, ...]


def of_files(sso: str, certificates: Iterable[bytes]) -> Provider:
    """By PEM files. Raises ValueError."""
    found: list[x509.Certificate] = []
    for each in certificates:
        found += x509.load_pem_x509_certificates(each)
    return _checked(sso, found)


def of_metadata(text: bytes, entity_id: str, now: int) -> Provider:
    """By the metadata of one provider, or of several among which it is. now: wall ns. Raises ValueError."""
    root = parse(text, comments=True, most=LARGEST)
    entities = [
        each for each in tagged(root, f"{{{METADATA}}}EntityDescriptor") if each.get("entityID") == entity_id
    ]
    if len(entities) != 1:
        raise NotProven(f"the metadata describes {len(entities)} entities with this entity_id")
    entity = entities[0]
    roles = [
        each
        for each in entity.findall(f"{{{METADATA}}}IDPSSODescriptor")
        if PROTOCOL in (each.get("protocolSupportEnumeration") or "").split()
    ]
    if len(roles) != 1:
        raise NotProven(f"the metadata has {len(roles)} SAML 2.0 identity providers for it")
    for each in (roles[0], *roles[0].iterancestors()):
        until = moment(each, "validUntil")
        if until is not None and now >= until:
            raise NotProven("the metadata is no longer valid (validUntil)")
    places = [
        each.get("Location")
        for each in roles[0].findall(f"{{{METADATA}}}SingleSignOnService")
        if each.get("Binding") == _REDIRECT
    ]
    if not places or not isinstance(places[0], str):
        raise NotProven("the metadata has no SingleSignOnService for HTTP-Redirect")
    certificates = [
        _certificate(each)
        for key in roles[0].findall(f"{{{METADATA}}}KeyDescriptor")
        if key.get("use") in (None, "signing")
        for each in tagged(key, f"{{{DSIG}}}X509Certificate")
    ]
    return _checked(places[0], certificates)


def _certificate(element: Element) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(
            base64.b64decode("".join((element.text or "").split()), validate=True)
        )
    except ValueError:
        raise NotProven("the metadata has a certificate that can't be read") from None


def _checked(sso: str, certificates: list[x509.Certificate]) -> Provider:
    check_url(sso, query=True)
    usable = tuple(dict.fromkeys(each for each in certificates if strong(each)))
    if not usable:
        raise NotProven("there is no certificate with a key that may sign (RSA from 2048 bits, EC from 256)")
    if len(usable) > MOST_CERTIFICATES:
        raise NotProven(f"there are more than {MOST_CERTIFICATES} certificates")
    return Provider(sso, usable)
