"""Access for a while on a live gateway: asked for, answered, used, and over at the very moment."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from corpus import worlds
from e2e.house import House
from e2e.watch import come_in, eventually
from e2e.wire import query
from servers import system
from servers.postgres import Postgres
from wicketgate.cli.client import Client, Where
from wicketgate.cli.main import app
from wicketgate.model.secret import Secret

SECOND = 1_000_000_000
RULES = """\
rules:
  - name: on request
    identities: {groups: [analysts]}
    resources: any
    account: common
    permit: [read]
    on_request: {by: {groups: [dba]}, most: 1h, extend: 1}
  - name: by connecting
    identities: {groups: [comers]}
    resources: any
    account: common
    permit: [read]
    on_request: {by: {groups: [dba]}, most: 1h, by_connecting: true}
  - {name: standing, identities: {groups: [standers]}, resources: any, account: common, permit: [read]}
  - name: writing on request
    identities: {groups: [standers]}
    resources: any
    account: common
    permit: [write]
    on_request: {by: {groups: [dba]}, most: 1h}
  - name: glass
    identities: {groups: [oncall]}
    resources: any
    account: owner
    permit: [read]
    on_request: {break_glass: true, most: 1h, by: {groups: [security]}}
    waives: reviews
"""
PEOPLE = {
    "ana": "analysts",
    "ben": "dba",
    "stan": "standers",
    "ona": "oncall",
    "sec": "security",
    "cy": "comers",
}
LONG = "SELECT count(*) FROM generate_series(1, 4000000000)"
ROWS = "SELECT a, b FROM generate_series(1, 90000) AS a, generate_series(1, 90000) AS b"


@pytest.fixture(scope="module")
def house(postgres15: Postgres) -> Iterator[House]:
    if not postgres15.sql("SELECT 1 FROM pg_database WHERE datname = %s", worlds.ALPHA, database="postgres"):
        worlds.build(postgres15)
    folder = system.folder("wicketgate-grants")
    https = system.free_port()
    made = House(
        folder,
        postgres15,
        rules=RULES,
        databases=(worlds.ALPHA,),
        identities=PEOPLE,
        more=f'  api: {{https: "127.0.0.1:{https}"}}\n',
    )
    text = made.gateway.configuration.read_text().replace("kind: agent", "kind: human")
    made.gateway.configuration.write_text(text)
    made.https = https  # type: ignore[attr-defined]
    made.gateway.start()
    yield made
    made.gateway.stop()
    system.remove(folder)


def api(house: House, who: str) -> Client:
    port: int = house.https  # type: ignore[attr-defined]
    return Client(Where(None, "localhost", port, Secret(house.token(who).encode()), str(house.ca)))


def granted(house: House, who: str, seconds: float, **more: Any) -> dict[str, Any]:
    """A grant that ends so soon after it was approved."""
    body = {"resource": worlds.ALPHA, "seconds": int(seconds), **more}
    asked = api(house, who).ask("POST", "/requests", body)
    assert asked["status"] == "pending"
    api(house, "ben").ask("POST", f"/reviews/{asked['id']}/approve", {})
    grant: dict[str, Any] = api(house, who).ask("GET", f"/requests/{asked['id']}")["grant"]
    return grant


def connect(house: House, who: str) -> psycopg.Connection:
    return psycopg.connect(house.target(who).conninfo(), autocommit=True)


def refused(house: House, who: str) -> str:
    with pytest.raises(psycopg.OperationalError) as told:
        connect(house, who)
    return str(told.value)


def test_at_the_very_moment(house: House) -> None:
    """A statement that runs, one that brings rows, and one that is idle: all end with the grant, though the
    control process says nothing any more."""
    assert "sign-in refused" in refused(house, "ana")
    grant = granted(house, "ana", 3)
    ends = grant["ends"] / 1e9
    found: dict[str, tuple[float, str, int]] = {}
    opened = threading.Semaphore(0)

    def pour() -> None:
        wire = come_in(house.through("ana"))
        opened.release()
        wire.send(query(ROWS))
        tail, size = b"", 0
        while piece := wire.peer.recv(1 << 18):
            tail, size = (tail + piece)[-4096:], size + len(piece)
        found["rows"] = (time.time(), tail.decode("utf-8", "replace"), size)

    def run(name: str, text: str) -> None:
        try:
            with connect(house, "ana") as connection, connection.cursor() as cursor:
                opened.release()
                if name == "idle":
                    cursor.execute("SELECT 1")
                    time.sleep(max(0.0, ends - time.time()) + 0.3)
                    cursor.execute("SELECT 1")
                else:
                    cursor.execute(text)
        except psycopg.Error as error:
            found[name] = (time.time(), str(error), 0)

    threads = [threading.Thread(target=run, args=each) for each in (("runs", LONG), ("idle", ""))]
    threads.append(threading.Thread(target=pour))
    for each in threads:
        each.start()
    for _ in threads:
        assert opened.acquire(timeout=20)
    with silenced(house):
        for each in threads:
            each.join(12)
    assert set(found) == {"runs", "rows", "idle"}
    for name, (at, text, size) in found.items():
        assert 'Your access by the rule "on request" ended at' in text, (name, text)
        assert "token" not in text
        assert "wicket request" in text
        if name != "idle":
            assert -0.05 <= at - ends <= 5.0, (name, at - ends)
        if name == "rows":
            assert size > 100_000
    eventually(lambda: "sign-in refused" in refused(house, "ana"), "a refusal, once there is somebody to ask")
    # nothing ran on behind it
    asked = (
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%%generate_series(1%%'"
    )
    asked += " AND pid <> pg_backend_pid()"
    eventually(
        lambda: house.server.sql(asked, database="postgres")[0][0] == 0,
        "a target without these statements",
    )


@contextmanager
def silenced(house: House) -> Iterator[None]:
    """The control process hangs; its workers go on."""
    control = house.gateway.pid
    system.halt(control)
    try:
        yield
    finally:
        os.kill(control, signal.SIGCONT)


def test_what_stands_goes_on(house: House) -> None:
    with connect(house, "stan") as connection:
        with pytest.raises(psycopg.Error, match="no rule permits you to write"):
            connection.execute(WRITE)
        with connect(house, "stan") as other:
            granted(house, "stan", 60)
            eventually(lambda: allowed(house), "a grant that holds")
            with connect(house, "stan") as writing, connect(house, "stan") as undone:
                writing.execute(WRITE, prepare=True)
                writing.execute(WRITE, prepare=True)
                # what it wrote by the grant, and did not commit
                undone.execute("BEGIN")
                undone.execute(WRITE)
                [grant] = api(house, "stan").ask("GET", "/grants", None, live="true")
                api(house, "ben").ask("DELETE", f"/grants/{grant['id']}")
                with pytest.raises(psycopg.Error, match="no rule permits you to write"):
                    writing.execute(WRITE, prepare=True)
                assert writing.execute("SELECT 1").fetchone() == (1,)
                with pytest.raises(psycopg.Error, match="ended before its time"):
                    undone.execute("COMMIT")
            assert other.execute("SELECT 1").fetchone() == (1,)


WRITE = "UPDATE public.moods SET id = id WHERE false"


def allowed(house: House) -> bool:
    with connect(house, "stan") as connection:
        try:
            connection.execute(WRITE)
        except psycopg.errors.InsufficientPrivilege:
            return False
    return True


def wicket(house: House, who: str, *arguments: str) -> str:
    """What a command prints, run in this process as somebody."""
    port: int = house.https  # type: ignore[attr-defined]
    environment = {
        "WICKET_URL": f"https://localhost:{port}",
        "WICKET_TOKEN": house.token(who),
        "WICKET_CA": str(house.ca),
    }
    done = CliRunner().invoke(app, list(arguments), env=environment, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_by_command_and_over_a_restart(house: House) -> None:
    assert "analysts" not in wicket(house, "ana", "request", "--list")
    assert "on request" in wicket(house, "ana", "request", "--list")
    told = wicket(house, "ana", "request", worlds.ALPHA, "--for", "30m", "--reason", "INC-4711")
    assert told.startswith("pending: on request on ")
    number = told.split("request ")[-1].split()[0]
    assert number in wicket(house, "ben", "requests", "--mine")
    waiting: list[str] = []
    thread = threading.Thread(
        target=lambda: waiting.append(
            wicket(house, "ana", "request", worlds.ALPHA, "--for", "30m", "--reason", "INC-4711", "--wait")
        )
    )
    thread.start()
    api(house, "ben").ask("POST", f"/reviews/{number}/approve", {"conditions": {"minutes": 10}})
    thread.join(20)
    assert "granted: on request on" in waiting[0]
    with connect(house, "ana") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    house.gateway.stop()
    house.gateway.start()
    with connect(house, "ana") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        shown = wicket(house, "ana", "grants", "show", number)
        assert "approved by: ben" in shown
        assert "last used: 20" in shown
        assert number in wicket(house, "ana", "grants", "list", "--live")
        ended = time.monotonic()
        wicket(house, "ana", "grants", "return", number)
        with pytest.raises(psycopg.Error, match="ended before its time"):
            eventually(lambda: connection.execute("SELECT 1") is None, "an end", 5.0)
        assert time.monotonic() - ended < 5
    report = Client(Where(socket=house.state / "api.sock")).ask("GET", "/access/report", None, days=1)
    standing = {(row["identity"], row["rule"]): row["standing"] for row in report["granted"]}
    assert standing[("ana", "on request")] is False
    assert standing[("stan", "standing")] is True
    used = {row["id"]: row["used"] for row in report["grants"]}
    assert used[number] is True


def test_who_connects_asks(house: House) -> None:
    told = refused(house, "cy")
    number = told.split("your request ")[-1].split()[0]
    assert "waits for an answer" in told
    assert number in refused(house, "cy")
    [waits] = api(house, "ben").ask("GET", "/requests", None, mine="true")
    assert (waits["id"], waits["identity"]) == (number, "cy")
    api(house, "ben").ask("POST", f"/reviews/{number}/approve", {})
    with connect(house, "cy") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_broken_glass(house: House) -> None:
    assert "sign-in refused" in refused(house, "ona")
    told = wicket(house, "ona", "request", worlds.ALPHA, "--break-glass", "--for", "10m", "--reason", "down")
    assert "The glass is broken" in told
    number = told.split("grant ")[-1].split()[0]
    with connect(house, "ona") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        opened = eventually(lambda: glass(house, number), "an open line that names the grant")
        assert opened
        api(house, "ona").ask("DELETE", f"/grants/{number}")
        with pytest.raises(psycopg.Error, match="ended before its time"):
            eventually(lambda: connection.execute("SELECT 1") is None, "an end", 5.0)
    assert f"BROKEN GLASS: ona has owner on {worlds.ALPHA}" in house.gateway.log()
    metrics = Client(Where(socket=house.state / "api.sock"))
    [review] = api(house, "sec").ask("GET", "/reviews", None, mine="true", kind="after")
    assert (review["id"], review["status"]) == (number, "pending")
    api(house, "sec").ask("POST", f"/reviews/{number}/approve", {"comment": "seen"})
    assert api(house, "sec").ask("GET", f"/reviews/{number}")["status"] == "closed"
    assert metrics.ask("GET", "/access/report", None, days=1)["grants"]
    assert not [each for each in house.verify()["findings"] if each.startswith("FAULT")]


def glass(house: House, number: str) -> bool:
    return any(
        b'"k":"open"' in line and number.encode() in line
        for path in Path(house.journal).rglob("*")
        if path.is_file()
        for line in path.read_bytes().splitlines()
    )
