"""What every route is given: who asks, the office, and the errors that any of them may answer.
It must never prove anybody: SignedIn did."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPBearer

from wicketgate.admin.authorize import Actor
from wicketgate.admin.ports import Office
from wicketgate.api import problems
from wicketgate.api.people import actor_of

_bearer = HTTPBearer(
    auto_error=False,
    description="A token (`wkt_…`), or a trusted issuer's (JWT). Not needed on the local socket.",
)
By = Annotated[Actor, Depends(actor_of)]
PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    number: {"model": problems.Problem, "content": {problems.MEDIA_TYPE: {}}, "description": text}
    for number, text in (
        (401, "Nobody is proven"),
        (403, "Not allowed"),
        (429, "Too many tokens from there proved nobody; Retry-After says when to try again"),
        (503, "Store or journal is away"),
    )
}


def _office(request: Request) -> Office:
    office: Office = request.app.state.office
    return office


Desk = Annotated[Office, Depends(_office)]


def routes(tag: str) -> APIRouter:
    """A topic's routes, for whoever is proven."""
    return APIRouter(tags=[tag], dependencies=[Depends(_bearer)], responses=PROBLEMS)
