"""The verbs on the node and on the resources of its policy: facts, each for whom they are.
Each starts with authorize(); what belongs to a resource is shown to whoever reaches that alone."""

from collections.abc import Mapping
from dataclasses import dataclass

from wicketgate.admin.access import NotFound
from wicketgate.admin.authorize import Action, Actor, Thing, authorize
from wicketgate.admin.ports import Office, Standing
from wicketgate.model.resource import Resource


@dataclass(frozen=True, slots=True)
class Facts:
    """How the node stands, as far as the actor may know: catalogs and sessions are those that it reaches.

    Why a policy or a catalog can't be read is for administrators: the words may quote a file, or a target's
    own. Others are told that it is so."""

    standing: Standing
    catalogs: Mapping[str, str | None]
    sessions: int
    policy_error: str | None


async def see_facts(office: Office, actor: Actor) -> Facts:
    """How the node stands: workers, policy, catalogs."""
    action = Action.SEE_STANDING
    authorize(actor, action, Thing("node"))
    standing = office.control.standing()
    error = standing.policy_error
    if error is not None and not actor.administrator:
        error = "the newest policy can't be loaded"
    return Facts(
        standing,
        {
            catalog: why if why is None or actor.administrator else "its catalog can't be read"
            for catalog, why in standing.catalogs.items()
            if actor.reaches(action, catalog.partition("/")[0])
        },
        sum(actor.reaches(action, each.resource) for each in office.control.sessions()),
        error,
    )


async def see_metrics(office: Office, actor: Actor) -> tuple[Standing, int]:
    """The same as numbers of the whole node, with how many sessions are open."""
    authorize(actor, Action.SEE_METRICS, Thing("node"))
    return office.control.standing(), len(office.control.sessions())


async def list_resources(
    office: Office,
    actor: Actor,
    *,
    protocol: str | None = None,
    labels: Mapping[str, str] | None = None,
    after: str = "",
    most: int | None = None,
) -> list[Resource]:
    """The resources of the policy that holds, by name. Credential references are not for showing.

    after: what comes behind that name, `most` at most."""
    authorize(actor, Action.LIST_RESOURCES, Thing("resources"))
    policy = office.control.policy()
    known = {} if policy is None else policy.resources
    wanted = (labels or {}).items()
    found = [
        known[name]
        for name in sorted(known)
        if name > after
        and actor.reaches(Action.LIST_RESOURCES, name)
        and protocol in (None, known[name].protocol)
        and wanted <= known[name].labels.items()
    ]
    return found[:most]


async def show_resource(office: Office, actor: Actor, name: str) -> Resource:
    """One of them. Raises NotFound; NotAllowed, not saying which exist."""
    authorize(actor, Action.SHOW_RESOURCE, Thing("resource", name, None, name))
    policy = office.control.policy()
    found = None if policy is None else policy.resources.get(name)
    if found is None:
        raise NotFound(f"no resource is named {name}")
    return found
