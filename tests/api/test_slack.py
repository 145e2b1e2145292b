"""Answers from Slack: one message for everybody, four eyes as everywhere, and every way around them."""

import asyncio
import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from api.asking import SHOWN, ask_for, found
from api.conftest import served
from api.stage import Answer, Remote, Stage
from channels.formats import check_slack_view, texts
from channels.gate import begun
from channels.slack import (
    CHANNEL,
    SIGNING,
    TEAM,
    TOKEN,
    SlackPlayed,
    form,
    member,
    pressed,
    signed,
    slack_played,
    submitted,
)
from wicketgate.channels import delivery
from wicketgate.channels.settings import ChannelSettings
from wicketgate.custody.settings import CustodySettings, Keepers
from wicketgate.model.identity import IdentityKind
from wicketgate.model.review import Kind, Status
from wicketgate.model.token import ServiceAccount
from wicketgate.notices import telling
from wicketgate.store.address import store_url
from wicketgate.store.db import Store

HUMANS = {"ana": "dba", "ben": "dba", "eve": "", "gone": "dba"}
MEMBERS = {
    "UANA": member("UANA", "Ana@Example.org"),
    "UBEN": member("UBEN", "ben@example.org"),
    "UEVE": member("UEVE", "eve@example.org"),
    "UGONE": member("UGONE", "gone@example.org"),
    "UBOT": member("UBOT", "bot@example.org"),
    "UIDP": member("UIDP", "ida@example.org"),
    "UNOBODY": member("UNOBODY", "nobody@example.org"),
    "UUNCONFIRMED": member("UUNCONFIRMED", "ana@example.org", is_email_confirmed=False),
    "UUNSAID": {
        key: value for key, value in member("UUNSAID", "ana@example.org").items() if "confirmed" not in key
    },
    "UROBOT": member("UROBOT", "ana@example.org", is_bot=True),
    "UDELETED": member("UDELETED", "ana@example.org", deleted=True),
    "UGUEST": member("UGUEST", "ana@example.org", is_restricted=True),
    "UGUEST1": member("UGUEST1", "ana@example.org", is_ultra_restricted=True),
    "USTRANGE": member("USTRANGE", "ana@example.org", is_stranger=True),
    "UINVITED": member("UINVITED", "ana@example.org", is_invited_user=True),
    "UOTHERTEAM": member("UOTHERTEAM", "ana@example.org", team_id="T9999"),
    "UNOMAIL": member("UNOMAIL", ""),
    "UODDMAIL": member("UODDMAIL", "ana@example.org\nx@example.org"),
    "ULOOKALIKE": member("ULOOKALIKE", "аna@example.org"),
    "USWAPPED": member("UANA", "ana@example.org"),
}


@dataclass
class House:
    stage: Stage
    remote: Remote
    slack: SlackPlayed

    def asked(self, **more: Any) -> tuple[str, str]:
        """A review, and where its message stands."""
        review = ask_for(self.stage.folder, **more)
        return review, self.slack.stamp_of(review)

    def send(
        self,
        payload: Any,
        channel: str = "dba",
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        sent = form(payload) if body is None else body
        path = f"/api/v1/channels/{channel}/slack"
        return self.remote.ask("POST", path, sent, headers=signed(sent) if headers is None else headers)

    def modal(self, review: str, stamp: str, user: str, action: str = "wicket_approve") -> dict[str, Any]:
        """What is shown to him who presses a button."""
        before = len(self.slack.views)
        answer = self.send(pressed(review, stamp, user, action))
        assert (answer.status, answer.json) == (200, {}), answer.body
        assert len(self.slack.views) == before + 1, self.slack.faults
        return self.slack.views[-1]

    def give(self, view: dict[str, Any], user: str, **values: Any) -> str:
        """Submit it: what it says then."""
        answer = self.send(submitted(view, user, values))
        assert answer.status == 200, answer.body
        assert answer.json["response_action"] == "update"
        check_slack_view(answer.json["view"])
        return str(answer.json["view"]["blocks"][0]["text"]["text"])

    def votes(self, review: str) -> int:
        with contextlib.closing(sqlite3.connect(self.stage.folder / "wicketgate.sqlite")) as store:
            query = "SELECT count(*) FROM review_votes WHERE review = ?"
            return int(store.execute(query, (review,)).fetchone()[0])

    def review(self, review: str) -> Any:
        return found(self.stage.folder, review)


def settings(slack: SlackPlayed, **more: Any) -> ChannelSettings:
    return ChannelSettings.model_validate(
        {
            "kind": "slack",
            "token": {"env": "WICKET_TEST_SLACK_TOKEN"},
            "signing_secret": [{"env": "WICKET_TEST_SLACK_NEXT"}, {"env": "WICKET_TEST_SLACK_SECRET"}],
            "team": TEAM,
            "channel": CHANNEL,
            "api": slack.address,
            "ca_file": slack.ca,
            "private": True,
            "people": {f"{name}@example.org": name for name in (*HUMANS, "bot", "ida")},
            **more,
        }
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("slack")
    delivery.EVERY, every = 0.1, delivery.EVERY
    stage = Stage(folder)
    stage.filed += [
        ServiceAccount(
            name, IdentityKind.HUMAN, frozenset(groups.split()), "file", 7 if name == "gone" else None
        )
        for name, groups in HUMANS.items()
    ]
    names = {"TOKEN": TOKEN, "SECRET": SIGNING.decode(), "NEXT": "n" * 32}
    os.environ |= {f"WICKET_TEST_SLACK_{name}": value for name, value in names.items()}
    with slack_played(folder) as slack:
        slack.members |= MEMBERS
        channels = {"dba": settings(slack), "other": settings(slack, channel="C9999", shows="none")}
        keepers = Keepers({}, CustodySettings().located(folder, folder))
        stage.telling = telling(channels, keepers, "n" * 32, stage.logged.append)
        with served(stage) as remote:
            begun(folder, 2)
            yield House(stage, remote, slack)
    delivery.EVERY = every
    for name in names:
        del os.environ[f"WICKET_TEST_SLACK_{name}"]


@pytest.fixture(autouse=True)
def _strict(house: House) -> Iterator[None]:
    yield
    assert house.slack.faults == []


def test_two_people_answer_and_everybody_sees_it(house: House) -> None:
    review, stamp = house.asked(quorum=2)
    text = "\n".join(texts(house.slack.messages[stamp]))
    assert "public.orders" in text
    assert "canary" not in text
    view = house.modal(review, stamp, "UANA")
    assert "canary" not in json.dumps(view)
    said = house.give(view, "UANA", comment="looks right", scope="shape", minutes="30", rows="5")
    assert said == "Your answer counts. More are needed."
    house.slack.until(review, "approves: ana")
    assert (
        house.give(house.modal(review, stamp, "UBEN"), "UBEN", scope="shape", minutes="10")
        == "It is approved."
    )
    house.slack.until(review, "was approved")
    kept = house.review(review)
    assert kept.status is Status.APPROVED
    assert [(each.person, each.comment) for each in kept.votes] == [("ana", "looks right"), ("ben", "")]
    assert (kept.conditions.scope, kept.conditions.minutes, kept.conditions.rows) == ("shape", 10, 5)
    # one message, changed in place; its buttons are gone
    assert sum(review in each["text"] for each in house.slack.messages.values()) == 2  # one in each channel
    actions = house.slack.messages[stamp]["blocks"][-1]["elements"]
    assert [each["action_id"] for each in actions] == ["wicket_open"]
    [record] = [
        each
        for each in house.stage.control.records
        if (each["name"], each["by"], each["do"]) == (review, "ben", "reviews.answer")
    ]
    assert (record["how"], record["credential"], record["approves"]) == ("slack", "slack UBEN", True)
    assert house.stage.control.heard.count(review) == 2


def test_one_denial_denies(house: House) -> None:
    review, stamp = house.asked(quorum=2)
    view = house.modal(review, stamp, "UBEN", "wicket_deny")
    assert not any(each.get("block_id") == "scope" for each in view["blocks"])
    assert house.give(view, "UBEN", comment="no") == "It is denied."
    assert house.review(review).status is Status.DENIED
    house.slack.until(review, "was denied")


NOBODY = "stands for nobody here"
MEMBERS_ONLY = "Only full members"
REFUSED = [
    ("UNOBODY", NOBODY),
    ("UBOT", NOBODY),
    ("UGONE", NOBODY),
    ("ULOOKALIKE", NOBODY),
    ("UODDMAIL", NOBODY),
    ("UIDP", "groups were not proven lately"),
    ("UUNCONFIRMED", "not confirmed"),
    ("UUNSAID", "not confirmed"),
    ("UNOMAIL", "not confirmed"),
    ("UROBOT", MEMBERS_ONLY),
    ("UDELETED", MEMBERS_ONLY),
    ("UGUEST", MEMBERS_ONLY),
    ("UGUEST1", MEMBERS_ONLY),
    ("USTRANGE", MEMBERS_ONLY),
    ("UINVITED", MEMBERS_ONLY),
    ("UOTHERTEAM", "not of this workspace"),
    ("USWAPPED", "does not say who you are"),
    ("UUNKNOWN", "does not say who you are"),
    ("UEVE", "for others to answer"),
]


@pytest.fixture(scope="module")
def waiting(house: House) -> tuple[str, str]:
    """A review that nobody of those below may answer."""
    return house.asked()


@pytest.mark.parametrize(("user", "why"), REFUSED)
def test_who_is_nobody_here_can_do_nothing(
    house: House, waiting: tuple[str, str], user: str, why: str
) -> None:
    """Not by pressing, and not by a modal that was another one's."""
    review, stamp = waiting
    shown = "\n".join(texts(house.modal(review, stamp, user)))
    assert why in shown
    assert f"https://gateway.example/reviews/{review}?k=" in shown
    view = house.modal(review, stamp, "UANA")
    view = {**view, "private_metadata": view["private_metadata"].replace("UANA", user)}
    answer = house.send(submitted(view, user))
    assert why in "\n".join(texts(answer.json["view"]))
    assert house.votes(review) == 0


def test_four_eyes_hold_there_too(house: House) -> None:
    """His own, his agent's, twice, and what is over."""
    for more in ({"identity": "ana", "kind_of": "human"}, {"identity": "bot", "behalf": "ANA"}):
        review, stamp = house.asked(**more)
        assert "nobody answers his own review" in "\n".join(texts(house.modal(review, stamp, "UANA")))
        view = house.modal(review, stamp, "UBEN")
        view = {**view, "private_metadata": view["private_metadata"].replace("UBEN", "UANA")}
        assert "nobody answers his own review" in house.give(view, "UANA")
        assert house.votes(review) == 0
    review, stamp = house.asked(quorum=2)
    view = house.modal(review, stamp, "UANA")
    assert house.give(view, "UANA") == "Your answer counts. More are needed."
    assert "you have answered it already" in house.give(view, "UANA", comment="a second click")
    token = house.remote.issue("ana")
    again = house.remote.ask("POST", f"/api/v1/reviews/{review}/approve", {}, token=token)
    assert again.status == 403
    late = house.modal(review, stamp, "UBEN")
    denied = house.remote.ask("POST", f"/api/v1/reviews/{review}/deny", {}, token=house.remote.issue("ben"))
    assert denied.status == 200
    assert house.give(late, "UBEN") == "it is denied already."
    assert len(house.review(review).votes) == 2


def test_conditions_that_can_not_be_are_refused(house: House) -> None:
    review, stamp = house.asked()
    view = house.modal(review, stamp, "UANA")
    for values in (
        {"scope": "shape"},
        {"scope": "once", "minutes": "5"},
        {"rows": "0"},
        {"rows": "9999999999"},
    ):
        assert not house.give(view, "UANA", **values).startswith("It is")
    for values in ({"scope": "all"}, {"minutes": "-1"}, {"rows": "1e9"}, {"comment": "x" * 1001}):
        assert house.send(submitted(view, "UANA", values)).status == 401
    assert house.votes(review) == 0


def test_an_after_review_is_closed(house: House) -> None:
    review, stamp = house.asked(kept=_after())
    actions = house.slack.messages[stamp]["blocks"][-1]["elements"]
    assert [each["action_id"] for each in actions] == ["wicket_approve", "wicket_open"]
    assert house.give(house.modal(review, stamp, "UBEN"), "UBEN") == "It is closed."


def _after() -> Any:
    from api.asking import review

    return review(kind=Kind.AFTER)


Forge = Callable[[House, str, str], Answer]


def _body(**more: Any) -> Forge:
    """A button that was pressed, but for these members."""
    return lambda house, review, stamp: house.send({**pressed(review, stamp, "UANA"), **more})


def _action(**more: Any) -> Forge:
    def forge(house: House, review: str, stamp: str) -> Answer:
        payload = pressed(review, stamp, "UANA")
        payload["actions"][0] |= more
        return house.send(payload)

    return forge


def _container(**more: Any) -> Forge:
    def forge(house: House, review: str, stamp: str) -> Answer:
        payload = pressed(review, stamp, "UANA")
        payload["container"] |= more
        return house.send(payload)

    return forge


def _headers(change: Callable[[bytes], dict[str, str]]) -> Forge:
    def forge(house: House, review: str, stamp: str) -> Answer:
        body = form(pressed(review, stamp, "UANA"))
        return house.send(None, headers=change(body), body=body)

    return forge


def _raw(body: bytes) -> Forge:
    return lambda house, review, stamp: house.send(None, body=body)


def _view(channel: str = "dba", **more: Any) -> Forge:
    """A modal whose metadata are changed."""

    def forge(house: House, review: str, stamp: str) -> Answer:
        kept = {"channel": "dba", "review": review, "answer": "approve", "place": f"{CHANNEL} {stamp}"}
        view = {
            "callback_id": "wicket_answer",
            "private_metadata": json.dumps({**kept, "user": "UANA", **more}),
        }
        return house.send(submitted(view, "UANA"), channel)

    return forge


def _again(house: House, review: str, stamp: str) -> Answer:
    body = form(pressed(review, stamp, "UANA"))
    headers = signed(body)
    house.send(None, headers=headers, body=body)
    return house.send(None, headers=headers, body=body)


FORGED: dict[str, Forge] = {
    "no signature": _headers(lambda body: {"content-type": "application/x-www-form-urlencoded"}),
    "another secret": _headers(lambda body: signed(body, b"guess")),
    "of another body": _headers(lambda body: signed(body + b" ")),
    "an hour old": _headers(lambda body: signed(body, at=int(time.time()) - 3600)),
    "six minutes old": _headers(lambda body: signed(body, at=int(time.time()) - 361)),
    "of tomorrow": _headers(lambda body: signed(body, at=int(time.time()) + 86_400)),
    "a stamp that was changed": _headers(lambda body: {**signed(body), "x-slack-request-timestamp": "1"}),
    "sent twice": _again,
    "of another workspace": _body(team={"id": "T9999"}),
    "of no workspace": _body(team=None),
    "a user of another workspace": _body(user={"id": "UANA", "team_id": "T9999"}),
    "of no user": _body(user={}),
    "an odd user": _body(user={"id": "UANA&x=1"}),
    "no trigger": _body(trigger_id=None),
    "a trigger that is an address": _body(trigger_id="https://evil.example"),
    "two actions": _body(actions=[{"action_id": "wicket_approve"}, {"action_id": "wicket_approve"}]),
    "no action": _body(actions=[]),
    "a review that is not there": _action(value="0" * 26),
    "a value that is no id": _action(value="' OR 1=1"),
    "a value that is no text": _action(value=["x"]),
    "in another channel": _container(channel_id="C9999"),
    "another message": _container(message_ts="1700009999.000100"),
    "in no message": _container(type="view"),
    "no form": _raw(b"\xff\xfe"),
    "JSON": _raw(b'{"payload": {}}'),
    "nothing": _raw(b""),
    "two payloads": _raw(b"payload={}&payload={}"),
    "more than a payload": _raw(b"payload={}&x=1"),
    "no object": _raw(b"payload=[]"),
    "too deep": _raw(b"payload=" + b"[" * 50_000),
    "a modal of another channel": _view(channel="other"),
    "a modal of another place": _view(place="C9999 1.1"),
    "a modal of another review": _view(review="0" * 26),
    "a modal of somebody else": _view(user="UBEN"),
    "a modal that does something else": _view(answer="grant"),
}


@pytest.mark.parametrize("name", FORGED)
def test_what_slack_did_not_send_so_is_nobodys(house: House, waiting: tuple[str, str], name: str) -> None:
    answer = FORGED[name](house, *waiting)
    assert answer.status == 401, (name, answer.body)
    assert answer.json["detail"] == "It is not known that Slack sent this."
    assert house.votes(waiting[0]) == 0


@pytest.mark.parametrize("channel", ["absent", "other"])
def test_a_body_of_one_channel_is_none_of_another(
    house: House, waiting: tuple[str, str], channel: str
) -> None:
    """Both are signed by the same secret."""
    review, stamp = waiting
    assert house.send(pressed(review, stamp, "UANA"), channel).status == 401


def test_both_secrets_are_good_while_one_is_replaced(house: House, waiting: tuple[str, str]) -> None:
    review, stamp = waiting
    for secret in (SIGNING, b"n" * 32):
        body = form(pressed(review, stamp, "UANA"))
        assert house.send(None, headers=signed(body, secret), body=body).status == 200


def test_what_is_none_of_ours_is_let_be(house: House, waiting: tuple[str, str]) -> None:
    review, stamp = waiting
    before = len(house.slack.called)
    for payload in (
        pressed(review, stamp, "UANA", "wicket_open"),
        {**pressed(review, stamp, "UANA"), "type": "shortcut"},
        {**submitted({"callback_id": "another"}, "UANA")},
    ):
        answer = house.send(payload)
        assert (answer.status, answer.json) == (200, {})
    assert len(house.slack.called) == before


def test_where_nothing_is_shown_nothing_is_answered(house: House, waiting: tuple[str, str]) -> None:
    review, _ = waiting
    made = house.slack.messages[house.slack.stamp_of(review, "C9999")]
    text = "\n".join(texts(made))
    assert "wicket_approve" not in text
    assert not any(word in text for word in ("orders", "sales", "bot", "deletes"))


def test_groups_of_an_identity_provider_count_as_lately_proven(house: House) -> None:
    """By the token of the last sign-in, while it holds and its provider is trusted."""
    from identity.saml.idp import ISSUER

    review, stamp = house.asked()
    now = time.time_ns()

    def refused() -> bool:
        return "groups were not proven lately" in "\n".join(texts(house.modal(review, stamp, "UIDP")))

    assert refused()
    hour = 3_600_000_000_000
    token = _signed_in(house, now - hour, now + hour, ISSUER.entity_id, {"dba"})
    assert refused()  # nobody trusts its provider
    house.stage.saml["corp"] = ISSUER
    try:
        assert not refused()
        _revoke(house, token)
        assert refused()
        _signed_in(house, now - 13 * hour, now + hour, ISSUER.entity_id, {"dba"})
        assert refused()  # that was long ago
        _signed_in(house, now - 60, now + hour, "https://another.example", {"dba"})
        assert refused()
        _signed_in(house, now - 50, now + hour, ISSUER.entity_id, {"sre"})
        assert "for others to answer" in "\n".join(texts(house.modal(review, stamp, "UIDP")))
        _signed_in(house, now - 40, now + hour, ISSUER.entity_id, {"dba"})
        # what the policy would take from that provider no more, nobody is here by it either
        for changed in (
            {"longest": 60},
            {"prefix": "corp."},
            {"group_prefix": "corp-"},
            {"groups": None},
        ):
            house.stage.saml["corp"] = replace(ISSUER, **changed)  # type: ignore[arg-type]
            assert refused(), changed
        house.stage.saml["corp"] = ISSUER
        assert house.give(house.modal(review, stamp, "UIDP"), "UIDP") == "It is approved."
        assert house.review(review).votes[0].person == "ida"
    finally:
        house.stage.saml.clear()


def _signed_in(house: House, created: int, expires: int, entity: str, groups: set[str]) -> str:
    from wicketgate.identity import tokens
    from wicketgate.model.saml import SignedInBy

    _, record = tokens.issue("ida", created, os.urandom, expires=expires)
    record = replace(record, proven=SignedInBy("corp", entity, "ida", frozenset(groups)))
    _on_store(house, lambda store: store.add_token(record))
    return record.id


def _revoke(house: House, token: str) -> None:
    _on_store(house, lambda store: store.revoke_token(token, time.time_ns()))


def _on_store(house: House, work: Callable[[Store], Any]) -> None:
    async def run() -> None:
        store = await Store.open(store_url(None, house.stage.folder))
        try:
            await work(store)
        finally:
            await store.close()

    asyncio.run(run())


def test_slack_that_is_away_loses_no_answer_elsewhere(house: House) -> None:
    """A message that can't be changed is written anew; one that can't be sent is tried again."""
    from aiohttp import web

    house.slack.answers += [web.Response(status=503), web.Response(status=429, headers={"retry-after": "1"})]
    review = ask_for(house.stage.folder)
    token = house.remote.issue("ana")
    assert house.remote.ask("POST", f"/api/v1/reviews/{review}/approve", {}, token=token).status == 200
    house.slack.until(review, "was approved")
    assert SHOWN["relations"] == ["public.orders"]
