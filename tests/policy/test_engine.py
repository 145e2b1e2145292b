"""Decisions: who gets a session, what is permitted in it, and what never changes an answer."""
# ruff: noqa: E501 (a row of a table is a line)

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.samples import (
    BEGIN,
    CREW,
    NOW,
    READ,
    READS,
    REVEAL,
    context,
    decide,
    facts,
    identity,
    opened,
    session,
    told,
)
from policy.samples import policy as make
from wicketgate.model.decision import Decision, Limit, Observed, Verdict
from wicketgate.model.statement import UNKNOWN_FACTS, Facts
from wicketgate.policy.conditions import Asking
from wicketgate.policy.engine import Engine
from wicketgate.policy.load import Policy
from wicketgate.policy.truth import Truth


# -- sessions ----------------------------------------------------------------------------------------------
def test_nobody_gets_in_by_silence() -> None:
    assert session(make(""), CREW) is None
    assert session(make("rules: [{name: m, mask: {email: 'null'}}]"), CREW) is None
    only = make(f"rules: [{READS}]")
    assert session(only, identity("stranger")) is None
    assert session(only, CREW, account="writer") is None
    assert session(only, CREW, account="nobody") is None
    assert session(only, CREW, resource="notes") is None


def test_a_resource_that_the_policy_does_not_know() -> None:
    found = make(f"rules: [{READS}]")
    stranger = replace(found.resources["sales"], name="other")
    assert Engine(found).ruleset(CREW, stranger, "reader", NOW) is None
    assert Engine(found).accounts(CREW, stranger) == frozenset()


def test_accounts_are_those_that_permits_offer() -> None:
    rules = (
        f"rules: [{READS}, {{name: w, identities: [ann], resources: [sales], account: writer, permit: [write]}},"
        " {name: d, identities: any, resources: [notes], permit: [read]},"
        " {name: n, identities: any, resources: [sales], account: writer, permit: [read],"
        " when: identity.name == 'carl'}, {name: u, identities: any, resources: [sales], account: writer,"
        " permit: [read], when: identity.agent == 'x'}, {name: m, mask: {email: 'null'}, account: writer}]"
    )
    found = make(rules)
    engine = Engine(found)

    def accounts(who: str, resource: str, *groups: str) -> set[str]:
        return set(engine.accounts(identity(who, *groups), found.resources[resource]))

    assert accounts("crew-bot", "sales", "crew") == {"reader"}
    assert accounts("ann", "sales", "crew") == {"reader", "writer"}
    assert accounts("ann", "sales") == {"writer"}
    assert accounts("carl", "sales") == {"writer"}
    assert accounts("bob", "sales") == set()
    assert accounts("bob", "notes") == {"reader"}


def test_read_only() -> None:
    assert opened(READS).read_only
    assert opened(
        f"{READS}, {{name: w, identities: any, resources: any, account: writer, permit: [write]}}"
    ).read_only
    write = "{name: w, identities: any, resources: [sales], account: reader, permit: [write]}"
    assert not opened(f"{READS}, {write}").read_only
    assert opened(f"{READS}, {write[:-1]}, when: identity.name == 'ann'}}").read_only
    assert not opened(f"{READS}, {write[:-1]}, when: now.getHours() == 3}}").read_only


def test_closed_resources_open_for_nobody() -> None:
    found = replace(make(f"rules: [{READS}]"), closed={"sales": "why"})
    assert session(found, CREW) is None
    assert Engine(found).accounts(CREW, found.resources["sales"]) == frozenset()


def test_admission() -> None:
    def admitted(rule: str, database: str = "sales", **other: int) -> str | None:
        denial = opened(f"{READS}, {rule}").admission(context(database, **other))
        return None if denial is None else denial.message

    assert admitted("{name: d, deny: no, when: statement.does('drop')}") is None
    assert admitted("{name: d, deny: no, when: \"identity.name == 'x' || statement.does('drop')\"}") is None
    assert admitted("{name: d, deny: no}") == 'denied by rule "d": no'
    assert (
        admitted("{name: d, deny: no, when: \"statement.does('drop') || identity.name == 'crew-bot'\"}")
        is not None
    )
    assert admitted("{name: d, deny: no, when: identity.agent == 'x'}") is not None
    assert admitted("{name: d, deny: no, enforce: observe}") is None
    assert admitted("{name: d, deny: no, identities: [ann]}") is None
    assert admitted("{name: d, deny: no, resources: {names: [sales], databases: [archive]}}") is None
    assert (
        admitted("{name: d, deny: no, resources: {names: [sales], databases: [archive]}}", "archive")
        is not None
    )
    assert admitted("{name: d, deny: no, when: session.database == 'archive'}", "archive") is not None
    assert admitted("{name: d, review: {by: [x]}}") is None
    assert admitted("{name: d, deny: no, when: session.source == '10.0.0.1'}") is None  # asked later
    assert (
        admitted("{name: d, deny: no, when: \"session.source == '' || identity.name == 'crew-bot'\"}")
        is not None
    )
    office = "{name: d, deny: no, when: now.getHours() < 9}"
    assert admitted(office) is not None
    assert admitted(office, now=NOW + 3_600_000_000_000) is None


def test_a_permit_for_some_hours() -> None:
    rule = READS[:-1] + ", when: now.getHours() >= 8 && now.getHours() < 9}"
    ruleset = opened(rule)
    later = NOW + 3_600_000_000_000
    assert ruleset.admission(context()) is None
    assert ruleset.admission(context(now=later)) is not None
    found = ruleset.decide(READ, context())
    assert (found.verdict, found.valid_until) == (Verdict.PERMIT, NOW)
    assert ruleset.decide(READ, context(now=later)).verdict is Verdict.DENY
    assert ruleset.decide(BEGIN, context(now=later)).verdict is Verdict.DENY
    assert (
        Engine(make(f"rules: [{rule}]")).ruleset(CREW, make("").resources["sales"], "reader", later) is None
    )


def test_what_only_the_session_knows() -> None:
    ruleset = opened(
        f"{READS}, {{name: d, deny: no, when: session.source == '10.0.0.1' || now - session.opened > duration('8h')}}"
    )
    assert ruleset.admission(context()) is None
    told_all = context(source="10.0.0.2", opened=NOW)
    assert ruleset.decide(READ, told_all).verdict is Verdict.PERMIT
    assert ruleset.decide(READ, replace(told_all, source="10.0.0.1")).verdict is Verdict.DENY
    assert ruleset.decide(READ, replace(told_all, now=NOW + 9 * 3_600_000_000_000)).verdict is Verdict.DENY
    assert ruleset.decide(READ, context()).verdict is Verdict.DENY
    assert ruleset.admission(replace(told_all, source="10.0.0.1")) is not None
    permit = opened(READS[:-1] + ", when: session.source.startsWith('10.')}")
    assert permit.admission(context()) is None
    assert permit.admission(context(source="192.0.2.1", opened=NOW)) is not None
    assert permit.decide(READ, told_all).verdict is Verdict.PERMIT


def test_databases() -> None:
    rule = "{name: r, identities: any, resources: {names: [sales], databases: [archive]}, account: reader, permit: [read]}"
    ruleset = opened(rule)
    assert ruleset.admission(context("archive")) is None
    assert ruleset.admission(context("sales")) is not None
    assert ruleset.decide(READ, context("archive")).verdict is Verdict.PERMIT
    assert ruleset.decide(READ, context("sales")).verdict is Verdict.DENY
    assert ruleset.decide(READ, context(None)).verdict is Verdict.DENY
    denying = READS + ", {name: d, deny: no, resources: {names: [sales], databases: [archive]}}"
    assert decide(denying, database="sales").verdict is Verdict.PERMIT
    assert decide(denying, database="archive").verdict is Verdict.DENY
    assert decide(denying, database=None).verdict is Verdict.DENY


# -- effects -----------------------------------------------------------------------------------------------
def test_every_effect_must_be_covered() -> None:
    assert decide(READS).rules == ("crews read",)
    both = facts("read", "write", commands="insert select")
    assert told(decide(READS, both)) == (
        "policy",
        "no rule permits you to write on sales",
        "Permitted here: read.",
    )
    wider = f"{READS}, {{name: w, identities: any, resources: [sales], account: reader, permit: [write]}}"
    assert decide(wider, both).rules == ("crews read", "w")
    assert told(decide(READS, facts("define", "grant")))[1].startswith("no rule permits you to define")


def test_what_can_t_be_told_is_not_covered() -> None:
    kind, message, _ = told(decide(READS, UNKNOWN_FACTS))
    assert (kind, message) == (
        "policy",
        "what this statement does can't be told, and no rule permits that on sales",
    )
    named = replace(UNKNOWN_FACTS, functions=frozenset({"no_such", "type nosuch"}))
    assert told(decide(READS, named))[2] == (
        "Permitted here: read. Not known here, or not known to be safe: no_such, type nosuch."
    )
    anything = READS.replace("[read]", "[read, unknown]")
    assert told(decide(anything, UNKNOWN_FACTS))[0] == "mask"
    assert decide(anything, replace(UNKNOWN_FACTS, opaque=False)).verdict is Verdict.PERMIT


def test_a_session_s_own_business_needs_any_permit() -> None:
    conditional = READS[:-1] + ", when: statement.reads('public.orders')}"
    for rule in (READS, conditional):
        assert decide(rule, BEGIN).verdict is Verdict.PERMIT
        assert decide(rule, facts(commands="other")).verdict is Verdict.PERMIT
    _, message, hint = told(decide(conditional))
    assert message == "no rule permits you to read on sales"
    assert (
        hint == 'Permitted here: read. The condition of rule "crews read" does not hold for this statement.'
    )
    unsure = told(decide(conditional, facts("read", complete=False)))[2]
    assert unsure is not None
    assert "could not be told to hold" in unsure


def test_a_refusal_is_final() -> None:
    refused = facts("read", refusal="This statement is too large.")
    everything = READS.replace("[read]", "[session, read, write, delete, define, grant, execute, unknown]")
    assert told(decide(everything, refused))[1] == "This statement is too large."


def test_an_unknown_permit_does_not_permit() -> None:
    rule = READS[:-1] + ", when: '!statement.reads(\"public.secrets\")'}"
    assert decide(rule).verdict is Verdict.PERMIT
    assert decide(rule, facts("read", complete=False)).verdict is Verdict.DENY


# -- denials -----------------------------------------------------------------------------------------------
DROP = "{name: never drop, when: statement.does('drop'), deny: Dropping is not done here.}"
ALL = READS.replace("[read]", "[read, write, define, unknown]")


def test_deny_wins() -> None:
    decision = decide(f"{ALL}, {DROP}", facts("define", commands="drop"))
    assert told(decision) == ("policy", 'denied by rule "never drop": Dropping is not done here.', None)
    assert decision.rules == ("never drop",)
    assert decide(f"{ALL}, {DROP}").verdict is Verdict.PERMIT


def test_deny_where_it_can_t_be_told() -> None:
    decision = decide(f"{ALL}, {DROP}", replace(UNKNOWN_FACTS, opaque=False))
    assert told(decision)[1] == 'denied by rule "never drop": Dropping is not done here.'
    assert decision.denial is not None
    assert decision.denial.cause == "denied by never drop (unknown)"
    assert decision.denial.hint is not None


def test_a_sure_denial_is_told_first() -> None:
    unsure = "{name: a, when: statement.reads('a.b'), deny: perhaps}"
    sure = "{name: b, when: statement.does('select'), deny: surely}"
    asked = facts("read", complete=False)
    assert told(decide(f"{READS}, {unsure}, {sure}", asked))[1] == 'denied by rule "b": surely'
    assert told(decide(f"{READS}, {unsure}", replace(asked, effects=facts("write").effects)))[1].startswith(
        "no rule"
    )
    assert told(decide(f"{READS}, {unsure}", asked))[1] == 'denied by rule "a": perhaps'


# -- limits ------------------------------------------------------------------------------------------------
def test_limits_all_hold_smallest_first() -> None:
    rules = (
        f"{READS}, {{name: a, limits: {{rows: [100 per hour, 9 per session]}}}},"
        " {name: b, limits: {rows: 50 per hour, statements: 3 per hour}},"
        " {name: c, limits: {rows: 1 per hour}, when: statement.does('drop')},"
        " {name: d, limits: {rows: 2 per hour}, enforce: observe}"
    )
    decision = decide(rules)
    assert decision.limits == (
        Limit("b", "rows", 50, "hour"),
        Limit("a", "rows", 100, "hour"),
        Limit("a", "rows", 9, "session"),
        Limit("b", "statements", 3, "hour"),
    )
    assert decision.observed == (Observed("d", "limit"),)
    assert {limit.rule for limit in opened(rules).limits} == {"a", "b", "c"}


def test_a_limit_that_can_t_be_told_holds() -> None:
    rule = f"{READS}, {{name: c, limits: {{rows: 1 per hour}}, when: statement.reads('a.b')}}"
    assert decide(rule).limits == ()
    assert decide(rule, facts("read", complete=False)).limits == (Limit("c", "rows", 1, "hour"),)


# -- observing ---------------------------------------------------------------------------------------------
def test_observing_changes_nothing_else() -> None:
    observing = (
        "{name: d, deny: x, enforce: observe}, {name: v, review: {by: [ann]}, enforce: observe},"
        " {name: m, mask: {email: 'null'}, enforce: observe}, {name: l, limits: {rows: 1 per hour}, enforce: observe},"
        f" {{name: r, {REVEAL}, enforce: observe}}"
    )
    plain, watched = decide(READS), decide(f"{READS}, {observing}")
    assert watched.observed == (
        Observed("d", "deny"),
        Observed("l", "limit"),
        Observed("m", "mask"),
        Observed("v", "review"),
    )
    assert (watched.verdict, watched.mask, watched.limits, watched.rules, watched.denial) == (
        plain.verdict,
        plain.mask,
        plain.limits,
        plain.rules,
        None,
    )


def test_an_observing_mask_is_told_where_it_would_change_something() -> None:
    rule = f"{READS}, {{name: m, mask: {{email: 'null'}}, enforce: observe}}"
    assert decide(rule, facts("read")).observed == ()
    assert decide(rule).observed == (Observed("m", "mask"),)
    same = f"{READS}, {{name: m, mask: {{email: redact}}, enforce: observe}}"
    assert decide(same).observed == ()


def test_an_observing_permit_permits() -> None:
    assert decide(READS[:-1] + ", enforce: observe}").verdict is Verdict.PERMIT


def test_observed_is_told_with_denials_too() -> None:
    decision = decide(f"{READS}, {{name: d, deny: x, enforce: observe}}", facts("write"))
    assert decision.verdict is Verdict.DENY
    assert decision.observed == (Observed("d", "deny"),)


# -- what never changes an answer --------------------------------------------------------------------------
POOL = [
    READS,
    "{name: w, identities: any, resources: [sales], account: reader, permit: [write], when: statement.writes('a.b')}",
    "{name: x, identities: any, resources: any, account: reader, permit: [unknown, define]}",
    DROP,
    "{name: n, identities: any, resources: any, deny: no, when: '!statement.reads(\"public.customers\")'}",
    "{name: m1, mask: {email: last4, '*': redact}}",
    "{name: m2, mask: {email: 'null'}, when: statement.touches('email')}",
    "{name: m3, mask: {'*': 'null'}, when: statement.reads('public.customers')}",
    f"{{name: r1, {REVEAL}}}",
    f"{{name: r2, {REVEAL.replace('email', chr(39) + '*' + chr(39))}, when: statement.does('select')}}",
    "{name: l1, limits: {rows: 5 per hour}}",
    "{name: l2, limits: {rows: 9 per hour, statements: 2 per session}, when: statement.reads('a.b')}",
    "{name: v, review: {by: [ann]}, when: statement.reads_whole('public.customers')}",
    "{name: o1, deny: x, enforce: observe}",
    "{name: o2, mask: {email: partial}, enforce: observe}",
]

some_facts = st.builds(
    facts,
    st.sampled_from(["read", "write", "define", "session", "unknown"]),
    commands=st.sampled_from(["select", "drop", "insert"]),
    reads=st.sampled_from(["", "public.customers", "a.b public.customers"]),
    writes=st.sampled_from(["", "a.b"]),
    whole=st.sampled_from(["", "public.customers"]),
    classes=st.sampled_from(["", "email", "email payment-card"]),
    steered=st.sampled_from(["", "", "email", "national-id"]),
    complete=st.booleans(),
    opaque=st.sampled_from([False, False, True]),
)
FACTS = [
    facts(
        effect,
        commands=command,
        reads=reads,
        classes="email",
        steered=steered,
        complete=complete,
        opaque=opaque,
    )
    for effect, command, reads, steered, complete, opaque in itertools.product(
        ["read", "write", "unknown"],
        ["select", "drop"],
        ["", "public.customers"],
        ["", "email"],
        [True, False],
        [False, True],
    )
]


def answers(found: Policy, asked: list[Facts]) -> list[object]:
    """All that a decision says, but for the policy's digest."""
    ruleset = session(found, CREW)
    if ruleset is None:
        return [None]
    said: list[object] = [ruleset.read_only, set(ruleset.limits), ruleset.admission(context())]
    for each in asked:
        one = ruleset.decide(each, context())
        said.append(
            (one.verdict, one.rules, one.denial, dict(one.mask), one.limits, one.observed, one.valid_until)
        )
    return said


def rank(decision: Decision | None) -> bool:
    return decision is not None and decision.verdict is Verdict.PERMIT


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(POOL), unique=True, min_size=1).flatmap(
        lambda rules: st.tuples(st.just(rules), st.permutations(rules))
    ),
    st.lists(some_facts, min_size=1, max_size=6),
)
def test_order_never_matters(rules: tuple[list[str], list[str]], asked: list[Facts]) -> None:
    first, second = (make(f"rules: [{', '.join(each)}]") for each in rules)
    assert answers(first, asked) == answers(second, asked)
    assert first.digest == second.digest


DENIALS = [
    "{name: zz, deny: x}",
    "{name: zz, deny: x, when: statement.does('drop')}",
    "{name: zz, deny: x, when: '!statement.does(\"drop\")'}",
    "{name: zz, deny: x, when: statement.reads('a.b') || identity.agent == 'x'}",
    "{name: zz, review: {by: [ann]}, when: statement.touches('email')}",
    "{name: zz, deny: x, identities: [somebody]}",
]


@settings(max_examples=60)
@given(st.lists(st.sampled_from(POOL), unique=True, min_size=1), st.sampled_from(DENIALS))
def test_a_denial_more_never_permits_more(rules: list[str], denial: str) -> None:
    before = session(make(f"rules: [{', '.join(rules)}]"), CREW)
    after = session(make(f"rules: [{', '.join([*rules, denial])}]"), CREW)
    if before is None or after is None:
        assert after is None
        return
    assert not (before.admission(context()) is not None and after.admission(context()) is None)
    for each in FACTS:
        then, now = before.decide(each, context()), after.decide(each, context())
        assert rank(then) or not rank(now)
        if rank(now):
            assert (then.mask, then.limits) == (now.mask, now.limits)


@settings(max_examples=60)
@given(st.lists(st.sampled_from(POOL), unique=True, min_size=1), some_facts)
def test_less_known_never_permits_more(rules: list[str], asked: Facts) -> None:
    """What is denied when all is known may be denied otherwise; what is permitted in doubt is so in clarity."""
    ruleset = session(make(f"rules: [{', '.join(rules)}]"), CREW)
    if ruleset is None:
        return
    clear = ruleset.decide(replace(asked, complete=True), context())
    doubt = ruleset.decide(replace(asked, complete=False), context())
    assert rank(clear) or not rank(doubt)
    if rank(doubt):
        revealed = {name for name, transform in doubt.mask.items() if transform == "reveal"}
        assert all(clear.transform(name) == "reveal" for name in revealed)


def test_the_same_question_has_the_same_answer() -> None:
    found = make(f"rules: [{', '.join(POOL)}]")
    assert (
        answers(found, FACTS)
        == answers(found, list(FACTS))
        == answers(make(f"rules: [{', '.join(POOL)}]"), FACTS)
    )


def test_rules_for_others_are_not_looked_at() -> None:
    others = ", ".join(
        f"{{name: o{n}, identities: {{groups: [g{n}]}}, resources: [sales], account: reader, permit: [write]}}"
        for n in range(200)
    )
    ruleset = opened(f"{READS}, {others}")
    assert len(ruleset._bound) == 1


@pytest.mark.parametrize("who", ["crew-bot", "ann"])
def test_a_rule_by_name_and_group_counts_once(who: str) -> None:
    rule = "{name: r, identities: {names: [crew-bot, ann], groups: [crew, dba]}, resources: [sales], account: reader, permit: [read], limits: {rows: 1 per hour}}"
    found = session(make(f"rules: [{rule}]"), identity(who, "crew", "dba"))
    assert found is not None
    assert len(found.limits) == 1


@settings(max_examples=80)
@given(st.lists(st.sampled_from(POOL), unique=True, min_size=1), some_facts)
def test_the_index_leaves_out_nothing(rules: list[str], asked: Facts) -> None:
    """A rule is looked at, whatever its condition asks, as if there were no index."""
    ruleset = session(make(f"rules: [{', '.join(rules)}]"), CREW)
    if ruleset is None:
        return
    about = Asking(CREW, ruleset.resource, "reader", asked, context())
    truths = [(each.rule.name, each.applies(about, context())) for each in ruleset._bound]
    found = [(each.rule.name, each.truth) for each in ruleset._match(asked, context())]
    assert found == [(name, truth) for name, truth in truths if truth is not Truth.FALSE]


def test_rulesets_are_shared_by_those_alike_and_by_no_others() -> None:
    found = make(f"rules: [{READS[:-1]}, when: identity.name == 'crew-bot' || identity.task == 'x'}}]")
    engine, resource = Engine(found), found.resources["sales"]
    first = engine.ruleset(CREW, resource, "reader", NOW)
    assert first is not None
    assert engine.ruleset(replace(CREW, claimed={"a": "b"}), resource, "reader", NOW) is first
    assert engine.ruleset(replace(CREW, task="y"), resource, "reader", NOW) is not first
    assert engine.ruleset(replace(CREW, name="ann"), resource, "reader", NOW) is None
    assert engine.ruleset(replace(CREW, name="ann", task="x"), resource, "reader", NOW) is not None
    assert engine.ruleset(CREW, replace(resource, labels={}), "reader", NOW) is not first
