"""What sessions use, as it is gathered: counted by kind, without values and texts, in bounded memory."""

import pytest

from gate import stage as staged
from gate.stage import READ, SECOND, Stage, cleared, facts, never, statement
from gate.test_delegation import ORDERS, Acting, submitted
from wicketgate.gate import usage as module
from wicketgate.gate.decided import MOST_FRESH
from wicketgate.model.decision import Denial
from wicketgate.model.usage import Shape, shape_of


def taken(stage: Stage) -> list[tuple[Shape, int]]:
    """What was used since this was last asked."""
    stage.gate.readmit()
    parts = stage.gate._usage.take()
    return [(shape_of(each[0]), each[1]) for shapes, _, _ in parts for each in shapes]


def members(stage: Stage) -> list[tuple[str, list[str]]]:
    return [(each["name"], each["groups"]) for _, told, _ in stage.gate._usage.take() for each in told]


async def test_what_was_let_through_is_counted_by_kind() -> None:
    stage = Stage()
    admission, desk = await stage.admit()
    assert members(stage) == [("bot", ["crew"])]
    other = facts("read", reads="public.items", functions="public.f")
    for at in range(5):
        cleared(desk, text=f"select 'secret {at}'")
    cleared(desk, other)
    assert isinstance(desk.submit(statement("drop table t", facts("define")), never), Denial)
    found = {shape.reads: (shape, count) for shape, count in taken(stage)}
    shape, count = found[frozenset({"public.orders"})]
    assert (count, found[frozenset({"public.items"})][1], len(found)) == (5, 1, 2)
    assert (shape.who.name, shape.resource, shape.account) == ("bot", "sales", "reader")
    assert (shape.rules, shape.effects) == (("crews read",), {"read"})
    assert "secret" not in repr(found)
    cleared(desk)
    stage.gate.close(admission, "client")
    assert [count for _, count in taken(stage)] == [1]


async def test_decisions_that_are_made_again_and_again_count_as_one_kind() -> None:
    stage = Stage(READ + '    when: now > timestamp("2020-01-01T00:00:00Z")\n')
    _, desk = await stage.admit()
    for _ in range(MOST_FRESH * 2 + 7):
        cleared(desk)
        stage.now += 1
    assert len(desk.fresh) <= MOST_FRESH + 1
    assert [count for _, count in taken(stage)] == [MOST_FRESH * 2 + 7]


async def test_an_agent_and_who_is_behind_it() -> None:
    stage = Acting()
    desk = await stage.acting()
    await submitted(desk, ORDERS)
    found = {shape.who.name: shape for shape, _ in taken(stage)}
    assert set(found) == {"bot", "ana"}
    assert {shape.behalf for shape in found.values()} == {"ana"}


async def test_groups_that_change_in_a_session() -> None:
    stage = Stage()
    _, desk = await stage.admit()
    members(stage)
    cleared(desk)
    stage.identities["bot"] = stage.identities["bot"] | {"groups": ["crew", "more"]}
    stage.changed_people()
    assert [shape.who.groups for shape, _ in taken(stage)] == [{"crew"}]
    cleared(desk)
    stage.now += SECOND
    assert [shape.who.groups for shape, _ in taken(stage)] == [{"crew", "more"}]


async def test_a_million_relations_take_bounded_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 50)
    stage = Stage()
    _, desk = await stage.admit()
    for at in range(500):
        cleared(desk, staged.facts("read", reads=f"public.t{at}"))
    found = taken(stage)
    assert (len(found), sum(count for _, count in found)) == (51, 500)
    many = " ".join(f"public.t{at}" for at in range(300))
    cleared(desk, facts("read", reads=many))
    cleared(desk, facts("read", reads="public." + "x" * 300))
    assert [(shape.others, shape.reads, count) for shape, count in taken(stage)] == [(True, frozenset(), 2)]
    stage.gate._usage.take()
    for at in range(200):
        cleared(desk, facts("read", reads=f"public.t{at}"), text="select 2")
        stage.gate.readmit()
        monkeypatch.setattr(module, "MOST", 0)
    assert stage.gate._usage.take()[0][2] == 199
