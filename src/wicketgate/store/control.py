"""The store as the control process asks for it (control/ports.StorePort), over one open Store."""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from wicketgate.model.errors import StoreFailed
from wicketgate.model.token import ServiceAccount, TokenRecord
from wicketgate.store.db import Store
from wicketgate.store.grants import GrantRows
from wicketgate.store.nodes import NodeRows

SECOND: Final = 1_000_000_000
SILENT: Final = 5.0
"""Seconds after which a store that says nothing counts as away."""

Entry = tuple[str, str, Mapping[str, Any] | None]


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

    clock: wall clock, ns. name: what people call this node. Every method raises StoreFailed where the store
    is away.
    """

    def __init__(
        self,
        store: Store,
        unite: Callable[[Iterable[ServiceAccount]], Mapping[str, ServiceAccount]],
        clock: Callable[[], int],
        name: str = "",
    ) -> None:
        self._store = store
        self._name = name
        self._node: str | None = None
        self._life = secrets.token_hex(16)
        self._beating: asyncio.Task[int] | None = None

        async def opened() -> Store:
            return store

        self._nodes = NodeRows(opened, clock)
        self._grants = GrantRows(opened)
        self._unite = unite
        self._clock = clock

    async def node_number(self, node: str) -> int:
        self._node = node
        return await self._nodes.number(node, self._name, self._life)

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
        for token in await self._store.tokens(ends_after=now):
            entries += [
                (section, key, value) for section, key, value in self._token(token) if value is not None
            ]
        entries += [("grants", each.id, each.replicated()) for each in await self._grants.live(now)]
        return entries

    async def tokens_of(self, ids: Iterable[str]) -> Sequence[Entry]:
        """The same of some tokens alone, by their ids; None: there is no such entry (any more)."""
        entries: list[Entry] = []
        for token in await self._store.tokens_by_id(ids):
            entries += self._token(token)
        return entries

    async def has_token(self, token_hash: str) -> bool:
        """Whether a token with this hash holds now."""
        found = await self._store.token_by_hash(token_hash)
        return found is not None and found.holds(self._clock())

    def _token(self, token: TokenRecord) -> list[Entry]:
        now = self._clock()
        if token.holds(now):
            return [("tokens", token.hash, token.replicated())]
        entries: list[Entry] = [("tokens", token.hash, None)]
        if token.revoked is not None and (token.expires is None or now < token.expires):
            entries.append(("revoked", token.id, {"at": token.revoked}))
        return entries

    async def inherit(self, resource: str, database: str, inherits: Iterable[tuple[str, str]]) -> None:
        await self._store.inherit(resource, database, inherits, self._clock())

    async def inherited(self) -> Sequence[tuple[str, str, str, str]]:
        return await self._store.inherited()

    async def ping(self) -> int:
        """It answers, and takes what is written. How many ns its clock is ahead of ours."""
        # a task that goes on: what waits for SQLite's lock can't be cut short, and must not pile up
        if self._beating is None:
            self._beating = asyncio.get_running_loop().create_task(self._beat(), name="the store's life")
        task = self._beating
        await asyncio.wait({task}, timeout=SILENT)
        if not task.done():
            if self._store.shared:
                task.cancel()
                self._beating = None
            await self._store.let_go()
            raise StoreFailed("the store does not answer", f"nothing in {SILENT:g} s")
        self._beating = None
        try:
            return task.result()
        except StoreFailed:
            await self._store.let_go()
            raise

    async def _beat(self) -> int:
        if self._node is not None:
            return await self._nodes.beat(self._node, self._life)
        await self._store.ready()
        return 0
