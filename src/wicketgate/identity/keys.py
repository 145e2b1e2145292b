"""An issuer's public keys: out of its published set (JWKS, RFC 7517), and a signature verified with one.
It must never use a key for another kind of algorithm than its own, and never take a symmetric one."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from wicketgate.identity.jwt import NotProven, decode, members
from wicketgate.model.issuer import check_url

MOST: Final = 64
"""Keys of one issuer: a security limit."""

_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_CURVES: Final[Mapping[str, tuple[ec.EllipticCurve, int, str]]] = {
    "P-256": (ec.SECP256R1(), 32, "ES256"),
    "P-384": (ec.SECP384R1(), 48, "ES384"),
}
_MEMBERS: Final = {"RSA": ("e", "n"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}

Public = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class Key:
    """A public key. name: its `kid`, or None. thumbprint: RFC 7638. algorithms: those it is good for."""

    name: str | None
    thumbprint: str
    algorithms: frozenset[str]
    public: Public

    def verifies(self, algorithm: str, signed: bytes, signature: bytes) -> bool:
        """Whether the signature is this key's over these bytes, by this algorithm."""
        if algorithm not in self.algorithms:
            return False
        public = self.public
        try:
            if isinstance(public, rsa.RSAPublicKey):
                digest = _HASHES[algorithm[2:]]
                pad: padding.AsymmetricPadding = padding.PKCS1v15()
                if algorithm.startswith("PS"):
                    pad = padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH)
                public.verify(signature, signed, pad, digest)
            elif isinstance(public, ec.EllipticCurvePublicKey):
                size = (public.curve.key_size + 7) // 8
                if len(signature) != 2 * size:
                    return False
                pair = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
                public.verify(encode_dss_signature(*pair), signed, ec.ECDSA(_HASHES[algorithm[2:]]))
            else:
                public.verify(signature, signed)
        except (InvalidSignature, ValueError):
            return False
        return True


def load(fields: Mapping[str, Any]) -> Key:
    """The key that a member of a key set describes. Raises ValueError for one that can't be used."""
    kind, name, wanted = fields.get("kty"), fields.get("kid"), fields.get("alg")
    names = _MEMBERS.get(str(kind))
    if names is None:
        raise ValueError("a kind of key that is not used")
    if fields.get("use", "sig") != "sig":
        raise ValueError("a key that is not for signatures")
    operations = fields.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise ValueError("a key that is not for verifying")
    if name is not None and not (isinstance(name, str) and 0 < len(name) <= 256):
        raise ValueError("a key's id that is no text")
    public, algorithms = _public(str(kind), fields)
    if wanted is not None:
        # RFC 9864 has a name of its own for the one curve that is taken here
        algorithms &= {"EdDSA" if wanted == "Ed25519" else wanted}
    if not algorithms:
        raise ValueError("a key of an algorithm that is not taken")
    canonical = json.dumps(
        {each: fields[each] for each in (*names, "kty")}, sort_keys=True, separators=(",", ":")
    )
    digest = hashlib.sha256(canonical.encode()).digest()
    thumbprint = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return Key(name, thumbprint, frozenset(algorithms), public)


def _public(kind: str, fields: Mapping[str, Any]) -> tuple[Public, set[str]]:
    if kind == "RSA":
        modulus, exponent = _number(fields, "n"), _number(fields, "e")
        if not 2048 <= modulus.bit_length() <= 8192 or exponent.bit_length() > 32:
            raise ValueError("an RSA key of a size that is not taken")
        numbers = rsa.RSAPublicNumbers(exponent, modulus)
        return numbers.public_key(), {f"{each}{size}" for each in ("RS", "PS") for size in _HASHES}
    if kind == "EC":
        if fields.get("crv") not in _CURVES:
            raise ValueError("a curve that is not taken")
        curve, size, algorithm = _CURVES[fields["crv"]]
        x, y = _bytes(fields, "x"), _bytes(fields, "y")
        if len(x) != size or len(y) != size:
            raise ValueError("a point of another size than its curve's")
        point = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), curve)
        return point.public_key(), {algorithm}
    if fields.get("crv") != "Ed25519":
        raise ValueError("a curve that is not taken")
    return ed25519.Ed25519PublicKey.from_public_bytes(_bytes(fields, "x")), {"EdDSA"}


def _bytes(fields: Mapping[str, Any], name: str) -> bytes:
    text = fields.get(name)
    if not isinstance(text, str) or len(text) > 2000:
        raise ValueError("a key's number that is no text")
    return decode(text.encode("ascii"))


def _number(fields: Mapping[str, Any], name: str) -> int:
    return int.from_bytes(_bytes(fields, name), "big")


def read_keys(body: bytes) -> list[dict[str, str]]:
    """The keys of a published set that can be used, each with its public members alone, as JSON values.

    Raises ValueError where there is none, or too many, or the set can't be read."""
    listed = members(body).get("keys")
    if not isinstance(listed, list) or len(listed) > MOST:
        raise ValueError("the key set lists no keys, or too many")
    found = []
    for each in listed:
        if not isinstance(each, dict):
            continue
        try:
            load(each)
        except (ValueError, TypeError):
            continue
        names = ("kty", "kid", "alg", *_MEMBERS[each["kty"]])
        found.append({name: each[name] for name in names if each.get(name) is not None})
    if not found:
        raise ValueError("the key set has no key that can be used")
    return found


def read_discovery(body: bytes, issuer: str) -> str:
    """Where an issuer's published configuration says that its keys are. Raises ValueError."""
    found = members(body)
    if found.get("issuer") != issuer:
        raise ValueError("the published configuration is another issuer's")
    address = found.get("jwks_uri")
    if not isinstance(address, str):
        raise ValueError("the published configuration names no key set")
    check_url(address, query=True)
    if issuer.startswith("https:") and not address.startswith("https:"):
        raise ValueError("the key set is not served over https")
    return address


__all__ = ["Key", "NotProven", "load", "read_discovery", "read_keys"]
