"""What may be answered by whom, and for what an approval is good: pure tables, each with a way around."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from wicketgate.model.review import (
    Asker,
    Conditions,
    Kind,
    NotAnswerable,
    Panel,
    Review,
    Status,
    Vote,
    answered,
    check_answer,
    check_conditions,
    fits,
    satisfied,
    stands_for,
)

NOW = 1_800_000_000_000_000_000
MINUTE = 60_000_000_000
DBA = Panel("orders", groups=frozenset({"dba"}))
TWO = replace(DBA, quorum=2)
ASKER = Asker("crew-bot", "agent", "eve", "crew-bot", "loaders", "t-42", "load")
SESSION, OTHER = "1" * 32, "2" * 32


def asked(**more: Any) -> Review:
    given: dict[str, Any] = {
        "id": "0" * 26,
        "kind": Kind.STATEMENT,
        "status": Status.PENDING,
        "asker": ASKER,
        "resource": "sales",
        "database": "sales",
        "account": "writer",
        "panels": (DBA,),
        "exact": "e" * 64,
        "shape": "s" * 64,
        "mode": "retry",
        "created": NOW,
        "expires": NOW + 10 * MINUTE,
        "node": "node-a",
        "session": SESSION,
    }
    return Review(**(given | more))


def vote(person: str = "ana", groups: str = "dba", approves: bool = True, **more: Any) -> Vote:
    return Vote(person, frozenset(groups.split()), approves, NOW, **more)


def approved(conditions: Conditions | None = None, **more: Any) -> Review:
    given = vote(conditions=conditions or Conditions())
    return answered(asked(**more), given, NOW, 10 * MINUTE)


DIFFERENT = {
    "another identity": {"asker": replace(ASKER, identity="other-bot")},
    "another kind of identity": {"asker": replace(ASKER, kind="human")},
    "for another person": {"asker": replace(ASKER, behalf="bob")},
    "for nobody": {"asker": replace(ASKER, behalf=None)},
    "another agent": {"asker": replace(ASKER, agent="x")},
    "another crew": {"asker": replace(ASKER, crew=None)},
    "another task": {"asker": replace(ASKER, task="t-43")},
    "another resource": {"resource": "hr"},
    "another database": {"database": "hr"},
    "another account": {"account": "owner"},
    "another statement": {"exact": "f" * 64},
    "another statement of another shape": {"exact": "f" * 64, "shape": "g" * 64},
    "another rule": {"panels": (replace(DBA, rule="other"),)},
    "a stricter rule": {"panels": (TWO,)},
    "one more rule": {"panels": (DBA, replace(DBA, rule="other"))},
    "another kind": {"kind": Kind.ACCESS},
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_an_approval_is_for_nothing_else(what: str) -> None:
    assert not fits(approved(), asked(**DIFFERENT[what]), NOW + 1)
    waiting, denied = asked(), replace(asked(), status=Status.DENIED)
    for each in (waiting, denied):
        assert not stands_for(each, asked(**DIFFERENT[what]), NOW + 1)


def test_an_approval_is_for_the_very_same() -> None:
    said_otherwise = asked(asker=replace(ASKER, purpose="in other words"), id="1" * 26, node="node-b")
    assert fits(approved(), said_otherwise, NOW + 1)
    assert stands_for(asked(), said_otherwise, NOW + 1)
    for status in Status:
        if status is not Status.APPROVED:
            assert not fits(replace(approved(), status=status), asked(), NOW + 1)
    assert not stands_for(asked(mode="wait"), asked(), NOW + 1)
    assert not stands_for(asked(), asked(mode="wait"), NOW + 1)
    assert not stands_for(asked(), asked(), NOW + 10 * MINUTE)


SCOPES: list[tuple[Conditions, dict[str, Any], int, bool]] = [
    (Conditions("once"), {"session": OTHER}, 2, True),
    (Conditions("once"), {}, 600_001, False),
    (Conditions("once", rows=5), {}, 2, True),
    (Conditions("session"), {}, 2, True),
    (Conditions("session"), {"session": OTHER}, 2, False),
    (Conditions("session"), {"exact": "f" * 64}, 2, False),
    (Conditions("session"), {"session": None}, 2, False),
    (Conditions("shape", 15), {"exact": "f" * 64, "session": OTHER}, 899_000, True),
    (Conditions("shape", 15), {"exact": "f" * 64}, 900_001, False),
    (Conditions("shape", 15), {"exact": "f" * 64, "shape": "g" * 64}, 2, False),
    (Conditions("shape", 15), {"exact": "f" * 64, "account": "owner"}, 2, False),
    (Conditions("shape", 15), {"asker": replace(ASKER, task="t-43")}, 2, False),
    (Conditions("once"), {"session": None}, 2, True),
    (Conditions("once", account="reader"), {}, 2, False),
    (Conditions("once", account="reader"), {"account": "reader", "session": OTHER}, 2, True),
    (Conditions("once", account="reader"), {"account": "owner", "session": OTHER}, 2, False),
]


@pytest.mark.parametrize(("conditions", "again", "after", "good"), SCOPES)
def test_how_far_an_approval_goes(
    conditions: Conditions, again: dict[str, Any], after: int, good: bool
) -> None:
    """after: ms after it was given."""
    assert fits(approved(conditions), asked(**again), NOW + after * 1_000_000) is good


def test_what_a_session_waits_for_is_its_own() -> None:
    own = approved(mode="wait")
    assert fits(own, asked(mode="wait"), NOW + 1)
    for mode in ("wait", "retry"):
        assert not fits(own, asked(mode=mode, session=OTHER), NOW + 1)
        assert not fits(own, asked(mode=mode, session=None), NOW + 1)


ANSWERS: list[tuple[dict[str, Any], str, str, str]] = [
    ({}, "crew-bot", "dba", "nobody answers his own"),
    ({}, "eve", "dba", "nobody answers his own"),
    ({}, "EVE", "dba", "nobody answers his own"),
    ({}, "ｅｖｅ", "dba", "nobody answers his own"),
    ({"asker": Asker("bot", "agent", None, "Ana")}, "ana", "dba", "nobody answers his own"),
    ({"kind": Kind.ACCESS, "asker": Asker("ana", "human")}, "ana", "dba", "nobody answers his own"),
    ({"kind": Kind.AFTER, "asker": Asker("ana", "human")}, "ana", "dba", "nobody answers his own"),
    ({}, "ana", "", "for others"),
    ({}, "ana", "admins DBA", "for others"),
    ({"panels": (Panel("r", names=frozenset({"ana"})),)}, "ANA", "dba", "for others"),
    ({"panels": ()}, "ana", "dba", "for others"),
    ({"votes": (vote(),), "panels": (TWO,)}, "ana", "dba", "answered it already"),
    ({"votes": (vote("Ana"),), "panels": (TWO,)}, "ana", "dba sre", "answered it already"),
    ({"votes": (vote(approves=False),), "status": Status.DENIED}, "ben", "dba", "denied already"),
    *(
        ({"status": each}, "ben", "dba", f"{each.value} already")
        for each in Status
        if each is not Status.PENDING
    ),
    ({"expires": NOW}, "ana", "dba", "it has expired"),
    ({"kind": Kind.ACCESS, "expires": NOW}, "ana", "dba", "it has expired"),
]


@pytest.mark.parametrize(("what", "person", "groups", "why"), ANSWERS)
def test_who_can_not_answer(what: dict[str, Any], person: str, groups: str, why: str) -> None:
    with pytest.raises(NotAnswerable, match=why):
        check_answer(asked(**what), person, frozenset(groups.split()), NOW)


NAMED = vote(conditions=Conditions(account="x"))
CONDITIONS: list[tuple[dict[str, Any], Conditions, str]] = [
    ({}, Conditions("always"), "an approval is for once, session, shape"),
    ({}, Conditions("shape"), "for some minutes"),
    ({}, Conditions("once", 5), "for some minutes"),
    ({}, Conditions("shape", 0), "minutes are from 1"),
    ({}, Conditions("shape", 1441), "minutes are from 1"),
    ({}, Conditions(rows=0), "rows are from 1"),
    ({"session": None}, Conditions("session"), "no session asked"),
    ({"mode": "wait"}, Conditions(account="reader"), "tried again"),
    ({}, Conditions("session", account="reader"), "tried again"),
    ({"votes": (vote(),)}, Conditions(account="reader"), "another account, or none"),
    (
        {"votes": (vote(conditions=Conditions(account="x")),)},
        Conditions(account="y"),
        "another account, or none",
    ),
    ({"votes": (vote(conditions=Conditions(account="x")),)}, Conditions(), "another account, or none"),
    ({"kind": Kind.ACCESS}, Conditions("shape", 5), "about no statement"),
    ({"kind": Kind.ACCESS}, Conditions(rows=5), "about no statement"),
    ({"kind": Kind.AFTER}, Conditions(account="x"), "about no statement"),
]


@pytest.mark.parametrize(("what", "conditions", "why"), CONDITIONS)
def test_conditions_that_are_none(what: dict[str, Any], conditions: Conditions, why: str) -> None:
    with pytest.raises(NotAnswerable, match=why):
        check_conditions(asked(**what), conditions)
    with pytest.raises(NotAnswerable, match=why):
        answered(asked(panels=(TWO,), **what), vote("cyd", conditions=conditions), NOW, MINUTE)


def test_the_narrowest_of_what_is_allowed() -> None:
    two = asked(panels=(TWO,))

    def both(one: Conditions, other: Conditions) -> Review:
        once = answered(two, vote(conditions=one), NOW, 10 * MINUTE)
        return answered(once, vote("ben", conditions=other), NOW, 10 * MINUTE)

    assert both(Conditions("shape", 30), Conditions("shape", 5)).conditions == Conditions("shape", 5)
    assert both(Conditions("shape", 30), Conditions("shape", 5)).usable_until == NOW + 5 * MINUTE
    assert both(Conditions("shape", 30), Conditions("session")).conditions == Conditions()
    assert both(Conditions("session"), Conditions("session", rows=7)).conditions == Conditions(
        "session", rows=7
    )
    assert both(Conditions(rows=9), Conditions(rows=7)).conditions.rows == 7
    shorter = answered(asked(kind=Kind.ACCESS), vote(conditions=Conditions(minutes=20)), NOW, 10 * MINUTE)
    assert (shorter.conditions.minutes, shorter.usable_until) == (20, NOW + 10 * MINUTE)


BOTH = Panel("r", groups=frozenset({"dba", "sre"}), quorum=2, all_groups=True)
QUORUMS: list[tuple[Panel, list[Vote], bool]] = [
    (TWO, [vote()], False),
    (TWO, [vote(), vote("ben")], True),
    (TWO, [vote(), vote("ben", approves=False)], False),
    (TWO, [vote(), vote("ben", "sre")], False),
    (BOTH, [vote(groups="dba sre")], False),
    (BOTH, [vote(groups="dba sre"), vote("ben", "dba")], True),
    (BOTH, [vote(groups="dba"), vote("ben", "dba")], False),
    (replace(BOTH, quorum=1), [vote(groups="dba sre")], False),
    (replace(BOTH, quorum=3), [vote(groups="dba"), vote("ben", "sre")], False),
    (
        Panel("r", groups=frozenset({"a", "b", "c"}), all_groups=True),
        [vote("x", "a b"), vote("y", "b c"), vote("z", "a")],
        True,
    ),
    (replace(DBA, quorum=0), [], False),
]


@pytest.mark.parametrize(("panel", "votes", "enough"), QUORUMS)
def test_how_many_are_enough(panel: Panel, votes: list[Vote], enough: bool) -> None:
    assert satisfied(panel, votes) is enough
