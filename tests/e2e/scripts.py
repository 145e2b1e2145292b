"""What ordinary clients do, one script each: direct and through the gateway it must give the same answers.
Only clean tables are read here: nothing may be masked or denied. Each returns what the client saw."""

from __future__ import annotations

import asyncio
import io
import json
import os
import ssl
import subprocess
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import pg8000.dbapi  # type: ignore[import-untyped]
import psycopg
import psycopg.types.composite
import psycopg.types.enum
from psycopg import sql

HERE = Path(__file__).parent
JDBC = "/usr/share/java/postgresql.jar"
"""Debian's driver (libpostgresql-jdbc-java), where `make setup` puts it."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a client is sent. ca: PEM file to verify the server by; None for plain text."""

    host: str
    port: int
    user: str
    password: str
    database: str
    ca: Path | None = None

    def conninfo(self) -> str:
        tls = f"sslmode=verify-full sslrootcert={self.ca}" if self.ca else "sslmode=disable"
        return (
            f"host={self.host} port={self.port} user={self.user} password={self.password} "
            f"dbname={self.database} connect_timeout=10 {tls}"
        )

    def url(self, scheme: str = "postgresql") -> str:
        user, secret, base = (quote(part, safe="~") for part in (self.user, self.password, self.database))
        return f"{scheme}://{user}:{secret}@{self.host}:{self.port}/{base}"

    def context(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=str(self.ca)) if self.ca else None

    def environment(self) -> dict[str, str]:
        """For programs on libpq."""
        tls = (
            {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(self.ca)}
            if self.ca
            else {"PGSSLMODE": "disable"}
        )
        base = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "LC_ALL": "C.UTF-8",
            "PGCONNECT_TIMEOUT": "10",
        }
        return (
            base
            | tls
            | {
                "PGHOST": self.host,
                "PGPORT": str(self.port),
                "PGUSER": self.user,
                "PGPASSWORD": self.password,
                "PGDATABASE": self.database,
            }
        )


PSQL = r"""
\d
\d orders
\d customers
\d+ orders
\d v
\d+ v_clean
\dS pg_class
\dt+
\dt *.*
\l
\l+ postgres
\df
\df+ wipe
\da
\dn
\dn+
\du
\dg+
\dv+
\dm
\di+
\ds
\dT+
\dD
\dC int4
\dx
\dp
\ddp
\db
\dc utf8*
\dF
\dy
\do ^@
\dO C
\dP+
\dRp
\des
\drds
\sf wipe
\sv v_clean
\dconfig search_path
\z orders
\encoding
\set FETCH_COUNT 3
SELECT id, total FROM orders ORDER BY id LIMIT 10;
\unset FETCH_COUNT
SELECT id, note FROM orders WHERE id < 4 \gdesc
SELECT 1 AS one, 'two' AS two \gset
SELECT :one + 1, :'two';
BEGIN;
SELECT count(*) FROM orders;
SAVEPOINT a;
SELECT 1/0;
ROLLBACK TO a;
COMMIT;
\copy (SELECT id, note FROM orders ORDER BY id LIMIT 5) TO STDOUT
\copy s1.t TO STDOUT (FORMAT csv, HEADER)
SELECT 1; SELECT 'a' AS a; SELECT NULL AS nothing;
\timing off
TABLE s1.t;
SELECT * FROM kinds ORDER BY id;
SHOW server_version_num;
EXPLAIN (COSTS off) SELECT id FROM orders WHERE id = 1;
"""


def run_psql(target: Target) -> Any:
    """Every backslash command that reads, some statements; the text that psql prints, errors too."""
    done = subprocess.run(
        ["psql", "-X", "-a", "-v", "ON_ERROR_STOP=0"],
        input=PSQL, capture_output=True, text=True, env=target.environment(), timeout=120, check=False,
    )  # fmt: skip
    return {"out": done.stdout.splitlines(), "error": done.stderr.splitlines(), "code": done.returncode}


def run_pg_dump(target: Target) -> Any:
    """The schema, as pg_dump writes it: but for what no account may read, where it would stop."""
    done = subprocess.run(
        ["pg_dump", "--schema-only", "--no-owner", "--no-privileges", "--exclude-schema=hid"],
        capture_output=True, text=True, env=target.environment(), timeout=120, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if "restrict" not in line]
    assert done.returncode == 0, done.stderr
    return {"out": lines, "error": done.stderr.splitlines(), "code": done.returncode}


def _rows(cursor: psycopg.Cursor[Any] | psycopg.ServerCursor[Any]) -> list[str]:
    return [repr(row) for row in cursor.fetchall()]


def run_psycopg(target: Target) -> Any:
    """psycopg 3: both protocols, binary, cursors, pipeline mode, COPY, prepared statements, notices."""
    seen: dict[str, Any] = {}
    with psycopg.connect(target.conninfo(), autocommit=True) as connection:
        seen["simple"] = _rows(connection.execute("SELECT * FROM orders WHERE id < 5 ORDER BY id"))
        seen["several"] = _rows(connection.execute("SELECT 1; SELECT 2"))
        for binary in (False, True):
            cursor = connection.cursor(binary=binary)
            cursor.execute("SELECT * FROM kinds WHERE id = %s", (1,))
            seen[f"kinds {binary}"] = _rows(cursor)
            cursor.execute(
                "SELECT %s::text, %s::int4, %s::timestamptz, %s::numeric, %s::bytea, %s::int[], %s::jsonb,"
                " %s::uuid",
                ("x", 1, "2024-01-01T00:00:00Z", "1.5", b"\0\1", [1, 2, 3], json.dumps({"a": 1}),
                 "00000000-0000-4000-8000-000000000001"),
            )  # fmt: skip
            seen[f"parameters {binary}"] = _rows(cursor)
        with connection.transaction():
            with connection.cursor(name="scroll") as server:
                server.execute("SELECT id, total FROM orders ORDER BY id")
                seen["server cursor"] = [repr(row) for row in server.fetchmany(7)] + [repr(server.fetchone())]
            with connection.cursor(name="binary", binary=True) as server:
                server.execute("SELECT id, placed FROM orders ORDER BY id")
                server.itersize = 100
                seen["iterated"] = sum(1 for _ in server)
        for _ in range(8):
            connection.execute("SELECT count(*) FROM orders WHERE customer_id = %s", (2,), prepare=True)
        seen["prepared"] = _rows(
            connection.execute("SELECT note FROM orders WHERE id = %s", (3,), prepare=True)
        )
        with connection.pipeline() as pipeline:
            cursors = [connection.execute("SELECT %s::int + id FROM s1.t", (n,)) for n in range(5)]
            pipeline.sync()
            seen["pipeline"] = [_rows(cursor) for cursor in cursors]
        try:
            with connection.pipeline():
                connection.execute("SELECT 1")
                connection.execute("SELECT 1/0")
                connection.execute("SELECT 2")
        except psycopg.errors.DivisionByZero as error:
            seen["pipeline error"] = [type(error).__name__, error.sqlstate]
        with connection.cursor() as cursor:
            with cursor.copy("COPY (SELECT id, note, total FROM orders ORDER BY id) TO STDOUT") as copy:
                seen["copy"] = [bytes(block).decode() for block in copy]
            with cursor.copy("COPY orders (id, total) TO STDOUT (FORMAT binary)") as copy:
                seen["copy binary"] = sum(len(block) for block in copy)
        for level in ("SERIALIZABLE", "READ COMMITTED"):
            with connection.transaction():
                connection.execute(sql.SQL("SET TRANSACTION ISOLATION LEVEL " + level))
                seen[level] = _rows(connection.execute("SHOW transaction_isolation"))
        with connection.transaction(force_rollback=True):
            try:
                with connection.transaction():
                    connection.execute("SELECT 'x'::int")
            except psycopg.Error as error:
                seen["savepoint"] = [error.sqlstate, error.diag.message_primary]
            seen["after savepoint"] = _rows(connection.execute("SELECT 1"))
        seen["encoding"] = connection.info.encoding
        seen["parameters"] = [
            connection.info.parameter_status(n) for n in ("server_version", "TimeZone", "DateStyle")
        ]
        seen["long"] = len(connection.execute("SELECT repeat('x', 3000000)").fetchall()[0][0])
        seen["empty"] = repr(connection.execute("").description)
        seen["types"] = repr(psycopg.types.TypeInfo.fetch(connection, "mood"))[:12]
        seen["enum"] = repr(psycopg.types.enum.EnumInfo.fetch(connection, "mood"))[:12]
        seen["composite"] = repr(psycopg.types.composite.CompositeInfo.fetch(connection, "pair"))[:12]
    return seen


def run_psycopg_writes(target: Target) -> Any:
    """psycopg 3 as a writer: executemany, COPY in, RETURNING, transactions that end both ways."""
    seen: dict[str, Any] = {}
    with psycopg.connect(target.conninfo()) as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM audit")
        cursor.executemany("INSERT INTO audit (what) VALUES (%s)", [(f"row {n}",) for n in range(20)])
        connection.commit()
        cursor.executemany(
            "UPDATE audit SET what = %s WHERE what = %s RETURNING what",
            [("a", "row 1"), ("b", "row 2")],
            returning=True,
        )
        seen["returning"] = [cursor.fetchall(), cursor.nextset(), cursor.fetchall()].__repr__()
        connection.rollback()
        with cursor.copy("COPY audit (what) FROM STDIN") as copy:
            for n in range(500):
                copy.write_row((f"copied {n}",))
        with cursor.copy("COPY audit (what) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["text"])
            copy.write_row(("binary",))
        connection.commit()
        cursor.execute("SELECT what FROM audit ORDER BY what LIMIT 3")
        seen["rows"] = repr(cursor.fetchall())
        try:
            with cursor.copy("COPY audit (what) FROM STDIN") as copy:
                copy.write("a\tb\tc\n")
        except psycopg.Error as error:
            seen["copy error"] = [error.sqlstate, error.diag.message_primary]
        connection.rollback()
        cursor.execute("DELETE FROM audit")
        seen["deleted"] = cursor.rowcount
        connection.commit()
    return seen


async def _asyncpg(target: Target) -> Any:
    seen: dict[str, Any] = {}
    options: dict[str, Any] = {
        "host": target.host, "port": target.port, "user": target.user, "password": target.password,
        "database": target.database, "ssl": target.context() or False, "timeout": 20,
    }  # fmt: skip
    connection = await asyncpg.connect(**options)
    try:
        seen["kinds"] = [repr(row) for row in await connection.fetch("SELECT * FROM kinds ORDER BY id")]
        seen["enum"] = repr(await connection.fetch("SELECT feels FROM (VALUES ('calm'::mood)) AS m (feels)"))
        seen["composite"] = repr(
            await connection.fetch("SELECT ROW(1, 'x')::pair AS p, ARRAY[ROW(2, 'y')::pair] AS ps")
        )
        seen["domain"] = repr(await connection.fetch("SELECT 3::positive AS d"))
        seen["range"] = repr(
            await connection.fetch("SELECT int4range(1, 5) AS r, '{[1,2),[4,5)}'::int4multirange AS m")
        )
        seen["arguments"] = repr(
            await connection.fetch("SELECT $1::int[] AS a, $2::jsonb AS j", [1, None], '{"a": 1}')
        )
        statement = await connection.prepare("SELECT id, total FROM orders WHERE id = $1")
        seen["prepared"] = [repr(await statement.fetchrow(n)) for n in (1, 2, 3)]
        seen["attributes"] = repr([(a.name, a.type.name) for a in statement.get_attributes()])
        seen["parameters"] = repr(statement.get_parameters())
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            seen["cursor"] = [
                repr(row)
                async for row in connection.cursor("SELECT id FROM orders ORDER BY id LIMIT 70", prefetch=30)
            ]
            cursor = await connection.cursor("SELECT id FROM orders ORDER BY id")
            await cursor.forward(3)
            seen["forward"] = repr(await cursor.fetch(2))
        out = io.BytesIO()
        seen["copy"] = await connection.copy_from_query("SELECT id, note FROM orders", output=out)
        seen["copied"] = out.getvalue().decode()
        await connection.set_type_codec("json", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        seen["json"] = repr(await connection.fetchval("SELECT '{\"a\": [1]}'::json"))
        try:
            await connection.fetch("SELECT 'x'::int")
        except asyncpg.PostgresError as error:
            seen["error"] = [error.sqlstate, str(error)]
        seen["script"] = await connection.execute("SELECT 1; SELECT 2;")
        await connection.reset()
        await connection.reload_schema_state()
    finally:
        await connection.close()
    async with asyncpg.create_pool(min_size=2, max_size=3, **options) as pool:
        found = await asyncio.gather(
            *(
                pool.fetchval("SELECT count(*) FROM orders WHERE customer_id = $1", n % 5 + 1)
                for n in range(12)
            )
        )
        seen["pool"] = repr(found)
    return seen


def run_asyncpg(target: Target) -> Any:
    """asyncpg: introspection of types, prepared statements, cursors, COPY, a pool with its resets."""
    return asyncio.run(_asyncpg(target))


def run_pg8000(target: Target) -> Any:
    """pg8000: the extended protocol from pure Python."""
    seen: dict[str, Any] = {}
    connection = pg8000.dbapi.connect(
        user=target.user, password=target.password, host=target.host, port=target.port,
        database=target.database, ssl_context=target.context() or False, timeout=20,
    )  # fmt: skip
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT id, total, placed, note FROM orders WHERE id < %s ORDER BY id", (6,))
        seen["rows"] = [repr(row) for row in cursor.fetchall()]
        cursor.execute("SELECT b, i2, i4, i8, f8, n, t, by, d, tz, u, jb, ar, ta FROM kinds ORDER BY id")
        seen["kinds"] = [repr(row) for row in cursor.fetchall()]
        connection.commit()
        try:
            cursor.execute("SELECT 1 / %s", (0,))
        except pg8000.dbapi.DatabaseError as error:
            seen["error"] = [error.args[0].get("C"), error.args[0].get("M")]
        connection.rollback()
        with open(os.devnull, "wb") as out:
            cursor.execute("COPY (SELECT id FROM orders) TO STDOUT", stream=out)
        connection.autocommit = True
        cursor.execute("SHOW server_encoding")
        seen["show"] = repr(cursor.fetchall())
    finally:
        connection.close()
    return seen


def run_node(target: Target) -> Any:
    """node-postgres: simple and extended, named statements, a pool, types, errors."""
    return node(target, "client.cjs", {})


def node(target: Target, script: str, more: dict[str, Any]) -> Any:
    """Run a script of node-postgres with a target and more; what it prints as JSON."""
    given = {
        **more,
        "host": target.host, "port": target.port, "user": target.user, "password": target.password,
        "database": target.database, "ca": target.ca.read_text() if target.ca else None,
    }  # fmt: skip
    done = subprocess.run(
        ["node", str(HERE / script)],
        input=json.dumps(given), capture_output=True, text=True, timeout=120, check=False,
        env={"PATH": os.environ["PATH"], "NODE_PATH": str(HERE.parent / "servers" / "node_modules")},
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def run_jdbc(target: Target) -> Any:
    """JDBC: statements prepared at their fifth run, binary rows, portals in parts, metadata, COPY, errors."""
    given = {
        "url": f"jdbc:postgresql://{target.host}:{target.port}/{target.database}",
        "user": target.user,
        "password": target.password,
        "sslmode": "verify-full" if target.ca else "disable",
        "sslrootcert": str(target.ca) if target.ca else "",
    }
    done = subprocess.run(
        ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", JDBC, str(HERE / "Client.java")],
        input="".join(f"{key}={value}\n" for key, value in given.items() if value),
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout.splitlines()


def _reflected(url: str, arguments: dict[str, Any]) -> Any:
    import sqlalchemy

    warnings.simplefilter("ignore", sqlalchemy.exc.SAWarning)  # of types that SQLAlchemy does not know
    engine = sqlalchemy.create_engine(url, connect_args=arguments)
    try:
        found = sqlalchemy.inspect(engine)
        seen: dict[str, Any] = {"schemas": found.get_schema_names()}
        for schema in (None, "s1", "s2"):
            tables = sorted(found.get_table_names(schema=schema))
            seen[f"tables {schema}"] = tables
            seen[f"views {schema}"] = [
                sorted(found.get_view_names(schema=schema)),
                sorted(found.get_materialized_view_names(schema=schema)),
            ]
            for table in tables:
                seen[f"{schema}.{table}"] = repr([
                    found.get_columns(table, schema=schema), found.get_pk_constraint(table, schema=schema),
                    found.get_foreign_keys(table, schema=schema), found.get_indexes(table, schema=schema),
                    found.get_unique_constraints(table, schema=schema),
                    found.get_check_constraints(table, schema=schema),
                    found.get_table_comment(table, schema=schema), found.has_table(table, schema=schema),
                ])  # fmt: skip
        seen["definition"] = found.get_view_definition("v_clean")
        seen["sequences"] = sorted(found.get_sequence_names())
        metadata = sqlalchemy.MetaData()
        metadata.reflect(engine, views=True)
        orders = metadata.tables["orders"]
        with engine.connect() as connection:
            wanted = (
                sqlalchemy.select(orders.c.id, orders.c.total).where(orders.c.id < 4).order_by(orders.c.id)
            )
            seen["rows"] = [repr(row) for row in connection.execute(wanted)]
            counted = (
                sqlalchemy.select(sqlalchemy.func.count()).select_from(orders).group_by(orders.c.customer_id)
            )
            seen["grouped"] = sorted(connection.execute(counted).scalars())
            seen["isolation"] = connection.get_isolation_level()
        return seen
    finally:
        engine.dispose()


def run_sqlalchemy_psycopg(target: Target) -> Any:
    """SQLAlchemy's reflection and some queries over psycopg 3."""
    tls = {"sslmode": "verify-full", "sslrootcert": str(target.ca)} if target.ca else {"sslmode": "disable"}
    return _reflected(target.url("postgresql+psycopg"), tls)


def run_sqlalchemy_pg8000(target: Target) -> Any:
    """The same over pg8000."""
    return _reflected(target.url("postgresql+pg8000"), {"ssl_context": target.context() or False})


async def _sqlalchemy_asyncpg(target: Target) -> Any:
    import sqlalchemy
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(
        target.url("postgresql+asyncpg"), connect_args={"ssl": target.context() or False}
    )
    try:
        async with engine.connect() as connection:
            names = await connection.run_sync(lambda c: sorted(sqlalchemy.inspect(c).get_table_names()))
            columns = await connection.run_sync(lambda c: repr(sqlalchemy.inspect(c).get_columns("orders")))
            rows = await connection.execute(
                sqlalchemy.text("SELECT id, note FROM orders WHERE id < :most ORDER BY id"), {"most": 4}
            )
            return {"names": names, "columns": columns, "rows": [repr(row) for row in rows]}
    finally:
        await engine.dispose()


def run_sqlalchemy_asyncpg(target: Target) -> Any:
    """The same over asyncpg."""
    return asyncio.run(_sqlalchemy_asyncpg(target))


def run_alembic(target: Target) -> Any:
    """Alembic compares the database with an empty model: every table is a difference."""
    import sqlalchemy
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    warnings.simplefilter("ignore", sqlalchemy.exc.SAWarning)
    tls = {"sslmode": "verify-full", "sslrootcert": str(target.ca)} if target.ca else {"sslmode": "disable"}
    engine = sqlalchemy.create_engine(target.url("postgresql+psycopg"), connect_args=tls)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection,
                opts={"include_schemas": True, "compare_type": True, "compare_server_default": True},
            )
            found = compare_metadata(context, sqlalchemy.MetaData())
            return sorted(
                f"{each[0]} {getattr(each[1], 'name', '')}" for each in found if isinstance(each, tuple)
            )
    finally:
        engine.dispose()


READS: dict[str, Callable[[Target], Any]] = {
    "psql": run_psql,
    "pg_dump": run_pg_dump,
    "psycopg": run_psycopg,
    "asyncpg": run_asyncpg,
    "pg8000": run_pg8000,
    "node-postgres": run_node,
    "jdbc": run_jdbc,
    "sqlalchemy-psycopg": run_sqlalchemy_psycopg,
    "sqlalchemy-pg8000": run_sqlalchemy_pg8000,
    "sqlalchemy-asyncpg": run_sqlalchemy_asyncpg,
    "alembic": run_alembic,
}
"""Scripts that only read: for the reader's policy."""
