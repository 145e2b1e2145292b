"""The toy's target and client, and the gateway's own parts around it: policy, store, gate, journal."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from seam.toy import TOY
from servers.certificates import Authority
from wicketgate.app import FilePolicy
from wicketgate.control.main import Control
from wicketgate.control.ports import ControlPorts, ControlSettings, Listen, TlsFiles
from wicketgate.identity import tokens
from wicketgate.journal.checkpoint import SigningKey
from wicketgate.journal.index import read_session, sessions
from wicketgate.journal.parse import Line
from wicketgate.journal.report import Report
from wicketgate.journal.verify import verify
from wicketgate.journal.writer import Writer
from wicketgate.model.keyring import Keyring
from wicketgate.model.secret import Secret
from wicketgate.settings import load_settings
from wicketgate.stores import LateStore, StoreOfLoop

POLICY = """\
identities:
  bot: {{kind: agent, groups: [crew]}}
resources:
  notes:
    protocol: toy
    address: 127.0.0.1:{port}
    databases: [main]
    tls: disable
    accounts: {{reader: {{username: ro, password: {{env: TOY_SECRET}}}}}}
    sensitive: {{people.1: email, people.2: phone}}
rules:
{rules}
"""

ROOT = Path(__file__).parents[2]


class Target:
    """The toy's server: `get people 3` gives three rows. seen: what was asked of it."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.port = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "Target":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        secret = (await reader.readline()).strip()
        writer.write(b"welcome\n" if secret == b"s3cret" else b"go away\n")
        while line := (await reader.readline()).decode().strip():
            self.seen.append(line)
            count = int(line.split(" ")[2]) if line.startswith("get") else 0
            for number in range(count):
                writer.write(b"%d ann%d@example.com 1234567%d\n" % (number, number, number))
            writer.write(b".\n")
        writer.close()


class Client:
    """A client of the toy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def line(self) -> str:
        async with asyncio.timeout(20):
            return (await self._reader.readline()).decode().rstrip("\n")

    async def say(self, line: str) -> None:
        self._writer.write(line.encode() + b"\n")
        await self._writer.drain()

    async def ask(self, line: str) -> list[str]:
        """The rows, and what they end with."""
        await self.say(line)
        answer = [await self.line()]
        while answer[-1] != "." and not answer[-1].startswith("!"):
            answer.append(await self.line())
            assert answer[-1], answer
        return answer

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


class House:
    """A running gateway that speaks the toy."""

    def __init__(self, folder: Path, control: Control, token: str, key: SigningKey) -> None:
        self.control = control
        self._folder = folder
        self._token = token
        self._key = key
        self.port = 0

    async def sign_in(
        self, name: str = "bot", token: str | None = None, resource: str = "notes"
    ) -> tuple[Client, str]:
        """A client, and what it was answered."""
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        await client.say(f"{name} {token or self._token} {resource}")
        return client, await client.line()

    async def client(self) -> Client:
        client, answer = await self.sign_in()
        assert answer == "hello", answer
        return client

    async def until(self, holds: object) -> None:
        async with asyncio.timeout(20):
            while not holds():  # type: ignore[operator]  # noqa: ASYNC110 (it lies in other processes)
                await asyncio.sleep(0.01)

    def workers(self) -> set[int]:
        """The workers that have sessions."""
        return {row.worker for row in self.control.rows.values()}

    def recorded(self) -> list[list[Line]]:
        """Each session's lines."""
        return [read_session(self._folder, each.session) for each in sessions(self._folder)]

    def verified(self) -> Report:
        return verify(self._folder, [], self._key.public)


@asynccontextmanager
async def opened(folder: Path, port: int, rules: str, workers: int = 1) -> AsyncIterator[House]:
    """A gateway before the target on `port`, with these rules, while the block runs; then it is drained."""
    (folder / "wicket.yaml").write_text(POLICY.format(port=port, rules=rules))
    os.environ["PYTHONPATH"] = f"{ROOT / 'src'}:{ROOT / 'tests'}"
    os.environ["TOY_SECRET"] = "s3cret"
    specs, settings = {"toy": TOY}, load_settings(folder / "wicket.yaml")
    settings.state.mkdir()
    store, key = StoreOfLoop(settings), SigningKey.generate()
    policy = FilePolicy(folder / "wicket.yaml", specs, store)
    store.filed = tuple(policy.read().identities.values())
    secret, record = tokens.issue("bot", time.time_ns(), os.urandom)
    await (await store.get()).add_token(record)
    certificate = Authority(folder).issue("server")
    journal = settings.state / "journal"
    control = Control(
        ControlSettings(
            node="node",
            listen=(Listen("toy", 0, ("127.0.0.1",), plain=True),),
            workers=workers,
            command=(sys.executable, str(ROOT / "tests/seam/toy_worker.py")),
            journal=journal,
            tls=TlsFiles(str(certificate.chain), str(certificate.key), None),
            worker=settings.of_workers(),
            drain=3.0,
            checkpoint_every=0.2,
        ),
        ControlPorts(
            policy=policy,
            store=LateStore(store),
            journal=Writer(journal, "node", "control", time.time_ns, time.monotonic_ns, os.urandom, False),
            signing=key,
            protocols=specs,
            pseudonyms=Keyring({1: Secret(bytes(32))}),
            decrypt=lambda text: Secret(text.encode()),
            clock=time.time_ns,
            boot=time.monotonic_ns,
            token=os.urandom,
            log=lambda line: print(line, file=sys.stderr),
        ),
    )
    house = House(journal, control, secret.reveal().decode(), key)
    serving = asyncio.create_task(control.serve(lambda face: None))
    try:
        await house.until(lambda: serving.done() or control.facade.standing().live == workers)
        if not serving.done():
            house.port = control.facade.standing().addresses[0][2]
            yield house
    finally:
        control.stop()
        async with asyncio.timeout(30):
            await serving
        await (await store.get()).close()
