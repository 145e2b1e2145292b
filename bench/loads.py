"""The loads: pgbench, a drained stream of rows, connections opened and closed, idle sessions."""

import os
import re
import select
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench import cpu
from bench.peers import Peer
from servers import binaries

ROWS = 500_000


@dataclass(frozen=True, slots=True)
class Measured:
    """rate: units (statements, rows, connections) a second. cpu: seconds of the peer's CPU a unit."""

    rate: float
    cpu: float


def _environment(peer: Peer) -> Mapping[str, str]:
    return {
        **os.environ,
        "PGPASSWORD": peer.password,
        "PGSSLMODE": "disable",
        "PGGSSENCMODE": "disable",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(peer.port),
        "PGUSER": peer.user,
    }


def _pgbench(peer: Peer, *options: str) -> Measured:
    pids = peer.pids()
    before = cpu.seconds(pids)
    command = [str(binaries.debian() / "pgbench"), "-n", *options, peer.database]
    done = subprocess.run(command, env=_environment(peer), capture_output=True, text=True, check=False)
    if done.returncode != 0 or "tps = " not in done.stdout:
        raise RuntimeError(f"pgbench through {peer.name}: {done.stdout}{done.stderr}")
    used = cpu.seconds(pids) - before
    failed = re.search(r"number of failed transactions: (\d+)", done.stdout)
    if failed and failed[1] != "0":
        raise RuntimeError(f"pgbench through {peer.name}: {done.stdout}")
    number = int(re.findall(r"number of transactions actually processed: (\d+)", done.stdout)[0])
    rate = float(re.findall(r"tps = ([\d.]+)", done.stdout)[0])
    return Measured(rate, used / number)


def statements(peer: Peer, mode: str, clients: int, seconds: int) -> Measured:
    """pgbench -S in a query mode (simple, extended, prepared)."""
    return _pgbench(peer, "-S", "-M", mode, "-c", str(clients), "-j", "1", "-T", str(seconds))


def connections(peer: Peer, folder: Path, number: int = 1000) -> Measured:
    """Open a connection, ask one thing, close it; two at a time."""
    script = folder / "one.sql"
    script.write_text("SELECT 1;\n")
    return _pgbench(peer, "-C", "-f", str(script), "-c", "2", "-j", "1", "-t", str(number // 2))


SIX = "id, name, email, card, national_id, note"
EIGHT = "a, b, c, d, e, f, g, h"


def stream(peer: Peer, table: str, columns: str = SIX, rows: int = ROWS, database: str = "") -> Measured:
    """SELECT all rows of these columns and drain the answer from the socket, reading no row of it.

    database: what to name instead of the peer's own."""
    with connect(peer, database) as connection:
        connection.execute("SELECT 1")
        descriptor = connection.pgconn.socket
        query = f"SELECT {columns} FROM {table}\0".encode()
        pids = peer.pids()
        before = cpu.seconds(pids)
        started = time.perf_counter()
        os.write(descriptor, b"Q" + (len(query) + 4).to_bytes(4, "big") + query)
        size, tail = 0, b""
        while not tail.endswith(b"Z\0\0\0\x05I"):
            select.select([descriptor], [], [])
            data = os.read(descriptor, 1 << 20)
            if not data:
                raise RuntimeError(f"{peer.name} closed the connection in mid-stream")
            size += len(data)
            tail = (tail + data)[-64:]
        took = time.perf_counter() - started
        used = cpu.seconds(pids) - before
        if f"SELECT {rows}".encode() not in tail:
            raise RuntimeError(f"{peer.name} streamed {size} bytes, ending in {tail!r}")
        return Measured(rows / took, used / rows)


def connect(peer: Peer, database: str = "") -> "psycopg.Connection[Any]":
    return psycopg.connect(
        host="127.0.0.1",
        port=peer.port,
        user=peer.user,
        password=peer.password,
        dbname=database or peer.database,
        sslmode="disable",
        gssencmode="disable",
        autocommit=True,
    )


def idle(peer: Peer, number: int = 2000) -> float:
    """Bytes of the peer's memory for each of so many idle sessions that have asked one thing."""
    with connect(peer) as first:
        first.execute("SELECT 1")
        before = cpu.resident(peer.pids())
        held = []
        try:
            for _ in range(number):
                held.append(connect(peer))
                held[-1].execute("SELECT count(*) FROM pgbench_branches")
            return (cpu.resident(peer.pids()) - before) / number
        finally:
            for connection in held:
                connection.close()
