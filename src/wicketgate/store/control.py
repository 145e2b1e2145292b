"""The store as the control process asks for it (control/ports.StorePort), over one open Store."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from wicketgate.model.token import ServiceAccount
from wicketgate.store.db import Store

SECOND: Final = 1_000_000_000


class Counted(Protocol):
    """What a limit counts; window: its start, seconds since the epoch."""

    @property
    def identity(self) -> str: ...
    @property
    def rule(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def window(self) -> int: ...


class ControlStore:
    """unite: stored accounts -> all accounts by name (those of the configuration file with them).

    clock: wall clock, ns. Every method raises StoreFailed where the store is away.
    """

    def __init__(
        self,
        store: Store,
        unite: Callable[[Iterable[ServiceAccount]], Mapping[str, ServiceAccount]],
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._unite = unite
        self._clock = clock

    async def node_number(self, node: str) -> int:
        return await self._store.node_number(node, self._clock())

    async def reserve(self, counted: Counted, want: int, amount: int) -> int:
        return await self._store.lease(
            counted.identity, counted.rule, counted.what, counted.window * SECOND, amount, want
        )

    async def give_back(self, counted: Counted, unspent: int) -> None:
        await self._store.give_back(
            counted.identity, counted.rule, counted.what, counted.window * SECOND, unspent
        )

    async def keep_checkpoint(self, number: int, node: str, checkpoint: bytes) -> None:
        await self._store.add_checkpoint(node, number, checkpoint.decode("utf-8"), self._clock())

    async def last_checkpoint(self, node: str) -> tuple[int, bytes] | None:
        found = await self._store.last_checkpoint(node)
        return None if found is None else (found.number, found.line.encode("utf-8"))

    async def replicated(self) -> Sequence[tuple[str, str, Mapping[str, Any]]]:
        """All that workers believe of identities. A token that no longer holds is not among `tokens`; one
        that was revoked stands in `revoked` by its id as well: either ends its sessions."""
        now = self._clock()
        entries: list[tuple[str, str, Mapping[str, Any]]] = [
            ("identities", name, account.replicated())
            for name, account in self._unite(await self._store.identities()).items()
        ]
        for token in await self._store.tokens():
            if token.holds(now):
                entries.append(("tokens", token.hash, token.replicated()))
            elif token.revoked is not None and (token.expires is None or now < token.expires):
                entries.append(("revoked", token.id, {"at": token.revoked}))
        return entries

    async def inherit(self, resource: str, database: str, inherits: Iterable[tuple[str, str]]) -> None:
        await self._store.inherit(resource, database, inherits, self._clock())

    async def inherited(self) -> Sequence[tuple[str, str, str, str]]:
        return await self._store.inherited()

    async def ping(self) -> None:
        await self._store.ready()
