"""A token for a task on a real server: tried to be used for what was not declared, or no longer may be."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from corpus import worlds
from e2e.house import House
from e2e.scripts import Target
from e2e.watch import eventually
from servers import system
from servers.postgres import Postgres

RULES = """\
rules:
  - {name: both work, identities: {groups: [readers, staff]}, resources: any, account: common,
     permit: [read, write, delete, execute]}
"""
ANA = "identities:\n  ana: {groups: [staff]}\n  ben: {groups: [staff]}\n"
LESSER = """\
  - {name: board, identities: {groups: [board]}, resources: any, account: common, permit: [write]}
"""
TASK = ("--for-task", "weekly report", "--on-behalf-of", "ana", "--resource", worlds.ALPHA, "--task", "t-42")


@pytest.fixture(scope="module")
def house(postgres15: Postgres) -> Iterator[House]:
    for name in (worlds.ALPHA, worlds.BRAVO):
        if not postgres15.sql("SELECT 1 FROM pg_database WHERE datname = %s", name, database="postgres"):
            worlds.build(postgres15)
    folder = system.folder("wicketgate-delegation")
    made = House(folder, postgres15, workers=2, rules=ANA + RULES)
    made.gateway.start()
    yield made
    made.gateway.stop()
    system.remove(folder)


def acting(house: House, *declared: str, behalf: str = "ana") -> dict[str, Any]:
    scope = [behalf if each == "ana" else each for each in TASK]
    config = str(house.gateway.configuration)
    found = house.gateway.facts("token", "issue", "reader", *scope, *declared, "-c", config)
    return dict(found)


def connect(house: House, token: str, resource: str = worlds.ALPHA, **more: Any) -> psycopg.Connection:
    target = Target("localhost", house.gateway.port, "reader", token, resource, house.ca)
    return psycopg.connect(target.conninfo(), autocommit=True, **more)


def denials(house: House) -> list[dict[str, Any]]:
    """What the journal says of refusals, over all its files."""
    found = []
    for path in house.journal.rglob("*.log"):
        for line in path.read_bytes().split(b"\n"):
            if b'"denial":' in line:
                body = line[line.index(b'"denial":') + len(b'"denial":') :]
                found.append(json.JSONDecoder().raw_decode(body.decode())[0])
    return found


BEYOND = [
    "SELECT * FROM customers",
    "SELECT o.id FROM vault o, customers c WHERE o.id = c.id",
    "SELECT id FROM public.v_vault, LATERAL (SELECT 1 FROM badges LIMIT 1) AS vault",
    "WITH vault AS (SELECT id FROM badges) SELECT * FROM vault",
    "SELECT (SELECT max(id) FROM badges) FROM vault",
    "SELECT id FROM v_function, vault",
    "SELECT count(*) FROM copied_parts",
    "SELECT count(*) FROM copied_parent",
    "SELECT body FROM copied_child",
    "COPY badges TO STDOUT",
    "TABLE badges",
    "PREPARE p AS SELECT id FROM badges",
    "DECLARE c CURSOR FOR SELECT id FROM badges",
    "EXPLAIN ANALYZE SELECT id FROM badges",
    "CREATE TEMP TABLE vault AS SELECT id FROM badges",
    "UPDATE vault SET label = 'x' WHERE id = 1",
    "DO $$ BEGIN PERFORM 1 FROM public.badges; END $$",
    "SELECT tell(1)",
]


def test_relations_beyond_the_declaration(house: House) -> None:
    relations = (
        "--relation",
        "public.vault",
        "--relation",
        "public.copied_parts",
        "--relation",
        "public.copied_parent",
    )
    made = acting(house, "--effect", "read", *relations)
    with connect(house, made["token"], application_name="crew=root task=t-1") as session:
        assert session.execute("SELECT v.label FROM vault AS v WHERE id = 1").fetchall()
        assert session.execute("SELECT label AS ssn FROM public.vault").fetchall()
        for text in BEYOND:
            with pytest.raises(psycopg.Error) as refused:
                session.execute(text)
            assert refused.value.sqlstate == "42501", (text, str(refused.value))
            assert "did not declare" in str(refused.value), (text, str(refused.value))
        for text in ("SET ROLE app_owner", "SET SESSION AUTHORIZATION app_owner", "RESET ROLE"):
            with suppress(psycopg.Error):
                session.execute(text)
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="did not declare"):
                session.execute("SELECT * FROM badges")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="did not declare"):
            session.execute("SELECT id FROM badges WHERE id = %s", (1,), prepare=True)
        assert session.execute("SHOW transaction_read_only").fetchone() == ("on",)
    kinds = [each["kind"] for each in denials(house)]
    assert kinds.count("drift") >= len(BEYOND)


def test_another_resource_is_a_refusal_like_any(house: House) -> None:
    made = acting(house)
    with pytest.raises(psycopg.OperationalError, match="sign-in refused"):
        connect(house, made["token"], worlds.BRAVO)
    away = acting(house, "--from", "192.0.2.0/24")
    with pytest.raises(psycopg.OperationalError, match="sign-in refused"):
        connect(house, away["token"])
    causes = {each["cause"] for each in denials(house)}
    assert "not authenticated: the token is not for this source network" in causes
    assert (
        "not authenticated: drift from the stated intent: the task t-42 did not declare this resource"
        in causes
    )


def fetch_singly(session: psycopg.Connection, left: list[object]) -> None:
    """Rows by a cursor, one after the other, until there are no more."""
    with session.transaction(), session.cursor(name="c") as cursor:
        cursor.execute("SELECT generate_series(1, 99)")
        while rows := cursor.fetchmany(1):
            left += rows


def test_rows_by_statements_cursors_and_sessions(house: House) -> None:
    made = acting(house, "--rows", "12")
    with connect(house, made["token"]) as one, connect(house, made["token"]) as other:
        assert len(one.execute("SELECT generate_series(1, 4)").fetchall()) == 4
        assert len(other.execute("SELECT generate_series(1, 4)").fetchall()) == 4
        left: list[object] = []
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="declared at most 12 rows"):
            fetch_singly(one, left)
        assert 0 < len(left) <= 4
        for session in (one, other):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="declared at most 12 rows"):
                session.execute("SELECT generate_series(1, 5)")
    with (
        connect(house, made["token"]) as again,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="declared at most 12 rows"),
    ):
        again.execute("SELECT generate_series(1, 5)")


def ended(session: psycopg.Connection) -> bool:
    try:
        session.execute("SELECT 1")
    except psycopg.Error:
        return session.closed
    return False


def test_its_human_goes_and_what_was_prepared_goes_too(house: House) -> None:
    text = "SELECT label FROM vault WHERE id = %s"
    config: Path = house.gateway.configuration
    before = config.read_text()
    with (
        connect(house, acting(house)["token"]) as session,
        connect(house, acting(house, behalf="ben")["token"]) as of_ben,
    ):
        for each in (session, of_ben):
            assert each.execute(text, (1,), prepare=True).fetchall()
        # ana keeps a group that permits less; ben is gone
        changed = before.replace("ana: {groups: [staff]}", "ana: {groups: [board]}")
        config.write_text(changed.replace("  ben: {groups: [staff]}\n", "") + LESSER)
        os.kill(house.gateway.pid, signal.SIGHUP)

        def denied() -> bool:
            try:
                session.execute(text, (1,), prepare=True)
            except psycopg.Error as error:
                return "(for ana)" in str(error)
            return False

        eventually(denied, "a denial of what was prepared")
        eventually(lambda: ended(of_ben), "the end of a session whose human is gone")
        config.write_text(before)
        os.kill(house.gateway.pid, signal.SIGHUP)
        eventually(lambda: not denied(), "what holds again")


def test_revoked_within_a_second(house: House) -> None:
    made = acting(house)
    listed = {
        each["id"]: each
        for each in house.gateway.facts("token", "list", "-c", str(house.gateway.configuration))
    }
    assert listed[made["id"]]["last_used"] is None
    with connect(house, made["token"]) as session:
        session.execute("SELECT 1")
        listed = {
            each["id"]: each
            for each in house.gateway.facts("token", "list", "-c", str(house.gateway.configuration))
        }
        assert listed[made["id"]]["last_used"] is not None
        house.gateway.wicket("token", "revoke", made["id"], "-c", str(house.gateway.configuration))
        eventually(lambda: ended(session), "the end of a revoked session", 1.0)
