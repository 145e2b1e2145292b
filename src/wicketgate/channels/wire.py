"""One request to a channel's server: over verified TLS, bounded in time and size, where it may go at all.
It must never follow a redirection, reach a private address unless told to, nor put an answer into an error.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

LARGEST: Final = 1 << 18
"""Bytes of an answer that are read: a security limit."""
LONGEST_PAUSE: Final = 24 * 3600.0
LOOKUPS: Final = 2
"""Names that a channel looks up at a time."""
_INSIDE: Final = tuple(
    ipaddress.ip_network(each)
    # addresses that carry others within: a translator could lead inside
    for each in (
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16",
        "2001::/32",
        "::/96",
        "192.88.99.0/24",
        "fec0::/10",
    )
)


class Unsent(Exception):
    """It did not arrive, as far as is known; why, in our words. again: whether to try once more.
    after: seconds that the server wants to be left alone."""

    def __init__(self, why: str, again: bool, after: float | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.again = again
        self.after = after


@dataclass(frozen=True, slots=True)
class Reply:
    """The body of an answer of 2xx, as far as it was read."""

    status: int
    body: bytes

    def __repr__(self) -> str:
        return f"Reply({self.status}, …)"


def public(address: str) -> bool:
    """Whether it is an address of the public Internet, which leads nowhere else."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    looked = mapped or found
    return (
        looked.is_global
        and not looked.is_multicast
        and not any(looked.version == each.version and looked in each for each in _INSIDE)
    )


class _Names(AbstractResolver):
    """Looks names up on threads of the channel's own: one that hangs takes none of others'. private: any
    address will do; else every address of a name must be public, and what is connected to was looked at."""

    def __init__(self, threads: ThreadPoolExecutor, private: bool) -> None:
        self._threads = threads
        self._private = private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        look = partial(
            socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look)
        addresses = [str(place[0]) for _, _, _, _, place in found]
        if not self._private and not (addresses and all(map(public, addresses))):
            raise Unsent("its address is not a public one: `private: true` would allow it", again=False)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=each[0],
                proto=each[2],
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for each, address in zip(found, addresses, strict=True)
        ]

    async def close(self) -> None:
        """The threads stay the channel's."""


class Wire:
    """The way to one channel's server. private: any address may be sent to. ca_file: PEM; None: the
    system's. seconds: for one request, all in all."""

    def __init__(self, private: bool, ca_file: Path | None, seconds: float) -> None:
        self._private = private
        self._ca_file = ca_file
        self._seconds = seconds
        self._context: ssl.SSLContext | None = None
        self._threads = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="names of a channel")

    async def post(
        self, address: str, headers: Mapping[str, str], body: bytes, method: str = "POST"
    ) -> Reply:
        """Raises Unsent for everything but an answer of 2xx."""
        host = urlsplit(address).hostname or ""
        if not self._private and _literal(host) and not public(host):
            raise Unsent("its address is not a public one: `private: true` would allow it", again=False)
        try:
            async with asyncio.timeout(self._seconds):
                if self._context is None:
                    self._context = await asyncio.to_thread(self._trusting)
                return await self._send(address, headers, body, method)
        except TimeoutError:
            raise Unsent(f"no answer in {self._seconds:g} s", again=True) from None
        except aiohttp.InvalidURL:
            raise Unsent("its address can't be used", again=False) from None
        except aiohttp.ClientConnectorCertificateError as error:
            why = getattr(error.certificate_error, "verify_message", "") or "it can't be verified"
            raise Unsent(f"its certificate is not trusted: {why}", again=True) from None
        except aiohttp.ClientConnectorError as error:
            raise Unsent(
                f"it can't be reached: {error.os_error.strerror or 'no route'}", again=True
            ) from None
        except (aiohttp.ClientError, ssl.SSLError, OSError, ValueError) as error:
            raise Unsent(f"it does not answer as it should ({type(error).__name__})", again=True) from None

    def _trusting(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self._ca_file)
        except (OSError, ssl.SSLError):
            raise Unsent(f"{self._ca_file} can't be read as certificates (PEM)", again=True) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    async def _send(self, address: str, headers: Mapping[str, str], body: bytes, method: str) -> Reply:
        connector = aiohttp.TCPConnector(
            ssl=self._context if self._context is not None else True,
            force_close=True,
            use_dns_cache=False,
            resolver=_Names(self._threads, self._private),
        )
        async with (
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                timeout=aiohttp.ClientTimeout(total=None),
            ) as session,
            session.request(
                method,
                address,
                data=body if method == "POST" else None,
                headers={"user-agent": "wicketgate", "accept-encoding": "identity", **headers},
                allow_redirects=False,
            ) as answer,
        ):
            if 200 <= answer.status < 300:
                return Reply(answer.status, await _content(answer))
            raise _refused(answer)


def _refused(answer: aiohttp.ClientResponse) -> Unsent:
    """What an answer of another kind than 2xx means."""
    status = answer.status
    if 300 <= status < 400:
        return Unsent(f"it answers {status}: redirections are not followed", again=False)
    again = status >= 500 or status in (408, 429)
    return Unsent(f"it answers {status}", again, _pause(answer.headers.get("retry-after", "")))


def _pause(text: str) -> float | None:
    """Seconds of Retry-After. A date in its place is left to our own pauses."""
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        return None
    return min(float(text), LONGEST_PAUSE)


async def _content(answer: aiohttp.ClientResponse) -> bytes:
    """What was answered; a larger one is cut off, as nothing here needs so much."""
    read = bytearray()
    async for piece in answer.content.iter_chunked(1 << 16):
        read += piece
        if len(read) > LARGEST:
            answer.close()
            break
    return bytes(read[:LARGEST])


def _literal(host: str) -> bool:
    """Whether it is an address and no name. What has nothing but digits and dots is taken for one by those
    who connect, however it is spelled, and looked up by nobody."""
    if not host.replace(".", "") or host.replace(".", "").isdigit():
        return True
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
