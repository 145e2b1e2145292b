"""Token exchange (RFC 8693): driven by Authlib, and tried to be widened, outlived and chained."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from authlib.integrations.requests_client import OAuth2Session

from api.stage import Answer, Remote
from api.stage import ask as send
from identity.issuer import claims, key, published, signed
from wicketgate.identity.authenticate import Authenticator
from wicketgate.identity.issuers import IssuerTokens
from wicketgate.model.identity import Claim, Identity, IdentityKind
from wicketgate.model.secret import Secret
from wicketgate.model.token import ServiceAccount

PATH = "/api/v1/oauth/token"
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"
SECOND = 1_000_000_000

TRUSTED = """\
identity:
  issuers:
    people:
      url: https://id.example.com
      audiences: [wicketgate]
    machines:
      url: https://machines.example.com
      audiences: [wicketgate]
      kind: agent
      prefix: m.
"""


def now_s() -> int:
    return int(time.time())


def human(**more: Any) -> str:
    """A token of a person whom the issuer alone knows."""
    fields = {"sub": "ana", "groups": ["staff"], "iat": now_s() - 10, "exp": now_s() + 300, **more}
    said = {name: None if value is NULL else value for name, value in claims(**fields).items()}
    return signed(said, key("RSA")).decode()


NULL: dict[str, Any] = {"": None}
"""In place of a claim's value: null, where None leaves the claim out."""


def machine(**more: Any) -> str:
    fields = {"iss": "https://machines.example.com", "sub": "worker", "groups": ["crew"], **more}
    return human(**fields)


@pytest.fixture
def house(remote: Remote) -> Remote:
    stage = remote.stage
    trusted = issuers_of(TRUSTED)
    keys = {
        name: {"source": each.source, "until": time.time_ns() * 2, "keys": published(key("RSA"))}
        for name, each in trusted.items()
    }
    stage.issuers = IssuerTokens(trusted, keys)
    stage.control.exchanges = lambda agent: "crew" in agent.groups
    stage.filed += [
        ServiceAccount("ben", IdentityKind.HUMAN, frozenset({"staff"}), "file"),
        ServiceAccount("crewed", IdentityKind.HUMAN, frozenset({"crew"}), "file"),
        ServiceAccount("idle", IdentityKind.AGENT, frozenset({"other"}), "file"),
    ]
    return remote


def issuers_of(text: str) -> Any:
    from wicketgate.policy.load import load

    return load(text, "wicket.yaml", {}).issuers


def ask(
    house: Remote,
    bearer: str | None = None,
    headers: dict[str, str] | None = None,
    far: bool = False,
    **fields: Any,
) -> Answer:
    """far: over TLS, from 127.0.0.1."""
    form = {
        "grant_type": GRANT,
        "subject_token_type": JWT if "." in str(fields.get("subject_token", "")) else ACCESS,
        "purpose": "weekly report",
        "audience": "sales",
        **fields,
    }
    if form.get("actor_token"):
        form.setdefault("actor_token_type", JWT if "." in form["actor_token"] else ACCESS)
    kept = {name: value for name, value in form.items() if value is not None}
    body = urlencode(kept, doseq=True).encode()
    content = {"content-type": "application/x-www-form-urlencoded", **(headers or {})}
    if far:
        return house.ask("POST", PATH, body, token=bearer, headers=content)
    return send(house.settings.socket, "POST", PATH, body, token=bearer, headers=content)


def judged(
    house: Remote, issued: dict[str, Any], resource: str = "sales", at: int | None = None
) -> Identity | None:
    """Whom the new token proves to a worker, by what was replicated to it; and, by its id alone, to the
    control process that is asked for a secret."""
    tokens: dict[str, Any] = {}
    revoked = set()
    for section, name, value in house.stage.control.puts:
        if section == "tokens" and value is not None:
            tokens[name] = value
        elif section == "tokens":
            tokens.pop(name, None)
        elif section == "revoked":
            revoked.add(name)
    accounts = {each.name: each.replicated() for each in house.stage.filed}
    who = Authenticator(tokens, accounts, house.stage.issuers)
    claim = Claim(issued["identity"], resource, Secret(issued["access_token"].encode()), "10.0.0.1")
    now = time.time_ns() if at is None else at
    found = who.authenticate(claim, now)
    bare = Identity(claim.identity, "", "", IdentityKind.SERVICE, "token", credential_id=issued["token_id"])
    again = who.still_holds(bare, resource, now, None)
    assert (again is None) == (found is None)
    assert again is None or found is None or replace(again, claimed=found.claimed) == found
    return found


def test_a_standard_client_exchanges(house: Remote) -> None:
    """Authlib's OAuth2Session; a person whom an issuer alone knows, and an agent with an account."""
    agent = house.issue("bot")
    assert house.handle.port is not None
    session = OAuth2Session(token_endpoint_auth_method="none", client_id="bot")
    found = session.fetch_token(
        f"https://localhost:{house.handle.port}{PATH}",
        verify=house.ca,
        grant_type=GRANT,
        subject_token=human(),
        subject_token_type=JWT,
        actor_token=agent,
        actor_token_type=ACCESS,
        audience="sales",
        scope="read",
        purpose="weekly report",
        crew="crew",
        task="t-42",
        relations="public.orders",
        rows="100",
    )
    assert (found["token_type"], found["issued_token_type"], found["scope"]) == ("Bearer", ACCESS, "read")
    assert 200 < found["expires_in"] <= 300, "no longer than the person's own token"
    who = judged(house, found)
    assert who is not None
    assert (who.name, who.how, who.behalf, who.task, who.crew, who.agent) == (
        "bot", "exchange", "ana", "t-42", "crew", "bot",
    )  # fmt: skip
    assert who.human is not None
    assert (who.human.name, who.human.groups, who.human.issuer, who.human.how) == (
        "ana", {"staff"}, "https://id.example.com", "oidc",
    )  # fmt: skip
    assert who.declared is not None
    assert (who.declared.rows, who.declared.relations) == (100, {"public.orders"})
    shown = house.ask("GET", "/api/v1/whoami", token=found["access_token"]).json
    assert (shown["task"]["behalf"], shown["exchange"]["human"]["issuer"]) == ("ana", "people")
    assert shown["administrator"] is False
    [record] = [each for each in house.stage.control.records if each["do"] == "tokens.exchange"]
    assert (record["by"], record["human"]["name"], record["human"]["how"]) == ("bot", "ana", "oidc")
    kept = json.dumps(house.stage.control.records) + repr(house.stage.logged)
    for secret in (found["access_token"], agent):
        assert secret not in kept


def test_an_issuer_s_agent_for_an_issuer_s_person(house: Remote) -> None:
    """Nobody of them has an account here; the agent is known by its bearer."""
    answer = ask(house, bearer=machine(), subject_token=human())
    assert answer.status == 200, answer.body
    assert answer.headers["cache-control"] == "no-store"
    who = judged(house, answer.json)
    assert who is not None
    assert (who.name, who.kind, who.groups, who.behalf) == ("m.worker", IdentityKind.AGENT, {"crew"}, "ana")
    assert who.proof is None
    assert who.valid_until is not None
    assert house.ask("GET", "/api/v1/whoami", token=answer.json["access_token"]).json["name"] == "m.worker"


def test_it_ends_with_what_it_was_made_of(house: Remote) -> None:
    """A token of ours revoked, a key withdrawn, an issuer gone, an account disabled: the agent is out."""
    mine, his = house.issue("bot"), house.issue("ben", kind="human")
    made = [ask(house, actor_token=mine, subject_token=each).json for each in (his, human())]
    from_machine = ask(house, actor_token=machine(), subject_token=human()).json
    assert all(judged(house, each) for each in (*made, from_machine))
    for each, other in ((his, made[0]), (mine, made[1])):
        credential = house.ask("GET", "/api/v1/whoami", token=each).json["credential_id"]
        admin = house.issue("root-bot")
        assert house.ask("DELETE", f"/api/v1/tokens/{credential}", token=admin).status == 200
        assert judged(house, other) is None
        assert house.ask("GET", "/api/v1/whoami", token=other["access_token"]).status == 401
    assert judged(house, from_machine) is not None
    trusted = issuers_of(TRUSTED)
    others = {
        name: {"source": each.source, "until": time.time_ns() * 2, "keys": published(key("RSA", "two"))}
        for name, each in trusted.items()
    }
    before = house.stage.issuers
    for now_trusted in (IssuerTokens(trusted, others), IssuerTokens({}, {})):
        house.stage.issuers = now_trusted
        assert judged(house, from_machine) is None
    house.stage.issuers = before
    assert judged(house, from_machine, at=time.time_ns() + 301 * SECOND) is None
    assert judged(house, from_machine) is not None


def test_it_ends_when_the_agent_leaves_its_crew(house: Remote) -> None:
    def filed(*groups: str) -> ServiceAccount:
        return ServiceAccount("leaver", IdentityKind.AGENT, frozenset(groups), "file")

    house.stage.filed.append(filed("crew", "more"))
    mine = house.issue("leaver")
    crewed = ask(house, actor_token=mine, subject_token=human(), crew="crew").json
    plain = ask(house, actor_token=mine, subject_token=human()).json
    house.stage.filed[-1] = filed("crew")
    assert judged(house, crewed)
    assert judged(house, plain)
    house.stage.filed[-1] = filed("more")
    assert judged(house, crewed) is None
    assert judged(house, plain)


def test_it_ends_when_the_shortest_does(house: Remote) -> None:
    brief, long = house.issue("bot", lifetime=60), house.issue("bot", lifetime=3600)
    his = house.issue("ben", kind="human", lifetime=7200)
    for actor, subject, more, most in (
        (brief, his, {}, 60),
        (long, his, {}, 900),
        (long, his, {"ttl": "7000"}, 3600),
        (long, human(), {"ttl": "86400"}, 300),
        (long, his, {"ttl": "5"}, 5),
    ):
        found = ask(house, actor_token=actor, subject_token=subject, **more).json
        assert most - 5 <= found["expires_in"] <= most
        assert judged(house, found, at=time.time_ns() + (most + 1) * SECOND) is None


INVALID, ANOTHER, TARGET = "invalid_request", "unauthorized_client", "invalid_target"
REFRESH = ACCESS.replace("access", "refresh")
ELSEWHERE = {"sub": "bot", "iss": "https://elsewhere.example.com"}
AND_MORE = {"sub": "bot", "email": "bot@example.com"}


def forged() -> str:
    return signed(claims(iat=now_s(), exp=now_s() + 60), key("RSA", "another")).decode()


def unsigned() -> str:
    return "eyJhbGciOiJub25lIn0." + human().split(".")[1] + "."


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("no such grant", {"grant_type": "client_credentials"}, "unsupported_grant_type"),
    ("no grant", {"grant_type": None}, INVALID),
    ("no subject", {"subject_token": None}, INVALID),
    ("no type", {"subject_token_type": None}, INVALID),
    ("another type", {"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, INVALID),
    ("no agent", {"actor_token": None}, INVALID),
    ("a refresh token wanted", {"requested_token_type": REFRESH}, INVALID),
    ("a human of no issuer", {"subject_token": "wkt_" + "0" * 49}, INVALID),
    ("expired", {"subject_token": lambda: human(exp=now_s() - 1)}, INVALID),
    ("another audience", {"subject_token": lambda: human(aud="other")}, INVALID),
    ("signed by another", {"subject_token": forged}, INVALID),
    ("alg none", {"subject_token": unsigned}, INVALID),
    ("an agent as the human", {"subject_token": machine}, INVALID),
    ("a human as the agent", {"actor_token": human}, ANOTHER),
    ("another client_id", {"client_id": "root-bot"}, ANOTHER),
    ("acts already (JWT)", {"subject_token": lambda: human(act={"sub": "x"})}, INVALID),
    ("the agent acts already (JWT)", {"actor_token": lambda: machine(act={"sub": "x"})}, INVALID),
    ("another may act", {"subject_token": lambda: human(may_act={"sub": "other"})}, INVALID),
    ("may act elsewhere", {"subject_token": lambda: human(may_act=ELSEWHERE)}, INVALID),
    ("may act, and more", {"subject_token": lambda: human(may_act=AND_MORE)}, INVALID),
    ("may act is null", {"subject_token": lambda: human(may_act=NULL)}, INVALID),
    ("may act is no object", {"subject_token": lambda: human(may_act="bot")}, INVALID),
    ("no resource", {"audience": None}, TARGET),
    ("unknown resource", {"audience": "payroll"}, TARGET),
    ("one of two unknown", {"audience": ["sales", "payroll"]}, TARGET),
    ("another URI", {"audience": None, "resource": "https://sales"}, TARGET),
    ("no effect", {"scope": "read everything"}, "invalid_scope"),
    ("an effect that can't be declared", {"scope": "unknown"}, INVALID),
    ("a crew that it is not of", {"crew": "admins"}, INVALID),
    ("no purpose", {"purpose": None}, INVALID),
    ("a purpose in two lines", {"purpose": "a\nb"}, INVALID),
    ("a token as the purpose", {"purpose": "wkt_" + "a" * 49}, INVALID),
    ("twice", {"purpose": ["a", "b"]}, INVALID),
    ("ttl of nought", {"ttl": "0"}, INVALID),
    ("ttl of years", {"ttl": "99999999"}, INVALID),
    ("ttl in other digits", {"ttl": "\u0661"}, INVALID),
    ("rows below nought", {"rows": "-1"}, INVALID),
    ("a relation without its schema", {"relations": "orders"}, INVALID),
    ("relations that are no list", {"relations": '[{"a": 1}]'}, INVALID),
    ("relations cut short", {"relations": '["a.b"'}, INVALID),
    ("a rule that is not there", {"rules": '["who knows"]'}, INVALID),
    ("no network", {"networks": "10.0.0.0/33"}, INVALID),
    ("a task that is no name", {"task": "../x"}, INVALID),
]  # fmt: skip


def test_what_is_refused(house: Remote) -> None:
    """In OAuth's shape, and never telling what was sent."""
    mine = house.issue("bot")
    before = len(house.stage.control.puts)
    for name, fields, code in REFUSED:
        made = {key: value() if callable(value) else value for key, value in fields.items()}
        house.stage.control.attempts = type(house.stage.control.attempts)(lambda: house.stage.control.clock)
        answer = ask(house, **{"actor_token": mine, "subject_token": human(), **made})
        assert (answer.status, answer.json["error"]) == (400, code), (name, answer.body)
        assert answer.headers["cache-control"] == "no-store"
        assert set(answer.json) == {"error", "error_description"}
        assert "wkt_" not in answer.json["error_description"]
    assert len(house.stage.control.puts) == before, "nothing was issued"


def test_the_agent_is_proven_once_and_by_what_is_good(house: Remote) -> None:
    mine = house.issue("bot")
    assert ask(house, bearer=mine, actor_token=mine, subject_token=human()).json["error"] == "invalid_request"
    bad = ask(house, bearer="wkt_" + "0" * 49, subject_token=human())
    assert (bad.status, bad.json["error"]) == (401, "invalid_client")
    assert bad.headers["www-authenticate"].startswith("Bearer")
    basic = ask(house, headers={"authorization": "Basic Ym90OmJvdA=="}, subject_token=human())
    assert (basic.status, basic.json["error"]) == (401, "invalid_client")
    in_address = house.ask("POST", f"{PATH}?subject_token={human()}&actor_token={mine}", b"", token=None)
    assert in_address.json["error"] == "invalid_request"
    as_json = house.ask("POST", PATH, {"grant_type": GRANT}, token=mine)
    assert (as_json.status, as_json.json["error"]) == (400, "invalid_request")


def test_only_agents_that_the_policy_names_exchange(house: Remote) -> None:
    for name, kind in (("idle", "agent"), ("crewed", "human")):
        answer = ask(house, actor_token=house.issue(name, kind=kind), subject_token=human())
        assert (answer.status, answer.json["error"]) == (400, "unauthorized_client"), name
    house.stage.control.exchanges = lambda agent: False
    answer = ask(house, actor_token=house.issue("bot"), subject_token=human())
    assert answer.json["error"] == "unauthorized_client"


def test_a_token_is_never_exchanged_for_a_wider_one(house: Remote) -> None:
    """Scopes of either token bind: resources, rules, networks; and no chain gets out of a task."""
    house.stage.control.permits = frozenset({"crews read", "crews write"})
    elsewhere = house.issue("ben", kind="human", networks=["127.0.0.0/8", "10.1.0.0/16"])
    ruled = house.issue("bot", rules=["crews read"])
    ours = house.issue("bot", networks=["127.0.0.0/8", "10.0.0.0/8", "192.168.0.0/16"])
    plain = house.issue("bot")
    assert ask(house, actor_token=ruled, subject_token=human()).json["rules"] == ["crews read"]
    wider = ask(house, actor_token=ruled, subject_token=human(), rules='["crews read","crews write"]')
    assert wider.json["error"] == "invalid_request"
    found = ask(house, actor_token=ours, subject_token=elsewhere, far=True).json
    assert found["networks"] == ["10.1.0.0/16", "127.0.0.0/8"]
    narrowed = ask(
        house, actor_token=ours, subject_token=elsewhere, far=True, networks="10.1.2.0/24 172.16.0.0/12"
    ).json
    assert narrowed["networks"] == ["10.1.2.0/24"]
    nowhere = ask(house, actor_token=ours, subject_token=elsewhere, far=True, networks="172.16.0.0/12")
    assert nowhere.json["error"] == "invalid_request"
    theirs = house.issue("ben", kind="human", rules=["crews read"])
    who = judged(house, ask(house, actor_token=plain, subject_token=theirs).json)
    assert who is not None
    assert who.human is not None
    assert (who.rules, who.human.rules) == (set(), {"crews read"})
    scoped = house.issue("ben", kind="human", resources=["sales"])
    assert ask(house, actor_token=plain, subject_token=scoped).json["resources"] == ["sales"]
    assert judged(house, ask(house, actor_token=plain, subject_token=scoped).json, "other") is None
    task = {"purpose": "x", "behalf": "ben"}
    acting = house.issue("bot", resources=["sales"], lifetime=60, task=task)
    exchanged = ask(house, actor_token=plain, subject_token=human()).json["access_token"]
    for chained in (acting, exchanged):
        for fields in (
            {"actor_token": chained, "subject_token": human()},
            {"actor_token": plain, "subject_token": chained},
        ):
            assert ask(house, **fields).json["error"] == "invalid_request"
    assert house.ask("POST", "/api/v1/tokens", {"identity": "bot"}, token=exchanged).status == 403
    assert house.ask("GET", "/api/v1/sessions", token=exchanged).status == 403


def test_may_act_names_who_may(house: Remote) -> None:
    for allowed, actor in (
        ({"sub": "bot"}, house.issue("bot")),
        ({"sub": "worker", "iss": "https://machines.example.com"}, machine()),
    ):
        assert ask(house, actor_token=actor, subject_token=human(may_act=allowed)).status == 200
    assert ask(house, actor_token=machine(), subject_token=human(may_act={"sub": "worker"})).status == 400


def test_guesses_wait_and_tokens_are_bounded(house: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = house.issue("bot")
    monkeypatch.setattr("wicketgate.admin.exchange.MOST_HOLDING", 2)
    for _ in range(2):
        assert ask(house, actor_token=mine, subject_token=human()).status == 200
    full = ask(house, actor_token=mine, subject_token=human())
    assert (full.status, full.json["error"]) == (429, "temporarily_unavailable")
    for number in range(12):
        last = ask(house, actor_token=mine, subject_token=f"wkt_{number:049}")
    assert (last.status, last.json["error"]) == (429, "temporarily_unavailable")
    assert int(last.headers["retry-after"]) > 0


def test_what_is_not_recorded_is_not_given(house: Remote) -> None:
    mine = house.issue("bot")
    house.stage.control.journal_full = True
    answer = ask(house, actor_token=mine, subject_token=human())
    assert (answer.status, answer.json["error"]) == (503, "temporarily_unavailable")
    assert "access_token" not in answer.json


def test_metadata_is_told_where_the_address_is_set(house: Remote) -> None:
    from wicketgate.api.oauth import metadata

    assert house.ask("GET", "/.well-known/oauth-authorization-server").status == 404
    told = metadata("https://gw.example.com")
    assert told["token_endpoint"] == f"https://gw.example.com{PATH}"
    assert told["grant_types_supported"] == [GRANT]
    assert "read" in told["scopes_supported"]
