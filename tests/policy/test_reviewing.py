"""What asks for a review, and on what terms: rules that meet, doubts, and that a denial always wins."""

import pytest

from policy.samples import READS, RESOURCES, context, decide, facts, faults, identity, opened, policy, session
from wicketgate.model.decision import Decision, Verdict
from wicketgate.model.review import Panel
from wicketgate.model.statement import Facts
from wicketgate.model.terms import Terms, terms_of, together
from wicketgate.policy.delegation import joint

WHOLE = facts("read", whole="public.customers")
LOOK = "{name: look, review: {by: [ann]}, when: statement.reads_whole('public.customers')}"


def terms(decision: Decision) -> Terms:
    assert decision.verdict is Verdict.REVIEW
    assert decision.denial is None
    assert decision.review is not None
    return decision.review


def test_a_rule_asks_for_a_review() -> None:
    assert decide(f"{READS}, {LOOK}").verdict is Verdict.PERMIT
    decision = decide(f"{READS}, {LOOK}", WHOLE)
    assert terms(decision) == Terms((Panel("look", frozenset({"ann"})),), 600)
    assert set(decision.rules) >= {"look"}
    assert decision.mask == {"*": "redact"}


def test_what_cannot_be_told_is_reviewed() -> None:
    assert terms(decide(f"{READS}, {LOOK}", facts("read", complete=False))).rules == ("look",)


@pytest.mark.parametrize(
    ("rules", "asked"),
    [
        (f"{READS}, {LOOK}, {{name: d, deny: no}}", WHOLE),
        (
            f"{READS}, {LOOK}, {{name: d, deny: no, when: statement.reads('public.cards')}}",
            facts("read", complete=False),
        ),
        (f"{READS}, {LOOK}", facts("read", "write", whole="public.customers")),
        (f"{READS}, {LOOK}", facts("read", whole="public.customers", refusal="too large")),
        (f"{READS}, {LOOK}", facts("read", whole="public.customers", opaque=True)),
        (f"{READS}, {LOOK}", facts("read", whole="public.customers", spilled="email")),
        (f"{READS}, {LOOK}", facts("read", whole="public.customers", steered="email")),
    ],
)
def test_a_denial_wins_over_any_review(rules: str, asked: Facts) -> None:
    decision = decide(rules, asked)
    assert (decision.verdict, decision.review) == (Verdict.DENY, None)


def test_a_review_permits_nothing_by_itself() -> None:
    assert session(policy(f"rules: [{LOOK}]"), identity("crew-bot", "crew-agents")) is None


def test_reviews_of_several_rules_all_apply() -> None:
    rules = (
        "{name: a, review: {by: {groups: [dba]}, within: 1h, message: One., bind: shape}},"
        "{name: b, review: {by: {groups: [dpo, legal]}, quorum: 3, all_groups: true, mode: retry,"
        " in_transaction: wait, within: 2m, reason: required, message: Two., bind: shape}},"
        "{name: c, review: {by: [eve]}, when: statement.does('drop')},"
        "{name: d, review: {by: [eve]}, enforce: observe}"
    )
    found = terms(decide(f"{READS}, {rules}"))
    assert found == Terms(
        (
            Panel("a", frozenset(), frozenset({"dba"})),
            Panel("b", frozenset(), frozenset({"dpo", "legal"}), 3, True),
        ),
        within=120,
        mode="retry",
        in_transaction="retry",
        reason=True,
        shape=True,
        message="One. Two.",
    )
    assert found.seats() == "group dba; 3 of group dpo, group legal, one of each group"
    assert terms_of(found.told()) == found


def test_the_shape_may_be_approved_only_where_all_rules_say_so() -> None:
    rules = "{name: a, review: {by: [ann], bind: shape}}, {name: b, review: {by: [ann]}}"
    assert not terms(decide(f"{READS}, {rules}")).shape
    assert together([]) is None


def test_how_long_an_approval_can_be_used() -> None:
    """As long as `within` where nothing is said; of several rules the shortest."""
    one, two = "{name: a, review: {by: [ann], within: 1h}}", "{name: b, review: {by: [ann], usable: 20m}}"
    assert (terms(decide(f"{READS}, {one}")).usable, terms(decide(f"{READS}, {one}")).lasts) == (None, 3600)
    found = terms(decide(f"{READS}, {two}"))
    assert (found.within, found.usable, found.lasts) == (600, 1200, 1200)
    assert terms_of(found.told()) == found
    both = terms(decide(f"{READS}, {one}, {two}"))
    assert (both.within, both.lasts) == (600, 1200)
    third = "{name: c, review: {by: [ann], within: 5m}}"
    assert terms(decide(f"{READS}, {one}, {two}, {third}")).lasts == 300


@pytest.mark.parametrize(
    ("asked", "reviewed"), [({"compared": "email"}, True), ({"steered": "email"}, True), ({}, False)]
)
def test_predicates_that_want_a_review_have_reviewers(asked: dict[str, str], reviewed: bool) -> None:
    lines = (
        "    predicates: {email: review}\n    reviewers: {by: {groups: [dba]}, within: 5m}\n    sensitive:"
    )
    resources = RESOURCES.replace("    sensitive:", lines)
    decision = opened(READS, resources=resources).decide(facts("read", classes="email", **asked), context())
    assert (decision.verdict is Verdict.REVIEW) is reviewed
    if reviewed:
        assert terms(decision).panels == (Panel("predicates of sales", frozenset(), frozenset({"dba"})),)


def test_predicates_without_reviewers_are_refused() -> None:
    resources = RESOURCES.replace("    sensitive:", "    predicates: {email: review}\n    sensitive:")
    told = faults(f"{resources}rules: []")
    assert any("predicates say review, and no reviewers are named" in line for line in told)


def test_an_agent_in_a_task_meets_the_reviews_of_both() -> None:
    one = decide(f"{READS}, {{name: a, review: {{by: [ann]}}}}")
    other = decide(f"{READS}, {{name: b, review: {{by: [eve], mode: retry}}}}")
    found = terms(joint(one, other, "kim", ()))
    assert (found.rules, found.mode) == (("a", "b"), "retry")
    assert terms(joint(decide(READS), other, "kim", ())).rules == ("b",)
    denied = decide(f"{READS}, {{name: d, deny: no}}")
    assert joint(one, denied, "kim", ()).verdict is Verdict.DENY
    assert joint(denied, one, "kim", ()).verdict is Verdict.DENY


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("by: [ann], quorum: 2", "2 of 1 people can never be met"),
        ("by: [ann], all_groups: true", "all_groups is about several groups"),
        ("by: {groups: [a, b]}, all_groups: 1", "all_groups must be true or false"),
        ("by: [ann], on_timeout: permit", "on_timeout can't be 'permit'"),
        ("by: [ann], mode: hold", "mode can't be 'hold'"),
        ("by: [ann], in_transaction: deny", "in_transaction can't be 'deny'"),
        ("by: [ann], reason: always", "reason can't be 'always'"),
        ("by: [ann], bind: text", "bind can't be 'text'"),
        ("by: [ann], within: 0s", "within must be like"),
        ("by: [ann], within: 169h", "within is at most 168h"),
        ("by: [ann], usable: 10d", "usable must be like"),
        ("by: [ann], usable: 169h", "usable is at most 168h"),
        ("by: [ann], message: ''", "message is empty"),
        ("by: [ann], speed: high", "review has no key 'speed'"),
    ],
)
def test_terms_that_are_refused(keys: str, message: str) -> None:
    assert any(message in line for line in faults(f"{RESOURCES}rules: [{{name: a, review: {{{keys}}}}}]"))
