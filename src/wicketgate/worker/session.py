"""One open session: the client's transport, the target's, and the conversation between them (compiled).
It must never send what the turn has not recorded, and never read on from a side whose peer does not take it.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, Final, Protocol

from wicketgate.model.decision import Denial
from wicketgate.model.errors import JournalFailed
from wicketgate.model.ports import NEVER, Desk
from wicketgate.model.session import Admission
from wicketgate.protocols.base import ProtocolSpec
from wicketgate.protocols.conversing import Conversation
from wicketgate.worker.catalogs import Catalogs
from wicketgate.worker.turn import Touched, Turn

LINGER: Final = 5.0
"""Seconds that a peer has to take the last bytes before its connection is cut."""
HIGH: Final = 1 << 18
"""Bytes that may wait in a transport before its other side is read no further (256 KiB)."""
GATHERED: Final = 1 << 19
"""Bytes that one side may bring in one turn before it is read no further until the turn's end (512 KiB)."""


class Surroundings(Protocol):
    """What a session needs of its worker."""

    @property
    def turn(self) -> Turn: ...
    @property
    def catalogs(self) -> Catalogs: ...
    def finished(self, session: "Session", reason: str) -> None:
        """The session is over: record its close and forget it."""
        ...

    def overdue(self) -> None:
        """A session is due: have all admitted again, and end those that must end."""
        ...

    def linger(self, transport: asyncio.Transport, seconds: float) -> None:
        """Cut a closing transport whose peer does not take the last bytes."""
        ...

    def ask_cancel(self, session: "Session") -> None: ...
    def stale(self, session: "Session") -> None: ...
    def catalog(self, session: "Session") -> Any: ...
    def on_catalog(self, session: "Session", resume: Callable[[], None]) -> None: ...
    @property
    def monotonic(self) -> Callable[[], int]: ...
    def count(self, name: str, amount: int = 1) -> None: ...
    def remark(self, session: "Session", text: str) -> None: ...
    def fault(self, session: "Session", error: Exception) -> None:
        """A conversation raised: log it."""
        ...


class Session(Touched):
    """Glues two transports to a conversation. desk: says when it must be admitted again."""

    __slots__ = (
        "_around",
        "_client",
        "_client_full",
        "_client_paused",
        "_desk",
        "_from_client",
        "_from_upstream",
        "_held",
        "_monotonic",
        "_out_client",
        "_out_upstream",
        "_turn",
        "_upstream",
        "_upstream_full",
        "_upstream_paused",
        "admission",
        "closed",
        "conversation",
        "proof",
        "slot",
        "source",
        "spec",
    )

    conversation: Conversation

    def __init__(
        self,
        around: Surroundings,
        admission: Admission,
        source: str,
        spec: ProtocolSpec,
        client: asyncio.Transport,
        upstream: asyncio.Transport,
        slot: int,
        proof: bytes,
        desk: Desk,
    ) -> None:
        self._around = around
        self._desk = desk
        self._monotonic = around.monotonic
        self._turn = around.turn
        self.admission = admission
        self.source = source
        self.spec = spec
        self._client = client
        self._upstream = upstream
        self.slot = slot
        self.proof = proof
        self.touched = False
        self.closed = False
        self._out_client = b""
        self._out_upstream = b""
        self._client_full = self._upstream_full = self._held = False
        self._client_paused = self._upstream_paused = True
        self._from_client = self._from_upstream = 0

    def start(self, conversation: Conversation, from_client: bytes, from_upstream: bytes) -> None:
        """Both transports, paused so far, speak to this session from now on."""
        self.conversation = conversation
        for transport, end in ((self._client, ClientEnd(self)), (self._upstream, UpstreamEnd(self))):
            transport.set_write_buffer_limits(high=HIGH)
            transport.set_protocol(end)  # type: ignore[arg-type]  # a compiled class has no plain base
        self.guard(self._begin, from_client, from_upstream)
        self._turn.touch(self)

    def _begin(self, from_client: bytes, from_upstream: bytes) -> None:
        if from_upstream:
            self.conversation.receive_upstream(from_upstream)
        if from_client:
            self.conversation.receive_client(from_client)

    def guard(self, call: Callable[..., Any], *arguments: Any) -> None:
        """Call the conversation; if it raises, the session ends: doubt is a denial."""
        try:
            call(*arguments)
        except JournalFailed as error:
            # It may be its very end that can't be recorded: then its last word still goes out.
            if self.conversation.over is None:
                self.broke(error)
        except Exception as error:
            self.broke(error)

    def broke(self, error: Exception) -> None:
        """The conversation raised. Nothing more of it is sent."""
        self._around.fault(self, error)
        self._cut("protocol-error")

    def _cut(self, reason: str) -> None:
        if self.closed:
            return
        self.closed = True
        self._out_client = self._out_upstream = b""
        self._client.abort()
        self._upstream.abort()
        self._turn.forget(self)
        self._around.finished(self, reason)

    # -- the turn -------------------------------------------------------------------------------------------
    def take(self) -> None:
        if self.closed:
            return
        conversation = self.conversation
        try:
            self._out_client = conversation.to_client()
            self._out_upstream = conversation.to_upstream()
        except Exception as error:
            self.broke(error)
            return
        if conversation.over is not None:
            self.closed = True
            self._around.finished(self, conversation.over)

    def drop(self) -> None:
        self._out_client = self._out_upstream = b""
        if self.closed:
            # It ended in the very turn that could not be recorded.
            self._hang_up()

    def send(self) -> None:
        out = self._out_client
        if out:
            self._client.write(out)
            self._out_client = b""
        out = self._out_upstream
        if out:
            self._upstream.write(out)
            self._out_upstream = b""
        if self.closed:
            self._hang_up()
            return
        self._from_client = self._from_upstream = 0
        self.steer()
        if self._turn.draining and self.conversation.idle():
            self.end(Denial("shutdown", "The gateway is shutting down.", "drain"), "shutdown")

    def steer(self) -> None:
        """Read from each side only while the other takes it and the conversation wants it."""
        conversation = self.conversation
        pause = self._client_full or self._from_upstream > GATHERED or conversation.pause_upstream
        if pause is not self._upstream_paused:
            self._upstream_paused = pause
            if not self._upstream.is_closing():
                self._upstream.pause_reading() if pause else self._upstream.resume_reading()
        pause = self._upstream_full or self._held or self._from_client > GATHERED or conversation.pause_client
        if pause is not self._client_paused:
            self._client_paused = pause
            if not self._client.is_closing():
                self._client.pause_reading() if pause else self._client.resume_reading()

    def _hang_up(self) -> None:
        self._turn.forget(self)
        for transport in (self._client, self._upstream):
            transport.close()
            self._around.linger(transport, LINGER)

    # -- what the transports tell ---------------------------------------------------------------------------
    def ceased(self) -> bool:
        """Whether bytes that come now are for nobody: a session's time ends in the midst of a stream, too,
        when no timer has had its turn yet."""
        if self._over():
            return True
        due = self._desk.due
        if due == NEVER or due > self._monotonic():
            return False
        self.guard(self._around.overdue)
        return self._over()

    def _over(self) -> bool:
        return self.closed or self.conversation.over is not None

    def client_full(self, full: bool) -> None:
        self._client_full = full
        if not self.closed:
            self.steer()

    def upstream_full(self, full: bool) -> None:
        self._upstream_full = full
        if not self.closed:
            self.steer()

    def client_lost(self) -> None:
        if not self.closed:
            self.guard(self.conversation.client_gone)
            self._turn.touch(self)

    def upstream_lost(self, error: Exception | None) -> None:
        if not self.closed:
            self.guard(self.conversation.upstream_gone, "end of file" if error is None else str(error))
            self._turn.touch(self)

    # -- what the worker asks -------------------------------------------------------------------------------
    def end(self, denial: Denial, reason: str) -> None:
        """End from our side: the protocol's own error, then over."""
        if not self.closed:
            self.guard(self.conversation.end, denial, reason)
            self._turn.touch(self)

    def cut(self, reason: str) -> None:
        """End without a word: the conversation did not end when told to."""
        self._cut(reason)

    def hold(self, held: bool) -> None:
        """Take no new work from the client while `held`."""
        self._held = held
        if not self.closed:
            self.steer()

    def cancel(self) -> bool:
        """A cancel came for this session. True: the target must be asked."""
        if self.closed:
            return False
        try:
            return self.conversation.cancel()
        except Exception as error:
            self.broke(error)
            return False
        finally:
            self._turn.touch(self)

    def wake(self) -> None:
        """There is something to send that no bytes brought about."""
        self._turn.touch(self)


class ClientEnd:
    """The client's transport speaks to the session (an asyncio.Protocol by its methods)."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def data_received(self, data: bytes) -> None:
        session = self._session
        if session.ceased():
            return
        try:
            session.conversation.receive_client(data)
        except Exception as error:
            session.broke(error)
            return
        session._from_client += len(data)
        session._turn.arrived(session)
        if session._from_client > GATHERED:
            session.steer()

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._session.client_full(True)

    def resume_writing(self) -> None:
        self._session.client_full(False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._session.client_lost()


class UpstreamEnd:
    """The target's transport speaks to the session (an asyncio.Protocol by its methods)."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def data_received(self, data: bytes) -> None:
        session = self._session
        if session.ceased():
            return
        try:
            session.conversation.receive_upstream(data)
        except Exception as error:
            session.broke(error)
            return
        session._from_upstream += len(data)
        session._turn.arrived(session)
        if session._from_upstream > GATHERED:
            session.steer()

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._session.upstream_full(True)

    def resume_writing(self) -> None:
        self._session.upstream_full(False)

    def connection_lost(self, exc: Exception | None) -> None:
        if isinstance(exc, ssl.SSLError):
            exc = ConnectionError(f"TLS: {exc.reason}")
        self._session.upstream_lost(exc)
