"""Three truths: yes, no, and not known. Kleene's logic, in the one shape that rules need: all of several."""

from collections.abc import Iterable
from enum import Enum


class Truth(Enum):
    """Whether something holds. UNKNOWN is never taken for either of the others."""

    FALSE = "false"
    UNKNOWN = "unknown"
    TRUE = "true"

    def __bool__(self) -> bool:
        raise TypeError("a Truth is one of three: compare it")


def every(truths: Iterable[Truth]) -> Truth:
    """FALSE if one is, else UNKNOWN if one is, else TRUE."""
    found = Truth.TRUE
    for truth in truths:
        if truth is Truth.FALSE:
            return Truth.FALSE
        if truth is Truth.UNKNOWN:
            found = Truth.UNKNOWN
    return found
