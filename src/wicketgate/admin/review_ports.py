"""What the verbs on reviews need of others. No adapter lives here: only Protocols."""

from collections.abc import Callable, Sequence
from typing import Protocol

from wicketgate.model.review import Review, Sought, Status, Vote


class ReviewDesk(Protocol):
    """Reviews as the store keeps them (store/reviews.Reviews). Every method raises GatewayError."""

    async def review(self, review: str) -> Review | None: ...
    async def ask(self, asked: Review, now: int) -> tuple[Review, bool]: ...
    async def page(self, sought: Sought, after: tuple[int, str] | None, most: int) -> list[Review]: ...
    async def statuses(self, reviews: Sequence[str]) -> dict[str, Status]: ...
    async def end(self, review: str, status: Status, by: str, now: int) -> Review | None: ...
    async def answer(
        self, review: str, vote: Vote, now: int, check: Callable[[Review], None] = ...
    ) -> Review:
        """Raises NotAnswerable, and what check raises."""
        ...


class Links(Protocol):
    """Links to reviews' pages (custody/seal.Sealing)."""

    def link(self, review: str) -> str:
        """Empty where there is none."""
        ...

    async def opens(self, review: str, mark: str) -> bool:
        """Whether it is a link's mark, and still good. Raises GatewayError."""
        ...

    async def ticket(self, purpose: str, clear: bytes) -> str:
        """A text that a browser may keep for us. Raises GatewayError."""
        ...

    async def of_ticket(self, purpose: str, text: str) -> bytes | None:
        """What was closed for this purpose; None: it is none of ours. Raises GatewayError."""
        ...
