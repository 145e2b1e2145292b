"""The policy from the store on real servers: applied and rolled back under a live psql, killed in between,
and shared by two gateways."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from corpus import worlds
from e2e.house import RULES, House
from e2e.watch import eventually
from servers import binaries, system
from servers.postgres import ADMINISTRATOR, Postgres
from wicketgate.cli.client import Client, Where

STORE = "  policy: {source: store}\n"
DENY = '  - {name: closed, resources: any, when: statement.has("read"), deny: Closed for the night.}\n'


class Psql:
    """A psql that stays: one statement after another on one session."""

    def __init__(self, house: House) -> None:
        target = house.target("reader")
        self._process = subprocess.Popen(
            [str(binaries.debian() / "psql"), "-XAtq", target.conninfo()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "LC_ALL": "C"},
        )
        os.set_blocking(self._process.stdout.fileno(), False)  # type: ignore[union-attr]

    def ask(self, statement: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{statement};\n\\echo over\n".encode())
        self._process.stdin.flush()
        told = b""
        while not told.endswith(b"over\n"):
            assert select.select([self._process.stdout], [], [], 30)[0], told
            got = self._process.stdout.read()
            assert got, told
            told += got
        return told.decode().removesuffix("over\n")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture(scope="module")
def server(postgres15: Postgres) -> Postgres:
    if not postgres15.sql("SELECT 1 FROM pg_database WHERE datname = %s", worlds.ALPHA, database="postgres"):
        worlds.build(postgres15)
    return postgres15


@pytest.fixture(scope="module")
def house(server: Postgres) -> Iterator[House]:
    folder = system.folder("wicketgate-policy")
    made = House(folder, server, workers=2, more=STORE)
    made.gateway.start()
    yield made
    made.gateway.stop()
    system.remove(folder)


def wicket(house: House, *arguments: str) -> tuple[int, str, str]:
    gateway = house.gateway
    done = subprocess.run(
        [*gateway._wicket, "policy", *arguments, "-c", str(gateway.configuration)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **gateway._environment},
    )
    return done.returncode, done.stdout, done.stderr


def api(house: House) -> Client:
    """Asked in this process: a command takes a second, and each verb of the CLI has tests of its own."""
    return Client(Where(socket=house.state / "api.sock"))


def shown(house: House) -> Any:
    return api(house).ask("GET", "/policy")


def apply(house: House, text: str) -> int:
    """The number of the new revision."""
    newest = shown(house)["newest"]
    wanted = {"text": text, "message": "test"}
    return int(api(house).against(f'"{newest}"').ask("PUT", "/policy", wanted)["made"]["revision"])


def told(house: House, what: str) -> list[dict[str, Any]]:
    """The journal's `admin` lines that did this."""
    found = []
    for path in house.journal.rglob("*.log"):
        for line in path.read_bytes().split(b"\n"):
            if b'"do":"' + what.encode() in line:
                at = line.index(b'"by":')
                found.append(json.loads(b"{" + line[at : line.index(b"}", at)] + b"}"))
    return found


def test_a_live_session_is_denied_and_permitted_again(house: House) -> None:
    first = shown(house)
    assert (first["source"], first["revision"], first["made"]["how"]) == ("store", 1, "import")
    assert "gateway" not in first["text"]
    assert "rules:" in first["text"]
    session = Psql(house)
    try:
        assert session.ask("SELECT count(*) FROM vault").strip().isdigit()
        file = house.folder / "denying.yaml"
        file.write_text(first["text"] + DENY)
        changes = api(house).ask("POST", "/policy/diff", {"text": file.read_text()})["changes"]
        assert changes == [{"section": "rules", "name": "closed", "change": "added", "keys": []}]
        code, out, err = wicket(house, "apply", str(file), "-m", "the night")
        assert (code, out.split(" (")[0]) == (0, "revision 2 holds"), err
        assert "Closed for the night." in session.ask("SELECT count(*) FROM vault")
        assert wicket(house, "rollback", "1", "-m", "morning")[0] == 0
        assert session.ask("SELECT count(*) FROM vault").strip().isdigit()
    finally:
        session.close()
    listed = api(house).ask("GET", "/policy/revisions")
    assert [(each["revision"], each["restores"], each["intact"]) for each in listed] == [
        (3, 1, True),
        (2, None, True),
        (1, None, True),
    ]
    assert api(house).ask("GET", "/policy/revisions/3")["text"] == first["text"]
    assert api(house).ask("GET", "/policy/diff", old=1, new=3) == {"diff": "", "changes": []}
    lines = [*told(house, "policy.apply"), *told(house, "policy.rollback")]
    assert [(each["revision"], each["by"]) for each in lines] == [
        (1, "the file's import"),
        (2, "local"),
        (3, "local"),
    ]
    assert lines[1]["old"] == lines[0]["new"] == lines[2]["new"]


def test_a_killed_gateway_comes_back_with_the_newest(house: House) -> None:
    """The file is not read any more; what differs there is told."""
    newest = shown(house)
    house.write_rules(RULES + DENY)
    house.gateway.kill()
    house.gateway.start()
    again = shown(house)
    assert (again["revision"], again["digest"]) == (newest["revision"], newest["digest"])
    assert f"is not read: revision {newest['revision']} of the store holds" in house.gateway.log()
    session = Psql(house)
    try:
        assert session.ask("SELECT count(*) FROM vault").strip().isdigit()
    finally:
        session.close()


def test_what_is_applied_on_one_node_holds_on_the_other(server: Postgres) -> None:
    """One revision that the other can't load leaves it with the one before, and it says so."""
    name = server.database()
    url = server.dsn(ADMINISTRATOR, name, sslmode="require")
    folders = [system.folder("wicketgate-node") for _ in range(2)]
    vaults = '  vaults: {corp: {address: "http://127.0.0.1:9", token: {file: t}}}\n'
    more = [f"{STORE}  database_url: {url}\n" + extra for extra in (vaults, "")]
    one, two = (House(folder, server, more=each) for folder, each in zip(folders, more, strict=True))
    try:
        one.gateway.start()
        two.state.mkdir(mode=0o700, exist_ok=True)
        shutil.copy(one.state / "pseudonym.keys", two.state)  # nodes agree on these
        two.gateway.start()
        first = shown(one)
        assert shown(two)["made"] == first["made"]
        session = Psql(two)
        try:
            assert session.ask("SELECT 1").strip() == "1"
            assert apply(one, first["text"] + DENY) == 2
            eventually(lambda: shown(two)["revision"] == 2, "the other node's policy", 10)
            assert "Closed for the night." in session.ask("SELECT count(*) FROM vault")
        finally:
            session.close()
        # a vault that only one node has
        vaulted = first["text"].replace("{env: COMMON_PASSWORD}", '{vault: "corp:a/b#c"}', 1)
        assert apply(one, vaulted) == 3
        seen = eventually(lambda: (found := shown(two))["error"] is not None and found, "the error", 10)
        assert (seen["revision"], seen["newest"]) == (2, 3)
        assert "corp" in seen["error"]
        status = api(two).ask("GET", "/status")
        assert status["ready"]
        assert status["policy_revision"] == 2
        back = {"revision": 2, "message": "back"}
        assert api(one).against('"3"').ask("POST", "/policy/rollback", back)["changed"]
        eventually(lambda: shown(two)["revision"] == 4, "what it can load", 10)
        assert shown(two)["error"] is None
    finally:
        one.gateway.stop()
        two.gateway.stop()
        server.drop(name)
        for folder in folders:
            system.remove(folder)
