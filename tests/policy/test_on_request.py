"""Rules on request: what can't be loaded, and grants that are somebody else's, of something else, or over."""
# ruff: noqa: E501 (a row of a table is a line)

from dataclasses import replace
from typing import Any

import pytest

from policy.samples import BEGIN, NOW, READ, RESOURCES, context, facts, faults, identity
from policy.samples import policy as make
from wicketgate.model.grant import Grant, grant_of, grants_of
from wicketgate.model.identity import Identity, IdentityKind
from wicketgate.model.statement import Facts
from wicketgate.model.task import Task
from wicketgate.model.usage import Member, Use, shape
from wicketgate.policy.engine import Engine, Ruleset
from wicketgate.policy.granted import granted, with_uses
from wicketgate.policy.load import Policy

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
OTHER = "01BX5ZZKBKACTAV9WEVGEMMVRZ"
RULES = """\
rules:
  - name: on request
    identities: {groups: [analysts]}
    resources: [sales]
    account: reader
    permit: [read]
    on_request: {by: {groups: [dba]}%s}
"""
STANDING = """\
  - name: standing
    identities: {groups: [analysts]}
    resources: [sales]
    account: reader
    permit: [write]
"""


def given(policy: Policy, **other: Any) -> Grant:
    rule = next(each for each in policy.rules if each.on_request is not None)
    assert rule.on_request is not None
    fields: dict[str, Any] = {
        "id": ID,
        "identity": "ana",
        "issuer": "local",
        "rule": rule.name,
        "resource": "sales",
        "account": "reader",
        "starts": NOW - HOUR,
        "ends": NOW + HOUR,
        "terms": rule.on_request.terms,
    }
    return Grant(**(fields | other))


def ana(*grants: Grant, **other: Any) -> Identity:
    made = {"kind": IdentityKind.HUMAN, "grants": grants} | other
    return identity("ana", "analysts", **made)


def rules_of(policy: Policy, who: Identity, now: int = NOW, account: str = "reader") -> Ruleset | None:
    return Engine(policy).ruleset(who, policy.resources["sales"], account, now)


# -- what loads --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("permit: [read], on_request: {}", "on_request needs 'by'"),
        ("permit: [read], on_request: {by: any}", "on_request decided by anybody is none"),
        ("mask: {email: redact}, on_request: {by: [bob]}", "has neither permit nor reveal"),
        ("deny: no, on_request: {by: [bob]}", "has neither permit nor reveal"),
        ("permit: [read], on_request: {by: [bob], quorum: 2}", "quorum: 2 of 1 people can never be"),
        ("permit: [read], on_request: {by: [ana]}", "nobody answers his own request"),
        ("permit: [read], on_request: {by: [ana, bob], quorum: 2}", "nobody answers his own request"),
        ("permit: [read], on_request: {by: {groups: [dba]}, all_groups: true}", "needs two groups or more"),
        ("permit: [read], on_request: {by: [bob], most: 90}", "most must be text"),
        ("permit: [read], on_request: {by: [bob], most: 31d}", "from a minute to 30 days"),
        ("permit: [read], on_request: {by: [bob], most: 5s}", "from a minute to 30 days"),
        ("permit: [read], on_request: {by: [bob], within: soon}", "within must be like 15m, 2h or 1d"),
        ("permit: [read], on_request: {by: [bob], extend: 21}", "extend must be from 0 to 20"),
        ("permit: [read], on_request: {by: [bob], reason: maybe}", "reason can't be 'maybe'"),
        ("permit: [read], on_request: {by: [bob], break_glas: true}", "did you mean 'break_glass'?"),
        ("permit: [read], on_request: {by: [bob], break_glass: yes}", "must be true or false"),
        (
            "permit: [read], on_request: {by: [bob], break_glass: true, quorum: 1}",
            "broken glass is in force at once",
        ),
        (
            "permit: [read], on_request: {by: [bob], break_glass: true, extend: 1}",
            "broken glass is in force at once",
        ),
        ("permit: [read], on_request: {by: [bob], break_glass: true, reason: optional}", "needs a reason"),
        (
            "permit: [read], on_request: {by: [bob], by_connecting: true, reason: required}",
            "who connects gives no reason",
        ),
        ("permit: [read], waives: reviews", "waives stands only beside on_request with break_glass"),
        (
            "permit: [read], waives: reviews, on_request: {by: [bob]}",
            "waives stands only beside on_request with break_glass",
        ),
        (
            "permit: [read], waives: deny, on_request: {by: [bob], break_glass: true}",
            "waives can't be 'deny'",
        ),
        (
            "permit: [read], on_request: {by: [bob], schedule: {zone: UTC}}",
            "schedule needs days, or from and to",
        ),
        (
            "permit: [read], on_request: {by: [bob], schedule: {days: [mon]}}",
            "schedule needs 'zone'",
        ),
        (
            "permit: [read], on_request: {by: [bob], schedule: {days: [mon], zone: Europe/Berln}}",
            "there is no time zone 'Europe/Berln'; did you mean 'Europe/Berlin'?",
        ),
        (
            "permit: [read], on_request: {by: [bob], schedule: {days: [mon], zone: ../../etc/passwd}}",
            "there is no time zone",
        ),
        (
            "permit: [read], on_request: {by: [bob], schedule: {days: [moon], zone: UTC}}",
            "days can't have 'moon'",
        ),
        (
            "permit: [read], on_request: {by: [bob], schedule: {from: '10:00', zone: UTC}}",
            "schedule has both from and to",
        ),
        (
            "permit: [read], on_request: {by: [bob], schedule: {from: '10:00', to: '10:00', zone: UTC}}",
            "it would never be open",
        ),
        (
            "permit: [read], on_request: {by: [bob], schedule: {from: '24:00', to: '10:00', zone: UTC}}",
            "from can't be the end of a day",
        ),
    ],
)
def test_what_can_never_be_does_not_load(rule: str, fault: str) -> None:
    text = f"rules: [{{name: r, identities: [ana], resources: [sales], account: reader, {rule}}}]"
    found = faults(RESOURCES + text)
    assert len(found) == 1, found
    assert fault in found[0]
    assert found[0].startswith("wicket.yaml:")


# -- grants ------------------------------------------------------------------------------------------------
def test_a_grant_opens_and_its_absence_does_not() -> None:
    policy = make(RULES % "")
    engine, sales = Engine(policy), policy.resources["sales"]
    who = ana(given(policy))
    found = rules_of(policy, who)
    assert found is not None
    assert found.decide(READ, context()).denial is None
    assert found.decide(READ, context()).valid_until == NOW + HOUR
    assert [each.id for each in found.grants] == [ID]
    assert engine.accounts(who, sales, NOW) == {"reader"}
    assert engine.turns(who, sales, NOW) == NOW + HOUR
    assert rules_of(policy, ana()) is None
    # whoever asks without a time is told of standing access alone
    assert engine.accounts(who, sales) == frozenset()


TASK = Task("t-1", "look", "ana", "scout")
ATTACKS: dict[str, dict[str, Any]] = {
    "another identity's": {"identity": "bob"},
    "of the same name, proven by another": {"issuer": "https://elsewhere"},
    "of another resource": {"resource": "notes"},
    "of another account": {"account": "writer"},
    "of another rule": {"rule": "standing"},
    "of a rule that is gone": {"rule": "gone"},
    "of a task": {"task": "t-1", "behalf": "ana"},
    "given on other terms": {"terms": "0" * 32},
    "over since an hour": {"starts": NOW - 2 * HOUR, "ends": NOW - HOUR},
    "over now": {"ends": NOW},
    "not begun": {"starts": NOW + 1},
    "without a length": {"starts": NOW, "ends": NOW},
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_a_grant_that_is_not_this_one_opens_nothing(attack: dict[str, Any]) -> None:
    policy = make(RULES % "" + STANDING)
    alone = make(RULES % "")
    grant = given(policy, **attack)
    assert rules_of(alone, ana(grant)) is None
    assert Engine(alone).accounts(ana(grant), alone.resources["sales"], NOW) == frozenset()
    found = rules_of(policy, ana(grant))
    assert found is not None
    assert found.grants == ()
    assert found.decide(READ, context()).denial is not None
    assert found.decide(facts("write", commands="insert"), context()).denial is None
    # and what is replicated of it is none either, where it is not this identity's
    entries = {ID: grant.replicated()}
    kept = grants_of(entries, ana(), NOW)
    assert rules_of(alone, replace(ana(), grants=kept)) is None


def test_who_is_not_of_those_who_may_ask_has_nothing_of_a_grant() -> None:
    policy = make(RULES % "")
    stranger = identity("ana", kind=IdentityKind.HUMAN, grants=(given(policy),))
    assert rules_of(policy, stranger) is None


def test_another_panel_ends_what_the_former_gave() -> None:
    before, after = make(RULES % ""), make(RULES.replace("dba", "security") % "")
    grant = given(before)
    assert rules_of(before, ana(grant)) is not None
    assert rules_of(after, ana(grant)) is None
    longer = make(RULES % ", most: 1d, extend: 3")
    assert rules_of(longer, ana(grant)) is not None


@pytest.mark.parametrize(
    "change",
    [
        ("permit: [read]", "permit: [read, write]"),
        ("permit: [read]", "permit: [read]\n    reveal: [email]"),
        ("permit: [read]", "permit: [read]\n    mask: {email: last4}"),
        ("permit: [read]", 'permit: [read]\n    when: identity.name != "bob"'),
        ("resources: [sales]", "resources: {names: [sales], databases: [sales]}"),
        ("{by: {groups: [dba]}}", "{by: {groups: [dba]}, break_glass: true}"),
    ],
)
def test_a_rule_that_gives_something_else_gives_it_to_nobody_who_was_not_asked_about(
    change: tuple[str, str],
) -> None:
    before = make(RULES % "")
    after = make((RULES % "").replace(*change))
    assert rules_of(before, ana(given(before))) is not None
    assert rules_of(after, ana(given(before))) is None
    assert rules_of(after, ana(given(after))) is not None


def test_a_shorter_most_shortens_what_is_given() -> None:
    long, short = make(RULES % ", most: 4h, extend: 2"), make(RULES % ", most: 90m, extend: 1")
    # given an hour ago for four hours, and lengthened once by three
    grant = given(long, ends=NOW + 6 * HOUR, extended=1)
    found = rules_of(long, ana(grant))
    assert found is not None
    assert found.ends == (NOW + 6 * HOUR,)
    found = rules_of(short, ana(grant))
    assert found is not None
    assert found.ends == (NOW + 2 * HOUR,)
    assert found.decide(READ, context(now=NOW + 2 * HOUR)).denial is not None
    assert Engine(short).turns(ana(grant), short.resources["sales"], NOW) == NOW + 2 * HOUR
    assert rules_of(short, ana(grant), NOW + 2 * HOUR) is None
    never = make(RULES % ", most: 1h")
    assert rules_of(never, ana(grant)) is None
    assert Engine(never).turns(ana(grant), never.resources["sales"], NOW) is None


def test_one_that_somebody_ended_is_over_by_every_clock() -> None:
    policy = make(RULES % "")
    assert rules_of(policy, ana(given(policy, ended_by="bob", ends=NOW + SECOND))) is None


LIFTING = """\
  - {name: masks, resources: [sales], mask: {email: last4}}
  - {name: look, resources: [sales], review: {by: {groups: [dba]}}}
  - {name: never, resources: [sales], when: 'statement.does("drop")', deny: No.}
  - {name: few, resources: [sales], limits: {rows: 10 per hour}}
"""


def test_a_grant_lifts_nothing_that_other_rules_say() -> None:
    rules = (RULES % "").replace("permit: [read]", "permit: [read, define]\n    reveal: [email]")
    policy = make(rules + LIFTING)
    found = rules_of(policy, ana(given(policy)))
    assert found is not None
    decision = found.decide(facts("read", reads="public.customers", classes="email"), context())
    assert decision.verdict.value == "review"
    assert decision.transform("email") == "last4"
    assert [each.rule for each in decision.limits] == ["few"]
    assert found.decide(facts("define", commands="drop"), context()).verdict.value == "deny"


def test_the_very_moment_of_its_end() -> None:
    policy = make(RULES % "" + STANDING)
    found = rules_of(policy, ana(given(policy)))
    assert found is not None
    last, over = context(now=NOW + HOUR - 1), context(now=NOW + HOUR)
    assert found.decide(READ, last).denial is None
    assert found.decide(READ, over).denial is not None
    # what stands goes on, without an end
    write = facts("write", commands="insert")
    assert found.decide(write, over).denial is None
    assert found.decide(write, over).valid_until is None
    assert found.admission(over) is None
    alone = make(RULES % "")
    found = rules_of(alone, ana(given(alone)))
    assert found is not None
    assert found.admission(last) is None
    assert found.admission(over) is not None
    assert found.decide(BEGIN, over).denial is not None


def test_the_grant_that_lasts_longest_counts_and_each_end_is_told() -> None:
    policy = make(RULES % "")
    later = given(policy, id=OTHER, ends=NOW + 2 * HOUR)
    found = rules_of(policy, ana(given(policy), later))
    assert found is not None
    assert found.ends == (NOW + 2 * HOUR,)
    assert Engine(policy).turns(ana(given(policy), later), policy.resources["sales"], NOW) == NOW + HOUR


def test_one_session_is_not_anothers() -> None:
    """The engine remembers sets of rules: never across grants."""
    policy = make(RULES % "")
    engine, sales = Engine(policy), policy.resources["sales"]
    assert engine.ruleset(ana(given(policy)), sales, "reader", NOW) is not None
    assert engine.ruleset(ana(), sales, "reader", NOW) is None
    assert engine.ruleset(ana(given(policy)), sales, "reader", NOW + HOUR) is None
    assert engine.ruleset(ana(given(policy, identity="bob")), sales, "reader", NOW) is None


def test_a_schedule_cuts_a_grant() -> None:
    # NOW is a Friday, 09:00 in Berlin
    policy = make(RULES % ", schedule: {days: [fri], from: '08:00', to: '09:30', zone: Europe/Berlin}")
    who = ana(given(policy))
    found = rules_of(policy, who)
    closes = NOW + HOUR // 2
    assert found is not None
    assert found.ends == (closes,)
    assert found.decide(READ, context()).valid_until == closes
    assert found.decide(READ, context(now=closes)).denial is not None
    assert Engine(policy).turns(who, policy.resources["sales"], NOW) == closes
    assert rules_of(policy, who, closes) is None
    shut = make(RULES % ", schedule: {days: [sat], zone: Europe/Berlin}")
    assert rules_of(shut, ana(given(shut))) is None
    later = make(RULES % ", schedule: {days: [fri], from: '09:15', to: '12:00', zone: Europe/Berlin}")
    assert rules_of(later, ana(given(later))) is None
    assert Engine(later).turns(ana(given(later)), later.resources["sales"], NOW) == NOW + HOUR // 4
    assert rules_of(later, ana(given(later)), NOW + HOUR // 4) is not None


# -- agents ------------------------------------------------------------------------------------------------
AGENTS = """\
rules:
  - name: on request
    identities: {names: [scout]}
    resources: [sales]
    account: reader
    permit: [read, write]
    on_request: {by: {groups: [dba]}}
  - name: people
    identities: {groups: [analysts]}
    resources: [sales]
    account: reader
    permit: [read]
"""


def scout(policy: Policy, human: Identity | None, *grants: Grant, task: Task = TASK) -> Identity:
    return identity("scout", declared=task, human=human, grants=grants, task=task.name, behalf=task.behalf)


def test_an_agents_grant_is_for_its_task_and_never_beyond_its_human() -> None:
    policy = make(AGENTS)
    grant = given(policy, identity="scout", task="t-1", behalf="ana")
    found = rules_of(policy, scout(policy, ana(), grant))
    assert found is not None
    assert found.decide(READ, context()).denial is None
    assert found.decide(facts("write", commands="insert"), context()).denial is not None
    assert found.ends == (NOW + HOUR,)
    assert rules_of(policy, scout(policy, None, grant)) is None
    assert rules_of(policy, scout(policy, identity("bob", kind=IdentityKind.HUMAN), grant)) is None
    assert rules_of(policy, scout(policy, ana(), grant, task=replace(TASK, name="t-2"))) is None
    assert rules_of(policy, scout(policy, ana(), grant, task=replace(TASK, behalf="bob"))) is None
    # outside of its task it has nothing of it, and by its own in no task
    assert rules_of(policy, identity("scout", grants=(grant,))) is None
    own = given(policy, identity="scout")
    assert rules_of(policy, scout(policy, ana(), own)) is None


def test_the_humans_own_grant_is_his_half() -> None:
    policy = make(
        RULES % ""
        + "  - {name: agents, identities: {names: [scout]}, resources: [sales], account: reader, permit: [read]}\n"
    )
    assert rules_of(policy, scout(policy, ana())) is None
    found = rules_of(policy, scout(policy, ana(given(policy))))
    assert found is not None
    assert found.decide(READ, context()).denial is None
    assert found.ends == (NOW + HOUR,)
    assert found.decide(READ, context(now=NOW + HOUR)).denial is not None


# -- what is replicated ------------------------------------------------------------------------------------
def test_what_is_replicated_comes_back() -> None:
    policy = make(RULES % "")
    grant = given(policy)
    assert grant_of(ID, grant.replicated()) == grant
    assert grants_of({ID: grant.replicated()}, ana(), NOW) == (grant,)
    assert grants_of({ID: grant.replicated()}, ana(), NOW + HOUR) == ()


@pytest.mark.parametrize(
    "forged",
    [
        {"ends": "9999999999999999999"},
        {"ends": None},
        {"ends": 1e30},
        {"ends": True},
        {"starts": None},
        {"starts": NOW + 2 * HOUR},
        {"account": None},
        {"account": ["reader"]},
        {"terms": ""},
        {"task": 7, "behalf": 7},
        {"task": "t-1"},
        {"break_glass": 1},
        {"extended": "9"},
        {"extended": True},
        {"extended": -1},
        {"rule": ""},
    ],
)
def test_an_entry_that_can_not_be_read_is_no_grant(forged: dict[str, Any]) -> None:
    policy = make(RULES % "")
    fields = given(policy).replicated() | forged
    assert grants_of({ID: fields}, ana(), NOW) == ()
    assert grants_of({"short": given(policy).replicated()}, ana(), NOW) == ()
    for key in fields:
        assert grants_of({ID: {name: each for name, each in fields.items() if name != key}}, ana(), NOW) == ()
    assert grants_of({ID: None}, ana(), NOW) == ()  # type: ignore[dict-item]  # that is the attack


# -- broken glass ------------------------------------------------------------------------------------------
GLASS = """\
rules:
  - name: glass
    identities: {groups: [analysts]}
    resources: [sales]
    account: reader
    permit: [read]
    on_request: {by: {groups: [security]}, break_glass: true, most: 1h}
    waives: reviews
  - {name: look, resources: [sales], review: {by: {groups: [dba]}}}
  - {name: people, identities: any, resources: [sales], account: reader, permit: [read, write]}
"""


def test_broken_glass_waives_reviews_of_what_it_permits_and_nothing_else() -> None:
    policy = make(GLASS)
    with_glass, without = rules_of(policy, ana(given(policy, starts=NOW))), rules_of(policy, ana())
    assert with_glass is not None
    assert without is not None
    assert without.decide(READ, context()).verdict.value != "permit"
    assert with_glass.decide(READ, context()).verdict.value == "permit"
    assert with_glass.decide(BEGIN, context()).verdict.value == "permit"
    # what it does not permit itself still needs a look, and so does all once it is over
    assert with_glass.decide(facts("read", "write", commands="insert"), context()).verdict.value != "permit"
    assert with_glass.decide(READ, context(now=NOW + HOUR)).verdict.value != "permit"
    denies = make(GLASS + "  - {name: never, resources: [sales], deny: No.}\n")
    found = rules_of(denies, ana(given(denies, starts=NOW)))
    assert found is not None
    assert found.decide(READ, context()).verdict.value == "deny"


def test_broken_glass_leaves_what_guards_masked_values() -> None:
    """`predicates: review` is part of a mask: what comes back would tell of values that are still hidden."""
    lines = "    predicates: {email: review}\n    reviewers: {by: {groups: [dba]}}\n    sensitive:"
    guarded = make(GLASS, RESOURCES.replace("    sensitive:", lines))
    found = rules_of(guarded, ana(given(guarded, starts=NOW)))
    assert found is not None
    assert found.decide(facts("read", classes="email"), context()).verdict.value == "permit"
    steered = facts("read", classes="email", steered="email")
    assert found.decide(steered, context()).verdict.value == "review"


def test_the_agents_broken_glass_does_not_waive_its_humans_reviews() -> None:
    policy = make(GLASS.replace("groups: [analysts]", "names: [scout]"))
    grant = given(policy, identity="scout", task="t-1", behalf="ana", starts=NOW)
    found = rules_of(policy, scout(policy, ana(), grant))
    assert found is not None
    assert found.decide(READ, context()).verdict.value != "permit"


# -- the access report -------------------------------------------------------------------------------------
def test_the_report_tells_what_a_grant_was_used_for() -> None:
    policy = make(RULES % "" + STANDING)
    engine, sales = Engine(policy), policy.resources["sales"]
    ruleset = engine.ruleset(ana(given(policy)), sales, "reader", NOW)
    assert ruleset is not None

    def use(about: Facts, first: int, last: int, **other: Any) -> Use:
        rules = ruleset.decide(about, context()).rules
        return Use(replace(shape(ana(), "sales", "", "reader", about, rules), **other), 1, first, last)

    write = facts("write", commands="insert")
    # what stood beside it, what was done before and after, by whom else and for whom
    for vain in (
        use(write, NOW, NOW),
        use(READ, NOW - 3 * HOUR, NOW - 2 * HOUR),
        use(READ, NOW + HOUR, NOW + HOUR),
        use(READ, NOW, NOW, who=Member.of(identity("bob"))),
        use(READ, NOW, NOW, behalf="bob"),
        use(READ, NOW, NOW, account="writer"),
    ):
        assert with_uses([given(policy)], [vain]) == [given(policy)]
    # one that came into force in a session that was open: no session was opened by it
    [told] = with_uses([given(policy)], [use(READ, NOW - 2 * HOUR, NOW), use(READ, NOW, NOW + SECOND)])
    assert (told.first_used, told.last_used) == (NOW - HOUR, NOW + SECOND)
    opened = given(policy, first_used=NOW - HOUR, last_used=NOW + 2 * SECOND)
    [told] = with_uses([opened], [use(READ, NOW, NOW + SECOND)])
    assert told == opened


def test_the_report_offers_broken_glass_to_people_alone() -> None:
    policy = make(GLASS)
    people = [
        Member(name, "local", kind, name, frozenset({"analysts"}))
        for name, kind in (("ana", "human"), ("bot", "agent"), ("job", "service"))
    ]
    told = {(each.identity, each.rule): each.standing for each in granted(policy, people)}
    assert told == {
        ("ana", "glass"): False,
        ("ana", "people"): True,
        ("bot", "people"): True,
        ("job", "people"): True,
    }
