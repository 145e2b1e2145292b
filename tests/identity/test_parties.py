"""Exchanged tokens before the authenticator: what they were made of is asked each time. Doubt is nobody."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from identity.issuer import NOW, claims, judge, key, signed
from wicketgate.identity import tokens
from wicketgate.identity.authenticate import Authenticator
from wicketgate.identity.issuers import IssuerTokens
from wicketgate.model.exchange import Exchange, Party, exchange_of, party, shared
from wicketgate.model.identity import Claim, IdentityKind
from wicketgate.model.secret import Secret
from wicketgate.model.task import Task
from wicketgate.model.token import ServiceAccount

TASK = Task("t-1", "weekly report", "ana", "bot")


class Stage:
    """ana is the issuer's alone, bot has an account and a token."""

    def __init__(self, **more: Any) -> None:
        self.judge = judge(until=NOW + 1000)
        human = Authenticator({}, {}, self.judge).bearer(Secret(signed(claims(**more), key("RSA"))), "", NOW)
        assert human is not None
        self.accounts = {
            name: ServiceAccount(name, kind, frozenset({"crew"})).replicated()
            for name, kind in (("bot", IdentityKind.AGENT), ("ben", IdentityKind.HUMAN))
        }
        _, self.agent = tokens.issue("bot", NOW, os.urandom, expires=NOW + 900)
        self.exchange = Exchange(party(human), Party(self.agent.id))
        self.issue(self.exchange)

    def issue(self, exchange: Exchange, task: Task = TASK) -> None:
        self.secret, self.made = tokens.issue(
            "bot",
            NOW,
            os.urandom,
            expires=NOW + 500,
            resources=frozenset({"sales"}),
            task=task,
            exchange=exchange,
        )
        self.tokens = {each.hash: each.replicated() for each in (self.agent, self.made)}

    def change(self, **fields: Any) -> None:
        self.tokens[self.agent.hash] = replace(self.agent, **fields).replicated()

    def who(self, issuers: IssuerTokens | None = None) -> Authenticator:
        return Authenticator(self.tokens, self.accounts, self.judge if issuers is None else issuers)

    def claim(self) -> Claim:
        return Claim("bot", "sales", self.secret, "10.0.0.1")


def test_both_are_asked_each_time() -> None:
    stage = Stage()
    found = stage.who().authenticate(stage.claim(), NOW)
    assert found is not None
    assert found.human is not None
    assert found.human.groups == {"dba", "crew-agents"}
    assert stage.who().still_holds(found, "sales", NOW, "10.0.0.1") == found
    for change, why in (
        (lambda: stage.tokens.pop(stage.agent.hash), "proved the agent"),
        (lambda: stage.change(revoked=NOW), "agent"),
        (lambda: stage.change(expires=NOW + 1), "agent"),
        (lambda: stage.change(identity="ben"), "agent"),
        (lambda: stage.accounts["bot"].update(disabled=NOW), "disabled"),
        (lambda: stage.accounts.pop("bot"), ""),
        # a name that the issuer proved has an account now: it is that account's alone
        (lambda: stage.accounts.update(ana=ServiceAccount("ana").replicated()), "proved the human"),
    ):  # fmt: skip
        fresh = Stage()
        stage.tokens, stage.accounts, stage.secret, stage.agent = (
            fresh.tokens,
            fresh.accounts,
            fresh.secret,
            fresh.agent,
        )
        open_session = stage.who().authenticate(stage.claim(), NOW + 5)
        assert open_session is not None, (why, stage.who().reason(stage.claim(), NOW + 5))
        change()
        assert stage.who().authenticate(stage.claim(), NOW + 5) is None
        told = stage.who().reason(stage.claim(), NOW + 5)
        assert why in told, told
        assert stage.who().still_holds(open_session, "sales", NOW + 5, "10.0.0.1") is None


def test_the_issuer_s_word_holds_as_long_as_its_key() -> None:
    stage = Stage()
    for judged in (
        IssuerTokens({}, {}),
        judge("", key("RSA", "two")),
        judge("skew: 1s", key("RSA", "two")),
        judge(until=NOW),
    ):
        assert stage.who(judged).authenticate(stage.claim(), NOW) is None
    for more in ("kind: agent", "prefix: x.", "accept: [{subject: ben}]", "longest: 1m"):
        assert stage.who(judge(more)).authenticate(stage.claim(), NOW) is None, more


def test_nobody_stands_in_for_the_human() -> None:
    """The proof is another's than the task says; or one that is no human's; or one that acts itself."""
    stage = Stage()
    for exchange, task in (
        (stage.exchange, replace(TASK, behalf="ben")),
        (Exchange(Party(stage.agent.id), Party(stage.agent.id)), replace(TASK, behalf="bot")),
        (Exchange(Party("0" * 16), Party(stage.agent.id)), replace(TASK, behalf="ben")),
        (Exchange(Party(""), Party(stage.agent.id)), replace(TASK, behalf="ben")),
    ):
        stage.issue(exchange, task)
        assert stage.who().authenticate(stage.claim(), NOW) is None
    made = stage.made
    stage.issue(Exchange(stage.exchange.human, Party(made.id)))
    stage.tokens[made.hash] = made.replicated()
    assert stage.who().authenticate(stage.claim(), NOW) is None, "made of one that acts for somebody"


@pytest.mark.parametrize(
    "broken",
    [{}, {"human": None}, {"human": {}, "agent": {}}, [], "x", {"human": {"credential": "x", "proof": 1}}],
)
def test_what_cannot_be_read_proves_nobody(broken: Any) -> None:
    stage = Stage()
    stage.tokens[stage.made.hash]["exchange"] = broken
    found = stage.who().authenticate(stage.claim(), NOW)
    # an empty one would be an administrator's token, whose human has an account
    assert found is None


def test_there_and_back() -> None:
    stage = Stage()
    assert exchange_of(stage.exchange.replicated()) == stage.exchange
    assert tokens.from_replicated(stage.made.hash, stage.made.replicated()).exchange == stage.exchange
    said = str(stage.exchange.replicated()) + repr(stage.exchange)
    assert "eyJ" not in said


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ([], [], []),
        (["10.0.0.0/8"], [], ["10.0.0.0/8"]),
        (["10.0.0.0/8"], ["10.1.0.0/16", "192.168.0.0/16"], ["10.1.0.0/16"]),
        (["10.1.2.3/32"], ["0.0.0.0/0"], ["10.1.2.3/32"]),
        (["10.0.0.0/8"], ["::/0"], None),
        (["2001:db8::/32"], ["2001:db8:1::/48"], ["2001:db8:1::/48"]),
        (["10.0.0.0/9"], ["10.128.0.0/9"], None),
    ],
)
def test_networks_of_both(one: list[str], other: list[str], both: list[str] | None) -> None:
    expected = None if both is None else frozenset(both)
    assert shared(frozenset(one), frozenset(other)) == expected
    assert shared(frozenset(other), frozenset(one)) == expected
