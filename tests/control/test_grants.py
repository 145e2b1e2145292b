"""What comes of approved requests on the control process's side, and how grants end there."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from wicketgate.control.grants import Grants
from wicketgate.model.errors import GatewayError, JournalFailed
from wicketgate.model.grant import AccessRequest, Answered, Grant

NOW = 1_800_000_000_000_000_000
HOUR = 3600 * 1_000_000_000
ID = "01ARZ3NDEKTSV4RRFFQ69G5FA"


class Rows:
    """One store. spoilt: requests of which nothing can come."""

    def __init__(self, *numbers: str) -> None:
        self.waiting = [
            Answered(
                AccessRequest(
                    ID + each, "ana", "local", "on request", "sales", "reader", "t" * 32, HOUR, NOW
                ),
                NOW,
                None,
                ("ben",),
            )
            for each in numbers
        ]
        self.kept: dict[str, Grant] = {}
        self.spoilt: set[str] = set()

    async def answered(self) -> list[Answered]:
        return [each for each in self.waiting if each.request.id not in self.kept]

    async def settle(
        self, answered: Answered, now: int, record: Callable[[Grant | None], None]
    ) -> tuple[Grant | None, bool]:
        request = answered.request
        if request.id in self.spoilt:
            raise ValueError("a row that can't be read")
        fields = (request.id, request.identity, request.issuer, request.rule, request.resource)
        grant = Grant(*fields, request.account, NOW, NOW + HOUR, request.terms)
        record(grant)
        self.kept[request.id] = grant
        return grant, True

    async def tell_ends(self, now: int) -> int:
        return 0

    async def grant(self, grant: str) -> Grant | None:
        return self.kept.get(grant)

    async def end(self, grant: str, by: str, now: int) -> Grant | None:
        return self.kept.pop(grant, None)


class House:
    def __init__(self, rows: Rows, full: bool = False) -> None:
        self.rows = rows
        self.full = full
        self.lines: list[dict[str, Any]] = []
        self.held: dict[str, Any] = {}
        self.grants = Grants(
            rows,  # type: ignore[arg-type]
            lambda section, key, value: self.held.update({key: value}),
            self.record,
            lambda name, amount: None,
            lambda: NOW,
            lambda line: None,
            400,
        )

    def record(self, kind: str, head: bytes, body: bytes) -> None:
        if self.full:
            raise JournalFailed("the journal is full")
        self.lines.append(json.loads(b"{" + body + b"}"))


async def test_one_that_can_not_be_settled_holds_up_no_other() -> None:
    house = House(Rows("A", "B", "C"))
    house.rows.spoilt = {ID + "A"}
    with pytest.raises(ValueError, match="can't be read"):
        await house.grants.settle()
    assert sorted(house.held) == [ID + "B", ID + "C"]
    # nor does whoever tells of his own fail by it
    await house.grants.hear()
    house.rows.spoilt.clear()
    await house.grants.settle()
    assert sorted(house.held) == [ID + "A", ID + "B", ID + "C"]


async def test_it_ends_once_and_is_recorded_once() -> None:
    house = House(Rows("A"))
    await house.grants.settle()
    assert await house.grants.end(ID + "A", "ben", "revoked") is not None
    assert house.held[ID + "A"] is None
    assert await house.grants.end(ID + "A", "ana", "returned") is None
    assert await house.grants.end(ID + "B", "ana", "returned") is None
    assert [each["what"] for each in house.lines] == ["granted", "revoked"]


async def test_it_ends_though_that_can_not_be_recorded() -> None:
    house = House(Rows("A"))
    await house.grants.settle()
    house.full = True
    with pytest.raises(JournalFailed):
        await house.grants.end(ID + "A", "ben", "revoked")
    assert house.held[ID + "A"] is None
    assert house.rows.kept == {}


async def test_without_a_store_there_is_nothing_to_give() -> None:
    grants = Grants(None, lambda *_: None, lambda *_: None, lambda *_: None, lambda: NOW, lambda _: None, 1)
    await grants.settle()
    with pytest.raises(GatewayError):
        await grants.end(ID + "A", "ben", "revoked")
