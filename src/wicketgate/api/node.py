"""The API on the node and on oneself: health, standing, metrics, and the policy in force."""

from typing import Final

from fastapi import APIRouter, Response, status

from wicketgate.admin import access
from wicketgate.admin import node as verbs
from wicketgate.api import metrics, oauth, shapes
from wicketgate.api.given import By, Desk, routes

OPEN: Final = frozenset({"/api/v1/health", "/api/v1/ready", oauth.PATH, oauth.METADATA})
"""Paths that need nobody proven before they are asked: oauth's takes its proofs in the form."""
open_routes = APIRouter(tags=["health"])
own = routes("self")
node = routes("node")
measures = routes("node")


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
@own.get("/whoami", summary="Who the API takes you for")
async def whoami(office: Desk, by: By) -> shapes.SelfShown:
    return shapes.SelfShown.of(await access.see_self(office, by))


@node.get("/status", summary="How the node stands")
async def standing(office: Desk, by: By) -> shapes.StandingShown:
    facts = await verbs.see_facts(office, by)
    found = facts.standing
    return shapes.StandingShown(
        ready=bool(found.live) and not found.draining and not found.store_away,
        workers=found.live,
        workers_wanted=found.wanted,
        pids=dict(found.pids),
        policy=found.policy,
        policy_error=facts.policy_error,
        policy_revision=found.policy_revision,
        store_away=found.store_away,
        draining=found.draining,
        catalogs=dict(facts.catalogs),
        sessions=facts.sessions,
    )


@node.post("/policy/reload", summary="Read the policy anew, whole or not at all")
async def reload_policy(office: Desk, by: By) -> dict[str, str]:
    return {"policy": await access.reload_policy(office, by)}


@measures.get(
    "/metrics",
    summary="Metrics in Prometheus' text form",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
async def prometheus(office: Desk, by: By) -> Response:
    content = metrics.render(*await verbs.see_metrics(office, by))
    return Response(content, headers={"content-type": metrics.CONTENT_TYPE})
