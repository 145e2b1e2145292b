"""Reviews through the API: who sees them and what of them, and every way around four eyes."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from api.asking import MINUTE, SHOWN, ask_for, desk, found, review
from api.stage import Answer, Remote, Stage, ask
from wicketgate.model.identity import IdentityKind
from wicketgate.model.review import Kind, Panel, Status
from wicketgate.model.token import ServiceAccount

HUMANS = {"ana": "dba sre", "ben": "dba", "eve": "", "root": "admins", "rex": "reviewers", "Ana": "dba"}


@pytest.fixture
def people(stage: Stage) -> Stage:
    stage.filed += [
        ServiceAccount(name, IdentityKind.HUMAN, frozenset(groups.split()), "file")
        for name, groups in HUMANS.items()
    ]
    stage.filed += [
        ServiceAccount("dba-bot", IdentityKind.AGENT, frozenset({"dba"}), "file"),
        ServiceAccount("dba-job", IdentityKind.SERVICE, frozenset({"dba"}), "file"),
    ]
    return stage


def act(remote: Remote, token: str, number: str, what: str, body: Any = None, **more: Any) -> Answer:
    return remote.ask(
        "POST", f"/api/v1/reviews/{number}/{what}", {} if body is None else body, token=token, **more
    )


def test_a_review_is_seen_and_answered(people: Stage, remote: Remote) -> None:
    number = ask_for(people.folder, quorum=2, behalf="eve", agent="bot")
    ana, ben, bot = (remote.issue(name) for name in ("ana", "ben", "bot"))
    [listed] = remote.ask("GET", "/api/v1/reviews?mine=true", token=ana).json
    assert (listed["id"], listed["status"], listed["behalf"]) == (number, "pending", "eve")
    assert "shown" not in listed
    answer = remote.ask("GET", f"/api/v1/reviews/{number}", token=ana)
    assert answer.headers["cache-control"] == "no-store"
    seen = answer.json
    assert seen["shown"]["statement"] == "DELETE FROM orders WHERE email = $2 AND id = $1"
    assert [each["value"] for each in seen["shown"]["parameters"]] == ["•••", "17"]
    assert (seen["shown"]["hides"], seen["answerable"], seen["reason"]) == (True, "", "INC-4711 <b>why</b>")
    assert seen["link"].startswith(f"https://gateway.example/reviews/{number}?k=")
    assert b"canary" not in answer.body
    first = act(remote, ana, number, "approve", {"comment": "looks right", "conditions": {"rows": 5}})
    assert (first.status, first.json["status"], first.json["panels"][0]["satisfied"]) == (
        200,
        "pending",
        False,
    )
    assert remote.ask("GET", "/api/v1/reviews?mine=true", token=ana).json == []
    after = act(remote, ben, number, "approve")
    assert (after.status, after.json["status"], after.json["conditions"]["rows"]) == (200, "approved", 5)
    assert after.json["votes"][0]["comment"] == "looks right"
    asked = remote.ask("GET", f"/api/v1/reviews/{number}", token=bot).json
    assert (asked["status"], asked["ended_by"]) == ("approved", "approved by ana, ben")
    assert people.control.heard == [number, number]
    lines = [each for each in people.control.records if each["kind"] == "review"]
    told = [(each["by"], each["do"], each["review"]) for each in lines]
    shows, answers = ("ana", "reviews.show", number), ("ana", "reviews.answer", number)
    assert told == [shows, answers, ("ben", "reviews.answer", number)]
    assert lines[1]["conditions"]["rows"] == 5
    assert "canary" not in repr(people.control.records)


def test_who_is_shown_what(people: Stage, remote: Remote) -> None:
    unknown = {name: value for name, value in SHOWN.items() if name != "classes"}
    first, second = ask_for(people.folder), ask_for(people.folder, shown=unknown)
    third = ask_for(people.folder, shown={**SHOWN, "classes": ["email", "*"]})
    people.revealed["ana"] = frozenset({"email"})
    ana, ben = remote.issue("ana"), remote.issue("ben")

    def shown(number: str, token: str) -> Any:
        return remote.ask("GET", f"/api/v1/reviews/{number}", token=token).json["shown"]

    assert "canary@example.com" in shown(first, ana)["statement"]
    assert shown(first, ana)["parameters"][0]["value"] == "canary-4711"
    assert "canary" not in repr(shown(first, ben))
    for number in (second, third):
        assert "canary" not in repr(shown(number, ana)), "what is unknown is shown to nobody"
    own = shown(second, remote.issue("bot"))
    assert "canary" not in repr(own), "of unknown classes not even to who asked, from here"
    assert "canary-4711" in repr(shown(first, remote.issue("bot")))


ATTACKS: list[tuple[str, dict[str, Any], dict[str, Any], int, str]] = [
    # who, the token's bounds, the review, status, why
    (
        "eve",
        {},
        {"identity": "eve", "kind_of": "human", "groups": "", "names": "eve"},
        403,
        "nobody answers his own",
    ),
    ("ana", {}, {"identity": "ana", "kind_of": "human"}, 403, "nobody answers his own"),
    ("ana", {}, {"behalf": "ana", "agent": "bot"}, 403, "an agent that acts for him"),
    ("Ana", {}, {"behalf": "ana"}, 403, "nobody answers his own"),
    ("ana", {}, {"identity": "ana", "kind_of": "human", "kind": Kind.ACCESS}, 403, "nobody answers his own"),
    ("ana", {}, {"identity": "ana", "kind_of": "human", "kind": Kind.AFTER}, 403, "nobody answers his own"),
    ("ana", {"resources": ["sales"]}, {}, 403, "for administrators"),
    ("ana", {"resources": ["sales"]}, {"behalf": "ana"}, 403, "for administrators"),
    ("dba-bot", {}, {}, 403, "for administrators"),
    ("dba-job", {}, {}, 403, "for administrators"),
    ("bot", {}, {}, 403, "must be a person"),
    ("root", {}, {}, 403, "it is for others to answer"),
    ("root-bot", {}, {"groups": "admins"}, 403, "must be a person"),
    ("rex", {}, {}, 403, "people whom its rule names"),
    ("eve", {}, {}, 403, "for administrators"),
    ("ana", {}, {"expires": 1}, 409, "it has expired"),
    ("ana", {}, {"names": "ANA", "groups": ""}, 403, "for administrators"),
]


@pytest.mark.parametrize("what", ["approve", "deny"])
def test_ways_around_four_eyes(people: Stage, remote: Remote, what: str) -> None:
    for who, bounds, asked, status, why in ATTACKS:
        number = ask_for(people.folder, kept=review(**asked))
        answer = act(remote, remote.issue(who, **bounds), number, what)
        assert (answer.status, why in answer.json["detail"]) == (status, True), (who, asked, answer.body)
        kept = found(people.folder, number)
        assert (kept.status, kept.votes) == (Status.PENDING, ())
    local = ask(remote.settings.socket, "POST", f"/api/v1/reviews/{number}/{what}", {})
    assert (local.status, "must be a person" in local.json["detail"]) == (403, True)
    assert not people.control.heard
    assert not [
        each for each in people.control.records if each["do"] == "reviews.answer" and "refused" not in each
    ]


def test_a_task_s_token_waits_for_its_own_and_answers_nothing(people: Stage, remote: Remote) -> None:
    task = {"resources": ["sales"], "lifetime": 60, "task": {"purpose": "p", "behalf": "eve", "name": "t-1"}}
    own = ask_for(people.folder, task="t-1", behalf="eve")
    other = ask_for(people.folder, task="t-2", behalf="eve")
    elsewhere = ask_for(people.folder, task="t-1", behalf="eve", resource="bravo")
    token = remote.issue("bot", **task)
    assert [each["id"] for each in remote.ask("GET", "/api/v1/reviews", token=token).json] == [own]
    for number, status in ((own, 200), (other, 403), (elsewhere, 403)):
        assert remote.ask("GET", f"/api/v1/reviews/{number}", token=token).status == status
        assert act(remote, token, number, "approve").status == 403
    assert act(remote, token, other, "withdraw").status == 403
    assert act(remote, token, own, "withdraw").json["status"] == "withdrawn"


def test_one_person_one_answer(people: Stage, remote: Remote) -> None:
    both = Panel("both", groups=frozenset({"dba", "sre"}), quorum=2, all_groups=True)
    number = ask_for(people.folder, panels=(both,))
    ana, other, ben = remote.issue("ana"), remote.issue("Ana"), remote.issue("ben")
    assert act(remote, ana, number, "approve").json["status"] == "pending", "two groups, one person"
    for token in (ana, other):
        answer = act(remote, token, number, "approve")
        assert (answer.status, answer.json["detail"]) == (403, "you have answered it already")
        assert act(remote, token, number, "deny").status == 403
    assert act(remote, ben, number, "deny").json["status"] == "denied"
    for token in (ana, ben):
        answer = act(remote, token, number, "approve")
        assert (answer.status, answer.json["detail"]) == (409, "it is denied already")


def test_a_group_that_is_taken_away_and_a_token_that_is_revoked(people: Stage, remote: Remote) -> None:
    number = ask_for(people.folder)
    ana, ben = remote.issue("ana"), remote.issue("ben")
    assert remote.ask("GET", f"/api/v1/reviews/{number}", token=ana).json["answerable"] == ""
    people.filed = [
        replace(each, groups=frozenset()) if each.name == "ana" else each for each in people.filed
    ]
    assert act(remote, ana, number, "approve").status == 403
    assert remote.ask("GET", f"/api/v1/reviews/{number}", token=ana).status == 403
    tokens = remote.ask("GET", "/api/v1/tokens", token=ben).json
    assert remote.ask("DELETE", f"/api/v1/tokens/{tokens[0]['id']}", token=ben).status == 200
    assert act(remote, ben, number, "approve").status == 401
    assert found(people.folder, number).votes == ()


def test_what_was_seen_is_what_is_answered(people: Stage, remote: Remote) -> None:
    number = ask_for(people.folder, quorum=3)
    ana, ben = remote.issue("ana"), remote.issue("ben")
    tag = remote.ask("GET", f"/api/v1/reviews/{number}", token=ana).headers["etag"]
    assert act(remote, ben, number, "approve", headers={"if-match": tag}).status == 200
    assert act(remote, ana, number, "deny", headers={"if-match": tag}).status == 412
    assert act(remote, ana, number, "withdraw", headers={"if-match": tag}).status == 403
    same = {"idempotency-key": "k1"}
    first, again = (act(remote, ana, number, "approve", {"comment": "x"}, headers=same) for _ in range(2))
    assert (first.status, again.status) == (200, 409)
    assert len(found(people.folder, number).votes) == 2


BODIES: list[tuple[Any, int]] = [
    ({"conditions": {"scope": "forever"}}, 422),
    ({"conditions": {"scope": "shape"}}, 409),
    ({"conditions": {"scope": "once", "minutes": 5}}, 409),
    ({"conditions": {"scope": "shape", "minutes": 100_000}}, 422),
    ({"conditions": {"rows": 0}}, 422),
    ({"conditions": {"rows": "5"}}, 422),
    ({"conditions": {"account": "a'; --"}}, 422),
    ({"conditions": {"scope": "session", "account": "reader"}}, 409),
    ({"comment": "x" * 2001}, 422),
    ({"comment": "a\0b"}, 422),
    ({"person": "ben"}, 422),
    ({"groups": ["dba"]}, 422),
]


def test_answers_that_are_none(people: Stage, remote: Remote) -> None:
    number = ask_for(people.folder)
    ana = remote.issue("ana")
    for body, status in BODIES:
        assert act(remote, ana, number, "approve", body).status == status, body
    assert act(remote, ana, number, "deny", {"conditions": {}}).status == 422
    for path in (number.lower(), number[:-1], "0" * 27):
        assert remote.ask("GET", f"/api/v1/reviews/{path}", token=ana).status == 422
    for query in ("?wait=30", "?wait=-1s", "?wait=30s&wait=30s", "?waits=1s"):
        assert remote.ask("GET", f"/api/v1/reviews/{number}{query}", token=ana).status == 422
    assert found(people.folder, number).votes == ()
    people.control.journal_full = True
    assert act(remote, ana, number, "approve").status == 503
    assert remote.ask("GET", f"/api/v1/reviews/{number}", token=ana).status == 503
    assert found(people.folder, number).votes == (), "what can't be recorded is not done"


def test_who_may_take_what_back(people: Stage, remote: Remote) -> None:
    tokens = {name: remote.issue(name) for name in ("ana", "ben", "eve", "bot", "root")}
    for who, approves, status in (
        ("bot", False, 200),
        ("eve", False, 200),
        ("root", False, 200),
        ("ana", False, 403),
        ("ana", True, 200),
        ("ben", True, 403),
        ("bot", True, 200),
    ):
        number = ask_for(people.folder, behalf="eve")
        if approves:
            assert act(remote, tokens["ana"], number, "approve").json["status"] == "approved"
        answer = act(remote, tokens[who], number, "withdraw")
        assert answer.status == status, (who, approves, answer.body)
        if status == 200:
            assert answer.json["ended_by"] == f"withdrawn by {who}"
            assert act(remote, tokens[who], number, "withdraw").status == 409
    after = ask_for(people.folder, kind=Kind.AFTER, behalf="eve")
    assert act(remote, tokens["eve"], after, "withdraw").status == 403
    assert act(remote, tokens["ana"], after, "approve", {"comment": "seen"}).json["status"] == "closed"


def test_waiting_ends_with_the_answer(people: Stage, remote: Remote) -> None:
    number = ask_for(people.folder)
    bot, ana = remote.issue("bot"), remote.issue("ana")
    told: list[tuple[float, Any]] = []

    def wait() -> None:
        answer = remote.ask("GET", f"/api/v1/reviews/{number}?wait=20s", token=bot)
        told.append((time.monotonic(), answer.json["status"]))

    waiting = [threading.Thread(target=wait) for _ in range(3)]
    for each in waiting:
        each.start()
    assert remote.ask("GET", f"/api/v1/reviews/{number}?wait=1s", token=ana).json["status"] == "pending"
    assert not told
    answered = time.monotonic()
    assert act(remote, ana, number, "approve").status == 200
    for each in waiting:
        each.join(10)
    assert [status for _, status in told] == ["approved"] * 3
    assert max(at for at, _ in told) - answered < 3
    # answered elsewhere, as on another node
    second = ask_for(people.folder)

    async def expire() -> None:
        store, reviews, _ = await desk(people.folder)
        await reviews.expired(time.time_ns() + 11 * MINUTE)
        await store.close()

    timer = threading.Timer(0.3, lambda: asyncio.run(expire()))
    timer.start()
    assert remote.ask("GET", f"/api/v1/reviews/{second}?wait=20s", token=bot).json["status"] == "expired"
    timer.join()


def test_who_waits_is_proven_anew(people: Stage, remote: Remote) -> None:
    number = ask_for(people.folder)
    ana = remote.issue("ana")
    own = remote.ask("GET", "/api/v1/tokens", token=ana).json
    told: list[int] = []
    path = f"/api/v1/reviews/{number}?wait=3s"
    waiting = threading.Thread(target=lambda: told.append(remote.ask("GET", path, token=ana).status))
    waiting.start()
    time.sleep(0.5)
    assert remote.ask("DELETE", f"/api/v1/tokens/{own[0]['id']}", token=ana).status == 200
    waiting.join()
    assert told == [401]


def test_lists(people: Stage, remote: Remote) -> None:
    numbers = [ask_for(people.folder, created=time.time_ns() + at) for at in range(3)]
    bravo = ask_for(people.folder, resource="bravo", identity="eve", kind_of="human", groups="nobody")
    people.control.resources["bravo"] = people.control.resources["sales"]
    tokens = {name: remote.issue(name) for name in ("ana", "rex", "root", "eve", "ben")}
    first = remote.ask("GET", "/api/v1/reviews?limit=2", token=tokens["ana"])
    assert [each["id"] for each in first.json] == numbers[:0:-1]
    onward = first.headers["link"].split(">")[0].strip("<")
    assert [each["id"] for each in remote.ask("GET", onward, token=tokens["ana"]).json] == numbers[:1]

    def listed(name: str, query: str = "") -> set[str]:
        answer = remote.ask("GET", f"/api/v1/reviews{query}", token=tokens[name])
        assert answer.status == 200, answer.body
        return {each["id"] for each in answer.json}

    assert listed("eve") == {bravo}
    assert listed("rex") == set(numbers), "a reviewer of sales"
    assert listed("rex", "?mine=true") == set()
    assert listed("root") == {*numbers, bravo}
    assert listed("root", "?resource=bravo") == {bravo}
    assert listed("root", "?identity=bot&status=approved&status=denied") == set()
    assert listed("root", "?kind=access") == set()
    assert remote.ask("GET", f"/api/v1/reviews/{bravo}", token=tokens["ana"]).status == 403
    assert remote.ask("GET", f"/api/v1/reviews/{'0' * 26}", token=tokens["ana"]).status == 403
    assert remote.ask("GET", f"/api/v1/reviews/{'0' * 26}", token=tokens["root"]).status == 404
    assert ask(remote.settings.socket, "GET", "/api/v1/reviews").status == 200


def test_nobody_is_shown_one_unrecorded_for_his_name(people: Stage, remote: Remote) -> None:
    """Our own socket is nobody by name, whatever the name of who asks."""
    number = ask_for(people.folder, identity="local")
    answer = ask(remote.settings.socket, "GET", f"/api/v1/reviews/{number}")
    assert (answer.status, b"canary" in answer.body) == (200, False)
    assert [each["do"] for each in people.control.records if each["name"] == number] == ["reviews.show"]
