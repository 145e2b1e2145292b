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
    assert stage.who.still_holds(found, "sales", NOW, "") == found
    stage.identities["bot"] = {**stage.identities["bot"], "groups": ["dba"]}
    again = stage.who.still_holds(found, "sales", NOW, "")
    assert again is not None
    assert again.groups == frozenset({"dba"})
    stage.put(replace(stage.record, revoked=NOW))
    assert stage.who.still_holds(found, "sales", NOW, "") is None
    stage.tokens.clear()
    assert stage.who.still_holds(found, "sales", NOW, "") is None
    stage.put(stage.record)
    assert stage.who.still_holds(found, "sales", NOW, "") is not None
    del stage.identities["bot"]
    assert stage.who.still_holds(found, "sales", NOW, "") is None
    assert stage.who.still_holds(replace(found, credential_id=None), "sales", NOW, "") is None


SOURCES = [
    (["10.0.0.0/8"], "10.0.0.1", True),
    (["10.0.0.0/8"], "11.0.0.1", False),
    (["10.0.0.0/8"], "::ffff:10.0.0.1", True),
    (["10.0.0.0/8"], "::ffff:11.0.0.1", False),
    (["10.0.0.0/8"], "::10.0.0.1", False),
    (["10.0.0.0/8", "2001:db8::/32"], "2001:db8::7", True),
    (["2001:db8::/32"], "2001:db9::7", False),
    (["2001:db8::/32"], "10.0.0.1", False),
    (["0.0.0.0/0"], "2001:db8::7", False),
    (["10.0.0.1/32"], "10.0.0.2", False),
    (["10.0.0.0/8"], "", False),
    (["10.0.0.0/8"], "10.0.0.1:5432", False),
    (["10.0.0.0/8"], "10.0.0.1 ", False),
    (["10.0.0.0/8"], "010.0.0.1", False),
    (["10.0.0.0/8"], "localhost", False),
    ([], "anywhere", True),
]


@pytest.mark.parametrize(("networks", "source", "holds"), SOURCES)
def test_where_a_token_may_come_from(networks: list[str], source: str, holds: bool) -> None:
    stage = Stage(networks=frozenset(networks))
    claim = replace(stage.claim(), source=source)
    found = stage.who.authenticate(claim, NOW)
    assert (found is not None) is holds
    assert (stage.who.bearer(stage.secret, source, NOW) is not None) is holds
    assert stage.who.reason(claim, NOW) == ("" if holds else "the token is not for this source network")
    inside = Stage(networks=frozenset(networks))
    open_session = inside.who.authenticate(replace(inside.claim(), source="10.0.0.1"), NOW)
    if open_session is not None:
        assert (inside.who.still_holds(open_session, "sales", NOW, source) is not None) is holds


def test_a_session_s_network_is_asked_again() -> None:
    stage = Stage(networks=frozenset({"10.0.0.0/8"}))
    found = stage.who.authenticate(stage.claim(), NOW)
    assert found is not None
    assert stage.who.still_holds(found, "sales", NOW, "10.0.0.1") == found
    stage.put(replace(stage.record, networks=frozenset({"192.0.2.0/24"})))
    assert stage.who.still_holds(found, "sales", NOW, "10.0.0.1") is None


@pytest.mark.parametrize("network", ["10.0.0.1/8", "10.0.0.0/33", "all", "", "10.0.0.0/8,11.0.0.0/8", "10.*"])
def test_what_is_no_network(network: str) -> None:
    with pytest.raises(ValueError, match="network"):
        tokens.issue("bot", NOW, os.urandom, networks=frozenset({network}))


@pytest.mark.parametrize("missing", ["rules", "networks", "task", "resources", "exchange"])
def test_a_record_without_its_scope_proves_nothing(missing: str) -> None:
    stage = Stage()
    del stage.tokens[stage.record.hash][missing]
    assert stage.who.authenticate(stage.claim(), NOW) is None
