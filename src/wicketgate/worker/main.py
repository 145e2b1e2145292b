"""The worker: executed by the control process, it owns the I/O of its sessions and no decision.
It must never outlive the control link, nor forward what its journal did not take.
"""

import asyncio
import gc
import signal
import socket
from typing import Any

import uvloop

from wicketgate.control.link import Asks, Link, Replica, Watch
from wicketgate.control.messages import (
    DOWN,
    Answer,
    Cancel,
    Commit,
    Counters,
    Drain,
    End,
    Holds,
    Put,
    Ready,
    Used,
    Welcome,
)
from wicketgate.model.decision import Denial
from wicketgate.model.errors import GatewayError, JournalFailed
from wicketgate.model.keyring import Keyring
from wicketgate.worker.ports import WorkerPorts
from wicketgate.worker.segment_keys import KeysAhead
from wicketgate.worker.shell import Shell
from wicketgate.worker.tasks import Tasks

SEAL_EVERY = 0.1
"""Seconds between looks at the journal's block, the watch and the counters."""
START = 30.0
"""Seconds that the control process may take for the first commit."""
COUNT_TICKS = 10
"""Looks after which the control process is told what was counted (1 s)."""
READMIT_TICKS = 20
"""Looks after which sessions are admitted again even if nothing changed (2 s)."""


class Worker:
    """One worker's life on its link: see DESIGN §4 and §5. Made by `run`; `serve` returns when it is over."""

    def __init__(self, ports: WorkerPorts, link_end: socket.socket) -> None:
        self._ports = ports
        self._end = link_end
        self._tasks = Tasks(ports.log)
        self._replica = Replica()
        self._watch = Watch(ports.boot)
        self._asks = Asks(lambda message: self._link.send(message))
        self._welcome: Welcome | None = None
        self._drain: Drain | None = None
        self._shell: Shell | None = None
        self._keys: KeysAhead | None = None
        loop = asyncio.get_running_loop()
        self._started: asyncio.Future[Welcome | None] = loop.create_future()
        self._ended: asyncio.Future[str] = loop.create_future()

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
        await self._segment_key(welcome)
        shell = self._make(welcome, await self._pseudonyms())
        timer = self._tasks.start(self._tick(shell), "tick")
        try:
            return await self._ended
        finally:
            timer.cancel()
            shell.close_listeners()
            await shell.finish()
            self._tell(shell)
            self._link.close("done")
            # Clients' last bytes leave within this time, or not at all.
            await asyncio.sleep(0.1)
            await self._tasks.end()

    async def _pseudonyms(self) -> Keyring | None:
        """The keys of pseudonyms. Without them, what would be a pseudonym is redacted."""
        try:
            reply = await self._asks.ask("keys", {})
            return Keyring.parse(reply.secret.reveal()) if reply.secret is not None else None
        except (GatewayError, ValueError) as error:
            self._ports.log(f"no keys of pseudonyms: {type(error).__name__}")
            return None

    async def _segment_key(self, welcome: Welcome) -> None:
        """The journal's first key, where it is to be encrypted. Without it the journal is not opened."""
        if welcome.settings.get("encrypt") is not True:
            return
        self._keys = KeysAhead(self._asks, welcome.node, welcome.writer)
        why = await self._keys.fetch()
        if why is not None:
            self._ports.log(f"journal: no key to encrypt with: {why}")

    def _make(self, welcome: Welcome, pseudonyms: Keyring | None) -> Shell:
        """Everything that needs the first commit."""
        journal = None
        try:
            supply = None if self._keys is None else self._keys.supply
            journal = self._ports.build_journal(welcome, supply)
        except (JournalFailed, OSError) as error:
            self._ports.log(f"journal: {getattr(error, 'detail', '') or error}")
        shell = self._shell = Shell(
            self._ports,
            welcome,
            journal,
            self._replica,
            self._watch,
            self._asks,
            self._tasks,
            self._link.send,
            self._over,
            pseudonyms,
        )
        self._link.send(Ready(welcome.writer))
        self._link.send(Holds(self._replica.number))
        if journal is None:
            shell.unrecorded(JournalFailed("the session's record can't be written", "it could not be opened"))
        if self._drain is not None:
            shell.drain(self._drain.seconds)
        return shell

    def _over(self, why: str) -> None:
        """The first reason counts."""
        if not self._ended.done():
            self._ended.set_result(why)

    async def _tick(self, shell: Shell) -> None:
        """Seals, watches, counts; the one timer."""
        ticks = 0
        try:
            while True:
                await asyncio.sleep(SEAL_EVERY)
                shell.seal()
                shell.look()
                shell.turn(SEAL_EVERY * 1.5)
                if self._keys is not None:
                    self._keys.look(self._tasks)
                ticks += 1
                if ticks % COUNT_TICKS == 0:
                    self._tell(shell)
                if ticks % READMIT_TICKS == 0 and shell.sessions:
                    shell.readmit()
        finally:
            # Without this timer nothing is sealed or watched: better no worker than such a one.
            self._over("its timer failed")

    def _tell(self, shell: Shell) -> None:
        counted = shell.tally.take()
        if counted:
            self._link.send(Counters(counted))
        for shapes, members, lost in shell.usage.take():
            self._link.send(Used(shapes, members, lost))

    # -- the link -------------------------------------------------------------------------------------------
    def _received(self, message: Any) -> None:
        shell = self._shell
        match message:
            case Commit():
                self._watch.seen()
                held = self._replica.number
                self._replica.commit(message)
                if shell is not None and message.number != held:
                    self._link.send(Holds(message.number))
                if not self._started.done() and self._welcome is not None:
                    self._started.set_result(self._welcome)
            case Put():
                self._replica.put(message)
            case Answer():
                self._asks.answer(message)
            case Cancel():
                if shell is not None:
                    shell.cancels.routed(message)
            case End():
                kind = {"revoked": "revoked", "limit": "limit"}.get(message.reason, "shutdown")
                denial = Denial(kind, message.message, "told by the control process")
                if shell is not None:
                    shell.sessions.end(message.session, denial, message.reason)
            case Drain():
                self._drain = message
                if shell is not None:
                    shell.drain(message.seconds)
            case Welcome():
                self._welcome = message

    def _lost(self, why: str) -> None:
        self._asks.close()
        if not self._started.done():
            self._started.set_result(None)
        self._over(f"link: {why}")


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
