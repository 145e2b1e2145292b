"""Who sends a request: the same user over our socket, or a token over HTTPS. Anything else is nobody.
A header must never make anybody local, and a token in an address is never read."""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import Depends, Request

from wicketgate.admin.authorize import Actor
from wicketgate.admin.ports import Office
from wicketgate.api.problems import Receive, Scope, Send, SignInNeeded, TooManyAttempts, of_error
from wicketgate.model.errors import GatewayError
from wicketgate.model.secret import Secret

LOCAL: Final = "wicketgate.local"
"""Key in the ASGI scope that our socket's server sets (and only it can): the peer's user id."""
NEEDED: Final = "A valid token is needed: Authorization: Bearer TOKEN"


ACTOR: Final = "wicketgate.actor"
"""Key in the ASGI scope under which SignedIn leaves whom it has proven."""


class SignedIn:
    """Proves who asks before anything of the body is read. free, open_to: paths that need nobody proven."""

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        *,
        free: frozenset[str],
        open_to: re.Pattern[str],
    ) -> None:
        self._app = app
        self._free = free
        self._open_to = open_to

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path not in self._free and not self._open_to.fullmatch(path):
            try:
                scope[ACTOR] = await _prove(Request(scope))
            except GatewayError as error:
                await of_error(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)


async def actor_of(request: Request) -> Actor:
    """The actor, whom SignedIn has proven. Raises SignInNeeded where it was not asked."""
    actor = request.scope.get(ACTOR)
    if not isinstance(actor, Actor):
        raise SignInNeeded(NEEDED)
    return actor


def _office(request: Request) -> Office:
    office: Office = request.app.state.office
    return office


By = Annotated[Actor, Depends(actor_of)]
Desk = Annotated[Office, Depends(_office)]
"""What each route is given: who asks, and what verbs need."""


async def _prove(request: Request) -> Actor:
    """The actor. Raises SignInNeeded, always in the same words, where nobody is proven; TooManyAttempts where
    too many tokens from this source proved nobody, here or on the wire, and this one did not prove anybody
    from there before, whether or not it would."""
    office: Office = request.app.state.office
    uid = request.scope.get(LOCAL)
    if uid is not None:
        return Actor("local", "local", administrator=True)
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    shown = text.strip() if scheme.lower() == "bearer" else ""
    if not shown:
        raise SignInNeeded(NEEDED)
    source = request.client.host if request.client is not None else ""
    # nobody is claimed: attempts are told apart by what is shown, so that one good here stays so
    claimed = f"token {hashlib.sha256(shown.encode('utf-8', 'replace')).hexdigest()}"
    await attempt(office, "begin", source, claimed)
    proven = await office.prove(Secret(shown.encode("utf-8", "replace")), source)
    if proven is None:
        await attempt(office, "failed", source, claimed)
        raise SignInNeeded(NEEDED)
    identity, token = proven
    await attempt(office, "good", source, claimed)
    scope: frozenset[str] = frozenset() if token is None else token.resources
    return Actor(
        identity.name,
        identity.how,
        identity.groups,
        # a token that is scoped to resources, rules or a task was made for these: it does not administrate
        administrator=bool(identity.groups & office.admin_groups)
        and not scope
        and (token is None or not token.narrow),
        credential_id=identity.credential_id,
        scope=scope,
        token=token,
    )


async def attempt(office: Office, outcome: str, source: str, claimed: str) -> None:
    """Tell of an attempt; where one may not even begin, raises TooManyAttempts."""
    wait = await asyncio.wrap_future(office.control.attempt(outcome, source, claimed))
    if wait and outcome == "begin":
        raise TooManyAttempts(wait)
