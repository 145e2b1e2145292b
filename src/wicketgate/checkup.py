"""`wicket check`: is the configuration good, is every target reached, what is risky there?
Composition like office.py. It must never make or change anything by looking."""

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

from wicketgate.model.errors import GatewayError
from wicketgate.model.resource import Account, Resource
from wicketgate.model.secret import Secret
from wicketgate.office import Site, site
from wicketgate.policy.load import Policy

if TYPE_CHECKING:
    from wicketgate.control.credentials import Credentials


def load_policy(config: Path) -> Policy:
    """The policy as the file holds it now. Raises PolicyError, OSError."""
    from wicketgate.policy.load import load_sources, read_sources
    from wicketgate.protocols.registry import protocols
    from wicketgate.workshop import rules_of

    return load_sources(read_sources(config), rules_of(protocols()))


def check(config: Path, reach: bool) -> list[dict[str, str]]:
    """All that is found: {"level": "error" | "warning", "text"}. reach: every target is signed in to."""
    found: list[dict[str, str]] = []

    def add(level: str, text: str) -> None:
        found.extend({"level": level, "text": line} for line in text.splitlines() if line)

    where = None
    try:
        where = site(config)
    except GatewayError as error:
        add("error", error.public)
    try:
        policy = load_policy(config)
    except GatewayError as error:
        if not any(each["text"] in error.public.splitlines() for each in found):
            add("error", error.public)
        return found
    for warning in policy.warnings:
        add("warning", warning)
    for problem in _saml(policy, str(config)):
        add("error", problem)
    for resource, reason in policy.closed.items():
        add("warning", f"resource {resource} is closed: {reason}")
    for resource, names in policy.observing.items():
        add("warning", f"resource {resource} has rules that only observe: {', '.join(names)}")
    if reach and where is not None:
        for level, text in asyncio.run(_reach(policy, where)):
            add(level, text)
    return found


def _saml(policy: Policy, config: str) -> list[str]:
    """What is wrong with the files of SAML identity providers."""
    from wicketgate.federation import need, unreadable

    try:
        need(policy.saml, config)
    except GatewayError as error:
        return [error.public]
    return unreadable(policy.saml.values(), time.time_ns())


def credentials_of(where: Site) -> "Credentials":
    """What fetches accounts' credentials. It makes no key where there is none."""
    from wicketgate.control.credentials import Credentials, LocalKey
    from wicketgate.custodian import LookedAt, sources

    def decrypt(text: str) -> Secret:
        key = where.state / "local.key"
        if not key.exists():
            raise GatewayError(
                "The target can't be reached.", f"an inline credential, and no {key} to open it"
            )
        return LocalKey.load_or_make(key).decrypt(text)

    store = LookedAt(where.database_url, where.state)
    return Credentials(decrypt, sources=sources(where.keepers, store.get, store.close))


async def _reach(policy: Policy, where: Site) -> list[tuple[str, str]]:
    from wicketgate.protocols.base import CatalogAccess
    from wicketgate.protocols.registry import protocols

    credentials = credentials_of(where)
    specs = protocols()

    async def one(resource: Resource, account: Account, database: str) -> list[tuple[str, str]]:
        place = f"resource {resource.name}, account {account.name}, database {database}"
        probe = specs[resource.protocol].probe
        if probe is None:
            return []
        try:
            secret = await credentials.fetch(account.credential)
            access = CatalogAccess(resource, account, database, secret)
            warnings = await probe(access)
            read, bind = specs[resource.protocol].read_catalog, specs[resource.protocol].bind_catalog
            if read is not None and bind is not None:
                bind(None, await read(access), resource, database, ())
        except GatewayError as error:
            return [("error", f"{place}: {error.detail or error.public}")]
        except ValueError as error:
            return [("error", f"{place}: {error}")]
        return [("warning", f"{place}: {warning}") for warning in warnings]

    wanted = [
        one(resource, account, database)
        for resource in policy.resources.values()
        for account in resource.accounts.values()
        for database in resource.databases
    ]
    try:
        return [each for answers in await asyncio.gather(*wanted) for each in answers]
    finally:
        await credentials.close()
