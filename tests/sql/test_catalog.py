"""The catalog: classes and what they are carried to, keys, names, versions."""

import orjson
import pytest

from sql.picture import DATABASE, OPTIONS, SENSITIVE
from wicketgate.sql.catalog import Catalog, load

EMAIL, NUMBER, CARD = frozenset({"email"}), frozenset({"national-id"}), frozenset({"payment-card"})


def classes(catalog: Catalog, name: str) -> dict[str, frozenset[str]]:
    schema, _, table = name.partition(".")
    relation = catalog.at(schema, table)
    assert relation is not None
    found = {}
    for number, column, _ in relation.columns:
        told = catalog.classes(relation.oid, number)
        assert told is not None
        if told:
            found[column] = told
    return found


@pytest.mark.parametrize(
    ("relation", "expected"),
    [
        ("public.customers", {"email": EMAIL, "ssn": NUMBER, "card": CARD, "email_norm": EMAIL}),
        ("public.contacts", {"contact": EMAIL}),
        ("public.contacts2", {"c2": EMAIL}),
        ("public.emailed", {"le": EMAIL}),
        ("public.adults", {}),
        ("public.stored", {"number": NUMBER}),
        ("public.events_2024", {"payload": frozenset({"payload"})}),
        ("public.staff", {"phone": frozenset({"phone"})}),
        ("public.holder", {"c": EMAIL | NUMBER | CARD}),
        ("public.orders", {}),
        ("other.customers", {}),
        ("public.s", {}),
        ("pg_catalog.pg_sequences", {}),
        ("pg_catalog.pg_stat_activity", {"query": frozenset({"catalog-value"})}),
        ("pg_catalog.pg_shadow", {"passwd": frozenset({"secret"})}),
    ],
)
def test_classes_follow_the_data(
    catalog: Catalog, relation: str, expected: dict[str, frozenset[str]]
) -> None:
    assert classes(catalog, relation) == expected


def test_toast_holds_what_its_table_holds(catalog: Catalog) -> None:
    customers = catalog.at("public", "customers")
    assert customers is not None
    toast = catalog.at("pg_toast", f"pg_toast_{customers.oid}")
    assert toast is not None
    assert catalog.classes(toast.oid, 3) == EMAIL | NUMBER | CARD


def test_what_is_unknown_is_none(catalog: Catalog) -> None:
    customers = catalog.at("public", "customers")
    assert customers is not None
    assert catalog.classes(4_000_000_000, 1) is None
    assert catalog.classes(customers.oid, 99) is None
    assert catalog.classes(customers.oid, -1) == frozenset()
    assert catalog.classes(customers.oid, 0) == EMAIL | NUMBER | CARD, "the whole row"
    assert catalog.relation_name(4_000_000_000) is None
    assert catalog.relation_name(customers.oid) == "public.customers"


def test_without_sensitive_columns_only_secrets_are(raw: bytes) -> None:
    catalog = load(raw, {}, {})
    assert not catalog.sensitive
    assert classes(catalog, "public.customers") == {}
    assert classes(catalog, "pg_catalog.pg_stat_activity") == {}
    assert classes(catalog, "pg_catalog.pg_shadow") == {"passwd": frozenset({"secret"})}


def test_sensitive_on_a_child_shows_in_the_parent(raw: bytes) -> None:
    catalog = load(raw, {"public.staff.phone": "phone", "public.contacts.name": "name"}, {})
    assert classes(catalog, "public.people") == {"phone": frozenset({"phone"})}
    assert classes(catalog, "public.contacts") == {"name": frozenset({"name"})}
    assert classes(catalog, "public.contacts2") == {"big": frozenset({"name"})}


def test_keys_that_name_nothing_are_told(raw: bytes) -> None:
    catalog = load(raw, {"public.customers.nosuch": "x", "nosuch.t.c": "y", **SENSITIVE}, {})
    assert catalog.unbound == ("nosuch.t.c", "public.customers.nosuch")
    assert catalog.sensitive


def test_unique_keys(catalog: Catalog) -> None:
    orders = catalog.at("public", "orders")
    assert orders is not None
    assert set(orders.keys) == {frozenset({"id"}), frozenset({"customer_id", "placed"})}


def test_names(catalog: Catalog) -> None:
    assert {
        *("customers", "ssn", "customers_pkey", "customers_email_key", "customers_age_check", "wipe", "mood"),
        *("other", "contacts", "contact", "pg_trgm", "s", "events_2024"),
    } <= catalog.names()
    assert "521-44-9031" not in catalog.names()


def test_version_says_what_it_is_made_of(raw: bytes) -> None:
    version = load(raw, SENSITIVE, OPTIONS).version
    assert load(raw, SENSITIVE, OPTIONS).version == version
    assert load(raw, {}, OPTIONS).version != version
    assert load(raw, SENSITIVE, {}).version != version
    assert load(raw + b" ", SENSITIVE, OPTIONS).version != version


def test_another_format_is_refused(raw: bytes) -> None:
    source = orjson.loads(raw)
    assert source["database"] == DATABASE
    with pytest.raises(ValueError, match="another version"):
        load(orjson.dumps({**source, "format": 1}), {}, {})
    with pytest.raises(ValueError, match=r"."):
        load(b"[]", {}, {})


def test_a_view_that_cannot_be_read_is_unknown(raw: bytes) -> None:
    source = orjson.loads(raw)
    broken = [
        [oid, "SELECT nonsense FROM (" if "email AS contact" in text else text]
        for oid, text in source["views"]
    ]
    catalog = load(orjson.dumps({**source, "views": broken}), SENSITIVE, OPTIONS)
    every = EMAIL | NUMBER | CARD
    assert classes(catalog, "public.contacts") == {"id": every, "contact": every, "name": every}


def test_a_sequence_that_feeds_a_sensitive_column_tells_its_newest_value(raw: bytes) -> None:
    catalog = load(raw, {"public.notes.id": "secret"}, {})
    value = {"last_value": frozenset({"catalog-value"})}
    assert classes(catalog, "public.notes_id_seq") == value
    assert classes(catalog, "pg_catalog.pg_sequences") == value
    assert classes(catalog, "public.s") == {}


def test_statistics_tell_nothing_of_values(catalog: Catalog) -> None:
    found = classes(catalog, "pg_catalog.pg_stats")
    assert not {"correlation", "n_distinct", "null_frac", "avg_width", "histogram_bounds"} - found.keys()
    assert not {"schemaname", "tablename", "attname", "inherited"} & found.keys()
    assert classes(catalog, "pg_catalog.pg_statistic").keys() >= {"stadistinct", "stanumbers1", "stawidth"}
