"""How many rows a statement would touch, as its target's planner thinks, for people who have to look at it.
It must never ask through another account than the statement's own.
"""

from collections.abc import Callable, Mapping
from typing import Any

from wicketgate.control.credentials import Credentials
from wicketgate.control.ports import LoadedPolicy
from wicketgate.protocols.base import CatalogAccess, ProtocolSpec


class Estimates:
    """policy: the one that holds, or None."""

    def __init__(
        self,
        policy: Callable[[], LoadedPolicy | None],
        protocols: Mapping[str, ProtocolSpec],
        credentials: Credentials,
    ) -> None:
        self._policy = policy
        self._protocols = protocols
        self._credentials = credentials

    async def rows(self, body: Mapping[str, Any]) -> int | None:
        """None where it can't be told. Raises whatever goes wrong on the way."""
        policy = self._policy()
        resource = policy.resources.get(body["resource"]) if policy is not None else None
        account = resource.accounts.get(body["account"]) if resource is not None else None
        if resource is None or account is None or account.version != body["version"]:
            return None
        estimate = self._protocols[resource.protocol].estimate
        if estimate is None or body["database"] not in resource.databases:
            return None
        secret = await self._credentials.fetch(account.credential)
        return await estimate(CatalogAccess(resource, account, body["database"], secret), body["plan"])
