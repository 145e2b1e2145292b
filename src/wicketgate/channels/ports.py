"""What channels need of others. No adapter lives here: only Protocols."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

from wicketgate.model.delivery import Backlog, Delivery
from wicketgate.model.grant import Grant
from wicketgate.model.resource import CredentialReference
from wicketgate.model.review import Review, ReviewEvent
from wicketgate.model.secret import Secret

Fetch = Callable[[CredentialReference], Awaitable[Secret | None]]
"""A secret from where it lies. Raises CredentialMissing."""
Link = Callable[[str], str]
"""A review's id -> its address for people; empty where they can't reach the API."""
Labels = Callable[[str], Mapping[str, str]]
"""A resource's name -> its labels; none where there is no such resource (any more)."""


Granted = Callable[[str], Awaitable[Grant | None]]
"""A review's id -> the access for a while that came of it, or that it makes longer. Raises GatewayError."""


class Outbox(Protocol):
    """Reviews and what became of them (store/reviews.Reviews). Raises GatewayError."""

    async def events(self, after: int, most: int) -> Sequence[ReviewEvent]:
        """What comes behind an event, in the order in which it holds."""
        ...

    async def review(self, review: str) -> Review | None: ...


class Rows(Protocol):
    """store/channels.ChannelRows. Raises StoreFailed. Times: wall ns."""

    async def newest(self) -> int: ...
    async def take(self, channel: str, holder: str, lasts: int, begins: int, now: int) -> int | None: ...
    async def release(self, holder: str) -> None: ...
    async def fill(
        self, channel: str, holder: str, changes: Iterable[ReviewEvent], seq: int, now: int
    ) -> bool: ...
    async def due(self, channel: str, now: int, most: int) -> list[Delivery]: ...
    async def tried(self, before: Delivery, after: Delivery) -> bool: ...
    async def dead(self, channel: str | None, after: int, most: int) -> list[Delivery]: ...
    async def replay(self, channel: str, seqs: Sequence[int] | None, now: int) -> int: ...
    async def backlogs(self) -> dict[str, Backlog]: ...
    async def forget(self, now: int) -> None: ...
    async def message(self, channel: str, review: str) -> str | None: ...
    async def keep_message(self, channel: str, review: str, place: str, now: int) -> None: ...
    async def seen(self, digest: str, expires: int, now: int) -> bool: ...
