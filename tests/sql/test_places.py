"""Names with a database before them mean what they mean without it; another database's are refused."""

import pytest

from sql.picture import Row, analyse, picture
from wicketgate.model.statement import Effect
from wicketgate.sql.catalog import Catalog
from wicketgate.sql.parse import parse

PAIRS = (
    ("SELECT {}set_config('search_path', 'other', false)", "pg_catalog."),
    ("SELECT {}set_config('standard_conforming_strings', 'off', false)", "pg_catalog."),
    ("SELECT {}set_config('default_transaction_read_only', 'off', false)", "pg_catalog."),
    ("SELECT {}set_config(lower('ROLE'), 'x', false)", "pg_catalog."),
    ("SELECT {}count(DISTINCT ssn) FROM customers", "pg_catalog."),
    ("SELECT {}lower(ssn) FROM customers", "pg_catalog."),
    ("SELECT {}nextval('s')", "pg_catalog."),
    ("SELECT ssn FROM {}customers", "public."),
    ("SELECT {}customers.ssn FROM public.customers", "public."),
    ("SELECT ssn OPERATOR({}=) 'x' FROM customers", "pg_catalog."),
    ("SELECT ssn OPERATOR({}<) 'x' FROM customers", "pg_catalog."),
    ("SELECT 'x'::{}text, id::{}int8 FROM customers", "pg_catalog."),
    ("UPDATE {}customers SET ssn = 'x' WHERE id = 1", "public."),
    ("DROP TABLE {}customers", "public."),
    ("SELECT * FROM {}generate_series(1, 2)", "pg_catalog."),
    ("EXPLAIN ANALYZE SELECT {}set_config('search_path', 'other', false)", "pg_catalog."),
    ("PREPARE p AS SELECT {}set_config('search_path', 'other', false)", "pg_catalog."),
    ("CREATE TABLE x AS SELECT {}set_config('search_path', 'other', false)", "pg_catalog."),
)


@pytest.mark.parametrize(("text", "schema"), PAIRS)
@pytest.mark.parametrize("read_only", [False, True])
def test_the_sessions_own_database(catalog: Catalog, text: str, schema: str, read_only: bool) -> None:
    plain = text.replace("{}", schema)
    whole = text.replace("{}", f"{catalog.database}.{schema}")
    assert picture(analyse(Row(whole, {}, read_only=read_only), catalog), catalog) == picture(
        analyse(Row(plain, {}, read_only=read_only), catalog), catalog
    )
    there, here = (parse(each.encode()).members[0].changes for each in (whole, plain))
    assert there == here


@pytest.mark.parametrize(("text", "schema"), [pair for pair in PAIRS if not pair[0].startswith("DROP")])
def test_another_database(catalog: Catalog, text: str, schema: str) -> None:
    found = analyse(Row(text.replace("{}", f"elsewhere.{schema}"), {}), catalog)
    if "elsewhere.public.customers.ssn" in text.replace("{}", f"elsewhere.{schema}"):
        return  # of a column the server says so: what the column may hold is what counts here
    assert found.facts.refusal is not None


@pytest.mark.parametrize("name", ["a.b.c.d", "classify.classify.pg_catalog.lower"])
def test_too_many_parts(catalog: Catalog, name: str) -> None:
    assert analyse(Row(f"SELECT {name}('x')", {}), catalog).facts.refusal is not None


def test_a_setting_is_judged_by_its_name_alone(catalog: Catalog) -> None:
    """However the function is called, it is never a function like any other."""
    for spelling in ("set_config", "pg_catalog.set_config", "classify.pg_catalog.set_config"):
        off = analyse(Row(f"SELECT {spelling}('standard_conforming_strings', 'off', false)", {}), catalog)
        assert off.facts.refusal is not None
        hidden = analyse(Row(f"SELECT {spelling}(concat('ro', 'le'), 'x', false)", {}), catalog)
        assert Effect.UNKNOWN in hidden.facts.effects
        member = parse(f"SELECT {spelling}('search_path', 'a', false)".encode()).members[0]
        assert member.changes.path == ("a",)
