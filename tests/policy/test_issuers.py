"""`identity:` of a policy: what is read, and what does not load, with its place."""

import pytest

from wicketgate.model.errors import PolicyError
from wicketgate.model.identity import IdentityKind
from wicketgate.model.issuer import DEFAULT_ALGORITHMS, Issuer, check_url
from wicketgate.policy.load import load, load_shipped

LEAST = "url: https://id.example.com, audiences: [w]"


def issuer(keys: str) -> Issuer:
    return load(f"identity: {{issuers: {{main: {{{keys}}}}}}}", "w.yaml", {}).issuers["main"]


def test_the_least() -> None:
    found = issuer(LEAST)
    assert (found.name, found.url, found.audiences) == ("main", "https://id.example.com", {"w"})
    assert (found.algorithms, found.kind, found.groups) == (DEFAULT_ALGORITHMS, IdentityKind.HUMAN, "groups")
    assert (found.parties, found.skew, found.longest) == (frozenset(), 30, 86_400)
    assert found.discovery == "https://id.example.com/.well-known/openid-configuration"


def test_all_of_it_and_as_workers_get_it() -> None:
    text = """\
identity:
  issuers:
    ci:
      url: https://ci.example.com/x/
      audiences: [w]
      parties: any
      algorithms: [ES384]
      kind: service
      name: [a, /b/c]
      groups: none
      prefix: ci.
      group_prefix: ci-
      skew: 1m
      longest: 2h
      jwks: https://ci.example.com/keys?v=2
      ca_file: ca.pem
      accept: [{subject: "a:*", claims: {/x/y: [p, q], z: r}, identity: bot, groups: [g]}]
"""
    policy = load(text, "/etc/wicket.yaml", {})
    found = policy.issuers["ci"]
    assert (found.parties, found.names, found.groups, found.ca_file) == (
        None,
        ("a", "/b/c"),
        None,
        "/etc/ca.pem",
    )
    assert (found.skew, found.longest) == (60, 7200)
    assert found.accept[0].claims == (("/x/y", ("p", "q")), ("z", ("r",)))
    assert found.discovery == "https://ci.example.com/x/.well-known/openid-configuration"
    shipped = load_shipped(policy.shipped, {})
    assert shipped.issuers == policy.issuers
    assert shipped.digest == policy.digest
    assert load(text.replace("ES384", "ES256"), "/etc/wicket.yaml", {}).digest != policy.digest


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("url: https://x.example.com", "needs 'audiences'"),
        (LEAST + ", algorithms: [none]", "can't be 'none'"),
        (LEAST + ", algorithms: [HS256]", "can't be 'HS256'"),
        (LEAST + ", algorithms: []", "can never match"),
        (LEAST + ", audience: [x]", "did you mean 'audiences'"),
        (LEAST + ", kind: person", "can't be 'person'"),
        (LEAST + ", skew: 301s", "300 seconds at most"),
        (LEAST + ", longest: 1000h", "at most"),
        (LEAST + ", prefix: 'a~b'", "prefix"),
        (LEAST + ", groups: /a~b", "JSON pointer"),
        (LEAST + ", accept: [{groups: [g]}]", "needs subject or claims"),
        (LEAST + ", accept: [{subject: a, identity: any}]", "everybody"),
        (LEAST + ", accept: [{subject: a, identity: 'a b'}]", "can't name"),
        (LEAST + ", accept: [{subject: '**'}]", "stars"),
        (LEAST + ", accept: [{subject: '*a*a*a*a*'}]", "stars"),
        (LEAST + ", accept: [{claims: {a: 1}}]", "must be text"),
        ("audiences: [w], url: http://id.example.com", "must begin with https"),
        ("audiences: [w], url: https://a:b@id.example.com", "no name and no password"),
        ("audiences: [w], url: 'https://id.example.com/?x'", "end with its path"),
        ("audiences: [w], url: 'https://token.actions.githubusercontent.com'", "needs accept"),
        ("audiences: [w], url: 'https://accounts.google.com', groups: none", "needs accept"),
        (LEAST + ", jwks: file:///etc/passwd", "no address"),
    ],
)
def test_what_does_not_load(keys: str, told: str) -> None:
    with pytest.raises(PolicyError, match=told) as error:
        issuer(keys)
    assert str(error.value).startswith("w.yaml:1:")


def test_issuers_that_could_name_each_others_people() -> None:
    for second, told in (
        ("url: https://id.example.com, audiences: [v], prefix: x.", "one url"),
        ("url: https://other.example.com, audiences: [w]", "one prefix"),
    ):
        with pytest.raises(PolicyError, match=told):
            load(f"identity: {{issuers: {{a: {{{LEAST}}}, b: {{{second}}}}}}}", "w.yaml", {})


@pytest.mark.parametrize(
    "text", ["http://127.0.0.1:1/x", "http://[::1]:1", "http://localhost", "https://a.b/c"]
)
def test_addresses(text: str) -> None:
    assert check_url(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://2130706433",
        "ftp://localhost",
        "https://",
        "https://a b",
        "https://ä.example.com",
        "https://a.b:99999",
        "https://a.b/#x",
        "//a.b",
        "https://a.b\n",
        "http://127.0.0.1@a.b",
    ],
)
def test_addresses_that_are_not_asked(text: str) -> None:
    with pytest.raises(ValueError, match=r"it "):
        check_url(text)


def test_who_may_exchange_tokens() -> None:
    """Nobody, where nothing is said; workers and the control process read the same."""
    for text, expected in (
        ("identity: {exchange: {agents: {groups: [crew]}}}", frozenset({"crew"})),
        ("identity: {exchange: {agents: [bot]}}", frozenset()),
    ):
        policy = load(text, "w.yaml", {})
        assert policy.exchanging is not None
        assert policy.exchanging.groups == expected
        assert load_shipped(policy.shipped, {}).exchanging == policy.exchanging
    assert load(f"identity: {{issuers: {{main: {{{LEAST}}}}}}}", "w.yaml", {}).exchanging is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{}", "needs 'agents'"),
        ("{agents: {}}", "can never match"),
        ("{agents: []}", "empty list"),
        ("{agents: [any]}", "can never match"),
        ("{agents: {groups: ['a b']}}", "can never match"),
        ("{agents: {groups: [a]}, for: [ana]}", "has no key 'for'"),
    ],
)
def test_an_exchange_that_does_not_load(text: str, told: str) -> None:
    with pytest.raises(PolicyError, match=rf"w.yaml:1:\d+: .*{told}"):
        load(f"identity: {{exchange: {text}}}", "w.yaml", {})
