"""Pipelines with members that are denied or fail: they agree with a direct run in which those cannot parse.
Nothing earlier may commit that PostgreSQL would have rolled back, nor be undone that it would not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from corpus import worlds
from e2e import scripts, wire
from e2e.house import House
from e2e.wire import FLUSH, SYNC, Address, Frame, Wire
from servers.postgres import Postgres

DENIED = "DROP TABLE audit"
"""What a writer may not do; a direct run has text that can't parse in its place."""
BROKEN = "DRAP TABLE audit"
Batch = Sequence[bytes]


def q(text: str) -> bytes:
    return wire.query(text)


def x(text: str, *values: str, name: str = "", portal: str = "", rows: int = 0) -> bytes:
    """One statement as drivers send it: Parse, Bind, Describe, Execute."""
    return b"".join(
        (
            wire.parse(name, text),
            wire.bind(portal, name, values),
            wire.describe_portal(portal),
            wire.execute(portal, rows),
        )
    )


def again(name: str, *values: str, portal: str = "", rows: int = 0) -> bytes:
    """A prepared statement once more: Bind, Execute."""
    return wire.bind(portal, name, values) + wire.execute(portal, rows)


def note(body: str) -> str:
    return f"INSERT INTO notes (body) VALUES ('{body}')"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """batches: each sent in one write and answered before the next.

    skipped: strings among them that the server passes over, behind an error in a unit that has no Sync yet.
    """

    name: str
    batches: tuple[Batch, ...]
    skipped: int = 0


def _p(name: str, *batches: Batch, skipped: int = 0) -> Pipeline:
    return Pipeline(name, batches, skipped)


PIPELINES = (
    _p("denied alone", [x(DENIED), SYNC]),
    _p("denied first", [x(DENIED), x(note("a")), SYNC]),
    _p("denied last: what came before is undone", [x(note("a")), x(note("b")), x(DENIED), SYNC]),
    _p("denied in the middle", [x(note("a")), x(DENIED), x(note("b")), SYNC]),
    _p("denied, then another unit", [x(note("a")), x(DENIED), SYNC, x(note("b")), SYNC]),
    _p("a unit, then denied", [x(note("a")), SYNC, x(DENIED), SYNC, x(note("c")), SYNC]),
    _p("denied twice in one unit", [x(DENIED), x(DENIED), SYNC]),
    _p("denied in every unit", [x(DENIED), SYNC, x(DENIED), SYNC, x(DENIED), SYNC]),
    _p("fails before denied", [x(note("a")), x("SELECT 1/0"), x(DENIED), SYNC, x(note("b")), SYNC]),
    _p("fails after denied", [x(DENIED), x("SELECT 1/0"), SYNC]),
    _p("can't parse, then denied", [x("SELEC 1"), x(DENIED), SYNC]),
    _p(
        "block: denied aborts it",
        [x("BEGIN"), SYNC, x(note("a")), x(DENIED), SYNC, x(note("b")), SYNC, x("COMMIT"), SYNC],
    ),
    _p("block in one unit", [x("BEGIN"), x(note("a")), x(DENIED), x("COMMIT"), SYNC, x("COMMIT"), SYNC]),
    _p(
        "block: COMMIT in the unit before denied",
        [x("BEGIN"), x(note("a")), x("COMMIT"), x(note("b")), x(DENIED), SYNC],
    ),
    _p(
        "savepoint: back to it after denied",
        [
            x("BEGIN"),
            x(note("a")),
            x("SAVEPOINT s"),
            SYNC,
            x(note("b")),
            x(DENIED),
            SYNC,
            x("ROLLBACK TO s"),
            x(note("c")),
            x("COMMIT"),
            SYNC,
        ],
    ),
    _p(
        "block that has failed: denied is skipped like all",
        [q("BEGIN; SELECT 1/0"), x(DENIED), SYNC, q("ROLLBACK")],
    ),
    _p("string with a denied member", [q(f"{note('a')}; {DENIED}; {note('b')}"), q("SELECT 1")]),
    _p("string: denied after COMMIT", [q(f"BEGIN; {note('a')}; COMMIT; {DENIED}")]),
    _p("string: denied inside a block", [q("BEGIN"), q(f"{note('a')}; {DENIED}"), q("COMMIT")]),
    _p("strings in one write", [q(note("a")), q(DENIED), q(note("b")), q("SELECT 1/0"), q("SELECT 2")]),
    _p("string between units", [x(note("a")), SYNC, q(DENIED), x(note("b")), SYNC]),
    _p("string behind an open unit", [x(note("a")), q(DENIED), SYNC]),
    _p("string behind a denied unit", [x(note("a")), x(DENIED), q(note("b")), SYNC], skipped=1),
    _p("named: denied Parse leaves no name", [wire.parse("n", DENIED), SYNC, again("n"), SYNC]),
    _p(
        "named: an earlier one lives on",
        [x(note("a"), name="n"), SYNC, x(DENIED), SYNC, again("n"), SYNC],
    ),
    _p(
        "named: Parse of a name in use behind denied is skipped",
        [wire.parse("n", "SELECT 1"), SYNC, x(DENIED), wire.parse("n", "SELECT 2"), SYNC, again("n"), SYNC],
    ),
    _p(
        "named: a skipped Parse is not there",
        [
            x(DENIED),
            wire.parse("n", "SELECT 1"),
            SYNC,
            again("n"),
            SYNC,
            wire.parse("n", "SELECT 3"),
            again("n"),
            SYNC,
        ],
    ),
    _p(
        "named: a skipped Close closes nothing",
        [wire.parse("n", "SELECT 1"), SYNC, x(DENIED), wire.close_statement("n"), SYNC, again("n"), SYNC],
    ),
    _p(
        "unnamed: behind denied it stays what it was",
        [
            wire.parse("", "SELECT 1"),
            SYNC,
            wire.parse("n", DENIED),
            wire.parse("", "SELECT 2"),
            SYNC,
            again(""),
            SYNC,
        ],
    ),
    _p(
        "portal: rows left over when denied comes",
        [
            x("BEGIN"),
            SYNC,
            x("SELECT id FROM orders ORDER BY id", portal="p", rows=2),
            x(DENIED),
            SYNC,
            wire.execute("p", 2),
            SYNC,
            x("ROLLBACK"),
            SYNC,
        ],
    ),
    _p(
        "portal: resumed in its unit",
        [
            x("SELECT id FROM orders ORDER BY id", portal="p", rows=2),
            wire.execute("p", 2),
            x(DENIED),
            wire.execute("p", 2),
            SYNC,
        ],
    ),
    _p("Flush before denied", [x(note("a")), FLUSH, x(DENIED), FLUSH, x(note("b")), SYNC]),
    _p("describe of a denied one", [wire.parse("n", DENIED), wire.describe_statement("n"), SYNC]),
    _p(
        "parameters",
        [x("INSERT INTO notes (body) VALUES ($1)", "one"), x("SELECT $1::int", "no number"), x(DENIED), SYNC],
    ),
    _p("empty statements around denied", [x(""), x(DENIED), x(""), SYNC, x(""), SYNC]),
    _p("only Sync after denied", [x(DENIED), SYNC, SYNC, SYNC]),
    _p(
        "COPY behind denied",
        [
            q(DENIED),
            q("COPY notes (body) FROM STDIN"),
            wire.copy_data("copied\n"),
            wire.COPY_DONE,
            q("SELECT 1"),
        ],
    ),
    _p(
        "COPY that fails, then denied",
        [
            q("COPY notes (body) FROM STDIN"),
            wire.copy_data("lost\n"),
            wire.copy_fail(),
            q(DENIED),
            q(note("a")),
        ],
    ),
    _p("a deferred error at COMMIT", [q("BEGIN"), q(note("a")), x(DENIED), SYNC, q("COMMIT"), q(note("b"))]),
    _p(
        "two batches of one block",
        [x("BEGIN"), x(note("a")), SYNC],
        [x(DENIED), SYNC, x("ROLLBACK"), x(note("z")), SYNC],
    ),
    _p(
        "read only block",
        [q("BEGIN READ ONLY"), x("SELECT 1"), x(note("a")), SYNC, x(DENIED), SYNC, q("ROLLBACK")],
    ),
)


@pytest.fixture
def clean(server: Postgres) -> Iterator[None]:
    yield
    for world in (worlds.ALPHA, worlds.BRAVO):
        server.sql("DELETE FROM notes WHERE id > 2; DELETE FROM audit", database=world)


def _kept(server: Postgres, world: str) -> list[tuple[Any, ...]]:
    """What is committed."""
    return server.sql("SELECT body FROM notes ORDER BY body", database=world) + server.sql(
        "SELECT to_regclass('audit')::text", database=world
    )


def _run(address: Address, batches: Sequence[Batch], skipped: int) -> tuple[list[tuple[bytes, Any]], bytes]:
    """The frames as they compare, and the state of the transaction at the end."""
    with Wire.open(address) as client:
        before = len(client.frames)
        for batch in batches:
            client.send(*batch)
            for _ in range(sum(map(_answers, batch)) - skipped):
                client.ready()
        status = client.status
        client.run([])
        return [_plain(frame) for frame in client.frames[before:]], status


def _answers(message: bytes) -> int:
    """ReadyForQuery frames that a message of a batch brings: our batches hold whole statements."""
    return 1 if message == SYNC or message[:1] == b"Q" else 0


def _plain(frame: Frame) -> tuple[bytes, Any]:
    """A frame without what the denial may differ in: its SQLSTATE, words and place."""
    if frame.type != b"E":
        return frame.type, frame.body
    fields = frame.fields
    if fields["C"] in ("42501", "42601"):
        return b"E", (fields["S"], "denied, or can't parse")
    return b"E", (fields["S"], fields["C"], fields["M"])


def _instead(batches: Sequence[Batch]) -> list[list[bytes]]:
    """The same with text that can't parse in place of what is denied. Both are of the same length."""
    assert len(DENIED) == len(BROKEN)
    return [[message.replace(DENIED.encode(), BROKEN.encode()) for message in batch] for batch in batches]


def test_the_table_has_what_it_promises() -> None:
    assert len({pipeline.name for pipeline in PIPELINES}) == len(PIPELINES) >= 40


@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda pipeline: pipeline.name)
def test_it_agrees_with_a_direct_run(house: House, clean: None, pipeline: Pipeline) -> None:
    around = _run(house.around("writer", worlds.BRAVO), _instead(pipeline.batches), pipeline.skipped)
    through = _run(house.through("writer", worlds.ALPHA), pipeline.batches, pipeline.skipped)
    assert through == around
    assert _kept(house.server, worlds.ALPHA) == _kept(house.server, worlds.BRAVO)


def test_a_denied_parse_ends_the_unnamed_statement(house: House) -> None:
    """As the server's own error would: it forgets the earlier one before it reads another."""
    with Wire.open(house.through("writer")) as client:
        client.run([wire.parse("", "SELECT 'earlier'")])
        assert [each["C"] for each in wire.errors(client.run([wire.parse("", DENIED)]))] == ["42501"]
        assert [each["C"] for each in wire.errors(client.run([again("")]))] == ["26000"]


# -- psycopg's pipeline mode ---------------------------------------------------------------------------------
SCRIPTS: dict[str, tuple[str, ...]] = {
    "denied in the middle": (note("a"), DENIED, note("b")),
    "denied between syncs": (note("a"), "sync", DENIED, "sync", note("b"), "SELECT 2"),
    "denied last": ("SELECT 1", note("a"), DENIED),
    "a failure and a denial": (note("a"), "sync", "SELECT 1/0", DENIED, "sync", "SELECT 3"),
    "a block that is aborted": (
        "BEGIN",
        note("a"),
        "sync",
        DENIED,
        "sync",
        note("b"),
        "sync",
        "ROLLBACK",
        "sync",
        "SELECT 4",
    ),
    "a block that is committed": ("BEGIN", note("a"), "COMMIT", "sync", DENIED, "sync", "SELECT 5"),
}


def _piped(target: scripts.Target, script: Sequence[str], autocommit: bool) -> list[Any]:
    """What went wrong at all, and what each statement came to.

    When psycopg raises, and how often it tells that the pipeline is aborted, hangs on the moment at which
    answers come: that is left out."""
    wrong: set[str] = set()
    with psycopg.connect(target.conninfo(), autocommit=autocommit) as connection:
        cursors = []
        try:
            with connection.pipeline() as pipeline:
                for text in script:
                    try:
                        if text == "sync":
                            pipeline.sync()
                        else:
                            cursors.append(connection.cursor())
                            cursors[-1].execute(text.encode())
                    except psycopg.Error as error:
                        wrong.add(_kind(error))
        except psycopg.Error as error:
            wrong.add(_kind(error))
        told: list[Any] = [
            (cursor.statusmessage, cursor.description and cursor.fetchall()) for cursor in cursors
        ]
        told.append(connection.info.transaction_status.name)
        connection.rollback()
        told.append(connection.execute("SELECT 'goes on'").fetchall())
    return [wrong - {"PipelineAborted"}, *told]


def _kind(error: psycopg.Error) -> str:
    if isinstance(error, psycopg.errors.InsufficientPrivilege | psycopg.errors.SyntaxError):
        return "denied, or can't parse"
    return type(error).__name__


@pytest.mark.parametrize("autocommit", [True, False], ids=["autocommit", "transaction"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_psycopg_agrees_with_a_direct_run(house: House, clean: None, name: str, autocommit: bool) -> None:
    script = SCRIPTS[name]
    direct = [BROKEN if text == DENIED else text for text in script]
    around = _piped(house.direct_target("writer", worlds.BRAVO), direct, autocommit)
    assert _piped(house.target("writer", worlds.ALPHA), script, autocommit) == around
    assert _kept(house.server, worlds.ALPHA) == _kept(house.server, worlds.BRAVO)
