"""The list of PostgreSQL's own functions: everything that is not immutable is either listed or unknown."""

import pytest

from servers.postgres import Postgres
from wicketgate.sql.functions import Doing, builtin, extension_is_pure


@pytest.mark.parametrize(
    ("name", "volatility", "doing"),
    [
        ("lower", "i", Doing.PURE),
        ("now", "s", Doing.PURE),
        ("pg_stat_get_live_tuples", "s", Doing.PURE),
        ("pg_stat_get_activity", "s", Doing.LEAKS),
        ("nextval", "v", Doing.WRITES),
        ("pg_read_file", "v", Doing.EXECUTES),
        ("set_config", "v", Doing.CONFIGURES),
        ("query_to_xml", "v", Doing.UNKNOWN),
        ("ts_rewrite", "i", Doing.UNKNOWN),
        ("brought_by_a_later_server", "s", Doing.UNKNOWN),
        ("brought_by_a_later_server", "v", Doing.UNKNOWN),
    ],
)
def test_builtin(name: str, volatility: str, doing: Doing) -> None:
    assert builtin(name, volatility) is doing


ACTING = (
    "pg_(terminate|cancel|reload|rotate|promote|switch|create|drop|read|ls|wal_replay|replication|logical_slot_get|"
    "backup|start_backup|stop_backup|import|sync|restore|clear|split|upgrade)|binary_upgrade|lo_(import|export|put|"
    "create|unlink|truncate|from_bytea)|lowrite|setval|nextval|advisory_(xact_)?lock|brin_|gin_clean|pg_stat_reset|"
    "pg_notify|emit|_to_xml|ts_stat|pg_promote|currtid"
)


def test_no_function_that_acts_is_taken_for_pure(postgres: Postgres) -> None:
    rows = postgres.sql(
        "SELECT proname, min(CASE provolatile WHEN 'v' THEN 0 WHEN 's' THEN 1 ELSE 2 END) FROM pg_proc"
        " WHERE pronamespace = 'pg_catalog'::regnamespace AND proname ~ %s GROUP BY 1",
        ACTING,
    )
    pure = {name for name, worst in rows if worst < 2 and builtin(name, "vs"[worst]) is Doing.PURE}
    assert pure <= {"pg_replication_origin_oid"}


def test_extensions() -> None:
    assert extension_is_pure("anything", "f", "i")
    assert extension_is_pure("citext", "f", "s")
    assert not extension_is_pure("anything", "f", "s")
    assert not extension_is_pure("citext", "f", "v")
    assert extension_is_pure("uuid-ossp", "uuid_generate_v4", "v")
    assert not extension_is_pure("tablefunc", "crosstab", "s")
    assert not extension_is_pure("dblink", "dblink", "i")
