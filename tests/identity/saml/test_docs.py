"""The SAML set-ups of docs/identity.md load, and take responses of the shapes that the makers document."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from identity.saml.idp import assertion, judged, response, sign
from wicketgate.model.saml import SamlIssuer
from wicketgate.policy.load import load

TEXT = (Path(__file__).parents[3] / "docs" / "identity.md").read_text(encoding="utf-8")
FOUND: dict[str, SamlIssuer] = {
    name: issuer
    for block in re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)
    for name, issuer in load(block, "wicket.yaml", {}).saml.items()
}
XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def attribute(name: str, *values: str, single: bool = True) -> str:
    """As providers write them: each value typed; or the attribute again for each."""
    told = [f'<saml:AttributeValue {XS} xsi:type="xs:string">{each}</saml:AttributeValue>' for each in values]
    basic = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"
    return "".join(
        f'<saml:Attribute Name="{name}" NameFormat="{basic}">{each}</saml:Attribute>'
        for each in (["".join(told)] if single else told)
    )


def made(issuer: SamlIssuer, attributes: str, **more: Any) -> str:
    """An assertion for one of the set-ups."""
    statement = f"<saml:AttributeStatement>{attributes}</saml:AttributeStatement>"
    return assertion(
        audience=issuer.our_id,
        recipient=issuer.acs,
        issuer=issuer.entity_id,
        groups=None,
        more=statement,
        **more,
    )


def around(issuer: SamlIssuer, inner: str) -> str:
    return response(inner, destination=issuer.acs, issuer=issuer.entity_id)


CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
GROUPS = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"


def okta(issuer: SamlIssuer) -> str:
    return sign(around(issuer, sign(made(issuer, attribute("groups", "Everyone", "Data Base", "dba")))))


def entra(issuer: SamlIssuer) -> str:
    told = (
        attribute("http://schemas.microsoft.com/identity/claims/tenantid", "1111")
        + attribute(GROUPS, "bbbbbbbb-0000-1111-2222-cccccccccccc")
        + attribute(f"{CLAIMS}/name", "ana@example.com")
    )
    return around(issuer, sign(made(issuer, told, name="AAAA", session=None)))


def google(issuer: SamlIssuer) -> str:
    return sign(around(issuer, made(issuer, attribute("groups", "Data", "staff"), session=None)))


def keycloak(issuer: SamlIssuer) -> str:
    inner = made(issuer, attribute("groups", "dba", "staff", single=False), name="ana", session=36_000)
    return sign(around(issuer, sign(inner)))


def simplesamlphp(issuer: SamlIssuer) -> str:
    told = attribute("mail", "ana@example.com") + attribute("groups", "readers")
    return sign(
        around(issuer, sign(made(issuer, told, form="urn:oasis:names:tc:SAML:2.0:nameid-format:transient")))
    )


SHAPES = {
    "okta": (okta, "ana@example.com", {"Everyone", "dba"}),
    "entra": (entra, "ana@example.com", {"bbbbbbbb-0000-1111-2222-cccccccccccc"}),
    "google-people": (google, "ana@example.com", {"Data", "staff"}),
    "keycloak-people": (keycloak, "ana", {"dba", "staff"}),
    "simplesamlphp": (simplesamlphp, "ana@example.com", {"readers"}),
}


def test_there_is_a_shape_for_each() -> None:
    assert set(FOUND) == set(SHAPES)


@pytest.mark.parametrize("name", SHAPES)
def test_a_makers_response_is_taken(name: str) -> None:
    shape, person, groups = SHAPES[name]
    found = judged(shape(FOUND[name]), FOUND[name])
    assert (found.name, found.groups) == (person, groups)
