"""Who sends a request: the same user over our socket, a token or a certificate over HTTPS, or nobody.
A header must never make anybody local, and a token in an address is never read."""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Final

from fastapi import Depends, Request

from wicketgate.admin.authorize import Actor
from wicketgate.admin.ports import Office
from wicketgate.admin.roles import Role, duties
from wicketgate.api.problems import ACTOR, Receive, Scope, Send, SignInNeeded, TooManyAttempts, of_error
from wicketgate.model.errors import GatewayError
from wicketgate.model.identity import Identity
from wicketgate.model.secret import Secret
from wicketgate.model.token import TokenRecord

LOCAL: Final = "wicketgate.local"
"""Key in the ASGI scope that our socket's server sets (and only it can): the peer's user id."""
NEEDED: Final = "A valid token is needed: Authorization: Bearer TOKEN"


CERTIFICATE: Final = "wicketgate.certificate"
"""Key in the connection's state that the HTTPS server sets: the client's certificate (DER)
that TLS has verified."""


class SignedIn:
    """Proves who asks before anything of the body is read. free, open_to: paths that need nobody proven."""

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        *,
        free: frozenset[str],
        open_to: Sequence[re.Pattern[str]],
    ) -> None:
        self._app = app
        self._free = free
        self._open_to = open_to

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path not in self._free and not any(each.fullmatch(path) for each in self._open_to):
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


async def actor_again(request: Request) -> Actor:
    """The actor, proven anew: for what waited. Raises as SignedIn does."""
    return await _prove(request)


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
    shown, certificate = bearer(request), request.scope.get("state", {}).get(CERTIFICATE)
    if not shown and certificate is None:
        raise SignInNeeded(NEEDED)
    source = request.client.host if request.client is not None else ""
    found = await proven(office, shown, source, certificate)
    if found is None:
        raise SignInNeeded(NEEDED)
    return actor_of_proven(office, *found)


def bearer(request: Request) -> str:
    """The token that a request shows in its header, or nothing. Raises SignInNeeded where it has several: of
    these, another reader of the request may have believed another one."""
    credentials = request.headers.getlist("authorization")
    if len(credentials) > 1:
        raise SignInNeeded(NEEDED)
    scheme, _, text = "".join(credentials).partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""


async def proven(
    office: Office, shown: str, source: str, certificate: bytes | None = None
) -> tuple[Identity, TokenRecord | None] | None:
    """Whom a token proves, and what is kept of it (None: a trusted issuer's); None: nobody. Counts the
    attempt. Raises TooManyAttempts."""
    told = shown.encode("utf-8", "replace")
    # nobody is claimed: attempts are told apart by what is shown, so that one good here stays so
    claimed = f"token {hashlib.sha256(told + (certificate or b'')).hexdigest()}"
    await attempt(office, "begin", source, claimed)
    found = await office.prove(Secret(told), source, certificate)
    await attempt(office, "failed" if found is None else "good", source, claimed)
    return found


def actor_of_proven(office: Office, identity: Identity, token: TokenRecord | None) -> Actor:
    """Who asks, by what was proven."""
    scope: frozenset[str] = frozenset() if token is None else token.resources
    # a token that is scoped to resources, rules or a task was made for these: it has no role
    whole = not scope and (token is None or not token.narrow)
    policy = office.control.policy()
    held = duties(office.seats, identity.groups, {} if policy is None else policy.resources) if whole else {}
    return Actor(
        identity.name,
        identity.how,
        identity.groups,
        administrator=whole and (bool(identity.groups & office.admin_groups) or Role.ADMIN in held),
        credential_id=identity.credential_id,
        scope=scope,
        token=token,
        duties={role: reach for role, reach in held.items() if role is not Role.ADMIN},
        identity=identity,
    )


async def attempt(office: Office, outcome: str, source: str, claimed: str) -> None:
    """Tell of an attempt; where one may not even begin, raises TooManyAttempts."""
    wait = await asyncio.wrap_future(office.control.attempt(outcome, source, claimed))
    if wait and outcome == "begin":
        raise TooManyAttempts(wait)
