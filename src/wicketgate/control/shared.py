"""What the control process needs of what lies between nodes, and of the history. Ports that app.py fills."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from wicketgate.model.grant import Answered, Grant
from wicketgate.model.issuer import Issuer
from wicketgate.model.review import Review, Status
from wicketgate.model.usage import Member, Use


class UserInfo(Protocol):
    """Reads what issuers say of a token's owner (identity.userinfo). Both raise ValueError."""

    def read_place(self, body: bytes, issuer: str) -> str:
        """Where it is asked for."""
        ...

    def read_answer(self, body: bytes, issuer: Issuer, subject: str) -> frozenset[str] | str:
        """The groups, as policies know them; or why the token proves nobody any more."""
        ...


class BusPort(Protocol):
    """What other nodes say (store/bus.Bus)."""

    @property
    def hears(self) -> bool:
        """Whether it is sure to hear what is said now."""
        ...

    async def run(self, heard: Callable[[str], None], turned: Callable[[bool], None]) -> None:
        """Until it is cancelled. heard: a message. turned: it hears from now on, or does not any more."""
        ...


class NodesPort(Protocol):
    """The other nodes on the same store (store/nodes.NodeRows). Every method raises GatewayError."""

    async def shared(self) -> bool: ...
    async def nodes(self) -> Sequence[Any]: ...
    async def sweep(self) -> None: ...
    async def leave(self, node: str) -> None: ...
    async def send(self, errands: Iterable[tuple[str, str, str, Mapping[str, Any]]]) -> None: ...
    async def taken(self, errand: str) -> bool: ...
    async def withdraw(self, errand: str) -> bool: ...
    async def take(self, node: str) -> Sequence[Any]: ...
    async def share(
        self, node: str, opened: Iterable[Mapping[str, Any]], closed: Iterable[str], anew: bool = False
    ) -> None: ...
    async def elsewhere(self, node: str, session: str | None = None) -> Sequence[Any]: ...
    async def agree(
        self, node: str, name: str, prints: Mapping[int, str]
    ) -> Mapping[int, tuple[str, str]]: ...


class HistoryStore(Protocol):
    """Who used what, and who was in which groups. All raise GatewayError where the store is away."""

    async def keep(self, uses: Sequence[Use], members: Sequence[tuple[int, Member]], lost: int) -> None:
        """Add to what is kept. members: wall ns since when each is so. lost: uses that were not counted."""
        ...

    async def members(self) -> Sequence[Member]:
        """Each identity as it was last."""
        ...

    async def forget(self, before: int) -> None:
        """Forget what was before (wall ns), but for what still is."""
        ...


class ReviewStore(Protocol):
    """Reviews as the store keeps them (store/reviews.Reviews). Each method is one transaction, and of races
    between nodes one wins: what is returned is how it stands then. All raise GatewayError where the store is
    away. now: wall ns."""

    async def ask(self, asked: Review, now: int, room: bool = True) -> tuple[Review, bool]:
        """What there is for the same asker, resource, database and statement, and whether it may be used now.

        In this order: an approval that fits (spent by this, where it is good for once: True); one that still
        waits; one that was denied and has not expired (who asks again learns it); else `asked` itself,
        which is added. What waits in mode `wait` is never shared: another session asks for itself.
        room: whether it may be added; raises TooManyWait where it may not, and there is nothing else."""
        ...

    async def ask_all(
        self, asked: Sequence[Review], now: int, room: bool = True
    ) -> Sequence[tuple[Review, bool]]:
        """The same of several that go or stay together, by one asker: all of them may be used, and are spent
        by this, or none is. What waits, and what is good for once, answers one of them alone."""
        ...

    async def spend(self, review: str, session: str, now: int) -> tuple[Review, bool]:
        """The same for a session that waited for this one: True once, if it is approved for it."""
        ...

    async def end(self, review: str, status: Status, by: str, now: int) -> Review | None:
        """Withdrawn or expired, where that may follow; else nothing changes. None: there is none."""
        ...

    async def review(self, review: str) -> Review | None: ...

    async def expired(self, now: int) -> Sequence[Review]:
        """Those whose time is over are made so; each is returned once, on one node alone."""
        ...

    async def abandon(self, node: str, why: str, now: int) -> Sequence[Review]:
        """Withdraw what sessions of a node that is gone (or started anew) waited for."""
        ...


class GrantStore(Protocol):
    """Access for a while, as the store keeps it (store/grants.GrantRows). All raise GatewayError."""

    async def answered(self) -> Sequence[Answered]:
        """Requests that were approved, and of which nothing has come yet."""
        ...

    async def settle(
        self, answered: Answered, now: int, record: Callable[[Grant | None], None]
    ) -> tuple[Grant | None, bool]:
        """What comes of one, in one transaction. record: before it holds. False: it was done before."""
        ...

    async def add(self, grant: Grant) -> None: ...
    async def grant(self, grant: str) -> Grant | None: ...
    async def end(self, grant: str, by: str, now: int) -> Grant | None: ...
    async def live(self, now: int, identities: Collection[str] | None = None) -> Sequence[Grant]: ...
    async def used(self, ids: Collection[str], now: int) -> None: ...
    async def forget(self, before: int) -> None: ...
    async def tell_ends(self, now: int) -> int:
        """Tell channels of grants whose time is over."""
        ...
