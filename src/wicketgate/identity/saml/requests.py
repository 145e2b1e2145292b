"""What we say as a service provider: our metadata, and the request that a browser takes along.
It must never put into them anything that a client sent.

Source: SAML 2.0 core section 3.4, bindings section 3.4 (HTTP-Redirect), metadata. Pure.
"""

import base64
import datetime
import zlib
from typing import Final
from urllib.parse import quote, urlsplit
from xml.sax.saxutils import escape, quoteattr

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from wicketgate.identity.saml.decryption import GCM, OAEP, OAEP_SHA1
from wicketgate.identity.saml.documents import ASSERTION, DSIG, METADATA, PROTOCOL, XENC
from wicketgate.model.saml import SamlIssuer

_POST: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
_RSA_SHA256: Final = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"


def request(issuer: SamlIssuer, sso: str, request_id: str, now: int) -> bytes:
    """An AuthnRequest. request_id: an NCName that nobody can guess. now: wall ns."""
    made = datetime.datetime.fromtimestamp(now // 1_000_000_000, datetime.UTC)
    return (
        f'<samlp:AuthnRequest xmlns:samlp="{PROTOCOL}" xmlns:saml="{ASSERTION}" ID={quoteattr(request_id)}'
        f' Version="2.0" IssueInstant="{made:%Y-%m-%dT%H:%M:%SZ}" Destination={quoteattr(sso)}'
        f' AssertionConsumerServiceURL={quoteattr(issuer.acs)} ProtocolBinding="{_POST}">'
        f"<saml:Issuer>{escape(issuer.our_id)}</saml:Issuer></samlp:AuthnRequest>"
    ).encode()


def redirect(sso: str, message: bytes, relay: str, key: rsa.RSAPrivateKey | None) -> str:
    """Where a browser is sent with a request. key: ours, where requests are signed."""
    squeezed = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = squeezed.compress(message) + squeezed.flush()
    query = f"SAMLRequest={quote(base64.b64encode(packed), safe='')}&RelayState={quote(relay, safe='')}"
    if key is not None:
        query += f"&SigAlg={quote(_RSA_SHA256, safe='')}"
        signature = key.sign(query.encode("ascii"), padding.PKCS1v15(), hashes.SHA256())
        query += f"&Signature={quote(base64.b64encode(signature), safe='')}"
    return f"{sso}{'&' if urlsplit(sso).query else '?'}{query}"


def metadata(issuer: SamlIssuer, certificate: x509.Certificate) -> bytes:
    """Our own metadata, for the identity provider's administrator."""
    text = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode("ascii")
    info = f'<ds:KeyInfo xmlns:ds="{DSIG}"><ds:X509Data><ds:X509Certificate>{text}'
    info += "</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
    methods = "".join(f'<md:EncryptionMethod Algorithm="{each}"/>' for each in sorted(GCM, reverse=True))
    methods += (
        f'<md:EncryptionMethod Algorithm="{OAEP}"><ds:DigestMethod xmlns:ds="{DSIG}"'
        f' Algorithm="{XENC}sha256"/></md:EncryptionMethod><md:EncryptionMethod Algorithm="{OAEP_SHA1}"/>'
    )
    signs = str(issuer.sign_requests).lower()
    return (
        f'<md:EntityDescriptor xmlns:md="{METADATA}" entityID={quoteattr(issuer.our_id)}>'
        f'<md:SPSSODescriptor AuthnRequestsSigned="{signs}" WantAssertionsSigned="true"'
        f' protocolSupportEnumeration="{PROTOCOL}">'
        f'<md:KeyDescriptor use="signing">{info}</md:KeyDescriptor>'
        f'<md:KeyDescriptor use="encryption">{info}{methods}</md:KeyDescriptor>'
        f'<md:AssertionConsumerService Binding="{_POST}" Location={quoteattr(issuer.acs)} index="0"'
        ' isDefault="true"/></md:SPSSODescriptor></md:EntityDescriptor>'
    ).encode()
