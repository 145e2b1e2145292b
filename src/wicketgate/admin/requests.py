"""The verbs on access requests: what can be asked for, asking, breaking glass. Each starts with authorize().
They must never let anybody ask for another, nor for more than the token that he shows is good for.
"""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from wicketgate.admin.access import NotFound, Refused
from wicketgate.admin.authorize import Action, Actor, Thing, authorize
from wicketgate.admin.ports import Key, Office
from wicketgate.admin.records import record
from wicketgate.admin.reviews import Wanted, list_reviews, show_review, withdraw_review
from wicketgate.model.errors import GatewayError
from wicketgate.model.grant import AccessRequest, Grant, new_id
from wicketgate.model.identity import Identity
from wicketgate.model.review import Asker, Kind, Review, Status, TooManyWait
from wicketgate.policy.offers import Offer

SECOND: Final = 1_000_000_000
MOST_REASON: Final = 500
FURTHEST: Final = 90 * 86400 * SECOND
"""ns ahead that access can be asked for."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What somebody asks for. rule, account: needed where there are several. seconds: None: as long as the
    rule gives at most. starts, ends: wall ns; None: when it is approved, and by its length."""

    resource: str
    rule: str | None = None
    account: str | None = None
    seconds: int | None = None
    reason: str = ""
    starts: int | None = None
    ends: int | None = None
    break_glass: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as one sees it. grant: what came of it; None: nothing yet. link: to its page."""

    review: Review
    request: AccessRequest | None
    grant: Grant | None = None
    link: str = ""
    shown: dict[str, Any] = field(default_factory=dict)


def known(actor: Actor) -> Identity:
    """Who asks, by name. Raises Refused: on our own socket nobody is."""
    if actor.identity is None:
        raise Refused("who asks must be somebody by name: sign in, or show a token (--token-file)")
    return actor.identity


async def list_offers(office: Office, actor: Actor, resource: str | None = None) -> list[Offer]:
    """What the actor can ask for, as far as his token is good for it."""
    authorize(actor, Action.SEE_OFFERS, Thing("offers", resource or "", actor.name, resource))
    policy = office.control.policy()
    if policy is None:
        raise Refused("there is no policy here that holds")
    found: Sequence[Offer] = await asyncio.to_thread(policy.offers, known(actor), resource)
    return [
        each
        for each in found
        # nobody is asked before glass breaks, so it must be somebody who can be asked after
        if actor.covers(each.resource) and (actor.person or not each.terms.break_glass)
    ]


async def request_access(office: Office, actor: Actor, asking: Asking) -> Asked:
    """Ask for access, or break glass. Recorded before it is asked. Raises NotFound, Refused."""
    thing = Thing("resource", asking.resource, actor.name, asking.resource)
    authorize(actor, Action.REQUEST_ACCESS, thing)
    identity = known(actor)
    offer = _chosen(await list_offers(office, actor, asking.resource), asking)
    reason = reason_of(asking.reason, offer)
    now = office.clock()
    seconds, starts, ends = times(offer, asking, now)
    if offer.terms.break_glass:
        return await _break_glass(office, actor, offer, reason, now, (seconds, ends))
    request = request_of(new_id(office.random), identity, offer, now, seconds, starts, ends)
    return await ask(office, actor, offer, request, reason)


async def ask(office: Office, actor: Actor, offer: Offer, request: AccessRequest, reason: str) -> Asked:
    """Let it wait for people; one that waits for the same already stands for it, and so does one by which the
    same holds."""
    review = review_of(known(actor), offer, request, reason, office.node)
    if (holds := await _holds(office, request, review)) is not None:
        return holds
    thing = Thing("review", request.id)
    more = {"rule": offer.rule, "resource": offer.resource, "account": offer.account, "reason": reason}
    if request.extends is not None:
        more["extends"] = request.extends
    await record(office, actor, Action.REQUEST_ACCESS, thing, **more)
    try:
        await office.grants.asked(request)
        try:
            found, _ = await office.reviews.ask(review, review.created)
        except BaseException:
            await office.grants.unasked(request.id)
            raise
    except TooManyWait:
        raise Refused("too many of your requests wait, or came within an hour: wait for answers") from None
    if found.id == request.id and (holds := await _holds(office, request, review)) is not None:
        # it was granted between the look and the asking: nobody would answer this one
        with suppress(Refused):
            await withdraw_review(office, actor, request.id)
            return holds
    if found.id != request.id:
        await office.grants.unasked(request.id)
        request = (await office.grants.requests([found.id])).get(found.id, request)
    await asyncio.wrap_future(office.control.settle_grants())
    return Asked(found, request, await office.grants.grant(found.id), office.links.link(found.id))


async def _holds(office: Office, request: AccessRequest, review: Review) -> Asked | None:
    """The very same request, by which a grant holds; None: there is none."""
    if request.extends is not None:
        return None
    same = await office.grants.same(request.identity, review.exact, request.created)
    held = None if same is None else await office.reviews.review(same)
    if held is None:
        return None
    there = (await office.grants.requests([held.id])).get(held.id)
    return Asked(held, there, await office.grants.grant(held.id), office.links.link(held.id))


async def list_requests(
    office: Office, actor: Actor, wanted: Wanted, after: Key | None = None, most: int = 100
) -> list[Asked]:
    """Newest first: the actor's own, his agents', those that he may answer, and what his roles reach."""
    found = await list_reviews(office, actor, wanted, after, most)
    requests = await office.grants.requests([each.id for each in found])
    return [Asked(each, requests.get(each.id)) for each in found]


async def show_request(office: Office, actor: Actor, request: str) -> Asked:
    """One of them. Raises NotFound."""
    seen = await show_review(office, actor, request)
    if seen.review.kind is Kind.STATEMENT:
        raise NotFound("no access request has this id")
    if seen.review.status in (Status.APPROVED, Status.USED):
        await asyncio.wrap_future(office.control.settle_grants())
    requests = await office.grants.requests([request])
    asked = requests.get(request)
    extends = None if asked is None else asked.extends
    grant = await office.grants.grant(extends or request)
    return Asked(seen.review, asked, grant, seen.link, seen.shown)


# -- what is asked for ---------------------------------------------------------------------------------------
def _chosen(offers: Sequence[Offer], asking: Asking) -> Offer:
    """The one that is meant; it is never guessed. Raises NotFound, Refused."""
    found = [
        each
        for each in offers
        if each.terms.break_glass is asking.break_glass
        and asking.rule in (None, each.rule)
        and asking.account in (None, each.account)
    ]
    if not found:
        what = "broken there by you" if asking.break_glass else "asked for there by you"
        raise NotFound(f"nothing like that can be {what}: see what can (wicket request --list)")
    if len(found) > 1:
        told = "; ".join(f"{each.rule!r} on {each.account}" for each in found[:10])
        raise Refused(f"there are several: name a rule (--rule) and an account (--account) of {told}")
    return found[0]


def reason_of(reason: str, offer: Offer) -> str:
    """The reason as it is kept. Raises Refused."""
    said = " ".join(reason.split())
    if offer.terms.reason and not said:
        raise Refused("a reason is required (--reason)")
    if len(said) > MOST_REASON or not (said.isprintable() or not said):
        raise Refused(f"a reason is one line of at most {MOST_REASON} characters")
    return said


def times(offer: Offer, asking: Asking, now: int) -> tuple[int, int | None, int | None]:
    """Seconds, from when, and until when at the latest. Raises Refused."""
    terms = offer.terms
    starts, ends = asking.starts, asking.ends
    if terms.break_glass and (starts is not None or ends is not None):
        raise Refused("broken glass is in force at once: it has no other beginning and end")
    if starts is not None and starts > now + FURTHEST:
        raise Refused("it begins now, or at some time of the next 90 days")
    begins = starts if starts is not None and starts > now else None
    if ends is not None and ends <= (begins or now):
        raise Refused("it would end before it begins")
    seconds = terms.most if asking.seconds is None else asking.seconds
    if asking.seconds is None and ends is not None:
        seconds = -(-(ends - (begins or now)) // SECOND)
    if not 0 < seconds <= terms.most:
        raise Refused(f"the rule {offer.rule!r} gives {length(terms.most)} at most")
    if terms.schedule is None:
        return seconds, begins, ends
    opens = terms.schedule.opens(begins or now)
    closes = None if opens is None else terms.schedule.closes(opens)
    shut = opens is None or closes is None or (ends is not None and ends <= opens)
    if opens is None or closes is None or shut or (terms.break_glass and opens > now):
        raise Refused(f"the rule {offer.rule!r} is not to be had at that time: its schedule says when")
    if opens > (begins or now):
        begins = opens
    return seconds, begins, closes if ends is None else min(ends, closes)


def length(seconds: int) -> str:
    """`90m`, `8h`, `2d`: as it is written in a policy."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def request_of(
    number: str,
    identity: Identity,
    offer: Offer,
    now: int,
    seconds: int,
    starts: int | None,
    ends: int | None,
    extends: str | None = None,
) -> AccessRequest:
    task = identity.declared
    return AccessRequest(
        id=number,
        identity=identity.name,
        issuer=identity.issuer,
        rule=offer.rule,
        resource=offer.resource,
        account=offer.account,
        terms=offer.terms.terms,
        lasts=seconds * SECOND,
        created=now,
        behalf=None if task is None else task.behalf,
        task=None if task is None else task.name,
        starts=starts,
        ends=ends,
        extends=extends,
        most_extended=offer.terms.extend,
    )


def asker_of(identity: Identity) -> Asker:
    return Asker(
        identity.name,
        identity.kind.value,
        identity.behalf,
        identity.agent,
        identity.crew,
        identity.task,
        identity.purpose,
    )


def review_of(identity: Identity, offer: Offer, request: AccessRequest, reason: str, node: str) -> Review:
    """The review in which people answer a request."""
    shown = _shown(offer) | {
        "seconds": request.lasts // SECOND,
        "starts": request.starts,
        "ends": request.ends,
        "extends": request.extends,
    }
    asked = [
        *(request.identity, request.issuer, request.behalf, request.task, request.rule, request.resource),
        *(request.account, request.terms, request.starts, request.ends, request.lasts, request.extends),
        reason,
    ]
    exact = hashlib.sha256(json.dumps(["access", *asked]).encode()).hexdigest()
    return Review(
        id=request.id,
        kind=Kind.ACCESS,
        status=Status.PENDING,
        asker=asker_of(identity),
        resource=request.resource,
        database="",
        account=request.account,
        panels=(offer.panel,),
        exact=exact,
        shape=exact,
        mode="retry",
        created=request.created,
        expires=request.created + offer.terms.within * SECOND,
        node=node,
        reason=reason,
        shown=shown,
    )


def _shown(offer: Offer) -> dict[str, Any]:
    """What those who answer see."""
    return {
        "rule": offer.rule,
        "account": offer.account,
        "effects": sorted(offer.effects),
        "reveals": sorted(offer.reveals),
        "databases": sorted(offer.databases),
        "conditional": offer.conditional,
        "waives": offer.waives,
    }


# -- broken glass --------------------------------------------------------------------------------------------
async def _break_glass(
    office: Office, actor: Actor, offer: Offer, reason: str, now: int, time: tuple[int, int | None]
) -> Asked:
    """In force when this returns. What is looked back at is there before it is."""
    identity = known(actor)
    seconds, latest = time
    ends = now + seconds * SECOND
    ends = ends if latest is None else min(ends, latest)
    request = request_of(new_id(office.random), identity, offer, now, seconds, now, ends)
    review = review_of(identity, offer, request, reason, office.node)
    glass = Review(
        id=request.id,
        kind=Kind.AFTER,
        status=Status.PENDING,
        asker=review.asker,
        resource=review.resource,
        database="",
        account=review.account,
        panels=review.panels,
        exact=review.exact,
        shape=review.shape,
        mode="retry",
        created=now,
        expires=now,
        node=office.node,
        reason=reason,
        message=f"{identity.name} broke glass: look at what was done, and say so.",
        shown={**(review.shown or {}), "break_glass": True},
    )
    grant = Grant(
        id=request.id,
        identity=request.identity,
        issuer=request.issuer,
        rule=request.rule,
        resource=request.resource,
        account=request.account,
        starts=now,
        ends=ends,
        terms=request.terms,
        behalf=request.behalf,
        task=request.task,
        break_glass=True,
        created=now,
    )
    more = {"rule": offer.rule, "resource": offer.resource, "account": offer.account, "reason": reason}
    thing = Thing("grant", grant.id)
    await record(office, actor, Action.REQUEST_ACCESS, thing, break_glass=True, **more)
    await office.reviews.ask(glass, now)
    try:
        await asyncio.wrap_future(office.control.break_glass(grant, reason))
    except GatewayError:
        # the store may have taken it all the same: then it stays to be looked back at
        if await office.grants.grant(glass.id) is None:
            await office.reviews.end(glass.id, Status.WITHDRAWN, "the glass did not break", now)
        raise
    return Asked(glass, request, grant, office.links.link(glass.id))
