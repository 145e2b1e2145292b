"""Who sends a request: the same user over our socket, or a token over HTTPS. Anything else is nobody.
A header must never make anybody local, and a token in an address is never read."""

from typing import Final

from fastapi import Request

from wicketgate.admin.authorize import Actor
from wicketgate.admin.ports import Office
from wicketgate.api.problems import SignInNeeded
from wicketgate.model.secret import Secret

LOCAL: Final = "wicketgate.local"
"""Key in the ASGI scope that our socket's server sets (and only it can): the peer's user id."""


async def actor_of(request: Request) -> Actor:
    """The actor. Raises SignInNeeded, always in the same words, where nobody is proven."""
    office: Office = request.app.state.office
    uid = request.scope.get(LOCAL)
    if uid is not None:
        return Actor("local", "local", administrator=True)
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    secret = Secret(text.strip().encode("utf-8", "replace") if scheme.lower() == "bearer" else b"")
    source = request.client.host if request.client is not None else ""
    proven = await office.prove(secret, source)
    if proven is None:
        raise SignInNeeded("A valid token is needed: Authorization: Bearer wkt_…")
    identity, token = proven
    return Actor(
        identity.name,
        "token",
        identity.groups,
        # a token that is scoped to resources was made for these: it does not administrate
        administrator=bool(identity.groups & office.admin_groups) and not token.resources,
        credential_id=token.id,
    )
