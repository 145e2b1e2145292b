"""A token that was given for a sign-in proves that person, as long as the provider is trusted for it."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from identity.saml.idp import ENTITY, ISSUER, NOW
from wicketgate.identity import tokens
from wicketgate.identity.authenticate import Authenticator
from wicketgate.identity.issuers import IssuerTokens
from wicketgate.model.identity import Claim, Identity, IdentityKind
from wicketgate.model.issuer import Acceptance, Issuer
from wicketgate.model.saml import SamlIssuer, SignedInBy
from wicketgate.model.token import ServiceAccount

ANA = "ana@example.com"
HOUR = 3600 * 10**9
SECRET, RECORD = tokens.issue(
    ANA, NOW, os.urandom, expires=NOW + HOUR, proven=SignedInBy("corp", ENTITY, "ana", frozenset({"dba"}))
)
CLAIM = Claim(ANA, "sales", SECRET, "10.0.0.1")


def proving(
    saml: dict[str, SamlIssuer] | None = None,
    accounts: dict[str, Any] | None = None,
    issuers: dict[str, Issuer] | None = None,
    **changed: Any,
) -> Authenticator:
    fields = {**RECORD.replicated(), **changed}
    trusted = IssuerTokens(issuers or {}, {}, {"corp": ISSUER} if saml is None else saml)
    return Authenticator({RECORD.hash: fields}, accounts or {}, trusted)


def test_who_it_proves() -> None:
    found = proving().authenticate(CLAIM, NOW)
    assert found == Identity(
        name=ANA,
        subject="ana",
        issuer=ENTITY,
        kind=IdentityKind.HUMAN,
        how="saml",
        groups=frozenset({"dba"}),
        credential_id=RECORD.id,
        valid_until=NOW + HOUR,
    )
    assert proving().bearer(SECRET, "10.0.0.1", NOW) == found
    assert found is not None
    assert proving().still_holds(found, "sales", NOW, None) == found


ACCOUNT = {ANA: ServiceAccount(ANA, IdentityKind.HUMAN, frozenset({"admins"})).replicated()}
PEOPLE = Issuer("people", "https://login.example.com", frozenset({"x"}), prefix="ana@")
FIXED = replace(PEOPLE, prefix="o.", accept=(Acceptance("*", (), ANA),))
NO_MORE: dict[str, dict[str, Any]] = {
    "nobody is trusted": {"saml": {}},
    "another entity by that name": {"saml": {"corp": replace(ISSUER, entity_id="https://other")}},
    "another name in the policy": {"saml": {"other": replace(ISSUER, name="other")}},
    "names begin otherwise": {"saml": {"corp": replace(ISSUER, prefix="c.")}},
    "groups begin otherwise": {"saml": {"corp": replace(ISSUER, group_prefix="c-")}},
    "it gives no groups": {"saml": {"corp": replace(ISSUER, groups=None)}},
    "for too long": {"saml": {"corp": replace(ISSUER, longest=3599)}},
    "an account has the name": {"accounts": ACCOUNT},
    "another issuer's name by prefix": {"issuers": {"people": PEOPLE}},
    "another issuer's name by identity": {"issuers": {"people": FIXED}},
    "another provider's name": {
        "saml": {"corp": ISSUER, "two": replace(ISSUER, name="two", entity_id="x", prefix="an")}
    },
    "a record without an end": {"expires": None},
    "a record that can't be read": {"proven": {"issuer": "corp"}},
    "a record of nothing": {"proven": []},
    "revoked": {"revoked": NOW},
}


@pytest.mark.parametrize("case", NO_MORE)
def test_when_it_proves_nobody(case: str) -> None:
    known = proving().authenticate(CLAIM, NOW)
    assert known is not None
    now = proving(**NO_MORE[case])
    assert now.authenticate(CLAIM, NOW) is None
    assert now.bearer(SECRET, "10.0.0.1", NOW) is None
    assert now.still_holds(known, "sales", NOW, None) is None
    assert now.reason(CLAIM, NOW) != ""


def test_it_proves_nobody_else_and_not_for_longer() -> None:
    assert proving().authenticate(replace(CLAIM, identity="root"), NOW) is None
    assert proving().authenticate(CLAIM, NOW + HOUR) is None
    account = {"root": ServiceAccount("root", IdentityKind.HUMAN, frozenset({"admins"})).replicated()}
    assert proving(accounts=account).authenticate(replace(CLAIM, identity="root"), NOW) is None


def test_an_accounts_token_is_an_accounts() -> None:
    """It does not become somebody's from outside, whoever is trusted."""
    assert proving(proven=None).authenticate(CLAIM, NOW) is None
    found = proving(proven=None, accounts=ACCOUNT).authenticate(CLAIM, NOW)
    assert found is not None
    assert (found.how, found.groups) == ("token", frozenset({"admins"}))
