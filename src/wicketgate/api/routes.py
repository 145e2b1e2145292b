"""The application: every topic's routes behind who asks. No rule lives here, and none in a topic's file:
each takes JSON apart, calls one verb, puts its answer together."""

import re
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from wicketgate import __version__
from wicketgate.admin.access import NotFound
from wicketgate.admin.ports import Office
from wicketgate.admin.rate import Rate
from wicketgate.api import (
    channels,
    identities,
    node,
    nodes,
    oauth,
    pages,
    policies,
    problems,
    rates,
    reports,
    requests,
    resources,
    reviews,
    saml,
    secrets,
    sessions,
    sign_in,
    tokens,
)
from wicketgate.api.description import described
from wicketgate.api.etags import Tagged
from wicketgate.api.given import By
from wicketgate.api.once import Idempotent
from wicketgate.api.people import SignedIn


def make(office: Office | None, log: Callable[[str], None], url: str | None = None) -> FastAPI:
    """The application. office None: only to print its description (OpenAPI). url: where others reach it."""
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
    app.include_router(node.open_routes, prefix="/api/v1")
    app.include_router(node.own, prefix="/api/v1")
    app.include_router(node.node, prefix="/api/v1")
    app.include_router(resources.resources, prefix="/api/v1")
    app.include_router(identities.accounts, prefix="/api/v1")
    app.include_router(tokens.tokens, prefix="/api/v1")
    app.include_router(secrets.vault, prefix="/api/v1")
    app.include_router(sessions.recorded, prefix="/api/v1")
    app.include_router(policies.revised, prefix="/api/v1")
    app.include_router(nodes.listed, prefix="/api/v1")
    app.include_router(reports.access, prefix="/api/v1")
    app.include_router(reviews.listed, prefix="/api/v1")
    app.include_router(channels.listed, prefix="/api/v1")
    app.include_router(channels.slack, prefix="/api/v1")
    app.include_router(requests.asking, prefix="/api/v1")
    app.include_router(saml.routes, prefix="/api/v1")
    app.include_router(oauth.router, prefix="/api/v1")
    app.include_router(node.measures)
    app.include_router(pages.pages)
    app.include_router(sign_in.codes)

    @app.get(oauth.METADATA, include_in_schema=False)
    async def authorization_server() -> dict[str, Any]:
        if url is None:
            raise NotFound("the address of this API is not set (gateway: api: url)")
        return oauth.metadata(url)

    @app.get("/api/v1/openapi.json", include_in_schema=False)
    async def description(by: By) -> dict[str, Any]:
        return described(app)

    rate = Rate() if office is None else office.rate
    # the last one is the outermost
    app.add_middleware(Tagged)
    app.add_middleware(Idempotent, office=lambda: app.state.office)
    app.add_middleware(rates.Limited, name="actor", buckets=rates.Buckets(rate.actor))
    app.add_middleware(SignedIn, free=node.OPEN, open_to=(saml.OPEN, pages.OPEN, channels.OPEN))
    app.add_middleware(rates.Limited, name="source", buckets=rates.Buckets(rate.source))
    app.add_middleware(problems.Bounded, log=log, larger=(_either(saml.FORM, channels.OPEN), saml.FORM_MOST))
    return app


def _either(*patterns: re.Pattern[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{each.pattern})" for each in patterns))
