"""The targets' catalogs as this worker has them, and sessions that wait for a newer one.
A catalog that could not be read must never be replaced by an older one.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from wicketgate.model.resource import Resource
from wicketgate.protocols.base import ProtocolSpec
from wicketgate.worker.ports import ReplicaPort

CATALOG = "catalog"
"""Section: `resource/database` -> {} with the catalog's bytes as blob. Missing: not read, or closed."""
CATALOG_READ = "catalog-read"
"""Section: `resource/database` -> {began: monotonic ns of the newest reading, error: str or null}."""

FIRST = 8.0
"""Seconds that a sign-in waits for a catalog's first reading."""


class Catalogs:
    """Loads catalogs when they are first asked for. resource: the resource of a name as the policy has it.

    fault: told of a catalog that can't be loaded; it then counts as missing.
    """

    def __init__(
        self,
        replica: ReplicaPort,
        protocols: Mapping[str, ProtocolSpec],
        resource: Callable[[str], Resource | None],
        monotonic: Callable[[], int],
        fault: Callable[[str, Exception], None],
    ) -> None:
        self._replica = replica
        self._protocols = protocols
        self._resource = resource
        self._monotonic = monotonic
        self._fault = fault
        self.epoch = 1
        """Rises whenever `get` may answer otherwise than before."""
        self._loaded: dict[str, tuple[bytes, Resource, Any]] = {}
        self._waiting: list[tuple[str, int, Callable[[], None]]] = []
        replica.on_commit(self._committed)

    def get(self, name: str, database: str) -> Any:
        """The newest catalog of a resource's database, loaded; None while there is none."""
        key = f"{name}/{database}"
        raw = self._replica.blob(CATALOG, key)
        resource = self._resource(name)
        if raw is None or resource is None:
            self._loaded.pop(key, None)
            return None
        known = self._loaded.get(key)
        if known is not None and known[0] is raw and known[1] is resource:
            return known[2]
        load = self._protocols[resource.protocol].load_catalog
        catalog = None
        if load is not None:
            try:
                catalog = load(raw, resource, database)
            except Exception as error:
                self._fault(key, error)
        self._loaded[key] = (raw, resource, catalog)
        return catalog

    def newer(self, name: str, database: str, resume: Callable[[], None]) -> None:
        """Call `resume` once a reading that began after now is over (well or not)."""
        self._waiting.append((f"{name}/{database}", self._monotonic(), resume))

    async def first(self, name: str, database: str) -> Any:
        """The catalog, waiting until the first reading is over. None where that failed."""
        key = f"{name}/{database}"
        resource = self._resource(name)
        if resource is None or self._protocols[resource.protocol].load_catalog is None:
            return None
        if self._replica.get(CATALOG_READ, key) is None:
            read = asyncio.Event()
            self._waiting.append((key, 0, read.set))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FIRST):
                    await read.wait()
        return self.get(name, database)

    def _committed(self, changed: frozenset[str]) -> None:
        self.epoch += 1
        if CATALOG_READ not in changed or not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        for entry in waiting:
            key, asked, resume = entry
            read = self._replica.get(CATALOG_READ, key)
            if read is not None and read["began"] >= asked:
                resume()
            else:
                self._waiting.append(entry)
