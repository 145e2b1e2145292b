"""Whom an account of a chat system stands for, by what an issuer proved of him last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from wicketgate.admin.chat import _used
from wicketgate.model.identity import IdentityKind
from wicketgate.model.issuer import Acceptance, Issuer
from wicketgate.model.usage import Member, Shape

URL = "https://id.example.com"
PEOPLE = Issuer("people", URL, frozenset({"wicketgate"}))
WHO = Member("ida", URL, "human", "ida-7", frozenset({"dba", "crew"}))


class History:
    """One use, a while ago, and in which groups he is now."""

    async def uses(self, since: int, identity: str | None = None) -> tuple[list[Any], bool]:
        shape = Shape(WHO, "oidc", "sales", "sales", "reader", ("r",), frozenset({"read"}))
        return [SimpleNamespace(last=since + 1, shape=shape)], False

    async def members(self) -> list[Member]:
        return [replace(WHO, groups=frozenset({"dba", "new"}))]


async def groups(issuers: Mapping[str, Issuer]) -> frozenset[str] | None:
    policy = SimpleNamespace(issuers=issuers)
    office: Any = SimpleNamespace(control=SimpleNamespace(policy=lambda: policy), history=History())
    found = await _used(office, "ida", 1)
    return None if found is None else found[1]


async def test_by_an_issuer_that_is_trusted_still() -> None:
    assert await groups({"people": PEOPLE}) == {"dba"}
    named = replace(PEOPLE, prefix="corp.", accept=(Acceptance("ida-7", identity="ida"),))
    assert await groups({"people": named}) == {"dba"}


@pytest.mark.parametrize(
    "changed",
    [
        {"url": "https://other.example.com"},
        {"kind": IdentityKind.SERVICE},  # it was found out that machines get tokens there too
        {"kind": IdentityKind.AGENT},
        {"prefix": "corp."},  # it may name nobody so any more
        {"prefix": "corp.", "accept": (Acceptance("ben-1", identity="ben"),)},
    ],
)
async def test_by_none_that_would_not_prove_him_now(changed: dict[str, Any]) -> None:
    assert await groups({"people": replace(PEOPLE, **changed)}) is None
