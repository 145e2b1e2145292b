"""The API on resources, as the policy that holds declares them."""

from wicketgate.admin import access
from wicketgate.api import shapes
from wicketgate.api.given import By, Desk, routes

resources = routes("resources")


@resources.get("/resources", summary="Resources of the policy that holds")
async def list_resources(office: Desk, by: By) -> list[shapes.ResourceShown]:
    return [shapes.ResourceShown.of(each) for each in await access.list_resources(office, by)]
