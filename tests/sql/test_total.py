"""The closed list of what may take a sensitive value, held against real servers: it never fails, and gives
NULL for NULL alone, whatever it is given."""

import itertools

import pytest

from servers.postgres import Postgres
from sql.picture import Row, analyse
from wicketgate.sql.analysis import Analysis
from wicketgate.sql.catalog import Catalog
from wicketgate.sql.total import TOTAL

TEXTS = (
    "",
    " ",
    "a",
    "5",
    "-1",
    "1e99999",
    "NaN",
    "é",
    "😀",
    "'",
    '"',
    "\\",
    "%",
    "$1",
    "{}",
    "[",
    "x" * 9000,
    "a\nb",
)
NUMBERS = ("0", "-1", "2147483647", "-2147483648")
OTHERS = (
    "'NaN'::float8",
    "'Infinity'::float8",
    "1e308::float8",
    "9e99::numeric",
    "'infinity'::date",
    "now()",
    "'{\"a\": [1]}'::jsonb",
    "'null'::jsonb",
    "'[]'::json",
    "'\\x00ff'::bytea",
    "true",
    "'::1'::inet",
    "'1 year'::interval",
    "'(1,2)'::point",
    "ARRAY[1,2]",
    "ROW(1,'a')",
    "'c0ffee00-0000-0000-0000-000000000000'::uuid",
    "'$1.00'::money",
    "'[1,2)'::int4range",
)
ANYTHING = frozenset(
    "concat to_json to_jsonb json_build_array jsonb_build_array json_agg jsonb_agg array_agg"
    " quote_literal quote_nullable pg_typeof pg_column_size first_value".split()
)
AGGREGATES = frozenset(
    "json_agg jsonb_agg array_agg min max bool_and bool_or every json_object_agg jsonb_object_agg string_agg"
    " lag lead first_value last_value nth_value".split()
)
TEXT_ARGUMENTS = {
    "left": ("t", "n"),
    "right": ("t", "n"),
    "substr": ("t", "2", "3"),
    "split_part": ("t", "t", "1"),
    "lpad": ("t", "7", "t"),
    "rpad": ("t", "7", "t"),
    "encode": ("convert_to(t, 'UTF8')", "'hex'"),
    "sha224": ("convert_to(t, 'UTF8')",),
    "sha256": ("convert_to(t, 'UTF8')",),
    "sha384": ("convert_to(t, 'UTF8')",),
    "sha512": ("convert_to(t, 'UTF8')",),
    "row_to_json": ("ROW(t, n)", "true"),
    "array_to_json": ("ARRAY[t, t]", "true"),
    "bool_and": ("t = 'a'",),
    "bool_or": ("t = 'a'",),
    "every": ("t = 'a'",),
}


def quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


@pytest.mark.parametrize("name", sorted(TOTAL))
def test_a_listed_function_takes_everything(postgres: Postgres, name: str) -> None:
    least, most, _ = TOTAL[name]
    given = TEXT_ARGUMENTS.get(name, ("t",) * min(most, 3))
    rows = ", ".join(f"({quoted(t)}, '{n}'::int)" for t in TEXTS for n in NUMBERS)
    windowed = (
        " OVER (ORDER BY t)" if name in ("lag", "lead", "first_value", "last_value", "nth_value") else ""
    )
    with postgres.connect() as connection:
        for width in (2,) if "build_object" in name else range(least, min(most, len(given)) + 1):
            arguments = list(given[:width])
            if name in ("lag", "lead", "nth_value") and width > 1:
                arguments[1] = "1"
            called = f'pg_catalog."{name}"' if name == "position" else name
            call = f"{called}({', '.join(arguments)}){windowed}"
            test = "count(c) > 0" if name in ("lag", "lead", "nth_value") else "every(c IS NOT NULL)"
            grouped = " GROUP BY n" if name in AGGREGATES and not windowed else ""
            text = f"SELECT {test} FROM (SELECT {call} AS c FROM (VALUES {rows}) v(t, n){grouped}) q"
            assert connection.execute(text.encode()).fetchone() == (True,), call


@pytest.mark.parametrize("name", sorted(ANYTHING))
def test_what_takes_any_type_takes_any_value(postgres15: Postgres, name: str) -> None:
    windowed = " OVER ()" if name == "first_value" else ""
    with postgres15.connect() as connection:
        for value in OTHERS:
            connection.execute(f"SELECT ({name}({value}){windowed}) IS NOT NULL".encode())


def test_everything_has_a_text(postgres: Postgres) -> None:
    with postgres.connect() as connection:
        for value in (*OTHERS, *map(quoted, TEXTS)):
            for target in ("text", "varchar(2)", "char(3)", "name"):
                row = connection.execute(f"SELECT ({value}::{target}) IS NOT NULL".encode()).fetchone()
                assert row == (True,)


DOCUMENTS = ("1", '"a"', "null", "true", "[]", "[1, 2]", "{}", '{"a": 1}', "[[1]]")


def test_documents_are_joined_and_looked_into(postgres: Postgres) -> None:
    with postgres.connect() as connection:
        for one, two in itertools.product(DOCUMENTS, DOCUMENTS):
            connection.execute(f"SELECT '{one}'::jsonb || '{two}'::jsonb".encode())
        for one in DOCUMENTS:
            for type_name in ("json", "jsonb"):
                for step in ("-> 'a'", "->> 'a'", "-> 0", "->> -9", "#> '{a,b}'", "#>> '{0}'"):
                    connection.execute(f"SELECT '{one}'::{type_name} {step}".encode())


PASS = (
    "lower(ssn)",
    "left(ssn, 3)",
    "substr(ssn, 1, 2)",
    "substring(ssn from 2 for 3)",
    "split_part(ssn, '-', 2)",
    "concat(ssn, id, name)",
    "ssn || id",
    "format('%s <%s>', name, ssn)",
    "md5(ssn)",
    "strpos(ssn, '5')",
    "string_agg(ssn, ', ')",
    "max(ssn)",
    "array_agg(ssn)",
    "to_jsonb(ssn)",
    "json_build_object('a', ssn)",
    "row_to_json(c)",
    "c::text",
    "upper((c).ssn)",
    "ARRAY[ssn, name]",
    "ARRAY[ssn]::text[]",
    "ROW(ssn, 1)",
    "coalesce(ssn, 'x')",
    "CASE WHEN id = 1 THEN ssn END",
    "greatest(ssn, name)",
    "nullif(ssn, 'x')",
    "encode(convert_to(ssn, 'UTF8'), 'base64')",
    "first_value(ssn) OVER (ORDER BY id)",
    "lpad(ssn, 12, '*')",
    "to_jsonb(c) ->> 'ssn'",
    "to_jsonb(c) -> 'ssn' ->> 0",
    "(SELECT ssn)",
    'ssn COLLATE "C"',
    "lower(ssn) IS NULL",
    "(array_agg(ssn))[1]",
    "pg_catalog.upper(ssn)",
    "replace(ssn, '-', '')",
    "row_to_json(c)::jsonb",
)
STEER = (
    "1 / (ascii(ssn) - 53)",
    "ssn::int",
    "ssn::date",
    "substr(ssn, 1, ascii(ssn) - 60)",
    "repeat(ssn, 9)",
    "'x' LIKE ssn",
    "ssn LIKE '5%'",
    "ssn ~ '5'",
    "ssn > '5'",
    "ssn BETWEEN 'a' AND 'b'",
    "chr(ascii(ssn))",
    "substring(ssn from '^5')",
    "regexp_match(ssn, '5')",
    "regexp_replace(ssn, '5', '')",
    "ssn::json",
    "decode(ssn, 'hex')",
    "convert_to(ssn, 'LATIN1')",
    "length(ssn) + 1",
    "(ARRAY['a'])[ascii(ssn)]",
    "to_date(ssn, 'YYYY')",
    "to_number(ssn, '9')",
    "ssn::varchar::bytea",
    "xmlelement(name x, ssn)",
    "generate_series(1, length(ssn))",
    "unnest(string_to_array(ssn, '-'))",
    "split_part('a', 'b', ascii(ssn))",
    "format(ssn, 1)",
    "format('%*s', ascii(ssn), 'x')",
    "rank() OVER (ORDER BY ssn)",
    "count(DISTINCT lower(ssn))",
    "array_agg(id ORDER BY ssn)",
    "CASE WHEN ssn LIKE '5%' THEN 1 END",
    "'{\"a\": 1}'::jsonb -> ssn",
    "jsonb_build_object(ssn, 1)",
    "json_object_agg(ssn, id)",
    "JSON_OBJECT(ssn: 1)",
    "lower(ssn) = 'x'",
    "left(ssn, 1) IN ('5')",
    "string_agg(ssn, ',' ORDER BY ssn)",
    "ssn::checked",
    "repeat('x', 1073741800) || ssn",
    "make_date(ascii(ssn), 1, 1)",
    "sum(length(ssn))",
    "ssn SIMILAR TO '5'",
    "jsonb_object_keys(jsonb_build_object(ssn, 1))",
    "concat(VARIADIC ARRAY[ssn])",
    "public.listed(length(ssn))",
    "nullif(ssn LIKE '5%', true)",
    "setseed(length(ssn))",
    "set_byte('a', ascii(ssn), 1)",
    "ssn::regclass",
    "sum(age::int) OVER (ORDER BY ssn)",
    "nth_value(id, ascii(ssn)) OVER ()",
    "to_char(ascii(ssn), '9')",
)


def facts(catalog: Catalog, text: str) -> Analysis:
    return analyse(Row(text, {}), catalog)


@pytest.mark.parametrize("expression", PASS)
def test_these_carry_the_class_and_pass(catalog: Catalog, expression: str) -> None:
    analysis = facts(catalog, f"SELECT {expression} FROM customers c")
    assert not analysis.facts.steered | analysis.facts.spilled
    (output,) = analysis.head
    assert output is not None
    assert "national-id" in output.classes
    assert not output.bare or expression == "(SELECT ssn)"


@pytest.mark.parametrize("expression", STEER)
def test_these_answer_questions(catalog: Catalog, expression: str) -> None:
    found = facts(catalog, f"SELECT {expression} FROM customers c").facts
    assert "national-id" in found.steered


SPILL = (
    "set_config('application_name', ssn, false)",
    "setval('s', length(ssn))",
    "pg_notify('a', ssn)",
    "pg_advisory_lock(length(ssn))",
    "lo_from_bytea(0, convert_to(ssn, 'UTF8'))",
    "public.wipe2(ssn)",
    "pg_logical_emit_message(true, 'a', ssn)",
    "pg_terminate_backend(length(ssn))",
)


@pytest.mark.parametrize("expression", SPILL)
def test_these_let_it_out(catalog: Catalog, expression: str) -> None:
    found = facts(catalog, f"SELECT {expression} FROM customers c").facts
    assert "national-id" in found.spilled


def test_the_longest_text_tells_no_length(catalog: Catalog) -> None:
    nested = "SELECT ssn AS x FROM customers"
    for _ in range(13):
        nested = f"SELECT x || x AS x FROM ({nested}) q"
    assert facts(catalog, nested).facts.steered == {"national-id"}
