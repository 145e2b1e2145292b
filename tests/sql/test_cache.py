"""The two-generation cache keeps what is used and stays bounded."""

from hypothesis import given
from hypothesis import strategies as st

from wicketgate.sql import resolve as resolving
from wicketgate.sql.analysis import RESOLVED
from wicketgate.sql.cache import Generations
from wicketgate.sql.catalog import Catalog
from wicketgate.sql.member import BY_TEXT, KEPT
from wicketgate.sql.parse import parse
from wicketgate.sql.resolve import Environment


def test_what_is_asked_for_stays() -> None:
    cache: Generations[int, str] = Generations(2)
    for key in range(10):
        cache.put(key, str(key))
        assert cache.get(0) == "0"
    assert cache.get(1) is None
    assert len(cache) <= 4


def test_weight_bounds_it_too() -> None:
    cache: Generations[int, str] = Generations(1000, 10)
    for key in range(10):
        cache.put(key, "x", 6)
    assert len(cache) <= 2


def test_trees_count_by_the_memory_that_they_take(catalog: Catalog) -> None:
    """Each of a worker's caches; the results of resolving hold their statements' trees."""
    wide = parse(b"SELECT " + b",".join([b"1"] * 900)).members[0]
    assert 500_000 < wide.weight < 2_000_000
    environment = Environment(catalog, ("public",), frozenset(), "app", "classify", False)
    for number in range(20):
        (each,) = parse(b"SELECT %d AS n" % number).members
        each.weight = KEPT // 4
        resolving.resolve(each, environment)
    assert len(RESOLVED) <= 8
    for number in range(10):
        text = b"SELECT %d AS a%d," % (number, number) + b"1," * 8_000 + b"1"
        assert parse(text).weight > 6 << 20
    assert len(BY_TEXT) <= 8


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=60))
def test_it_gives_back_what_was_put_or_nothing(steps: list[tuple[bool, int]]) -> None:
    cache: Generations[int, int] = Generations(3)
    for put, key in steps:
        if put:
            cache.put(key, key * 2)
        assert cache.get(key) in (None, key * 2)
        assert len(cache) <= 6
