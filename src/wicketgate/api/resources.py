"""The API on resources, as the policy that holds declares them."""

from typing import Annotated

from fastapi import Path, Query, Request, Response

from wicketgate.admin import node as verbs
from wicketgate.api import paging, shapes
from wicketgate.api.given import By, Desk, routes
from wicketgate.api.problems import NotValid

NAME = r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"
LABEL = r"^[^\x00=]{1,200}=[^\x00]{0,200}$"
resources = routes("resources")


@resources.get("/resources", summary="Resources of the policy that holds, by name")
async def list_resources(
    office: Desk,
    by: By,
    request: Request,
    response: Response,
    protocol: Annotated[str | None, Query(max_length=63)] = None,
    label: Annotated[
        list[Annotated[str, Query(pattern=LABEL)]] | None,
        Query(max_length=16, description="key=value; several must all be there."),
    ] = None,
    limit: paging.Limit = paging.USUAL,
    cursor: paging.Cursor = None,
) -> list[shapes.ResourceShown]:
    after = paging.read(cursor, "resources")
    labels: dict[str, str] = {}
    for key, _, value in (each.partition("=") for each in label or ()):
        if labels.setdefault(key, value) != value:
            raise NotValid("query.label: no resource has two values of one label")
    found = await verbs.list_resources(
        office,
        by,
        protocol=protocol,
        labels=labels,
        after="" if after is None else after[1],
        most=limit + 1,
    )
    page = paging.cut(found, limit, "resources", lambda each: (0, each.name), request, response)
    return [shapes.ResourceShown.of(each) for each in page]


@resources.get("/resources/{name}", summary="One resource")
async def show_resource(
    office: Desk, by: By, name: Annotated[str, Path(pattern=NAME)]
) -> shapes.ResourceShown:
    return shapes.ResourceShown.of(await verbs.show_resource(office, by, name))
