"""What somebody does in a chat system with a review's message, once it is known that the system sent it.
It must never be taken for a proof of who he is: his account there is all that it names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from wicketgate.model.errors import GatewayError
from wicketgate.model.review import Conditions


class Forged(GatewayError):
    """Nobody knows that the chat system sent this, now, once, for this channel. detail: why."""

    def __init__(self, detail: str) -> None:
        super().__init__("this does not come from the channel's chat system", detail)


class NotMapped(GatewayError):
    """An account of the chat system that stands for nobody here. public: told to him."""


class Step(Enum):
    """BEGUN: he wants to answer. GIVEN: this is his answer."""

    BEGUN = "begun"
    GIVEN = "given"


@dataclass(frozen=True, slots=True)
class Press:
    """user: his account there. place: where the message stands. trigger: lets us show him something."""

    step: Step
    user: str
    review: str
    approves: bool
    place: str
    trigger: str = ""
    comment: str = ""
    conditions: Conditions = field(default_factory=Conditions)


Shown = Mapping[str, Any]
"""What the chat system is answered: JSON values."""
