"""The set-ups of docs/identity.md load, and take tokens of the shapes that the issuers' makers document."""

import re
from pathlib import Path
from typing import Any

import pytest

from identity.issuer import NOW, NOW_S, key, published, signed
from wicketgate.identity.issuers import IssuerTokens
from wicketgate.identity.jwt import NotProven
from wicketgate.model.identity import IdentityKind
from wicketgate.model.secret import Secret
from wicketgate.policy.load import load

TEXT = (Path(__file__).parents[2] / "docs" / "identity.md").read_text(encoding="utf-8")
BLOCKS = {
    issuer.name: block
    for block in re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)
    for issuer in load(block, "wicket.yaml", {}).issuers.values()
}

SHAPES: dict[str, tuple[dict[str, Any], str, set[str], IdentityKind]] = {
    "okta": (
        {
            "ver": 1,
            "aud": "api://wicketgate",
            "cid": "0oa1b2c3d4e5f6g7h8i9",
            "uid": "00u1",
            "scp": ["openid"],
            "sub": "ana@example.com",
            "groups": ["Everyone", "Data Base", "dba"],
        },
        "ana@example.com",
        {"Everyone", "dba"},
        IdentityKind.HUMAN,
    ),
    "entra": (
        {
            "aud": "66666666-7777-8888-9999-aaaaaaaaaaaa",
            "nbf": NOW_S,
            "azp": "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
            "azpacr": "0",
            "groups": ["bbbbbbbb-0000-1111-2222-cccccccccccc"],
            "oid": "dddddddd-0000-1111-2222-eeeeeeeeeeee",
            "preferred_username": "ana@example.com",
            "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
            "tid": "11111111-2222-3333-4444-555555555555",
            "ver": "2.0",
        },
        "ana@example.com",
        {"bbbbbbbb-0000-1111-2222-cccccccccccc"},
        IdentityKind.HUMAN,
    ),
    "people": (
        {
            "aud": "wicketgate",
            "azp": "wicket-page",
            "sub": "eeeeeeee-0000-1111-2222-ffffffffffff",
            "preferred_username": "ana",
            "groups": ["dba"],
        },
        "ana",
        {"dba"},
        IdentityKind.HUMAN,
    ),
    "google": (
        {
            "azp": "123456789-abc.apps.googleusercontent.com",
            "aud": "123456789-abc.apps.googleusercontent.com",
            "sub": "10769150350006150715113082367",
            "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
            "hd": "example.com",
            "email": "ana@example.com",
            "email_verified": True,
        },
        "ana@example.com",
        {"staff"},
        IdentityKind.HUMAN,
    ),
    "keycloak": (
        {
            "jti": "onrtac:6b1e",
            "aud": ["wicketgate", "account"],
            "sub": "f1d2",
            "typ": "Bearer",
            "azp": "wicket-cli",
            "sid": "4c3b",
            "acr": "1",
            "realm_access": {"roles": ["dba", "offline_access", "uma_authorization"]},
            "resource_access": {"account": {"roles": ["manage-account"]}},
            "scope": "profile email",
            "preferred_username": "ana",
        },
        "ana",
        {"dba", "offline_access", "uma_authorization"},
        IdentityKind.HUMAN,
    ),
    "cluster": (
        {
            "aud": ["wicketgate"],
            "jti": "ea28ed49",
            "nbf": NOW_S,
            "sub": "system:serviceaccount:agents:crew",
            "kubernetes.io": {
                "namespace": "agents",
                "node": {"name": "one", "uid": "6e1"},
                "pod": {"name": "crew-1", "uid": "8a2"},
                "serviceaccount": {"name": "crew", "uid": "9b3"},
            },
        },
        "k8s.agents.crew",
        {"crew-agents"},
        IdentityKind.AGENT,
    ),
    "github": (
        {
            "jti": "example-id",
            "sub": "repo:acme/shop:environment:production",
            "aud": "wicketgate",
            "environment": "production",
            "ref": "refs/heads/main",
            "repository": "acme/shop",
            "repository_owner": "acme",
            "repository_id": "74",
            "workflow": "deploy",
            "nbf": NOW_S,
        },
        "shop-deploy",
        {"deployers"},
        IdentityKind.SERVICE,
    ),
}


def test_there_is_a_shape_for_each() -> None:
    assert BLOCKS.keys() == SHAPES.keys()


@pytest.mark.parametrize("name", SHAPES)
def test_a_token_as_documented(name: str) -> None:
    claims, identity, groups, kind = SHAPES[name]
    trusted = load(BLOCKS[name], "wicket.yaml", {}).issuers
    issuer = trusted[name]
    entry = {"source": issuer.source, "until": NOW + 1, "keys": published(key("RSA"))}
    who = IssuerTokens(trusted, {name: entry})
    whole = {"iss": issuer.url, "iat": NOW_S, "exp": NOW_S + 3600, **claims}
    found = who.prove(Secret(signed(whole, key("RSA"))), {}, {}, NOW)
    assert (found.name, found.groups, found.kind) == (identity, groups, kind)
    for changed in ({"aud": "another"}, {"azp": "another"}, {"sub": ""}):
        with pytest.raises(NotProven):
            who.prove(Secret(signed(whole | changed, key("RSA"))), {}, {}, NOW)
    if issuer.accept:
        others = {"sub": "repo:evil/shop:environment:production", "hd": "evil.example.com"}
        with pytest.raises(NotProven, match="not accepted"):
            who.prove(Secret(signed(whole | others, key("RSA"))), {}, {}, NOW)
