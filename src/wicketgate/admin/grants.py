"""The verbs on grants: seen, extended, given back, taken away. Each starts with authorize().
They must never lengthen a grant without those who decide, nor keep one that somebody may end."""

import asyncio
from dataclasses import dataclass, replace

from wicketgate.admin.access import NotFound, Refused
from wicketgate.admin.authorize import Action, Actor, Thing, authorize
from wicketgate.admin.ports import Key, Office
from wicketgate.admin.records import recorded_ending
from wicketgate.admin.requests import SECOND, Asked, ask, known, length, list_offers, reason_of, request_of
from wicketgate.model.grant import Grant, SoughtGrants, new_id
from wicketgate.model.review import Review, folded


@dataclass(frozen=True, slots=True)
class SeenGrant:
    """grant, and the review in which people decided on it, or look back at it; None: it is forgotten."""

    grant: Grant
    review: Review | None


def _own(actor: Actor, grant: Grant) -> bool:
    """Whether it is the actor's, or his agent's. A task's token has those of its task alone."""
    if actor.identity is None:
        return False
    task = actor.identity.declared
    if task is not None:
        return grant.binds(actor.identity)
    mine = grant.identity == actor.name and grant.issuer == actor.identity.issuer
    return mine or (grant.behalf is not None and folded(grant.behalf) == folded(actor.name) and actor.person)


def _seated(actor: Actor, review: Review | None) -> bool:
    return (
        review is not None
        and actor.person
        and any(panel.seats(actor.name, actor.groups) for panel in review.panels)
    )


async def _grant(office: Office, actor: Actor, action: Action, grant: str) -> SeenGrant:
    """One of them. Raises NotFound; NotAllowed for whoever may not know whether it exists."""
    found = await office.grants.grant(grant)
    review = None if found is None else await office.reviews.review(grant)
    mine = found is not None and (_own(actor, found) or _seated(actor, review))
    owner = actor.name if mine else None
    authorize(actor, action, Thing("grant", grant, owner, None if found is None else found.resource))
    if found is None:
        raise NotFound("no grant has this id")
    return SeenGrant(found, review)


async def list_grants(
    office: Office,
    actor: Actor,
    identity: str | None = None,
    resource: str | None = None,
    live: bool = False,
    after: Key | None = None,
    most: int = 100,
) -> list[Grant]:
    """Newest first: the actor's own, or those that his roles reach. live: those alone that have not ended."""
    action = Action.LIST_GRANTS
    everything = actor.reaches(action, resource)
    owner = actor.name if everything or identity in (None, actor.name) else None
    authorize(actor, action, Thing("grants", identity or "", owner, resource))
    sought = SoughtGrants(
        frozenset() if identity is None and everything else frozenset({identity or actor.name}),
        resource,
        office.clock() if live else None,
    )
    found = await office.grants.page(sought, after, most)
    return [
        each
        for each in found
        if actor.covers(each.resource) and (actor.reaches(action, each.resource) or _own(actor, each))
    ]


async def show_grant(office: Office, actor: Actor, grant: str) -> SeenGrant:
    """Raises NotFound."""
    return await _grant(office, actor, Action.SHOW_GRANT, grant)


async def extend_grant(
    office: Office, actor: Actor, grant: str, seconds: int | None = None, reason: str = ""
) -> Asked:
    """Ask for a longer one: those who decide are asked again. Raises NotFound, Refused."""
    found = (await _grant(office, actor, Action.EXTEND_GRANT, grant)).grant
    identity = known(actor)
    if not found.binds(identity):
        raise Refused("who has it asks for more of it, and nobody else")
    now = office.clock()
    offers = await list_offers(office, actor, found.resource)
    offer = next((each for each in offers if (each.rule, each.account) == (found.rule, found.account)), None)
    if offer is None or offer.terms.terms != found.terms:
        raise Refused("the policy does not give this any more")
    if found.ended_by is not None or now >= offer.terms.latest(found):
        raise Refused("it has ended: ask for it anew")
    if found.extended >= offer.terms.extend:
        times = f"{offer.terms.extend} times" if offer.terms.extend else "not"
        raise Refused(f"it can be extended {times}")
    wanted = offer.terms.most if seconds is None else seconds
    if not 0 < wanted <= offer.terms.most:
        raise Refused(f"the rule {offer.rule!r} gives {length(offer.terms.most)} at most")
    said = reason_of(reason, offer)
    request = request_of(new_id(office.random), identity, offer, now, wanted, None, None, found.id)
    # no later than the window that it is extended in
    schedule = offer.terms.schedule
    if schedule is not None:
        closes = schedule.closes(found.ends - 1)
        latest = found.ends if closes is None else closes
        if latest <= found.ends:
            raise Refused("its schedule does not reach further")
        request = replace(request, ends=min(latest, found.ends + wanted * SECOND))
    return await ask(office, actor, offer, request, said)


async def end_grant(office: Office, actor: Actor, grant: str) -> Grant:
    """Give it back, or take it away: whose it is, who is on its panel, or an administrator. What rests on it
    ends at once. Raises NotFound, Refused."""
    action = Action.END_GRANT
    found = (await _grant(office, actor, action, grant)).grant
    what = "returned" if _own(actor, found) else "revoked"
    more = {"identity": found.identity, "resource": found.resource, "rule": found.rule}
    async with recorded_ending(office, actor, action, Thing("grant", grant), what=what, **more):
        ended = await asyncio.wrap_future(office.control.end_grant(grant, actor.name, what))
    if ended is None:
        raise Refused("it has ended already")
    return ended
