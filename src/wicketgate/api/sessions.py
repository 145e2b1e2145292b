"""The API on sessions, open and recorded, and on the journal as a whole."""

from typing import Annotated

from fastapi import Query, Response

from wicketgate.admin import sessions as verbs
from wicketgate.api import shapes
from wicketgate.api.given import By, Desk, routes

recorded = routes("sessions")


@recorded.get("/sessions", summary="Sessions, newest first")
async def list_sessions(
    office: Desk,
    by: By,
    identity: Annotated[str | None, Query(max_length=63)] = None,
    only_open: Annotated[bool, Query(alias="open")] = False,
    most: Annotated[int, Query(ge=1, le=10_000)] = 100,
) -> list[shapes.SessionShown]:
    if identity is None and not by.administrator:
        identity = by.name
    found = await verbs.list_sessions(office, by, identity=identity, only_open=only_open, most=most)
    return [shapes.SessionShown.model_validate(each, from_attributes=True) for each in found]


@recorded.get("/sessions/{session}", summary="One session")
async def show_session(office: Desk, by: By, session: str) -> shapes.SessionShown:
    found = await verbs.show_session(office, by, session)
    return shapes.SessionShown.model_validate(found, from_attributes=True)


@recorded.delete("/sessions/{session}", summary="End an open session", status_code=204)
async def terminate(office: Desk, by: By, session: str) -> None:
    await verbs.terminate_session(office, by, session)


@recorded.get("/sessions/{session}/recording", summary="A session's recording, readable")
async def recording(office: Desk, by: By, session: str) -> shapes.ReplayShown:
    return shapes.ReplayShown.of(await verbs.replay_session(office, by, session))


@recorded.get(
    "/sessions/{session}/export",
    summary="A session with its proof, as a file",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
async def export(office: Desk, by: By, session: str) -> Response:
    content = await verbs.export_session(office, by, session)
    headers = {"content-disposition": f'attachment; filename="{session}.wicket"', "cache-control": "no-store"}
    return Response(content, media_type="application/octet-stream", headers=headers)


@recorded.post("/journal/verify", summary="Verify the whole journal from its files")
async def verify(office: Desk, by: By) -> shapes.Verified:
    found = await verbs.verify_journal(office, by)
    return shapes.Verified(ok=bool(found["ok"]), findings=list(found["findings"]), facts=found["facts"])
