"""What reviewers are shown: no value of a class that is not revealed, and none of an unknown one."""

from typing import Any

import pytest

from wicketgate.model.shown import HIDDEN, shown_to

WHOLE: dict[str, Any] = {
    "statement": "SELECT 'canary'",
    "masked": "SELECT $1",
    "parameters": [{"value": "canary", "class": "email"}, {"value": "17", "class": None}],
    "classes": ["email", "phone"],
    "effects": ["read"],
    "secret": "canary",
}
CASES: list[tuple[dict[str, Any], set[str], bool]] = [
    ({}, {"email", "phone"}, False),
    ({}, {"email"}, True),
    ({}, set(), True),
    ({"classes": []}, set(), True),
    ({"classes": []}, {"email"}, False),
    ({"classes": None}, {"email", "phone", "*"}, True),
    ({"classes": "email"}, {"email", "phone", "*"}, True),
    ({"classes": [3]}, {"email", "phone", "*", "3"}, True),
    ({"classes": ["*"]}, {"email", "phone", "*"}, True),
    ({"pretty": "SELECT 'canary'"}, {"email", "phone"}, False),
    ({"pretty": "SELECT 'canary'"}, {"phone"}, True),
    ({"parameters": "canary"}, {"email", "phone"}, False),
    ({"parameters": ["canary"]}, {"email", "phone"}, False),
]


@pytest.mark.parametrize(("more", "reveals", "hides"), CASES)
def test_what_is_hidden(more: dict[str, Any], reveals: set[str], hides: bool) -> None:
    seen = shown_to({**WHOLE, **more}, reveals.__contains__)
    assert seen["hides"] is hides
    assert seen["statement"] == ("SELECT $1" if hides else "SELECT 'canary'")
    assert ("pretty" in seen) is (not hides and "pretty" in more)
    assert "secret" not in seen, "what nobody knows of is not shown"
    assert seen["effects"] == ["read"]
    if hides and "email" not in reveals:
        assert "canary" not in repr(seen)


def test_without_a_text_that_may_be_shown_none_is() -> None:
    assert shown_to({"statement": "canary"}, lambda name: True)["statement"] == HIDDEN
    assert shown_to({"statement": "x", "classes": []}, lambda name: False)["statement"] == "x"
