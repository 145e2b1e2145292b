"""The authenticator: who is let in, and that the same steps are taken for whoever is not."""

import os
from dataclasses import replace
from typing import Any

import pytest

from wicketgate.identity import authenticate as module
from wicketgate.identity import tokens
from wicketgate.identity.authenticate import Authenticator
from wicketgate.model.identity import Claim, IdentityKind
from wicketgate.model.secret import Secret
from wicketgate.model.token import ServiceAccount, TokenRecord

NOW = 1_800_000_000_000_000_000


class Stage:
    def __init__(self, **options: Any) -> None:
        self.secret, self.record = tokens.issue("bot", NOW, os.urandom, **options)
        self.tokens: dict[str, dict[str, Any]] = {}
        self.identities = {
            "bot": ServiceAccount("bot", IdentityKind.AGENT, frozenset({"crew"})).replicated(),
            "other": ServiceAccount("other").replicated(),
        }
        self.put(self.record)
        self.who = Authenticator(self.tokens, self.identities)

    def put(self, record: TokenRecord) -> None:
        self.tokens[record.hash] = record.replicated()

    def claim(self, name: str = "bot", resource: str = "sales", secret: Secret | None = None) -> Claim:
        return Claim(
            name,
            resource,
            self.secret if secret is None else secret,
            "10.0.0.1",
            claimed={"application_name": "x"},
        )


def test_a_good_token_proves_its_identity() -> None:
    stage = Stage(expires=NOW + 10)
    found = stage.who.authenticate(stage.claim(), NOW)
    assert found is not None
    assert (found.name, found.kind, found.groups) == ("bot", IdentityKind.AGENT, frozenset({"crew"}))
    assert (found.how, found.issuer, found.credential_id) == ("token", "local", stage.record.id)
    assert found.valid_until == NOW + 10
    assert found.claimed == {"application_name": "x"}


def test_what_proves_nothing() -> None:
    stage = Stage(expires=NOW + 10, resources=frozenset({"sales"}))
    who = stage.who
    assert who.authenticate(stage.claim("other"), NOW) is None
    assert who.authenticate(stage.claim("nobody"), NOW) is None
    assert who.authenticate(stage.claim("\udcff"), NOW) is None
    assert who.authenticate(stage.claim(resource="hr"), NOW) is None
    assert who.authenticate(stage.claim(), NOW + 10) is None
    unknown, _ = tokens.issue("bot", NOW, os.urandom)
    for secret in (
        unknown,
        Secret(b""),
        Secret(b"wkt_"),
        Secret(stage.record.hash.encode()),
        Secret(b"\xff" * 53),
    ):
        assert who.authenticate(stage.claim(secret=secret), NOW) is None
    stage.put(replace(stage.record, revoked=NOW))
    assert who.authenticate(stage.claim(), NOW) is None
    stage.put(stage.record)
    assert who.authenticate(stage.claim(), NOW) is not None
    stage.identities["bot"] = {**stage.identities["bot"], "disabled": 1}
    assert who.authenticate(stage.claim(), NOW) is None


def test_an_empty_name_and_the_stand_ins_prove_nothing() -> None:
    who = Authenticator({}, {})
    assert who.authenticate(Claim("", "", Secret(b""), ""), -1) is None


@pytest.mark.parametrize(
    "broken", [{}, {"identity": "bot"}, {"identity": None}, {"id": 1, "expires": "soon"}]
)
def test_a_record_that_cannot_be_read_proves_nothing(broken: dict[str, Any]) -> None:
    stage = Stage()
    stage.tokens[stage.record.hash] = broken
    assert stage.who.authenticate(stage.claim(), NOW) is None


def test_the_same_work_is_done_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Independence of time, told by the steps: one hash of the secret, one comparison of names."""
    steps: list[str] = []
    for name in ("hash_of", "parse", "_same"):
        true = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *args, _true=true, _name=name: (steps.append(_name), _true(*args))[1]
        )
    stage = Stage()
    unknown, _ = tokens.issue("bot", NOW, os.urandom)
    taken = set()
    for claim in (
        stage.claim(),
        stage.claim("nobody"),
        stage.claim("other"),
        stage.claim(secret=unknown),
        stage.claim(secret=Secret(b"short")),
        stage.claim("nobody", secret=Secret(b"")),
    ):
        steps.clear()
        stage.who.authenticate(claim, NOW)
        taken.add(tuple(steps))
    assert taken == {("parse", "hash_of", "_same")}


def test_an_open_session_is_proven_again() -> None:
    stage = Stage()
    found = stage.who.authenticate(stage.claim(), NOW)
    assert found is not None
    assert stage.who.still_holds(found, "sales", NOW) == found
    stage.identities["bot"] = {**stage.identities["bot"], "groups": ["dba"]}
    again = stage.who.still_holds(found, "sales", NOW)
    assert again is not None
    assert again.groups == frozenset({"dba"})
    stage.put(replace(stage.record, revoked=NOW))
    assert stage.who.still_holds(found, "sales", NOW) is None
    stage.tokens.clear()
    assert stage.who.still_holds(found, "sales", NOW) is None
    stage.put(stage.record)
    assert stage.who.still_holds(found, "sales", NOW) is not None
    del stage.identities["bot"]
    assert stage.who.still_holds(found, "sales", NOW) is None
    assert stage.who.still_holds(replace(found, credential_id=None), "sales", NOW) is None
