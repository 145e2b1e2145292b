"""The verbs on local accounts: identities that sign in with tokens of ours. Each starts with authorize().
An account that the configuration file names keeps that file's kind and groups, whatever is asked here."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from wicketgate.admin.access import NotFound, Refused, check_new, end_leftovers, end_token
from wicketgate.admin.authorize import Action, Actor, Thing, authorize
from wicketgate.admin.ports import Office
from wicketgate.admin.records import record, recorded_ending
from wicketgate.model.identity import IdentityKind
from wicketgate.model.token import ServiceAccount

TRIES: Final = 5
"""Attempts at a change while others change the same account."""

Check = Callable[[ServiceAccount], None]
"""Given the account as it is; raises where that is not what whoever asks believes it to be."""


def _any(account: ServiceAccount) -> None:
    """Whatever it is."""


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of an account; None: as it is. groups: all that it is in then."""

    kind: IdentityKind | None = None
    groups: frozenset[str] | None = None
    disabled: bool | None = None

    def of(self, account: ServiceAccount, now: int) -> ServiceAccount:
        disabled = account.disabled
        if self.disabled is not None:
            disabled = (disabled or now) if self.disabled else None
        return replace(
            account, kind=self.kind or account.kind, groups=self.wanted(account), disabled=disabled
        )

    def wanted(self, account: ServiceAccount) -> frozenset[str]:
        return account.groups if self.groups is None else self.groups

    @property
    def ends(self) -> bool:
        """Whether it does nothing but take access away."""
        return self.disabled is True and self.kind is None and self.groups is None


async def list_identities(
    office: Office,
    actor: Actor,
    *,
    kind: IdentityKind | None = None,
    group: str | None = None,
    origin: str | None = None,
    disabled: bool | None = None,
    after: str = "",
    most: int | None = None,
) -> list[ServiceAccount]:
    """Local accounts by name, of the file and of the store. after: what comes behind it, `most` at most."""
    authorize(actor, Action.LIST_IDENTITIES, Thing("identities"))
    known = office.unite(await office.store.identities())
    found = [
        known[name]
        for name in sorted(known)
        if name > after
        and kind in (None, known[name].kind)
        and (group is None or group in known[name].groups)
        and origin in (None, known[name].origin)
        and disabled in (None, known[name].disabled is not None)
    ]
    return found[:most]


async def show_identity(office: Office, actor: Actor, name: str) -> ServiceAccount:
    """One of them. Raises NotFound; NotAllowed, not saying which exist."""
    authorize(actor, Action.SHOW_IDENTITY, Thing("identity", name, name))
    found = office.unite(await office.store.identities()).get(name)
    if found is None:
        raise NotFound(f"no identity is named {name}")
    return found


async def make_identity(office: Office, actor: Actor, account: ServiceAccount) -> ServiceAccount:
    """A new account in the store. Raises Refused where the name is taken, or can't be one."""
    thing = Thing("identity", account.name, account.name)
    authorize(actor, Action.MAKE_IDENTITY, thing)
    check_new(account)
    if account.name in office.unite(await office.store.identities()):
        raise Refused("an identity of this name exists already")
    await record(office, actor, Action.MAKE_IDENTITY, thing, **_facts(account))
    await end_leftovers(office, account.name)
    if not await office.accounts.add(account, office.clock()):
        raise Refused("an identity of this name exists already")
    await _replicate(office, account)
    return account


async def change_identity(
    office: Office, actor: Actor, name: str, change: Change, check: Check = _any
) -> ServiceAccount:
    """Change kind, groups, or whether it may sign in; open sessions follow at once. Raises NotFound, Refused,
    and what check raises."""
    thing = Thing("identity", name, name)
    authorize(actor, Action.CHANGE_IDENTITY, thing)
    for _ in range(TRIES):
        found, stored = await _find(office, name, check)
        made = change.of(found, office.clock())
        _check_change(found, made)
        if made == found:
            return found
        if change.ends:
            async with recorded_ending(office, actor, Action.CHANGE_IDENTITY, thing, **_facts(made)):
                done = await office.accounts.change(stored, made, office.clock())
                if done:
                    await _replicate(office, made)
        else:
            await record(office, actor, Action.CHANGE_IDENTITY, thing, **_facts(made))
            done = await office.accounts.change(stored, made, office.clock())
            if done:
                await _replicate(office, made)
        if done:
            return made
    raise Refused("the identity is being changed by others: try again")


async def remove_identity(office: Office, actor: Actor, name: str, check: Check = _any) -> int:
    """Remove it, and revoke its tokens first, so that none of them is good for a later account of its name.
    How many were. Raises NotFound, Refused, and what check raises."""
    thing = Thing("identity", name, name)
    authorize(actor, Action.REMOVE_IDENTITY, thing)
    for _ in range(TRIES):
        found, stored = await _find(office, name, check)
        if found.origin == "file" or stored is None:
            raise Refused("the configuration file names it: take it out there, or disable it here")
        async with recorded_ending(office, actor, Action.REMOVE_IDENTITY, thing, **_facts(found)):
            revoked = await office.accounts.remove(stored, office.clock())
            if revoked is not None:
                await asyncio.wrap_future(office.control.put("identities", name, None))
                for each in revoked:
                    await end_token(office, each)
        if revoked is not None:
            return len(revoked)
    raise Refused("the identity is being changed by others: try again")


async def _find(office: Office, name: str, check: Check) -> tuple[ServiceAccount, ServiceAccount | None]:
    """The account as it holds, and as the store has it."""
    stored = {each.name: each for each in await office.store.identities()}
    found = office.unite(stored.values()).get(name)
    if found is None:
        raise NotFound(f"no identity is named {name}")
    check(found)
    return found, stored.get(name)


def _check_change(found: ServiceAccount, made: ServiceAccount) -> None:
    """Raises Refused."""
    if found.origin == "file" and (made.kind is not found.kind or made.groups != found.groups):
        raise Refused("the configuration file names it: its kind and groups are changed there")
    check_new(replace(made, groups=made.groups - found.groups))


def _facts(account: ServiceAccount) -> dict[str, object]:
    return {
        "kind_of": account.kind.value,
        "groups": sorted(account.groups),
        "disabled": account.disabled is not None,
    }


async def _replicate(office: Office, account: ServiceAccount) -> None:
    await asyncio.wrap_future(office.control.put("identities", account.name, account.replicated()))
