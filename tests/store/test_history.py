"""The history of access in the store: counted by day, bounded, forgotten when it is old."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from servers.postgres import Postgres
from servers.stores import emptied
from wicketgate.model.usage import DAY, Member, Shape, Use, shape_of
from wicketgate.store import history
from wicketgate.store.db import Store, store_url
from wicketgate.store.history import HistoryRows, KeptReport

NOW = 20_000 * DAY + 5
BOT = Member("bot", "local", "agent", "bot", frozenset({"crew"}))
READ = Shape(
    BOT,
    "token",
    "sales",
    "sales",
    "reader",
    ("crews read",),
    frozenset({"read"}),
    reads=frozenset({"public.customers"}),
)


@pytest.fixture(params=["sqlite", "postgres"])
async def rows(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[HistoryRows]:
    url = None
    if request.param == "postgres":
        server = request.getfixturevalue("postgres15")
        assert isinstance(server, Postgres)
        url = emptied(server)
    store = await Store.open(store_url(url, tmp_path))
    yield HistoryRows(store)
    await store.close()


def test_a_shape_is_what_it_was() -> None:
    whole = replace(
        READ, behalf="ana", agent="a", crew="c", complete=False, opaque=True, classes=frozenset("x")
    )
    for each in (READ, whole, whole.coarse()):
        assert shape_of(each.told()) == each
    with pytest.raises(ValueError, match="drop"):
        shape_of(READ.told() | {"effects": ["drop"]})


async def test_uses_are_counted(rows: HistoryRows) -> None:
    write = replace(READ, effects=frozenset({"write"}), resource="notes")
    await rows.keep([Use(READ, 2, NOW, NOW + 1), Use(write, 1, NOW, NOW)], [], 0, NOW)
    await rows.keep([Use(READ, 3, NOW - 1, NOW)], [], 0, NOW)
    await rows.keep([Use(READ, 5, NOW + DAY, NOW + DAY)], [], 7, NOW + DAY)
    found, lost = await rows.uses(NOW)
    assert sorted(found, key=lambda use: use.count) == [
        Use(write, 1, NOW, NOW),
        Use(READ, 10, NOW - 1, NOW + DAY),
    ]
    assert lost == 7
    assert await rows.uses(NOW + DAY) == ([Use(READ, 5, NOW + DAY, NOW + DAY)], 7)
    assert [use.shape for use in (await rows.uses(0, resource="notes"))[0]] == [write]
    each_day, _ = await rows.uses(NOW, daily=True)
    assert len(each_day) > len(found)
    assert sum(use.count for use in each_day) == sum(use.count for use in found)
    assert await rows.uses(0, identity="eve") == ([], 7)
    assert await rows.begins() == NOW - 1
    await rows.forget(NOW + DAY)
    assert (await rows.uses(0))[0] == [Use(READ, 5, NOW + DAY, NOW + DAY)]


async def test_groups_over_time(rows: HistoryRows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_CHANGES", 3)
    others = [replace(BOT, groups=frozenset({f"g{at}"})) for at in range(6)]
    for at, member in enumerate(others):
        await rows.keep([], [(NOW + at, member), (NOW + at, member)], 0, NOW)
    await rows.keep([], [(NOW, replace(BOT, name="ana"))], 0, NOW)
    assert await rows.members() == [replace(BOT, name="ana"), others[5]]
    assert [each.groups for _, each in await rows.changes(NOW + 1)] == [{"g3"}, {"g4"}, {"g5"}]
    assert (await rows.before(NOW + 4))["bot"] == others[4]
    await rows.forget(NOW + 5)
    assert await rows.members() == [replace(BOT, name="ana"), others[5]]
    assert len(await rows.changes(0)) == 2


async def test_reports(rows: HistoryRows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_REPORTS", 2)
    assert await rows.last_report() is None
    for at in range(5):
        await rows.keep_report(NOW + at, "ana", "d" * 64, [{"at": at}])
    assert await rows.last_report() == KeptReport(NOW + 4, "ana", "d" * 64, [{"at": 4}])
    await rows.forget(NOW + 9)
    assert await rows.last_report() is None
