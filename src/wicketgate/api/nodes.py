"""The API's route on nodes that share a store."""

from pydantic import BaseModel

from wicketgate.admin import nodes as verbs
from wicketgate.api.given import By, Desk, routes


class NodeShown(BaseModel):
    """number: the small one, in cancel keys. seen: ns, by the store's clock. here: it is who answers."""

    number: int
    node: str
    name: str
    seen: int
    alive: bool
    here: bool


listed = routes("node")


@listed.get("/nodes", summary="Nodes that share this node's store")
async def list_nodes(office: Desk, by: By) -> list[NodeShown]:
    return [
        NodeShown(
            number=each.number,
            node=each.node,
            name=each.name,
            seen=each.seen,
            alive=each.alive,
            here=each.node == office.node,
        )
        for each in await verbs.list_nodes(office, by)
    ]
