"""Which data classes a reviewer may see of what others asked: nothing on a condition, all masks count."""

import pytest

from policy.samples import REVEAL, identity, policy
from wicketgate.model.identity import IdentityKind
from wicketgate.policy.revealing import reveals

ANA = identity("ana", "dba", kind=IdentityKind.HUMAN)
MASK = "identities: any, resources: any, mask: "
CASES: list[tuple[list[str], bool]] = [
    ([REVEAL], True),
    ([REVEAL.replace("any,", "{groups: [dba]},", 1)], True),
    ([REVEAL.replace("any,", "{groups: [others]},", 1)], False),
    ([REVEAL.replace("resources: any", "resources: [notes]")], False),
    ([REVEAL.replace("email", "payment-card")], False),
    ([REVEAL.replace("email", "'*'")], True),
    ([REVEAL + ", when: statement.reads('public.customers')"], False),
    ([REVEAL + ", enforce: observe"], False),
    ([REVEAL, MASK + "{email: last4}"], False),
    ([REVEAL, MASK + "{'*': 'null'}"], False),
    ([REVEAL, MASK + "{payment-card: last4}"], True),
    ([REVEAL, MASK + "{email: last4}, when: statement.reads('public.customers')"], False),
    ([REVEAL, MASK.replace("any,", "{groups: [others]},", 1) + "{email: last4}"], True),
    ([REVEAL, MASK + "{email: last4}, enforce: observe"], True),
]


@pytest.mark.parametrize(("rules", "shown"), CASES)
def test_what_is_revealed(rules: list[str], shown: bool) -> None:
    written = ", ".join(f"{{name: r{at}, {rule}}}" for at, rule in enumerate(rules))
    found = policy(f"rules: [{written}]")
    assert reveals(found, ANA, "sales", "email") is shown
    assert not reveals(found, ANA, "gone", "email")


def test_a_token_for_some_rules_sees_by_these_alone() -> None:
    found = policy(f"rules: [{{name: shows, {REVEAL}}}]")
    assert reveals(found, identity("ana", rules=frozenset({"shows"})), "sales", "email")
    assert not reveals(found, identity("ana", rules=frozenset({"other"})), "sales", "email")
