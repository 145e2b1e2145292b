"""One HTTP request to a server that keeps secrets: bounded in time and size, over verified TLS.
It must never follow a redirection with a token, nor put a word of an answer into an error.
"""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from wicketgate.model.credential import CredentialMissing

LARGEST: Final = 1 << 20
"""Bytes of an answer at most: a security limit."""


@dataclass(frozen=True, slots=True)
class Reply:
    """status: of HTTP. content: the JSON object of the body, empty where it was none."""

    status: int
    content: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Reply({self.status}, …)"


class Line:
    """The way to one server. address: `https://host:port`. ca_file: PEM; None: the system's.

    Bound to the event loop that first sends.
    """

    def __init__(self, name: str, address: str, ca_file: Path | None) -> None:
        self._name = name
        self._address = address
        self._ca_file = ca_file
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any] | None = None
    ) -> Reply:
        """path: below /v1/, nothing in it to be quoted. Raises CredentialMissing where there is no answer.
        Who calls bounds its time."""
        try:
            async with self._opened().request(
                method,
                f"{self._address}/v1/{path}",
                headers={**headers, "X-Vault-Request": "true", "Accept-Encoding": "identity"},
                data=None if body is None else json.dumps(body).encode(),
                allow_redirects=False,
            ) as answer:
                return Reply(answer.status, await self._content(answer))
        except aiohttp.ClientConnectorCertificateError as error:
            why = getattr(error.certificate_error, "verify_message", "") or "it can't be verified"
            raise self.failed(f"its certificate is not trusted: {why}") from None
        except aiohttp.ClientConnectorError as error:
            raise self.failed(f"it can't be reached: {error.os_error.strerror or 'no route'}") from None
        except (aiohttp.ClientError, ssl.SSLError, OSError, ValueError) as error:
            raise self.failed(f"it does not answer as it should ({type(error).__name__})") from None

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def failed(self, why: str) -> CredentialMissing:
        """The error to raise: the server's name and what is wrong, in our words."""
        return CredentialMissing(f"vault {self._name}: {why}")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            try:
                context = ssl.create_default_context(cafile=self._ca_file)
            except (OSError, ssl.SSLError):
                raise self.failed(f"{self._ca_file} can't be read as certificates (PEM)") from None
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=context, limit=16),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return self._session

    async def _content(self, answer: aiohttp.ClientResponse) -> Mapping[str, Any]:
        if not 200 <= answer.status < 300:
            return {}
        read = bytearray()
        async for piece in answer.content.iter_chunked(65_536):
            read += piece
            if len(read) > LARGEST:
                raise self.failed(f"its answer is larger than {LARGEST >> 20} MiB")
        if not read:
            return {}
        try:
            found = json.loads(read)
        except (ValueError, RecursionError):
            raise self.failed("its answer is not JSON") from None
        if not isinstance(found, dict):
            raise self.failed("its answer is not a JSON object")
        return found
