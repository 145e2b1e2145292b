"""`identity: saml:`: what is read, and a message with line and column for everything that is wrong."""

import pytest

from wicketgate.model.errors import PolicyError
from wicketgate.model.saml import DEFAULT_ALGORITHMS, SamlIssuer, Signed
from wicketgate.policy.load import load, load_shipped

GOOD = """\
identity:
  saml:
    corp:
      entity_id: https://idp.example.com
      metadata: idp.xml
      gateway: https://gw.example.com:18443
      groups: memberOf
"""
WHOLE = """\
identity:
  saml:
    corp:
      entity_id: https://idp.example.com
      gateway: https://gw.example.com
      our_id: urn:wicketgate
      sso: https://idp.example.com/sso?x=1
      certificates: [one.pem, two.pem]
      name: mail
      groups: none
      prefix: c.
      group_prefix: c-
      signed: both
      encrypted: true
      algorithms: [rsa-sha256, rsa-sha1]
      sign_requests: true
      idp_initiated: true
      skew: 1m
      longest: 2h
"""


def test_little_says_much() -> None:
    policy = load(GOOD, "etc/wicket.yaml", {})
    found = policy.saml["corp"]
    assert found == SamlIssuer(
        "corp",
        "https://idp.example.com",
        "https://gw.example.com:18443",
        "https://gw.example.com:18443/api/v1/saml/corp/metadata",
        metadata="etc/idp.xml",
        groups="memberOf",
    )
    assert found.acs == "https://gw.example.com:18443/api/v1/saml/corp/acs"
    assert (found.signed, found.idp_initiated, found.skew, found.longest) == (
        Signed.EITHER,
        False,
        30,
        28_800,
    )
    assert "rsa-sha1" not in found.algorithms
    assert found.algorithms == DEFAULT_ALGORITHMS
    assert load_shipped(policy.shipped, {}).saml == policy.saml


def test_all_that_can_be_said() -> None:
    found = load(WHOLE, "wicket.yaml", {}).saml["corp"]
    assert found == SamlIssuer(
        "corp",
        "https://idp.example.com",
        "https://gw.example.com",
        "urn:wicketgate",
        sso="https://idp.example.com/sso?x=1",
        certificates=("one.pem", "two.pem"),
        names="mail",
        groups=None,
        prefix="c.",
        group_prefix="c-",
        signed=Signed.BOTH,
        encrypted=True,
        algorithms=frozenset({"rsa-sha256", "rsa-sha1"}),
        sign_requests=True,
        idp_initiated=True,
        skew=60,
        longest=7200,
    )


def test_another_provider_is_another_policy() -> None:
    assert load(GOOD, "a", {}).digest != load(GOOD.replace("memberOf", "groups"), "a", {}).digest


OTHER = GOOD.partition("saml:\n")[2].replace("corp", "more")
WRONG = {
    "an unknown key": (GOOD + "      signd: both\n", "8:7: .*no key 'signd'; did you mean 'signed'"),
    "no entity_id": (GOOD.replace("entity_id", "x"), "4:7: .*entity_id"),
    "no groups": (GOOD.replace("      groups: memberOf\n", ""), "4:7: .*needs 'groups'"),
    "no keys": (GOOD.replace("      metadata: idp.xml\n", ""), "needs metadata, or sso and certificates"),
    "keys without an address": (
        GOOD.replace("metadata: idp.xml", "certificates: [a.pem]"),
        "needs metadata, or sso and certificates",
    ),
    "both": (GOOD + "      sso: https://idp/\n", "8:12: metadata says the sso"),
    "plain http": (GOOD.replace("https://gw", "http://gw"), "6:16: gateway"),
    "plain http on loopback": (
        GOOD.replace("https://gw.example.com", "http://127.0.0.1"),
        "6:16: gateway must be https",
    ),
    "a path": (GOOD.replace(":18443", ":18443/api"), "6:16: gateway must be https"),
    "a name and password": (
        GOOD.replace("https://gw", "https://a:b@gw"),
        "6:16: gateway: it must hold no name",
    ),
    "an sso of plain http": (
        GOOD.replace("metadata: idp.xml", "sso: http://idp/\n      certificates: [a]"),
        "5:12: sso",
    ),
    "none as an algorithm": (GOOD + "      algorithms: [none]\n", "8:20: an algorithm can't be 'none'"),
    "a MAC": (GOOD + "      algorithms: [hmac-sha256]\n", "an algorithm can't be 'hmac-sha256'"),
    "text for true": (GOOD + '      encrypted: "yes"\n', "8:18: encrypted must be true or false"),
    "a wrong signature": (GOOD + "      signed: none\n", "8:15: signed can't be 'none'"),
    "a long skew": (GOOD + "      skew: 1h\n", "8:13: skew must be like"),
    "a long sign-in": (GOOD + "      longest: 48h\n", "8:16: longest must be like"),
    "a prefix with a space": (GOOD + "      prefix: 'a b'\n", "8:15: prefix"),
    "a wrong name": (GOOD.replace("corp:", "'a/b':"), "3:5: the identity provider 'a/b'"),
    "one prefix twice": (GOOD + OTHER.replace("https://idp.e", "https://other.e"), "have one prefix"),
    "one entity_id twice": (GOOD + OTHER + "      prefix: m.\n", "have one entity_id"),
    "an issuer of that prefix": (
        GOOD + "  issuers: {people: {url: 'https://login.example.com', audiences: [x]}}\n",
        "'corp' and 'people' have one prefix",
    ),
    "an issuer of that name": (
        GOOD + "  issuers: {corp: {url: 'https://login.example.com', audiences: [x], prefix: o.}}\n",
        "'corp' is among issuers too",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told_with_its_place(case: str) -> None:
    text, message = WRONG[case]
    with pytest.raises(PolicyError, match=message) as told:
        load(text, "wicket.yaml", {})
    assert str(told.value).startswith("wicket.yaml:")
