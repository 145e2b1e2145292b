"""What fails by itself fails through the gateway as it does directly: code, words, place, transaction state.
The same bytes go both ways; nothing here is denied by a rule."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from corpus import worlds
from e2e import wire
from e2e.house import House
from e2e.wire import COPY_DONE, FLUSH, SYNC, Address, Frame, Wire
from servers.postgres import Postgres

Steps = Sequence[bytes]


def q(text: str) -> bytes:
    return wire.query(text)


def p(text: str, name: str = "") -> list[bytes]:
    return [wire.parse(name, text), SYNC]


SYNTAX = (
    "SELEC 1",
    "SELECT",
    "SELECT 1 +",
    "SELECT (1",
    "SELECT 1 FROM\n  orders WHERE WHERE id = 1",
    "SELECT 'größer', 'Ωμέγα' FRO orders o x",
    "SELECT '\U0001f600' AS a b c",
    "SELECT 1; SELEC 2",
    "SELECT 'never ends",
    'SELECT "never ends',
    "SELECT $tag$ never ends",
    "/* never ends",
    "SELECT 1 AS select from",
    "SELECT 1a FROM orders ORDER ORDER",
    "INSERT INTO notes VALUES (1,)",
)
NAMES: dict[str, Steps] = {
    "EXECUTE": [q("EXECUTE nosuch")],
    "EXECUTE with values": [q("EXECUTE nosuch(1, 'x')")],
    "EXPLAIN EXECUTE": [q("EXPLAIN EXECUTE nosuch")],
    "FETCH": [q("FETCH 1 FROM nosuch")],
    "MOVE": [q("MOVE 1 FROM nosuch")],
    "CLOSE": [q("CLOSE nosuch")],
    "DEALLOCATE": [q("DEALLOCATE nosuch")],
    "Bind": [wire.bind("", "nosuch"), wire.execute(), SYNC],
    "Bind of the unnamed": [wire.bind("", ""), wire.execute(), SYNC],
    "Describe of a statement": [wire.describe_statement("nosuch"), SYNC],
    "Describe of the unnamed statement": [wire.describe_statement(""), SYNC],
    "Describe of a portal": [wire.describe_portal("nosuch"), SYNC],
    "Describe of the unnamed portal": [wire.describe_portal(""), SYNC],
    "Execute": [wire.execute("nosuch"), SYNC],
    "Execute of the unnamed": [wire.execute(""), SYNC],
    "Close of a statement": [wire.close_statement("nosuch"), SYNC],
    "Close of a portal": [wire.close_portal("nosuch"), SYNC],
    "two commands in a Parse": [wire.parse("", "SELECT 1; SELECT 2"), SYNC],
    "a name twice": [wire.parse("n", "SELECT 1"), wire.parse("n", "SELECT 2"), SYNC],
    "a portal after its block": [
        wire.parse("", "SELECT 1"),
        wire.bind("c"),
        SYNC,
        wire.execute("c"),
        SYNC,
    ],
}
EARLY: dict[str, Steps] = {
    "EXECUTE in a Parse": [wire.parse("", "EXECUTE nosuch"), wire.bind(), wire.execute(), SYNC],
    "FETCH in a Parse": [wire.parse("", "FETCH 1 FROM nosuch"), wire.bind(), wire.execute(), SYNC],
    "EXECUTE after what works": [q("SELECT 1; EXECUTE nosuch; SELECT 2")],
}
"""Through the gateway the same error comes before anything of the unit, or of its Bind, has run."""
STATES: dict[str, Steps] = {
    "names in flight behind what fails the block": [
        q("BEGIN"),
        q("SELECT 1/0"),
        q("EXECUTE nosuch"),
        q("FETCH nosuch"),
        q("ROLLBACK"),
        q("EXECUTE nosuch"),
    ],
    "a string's implicit transaction is undone": [
        q("INSERT INTO notes (body) VALUES ('a'); SELECT 1/0; INSERT INTO notes (body) VALUES ('b')"),
        q("SELECT count(*) FROM notes"),
    ],
    "a string that commits before it fails": [
        q("BEGIN; INSERT INTO notes (body) VALUES ('a'); COMMIT; SELECT 1/0; SELECT 2"),
        q("SELECT count(*) FROM notes"),
    ],
    "a string that fails in a block": [q("BEGIN"), q("SELECT 1; SELECT 1/0"), q("SELECT 1"), q("COMMIT")],
    "an empty string": [q(""), q(" ; ; ")],
    "Sync alone, twice": [SYNC, SYNC],
    "Flush without Sync": [wire.parse("", "SELECT 1"), wire.bind(), wire.execute(), FLUSH, SYNC],
    "an error, Flush, then Sync": [
        wire.parse("", "SELECT 1/0"),
        wire.bind(),
        FLUSH,
        wire.execute(),
        FLUSH,
        SYNC,
    ],
    "COPY in": [q("COPY notes (body) FROM STDIN"), wire.copy_data("a\nb\n"), COPY_DONE],
    "COPY that is cut": [q("COPY notes (body) FROM STDIN"), wire.copy_data("a\tb\n"), COPY_DONE],
    "COPY into nothing": [q("COPY nosuch FROM STDIN"), wire.copy_data("a\n"), COPY_DONE, SYNC],
    "COPY into nothing, with more behind": [
        q("COPY nosuch FROM STDIN"),
        *(wire.copy_data("a\n") for _ in range(50)),
        wire.copy_fail(),
        q("SELECT 1"),
    ],
    "COPY data out of nowhere": [wire.copy_data("a\n"), COPY_DONE, wire.copy_fail(), q("SELECT 1")],
}


def _seen(address: Address, steps: Steps) -> list[tuple[bytes, Any]]:
    with Wire.open(address) as client:
        before = len(client.frames)
        client.send(*steps)
        for step in steps:
            if step == SYNC or step[:1] == b"Q":
                client.ready()
        client.ask("ROLLBACK")
        return [_plain(frame) for frame in client.frames[before:]]


def _plain(frame: Frame) -> tuple[bytes, Any]:
    if frame.type == b"N":
        return b"N", frame.fields["C"]
    if frame.type != b"E":
        return frame.type, frame.body
    return b"E", {key: value for key, value in frame.fields.items() if key in "SVCMP"}


def _agree(house: House, steps: Steps) -> list[tuple[bytes, Any]]:
    around = _seen(house.around("writer", worlds.BRAVO), steps)
    through = _seen(house.through("writer", worlds.ALPHA), steps)
    assert through == around
    return around


@pytest.fixture
def clean(server: Postgres) -> Iterator[None]:
    yield
    for world in (worlds.ALPHA, worlds.BRAVO):
        server.sql("DELETE FROM notes WHERE id > 2", database=world)


@pytest.mark.parametrize("text", SYNTAX)
def test_what_does_not_parse(house: House, text: str) -> None:
    """With its place, in characters, so that a client shows where."""
    for steps in ([q(text)], p(text)):
        seen = _agree(house, steps)
        assert all("P" in fields for kind, fields in seen if kind == b"E" and fields["C"] == "42601") or (
            "multiple commands" in str(seen)
        )


@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_not_there(house: House, name: str) -> None:
    _agree(house, NAMES[name])


@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_not_there_in_a_failed_block(house: House, name: str) -> None:
    with (
        Wire.open(house.around("writer", worlds.BRAVO)) as around,
        Wire.open(house.through("writer", worlds.ALPHA)) as through,
    ):
        seen = []
        for client in (around, through):
            client.ask("BEGIN; SELECT 1/0")
            before = len(client.frames)
            client.send(*NAMES[name])
            for step in NAMES[name]:
                if step == SYNC or step[:1] == b"Q":
                    client.ready()
            client.ask("ROLLBACK")
            seen.append([_plain(frame) for frame in client.frames[before:]])
        assert seen[1] == seen[0]


@pytest.mark.parametrize("name", STATES)
def test_states(house: House, clean: None, name: str) -> None:
    _agree(house, STATES[name])


@pytest.mark.parametrize("name", EARLY)
def test_names_that_are_looked_up_early(house: House, name: str) -> None:
    steps = EARLY[name]
    told = []
    for address in (house.around("writer", worlds.BRAVO), house.through("writer", worlds.ALPHA)):
        seen = _seen(address, steps)
        told.append([frame for frame in seen if frame[0] in (b"E", b"Z")])
    assert told[0] == told[1]


COPY = "COPY notes (body) FROM STDIN"
DATA = [wire.copy_data("lost\n")] * 3
UNDER_COPY: dict[str, tuple[Steps, list[str]]] = {
    "a string": ([q(COPY), *DATA, COPY_DONE, q("SELECT 1")], ["42501"]),
    "a string that fails on the client": ([q(COPY), *DATA, wire.copy_fail(), q("SELECT 1")], ["42501"]),
    "with Sync behind, as drivers do": ([q(COPY), *DATA, COPY_DONE, SYNC, q("SELECT 1")], ["42501"]),
    "a unit": (
        [wire.parse("", COPY), wire.bind(), wire.execute(), *DATA, COPY_DONE, SYNC, q("SELECT 1")],
        ["42501"],
    ),
    "in a string with others": (
        [q(f"SELECT 1; {COPY}; SELECT 2"), *DATA, COPY_DONE, q("SELECT 1")],
        ["42501"],
    ),
}


@pytest.mark.parametrize("name", UNDER_COPY)
def test_copy_that_is_denied(house: House, server: Postgres, name: str) -> None:
    """The client may have sent its data already: nobody takes it for anything else."""
    steps, codes = UNDER_COPY[name]
    with Wire.open(house.through("reader")) as client:
        before = len(client.frames)
        client.send(*steps)
        for step in steps:
            if step == SYNC or step[:1] == b"Q":
                client.ready()
        seen = client.frames[before:]
        assert [fields["C"] for fields in wire.errors(seen)] == codes
        assert wire.rows(seen) == [[b"1"]]
        assert client.status == b"I"
        assert wire.rows(client.ask("SELECT 2")) == [[b"2"]]
    assert server.sql("SELECT count(*) FROM notes WHERE body = 'lost'", database=worlds.ALPHA) == [(0,)]


def test_function_calls_by_oid_are_refused_in_protocol(house: House) -> None:
    call = wire.function_call(1598)
    with Wire.open(house.through("writer")) as client:
        for state in (b"I", b"T", b"E"):
            if state == b"T":
                client.ask("BEGIN")
            client.send(call)
            seen = client.ready()
            assert [frame.type for frame in seen] == [b"E", b"Z"]
            assert seen[0].fields["C"] == "0A000"
            assert "Call the function in a SELECT." in seen[0].fields["H"]
            assert client.status == (b"I" if state == b"I" else b"E")
        client.ask("ROLLBACK")
        assert wire.rows(client.ask("SELECT 2")) == [[b"2"]]


SCRIPT = """\
SELECT 1,
  'größer' FRM orders o x;
DROP TABLE audit;
\\errverbose
SELECT 'goes on';
"""


def test_psql_shows_where_and_why(house: House) -> None:
    """psql's caret under the word, and \\errverbose of a denial with its SQLSTATE, detail and hint."""
    done = subprocess.run(
        ["psql", "-X", "-At"],
        input=SCRIPT,
        capture_output=True,
        text=True,
        env=house.target("reader").environment(),
        timeout=60,
        check=False,
    )
    assert done.stdout == "goes on\n"
    told = done.stderr.splitlines()
    at = next(number for number, line in enumerate(told) if line.startswith("LINE 2:"))
    assert told[at + 1].index("^") == told[at].index("orders")
    assert "ERROR:  42501: " in done.stderr
    with Wire.open(house.through("reader")) as client:
        (denied,) = wire.errors(client.ask("DROP TABLE audit"))
    assert (denied["S"], denied["V"], denied["C"]) == ("ERROR", "ERROR", "42501")
    assert denied["M"] in done.stderr
    assert f"HINT:  {denied['H']}" in done.stderr
