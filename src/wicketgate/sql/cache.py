"""A bounded cache with two generations: a hit costs one look-up, and what is used again stays (compiled)."""

from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Generations(Generic[Key, Value]):
    """Keeps at most `2 * size` entries and about `2 * weight` of what callers say they weigh.

    When the young generation is full it becomes the old one, and what stood in the old one and was not asked
    for since is forgotten: close to least-recently-used, without moving anything on a hit.
    """

    def __init__(self, size: int, weight: int = 1 << 62) -> None:
        self._size = size
        self._limit = weight
        self._weight = 0
        self._young: dict[Key, tuple[Value, int]] = {}
        self._old: dict[Key, tuple[Value, int]] = {}

    def get(self, key: Key) -> Value | None:
        found = self._young.get(key)
        if found is not None:
            return found[0]
        found = self._old.pop(key, None)
        if found is None:
            return None
        self.put(key, found[0], found[1])
        return found[0]

    def put(self, key: Key, value: Value, weight: int = 0) -> None:
        if len(self._young) >= self._size or self._weight + weight > self._limit:
            self._old = self._young
            self._young = {}
            self._weight = 0
        self._weight += weight
        self._young[key] = (value, weight)

    def clear(self) -> None:
        self._young, self._old, self._weight = {}, {}, 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
