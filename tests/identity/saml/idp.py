"""A SAML identity provider, played: signs and encrypts what a test wants, well or badly."""

from __future__ import annotations

import base64
import datetime
import os
from collections.abc import Callable
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml import XMLSigner, methods
from signxml.algorithms import CanonicalizationMethod

from wicketgate.identity.saml.provider import Provider
from wicketgate.identity.saml.responses import Proven, prove
from wicketgate.model.saml import SamlIssuer

NOW_S = 1_800_000_000
NOW = NOW_S * 1_000_000_000
A = "urn:oasis:names:tc:SAML:2.0:assertion"
P = "urn:oasis:names:tc:SAML:2.0:protocol"
DS = "http://www.w3.org/2000/09/xmldsig#"
EXC = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENTITY = "https://idp.example.com/metadata"
GATEWAY = "https://gw.example.com:18443"
REQUEST = "_request1"
ISSUER = SamlIssuer(
    "corp", ENTITY, GATEWAY, f"{GATEWAY}/api/v1/saml/corp/metadata", sso="https://idp.example.com/sso"
)


@cache
def rsa_key(name: str = "idp") -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def certificate(key: Any, begins: int = -86_400, ends: int = 86_400 * 365) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp")])
    at = datetime.datetime.fromtimestamp(NOW_S, datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(at + datetime.timedelta(seconds=begins))
        .not_valid_after(at + datetime.timedelta(seconds=ends))
        .sign(key, hashes.SHA256())
    )


@cache
def provider() -> Provider:
    return Provider("https://idp.example.com/sso", (certificate(rsa_key()),))


def when(seconds: float) -> str:
    at = datetime.datetime.fromtimestamp(NOW_S + seconds, datetime.UTC)
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def assertion(
    *,
    identifier: str = "_a1",
    name: str = "ana@example.com",
    groups: tuple[str, ...] | None = ("dba", "staff"),
    audience: str = ISSUER.our_id,
    recipient: str = ISSUER.acs,
    request: str | None = REQUEST,
    begins: float = -10,
    ends: float = 300,
    session: float | None = 7200,
    issuer: str = ENTITY,
    conditions: str = "",
    more: str = "",
    form: str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
) -> str:
    answering = "" if request is None else f' InResponseTo="{request}"'
    over = "" if session is None else f' SessionNotOnOrAfter="{when(session)}"'
    values = "".join(f"<saml:AttributeValue>{each}</saml:AttributeValue>" for each in groups or ())
    told = (
        ""
        if groups is None
        else f'<saml:AttributeStatement><saml:Attribute Name="groups">{values}</saml:Attribute>'
        "</saml:AttributeStatement>"
    )
    return (
        f'<saml:Assertion xmlns:saml="{A}" ID="{identifier}" Version="2.0" IssueInstant="{when(-1)}">'
        f"<saml:Issuer>{issuer}</saml:Issuer>"
        f'<saml:Subject><saml:NameID Format="{form}">{name}</saml:NameID>'
        '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
        f'<saml:SubjectConfirmationData{answering} NotOnOrAfter="{when(ends)}" Recipient="{recipient}"/>'
        "</saml:SubjectConfirmation></saml:Subject>"
        f'<saml:Conditions NotBefore="{when(begins)}" NotOnOrAfter="{when(ends)}">'
        f"<saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction>"
        f"{conditions}</saml:Conditions>"
        f'<saml:AuthnStatement AuthnInstant="{when(-5)}"{over}><saml:AuthnContext>'
        "<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password"
        f"</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>{told}{more}</saml:Assertion>"
    )


def response(
    inner: str,
    *,
    identifier: str = "_r1",
    destination: str = ISSUER.acs,
    request: str | None = REQUEST,
    status: str = "urn:oasis:names:tc:SAML:2.0:status:Success",
    issuer: str = ENTITY,
) -> str:
    answering = "" if request is None else f' InResponseTo="{request}"'
    return (
        f'<samlp:Response xmlns:samlp="{P}" xmlns:saml="{A}" ID="{identifier}" Version="2.0"'
        f' IssueInstant="{when(-1)}" Destination="{destination}"{answering}>'
        f"<saml:Issuer>{issuer}</saml:Issuer>"
        f'<samlp:Status><samlp:StatusCode Value="{status}"/></samlp:Status>{inner}</samlp:Response>'
    )


def sign(
    text: str,
    key: Any = None,
    *,
    method: str = "rsa-sha256",
    digest: str = "sha256",
    canonical: str = EXC,
    signer: type[XMLSigner] = XMLSigner,
    info: x509.Certificate | None = None,
) -> str:
    """The element with an enveloped signature, behind its Issuer, where the schema has it."""
    root = etree.fromstring(text.encode())
    root.insert(1, etree.Element(f"{{{DS}}}Signature", Id="placeholder", nsmap={"ds": DS}))
    chosen = key or rsa_key()
    made = signer(
        method=methods.enveloped,
        signature_algorithm=method,
        digest_algorithm=digest,
        c14n_algorithm=CanonicalizationMethod(canonical),
    ).sign(
        root,
        key=chosen,
        cert=[info or certificate(chosen)] if not isinstance(chosen, bytes) else None,
        reference_uri=root.get("ID"),
    )
    return etree.tostring(made).decode()


def good(**more: Any) -> bytes:
    """A response with a signed assertion, as most providers send it."""
    return response(sign(assertion(**more))).encode()


def encrypt(
    text: str,
    public: rsa.RSAPublicKey,
    *,
    method: str = "http://www.w3.org/2009/xmlenc11#aes256-gcm",
    change: Callable[[bytes], bytes] = lambda content: content,
    wrapping: str = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
) -> str:
    """The assertion, encrypted for us."""
    length = int(method.partition("#aes")[2][:3]) // 8
    secret = os.urandom(length)
    if method.endswith("gcm"):
        nonce = os.urandom(12)
        content = nonce + AESGCM(secret).encrypt(nonce, text.encode(), None)
    else:
        block = text.encode()
        pad = 16 - len(block) % 16
        vector = os.urandom(16)
        writer = Cipher(algorithms.AES(secret), modes.CBC(vector)).encryptor()
        content = vector + writer.update(block + b"\0" * (pad - 1) + bytes([pad])) + writer.finalize()
    scheme: Any = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
    if wrapping.endswith("rsa-1_5"):
        scheme = padding.PKCS1v15()
    elif wrapping.endswith("11#rsa-oaep"):
        scheme = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    wrapped = public.encrypt(secret, scheme)
    told = base64.b64encode(change(content)).decode()
    return (
        f'<saml:EncryptedAssertion xmlns:saml="{A}"><xenc:EncryptedData xmlns:xenc='
        '"http://www.w3.org/2001/04/xmlenc#" Type="http://www.w3.org/2001/04/xmlenc#Element">'
        f'<xenc:EncryptionMethod Algorithm="{method}"/><ds:KeyInfo xmlns:ds="{DS}"><xenc:EncryptedKey>'
        f'<xenc:EncryptionMethod Algorithm="{wrapping}"/><xenc:CipherData><xenc:CipherValue>'
        f"{base64.b64encode(wrapped).decode()}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>"
        f"</ds:KeyInfo><xenc:CipherData><xenc:CipherValue>{told}</xenc:CipherValue></xenc:CipherData>"
        "</xenc:EncryptedData></saml:EncryptedAssertion>"
    )


def judged(
    text: bytes | str,
    issuer: SamlIssuer = ISSUER,
    *,
    request: str | None = REQUEST,
    now: int = NOW,
    of: Provider | None = None,
) -> Proven:
    """Whom it proves to us."""
    content = text.encode() if isinstance(text, str) else text
    return prove(content, issuer, of or provider(), (rsa_key("ours"),), request, now)
