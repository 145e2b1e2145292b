"""An agent in its task, for a human: tried to do what one of them may not, or what was not declared."""

from dataclasses import replace
from typing import Any

import pytest

from gate.stage import HOUR, NOW, Stage, cleared, facts, more, statement, submitted
from wicketgate.gate.gate import NOT_SIGNED_IN
from wicketgate.model.clearance import Clearance, Outcome
from wicketgate.model.decision import Denial
from wicketgate.model.identity import IdentityKind
from wicketgate.model.secret import Secret
from wicketgate.model.session import Refused
from wicketgate.model.statement import Effect
from wicketgate.model.task import DRIFT, Task
from wicketgate.model.token import ServiceAccount, TokenRecord

RULES = """\
  - name: crews work
    identities: {groups: [crew]}
    resources: any
    account: reader
    permit: [read, write, execute]
    reveal: [email]
  - name: people read
    identities: {groups: [staff]}
    resources: any
    account: reader
    permit: [read, delete, execute]
    limits: {statements: 100 per hour}
"""
ALL = "  - {name: all, identities: any, resources: any, account: reader, permit: [read]}\n"
ORDERS = facts("read", reads="public.orders")
WRITE = facts("write", commands="insert", writes="public.orders", returns_rows=False)
DELETE = facts("delete", commands="delete", writes="public.orders", returns_rows=False)
EMAIL = facts("read", reads="public.customers", classes="email")
BEGIN = facts("session", commands="begin", returns_rows=False)


class Acting(Stage):
    """bot (crew) for ana (staff), on `sales`."""

    def __init__(self, rules: str = RULES) -> None:
        super().__init__(rules)
        self.person()
        self.changed_people()

    def person(self, name: str = "ana", *groups: str, **other: Any) -> None:
        kind = other.pop("kind", IdentityKind.HUMAN)
        account = ServiceAccount(name, kind, frozenset(groups or ("staff",)), **other)
        self.identities[name] = account.replicated()

    def token(self, **declared: Any) -> tuple[Secret, TokenRecord]:
        scope = {"resources": frozenset({"sales"}), "expires": NOW + HOUR * 5}
        scope |= {key: declared.pop(key) for key in ("rules", "networks", "resources") if key in declared}
        task = Task("t-42", "weekly report", declared.pop("behalf", "ana"), "analyst", "sales", **declared)
        return self.issue("bot", task=task, **scope)

    async def acting(self, **declared: Any) -> Any:
        return await self.desk(secret=self.token(**declared)[0])


async def test_who_acts_for_whom_and_why_is_recorded_and_nothing_claimed_changes_it() -> None:
    stage = Acting()
    claimed = {"application_name": "crew=finance;task=t-1;agent=root", "behalf": "root"}
    await stage.admit(secret=stage.token()[0], claimed=claimed)
    (line,) = stage.journal.of("open")
    told = {key: line["i"][key] for key in ("name", "behalf", "agent", "crew", "task", "purpose")}
    assert told == {
        "name": "bot",
        "behalf": "ana",
        "agent": "analyst",
        "crew": "sales",
        "task": "t-42",
        "purpose": "weekly report",
    }
    assert line["i"]["claimed"] == claimed


async def test_only_what_both_may_is_permitted() -> None:
    desk = await Acting().acting()
    assert isinstance(await submitted(desk, ORDERS), Clearance)
    assert isinstance(await submitted(desk, BEGIN), Clearance)
    of_agent = await submitted(desk, DELETE)
    assert (of_agent.kind, of_agent.cause) == ("policy", "effects not covered: delete")
    of_human = await submitted(desk, WRITE)
    assert of_human.cause == "for ana: effects not covered: write"
    assert of_human.message.endswith("(for ana)")


async def test_what_one_of_them_may_not_be_shown_is_masked() -> None:
    stage = Acting()
    assert cleared(await stage.desk(), EMAIL).decision.transform("email") == "reveal"
    assert (await submitted(await stage.acting(), EMAIL)).decision.transform("email") == "redact"
    stage.change(
        RULES + "  - {name: m, identities: {groups: [staff]}, resources: any, mask: {email: last4}}\n"
    )
    desk = await stage.acting()
    assert (await submitted(desk, EMAIL)).decision.transform("email") == "last4"
    masks = "  - {{name: {0}, identities: {{groups: [{0}]}}, resources: any, mask: {{email: {1}}}}}\n"
    stage.change(
        RULES.replace("    reveal: [email]\n", "")
        + masks.format("crew", "last4")
        + masks.format("staff", "null")
    )
    assert stage.gate.readmit() == []
    assert (await submitted(desk, EMAIL)).decision.transform("email") == "redact"


DRIFTS = {
    "another effect": ({"effects": {Effect.READ}}, facts("read", "execute", reads="public.orders")),
    "another relation": ({"relations": {"public.orders"}}, facts("read", reads="public.customers")),
    "one beside it": (
        {"relations": {"public.orders"}},
        facts("read", reads="public.orders public.customers"),
    ),
    "a view of it": ({"relations": {"public.orders"}}, facts("read", reads="public.v public.orders")),
    "below a declared view": ({"relations": {"public.v"}}, facts("read", reads="public.v public.orders")),
    "a partition": ({"relations": {"public.orders"}}, facts("read", reads="public.orders_2026")),
    "another schema's": ({"relations": {"public.orders"}}, facts("read", reads="other.orders")),
    "what is written": (
        {"relations": {"public.orders"}},
        facts("read", "execute", reads="public.orders", writes="public.log"),
    ),
    "what can't be told": (
        {"relations": {"public.orders"}},
        facts("read", reads="public.orders", complete=False),
    ),
    "unknown effects": ({"relations": {"public.orders"}}, facts("unknown", reads="public.orders")),
}


@pytest.mark.parametrize("name", DRIFTS)
async def test_drift_is_denied_recorded_as_drift_and_counted(name: str) -> None:
    declared, asked = DRIFTS[name]
    stage = Acting()
    desk = await stage.acting(**{key: frozenset(value) for key, value in declared.items()})
    denial = await submitted(desk, asked)
    assert isinstance(denial, Denial)
    assert (denial.kind, denial.rules) == ("drift", ())
    assert denial.cause.startswith(DRIFT)
    assert stage.journal.of("deny")[-1]["denial"]["kind"] == "drift"
    assert stage.counted["denials{kind=drift}"] == 1
    assert isinstance(await submitted(desk, BEGIN), Clearance)


async def test_what_was_declared_is_still_bound_by_policy() -> None:
    desk = await Acting().acting(effects=frozenset({Effect.WRITE, Effect.DELETE, Effect.DEFINE}))
    for asked in (WRITE, DELETE, facts("define", commands="create", returns_rows=False)):
        assert (await submitted(desk, asked)).kind == "policy"


async def test_a_task_that_only_reads_gets_a_session_that_only_reads() -> None:
    stage = Acting()
    wide, _ = await stage.admit(secret=stage.token()[0])
    reading, _ = await stage.admit(secret=stage.token(effects=frozenset({Effect.READ}))[0])
    assert (wide.read_only, reading.read_only) == (False, True)


REFUSED = {
    "another resource": ({}, {"resource": "notes"}, f"{DRIFT}: the task t-42 did not declare this resource"),
    "another network": (
        {"networks": frozenset({"192.0.2.0/24"})},
        {},
        "the token is not for this source network",
    ),
    "another name": ({}, {"identity": "ana"}, ""),
    "a human who is not there": ({"behalf": "eve"}, {}, "the human behind the task is gone or disabled"),
    "an agent as the human": ({"behalf": "bot"}, {}, "the human behind the task is gone or disabled"),
    "another account": ({}, {"account": "writer"}, None),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_sign_ins_that_are_refused_alike(name: str) -> None:
    declared, asked, cause = REFUSED[name]
    stage = Acting()
    found = await stage.gate.admit(stage.claim(secret=stage.token(**declared)[0], **asked))
    assert isinstance(found, Refused)
    assert (found.denial.kind, found.denial.message) == ("sign-in", NOT_SIGNED_IN)
    if cause:
        assert stage.journal.lines[-1]["denial"]["cause"] == f"not authenticated: {cause}"
    assert stage.counted.get("denials{kind=drift}", 0) == (DRIFT in (cause or ""))


async def test_both_must_be_offered_the_account() -> None:
    rules = RULES.replace("permit: [read, delete, execute]", "permit: [read]")
    stage = Acting(
        rules.replace(
            "resources: any\n    account: reader\n    permit: [read]",
            "resources: [sales]\n    account: writer\n    permit: [read]",
        )
    )
    for account in (None, "reader", "writer"):
        found = await stage.gate.admit(stage.claim(secret=stage.token()[0], account=account))
        assert isinstance(found, Refused)


@pytest.mark.parametrize("how", ["disabled", "gone", "no human", "unreadable", "revoked"])
async def test_a_session_ends_with_its_human_or_token(how: str) -> None:
    stage = Acting()
    secret, record = stage.token()
    desk = await stage.desk(secret=secret)
    assert isinstance(await submitted(desk, ORDERS), Clearance)
    if how == "gone":
        del stage.identities["ana"]
    elif how == "unreadable":
        stage.identities["ana"] = {"kind": "human"}
    elif how == "revoked":
        stage.tokens[record.hash] = replace(record, revoked=NOW).replicated()
    else:
        stage.person(**({"disabled": NOW} if how == "disabled" else {"kind": IdentityKind.AGENT}))
    stage.changed_people()
    ((session, denial),) = stage.gate.readmit()
    assert (session, denial.kind) == (desk.admission.session, "revoked")
    assert desk.submit(statement("select 1", ORDERS), lambda answer: None).kind == "revoked"
    assert isinstance(await stage.gate.admit(stage.claim(secret=secret)), Refused)


async def test_a_group_that_is_taken_away_counts_for_what_was_decided_before() -> None:
    more_rules = (
        "  - {name: audit, identities: {groups: [audit]}, resources: any, account: reader, permit: [write]}\n"
    )
    stage = Acting(RULES + more_rules)
    stage.person("ana", "staff", "audit")
    stage.changed_people()
    desk = await stage.acting()
    prepared = statement("insert", WRITE)
    assert isinstance(desk.submit(prepared, lambda answer: None), Clearance | None)
    assert isinstance(await submitted(desk, WRITE), Clearance)
    stage.person("ana", "staff")
    stage.changed_people()
    assert stage.gate.readmit() == []
    assert (await submitted(desk, WRITE)).cause == "for ana: effects not covered: write"
    assert isinstance(await submitted(desk, ORDERS), Clearance)
    stage.person("ana", "nobody")
    stage.changed_people()
    assert [denial.kind for _, denial in stage.gate.readmit()] == ["policy"]


async def test_a_rule_of_the_policy_that_goes_takes_the_human_s_part_with_it() -> None:
    stage = Acting()
    desk = await stage.acting()
    assert isinstance(await submitted(desk, ORDERS), Clearance)
    stage.change(RULES.replace("groups: [staff]", "groups: [board]"))
    ((_, denial),) = stage.gate.readmit()
    assert denial.kind == "policy"


async def test_the_ceiling_is_one_for_all_sessions_and_hours() -> None:
    stage = Acting()
    secret, _ = stage.token(rows=5)
    one, other = await stage.desk(secret=secret), await stage.desk(secret=secret)
    left = 5
    for desk in (one, other, one):
        clearance = await submitted(desk, ORDERS)
        assert isinstance(clearance, Clearance)
        assert clearance.allowance.left >= 1
        clearance.allowance.left -= 1
        left -= 1
        desk.settle(clearance, Outcome(rows=1, size=1))
    stage.now += 2 * HOUR
    cursor = await submitted(other, ORDERS)
    taken = 0
    while True:
        if cursor.allowance.left == 0 and await more(other, cursor) is not None:
            break
        cursor.allowance.left -= 1
        taken += 1
    assert taken == left
    other.settle(cursor, Outcome(rows=taken, size=1))
    for desk in (one, other, await stage.desk(secret=secret)):
        denial = await submitted(desk, ORDERS)
        assert (denial.kind, denial.cause) == ("drift", f"{DRIFT}: more than 5 rows")
    assert stage.counted["denials{kind=drift}"] == 3
    # what gives no rows goes on, and another token has a ceiling of its own
    assert isinstance(await submitted(one, BEGIN), Clearance)
    assert isinstance(await submitted(await stage.acting(rows=5), ORDERS), Clearance)


async def test_the_human_s_limits_count_for_the_human() -> None:
    """Whoever acts for ana uses what ana has; bot's own work does not."""
    stage = Acting(RULES.replace("100 per hour", "3 per hour"))
    first, second = await stage.acting(), await stage.acting()
    for desk in (first, second, first):
        assert isinstance(await submitted(desk, ORDERS), Clearance)
    assert (await submitted(second, ORDERS)).kind == "limit"
    assert {body["identity"] for body in stage.control.leases()} == {"ana"}
    assert isinstance(await submitted(await stage.desk(), ORDERS), Clearance)


async def test_a_limit_per_session_of_a_rule_of_both_counts_once() -> None:
    rules = ALL.replace("[read]", "[read], limits: {rows: 4 per session, statements: 2 per session}")
    desk = await Acting(rules).acting()
    assert cleared(desk, ORDERS).allowance.left == 4
    cleared(desk, BEGIN)
    assert (await submitted(desk, ORDERS)).kind == "limit"


async def test_conditions_are_told_of_the_task_on_both_sides() -> None:
    for condition, permitted in (
        ('identity.task == "t-42" && identity.crew == "sales"', True),
        (
            'identity.behalf == "ana" && identity.agent == "analyst" && identity.purpose == "weekly report"',
            True,
        ),
        ('identity.crew == "finance"', False),
    ):
        stage = Acting(ALL.replace("[read]", f"[read], when: '{condition}'"))
        found = await stage.gate.admit(stage.claim(secret=stage.token()[0]))
        assert isinstance(found, Refused) is not permitted
        assert isinstance(await stage.gate.admit(stage.claim()), Refused)


async def test_sessions_of_other_tasks_share_no_decisions() -> None:
    stage = Acting()
    for _ in range(2):
        assert isinstance(await submitted(await stage.desk(), WRITE), Clearance)
        assert (await submitted(await stage.acting(), WRITE)).kind == "policy"
        declared = frozenset({"public.orders"})
        assert (await submitted(await stage.acting(relations=declared), EMAIL)).kind == "drift"
        assert isinstance(await submitted(await stage.acting(), EMAIL), Clearance)
