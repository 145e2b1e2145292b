"""The verbs on secrets of the vault of our own. Each starts with authorize(), and none gives a secret."""

import asyncio

from wicketgate.admin.access import NotFound, Refused, admin_line
from wicketgate.admin.authorize import Action, Actor, Thing, authorize
from wicketgate.admin.ports import Office
from wicketgate.model.credential import CredentialMissing
from wicketgate.model.kept import KeptSecret, check_secret_name
from wicketgate.model.secret import Secret

Listed = tuple[KeptSecret, str]


async def set_secret(office: Office, actor: Actor, name: str, value: Secret) -> KeptSecret:
    """Make it, or give it a new value, which targets get within seconds. Recorded first, without the value.

    Raises Refused."""
    thing = Thing("secret", name)
    authorize(actor, Action.SET_SECRET, thing)
    try:
        check_secret_name(name)
        await _record(office, actor, Action.SET_SECRET, thing)
        return await office.vault.put(name, value, actor.name)
    except ValueError as error:
        raise Refused(str(error)) from None
    except CredentialMissing as error:
        raise Refused(error.detail) from None


async def list_secrets(office: Office, actor: Actor) -> list[Listed]:
    """All by name, each with the key that wraps its own."""
    authorize(actor, Action.LIST_SECRETS, Thing("secrets"))
    return await office.vault.listed()


async def rotate_secrets(office: Office, actor: Actor) -> tuple[int, bool, int]:
    """Close every secret under a new key: (how many, whether the key that wraps these was made now, how many
    segments of this node's journal have their keys under it).

    Raises Refused where one can't be opened."""
    thing = Thing("secrets")
    authorize(actor, Action.ROTATE_SECRETS, thing)
    await _record(office, actor, Action.ROTATE_SECRETS, thing)
    try:
        count, made = await office.vault.rotate()
        return count, made, await office.vault.rewrap()
    except CredentialMissing as error:
        raise Refused(error.detail) from None


async def list_segment_keys(office: Office, actor: Actor) -> dict[str, int]:
    """Of this node's encrypted journal: which keys have wrapped how many segments' keys. Raises Refused."""
    authorize(actor, Action.LIST_SEGMENT_KEYS, Thing("journal"))
    try:
        return dict(sorted((await office.vault.segments()).items()))
    except CredentialMissing as error:
        raise Refused(error.detail) from None


async def remove_secret(office: Office, actor: Actor, name: str) -> None:
    """Remove it, for good: targets that need it are refused within seconds. Raises NotFound."""
    thing = Thing("secret", name)
    authorize(actor, Action.REMOVE_SECRET, thing)
    await _record(office, actor, Action.REMOVE_SECRET, thing)
    if not await office.vault.remove(name):
        raise NotFound(f"no secret is named {name}")


async def _record(office: Office, actor: Actor, action: Action, thing: Thing) -> None:
    await asyncio.wrap_future(office.control.record(b"", admin_line(actor, action, thing)))
