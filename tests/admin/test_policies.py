"""Who is left to administrate by a policy that is to hold: accounts, and whom SAML providers say."""

from types import SimpleNamespace
from typing import Any

import pytest

from wicketgate.admin.policies import _administrators
from wicketgate.admin.roles import Role, Seat
from wicketgate.model.identity import IdentityKind
from wicketgate.model.saml import SamlIssuer
from wicketgate.model.token import ServiceAccount

SEATS = (Seat(Role.ADMIN, frozenset({"chiefs"})), Seat(Role.AUDITOR, frozenset({"auditors"})))
OFFICE: Any = SimpleNamespace(admin_groups=frozenset({"admins"}), seats=SEATS)


def provider(**more: Any) -> SamlIssuer:
    return SamlIssuer("corp", "https://idp", "https://gw", "https://gw/metadata", **more)


@pytest.mark.parametrize(
    ("saml", "left"),
    [
        (provider(), {"corp"}),
        (provider(groups=None), set()),
        (provider(group_prefix="corp-"), set()),
        (provider(group_prefix="chi"), {"corp"}),
        (provider(group_prefix="audit"), set()),
    ],
)
def test_who_signs_in_by_saml_may_be_left(saml: SamlIssuer, left: set[str]) -> None:
    policy: Any = SimpleNamespace(identities={}, issuers={}, saml={"corp": saml})
    assert _administrators(OFFICE, {}, policy) == (frozenset(), left)


def test_an_admin_by_role_is_one_and_an_auditor_is_none() -> None:
    stored = {
        name: ServiceAccount(name, IdentityKind.HUMAN, frozenset({group}), "store")
        for name, group in (("ann", "admins"), ("ben", "chiefs"), ("cid", "auditors"))
    }
    policy: Any = SimpleNamespace(identities={}, issuers={}, saml={})
    assert _administrators(OFFICE, stored, policy) == ({"ann", "ben"}, frozenset())
