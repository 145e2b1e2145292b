"""Limits on a real server: every row once and in order, and not one too many."""

from collections.abc import Iterator

import psycopg
import pytest

from corpus import worlds
from e2e.house import House
from servers import system
from servers.postgres import Postgres
from wicketgate.gate.leases import SHARE

RULES = """\
rules:
  - {name: readers read, identities: {groups: [readers]}, resources: any, account: common,
     permit: [read], limits: {rows: 7500 per hour}}
  - {name: writers write, identities: {groups: [writers]}, resources: any, account: common,
     permit: [read, write], limits: {rows: 50 per session}}
"""
SERIES = "SELECT n, repeat('x', n %% 300) FROM generate_series(1, %s) AS n"


@pytest.fixture(scope="module")
def house(postgres15: Postgres) -> Iterator[House]:
    """A gateway with limits."""
    if not postgres15.sql("SELECT 1 FROM pg_database WHERE datname = %s", worlds.ALPHA, database="postgres"):
        worlds.build(postgres15)
    folder = system.folder("wicketgate-gate")
    made = House(folder, postgres15, workers=2, rules=RULES, databases=(worlds.ALPHA,))
    made.gateway.start()
    yield made
    made.gateway.stop()
    system.remove(folder)


def read(connection: psycopg.Connection, count: int) -> int:
    """That many rows; how many came. Those that came are checked."""
    with connection.cursor() as cursor:
        rows = cursor.execute(SERIES, (count,)).fetchall()
    assert [number for number, _ in rows] == list(range(1, len(rows) + 1))
    assert all(len(text) == number % 300 for number, text in rows)
    return len(rows)


def read_singly(connection: psycopg.Connection, times: int) -> None:
    for _ in range(times):
        read(connection, 1)


def connect(house: House, identity: str) -> psycopg.Connection:
    return psycopg.connect(house.target(identity).conninfo(), autocommit=True)


def test_an_hour_s_rows_leave_whole_and_no_more(house: House) -> None:
    with connect(house, "reader") as one, connect(house, "reader") as other:
        assert read(one, 3333) == 3333
        assert read(other, 3333) == 3333
        with pytest.raises(psycopg.Error, match="The limit of 7500 rows per hour"):
            read(one, 3333)
        # The other worker may hold a slice of its own: not more than that.
        with pytest.raises(psycopg.Error, match="The limit of 7500 rows per hour"):
            read_singly(other, 7500 // SHARE + 1)


def test_a_session_s_rows_end_and_the_session_goes_on(house: House) -> None:
    with connect(house, "writer") as one:
        assert read(one, 30) == 30
        with pytest.raises(psycopg.Error, match="The limit of 50 rows per session"):
            read(one, 30)
        with pytest.raises(psycopg.Error, match="The limit of 50 rows per session"):
            read(one, 1)
    with connect(house, "writer") as fresh:
        assert read(fresh, 50) == 50
