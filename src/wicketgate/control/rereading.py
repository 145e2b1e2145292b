"""Asks issuers again about whom their tokens prove: at each sign-in, and for live sessions at a set interval.
It must never keep a token on a disk, send it elsewhere than to its issuer's userinfo, or take silence for a
yes.

What an issuer said stands in the replicated section `seen`, under the token's id, as long as it counts:
workers judge a session by it, and end it once it is gone.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from wicketgate.control.shared import UserInfo
from wicketgate.model.errors import GatewayError
from wicketgate.model.issuer import Issuer, Unread
from wicketgate.model.secret import Secret

if TYPE_CHECKING:
    import aiohttp

SECOND: Final = 1_000_000_000
TICK: Final = 0.5
"""Seconds between looks at what is due."""
FRESH: Final = 10.0
"""Seconds for which a sign-in takes what was read before: clients open a connection for each statement."""
RETRY: Final = 15.0
"""Seconds after a reading that failed, or `every` where that is less."""
IDLE: Final = 60.0
"""Seconds after which a token is let go of by which no session is open."""
PATIENCE: Final = 4.0
"""Seconds for one reading, all in all."""
PLACED: Final = 3600.0
"""Seconds for which an issuer's userinfo is where its configuration said."""
LARGEST: Final = 1 << 18
"""Bytes of one answer (256 KiB): a security limit."""
AT_ONCE: Final = 16
"""Readings at one issuer at a time."""
MOST: Final = 10_000
"""Tokens that are held at a time: a memory limit. Who comes after is refused."""

Put = Callable[[str, str, Any, bytes | None], None]


class _Away(Exception):
    """The issuer gave no answer that can be read. Its text repeats nothing of the token."""


@dataclass(slots=True)
class _Held:
    """One token. good, tried, asked: boot ns of the last reading that went well, the last one at all, and the
    last sign-in. ends: boot ns when the token does."""

    about: Unread
    secret: Secret
    ends: int
    asked: int
    good: int | None = None
    tried: int = 0
    failed: bool = False
    reading: "asyncio.Task[None] | None" = None


@dataclass(slots=True)
class _Site:
    """One issuer. place: where its userinfo is, and the boot ns when that is asked for again. told: the
    failure that was told last."""

    issuer: Issuer
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    place: tuple[str, int] | None = None
    context: ssl.SSLContext | None = None
    told: str = ""


class Rereading:
    """unread: what a presented token proves, but for this; raises ValueError for one that is not sound.

    userinfo: None: nothing is ever read, and nobody is proven whose issuer is to be asked. live: whether an
    identity has sessions open. put: into the replicated dictionary. clock: wall ns. boot: monotonic ns.
    entries: what is put, replaced whole: any thread may read it.
    """

    def __init__(
        self,
        unread: Callable[[Secret], Unread | None],
        userinfo: UserInfo | None,
        live: Callable[[str], bool],
        put: Put,
        clock: Callable[[], int],
        boot: Callable[[], int],
        log: Callable[[str], None],
    ) -> None:
        self.entries: Mapping[str, Mapping[str, Any]] = {}
        self._unread = unread
        self._userinfo = userinfo
        self._live = live
        self._put = put
        self._clock = clock
        self._boot = boot
        self._log = log
        self._sites: dict[str, _Site] = {}
        self._held: dict[str, _Held] = {}

    def adopt(self, issuers: Mapping[str, Issuer]) -> None:
        """These are trusted from now on. What others said, or one said elsewhere, counts no more."""
        asked = {name: each for name, each in issuers.items() if each.reread is not None}
        for name, site in list(self._sites.items()):
            now = asked.get(name)
            if now is None or now.source != site.issuer.source or _place(now) != _place(site.issuer):
                del self._sites[name]
        for name, issuer in asked.items():
            self._sites.setdefault(name, _Site(issuer)).issuer = issuer
        for credential, held in list(self._held.items()):
            here = self._sites.get(held.about.issuer.name)
            if here is None or here.issuer.source != held.about.issuer.source:
                self._forget(credential)

    async def asked(self, secret: Secret) -> None:
        """Somebody signs in with this token: ask its issuer, unless that was done just now.

        Raises GatewayError where the token is not sound, or too many are held."""
        try:
            about = self._unread(secret)
        except ValueError as error:
            raise GatewayError("sign-in refused", str(error)) from None
        if about is None or self._userinfo is None or about.issuer.name not in self._sites:
            return
        now = self._boot()
        held = self._held.get(about.credential)
        if held is None:
            if len(self._held) >= MOST:
                raise GatewayError("The gateway can't check this sign-in now.", "too many tokens are held")
            ends = now + max(0, about.until - self._clock())
            held = self._held[about.credential] = _Held(about, secret, ends, now)
        held.asked = now
        if held.good is None or held.failed or now - held.good >= FRESH * SECOND:
            await asyncio.wait([self._begin(held)])

    async def watch(self) -> None:
        """Read again what is due, and let go of what counts no more."""
        while True:
            await asyncio.sleep(TICK)
            self.look()

    def look(self) -> None:
        """What `watch` does each time."""
        now = self._boot()
        for credential, held in list(self._held.items()):
            site = self._sites.get(held.about.issuer.name)
            reread = None if site is None else site.issuer.reread
            if reread is None or now >= held.ends or self._idle(held, now):
                self._forget(credential)
            elif held.good is not None and now - held.good >= (reread.every + reread.grace) * SECOND:
                self._log(
                    f"issuer {held.about.issuer.name}: it did not answer about {held.about.identity} in time"
                )
                self._forget(credential)
            elif held.reading is None:
                pause = min(RETRY, reread.every) if held.failed else reread.every
                if now - held.tried >= pause * SECOND:
                    self._begin(held)

    async def stop(self) -> None:
        """End all readings."""
        tasks = [held.reading for held in self._held.values() if held.reading is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._held.clear()

    def _idle(self, held: _Held, now: int) -> bool:
        return now - held.asked >= IDLE * SECOND and not self._live(held.about.identity)

    # -- one token ------------------------------------------------------------------------------------------
    def _begin(self, held: _Held) -> "asyncio.Task[None]":
        """The reading that is under way, or a new one."""
        if held.reading is None:
            held.reading = asyncio.get_running_loop().create_task(
                self._read(held), name=f"reading {held.about.credential}"
            )
        return held.reading

    async def _read(self, held: _Held) -> None:
        """Raises nothing but the task's end."""
        import aiohttp  # takes long: most ask no issuer again

        site = self._sites.get(held.about.issuer.name)
        found: frozenset[str] | str = ""
        why = "it is trusted no more" if site is None else ""
        try:
            if site is not None:
                async with site.slots, asyncio.timeout(PATIENCE):
                    found = await self._ask(site, held)
        except TimeoutError:
            why = f"no answer in {PATIENCE:g} s"
        except (_Away, ValueError, OSError, aiohttp.ClientError) as error:
            why = str(error) or type(error).__name__
        except Exception as error:
            why = type(error).__name__
        finally:
            held.reading = None
        held.tried = now = self._boot()
        if self._held.get(held.about.credential) is not held:
            return
        held.failed = bool(why)
        if why:
            self._tell(site, why)
            if held.good is None:
                self._forget(held.about.credential)
        elif isinstance(found, str):
            self._log(f"issuer {held.about.issuer.name}: {held.about.identity} is over: {found}")
            self._forget(held.about.credential)
        else:
            self._tell(site, "")
            held.good = now
            entry = {"source": held.about.issuer.source, "groups": sorted(found)}
            if self.entries.get(held.about.credential) != entry:
                self._keep(held.about.credential, entry)

    def _tell(self, site: _Site | None, why: str) -> None:
        """A failure once, and once that it is over: not for each of many tokens."""
        if site is None or site.told == why:
            return
        told = f"it can't be asked again: {why}" if why else "it answers again"
        self._log(f"issuer {site.issuer.name}: {told}")
        site.told = why

    def _forget(self, credential: str) -> None:
        held = self._held.pop(credential, None)
        if held is not None and held.reading is not None and held.reading is not asyncio.current_task():
            held.reading.cancel()
        if credential in self.entries:
            self._keep(credential, None)

    def _keep(self, credential: str, entry: dict[str, Any] | None) -> None:
        others = {other: each for other, each in self.entries.items() if other != credential}
        self.entries = others if entry is None else {**others, credential: entry}
        self._put("seen", credential, entry, None)

    # -- the wire -------------------------------------------------------------------------------------------
    async def _ask(self, site: _Site, held: _Held) -> frozenset[str] | str:
        """The groups that the issuer names, or why the token is over. Raises _Away, ValueError, OSError,
        ClientError."""
        import aiohttp

        assert self._userinfo is not None
        issuer = site.issuer
        if site.context is None:
            site.context = await asyncio.to_thread(ssl.create_default_context, cafile=issuer.ca_file)
        connector = aiohttp.TCPConnector(ssl=site.context, force_close=True)
        async with aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        ) as session:
            place = _place(issuer)
            if place is None and site.place is not None and self._boot() < site.place[1]:
                place = site.place[0]
            if place is None:
                status, document = await _get(session, issuer.discovery, None)
                if status != 200:
                    raise _Away(f"its configuration answers {status}")
                place = self._userinfo.read_place(document, issuer.url)
                site.place = (place, self._boot() + int(PLACED * SECOND))
            status, body = await _get(session, place, held.secret)
        if status in (401, 403):
            return f"its issuer says {status}"
        if status != 200:
            site.place = None
            raise _Away(f"its userinfo answers {status}")
        return self._userinfo.read_answer(body, issuer, held.about.subject)


def _place(issuer: Issuer) -> str | None:
    return None if issuer.reread is None else issuer.reread.userinfo


async def _get(session: "aiohttp.ClientSession", address: str, secret: Secret | None) -> tuple[int, bytes]:
    """One answer, whole. Raises _Away where it is too large."""
    headers = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "wicketgate"}
    if secret is not None:
        headers["authorization"] = "Bearer " + secret.reveal().decode("ascii")
    async with session.get(address, headers=headers, allow_redirects=False) as response:
        body = bytearray()
        with closing(response):
            async for part in response.content.iter_chunked(1 << 16):
                body += part
                if len(body) > LARGEST:
                    raise _Away(f"its answer is larger than {LARGEST >> 10} KiB")
        return response.status, bytes(body)
