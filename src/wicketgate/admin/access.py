"""The verbs on tokens and on what one may know of oneself. Each starts with authorize()."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from wicketgate.admin.authorize import Action, Actor, Thing, authorize
from wicketgate.admin.ports import Key, Office
from wicketgate.admin.records import admin_line as admin_line
from wicketgate.admin.records import record, recorded_ending
from wicketgate.model.errors import GatewayError
from wicketgate.model.identity import IdentityKind
from wicketgate.model.network import check_network
from wicketgate.model.secret import Secret
from wicketgate.model.task import Task
from wicketgate.model.token import ServiceAccount, TokenRecord, check_group, is_any

LONGEST_TASK: Final = 86_400_000_000_000
"""Nanoseconds that a task's token holds at most."""


class NotFound(GatewayError):
    """There is no such thing (or it is not the actor's to know)."""


class Refused(GatewayError):
    """What was asked can't be done as it was asked."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token. secret is shown once and kept nowhere. created_identity: the account was made with it."""

    secret: Secret
    record: TokenRecord
    created_identity: bool


async def issue_token(
    office: Office,
    actor: Actor,
    account: ServiceAccount,
    *,
    expires: int | None = None,
    resources: frozenset[str] = frozenset(),
    note: str = "",
    create: bool = False,
    rules: frozenset[str] = frozenset(),
    networks: frozenset[str] = frozenset(),
    task: Task | None = None,
) -> Issued:
    """A token for a service account. create: make the account if there is none (kind and groups as given).

    Recorded, stored, replicated; in that order, so that a token that works is one that was recorded.
    Raises NotFound where there is no such account and create is False, Refused where it is disabled, where
    a resource or a rule that may permit is unknown, or where the account stands in the configuration file
    with other groups.
    """
    thing = Thing("identity", account.name, account.name)
    authorize(actor, Action.ISSUE_TOKEN, thing)
    known = office.unite(await office.store.identities())
    found = known.get(account.name)
    if found is None and create:
        check_new(account)
    if found is None and not create:
        raise NotFound(f"no identity is named {account.name}; create it by naming its groups")
    if found is not None and found.disabled is not None:
        raise Refused(f"{account.name} is disabled")
    if found is not None and account.groups and account.groups != found.groups:
        raise Refused(
            f"{account.name} exists already, in the groups {', '.join(sorted(found.groups)) or 'none'}"
        )
    policy = office.control.policy()
    if policy is not None and (unknown := resources - set(policy.resources)):
        raise Refused(f"no resource is named {', '.join(sorted(unknown))}")
    if policy is not None and (unknown := rules - policy.permits):
        raise Refused(f"no rule that permits or reveals is named {', '.join(sorted(unknown))}")
    now = office.clock()
    if task is not None:
        _check_task(task, known, found or account, resources, expires, now)
    try:
        secret, kept = office.issue(
            account.name,
            now,
            office.random,
            expires=expires,
            resources=resources,
            note=note,
            rules=rules,
            networks=frozenset(check_network(network) for network in networks),
            task=task,
        )
    except ValueError as error:
        raise Refused(str(error)) from None
    told = {} if task is None else {"task": task.replicated()}
    more = {"token": kept.id, "expires": expires, "created": found is None, **told}
    await record(office, actor, Action.ISSUE_TOKEN, thing, **more)
    if found is None:
        await end_leftovers(office, account.name)
        made = replace(account, origin="store", disabled=None)
        await office.store.put_identity(made, now)
        await asyncio.wrap_future(office.control.put("identities", made.name, made.replicated()))
    await office.store.add_token(kept)
    await asyncio.wrap_future(office.control.put("tokens", kept.hash, kept.replicated()))
    return Issued(secret, kept, found is None)


def _check_task(
    task: Task,
    known: Mapping[str, ServiceAccount],
    agent: ServiceAccount,
    resources: frozenset[str],
    expires: int | None,
    now: int,
) -> None:
    """A task's token is an agent's, on behalf of a human who is there, for some resources, and ends soon.
    Raises Refused."""
    human = known.get(task.behalf)
    if human is None or human.kind is not IdentityKind.HUMAN:
        raise Refused(
            f"{task.behalf} is no local account of a human (an issuer's people: exchange their tokens)"
        )
    if human.disabled is not None:
        raise Refused(f"{task.behalf} is disabled")
    if agent.kind is IdentityKind.HUMAN:
        raise Refused(f"{agent.name} is a human's account: a task's token is an agent's or a service's")
    if not resources:
        raise Refused("a task's token names the resources that it is for")
    if expires is None or expires - now > LONGEST_TASK:
        raise Refused("a task's token ends within a day")


async def end_leftovers(office: Office, name: str) -> None:
    """Before an account is made: tokens of one that had its name before are not good for it."""
    for each in await office.accounts.end_tokens(name, office.clock()):
        await end_token(office, each)


def check_new(account: ServiceAccount) -> None:
    """A new account must be one that a policy can name. Raises Refused."""
    try:
        for group in sorted(account.groups):
            check_group(group)
    except ValueError as error:
        raise Refused(str(error)) from None
    if is_any(account.name):
        raise Refused(f"{account.name!r} can't name an identity: in a policy it is everybody")


async def list_tokens(
    office: Office,
    actor: Actor,
    identity: str | None = None,
    *,
    state: str | None = None,
    after: Key | None = None,
    most: int | None = None,
) -> list[TokenRecord]:
    """All tokens, or one identity's, oldest first; no token's text is known. A scoped one sees itself alone.

    state: `good`, `expired` or `revoked`. after: created and id; what comes behind it, `most` at most."""
    authorize(actor, Action.LIST_TOKENS, Thing("tokens", identity or "", identity))
    only = (actor.credential_id or "") if actor.bound else None
    return await office.accounts.tokens(
        identity=identity, only=only, state=state, now=office.clock(), after=after, most=most
    )


async def show_token(office: Office, actor: Actor, token_id: str) -> TokenRecord:
    """One token, without its text. Raises NotFound; NotAllowed, not saying which exist."""
    found = await office.store.token(token_id)
    authorize(actor, Action.SHOW_TOKEN, Thing("token", token_id, None if found is None else found.identity))
    if found is None:
        raise NotFound(f"no token has the id {token_id}")
    return found


async def revoke_token(office: Office, actor: Actor, token_id: str) -> TokenRecord:
    """Revoke a token, and by that end its sessions. Raises NotFound; NotAllowed, not saying which exist.

    Done even where it can't be recorded: a journal that fails must not keep a leaked token alive.
    """
    found = await office.store.token(token_id)
    thing = Thing("token", token_id, None if found is None else found.identity)
    authorize(actor, Action.REVOKE_TOKEN, thing)
    if found is None:
        raise NotFound(f"no token has the id {token_id}")
    async with recorded_ending(office, actor, Action.REVOKE_TOKEN, thing, identity=found.identity):
        revoked = await office.store.revoke_token(token_id, office.clock())
        if revoked is None:
            raise NotFound(f"no token has the id {token_id}")
        await end_token(office, revoked)
    return revoked


async def end_token(office: Office, revoked: TokenRecord) -> None:
    """Tell workers that a token was revoked in the store: its sessions end."""
    await asyncio.wrap_future(office.control.put("revoked", revoked.id, {"at": revoked.revoked}))
    await asyncio.wrap_future(office.control.put("tokens", revoked.hash, None))


async def see_self(office: Office, actor: Actor) -> Actor:
    """Who the API takes you for."""
    authorize(actor, Action.SEE_SELF, Thing("identity", actor.name, actor.name))
    return actor


async def reload_policy(office: Office, actor: Actor) -> str:
    """Read the policy file anew, whole or not at all; the digest that holds then. Raises PolicyError."""
    thing = Thing("policy")
    authorize(actor, Action.RELOAD_POLICY, thing)
    await record(office, actor, Action.RELOAD_POLICY, thing)
    loaded = await asyncio.wrap_future(office.control.reload_policy())
    return str(loaded.digest)
