"""The API on tokens: issued, listed without their text, revoked."""

from typing import Annotated

from fastapi import Query, Response

from wicketgate.admin import access
from wicketgate.api import shapes
from wicketgate.api.given import By, Desk, routes

tokens = routes("tokens")


@tokens.get("/tokens", summary="Tokens, without their text")
async def list_tokens(
    office: Desk, by: By, identity: Annotated[str | None, Query(max_length=63)] = None
) -> list[shapes.TokenShown]:
    if identity is None and not by.administrator:
        identity = by.name
    now = office.clock()
    return [shapes.TokenShown.of(each, now) for each in await access.list_tokens(office, by, identity)]


@tokens.post("/tokens", summary="Issue a token; its text is shown this once", status_code=201)
async def issue(office: Desk, by: By, wanted: shapes.TokenWanted, response: Response) -> shapes.TokenIssued:
    response.headers["cache-control"] = "no-store"
    return await shapes.issue(office, by, wanted)


@tokens.delete("/tokens/{token_id}", summary="Revoke a token and end its sessions")
async def revoke(office: Desk, by: By, token_id: str) -> shapes.TokenShown:
    return shapes.TokenShown.of(await access.revoke_token(office, by, token_id), office.clock())
