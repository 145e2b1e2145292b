"""Metadata of identity providers: what is taken of it, and what is not."""

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from identity.saml.idp import ENTITY, NOW, certificate, ec_key, rsa_key, when
from wicketgate.identity.saml.provider import of_files, of_metadata

REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"


def told(key: Any) -> str:
    return base64.b64encode(certificate(key).public_bytes(Encoding.DER)).decode()


def metadata(
    *keys: tuple[str, str],
    entity: str = ENTITY,
    until: str = "",
    binding: str = REDIRECT,
    sso: str = "https://idp.example.com/sso",
    more: str = "",
) -> bytes:
    described = "".join(
        f"<md:KeyDescriptor{use}><ds:KeyInfo><ds:X509Data><ds:X509Certificate>\n{text}\n</ds:X509Certificate>"
        "</ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        for use, text in keys
    )
    return (
        '<?xml version="1.0"?><!-- of the portal -->'
        '<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" '
        f'xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="{entity}"{until}>'
        f'<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">{described}'
        f'<md:SingleSignOnService Binding="{binding}" Location="{sso}"/>'
        f"</md:IDPSSODescriptor>{more}</md:EntityDescriptor>"
    ).encode()


def test_keys_for_signing_alone_count() -> None:
    found = of_metadata(
        metadata(
            (' use="signing"', told(rsa_key())),
            ("", told(ec_key())),
            (' use="encryption"', told(rsa_key("other"))),
        ),
        ENTITY,
        NOW,
    )
    assert found.sso == "https://idp.example.com/sso"
    assert [each.public_key() for each in found.certificates] == [
        rsa_key().public_key(),
        ec_key().public_key(),
    ]


def test_one_entity_of_several() -> None:
    inner = metadata(("", told(rsa_key()))).partition(b"-->")[2]
    other = metadata(("", told(rsa_key("other"))), entity="https://other").partition(b"-->")[2]
    several = (
        b'<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">%s</md:EntitiesDescriptor>'
    )
    found = of_metadata(several % (other + inner), ENTITY, NOW)
    assert found.certificates[0].public_key() == rsa_key().public_key()
    with pytest.raises(ValueError, match="describes 2 entities"):
        of_metadata(several % (inner + inner), ENTITY, NOW)


def test_files() -> None:
    both = [certificate(key).public_bytes(Encoding.PEM) for key in (rsa_key(), ec_key())]
    assert len(of_files("https://idp/", both).certificates) == 2
    assert len(of_files("https://idp/", [both[0] + both[1], both[0]]).certificates) == 2
    for wrong in ([], [b"nothing"], [both[0].replace(b"M", b"N")]):
        with pytest.raises(ValueError, match=r"."):
            of_files("https://idp/", wrong)


SMALL = rsa.generate_private_key(public_exponent=65537, key_size=1024)
WRONG = {
    "another entity": (metadata(("", told(rsa_key())), entity="https://other"), "describes 0 entities"),
    "past": (
        metadata(("", told(rsa_key())), until=f' validUntil="{when(-1)}"'),
        "no longer valid",
    ),
    "no keys": (metadata(), "no certificate"),
    "a weak key": (metadata(("", told(SMALL))), "no certificate"),
    "a broken key": (metadata(("", "AAAA")), "can't be read"),
    "no address": (
        metadata(("", told(rsa_key())), binding="urn:oasis:names:tc:SAML:2.0:bindings:SOAP"),
        "no SingleSignOnService",
    ),
    "a plain address": (metadata(("", told(rsa_key())), sso="http://idp.example.com/"), "https://"),
    "a script": (metadata(("", told(rsa_key())), sso="javascript:alert(1)"), "address|https"),
    "no provider": (
        metadata(("", told(rsa_key()))).replace(b"IDPSSODescriptor", b"SPSSODescriptor"),
        "0 SAML 2.0 identity providers",
    ),
    "SAML 1": (
        metadata(("", told(rsa_key()))).replace(b"SAML:2.0:protocol", b"SAML:1.1:protocol"),
        "0 SAML 2.0 identity providers",
    ),
    "too large": (metadata(("", told(rsa_key()))) + b" " * (1 << 20), "larger"),
    "an entity": (b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + metadata(), "document type"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_not_taken(case: str) -> None:
    text, why = WRONG[case]
    with pytest.raises(ValueError, match=why):
        of_metadata(text, ENTITY, NOW)


def test_until_counts_to_the_moment() -> None:
    text = metadata(("", told(rsa_key())), until=f' validUntil="{when(1)}"')
    assert of_metadata(text, ENTITY, NOW).sso
    with pytest.raises(ValueError, match="no longer valid"):
        of_metadata(text, ENTITY, NOW + 10**9)
