"""Tokens of trusted issuers: what proves somebody, and a table of what must prove nobody."""

import base64
import hmac
import json
import re
import string
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.issuer import NOW, NOW_S, URL, claims, judge, key, published, secret, signed
from wicketgate.identity.authenticate import Authenticator
from wicketgate.identity.claims import matches
from wicketgate.identity.issuers import IssuerTokens
from wicketgate.identity.jwt import LARGEST, NotProven, take_apart
from wicketgate.identity.keys import load, read_discovery, read_keys
from wicketgate.model.identity import Claim, Identity, IdentityKind
from wicketgate.model.secret import Secret


def prove(token: bytes | Secret, more: str = "", now: int = NOW, **options: Any) -> Identity:
    given_token = token if isinstance(token, Secret) else Secret(token)
    return judge(more, **options).prove(given_token, {}, {}, now)


def part(content: Any) -> bytes:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=")


# -- what is good -------------------------------------------------------------------------------------------
def test_a_good_token_proves_its_name() -> None:
    found = prove(secret())
    assert (found.name, found.subject, found.issuer, found.how) == ("ana", "ana", URL, "oidc")
    assert (found.kind, found.groups) == (IdentityKind.HUMAN, frozenset({"dba", "crew-agents"}))
    assert found.valid_until == (NOW_S + 600) * 1_000_000_000
    assert found.credential_id is not None
    assert found.credential_id.startswith("jwt-")
    assert "exp" not in repr(found)


@pytest.mark.parametrize(
    ("kind", "algorithm"),
    [
        ("RSA", "RS256"),
        ("RSA", "RS512"),
        ("RSA", "PS256"),
        ("RSA", "PS384"),
        ("P-256", "ES256"),
        ("P-384", "ES384"),
    ],
)
def test_algorithms_that_are_allowed(kind: str, algorithm: str) -> None:
    token = signed(claims(), key(kind), algorithm)
    listed = "algorithms: [RS256, RS512, PS256, PS384, ES256, ES384]"
    assert judge(listed, key(kind)).prove(Secret(token), {}, {}, NOW).name == "ana"


def test_eddsa() -> None:
    # joserfc signs under the name of RFC 9864; what most issuers write is that of RFC 8037
    signer = key("Ed25519")
    head, body = part({"alg": "EdDSA", "kid": "one"}), part(claims())
    good = signed(claims(), signer, "Ed25519")
    with pytest.raises(NotProven, match="algorithm"):
        judge("", signer).prove(Secret(good), {}, {}, NOW)
    signature = signer.private_key.sign(head + b"." + body)  # type: ignore[union-attr, call-arg]
    token = b".".join((head, body, part(signature)))
    assert judge("", signer).prove(Secret(token), {}, {}, NOW).name == "ana"


def test_types_of_tokens() -> None:
    for kind in ("JWT", "at+jwt", "application/at+jwt", "AT+JWT"):
        assert prove(signed(claims(), key("RSA"), header={"typ": kind})).name == "ana"


def test_a_name_from_several_claims() -> None:
    more = (
        "prefix: k8s.\ngroups: none\nkind: agent\n"
        "name: [/kubernetes.io/namespace, /kubernetes.io/serviceaccount/name]\n"
        'accept: [{subject: "system:serviceaccount:agents:*", groups: [crew-agents]}]\n'
    )
    workload = {"namespace": "agents", "serviceaccount": {"name": "web.bot"}}
    subject = "system:serviceaccount:agents:web.bot"
    found = prove(secret(sub=subject, groups=None, **{"kubernetes.io": workload}), more)
    assert (found.name, found.groups, found.kind) == (
        "k8s.agents.web.bot",
        frozenset({"crew-agents"}),
        IdentityKind.AGENT,
    )
    for other in ("system:serviceaccount:other:web", "system:serviceaccount:agents:a:b", "x" + subject):
        with pytest.raises(NotProven, match="not accepted"):
            prove(secret(sub=other, groups=None, **{"kubernetes.io": workload}), more)
    dotted = {"namespace": "agents.web", "serviceaccount": {"name": "bot"}}
    with pytest.raises(NotProven, match="dot"):
        prove(secret(sub=subject, groups=None, **{"kubernetes.io": dotted}), more)


CI = """\
groups: none
kind: service
accept:
  - {claims: {repository: acme/shop, ref: [refs/heads/main, "refs/tags/v*"]}, identity: shop-ci, groups: [ci]}
  - {claims: {repository: acme/shop, environment: production}, groups: [deployers]}
  - {claims: {repository: acme/web}, identity: web-ci}
"""


def test_a_name_by_rules() -> None:
    job = {"sub": "repo:acme/shop:ref:refs/heads/main", "groups": None, "repository": "acme/shop"}
    found = prove(secret(**job, ref="refs/tags/v1.2"), CI)
    assert (found.name, found.groups) == ("shop-ci", frozenset({"ci"}))
    found = prove(secret(**job, ref="refs/heads/main", environment="production"), CI)
    assert (found.name, found.groups) == ("shop-ci", frozenset({"ci", "deployers"}))
    for wrong in (
        {"ref": "refs/heads/main2"},
        {"ref": "refs/tags/v1/x"},
        {"ref": ["refs/heads/main"]},
        {"ref": None},
        {"ref": "refs/heads/main", "repository": "acme/shop2"},
        {"ref": "refs/heads/main\n"},
    ):
        with pytest.raises(NotProven, match="not accepted"):
            prove(secret(**(job | wrong)), CI)


def test_nested_groups_and_those_that_no_rule_can_name() -> None:
    more = "groups: /realm_access/roles\ngroup_prefix: kc-"
    roles = {"roles": ["dba", "with space", "any", "/path", "x" * 80]}
    assert prove(secret(groups=None, realm_access=roles), more).groups == frozenset({"kc-dba", "kc-any"})
    assert prove(secret(groups="one")).groups == frozenset({"one"})
    assert prove(secret(groups=[])).groups == frozenset()


# -- attacks ------------------------------------------------------------------------------------------------
def stripped(token: bytes) -> bytes:
    return token.rsplit(b".", 1)[0] + b"."


def with_header(**header: Any) -> Callable[[], bytes]:
    return lambda: signed(claims(), key("RSA"), header=header)


def with_claims(**more: Any) -> Callable[[], bytes]:
    return lambda: signed(claims(**more), key("RSA"))


def spelled(old: str, new: str) -> Callable[[], bytes]:
    """The claims' text with a part replaced, and signed so."""
    text = json.dumps(claims())
    assert old in text
    return lambda: signed(text.replace(old, new).encode(), key("RSA"))


def swapped(at: int, content: Any) -> Callable[[], bytes]:
    """A good token with one part put in the place of another after signing."""

    def make() -> bytes:
        parts = signed(claims(), key("RSA")).split(b".")
        parts[at] = part(content)
        return b".".join(parts)

    return make


def good(change: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    return lambda: change(signed(claims(), key("RSA")))


def confused() -> bytes:
    """RS/HS confusion: the public key, in the PEM that everybody has, as a symmetric one."""
    text = part({"alg": "HS256", "kid": "one"}) + b"." + part(claims())
    # by hand: joserfc refuses to sign so
    return text + b"." + part(hmac.digest(key("RSA").as_pem(private=False), text, "sha256"))


def injected() -> bytes:
    """The attacker's key in the header."""
    other = key("RSA", "attacker's")
    return signed(claims(), other, header={"kid": "one", "jwk": other.as_dict(private=False)})


def noncanonical(token: bytes) -> bytes:
    """The last character's unused bits set: the same bytes, another spelling."""
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    # 256 bytes of signature leave four bits of the last character unused
    return token[:-1] + alphabet[alphabet.index(chr(token[-1])) | 1].encode()


ATTACKS: dict[str, tuple[Callable[[], bytes], str]] = {
    "alg none": (lambda: part({"alg": "none"}) + b"." + part(claims()) + b".", "not signed"),
    "alg none with a signature": (swapped(0, {"alg": "none", "kid": "one"}), "algorithm"),
    "alg NONE": (swapped(0, {"alg": "nOnE", "kid": "one"}), "algorithm"),
    "alg is no text": (swapped(0, {"alg": ["RS256"], "kid": "one"}), "no algorithm"),
    "no alg": (swapped(0, {"kid": "one"}), "no algorithm"),
    "RS/HS confusion": (confused, "algorithm"),
    "an algorithm that is not listed": (lambda: signed(claims(), key("RSA"), "RS384"), "algorithm"),
    "ES256 named over an RSA key": (swapped(0, {"alg": "ES256", "kid": "one"}), "no one key"),
    "EdDSA named over an RSA key": (swapped(0, {"alg": "EdDSA", "kid": "one"}), "no one key"),
    "PS256 named over an RS256 signature": (swapped(0, {"alg": "PS256", "kid": "one"}), "signature"),
    "an EC key under the RSA key's id": (lambda: signed(claims(), key("P-256"), "ES256"), "no one key"),
    "wrong kid": (with_header(kid="two"), "no one key"),
    "kid that is a path": (with_header(kid="../../dev/null"), "no one key"),
    "kid that is no text": (swapped(0, {"alg": "RS256", "kid": ["one"]}), "key id"),
    "kid of the right name, another's key": (
        lambda: signed(claims(), key("RSA", "other"), header={"kid": "one"}),
        "signature",
    ),
    "jwk in the header": (injected, "signature"),
    "jku in the header": (
        lambda: signed(claims(), key("RSA", "jku"), header={"kid": "one", "jku": "http://127.0.0.1:9/x"}),
        "signature",
    ),
    "x5u in the header": (
        lambda: signed(claims(), key("RSA", "x5u"), header={"kid": "one", "x5u": "http://127.0.0.1:9/x"}),
        "signature",
    ),
    "crit": (swapped(0, {"alg": "RS256", "kid": "one", "crit": ["exp"], "exp": 1}), "crit"),
    "b64": (swapped(0, {"alg": "RS256", "kid": "one", "b64": False}), "crit"),
    "typ of a logout token": (with_header(typ="logout+jwt"), "type"),
    "typ of a DPoP proof": (with_header(typ="dpop+jwt"), "type"),
    "typ that is no text": (swapped(0, {"alg": "RS256", "kid": "one", "typ": None}), "type"),
    "signature stripped": (good(stripped), "not signed"),
    "signature's part gone": (good(lambda token: token.rsplit(b".", 1)[0]), "not a signed token"),
    "signature of another token": (
        lambda: (
            signed(claims(sub="root"), key("RSA")).rsplit(b".", 1)[0]
            + b"."
            + signed(claims(), key("RSA")).rsplit(b".", 1)[1]
        ),
        "signature",
    ),
    "claims changed": (swapped(1, claims(groups=["admins"])), "signature"),
    "expired": (with_claims(exp=NOW_S), "expired"),
    "expired within the skew": (with_claims(exp=NOW_S - 1), "expired"),
    "no expiry": (with_claims(exp=None), "does not say when"),
    "expiry as text": (with_claims(exp=str(NOW_S + 600)), "no time"),
    "expiry that is true": (with_claims(exp=True), "no time"),
    "expiry far off": (with_claims(exp=1 << 40), "no time"),
    "expiry without end": (spelled(str(NOW_S + 600), "1e400"), "no time"),
    "expiry that is not a number": (spelled(str(NOW_S + 600), "NaN"), "JSON"),
    "expiry of a thousand digits": (spelled(str(NOW_S + 600), "1" * 1000), "too long"),
    "good for too long": (with_claims(exp=NOW_S + 90_000), "longer than"),
    "made long ago to be good for long": (with_claims(iat=NOW_S - 90_000), "longer than"),
    "no iat": (with_claims(iat=None), "does not say when"),
    "made in the future": (with_claims(iat=NOW_S + 31), "not good yet"),
    "not before a later time": (with_claims(nbf=NOW_S + 31), "not good yet"),
    "not before that is no time": (with_claims(nbf="now"), "no time"),
    "wrong audience": (with_claims(aud="another"), "another audience"),
    "wrong audiences": (with_claims(aud=["another", "wicketgate2"]), "another audience"),
    "no audience": (with_claims(aud=None), "no audience"),
    "audience that is no text": (with_claims(aud=["wicketgate", 1]), "no audience"),
    "audience that is a map": (with_claims(aud={"wicketgate": 1}), "no audience"),
    "several audiences without azp": (with_claims(aud=["wicketgate", "another"]), "others too"),
    "wrong issuer": (with_claims(iss="https://evil.example.com"), "not trusted"),
    "issuer with a slash more": (with_claims(iss=URL + "/"), "not trusted"),
    "issuer in capitals": (with_claims(iss=URL.upper()), "not trusted"),
    "issuer in a list": (with_claims(iss=[URL]), "not trusted"),
    "no issuer": (with_claims(iss=None), "not trusted"),
    "azp mismatch": (with_claims(azp="evil-client"), "another party"),
    "azp that is no text": (with_claims(azp=["wicketgate"]), "another party"),
    "a claim twice": (spelled('"sub": "ana"', '"sub": "root", "sub": "ana"'), "twice"),
    "a claim twice, once escaped": (spelled('"sub": "ana"', '"s\\u0075b": "root", "sub": "ana"'), "twice"),
    "a claim twice further in": (spelled('"sub": "ana"', '"sub": "ana", "x": {"y": 1, "y": 2}'), "twice"),
    "a header's member twice": (swapped(0, b'{"alg":"none","kid":"one","alg":"RS256"}'), "twice"),
    "oversized": (with_claims(x="x" * LARGEST), "too large"),
    "nested without end": (spelled('"ana"', "[" * 5000 + "]" * 5000), "JSON"),
    "claims that are a list": (swapped(1, []), "no JSON object"),
    "claims that are no JSON": (swapped(1, b"\xff\xfe"), "JSON"),
    "claims behind claims": (spelled('"sub": "ana"', '"sub": "ana"}{"x": 1'), "JSON"),
    "a byte order mark": (
        lambda: signed(b"\xef\xbb\xbf" + json.dumps(claims()).encode(), key("RSA")),
        "JSON",
    ),
    "no subject": (with_claims(sub=None), "no subject"),
    "an empty subject": (with_claims(sub=""), "no subject"),
    "a subject with a NUL": (with_claims(sub="ana\0"), "no subject"),
    "a name with a space": (with_claims(sub="ana b"), "can't name"),
    "a name with a tilde": (with_claims(sub="ana~owner"), "can't name"),
    "a name that is everybody": (with_claims(sub="any"), "given to others"),
    "a name that looks alike": (with_claims(sub="аna"), "can't name"),
    "no groups": (with_claims(groups=None), "no groups"),
    "groups that are null": (spelled('["dba", "crew-agents"]', "null"), "no groups"),
    "groups that are a map": (with_claims(groups={"dba": 1}), "no groups"),
    "a group that is no text": (with_claims(groups=["dba", 1]), "no groups"),
    "too many groups": (with_claims(groups=["a"] * 1001), "too many"),
    "overage": (
        with_claims(groups=None, _claim_names={"groups": "src1"}, _claim_sources={"src1": {}}),
        "overage",
    ),
    "overage beside groups": (with_claims(_claim_names={"groups": "src1"}), "overage"),
    "overage of the implicit flow": (with_claims(hasgroups=True), "overage"),
    "bound to a key": (with_claims(cnf={"jkt": "x"}), "bound"),
    "a logout token": (
        with_claims(events={"http://schemas.openid.net/event/backchannel-logout": {}}),
        "notice",
    ),
    "a NUL behind": (good(lambda token: token + b"\0"), "not a signed token"),
    "a NUL within": (good(lambda token: token[:9] + b"\0" + token[9:]), "not a signed token"),
    "a space before": (good(lambda token: b" " + token), "not a signed token"),
    "a newline behind": (good(lambda token: token + b"\n"), "not a signed token"),
    "padding": (good(lambda token: token + b"=="), "not a signed token"),
    "padding within": (good(lambda token: token.replace(b".", b"=.", 1)), "not a signed token"),
    "another spelling of the same bytes": (good(noncanonical), "not a signed token"),
    "the other alphabet": (good(lambda token: token.replace(b"-", b"+").replace(b"_", b"/")), "signed token"),
    "a part more": (good(lambda token: token + b".e30"), "not a signed token"),
    "an encrypted token": (
        lambda: b".".join([part({"alg": "dir", "enc": "A256GCM"})] + [b"e30"] * 4),
        "not a",
    ),
    "dots": (lambda: b"..", "not a signed token"),
    "a dot": (lambda: b".", "not a signed token"),
    "bearer before it": (good(lambda token: b"Bearer " + token), "not a signed token"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_prove_nobody(attack: str) -> None:
    make, why = ATTACKS[attack]
    with pytest.raises(NotProven, match=why) as told:
        prove(make())
    assert "eyJ" not in str(told.value)
    assert Authenticator({}, {}, judge()).bearer(Secret(make()), "", NOW) is None


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_take_the_time_of_a_verification(attack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told by the steps: whatever is wrong, one signature is verified."""
    from wicketgate.identity import keys

    token, who = ATTACKS[attack][0](), judge()
    steps: list[str] = []
    true = keys.Key.verifies
    monkeypatch.setattr(
        keys.Key, "verifies", lambda self, *rest: (steps.append("verifies"), true(self, *rest))[1]
    )
    with pytest.raises(NotProven):
        who.prove(Secret(token), {}, {}, NOW)
    assert steps == ["verifies"]


def test_a_name_that_is_not_the_tokens() -> None:
    who = Authenticator({}, {}, judge())
    for name in ("root", "", "Ana", "ana ", "ana\0", "аna", "ana~owner"):
        assert who.authenticate(Claim(name, "sales", secret(), "192.0.2.1"), NOW) is None
    claim = Claim("root", "sales", secret(), "192.0.2.1")
    assert who.reason(claim, NOW) == "the token proves another name than the one claimed"
    found = who.authenticate(Claim("ana", "sales", secret(), "192.0.2.1", claimed={"a": "b"}), NOW)
    assert found is not None
    assert found.claimed == {"a": "b"}


def test_a_local_account_is_no_issuers() -> None:
    who = Authenticator({}, {"ana": {"kind": "human"}}, judge())
    assert who.authenticate(Claim("ana", "sales", secret(), ""), NOW) is None
    assert who.bearer(secret(), "", NOW) is None


def test_one_issuer_cannot_name_anothers_people() -> None:
    from wicketgate.policy.load import load as load_policy

    text = f"""\
identity:
  issuers:
    people: {{url: {URL}, audiences: [wicketgate], groups: none}}
    cluster: {{url: "https://k8s.example.com", audiences: [wicketgate], groups: none, prefix: k8s.}}
    ci:
      url: https://ci.example.com
      audiences: [wicketgate]
      groups: none
      prefix: ci.
      accept: [{{subject: main, identity: deployer}}]
"""
    trusted = load_policy(text, "wicket.yaml", {}).issuers
    entries = {
        name: {"source": each.source, "until": NOW + 1, "keys": published(key("RSA"))}
        for name, each in trusted.items()
    }
    who = IssuerTokens(trusted, entries)
    assert who.prove(secret(), {}, {}, NOW).name == "ana"
    for taken in ("k8s.bot", "ci.x", "deployer"):
        with pytest.raises(NotProven, match=r"to give|given to others"):
            who.prove(secret(sub=taken), {}, {}, NOW)
    assert who.prove(secret(iss="https://k8s.example.com", sub="bot"), {}, {}, NOW).name == "k8s.bot"
    assert who.prove(secret(iss="https://ci.example.com", sub="main"), {}, {}, NOW).name == "deployer"
    cluster = {**entries, "cluster": {**entries["cluster"], "keys": published(key("RSA", "k8s"))}}
    token = signed(claims(iss="https://k8s.example.com"), key("RSA"), header={"kid": "k8s"})
    with pytest.raises(NotProven, match="signature"):
        IssuerTokens(trusted, cluster).prove(Secret(token), {}, {}, NOW)


def test_parties() -> None:
    assert prove(secret(azp="wicketgate")).name == "ana"
    assert prove(secret(aud=["wicketgate", "x"], azp="wicketgate")).name == "ana"
    assert prove(secret(azp="whoever"), "parties: any").name == "ana"
    only = "parties: [cli]"
    for more in ({"azp": "cli"}, {"client_id": "cli"}, {"cid": "cli"}, {"azp": "cli", "client_id": "x"}):
        assert prove(secret(**more), only).name == "ana"
    for wrong in ({}, {"azp": "wicketgate"}, {"azp": "x", "client_id": "cli"}, {"client_id": ["cli"]}):
        with pytest.raises(NotProven, match="asked for"):
            prove(secret(**wrong), only)


def test_an_email_counts_where_it_is_verified() -> None:
    more = "name: email"
    assert prove(secret(email="ana@example.com", email_verified=True), more).name == "ana@example.com"
    for verified in (None, False, "false", 1, "yes"):
        with pytest.raises(NotProven, match="not verified"):
            prove(secret(email="ana@example.com", email_verified=verified), more)
        with pytest.raises(NotProven, match="not verified"):
            prove(secret(email="ana@example.com", email_verified=verified), "name: /email")
        for path in ("email", "/email"):
            boss = f"accept: [{{claims: {{{path}: ana@example.com}}, identity: boss}}]"
            with pytest.raises(NotProven, match="not accepted"):
                prove(secret(email="ana@example.com", email_verified=verified), boss)
            assert prove(secret(email="ana@example.com", email_verified=True), boss).name == "boss"


def test_an_open_session_is_proven_again() -> None:
    found = prove(secret())
    assert judge().still_proves(found, {}, NOW) == found
    assert judge("group_prefix: x-").still_proves(found, {}, NOW).groups == {"x-dba", "x-crew-agents"}
    for who, why in (
        (IssuerTokens({}, {}), "no longer trusted"),
        (judge("", key("RSA", "next")), "no longer the issuer's"),
        (judge(until=NOW), "no longer the issuer's"),
        (judge("parties: [cli]"), "asked for"),
        (judge("prefix: x."), "another name"),
        (judge("longest: 1m"), "longer"),
        (judge("accept: [{subject: other}]"), "not accepted"),
    ):
        with pytest.raises(NotProven, match=why):
            who.still_proves(found, {}, NOW)
    with pytest.raises(NotProven, match="expired"):
        judge(until=NOW * 2).still_proves(found, {}, (NOW_S + 600) * 1_000_000_000)
    assert Authenticator({}, {}, judge()).still_holds(found, "sales", NOW, "") == found
    assert Authenticator({}, {}).still_holds(found, "sales", NOW, "") is None
    assert Authenticator({}, {"ana": {}}, judge()).still_holds(found, "sales", NOW, "") is None


def test_keys_that_are_missing_are_asked_for() -> None:
    who = judge()
    assert who.missing(secret()) is None
    assert who.missing(Secret(signed(claims(), key("RSA", "next")))) == "main"
    assert judge("", key("RSA", "next")).missing(secret()) == "main"
    for token in (
        b"wkt_x",
        b"a.b.c",
        signed(claims(iss="https://evil.example.com"), key("RSA", "next")),
        signed(claims(), key("RSA"), "RS384", {"kid": "next"}),
    ):
        assert who.missing(Secret(token)) is None


def test_old_keys_and_keys_of_another_source_count_for_nothing() -> None:
    with pytest.raises(NotProven, match="not at hand"):
        prove(secret(), until=NOW)
    from identity.issuer import issuers

    trusted = issuers()
    other = {"main": {"source": "https://elsewhere", "until": NOW + 1, "keys": published(key("RSA"))}}
    with pytest.raises(NotProven, match="not at hand"):
        IssuerTokens(trusted, other).prove(secret(), {}, {}, NOW)


# -- key sets -----------------------------------------------------------------------------------------------
def test_keys_that_are_not_taken() -> None:
    rsa = key("RSA").as_dict(private=False)
    for wrong in (
        {"kty": "oct", "k": "c2VjcmV0", "kid": "one"},
        {**rsa, "use": "enc"},
        {**rsa, "key_ops": ["encrypt"]},
        {**rsa, "alg": "HS256"},
        {**rsa, "alg": "RSA-OAEP"},
        {**rsa, "alg": ["RS256"]},
        {**rsa, "n": rsa["n"][:100]},
        {**rsa, "n": rsa["n"] * 9},
        {**rsa, "e": "AA"},
        {**rsa, "e": None},
        {**key("P-256").as_dict(private=False), "crv": "P-521"},
        {**key("P-256").as_dict(private=False), "x": "AAAA"},
        {**key("P-256").as_dict(private=False), "x": key("P-256").as_dict(private=False)["y"]},
        {"kty": "OKP", "crv": "X25519", "x": key("Ed25519").as_dict(private=False)["x"]},
        {},
        "RSA",
    ):
        with pytest.raises(ValueError, match="no key that can be used"):
            read_keys(json.dumps({"keys": [wrong]}).encode())
        assert len(read_keys(json.dumps({"keys": [wrong, rsa]}).encode())) == 1
    for body in (b"", b"[]", b'{"keys": 1}', b'{"keys": []}', b'{"keys": [], "keys": []}', b"\xff"):
        with pytest.raises(ValueError, match=r"."):
            read_keys(body)
    with pytest.raises(ValueError, match="too many"):
        read_keys(json.dumps({"keys": [rsa] * 65}).encode())


def test_a_private_key_that_is_published_is_kept_without_its_private_part() -> None:
    for kind in ("RSA", "P-256", "Ed25519"):
        (kept,) = read_keys(json.dumps({"keys": [key(kind).as_dict(private=True)]}).encode())
        assert not {"d", "p", "q", "dp", "dq", "qi"} & kept.keys()
        assert load(kept).thumbprint == key(kind).thumbprint()


def test_discovery() -> None:
    def told(**more: Any) -> bytes:
        return json.dumps({"issuer": URL, "jwks_uri": "https://keys.example.com/k?v=1", **more}).encode()

    assert read_discovery(told(), URL) == "https://keys.example.com/k?v=1"
    for wrong in (
        {"issuer": URL + "/"},
        {"issuer": None},
        {"jwks_uri": "http://127.0.0.1/keys"},
        {"jwks_uri": "http://keys.example.com/"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://a:b@keys.example.com/"},
        {"jwks_uri": None},
        {"jwks_uri": "https:///x"},
    ):
        with pytest.raises(ValueError, match=r"."):
            read_discovery(told(**wrong), URL)
    local = "http://127.0.0.1:8000"
    document = json.dumps({"issuer": local, "jwks_uri": "http://localhost:8000/k"}).encode()
    assert read_discovery(document, local) == "http://localhost:8000/k"


# -- whatever comes -----------------------------------------------------------------------------------------
@given(st.one_of(st.binary(max_size=200), st.lists(st.binary(max_size=40), max_size=4).map(b".".join)))
def test_bytes_are_a_token_or_refused(text: bytes) -> None:
    try:
        found = take_apart(text)
    except NotProven:
        return
    assert b".".join((found.signed, part(found.signature))) == text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = ["iss", "sub", "aud", "azp", "iat", "exp", "nbf", "groups", "_claim_names", "email", "cnf", "x"]


@given(st.dictionaries(st.sampled_from(NAMES), json_values, max_size=4))
def test_signed_claims_of_any_kind_prove_somebody_or_are_refused(odd: dict[str, Any]) -> None:
    try:
        found = prove(signed({**claims(), **odd}, key("RSA")))
    except NotProven:
        return
    # what proves something has all that it is judged by
    assert found.name
    assert found.valid_until is not None
    assert found.valid_until > NOW


@given(st.integers(0, 3000), st.integers(1, 255))
def test_a_token_with_one_byte_changed_proves_nobody(at: int, change: int) -> None:
    token = bytearray(signed(claims(), key("RSA")))
    token[at % len(token)] ^= change
    with pytest.raises(NotProven):
        prove(bytes(token))


def test_patterns() -> None:
    assert matches("repo:acme/*:ref:refs/heads/main", "repo:acme/x.y-z:ref:refs/heads/main")
    assert not matches("repo:acme/*:ref:refs/heads/main", "repo:acme/x:pull:ref:refs/heads/main")
    assert not matches("repo:acme/*", "repo:acme/x/y")
    assert not matches("a.c", "abc")
    assert not matches("*", 1)
    assert not matches("a*", "a" * 1025)
    assert matches("*-*.*x", "a-b-c.d.xx")
    assert matches("*ab*:*b*b", "aab:bb")
    assert not matches("*ab*:*b*b", "aab:b")
    assert not matches("*a*a", "a:a")


@given(st.text("ab:*", max_size=8), st.text("ab:", max_size=12))
def test_patterns_as_they_are_told(pattern: str, value: str) -> None:
    plain = "[^:/]*".join(re.escape(each) for each in pattern.split("*"))
    assert matches(pattern, value) is (re.fullmatch(plain, value) is not None)


def test_no_claim_makes_matching_long() -> None:
    # whoever may have a token of an issuer that is everybody's chooses what stands in it
    before = time.monotonic()
    for pattern in ("*-*-*-*-x", "*-*-*-*", "*-*:*-*-x"):
        for value in ("-" * 1024, "-" * 1023 + "/", "-" * 512 + ":" + "-" * 511):
            matches(pattern, value)
    assert time.monotonic() - before < 1
