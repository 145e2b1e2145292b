"""The API on channels, and where Slack sends what people do there. It must never answer who can't prove that
Slack sent it, in any other words than that nobody is proven."""

import re
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from wicketgate.admin import channels as verbs
from wicketgate.admin.chat import interact
from wicketgate.api.given import By, Desk, routes
from wicketgate.api.problems import SignInNeeded
from wicketgate.api.shapes import Strict
from wicketgate.model.chat import Forged
from wicketgate.model.delivery import Delivery

OPEN: Final = re.compile(r"/api/v1/channels/[a-z0-9-]{1,63}/slack")
"""Paths that need nobody proven: a signature proves what comes there."""
Name = Annotated[str, Path(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")]
MOST: Final = 1000
_HIGHEST: Final = (1 << 63) - 1
_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    401: {"description": "It is not known that Slack sent it"},
    404: {"description": "No such path"},
    413: {"description": "Too large a body"},
    429: {"description": "Too many requests"},
    503: {"description": "Store, journal or Slack is away"},
}
listed = routes("channels")
slack = APIRouter(prefix="/channels/{name}", tags=["channels"], responses=_PROBLEMS)


class ChannelShown(BaseModel):
    """place: where it leads, without what may be secret in it. pending: deliveries that are yet to be made;
    dead: that were given up. delivered: when the last one arrived. oldest: since when the first one waits.
    error: of the last attempt, if it failed."""

    name: str
    kind: str
    place: str
    shows: str
    events: list[str]
    pending: int
    dead: int
    delivered: int | None
    oldest: int | None
    error: str


class Tested(BaseModel):
    """error: why the message did not arrive; empty: it did."""

    ok: bool
    error: str


class DeliveryShown(BaseModel):
    """What was given up. number: of the event; the same in all channels. what: became of the review."""

    number: int
    review: str
    what: str
    at: int
    attempts: int
    ended: int | None
    error: str

    @classmethod
    def of(cls, delivery: Delivery) -> "DeliveryShown":
        return cls(
            number=delivery.change.seq,
            review=delivery.change.review,
            what=delivery.change.what,
            at=delivery.change.at,
            attempts=delivery.attempts,
            ended=delivery.ended,
            error=delivery.error,
        )


class ReplayWanted(Strict):
    """numbers: of what was given up; not said: all of it."""

    numbers: list[Annotated[int, Field(ge=1, le=_HIGHEST)]] | None = Field(
        default=None, min_length=1, max_length=MOST
    )


class Replayed(BaseModel):
    """How many are tried again."""

    replayed: int


class Shown(BaseModel):
    """What Slack is to do with the modal: nothing where this is empty."""

    response_action: Literal["update"] | None = None
    view: dict[str, Any] | None = None


@listed.get("/channels", summary="Channels where people are told of reviews, and how they stand")
async def list_channels(office: Desk, by: By) -> list[ChannelShown]:
    return [
        ChannelShown(
            name=each.name,
            kind=each.kind,
            place=each.place,
            shows=each.shows,
            events=list(each.events),
            pending=each.backlog.pending,
            dead=each.backlog.dead,
            delivered=each.backlog.delivered,
            oldest=each.backlog.oldest,
            error=each.backlog.error,
        )
        for each in await verbs.list_channels(office, by)
    ]


@listed.post("/channels/{name}/test", summary="Send a channel a message that says that this is a test")
async def test_channel(office: Desk, by: By, name: Name) -> Tested:
    error = await verbs.test_channel(office, by, name)
    return Tested(ok=not error, error=error)


@listed.get("/channels/{name}/dead", summary="Deliveries that were given up, oldest first")
async def list_dead(
    office: Desk,
    by: By,
    name: Name,
    after: Annotated[int, Query(ge=0, le=_HIGHEST, description="Those behind this number.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 100,
) -> list[DeliveryShown]:
    return [DeliveryShown.of(each) for each in await verbs.list_dead(office, by, name, after, limit)]


@listed.post("/channels/{name}/replay", summary="Have deliveries tried again that were given up")
async def replay_dead(office: Desk, by: By, name: Name, wanted: ReplayWanted) -> Replayed:
    return Replayed(replayed=await verbs.replay_dead(office, by, name, wanted.numbers))


@slack.post(
    "/slack",
    summary="Slack's interactivity: buttons and modals of this channel's messages",
    response_model=Shown,
)
async def interactivity(request: Request, name: str) -> JSONResponse:
    stamps = request.headers.getlist("x-slack-request-timestamp")
    signatures = request.headers.getlist("x-slack-signature")
    body = await request.body()
    try:
        if len(stamps) != 1 or len(signatures) != 1:
            raise Forged("it has not one signature")
        shown = await interact(request.app.state.office, name, stamps[0], signatures[0], body)
    except Forged:
        raise SignInNeeded("It is not known that Slack sent this.") from None
    return JSONResponse(dict(shown), headers={"cache-control": "no-store"})
