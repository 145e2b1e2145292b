"""Which statements are recorded without their text, because they carry a password; and which are not."""

import pytest

from wicketgate.sql.catalog import Catalog
from wicketgate.sql.parse import parse
from wicketgate.sql.resolve import Environment, resolve

SECRETIVE = (
    "SELECT dblink_connect('host=x password=hush')",
    "SELECT public.dblink_connect_u('c', 'postgresql://u:hush@h/db')",
    "SELECT * FROM dblink('host=x user=y PassWord = hush', 'select 1') AS t(a int)",
    "SELECT dblink_exec('host=x ' || 'password=hush', 'x')",
    "SELECT dblink_connect($1)",
    "SELECT id FROM orders WHERE state = dblink_connect('c', concat('sslpassword=hush'))",
    "EXPLAIN ANALYZE SELECT dblink_connect('password=hush')",
    "PREPARE q AS SELECT dblink_connect('password=hush')",
    "DECLARE c CURSOR FOR SELECT dblink_connect('password=hush')",
    "SET my.password = 'hush'",
    "SET LOCAL my.api_key TO 'hush'",
    "SET my.target = 'host=x password=hush'",
    "SELECT set_config('my.secret', 'hush', false)",
    "SELECT set_config('my.token', $1, true)",
    "ALTER SYSTEM SET primary_conninfo = 'user=r password=hush'",
    "ALTER DATABASE d SET my.password = 'hush'",
    "ALTER ROLE r SET my.password = 'hush'",
    "ALTER ROLE r IN DATABASE d SET my.url = 'https://u:hush@h/'",
    "DO $$BEGIN EXECUTE 'ALTER ROLE r PASSWORD ''hush'''; END$$",
    "DO 'begin alter role r password ''hush''; end'",
    "DO $$BEGIN EXECUTE format('ALTER ROLE r PASSWORD %L', 'hush'); END$$",
    "DO $x$BEGIN ALTER ROLE r PASSWORD $$hush$$; END$x$",
    "DO $$BEGIN PERFORM dblink_connect('password=hush'); END$$",
    "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$begin alter role r password 'hush'; end$$",
    "CREATE PROCEDURE f() LANGUAGE sql AS 'ALTER ROLE r PASSWORD ''hush'''",
    "ALTER ROLE r PASSWORD 'hush'",
    "CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (password 'hush')",
)

OPEN = (
    "SELECT 'password=said' AS x",
    "INSERT INTO orders (state) VALUES ('postgresql://u:said@h/db')",
    "SELECT id FROM orders WHERE state = 'password=said'",
    "SELECT dblink_connect('service=warehouse')",
    "SELECT dblink_exec('c', 'DELETE FROM far')",
    "SET password_encryption = 'scram-sha-256'",
    "SET search_path = s1",
    "SELECT set_config('search_path', '', false)",
    "ALTER ROLE r SET search_path = 's1'",
    "ALTER DATABASE d SET password_encryption = 'md5'",
    "DO $$BEGIN UPDATE users SET password = NULL; END$$",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
)
"""What is data, and what is none: hiding it would take it from the record."""


@pytest.mark.parametrize("text", SECRETIVE)
def test_a_password_where_servers_take_one_is_not_recorded(catalog: Catalog, text: str) -> None:
    assert redacts(catalog, text)


@pytest.mark.parametrize("text", OPEN)
def test_what_is_none_is_recorded(catalog: Catalog, text: str) -> None:
    assert not redacts(catalog, text)


def redacts(catalog: Catalog, text: str) -> bool:
    environment = Environment(catalog, ("public",), frozenset(), "app", "classify", False)
    (member,) = parse(text.encode()).members
    return resolve(member, environment).facts.redact_text
