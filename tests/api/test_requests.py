"""Access for a while through the API: asked, answered, extended, given back, and every way around."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from api.stage import Answer, PlayedControl, Remote, Stage
from policy.samples import RESOURCES
from policy.samples import policy as make
from wicketgate.control.grants import Grants
from wicketgate.control.ports import LoadedPolicy
from wicketgate.model.errors import GatewayError
from wicketgate.model.grant import Grant
from wicketgate.model.identity import IdentityKind
from wicketgate.model.token import ServiceAccount
from wicketgate.policy.engine import Engine
from wicketgate.policy.offers import offers
from wicketgate.store import grants as grant_rows
from wicketgate.store import reviews as review_rows
from wicketgate.store.address import store_url
from wicketgate.store.db import Store
from wicketgate.store.grants import GrantRows

HOUR = 3600
SECOND = 1_000_000_000
RULES = """\
rules:
  - name: analysts
    identities: {groups: [analysts, crew]}
    resources: [sales]
    account: reader
    permit: [read, write]
    on_request: {by: {groups: [dba]}, most: 4h, extend: 1, reason: required}
  - name: two of them
    identities: {groups: [analysts]}
    resources: [notes]
    permit: [read]
    on_request: {by: {groups: [dba, sre]}, quorum: 2, all_groups: true}
  - name: glass
    identities: {groups: [oncall]}
    resources: [sales]
    account: writer
    permit: [read, write, delete]
    on_request: {break_glass: true, most: 1h, by: {groups: [security]}}
    waives: reviews
"""
HUMANS = {"ana": "analysts", "ben": "dba", "sam": "sre dba", "ona": "oncall security", "sec": "security"}


@dataclass
class Granting(PlayedControl):
    """With the control process's own grants."""

    folder: Path = field(default_factory=Path)
    lines: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, int] = field(default_factory=dict)
    replicated: dict[str, Any] = field(default_factory=dict)
    rules: str = RULES

    def policy(self) -> LoadedPolicy:
        found = make(self.rules, RESOURCES)
        told = partial(offers, Engine(found))
        return LoadedPolicy(
            "", "wicket.yaml", found.digest, found.resources, permits=found.permits, offers=told
        )

    def grants(self, store: Store) -> Grants:
        async def opened() -> Store:
            return store

        def put(section: str, key: str, value: Any) -> None:
            assert section == "grants"
            self.replicated[key] = value

        def record(kind: str, head: bytes, body: bytes) -> None:
            assert (kind, head) == ("grant", b"")
            self.lines.append(json.loads(b"{" + body + b"}"))

        def count(name: str, amount: int) -> None:
            self.metrics[name] = self.metrics.get(name, 0) + amount

        return Grants(GrantRows(opened), put, record, count, time.time_ns, lambda line: None, 400)

    def _run(self, work: Callable[[Grants], Awaitable[Any]]) -> concurrent.futures.Future[Any]:
        async def run() -> Any:
            store = await Store.open(store_url(None, self.folder))
            try:
                return await work(self.grants(store))
            finally:
                await store.close()

        return asyncio.run_coroutine_threadsafe(run(), asyncio.get_running_loop())

    def break_glass(self, grant: Grant, reason: str) -> concurrent.futures.Future[None]:
        return self._run(lambda grants: grants.glass(grant, reason))

    def end_grant(self, grant: str, by: str, what: str) -> concurrent.futures.Future[Grant | None]:
        return self._run(lambda grants: grants.end(grant, by, what))

    def settle_grants(self) -> concurrent.futures.Future[None]:
        return self._run(lambda grants: grants.settle())

    def heard_review(self, review: str) -> concurrent.futures.Future[None]:
        super().heard_review(review)
        return self._run(lambda grants: grants.hear())


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    made = Stage(tmp_path, control=Granting(folder=tmp_path))
    made.filed += [
        ServiceAccount(name, IdentityKind.HUMAN, frozenset(groups.split()), "file")
        for name, groups in HUMANS.items()
    ]
    return made


@dataclass
class House:
    stage: Stage
    remote: Remote
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def control(self) -> Granting:
        assert isinstance(self.stage.control, Granting)
        return self.stage.control

    def ask(self, who: str, method: str, path: str, body: Any = None) -> Answer:
        if who not in self.tokens:
            self.tokens[who] = self.remote.issue(who)
        return self.remote.ask(method, f"/api/v1{path}", body, token=self.tokens[who])

    def request(self, who: str = "ana", status: int = 201, **more: Any) -> dict[str, Any]:
        body = {"resource": "sales", "reason": "INC-4711"} | more
        answer = self.ask(who, "POST", "/requests", body)
        assert answer.status == status, answer.json
        found: dict[str, Any] = answer.json
        return found

    def answer(self, who: str, number: str, what: str = "approve", **more: Any) -> int:
        return self.ask(who, "POST", f"/reviews/{number}/{what}", more).status

    def granted(self, who: str = "ana", **more: Any) -> dict[str, Any]:
        found = self.request(who, **more)
        assert self.answer("ben", found["id"]) == 200
        grant: dict[str, Any] = self.ask(who, "GET", f"/requests/{found['id']}").json["grant"]
        return grant


@pytest.fixture
def house(stage: Stage, remote: Remote) -> House:
    return House(stage, remote)


def test_what_can_be_asked_for(house: House) -> None:
    options = house.ask("ana", "GET", "/requests/options").json
    assert [(each["resource"], each["rule"], each["effects"]) for each in options] == [
        ("notes", "two of them", ["read"]),
        ("sales", "analysts", ["read", "write"]),
    ]
    assert house.ask("ben", "GET", "/requests/options").json == []
    assert house.ask("ona", "GET", "/requests/options?resource=sales").json[0]["break_glass"] is True


def test_asked_approved_used_up_and_given_back(house: House) -> None:
    asked = house.request(seconds=2 * HOUR)
    assert (asked["status"], asked["grant"], asked["retry_after"]) == ("pending", None, 5)
    assert asked["link"].startswith("https://gateway.example/reviews/")
    # the same again is the same; another reason is another
    assert house.request(seconds=2 * HOUR)["id"] == asked["id"]
    [mine] = house.ask("ben", "GET", "/requests?mine=true").json
    assert (mine["id"], mine["seconds"], mine["rule"]) == (asked["id"], 2 * HOUR, "analysts")
    shown = house.ask("ben", "GET", f"/reviews/{asked['id']}").json
    assert (shown["kind"], shown["reason"]) == ("access", "INC-4711")
    assert shown["shown"]["effects"] == ["read", "write"]
    assert house.answer("ben", asked["id"], conditions={"minutes": 30}) == 200
    found = house.ask("ana", "GET", f"/requests/{asked['id']}?wait=1s").json
    grant = found["grant"]
    assert grant["ends"] - grant["starts"] == 30 * 60 * SECOND
    assert grant["approved_by"] == ["ben"]
    assert house.control.replicated[grant["id"]]["identity"] == "ana"
    assert house.control.lines[-1]["what"] == "granted"
    # the same again, while it holds, is what holds
    again = house.request(seconds=2 * HOUR)
    assert (again["id"], again["grant"]["id"], again["status"]) == (asked["id"], grant["id"], "used")
    whole = house.ask("ana", "GET", f"/grants/{grant['id']}").json
    assert (whole["reason"], whole["review"]) == ("INC-4711", "used")
    # what came of it is not undone by taking the answer back, as if nothing had
    assert house.ask("ben", "POST", f"/reviews/{asked['id']}/withdraw", {}).status == 409
    ended = house.ask("ana", "DELETE", f"/grants/{grant['id']}")
    assert (ended.status, ended.json["ended_by"]) == (200, "ana")
    assert house.control.replicated[grant["id"]] is None
    assert house.control.lines[-1]["what"] == "returned"
    assert house.ask("ana", "DELETE", f"/grants/{grant['id']}").status == 409
    assert house.ask("ana", "GET", "/grants?live=true").json == []
    assert len(house.ask("ana", "GET", "/grants").json) == 1
    # asked for once more, it is asked for anew, and not answered with what is over
    again = house.request(seconds=2 * HOUR)
    assert again["id"] != asked["id"]
    assert (again["status"], again["grant"]) == ("pending", None)


def test_what_is_granted_while_it_is_asked_again_is_not_asked_anew(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks and waits would wait for an answer that nobody gives: the one before was answered."""
    granted = house.granted()
    look, looks = GrantRows.same, []

    async def late(rows: GrantRows, identity: str, exact: str, now: int) -> str | None:
        looks.append(exact)
        return None if len(looks) == 1 else await look(rows, identity, exact, now)

    monkeypatch.setattr(GrantRows, "same", late)
    again = house.request()
    assert (again["grant"], again["status"], len(looks)) == (granted, "used", 2)
    assert house.ask("ben", "GET", "/requests?mine=true").json == []


@pytest.mark.parametrize(
    ("who", "more", "status"),
    [
        ("ana", {"reason": ""}, 409),
        ("ana", {"seconds": 5 * HOUR}, 409),
        ("ana", {"rule": "glass", "break_glass": True}, 404),
        ("ana", {"break_glass": True}, 404),
        ("ana", {"account": "writer"}, 404),
        ("ana", {"resource": "nowhere"}, 404),
        ("ben", {}, 404),
        ("ona", {"break_glass": True, "reason": " "}, 409),
        ("ona", {"break_glass": True, "seconds": 2 * HOUR}, 409),
        ("ona", {"break_glass": True, "starts": 1 << 60}, 409),
        ("ona", {"rule": "glass"}, 404),
        ("ana", {"ends": 1}, 409),
        ("ana", {"starts": 1 << 62}, 409),
        ("ana", {"reason": "x" * 501}, 422),
        ("ana", {"reason": "a\x07b"}, 409),
        ("ana", {"identity": "ben"}, 422),
        ("ana", {"seconds": 0}, 422),
    ],
)
def test_what_can_not_be_asked_for(house: House, who: str, more: dict[str, Any], status: int) -> None:
    house.request(who, status, **more)
    assert house.ask("root-bot", "GET", "/grants").json == []


def test_nobody_answers_for_himself(house: House) -> None:
    """Nor the human behind the agent, nor an administrator who is not asked."""
    both = house.request("sam", 404)
    assert both["status"] == 404
    house.stage.filed.append(
        ServiceAccount("amy", IdentityKind.HUMAN, frozenset({"analysts", "dba"}), "file")
    )
    own = house.request("amy")
    assert house.answer("amy", own["id"]) == 403
    assert house.answer("root-bot", own["id"]) == 403
    assert house.answer("ana", own["id"]) == 403
    assert house.ask("amy", "GET", "/grants").json == []


def test_an_agent_asks_for_its_task_alone(house: House) -> None:
    groups = frozenset({"analysts", "dba"})
    house.stage.filed.append(ServiceAccount("amy", IdentityKind.HUMAN, groups, "file"))
    task = {"name": "t-1", "purpose": "count", "behalf": "amy", "effects": ["read"]}
    for name, what, where in (("agent", "t-1", "sales"), ("other", "t-2", "sales"), ("away", "t-3", "notes")):
        given = task | {"name": what}
        house.tokens[name] = house.remote.issue("bot", task=given, resources=[where], lifetime=HOUR)
    # of what the rule permits, what the task declared
    [option] = house.ask("agent", "GET", "/requests/options").json
    assert (option["rule"], option["effects"]) == ("analysts", ["read"])
    house.request("away", 404)
    assert house.ask("away", "GET", "/requests/options").json == []
    asked = house.request("agent")
    assert (asked["behalf"], asked["task"]) == ("amy", "t-1")
    # the human behind it is no second pair of eyes, nor is an agent's token a person's
    assert house.answer("amy", asked["id"]) == 403
    assert house.answer("agent", asked["id"]) == 403
    assert house.answer("ben", asked["id"]) == 200
    grant = house.ask("agent", "GET", f"/requests/{asked['id']}?wait=1s").json["grant"]
    assert house.control.replicated[grant["id"]]["task"] == "t-1"
    for stranger in ("other", "away"):
        assert house.ask(stranger, "GET", "/grants").json == []
        assert house.ask(stranger, "DELETE", f"/grants/{grant['id']}").status == 403
    assert [each["id"] for each in house.ask("agent", "GET", "/grants").json] == [grant["id"]]
    # who it acts for may end it
    assert house.ask("amy", "DELETE", f"/grants/{grant['id']}").json["ended_by"] == "amy"


def test_one_of_each_group(house: House) -> None:
    asked = house.request(resource="notes")
    assert house.answer("ben", asked["id"]) == 200
    assert house.ask("ana", "GET", f"/requests/{asked['id']}").json["status"] == "pending"
    assert house.answer("sam", asked["id"]) == 200
    assert house.ask("ana", "GET", f"/requests/{asked['id']}").json["grant"]["approved_by"] == ["ben", "sam"]


def test_nobody_is_asked_on_and_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with another reason is another request; the same again is not."""
    monkeypatch.setattr(grant_rows, "MOST_ASKED", 3)
    first = house.request(reason="please")
    assert house.answer("ben", first["id"], "deny", comment="no") == 200
    for reason in ("please", "really", "please", "pretty please"):
        house.request(reason=reason)
    assert "within an hour" in house.request("ana", 409, reason="come on")["detail"]
    # others may ask; and what can't be answered at once is told as such, too
    house.stage.filed.append(ServiceAccount("amy", IdentityKind.HUMAN, frozenset({"analysts"}), "file"))
    house.request("amy")
    monkeypatch.setattr(review_rows, "PENDING_MOST", 1)
    house.request("amy", 409, reason="another")


def test_denied_is_denied(house: House) -> None:
    asked = house.request()
    assert house.answer("ben", asked["id"], "deny", comment="no") == 200
    found = house.ask("ana", "GET", f"/requests/{asked['id']}").json
    assert (found["status"], found["grant"], found["ended_by"]) == ("denied", None, "denied by ben")
    assert house.request()["status"] == "denied"
    assert house.control.lines == []


def test_extended_once_by_those_who_decide(house: House) -> None:
    grant = house.granted()
    path = f"/grants/{grant['id']}/extend"
    assert house.ask("ben", "POST", path, {"reason": "x"}).status == 409
    assert house.ask("ana", "POST", path, {}).status == 409
    for forged in ("x\x1b[2Jy", "a\u202eb"):
        assert house.ask("ana", "POST", path, {"reason": forged}).status == 409
    asked = house.ask("ana", "POST", path, {"seconds": HOUR, "reason": "still at it"})
    assert (asked.status, asked.json["status"]) == (201, "pending")
    assert asked.json["extends"] == grant["id"]
    assert house.answer("ana", asked.json["id"]) == 403
    assert house.answer("ben", asked.json["id"]) == 200
    longer = house.ask("ana", "GET", f"/grants/{grant['id']}").json
    assert (longer["ends"], longer["extended"]) == (grant["ends"] + HOUR * SECOND, 1)
    assert house.control.lines[-1]["what"] == "extended"
    assert house.ask("ana", "POST", path, {"seconds": HOUR, "reason": "more"}).status == 409


def test_who_may_see_and_take_it_away(house: House) -> None:
    first, second = house.granted(), house.granted(resource="sales", seconds=HOUR)
    path = f"/grants/{first['id']}"
    for stranger in ("ona", "bot"):
        assert house.ask(stranger, "GET", path).status == 403
        assert house.ask(stranger, "DELETE", path).status == 403
        assert house.ask(stranger, "GET", "/grants").json == []
        assert house.ask(stranger, "GET", "/grants?identity=ana").status == 403
    assert house.ask("ona", "GET", f"/grants/{'0' * 26}").status == 403
    assert house.ask("root-bot", "GET", f"/grants/{'0' * 26}").status == 404
    ended = house.ask("ben", "DELETE", path)
    assert (ended.status, ended.json["ended_by"]) == (200, "ben")
    assert house.control.lines[-1]["what"] == "revoked"
    assert house.ask("root-bot", "DELETE", f"/grants/{second['id']}").json["ended_by"] == "root-bot"
    assert len(house.ask("root-bot", "GET", "/grants?identity=ana").json) == 2


def test_broken_glass_is_loud_and_looked_back_at(house: House) -> None:
    found = house.request("ona", break_glass=True, seconds=HOUR // 2)
    grant = found["grant"]
    assert (found["kind"], found["status"], grant["break_glass"]) == ("after", "pending", True)
    assert house.control.replicated[grant["id"]]["break_glass"] is True
    assert house.control.metrics == {"grants{what=glass}": 1}
    line = house.control.lines[-1]
    assert (line["what"], line["identity"], line["reason"]) == ("glass", "ona", "INC-4711")
    # who broke it does not close it, though she is of those who look
    assert house.answer("ona", grant["id"]) == 403
    assert house.ask("ona", "POST", f"/reviews/{grant['id']}/withdraw", {}).status in (403, 409)
    assert house.answer("root-bot", grant["id"]) == 403
    # it is open long after the grant is over
    assert house.ask("ona", "DELETE", f"/grants/{grant['id']}").status == 200
    [open_still] = house.ask("sec", "GET", "/reviews?mine=true&kind=after").json
    assert open_still["id"] == grant["id"]
    assert house.answer("sec", grant["id"], comment="the shop was down indeed") == 200
    assert house.ask("sec", "GET", f"/grants/{grant['id']}").json["review"] == "closed"


def test_glass_is_broken_by_people_alone(house: House) -> None:
    """Nobody is asked before, so it must be somebody who can be asked after: no machine, no delegate, and no
    token that somebody may have handed on."""
    groups = frozenset({"oncall"})
    house.stage.filed += [
        ServiceAccount("robot", IdentityKind.AGENT, groups, "file"),
        ServiceAccount("job", IdentityKind.SERVICE, groups, "file"),
    ]
    task = {"name": "t-1", "purpose": "count", "behalf": "ona", "effects": ["read"]}
    house.tokens["delegate"] = house.remote.issue("robot", task=task, resources=["sales"], lifetime=HOUR)
    house.tokens["scoped"] = house.remote.issue("ona", resources=["sales"])
    for who in ("robot", "job", "delegate", "scoped"):
        told = house.request(who, 404, break_glass=True)
        assert told["detail"] == house.request(who, 404, break_glass=True, resource="nowhere")["detail"]
        assert not [each for each in house.ask(who, "GET", "/requests/options").json if each["break_glass"]]
    assert house.ask("sec", "GET", "/reviews?kind=after").json == []
    assert house.control.lines == []
    house.request("ona", break_glass=True)


def test_glass_that_does_not_break_is_not_in_force(house: House) -> None:
    def away(grant: Grant, reason: str) -> concurrent.futures.Future[None]:
        async def fail(grants: Grants) -> None:
            if house.control.rules != RULES:
                await grants.glass(grant, reason)
            raise GatewayError("the store is away")

        return house.control._run(fail)

    house.control.break_glass = away  # type: ignore[method-assign]
    house.request("ona", 500, break_glass=True)
    assert house.ask("root-bot", "GET", "/grants").json == []
    assert house.ask("sec", "GET", "/reviews?mine=true&kind=after").json == []
    # where the store took it though nobody could say so, it stays to be looked back at
    house.control.rules = RULES + "\n"
    house.request("ona", 500, break_glass=True)
    [grant] = house.ask("root-bot", "GET", "/grants").json
    [review] = house.ask("sec", "GET", "/reviews?mine=true&kind=after").json
    assert review["id"] == grant["id"]


def test_nobody_by_name_asks_for_nothing(house: House, remote: Remote) -> None:
    from api.stage import ask

    socket = remote.settings.socket
    assert ask(socket, "POST", "/api/v1/requests", {"resource": "sales", "reason": "x"}).status == 409
    assert ask(socket, "GET", "/api/v1/grants").json == []


def test_a_request_that_lies_ahead(house: House) -> None:
    later = time.time_ns() + 3 * HOUR * SECOND
    grant = house.granted(starts=later, seconds=HOUR)
    assert (grant["starts"], grant["ends"]) == (later, later + HOUR * SECOND)
