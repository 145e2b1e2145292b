"""Reviews of statements on a real server: ordinary clients wait and go on, are denied, cancel, hang up."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import asyncpg
import psycopg
import pytest

from corpus import worlds
from e2e.house import RULES, House
from e2e.watch import eventually, lines
from servers import system
from servers.postgres import Postgres

REVIEWS = """\
  - {name: orders need a look, identities: {names: [reader]}, resources: any,
     when: 'statement.reads("public.orders")',
     review: {by: {groups: [dba]}, within: 60s, bind: shape, message: Ask for one order of yours.}}
  - {name: notes are tried again, identities: {names: [reader]}, resources: any,
     when: 'statement.reads("public.notes")', review: {by: {groups: [dba]}, within: 60s, mode: retry}}
  - {name: audit in a hurry, identities: {names: [reader]}, resources: any,
     when: 'statement.reads("public.audit")', review: {by: [ann], within: 1s, reason: required}}
identities:
  ann: {groups: [dba]}
  bob: {groups: [people]}
"""
ORDERS = "SELECT count(*) FROM orders"


@pytest.fixture(scope="module")
def house(postgres15: Postgres) -> Iterator[House]:
    if not postgres15.sql("SELECT 1 FROM pg_database WHERE datname = %s", worlds.ALPHA, database="postgres"):
        worlds.build(postgres15)
    folder = system.folder("wicketgate-reviews")
    port = system.free_port()
    more = f'  api: {{https: "127.0.0.1:{port}", url: "https://localhost:{port}"}}\n'
    made = House(folder, postgres15, rules=RULES + REVIEWS, more=more, databases=(worlds.ALPHA,))
    made.https = port
    made.gateway.start()
    yield made
    made.gateway.stop()
    system.remove(folder)


def call(house: House, who: str, method: str, path: str, body: Any = None) -> Any:
    """An answer of the API, as this person; or the status of a refusal."""
    return house.api(house.token(who), method, path, body)


def pending(house: House) -> list[dict[str, Any]]:
    return [each for each in call(house, "ann", "GET", "/reviews?status=pending")]


def waiting(house: House) -> dict[str, Any]:
    """The one review that waits."""
    [found] = eventually(lambda: pending(house), "a review")
    return dict(found)


def status(house: House, review: str) -> str:
    return str(call(house, "ann", "GET", f"/reviews/{review}")["status"])


def approve(house: House, review: str, **conditions: Any) -> None:
    told = call(house, "ann", "POST", f"/reviews/{review}/approve", {"conditions": conditions})
    assert told["status"] in ("approved", "used"), told


def answer_next(house: House, verb: str, **body: Any) -> threading.Thread:
    def run() -> None:
        call(house, "ann", "POST", f"/reviews/{waiting(house)['id']}/{verb}", body)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def connect(house: House, **options: Any) -> psycopg.Connection[Any]:
    return psycopg.connect(house.target("reader").conninfo(), **{"autocommit": True, **options})


def told(error: psycopg.Error) -> dict[str, Any]:
    return dict(json.loads(error.diag.message_detail or ""))


def reload(house: House) -> None:
    before = house.gateway.log().count(" holds")
    os.kill(house.gateway.pid, signal.SIGHUP)
    eventually(lambda: house.gateway.log().count(" holds") > before, "the new policy")


# -- wait ----------------------------------------------------------------------------------------------------
def test_psycopg_is_told_waits_and_goes_on(house: House) -> None:
    notices: list[Any] = []
    with connect(house) as client, connect(house) as other:
        client.add_notice_handler(lambda each: notices.append((each.sqlstate, each.message_detail)))
        client.execute("SELECT 'earlier' AS said")
        thread = answer_next(house, "approve")
        assert client.execute(f"/* reason: INC-4711 */ {ORDERS} WHERE id > %s", ["0"]).fetchone() is not None
        thread.join()
        assert other.execute("SELECT 1").fetchone() == (1,)
        [(code, content)] = notices
        assert code == "WG001"
        detail = json.loads(content)
        assert (detail["status"], detail["alternatives"]) == ("pending", ["Ask for one order of yours."])
        assert detail["link"].startswith(f"https://localhost:{house.https}/reviews/{detail['review']}?k=")
        shown = call(house, "ann", "GET", f"/reviews/{detail['review']}")
        assert (shown["status"], shown["reason"], shown["identity"]) == ("used", "INC-4711", "reader")
        assert shown["shown"]["parameters"] == [{"value": "0", "class": None}]
        assert shown["shown"]["relations"] == ["public.orders (read whole)"]
        assert (shown["shown"]["estimate"], shown["shown"]["usable"]) == (1, 60)
        assert "SELECT $1 AS said" in shown["shown"]["lately"]
        assert "INC-4711" in shown["shown"]["statement"]
    named = [line.head for line in lines(house.journal) if detail["review"] in str(line.head.get("review"))]
    assert [head["k"] for head in named] == ["held", "ask"]
    assert named[1]["review"] == {"id": detail["review"], "by": "approved by ann"}


def test_psql_sees_the_notice_at_once_and_goes_on(house: House) -> None:
    target = house.target("reader")
    psql = subprocess.Popen(
        ["psql", "-X", "-A", "-t", "-d", target.conninfo(), "-c", ORDERS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert psql.stderr is not None
    said = psql.stderr.readline()
    assert said.startswith("NOTICE:  waiting for a review")
    assert psql.poll() is None
    approve(house, waiting(house)["id"])
    out, _ = psql.communicate(timeout=20)
    assert psql.returncode == 0
    assert int(out) > 0


def test_asyncpg_waits_and_goes_on(house: House) -> None:
    async def ask() -> tuple[Any, Any]:
        target = house.target("reader")
        client = await asyncpg.connect(
            host=target.host,
            port=target.port,
            user=target.user,
            password=target.password,
            database=target.database,
            ssl=target.context(),
        )
        try:
            thread = answer_next(house, "approve")
            rows = await client.fetch("SELECT id FROM orders WHERE id > $1", 0)
            thread.join()
            return rows, await client.fetchval("SELECT 7")
        finally:
            await client.close()

    rows, after = asyncio.run(ask())
    assert rows
    assert after == 7


def test_a_denial_is_told_and_the_connection_goes_on(house: House) -> None:
    with connect(house) as client:
        thread = answer_next(house, "deny", comment="use the report")
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as denied:
            client.execute(ORDERS)
        thread.join()
        detail = told(denied.value)
        assert (detail["status"], detail["reason"], detail["retry_after"]) == (
            "denied",
            "use the report",
            None,
        )
        assert denied.value.diag.message_hint == "Ask for one order of yours."
        assert client.execute("SELECT 2").fetchone() == (2,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as again:
            client.execute(ORDERS)
        assert told(again.value)["review"] == detail["review"]


def test_nobody_answers_in_time(house: House) -> None:
    with connect(house) as client:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="needs a reason"):
            client.execute("SELECT count(*) FROM audit")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="in time") as late:
            client.execute("/* reason: a test */ SELECT count(*) FROM audit")
        assert told(late.value)["status"] == "expired"
        assert client.execute("SELECT 3").fetchone() == (3,)


def test_only_who_is_on_the_panel_may_answer(house: House) -> None:
    with connect(house) as client:
        outcome: list[Any] = []
        thread = threading.Thread(
            target=lambda: outcome.append(client.execute(f"{ORDERS} WHERE id = 2").fetchall())
        )
        thread.start()
        review = waiting(house)["id"]
        for nobody in ("bob", "reader"):
            assert call(house, nobody, "POST", f"/reviews/{review}/approve", {}) in (403, 404)
        approve(house, review)
        thread.join()
        assert outcome


# -- taken back ----------------------------------------------------------------------------------------------
def test_a_cancel_withdraws(house: House) -> None:
    with connect(house) as client:
        threading.Thread(target=lambda: (waiting(house), client.cancel_safe())).start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            client.execute(f"{ORDERS} WHERE id = 3")
        eventually(lambda: not pending(house), "its withdrawal")
        assert client.execute("SELECT 4").fetchone() == (4,)


def test_who_hangs_up_withdraws(house: House) -> None:
    target = house.target("reader")
    psql = subprocess.Popen(
        ["psql", "-X", "-d", target.conninfo(), "-c", f"{ORDERS} WHERE id = 4"], stderr=subprocess.DEVNULL
    )
    review = waiting(house)["id"]
    psql.send_signal(signal.SIGKILL)
    psql.wait()
    eventually(lambda: status(house, review) == "withdrawn", "its withdrawal")


# -- retry ---------------------------------------------------------------------------------------------------
def refused(client: psycopg.Connection[Any], text: str) -> dict[str, Any]:
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as denied:
        client.execute(text)
    return told(denied.value)


def test_the_identical_statement_passes_once_across_connections(house: House) -> None:
    text = "SELECT count(*) FROM notes WHERE id < 100"
    with connect(house) as client:
        first = refused(client, text)
        assert first["status"] == "pending"
        assert first["retry_after"] > 0
        assert refused(client, text)["review"] == first["review"]
        assert client.execute("SELECT 5").fetchone() == (5,)
    approve(house, first["review"])
    with connect(house) as client:
        other = refused(client, text.replace("100", "101"))
        assert other["review"] != first["review"]
        call(house, "ann", "POST", f"/reviews/{other['review']}/deny", {})
        assert client.execute(f"-- another comment\n{text}").fetchone() is not None
        again = refused(client, text)
        assert again["review"] != first["review"]
        call(house, "ann", "POST", f"/reviews/{again['review']}/deny", {})


def test_a_string_of_two_that_are_reviewed_gets_through(house: House) -> None:
    """In a transaction of its own, too: nothing is spent before both may go."""
    string = "BEGIN; SELECT count(*) FROM notes WHERE id < 5; SELECT count(*) FROM notes WHERE id < 6; COMMIT"
    with connect(house) as client:
        first = refused(client, string)
        [other] = first["others"]
        client.execute("ROLLBACK") if client.info.transaction_status else None
        approve(house, first["review"])
        assert refused(client, string)["review"] == other
        assert status(house, first["review"]) == "approved"
        approve(house, other)
        client.execute(string)
        assert [status(house, each) for each in (first["review"], other)] == ["used", "used"]
        call(house, "ann", "POST", f"/reviews/{refused(client, string)['review']}/deny", {})
    for each in pending(house):
        call(house, "ann", "POST", f"/reviews/{each['id']}/deny", {})


def test_what_waits_locks_nothing(house: House) -> None:
    """Neither where a driver has begun a transaction for it, nor where it was prepared first."""

    def locks() -> list[Any]:
        query = "SELECT mode FROM pg_locks WHERE relation = 'orders'::regclass AND pid <> pg_backend_pid()"
        return house.server.sql(query, database=worlds.ALPHA)

    def approves() -> None:
        review = waiting(house)["id"]
        found.append(locks())
        approve(house, review)

    async def prepared() -> None:
        target = house.target("reader")
        client = await asyncpg.connect(dsn=target.url(), ssl=target.context())
        person = asyncio.create_task(asyncio.to_thread(approves))
        assert await client.fetchval(f"{ORDERS} WHERE id > $1", 1) is not None
        await person
        await client.close()

    found: list[list[Any]] = []
    with connect(house, autocommit=False) as client:
        person = threading.Thread(target=approves)
        person.start()
        assert client.execute(f"{ORDERS} WHERE id > %s", (2,)).fetchone() is not None
        person.join()
        client.rollback()
    asyncio.run(prepared())
    assert found == [[], []]


def test_an_open_transaction_does_not_wait(house: House) -> None:
    with connect(house, autocommit=False) as client:
        client.execute("SELECT 1")
        asked = refused(client, f"{ORDERS} WHERE id = 5")
        assert asked["status"] == "pending"
        client.rollback()
        approve(house, asked["review"])
        assert client.execute(f"{ORDERS} WHERE id = 5").fetchone() is not None
        client.rollback()


def test_rows_are_limited_and_shapes_widened_by_what_was_approved(house: House) -> None:
    with connect(house, autocommit=False) as client:
        client.execute("SELECT 1")
        asked = refused(client, "SELECT id FROM orders WHERE id > 0")
        client.rollback()
        approve(house, asked["review"], scope="shape", minutes=5, rows=2)
        client.autocommit = True
        assert client.execute("SELECT id FROM orders WHERE id > 1000000").fetchall() == []
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
            client.execute("SELECT id FROM orders WHERE id > 0").fetchall()
    call(house, "ann", "POST", f"/reviews/{asked['review']}/withdraw", {})


def test_the_policy_decides_once_more(house: House) -> None:
    """What a newer policy denies is denied, whoever approved it."""
    with connect(house) as client:
        outcome: list[Any] = []

        def ask() -> None:
            try:
                outcome.append(client.execute(f"{ORDERS} WHERE id = 6").fetchone())
            except psycopg.Error as error:
                outcome.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        review = waiting(house)["id"]
        never = (
            "  - {name: never, identities: any, resources: any,"
            " when: 'statement.reads(\"public.orders\")', deny: No.}\n"
        )
        house.write_rules(RULES + never + REVIEWS)
        reload(house)
        approve(house, review)
        thread.join()
        assert 'denied by rule "never"' in str(outcome[0])
        house.write_rules(RULES + REVIEWS)
        reload(house)


def test_what_became_sensitive_while_it_waited_does_not_go(house: House) -> None:
    """It was read as clean when it was asked for."""
    with connect(house) as client:
        outcome: list[Any] = []

        def ask() -> None:
            try:
                outcome.append(client.execute("SELECT note FROM orders").fetchall())
            except psycopg.Error as error:
                outcome.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        review = waiting(house)["id"]
        common = house._common
        assert "      public.vault.pin: secret\n" in common
        note = "      public.orders.note: secret\n      public.vault.pin: secret\n"
        house._common = common.replace("      public.vault.pin: secret\n", note)
        try:
            house.write_rules(RULES + REVIEWS)
            reload(house)
            approve(house, review)
            thread.join()
        finally:
            house._common = common
            house.write_rules(RULES + REVIEWS)
            reload(house)
        assert "What has to be reviewed has changed" in str(outcome[0])


def test_a_gateway_that_restarts_runs_nothing(house: House) -> None:
    outcome: list[Any] = []
    client = connect(house)

    def ask() -> None:
        try:
            outcome.append(client.execute(f"{ORDERS} WHERE id = 7").fetchone())
        except psycopg.Error as error:
            outcome.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    review = waiting(house)["id"]
    house.gateway.kill()
    thread.join()
    assert isinstance(outcome[0], psycopg.OperationalError)
    house.gateway.start()
    found = call(house, "ann", "GET", f"/reviews/{review}")
    assert (found["status"], found["ended_by"]) == ("withdrawn", "the gateway restarted")
    assert isinstance(call(house, "ann", "POST", f"/reviews/{review}/approve", {}), int)
