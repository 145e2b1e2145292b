"""One end of the control link on asyncio, the replicated dictionary, and the watch over a silent peer.
A worker must never outlive its link, nor work on by what it believed long ago.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, cast

from wicketgate.control.messages import (
    MESSAGE,
    Answer,
    Ask,
    Commit,
    LinkBroken,
    Message,
    Parser,
    Put,
    Spent,
    encode,
)
from wicketgate.model.errors import GatewayError
from wicketgate.model.secret import Secret

COMMIT_EVERY = 0.25
"""Seconds between commits, which are the control process's sign of life."""
HOLD_AFTER = 3_000_000_000
"""Nanoseconds without a commit after which new work is held."""
END_AFTER = 15_000_000_000
"""Nanoseconds without a commit after which work is ended."""
WRITE_HIGH = MESSAGE + (64 << 20)
"""Bytes that may wait for a peer that does not read; above, the link is broken."""

ANSWER = 10.0
"""Seconds that an answer may take."""


class LinkClosed(GatewayError):
    """The control process (or the worker) is gone."""

    def __init__(self) -> None:
        super().__init__("the gateway can't decide now", "the control link is closed")


class Link(asyncio.Protocol):
    """An end of the socketpair. receive: called with each message; lost: called once, with the reason.

    kinds: the messages that may come (DOWN or UP of control.messages).
    """

    def __init__(
        self, kinds: dict[int, type], receive: Callable[[Any], None], lost: Callable[[str], None]
    ) -> None:
        self._parser = Parser(kinds)
        self._receive = receive
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self.closed = False

    @classmethod
    async def connect(
        cls,
        end: socket.socket,
        kinds: dict[int, type],
        receive: Callable[[Any], None],
        lost: Callable[[str], None],
    ) -> "Link":
        """Take over one end of a socketpair."""
        end.setblocking(False)
        loop = asyncio.get_running_loop()
        _, link = await loop.create_unix_connection(lambda: cls(kinds, receive, lost), sock=end)
        return link

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._parser.receive(data):
                if self.closed:
                    return
                self._receive(message)
        except LinkBroken as error:
            self.close(f"broken: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        self.close("end of file" if exc is None else f"{exc}")

    def send(self, message: Message) -> None:
        """Send, or do nothing where the link is closed (its end is told by `lost`)."""
        self.send_encoded(encode(message))

    def send_encoded(self, frames: bytes) -> None:
        """Send what `encode` made: a put to many workers is encoded once."""
        if self.closed or self._transport is None:
            return
        self._transport.write(frames)
        if self._transport.get_write_buffer_size() > WRITE_HIGH:
            self.close("the peer does not read")

    def close(self, why: str) -> None:
        """Close; `lost` is called the first time."""
        if self.closed:
            return
        self.closed = True
        if self._transport is not None:
            self._transport.abort() if why != "done" else self._transport.close()
        self._lost(why)


class Replica:
    """What a worker believes: sections of entries, changed whole at each commit, and never in between."""

    def __init__(self) -> None:
        self.number = 0
        self._sections: dict[str, dict[str, Any]] = {}
        self._blobs: dict[tuple[str, str], bytes] = {}
        self._pending: list[Put] = []
        self._resumes: list[Callable[[frozenset[str]], None]] = []

    def get(self, section: str, key: str) -> Any:
        """The entry's value, or None."""
        entries = self._sections.get(section)
        return None if entries is None else entries.get(key)

    def blob(self, section: str, key: str) -> bytes | None:
        """The entry's raw bytes, or None."""
        return self._blobs.get((section, key))

    def section(self, name: str) -> Mapping[str, Any]:
        """A read-only view of a section; it goes along with what is committed."""
        return MappingProxyType(self._sections.setdefault(name, {}))

    def on_commit(self, resume: Callable[[frozenset[str]], None]) -> None:
        """Call `resume` with the changed sections after each commit that changed any, in order of asking."""
        self._resumes.append(resume)

    def put(self, put: Put) -> None:
        """Keep for the next commit."""
        self._pending.append(put)

    def commit(self, commit: Commit) -> None:
        """Apply what was put. Raises LinkBroken where the numbers go backwards."""
        if commit.number < self.number:
            raise LinkBroken("commits went backwards")
        self.number = commit.number
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        for put in pending:
            entries = self._sections.setdefault(put.section, {})
            if put.value is None and put.blob is None:
                entries.pop(put.key, None)
                self._blobs.pop((put.section, put.key), None)
                continue
            entries[put.key] = put.value
            if put.blob is not None:
                self._blobs[put.section, put.key] = put.blob
            else:
                self._blobs.pop((put.section, put.key), None)
        changed = frozenset(put.section for put in pending)
        for resume in self._resumes:
            resume(changed)


class Watch:
    """How long the control process has been silent. clock: monotonic ns, handed in."""

    def __init__(self, clock: Callable[[], int], hold: int = HOLD_AFTER, end: int = END_AFTER) -> None:
        self._clock = clock
        self._hold = hold
        self._end = end
        self._seen = clock()

    def limit(self, hold: float, end: float) -> None:
        """Other times than the usual, seconds."""
        self._hold, self._end = int(hold * 1e9), int(end * 1e9)

    def seen(self) -> None:
        """A commit came."""
        self._seen = self._clock()

    def standing(self) -> str:
        """`live`; `hold`: take no new work; `end`: end what runs."""
        silent = self._clock() - self._seen
        if silent >= self._end:
            return "end"
        return "hold" if silent >= self._hold else "live"


class Asks:
    """Questions to the control process that wait for their answers."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send = send
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._last = 0
        self._closed = False

    async def ask(self, what: str, body: Mapping[str, Any], secret: Secret | None = None) -> Answer:
        """Ask and wait. secret: goes with it as raw bytes.

        Raises LinkClosed when the link ends before the answer, or none comes in time."""
        if self._closed:
            raise LinkClosed
        self._last += 1
        number = self._last
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            self._send(Ask(number, what, dict(body), secret))
            async with asyncio.timeout(ANSWER):
                return await future
        except TimeoutError:
            raise LinkClosed from None
        finally:
            self._waiting.pop(number, None)

    def spent(self, lease: int, used: int) -> None:
        """Tell what was used of a lease that is over."""
        self._send(Spent(lease, used))

    def answer(self, answer: Answer) -> None:
        """An answer came; one to a question that was given up is dropped."""
        future = self._waiting.get(answer.id)
        if future is not None and not future.done():
            future.set_result(answer)

    def close(self) -> None:
        """The link is gone: every question fails."""
        self._closed = True
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(LinkClosed())
