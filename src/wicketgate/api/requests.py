"""The API on access for a while: what can be asked for, requests, grants. Who may do what, verbs decide."""

import re
from typing import Annotated, Any, Final, Literal

from fastapi import Path, Query, Request, Response
from pydantic import BaseModel, Field

from wicketgate.admin import grants as holding
from wicketgate.admin import requests as verbs
from wicketgate.admin.reviews import Wanted, wait_for_review
from wicketgate.api import paging
from wicketgate.api.given import By, Desk, routes
from wicketgate.api.people import actor_again
from wicketgate.api.resources import NAME
from wicketgate.api.shapes import NAME as WHO
from wicketgate.api.shapes import Strict
from wicketgate.model.grant import Grant
from wicketgate.model.review import Kind, Status
from wicketgate.policy.offers import Offer
from wicketgate.policy.schedule import DAYS

RETRY: Final = 5
Id = Annotated[str, Path(pattern=r"^[0-9A-Z]{26}$")]
StatusName = Literal["pending", "approved", "denied", "expired", "withdrawn", "used", "closed"]
MOST_SECONDS: Final = 30 * 86400
MOST_MOMENT: Final = (1 << 63) - 1
Wait = Annotated[
    str | None,
    Query(pattern=r"^[0-9]{1,2}s$", description="Answer when it is no longer pending, or after so long."),
]
asking = routes("requests")


class RequestWanted(Strict):
    """What is asked for. rule, account: needed where several can be had there. seconds: null: as many as the
    rule gives at most. starts, ends: wall clock, ns since the epoch; null: when it is approved, and by its
    length. break_glass: in force at once; its rule must say so."""

    resource: str = Field(pattern=NAME)
    rule: str | None = Field(default=None, min_length=1, max_length=120)
    account: str | None = Field(default=None, pattern=NAME)
    seconds: int | None = Field(default=None, ge=1, le=MOST_SECONDS)
    reason: str = Field(default="", max_length=verbs.MOST_REASON)
    starts: int | None = Field(default=None, ge=0, le=MOST_MOMENT)
    ends: int | None = Field(default=None, ge=0, le=MOST_MOMENT)
    break_glass: bool = False


class ExtensionWanted(Strict):
    """A longer grant. seconds: null: as many as the rule gives at most."""

    seconds: int | None = Field(default=None, ge=1, le=MOST_SECONDS)
    reason: str = Field(default="", max_length=verbs.MOST_REASON)


class ScheduleShown(BaseModel):
    """When it can be had. begins, ends: minutes of the day, by the clock of the zone."""

    days: list[str]
    begins: int
    ends: int
    zone: str


class OfferShown(BaseModel):
    """Something that you can ask for. seconds: at most. within: seconds that a request waits. extend: how
    often a grant may be extended. people, groups, quorum, all_groups: who decides (of broken glass: who
    looks back). conditional: it permits only where its condition holds."""

    rule: str
    resource: str
    account: str
    effects: list[str]
    reveals: list[str]
    databases: list[str]
    conditional: bool
    seconds: int
    within: int
    extend: int
    reason_required: bool
    break_glass: bool
    waives_reviews: bool
    people: list[str]
    groups: list[str]
    quorum: int
    all_groups: bool
    schedule: ScheduleShown | None

    @classmethod
    def of(cls, offer: Offer) -> "OfferShown":
        terms, schedule = offer.terms, offer.terms.schedule
        return cls(
            rule=offer.rule,
            resource=offer.resource,
            account=offer.account,
            effects=sorted(offer.effects),
            reveals=sorted(offer.reveals),
            databases=sorted(offer.databases),
            conditional=offer.conditional,
            seconds=terms.most,
            within=terms.within,
            extend=terms.extend,
            reason_required=terms.reason,
            break_glass=terms.break_glass,
            waives_reviews=offer.waives,
            people=sorted(terms.names),
            groups=sorted(terms.groups),
            quorum=terms.quorum,
            all_groups=terms.all_groups,
            schedule=None
            if schedule is None
            else ScheduleShown(
                days=[DAYS[each] for each in sorted(schedule.days)],
                begins=schedule.begin,
                ends=schedule.end,
                zone=str(schedule.zone),
            ),
        )


class GrantShown(BaseModel):
    """Access for a while. Times: wall clock, ns since the epoch. ended_by: who ended it early. approved_by:
    who said yes; empty: nobody was asked. first_used, last_used: by sessions that it opened."""

    id: str
    identity: str
    behalf: str | None
    task: str | None
    rule: str
    resource: str
    account: str
    starts: int
    ends: int
    break_glass: bool
    created: int
    extended: int
    ended_by: str | None
    approved_by: list[str]
    first_used: int | None
    last_used: int | None

    @classmethod
    def of(cls, grant: Grant) -> "GrantShown":
        told = {name: getattr(grant, name) for name in cls.model_fields}
        return cls(**(told | {"approved_by": list(grant.approved_by)}))


class GrantWhole(GrantShown):
    """A grant, with why it was asked for, and what became of its review; null: that is forgotten."""

    reason: str | None
    review: StatusName | None


class RequestShown(BaseModel):
    """An access request. status: of its review; `closed` and `pending` of broken glass: whether it was looked
    back at. grant: what came of it. seconds: asked for. link: to its page, for people; empty: there is none.
    retry_after: seconds, while it is pending."""

    id: str
    kind: Literal["access", "after"]
    status: StatusName
    identity: str
    behalf: str | None
    task: str | None
    rule: str
    resource: str
    account: str
    seconds: int | None
    starts: int | None
    ends: int | None
    extends: str | None
    reason: str
    created: int
    expires: int
    ended_by: str
    link: str
    retry_after: int | None
    grant: GrantShown | None

    @classmethod
    def of(cls, asked: verbs.Asked) -> "RequestShown":
        review, request = asked.review, asked.request
        pending = review.status is Status.PENDING and review.kind is Kind.ACCESS
        return cls(
            id=review.id,
            kind="access" if review.kind is Kind.ACCESS else "after",
            status=review.status.value,
            identity=review.asker.identity,
            behalf=review.asker.behalf,
            task=review.asker.task,
            rule=review.panels[0].rule if review.panels else "",
            resource=review.resource,
            account=review.account,
            seconds=None if request is None else request.lasts // verbs.SECOND,
            starts=None if request is None else request.starts,
            ends=None if request is None else request.ends,
            extends=None if request is None else request.extends,
            reason=review.reason,
            created=review.created,
            expires=review.expires,
            ended_by=review.ended_by,
            link=asked.link,
            retry_after=RETRY if pending else None,
            grant=None if asked.grant is None else GrantShown.of(asked.grant),
        )


def _seconds(wait: str | None) -> float:
    found = re.fullmatch(r"([0-9]{1,2})s", wait or "")
    return float(found[1]) if found else 0.0


# -- requests ------------------------------------------------------------------------------------------------
@asking.get("/requests/options", summary="What you can ask for")
async def list_options(
    office: Desk, by: By, resource: Annotated[str | None, Query(pattern=NAME)] = None
) -> list[OfferShown]:
    return [OfferShown.of(each) for each in await verbs.list_offers(office, by, resource)]


@asking.get("/requests", summary="Access requests: yours, and those that you may see, newest first")
async def list_requests(
    office: Desk,
    by: By,
    request: Request,
    response: Response,
    status: Annotated[list[StatusName] | None, Query(max_length=7)] = None,
    resource: Annotated[str | None, Query(pattern=NAME)] = None,
    identity: Annotated[str | None, Query(pattern=WHO)] = None,
    mine: Annotated[bool, Query(description="Only those that you may answer, and have not.")] = False,
    limit: paging.Limit = paging.USUAL,
    cursor: paging.Cursor = None,
) -> list[RequestShown]:
    after = paging.read(cursor, "requests")
    wanted = Wanted(
        frozenset(Status(each) for each in status) if status else None,
        Kind.ACCESS,
        resource,
        identity,
        mine,
    )
    found = await verbs.list_requests(office, by, wanted, after, limit + 1)
    page = paging.cut(
        found, limit, "requests", lambda each: (each.review.created, each.review.id), request, response
    )
    return [RequestShown.of(each) for each in page]


@asking.post("/requests", summary="Ask for access, or break glass", status_code=201)
async def request_access(office: Desk, by: By, wanted: RequestWanted, response: Response) -> RequestShown:
    asked = await verbs.request_access(office, by, verbs.Asking(**wanted.model_dump()))
    response.headers["location"] = f"/api/v1/requests/{asked.review.id}"
    return RequestShown.of(asked)


@asking.get("/requests/{review}", summary="One access request, with what came of it")
async def show_request(office: Desk, by: By, review: Id, request: Request, wait: Wait = None) -> RequestShown:
    if await wait_for_review(office, by, review, _seconds(wait)):
        by = await actor_again(request)
    return RequestShown.of(await verbs.show_request(office, by, review))


# -- grants --------------------------------------------------------------------------------------------------
@asking.get("/grants", summary="Grants: yours, or those that you may see, newest first")
async def list_grants(
    office: Desk,
    by: By,
    request: Request,
    response: Response,
    identity: Annotated[str | None, Query(pattern=WHO)] = None,
    resource: Annotated[str | None, Query(pattern=NAME)] = None,
    live: Annotated[bool, Query(description="Only those that have not ended.")] = False,
    limit: paging.Limit = paging.USUAL,
    cursor: paging.Cursor = None,
) -> list[GrantShown]:
    after = paging.read(cursor, "grants")
    found = await holding.list_grants(office, by, identity, resource, live, after, limit + 1)
    page = paging.cut(found, limit, "grants", lambda each: (each.created, each.id), request, response)
    return [GrantShown.of(each) for each in page]


@asking.get("/grants/{grant}", summary="One grant")
async def show_grant(office: Desk, by: By, grant: Id, response: Response) -> GrantWhole:
    response.headers["cache-control"] = "no-store"
    seen = await holding.show_grant(office, by, grant)
    told: dict[str, Any] = GrantShown.of(seen.grant).model_dump()
    review = seen.review
    return GrantWhole(
        **told,
        reason=None if review is None else review.reason,
        review=None if review is None else review.status.value,
    )


@asking.post("/grants/{grant}/extend", summary="Ask for a longer grant", status_code=201)
async def extend_grant(office: Desk, by: By, grant: Id, wanted: ExtensionWanted) -> RequestShown:
    return RequestShown.of(await holding.extend_grant(office, by, grant, wanted.seconds, wanted.reason))


@asking.delete("/grants/{grant}", summary="Give a grant back, or take it away: what rests on it ends at once")
async def end_grant(office: Desk, by: By, grant: Id) -> GrantShown:
    return GrantShown.of(await holding.end_grant(office, by, grant))
