"""A worker's shell: the parts that carry sessions, made of the first commit, and what befalls them together.
It must never let a session open, or go on, that the journal, the drain or a silent control process forbids.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any

from wicketgate.control.link import Asks, Replica, Watch
from wicketgate.control.messages import Message, Opened, Sealed, Welcome
from wicketgate.gate.usage import Usage
from wicketgate.model.decision import Denial
from wicketgate.model.errors import JournalFailed
from wicketgate.model.keyring import Keyring
from wicketgate.model.resource import Account, Resource
from wicketgate.model.session import Admission
from wicketgate.protocols.base import CancelAsked, ProtocolSpec
from wicketgate.worker.cancels import Cancels
from wicketgate.worker.catalogs import Catalogs
from wicketgate.worker.dial import Dialer
from wicketgate.worker.limits import WorkerLimits
from wicketgate.worker.listen import Guest, HandshakeLimits, Listener, Porch
from wicketgate.worker.opening import LOST, SHUTDOWN, UNAVAILABLE, UNRECORDED, Opener, OpeningLimits
from wicketgate.worker.ports import GateNeeds, WorkerPorts
from wicketgate.worker.session import LINGER, Session
from wicketgate.worker.sessions import Sessions
from wicketgate.worker.surroundings import Around
from wicketgate.worker.tally import Tally
from wicketgate.worker.tasks import Tasks
from wicketgate.worker.tls import server_context
from wicketgate.worker.turn import Turn

FAREWELL = 1.0
"""Seconds that a worker that ends waits for targets that it asks to cancel."""
READMITTING = frozenset({"policy", "tokens", "identities", "issuers", "seen", "revoked", "grants"})
"""Sections whose change has every session admitted again."""


class Shell:
    """journal: this worker's writer, or None where it could not be opened: then every session is refused.

    send: to the control process. over: told, once or more, why the worker is to end.
    """

    def __init__(
        self,
        ports: WorkerPorts,
        welcome: Welcome,
        journal: Any,
        replica: Replica,
        watch: Watch,
        asks: Asks,
        tasks: Tasks,
        send: Callable[[Message], None],
        over: Callable[[str], None],
        pseudonyms: Keyring | None,
    ) -> None:
        self._ports = ports
        self._journal = journal
        self._replica = replica
        self._watch = watch
        self._send = send
        self._over = over
        self._loop = asyncio.get_running_loop()
        self._limits = limits = WorkerLimits.read(welcome.settings)
        self._standing = "live"
        self._tls = welcome.tls
        self._contexts: dict[str, ssl.SSLContext] = {}
        self.tally = Tally()
        self.usage = Usage()
        watch.limit(limits.hold, limits.end)
        self._turn = Turn(self._loop, journal, self._journal_failed)
        self._gate = ports.build_gate(
            GateNeeds(
                welcome=welcome,
                replica=replica,
                journal=journal,
                asks=asks,
                count=self.tally.count,
                touch=self._turn.soon,
                clock=ports.clock,
                boot=ports.boot,
                token=ports.token,
                usage=self.usage,
            )
        )
        self.sessions = Sessions(
            welcome.number, welcome.worker, ports.token, limits.sessions_per_identity, limits.sessions
        )
        self._dialer = Dialer(limits.dial, self._version)
        catalogs = Catalogs(replica, ports.protocols, self._resource, ports.boot, self._catalog_fault)
        self.cancels = Cancels(self.sessions, self._dialer, tasks, send, ports.log)
        self._around = Around(
            turn=self._turn,
            sessions=self.sessions,
            dialer=self._dialer,
            catalogs=catalogs,
            cancels=self.cancels,
            tally=self.tally,
            send=send,
            closing=self._record_close,
            monotonic=ports.boot,
            log=ports.log,
            overdue=self.readmit,
        )
        self._opener = Opener(
            around=self._around,
            gate=self._gate,
            sessions=self.sessions,
            dialer=self._dialer,
            catalogs=catalogs,
            limits=OpeningLimits(limits.kept, limits.buffer),
            pseudonyms=pseudonyms,
            closed=self._closed,
            asks=asks,
            opened=self._opened,
            closing=self._record_close,
            record=self._turn.record,
            log=ports.log,
        )
        replica.on_commit(self._changed)
        self._listeners = self._listen(welcome, tasks)

    def _listen(self, welcome: Welcome, tasks: Tasks) -> list[Listener]:
        limits = HandshakeLimits(
            self._limits.handshake, self._limits.handshakes, self._limits.handshakes_per_source
        )
        porch = Porch(limits)
        listeners = []
        for number, protocol, plain in welcome.ports:
            spec = self._ports.protocols[protocol]
            listener = Listener(
                spec,
                plain,
                self._context,
                self._greeted,
                porch,
                limits,
                tasks,
                self._ports.log,
                lambda: self._ports.issuers(self._gate),
                lambda certificate: self._ports.takes(self._gate, certificate),
            )
            listener.add(socket.socket(fileno=number))
            listener.open(True)
            listeners.append(listener)
        return listeners

    # -- what repeats ---------------------------------------------------------------------------------------
    def seal(self) -> None:
        """Close the journal's block if it is due, and tell the control process what it is to witness."""
        if self._turn.broken:
            return
        try:
            seal = self._journal.seal()
        except JournalFailed as error:
            self._turn.fail(error)
            return
        if seal is not None:
            self._send(Sealed(seal.segment, seal.block, seal.last, seal.root, seal.size))

    def look(self) -> None:
        """Whether the control process still lives, and whether a drain is done."""
        standing = self._watch.standing()
        if standing != self._standing:
            self._standing = standing
            self._ports.log(f"control process: {standing}")
            self.sessions.hold(standing == "hold")
            for listener in self._listeners:
                listener.open(standing == "live")
            if standing == "end":
                self.sessions.end_all(LOST, "lost")
        if self._turn.draining and not self.sessions:
            self._over("drained")

    def readmit(self) -> None:
        """Every session is admitted again: by a change, and by time (a token ends, a rule's hours do)."""
        for session, denial in self._gate.readmit():
            reason = denial.kind if denial.kind in ("revoked", "limit") else "policy"
            self.sessions.end(session, denial, reason)
        for session, denial in self._gate.lapsed():
            self.sessions.end_busy(session, denial, "revoked")
        self._turn.soon()

    def turn(self, within: float) -> None:
        """Have sessions admitted again at the very moment when a grant begins or ends, if that is so near."""
        ahead = self._gate.turning()
        if ahead is not None and ahead <= within * 1_000_000_000:
            self._loop.call_later(ahead / 1_000_000_000, self.readmit)

    def _changed(self, changed: frozenset[str]) -> None:
        if "tls" in changed:
            self._tls = self._replica.get("tls", "files") or self._tls
            self._contexts.clear()
        if changed & {"policy", "account"}:
            self._dialer.review(self._resource)
        if changed & READMITTING:
            self.readmit()

    # -- the end --------------------------------------------------------------------------------------------
    def drain(self, seconds: float) -> None:
        """No new sessions; idle ones end now, the others when idle, all of them after so many seconds."""
        if self._turn.draining:
            return
        self._turn.draining = True
        self.close_listeners()
        self.sessions.end_idle(SHUTDOWN, "shutdown")
        self._loop.call_later(seconds, self.sessions.end_all, SHUTDOWN, "shutdown")
        self._loop.call_later(seconds + LINGER, self._over, "drained")

    def close_listeners(self) -> None:
        """Take no further connection."""
        for listener in self._listeners:
            listener.close()

    async def finish(self) -> None:
        """The last turn: tell every client, record every close, seal."""
        self.sessions.end_all(LOST, "lost")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for session in self.sessions:
            session.cut("lost")
        await self.cancels.finish(FAREWELL)
        if self._journal is not None and not self._turn.broken:
            try:
                self.seal()
                self._journal.close()
            except JournalFailed as error:
                self._ports.log(f"journal: {error.detail}")

    # -- the journal ----------------------------------------------------------------------------------------
    def unrecorded(self, error: JournalFailed) -> None:
        """There is no journal at all."""
        self._turn.fail(error)

    def _journal_failed(self, error: JournalFailed) -> None:
        """Every session ends with its protocol's error; new ones are refused until we are replaced."""
        self._ports.log(f"journal: {error.detail or error.public}")
        self.tally.count("journal_failures")
        self.sessions.end_all(UNRECORDED, "journal")
        self._loop.call_later(self._limits.journal_retry, self._over, "journal")

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
                await self.cancels.asked(guest.outcome)
            finally:
                guest.transport.close()
            return
        await self._opener.open(guest)

    def _closed(self) -> Denial | None:
        """Why no session can be opened now, or None."""
        if self._turn.broken:
            return UNRECORDED
        if self._turn.draining:
            return SHUTDOWN
        if self._replica.get("standing", "closed") is not None:
            return UNAVAILABLE
        if self._replica.get("standing", "keys") is not None:
            return UNRECORDED
        return None if self._watch.standing() == "live" else LOST

    def _opened(self, session: Session) -> None:
        admission = session.admission
        self.tally.count("sessions_opened")
        self._send(
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

    # -- what the parts ask ---------------------------------------------------------------------------------
    def _resource(self, name: str) -> Resource | None:
        return self._ports.resource(self._gate, name)

    def _version(self, resource: Resource, account: Account) -> str:
        entry = self._replica.get("account", f"{resource.name}/{account.name}")
        return f"{account.version}/{entry['version'] if entry else ''}"

    def _catalog_fault(self, key: str, error: Exception) -> None:
        self.tally.count("catalogs_unusable")
        self._ports.log(f"catalog {key}: {type(error).__name__}: {error}")

    def _context(self, spec: ProtocolSpec) -> ssl.SSLContext:
        context = self._contexts.get(spec.name)
        if context is None:
            tls = self._tls
            context = server_context(tls["certificate"], tls["key"], tls.get("client_ca"), spec.alpn)
            self._contexts[spec.name] = context
        return context
