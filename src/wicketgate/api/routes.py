"""The API's routes: each takes JSON apart, calls one verb, puts its answer together. No rule lives here."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Response, status
from fastapi.security import HTTPBearer

from wicketgate import __version__
from wicketgate.admin import access, sessions
from wicketgate.admin import secrets as verbs
from wicketgate.admin.authorize import Action
from wicketgate.admin.ports import Office
from wicketgate.api import metrics, nodes, problems, reports, saml, secrets, shapes
from wicketgate.api.people import By, Desk, SignedIn

_bearer = HTTPBearer(
    auto_error=False,
    description="A token (`wkt_…`), or a trusted issuer's (JWT). Not needed on the local socket.",
)
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    number: {"model": problems.Problem, "content": {problems.MEDIA_TYPE: {}}, "description": text}
    for number, text in (
        (401, "Nobody is proven"),
        (403, "Not allowed"),
        (429, "Too many tokens from there proved nobody; Retry-After says when to try again"),
        (503, "Store or journal is away"),
    )
}


OPEN = frozenset({"/api/v1/health", "/api/v1/ready"})
"""Paths that need nobody proven; none of them takes a body."""
open_routes = APIRouter(tags=["health"])
routes = APIRouter(dependencies=[Depends(_bearer)], responses=_PROBLEMS)


# -- open to all who can connect -----------------------------------------------------------------------------
@open_routes.get("/health", summary="The API answers")
async def health() -> shapes.Health:
    return shapes.Health(status="ok")


@open_routes.get("/ready", summary="New sessions are let in", responses={503: {"model": shapes.Health}})
async def ready(office: Desk, response: Response) -> shapes.Health:
    standing = office.control.standing()
    if standing.live and not standing.draining and not standing.store_away:
        return shapes.Health(status="ready")
    response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return shapes.Health(status="draining" if standing.draining else "not ready")


# -- oneself, the node ---------------------------------------------------------------------------------------
@routes.get("/whoami", tags=["self"], summary="Who the API takes you for")
async def whoami(office: Desk, by: By) -> shapes.SelfShown:
    return shapes.SelfShown.of(await access.see_self(office, by))


@routes.get("/status", tags=["node"], summary="How the node stands")
async def standing(office: Desk, by: By) -> shapes.StandingShown:
    found = await access.see_standing(office, by)
    return shapes.StandingShown(
        ready=bool(found.live) and not found.draining and not found.store_away,
        workers=found.live,
        workers_wanted=found.wanted,
        pids=dict(found.pids),
        policy=found.policy,
        policy_error=found.policy_error,
        store_away=found.store_away,
        draining=found.draining,
        catalogs=dict(found.catalogs),
        sessions=len(office.control.sessions()),
    )


@routes.get("/resources", tags=["node"], summary="Resources of the policy that holds")
async def resources(office: Desk, by: By) -> list[shapes.ResourceShown]:
    return [shapes.ResourceShown.of(each) for each in await access.list_resources(office, by)]


@routes.post("/policy/reload", tags=["node"], summary="Read the policy file anew, whole or not at all")
async def reload_policy(office: Desk, by: By) -> dict[str, str]:
    return {"policy": await access.reload_policy(office, by)}


# -- tokens --------------------------------------------------------------------------------------------------
@routes.get("/tokens", tags=["tokens"], summary="Tokens, without their text")
async def tokens(
    office: Desk, by: By, identity: Annotated[str | None, Query(max_length=63)] = None
) -> list[shapes.TokenShown]:
    if identity is None and not by.administrator:
        identity = by.name
    now = office.clock()
    return [shapes.TokenShown.of(each, now) for each in await access.list_tokens(office, by, identity)]


@routes.post(
    "/tokens", tags=["tokens"], summary="Issue a token; its text is shown this once", status_code=201
)
async def issue(office: Desk, by: By, wanted: shapes.TokenWanted, response: Response) -> shapes.TokenIssued:
    response.headers["cache-control"] = "no-store"
    return await shapes.issue(office, by, wanted)


@routes.delete("/tokens/{token_id}", tags=["tokens"], summary="Revoke a token and end its sessions")
async def revoke(office: Desk, by: By, token_id: str) -> shapes.TokenShown:
    return shapes.TokenShown.of(await access.revoke_token(office, by, token_id), office.clock())


# -- secrets -------------------------------------------------------------------------------------------------
@routes.get("/secrets", tags=["secrets"], summary="Names of secrets; there is no way to their values")
async def list_secrets(office: Desk, by: By) -> list[secrets.SecretShown]:
    return await secrets.listed(office, by)


@routes.put("/secrets/{name}", tags=["secrets"], summary="Set a secret: make it, or give it a new value")
async def set_secret(office: Desk, by: By, name: str, wanted: secrets.SecretWanted) -> secrets.SecretShown:
    return await secrets.put(office, by, name, wanted)


@routes.delete("/secrets/{name}", tags=["secrets"], summary="Remove a secret", status_code=204)
async def remove_secret(office: Desk, by: By, name: str) -> None:
    await verbs.remove_secret(office, by, name)


@routes.get(
    "/journal/keys", tags=["secrets"], summary="What has wrapped the journal's keys, where it is encrypted"
)
async def segment_keys(office: Desk, by: By) -> list[secrets.SegmentKeysShown]:
    return await secrets.segment_keys(office, by)


@routes.post("/secrets/rotate", tags=["secrets"], summary="Close every secret anew, under new keys")
async def rotate_secrets(office: Desk, by: By) -> secrets.Rotated:
    return await secrets.rotated(office, by)


# -- sessions ------------------------------------------------------------------------------------------------
@routes.get("/sessions", tags=["sessions"], summary="Sessions, newest first")
async def list_sessions(
    office: Desk,
    by: By,
    identity: Annotated[str | None, Query(max_length=63)] = None,
    only_open: Annotated[bool, Query(alias="open")] = False,
    most: Annotated[int, Query(ge=1, le=10_000)] = 100,
) -> list[shapes.SessionShown]:
    if identity is None and not by.administrator:
        identity = by.name
    found = await sessions.list_sessions(office, by, identity=identity, only_open=only_open, most=most)
    return [shapes.SessionShown.model_validate(each, from_attributes=True) for each in found]


@routes.get("/sessions/{session}", tags=["sessions"], summary="One session")
async def show_session(office: Desk, by: By, session: str) -> shapes.SessionShown:
    found = await sessions.show_session(office, by, session)
    return shapes.SessionShown.model_validate(found, from_attributes=True)


@routes.delete("/sessions/{session}", tags=["sessions"], summary="End an open session", status_code=204)
async def terminate(office: Desk, by: By, session: str) -> None:
    await sessions.terminate_session(office, by, session)


@routes.get("/sessions/{session}/recording", tags=["sessions"], summary="A session's recording, readable")
async def recording(office: Desk, by: By, session: str) -> shapes.ReplayShown:
    return shapes.ReplayShown.of(await sessions.replay_session(office, by, session))


@routes.get(
    "/sessions/{session}/export",
    tags=["sessions"],
    summary="A session with its proof, as a file",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
async def export(office: Desk, by: By, session: str) -> Response:
    content = await sessions.export_session(office, by, session)
    headers = {"content-disposition": f'attachment; filename="{session}.wicket"', "cache-control": "no-store"}
    return Response(content, media_type="application/octet-stream", headers=headers)


@routes.post("/journal/verify", tags=["sessions"], summary="Verify the whole journal from its files")
async def verify(office: Desk, by: By) -> shapes.Verified:
    found = await sessions.verify_journal(office, by)
    return shapes.Verified(ok=bool(found["ok"]), findings=list(found["findings"]), facts=found["facts"])


routes.include_router(reports.routes)


async def prometheus(office: Desk, by: By) -> Response:
    """Metrics in Prometheus' text form."""
    found = await access.see_standing(office, by, Action.SEE_METRICS)
    content = metrics.render(found, len(office.control.sessions()))
    return Response(content, headers={"content-type": metrics.CONTENT_TYPE})


def make(office: Office | None, log: Callable[[str], None]) -> FastAPI:
    """The application. office None: only to print its description (OpenAPI)."""
    app = FastAPI(
        title="Wicketgate",
        version=__version__,
        summary="The gateway's API: tokens, sessions and their recordings.",
        # described to the signed in alone, by a route of its own
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        # a redirect would name whatever Host a client sent
        redirect_slashes=False,
    )
    app.state.office = office
    problems.install(app)
    app.include_router(open_routes, prefix="/api/v1")
    app.include_router(routes, prefix="/api/v1")
    app.include_router(nodes.routes, prefix="/api/v1", dependencies=[Depends(_bearer)], responses=_PROBLEMS)
    app.include_router(saml.routes, prefix="/api/v1")
    app.add_api_route(
        "/metrics",
        prometheus,
        methods=["GET"],
        tags=["node"],
        response_class=Response,
        dependencies=[Depends(_bearer)],
        responses={200: {"content": {"text/plain": {}}}, **_PROBLEMS},
    )

    @app.get("/api/v1/openapi.json", include_in_schema=False)
    async def description(by: By) -> dict[str, Any]:
        return app.openapi()

    app.add_middleware(SignedIn, free=OPEN, open_to=saml.OPEN)
    app.add_middleware(problems.Bounded, log=log, larger=(saml.FORM, saml.FORM_MOST))
    return app
