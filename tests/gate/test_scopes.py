"""Tokens that are scoped to rules and networks, tried to be used for more."""

from dataclasses import replace

import pytest

from gate.stage import READ, Stage, cleared, facts, submitted
from wicketgate.gate.gate import NOT_SIGNED_IN
from wicketgate.model.clearance import Clearance
from wicketgate.model.decision import Denial
from wicketgate.model.session import Refused

RULES = (
    READ
    + """\
  - name: crews write
    identities: {groups: [crew]}
    resources: [sales]
    account: reader
    permit: [write]
    limits: {statements: 2 per session}
  - name: emails are shown
    identities: {groups: [crew]}
    resources: [sales]
    reveal: [email]
  - name: never drop
    when: statement.does("drop")
    deny: No.
"""
)
WRITE = facts("write", commands="insert", writes="public.orders", returns_rows=False)
DROP = facts("read", commands="drop")
EMAIL = facts("read", reads="public.customers", classes="email")


async def test_only_the_named_rules_permit_and_all_others_bind() -> None:
    stage = Stage(RULES)
    secret, _ = stage.issue("bot", rules=frozenset({"crews read"}))
    scoped = await stage.desk(secret=secret)
    wide = await stage.desk()
    assert isinstance(await submitted(wide, WRITE), Clearance)
    denied = await submitted(scoped, WRITE)
    assert (denied.kind, denied.cause) == ("policy", "effects not covered: write")
    assert (await submitted(scoped, DROP)).rules == ("never drop",)
    assert cleared(wide, EMAIL).decision.transform("email") == "reveal"
    shown = cleared(scoped, EMAIL)
    assert shown.decision.transform("email") == "redact"
    assert stage.journal.of("open")[0]["i"]["rules"] == ["crews read"]
    # the limit of a rule that may not permit still counts
    cleared(scoped, EMAIL)
    assert (await submitted(scoped, EMAIL)).rules == ("crews write",)


@pytest.mark.parametrize(
    "names", [{"never drop"}, {"crews  read"}, {"CREWS READ"}, {"emails are shown"}, {"gone"}]
)
async def test_a_token_whose_rules_permit_nothing_opens_nothing(names: set[str]) -> None:
    stage = Stage(RULES)
    secret, _ = stage.issue("bot", rules=frozenset(names))
    found = await stage.gate.admit(stage.claim(secret=secret))
    assert isinstance(found, Refused)
    assert found.denial.message == NOT_SIGNED_IN
    assert stage.journal.lines[-1]["denial"]["cause"] == "no rule permits a session"


async def test_another_s_rule_gives_nothing() -> None:
    """A scope names what may permit; it does not make a rule speak of whom it does not."""
    stage = Stage(
        READ + READ.replace("crews read", "admins").replace("[crew]", "[dba]").replace("read]", "write]")
    )
    secret, _ = stage.issue("bot", rules=frozenset({"admins"}))
    assert isinstance(await stage.gate.admit(stage.claim(secret=secret)), Refused)


async def test_a_rule_that_is_renamed_ends_the_session() -> None:
    stage = Stage(RULES)
    secret, _ = stage.issue("bot", rules=frozenset({"crews read"}))
    await stage.desk(secret=secret)
    stage.change(RULES.replace("crews read", "teams read"))
    ((_, denial),) = stage.gate.readmit()
    assert denial.kind == "policy"


async def test_wide_and_scoped_sessions_share_no_decisions() -> None:
    """One identity, one account: what the engine remembers of one token is not another's."""
    stage = Stage(RULES)
    secret, _ = stage.issue("bot", rules=frozenset({"crews read"}))
    for _ in range(2):
        assert isinstance(await submitted(await stage.desk(), WRITE), Clearance)
        assert isinstance(await submitted(await stage.desk(secret=secret), WRITE), Denial)


async def test_from_another_network_the_answer_is_that_of_any_refusal() -> None:
    stage = Stage()
    secret, record = stage.issue("bot", networks=frozenset({"10.0.0.0/8"}))
    good = await stage.desk(secret=secret)
    outside = await stage.gate.admit(stage.claim(secret=secret, source="192.0.2.1"))
    wrong = await stage.gate.admit(stage.claim(identity="nobody"))
    assert isinstance(outside, Refused)
    assert isinstance(wrong, Refused)
    assert (outside.denial.kind, outside.denial.message) == (wrong.denial.kind, wrong.denial.message)
    cause = stage.journal.of("deny")[0]["denial"]["cause"]
    assert cause == "not authenticated: the token is not for this source network"
    assert stage.gate.readmit() == []
    stage.tokens[record.hash] = replace(record, networks=frozenset({"192.0.2.0/24"})).replicated()
    stage.changed_people()
    ((session, denial),) = stage.gate.readmit()
    assert (session, denial.kind) == (good.admission.session, "revoked")
