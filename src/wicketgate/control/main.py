"""The control process: owns ports, workers, policy, limits, catalogs and checkpoints; carries no traffic.
Its loop must never be held: three seconds without a commit hold all work.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable
from typing import Any

import uvloop

from wicketgate.control.adoption import Adoption
from wicketgate.control.answers import Answers
from wicketgate.control.attempts import Attempts
from wicketgate.control.catalogs import Catalogs
from wicketgate.control.certificates import Certificates
from wicketgate.control.children import Child, Children
from wicketgate.control.credentials import Credentials
from wicketgate.control.estimates import Estimates
from wicketgate.control.facade import Facade, message_of
from wicketgate.control.grants import Grants
from wicketgate.control.history import History
from wicketgate.control.issuers import IssuerKeys
from wicketgate.control.leases import Leases
from wicketgate.control.link import COMMIT_EVERY
from wicketgate.control.messages import (
    Ask,
    Cancel,
    Closed,
    Counters,
    Drain,
    End,
    Holds,
    Message,
    Opened,
    Ready,
    Sealed,
    Spent,
    Stale,
    Used,
    Welcome,
    encode,
)
from wicketgate.control.neighbours import Neighbours
from wicketgate.control.notary import Notary
from wicketgate.control.ports import ControlPort, ControlPorts, ControlSettings, LoadedPolicy
from wicketgate.control.rereading import Rereading
from wicketgate.control.reviews import Reviews
from wicketgate.control.roll import Roll
from wicketgate.control.state import State, bind
from wicketgate.control.tasks import Tasks
from wicketgate.control.versions import Versions
from wicketgate.control.watch import StoreWatch
from wicketgate.model.errors import GatewayError


class Control:
    """See DESIGN §5. Made by `run`; everything here runs on the main loop."""

    def __init__(self, settings: ControlSettings, ports: ControlPorts) -> None:
        self.settings = settings
        self.ports = ports
        self.loop = asyncio.get_running_loop()
        self.sockets: list[tuple[socket.socket, str, bool]] = []
        self.roll = Roll(lambda session: self.neighbours.changed(session))
        self.rows = self.roll.rows
        self.counters: dict[str, int] = {}
        self.policy: LoadedPolicy | None = None
        self.policy_error: str | None = None
        self.draining = False
        self._node_number = 0
        self._tasks = Tasks(ports.log)
        self.start = self._tasks.start
        self._stop = asyncio.Event()
        self.credentials = Credentials(ports.decrypt, sources=ports.sources, boot=ports.boot)
        self.versions = Versions(
            self.credentials, lambda key, value: self._put_soon("account", key, value, None), ports.log
        )
        self.leases = Leases(ports.store, ports.clock)
        self.attempts = Attempts(ports.boot)
        self.children = Children(
            settings.command,
            settings.workers,
            lambda: [listening.fileno() for listening, _, _ in self.sockets],
            self._welcome,
            lambda link: self.state.bring(link),
            self._received,
            self._dead,
            ports.token,
            ports.boot,
            ports.log,
        )
        self.state = State(self.children.send)
        self._certificates = Certificates(settings.tls, settings.renew, self.state.put, ports.clock)
        self.catalogs = Catalogs(
            ports.protocols,
            self.credentials,
            ports.store,
            self._put_soon,
            ports.boot,
            settings.catalog_every,
            ports.log,
        )
        self.issuers = IssuerKeys(ports.key_sets, self._put_soon, ports.clock, ports.boot, ports.log)
        self.rereading = Rereading(
            lambda secret: ports.policy.unread(secret),
            ports.userinfo,
            lambda identity: self.roll.count(identity) > 0,
            self._put_soon,
            ports.clock,
            ports.boot,
            ports.log,
        )
        self.history = History(ports.history, settings.history_days, ports.clock, ports.log)
        self.reviews = Reviews(
            ports.reviews,
            settings.node,
            ports.link,
            Estimates(lambda: self.policy, ports.protocols, self.credentials).rows,
            ports.token,
            ports.clock,
            lambda body: self.notary.record("admin", b"", body),
            ports.log,
        )
        self.answers = Answers(
            ports.policy,
            self.credentials,
            self.leases,
            self.attempts,
            self.catalogs,
            ports.pseudonyms,
            self.issuers,
            self.reviews,
            ports.segment_keys,
            self.rereading,
            lambda token_hash: self.watch.look_for(token_hash),
        )
        self.notary = Notary(
            ports.store, ports.journal, ports.signing, settings.journal, settings.node, ports.log
        )
        self.adoption: Adoption = Adoption(self)
        self.facade: Facade = Facade(self)
        self.watch = StoreWatch(
            ports.store,
            ports.bus,
            self.state,
            self._put_soon,
            self.catalogs.inherited,
            self.history.accounts,
            self._end_all,
            ports.boot,
            ports.log,
            settings.store_every,
            settings.store_grace,
        )
        self.grants = Grants(
            ports.grants,
            self.watch.put,
            self.notary.record,
            self._count,
            ports.clock,
            ports.log,
            settings.history_days,
        )
        self.neighbours = Neighbours(
            ports.nodes,
            settings.node,
            ports.pseudonyms,
            self.rows,
            lambda session, reason: self.end_session(session, reason, message_of(reason)),
            self._cancel_here,
            ports.boot,
            ports.token,
            ports.log,
        )

        async def credentials_changed() -> None:
            self.versions.stale()

        async def policy_changed() -> None:
            self.adoption.poke()

        self.watch.reviewed = self.reviews.heard
        self.watch.topics |= {
            "policy": policy_changed,
            "secrets": credentials_changed,
            "keys": self.neighbours.agree,
            f"errands:{settings.node}": self.neighbours.take,
        }

    # -- life -----------------------------------------------------------------------------------------------
    async def serve(self, started: Callable[[ControlPort], None]) -> int:
        """Start, serve until a signal, drain. Raises OSError, GatewayError where the start fails."""
        for listen in self.settings.listen:
            for listening in bind(listen, self.ports.log):
                self.sockets.append((listening, listen.protocol, listen.plain))
        try:
            self._node_number = await self.ports.store.node_number(self.settings.node)
            await self.neighbours.begin()
            await self.notary.start()
            await self.notary.dead_before()
            await self.watch.resync()
            await self.reviews.begin()
            await self.adoption.reload()
            for number in (signal.SIGTERM, signal.SIGINT):
                self.loop.add_signal_handler(number, self.stop)
            self.loop.add_signal_handler(signal.SIGHUP, self.adoption.hang_up)
            self.children.start()
            for work, name in (
                (self._beat(), "commits"),
                (self._checkpoints(), "checkpoints"),
                (self.watch.watch(), "store"),
                (self.watch.hear(), "what others say"),
                (self.adoption.watch(self.settings.store_every), "another policy"),
                (self.neighbours.work(), "other nodes"),
                (self.neighbours.send(), "cancels for other nodes"),
                (self._certificates.watch(), "certificates"),
                (self.rereading.watch(), "issuers' words"),
                (self.history.watch(), "history"),
                (self.grants.watch(self.settings.store_every), "grants"),
                (self.reviews.watch(), "reviews"),
                (self.versions.watch(self.settings.credentials_every), "credentials"),
            ):
                self.start(work, name)
            if self.ports.bus is not None:
                self.start(self.ports.bus.run(self.watch.heard, self.watch.turned), "bus")
            if (keys := self.ports.segment_keys) is not None:
                self.start(keys.watch(self.settings.credentials_every, self._put_soon), "journal's keys")
            started(self.facade)
            await self._stop.wait()
            await self._drain()
        finally:
            await self._end()
        return 0

    def stop(self) -> None:
        """Drain and end. A second time: end without waiting."""
        if self._stop.is_set():
            self.ports.log("ending without waiting")
            for child in list(self.children.living.values()):
                child.link.close("done")
        self._stop.set()

    async def _drain(self) -> None:
        self.draining = True
        self.ports.log("draining")
        self._close_sockets()
        self.children.stop()
        self.children.send(encode(Drain(self.settings.drain)))
        await self.children.wait(self.settings.drain + 10.0)

    async def _end(self) -> None:
        self._close_sockets()
        self.children.stop()
        for child in list(self.children.living.values()):
            child.link.close("done")
        await self.children.wait(5.0)
        await self._tasks.end()
        await self.catalogs.stop()
        await self.issuers.stop()
        await self.rereading.stop()
        await self.history.flush()
        await self.leases.stop()
        await self.credentials.close()
        with contextlib.suppress(GatewayError):
            await self.notary.sign()
            self.ports.journal.close()
        with contextlib.suppress(GatewayError):
            if not self.watch.away:
                await self.neighbours.leave()
        await self.ports.store.close()

    def _close_sockets(self) -> None:
        for listening, _, _ in self.sockets:
            listening.close()
        self.sockets.clear()

    # -- what repeats ---------------------------------------------------------------------------------------
    async def _beat(self) -> None:
        while True:
            self.state.commit()
            await asyncio.sleep(COMMIT_EVERY)

    async def _checkpoints(self) -> None:
        while True:
            await asyncio.sleep(self.settings.checkpoint_every)
            await self.notary.sign()

    def _end_all(self) -> None:
        """The store was away for too long."""
        for session in list(self.rows):
            self.end_session(session, "unavailable", "The gateway's store is away.")

    def _count(self, name: str, amount: int) -> None:
        self.counters[name] = self.counters.get(name, 0) + amount

    def _put_soon(self, section: str, key: str, value: Any, blob: bytes | None) -> None:
        self.state.put(section, key, value, blob)
        self.loop.call_soon(self.state.commit_changes)

    # -- workers --------------------------------------------------------------------------------------------
    def _welcome(self, worker: int, writer: str) -> Welcome:
        return Welcome(
            node=self.settings.node,
            number=self._node_number,
            worker=worker,
            writer=writer,
            journal=str(self.settings.journal),
            ports=[[listening.fileno(), protocol, plain] for listening, protocol, plain in self.sockets],
            tls=self._certificates.told(),
            settings={"sessions_per_identity": self.settings.sessions_per_identity, **self.settings.worker},
        )

    def _received(self, child: Child, message: Message) -> None:
        match message:
            case Ask():
                self.start(self._answer(child, message), "answer")
            case Sealed():
                if self.notary.sealed(child.writer, message):
                    self.start(self.notary.sign(), "a writer's first checkpoint")
            case Opened():
                self._opened(child, message)
            case Closed():
                self.roll.closed(message.session)
            case Spent():
                self.leases.spent(child.number, message.lease, message.used)
            case Counters():
                for name, amount in message.added.items():
                    self._count(name, amount)
            case Holds():
                child.holds = message.number
                self.adoption.heard.set()
            case Used():
                self.history.add(message)
            case Stale():
                self.catalogs.stale(message.resource, message.database)
            case Cancel():
                self._cancel(message)
            case Ready():
                child.ready = True
                self.ports.log(f"worker {child.number} is ready (pid {child.pid})")
            case _:
                child.link.close("an unexpected message")

    async def _answer(self, child: Child, ask: Ask) -> None:
        answer = await self.answers.answer(child.number, ask, child.writer)
        self.state.commit_changes()  # what it rests on holds before it arrives
        child.link.send(answer)

    def _cancel(self, cancel: Cancel) -> None:
        """To the worker, or the node, that gave out the key; the bits are those of worker/sessions.py."""
        if cancel.number >> 23 == self._node_number:
            self._cancel_here(cancel)
        else:
            self.neighbours.cancel(cancel)

    def _cancel_here(self, cancel: Cancel) -> None:
        owner = self.children.living.get(cancel.number >> 18 & 31)
        if cancel.number >> 23 == self._node_number and owner is not None:
            owner.link.send(cancel)

    def _opened(self, child: Child, opened: Opened) -> None:
        if self.roll.opened(child.number, opened) > self.settings.sessions_per_identity:
            # Each worker bounds its own; together they may be over.
            self.end_session(opened.session, "limit", "Too many open sessions.")

    def _dead(self, child: Child) -> None:
        """A worker's process has ended."""
        self.leases.worker_gone(child.number)
        self.reviews.worker_gone(child.number)
        self.roll.worker_gone(child.number)
        self.start(self.notary.dead(child.writer), "dead worker's journal")

    def end_session(self, session: str, reason: str, message: str) -> bool:
        """Tell the worker that has it. False: no such session."""
        row = self.rows.get(session)
        child = self.children.living.get(row.worker) if row is not None else None
        if child is None:
            return False
        child.link.send(End(session, reason, message))
        return True


def run(
    settings: ControlSettings, ports: ControlPorts, started: Callable[[ControlPort], None] = lambda port: None
) -> int:
    """The control process's whole life, on uvloop. started: called once on the main loop when it serves.
    Raises OSError (a port is taken), GatewayError (store, policy) where the start fails. The exit code."""

    async def main() -> int:
        return await Control(settings, ports).serve(started)

    return uvloop.run(main())
