"""Two worlds that differ in nothing but their sensitive values: what a client can tell apart, it was told.
Each is a database; both have the same OIDs and order of rows, and cards with the same last four digits."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg

from servers import planted
from servers.postgres import Postgres

ALPHA, BRAVO = "alpha", "bravo"

SENSITIVE: dict[str, str] = {
    **planted.SENSITIVE,
    **{
        f"public.vault.{column}": "secret"
        for column in ("pin", "doc", "raw", "box", "phones", "balance", "born")
    },
    "public.badges.ssn": "national-id",
    **{
        f"public.treasury.{column}": "secret"
        for column in "t v c i2 i4 i8 n f4 f8 b u d ts tz j jb ta ia by ip m p box".split()
    },
}
"""The `sensitive:` map of both worlds."""

_KEPT: dict[tuple[int, str], psycopg.Connection[Any]] = {}
_BARE = "world_template"
_TABLES = (
    "customers orders notes audit vault badges people events s1.t s2.t victims inbox trapped defaulted moods"
    " kinds copies copied_checks copied_keys copied_parts copied_parent copied_made copied_ids"
)
_STATE = (
    "SELECT md5(concat_ws('|', "
    + ", ".join(
        f"(SELECT string_agg(x::text, ',' ORDER BY x.tableoid, x.ctid) FROM {table} x)"
        for table in _TABLES.split()
    )
    + ", (SELECT last_value::text || is_called FROM s), (SELECT count(*) FROM pg_largeobject_metadata),"
    " (SELECT count(*) FROM pg_statistic_ext),"
    " (SELECT string_agg(concat(relname, relkind, relnatts), ',' ORDER BY oid) FROM pg_class"
    " WHERE oid > 16383 AND relpersistence <> 't' AND relkind <> 't'),"
    " (SELECT string_agg(attname, ',' ORDER BY attrelid, attnum) FROM pg_attribute WHERE attrelid IN"
    " (SELECT oid FROM pg_class WHERE oid > 16383 AND relpersistence <> 't')),"
    " (SELECT string_agg(proname, ',' ORDER BY oid) FROM pg_proc WHERE oid > 16383)))"
)
_BRAVO = (
    (1, "peggy.planted@sorrel-post.test", "934-27-6158", "5236830000047738"),
    (2, "rex.planted@sorrel-post.test", "287-63-4905", "4716490000084417"),
    (3, "sybil.planted@sorrel-post.test", "419-58-7236", "675964982641752"),
    (4, "tom.planted@sorrel-post.test", "862-31-5749", "4485260000067715"),
    (5, "una.planted@sorrel-post.test", "153-96-8024", "5105140000097727"),
)
_VAULT = {
    ALPHA: (
        (735102946, "quartz-8d21", "+49-30-555-0173"),
        (604817253, "onyx-77f0", "+49-30-555-0284"),
        (918273645, "beryl-c3e9", "+49-30-555-0395"),
    ),
    BRAVO: (
        (412958367, "garnet-19b4", "+33-1-5550-6621"),
        (867530912, "jasper-e62a", "+33-1-5550-7732"),
        (250173984, "topaz-5f08", "+33-1-5550-8843"),
    ),
}


def build(server: Postgres) -> None:
    """Make both worlds on a server, each with a template from which `reset` makes it anew."""
    _copy(server, planted_template(server), _BARE)
    server.sql((Path(__file__).parent / "world.sql").read_text(), database=_BARE)
    for world in (ALPHA, BRAVO):
        _copy(server, _BARE, _template(world))
        server.sql(_values(world), database=_template(world))
        _copy(server, _template(world), world)


def planted_template(server: Postgres) -> str:
    """The database that planted.sql was loaded into; nobody is connected to it."""
    return "planted"


def reset(server: Postgres, *chosen: str) -> None:
    """Throw worlds away, whoever is connected, and make them anew."""
    for world in chosen or (ALPHA, BRAVO):
        kept = _KEPT.pop((server.port, world), None)
        if kept is not None:
            kept.close()
        server.drop(world)
        _copy(server, _template(world), world)


def state(server: Postgres, world: str) -> str:
    """A digest of what cases could change in a world: rows, their order, names. Empty if tables are gone."""
    try:
        (found,) = ask(server, world, _STATE)[0]
    except psycopg.Error:
        return ""
    return str(found)


def ask(server: Postgres, world: str, text: str) -> list[tuple[Any, ...]]:
    """Run SQL in a world as an administrator, beside all clients; last rows. The connection is kept."""
    kept = _KEPT.get((server.port, world))
    if kept is None or kept.closed:
        kept = _KEPT[server.port, world] = server.connect(database=world)
    with kept.cursor() as cursor:
        cursor.execute(text.encode())
        while cursor.nextset():
            pass
        return cursor.fetchall() if cursor.description else []


def leaks(data: bytes) -> list[str]:
    """The planted values of ALPHA that stand in data, plain or in the usual encodings."""
    return [*planted.leaks(data), *(label for label, form in _FORMS if form in data)]


def _template(world: str) -> str:
    return f"{world}_template"


def _copy(server: Postgres, template: str, name: str) -> None:
    server.sql(f"CREATE DATABASE {name} TEMPLATE {template} OWNER app_owner", database="postgres")
    # compiling what clients ask of the catalog takes longer than running it, as small as it is here
    server.sql(f"ALTER DATABASE {name} SET jit = off", database="postgres")
    server.sql(f"GRANT CONNECT, TEMPORARY ON DATABASE {name} TO readers", database="postgres")


def _forms() -> Iterable[tuple[str, bytes]]:
    for pin, word, phone in _VAULT[ALPHA]:
        for value in (str(pin), word, phone):
            text = value.encode()
            yield from ((value, form) for form in (text, text[::-1], text.upper(), text.hex().encode()))
        yield str(pin), pin.to_bytes(4, "big")
        yield (
            str(pin),
            b"".join(
                int(part).to_bytes(2, "big") for part in (f"{pin:012}"[at : at + 4] for at in (0, 4, 8))
            ),
        )


_FORMS = tuple(_forms())


_TREASURY = (
    "UPDATE treasury SET t = '{word}', v = '{word}', c = '{word}', i2 = {pin} % 30000, i4 = {pin},"
    " i8 = {pin}::int8 * 7, n = {pin}.25, f4 = {pin} % 1000 + 0.5, f8 = {pin} + 0.5, b = {pin} % 2 = 0,"
    " u = md5('{word}')::uuid, d = date '1950-01-01' + {pin} % 18000,"
    " ts = timestamp '1950-01-01 06:07:08' + {pin} * interval '1 s',"
    " tz = timestamptz '1950-01-01 06:07:08+00' + {pin} * interval '1 s', j = '{document}',"
    " jb = '{document}',"
    " ta = ARRAY['{word}', NULL, 'x {word}'], ia = ARRAY[{pin}, NULL], by = '{word}'::bytea,"
    " ip = inet '10.0.0.0' + {pin} % 100000, m = (ARRAY['calm', 'cross'])[1 + {pin} % 2]::mood, p = {pin},"
    " box = row({pin}, '{word}') WHERE id = {id};"
)


def _values(world: str) -> str:
    customers = planted.CUSTOMERS if world == ALPHA else _BRAVO
    lines = ["SET session_replication_role = replica;"]
    for number, email, ssn, card in customers:
        lines.append(
            f"UPDATE customers SET email = '{email}', ssn = '{ssn}', card = '{card}' WHERE id = {number};"
        )
        lines.append(f"UPDATE s2.t SET value = '{ssn}' WHERE id = {number};")
        lines.append(f"UPDATE badges SET ssn = '{ssn}' WHERE id = {number};")
    lines.append(f"UPDATE people_child SET ssn = '{customers[0][2]}';")
    lines.append(f"UPDATE events_2024 SET email = '{customers[0][1]}';")
    lines.append(f"UPDATE events_2025 SET email = '{customers[1][1]}';")
    for number, (pin, word, phone) in enumerate(_VAULT[world], start=1):
        document = json.dumps({"secret": word, "list": [pin, word]})
        lines.append(
            f"UPDATE vault SET pin = {pin}, doc = '{document}', raw = '{word}'::bytea, "
            f"box = row({pin}, '{word}'), phones = ARRAY['{phone}', '{word}'], balance = {pin}.5, "
            f"born = date '1950-01-01' + {pin % 18000} WHERE id = {number};"
        )
        lines.append(_TREASURY.format(pin=pin, word=word, document=document, id=number))
    lines.append("REFRESH MATERIALIZED VIEW mv; REFRESH MATERIALIZED VIEW mv_deep; ANALYZE;")
    return "\n".join(lines)
