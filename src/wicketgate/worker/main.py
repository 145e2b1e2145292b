"""The worker: executed by the control process, it owns the I/O of its sessions and no decision.
It must never outlive the control link, nor forward what its journal did not take.
"""

import asyncio
import gc
import signal
import socket
import ssl
from collections.abc import Callable
from typing import Any

import uvloop

from wicketgate.control.link import Asks, Link, Replica, Watch
from wicketgate.control.messages import (
    DOWN,
    Answer,
    Cancel,
    Closed,
    Commit,
    Counters,
    Drain,
    End,
    Opened,
    Put,
    Ready,
    Sealed,
    Stale,
    Welcome,
)
from wicketgate.model.decision import Denial
from wicketgate.model.errors import JournalFailed
from wicketgate.model.resource import Account, Resource
from wicketgate.model.session import Admission
from wicketgate.protocols.base import CancelAsked, ProtocolSpec
from wicketgate.worker.cancels import Cancels
from wicketgate.worker.catalogs import Catalogs
from wicketgate.worker.dial import Dialer
from wicketgate.worker.listen import Guest, HandshakeLimits, Listener, Porch, server_context
from wicketgate.worker.opening import LOST, SHUTDOWN, UNAVAILABLE, UNRECORDED, Opener, OpeningLimits
from wicketgate.worker.ports import GateNeeds, WorkerPorts
from wicketgate.worker.session import LINGER, Session
from wicketgate.worker.sessions import Sessions
from wicketgate.worker.tasks import Tasks
from wicketgate.worker.turn import Turn

SEAL_EVERY = 0.1
"""Seconds between looks at the journal's block, the watch and the counters."""
START = 30.0
"""Seconds that the control process may take for the first commit."""
JOURNAL_RETRY = 5.0
"""Seconds that a worker without a journal refuses sessions before it ends, to be replaced (a setting)."""
FAREWELL = 1.0
"""Seconds that a worker that ends waits for targets that it asks to cancel."""
READMIT_TICKS = 20
"""Looks after which sessions are admitted again even if nothing changed (2 s)."""
READMITTING = frozenset({"policy", "tokens", "identities", "revoked"})
"""Sections whose change has every session admitted again."""


class Worker:
    """One worker's shell: see DESIGN §4 and §5. Made by `run`; `serve` returns when it is over."""

    def __init__(self, ports: WorkerPorts, link_end: socket.socket) -> None:
        self._ports = ports
        self._end = link_end
        self._loop = asyncio.get_running_loop()
        self._tasks = Tasks(ports.log)
        self._replica = Replica()
        self._watch = Watch(ports.boot)
        self._asks = Asks(lambda message: self._link.send(message))
        self._welcome: Welcome | None = None
        self._started: asyncio.Future[Welcome | None] = self._loop.create_future()
        self._over: asyncio.Future[str] = self._loop.create_future()
        self._listeners: list[Listener] = []
        self._counters: dict[str, int] = {}
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._standing = "live"
        self._journal: Any = None
        self._sessions: Sessions | None = None
        self._ticks = 0
        self.draining = False

    # -- life -----------------------------------------------------------------------------------------------
    async def serve(self) -> str:
        """Work until the link ends, the drain is done or the journal is lost. Why it ended."""
        self._link = await Link.connect(self._end, DOWN, self._received, self._lost)
        try:
            async with asyncio.timeout(START):
                welcome = await self._started
        except TimeoutError:
            welcome = None
        if welcome is None:
            return "link: no welcome"
        try:
            self._journal = self._ports.build_journal(welcome)
        except (JournalFailed, OSError) as error:
            self._ports.log(f"journal: {getattr(error, 'detail', '') or error}")
        self._build(welcome)
        self._link.send(Ready(welcome.writer))
        timer = self._tasks.start(self._tick(), "tick")
        if self._journal is None:
            self._turn.fail(JournalFailed("the session's record can't be written", "it could not be opened"))
        try:
            return await self._over
        finally:
            timer.cancel()
            for listener in self._listeners:
                listener.close()
            await self._finish()

    def _build(self, welcome: Welcome) -> None:
        """Everything that needs the first commit."""
        ports, settings = self._ports, welcome.settings
        limits = HandshakeLimits(
            float(settings.get("handshake_seconds", 10.0)),
            int(settings.get("handshakes", 1024)),
            int(settings.get("handshakes_per_source", 256)),
        )
        self._watch.limit(float(settings.get("hold_seconds", 3.0)), float(settings.get("end_seconds", 15.0)))
        self._journal_retry = float(settings.get("journal_retry", JOURNAL_RETRY))
        self._turn = Turn(self._loop, self._journal, self._journal_failed)
        self._gate = ports.build_gate(
            GateNeeds(
                welcome=welcome,
                replica=self._replica,
                journal=self._journal,
                asks=self._asks,
                count=self.count,
                touch=self._turn.soon,
                clock=ports.clock,
                boot=ports.boot,
                token=ports.token,
            )
        )
        self._sessions = Sessions(
            welcome.number,
            welcome.worker,
            ports.token,
            int(settings.get("sessions_per_identity", 1000)),
            int(settings.get("sessions", 20000)),
        )
        self._dialer = Dialer(float(settings.get("dial_seconds", 10.0)), self._version)
        self._catalogs = Catalogs(
            self._replica, ports.protocols, self._resource, ports.boot, self._catalog_fault
        )
        self._opener = Opener(
            around=self,
            gate=self._gate,
            sessions=self._sessions,
            dialer=self._dialer,
            catalogs=self._catalogs,
            limits=OpeningLimits(int(settings.get("kept", 65536)), int(settings.get("buffer", 1 << 20))),
            closed=self._closed,
            asks=self._asks,
            opened=self._opened,
            closing=self._record_close,
            record=self._turn.record,
            log=ports.log,
        )
        self._cancels = Cancels(self._sessions, self._dialer, self._tasks, self._link.send, ports.log)
        self._replica.on_commit(self._changed)
        self._tls = welcome.tls
        porch = Porch(limits)
        for number, protocol, plain in welcome.ports:
            listener = Listener(
                ports.protocols[protocol],
                plain,
                self._context,
                self._greeted,
                porch,
                limits,
                self._tasks,
                ports.log,
            )
            listener.add(socket.socket(fileno=number))
            listener.open(True)
            self._listeners.append(listener)

    async def _tick(self) -> None:
        """Seals, watches, counts; the one timer."""
        try:
            while True:
                await asyncio.sleep(SEAL_EVERY)
                self._seal()
                self._look()
                self._ticks += 1
                if self._ticks % 10 == 0 and self._counters:
                    self._link.send(Counters(self._counters))
                    self._counters = {}
                if self._ticks % READMIT_TICKS == 0 and self._sessions:
                    self._readmit(self._sessions)
        finally:
            # Without this timer nothing is sealed or watched: better no worker than such a one.
            if not self._over.done():
                self._over.set_result("its timer failed")

    def _seal(self) -> None:
        if self._turn.broken:
            return
        try:
            seal = self._journal.seal()
        except JournalFailed as error:
            self._turn.fail(error)
            return
        if seal is not None:
            self._link.send(Sealed(seal.segment, seal.block, seal.last, seal.root, seal.size))

    def _look(self) -> None:
        """Whether the control process still lives, and whether a drain is done."""
        standing = self._watch.standing()
        if standing != self._standing and self._sessions is not None:
            self._standing = standing
            self._ports.log(f"control process: {standing}")
            self._sessions.hold(standing == "hold")
            for listener in self._listeners:
                listener.open(standing == "live")
            if standing == "end":
                self._sessions.end_all(LOST, "lost")
        if self.draining and not self._sessions and not self._over.done():
            self._over.set_result("drained")

    async def _finish(self) -> None:
        """The last turn: tell every client, record every close, seal."""
        if self._sessions is not None:
            self._sessions.end_all(LOST, "lost")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            for session in self._sessions:
                session.cut("lost")
            await self._cancels.finish(FAREWELL)
        if self._journal is not None and not self._turn.broken:
            try:
                self._seal()
                self._journal.close()
            except JournalFailed as error:
                self._ports.log(f"journal: {error.detail}")
        if self._counters:
            self._link.send(Counters(self._counters))
        self._link.close("done")
        # Clients' last bytes leave within this time, or not at all.
        await asyncio.sleep(0.1)
        await self._tasks.end()

    # -- the link -------------------------------------------------------------------------------------------
    def _received(self, message: Any) -> None:
        match message:
            case Commit():
                self._watch.seen()
                self._replica.commit(message)
                if not self._started.done() and self._welcome is not None:
                    self._started.set_result(self._welcome)
            case Put():
                self._replica.put(message)
            case Answer():
                self._asks.answer(message)
            case Cancel():
                if self._sessions is not None:
                    self._cancels.routed(message)
            case End():
                kind = {"revoked": "revoked", "limit": "limit"}.get(message.reason, "shutdown")
                denial = Denial(kind, message.message, "told by the control process")
                if self._sessions is not None:
                    self._sessions.end(message.session, denial, message.reason)
            case Drain():
                self._drain(message.seconds)
            case Welcome():
                self._welcome = message

    def _lost(self, why: str) -> None:
        self._asks.close()
        if not self._started.done():
            self._started.set_result(None)
        if not self._over.done():
            self._over.set_result(f"link: {why}")

    def _changed(self, changed: frozenset[str]) -> None:
        if "tls" in changed:
            self._tls = self._replica.get("tls", "files") or self._tls
            self._contexts.clear()
        if self._sessions is None:
            return
        if changed & {"policy", "account"}:
            self._dialer.review(self._resource)
        if changed & READMITTING:
            self._readmit(self._sessions)

    def _readmit(self, sessions: Sessions) -> None:
        """Every session is admitted again: by a change, and by time (a token ends, a rule's hours do)."""
        for session, denial in self._gate.readmit():
            reason = denial.kind if denial.kind in ("revoked", "limit") else "policy"
            sessions.end(session, denial, reason)
        self._turn.soon()

    def _drain(self, seconds: float) -> None:
        if self.draining:
            return
        self.draining = True
        for listener in self._listeners:
            listener.close()
        if self._sessions is not None:
            self._sessions.end_idle(SHUTDOWN, "shutdown")
            self._loop.call_later(seconds, self._sessions.end_all, SHUTDOWN, "shutdown")
            self._loop.call_later(seconds + LINGER, self._give_up_drain)

    def _give_up_drain(self) -> None:
        if not self._over.done():
            self._over.set_result("drained")

    # -- the journal ----------------------------------------------------------------------------------------
    def _journal_failed(self, error: JournalFailed) -> None:
        """Every session ends with its protocol's error; new ones are refused until we are replaced."""
        self._ports.log(f"journal: {error.detail or error.public}")
        self.count("journal_failures")
        if self._sessions is not None:
            self._sessions.end_all(UNRECORDED, "journal")
        self._loop.call_later(self._journal_retry, self._give_up_journal)

    def _give_up_journal(self) -> None:
        if not self._over.done():
            self._over.set_result("journal")

    def _record_close(self, admission: Admission, reason: str) -> None:
        try:
            self._gate.close(admission, reason)
        except JournalFailed as error:
            self._turn.fail(error)
        self._turn.soon()

    # -- clients --------------------------------------------------------------------------------------------
    async def _greeted(self, guest: Guest) -> None:
        if isinstance(guest.outcome, CancelAsked):
            try:
                await self._cancels.asked(guest.outcome)
            finally:
                guest.transport.close()
            return
        await self._opener.open(guest)

    def _closed(self) -> Denial | None:
        if self._turn.broken:
            return UNRECORDED
        if self.draining:
            return SHUTDOWN
        if self._replica.get("standing", "closed") is not None:
            return UNAVAILABLE
        return None if self._watch.standing() == "live" else LOST

    def _opened(self, session: Session) -> None:
        admission = session.admission
        self.count("sessions_opened")
        self._link.send(
            Opened(
                admission.session,
                admission.identity.name,
                admission.resource.name,
                admission.database,
                admission.account.name,
                session.source,
                self._ports.clock(),
            )
        )

    # -- what sessions ask (Surroundings) -------------------------------------------------------------------
    @property
    def turn(self) -> Turn:
        return self._turn

    def finished(self, session: Session, reason: str) -> None:
        if self._sessions is None or not self._sessions.remove(session):
            return
        admission = session.admission
        self._record_close(admission, reason)
        self._dialer.release(admission.resource, admission.account)
        self.count("sessions_closed")
        self._link.send(Closed(admission.session, reason))

    def linger(self, transport: asyncio.Transport, seconds: float) -> None:
        # TLS waits for its peer's farewell even when nothing is left to write.
        self._loop.call_later(seconds, transport.abort)

    def ask_cancel(self, session: Session) -> None:
        self._cancels.ask(session)

    def stale(self, session: Session) -> None:
        self._link.send(Stale(session.admission.resource.name, session.admission.database))

    def catalog(self, session: Session) -> Any:
        return self._catalogs.get(session.admission.resource.name, session.admission.database)

    def on_catalog(self, session: Session, resume: Callable[[], None]) -> None:
        def wake() -> None:
            if not session.closed:
                session.guard(resume)
                self._turn.touch(session)

        self._catalogs.newer(session.admission.resource.name, session.admission.database, wake)

    def monotonic(self) -> int:
        return self._ports.boot()

    def count(self, name: str, amount: int = 1) -> None:
        self._counters[name] = self._counters.get(name, 0) + amount

    def fault(self, session: Session, error: Exception) -> None:
        self.count("faults")
        self._ports.log(f"session {session.admission.session}: {type(error).__name__}: {error}")

    # -- small ports ----------------------------------------------------------------------------------------
    def _resource(self, name: str) -> Resource | None:
        return self._ports.resource(self._gate, name)

    def _version(self, resource: Resource, account: Account) -> str:
        entry = self._replica.get("account", f"{resource.name}/{account.name}")
        return f"{account.version}/{entry['version'] if entry else ''}"

    def _catalog_fault(self, key: str, error: Exception) -> None:
        self.count("catalogs_unusable")
        self._ports.log(f"catalog {key}: {type(error).__name__}: {error}")

    def _context(self, spec: ProtocolSpec) -> ssl.SSLContext:
        context = self._contexts.get(spec.name)
        if context is None:
            tls = self._tls
            context = server_context(tls["certificate"], tls["key"], tls.get("client_ca"), spec.alpn)
            self._contexts[spec.name] = context
        return context


def run(link_descriptor: int, ports: WorkerPorts) -> int:
    """A worker's whole life, on uvloop. link_descriptor: its end of the control link. The exit code.

    Everything else, the listening sockets too, is told by the Welcome on the link.
    """
    # The control process tells when to stop; a terminal's Ctrl-C reaches us as well.
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)

    # Statements make little garbage and no cycles; what was imported must not be walked for it.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)

    async def main() -> str:
        return await Worker(ports, socket.socket(fileno=link_descriptor)).serve()

    ended = uvloop.run(main())
    ports.log(f"worker ended: {ended}")
    return 0 if ended == "drained" or ended.startswith("link") else 1
