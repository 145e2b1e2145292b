"""What a source gave is held as long as it says, asked for once, and given back."""

import asyncio

import pytest

from wicketgate.control import held as held_module
from wicketgate.control.held import Held
from wicketgate.model.credential import Credential, CredentialMissing
from wicketgate.model.secret import Secret


class Lender:
    """A source that numbers what it lends. fails: what it raises instead."""

    def __init__(self) -> None:
        self.now = 0
        self.asked = 0
        self.returned: list[int] = []
        self.fails: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.keep, self.expires = 10.0, None
        self.closed = False

    def boot(self) -> int:
        return self.now

    async def fetch(self, locator: str) -> Credential:
        self.asked += 1
        number = self.asked
        await self.gate.wait()
        if self.fails is not None:
            raise self.fails

        async def release() -> None:
            self.returned.append(number)

        return Credential(Secret(f"{locator} {number}".encode()), self.keep, self.expires, release)

    async def close(self) -> None:
        self.closed = True


async def test_many_who_ask_at_once_ask_once() -> None:
    lender = Lender()
    held = Held("lender", lender, lender.boot)
    lender.gate.clear()
    asking = [asyncio.create_task(held.fetch("a"), name=f"{n}") for n in range(20)]
    await asyncio.sleep(0)
    asking[0].cancel()  # one that gives up takes it from nobody
    await asyncio.sleep(0)
    lender.gate.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert answers[1:] == [Secret(b"a 1")] * 19
    assert lender.asked == 1
    assert await held.fetch("b") == Secret(b"b 2")


async def test_held_no_longer_than_it_says_and_no_longer_than_it_lasts() -> None:
    lender = Lender()
    held = Held("lender", lender, lender.boot)
    assert await held.fetch("a") == Secret(b"a 1")
    lender.now = 9_999_999_999
    assert await held.fetch("a") == Secret(b"a 1")
    lender.now = 10_000_000_000
    lender.expires = 12_000_000_000
    assert await held.fetch("a") == Secret(b"a 2")
    lender.now = 12_000_000_000
    lender.fails = CredentialMissing("away")
    for _ in range(5):  # never the old one because there is no new one
        with pytest.raises(CredentialMissing) as told:
            await held.fetch("a")
        assert told.value.detail == "away"
    assert lender.asked == 3
    lender.now += 2_000_000_000
    lender.fails = None
    assert await held.fetch("a") == Secret(b"a 4")


async def test_what_is_no_longer_used_is_given_back() -> None:
    lender = Lender()
    held = Held("lender", lender, lender.boot)
    await held.fetch("a")
    await held.fetch("b")
    lender.now = 20_000_000_000
    await held.fetch("a")
    await held.close()
    assert sorted(lender.returned) == [1, 2, 3]
    assert lender.closed


async def test_the_number_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_module, "MOST", 100)
    lender = Lender()
    lender.keep = 1e6
    held = Held("lender", lender, lender.boot)
    for number in range(110):
        await held.fetch(str(number))
    await asyncio.sleep(0)
    assert len(held._entries) == 100
    await held.close()


async def test_an_error_that_is_not_ours_is_not_repeated() -> None:
    lender = Lender()
    held = Held("lender", lender, lender.boot)
    lender.fails = ValueError("c4nary")
    with pytest.raises(CredentialMissing) as told:
        await held.fetch("a")
    assert told.value.detail == "lender: ValueError"
    assert told.value.__cause__ is None
    assert told.value.__context__ is None
