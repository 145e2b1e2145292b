"""The API on tokens: issued, listed without their text, revoked."""

from typing import Annotated, Literal

from fastapi import Path, Query, Request, Response

from wicketgate.admin import access
from wicketgate.admin.authorize import Action
from wicketgate.api import paging, shapes
from wicketgate.api.given import By, Desk, routes

Id = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]
Whose = Annotated[str | None, Query(pattern=shapes.NAME, description="Only this identity's.")]
tokens = routes("tokens")


@tokens.get("/tokens", summary="Tokens, without their text, oldest first")
async def list_tokens(
    office: Desk,
    by: By,
    request: Request,
    response: Response,
    identity: Whose = None,
    state: Literal["good", "expired", "revoked"] | None = None,
    limit: paging.Limit = paging.USUAL,
    cursor: paging.Cursor = None,
) -> list[shapes.TokenShown]:
    after = paging.read(cursor, "tokens")
    if identity is None and not by.oversees(Action.LIST_TOKENS):
        identity = by.name
    found = await access.list_tokens(office, by, identity, state=state, after=after, most=limit + 1)
    page = paging.cut(found, limit, "tokens", lambda each: (each.created, each.id), request, response)
    now = office.clock()
    return [shapes.TokenShown.of(each, now) for each in page]


@tokens.get("/tokens/{token_id}", summary="One token, without its text")
async def show_token(office: Desk, by: By, token_id: Id) -> shapes.TokenShown:
    return shapes.TokenShown.of(await access.show_token(office, by, token_id), office.clock())


@tokens.post("/tokens", summary="Issue a token; its text is shown this once", status_code=201)
async def issue(office: Desk, by: By, wanted: shapes.TokenWanted, response: Response) -> shapes.TokenIssued:
    issued = await shapes.issue(office, by, wanted)
    response.headers["cache-control"] = "no-store"
    response.headers["location"] = f"/api/v1/tokens/{issued.id}"
    return issued


@tokens.delete("/tokens/{token_id}", summary="Revoke a token and end its sessions")
async def revoke(office: Desk, by: By, token_id: Id) -> shapes.TokenShown:
    return shapes.TokenShown.of(await access.revoke_token(office, by, token_id), office.clock())
