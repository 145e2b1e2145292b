"""What the verbs on access need: who used what, and the texts of the policy. Ports: store and app fill
them."""

from collections.abc import Sequence
from typing import Any, Protocol

from wicketgate.model.usage import Member, Use
from wicketgate.policy.document import Source
from wicketgate.policy.load import Policy


class KeptReport(Protocol):
    """A report of access that was kept (store/history.KeptReport). at: wall ns."""

    @property
    def at(self) -> int: ...
    @property
    def author(self) -> str: ...
    @property
    def policy(self) -> str: ...
    @property
    def granted(self) -> list[dict[str, Any]]: ...


class AccessHistory(Protocol):
    """Who used what, and who was in which groups (store/history.HistoryRows). Raises StoreFailed."""

    async def uses(
        self, since: int, identity: str | None = None, resource: str | None = None, *, daily: bool = False
    ) -> tuple[list[Use], int]: ...
    async def members(self) -> list[Member]: ...
    async def changes(self, since: int) -> list[tuple[int, Member]]: ...
    async def before(self, moment: int) -> dict[str, Member]: ...
    async def begins(self) -> int | None: ...
    async def keep_report(self, at: int, author: str, policy: str, granted: list[dict[str, Any]]) -> None: ...
    async def last_report(self) -> KeptReport | None: ...


class Texts(Protocol):
    """The texts of the policy that holds, and what makes a policy of such texts. Any thread."""

    def sources(self) -> tuple[Source, ...]: ...
    def compile(self, sources: Sequence[Source]) -> Policy:
        """Raises PolicyError."""
        ...
