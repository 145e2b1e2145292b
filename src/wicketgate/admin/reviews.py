"""The verbs on reviews. Each starts with authorize(); what a review shows is recorded before it is shown.
It must never let anybody answer who is not a proven person on the panel, nor for himself or his agent.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from wicketgate.admin.access import NotFound, Refused
from wicketgate.admin.authorize import Action, Actor, Thing, authorize
from wicketgate.admin.ports import Key, Office
from wicketgate.admin.records import record, recorded_ending
from wicketgate.model.errors import GatewayError
from wicketgate.model.review import (
    NEXT,
    Conditions,
    Kind,
    NotAnswerable,
    Review,
    Sought,
    Status,
    Vote,
    chairs,
    check_answer,
    check_conditions,
    folded,
)
from wicketgate.model.shown import shown_to

COMMENT_MOST: Final = 2000


class NotYours(GatewayError):
    """Why somebody may not answer this one; told to him."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which reviews; None: any. mine: those alone that the actor may answer and has not."""

    status: frozenset[Status] | None = None
    kind: Kind | None = None
    resource: str | None = None
    identity: str | None = None
    mine: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """A review as one actor sees it. shown: what its statement is, as far as his policy lets him see it.
    answerable: empty, or why he can't answer it. link: to its page; empty: there is none."""

    review: Review
    shown: dict[str, Any] = field(default_factory=dict)
    answerable: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody says. check: given the review as it is; raises where that is not what he believes."""

    approves: bool
    comment: str = ""
    conditions: Conditions = field(default_factory=Conditions)
    check: Callable[[Review], None] = lambda review: None


def _own(actor: Actor, review: Review) -> bool:
    """Whether it is the actor's, or his agent's. A task's token has those of its task alone."""
    if folded(actor.name) not in review.asker.own or actor.how == "local":
        return False
    task = None if actor.token is None else actor.token.task
    return task is None or review.asker.task == task.name


def _asked(actor: Actor, review: Review) -> bool:
    """Whether it was the actor himself who asked. Our own socket is nobody by name."""
    return actor.name == review.asker.identity and actor.how != "local"


def _seated(actor: Actor, review: Review) -> bool:
    return actor.person and any(panel.seats(actor.name, actor.groups) for panel in review.panels)


def _why_not(actor: Actor, review: Review, now: int) -> str:
    """Why this actor can't answer; empty where he can."""
    if not actor.person:
        return f"who answers must be a person, proven by a token of his own: {actor.name} is none here"
    try:
        check_answer(review, actor.name, actor.groups, now)
    except NotAnswerable as error:
        return str(error)
    return ""


async def _review(office: Office, actor: Actor, action: Action, review: str) -> Review:
    """One of them. Raises NotFound; NotAllowed for whoever may not know whether it exists."""
    found = await office.reviews.review(review)
    mine = found is not None and (_own(actor, found) or _seated(actor, found))
    owner = actor.name if mine else None
    authorize(actor, action, Thing("review", review, owner, None if found is None else found.resource))
    if found is None:
        raise NotFound("no review has this id")
    return found


def _told(review: Review) -> tuple[Thing, dict[str, Any]]:
    more = {"review": review.id, "of": review.kind.value, "identity": review.asker.identity}
    return Thing("review", review.id), {**more, "resource": review.resource, "exact": review.exact}


# -- looking -------------------------------------------------------------------------------------------------
async def list_reviews(
    office: Office, actor: Actor, wanted: Wanted, after: Key | None = None, most: int = 100
) -> list[Review]:
    """Newest first, without what they show: the actor's own and his agents', those that he may answer, and
    those of resources that his roles reach."""
    action = Action.LIST_REVIEWS
    authorize(actor, action, Thing("reviews", wanted.identity or "", actor.name))
    task = None if actor.token is None else actor.token.task
    resources = frozenset() if (policy := office.control.policy()) is None else policy.resources.keys()
    everything = actor.reaches(action, None)
    sought = Sought(
        status=wanted.status,
        kind=wanted.kind,
        resource=wanted.resource,
        identity=wanted.identity,
        everything=everything,
        reach=frozenset() if everything else frozenset(r for r in resources if actor.reaches(action, r)),
        chairs=chairs(actor.name, actor.groups) if actor.person else frozenset(),
        own="" if actor.how == "local" else folded(actor.name),
        scope=actor.scope,
        task=None if task is None else task.name,
        mine=wanted.mine,
    )
    return await office.reviews.page(sought, after, most)


async def show_review(office: Office, actor: Actor, review: str) -> Seen:
    """One review, with what waits. Recorded, but for who asked for it. Raises NotFound."""
    found = await _review(office, actor, Action.SHOW_REVIEW, review)
    if not _asked(actor, found):
        thing, more = _told(found)
        await record(office, actor, Action.SHOW_REVIEW, thing, **more)
    return await _seen(office, actor, found)


async def wait_for_review(office: Office, actor: Actor, review: str, seconds: float) -> bool:
    """Until it is no longer pending or the time is over. True: he waited, and is to be proven anew before he
    is shown it. Raises as `show_review` does."""
    found = await _review(office, actor, Action.SHOW_REVIEW, review)
    if found.status is Status.PENDING and seconds > 0:
        await office.waiting.settled(review, f"{actor.how} {actor.name}", seconds)
        return True
    return False


async def _seen(office: Office, actor: Actor, found: Review) -> Seen:
    if found.kind is not Kind.STATEMENT or found.shown is None:
        shown = dict(found.shown or {})
    elif _asked(actor, found):
        # it is its own statement; what is known of others is not in it
        shown = shown_to(found.shown, lambda data_class: True)
    else:
        identity = actor.identity

        def reveals(data_class: str) -> bool:
            return identity is not None and office.reveals(identity, found.resource, data_class)

        shown = shown_to(found.shown, reveals)
    return Seen(found, shown, _why_not(actor, found, office.clock()), office.links.link(found.id))


# -- answering -----------------------------------------------------------------------------------------------
async def answer_review(office: Office, actor: Actor, review: str, answer: Answer) -> Seen:
    """Approve or deny. Recorded before it holds, with what it is bound to. Raises NotYours for who may not,
    with why; Refused for what can't be answered (any more), or not so."""
    action = Action.ANSWER_REVIEW
    found = await _review(office, actor, action, review)
    now = office.clock()
    _check_open(found, now)
    if why := _why_not(actor, found, now):
        raise NotYours(why)
    if len(answer.comment) > COMMENT_MOST:
        raise Refused(f"a comment has {COMMENT_MOST} characters at most")
    try:
        if answer.approves:
            check_conditions(found, answer.conditions)
    except NotAnswerable as error:
        raise Refused(str(error)) from None
    answer.check(found)
    thing, more = _told(found)
    given = answer.conditions
    said = {"scope": given.scope, "minutes": given.minutes, "rows": given.rows, "account": given.account}
    more |= {"approves": answer.approves, "conditions": said if answer.approves else None}
    await record(office, actor, action, thing, **more)
    conditions = given if answer.approves else Conditions()
    vote = Vote(actor.name, actor.groups, answer.approves, now, answer.comment, conditions)
    try:
        after = await office.reviews.answer(review, vote, now, answer.check)
    except NotAnswerable as error:
        raise Refused(str(error)) from None
    await _tell(office, review)
    return await _seen(office, actor, after)


def _check_open(review: Review, now: int) -> None:
    if review.status is not Status.PENDING:
        raise Refused(f"it is {review.status.value} already")
    if review.kind is not Kind.AFTER and now >= review.expires:
        raise Refused("it has expired")


async def withdraw_review(
    office: Office, actor: Actor, review: str, check: Callable[[Review], None] = lambda review: None
) -> Seen:
    """Take it back: who asked, who approved it (before it is used), or an administrator. Raises Refused."""
    action = Action.WITHDRAW_REVIEW
    found = await _review(office, actor, action, review)
    approved = any(each.approves and folded(each.person) == folded(actor.name) for each in found.votes)
    if not (_own(actor, found) or (approved and actor.person) or (actor.administrator and not actor.bound)):
        raise NotYours("who asked for it may take it back, and who approved it")
    if found.kind is Kind.AFTER:
        raise NotYours("what is looked back at is closed by who answers it, and is not taken back")
    if Status.WITHDRAWN not in NEXT[found.status]:
        raise Refused(f"it is {found.status.value} already")
    check(found)
    thing, more = _told(found)
    async with recorded_ending(office, actor, action, thing, **more):
        after = await office.reviews.end(
            review, Status.WITHDRAWN, f"withdrawn by {actor.name}", office.clock()
        )
        await _tell(office, review)
    if after is None or after.status is not Status.WITHDRAWN:
        raise Refused(f"it is {'gone' if after is None else after.status.value} already")
    return await _seen(office, actor, after)


async def _tell(office: Office, review: str) -> None:
    """Whoever waits, here and in the control process, looks at once."""
    office.waiting.nudge()
    await asyncio.wrap_future(office.control.heard_review(review))
