"""A session whose time is over in the midst of a stream, before any timer had its turn."""

import asyncio
from typing import Any

import pytest

from wicketgate.model import ports
from wicketgate.model.decision import Denial
from wicketgate.protocols.conversing import Conversation
from wicketgate.worker.session import ClientEnd, Session, UpstreamEnd
from wicketgate.worker.turn import Turn

OVER = Denial("revoked", "Your access ended.", "the grant ended")


class Journal(ports.Flushing):
    def flush(self) -> None: ...


class Pipe:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.out = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.out += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def set_write_buffer_limits(self, high: int) -> None: ...
    def set_protocol(self, end: Any) -> None:
        self.end = end


class Stream(Conversation):
    """A conversation that passes everything on."""

    pause_client = pause_upstream = False
    over: str | None = None

    def __init__(self) -> None:
        self.down = self.up = b""

    def receive_client(self, data: bytes) -> None:
        self.up += data

    def receive_upstream(self, data: bytes) -> None:
        self.down += data

    def to_client(self) -> bytes:
        taken, self.down = self.down, b""
        return taken

    def to_upstream(self) -> bytes:
        taken, self.up = self.up, b""
        return taken

    def end(self, denial: Denial, reason: str) -> None:
        self.down += denial.message.encode()
        self.over = reason


class Around(ports.Desk):
    """A worker whose clock the test moves, and whose timers never come. raises: so does its gate."""

    def __init__(self, raises: bool = False) -> None:
        self.turn = Turn(asyncio.get_running_loop(), Journal(), lambda error: None)
        self.catalogs = None
        self.now = 0
        self.due = 1000
        self.looks = 0
        self.finishes: list[str] = []
        self.session: Session | None = None
        self.raises = raises
        self.goes_on = False

    def monotonic(self) -> int:
        return self.now

    def overdue(self) -> None:
        self.looks += 1
        if self.raises:
            raise RuntimeError
        if self.goes_on:
            self.due = 2000
        elif self.session is not None:
            self.session.end(OVER, "revoked")

    def finished(self, session: Session, reason: str) -> None:
        self.finishes.append(reason)

    def fault(self, session: Session, error: Exception) -> None: ...
    def linger(self, transport: Any, seconds: float) -> None: ...


async def opened(raises: bool = False) -> tuple[Around, Pipe, Pipe]:
    around, client, upstream = Around(raises), Pipe(), Pipe()
    client.abort = upstream.abort = lambda: None  # type: ignore[attr-defined]
    session = Session(around, None, "", None, client, upstream, 0, b"", around)  # type: ignore[arg-type]
    around.session = session
    session.start(Stream(), b"", b"")
    await asyncio.sleep(0)
    assert isinstance(client.end, ClientEnd)
    assert isinstance(upstream.end, UpstreamEnd)
    return around, client, upstream


async def test_rows_after_the_end_never_come() -> None:
    around, client, upstream = await opened()
    # as a loop does that reads one socket again and again before its timers
    for _ in range(5):
        upstream.end.data_received(b"row;")
    around.now = 999
    upstream.end.data_received(b"last;")
    around.now = 1000
    for _ in range(5):
        upstream.end.data_received(b"late;")
    await asyncio.sleep(0)
    assert client.out == b"row;" * 5 + b"last;" + OVER.message.encode()
    assert client.closed
    assert upstream.closed
    assert around.finishes == ["revoked"]
    assert around.looks == 1


async def test_what_a_client_sends_after_the_end_goes_nowhere() -> None:
    around, client, upstream = await opened()
    client.end.data_received(b"copied;")
    around.now = 5000
    client.end.data_received(b"late;")
    upstream.end.data_received(b"late;")
    await asyncio.sleep(0)
    assert upstream.out == b"copied;"
    assert client.out == OVER.message.encode()


async def test_one_that_may_go_on_is_looked_at_once() -> None:
    around, client, upstream = await opened()
    around.goes_on = True
    around.now = 1000
    for _ in range(5):
        upstream.end.data_received(b"row;")
    await asyncio.sleep(0)
    assert client.out == b"row;" * 5
    assert around.looks == 1


@pytest.mark.parametrize("side", ["client", "upstream"])
async def test_a_doubt_ends_it(side: str) -> None:
    around, client, upstream = await opened(raises=True)
    around.now = 1000
    (client if side == "client" else upstream).end.data_received(b"late;")
    await asyncio.sleep(0)
    assert client.out == upstream.out == b""
    assert around.finishes == ["protocol-error"]
