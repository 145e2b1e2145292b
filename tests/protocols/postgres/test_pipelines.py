"""Random pipelines on a real PostgreSQL, through the conversation and around it.

Each denied statement is replaced, on the direct side, by one that fails: what the client sees of state, and
what is committed in the end, must be the same.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocols.postgres import playbook as p
from protocols.postgres.live import sign_in
from protocols.postgres.rehearsal import frames
from servers.postgres import Postgres
from servers.postgres import password as password_of
from wicketgate.model.resource import TlsMode
from wicketgate.model.secret import Secret
from wicketgate.protocols.base import CatalogAccess, Connected
from wicketgate.protocols.conversing import Setting
from wicketgate.protocols.postgres.catalog import read_catalog
from wicketgate.protocols.postgres.conversation import PostgresConversation
from wicketgate.protocols.postgres.frames import frame_end
from wicketgate.protocols.postgres.names import Names
from wicketgate.sql.catalog import Catalog, load

SENSITIVE = {"public.customers.email": "email", "public.customers.ssn": "national-id", "s2.t.value": "ssn"}
TABLE = "pipeline"
FAILS = "SELECT 1/0"
LIMIT = 3


class Line:
    """A socket to the server; `ask` sends and reads up to `states` ReadyForQuery messages."""

    def __init__(self, server: Postgres) -> None:
        caller, self.link = sign_in(server, "app_rw", TlsMode.VERIFY_FULL, {})
        assert isinstance(caller.outcome, Connected)
        self.session = caller.outcome.session
        self.rest = caller.rest()

    def read(self) -> bytes:
        data = self.link.recv(65536)
        assert data, "the server closed the connection"
        return data

    def close(self) -> None:
        self.link.sendall(p.TERMINATE)
        self.link.close()


class Direct:
    """The client speaks to the server itself."""

    def __init__(self, server: Postgres) -> None:
        self.line = Line(server)

    def play(self, data: bytes, states: int) -> list[tuple[str, bytes]]:
        self.line.link.sendall(data)
        found = b""
        while count_ready(found) < states:
            found += self.line.read()
        return frames(found)

    def close(self) -> None:
        self.line.close()


class Through:
    """The client speaks to the server through a conversation."""

    def __init__(self, server: Postgres, catalog: Catalog) -> None:
        self.line = Line(server)
        self.desk = p.FakeDesk()
        self.desk.deny.add(b"denied")
        self.host = p.FakeHost(catalog)
        session = self.line.session
        names = Names(catalog, session.user, session.database, False)
        setting = Setting(p.ADMISSION, self.desk, self.host, None, session, (1, b"proof"))
        path = session.parameters.get("search_path")
        self.talk = PostgresConversation(setting, names, b"", b"", path)

    def play(self, data: bytes, states: int) -> list[tuple[str, bytes]]:
        self.talk.receive_client(data)
        found = b""
        while True:
            found += self.talk.to_client()
            if count_ready(found) >= states:
                return frames(found)
            assert self.talk.over is None, frames(found)
            out = self.talk.to_upstream()
            if out:
                self.line.link.sendall(out)
            while self.desk.leasing:
                self.desk.leasing.pop()(p.NO)
            while self.host.resumes:
                self.host.resumes.pop()()
            out = self.talk.to_upstream()
            if out:
                self.line.link.sendall(out)
            found += self.talk.to_client()
            if count_ready(found) >= states:
                return frames(found)
            self.talk.receive_upstream(self.line.read())

    def close(self) -> None:
        self.talk.client_gone()
        assert self.desk.open == {}
        self.line.close()


def count_ready(data: bytes) -> int:
    count = at = 0
    while at < len(data):
        end = frame_end(data, at, 1 << 30)
        if end == 0 or end > len(data):
            break
        count += data[at] == 90
        at = end
    return count


class House:
    def __init__(self, server: Postgres) -> None:
        self.server = server
        server.sql(f"DROP TABLE IF EXISTS {TABLE}; CREATE TABLE {TABLE} (n int CHECK (n <> 13))")
        server.sql(f"GRANT ALL ON {TABLE} TO app_rw")
        access = CatalogAccess(
            p.Resource(
                "sales",
                "postgres",
                "localhost",
                server.port,
                ("sales",),
                TlsMode.VERIFY_FULL,
                {},
                ca_file=str(server.authority.root),
            ),
            p.Account("rw", "app_rw", p.ACCOUNT.credential, "1"),
            "sales",
            Secret(password_of("app_rw").encode()),
        )
        self.catalog = load(asyncio.run(read_catalog(access)), SENSITIVE, {})
        self.beside = server.connect()
        self.direct = Direct(server)
        self.through = Through(server, self.catalog)

    def rows(self) -> list[int]:
        return [n for (n,) in self.beside.execute(f"SELECT n FROM {TABLE} ORDER BY n").fetchall()]

    def empty(self) -> None:
        self.beside.execute(f"TRUNCATE {TABLE}")

    def again(self) -> None:
        """New connections, as after a test that left them in doubt."""
        self.direct = Direct(self.server)
        self.through = Through(self.server, self.catalog)


@pytest.fixture(scope="module", params=["postgres15", "postgres18"])
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    server = request.getfixturevalue(request.param)
    found = House(server)
    yield found
    found.direct.close()
    found.through.close()
    found.beside.close()
    server.sql(f"DROP TABLE {TABLE}")


# -- what is played ----------------------------------------------------------------------------------------
STATEMENTS = [
    f"INSERT INTO public.{TABLE} VALUES (%d)",
    f"INSERT INTO public.{TABLE} VALUES (%d) RETURNING n",
    f"DELETE FROM public.{TABLE} WHERE n = %d",
    f"INSERT INTO public.{TABLE} VALUES (13)",
    FAILS,
    "denied",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT a",
    "ROLLBACK TO a",
    "RELEASE a",
    "SELECT id FROM public.orders ORDER BY id",
    "SELECT n FROM public.pipeline WHERE n = %d",
    "SET search_path = s1",
    "SET search_path = public",
    "SET LOCAL search_path = s1",
    "DECLARE c CURSOR FOR SELECT id FROM public.orders ORDER BY id",
    "FETCH 2 FROM c",
    "CLOSE c",
    "PREPARE q AS SELECT id FROM public.orders ORDER BY id",
    "EXECUTE q",
    "DEALLOCATE q",
    "",
]


ALONE = [text for text in STATEMENTS if not text.startswith(("FETCH", "EXECUTE"))]
"""What may stand in a string of several: one that names what is missing is replaced whole, and runs in part
directly."""


@st.composite
def statement(draw: st.DrawFn, statements: list[str] = STATEMENTS) -> str:
    text: str = draw(st.sampled_from(statements))
    return text % draw(st.integers(20, 30)) if "%d" in text else text


@st.composite
def unit(draw: st.DrawFn) -> tuple[Any, ...]:
    kind = draw(st.sampled_from(["query", "query", "several", "extended", "extended", "extended", "mixed"]))
    if kind == "query":
        return ("query", draw(statement()))
    if kind == "several":
        return ("query", ";".join(draw(st.lists(statement(ALONE), min_size=2, max_size=4))))
    steps = []
    for _ in range(draw(st.integers(1, 4))):
        text = draw(statement())
        steps.append(
            (
                text,
                draw(st.sampled_from(["", "", "p1"])),
                draw(st.sampled_from(["", "", "s1", "s2"])),
                draw(st.booleans()),
                draw(st.sampled_from([0, 0, 1])),
                draw(st.sampled_from(["whole", "whole", "whole", "bind", "close", "flush"])),
            )
        )
    return (kind, tuple(steps), draw(statement()))


def bytes_of(units: list[tuple[Any, ...]], denied: str) -> tuple[bytes, int]:
    """The client's bytes, and how many ReadyForQuery messages answer them."""
    found = b""
    for each in units:
        if each[0] == "query":
            found += p.query(each[1].replace("denied", denied))
            continue
        for text, portal, name, asks, most, how in each[1]:
            if how == "close":
                found += p.close(name)
            if how != "bind":
                found += p.parse(text.replace("denied", denied), name)
            found += p.bind(name, portal)
            if asks:
                found += p.describe(portal)
            found += p.execute(portal, most)
            if how == "flush":
                found += p.FLUSH
        if each[0] == "mixed":
            found += p.query(each[2].replace("denied", denied))
        found += p.SYNC
    # a skipped Query is answered by no ReadyForQuery, so the end is told by a Query of its own
    return found, 0


END = "SELECT 4711"


def play(side: Direct | Through, data: bytes) -> list[tuple[str, bytes]]:
    """Play, and read until the answer of a last Query is there; that is left out."""
    mark = p.row("4711")
    data += p.SYNC + p.query("ROLLBACK") + p.query(END)
    found: list[tuple[str, bytes]] = []
    states = 1
    found = side.play(data, states)
    while ("D", mark[5:]) not in found or found[-1][0] != "Z":
        found += side.play(b"", 1)
    return found


def shape(found: list[tuple[str, bytes]]) -> list[str]:
    """What a client makes of it: rows, tags, states; of errors only that they are there.

    The gateway may tell earlier, at Parse, that a name is missing: so nothing is said of other answers.
    """
    told = []
    for kind, body in found:
        if kind in "CZ":
            told.append(kind + body.decode())
        elif kind == "D":
            told.append(kind + body[2:].decode("latin-1"))
        elif kind == "E":
            told.append(kind)
    return told


def check(house: House, units: list[tuple[Any, ...]]) -> None:
    results = []
    for side, denied in ((house.direct, FAILS_TO_PARSE), (house.through, "denied")):
        house.empty()
        data, _ = bytes_of(units, denied)
        reset = p.query("RESET search_path") + p.query("DEALLOCATE ALL")
        found = play(side, data)
        rows = house.rows()
        results.append((shape(found), rows))
        play(side, reset)
    assert results[1] == results[0]


FAILS_TO_PARSE = "this does not parse"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(units=st.lists(unit(), min_size=1, max_size=5))
def test_a_pipeline_does_what_it_does_directly(house: House, units: list[tuple[Any, ...]]) -> None:
    try:
        check(house, units)
    except BaseException:
        house.again()
        raise
    assert house.through.desk.open == {}


# -- limits: what the client believes failed must not be there ---------------------------------------------
GIVES = [
    f"INSERT INTO public.{TABLE} SELECT generate_series(1, %d) RETURNING n",
    f"INSERT INTO public.{TABLE} SELECT generate_series(1, %d)",
    "SELECT id FROM public.orders LIMIT %d",
]
limited_units = st.one_of(
    st.sampled_from([("BEGIN",), ("COMMIT",), ("ROLLBACK",)]).map(lambda texts: (True, texts)),
    st.tuples(
        st.booleans(),
        st.lists(
            st.tuples(st.sampled_from(GIVES), st.integers(1, 2 * LIMIT)).map(
                lambda found: found[0] % found[1]
            ),
            min_size=1,
            max_size=3,
        ).map(tuple),
    ),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(units=st.lists(limited_units, min_size=1, max_size=6))
def test_nothing_stays_that_a_limit_made_fail(
    house: House, units: list[tuple[bool, tuple[str, ...]]]
) -> None:
    """The server always finishes before a cancel reaches it: the hardest case."""
    house.empty()
    side = house.through
    side.desk.rows = LIMIT
    kept: list[int] = []
    open_ones: list[int] = []
    try:
        for simple, texts in [*units, (True, ("ROLLBACK",))]:
            if simple:
                data = p.query("; ".join(texts))
            else:
                data = b"".join(p.parse(text) + p.bind() + p.execute() for text in texts) + p.SYNC
            found = side.play(data, 1)
            failed = any(kind == "E" for kind, _ in found)
            tags = [body for kind, body in found if kind == "C"]
            state = found[-1][1]
            written = [n for text in texts if "INSERT" in text for n in range(1, count_of(text) + 1)]
            if b"COMMIT\0" in tags or b"ROLLBACK\0" in tags:
                kept += open_ones if b"COMMIT\0" in tags else []
                open_ones = []
            elif failed:
                open_ones = []
            elif state == b"I":
                kept += written
            else:
                open_ones += written
        assert house.rows() == sorted(kept)
        assert side.desk.open == {}
    except BaseException:
        house.again()
        raise
    finally:
        house.through.desk.rows = None


def count_of(text: str) -> int:
    return int(text.partition("generate_series(1, ")[2].partition(")")[0])
