"""The two-generation cache keeps what is used and stays bounded."""

from hypothesis import given
from hypothesis import strategies as st

from wicketgate.sql.cache import Generations


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


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=60))
def test_it_gives_back_what_was_put_or_nothing(steps: list[tuple[bool, int]]) -> None:
    cache: Generations[int, int] = Generations(3)
    for put, key in steps:
        if put:
            cache.put(key, key * 2)
        assert cache.get(key) in (None, key * 2)
        assert len(cache) <= 6
