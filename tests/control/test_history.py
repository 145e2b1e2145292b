"""What workers tell of use: kept in batches, bounded, and honest about what was dropped."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from wicketgate.control import history as module
from wicketgate.control.history import History
from wicketgate.control.messages import Used
from wicketgate.model.errors import GatewayError
from wicketgate.model.usage import DAY, Member, Shape, Use

NOW = 20_000 * DAY
BOT = Member("bot", "local", "agent", "bot", frozenset({"crew"}))
READ = Shape(BOT, "token", "sales", "sales", "reader", ("crews read",), frozenset({"read"}))


class Kept:
    """A store in memory."""

    def __init__(self) -> None:
        self.away = False
        self.uses: list[Use] = []
        self.changes: list[Member] = []
        self.lost = 0

    async def keep(self, uses: Sequence[Use], members: Sequence[tuple[int, Member]], lost: int) -> None:
        if self.away:
            raise GatewayError("the store is away")
        self.uses += uses
        self.changes += [member for _, member in members]
        self.lost += lost

    async def members(self) -> Sequence[Member]:
        if self.away:
            raise GatewayError("the store is away")
        return list(self.changes)

    async def forget(self, before: int) -> None:
        pass


def touching(name: str) -> Shape:
    return replace(READ, reads=frozenset({name}))


def used(*shapes: Shape, members: Sequence[Member] = (), lost: int = 0) -> Used:
    return Used([[each.told(), 1, NOW, NOW] for each in shapes], [each.told() for each in members], lost)


def made(store: Kept) -> tuple[History, list[str]]:
    log: list[str] = []
    return History(store, 400, lambda: NOW, log.append), log


async def test_batches() -> None:
    store = Kept()
    history, _ = made(store)
    for _ in range(3):
        history.add(used(READ, touching("a.b"), members=[BOT]))
    await history.flush()
    await history.flush()
    assert sorted(use.count for use in store.uses) == [3, 3]
    assert store.changes == [BOT]
    history.add(used(members=[BOT, replace(BOT, groups=frozenset())]))
    await history.flush()
    assert store.changes == [BOT, replace(BOT, groups=frozenset())]
    again, _ = made(store)
    again.add(used(members=[store.changes[-1]]))
    await again.flush()
    assert len(store.changes) == 2


async def test_a_million_relations_are_a_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SHAPES", 50)
    store = Kept()
    history, _ = made(store)
    for at in range(3000):
        history.add(used(touching(f"t.t{at}")))
        if at % 100 == 0:
            await history.flush()
    await history.flush()
    assert len({use.shape for use in store.uses}) == 51
    assert sum(use.count for use in store.uses) == 3000
    assert READ.coarse() in {use.shape for use in store.uses}
    assert sum(len(each) for each in history._shapes.values()) == 50


async def test_a_store_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 10)
    store = Kept()
    store.away = True
    history, log = made(store)
    for at in range(30):
        history.add(used(touching(f"t.t{at}"), members=[replace(BOT, name=f"b{at}")]))
        await history.flush()
    assert len(log) == 1
    store.away = False
    await history.flush()
    assert (len(store.uses), store.lost, len(store.changes)) == (10, 20, 10)


async def test_what_can_not_be_read_is_said_to_be_lost() -> None:
    store = Kept()
    history, _ = made(store)
    broken: list[list[Any]] = [[], [{}], [READ.told()], [READ.told() | {"effects": ["x"]}, 1, 2, 3]]
    for each in broken:
        history.add(Used([each], [], 0))
    history.add(used(lost=3))
    await history.flush()
    assert (store.uses, store.lost) == ([], 7)


async def test_local_accounts_change_without_a_sign_in() -> None:
    store = Kept()
    history, _ = made(store)
    entry = {"kind": "agent", "groups": ["crew"], "subject": "bot", "issuer": "local", "disabled": None}
    for entries in ({"bot": entry}, {"bot": entry}, {"bot": entry | {"disabled": 7}}, {}):
        history.accounts(entries)
        await history.flush()
    assert store.changes == [
        BOT,
        replace(BOT, groups=frozenset()),
        replace(BOT, groups=frozenset(), gone=True),
    ]
