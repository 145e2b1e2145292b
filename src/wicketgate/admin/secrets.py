"""The verbs on secrets of the vault of our own. Each starts with authorize(), and none gives a secret."""

from collections.abc import Callable

from wicketgate.admin.access import NotFound, Refused
from wicketgate.admin.authorize import Action, Actor, Thing, authorize
from wicketgate.admin.ports import Office
from wicketgate.admin.records import record, recorded_ending
from wicketgate.model.credential import CredentialMissing
from wicketgate.model.kept import KeptSecret, check_secret_name
from wicketgate.model.secret import Secret

Listed = tuple[KeptSecret, str]
Check = Callable[[KeptSecret | None], None]
"""Given the secret as it is (None: there is none); raises where that is not what whoever asks believes."""


def _any(kept: KeptSecret | None) -> None:
    """Whatever it is."""


async def set_secret(
    office: Office, actor: Actor, name: str, value: Secret, check: Check = _any
) -> KeptSecret:
    """Make it, or give it a new value, which targets get within seconds. Recorded first, without the value.

    Raises Refused, and what check raises."""
    thing = Thing("secret", name)
    authorize(actor, Action.SET_SECRET, thing)
    try:
        check_secret_name(name)
        check(next((kept for kept, _ in await office.vault.listed() if kept.name == name), None))
        await record(office, actor, Action.SET_SECRET, thing)
        return await office.vault.put(name, value, actor.name, check)
    except ValueError as error:
        raise Refused(str(error)) from None
    except CredentialMissing as error:
        raise Refused(error.detail) from None


async def list_secrets(
    office: Office, actor: Actor, *, after: str = "", most: int | None = None
) -> list[Listed]:
    """All by name, each with the key that wraps its own. after: what comes behind it, `most` at most."""
    authorize(actor, Action.LIST_SECRETS, Thing("secrets"))
    return [each for each in await office.vault.listed() if each[0].name > after][:most]


async def show_secret(office: Office, actor: Actor, name: str) -> Listed:
    """One of them: facts, never its value. Raises NotFound."""
    authorize(actor, Action.SHOW_SECRET, Thing("secret", name))
    for each in await office.vault.listed():
        if each[0].name == name:
            return each
    raise NotFound(f"no secret is named {name}")


async def rotate_secrets(office: Office, actor: Actor) -> tuple[int, bool, int]:
    """Close every secret under a new key: (how many, whether the key that wraps these was made now, how many
    segments of this node's journal have their keys under it).

    Raises Refused where one can't be opened."""
    thing = Thing("secrets")
    authorize(actor, Action.ROTATE_SECRETS, thing)
    await record(office, actor, Action.ROTATE_SECRETS, thing)
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
    await show_secret(office, actor, name)
    async with recorded_ending(office, actor, Action.REMOVE_SECRET, thing):
        if not await office.vault.remove(name):
            raise NotFound(f"no secret is named {name}")
