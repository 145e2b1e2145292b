"""A whole node for tests: a control process in this loop, real workers, clients that speak echo."""

import asyncio
import json
import os
import ssl
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import trustme

from wicketgate.control.main import Control
from wicketgate.control.ports import (
    ControlPort,
    ControlPorts,
    ControlSettings,
    Counted,
    Listen,
    LoadedPolicy,
    TlsFiles,
)
from wicketgate.journal.checkpoint import SigningKey
from wicketgate.journal.writer import Writer
from wicketgate.model.decision import Denial
from wicketgate.model.errors import GatewayError, PolicyError
from wicketgate.model.keyring import Keyring
from wicketgate.model.secret import Secret
from worker.echo import ECHO, resources

ROOT = Path(__file__).parents[2]
SECOND = 1_000_000_000


class MemoryStore:
    """A store in memory. away: every call raises. closed: none may come any more."""

    def __init__(self) -> None:
        self.away = False
        self.closed = False
        self.spent: dict[Counted, int] = {}
        self.kept: list[tuple[str, str, str, str]] = []
        self.checkpoints: list[tuple[int, bytes]] = []
        self.ahead = 0
        self.tokens: dict[str, Mapping[str, Any]] = {"good": {"identity": "bot"}}

    def _check(self) -> None:
        assert not self.closed, "asked after it was closed"
        if self.away:
            raise GatewayError("The store is away.")

    async def node_number(self, node: str) -> int:
        self.closed = False  # a control process starts
        return 3

    async def reserve(self, counted: Counted, want: int, amount: int) -> int:
        self._check()
        await asyncio.sleep(0)
        granted = max(0, min(want, amount - self.spent.get(counted, 0)))
        self.spent[counted] = self.spent.get(counted, 0) + granted
        return granted

    async def give_back(self, counted: Counted, unspent: int) -> None:
        self._check()
        self.spent[counted] -= unspent

    async def keep_checkpoint(self, number: int, node: str, checkpoint: bytes) -> None:
        self._check()
        self.checkpoints.append((number, checkpoint))

    async def last_checkpoint(self, node: str) -> tuple[int, bytes] | None:
        return self.checkpoints[-1] if self.checkpoints else None

    async def inherit(self, resource: str, database: str, inherits: Iterable[tuple[str, str]]) -> None:
        self._check()
        self.kept += [(resource, database, *pair) for pair in inherits]

    async def inherited(self) -> Sequence[tuple[str, str, str, str]]:
        self._check()
        return list(self.kept)

    async def replicated(self) -> Sequence[tuple[str, str, Mapping[str, Any]]]:
        self._check()
        return [("tokens", key, value) for key, value in self.tokens.items()]

    async def tokens_of(self, ids: Iterable[str]) -> Sequence[tuple[str, str, Mapping[str, Any] | None]]:
        self._check()
        return []

    async def has_token(self, token_hash: str) -> bool:
        self._check()
        return token_hash in self.tokens

    async def ping(self) -> int:
        self._check()
        return self.ahead

    async def close(self) -> None:
        self.closed = True


class FilePolicy:
    """A policy file of JSON (worker.echo.resources)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.denial: Denial | None = None

    async def load(self) -> LoadedPolicy:
        text = self._path.read_text()
        try:
            found = resources(text)
        except ValueError as error:
            raise PolicyError(f"{self._path}:1: {error}") from None
        return LoadedPolicy(text, str(self._path), f"digest of {len(text)} bytes", found)

    async def newest(self) -> int | None:
        return None

    def adopt(self, policy: LoadedPolicy) -> None:
        pass

    async def used(self, credential: str) -> None:
        pass

    async def may_open(
        self,
        identity: str,
        credential: str | None,
        resource: str,
        database: str,
        account: str,
        proof: Secret | None = None,
    ) -> Denial | None:
        return self.denial


class Client:
    """A client that speaks echo."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.number = 0
        self.proof = b""

    @classmethod
    async def connect(
        cls, port: int, context: ssl.SSLContext | None = None, direct: bool = False, limit: int = 1 << 16
    ) -> "Client":
        named = {"server_hostname": "localhost"} if context else {}
        if direct:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=context, limit=limit, **named
            )
            return cls(reader, writer)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=limit)
        client = cls(reader, writer)
        if context is not None:
            writer.write(b"TLS\n")
            assert await reader.readexactly(1) == b"S"
            await writer.start_tls(context, **named)
        return client

    async def line(self) -> bytes:
        async with asyncio.timeout(20):
            return await self.reader.readline()

    async def say(self, line: bytes) -> None:
        self.writer.write(line + b"\n")
        await self.writer.drain()

    async def ask(self, line: bytes) -> bytes:
        """The answer without its end."""
        await self.say(line)
        answer = b""
        while (got := await self.line()) not in (b".\n", b""):
            answer += got
            if got.startswith(b"!"):
                break
        return answer

    async def sign_in(self, token: str = "good", resource: str = "main", name: str = "bot") -> bytes:
        await self.say(f"HELLO {name} {token} {resource}".encode())
        got = await self.line()
        if got.startswith(b"key "):
            _, number, proof = got.split()
            self.number, self.proof = int(number), bytes.fromhex(proof.decode())
        return got

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError, ssl.SSLError):
            await self.writer.wait_closed()


class Node:
    """A running node. log: what the control process told."""

    def __init__(self, folder: Path, control: Control, store: MemoryStore, policy: FilePolicy) -> None:
        self.folder = folder
        self.control = control
        self.store = store
        self.policy = policy
        self.face: ControlPort = control.facade
        self.log: list[str] = []
        self.client_context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        self.port = 0

    async def until(self, condition: Any, seconds: float = 20) -> None:
        """Wait until something holds."""
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 (what is waited for lies in other processes)
                await asyncio.sleep(0.01)

    async def ready(self, count: int | None = None) -> None:
        wanted = self.control.settings.workers if count is None else count
        await self.until(lambda: self.face.standing().live == wanted)

    async def client(self, **named: Any) -> Client:
        """A client that has signed in, in plain text."""
        client = await Client.connect(self.port, **named)
        got = await client.sign_in()
        assert got.startswith(b"key "), got
        return client

    def lines(self) -> list[dict[str, Any]]:
        """HEADs of all writers' lines, with `text` where BODY has one."""
        found = []
        for path in sorted((self.folder / "journal").rglob("*.log")):
            for line in path.read_bytes().splitlines():
                head, _, body = line.partition(b"\t")
                found.append(json.loads(head) | (json.loads(body) if body else {}))
        return found


def make_certificates(folder: Path) -> trustme.CA:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    server = ca.issue_cert("localhost", "127.0.0.1")
    server.private_key_pem.write_to_path(str(folder / "key.pem"))
    for index, blob in enumerate(server.cert_chain_pems):
        blob.write_to_path(str(folder / "cert.pem"), append=index > 0)
    return ca


def make_control(
    folder: Path,
    workers: int,
    log: Callable[[str], None],
    store: MemoryStore,
    policy: FilePolicy,
    signing: SigningKey | None = None,
    **settings: Any,
) -> Control:
    """A control process over a folder with `wicket.json` and certificates. PYTHONPATH must reach tests."""
    journal = folder / "journal"
    writer = Writer(
        journal, "node", os.urandom(8).hex(), time.time_ns, time.monotonic_ns, os.urandom, False, reserve=8192
    )
    worker = {
        "handshake_seconds": 5.0,
        "handshakes_per_source": 400,
        "journal_retry": 0.5,
        **settings.pop("worker", {}),
    }
    return Control(
        ControlSettings(
            node="node",
            listen=(Listen("echo", 0, ("127.0.0.1",), plain=settings.pop("plain", True)),),
            workers=workers,
            command=(sys.executable, str(ROOT / "tests/worker/echo_worker.py")),
            journal=journal,
            tls=TlsFiles(str(folder / "cert.pem"), str(folder / "key.pem"), settings.pop("client_ca", None)),
            worker=worker,
            **{"drain": 3.0, "checkpoint_every": 0.2, "catalog_every": 0.1, **settings},
        ),
        ControlPorts(
            policy=policy,
            store=store,
            journal=writer,
            signing=signing or SigningKey.generate(),
            protocols={"echo": ECHO},
            pseudonyms=Keyring({1: Secret(bytes(32))}),
            decrypt=lambda text: Secret(text.encode()),
            clock=time.time_ns,
            boot=time.monotonic_ns,
            token=os.urandom,
            log=log,
        ),
    )


def prepare(folder: Path, policy: Mapping[str, Any]) -> None:
    """Files and environment that a node needs."""
    os.environ["PYTHONPATH"] = f"{ROOT / 'src'}:{ROOT / 'tests'}"
    os.environ["ECHO_SECRET"] = "s3cret"
    (folder / "wicket.json").write_text(json.dumps(policy))
    if not (folder / "cert.pem").exists():
        make_certificates(folder)


def alive(pid: int) -> bool:
    """Whether a process still runs (one that nobody waited for yet does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@asynccontextmanager
async def apart(
    folder: Path, policy: Mapping[str, Any]
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int, list[int]]]:
    """A node whose control process is a process of its own: it, its port, its workers' ids."""
    prepare(folder, policy)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "tests/control/echo_control.py"),
        str(folder),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            port, *workers = (await process.stdout.readline()).split()
        yield process, int(port), [int(pid) for pid in workers]
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def running(
    folder: Path, policy: Mapping[str, Any], workers: int = 1, **settings: Any
) -> AsyncIterator[Node]:
    """A node that serves `policy` (worker.echo.resources) while the block runs, and is then drained."""
    prepare(folder, policy)
    store, file = settings.pop("store", None) or MemoryStore(), FilePolicy(folder / "wicket.json")
    log: list[str] = []
    control = make_control(folder, workers, log.append, store, file, **settings)
    node = Node(folder, control, store, file)
    node.log = log
    serving = asyncio.create_task(control.serve(lambda face: None))
    try:
        await node.until(lambda: serving.done() or bool(control.children.living))
        if not serving.done():
            await node.ready()
            node.port = node.face.standing().addresses[0][2]
            yield node
        else:
            serving.result()
    finally:
        control.stop()
        async with asyncio.timeout(30):
            await serving
