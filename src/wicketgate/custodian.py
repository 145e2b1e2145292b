"""The composition of what holds accounts' secrets outside of the configuration.
Like app.py it decides nothing; it must never fetch anything by being put together."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from wicketgate.custody.aws import Aws, AwsSource, KmsKeys
from wicketgate.custody.keys import EnvironmentKeys, FileKeys, TransitKeys, WrappingKeys
from wicketgate.custody.kv import KvSource
from wicketgate.custody.own import OwnSource, OwnVault
from wicketgate.custody.server import Server
from wicketgate.custody.settings import Keepers
from wicketgate.model.credential import CredentialMissing, Source
from wicketgate.store.address import StoreAddress, store_url
from wicketgate.store.db import Store
from wicketgate.store.secrets import SecretRows


def _server(keepers: Keepers, name: str) -> Server:
    return Server(name, keepers.vaults[name], os.environ, time.monotonic_ns)


def _keys(keepers: Keepers) -> WrappingKeys:
    chosen = keepers.custody.key
    if chosen is not None and chosen.transit is not None:
        transit = chosen.transit
        return TransitKeys(_server(keepers, transit.vault), transit.mount, transit.key)
    if chosen is not None and chosen.kms is not None:
        assert keepers.aws is not None
        return KmsKeys(Aws(keepers.aws, "kms", keepers.aws.kms_url), chosen.kms.key)
    if chosen is not None and chosen.env is not None:
        return EnvironmentKeys(chosen.env, os.environ, os.urandom)
    assert chosen is not None
    assert chosen.file is not None
    return FileKeys(chosen.file, os.urandom)


def vault_of(keepers: Keepers, store: Store) -> OwnVault:
    """The vault of our own, with its rows in this store; to be used on the store's loop."""
    return OwnVault(SecretRows(store), _keys(keepers), time.time_ns, os.urandom)


class LookedAt:
    """For who looks on without a gateway: a store that is opened when it is asked for; it makes none."""

    def __init__(self, database_url: StoreAddress | None, state: Path) -> None:
        self._database_url = database_url
        self._state = state
        self._store: Store | None = None
        self._opening = asyncio.Lock()

    async def get(self) -> Store:
        async with self._opening:
            if self._database_url is None and not (self._state / "wicketgate.sqlite").exists():
                raise CredentialMissing("there is no store yet, and no secret in it")
            if self._store is None:
                self._store = await Store.open(store_url(self._database_url, self._state))
            return self._store

    async def close(self) -> None:
        """Close it, if it was opened."""
        store, self._store = self._store, None
        if store is not None:
            await store.close()


def sources(
    keepers: Keepers,
    store: Callable[[], Awaitable[Store]],
    done: Callable[[], Awaitable[None]] | None = None,
    grace: float = 0.0,
) -> dict[str, Source]:
    """By the names that references give them. To be used, and closed, on one event loop; so is the store,
    which is asked for when a secret is. done: called when all is closed. grace:
    seconds that secrets of our own may be used on while the store is away."""
    made: list[OwnVault] = []

    async def own() -> OwnVault:
        rows = await store()
        if not made:
            made.append(vault_of(keepers, rows))
        return made[0]

    async def close() -> None:
        while made:
            await made.pop().close()
        if done is not None:
            await done()

    servers = {name: _server(keepers, name) for name in keepers.vaults}
    found: dict[str, Source] = {
        "vault": KvSource(servers),
        "secret": OwnSource(own, close, time.monotonic_ns, grace),
    }
    if keepers.aws is not None:
        url = keepers.aws.secretsmanager_url
        found["aws"] = AwsSource(Aws(keepers.aws, "secretsmanager", url))
    return found
