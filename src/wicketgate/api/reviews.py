"""The API on reviews: listed, shown, waited for, answered, taken back. Who may do what is for the verbs."""

import re
from typing import Annotated, Any, Final, Literal

from fastapi import Path, Query, Request, Response
from pydantic import BaseModel, Field

from wicketgate.admin import reviews as verbs
from wicketgate.api import paging
from wicketgate.api.etags import Conditional, tag_of
from wicketgate.api.etags import Conditions as When
from wicketgate.api.given import By, Desk, routes
from wicketgate.api.people import actor_again
from wicketgate.api.resources import NAME
from wicketgate.api.shapes import NAME as WHO
from wicketgate.api.shapes import Strict
from wicketgate.model.review import (
    MINUTES_MOST,
    ROWS_MOST,
    Conditions,
    Kind,
    Panel,
    Review,
    Status,
    Vote,
    satisfied,
)

RETRY: Final = 5
"""Seconds after which who waits may ask again, where it does not wait here."""
Id = Annotated[str, Path(pattern=r"^[0-9A-Z]{26}$")]
StatusName = Literal["pending", "approved", "denied", "expired", "withdrawn", "used", "closed"]
Wait = Annotated[
    str | None,
    Query(pattern=r"^[0-9]{1,2}s$", description="Answer when it is no longer pending, or after so long."),
]
listed = routes("reviews")


class ConditionsTold(Strict):
    """How far an approval goes. scope: `once`, `session` (as often as the asking session likes), or `shape`:
    the same statement with other constants, for some `minutes`. rows: at most so many leave; with
    `shape` in each session, so that who connects anew may have as many again. account: only through this
    one. Of an access request only the minutes are told: of the grant, at most."""

    scope: Literal["once", "session", "shape"] = "once"
    minutes: int | None = Field(default=None, ge=1, le=MINUTES_MOST)
    rows: int | None = Field(default=None, ge=1, le=ROWS_MOST)
    account: str | None = Field(default=None, pattern=NAME, max_length=63)

    @classmethod
    def of(cls, conditions: Conditions) -> "ConditionsTold":
        # what was kept was checked when it came
        return cls.model_construct(
            scope=conditions.scope,
            minutes=conditions.minutes,
            rows=conditions.rows,
            account=conditions.account,
        )


class Approval(Strict):
    """An approval, and what it is narrowed or widened to."""

    comment: str = Field(default="", max_length=verbs.COMMENT_MOST)
    conditions: ConditionsTold = ConditionsTold()


class Refusal(Strict):
    """A denial."""

    comment: str = Field(default="", max_length=verbs.COMMENT_MOST)


class PanelShown(BaseModel):
    """Who decides for one rule, and whether enough of them have approved."""

    rule: str
    people: list[str]
    groups: list[str]
    quorum: int
    all_groups: bool
    satisfied: bool

    @classmethod
    def of(cls, panel: Panel, votes: tuple[Vote, ...]) -> "PanelShown":
        return cls(
            rule=panel.rule,
            people=sorted(panel.names),
            groups=sorted(panel.groups),
            quorum=panel.quorum,
            all_groups=panel.all_groups,
            satisfied=satisfied(panel, votes),
        )


class VoteShown(BaseModel):
    """One person's answer. comment: empty in lists."""

    person: str
    approves: bool
    at: int
    comment: str
    conditions: ConditionsTold | None

    @classmethod
    def of(cls, vote: Vote) -> "VoteShown":
        told = ConditionsTold.of(vote.conditions) if vote.approves else None
        return cls(
            person=vote.person, approves=vote.approves, at=vote.at, comment=vote.comment, conditions=told
        )


class ReviewListed(BaseModel):
    """A review, without what it shows. Times: wall clock, ns since the epoch. mode: `wait` or `retry`.
    conditions: of an approval, the narrowest of what was allowed; null: it is none. usable_until: of one.
    ended_by: who, or why."""

    id: str
    kind: Literal["statement", "access", "after"]
    status: StatusName
    identity: str
    identity_kind: str
    behalf: str | None
    agent: str | None
    crew: str | None
    task: str | None
    purpose: str | None
    resource: str
    database: str
    account: str
    mode: str
    session: str | None
    panels: list[PanelShown]
    votes: list[VoteShown]
    created: int
    expires: int
    ended: int | None
    ended_by: str
    usable_until: int | None
    conditions: ConditionsTold | None
    message: str


class ReviewShown(ReviewListed):
    """A review, with what waits. shown: see docs/approvals.md. answerable: empty, or why you can't answer it.
    link: to its page, for people; empty: there is none. retry_after: seconds, while it is pending."""

    reason: str
    shown: dict[str, Any]
    answerable: str
    link: str
    retry_after: int | None


def _facts(review: Review) -> dict[str, Any]:
    asker = review.asker
    used = review.status in (Status.APPROVED, Status.USED)
    return {
        "id": review.id,
        "kind": review.kind.value,
        "status": review.status.value,
        "identity": asker.identity,
        "identity_kind": asker.kind,
        "behalf": asker.behalf,
        "agent": asker.agent,
        "crew": asker.crew,
        "task": asker.task,
        "purpose": asker.purpose,
        "resource": review.resource,
        "database": review.database,
        "account": review.account,
        "mode": review.mode,
        "session": review.session,
        "panels": [PanelShown.of(each, review.votes) for each in review.panels],
        "votes": [VoteShown.of(each) for each in review.votes],
        "created": review.created,
        "expires": review.expires,
        "ended": review.ended,
        "ended_by": review.ended_by,
        "usable_until": review.usable_until,
        "conditions": ConditionsTold.of(review.conditions) if used else None,
        "message": review.message,
    }


def _tag(review: Review) -> str:
    """Of what can change of it."""
    return tag_of(f"{review.id} {review.status.value} {len(review.votes)} {review.ended}")


def _shown(seen: verbs.Seen, response: Response) -> ReviewShown:
    response.headers["cache-control"] = "no-store"
    response.headers["etag"] = _tag(seen.review)
    return ReviewShown(
        **_facts(seen.review),
        reason=seen.review.reason,
        shown=seen.shown,
        answerable=seen.answerable,
        link=seen.link,
        retry_after=RETRY if seen.review.status is Status.PENDING else None,
    )


def _seconds(wait: str | None) -> float:
    found = re.fullmatch(r"([0-9]{1,2})s", wait or "")
    return float(found[1]) if found else 0.0


@listed.get("/reviews", summary="Reviews: yours, and those that you may see, newest first")
async def list_reviews(
    office: Desk,
    by: By,
    request: Request,
    response: Response,
    status: Annotated[list[StatusName] | None, Query(max_length=7)] = None,
    kind: Literal["statement", "access", "after"] | None = None,
    resource: Annotated[str | None, Query(pattern=NAME)] = None,
    identity: Annotated[str | None, Query(pattern=WHO)] = None,
    mine: Annotated[bool, Query(description="Only those that you may answer, and have not.")] = False,
    limit: paging.Limit = paging.USUAL,
    cursor: paging.Cursor = None,
) -> list[ReviewListed]:
    wanted = verbs.Wanted(
        None if status is None else frozenset(map(Status, status)),
        None if kind is None else Kind(kind),
        resource,
        identity,
        mine,
    )
    found = await verbs.list_reviews(office, by, wanted, paging.read(cursor, "reviews"), limit + 1)
    page = paging.cut(found, limit, "reviews", lambda each: (each.created, each.id), request, response)
    return [ReviewListed(**_facts(each)) for each in page]


@listed.get("/reviews/{review}", summary="One review, with what waits; waits for its answer")
async def show_review(
    office: Desk, by: By, review: Id, request: Request, response: Response, wait: Wait = None
) -> ReviewShown:
    if await verbs.wait_for_review(office, by, review, _seconds(wait)):
        by = await actor_again(request)
    return _shown(await verbs.show_review(office, by, review), response)


@listed.post("/reviews/{review}/approve", summary="Approve")
async def approve(
    office: Desk, by: By, review: Id, wanted: Approval, when: Conditional, response: Response
) -> ReviewShown:
    told = wanted.conditions
    conditions = Conditions(told.scope, told.minutes, told.rows, told.account)
    answer = verbs.Answer(True, wanted.comment, conditions, _as_seen(when))
    return _shown(await verbs.answer_review(office, by, review, answer), response)


@listed.post("/reviews/{review}/deny", summary="Deny")
async def deny(
    office: Desk, by: By, review: Id, wanted: Refusal, when: Conditional, response: Response
) -> ReviewShown:
    answer = verbs.Answer(False, wanted.comment, check=_as_seen(when))
    return _shown(await verbs.answer_review(office, by, review, answer), response)


@listed.post("/reviews/{review}/withdraw", summary="Take a review back, or an approval before it is used")
async def withdraw(office: Desk, by: By, review: Id, when: Conditional, response: Response) -> ReviewShown:
    return _shown(await verbs.withdraw_review(office, by, review, _as_seen(when)), response)


def _as_seen(when: When) -> Any:
    """What a verb checks of the review as it is: that it is what the request says."""
    return lambda review: when.hold(_tag(review))
