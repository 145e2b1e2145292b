"""What an operator does to a running gateway: drain, reload, revoke. And what must hold across its workers:
a cancel reaches its session and no other, and a limit is one limit."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from e2e.house import RULES, House
from e2e.watch import answer, closes, eventually, gone, last_words, opened, worker_of, workers
from e2e.wire import PROTOCOL_3_2, Wire, WireClosed, cancel_packet, errors, query, rows
from servers import system
from servers.postgres import Postgres

ROWS = 5000
STATEMENTS = 60
_IDENTITIES = {
    "reader": "readers",
    "writer": "writers",
    "sampler": "samplers",
    "counter": "counters",
    "leaver": "readers",
}
_LIMITS = f"""\
  - {{name: samplers read some, identities: {{groups: [samplers]}}, resources: any, account: common,
     permit: [read], limits: {{rows: {ROWS} per hour}}}}
  - {{name: counters ask some, identities: {{groups: [counters]}}, resources: any, account: common,
     permit: [read], limits: {{statements: {STATEMENTS} per hour}}}}
"""
_NO_ORDERS = """\
  - {name: no orders, resources: any, when: 'statement.reads("public.orders")',
     deny: Orders are closed today.}
"""


@pytest.fixture(scope="module")
def pair(frail: Postgres) -> Iterator[House]:
    """A gateway with two workers, for tests that leave it whole."""
    house = House(
        system.folder("wicketgate-e2e"), frail, workers=2, rules=RULES + _LIMITS, identities=_IDENTITIES
    )
    house.gateway.start()
    yield house
    house.gateway.stop()
    system.remove(house.folder)


def _spread(house: House, identity: str, each: int) -> list[Wire]:
    """Signed-in connections, so many on each of the two workers; alternating."""
    found: dict[int, list[Wire]] = {pid: [] for pid in workers(house.gateway.pid)}
    assert len(found) == 2
    for _ in range(200):
        wire = Wire.open(house.through(identity))
        mine = found[worker_of(wire, house.gateway.pid)]
        if len(mine) < each:
            mine.append(wire)
        else:
            wire.close()
        if all(len(wires) == each for wires in found.values()):
            return [wire for wires in zip(*found.values(), strict=True) for wire in wires]
    raise AssertionError(f"one worker gets all: {found}")


@contextlib.contextmanager
def locked(server: Postgres, table: str) -> Iterator[None]:
    """While it is held, statements that read the table wait without work."""
    with server.connect(database="alpha") as beside, beside.transaction():
        beside.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


def _waiting(server: Postgres, text: str) -> int:
    found = server.sql(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND query LIKE %s AND pid <> pg_backend_pid()",
        f"%{text}%",
        database="postgres",
    )
    return int(found[0][0])


# -- cancel --------------------------------------------------------------------------------------------------
def _send_cancel(house: House, key: bytes) -> None:
    wire = Wire.dial(house.through("reader"))
    wire.send(cancel_packet(key))
    assert wire.rest() == []
    wire.peer.close()


@pytest.mark.parametrize("version", [196608, PROTOCOL_3_2], ids=["protocol 3.0", "protocol 3.2"])
def test_a_cancel_reaches_its_session_alone(pair: House, frail: Postgres, version: int) -> None:
    """Whichever worker the request comes to: sent so often that it comes to both."""
    wires = []
    for _ in range(8):
        wires.append(Wire.open(pair.through("reader"), version=version))
    with locked(frail, "s1.t"):
        for wire in wires:
            wire.send(query("SELECT 'cancelled' AS mark, id FROM s1.t"))
        eventually(lambda: _waiting(frail, "'cancelled'") == len(wires), "statements that wait")
        for number, wire in enumerate(wires[:-1]):
            _send_cancel(pair, wire.key)
            frames = wire.ready()
            assert [each["C"] for each in errors(frames)] == ["57014"]
            assert _waiting(frail, "'cancelled'") == len(wires) - 1 - number
        forged = bytes([*wires[-1].key[:-1], wires[-1].key[-1] ^ 1])
        for key in (forged, forged[:4] + os.urandom(4), os.urandom(len(forged))):
            _send_cancel(pair, key)
        _send_cancel(pair, wires[0].key)  # its session is idle: nothing to cancel
        assert answer(wires[0], "SELECT 1") == "1"
        assert _waiting(frail, "'cancelled'") == 1
    assert rows(wires[-1].ready()) == [[b"cancelled", b"1"]]
    for wire in wires:
        assert answer(wire, "SELECT 2") == "2"
        wire.close()


def test_a_cancel_between_units_touches_nothing(pair: House) -> None:
    """A key of a session that has ended is good for nothing, though its slot is in use again."""
    wire = Wire.open(pair.through("reader"))
    key = wire.key
    wire.close()
    with Wire.open(pair.through("reader")) as other:
        for _ in range(4):
            _send_cancel(pair, key)
            assert answer(other, "SELECT 1") == "1"


def test_psycopg_cancels(pair: House, frail: Postgres) -> None:
    with (
        psycopg.connect(pair.target("reader").conninfo(), autocommit=True) as connection,
        locked(frail, "s1.t"),
        ThreadPoolExecutor(1) as pool,
    ):
        asked = pool.submit(connection.execute, "SELECT 'by psycopg' AS mark, id FROM s1.t")
        eventually(lambda: _waiting(frail, "by psycopg") == 1, "a statement that waits")
        connection.cancel_safe(timeout=10)
        with pytest.raises(psycopg.errors.QueryCanceled):
            asked.result(30)


def test_psql_cancels_on_control_c(pair: House, frail: Postgres) -> None:
    with locked(frail, "s1.t"):
        psql = subprocess.Popen(
            ["psql", "-X", "-q", "-t", "-A"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=pair.target("reader").environment(),
        )  # fmt: skip
        assert psql.stdin is not None
        psql.stdin.write("SELECT 'by psql' AS mark, id FROM s1.t;\n")
        psql.stdin.flush()
        eventually(lambda: _waiting(frail, "by psql") == 1, "a statement that waits")
        psql.send_signal(signal.SIGINT)
        eventually(lambda: _waiting(frail, "by psql") == 0, "its end")
        out, said = psql.communicate(timeout=30)
    assert "ERROR:  canceling statement due to user request" in said.splitlines()
    assert out == ""


# -- revoke --------------------------------------------------------------------------------------------------
def test_revoking_a_token_ends_its_sessions(pair: House, frail: Postgres) -> None:
    """On both workers, idle or at work; others' sessions go on; it lets nobody in again."""
    configuration = str(pair.gateway.configuration)
    issued = pair.gateway.facts("token", "issue", "leaver", "-c", configuration)
    address = pair.through("leaver")
    address.password = issued["token"]
    others = _spread(pair, "reader", 1)
    mine = []
    for _ in range(200):
        mine.append(Wire.open(address))
        if len({worker_of(wire, pair.gateway.pid) for wire in mine}) == 2 and len(mine) >= 4:
            break
    with locked(frail, "s1.t"):
        mine[0].send(query("SELECT 'revoked' AS mark, id FROM s1.t"))
        eventually(lambda: _waiting(frail, "'revoked'") == 1, "a statement that waits")
        pair.gateway.wicket("token", "revoke", str(issued["id"]), "-c", configuration)
        for wire in mine:
            assert last_words(wire)[0] == "28000"
        eventually(lambda: _waiting(frail, "'revoked'") == 0, "the statement's end on the server")
    refused = Wire.dial(address).sign_in(address)
    assert refused is not None
    assert refused.fields["C"] == "28P01"
    for wire in others:
        assert answer(wire, "SELECT 1") == "1"
        wire.close()


# -- reload --------------------------------------------------------------------------------------------------
def test_a_new_policy_reaches_open_sessions(pair: House) -> None:
    """On both workers, at SIGHUP; a file that can't be loaded changes nothing, and is told."""
    wires = _spread(pair, "reader", 2)
    ask = "SELECT count(*) FROM orders"
    named = Wire.open(pair.through("reader"))
    named.ask(f"PREPARE held AS {ask}")
    try:
        assert {answer(wire, ask) for wire in wires} == {"500"}
        pair.write_rules(RULES + _LIMITS + _NO_ORDERS)
        os.kill(pair.gateway.pid, signal.SIGHUP)
        for wire in wires:
            eventually(lambda wire=wire: answer(wire, ask) == "42501", "the new policy")  # type: ignore[misc]
            assert errors(wire.ask(ask))[0]["M"].endswith("Orders are closed today.")
            assert answer(wire, "SELECT count(*) FROM s1.t") == "1"
        assert answer(named, "EXECUTE held") == "42501"
        for broken in ("rules: [}", RULES + _LIMITS + "  - {name: x, permitt: [read]}\n"):
            before = pair.gateway.log().count("the policy is not loaded")
            pair.write_rules(broken)
            os.kill(pair.gateway.pid, signal.SIGHUP)
            eventually(
                lambda before=before: pair.gateway.log().count("the policy is not loaded") > before,  # type: ignore[misc]
                "word of the broken file",
            )
            assert "wicket.yaml:" in pair.gateway.log().rsplit("the policy is not loaded", 1)[1]
            for wire in wires:
                assert answer(wire, ask) == "42501"
                assert answer(wire, "SELECT count(*) FROM s1.t") == "1"
    finally:
        pair.write_rules(RULES + _LIMITS)
        os.kill(pair.gateway.pid, signal.SIGHUP)
    for wire in wires:
        eventually(lambda wire=wire: answer(wire, ask) == "500", "the old policy")  # type: ignore[misc]
        wire.close()
    assert answer(named, "EXECUTE held") == "500"
    named.close()


def test_a_policy_that_takes_a_permission_away_ends_its_sessions(pair: House) -> None:
    """Sessions that no rule permits any more end; those of others don't."""
    kept, wires = Wire.open(pair.through("reader")), _spread(pair, "counter", 1)
    try:
        pair.write_rules(RULES)
        os.kill(pair.gateway.pid, signal.SIGHUP)
        for wire in wires:
            assert last_words(wire) == ("42501", [b"E"])
        assert answer(kept, "SELECT 1") == "1"
    finally:
        pair.write_rules(RULES + _LIMITS)
        os.kill(pair.gateway.pid, signal.SIGHUP)
    again = eventually(lambda: _let_in(pair, "counter"), "a session under the old policy")
    again.close()
    kept.close()


def _let_in(house: House, identity: str) -> Wire | None:
    try:
        return Wire.open(house.through(identity))
    except WireClosed:
        return None


# -- limits --------------------------------------------------------------------------------------------------
def _each(wires: list[Wire], take: Callable[[Wire], None]) -> None:
    threads = [threading.Thread(target=take, args=(wire,)) for wire in wires]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a client hangs"


def test_rows_per_hour_hold_across_workers(pair: House) -> None:
    """Many clients at once on both workers: together they never get more rows than the limit, but most."""
    wires = _spread(pair, "sampler", 4)
    got = [0] * len(wires)

    def take(wire: Wire) -> None:
        number = wires.index(wire)
        for size in (1, 7, 40, 93) * 100:
            frames = wire.ask(f"SELECT generate_series(1, {size}) AS g")
            got[number] += sum(frame.type == b"D" for frame in frames)
            if errors(frames):
                assert [each["C"] for each in errors(frames)] == ["53400"]
                return

    _each(wires, take)
    assert sum(got) <= ROWS
    assert sum(got) > ROWS * 0.8, "most of a limit must be there for those who share it"
    for wire in wires:
        assert answer(wire, "SELECT 1") == "53400"
        wire.close()
    with Wire.open(pair.through("sampler")) as late:
        assert answer(late, "SELECT id FROM orders") == "53400"
    with Wire.open(pair.through("reader")) as other:
        assert len(rows(other.ask("SELECT generate_series(1, 6000)"))) == 6000


def test_statements_per_hour_hold_across_workers(pair: House) -> None:
    wires = _spread(pair, "counter", 4)
    got = [0] * len(wires)

    def take(wire: Wire) -> None:
        number = wires.index(wire)
        for turn in range(STATEMENTS + 1):
            said = answer(wire, f"SELECT {turn}")
            if said != str(turn):
                assert said == "53400"
                return
            got[number] += 1

    _each(wires, take)
    assert sum(got) <= STATEMENTS
    assert sum(got) > STATEMENTS * 0.8
    for wire in wires:
        assert answer(wire, "SELECT 1") == "53400"
        wire.close()


# -- drain ---------------------------------------------------------------------------------------------------
def test_sigterm_drains(frail: Postgres) -> None:
    """The statement in flight finishes, an open transaction has until the bound, idle sessions are told at
    once, new connections are refused, and it ends well."""
    house = House(system.folder("wicketgate-e2e"), frail, workers=2, drain=20)
    house.gateway.start()
    try:
        idle, busy, block = (Wire.open(house.through(who)) for who in ("reader", "reader", "writer"))
        with locked(frail, "s1.t"):
            busy.send(query("SELECT 'drained' AS mark, id FROM s1.t"))
            eventually(lambda: _waiting(frail, "'drained'") == 1, "a statement that waits")
            block.ask("BEGIN")
            assert errors(block.ask("INSERT INTO notes (body) VALUES ('drained')")) == []
            os.kill(house.gateway.pid, signal.SIGTERM)
            assert last_words(idle) == ("57P01", [b"E"])
            eventually(lambda: _refused(house), "refused connections")
            assert _waiting(frail, "'drained'") == 1
        assert rows(busy.ready()) == [[b"drained", b"1"]]
        assert last_words(busy) == ("57P01", [b"E"])
        assert errors(block.ask("UPDATE notes SET body = 'drained twice' WHERE body = 'drained'")) == []
        assert [frame.type for frame in block.ask("COMMIT")] == [b"C", b"Z"]
        assert last_words(block) == ("57P01", [b"E"])
        assert house.gateway.stop() == 0
        assert frail.sql("SELECT 1 FROM notes WHERE body = 'drained twice'", database="alpha") == [(1,)]
        assert set(closes(house.journal)) == opened(house.journal)
        assert set(closes(house.journal).values()) == {"shutdown"}
        assert house.verify()["ok"]
    finally:
        frail.sql("DELETE FROM notes WHERE body LIKE 'drained%'", database="alpha")
        house.gateway.stop()
        system.remove(house.folder)


def _refused(house: House) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", house.gateway.port), timeout=5):
            return False
    except ConnectionRefusedError:
        return True


def test_a_drain_is_bounded(frail: Postgres) -> None:
    """A statement that does not end in time is ended, with the right error, on the server too."""
    house = House(system.folder("wicketgate-e2e"), frail, drain=1)
    house.gateway.start()
    try:
        wire = Wire.open(house.through("reader"))
        with locked(frail, "s1.t"):
            wire.send(query("SELECT 'bound' AS mark, id FROM s1.t"))
            eventually(lambda: _waiting(frail, "'bound'") == 1, "a statement that waits")
            os.kill(house.gateway.pid, signal.SIGTERM)
            assert last_words(wire) == ("57P01", [b"E"])
            assert house.gateway.stop() == 0
            eventually(lambda: _waiting(frail, "'bound'") == 0, "the statement's end on the server")
        assert set(closes(house.journal).values()) == {"shutdown"}
        assert gone(wire)
        assert house.verify()["ok"]
    finally:
        house.gateway.stop()
        system.remove(house.folder)
