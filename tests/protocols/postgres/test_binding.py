"""Bindings of sensitive names: they follow the column through renames, and a name that never bound closes."""

import json
from typing import Any

import pytest

from wicketgate.model.resource import Resource, TlsMode
from wicketgate.protocols.postgres.binding import Unbound, bind


def resource(**sensitive: str) -> Resource:
    keys = {key.replace("__", "."): value for key, value in sensitive.items()}
    return Resource("r", "postgres", "h", 1, ("d",), TlsMode.DISABLE, {}, sensitive={"d": keys})


def raw(**tables: dict[str, int]) -> bytes:
    relations = [[oid, "public", name, "r"] for oid, name in enumerate(tables, 10)]
    columns: list[Any] = [
        [oid, list(each.values()), list(each)] for oid, each in enumerate(tables.values(), 10)
    ]
    return json.dumps({"relations": relations, "columns": columns}).encode()


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
