"""Reads the catalog of every database that the policy names, notices changes, and replicates them.
A catalog that is known to be out of date must never be served on: its database is closed until it was read.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from wicketgate.control.credentials import CredentialMissing, Credentials
from wicketgate.control.messages import MESSAGE
from wicketgate.control.ports import StorePort
from wicketgate.model.errors import GatewayError
from wicketgate.model.resource import Account, Resource
from wicketgate.protocols.base import CatalogAccess, ProtocolSpec

READ = 60.0
"""Seconds that reading a catalog may take."""
LOOK = 10.0
"""Seconds that asking whether it changed may take."""
MISSES = 3
"""Looks that may fail in a row before the database is closed."""
LARGEST = MESSAGE - 65536
"""Bytes of a catalog: it travels in one message."""
MOST_INHERITED = 5000
"""Columns of a database that are known to have taken over a data class; a memory limit."""
AT_ONCE = 4
"""Catalogs read at the same time."""

Put = Callable[[str, str, Any, bytes | None], None]


class Catalogs:
    """put: (section, key, value, blob) into the replicated dictionary, committed soon. boot: monotonic ns.

    every: seconds between looks. log: one line for the operator.
    """

    def __init__(
        self,
        protocols: Mapping[str, ProtocolSpec],
        credentials: Credentials,
        store: StorePort,
        put: Put,
        boot: Callable[[], int],
        every: float,
        log: Callable[[str], None],
    ) -> None:
        self._protocols = protocols
        self._credentials = credentials
        self._store = store
        self._put = put
        self._boot = boot
        self._every = every
        self._log = log
        self._watched: dict[str, _Watched] = {}
        self._inherited: dict[str, set[tuple[str, str]]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)

    def adopt(self, resources: Mapping[str, Resource]) -> None:
        """The policy's resources from now on: start, keep and stop watching."""
        wanted: dict[str, tuple[Resource, str]] = {}
        for resource in resources.values():
            if self._protocols[resource.protocol].read_catalog is not None:
                for database in resource.databases:
                    wanted[f"{resource.name}/{database}"] = (resource, database)
        for key, watched in list(self._watched.items()):
            if key not in wanted or _target(wanted[key][0]) != _target(watched.resource):
                watched.task.cancel()
                del self._watched[key]
                self._put("catalog", key, None, None)
                self._put("catalog-read", key, None, None)
        for key, (resource, database) in wanted.items():
            if key in self._watched:
                watched = self._watched[key]
                if (watched.resource.sensitive, watched.resource.clean) != (
                    resource.sensitive,
                    resource.clean,
                ):
                    watched.stale.set()
                watched.resource = resource
            else:
                watched = self._watched[key] = _Watched(resource, database)
                watched.task = asyncio.get_running_loop().create_task(
                    self._watch(key, watched), name=f"catalog {key}"
                )

    def stale(self, resource: str, database: str) -> None:
        """It changed through us: read it again at once."""
        watched = self._watched.get(f"{resource}/{database}")
        if watched is not None:
            watched.stale.set()

    def inherited(self, rows: Iterable[tuple[str, str, str, str]]) -> None:
        """What the store keeps: (resource, database, column, data class). Nothing is forgotten."""
        for resource, database, column, data_class in rows:
            known = self._inherited.setdefault(f"{resource}/{database}", set())
            if (column, data_class) not in known:
                known.add((column, data_class))
                self.stale(resource, database)

    async def inherit(self, resource: str, database: str, inherits: Iterable[tuple[str, str]]) -> None:
        """These columns will hold values of these data classes. It holds for all workers when this returns.

        Raises GatewayError where it can't be kept."""
        key = f"{resource}/{database}"
        watched = self._watched.get(key)
        known = self._inherited.setdefault(key, set())
        wanted = frozenset(inherits)
        fresh = wanted - known
        if watched is None or len(known) + len(fresh) > MOST_INHERITED:
            raise GatewayError("no more columns can be followed there", key)
        if fresh:
            await self._store.inherit(resource, database, sorted(fresh))
            known |= fresh
            for column, data_class in sorted(fresh):
                self._log(f"{key}: {column} holds {data_class} from now on: a statement copies it there")
        if not watched.holds >= wanted:  # another worker's reading for them may be under way
            await self._read(key, watched, self._protocols[watched.resource.protocol])
        if watched.closed is not None or not watched.holds >= wanted:
            raise GatewayError("the catalog can't be read", watched.closed or "it was read without them")

    def closed(self) -> dict[str, str | None]:
        """`resource/database` -> why it is closed, or None where its catalog stands."""
        return {key: watched.closed for key, watched in self._watched.items()}

    async def stop(self) -> None:
        """End all watching."""
        tasks = [watched.task for watched in self._watched.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- one database ---------------------------------------------------------------------------------------
    async def _watch(self, key: str, watched: "_Watched") -> None:
        spec = self._protocols[watched.resource.protocol]
        misses = 0
        while True:
            watched.stale.clear()
            await self._read(key, watched, spec)
            while not watched.stale.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._every):
                        await watched.stale.wait()
                if watched.stale.is_set() or watched.raw is None:
                    break
                try:
                    if await self._changed(watched, spec):
                        break
                    misses = 0
                except Exception as error:
                    misses += 1
                    self._log(f"catalog {key}: {_plain(error)}")
                    if misses >= MISSES:
                        misses = 0
                        break

    async def _read(self, key: str, watched: "_Watched", spec: ProtocolSpec) -> None:
        assert spec.read_catalog is not None
        async with watched.reading, self._slots:
            began = self._boot()
            inherited = tuple(sorted(self._inherited.get(key, ())))
            try:
                async with asyncio.timeout(READ):
                    raw = await spec.read_catalog(await self._access(watched))
                    if spec.bind_catalog is not None:
                        raw = await asyncio.to_thread(
                            spec.bind_catalog,
                            watched.bound,
                            raw,
                            watched.resource,
                            watched.database,
                            inherited,
                        )
                if len(raw) > LARGEST:
                    raise ValueError(f"a catalog of {len(raw)} bytes is too large")
            except Exception as error:
                why = _plain(error)
                if watched.closed != why:
                    self._log(f"catalog {key} can't be read, the database is closed: {why}")
                watched.raw, watched.closed = None, why
                self._put("catalog", key, None, None)
                self._put("catalog-read", key, {"began": began, "error": why}, None)
                return
        if watched.closed is not None:
            self._log(f"catalog {key} was read: {len(raw)} bytes")
        if raw != watched.raw:
            self._put("catalog", key, {}, raw)
        watched.raw, watched.bound, watched.closed = raw, raw, None
        watched.holds = frozenset(inherited)
        self._put("catalog-read", key, {"began": began, "error": None}, None)

    async def _changed(self, watched: "_Watched", spec: ProtocolSpec) -> bool:
        assert watched.raw is not None
        if spec.catalog_changed is None:
            return True
        async with asyncio.timeout(LOOK):
            return await spec.catalog_changed(await self._access(watched), watched.raw)

    async def _access(self, watched: "_Watched") -> CatalogAccess:
        resource = watched.resource
        account = catalog_account(resource)
        secret = await self._credentials.fetch(account.credential)
        return CatalogAccess(resource, account, watched.database, secret)


class _Watched:
    __slots__ = ("bound", "closed", "database", "holds", "raw", "reading", "resource", "stale", "task")

    task: "asyncio.Task[None]"

    def __init__(self, resource: Resource, database: str) -> None:
        self.resource = resource
        self.database = database
        self.raw: bytes | None = None
        self.bound: bytes | None = None
        """The last catalog that was read, kept also while the database is closed."""
        self.closed: str | None = "its catalog was not read yet"
        self.holds: frozenset[tuple[str, str]] = frozenset()
        """What its last good reading was bound with."""
        self.stale = asyncio.Event()
        self.reading = asyncio.Lock()


def catalog_account(resource: Resource) -> Account:
    """The account that reads the catalog: the one that the resource's settings name, or its first.

    Raises CredentialMissing where it has none.
    """
    named = resource.settings.get("catalog_account")
    account = resource.accounts.get(named) if named else next(iter(resource.accounts.values()), None)
    if account is None:
        raise CredentialMissing(f"{resource.name} has no account to read its catalog with")
    return account


def _target(resource: Resource) -> tuple[object, ...]:
    """What decides which catalog it is and how it is read."""
    return (
        resource.protocol,
        resource.host,
        resource.port,
        resource.tls,
        resource.ca_file,
        dict(resource.accounts),
        dict(resource.settings),
    )


def _plain(error: Exception) -> str:
    detail = getattr(error, "detail", "") or str(error)
    return f"{type(error).__name__}: {detail}" if detail else type(error).__name__
