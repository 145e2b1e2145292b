"""The API on sessions, open and recorded, and on the journal as a whole."""

from typing import Annotated, Literal

from fastapi import Path, Query, Request, Response

from wicketgate.admin import sessions as verbs
from wicketgate.admin.authorize import Action
from wicketgate.api import paging, shapes
from wicketgate.api.given import By, Desk, routes
from wicketgate.api.problems import NotValid
from wicketgate.api.resources import NAME
from wicketgate.api.tokens import Whose

Id = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
Moment = Annotated[int | None, Query(ge=0, le=paging.HIGHEST, description="ns since the epoch")]
recorded = routes("sessions")


@recorded.get("/sessions", summary="Sessions, newest first")
async def list_sessions(
    office: Desk,
    by: By,
    request: Request,
    response: Response,
    identity: Whose = None,
    resource: Annotated[str | None, Query(pattern=NAME)] = None,
    state: Literal["open", "closed", "lost"] | None = None,
    only_open: Annotated[bool, Query(alias="open", description="The same as state=open.")] = False,
    begins: Annotated[str, Query(pattern=r"^[0-9a-f]{0,32}$", description="How the id begins.")] = "",
    since: Moment = None,
    until: Moment = None,
    limit: paging.Limit = paging.USUAL,
    cursor: paging.Cursor = None,
) -> list[shapes.SessionShown]:
    after = paging.read(cursor, "sessions")
    if only_open and state not in (None, "open"):
        raise NotValid("query.open: no session is open and something else")
    if identity is None and not by.oversees(Action.LIST_SESSIONS):
        identity = by.name
    wanted = verbs.Wanted(
        identity, resource, "open" if only_open else state, begins, since or 0, until, after
    )
    found = await verbs.list_sessions(office, by, wanted, limit + 1)
    page = paging.cut(found, limit, "sessions", lambda each: (each.opened, each.session), request, response)
    return [shapes.SessionShown.model_validate(each, from_attributes=True) for each in page]


@recorded.get("/sessions/{session}", summary="One session")
async def show_session(office: Desk, by: By, session: Id) -> shapes.SessionShown:
    found = await verbs.show_session(office, by, session)
    return shapes.SessionShown.model_validate(found, from_attributes=True)


@recorded.delete("/sessions/{session}", summary="End an open session", status_code=204)
async def terminate(office: Desk, by: By, session: Id) -> None:
    await verbs.terminate_session(office, by, session)


@recorded.get("/sessions/{session}/recording", summary="A session's recording, readable")
async def recording(office: Desk, by: By, session: Id, response: Response) -> shapes.ReplayShown:
    response.headers["cache-control"] = "no-store"
    return shapes.ReplayShown.of(await verbs.replay_session(office, by, session))


@recorded.get(
    "/sessions/{session}/export",
    summary="A session with its proof, as a file",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
async def export(office: Desk, by: By, session: Id) -> Response:
    content = await verbs.export_session(office, by, session)
    headers = {"content-disposition": f'attachment; filename="{session}.wicket"', "cache-control": "no-store"}
    return Response(content, media_type="application/octet-stream", headers=headers)


@recorded.post("/journal/verify", summary="Verify the whole journal from its files")
async def verify(office: Desk, by: By) -> shapes.Verified:
    found = await verbs.verify_journal(office, by)
    return shapes.Verified(ok=bool(found["ok"]), findings=list(found["findings"]), facts=found["facts"])
