"""`sign_in:` of an issuer: what is read, and what does not load."""

import pytest

from wicketgate.model.errors import PolicyError
from wicketgate.model.issuer import BrowserSignIn
from wicketgate.model.resource import CredentialReference
from wicketgate.policy.load import load, load_shipped

LEAST = "url: https://id.example.com, audiences: [w]"


def read(sign_in: str, more: str = LEAST) -> BrowserSignIn | None:
    policy = load(f"identity: {{issuers: {{main: {{{more}, sign_in: {{{sign_in}}}}}}}}}", "/etc/w.yaml", {})
    assert load_shipped(policy.shipped, {}).issuers == policy.issuers
    return policy.issuers["main"].sign_in


def test_what_is_read() -> None:
    assert read("client_id: page") == BrowserSignIn("page")
    assert read(
        "client_id: page, client_secret: {file: s}, scope: openid groups, resource: 'https://a.example/?x=1'"
    ) == BrowserSignIn(
        "page", CredentialReference("file", "/etc/s"), "openid groups", "https://a.example/?x=1"
    )
    assert read("client_id: w, client_secret: {secret: web}, token: id") == BrowserSignIn(
        "w", CredentialReference("secret", "web"), identity=True
    )


@pytest.mark.parametrize(
    ("sign_in", "more", "told"),
    [
        ("scope: openid", LEAST, "needs 'client_id'"),
        ("client_id: 'a b'", LEAST, "printable ASCII"),
        ("client_id: a, client_secret: written-out", LEAST, "never written out"),
        ("client_id: a, client_secret: {env: A, file: b}", LEAST, "client_secret takes one of"),
        ("client_id: a, secret: {env: A}", LEAST, "no key 'secret'"),
        ("client_id: a, scope: profile", LEAST, "openid"),
        ("client_id: a, scope: openid  groups", LEAST, "one space"),
        ("client_id: a, scope: openid openid", LEAST, "twice"),
        ("client_id: a, scope: openid offline_access", LEAST, "refresh token"),
        ("client_id: a, resource: wicketgate", LEAST, "absolute URI"),
        ("client_id: a, resource: 'http://evil.example/'", LEAST, "https://"),
        ("client_id: a, token: refresh", LEAST, "can't be 'refresh'"),
        ("client_id: a, token: id", LEAST, "audiences must have client_id"),
        ("client_id: a", LEAST + ", parties: [b]", "parties must have client_id"),
        ("client_id: a", LEAST + ", kind: service", "kind service has no sign_in"),
        ("client_id: a", LEAST + ", kind: agent", "kind agent has no sign_in"),
        ("client_id: a", LEAST + ", jwks: 'https://id.example.com/keys'", "needs discovery"),
    ],
)
def test_what_does_not_load(sign_in: str, more: str, told: str) -> None:
    with pytest.raises(PolicyError, match=told):
        read(sign_in, more)
