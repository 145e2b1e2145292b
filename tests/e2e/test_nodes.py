"""Two real nodes on one PostgreSQL of state: what one changes holds on the other, within a second."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest

from e2e.house import RULES, House
from e2e.watch import eventually
from e2e.wire import Address, Wire, WireClosed, cancel_packet, errors, query, rows
from servers import binaries, system
from servers.certificates import Authority
from servers.postgres import ADMINISTRATOR, Postgres

GRACE = 3
LIMITED = """\
  - {name: few rows, identities: {groups: [few]}, resources: any, account: common,
     permit: [read], limits: {rows: 300 per hour}}
  - {name: orders wait, identities: {names: [careful]}, resources: any,
     when: 'statement.reads("public.orders")', review: {by: {groups: [dba]}, within: 60s}}
  - {name: notes are tried again, identities: {names: [careful]}, resources: any,
     when: 'statement.reads("public.notes")', review: {by: {groups: [dba]}, within: 60s, mode: retry}}
  - {name: guests on request, identities: {names: [guest]}, resources: any, account: common,
     permit: [read], on_request: {by: {groups: [dba]}, most: 1h}}
identities:
  ann: {groups: [dba]}
"""
IDENTITIES = {
    "guest": "guests",
    "reader": "readers",
    "writer": "writers",
    "definer": "definers",
    "few": "few",
    "careful": "readers",
}


@dataclass
class Pair:
    """Two gateways, and the PostgreSQL that they share."""

    left: House
    right: House
    state: Postgres

    def sql(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.state.sql(text, *values, database="wicket")


def house(server: Postgres, state: Postgres, name: str, ring: bytes) -> House:
    folder = system.folder(f"wicketgate-{name}")
    (folder / "state").mkdir(mode=0o700)
    for file in ("pseudonym.keys", "custody.keys"):
        (folder / "state" / file).write_bytes(ring)
        (folder / "state" / file).chmod(0o600)
    (folder / "address").write_text(state.dsn(ADMINISTRATOR, "wicket"))
    port = system.free_port()
    more = f"  database_url: {{file: address}}\n  name: {name}\n  store_grace_seconds: {GRACE}"
    more += f'\n  api: {{https: "127.0.0.1:{port}"}}'
    made = House(folder, server, more=more, rules=RULES + LIMITED, identities=IDENTITIES)
    made.https = port  # type: ignore[attr-defined]
    return made


@pytest.fixture(scope="module")
def state(authority: Authority) -> Iterator[Postgres]:
    server = Postgres.create(binaries.debian(), authority, planted=False)
    server.sql("CREATE DATABASE wicket", database="postgres")
    yield server
    server.destroy()


@pytest.fixture(scope="module")
def pair(frail: Postgres, state: Postgres) -> Iterator[Pair]:
    ring = f"1 {os.urandom(32).hex()}\n".encode()
    houses = [house(frail, state, name, ring) for name in ("left", "right")]
    for each in houses:
        each.gateway.start()
    for found in houses:
        eventually(lambda found=found: answers(found), "its API")  # type: ignore[misc]
    yield Pair(*houses, state)
    for each in houses:
        each.gateway.stop()
        system.remove(each.folder)


def wicket(house: House, *arguments: str, check: bool = True) -> str:
    return house.gateway.wicket(*arguments, "-c", str(house.gateway.configuration), check=check)


def issued(house: House, identity: str) -> tuple[str, str]:
    """A new token, from this node: its text, its id."""
    found = asked(house, "POST", "/tokens", {"identity": identity})[1]
    return found["token"], found["id"]


@cache
def trusting(house: House) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(house.ca))


def at(house: House, identity: str, token: str = "") -> Address:
    return Address("localhost", house.gateway.port, identity, "alpha", token, trusting(house))


def ended(wire: Wire, patience: float = 20.0) -> float:
    """When an idle session was ended by the gateway: monotonic seconds."""
    wire.peer.settimeout(patience)
    try:
        while True:
            wire.read()
    except WireClosed:
        return time.monotonic()


class _Socket(http.client.HTTPConnection):
    """HTTP over a gateway's own socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


def asked(house: House, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """One request to the node's own API: its status, and what it answered."""
    connection = _Socket(house.state / "api.sock")
    try:
        headers = {} if body is None else {"content-type": "application/json"}
        connection.request(method, f"/api/v1{path}", None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else None
    finally:
        connection.close()


def api(house: House, method: str, path: str) -> int:
    return asked(house, method, path)[0]


def answers(house: House) -> bool:
    try:
        return api(house, "GET", "/ready") == 200
    except OSError:
        return False


def test_they_know_each_other(pair: Pair) -> None:
    told = wicket(pair.right, "nodes")
    assert "left" in told
    assert "here" in told
    facts = asked(pair.left, "GET", "/nodes")[1]
    assert [(each["number"], each["alive"]) for each in facts] == [(0, True), (1, True)]


@pytest.mark.parametrize(("here", "there"), [("left", "right"), ("right", "left")])
def test_a_token_is_issued_here_and_revoked_there(pair: Pair, here: str, there: str) -> None:
    """The sessions that it has on both nodes end within a second of the answer."""
    one, other = getattr(pair, here), getattr(pair, there)
    token, number = issued(one, "reader")
    wires = [Wire.open(at(each, "reader", token)) for each in (one, other)]
    with psycopg.connect(
        f"host=localhost port={other.gateway.port} user=reader dbname=alpha sslmode=verify-full",
        password=token,
        sslrootcert=str(other.ca),
        autocommit=True,
    ) as client:
        assert client.execute("SELECT count(*) FROM orders").fetchone() is not None
        assert api(other, "DELETE", f"/tokens/{number}") == 200
        answered = time.monotonic()
        for wire in wires:
            assert ended(wire) - answered < 1.0
        with pytest.raises(psycopg.OperationalError):
            client.execute("SELECT 1")
    for each in (one, other):
        with pytest.raises(WireClosed, match="28P01"):
            Wire.open(at(each, "reader", token))


def answered(house: House, token: str, path: str, body: Any = None) -> Any:
    """By somebody, over this node's HTTPS: what it answered; a POST where there is a body, "" ends it."""
    connection = http.client.HTTPSConnection("localhost", house.https, context=trusting(house), timeout=20)  # type: ignore[attr-defined]
    try:
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        method, content = ("GET", None) if body is None else ("POST", json.dumps(body))
        if body == "":
            method, content = "DELETE", None
        connection.request(method, f"/api/v1{path}", content, headers)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def careful(house: House, token: str) -> psycopg.Connection[Any]:
    return psycopg.connect(
        f"host=localhost port={house.gateway.port} user=careful dbname=alpha sslmode=verify-full",
        password=token,
        sslrootcert=str(house.ca),
        autocommit=True,
    )


def test_access_for_a_while_begins_and_ends_on_every_node(pair: Pair) -> None:
    """Asked for on one, given on the other, used on both; taken away on one, it is over on both."""
    token, ann = issued(pair.left, "guest")[0], issued(pair.left, "ann")[0]
    houses = (pair.left, pair.right)
    assert [refused(at(each, "guest", token)) for each in houses] == ["28P01", "28P01"]
    asked = answered(pair.left, token, "/requests", {"resource": "alpha", "seconds": 600, "reason": "INC-1"})
    assert asked["status"] == "pending", asked
    assert refused(at(pair.left, "guest", token)) == "28P01"
    told = answered(pair.right, ann, f"/reviews/{asked['id']}/approve", {"comment": "go on"})
    assert told["status"] in ("approved", "used"), told
    began = time.monotonic()
    for each in houses:
        eventually(lambda each=each: not refused(at(each, "guest", token)), "the grant", 5)  # type: ignore[misc]
    assert time.monotonic() - began < 3.0
    wires = [Wire.open(at(each, "guest", token)) for each in houses]
    for wire in wires:
        assert rows(wire.ask("SELECT 1")) == [[b"1"]]
    taken = answered(pair.left, ann, f"/grants/{asked['id']}", "")
    revoked = time.monotonic()
    assert "ended" in json.dumps(taken), taken
    assert [ended(wire) - revoked < 2.0 for wire in wires] == [True, True]
    assert [refused(at(each, "guest", token)) for each in houses] == ["28P01", "28P01"]


@pytest.mark.parametrize(("here", "there"), [("left", "right"), ("right", "left")])
def test_a_review_is_asked_here_and_answered_there(pair: Pair, here: str, there: str) -> None:
    one, other = getattr(pair, here), getattr(pair, there)
    token, ann = issued(one, "careful")[0], issued(other, "ann")[0]
    ended: list[float] = []

    def ask() -> None:
        with careful(one, token) as client:
            assert client.execute("SELECT count(*) FROM orders").fetchone() is not None
            ended.append(time.monotonic())

    thread = threading.Thread(target=ask)
    thread.start()
    [found] = eventually(lambda: answered(other, ann, "/reviews?status=pending&mine=true"), "the review")
    waited = threading.Timer(0.0, lambda: answered(one, ann, f"/reviews/{found['id']}?wait=20s"))
    waited.start()
    assert not ended
    told = answered(other, ann, f"/reviews/{found['id']}/approve", {"comment": "from the other node"})
    at = time.monotonic()
    assert told["status"] in ("approved", "used")
    thread.join(10)
    waited.join(10)
    assert ended
    assert ended[0] - at < 1.0, "the asker goes on within a second"
    assert answered(one, ann, f"/reviews/{found['id']}")["status"] == "used"


def test_what_is_approved_on_one_node_passes_once_on_either(pair: Pair) -> None:
    token, ann = issued(pair.left, "careful")[0], issued(pair.left, "ann")[0]
    statement = "SELECT count(*) FROM notes"
    with careful(pair.left, token) as left, careful(pair.right, token) as right:
        reviews = []
        for client in (left, right):
            with pytest.raises(psycopg.errors.InsufficientPrivilege) as refused:
                client.execute(statement)
            reviews.append(json.loads(refused.value.diag.message_detail or "")["review"])
        assert reviews[0] == reviews[1], "asked once, on whatever node"
        assert answered(pair.right, ann, f"/reviews/{reviews[0]}/approve", {})["status"] == "approved"
        passed: list[bool] = []

        def attempt(client: psycopg.Connection[Any]) -> None:
            try:
                passed.append(client.execute(statement).fetchone() is not None)
            except psycopg.errors.InsufficientPrivilege:
                passed.append(False)

        threads = [threading.Thread(target=attempt, args=(client,)) for client in (left, right)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(20)
        assert sorted(passed) == [False, True], "once, from both at the same moment"


def test_what_is_written_beside_them_counts_at_once(pair: Pair) -> None:
    """A row that somebody changes in the store, by whatever way, is read by both."""
    token, number = issued(pair.left, "writer")
    wires = [Wire.open(at(each, "writer", token)) for each in (pair.left, pair.right)]
    before = time.monotonic()
    pair.sql("UPDATE tokens SET revoked = 1 WHERE id = %s", number)
    assert max(ended(wire) for wire in wires) - before < 2.0


def test_a_cancel_that_comes_to_the_other_node(pair: Pair) -> None:
    token, _ = issued(pair.left, "reader")
    runs, beside = (Wire.open(at(pair.left, "reader", token)) for _ in range(2))
    right = at(pair.right, "reader")

    def ask(key: bytes) -> None:
        asking = Wire.dial(right)
        asking.send(cancel_packet(key))
        assert asking.rest() == []
        asking.close()

    for wire in (runs, beside):
        wire.send(query("SELECT pg_sleep(20)"))
    wrong = runs.key[:-1] + bytes([runs.key[-1] ^ 1])
    for key in (wrong, runs.key[:4] + beside.key[4:], b"\0" * 8, b"\x7f" + runs.key[1:]):
        ask(key)
    began = time.monotonic()
    ask(runs.key)
    assert errors(runs.ready())[0]["C"] == "57014"
    assert time.monotonic() - began < 2.0
    ask(beside.key)
    assert errors(beside.ready())[0]["C"] == "57014"
    assert pair.sql("SELECT count(*) FROM errands") == [(0,)], "no proof stays in the store"
    for wire in (runs, beside):
        wire.close()


def test_sessions_of_the_other_node_are_seen_and_ended(pair: Pair) -> None:
    token, _ = issued(pair.left, "few")
    wire = Wire.open(at(pair.left, "few", token))

    def seen() -> Any:
        found = asked(pair.right, "GET", "/sessions?identity=few&open=true")[1]
        return [each for each in found if each["node"] == "left"]

    [session] = eventually(seen, "the other node's session")
    assert (session["identity"], session["resource"], session["state"]) == ("few", "alpha", "open")
    with pytest.raises(RuntimeError, match="is on node left: ask there"):
        wicket(pair.right, "sessions", "replay", session["session"])
    began = time.monotonic()
    assert api(pair.right, "DELETE", f"/sessions/{session['session']}") == 204
    assert ended(wire) - began < 2.0
    assert [each.fields["C"] for each in wire.frames if each.type == b"E"] == ["57P01"]
    eventually(lambda: not seen(), "its end")
    assert api(pair.right, "DELETE", f"/sessions/{session['session']}") == 404


def test_limits_hold_across_both(pair: Pair) -> None:
    """Many sessions on both nodes ask at once for more than there is."""
    token, _ = issued(pair.left, "few")
    got: list[int] = []

    def take(house: House) -> None:
        for _ in range(6):
            try:
                with Wire.open(at(house, "few", token)) as wire:
                    frames = wire.ask("SELECT n FROM generate_series(1, 50) AS n")
                    got.append(len(rows(frames)))
            except WireClosed:
                return

    asking = [threading.Thread(target=take, args=(each,)) for each in (pair.left, pair.right) * 2]
    for each in asking:
        each.start()
    for each in asking:
        each.join()
    assert 200 <= sum(got) <= 300, "a slice that lies with the other node may go unused"


def test_a_copy_on_one_node_is_known_on_the_other(pair: Pair, frail: Postgres) -> None:
    """Which column takes over a data class is told at once."""
    frail.sql(
        "CREATE TABLE public.taken (value text); GRANT ALL ON public.taken TO app_rw, app_owner;"
        "INSERT INTO public.taken VALUES ('plain words')",
        database="alpha",
    )
    try:
        wires = [
            Wire.open(at(each, "writer", issued(pair.left, "writer")[0])) for each in (pair.left, pair.right)
        ]

        def told(wire: Wire) -> list[bytes | None]:
            return [cell for (cell,) in rows(wire.ask("SELECT value FROM public.taken"))]

        for wire in wires:
            eventually(lambda wire=wire: told(wire) == [b"plain words"], "the new table")  # type: ignore[misc]
        assert not errors(wires[0].ask("INSERT INTO public.taken SELECT pin FROM vault"))
        began = time.monotonic()
        eventually(lambda: b"plain words" not in told(wires[1]), "the class that was copied")
        assert time.monotonic() - began < 2.0
    finally:
        frail.sql("DROP TABLE public.taken", database="alpha")


def test_other_keys_are_refused(pair: Pair, frail: Postgres) -> None:
    """A node whose pseudonyms would be strange to the others does not start."""
    strange = house(frail, pair.state, "strange", f"1 {os.urandom(32).hex()}\n".encode())
    try:
        with pytest.raises(RuntimeError, match=r"pseudonym.keys is not the one \(version 1\)"):
            strange.gateway.start()
    finally:
        strange.gateway.stop()
        system.remove(strange.folder)


def test_the_store_is_killed_and_comes_back(pair: Pair) -> None:
    """New sessions are refused at once; live ones end after the grace; what was revoked meanwhile is over."""
    token, number = issued(pair.left, "reader")
    kept, _ = issued(pair.left, "writer")
    wires = [Wire.open(at(each, "reader", token)) for each in (pair.left, pair.right)]
    heard = [each.gateway.log().count("other nodes are heard") for each in (pair.left, pair.right)]
    held = Wire.open(at(pair.left, "careful", issued(pair.left, "careful")[0]))
    held.send(query("SELECT count(*) FROM orders"))
    held.until(b"N")
    pair.state.kill()
    killed = time.monotonic()
    try:
        [error] = errors(held.ready())
        assert error["C"] == "57P03", "what waits for people does not run"
        for each in (pair.left, pair.right):
            eventually(lambda each=each: refused(at(each, "writer", kept)), "a refusal", 5)  # type: ignore[misc]
        assert time.monotonic() - killed < 5
        for wire in wires:
            assert not errors(wire.ask("SELECT 1")), "what is open goes on for a while"
        for wire in wires:
            assert GRACE - 1 < ended(wire) - killed < GRACE + 8
    finally:
        pair.state.start()
    pair.sql("UPDATE tokens SET revoked = 1 WHERE id = %s", number)
    for each in (pair.left, pair.right):
        eventually(lambda each=each: not refused(at(each, "writer", kept)), "the way back")  # type: ignore[misc]
        for _ in range(10):
            assert not refused(at(each, "writer", kept)), "a dead connection makes no refusal"
            assert refused(at(each, "reader", token)) == "28P01"
    for each, before in zip((pair.left, pair.right), heard, strict=True):
        # it connects again some seconds after; until then it reads every two
        eventually(lambda e=each, b=before: e.gateway.log().count("other nodes are heard") > b, "a word")  # type: ignore[misc]
    again, number = issued(pair.left, "reader")
    wire = Wire.open(at(pair.right, "reader", again))
    assert api(pair.left, "DELETE", f"/tokens/{number}") == 200
    answered = time.monotonic()
    assert ended(wire) - answered < 1.0


def refused(address: Address) -> str:
    """The code of the refusal; empty where it is let in."""
    wire = Wire.dial(address)
    try:
        found = wire.sign_in(address)
        return "" if found is None else found.fields["C"]
    finally:
        wire.close()
