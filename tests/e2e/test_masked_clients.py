"""Every transform over every type, by every client: the same masked values in text and in binary, simple and
extended, by COPY in three formats, and none of them is the value itself."""

import asyncio
import csv
import io
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import pandas
import pg8000.dbapi  # type: ignore[import-untyped]
import psycopg
import pytest
import sqlalchemy

from corpus import worlds
from e2e import wire
from e2e.house import House
from e2e.scripts import Target, node
from e2e.watch import come_in
from e2e.wire import errors, rows
from servers import system
from servers.postgres import Postgres

TRANSFORMS = {
    "redact": "redact",
    "nothing": "null",
    "last4": "last4",
    "partial": "partial",
    "truncate": "truncate",
    "year": "{truncate: year}",
    "thousand": "{truncate: 1000}",
    "pseudonym": "pseudonym",
}
"""Identity -> how its rule masks."""

COLUMNS = "t v c i2 i4 i8 n f4 f8 b u d ts tz j jb ta ia by ip m p".split()
TEXT = f"SELECT id, {', '.join(COLUMNS)} FROM treasury ORDER BY id"
SHARED = "SELECT id, t, v, i2, i4, i8, n, b, u, jb, ta FROM treasury ORDER BY id"
"""Columns of which all clients make the same kind of thing."""
TABLE = f"COPY treasury (id, {', '.join(COLUMNS)}) TO STDOUT"

Rows = list[list[Any]]


@pytest.fixture(scope="module")
def masked(server: Postgres) -> Iterator[House]:
    """A gateway with one identity for each transform."""
    rules = "rules:\n" + "\n".join(
        f"  - {{name: {name}, identities: {{groups: [{name}]}}, resources: any, account: common,"
        f" permit: [read], mask: {{secret: {transform}}}}}"
        for name, transform in TRANSFORMS.items()
    )
    folder = system.folder("wicketgate-e2e")
    made = House(folder, server, rules=rules + "\n", identities={name: name for name in TRANSFORMS})
    made.gateway.start()
    yield made
    made.gateway.stop()
    system.remove(folder)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_type_is_masked_alike_in_both_formats(masked: House, name: str) -> None:
    """And every masked value is one of its type: the client can read it."""
    peer = come_in(masked.through(name))
    simple = peer.ask(TEXT)
    texts, binaries = (
        peer.run([wire.parse("", TEXT), wire.bind(results=[form]), wire.describe_portal(), wire.execute()])
        for form in (0, 1)
    )
    peer.close()
    assert not errors([*simple, *texts, *binaries])
    assert rows(simple) == rows(texts)
    assert worlds.leaks(b"\xff".join(frame.body for frame in [*simple, *binaries])) == []
    with psycopg.connect(masked.target(name).conninfo()) as connection:
        text = connection.execute(TEXT, binary=False).fetchall()
        binary = connection.execute(TEXT, binary=True).fetchall()
    assert _plain(text) == _plain(binary)
    with psycopg.connect(masked.direct_target("reader").conninfo()) as connection:
        direct = connection.execute(TEXT).fetchall()
    same = {
        column
        for place, column in enumerate(COLUMNS, start=1)
        for one, other in zip(direct, text, strict=True)
        if one[place] is not None and one[place] == other[place]
    }
    assert same == set(), f"{name} leaves {same} as they are"
    assert [row[0] for row in text] == [1, 2, 3, 4]
    assert list(text[3][1:]) == [None] * len(COLUMNS), "NULL stays NULL"


def _asyncpg(target: Target, text: str) -> Rows:
    async def run() -> Rows:
        connection = await asyncpg.connect(
            host=target.host, port=target.port, user=target.user, password=target.password,
            database=target.database, ssl=target.context(),
        )  # fmt: skip
        try:
            return [list(row) for row in await connection.fetch(text)]
        finally:
            await connection.close()

    return asyncio.run(run())


def _pg8000(target: Target, text: str) -> Rows:
    connection = pg8000.dbapi.connect(
        user=target.user, host=target.host, port=target.port, password=target.password,
        database=target.database, ssl_context=target.context(),
    )  # fmt: skip
    cursor = connection.cursor()
    cursor.execute(text)
    found = [list(row) for row in cursor.fetchall()]
    connection.close()
    return found


def _engine(target: Target, driver: str) -> sqlalchemy.Engine:
    tls = {"sslmode": "verify-full", "sslrootcert": str(target.ca)}
    arguments = tls if driver == "psycopg" else {"ssl_context": target.context()}
    return sqlalchemy.create_engine(target.url(f"postgresql+{driver}"), connect_args=arguments)


def _sqlalchemy(target: Target, text: str) -> Rows:
    engine = _engine(target, "psycopg")
    with engine.connect() as connection:
        found = [list(row) for row in connection.execute(sqlalchemy.text(text))]
    engine.dispose()
    return found


def _pandas(target: Target, text: str) -> Rows:
    engine = _engine(target, "psycopg")
    with engine.connect() as connection:
        frame = pandas.read_sql(sqlalchemy.text(text), connection, coerce_float=False, dtype=object)
    engine.dispose()
    return [[None if _missing(cell) else cell for cell in row] for row in frame.itertuples(index=False)]


def _missing(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and cell != cell)


def _node(target: Target, text: str) -> Rows:
    return [list(row) for row in node(target, "masked.cjs", {"text": text})]


def _copied(target: Target, text: str) -> Rows:
    with psycopg.connect(target.conninfo()) as connection:
        kinds = [column.type_code for column in connection.execute(text).description or ()]
        found: list[Rows] = []
        for form in ("text", "binary"):
            listed = text.removeprefix("SELECT ").partition(" FROM ")[0]
            told = f"COPY treasury ({listed}) TO STDOUT (FORMAT {form})"
            with connection.cursor().copy(told) as copy:  # type: ignore[arg-type]
                copy.set_types(kinds)
                found.append(sorted(([*row] for row in copy.rows()), key=lambda row: int(row[0])))
    assert _plain(found[0]) == _plain(found[1])
    return found[0]


CLIENTS: dict[str, Callable[[Target, str], Rows]] = {
    "asyncpg": _asyncpg,
    "pg8000": _pg8000,
    "sqlalchemy": _sqlalchemy,
    "pandas": _pandas,
    "node-postgres": _node,
    "copy": _copied,
}


@pytest.mark.parametrize("client", CLIENTS)
def test_clients_see_the_same_masked_values(masked: House, client: str) -> None:
    for name in TRANSFORMS:
        target = masked.target(name)
        with psycopg.connect(target.conninfo()) as connection:
            expected = _plain(connection.execute(SHARED).fetchall())  # type: ignore[arg-type]
        assert _plain(CLIENTS[client](target, SHARED)) == expected, name


@pytest.mark.parametrize("name", TRANSFORMS)
def test_csv_is_what_a_query_shows(masked: House, name: str) -> None:
    peer = come_in(masked.through(name))
    expected = [[None if cell is None else cell.decode() for cell in row] for row in rows(peer.ask(TEXT))]
    copied = peer.ask(f"{TABLE} (FORMAT csv, NULL '\\N', FORCE_QUOTE *)")
    peer.close()
    body = b"".join(frame.body for frame in copied if frame.type == b"d").decode()
    found = [[None if cell == "\\N" else cell for cell in row] for row in csv.reader(io.StringIO(body))]
    assert sorted(found, key=lambda row: str(row[0])) == expected
    assert worlds.leaks(body.encode()) == []


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_copied_query_shows_no_more_than_the_query(masked: House, name: str) -> None:
    """Nothing tells the types of its columns: NULL may stand where the query shows a masked value."""
    peer = come_in(masked.through(name))
    expected = rows(peer.ask(TEXT))
    copied = peer.ask(f"COPY ({TEXT}) TO STDOUT")
    peer.close()
    found = [frame.body.rstrip(b"\n").split(b"\t") for frame in copied if frame.type == b"d"]
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        for cell, shown in zip(one, other, strict=True):
            assert cell in (b"\\N", (shown or b"").replace(b"\\", b"\\\\"))


def _plain(value: Any) -> Any:
    """A value as it compares between clients: their kinds of numbers, times and identifiers differ."""
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float | Decimal):
        return Decimal(str(value)).normalize()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat() if value.tzinfo else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, str):
        return _read(value)
    return value


def _read(text: str) -> Any:
    """Documents and numbers come as text from some clients."""
    try:
        found = json.loads(text, parse_float=Decimal)
    except ValueError:
        return text
    return _plain(found)
