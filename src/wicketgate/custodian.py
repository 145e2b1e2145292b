"""The composition of what holds accounts' secrets outside of the configuration.
Like app.py it decides nothing; it must never fetch anything by being put together."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wicketgate.control.segment_keys import make_key
from wicketgate.custody.aws import Aws, AwsSource, KmsKeys
from wicketgate.custody.keys import EnvironmentKeys, FileKeys, TransitKeys, WrappingKeys
from wicketgate.custody.kv import KvSource
from wicketgate.custody.own import OwnSource, OwnVault
from wicketgate.custody.seal import Sealing
from wicketgate.custody.settings import Keepers
from wicketgate.journal.decrypt import Unwrap
from wicketgate.journal.keyfile import KeySupply, WrappedKey, read_key, rewrite_key
from wicketgate.journal.segments import writers
from wicketgate.model.credential import CredentialMissing, Source
from wicketgate.model.errors import GatewayError, JournalFailed
from wicketgate.model.secret import Secret
from wicketgate.store.address import StoreAddress, store_url
from wicketgate.store.db import Store
from wicketgate.store.secrets import SecretRows

if TYPE_CHECKING:
    from wicketgate.custody.server import Server


def _server(keepers: Keepers, name: str) -> "Server":
    from wicketgate.custody.server import Server  # with aiohttp: most have no such server

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


def wrapping(keepers: Keepers) -> WrappingKeys:
    """What wraps data keys. To be used, and closed, on one loop."""
    return _keys(keepers)


def vault_of(keepers: Keepers, journal: Path, store: Store) -> OwnVault:
    """The vault of our own, with its rows in this store; to be used on the store's loop. journal: its folder,
    whose keys are wrapped by the same."""
    return OwnVault(SecretRows(store), _keys(keepers), time.time_ns, os.urandom, Segments(journal))


def sealing(
    keepers: Keepers,
    journal: Path,
    store: Callable[[], Awaitable[Store]],
    public_url: str | None,
) -> Sealing:
    """What closes reviews and signs links to them; to be used on the store's loop. public_url: where people
    reach the API."""

    async def own() -> OwnVault:
        return vault_of(keepers, journal, await store())

    return Sealing(own, time.monotonic_ns, time.time_ns, os.urandom, public_url)


async def key_supply(
    keepers: Keepers, database_url: StoreAddress | None, state: Path, node: str, writer: str
) -> KeySupply:
    """A writer's supply with its first key. The file of keys is made where nothing was ever wrapped. Raises
    GatewayError: then nothing is recorded."""
    keys = _keys(keepers)
    try:
        if isinstance(keys, FileKeys) and keys.missing():
            store = await Store.open(store_url(database_url, state))
            try:
                await OwnVault(
                    SecretRows(store), keys, time.time_ns, os.urandom, Segments(state / "journal")
                ).first()
            finally:
                await store.close()
        supply = KeySupply(node, writer)
        supply.put(1, await make_key(keys, node, writer, 1, os.urandom))
        return supply
    except CredentialMissing as error:
        raise JournalFailed("the journal can't be encrypted, so nothing is done", error.detail) from None
    finally:
        await keys.close()


TOGETHER: Final = 8
"""Keys that are wrapped or unwrapped at a time."""


class Segments:
    """The wrapped keys of a journal's segments (custody.own.Others). Files are touched off the loop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _files(self) -> Iterator[tuple[Path, WrappedKey | CredentialMissing]]:
        """A file that is no wrapped key must be looked at by somebody."""
        for each in writers(self._folder) if self._folder.is_dir() else []:
            for segment, path in sorted(each.keys.items()):
                if segment not in each.segments:
                    continue  # its writer died, or has just begun: what it wrapped with is the newest
                try:
                    yield path, read_key(path, each.node, each.writer, segment)
                except (OSError, ValueError) as error:
                    yield path, CredentialMissing(f"{path}: {error}")

    def any(self) -> bool:
        found = writers(self._folder) if self._folder.is_dir() else []
        return any(segment in each.segments for each in found for segment in each.keys)

    def versions(self, keys: WrappingKeys) -> Mapping[str, int]:
        """Which keys have wrapped how many. Blocking."""
        found = [wrapped for _, wrapped in self._files()]
        for each in found:
            if isinstance(each, CredentialMissing):
                raise each
        return Counter(keys.version(each.wrapped) for each in found if isinstance(each, WrappedKey))

    async def rewrap(self, keys: WrappingKeys) -> int:
        """Of every node whose files lie here. Where one fails, the others are done before it is told."""
        found = await asyncio.to_thread(lambda: list(self._files()))
        limit = asyncio.Semaphore(TOGETHER)

        async def one(path: Path, old: WrappedKey | CredentialMissing) -> None:
            if isinstance(old, CredentialMissing):
                raise old
            async with limit:
                try:
                    key = await keys.unwrap(old.wrapped, old.context)
                    old.cipher(key)  # the file's id is the key's
                    await asyncio.to_thread(rewrite_key, path, old, await keys.wrap(key, old.context))
                except CredentialMissing as error:
                    raise CredentialMissing(f"{path}: {error.detail}") from None
                except (OSError, ValueError) as error:
                    raise CredentialMissing(f"{path}: {error}") from None

        results = await asyncio.gather(*(one(*each) for each in found), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return len(found)


def unwrapper(keepers: Callable[[], Keepers]) -> Unwrap:
    """Opens segments' keys for readers, on a loop of its own: for any thread that runs none.

    keepers: asked when something encrypted is met. What it raises is told in place of the keys.
    """

    async def all_of(found: Keepers, wanted: Sequence[WrappedKey]) -> list[Secret | GatewayError]:
        keys = _keys(found)
        limit = asyncio.Semaphore(TOGETHER)

        async def one(each: WrappedKey) -> Secret | GatewayError:
            async with limit:
                try:
                    return await keys.unwrap(each.wrapped, each.context)
                except GatewayError as error:
                    return error

        try:
            return list(await asyncio.gather(*map(one, wanted)))
        finally:
            await keys.close()

    def unwrap(wanted: Sequence[WrappedKey]) -> Sequence[Secret | GatewayError]:
        try:
            return asyncio.run(all_of(keepers(), wanted))
        except GatewayError as error:
            return [error] * len(wanted)

    return unwrap


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
        if not made:  # it only reads: what else is wrapped is none of its business
            made.append(OwnVault(SecretRows(rows), _keys(keepers), time.time_ns, os.urandom))
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
