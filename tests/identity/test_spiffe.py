"""Certificates of workloads: whom they prove, and what proves nobody. TLS has verified the chain before."""

from __future__ import annotations

import datetime
import time
from typing import Any

import pytest

from identity.issuer import claims, key, published, signed
from servers.svid import ID, Shown, authority, make
from wicketgate.identity.authenticate import Authenticator
from wicketgate.identity.issuers import IssuerTokens
from wicketgate.model.errors import PolicyError
from wicketgate.model.identity import Claim, IdentityKind
from wicketgate.model.secret import Secret
from wicketgate.model.token import ServiceAccount
from wicketgate.policy.load import load, load_shipped

MESH = """\
identity:
  issuers:
    main: {url: "https://id.example.com", audiences: [wicketgate], kind: agent, accept: [
        {subject: fixed, identity: theirs}, {subject: "*"}]}
    other: {url: "https://other.example.com", audiences: [wicketgate], prefix: mesh.bots.x}
  spiffe:
    trust_domain: example.org
    accept:
      - {path: /ns/agents/sa/bot, identity: bot, groups: [crew]}
      - {path: /ns/agents/sa/theirs, identity: theirs}
      - {path: /ns/bots/sa/*, prefix: mesh.bots., groups: [bots]}
      - {path: /ns/*/job/*, prefix: mesh.}
"""
NO_ACCOUNTS: dict[str, Any] = {}


def who(text: str = MESH, accounts: dict[str, Any] = NO_ACCOUNTS) -> Authenticator:
    policy = load_shipped(load("gateway: {tls: {client_ca: ca.pem}}\n" + text, "w.yaml", {}).shipped, {})
    keys = {
        name: {"source": each.source, "until": 1 << 62, "keys": published(key("RSA"))}
        for name, each in policy.issuers.items()
    }
    return Authenticator({}, accounts, IssuerTokens(policy.issuers, keys, policy.saml, policy.mesh))


def claim(shown: Shown, name: str = "bot", secret: bytes = b"") -> Claim:
    return Claim(name, "sales", Secret(secret), "10.0.0.1", certificate=shown.der)


def test_a_workload_is_proven() -> None:
    found = who().authenticate(claim(make(ID)), time.time_ns())
    assert found is not None
    assert (found.name, found.kind, found.groups, found.how) == (
        "bot",
        IdentityKind.AGENT,
        {"crew"},
        "spiffe",
    )
    assert (found.subject, found.issuer) == (ID, "spiffe://example.org")
    assert found.valid_until is not None
    assert 0 < found.valid_until - time.time_ns() <= 86_400 * 1_000_000_000
    assert str(found.credential_id).startswith("x509-")
    with_dns = make(ID, dns=("bot.agents.svc",), client=None)
    assert who().authenticate(claim(with_dns), time.time_ns()) is not None


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/ns/bots/sa/one", "mesh.bots.one"),
        ("/ns/bots/sa/a.b", "mesh.bots.a.b"),
        ("/ns/crew/job/one", "mesh.crew.one"),
        ("/ns/bots/sa/xy", None),  # an issuer's longer prefix
        ("/ns/bots/job/one", None),  # would be another path's name
        ("/ns/a.b/job/one", None),
        ("/ns/bots/sa/one/more", None),
        ("/ns/bots/sa", None),
        ("/ns/other/sa/bot", None),
        ("/ns/bots/sa/_", None),
        ("/ns/bots/sa/" + "a" * 80, None),
        ("/ns/*/job/*", None),
    ],
)
def test_names_of_paths(path: str, name: str | None) -> None:
    shown = make(f"spiffe://example.org{path}")
    found = who().authenticate(claim(shown, name or "bot"), time.time_ns())
    assert (None if found is None else found.name) == name
    if name is None:
        for guess in ("mesh.bots.xy", "mesh.bots.one", "mesh.a.b.one", "bot", "mesh."):
            assert who().authenticate(claim(shown, guess), time.time_ns()) is None


HOUR = datetime.timedelta(hours=1)
ATTACKS: list[tuple[str, Shown]] = [
    ("two URIs", make(ID, "spiffe://example.org/ns/agents/sa/other")),
    ("the same URI twice", make(ID, ID)),
    ("another URI beside it", make(ID, "https://example.org")),
    ("another trust domain", make(ID.replace("example.org", "evil.org"))),
    ("a trust domain below it", make(ID.replace("example.org", "x.example.org"))),
    ("a trust domain that begins so", make(ID.replace("example.org", "example.org.evil.org"))),
    ("upper case in the scheme", make(ID.replace("spiffe", "SPIFFE"))),
    ("upper case in the domain", make(ID.replace("example", "Example"))),
    ("upper case in the path", make(ID.replace("bot", "Bot"))),
    ("percent", make(ID.replace("bot", "%62ot"))),
    ("percent slash", make(ID.replace("/sa/", "%2Fsa%2F"))),
    ("a port", make(ID.replace(".org", ".org:443"))),
    ("a user", make(ID.replace("://", "://bot@"))),
    ("a query", make(ID + "?x")),
    ("a fragment", make(ID + "#x")),
    ("a slash at the end", make(ID + "/")),
    ("two slashes", make(ID.replace("/sa/", "//sa/"))),
    ("dots", make(ID.replace("/sa/", "/x/../sa/"))),
    ("a dot", make(ID.replace("/sa/", "/./sa/"))),
    ("a line's end", make(ID + "\n")),
    ("nul", make(ID + "\0")),
    ("no path", make("spiffe://example.org")),
    ("too long", make(ID + "/" + "a" * 2048)),
    ("the name in CN", make(common=ID)),
    ("the name as DNS", make(dns=("bot",), common="bot")),
    ("a CA's", make(ID, authority=True)),
    ("the CA itself", authority("one", ID)),
    ("signs certificates", make(ID, usages=("digital_signature", "key_cert_sign"))),
    ("signs lists", make(ID, usages=("digital_signature", "crl_sign"))),
    ("no signatures", make(ID, usages=("key_encipherment",))),
    ("no usage", make(ID, usages=None)),
    ("a server's", make(ID, client=False)),
    ("expired", make(ID, ends=-HOUR)),
    ("not yet", make(ID, begins=HOUR)),
    ("an unknown path", make(ID.replace("agents", "others"))),
    ("a name that an issuer gives too", make("spiffe://example.org/ns/agents/sa/theirs")),
    ("no certificate", Shown(b"", make(ID).key, b"")),
    ("cut short", Shown(make(ID).der[:-9], make(ID).key, b"")),
    ("endless", Shown(make(ID).der + b"\0" * 20_000, make(ID).key, b"")),
]


@pytest.mark.parametrize(("name", "shown"), ATTACKS, ids=[name for name, _ in ATTACKS])
def test_what_proves_nobody(name: str, shown: Shown) -> None:
    now = time.time_ns()
    for user in ("bot", "theirs", "mesh.bots.bot", ""):
        if name == "a name that an issuer gives too" and user == "theirs":
            continue  # a workload's name wins: the issuer may not give it
        assert who().authenticate(claim(shown, user), now) is None
        assert who().reason(claim(shown, user), now)


def test_a_name_belongs_to_one() -> None:
    """The user must be who is proven; an account's name is no workload's, and a workload's no issuer's."""
    now = time.time_ns()
    for user in ("Bot", "bot ", "bo", "root", "mesh.bots.one", ""):
        assert who().authenticate(claim(make(ID), user), now) is None
    accounts = {"bot": ServiceAccount("bot").replicated()}
    assert who(accounts=accounts).authenticate(claim(make(ID)), now) is None
    seconds = now // 1_000_000_000
    for subject in ("bot", "mesh.bots.one", "fixed"):
        token = signed(claims(sub=subject, iat=seconds - 5, exp=seconds + 60), key("RSA"))
        plain = Claim(subject if subject != "fixed" else "theirs", "sales", Secret(token), "10.0.0.1")
        assert (who().authenticate(plain, now) is None) == (subject != "fixed")


def test_with_a_token_both_must_prove_one() -> None:
    now = time.time_ns()
    seconds = now // 1_000_000_000
    other = signed(claims(sub="ana", iat=seconds - 5, exp=seconds + 60), key("RSA"))
    for user in ("ana", "bot"):
        assert who().authenticate(claim(make(ID), user, other), now) is None
        assert who().authenticate(claim(make(ID), user, b"wkt_" + b"0" * 49), now) is None
    assert who().authenticate(Claim("ana", "sales", Secret(other), ""), now) is not None


def test_an_open_session_is_judged_again() -> None:
    now = time.time_ns()
    shown = make(ID, ends=HOUR)
    found = who().authenticate(claim(shown), now)
    assert found is not None
    assert who().still_holds(found, "sales", now, "10.0.0.1") == found
    assert who().still_holds(found, "sales", now + 3601 * 1_000_000_000, "10.0.0.1") is None
    for changed in (
        MESH.replace("trust_domain: example.org", "trust_domain: example.com"),
        MESH.replace("/ns/agents/sa/bot", "/ns/agents/sa/rob"),
        MESH.replace("identity: bot", "identity: rob"),
        MESH[: MESH.index("  spiffe:")],
    ):
        assert who(changed).still_holds(found, "sales", now, "10.0.0.1") is None
    regrouped = who(MESH.replace("[crew]", "[board]")).still_holds(found, "sales", now, "10.0.0.1")
    assert regrouped is not None
    assert regrouped.groups == {"board"}


def test_which_certificates_sign_in() -> None:
    """What is for TLS alone leaves room for a token; what is like an ID does not."""
    assert who().shows_workload(make(ID).der)
    assert who().shows_workload(make("SPIFFE://x").der)
    assert who().shows_workload(b"?")
    assert not who().shows_workload(make("https://example.org/bot").der)
    assert not who().shows_workload(make(common=ID).der)
    assert not who(MESH[: MESH.index("  spiffe:")]).shows_workload(make(ID).der)


@pytest.mark.parametrize(
    ("spiffe", "told"),
    [
        ("{trust_domain: example.org}", "needs 'accept'"),
        ("{accept: [{path: /a, identity: a}]}", "needs 'trust_domain'"),
        ("{trust_domain: spiffe://example.org, accept: [{path: /a, identity: a}]}", "lower case"),
        ("{trust_domain: Example.org, accept: [{path: /a, identity: a}]}", "lower case"),
        ("{trust_domain: e.org, accept: []}", "empty list"),
        ("{trust_domain: e.org, kind: human, accept: [{path: /a, identity: a}]}", "kind can't be 'human'"),
        ("{trust_domain: e.org, accept: [{path: a, identity: a}]}", "path is like"),
        ("{trust_domain: e.org, accept: [{path: /a/, identity: a}]}", "path is like"),
        ("{trust_domain: e.org, accept: [{path: /a*, prefix: a}]}", "path is like"),
        ("{trust_domain: e.org, accept: [{path: /**, prefix: a}]}", "path is like"),
        ("{trust_domain: e.org, accept: [{path: /../a, identity: a}]}", "path is like"),
        ("{trust_domain: e.org, accept: [{path: '/%61', identity: a}]}", "path is like"),
        ("{trust_domain: e.org, accept: [{path: /a}]}", "needs a prefix, and one without them an identity"),
        ("{trust_domain: e.org, accept: [{path: /*, identity: a}]}", "needs a prefix"),
        ("{trust_domain: e.org, accept: [{path: /*, prefix: a, identity: a}]}", "needs a prefix"),
        ("{trust_domain: e.org, accept: [{path: /a, identity: any}]}", "everybody"),
        ("{trust_domain: e.org, accept: [{path: /a, identity: 'a b'}]}", "can't name an identity"),
        ("{trust_domain: e.org, accept: [{path: /a, identity: a, groups: ['a b']}]}", "can't name a group"),
        ("{trust_domain: e.org, accept: [{path: /a, identity: a}, {path: /a, identity: b}]}", "twice"),
        ("{trust_domain: e.org, accept: [{path: /*, prefix: a}, {path: /*/b, prefix: a}]}", "prefix is that"),
        ("{trust_domain: e.org, accept: [{path: /a, identity: a}], bundle: x}", "has no key 'bundle'"),
    ],
)
def test_what_does_not_load(spiffe: str, told: str) -> None:
    with pytest.raises(PolicyError, match=rf"w.yaml:2:\d+: .*{told}"):
        load(f"gateway: {{tls: {{client_ca: x}}}}\nidentity: {{spiffe: {spiffe}}}", "w.yaml", {})


def test_somebody_must_vouch_for_them() -> None:
    good = "{trust_domain: e.org, accept: [{path: /a, identity: a}]}"
    with pytest.raises(PolicyError, match=r"w.yaml:1:\d+: spiffe needs `gateway: tls: client_ca`"):
        load(f"identity: {{spiffe: {good}}}", "w.yaml", {})
