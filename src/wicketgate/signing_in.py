"""The composition of signing in with a browser by an issuer: what the policy trusts, our client's secret, and
what is asked of issuers. It must never follow a redirect, read without bound, ask over plain text (but on
loopback), nor let a code, a token or a secret into an error.

Source: OpenID Connect Core 1.0 section 3.1; OpenID Connect Discovery 1.0 section 4.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

import aiohttp

from wicketgate.admin.code_ports import CodePort
from wicketgate.admin.ports import Control
from wicketgate.control.credentials import Credentials
from wicketgate.custodian import sources
from wicketgate.custody.settings import Keepers
from wicketgate.identity import code_flow
from wicketgate.identity.issuers import IssuerTokens
from wicketgate.model.errors import GatewayError
from wicketgate.model.issuer import BrowserSignIn, Issuer
from wicketgate.model.secret import Secret
from wicketgate.model.sign_in import Redeemed, SignInRefused
from wicketgate.store.db import Store

SECOND: Final = 1_000_000_000
PATIENCE: Final = 6.0
"""Seconds for one answer of an issuer, all in all."""
LARGEST: Final = 1 << 18
"""Bytes of one answer: a security limit."""
TOGETHER: Final = 16
"""Questions to issuers at a time; who comes after waits, as long as for an answer."""
KEEPS: Final = 300 * SECOND
"""How long an issuer's configuration is used before it is read again."""
FAILED: Final = 5 * SECOND
"""How long one that could not be read is not asked for again."""

Browsing = Callable[[Store, Control], AbstractAsyncContextManager[CodePort | None]]
"""Given the store and the control process: sign-ins with a browser, while it is open."""


@asynccontextmanager
async def unseen(store: Store, control: Control) -> AsyncIterator[None]:
    """None."""
    yield None


def browsing(
    trusted: Callable[[], IssuerTokens],
    keepers: Keepers,
    public_url: str | None,
    decrypt: Callable[[str], Secret],
) -> Browsing:
    """trusted: what the policy trusts, as of now. public_url: where people reach our pages; None: nowhere.
    decrypt: an inline secret's ciphertext."""
    if public_url is None:
        return unseen

    @asynccontextmanager
    async def browsed(store: Store, control: Control) -> AsyncIterator[CodePort | None]:
        async def opened() -> Store:
            return store

        credentials = Credentials(decrypt, sources=sources(keepers, opened))
        try:
            yield CodeFlow(trusted, credentials, control, public_url)
        finally:
            await credentials.close()

    return browsed


class CodeFlow:
    """admin.code_ports.CodePort. boot: monotonic ns."""

    def __init__(
        self,
        trusted: Callable[[], IssuerTokens],
        credentials: Credentials,
        control: Control,
        public_url: str,
        boot: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._trusted = trusted
        self._credentials = credentials
        self._control = control
        self._public_url = public_url
        self._boot = boot
        self._together = asyncio.Semaphore(TOGETHER)
        self._places: dict[str, tuple[int, code_flow.Places | None]] = {}
        self._reading: dict[str, asyncio.Lock] = {}

    def names(self) -> list[str]:
        return sorted(name for name, each in self._trusted().issuers.items() if each.sign_in is not None)

    def issuer(self, name: str) -> Issuer | None:
        return self._trusted().issuers.get(name)

    async def address(self, issuer: Issuer, state: str, nonce: str, verifier: str) -> str:
        places, asked = await self._places_of(issuer), _asked(issuer)
        return code_flow.address(places, asked, self._redirect(issuer), state, nonce, verifier)

    async def redeem(self, issuer: Issuer, answer: Mapping[str, str], verifier: Secret) -> Redeemed:
        places, asked = await self._places_of(issuer), _asked(issuer)
        try:
            code = code_flow.code_of(places, issuer.url, answer)
            secret = None if asked.secret is None else await self._credentials.fetch(asked.secret)
            if asked.secret is not None and not secret:
                raise SignInRefused(f"{issuer.name}: our client's secret is empty")
            headers, form = code_flow.exchange(
                places, asked, secret, self._redirect(issuer), code, verifier.reveal().decode("ascii")
            )
            status, body = await self._ask(issuer, "POST", places.token, headers, form)
            if status != 200:
                raise SignInRefused(f"{issuer.name}: it gives no token for the code ({status})")
            return code_flow.read_given(body)
        except SignInRefused:
            raise
        except GatewayError as error:
            raise SignInRefused(f"{issuer.name}: our client's secret: {error.detail}") from None
        except ValueError as error:
            raise SignInRefused(f"{issuer.name}: {error}") from None

    async def check(self, issuer: Issuer, given: Redeemed, nonce: str, subject: str, now: int) -> None:
        if (missing := self._trusted().missing(given.identity)) is not None:
            await asyncio.wrap_future(self._control.ask_issuer(missing))
        try:
            told = self._trusted().told(given.identity, issuer.name, _asked(issuer).client, now)
            code_flow.check_told(told, nonce, given.access, subject)
        except ValueError as error:
            raise SignInRefused(f"{issuer.name}: ID token: {error}") from None

    # -- what is asked of an issuer -------------------------------------------------------------------------
    def _redirect(self, issuer: Issuer) -> str:
        """Each issuer has an address of its own (RFC 9700, section 4.4.2)."""
        return f"{self._public_url}/sign-in/{issuer.name}/callback"

    async def _places_of(self, issuer: Issuer) -> code_flow.Places:
        """By its configuration. Raises SignInRefused."""
        async with self._reading.setdefault(issuer.source, asyncio.Lock()):
            until, places = self._places.get(issuer.source, (0, None))
            if self._boot() >= until:
                places, why = await self._read(issuer)
                known = {each.source for each in self._trusted().issuers.values()}
                self._places = {source: each for source, each in self._places.items() if source in known}
                self._places[issuer.source] = (self._boot() + (FAILED if places is None else KEEPS), places)
            else:
                why = "its configuration could not be read a moment ago"
        if places is None:
            raise SignInRefused(f"{issuer.name}: {why}")
        return places

    async def _read(self, issuer: Issuer) -> tuple[code_flow.Places | None, str]:
        """Its configuration; or None and why."""
        try:
            status, body = await self._ask(issuer, "GET", issuer.discovery, {}, None)
            if status != 200:
                return None, f"its configuration can't be read ({status})"
            return code_flow.read_places(body, issuer.url), ""
        except SignInRefused as refused:
            return None, refused.detail.removeprefix(f"{issuer.name}: ")
        except ValueError as error:
            return None, str(error)

    async def _ask(
        self, issuer: Issuer, method: str, address: str, headers: Mapping[str, str], form: bytes | None
    ) -> tuple[int, bytes]:
        """Status and body of an answer. Raises SignInRefused."""
        try:
            async with asyncio.timeout(PATIENCE), self._together:
                context: ssl.SSLContext | bool = True
                if address.startswith("https:"):
                    context = await asyncio.to_thread(ssl.create_default_context, cafile=issuer.ca_file)
                connector = aiohttp.TCPConnector(ssl=context, force_close=True)
                async with (
                    aiohttp.ClientSession(
                        connector=connector,
                        cookie_jar=aiohttp.DummyCookieJar(),
                        auto_decompress=False,
                        trust_env=False,
                    ) as session,
                    session.request(
                        method,
                        address,
                        data=form,
                        headers={
                            "accept": "application/json",
                            "accept-encoding": "identity",
                            "user-agent": "wicketgate",
                            **headers,
                        },
                        allow_redirects=False,
                    ) as answer,
                ):
                    return answer.status, await _content(answer)
        except TimeoutError:
            raise SignInRefused(f"{issuer.name}: no answer in {PATIENCE:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise SignInRefused(f"{issuer.name}: it does not answer ({type(error).__name__})") from None


async def _content(answer: aiohttp.ClientResponse) -> bytes:
    """The whole of it. Raises ValueError where it is too large."""
    read = bytearray()
    async for part in answer.content.iter_chunked(1 << 16):
        read += part
        if len(read) > LARGEST:
            answer.close()
            raise ValueError("too large an answer")
    return bytes(read)


def _asked(issuer: Issuer) -> BrowserSignIn:
    """Raises SignInRefused where nobody signs in so (any more)."""
    if issuer.sign_in is None:
        raise SignInRefused(f"{issuer.name}: nobody signs in by it with a browser")
    return issuer.sign_in
