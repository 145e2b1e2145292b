"""Statements that copy sensitive values: forwarded only once it is kept what columns hold from then on."""

import asyncio

import pytest

from gate.stage import Stage, cleared, facts, statement, submitted
from wicketgate.model.clearance import Clearance
from wicketgate.model.decision import Denial

COPIES = (("public.notes.body", "email"), ("public.notes.title", "email"))


def asked(stage: Stage) -> list[object]:
    return [body for what, body in stage.control.asked if what == "inherit"]


async def test_it_waits_until_it_is_kept() -> None:
    stage = Stage()
    desk = await stage.desk()
    stage.control.gate = asyncio.Event()
    waiting = asyncio.ensure_future(submitted(desk, facts("read", inherits=COPIES)))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    assert stage.journal.of("ask") == []
    stage.control.gate.set()
    assert isinstance(await waiting, Clearance)
    (body,) = asked(stage)
    database = desk.admission.database
    assert body == {"resource": "sales", "database": database, "columns": [list(each) for each in COPIES]}
    cleared(desk, facts("read", inherits=COPIES))  # known from now on, and cleared at once
    assert len(asked(stage)) == 1
    more = facts("read", inherits=(*COPIES, ("public.notes.body", "payment-card")))
    assert isinstance(await submitted(desk, more), Clearance)
    assert len(asked(stage)) == 2


@pytest.mark.parametrize("fault", ["away", "denial"])
async def test_what_is_not_kept_does_not_pass(fault: str) -> None:
    stage = Stage()
    desk = await stage.desk()
    stage.control.away = fault == "away"
    stage.control.denial = ["unavailable", "no", "the store is away"] if fault == "denial" else None
    for _ in range(2):
        denial = await submitted(desk, facts("read", inherits=COPIES))
        assert isinstance(denial, Denial)
        assert denial.kind == "unavailable"
    assert len(stage.journal.of("deny")) == 2
    assert len(asked(stage)) == 2


async def test_what_is_denied_asks_for_nothing() -> None:
    stage = Stage()
    desk = await stage.desk()
    denial = desk.submit(statement("x", facts("write", inherits=COPIES)), lambda answer: None)
    assert isinstance(denial, Denial)
    assert asked(stage) == []


async def test_it_is_decided_anew_when_it_is_kept() -> None:
    stage = Stage()
    desk = await stage.desk()
    stage.control.on_ask = lambda what: desk.forbid(Denial("revoked", "over", "x"))
    answer = await submitted(desk, facts("read", inherits=COPIES))
    assert isinstance(answer, Denial)
    assert answer.kind == "revoked"
