"""A small line protocol, its target, and a small gate, all through base.py's seam alone."""

import asyncio
import json
import os
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wicketgate.control.messages import Welcome
from wicketgate.journal.keyfile import KeySupply
from wicketgate.journal.writer import Writer
from wicketgate.model import ports
from wicketgate.model.clearance import UNLIMITED, Allowance, Clearance, Outcome
from wicketgate.model.decision import Decision, Denial, Verdict
from wicketgate.model.errors import JournalFailed
from wicketgate.model.identity import Claim, Identity, IdentityKind
from wicketgate.model.resource import Account, CredentialReference, Resource, TlsMode
from wicketgate.model.secret import Secret
from wicketgate.model.session import Admission, Refused
from wicketgate.model.statement import UNKNOWN_FACTS, Statement
from wicketgate.protocols import conversing
from wicketgate.protocols.base import (
    Call,
    CancelAsked,
    CatalogAccess,
    Connected,
    DialFailed,
    Greeting,
    GreetingFailed,
    Preamble,
    ProtocolSpec,
    SignedIn,
)
from wicketgate.protocols.conversing import Setting
from wicketgate.worker.ports import GateNeeds, WorkerPorts


def preamble(peeked: bytes) -> Preamble:
    if peeked[0] == 0x16:
        return Preamble("direct-tls", alpn="echo")
    for word, step, reply in (
        (b"TLS\n", "tls", b"S"),
        (b"GSS\n", "reply", b"N"),
        (b"BAD\n", "refuse", b"no\n"),
    ):
        if peeked.startswith(word):
            return Preamble(step, len(word), reply)
        if word.startswith(peeked):
            return Preamble("more")
    return Preamble("begin")


class Greeter:
    parting = False

    def __init__(self, greeting: Greeting) -> None:
        self.outcome: SignedIn | CancelAsked | GreetingFailed | None = None
        self._greeting = greeting
        self._buffer = b""
        self._out = b""

    def receive(self, data: bytes) -> None:
        self._buffer += data
        if b"\n" not in self._buffer:
            return
        line, _, self._buffer = self._buffer.partition(b"\n")
        words = line.decode().split()
        if words[0] == "CANCEL":
            self.outcome = CancelAsked(int(words[1]), bytes.fromhex(words[2]))
        elif not (self._greeting.secure or self._greeting.plain_allowed):
            self._out = b"! TLS is wanted\n"
            self.outcome = GreetingFailed("plain")
        elif words[0] == "HELLO":
            claim = Claim(words[1], words[3], Secret(words[2].encode()), self._greeting.source)
            self.outcome = SignedIn(claim, self._greeting.certificate)
        else:
            raise ValueError("what?")

    def bytes_to_send(self) -> bytes:
        out, self._out = self._out, b""
        return out

    def refuse(self, denial: Denial) -> bytes:
        return f"! {denial.kind}: {denial.message}\n".encode()

    def rest(self) -> bytes:
        return self._buffer


class Caller:
    def __init__(self, call: Call) -> None:
        self.outcome: Connected | DialFailed | None = None
        self.needs_secret = False
        self._call = call
        self._out = b""
        self._buffer = b""
        self._binding: bytes | None = None

    def tls_request(self) -> bytes | None:
        return b"TLS\n"

    def tls_answer(self, data: bytes) -> bool:
        return data == b"S"

    def begin(self, binding: bytes | None) -> None:
        self._binding = binding
        self.needs_secret = True

    def provide(self, secret: Secret) -> None:
        self.needs_secret = False
        binding = (self._binding or b"").hex() or "-"
        self._out = b"AUTH %b %b\n" % (secret.reveal(), binding.encode())

    def receive(self, data: bytes) -> None:
        self._buffer += data
        if b"\n" in self._buffer:
            line, _, self._buffer = self._buffer.partition(b"\n")
            refused = DialFailed(line.decode(), "28P01", asked=line == b"no such setting")
            self.outcome = Connected(line) if line == b"OK" else refused

    def bytes_to_send(self) -> bytes:
        out, self._out = self._out, b""
        return out

    def rest(self) -> bytes:
        return self._buffer


class Conversation(conversing.Conversation):
    """Each client line is a statement; `drop…` is denied; the target ends each answer with `.\\n`."""

    pause_client = pause_upstream = False
    over: str | None = None

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._client = self._upstream = b""
        self._buffer = b""
        self._open: list[Clearance] = []
        self._last = b""
        number, proof = setting.key
        self._client = f"key {number} {proof.hex()}\n".encode()

    def receive_client(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            if line == b"fault":
                raise RuntimeError("a bug")
            if line == b"catalog":
                self._client += b"catalog %b\n" % str(self._setting.host.catalog()).encode()
                continue
            if line == b"newer":
                self._setting.host.on_catalog(self._newer)
                self._setting.host.stale()
                continue
            answer = self._setting.desk.submit(Statement(UNKNOWN_FACTS, line, line), lambda answer: None)
            if isinstance(answer, Clearance):
                self._open.append(answer)
                self._upstream += line + b"\n"
            else:
                assert isinstance(answer, Denial)
                self._client += f"! {answer.kind}: {answer.message}\n".encode()

    def _newer(self) -> None:
        self._client += b"newer\n"

    def receive_upstream(self, data: bytes) -> None:
        self._client += data
        ends = (self._last + data).count(b".\n")
        self._last = data[-1:]
        for _ in range(ends):
            self._setting.desk.settle(self._open.pop(0), Outcome())

    def to_client(self) -> bytes:
        out, self._client = self._client, b""
        return out

    def to_upstream(self) -> bytes:
        out, self._upstream = self._upstream, b""
        return out

    def client_gone(self) -> None:
        self.over = "client"

    def upstream_gone(self, detail: str) -> None:
        self._client += b"! upstream\n"
        self.over = "upstream"

    def end(self, denial: Denial, reason: str) -> None:
        self._client += f"! {denial.kind}: {denial.message}\n".encode()
        self.over = reason

    def cancel(self) -> bool:
        return bool(self._open)

    def cancel_request(self) -> bytes:
        return b"CANCEL\n"

    def idle(self) -> bool:
        return not self._open


async def read_catalog(access: CatalogAccess) -> bytes:
    path = access.resource.settings.get("catalog")
    if path is None:
        return b"none"
    assert access.secret is not None
    return Path(path).read_bytes()  # noqa: ASYNC240


async def catalog_changed(access: CatalogAccess, raw: bytes) -> bool:
    return await read_catalog(access) != raw


ECHO = ProtocolSpec(
    name="echo",
    default_port=7,
    preamble=preamble,
    greet=Greeter,
    dial=Caller,
    converse=Conversation,
    validate=lambda settings: settings,
    check_column=lambda column: None,
    alpn=("echo",),
    read_catalog=read_catalog,
    catalog_changed=catalog_changed,
    load_catalog=lambda raw, resource, database: raw.decode(),
)


class Target:
    """The echo protocol's server, in this process. bindings: what sign-ins were bound to."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.context = context
        self.port = 0
        self.seen: list[bytes] = []
        self.bindings: list[str] = []
        self.resumed: list[bool] = []
        self.cancelled = 0
        self.stuck: list[asyncio.Event] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Target":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readuntil(b"\n")
        if line == b"TLS\n":
            writer.write(b"S" if self.context else b"N")
            if self.context is None:
                return
            await writer.start_tls(self.context)
            self.resumed.append(writer.get_extra_info("ssl_object").session_reused)
            line = await reader.readuntil(b"\n")
        if line == b"CANCEL\n":
            self.cancelled += 1
            for event in self.stuck:
                event.set()
            return
        _, secret, binding = line.decode().split()
        self.bindings.append(binding)
        wrong = b"no such setting\n" if secret == "setting" else b"wrong password\n"
        writer.write(b"OK\n" if secret == "s3cret" else wrong)
        while line := await reader.readline():
            self.seen.append(line.strip())
            word, _, rest = line.strip().partition(b" ")
            if word == b"big":
                part = b"x" * 65535 + b"\n"
                for _ in range(int(rest) // len(part)):
                    writer.write(part)
                    await writer.drain()
            elif word == b"stuck":
                event = asyncio.Event()
                self.stuck.append(event)
                writer.write(b"waiting\n")
                await event.wait()
                writer.write(b"cancelled\n")
            elif word == b"quit":
                return
            else:
                writer.write(rest + b"\n")
            writer.write(b".\n")


# -- a gate that knows tokens and one kind of denial -------------------------------------------------------
class BreakableWriter(Writer):
    """A journal that fails once a file of this name exists beside it."""

    broken_by: Path

    def flush(self) -> None:
        if self.broken_by.exists():
            raise JournalFailed("the session's record can't be written", "broken by a test")
        super().flush()


class Desk(ports.Desk):
    def __init__(self, gate: "Gate", session: str) -> None:
        self.due = ports.NEVER
        self._gate = gate
        self._lines = gate.journal.session(session)
        self.open()

    def open(self) -> None:
        self._lines.line("open", b"", None)

    def upheld(self, clearance: Clearance, statement: Statement) -> Denial | None:
        return None

    def submit(
        self, statement: Statement, resume: Callable[..., None], holding: Any = None
    ) -> Clearance | Denial | None:
        text = b'"text":%b' % json.dumps(statement.text.decode()).encode()
        if statement.text.startswith(b"drop"):
            self._lines.line("deny", b"", text)
            return Denial("policy", "Dropping is not done here.", "drop")
        return Clearance(
            self._lines.line("ask", b"", text), Decision(Verdict.PERMIT, "test"), Allowance(UNLIMITED), 0
        )

    def weigh(self, statement: Statement) -> Denial | None:
        return None

    def more(self, clearance: Clearance, resume: Callable[..., None]) -> None:
        raise NotImplementedError

    def settle(self, clearance: Clearance, outcome: Outcome) -> None:
        self._lines.line("answer", b',"r":%d' % clearance.q, None)

    def close(self, reason: str) -> None:
        self._lines.line("close", b',"o":{"reason":"%b"}' % reason.encode(), None)


class Gate:
    def __init__(self, needs: GateNeeds) -> None:
        self.needs = needs
        self.journal = needs.journal
        self._resources: tuple[Any, dict[str, Resource]] = (None, {})
        self._desks: dict[str, tuple[Admission, Desk]] = {}

    def resource(self, name: str) -> Resource | None:
        value = self.needs.replica.get("policy", "text")
        if self._resources[0] is not value:
            self._resources = (value, resources(value["text"]))
        return self._resources[1].get(name)

    async def admit(self, claim: Claim) -> tuple[Admission, Desk] | Refused:
        token = self.needs.replica.get("tokens", claim.secret.reveal().decode())
        resource = self.resource(claim.resource)
        answer = await self.needs.asks.ask(
            "attempt",
            {
                "source": claim.source,
                "identity": claim.identity,
                "outcome": "good" if token is not None else "failed",
            },
        )
        if token is None or resource is None or not answer.body["allowed"]:
            self.journal.line("deny", None, b"", None)
            return Refused(Denial("sign-in", "Access is not allowed.", "token"))
        session = self.needs.token(16).hex()
        identity = Identity(
            claim.identity,
            claim.identity,
            "local",
            IdentityKind.AGENT,
            "token",
            credential_id=claim.secret.reveal().decode(),
        )
        account = next(iter(resource.accounts.values()))
        admission = Admission(session, identity, resource, resource.databases[0], account, False)
        desk = Desk(self, session)
        self._desks[session] = (admission, desk)
        return admission, desk

    def turning(self) -> int | None:
        return None

    def lapsed(self) -> list[tuple[str, Denial]]:
        return []

    def readmit(self) -> list[tuple[str, Denial]]:
        return [
            (session, Denial("revoked", "Your access was revoked.", "token"))
            for session, (admission, _) in self._desks.items()
            if self.needs.replica.get("tokens", admission.identity.credential_id or "") is None
        ]

    def close(self, admission: Admission, reason: str) -> None:
        self._desks.pop(admission.session)[1].close(reason)


def resources(text: str) -> dict[str, Resource]:
    """The test policy's text: JSON, name -> port and more. Raises ValueError."""
    found = {}
    for name, each in json.loads(text).items():
        found[name] = Resource(
            name,
            "echo",
            each.get("host", "127.0.0.1"),
            each["port"],
            ("main",),
            TlsMode(each.get("tls", "disable")),
            {"reader": Account("reader", "ro", CredentialReference("env", "ECHO_SECRET"), "1")},
            sensitive={"main": {"a.b.c": "email"}} if each.get("sensitive") else {},
            settings={"catalog": each["catalog"]} if "catalog" in each else {},
            ca_file=each.get("ca"),
        )
    return found


def build_journal(welcome: Welcome, keys: KeySupply | None) -> Writer:
    folder = Path(welcome.journal)
    if (folder.parent / "unopenable").exists():
        raise JournalFailed("the session's record can't be written", "told by a test")
    writer = BreakableWriter(
        folder,
        welcome.node,
        welcome.writer,
        time.time_ns,
        time.monotonic_ns,
        os.urandom,
        False,
        reserve=8192,
        keys=keys,
    )
    writer.broken_by = folder.parent / "broken"
    return writer


def worker_ports() -> WorkerPorts:
    def resource(gate: Any, name: str) -> Resource | None:
        assert isinstance(gate, Gate)
        return gate.resource(name)

    return WorkerPorts(
        protocols={"echo": ECHO},
        build_journal=build_journal,
        build_gate=Gate,
        resource=resource,
        clock=time.time_ns,
        boot=time.monotonic_ns,
        token=os.urandom,
        log=lambda line: print(f"worker {os.getpid()}: {line}", file=sys.stderr, flush=True),
    )
