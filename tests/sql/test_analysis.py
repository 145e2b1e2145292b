"""The union of several proofs: all that any says, clean only where all say so."""

from servers.postgres import Postgres
from sql.picture import DATABASE, Row, analyse, picture
from wicketgate.model.statement import Effect
from wicketgate.sql.analysis import UNKNOWN_ANALYSIS, Analysis, Environment, unite
from wicketgate.sql.catalog import Catalog
from wicketgate.sql.parse import parse
from wicketgate.sql.resolve import declared, resolve


def told(text: str, catalog: Catalog) -> Analysis:
    return analyse(Row(text, {}), catalog)


def test_of_nothing_nothing_is_known() -> None:
    assert unite([]) is UNKNOWN_ANALYSIS
    assert Effect.UNKNOWN in UNKNOWN_ANALYSIS.facts.effects


def test_of_one_it_is_that_one(catalog: Catalog) -> None:
    analysis = told("SELECT 1", catalog)
    assert unite([analysis]) is analysis
    assert unite([analysis, analysis]) is analysis


def test_facts_add_up(catalog: Catalog) -> None:
    united = unite(
        [
            told("SELECT 1, id FROM orders WHERE state = $1", catalog),
            told("SELECT id, ssn FROM customers WHERE ssn = $2 AND email > $3", catalog),
        ]
    )
    seen = picture(united, catalog)
    assert seen["reads"] == "public.customers public.orders"
    assert seen["steered"] == "email"
    assert seen["compared"] == "national-id"
    assert seen["shape"] == "cm"
    assert seen["parameters"] == "2 3"
    assert united.sensitive


def test_shapes_that_differ_prove_nothing(catalog: Catalog) -> None:
    united = unite([told("SELECT 1, 2", catalog), told("SELECT 1", catalog)])
    assert (united.head, united.tail, united.starred) == ((), (), True)


def test_unknown_parameters_stay_unknown(catalog: Catalog) -> None:
    assert unite([told("SELECT 1", catalog), UNKNOWN_ANALYSIS]).sensitive_parameters is None


def test_what_is_held_is_united_too(catalog: Catalog) -> None:
    united = unite(
        [
            told("PREPARE p AS SELECT id FROM orders", catalog),
            told("PREPARE p AS SELECT id FROM notes", catalog),
        ]
    )
    assert united.held is not None
    (execute,) = parse(b"EXECUTE p").members
    environment = Row("", {}).environment(catalog)
    facts = resolve(execute, environment, united).facts
    assert facts.reads == {"public.orders", "public.notes"}
    assert facts.returns_rows


def test_environments_that_are_equal_share_analyses(catalog: Catalog) -> None:
    (member,) = parse(b"SELECT id FROM orders").members
    first = resolve(member, Environment(catalog, ("public",), frozenset(), "a", catalog.database, False))
    assert (
        resolve(member, Environment(catalog, ("public",), frozenset(), "a", catalog.database, False)) is first
    )
    assert resolve(member, Environment(catalog, None, frozenset(), "a", catalog.database, False)) is not first


def test_another_database_is_unknown(catalog: Catalog) -> None:
    (member,) = parse(b"SELECT 1").members
    assert resolve(member, Environment(catalog, (), frozenset(), "a", "elsewhere", False)) is UNKNOWN_ANALYSIS


def test_declared_parameter_types_may_run_code(classify: Postgres, catalog: Catalog) -> None:
    analysis = told("SELECT $1", catalog)
    assert declared(analysis, catalog, [25, 23, 0]) is analysis
    for name in ("checked", "checked[]"):
        ((oid,),) = classify.sql(f"SELECT 'public.{name}'::regtype::oid", database=DATABASE)
        doubted = declared(analysis, catalog, [25, oid])
        assert doubted.facts.effects == {Effect.READ, Effect.UNKNOWN}
        assert doubted.facts.opaque
