"""Reads one database's catalog over the gateway's own account, and looks at that account for `wicket check`.
The one file of this protocol that does I/O (law 9); it must only read, and only system catalogs.
"""

import json
import ssl
from typing import Any

import asyncpg

from wicketgate.model.errors import UpstreamFailed
from wicketgate.model.resource import Resource, TlsMode
from wicketgate.protocols.base import CatalogAccess
from wicketgate.sql.catalog import Catalog, load

__all__ = ["catalog_changed", "load_catalog", "probe", "read_catalog"]

_CONNECT_SECONDS = 10
_QUERY_SECONDS = 60

FORMAT = 3
"""The layout of what read_catalog makes; load refuses another."""

_LASTING = "exists (select from pg_class l where l.oid = {oid} and l.relpersistence <> 't')"
_OURS = "n.nspname !~ '^pg_(toast_)?temp_'"

_EXTENSION = """
  (select e.extname::text from pg_depend d join pg_extension e on e.oid = d.refobjid
   where d.classid = '{table}'::regclass and d.objid = {oid} and d.refclassid = 'pg_extension'::regclass
   and d.deptype = 'e' limit 1)"""

_RELATIONS = f"""
select c.oid::int8, n.nspname::text, c.relname::text, c.relkind::text, c.reltype::int8, c.reltoastrelid::int8,
       c.relhassubclass and c.relkind <> 'p',
       exists (select from pg_rewrite r where r.ev_class = c.oid and r.ev_type <> '1'),
       exists (select from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal)
         or exists (select from pg_constraint k join pg_depend d on d.classid = 'pg_constraint'::regclass
           and d.objid = k.oid and d.refclassid = 'pg_proc'::regclass and d.refobjid >= 16384
           where k.conrelid = c.oid and k.contype in ('c', 'x'))
         or exists (select from pg_index i join pg_depend d on d.classid = 'pg_class'::regclass
           and d.objid = i.indexrelid and d.refclassid = 'pg_proc'::regclass and d.refobjid >= 16384
           where i.indrelid = c.oid),
       exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid
               and d.refclassid = 'pg_extension'::regclass and d.deptype = 'e')
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 't', 'c') and {_OURS}
order by c.oid"""

_COLUMNS = f"""
select a.attrelid::int8, array_agg(a.attnum::int8 order by a.attnum),
       array_agg(a.attname::text order by a.attnum), array_agg(a.atttypid::int8 order by a.attnum),
       array_agg(a.attgenerated::text order by a.attnum)
from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 't', 'c') and
{_OURS}
group by a.attrelid order by a.attrelid"""

_VIEWS = f"""
select c.oid::int8, pg_get_viewdef(c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('v', 'm') and {_OURS}
  and (n.nspname not in ('pg_catalog', 'information_schema') or c.oid >= 16384)
order by c.oid"""

_USES = f"""
select distinct r.ev_class::int8, d.refobjid::int8, d.refobjsubid::int8
from pg_rewrite r join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
where d.refclassid = 'pg_class'::regclass and d.refobjid <> r.ev_class and r.oid >= 16384
  and {_LASTING.format(oid="r.ev_class")}
order by 1, 2, 3"""

_GENERATED = f"""
select distinct a.attrelid::int8, a.attnum::int8, d.refobjsubid::int8
from pg_attribute a
left join pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum
join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = a.attrelid
  and d.refobjsubid <> a.attnum and d.refobjsubid > 0
  and (d.classid = 'pg_class'::regclass and d.objid = a.attrelid and d.objsubid = a.attnum
       or d.classid = 'pg_attrdef'::regclass and d.objid = f.oid)
where a.attgenerated <> '' and not a.attisdropped and {_LASTING.format(oid="a.attrelid")}
order by 1, 2, 3"""

_DEFAULTS = f"""
select distinct f.adrelid::int8, n.nspname::text || '.' || p.proname::text
from pg_attrdef f
join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid and d.refclassid =
'pg_proc'::regclass
join pg_proc p on p.oid = d.refobjid join pg_namespace n on n.oid = p.pronamespace
where p.oid >= 16384 and {_LASTING.format(oid="f.adrelid")}
  and {_EXTENSION.format(table="pg_proc", oid="p.oid")} is null
order by 1, 2"""

_INHERITS = f"""
select inhrelid::int8, inhparent::int8 from pg_inherits where {_LASTING.format(oid="inhrelid")} order by
1, 2"""

_KEYS = f"""
select i.indrelid::int8, (i.indkey::int2[])[0:i.indnkeyatts - 1]::int8[]
from pg_index i
where i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null
  and {_LASTING.format(oid="i.indrelid")}
order by i.indexrelid"""

_BUILTIN_FUNCTIONS = """
select p.proname::text, min(case p.provolatile when 'v' then '0' when 's' then '1' else '2' end),
       bool_or(p.prokind = 'a'), bool_or(p.prokind = 'p')
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where n.nspname = 'pg_catalog' and p.oid < 16384
group by 1 order by 1"""

_FUNCTIONS = f"""
select n.nspname::text, p.proname::text, p.provolatile::text, p.prokind::text,
       {_EXTENSION.format(table="pg_proc", oid="p.oid")}
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where (n.nspname <> 'pg_catalog' or p.oid >= 16384) and {_OURS}
order by p.oid"""

_BUILTIN_OPERATORS = """
select distinct o.oprname::text from pg_operator o join pg_namespace n on n.oid = o.oprnamespace
where n.nspname = 'pg_catalog' and o.oid < 16384 order by 1"""

_OPERATORS = f"""
select n.nspname::text, o.oprname::text, p.provolatile::text,
       {_EXTENSION.format(table="pg_operator", oid="o.oid")}
from pg_operator o join pg_namespace n on n.oid = o.oprnamespace left join pg_proc p on p.oid = o.oprcode
where (n.nspname <> 'pg_catalog' or o.oid >= 16384) and {_OURS}
order by o.oid"""

_CASTS = f"""
select c.castsource::int8, c.casttarget::int8, c.castcontext::text, s.typname::text, t.typname::text,
       f.nspname::text || '.' || p.proname::text, {_EXTENSION.format(table="pg_cast", oid="c.oid")}
from pg_cast c join pg_type s on s.oid = c.castsource join pg_type t on t.oid = c.casttarget
left join pg_proc p on p.oid = c.castfunc left join pg_namespace f on f.oid = p.pronamespace
where c.oid >= 16384 and not coalesce(p.prolang = 12 and p.prosrc = 'multirange_constructor1', false)
order by c.oid"""

_TYPES = f"""
select t.oid::int8, n.nspname::text, t.typname::text, t.typtype::text, t.typrelid::int8,
       case t.typtype when 'r' then (select g.rngsubtype from pg_range g where g.rngtypid = t.oid)
       when 'm' then (select d.refobjid from pg_depend d where d.classid = 'pg_type'::regclass
         and d.objid = t.oid and d.refclassid = 'pg_type'::regclass and d.deptype = 'i')
       else t.typelem end::int8,
       t.typbasetype::int8,
       case when t.typtype = 'd' then exists (
         select from pg_constraint k join pg_depend d on d.classid = 'pg_constraint'::regclass and d.objid
         = k.oid
         where k.contypid = t.oid and (
           d.refclassid = 'pg_proc'::regclass and d.refobjid >= 16384
           or d.refclassid = 'pg_operator'::regclass and d.refobjid >= 16384))
       when t.typtype = 'r' then exists (select from pg_range g where g.rngtypid = t.oid and
       g.rngcanonical >= 16384)
       else false end,
       {_EXTENSION.format(table="pg_type", oid="t.oid")}
from pg_type t join pg_namespace n on n.oid = t.typnamespace
where {_OURS} and (n.nspname <> 'pg_catalog' or t.oid >= 16384)
order by t.oid"""

_BUILTIN_TYPES = """
select t.typname::text from pg_type t join pg_namespace n on n.oid = t.typnamespace
where n.nspname = 'pg_catalog' and t.oid < 16384 order by 1"""

_NAMES = f"""
select x.name::text from (
  select nspname as name from pg_namespace n where {_OURS}
  union select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('i', 'I') and {_OURS} and n.nspname <> 'pg_catalog'
  union select conname from pg_constraint where oid >= 16384
    and (conrelid = 0 or {_LASTING.format(oid="conrelid")})
  union select tgname from pg_trigger where not tgisinternal and {_LASTING.format(oid="tgrelid")}
  union select collname from pg_collation where oid >= 16384
  union select extname from pg_extension
  union select polname from pg_policy) x
order by 1"""

_FINGERPRINT = """
select md5(concat_ws(',',
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from pg_class t
     where t.relpersistence <> 't'),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.attrelid::int8 * 7 + t.attnum) % 1000000007))
     from pg_attribute t
     where t.attrelid in (select oid from pg_class where relpersistence <> 't')),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from pg_proc t),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from pg_type t
     where t.typnamespace not in (select oid from pg_namespace where nspname ~ '^pg_(toast_)?temp_')),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from pg_rewrite t
     where t.ev_class in (select oid from pg_class where relpersistence <> 't')),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.inhrelid::int8) % 1000000007)) from
  pg_inherits t),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from
  pg_operator t),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from pg_cast t),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.indexrelid::int8) % 1000000007)) from
  pg_index t
     where t.indrelid in (select oid from pg_class where relpersistence <> 't')),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from
  pg_constraint t
     where t.conrelid = 0 or t.conrelid in (select oid from pg_class where relpersistence <> 't')),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from pg_trigger t
     where t.tgrelid in (select oid from pg_class where relpersistence <> 't')),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from
  pg_extension t),
  (select concat(count(*), ':', sum((t.xmin::text::int8 * 31 + t.oid::int8) % 1000000007)) from pg_namespace t
     where t.nspname !~ '^pg_(toast_)?temp_')
))"""


async def read_catalog(access: CatalogAccess) -> bytes:
    """One database's catalog as canonical JSON, from one snapshot. Raises UpstreamFailed."""
    connection = await _connect(access)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.execute("SET LOCAL search_path = ''")
            found: dict[str, Any] = {
                "format": FORMAT,
                "database": await connection.fetchval("select current_database()::text"),
                "server": int(await connection.fetchval("select current_setting('server_version_num')")),
                "fingerprint": await connection.fetchval(_FINGERPRINT),
            }
            for key, query in (
                ("relations", _RELATIONS),
                ("columns", _COLUMNS),
                ("views", _VIEWS),
                ("uses", _USES),
                ("generated", _GENERATED),
                ("defaults", _DEFAULTS),
                ("inherits", _INHERITS),
                ("keys", _KEYS),
                ("builtin_functions", _BUILTIN_FUNCTIONS),
                ("functions", _FUNCTIONS),
                ("operators", _OPERATORS),
                ("casts", _CASTS),
                ("types", _TYPES),
            ):
                found[key] = [list(row) for row in await connection.fetch(query)]
            for key, query in (
                ("builtin_operators", _BUILTIN_OPERATORS),
                ("builtin_types", _BUILTIN_TYPES),
                ("names", _NAMES),
            ):
                found[key] = [row[0] for row in await connection.fetch(query)]
        return json.dumps(found, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise UpstreamFailed("the catalog could not be read", _detail(error)) from None
    finally:
        await _close(connection)


async def catalog_changed(access: CatalogAccess, raw: bytes) -> bool:
    """Whether the database's catalog may differ from what read_catalog made. Raises UpstreamFailed."""
    connection = await _connect(access)
    try:
        fingerprint = await connection.fetchval(_FINGERPRINT)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise UpstreamFailed("the catalog could not be checked", _detail(error)) from None
    finally:
        await _close(connection)
    return f'"fingerprint":"{fingerprint}"'.encode() not in raw


def load_catalog(raw: bytes, resource: Resource, database: str) -> Catalog:
    """What conversations use, from what read_catalog made. Raises ValueError for another format."""
    return load(raw, resource.sensitive.get(database, {}), resource.settings)


async def probe(access: CatalogAccess) -> list[str]:
    """Warnings about the account, for `wicket check`. Raises UpstreamFailed where it cannot sign in."""
    connection = await _connect(access)
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
        await _close(connection)
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
    connection = await _connect(access)
    try:
        async with connection.transaction(readonly=True):
            return [tuple(row) for row in await connection.fetch(query, *values)]
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise UpstreamFailed("the catalog could not be read", _detail(error)) from None
    finally:
        await _close(connection)


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


async def _connect(access: CatalogAccess) -> Any:
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


async def _close(connection: Any) -> None:
    try:
        await connection.close(timeout=5)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        connection.terminate()


def _detail(error: BaseException) -> str:
    """What happened, without values: asyncpg's messages are the server's own."""
    return f"{type(error).__name__}: {str(error)[:300]}"
