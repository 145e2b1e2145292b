"""Which column stands where, held against real servers: random joins, aliases, stars, WITH queries, set
operations and RETURNING, where every base column has a class of its own."""

import asyncio
import random
from collections.abc import Iterator

import psycopg
import pytest

from servers.postgres import Postgres
from sql.conftest import access
from wicketgate.protocols.postgres.catalog import read_catalog
from wicketgate.sql.catalog import Catalog, load
from wicketgate.sql.parse import parse
from wicketgate.sql.queries import query
from wicketgate.sql.resolve import Environment, resolve
from wicketgate.sql.scope import Columns, Scope
from wicketgate.sql.walk import Walk

DATABASE = "positions"
TABLES = {
    "a": ("id", "x", "y", "s"),
    "b": ("id", "x", "z"),
    "c": ("y", "id", "z", "s"),
    "d": ("q", "z", "id"),
    "none": (),
}
NAMES = ("id", "x", "y", "z", "s", "q")
WORLD = "".join(
    f"CREATE TABLE {table} ({', '.join(f'{name} text' for name in names)});"
    + (
        f"INSERT INTO {table} VALUES ({', '.join(repr(f'{table}.{name}') for name in names)});"
        if names
        else ""
    )
    for table, names in TABLES.items()
)
SENSITIVE = {f"public.{table}.{name}": f"{table}.{name}" for table, names in TABLES.items() for name in names}


@pytest.fixture(scope="module", params=["postgres15", "postgres18"])
def server(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    found: Postgres = request.getfixturevalue(request.param)
    found.sql(f"CREATE DATABASE {DATABASE}", database="postgres")
    found.sql(WORLD, database=DATABASE)
    yield found
    found.drop(DATABASE)


@pytest.fixture(scope="module")
def world(server: Postgres) -> Catalog:
    return load(asyncio.run(read_catalog(access(server, DATABASE))), SENSITIVE, {})


class Maker:
    """Random statements; many are in error, which the server says."""

    def __init__(self, seed: int, merges: bool) -> None:
        self.random = random.Random(seed)
        self.merges = merges
        self.count = 0
        self.queries: list[str] = []

    def chance(self, part: float) -> bool:
        return self.random.random() < part

    def alias(self) -> str:
        self.count += 1
        return f"t{self.count}"

    def columns(self, part: float = 0.5) -> str:
        if not self.chance(part):
            return ""
        return "(" + ", ".join(f"c{n}" for n in range(1, self.random.randint(1, 4) + 1)) + ")"

    def table(self) -> str:
        tables = ["a", "a", "b", "b", "c", "c", "d", "none", *self.queries]
        return self.random.choice(tables)

    def item(self, depth: int) -> tuple[str, list[str]]:
        """SQL, and the names that `t.*` may be asked of."""
        kind = self.random.random()
        if depth <= 0 or kind < 0.35:
            table = self.table()
            if self.chance(0.4):
                return table, [table]
            alias = self.alias()
            return f"{table} AS {alias}{self.columns(0.3)}", [alias]
        if kind < 0.8:
            joined, names = self.join(depth)
            if self.chance(0.4):
                alias = self.alias()
                return f"({joined}) AS {alias}{self.columns()}", [alias]
            return f"({joined})", names
        alias = self.alias()
        lateral = "LATERAL " if self.chance(0.2) else ""
        return f"{lateral}({self.query(depth - 1)}) AS {alias}{self.columns()}", [alias]

    def join(self, depth: int) -> tuple[str, list[str]]:
        text, names = self.item(depth - 1)
        for _ in range(self.random.randint(1, 3)):
            right, more = self.item(depth - 1)
            kind = self.random.choice(("", "INNER ", "LEFT ", "RIGHT ", "FULL "))
            how = self.random.random()
            if how < 0.35:
                text = f"{text} NATURAL {kind}JOIN {right}"
            elif how < 0.75:
                chosen = self.random.sample(NAMES, self.random.choice((1, 1, 1, 2, 3)))
                text = f"{text} {kind}JOIN {right} USING ({', '.join(chosen)})"
                if self.chance(0.2):
                    alias = self.alias()
                    text = f"{text} AS {alias}"
                    more = [*more, alias]
            elif how < 0.85:
                text = f"{text} CROSS JOIN {right}"
            else:
                text = f"{text} {kind}JOIN {right} ON true"
            names = [*names, *more]
        return text, names

    def source(self, depth: int) -> tuple[str, list[str]]:
        found = [self.join(depth) if self.chance(0.5) else self.item(depth)]
        if self.chance(0.2):
            found.append(self.item(depth - 1))
        return ", ".join(text for text, _ in found), [name for _, names in found for name in names]

    def outputs(self, names: list[str]) -> str:
        chosen = []
        for _ in range(self.random.choice((1, 1, 2, 3))):
            kind = self.random.random()
            name = self.random.choice(names)
            if kind < 0.45:
                chosen.append("*")
            elif kind < 0.6:
                chosen.append(f"{name}.*")
            elif kind < 0.75:
                chosen.append(f"{name}.c{self.random.randint(1, 7)}")
            elif kind < 0.9:
                chosen.append(self.random.choice(("", f"{name}.")) + self.random.choice(NAMES))
            elif kind < 0.93:
                chosen.append(f"({name}).*")
            else:
                chosen.append(self.random.choice(EXPRESSIONS))
        return ", ".join(chosen)

    def query(self, depth: int) -> str:
        kind = self.random.random()
        if depth > 0 and kind < 0.12:
            operator = self.random.choice(("UNION", "UNION ALL", "INTERSECT", "EXCEPT"))
            return f"({self.query(depth - 1)}) {operator} ({self.query(depth - 1)})"
        if kind < 0.15:
            return "VALUES (1, 2, 3), (4, 5, 6)"
        text, names = self.source(depth)
        return f"SELECT {self.outputs(names)} FROM {text}"

    def change(self, depth: int) -> str:
        text, names = self.source(depth)
        back = "*" if self.chance(0.6) else self.outputs([*names, "a"])
        kind = self.random.choice(("update", "delete", "merge" if self.merges else "insert", "insert"))
        if kind == "update":
            return f"UPDATE a SET id = 'n' FROM {text} RETURNING {back}"
        if kind == "delete":
            return f"DELETE FROM a AS victim USING {text} RETURNING {back.replace('a.', 'victim.')}"
        if kind == "merge":
            return (
                f"MERGE INTO a USING {self.item(depth)[0]} ON true"
                f" WHEN MATCHED THEN UPDATE SET id = 'n' RETURNING {back}"
            )
        return f"INSERT INTO a ({self.query(0)}) RETURNING {self.random.choice(('*', 'a.*', 's, *'))}"

    def statement(self) -> str:
        depth = self.random.randint(1, 3)
        if self.chance(0.25):
            inner = self.change(depth - 1) if self.chance(0.5) else self.query(depth - 1)
            head = f"WITH w{self.columns()} AS ({inner}) "
            self.queries = ["w", "w", "w"]
            return head + self.query(depth)
        return self.change(depth) if self.chance(0.2) else self.query(depth)


EXPRESSIONS = (
    "CASE WHEN true THEN 1 END::text",
    "CASE WHEN true THEN 1 ELSE 2 END",
    "CASE WHEN true THEN 1 ELSE coalesce(1, 2) END",
    "1::int",
    "'x'::text::name",
    "coalesce(1)::int",
    "nullif(1, 2)",
    "greatest(1, 2)",
    "ARRAY[1]",
    "ARRAY[1]::text[]",
    "(ARRAY[1])[1]",
    "ROW(1, 2)",
    "(SELECT 1 AS one)",
    "(SELECT 1)",
    "(SELECT 1)::int",
    "(VALUES (1))::int",
    "(SELECT * FROM (SELECT 1 AS inner_one) q)",
    "(WITH w(n) AS (SELECT 1) SELECT * FROM w)",
    "(SELECT (SELECT 'x'::text))",
    "ARRAY(SELECT 1)::int[]",
    "CASE WHEN true THEN 1 ELSE (SELECT 1) END",
    "(SELECT q.* FROM (SELECT 1 AS inner_one) q)",
    "EXISTS (SELECT 1)",
    "ARRAY(SELECT 1)",
    "(SELECT lower('x') UNION SELECT 'y')",
    "current_date",
    "current_time(2)",
    "localtimestamp(0)",
    "current_user",
    "lower('x') COLLATE \"C\"",
    "xmlelement(name foo)",
    "xmlserialize(content '<a/>'::xml as text)",
    "xmlparse(content 'x')",
    "'<a/>'::xml IS DOCUMENT",
    "extract(year from date '2024-01-01')",
    "substring('abc' from 1)",
    "position('a' in 'abc')",
    "overlay('abc' placing 'x' from 1)",
    "trim('a')",
    "'a' LIKE 'b'",
    "1 + 1",
    "NOT true",
    "1 IS NULL",
    "pg_catalog.upper('x')",
    "normalize('x')",
    "date '2024-01-01' AT TIME ZONE 'UTC'",
    "now() AT TIME ZONE 'UTC'",
    "interval '1' day",
    "TRUE::bool",
    "grouping()",
)


def derived(world: Catalog, text: str) -> Columns:
    (member,) = parse(text.encode()).members
    walk = Walk(world, ("public",), frozenset(), "app", False)
    walk.query = query
    return query(walk, {member.node: member.body}, Scope())


def told(
    connection: "psycopg.Connection[tuple[object, ...]]", text: str
) -> list[tuple[str, int, int]] | None:
    """(name, table, attribute) of each output, as the server describes it; None where it refuses."""
    from psycopg.pq import ExecStatus

    pgconn = connection.pgconn
    prepared = pgconn.prepare(b"", text.encode())
    if prepared.status != ExecStatus.COMMAND_OK:
        return None
    found = pgconn.describe_prepared(b"")
    assert found.status == ExecStatus.COMMAND_OK
    return [
        ((found.fname(at) or b"").decode(), found.ftable(at), found.ftablecol(at))
        for at in range(found.nfields)
    ]


def came(connection: "psycopg.Connection[tuple[object, ...]]", text: str) -> list[set[str]] | None:
    """What stands in each output's cells, each base column's value being its own name."""
    try:
        with connection.transaction(force_rollback=True):
            rows = connection.execute(text.encode()).fetchmany(20)
    except psycopg.Error:
        return None
    return [{str(cell) for cell in cells} for cells in zip(*rows, strict=True)]


def test_every_output_is_where_the_server_has_it(server: Postgres, world: Catalog) -> None:
    seen = exact = values = 0
    with server.connect(database=DATABASE) as connection:
        connection.autocommit = True
        for seed in range(2500):
            text = Maker(seed, world.server >= 170000).statement()
            outputs = told(connection, text)
            if outputs is None:
                continue
            seen += 1
            ours = derived(world, text)
            cells = came(connection, text) if seed % 3 == 0 and "INSERT" not in text else None
            where = [{f"{_class(world, table, number)}"} for _, table, number in outputs]
            for at, cell in enumerate(cells or ()):
                where[at] |= cell
                values += 1
            meant = [each & set(SENSITIVE.values()) for each in where]
            if ours.loose is not None:
                assert set().union(*meant) <= ours.everything().classes, text
                continue
            exact += 1
            assert ours.names == [name for name, _, _ in outputs], text
            for at, classes in enumerate(meant):
                assert classes <= ours.values[at].classes, (text, at)
    assert seen > 350
    assert exact > seen * 0.8
    assert values > 100


def _class(world: Catalog, table: int, number: int) -> str:
    return next(iter(world.classes(table, number) or ("",))) if table else ""


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_name_of_an_output(server: Postgres, world: Catalog, expression: str) -> None:
    text = f"SELECT {expression}"
    with server.connect(database=DATABASE) as connection:
        outputs = told(connection, text)
    if outputs is not None:
        assert derived(world, text).names == [name for name, _, _ in outputs]


SHIFTED = (
    "SELECT v.c1 || '' FROM none, a, LATERAL (VALUES ((none).*, a.s, 1)) v(c1, c2)",
    "SELECT q.c1 || '' FROM (SELECT (none).*, a.s, a.id FROM none, a) q(c1, c2)",
    "SELECT q.c1 || '' FROM (SELECT none.*, a.s, a.id FROM none, a) q(c1, c2)",
    "UPDATE c SET (id, y) = ROW((none).*, 'x', a.s) FROM none, a",
    "WITH w(c1) AS (SELECT (none).*, a.s, a.id FROM none, a) SELECT lower(c1) FROM w",
    "SELECT lower(c1) FROM ((b JOIN a USING (x)) JOIN (SELECT 1) t ON true) AS j(c0, c2, c3, c4, c5, c1)",
    "SELECT id FROM (SELECT * FROM c JOIN a USING (y, id)) q ORDER BY 1",
    "SELECT * FROM c NATURAL JOIN (SELECT id, s AS hidden FROM a) q ORDER BY 5",
)
"""Each does something with a.s where only its position says so."""


@pytest.mark.parametrize("text", SHIFTED[:-2])
def test_nothing_is_read_under_another_columns_position(world: Catalog, text: str) -> None:
    (member,) = parse(text.encode()).members
    environment = Environment(world, ("public",), frozenset(), "app", world.database, False)
    analysis = resolve(member, environment)
    held = frozenset().union(*(output.classes for output in analysis.head if output is not None))
    assert analysis.starred or None in analysis.head or "a.s" in held | analysis.facts.spilled


@pytest.mark.parametrize("text", SHIFTED[-2:])
def test_an_ordinal_means_the_merged_row(world: Catalog, text: str) -> None:
    (member,) = parse(text.encode()).members
    environment = Environment(world, ("public",), frozenset(), "app", world.database, False)
    steered = resolve(member, environment).facts.steered
    assert steered == ({"a.id", "c.id"} if text.endswith("1") else {"a.s"})


def test_a_key_of_a_join_under_an_alias_bounds_nothing(world: Catalog) -> None:
    text = "SELECT * FROM ((SELECT 1 AS q) t JOIN a ON true) AS j(id) WHERE j.id = 1"
    (member,) = parse(text.encode()).members
    environment = Environment(world, ("public",), frozenset(), "app", world.database, False)
    assert resolve(member, environment).facts.whole == {"public.a"}
