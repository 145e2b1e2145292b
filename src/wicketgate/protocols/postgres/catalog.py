"""Reads one database's catalog over the gateway's own account, and looks at that account for `wicket check`.
The one file of this protocol that does I/O (law 9); it must only read, and only system catalogs.
"""

import json
import ssl
from collections.abc import AsyncIterator, Iterable
from typing import Any

import asyncpg

from wicketgate.model.errors import UpstreamFailed
from wicketgate.model.resource import Resource, TlsMode
from wicketgate.protocols.base import CatalogAccess
from wicketgate.protocols.postgres import catalog_queries as queries
from wicketgate.sql.catalog import Catalog, load

__all__ = ["catalog_changed", "load_catalog", "probe", "read_catalog"]

_CONNECT_SECONDS = 10
_QUERY_SECONDS = 60
_LOCK_MILLISECONDS = 1000
_LOCK_TURNS = 5
"""How long a reading waits for locks, and how often it looks who holds them."""

FORMAT = 7
"""The layout of what read_catalog makes; load refuses another."""


async def read_catalog(access: CatalogAccess) -> bytes:
    """One database's catalog as canonical JSON, from one snapshot. Raises UpstreamFailed."""
    connection = await connect(access)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.execute("SET LOCAL search_path = ''")
            found: dict[str, Any] = {
                "format": FORMAT,
                "database": await connection.fetchval("select current_database()::text"),
                "server": int(await connection.fetchval("select current_setting('server_version_num')")),
                "fingerprint": await connection.fetchval(queries.FINGERPRINT),
            }
            for key, query in (
                ("relations", queries.RELATIONS),
                ("columns", queries.COLUMNS),
                ("uses", queries.USES),
                ("generated", queries.GENERATED),
                ("code", queries.CODE),
                ("event_triggers", queries.EVENT_TRIGGERS),
                ("foreign", queries.FOREIGN),
                ("collations", queries.COLLATIONS),
                ("patterned", queries.PATTERNED),
                ("sequences", queries.SEQUENCES),
                ("inherits", queries.INHERITS),
                ("keys", queries.KEYS),
                ("bounds", queries.BOUNDS),
                ("builtin_functions", queries.BUILTIN_FUNCTIONS),
                ("functions", queries.FUNCTIONS),
                ("operators", queries.OPERATORS),
                ("casts", queries.CASTS),
                ("types", queries.TYPES),
            ):
                found[key] = [list(row) for row in await connection.fetch(query)]
            await _definitions(connection, found)
            for key, query in (
                ("builtin_operators", queries.BUILTIN_OPERATORS),
                ("builtin_types", queries.BUILTIN_TYPES),
                ("open_schemas", queries.OPEN_SCHEMAS),
                ("schemas", queries.SCHEMAS),
                ("names", queries.NAMES),
                ("collated_types", queries.COLLATED_TYPES),
                ("excluding", queries.EXCLUDING),
            ):
                found[key] = [row[0] for row in await connection.fetch(query)]
        return json.dumps(found, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise UpstreamFailed("the catalog could not be read", _detail(error)) from None
    finally:
        await close(connection)


async def _definitions(connection: Any, found: dict[str, Any]) -> None:
    """What is printed from trees, which waits for locks: views, relations' own expressions, bound functions.

    Where a transaction keeps a relation locked against reading, its definitions are left out: nobody can tell
    then what reading it does. It is read again until they are there."""
    wanted = [("views", queries.VIEWS), ("expressions", queries.EXPRESSIONS)]
    body = "null::text"
    if found["server"] >= 140000:
        wanted.append(("statistics", queries.STATISTICS))
        body = "pg_get_function_sqlbody(p.oid)"
    wanted.append(("routines", queries.ROUTINES.format(body=body)))
    left_out: set[int] = set()
    for turn in range(_LOCK_TURNS):
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = {_LOCK_MILLISECONDS:d}")
                for key, query in wanted:
                    found[key] = [list(row) for row in await connection.fetch(query, sorted(left_out))]
            break
        except asyncpg.LockNotAvailableError:
            if turn == _LOCK_TURNS - 1:
                raise
            left_out |= {row[0] for row in await connection.fetch(queries.LOCKED)}
    found["expressions"].extend(found.pop("statistics", ()))
    if left_out:
        found["fingerprint"] = "incomplete"
        kinds = {row[0]: row[3] for row in found["relations"]}
        for oid in sorted(left_out & kinds.keys()):
            if kinds[oid] in "vm":
                found["views"].append([oid, ""])
            found["code"].append([oid, "any", "a definition under a lock", "v", None])


async def catalog_changed(access: CatalogAccess, raw: bytes) -> bool:
    """Whether the database's catalog may differ from what read_catalog made. Raises UpstreamFailed."""
    connection = await connect(access)
    try:
        fingerprint = await connection.fetchval(queries.FINGERPRINT)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise UpstreamFailed("the catalog could not be checked", _detail(error)) from None
    finally:
        await close(connection)
    return f'"fingerprint":"{fingerprint}"'.encode() not in raw


def load_catalog(raw: bytes, resource: Resource, database: str) -> Catalog:
    """What conversations use, from what read_catalog made. Raises ValueError for another format."""
    return load(raw, resource.sensitive.get(database, {}), resource.settings)


async def probe(access: CatalogAccess) -> list[str]:
    """Warnings about the account, for `wicket check`. Raises UpstreamFailed where it cannot sign in."""
    connection = await connect(access)
    warnings: list[str] = []
    name = access.account.username
    try:
        role = await connection.fetchrow(
            "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication"
            " from pg_catalog.pg_roles where rolname = current_user"
        )
        if role is None:
            raise UpstreamFailed("the account's role cannot be read", name)
        for flag, text in (
            ("rolsuper", "is a superuser: no rule of the gateway can bound what functions it may reach"),
            ("rolbypassrls", "bypasses row security"),
            ("rolcreaterole", "may create and change roles"),
            ("rolcreatedb", "may create databases"),
            ("rolreplication", "may start replication, which carries every table unmasked"),
        ):
            if role[flag]:
                warnings.append(f"account {name} {text}")
        if not role["rolsuper"]:
            for member in await connection.fetch(
                "select rolname::text from pg_catalog.pg_roles where rolname = any($1::text[])"
                " and pg_catalog.pg_has_role(current_user, oid, 'member') order by 1",
                list(_DANGEROUS_ROLES),
            ):
                warnings.append(f"account {name} is a member of {member[0]}: {_DANGEROUS_ROLES[member[0]]}")
        owned = await connection.fetchval(
            "select pg_catalog.count(*) from pg_catalog.pg_class c join pg_catalog.pg_namespace n"
            " on n.oid = c.relnamespace where c.relkind in ('r','p','v','m','f') and c.relowner ="
            " (select oid from pg_catalog.pg_roles where rolname = current_user)"
            " and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'"
        )
        if owned:
            warnings.append(
                f"account {name} owns {owned} tables or views: it may change them and grant access"
            )
        warnings.extend(await _pooler(connection, name))
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise UpstreamFailed("the account could not be examined", _detail(error)) from None
    finally:
        await close(connection)
    return warnings


_DANGEROUS_ROLES = {
    "pg_execute_server_program": "it may run programs on the server",
    "pg_read_all_data": "it may read every table",
    "pg_read_server_files": "it may read the server's files",
    "pg_write_all_data": "it may write every table",
    "pg_write_server_files": "it may write the server's files",
}


async def _pooler(connection: Any, name: str) -> list[str]:
    """Signs of a transaction pooler: settings or backends that do not stay with the connection."""
    seen = {await connection.fetchval("select pg_catalog.pg_backend_pid()") for _ in range(5)}
    if len(seen) > 1:
        return [_POOLED.format(name=name)]
    mark = f"wicket-check-{next(iter(seen))}"
    await connection.execute(f"set application_name = '{mark}'")
    if await connection.fetchval("select pg_catalog.current_setting('application_name')") != mark:
        return [_POOLED.format(name=name)]
    claimed = connection.get_server_pid()
    if claimed not in seen:
        return [
            f"account {name} is reached through a pooler (its backend is not the one that signed in):"
            " make sure that it pools sessions, not transactions"
        ]
    return []


_POOLED = (
    "account {name} is reached through a transaction pooler: settings do not stay with a session, which the"
    " gateway relies on; use session pooling or connect directly"
)


async def fetch_rows(access: CatalogAccess, query: str, *values: object) -> list[tuple[Any, ...]]:
    """The rows of one of our own queries, in a read-only transaction. Raises UpstreamFailed."""
    connection = await connect(access)
    try:
        async with connection.transaction(readonly=True):
            return [tuple(row) for row in await connection.fetch(query, *values)]
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise UpstreamFailed("the catalog could not be read", _detail(error)) from None
    finally:
        await close(connection)


async def fetch_each(
    access: CatalogAccess, queries: Iterable[str], seconds: int
) -> AsyncIterator[list[tuple[Any, ...]] | str]:
    """The rows of each of our own queries, one after the other on one connection, each in a read-only
    transaction that ends after so many seconds; in the place of those that failed the SQLSTATE.

    Raises UpstreamFailed where the target is not reached, or goes away."""
    connection = await connect(access)
    try:
        await connection.execute("SET default_transaction_read_only = on")
        await connection.execute("SET search_path = ''")
        await connection.execute("SET bytea_output = 'hex'")
        for query in queries:
            try:
                async with connection.transaction(readonly=True):
                    await connection.execute(f"SET LOCAL statement_timeout = {seconds * 1000:d}")
                    rows = await connection.fetch(query, timeout=seconds + 5)
            except asyncpg.PostgresConnectionError:
                raise
            except asyncpg.PostgresError as error:
                yield error.sqlstate or "XX000"
            else:
                yield [tuple(row) for row in rows]
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise UpstreamFailed("the tables could not be read", _detail(error)) from None
    finally:
        await close(connection)


# -- connecting --------------------------------------------------------------------------------------------
def tls_context(resource: Resource) -> ssl.SSLContext | bool:
    """The TLS that the resource asks for; False for none. Raises OSError for an unreadable CA file."""
    if resource.tls is TlsMode.DISABLE:
        return False
    if resource.tls is TlsMode.REQUIRE:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    context = ssl.create_default_context(cafile=resource.ca_file)
    context.check_hostname = resource.tls is TlsMode.VERIFY_FULL
    return context


async def connect(access: CatalogAccess) -> Any:
    """A connection of our own, over the account that is given. Raises UpstreamFailed."""
    resource = access.resource
    try:
        return await asyncpg.connect(
            host=resource.host,
            port=resource.port,
            user=access.account.username,
            password=access.secret.reveal().decode() if access.secret is not None else "",
            database=access.database,
            ssl=tls_context(resource),
            timeout=_CONNECT_SECONDS,
            command_timeout=_QUERY_SECONDS,
            statement_cache_size=0,
        )
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, ValueError) as error:
        raise UpstreamFailed("the resource could not be reached", _detail(error)) from None


async def close(connection: Any) -> None:
    """End one, whatever state it is in."""
    try:
        await connection.close(timeout=5)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        connection.terminate()


def _detail(error: BaseException) -> str:
    """What happened, without values: asyncpg's messages are the server's own."""
    return f"{type(error).__name__}: {str(error)[:300]}"
