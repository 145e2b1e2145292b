"""Peers that die, vanish, dawdle or never finish a handshake: each costs its own session, nobody else's."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator

import pytest

from e2e.house import House
from e2e.watch import answer, asked, closes, eventually, gone, last_words, lines, memory, shut, workers
from e2e.wire import SSL_REQUEST, Wire, WireClosed, copy_data, errors, query, rows, startup_packet
from servers import system
from servers.postgres import Postgres

ENDLESS = "SELECT generate_series(1, 1000000000), repeat('x', 1000) AS filler"
"""Rows of a kilobyte, as fast as the server can make them."""
ROOM = 40 << 20
"""Bytes by which a worker may grow while a few peers misbehave: nothing like what would stream."""


@pytest.fixture(scope="module")
def gate(frail: Postgres) -> Iterator[House]:
    """A gateway with one worker, for tests that leave it whole. Handshakes may take four seconds."""
    yield from _started(frail, more="  limits: {handshake_seconds: 4, dial_seconds: 5}")


@pytest.fixture
def blind(frail: Postgres) -> Iterator[House]:
    """A gateway without detectors: rows that hold nothing sensitive by lineage are not looked into."""
    yield from _started(frail, each="    detect: []")


def _started(frail: Postgres, more: str = "", each: str = "") -> Iterator[House]:
    house = House(system.folder("wicketgate-e2e"), frail, more=more, each=each)
    house.gateway.start()
    yield house
    house.gateway.stop()
    system.remove(house.folder)


def _session(house: House, before: set[str]) -> str:
    """The one session that was opened since."""
    (found,) = _sessions(house) - before
    return found


def _sessions(house: House) -> set[str]:
    return {line.head["s"] for line in lines(house.journal) if line.kind == "open"}


def _backends(server: Postgres, text: str) -> list[tuple[str, ...]]:
    """What the server's sessions wait for that run, or last ran, a statement with this text in it."""
    found = server.sql(
        "SELECT coalesce(wait_event, '') FROM pg_stat_activity"
        " WHERE query LIKE %s AND pid <> pg_backend_pid()",
        f"%{text}%",
        database="postgres",
    )
    return [tuple(row) for row in found]


# -- the server ----------------------------------------------------------------------------------------------
def test_the_server_dies_in_mid_result(gate: House, frail: Postgres) -> None:
    """Its client gets a proper error behind the rows that came; both ends of the session are recorded."""
    before = _sessions(gate)
    wire = Wire.open(gate.through("reader"))
    session = _session(gate, before)
    wire.send(query(ENDLESS))
    wire.until(b"D")
    frail.kill()
    try:
        code, types = last_words(wire)
        assert code == "08006"
        assert types[-1] == b"E"
        assert set(types[:-1]) <= {b"D"}
        assert eventually(lambda: closes(gate.journal).get(session), "the session's close") == "upstream"
        (told,) = [
            line for line in lines(gate.journal) if line.head.get("s") == session and line.kind == "answer"
        ]
        assert told.head["o"]["rows"] >= 1
        assert told.head["o"].get("sqlstate") == "08006"
        with pytest.raises(WireClosed, match="refused"):
            Wire.open(gate.through("reader"))
    finally:
        frail.start()
    with Wire.open(gate.through("reader")) as again:
        assert answer(again, "SELECT count(*) FROM orders") == "500"
    assert gate.verify()["ok"]


def test_the_server_dies_between_two_statements(gate: House, frail: Postgres) -> None:
    before = _sessions(gate)
    wire = Wire.open(gate.through("reader"))
    session = _session(gate, before)
    assert answer(wire, "SELECT 1") == "1"
    frail.kill()
    try:
        assert last_words(wire) == ("08006", [b"E"])
        assert eventually(lambda: closes(gate.journal).get(session), "the session's close") == "upstream"
    finally:
        frail.start()


def test_the_server_ends_one_session(gate: House, frail: Postgres) -> None:
    """What the server itself says on ending it reaches the client, its SQLSTATE and all."""
    wire = Wire.open(gate.through("reader"))
    assert answer(wire, "SELECT 'mark ended'") == "mark ended"
    frail.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE query LIKE '%mark ended%' AND pid <> pg_backend_pid()",
        database="postgres",
    )
    assert last_words(wire) == ("57P01", [b"E"])


def test_a_server_that_is_down_refuses_nobody_else(gate: House, frail: Postgres) -> None:
    """Sign-ins while it is down get an error at once; when it is back they succeed."""
    frail.stop()
    try:
        for _ in range(3):
            wire = Wire.dial(gate.through("reader"))
            refused = wire.sign_in(gate.through("reader"))
            assert refused is not None
            assert refused.fields["C"] in ("57P03", "08006")
            eventually(lambda wire=wire: gone(wire), "the end of the connection")  # type: ignore[misc]
    finally:
        frail.start()
    with Wire.open(gate.through("reader")) as wire:
        assert answer(wire, "SELECT 1") == "1"


# -- the client ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("leave", [Wire.vanish, lambda wire: wire.peer.close()], ids=["reset", "closed"])
def test_the_client_vanishes_in_mid_copy(gate: House, frail: Postgres, leave: Callable[[Wire], None]) -> None:
    """Nothing of it is committed, and no backend is left waiting for the rest."""
    before, count = _sessions(gate), frail.sql("SELECT count(*) FROM notes", database="alpha")
    wire = Wire.open(gate.through("writer"))
    session = _session(gate, before)
    wire.send(query("COPY notes (body) FROM STDIN"))
    wire.until(b"G")
    wire.send(*[copy_data(f"mark copied {number}\n") for number in range(20_000)])
    leave(wire)
    assert eventually(lambda: closes(gate.journal).get(session), "the session's close") == "client"
    eventually(lambda: not _backends(frail, "COPY notes"), "the backend's end")
    assert frail.sql("SELECT count(*) FROM notes", database="alpha") == count


@pytest.mark.parametrize("leave", [Wire.vanish, lambda wire: wire.peer.close()], ids=["reset", "closed"])
def test_the_client_vanishes_in_mid_result(
    gate: House, frail: Postgres, leave: Callable[[Wire], None]
) -> None:
    """The server's work ends too, and what had been let through by then is on record."""
    before = _sessions(gate)
    wire = Wire.open(gate.through("reader"))
    session = _session(gate, before)
    wire.send(query(ENDLESS))
    wire.until(b"D")
    leave(wire)
    assert eventually(lambda: closes(gate.journal).get(session), "the session's close") == "client"
    # not only when TLS gives up waiting for the server's farewell (30 s)
    eventually(lambda: not _backends(frail, "1000000000"), "the backend's end", 15)
    assert ENDLESS in asked(gate.journal)


def test_the_client_vanishes_inside_a_transaction(gate: House, frail: Postgres) -> None:
    """A block that was open is rolled back."""
    wire = Wire.open(gate.through("writer"))
    wire.ask("BEGIN")
    assert errors(wire.ask("INSERT INTO notes (body) VALUES ('mark block')")) == []
    wire.vanish()
    eventually(lambda: not _backends(frail, "mark block"), "the backend's end")
    assert frail.sql("SELECT * FROM notes WHERE body = 'mark block'", database="alpha") == []


# -- handshakes ----------------------------------------------------------------------------------------------
def _silent(house: House) -> socket.socket:
    return socket.create_connection(("localhost", house.gateway.port))


def _half_a_request(house: House) -> socket.socket:
    peer = _silent(house)
    peer.sendall(struct.pack("!IH", 8, SSL_REQUEST >> 16))
    return peer


def _half_a_hello(house: House) -> socket.socket:
    peer = _silent(house)
    peer.sendall(struct.pack("!II", 8, SSL_REQUEST))
    assert peer.recv(1) == b"S"
    peer.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    return peer


def _tls_and_half_a_startup(house: House) -> socket.socket:
    wire = Wire.dial(house.through("reader"))
    wire.send(startup_packet({"user": "reader", "database": "alpha"})[:20])
    return wire.peer


def _no_password(house: House) -> socket.socket:
    address = house.through("reader")
    wire = Wire.dial(address)
    wire.send(startup_packet({"user": address.user, "database": address.database}))
    wire.until(b"R")
    return wire.peer


def test_hundreds_of_half_open_handshakes(gate: House) -> None:
    """Clients that are in work on, others still come in, and none of the half-open is kept for long."""
    (worker,) = workers(gate.gateway.pid)
    with Wire.open(gate.through("reader")) as inside:
        before = memory(worker)
        kinds = (_silent, _half_a_request, _half_a_hello, _tls_and_half_a_startup, _no_password)
        half = [kind(gate) for _ in range(80) for kind in kinds]
        for number in range(20):
            assert answer(inside, f"SELECT {number}") == str(number)
            with Wire.open(gate.through("reader")) as other:
                assert answer(other, "SELECT count(*) FROM orders") == "500"
        assert memory(worker) - before < ROOM
        for peer in half:
            eventually(lambda peer=peer: shut(peer), "the end of a half-open handshake")  # type: ignore[misc]
            peer.close()
        assert answer(inside, "SELECT 1") == "1"


# -- slowness ------------------------------------------------------------------------------------------------
def test_a_slow_reader_of_a_fast_server(gate: House, frail: Postgres) -> None:
    """The server waits, the worker does not collect, and others are served meanwhile."""
    (worker,) = workers(gate.gateway.pid)
    slow = [Wire.open(gate.through("reader")) for _ in range(4)]
    with Wire.open(gate.through("reader")) as other:
        assert answer(other, "SELECT count(*) FROM orders") == "500"
        before = memory(worker)
        for wire in slow:
            wire.send(query(ENDLESS))
        for _ in range(10):
            eventually(
                lambda: _backends(frail, "1000000000") == [("ClientWrite",)] * len(slow), "servers that wait"
            )
            assert answer(other, "SELECT count(*) FROM orders") == "500"
            assert memory(worker) - before < ROOM
        for wire, frames in zip(slow, (5_000, 500, 500, 500), strict=True):
            taken = sum(len(wire.read().body) for _ in range(frames))
            assert taken > frames * 800
            assert memory(worker) - before < ROOM
    for wire in slow:
        wire.vanish()
    eventually(lambda: not _backends(frail, "1000000000"), "the backends' end")


LARGE = "SELECT repeat('0123456789', 10000000) AS large"


def test_a_very_large_row_that_detectors_would_look_into_is_refused(gate: House) -> None:
    """A row of 100 MB can't be looked into: the session ends, and the worker never holds the row."""
    (worker,) = workers(gate.gateway.pid)
    with Wire.open(gate.through("reader")) as wire:
        before = memory(worker)
        wire.send(query(LARGE))
        refused = wire.until(b"E")[-1]
        assert refused.fields["S"] == "FATAL"
        assert refused.fields["C"] == "54000"
        assert memory(worker) - before < ROOM


def test_a_very_large_row_is_streamed(blind: House) -> None:
    """A row of 100 MB passes whole, and the worker never holds it."""
    (worker,) = workers(blind.gateway.pid)
    with Wire.open(blind.through("reader")) as wire:
        before = memory(worker)
        wire.send(query(LARGE))
        assert wire.read().type == b"T"
        digits = grown = 0
        for piece in wire.pour():
            digits += piece.count(b"7")
            grown = max(grown, memory(worker) - before)
        assert digits == 10_000_000
        assert grown < ROOM
        assert [frame.type for frame in wire.ready()] == [b"C", b"Z"]
        assert rows(wire.ask("SELECT 1")) == [[b"1"]]


def test_a_client_that_sends_faster_than_the_server_takes(gate: House, frail: Postgres) -> None:
    """COPY into a table that is locked: the client is made to wait, the worker does not collect."""
    (worker,) = workers(gate.gateway.pid)
    with (
        Wire.open(gate.through("writer")) as wire,
        frail.connect(database="alpha") as beside,
        beside.transaction(),
    ):
        beside.execute("LOCK TABLE audit IN EXCLUSIVE MODE")
        before = memory(worker)
        wire.send(query("COPY audit (what) FROM STDIN"))
        assert _sent_until_stuck(wire, copy_data("y" * 65_000 + "\n"), 4_000) < ROOM
        assert memory(worker) - before < ROOM
    eventually(lambda: not _backends(frail, "COPY audit"), "the backend's end")


def _sent_until_stuck(wire: Wire, block: bytes, times: int) -> int:
    """Bytes that the peer, and the kernel between, took before they took no more for a while."""
    wire.peer.settimeout(0.3)
    for number in range(times):
        try:
            wire.peer.sendall(block)
        except TimeoutError:
            return number * len(block)
    return times * len(block)
