"""Masks, and what can't be masked: which transform each class gets, and which statements don't pass."""

import pytest

from policy.samples import READ, READS, RESOURCES, REVEAL, context, decide, facts, faults, opened, told
from wicketgate.model.decision import Verdict
from wicketgate.model.statement import Facts


def masks(*rules: str, asked: Facts = READ) -> dict[str, str]:
    made = ", ".join(f"{{name: m{n}, {rule}}}" for n, rule in enumerate(rules))
    decision = decide(f"{READS}, {made}" if made else READS, asked)
    assert decision.verdict is Verdict.PERMIT
    return dict(decision.mask)


def test_masks() -> None:
    assert masks() == {"*": "redact"}
    assert masks("mask: {email: last4}") == {"*": "redact", "email": "last4"}
    assert masks("mask: {email: last4}", "mask: {email: last4}") == {"*": "redact", "email": "last4"}
    assert masks("mask: {email: last4}", "mask: {email: 'null'}") == {"*": "redact", "email": "redact"}
    assert masks("mask: {'*': 'null'}", "mask: {email: last4}") == {"*": "null", "email": "last4"}
    assert masks("mask: {'*': 'null'}", "mask: {'*': last4}") == {"*": "redact"}
    assert masks("mask: {email: last4}, when: statement.does('drop')") == {"*": "redact"}


@pytest.mark.parametrize(
    ("written", "transform"),
    [
        ("truncate", "truncate"),
        ("{truncate: month}", "truncate:month"),
        ("{truncate: year}", "truncate:year"),
        ("{truncate: 1000}", "truncate:1000"),
        ("pseudonym", "pseudonym:identity"),
        ("{pseudonym: identity}", "pseudonym:identity"),
        ("{pseudonym: task}", "pseudonym:task"),
        ("{pseudonym: all}", "pseudonym:all"),
    ],
)
def test_masks_with_an_option(written: str, transform: str) -> None:
    assert masks(f"mask: {{email: {written}}}")["email"] == transform


def test_masks_that_differ_in_their_option_differ() -> None:
    assert masks("mask: {email: truncate}", "mask: {email: {truncate: month}}")["email"] == "redact"
    assert masks("mask: {email: pseudonym}", "mask: {email: {pseudonym: all}}")["email"] == "redact"
    assert masks("mask: {email: pseudonym}", "mask: {email: {pseudonym: identity}}")["email"] != "redact"


def test_an_unknown_mask_masks() -> None:
    rule = "mask: {email: 'null'}, when: statement.reads('a.b')"
    assert masks(rule) == {"*": "redact"}
    assert masks(rule, asked=facts("read", complete=False)) == {"*": "redact", "email": "null"}


def resolves(*rules: str, asked: Facts = READ) -> set[str]:
    made = ", ".join(f"{{name: m{n}, {rule}}}" for n, rule in enumerate(rules))
    return set(decide(f"{READS}, {made}", asked).resolves)


def test_tokens_are_resolved_where_every_mask_says_so() -> None:
    tokens = "mask: {email: pseudonym}"
    assert resolves(tokens) == set()
    assert resolves(f"{tokens}, written: refuse") == set()
    assert resolves(f"{tokens}, written: resolve") == {"email"}
    assert resolves(f"{tokens}, written: resolve", tokens) == set()
    assert resolves(f"{tokens}, written: resolve", "mask: {'*': 'null'}") == {"email"}
    assert resolves(f"{tokens}, written: resolve", "mask: {email: last4}") == set()
    assert resolves("mask: {'*': pseudonym}, written: resolve") >= {"email", "payment-card"}
    assert resolves("mask: {'*': pseudonym}, written: resolve", "mask: {'*': pseudonym}") == set()
    assert resolves(f"{tokens}, written: resolve", f"{REVEAL}") == {"email"}
    observed = f"{tokens}, written: resolve, enforce: observe"
    assert resolves(observed) == set()
    unsure = f"{tokens}, written: resolve, when: statement.reads('a.b')"
    assert resolves(unsure, asked=facts("read", complete=False)) == set()


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("mask: {email: last4}, written: resolve", "gives none out"),
        ("permit: [read], written: resolve", "gives none out"),
        ("mask: {email: pseudonym}, written: resolv", "resolve"),
        ("mask: {email: pseudonym}, written: true", "written"),
    ],
)
def test_what_is_wrong_with_written(rule: str, fault: str) -> None:
    found = faults(f"{RESOURCES}\nrules: [{{name: a, {rule}, identities: any, resources: any}}]")
    assert any(fault in each for each in found), found


def test_reveals() -> None:
    assert masks(REVEAL) == {"*": "redact", "email": "reveal"}
    assert masks(REVEAL, "mask: {email: last4}") == {"*": "redact", "email": "last4"}
    assert masks(REVEAL, "mask: {'*': 'null'}") == {"*": "null"}
    assert masks(REVEAL, "mask: {payment-card: last4}") == {
        "*": "redact",
        "email": "reveal",
        "payment-card": "last4",
    }
    assert masks(REVEAL + ", mask: {'*': 'null'}") == {"*": "null", "email": "reveal"}
    assert masks(REVEAL + ", mask: {email: last4}") == {"*": "redact", "email": "last4"}
    everything = REVEAL.replace("email", "'*'")
    assert masks(everything) == {"*": "reveal"}
    assert masks(everything, "mask: {email: last4}") == {"*": "reveal", "email": "last4"}
    assert masks(everything, "mask: {'*': 'null'}") == {"*": "null"}


def test_an_unknown_reveal_does_not_reveal() -> None:
    rule = REVEAL + ", when: statement.reads('public.customers')"
    assert masks(rule)["email"] == "reveal"
    assert masks(rule, asked=facts("read", reads="public.customers", complete=False)) == {"*": "redact"}
    mask = "mask: {email: last4}, when: statement.reads('public.customers')"
    assert masks(REVEAL, mask, asked=facts("read", complete=False))["email"] == "last4"


def test_unmaskable_is_unpassable() -> None:
    steered = facts("read", steered="email payment-card")
    kind, message, hint = told(decide(READS, steered))
    assert (kind, message) == (
        "mask",
        "sensitive values (email, payment-card) stand where they can't be masked",
    )
    assert hint is not None
    assert "= or IN" in hint
    one = f"{READS}, {{name: v, {REVEAL}}}"
    assert told(decide(one, steered))[1] == "sensitive values (payment-card) stand where they can't be masked"
    two = one.replace("[email]", "[email, payment-card]")
    assert decide(two, steered).verdict is Verdict.PERMIT
    assert told(decide(two, facts("read", opaque=True)))[1].endswith(
        "sales holds sensitive ones (national-id)"
    )
    every = one.replace("[email]", "['*']")
    assert decide(every, facts("read", opaque=True)).verdict is Verdict.PERMIT


def test_opaque_where_nothing_is_sensitive() -> None:
    rule = "{name: r, identities: any, resources: [notes], permit: [read]}"
    assert (
        opened(rule, resource="notes").decide(facts("read", opaque=True), context("notes")).verdict
        is Verdict.PERMIT
    )


ASKED = {
    "nothing": {},
    "compared": {"compared": "email"},
    "steered": {"compared": "email", "steered": "email"},
}


@pytest.mark.parametrize(
    ("mode", "asked", "kind"),
    [
        ("equality-only", "compared", None),
        ("equality-only", "steered", "mask"),
        ("allow", "compared", None),
        ("allow", "steered", None),
        ("review", "nothing", None),
        ("review", "compared", None),
        ("review", "steered", None),
        ("deny", "nothing", None),
        ("deny", "compared", "mask"),
        ("deny", "steered", "mask"),
    ],
)
@pytest.mark.parametrize("named", ["email", '"*"'])
def test_what_may_be_asked_of_hidden_values(mode: str, asked: str, kind: str | None, named: str) -> None:
    lines = f"    predicates: {{{named}: {mode}}}\n    reviewers: {{by: {{groups: [dba]}}}}\n    sensitive:"
    resources = RESOURCES.replace("    sensitive:", lines)
    statement = facts("read", classes="email", **ASKED[asked])
    decision = opened(READS, resources=resources).decide(statement, context())
    assert (decision.denial.kind if decision.denial else None) == kind
    assert (decision.verdict is Verdict.REVIEW) is (mode == "review" and asked != "nothing")
    revealed = opened(f"{READS}, {{name: v, {REVEAL}}}", resources=resources).decide(statement, context())
    assert revealed.verdict is Verdict.PERMIT


def test_what_a_resource_says_of_its_columns_is_checked() -> None:
    def wrong(line: str) -> str:
        return "\n".join(faults(RESOURCES.replace("    sensitive:", f"    {line}\n    sensitive:")))

    assert "no column here is 'mail'" in wrong("predicates: {mail: allow}")
    assert "can't be 'never'" in wrong("predicates: {email: never}")
    assert "schema.table.column" in wrong("clean: [notes]")
    assert "is sensitive as well" in wrong("clean: [public.customers.email]")
    assert wrong("clean: [public.notes.body]") == ""
    assert wrong("detect: []") == ""


def test_the_strictest_of_several_classes_is_told() -> None:
    modes = (
        "    predicates: {email: review, payment-card: deny, national-id: allow}\n"
        "    reviewers: {by: {groups: [dba]}}\n    sensitive:"
    )
    resources = RESOURCES.replace("    sensitive:", modes)
    asked = facts("read", compared="email payment-card", steered="national-id")
    kind, message, _ = told(opened(READS, resources=resources).decide(asked, context()))
    assert (kind, message) == ("mask", "sensitive values (payment-card) stand where they can't be masked")


def test_what_no_mask_follows_never_passes() -> None:
    """Whatever may be asked of a class, its values may not be kept elsewhere."""
    resources = RESOURCES.replace("    sensitive:", '    predicates: {"*": allow}\n    sensitive:')
    spilled = facts("read", spilled="email")
    assert told(opened(READS, resources=resources).decide(spilled, context()))[0] == "mask"
    assert opened(f"{READS}, {{name: v, {REVEAL}}}").decide(spilled, context()).verdict is Verdict.PERMIT
