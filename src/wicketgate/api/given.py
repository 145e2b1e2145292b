"""What every route is given: who asks, the office, and the errors that any of them may answer.
It must never prove anybody: SignedIn did."""

from collections.abc import Iterator
from typing import Annotated, Any, Final, get_args, get_origin

from fastapi import APIRouter, Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.security import HTTPBearer

from wicketgate.admin.authorize import Actor
from wicketgate.admin.ports import Office
from wicketgate.api import problems
from wicketgate.api.etags import heed
from wicketgate.api.people import actor_of

_bearer = HTTPBearer(
    auto_error=False,
    description="A token (`wkt_…`), or a trusted issuer's (JWT). Not needed on the local socket.",
)
By = Annotated[Actor, Depends(actor_of)]
PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    number: {"description": text}  # without a model: FastAPI makes it anew for each route and status
    for number, text in (
        (400, "A body that is no JSON"),
        (401, "Nobody is proven"),
        (403, "Not allowed"),
        (404, "There is no such thing"),
        (409, "It can't be done as things are"),
        (412, "It is not as If-Match or If-None-Match says"),
        (413, "Too large a body"),
        (415, "A body that is not said to be JSON"),
        (422, "Something is missing or wrong"),
        (429, "Too many requests, or too many tokens from there proved nobody; see Retry-After"),
        (503, "Store or journal is away"),
    )
}


def _office(request: Request) -> Office:
    office: Office = request.app.state.office
    return office


Desk = Annotated[Office, Depends(_office)]


def _parameters(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    """Names of all that may stand in the query, and whether one may stand there several times."""
    for each in dependant.query_params:
        annotation = each.field_info.annotation
        yield each.alias, any(get_origin(part) is list for part in (annotation, *get_args(annotation)))
    for inner in dependant.dependencies:
        yield from _parameters(inner)


def _exact(request: Request) -> None:
    """A filter that is misspelt, or given twice, must not show everything. Raises NotValid."""
    known = dict(_parameters(request.scope["route"].dependant))
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in known:
            raise problems.NotValid("query: there is no such parameter")
        if name in seen and not known[name]:
            raise problems.NotValid(f"query.{name}: it is given twice")
        seen.add(name)


def _json(request: Request) -> None:
    """Raises NotJson for a body that is said to be something else, or nothing."""
    sent = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent and kind != "application/json":
        raise problems.NotJson


def routes(tag: str) -> APIRouter:
    """A topic's routes, for whoever is proven: they take JSON, and nothing that they do not know."""
    strict = [Depends(_bearer), Depends(_json), Depends(_exact), Depends(heed)]
    return APIRouter(tags=[tag], dependencies=strict, responses=PROBLEMS)
