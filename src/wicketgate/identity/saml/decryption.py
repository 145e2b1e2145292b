"""Decrypts an encrypted assertion with our key.
It must never tell how a decryption failed, nor decrypt what is not authenticated: that would be an oracle.

Source: XML Encryption 1.1; AES-GCM always, AES-CBC only inside of a response whose signature holds; the
key by RSA-OAEP alone (RSA 1.5 is an oracle by itself).
"""

import base64
from typing import Final

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wicketgate.identity.jwt import NotProven
from wicketgate.identity.saml.documents import (
    ASSERTION,
    DSIG,
    XENC,
    XENC11,
    Element,
    members,
    needed,
    parse,
    tagged,
    text_of,
)

GCM: Final = {f"{XENC11}aes128-gcm": 16, f"{XENC11}aes192-gcm": 24, f"{XENC11}aes256-gcm": 32}
CBC: Final = {f"{XENC}aes128-cbc": 16, f"{XENC}aes192-cbc": 24, f"{XENC}aes256-cbc": 32}
OAEP_SHA1: Final = f"{XENC}rsa-oaep-mgf1p"
OAEP: Final = f"{XENC11}rsa-oaep"
# SHA-1 in OAEP is no signature's: nothing rests on its collisions
_DIGESTS: Final[dict[str, type[hashes.HashAlgorithm]]] = {
    f"{DSIG}sha1": hashes.SHA1,
    f"{XENC}sha256": hashes.SHA256,
    "http://www.w3.org/2001/04/xmldsig-more#sha384": hashes.SHA384,
    f"{XENC}sha512": hashes.SHA512,
}
_MASKS: Final[dict[str, type[hashes.HashAlgorithm]]] = {
    f"{XENC11}mgf1sha1": hashes.SHA1,
    f"{XENC11}mgf1sha256": hashes.SHA256,
    f"{XENC11}mgf1sha384": hashes.SHA384,
    f"{XENC11}mgf1sha512": hashes.SHA512,
}
_WHY: Final = "the assertion can't be decrypted"


def decrypted(element: Element, keys: tuple[rsa.RSAPrivateKey, ...], *, authentic: bool) -> Element:
    """The assertion within an EncryptedAssertion. keys: ours, newest first. authentic: whether a signature
    that holds is over the whole of it. Raises NotProven."""
    keyed = list(tagged(element, f"{{{XENC}}}EncryptedKey"))
    holders = [child for child in element if child.tag == f"{{{XENC}}}EncryptedData"]
    if len(keyed) != 1 or len(holders) != 1 or any(child not in (*keyed, *holders) for child in element):
        raise NotProven("the encrypted assertion has not one key and one content")
    content = _cipher(holders[0], key_info=True)
    wrapped = _cipher(keyed[0], key_info=True)
    method = needed(_method(holders[0]), "Algorithm")
    length = GCM.get(method) or (CBC.get(method) if authentic else None)
    if length is None:
        raise NotProven("the assertion's encryption is not allowed (AES-GCM; AES-CBC in a signed response)")
    scheme = _oaep(_method(keyed[0]))
    for key in keys:
        try:
            secret = key.decrypt(wrapped, scheme)
            if len(secret) != length:
                continue
            if method in GCM:
                if len(content) < 12 + 16:
                    continue
                text = AESGCM(secret).decrypt(content[:12], content[12:], None)
            else:
                text = _unchained(secret, content)
        except (ValueError, InvalidTag, UnsupportedAlgorithm):
            continue
        found = parse(text)
        if found.tag != f"{{{ASSERTION}}}Assertion":
            raise NotProven("what was encrypted is no assertion")
        return found
    raise NotProven(_WHY)


def _unchained(secret: bytes, content: bytes) -> bytes:
    """AES-CBC with the padding of XML Encryption 1.1, section 5.2. Raises ValueError."""
    if len(content) < 32 or len(content) % 16:
        raise ValueError
    reader = Cipher(algorithms.AES(secret), modes.CBC(content[:16])).decryptor()
    text = reader.update(content[16:]) + reader.finalize()
    if not 1 <= text[-1] <= 16:
        raise ValueError
    return text[: -text[-1]]


def _method(element: Element) -> Element:
    found = element.findall(f"{{{XENC}}}EncryptionMethod")
    if len(found) != 1:
        raise NotProven("the encrypted assertion does not say how")
    return found[0]


def _cipher(element: Element, *, key_info: bool) -> bytes:
    """The bytes of a CipherValue; a reference to elsewhere is never followed. Raises NotProven."""
    parts = members(
        element,
        {
            f"{{{XENC}}}EncryptionMethod": (1, 1),
            f"{{{DSIG}}}KeyInfo": (0, int(key_info)),
            f"{{{XENC}}}CipherData": (1, 1),
            f"{{{XENC}}}ReferenceList": (0, 1),
            f"{{{XENC}}}CarriedKeyName": (0, 1),
        },
    )
    value = members(parts[f"{{{XENC}}}CipherData"][0], {f"{{{XENC}}}CipherValue": (1, 1)})
    text = "".join(text_of(value[f"{{{XENC}}}CipherValue"][0]).split())
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise NotProven(_WHY) from None


def _oaep(method: Element) -> padding.OAEP:
    """How the key was wrapped. Raises NotProven."""
    algorithm = needed(method, "Algorithm")
    if algorithm not in (OAEP_SHA1, OAEP):
        raise NotProven("the assertion's key is not wrapped by RSA-OAEP")
    parts = members(
        method,
        {
            f"{{{DSIG}}}DigestMethod": (0, 1),
            f"{{{XENC11}}}MGF": (0, int(algorithm == OAEP)),
            f"{{{XENC}}}OAEPparams": (0, 1),
        },
    )
    label = parts[f"{{{XENC}}}OAEPparams"]
    if label and text_of(label[0]).strip():
        raise NotProven("the assertion's key has OAEP parameters")
    digest: type[hashes.HashAlgorithm] = hashes.SHA1
    mask: type[hashes.HashAlgorithm] = hashes.SHA1
    for each in parts[f"{{{DSIG}}}DigestMethod"]:
        digest = _listed(_DIGESTS, needed(each, "Algorithm"))
    for each in parts[f"{{{XENC11}}}MGF"]:
        mask = _listed(_MASKS, needed(each, "Algorithm"))
    return padding.OAEP(padding.MGF1(mask()), digest(), None)


def _listed(known: dict[str, type[hashes.HashAlgorithm]], algorithm: str) -> type[hashes.HashAlgorithm]:
    if algorithm not in known:
        raise NotProven("the assertion's key is wrapped by a digest that is not taken")
    return known[algorithm]
