"""Fetches the public keys of trusted issuers, again and again, and replicates them to workers.
It must never follow a redirect, read without bound, ask over plain text, or let clients make it ask often.

Source: OpenID Connect Discovery 1.0 section 4; RFC 7517.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from wicketgate.control.ports import KeySets
from wicketgate.model.issuer import Issuer

if TYPE_CHECKING:
    import aiohttp

SECOND: Final = 1_000_000_000
REFRESH: Final = 300.0
"""Seconds between two readings that went well: so long may a key that its issuer withdrew still count."""
RETRY: Final = 30.0
"""Seconds after one that failed."""
KEEP: Final = 6 * 3600
"""Seconds that the last good keys count, or half of it at least, while none can be had. The other half saves
workers from judging all sessions again at every reading that changed nothing."""
WANTED_EVERY: Final = 10.0
"""Seconds between two readings that clients' tokens bring about."""
PATIENCE: Final = 4.0
"""Seconds for one reading, all in all."""
LARGEST: Final = 1 << 18
"""Bytes of one document (256 KiB): a security limit."""

Put = Callable[[str, str, Any, bytes | None], None]


@dataclass(slots=True)
class _Watched:
    """wanted: boot ns of the last reading that a client brought about. told: the failure told last. good:
    boot ns of the last reading that went well."""

    issuer: Issuer
    task: "asyncio.Task[None] | None" = None
    reading: "asyncio.Task[bool] | None" = None
    wanted: int | None = None
    told: str = ""
    good: int = 0
    entry: dict[str, Any] = field(default_factory=dict)


class IssuerKeys:
    """entries: issuer -> {"source", "until" (wall ns), "keys"}; replaced whole: any thread may read it.

    key_sets: None: nothing is read. put: into the replicated dictionary, committed soon. clock: wall ns.
    boot: monotonic ns.
    """

    def __init__(
        self,
        key_sets: KeySets | None,
        put: Put,
        clock: Callable[[], int],
        boot: Callable[[], int],
        log: Callable[[str], None],
    ) -> None:
        self.entries: Mapping[str, Mapping[str, Any]] = {}
        self._key_sets = key_sets
        self._put = put
        self._clock = clock
        self._boot = boot
        self._log = log
        self._watched: dict[str, _Watched] = {}

    def adopt(self, issuers: Mapping[str, Issuer]) -> None:
        """These are trusted from now on, and no others. Keys of one whose source changed count no more."""
        for name, watched in list(self._watched.items()):
            if name not in issuers or issuers[name].source != watched.issuer.source:
                self._end(watched)
                del self._watched[name]
                self._keep(name, None)
        for name, issuer in issuers.items():
            if name in self._watched:
                self._watched[name].issuer = issuer
            elif self._key_sets is not None:
                watched = self._watched[name] = _Watched(issuer)
                watched.task = asyncio.get_running_loop().create_task(
                    self._watch(watched), name=f"keys of {name}"
                )

    async def wanted(self, name: str) -> None:
        """A token names a key of this issuer that is not known. Returns when there is nothing to wait for."""
        watched = self._watched.get(name)
        if watched is None:
            return
        now = self._boot()
        if watched.reading is None:
            if watched.wanted is not None and now - watched.wanted < WANTED_EVERY * SECOND:
                return
            watched.wanted = now
        await asyncio.wait([self._begin(watched)])
        await asyncio.sleep(0)  # what was put is committed by now

    async def stop(self) -> None:
        """End all watching."""
        tasks = [task for each in self._watched.values() for task in (each.task, each.reading) if task]
        for watched in self._watched.values():
            self._end(watched)
        await asyncio.gather(*tasks, return_exceptions=True)

    @staticmethod
    def _end(watched: _Watched) -> None:
        for task in (watched.task, watched.reading):
            if task is not None:
                task.cancel()

    # -- one issuer -----------------------------------------------------------------------------------------
    async def _watch(self, watched: _Watched) -> None:
        while True:
            reading = self._begin(watched)
            await asyncio.wait([reading])
            good = not reading.cancelled() and reading.exception() is None and reading.result()
            await asyncio.sleep(REFRESH if good else RETRY)

    def _begin(self, watched: _Watched) -> "asyncio.Task[bool]":
        """The reading that is under way, or a new one."""
        if watched.reading is None:
            name = f"reading keys of {watched.issuer.name}"
            watched.reading = asyncio.get_running_loop().create_task(self._read(watched), name=name)
        return watched.reading

    async def _read(self, watched: _Watched) -> bool:
        """Fetch once; False where the keys that were there are kept. Raises nothing but the task's end."""
        import aiohttp  # takes long: most trust no issuer

        issuer = watched.issuer
        why = ""
        keys: list[dict[str, str]] = []
        try:
            async with asyncio.timeout(PATIENCE):
                keys = await self._fetch(issuer)
        except TimeoutError:
            why = f"no answer in {PATIENCE:g} s"
        except (ValueError, OSError, aiohttp.ClientError) as error:
            why = str(error) or type(error).__name__
        except Exception as error:
            why = type(error).__name__
        finally:
            watched.reading = None
        now = self._clock()
        if self._watched.get(issuer.name) is not watched:
            return False
        if why:
            if why != watched.told:
                self._log(f"issuer {issuer.name}: its keys can't be read: {why}")
            watched.told = why
            # by both clocks: one that was set back makes keys no younger
            old = self._boot() - watched.good >= KEEP * SECOND
            if watched.entry and (old or now >= watched.entry["until"]):
                self._log(f"issuer {issuer.name}: its last keys are too old: nobody signs in by it")
                watched.entry = {}
                self._keep(issuer.name, None)
            return False
        if watched.told or watched.entry.get("keys") != keys:
            self._log(f"issuer {issuer.name}: {len(keys)} keys")
        watched.told = ""
        watched.good = self._boot()
        kept = (watched.entry["until"] - now) / SECOND if watched.entry.get("keys") == keys else 0
        if KEEP // 2 < kept <= KEEP:
            return True
        watched.entry = {"source": issuer.source, "until": now + KEEP * SECOND, "keys": keys}
        self._keep(issuer.name, watched.entry)
        return True

    def _keep(self, name: str, entry: dict[str, Any] | None) -> None:
        others = {other: each for other, each in self.entries.items() if other != name}
        self.entries = others if entry is None else {**others, name: entry}
        self._put("issuers", name, entry, None)

    async def _fetch(self, issuer: Issuer) -> list[dict[str, str]]:
        """The keys that an issuer publishes. Raises ValueError, OSError, ClientError."""
        import aiohttp

        assert self._key_sets is not None
        context = await asyncio.to_thread(ssl.create_default_context, cafile=issuer.ca_file)
        connector = aiohttp.TCPConnector(ssl=context, force_close=True)
        async with aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        ) as session:
            address = issuer.jwks
            if address is None:
                document = await _get(session, issuer.discovery)
                address = self._key_sets.read_discovery(document, issuer.url)
            return self._key_sets.read_keys(await _get(session, address))


async def _get(session: "aiohttp.ClientSession", address: str) -> bytes:
    """One document, whole. Raises ValueError where it is none, or too large."""
    headers = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "wicketgate"}
    async with session.get(address, headers=headers, allow_redirects=False) as response:
        if response.status != 200:
            raise ValueError(f"{address} answers {response.status}")
        body = bytearray()
        with contextlib.closing(response):
            async for part in response.content.iter_chunked(1 << 16):
                body += part
                if len(body) > LARGEST:
                    raise ValueError(f"{address} answers with more than {LARGEST >> 10} KiB")
        return bytes(body)
