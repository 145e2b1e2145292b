"""The verb on nodes that share a store. It starts with authorize()."""

from collections.abc import Sequence

from wicketgate.admin.authorize import Action, Actor, Thing, authorize
from wicketgate.admin.ports import NodeSeen, Office


async def list_nodes(office: Office, actor: Actor) -> Sequence[NodeSeen]:
    """All nodes that have a number on this store, by number."""
    authorize(actor, Action.LIST_NODES, Thing("nodes"))
    return [] if office.others is None else await office.others.nodes()
