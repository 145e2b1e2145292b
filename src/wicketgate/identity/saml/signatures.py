"""Verifies one enveloped XML signature, and gives what it signs: nothing else may be read afterwards.
It must never take a key from the message, nor a transform that could leave out what is read.

Source: XML Signature 1.1, SAML 2.0 core section 5.4. signxml verifies; the form is checked here before.
"""

import base64
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, XMLVerifier

from wicketgate.identity.jwt import NotProven
from wicketgate.identity.saml.documents import DSIG, EXC_C14N, Element, members, needed, parse, text_of

SMALLEST_RSA: Final = 2048
"""Bits: a security limit."""
MOST_CERTIFICATES: Final = 8
_ENVELOPED: Final = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_METHODS: Final = {
    "rsa-sha256": (SignatureMethod.RSA_SHA256, DigestAlgorithm.SHA256),
    "rsa-sha384": (SignatureMethod.RSA_SHA384, DigestAlgorithm.SHA384),
    "rsa-sha512": (SignatureMethod.RSA_SHA512, DigestAlgorithm.SHA512),
    "ecdsa-sha256": (SignatureMethod.ECDSA_SHA256, DigestAlgorithm.SHA256),
    "ecdsa-sha384": (SignatureMethod.ECDSA_SHA384, DigestAlgorithm.SHA384),
    "ecdsa-sha512": (SignatureMethod.ECDSA_SHA512, DigestAlgorithm.SHA512),
    "rsa-sha1": (SignatureMethod.RSA_SHA1, DigestAlgorithm.SHA1),
}


def ds(name: str) -> str:
    return f"{{{DSIG}}}{name}"


def signed(element: Element) -> bool:
    """Whether an element has a signature of its own."""
    return element.find(ds("Signature")) is not None


def verified(
    element: Element, certificates: Sequence[x509.Certificate], algorithms: Iterable[str], now: int
) -> Element:
    """The element anew, as its own signature signs it, without the signature. Raises NotProven.

    certificates: of which one must have signed, and hold at `now` (wall ns)."""
    methods = [_METHODS[name] for name in algorithms]
    # of digests SHA-256 to SHA-512 do with each method; SHA-1 only where its method is allowed
    digests = {DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512}
    allowed = SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=frozenset(method for method, _ in methods),
        digest_algorithms=frozenset(digests | {digest for _, digest in methods}),
        verification_time=datetime.fromtimestamp(now // 1_000_000_000, UTC),
    )
    _check_form(element, allowed)
    alone = parse(etree.tostring(element, encoding="utf-8", with_tail=False))
    info = alone.find(f"./{ds('Signature')}/{ds('KeyInfo')}")
    if info is not None:
        info.getparent().remove(info)
    text = etree.tostring(alone, encoding="utf-8")
    for certificate in certificates[:MOST_CERTIFICATES]:
        if not strong(certificate):
            continue
        try:
            found = XMLVerifier().verify(
                text, x509_cert=certificate, id_attribute="ID", expect_config=allowed
            )
        except Exception:  # noqa: S112 - signxml's, cryptography's, lxml's: this key proves nothing
            continue
        result = None if isinstance(found, list) else found.signed_xml
        if result is None or result.tag != element.tag or result.get("ID") != element.get("ID"):
            raise NotProven("what was signed is not what is read")
        return result
    raise NotProven("the signature is not the identity provider's")


def strong(certificate: x509.Certificate) -> bool:
    """Whether its key may sign at all."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= SMALLEST_RSA
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size >= 256


def _check_form(element: Element, allowed: SignatureConfiguration) -> None:
    """One reference, to this very element, with the two transforms that SAML has. Raises NotProven."""
    signatures = element.findall(ds("Signature"))
    if len(signatures) != 1:
        raise NotProven(f"there are {len(signatures)} signatures where one belongs")
    parts = members(
        signatures[0], {ds("SignedInfo"): (1, 1), ds("SignatureValue"): (1, 1), ds("KeyInfo"): (0, 1)}
    )
    told = members(
        parts[ds("SignedInfo")][0],
        {ds("CanonicalizationMethod"): (1, 1), ds("SignatureMethod"): (1, 1), ds("Reference"): (1, 1)},
    )
    _check_base64(parts[ds("SignatureValue")][0])
    _exclusive(told[ds("CanonicalizationMethod")][0])
    method = told[ds("SignatureMethod")][0]
    members(method, {})
    if needed(method, "Algorithm") not in {each.value for each in allowed.signature_methods}:
        raise NotProven("the signature's algorithm is not allowed")
    reference = told[ds("Reference")][0]
    if needed(reference, "URI") != "#" + needed(element, "ID"):
        raise NotProven("the signature is over something else")
    inner = members(
        reference, {ds("Transforms"): (1, 1), ds("DigestMethod"): (1, 1), ds("DigestValue"): (1, 1)}
    )
    digest = inner[ds("DigestMethod")][0]
    members(digest, {})
    _check_base64(inner[ds("DigestValue")][0])
    if needed(digest, "Algorithm") not in {each.value for each in allowed.digest_algorithms}:
        raise NotProven("the digest's algorithm is not allowed")
    transforms = members(inner[ds("Transforms")][0], {ds("Transform"): (2, 2)})[ds("Transform")]
    members(transforms[0], {})
    if needed(transforms[0], "Algorithm") != _ENVELOPED:
        raise NotProven("the signature has a transform that is not taken")
    _exclusive(transforms[1])


def _check_base64(element: Element) -> None:
    """One spelling of some bytes. Raises NotProven."""
    text = "".join(text_of(element).split())
    try:
        whole = base64.b64encode(base64.b64decode(text, validate=True)).decode("ascii")
    except ValueError:
        whole = None
    if whole != text:
        raise NotProven("the signature is not base64")


def _exclusive(element: Element) -> None:
    """Exclusive canonicalization without comments. Raises NotProven."""
    members(element, {f"{{{EXC_C14N}}}InclusiveNamespaces": (0, 1)})
    if needed(element, "Algorithm") != EXC_C14N:
        raise NotProven("the signature has a transform or canonicalization that is not taken")
