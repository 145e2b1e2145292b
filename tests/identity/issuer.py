"""An issuer for tests, played: keys and tokens are made by joserfc, which nothing of ours uses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from wicketgate.identity.issuers import IssuerTokens
from wicketgate.identity.keys import read_keys
from wicketgate.model.issuer import Issuer
from wicketgate.model.secret import Secret
from wicketgate.policy.load import load

NOW = 1_800_000_000_000_000_000
NOW_S = NOW // 1_000_000_000
URL = "https://id.example.com"

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "Ed25519", "HS256"]


@cache
def key(kind: str, kid: str = "one") -> RSAKey | ECKey | OKPKey:
    """A private key: RSA, P-256, P-384 or Ed25519."""
    fields = {"kid": kid}
    if kind == "RSA":
        return RSAKey.generate_key(2048, fields)
    if kind.startswith("P-"):
        return ECKey.generate_key(kind, fields)
    return OKPKey.generate_key(kind, fields)


def published(*keys: RSAKey | ECKey | OKPKey) -> list[dict[str, str]]:
    """The keys as a gateway reads them from the issuer's key set."""
    return read_keys(json.dumps({"keys": [each.as_dict(private=False) for each in keys]}).encode())


def signed(
    claims: Mapping[str, Any] | bytes,
    signer: RSAKey | ECKey | OKPKey,
    algorithm: str = "RS256",
    header: Mapping[str, Any] | None = None,
) -> bytes:
    """A token. claims: bytes are signed as they are."""
    payload = claims if isinstance(claims, bytes) else json.dumps(dict(claims)).encode()
    protected = {"alg": algorithm, "kid": signer.kid, **(header or {})}
    registry = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    return jws.serialize_compact(protected, payload, signer, registry=registry).encode()


def claims(**more: Any) -> dict[str, Any]:
    """Claims of a good token, and what is to be otherwise; None leaves one out."""
    found = {
        "iss": URL,
        "sub": "ana",
        "aud": "wicketgate",
        "iat": NOW_S - 10,
        "exp": NOW_S + 600,
        "groups": ["dba", "crew-agents"],
        **more,
    }
    return {name: value for name, value in found.items() if value is not None}


def issuers(more: str = "", url: str = URL) -> Mapping[str, Issuer]:
    """What a policy with one issuer says. more: further keys of it, in YAML."""
    text = f"identity:\n  issuers:\n    main:\n      url: {url}\n      audiences: [wicketgate]\n"
    lines = "".join(f"      {line}\n" for line in more.splitlines())
    return load(text + lines, "wicket.yaml", {}).issuers


def judge(more: str = "", *keys: RSAKey | ECKey | OKPKey, until: int = NOW + 1) -> IssuerTokens:
    """What judges the tokens of that issuer, with these keys (an RSA key where none is given)."""
    trusted = issuers(more)
    listed = published(*(keys or (key("RSA"),)))
    return IssuerTokens(trusted, {"main": {"source": trusted["main"].source, "until": until, "keys": listed}})


def secret(**more: Any) -> Secret:
    """A good token, but for some claims."""
    return Secret(signed(claims(**more), key("RSA")))
