"""What the verbs on access for a while need of others. No adapter lives here: only Protocols."""

import concurrent.futures
from collections.abc import Collection, Sequence
from typing import Protocol

from wicketgate.model.grant import AccessRequest, Grant, SoughtGrants
from wicketgate.model.review import Review


class GrantDesk(Protocol):
    """Grants as the store keeps them (store/grants.GrantRows). Every method raises GatewayError."""

    async def asked(self, request: AccessRequest) -> None: ...
    async def unasked(self, request: str) -> None: ...
    async def requests(self, ids: Collection[str]) -> dict[str, AccessRequest]: ...
    async def grant(self, grant: str) -> Grant | None: ...
    async def page(
        self, sought: SoughtGrants, after: tuple[int, str] | None, most: int
    ) -> Sequence[Grant]: ...
    async def since(self, since: int) -> Sequence[Grant]: ...


class AsksReviews(Protocol):
    """Where a request waits for people (store/reviews.Reviews)."""

    async def ask(self, asked: Review, now: int) -> tuple[Review, bool]: ...


class GrantControl(Protocol):
    """The control process, as far as grants go (control/ports.ControlPort)."""

    def break_glass(self, grant: Grant, reason: str) -> "concurrent.futures.Future[None]": ...
    def end_grant(self, grant: str, by: str, what: str) -> "concurrent.futures.Future[Grant | None]": ...
    def settle_grants(self) -> "concurrent.futures.Future[None]": ...
