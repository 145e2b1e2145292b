"""What closes reviews and signs links: one key for all nodes, closed anew with secrets, given to nobody."""

import os
from pathlib import Path

import pytest

from custody.test_own import vault, why
from wicketgate.custody.seal import LINK_SECONDS, Sealing
from wicketgate.model.errors import GatewayError
from wicketgate.model.secret import Secret

REVIEW, OTHER = "A" * 26, "B" * 26
SECOND = 1_000_000_000


class Clock:
    now = 1_800_000_000 * SECOND

    def __call__(self) -> int:
        return self.now


def sealing(own: object, clock: Clock, public_url: str | None = "https://gateway.example") -> Sealing:
    async def source() -> object:
        return own

    return Sealing(source, clock, clock, os.urandom, public_url)  # type: ignore[arg-type]


async def test_what_is_closed_opens_on_another_node_and_after_a_rotation(tmp_path: Path) -> None:
    clock = Clock()
    async with vault(tmp_path) as own, vault(tmp_path) as again:
        one, other = sealing(own, clock), sealing(again, clock)
        closed = (await one.cipher()).close(b"canary", b"here")
        link = one.link(REVIEW)
        assert (await other.cipher()).open(closed, b"here") == b"canary"
        assert await own.rotate() == (0, True), "it is no secret of anybody's"
        clock.now += 60 * SECOND
        for each in (one, other):
            assert (await each.cipher()).open(closed, b"here") == b"canary"
            assert await each.opens(REVIEW, link.partition("?k=")[2])
        for wrong, context in ((closed, b"there"), (closed[:-1], b"here"), (b"", b"here")):
            with pytest.raises(GatewayError, match="changed beside"):
                (await one.cipher()).open(wrong, context)
        (tmp_path / "custody.keys").unlink()
        clock.now += 60 * SECOND
        with pytest.raises(GatewayError, match="not at hand"):
            await one.cipher()


async def test_nobody_names_or_takes_it(tmp_path: Path) -> None:
    clock = Clock()
    async with vault(tmp_path) as own:
        await sealing(own, clock).cipher()
        assert await own.listed() == []
        assert not await own.remove(":reviews")
        assert "there is no secret" in await why(own.credential(":reviews"))
        with pytest.raises(ValueError, match="can't name a secret"):
            await own.put(":reviews", Secret(b"mine"), "local")
        assert len(await own._rows.secrets()) == 1
        # where its key is gone none is made in its place
        (tmp_path / "custody.keys").unlink()
        assert "there is no" in await why(own.put("sales", Secret(b"x"), "local"))


async def test_links_and_tickets_are_for_one_thing(tmp_path: Path) -> None:
    clock = Clock()
    async with vault(tmp_path) as own:
        made = sealing(own, clock)
        assert made.link(REVIEW) == "", "nothing was sealed here yet"
        await made.cipher()
        assert sealing(own, clock, None).link(REVIEW) == ""
        place, _, mark = made.link(REVIEW).partition("?k=")
        assert place == f"https://gateway.example/reviews/{REVIEW}"
        assert await made.opens(REVIEW, mark)
        forged = [mark[:-1], mark + "A", "", "=", "ä", "A" * len(mark), mark[::-1], mark.upper()]
        later = (clock.now // SECOND + 10 * LINK_SECONDS).to_bytes(5, "big")
        import base64

        whole = base64.urlsafe_b64decode(mark + "=" * (-len(mark) % 4))
        forged.append(base64.urlsafe_b64encode(later + whole[5:]).decode().rstrip("="))
        for each in forged:
            assert not await made.opens(REVIEW, each), each
        assert not await made.opens(OTHER, mark)
        ticket = await made.ticket("review A", b"kept")
        assert b"kept" not in base64.urlsafe_b64decode(ticket + "==")
        assert await made.of_ticket("review A", ticket) == b"kept"
        for purpose, text in (
            ("review B", ticket),
            ("review A", ticket[:-2]),
            ("review A", "ä"),
            ("x", mark),
        ):
            assert await made.of_ticket(purpose, text) is None
        clock.now += LINK_SECONDS * SECOND
        assert not await made.opens(REVIEW, mark)
