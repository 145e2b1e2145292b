"""The journal's `admin` lines: who did what to what, before it is done, and who was refused.
A line must never hold a token, a secret, or a name that may be one."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from wicketgate.admin.authorize import Action, Actor, NotAllowed, Thing
from wicketgate.admin.ports import Office
from wicketgate.model.errors import GatewayError

_TELLABLE: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,61}[A-Za-z0-9])?")
_SECRETIVE: Final = re.compile(r"(?i)wk[a-z]_|^ey[A-Za-z0-9_-]{8,}")


def admin_line(actor: Actor, action: Action, thing: Thing, **more: Any) -> bytes:
    """BODY members of an `admin` line (JSON without braces): who did what to what."""
    members = {
        "by": actor.name,
        "how": actor.how,
        "credential": actor.credential_id,
        "do": action.value,
        "kind": thing.kind,
        "name": thing.name,
        **more,
    }
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))[1:-1].encode("utf-8")


async def record(office: Office, actor: Actor, action: Action, thing: Thing, **more: Any) -> None:
    """Recorded when this returns: what follows may be done. Raises JournalFailed: then it must not be."""
    await asyncio.wrap_future(office.control.record(b"", admin_line(actor, action, thing, **more)))


@asynccontextmanager
async def recorded_ending(
    office: Office, actor: Actor, action: Action, thing: Thing, **more: Any
) -> AsyncIterator[None]:
    """The same around what takes access away: that is done even where it can't be recorded, and the failure
    is raised after. A journal that fails must not keep a leaked token alive."""
    failed: GatewayError | None = None
    try:
        await record(office, actor, action, thing, **more)
    except GatewayError as error:
        failed = error
    yield
    if failed is not None:
        raise failed


async def record_refused(office: Office, refused: NotAllowed) -> None:
    """Record that somebody asked for what he may not do. Raises JournalFailed."""
    thing = refused.thing
    name = thing.name if not thing.name or _tellable(thing.name) else "(no name)"
    told = Thing(thing.kind, name)
    await record(office, refused.actor, refused.action, told, refused=True)


def _tellable(name: str) -> bool:
    """Whether it looks like what a thing is called; what was pasted in its place may be a secret."""
    return bool(_TELLABLE.fullmatch(name)) and not _SECRETIVE.search(name)
