"""The wire: where it may go, what it takes for an answer, and that it ends in time."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from channels.stage import Received, Receiver, receiving
from wicketgate.channels.wire import LARGEST, Reply, Unsent, Wire, public


@pytest.fixture
async def receiver(tmp_path: Path) -> AsyncIterator[Receiver]:
    async with receiving(tmp_path) as made:
        yield made


async def sent(wire: Wire, address: str) -> Reply | Unsent:
    try:
        return await wire.post(address, {}, b"{}")
    except Unsent as error:
        return error


PRIVATE = [
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "198.18.0.1",
    "192.0.2.1",
    "224.0.0.1",
    "255.255.255.255",
    "192.88.99.1",
    "::1",
    "::",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "fe80::1%eth0",
    "fc00::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "nonsense",
    "",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_no_public_address(address: str) -> None:
    assert not public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_what_is_one(address: str) -> None:
    assert public(address)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "169.254.169.254",
    ],
)
async def test_nothing_inside_is_reached(receiver: Receiver, host: str) -> None:
    """However the address is written: by its number, or by a name that leads there."""
    port = receiver.address.rpartition(":")[2]
    found = await sent(Wire(False, receiver.ca, 5.0), f"https://{host}:{port}/")
    assert isinstance(found, Unsent)
    assert not found.again or "reached" in found.why
    assert receiver.got == []


async def test_inside_is_reached_where_the_operator_says_so(receiver: Receiver) -> None:
    assert isinstance(await sent(Wire(True, receiver.ca, 5.0), f"{receiver.address}/hook?x=1"), Reply)
    assert [each.path for each in receiver.got] == ["/hook?x=1"]
    assert receiver.got[0].headers["user-agent"] == "wicketgate"


async def test_a_certificate_that_is_not_trusted(receiver: Receiver) -> None:
    found = await sent(Wire(True, None, 5.0), receiver.address)
    assert isinstance(found, Unsent)
    assert "certificate is not trusted" in found.why
    assert receiver.got == []


@pytest.mark.parametrize(
    ("status", "headers", "again", "after"),
    [
        (200, {}, None, None),
        (202, {}, None, None),
        (204, {}, None, None),
        (301, {"location": "/"}, False, None),
        (302, {"location": "http://169.254.169.254/"}, False, None),
        (307, {"location": "/"}, False, None),
        (400, {}, False, None),
        (401, {}, False, None),
        (404, {}, False, None),
        (408, {}, True, None),
        (410, {}, False, None),
        (429, {"retry-after": "17"}, True, 17.0),
        (429, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, True, None),
        (503, {"retry-after": "99999999999"}, True, None),
        (503, {"retry-after": "999999999"}, True, 86400.0),
        (500, {"retry-after": "-1"}, True, None),
    ],
)
async def test_what_an_answer_means(
    receiver: Receiver, status: int, headers: dict[str, str], again: bool | None, after: float | None
) -> None:
    async def answer(received: Received) -> web.StreamResponse:
        return web.Response(
            status=status, headers=headers, text="" if status == 204 else "who asks must not see"
        )

    receiver.answer = answer
    found = await sent(Wire(True, receiver.ca, 5.0), receiver.address)
    assert len(receiver.got) == 1
    if again is None:
        assert isinstance(found, Reply)
        return
    assert isinstance(found, Unsent)
    assert (found.again, found.after) == (again, after)
    assert str(status) in found.why
    assert "see" not in found.why


@pytest.mark.parametrize("trickles", [False, True])
async def test_who_hangs_or_trickles_is_left_in_time(receiver: Receiver, trickles: bool) -> None:
    ended = asyncio.Event()

    async def answer(received: Received) -> web.StreamResponse:
        response = web.StreamResponse()
        if trickles:
            await response.prepare(received.request)
        while not ended.is_set():
            if trickles:
                await response.write(b"x")
            await asyncio.sleep(0.02)
        return web.Response() if not trickles else response

    receiver.answer = answer
    began = time.monotonic()
    found = await sent(Wire(True, receiver.ca, 0.5), receiver.address)
    ended.set()
    assert isinstance(found, Unsent)
    assert found.again
    assert "no answer in 0.5 s" in found.why
    assert time.monotonic() - began < 3


async def test_a_large_answer_is_cut(receiver: Receiver) -> None:
    async def answer(received: Received) -> web.StreamResponse:
        return web.Response(body=b"x" * (LARGEST * 4))

    receiver.answer = answer
    found = await sent(Wire(True, receiver.ca, 5.0), receiver.address)
    assert isinstance(found, Reply)
    assert len(found.body) == LARGEST
    assert "xxx" not in repr(found)


async def test_nobody_there() -> None:
    found = await sent(Wire(True, None, 5.0), "https://127.0.0.1:1/")
    assert isinstance(found, Unsent)
    assert found.again
    gone = await sent(Wire(False, None, 5.0), "https://nowhere.invalid/")
    assert isinstance(gone, Unsent)
    assert gone.again


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "127.0.1", "0177.0.0.1", "017700000001", "127.0.0.1."]
)
async def test_an_address_in_another_spelling_leads_inside_no_more(host: str) -> None:
    """The system reads these as addresses of this machine, and none of them was looked up by name."""
    asked: list[bytes] = []

    async def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(1))
        writer.close()

    server = await asyncio.start_server(come, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    found = await sent(Wire(False, None, 5.0), f"https://{host}:{port}/")
    server.close()
    await server.wait_closed()
    assert isinstance(found, Unsent)
    assert ("not a public one" in found.why, found.again, asked) == (True, False, [])


async def test_a_name_that_nobody_answers_for_keeps_nobody_waiting(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking a name up can't be ended: it must not use up the threads that all others need."""
    ended, real = threading.Event(), socket.getaddrinfo

    def slow(host: Any, *given: Any, **named: Any) -> Any:
        if host != "slow.invalid":
            return real(host, *given, **named)
        ended.wait(20)
        raise socket.gaierror(socket.EAI_AGAIN, "it takes too long")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    wires = [Wire(private, receiver.ca, 0.5) for private in (False, True)]
    try:
        asked = [sent(wire, "https://slow.invalid/") for wire in wires for _ in range(8)]
        for found in await asyncio.gather(*asked):
            assert isinstance(found, Unsent)
            assert found.again
        async with asyncio.timeout(2):
            assert await asyncio.to_thread(lambda: 1) == 1
            other = await sent(Wire(False, None, 2.0), "https://127.0.0.1.nip.invalid/")
        assert isinstance(other, Unsent)
    finally:
        ended.set()
