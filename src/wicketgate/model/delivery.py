"""What channels are told: a change of a review, and its delivery to one channel. Plain data.
It must never hold what is shown: that is made anew at each attempt, of the review as it is then."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from wicketgate.model.review import ReviewEvent

LASTS: Final = 24 * 3600 * 1_000_000_000
"""Nanoseconds for which a delivery is tried."""


def event_id(change: ReviewEvent) -> str:
    """The same at each attempt and on each node."""
    return f"evt_{change.review}_{change.seq}"


class State(Enum):
    """DEAD: given up; somebody may have it tried again."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One change for one channel. attempts: made so far. began: wall ns from which LASTS counts.
    next_at: wall ns of the next attempt. error: of the last one, in our words."""

    channel: str
    change: ReviewEvent
    state: State = State.PENDING
    attempts: int = 0
    began: int = 0
    next_at: int = 0
    ended: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Backlog:
    """How a channel stands. delivered, failed: wall ns of the last of each; error: of the last failure.
    holder: the life of the node that delivers; empty: none."""

    pending: int = 0
    dead: int = 0
    delivered: int | None = None
    oldest: int | None = None
    error: str = ""
    holder: str = ""
