"""The store for the control process: opened on the loop that uses it, when it is first asked.
It decides nothing, and never opens one for two loops."""

import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.engine import URL

from wicketgate.identity.service_accounts import unite
from wicketgate.model.usage import Member, Use
from wicketgate.settings import Settings
from wicketgate.store.address import store_url
from wicketgate.store.control import ControlStore
from wicketgate.store.db import Store
from wicketgate.store.history import HistoryRows


class StoreOfLoop:
    """The store, opened on the loop that uses it.

    filed: the accounts that the policy in force declares. Replaced whole, so that any thread may read it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store: Store | None = None
        self.filed: tuple[Any, ...] = ()
        self.name = settings.name or socket.gethostname()

    def url(self) -> URL:
        """Where it is. Raises GatewayError."""
        return store_url(self._settings.database_url, self._settings.state)

    def unite(self, stored: Any) -> Any:
        return unite(self.filed, stored)

    async def get(self) -> Store:
        if self._store is None:
            self._store = await Store.open(self.url())
        return self._store

    async def close(self) -> None:
        """Close it, if it was opened."""
        store, self._store = self._store, None
        if store is not None:
            await store.close()


class LateStore:
    """control.ports.StorePort over a store that is opened when it is first asked."""

    def __init__(self, store: StoreOfLoop) -> None:
        self._store = store
        self._inner: ControlStore | None = None

    async def _get(self) -> ControlStore:
        if self._inner is None:
            name = self._store.name
            self._inner = ControlStore(await self._store.get(), self._store.unite, time.time_ns, name)
        return self._inner

    async def node_number(self, node: str) -> int:
        return await (await self._get()).node_number(node)

    async def reserve(self, counted: Any, want: int, amount: int) -> int:
        return await (await self._get()).reserve(counted, want, amount)

    async def give_back(self, counted: Any, unspent: int) -> None:
        await (await self._get()).give_back(counted, unspent)

    async def keep_checkpoint(self, number: int, node: str, checkpoint: bytes) -> None:
        await (await self._get()).keep_checkpoint(number, node, checkpoint)

    async def last_checkpoint(self, node: str) -> tuple[int, bytes] | None:
        return await (await self._get()).last_checkpoint(node)

    async def replicated(self) -> Sequence[tuple[str, str, Mapping[str, Any]]]:
        return await (await self._get()).replicated()

    async def tokens_of(self, ids: Iterable[str]) -> Sequence[tuple[str, str, Mapping[str, Any] | None]]:
        return await (await self._get()).tokens_of(ids)

    async def has_token(self, token_hash: str) -> bool:
        return await (await self._get()).has_token(token_hash)

    async def inherit(self, resource: str, database: str, inherits: Iterable[tuple[str, str]]) -> None:
        await (await self._get()).inherit(resource, database, inherits)

    async def inherited(self) -> Sequence[tuple[str, str, str, str]]:
        return await (await self._get()).inherited()

    async def ping(self) -> int:
        return await (await self._get()).ping()

    async def close(self) -> None:
        self._inner = None
        await self._store.close()


class LateHistory:
    """control.ports.HistoryStore over a store that is opened when it is first asked."""

    def __init__(self, store: StoreOfLoop) -> None:
        self._store = store

    async def keep(self, uses: Sequence[Use], members: Sequence[tuple[int, Member]], lost: int) -> None:
        await HistoryRows(await self._store.get()).keep(uses, members, lost, time.time_ns())

    async def members(self) -> Sequence[Member]:
        return await HistoryRows(await self._store.get()).members()

    async def forget(self, before: int) -> None:
        await HistoryRows(await self._store.get()).forget(before)
