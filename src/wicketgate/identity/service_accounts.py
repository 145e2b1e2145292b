"""Service accounts: identities that are not people, from the configuration file and from the store."""

from collections.abc import Iterable, Mapping
from typing import Any

from wicketgate.model.token import ServiceAccount

__all__ = ["ServiceAccount", "replicated", "unite"]


def unite(from_file: Iterable[ServiceAccount], stored: Iterable[ServiceAccount]) -> dict[str, ServiceAccount]:
    """All accounts by name. Where both name one, kind and groups are the file's (it is what was reviewed),
    and one that was disabled in the store stays so: denial wins."""
    accounts = {account.name: account for account in stored}
    for account in from_file:
        other = accounts.get(account.name)
        disabled = account.disabled if other is None or other.disabled is None else other.disabled
        accounts[account.name] = ServiceAccount(account.name, account.kind, account.groups, "file", disabled)
    return accounts


def replicated(accounts: Mapping[str, ServiceAccount]) -> dict[str, dict[str, Any]]:
    """The `identities` section that workers get."""
    return {name: account.replicated() for name, account in accounts.items()}
