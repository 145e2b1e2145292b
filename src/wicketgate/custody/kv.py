"""Credentials out of a server's key-value store, version 2: `server:path#field`.
It must never take a field that is no text, nor guess one that was not named.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from wicketgate.model.credential import LONGEST, Credential, CredentialMissing
from wicketgate.model.secret import Secret

if TYPE_CHECKING:
    from wicketgate.custody.server import Server


class KvSource:
    """The source `vault`. servers: by the names that the settings give them."""

    def __init__(self, servers: Mapping[str, "Server"]) -> None:
        self._servers = servers

    async def fetch(self, locator: str) -> Credential:
        """Raises CredentialMissing."""
        name, _, rest = locator.partition(":")
        path, _, field = rest.partition("#")
        server = self._servers.get(name)
        if server is None:
            raise CredentialMissing(f"the gateway knew no vault {name!r} when it started: start it anew")
        place = f"{server.settings.mount}/data/{path}"
        answer = await server.ask("GET", place)
        outer = answer.get("data")
        fields = outer.get("data") if isinstance(outer, dict) else None
        if not isinstance(fields, dict):
            raise server.failed(f"what it has at {place} is not of a key-value store, version 2")
        value = fields.get(field)
        if value is None:
            raise server.failed(f"{place} has no field {field!r}")
        try:
            secret = value.encode() if isinstance(value, str) else b""
        except UnicodeEncodeError:
            secret = b""
        if not secret or len(secret) > LONGEST:
            raise server.failed(f"the field {field!r} of {place} is no text, empty, or too large")
        return Credential(Secret(secret), keep=server.settings.cache_seconds)

    async def close(self) -> None:
        await asyncio.gather(*(server.close() for server in self._servers.values()))
