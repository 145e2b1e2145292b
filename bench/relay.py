"""A relay that does nothing: the floor. It reads no byte of what it passes.
Built as Wicketgate's worker is: uvloop, Protocol callbacks; a turn of the loop collects the sessions that
were touched and writes at its end; a slow side pauses the other.

Usage: python -m bench.relay PORT UPSTREAM_PORT
"""

import asyncio
import sys
from typing import cast

import uvloop

HIGH = 1 << 18


class Turn:
    """Sessions that something happened to, written once at the end of the loop's turn."""

    __slots__ = ("batch", "loop", "scheduled")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.batch: list[Session] = []
        self.scheduled = False

    def touch(self, session: "Session") -> None:
        if not session.touched:
            session.touched = True
            self.batch.append(session)
            if not self.scheduled:
                self.scheduled = True
                self.loop.call_soon(self.run)

    def run(self) -> None:
        self.scheduled = False
        batch, self.batch = self.batch, []
        for session in batch:
            session.touched = False
            session.send()


class Session:
    """Two transports and what waits for each."""

    __slots__ = ("closed", "ends", "touched", "turn", "waiting")

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.ends: list[End] = []
        self.waiting: list[list[bytes]] = [[], []]
        self.touched = False
        self.closed = False

    def send(self) -> None:
        if self.closed:
            return
        for end, waiting in zip(self.ends, self.waiting, strict=False):
            if waiting and end.transport is not None:
                end.transport.write(waiting[0] if len(waiting) == 1 else b"".join(waiting))
                waiting.clear()

    def close(self) -> None:
        if not self.closed:
            self.send()
            self.closed = True
            for end in self.ends:
                if end.transport is not None:
                    end.transport.close()


class End(asyncio.Protocol):
    """One side of a session: `side` 0 is the client."""

    __slots__ = ("session", "side", "transport")

    def __init__(self, session: Session, side: int) -> None:
        self.session = session
        self.side = side
        self.transport: asyncio.Transport | None = None
        session.ends.append(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=HIGH)
        if self.session.closed:
            self.transport.close()
        else:
            self.session.turn.touch(self.session)

    def data_received(self, data: bytes) -> None:
        session = self.session
        session.waiting[1 - self.side].append(data)
        session.turn.touch(session)

    def pause_writing(self) -> None:
        self._other("pause_reading")

    def resume_writing(self) -> None:
        self._other("resume_reading")

    def _other(self, call: str) -> None:
        other = self.session.ends[1 - self.side].transport
        if other is not None and not other.is_closing():
            getattr(other, call)()

    def connection_lost(self, exc: Exception | None) -> None:
        self.session.close()


async def serve(port: int, upstream: int) -> None:
    loop = asyncio.get_running_loop()
    turn = Turn(loop)
    dials: set[asyncio.Task[None]] = set()

    async def dial(session: Session) -> None:
        try:
            await loop.create_connection(lambda: End(session, 1), "127.0.0.1", upstream)
        except OSError:
            session.close()

    def accepted() -> End:
        session = Session(turn)
        end = End(session, 0)
        task = loop.create_task(dial(session), name="dial")
        dials.add(task)
        task.add_done_callback(dials.discard)
        return end

    server = await loop.create_server(accepted, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
