"""Bindings of sensitive names: they follow the column through renames, and a name that never bound closes."""

import dataclasses
import json
from typing import Any

import pytest

from protocols.postgres.test_catalog import access
from servers.postgres import Postgres
from wicketgate.model.resource import Resource, TlsMode
from wicketgate.protocols.postgres.binding import Unbound, bind
from wicketgate.protocols.postgres.catalog import FORMAT, read_catalog
from wicketgate.sql.catalog import load


def resource(**sensitive: str) -> Resource:
    keys = {key.replace("__", "."): value for key, value in sensitive.items()}
    return Resource("r", "postgres", "h", 1, ("d",), TlsMode.DISABLE, {}, sensitive={"d": keys})


LISTS = """views uses generated inherits keys builtin_functions functions operators casts types expressions
code event_triggers foreign collations patterned sequences builtin_operators builtin_types names
collated_types""".split()


def raw(**tables: dict[str, int]) -> bytes:
    relations = [[oid, "public", name, "r", 0, 0, False, False, False] for oid, name in enumerate(tables, 10)]
    columns: list[Any] = [
        [oid, list(each.values()), list(each), [25] * len(each), [""] * len(each)]
        for oid, each in enumerate(tables.values(), 10)
    ]
    source: dict[str, Any] = {key: [] for key in LISTS}
    source |= {"format": FORMAT, "database": "d", "server": 150000}
    return json.dumps({**source, "relations": relations, "columns": columns}).encode()


def bound(catalog: bytes) -> list[list[Any]]:
    found: list[list[Any]] = json.loads(catalog)["bound"]
    return found


SSN = resource(public__people__ssn="national-id")
ROW = ["public.people.ssn", 10, 2, "national-id"]


def test_a_name_binds_to_its_column() -> None:
    assert bound(bind(None, raw(people={"id": 1, "ssn": 2}), SSN, "d")) == [ROW]
    assert bound(bind(None, raw(people={"id": 1}), SSN, "other")) == []


@pytest.mark.parametrize("tables", [{"people": {"id": 1}}, {"folk": {"id": 1, "ssn": 2}}, {}])
def test_a_name_that_never_bound_closes_the_database(tables: dict[str, dict[str, int]]) -> None:
    with pytest.raises(Unbound, match=r"public\.people\.ssn"):
        bind(None, raw(**tables), SSN, "d")


def test_a_renamed_column_and_a_renamed_table_stay_bound() -> None:
    first = bind(None, raw(people={"id": 1, "ssn": 2}), SSN, "d")
    renamed = bind(first, raw(people={"id": 1, "harmless": 2}), SSN, "d")
    assert bound(renamed) == [ROW]
    assert bound(bind(renamed, raw(folk={"id": 1, "harmless": 2}), SSN, "d")) == [ROW]


def test_two_columns_that_swap_their_names_are_both_bound() -> None:
    first = bind(None, raw(people={"name": 1, "ssn": 2}), SSN, "d")
    swapped = bind(first, raw(people={"ssn": 1, "name": 2}), SSN, "d")
    assert bound(swapped) == [["public.people.ssn", 10, 1, "national-id"], ROW]


def test_a_dropped_column_is_let_go_and_a_name_taken_out_of_the_policy_too() -> None:
    first = bind(None, raw(people={"id": 1, "ssn": 2}), SSN, "d")
    dropped = bind(first, raw(people={"id": 1}), SSN, "d")
    assert bound(dropped) == []
    assert bound(bind(dropped, raw(people={"id": 1}), SSN, "d")) == []
    assert bound(bind(first, raw(people={"id": 1, "ssn": 2}), resource(), "d")) == []


COPIED = (("public.notes.body", "national-id"), ("public.late.copy", "email"))


def test_a_column_that_took_over_a_class_is_bound_as_soon_as_it_is_there() -> None:
    tables = {"people": {"id": 1, "ssn": 2}, "notes": {"id": 1, "body": 2}}
    first = bind(None, raw(**tables), SSN, "d", COPIED)
    assert [row[1:] for row in bound(first)] == [[11, 2, "national-id"], ROW[1:]]
    late = bind(first, raw(**tables, late={"copy": 1}), SSN, "d", COPIED)
    assert [12, 1, "email"] in [row[1:] for row in bound(late)]
    renamed = bind(late, raw(**tables, later={"harmless": 1}), SSN, "d", COPIED)
    assert [12, 1, "email"] in [row[1:] for row in bound(renamed)]
    catalog = load(renamed, SSN.sensitive["d"], {})
    assert catalog.classes(12, 1) == {"email"}
    assert catalog.classes(11, 2) == {"national-id"}


def test_what_the_operator_calls_clean_is_let_go() -> None:
    tables = {"people": {"id": 1, "ssn": 2}, "notes": {"id": 1, "body": 2}}
    first = bind(None, raw(**tables), SSN, "d", COPIED)
    clean = dataclasses.replace(SSN, clean=frozenset({"public.notes.body"}))
    assert bound(bind(first, raw(**tables), clean, "d", COPIED)) == [ROW]


def test_a_column_may_hold_several_classes() -> None:
    copied = (("public.people.ssn", "email"), ("public.people.ssn", "payment-card"))
    catalog = load(bind(None, raw(people={"id": 1, "ssn": 2}), SSN, "d", copied), SSN.sensitive["d"], {})
    assert catalog.classes(10, 2) == {"national-id", "email", "payment-card"}


WORLD = """
CREATE TABLE people (id int, ssn text, login text);
CREATE TABLE people_child () INHERITS (people);
CREATE TABLE events (id int, payload text, other text) PARTITION BY RANGE (id);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);
CREATE TABLE customers (id int, email text, email_norm text GENERATED ALWAYS AS (lower(email)) STORED);
CREATE VIEW contacts AS SELECT id, email AS contact FROM customers;
CREATE MATERIALIZED VIEW stored AS SELECT id, email AS kept FROM customers;
CREATE TABLE plain (id int, note text);
"""
KEYS = {
    "public.people.ssn": "national-id",
    "public.events.payload": "payload",
    "public.customers.email": "email",
}
BESIDE = [  # DDL beside the gateway; relation and column; its class
    ("ALTER TABLE events DETACH PARTITION events_1", "events_1 payload", "payload"),
    ("ALTER TABLE people_child NO INHERIT people", "people_child ssn", "national-id"),
    ("ALTER TABLE ONLY people DROP COLUMN ssn", "people_child ssn", "national-id"),
    ("DROP TABLE people_child; CREATE TABLE people_child (ssn text)", "people_child ssn", "national-id"),
    ("ALTER TABLE customers ALTER email_norm DROP EXPRESSION", "customers email_norm", "email"),
    (
        "ALTER TABLE customers ALTER email_norm DROP EXPRESSION;"
        " ALTER TABLE customers RENAME email_norm TO x",
        "customers x",
        "email",
    ),
    (
        "ALTER TABLE events DETACH PARTITION events_1; ALTER TABLE events_1 RENAME TO e",
        "e payload",
        "payload",
    ),
    (
        "CREATE TABLE c AS TABLE contacts; DROP VIEW contacts; ALTER TABLE c RENAME TO contacts",
        "contacts contact",
        "email",
    ),
    (
        "CREATE TABLE c AS TABLE stored; DROP MATERIALIZED VIEW stored; ALTER TABLE c RENAME TO stored",
        "stored kept",
        "email",
    ),
]


def mapping(keys: dict[str, str]) -> Resource:
    return Resource("r", "postgres", "h", 1, ("d",), TlsMode.DISABLE, {}, sensitive={"d": keys})


def classes(catalog: bytes, relation: str, column: str, keys: dict[str, str]) -> frozenset[str] | None:
    loaded = load(catalog, keys, {})
    found = loaded.at("public", relation)
    assert found is not None
    return loaded.classes(found.oid, found.numbers[column])


@pytest.mark.parametrize(("change", "where", "name"), BESIDE)
async def test_what_was_made_from_it_stays_sensitive(
    postgres15: Postgres, change: str, where: str, name: str
) -> None:
    relation, column = where.split()
    database = f"binding_{abs(hash(change)) % 10**9}"
    postgres15.sql(f"CREATE DATABASE {database}", database="postgres")
    try:
        postgres15.sql(WORLD, database=database)
        place = access(postgres15, database=database)
        mapped = mapping(KEYS)
        first = bind(None, await read_catalog(place), mapped, "d")
        assert first == bind(first, await read_catalog(place), mapped, "d"), "it holds still"
        postgres15.sql(change, database=database)
        second = bind(first, await read_catalog(place), mapped, "d")
        assert classes(second, relation, column, KEYS) == {name}
        third = bind(second, await read_catalog(place), mapped, "d")
        assert classes(third, relation, column, KEYS) == {name}, "and stays so"
        assert third == second
        assert classes(third, "plain", "note", KEYS) == frozenset()
        fewer = {key: value for key, value in KEYS.items() if value != name}
        let_go = bind(third, await read_catalog(place), mapping(fewer), "d")
        assert classes(let_go, relation, column, fewer) == frozenset()
    finally:
        postgres15.sql(f"DROP DATABASE {database}", database="postgres")


async def test_a_view_holds_what_its_newest_definition_says(postgres15: Postgres) -> None:
    postgres15.sql("CREATE DATABASE binding_view", database="postgres")
    try:
        postgres15.sql(WORLD, database="binding_view")
        place = access(postgres15, database="binding_view")
        mapped = mapping(KEYS)
        first = bind(None, await read_catalog(place), mapped, "d")
        assert classes(first, "contacts", "contact", KEYS) == {"email"}
        postgres15.sql(
            "CREATE OR REPLACE VIEW contacts AS SELECT id, 'x'::text AS contact FROM customers",
            database="binding_view",
        )
        second = bind(first, await read_catalog(place), mapped, "d")
        assert classes(second, "contacts", "contact", KEYS) == frozenset()
    finally:
        postgres15.sql("DROP DATABASE binding_view", database="postgres")
