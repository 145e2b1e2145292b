"""Who has signed in to a review's page, what is kept of it in cookies, and errors as pages.
It must never let one page's sign-in count for another, nor keep what a browser could read.
"""

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import wraps
from typing import Annotated, Any, Final

from fastapi import Path, Query, Request, Response

from wicketgate.admin import reviews as verbs
from wicketgate.admin.access import NotFound, Refused
from wicketgate.admin.authorize import Actor, NotAllowed
from wicketgate.admin.ports import Office
from wicketgate.admin.records import record_refused
from wicketgate.api.people import actor_of_proven, proven
from wicketgate.api.problems import TooManyAttempts
from wicketgate.api.rendering import told
from wicketgate.model.errors import GatewayError

LASTS: Final = 600
"""Seconds that a sign-in here is good for."""
PIECE: Final = 3600
"""Bytes of one cookie: browsers keep 4096, with its name."""
PIECES: Final = 4
COOKIES_MOST: Final = 20_000
"""Bytes that all cookies of ours may have: a request's head is bounded, and they all come in each."""
MARK_MOST: Final = 80
SECOND: Final = 1_000_000_000
_OURS: Final = "__Host-wicket-"

Id = Annotated[str, Path(pattern=r"^[0-9A-Z]{26}$")]
Mark = Annotated[str, Query(alias="k", max_length=MARK_MOST)]
Page = Callable[..., Awaitable[Response]]


class NotHere(GatewayError):
    """No sign-in, not by this page, or for too long ago."""

    def __init__(self) -> None:
        super().__init__("Open the link again, and sign in.")


def page_errors(route: Page) -> Page:
    """What goes wrong is told on a page, in words that may be told to anybody."""

    @wraps(route)
    async def told_on_a_page(*given: Any, **named: Any) -> Response:
        try:
            return await route(*given, **named)
        except NotAllowed as error:
            request = named["request"]
            with suppress(GatewayError):
                await record_refused(request.app.state.office, error)
            return told(403, "Not for you", "There is no such review, or it is not for you.")
        except NotFound:
            return told(403, "Not for you", "There is no such review, or it is not for you.")
        except verbs.NotYours as error:
            return told(403, "You can't answer it", error.public)
        except NotHere as error:
            return told(403, "Not signed in", error.public)
        except TooManyAttempts as error:
            answer = told(429, "Too many attempts", error.public)
            answer.headers["retry-after"] = str(error.wait)
            return answer
        except Refused as error:
            return told(409, "It can't be answered", error.public)
        except GatewayError:
            return told(503, "Not now", "The gateway can't do this now.")

    return told_on_a_page


def office_of(request: Request) -> Office:
    office: Office = request.app.state.office
    return office


def source_of(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def check_here(request: Request) -> None:
    """Raises NotHere for what another site's page brought about, as far as browsers say; and for what they do
    before anybody asks (prefetch)."""
    ahead = request.headers.get("sec-purpose", request.headers.get("purpose", ""))
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none") or ahead:
        raise NotHere


# -- cookies -------------------------------------------------------------------------------------------------
def cookie_of(review: str) -> str:
    return f"{_OURS}review-{review}"


def give_cookie(answer: Response, name: str, text: str, same_site: Any = "strict") -> None:
    answer.set_cookie(name, text, max_age=LASTS, path="/", secure=True, httponly=True, samesite=same_site)


def end_cookie(answer: Response, name: str) -> None:
    answer.delete_cookie(name, path="/", secure=True, httponly=True, samesite="strict")


def make_room(request: Request, answer: Response, stays: str, size: int) -> None:
    """Other sign-ins of this browser end where there would be more than a request can carry. stays: what the
    names of those begin with that stay. size: of what comes."""
    others = {name: text for name, text in request.cookies.items() if name.startswith(_OURS)}
    if size + sum(len(name) + len(text) + 3 for name, text in others.items()) <= COOKIES_MOST:
        return
    for name in others:
        if not name.startswith(stays):
            end_cookie(answer, name)


def _pieces(review: str, request: Request) -> str:
    """What the browser has kept for this page."""
    name = cookie_of(review)
    names = [name, *(f"{name}-{at}" for at in range(1, PIECES))]
    return "".join(request.cookies.get(each, "") for each in names)


# -- who has signed in here ----------------------------------------------------------------------------------
async def keep(request: Request, answer: Response, review: str, token: str) -> None:
    """The browser keeps the token for this page alone, closed. Raises Refused where it is too long."""
    office = office_of(request)
    until = office.clock() // SECOND + LASTS
    kept = {"token": token, "until": until, "proof": office.random(16).hex()}
    text = await office.links.ticket(f"review {review}", json.dumps(kept).encode())
    if len(text) > PIECE * PIECES:
        raise Refused("the token is too long for a browser: answer with `wicket review`")
    name = cookie_of(review)
    make_room(request, answer, name, len(text))
    for at in range(PIECES):
        each = name if at == 0 else f"{name}-{at}"
        piece = text[at * PIECE : (at + 1) * PIECE]
        if piece:
            give_cookie(answer, each, piece)
        elif each in request.cookies:
            end_cookie(answer, each)


async def signed_in(request: Request, review: str) -> tuple[Actor, str]:
    """Who has signed in to this page, proven anew, and what its form proves itself by. Raises NotHere."""
    office = office_of(request)
    text = _pieces(review, request)
    found = await office.links.of_ticket(f"review {review}", text) if text else None
    if found is None:
        raise NotHere
    kept = json.loads(found)
    if office.clock() // SECOND >= kept["until"]:
        raise NotHere
    return await prove(request, str(kept["token"])), str(kept["proof"])


async def prove(request: Request, token: str) -> Actor:
    """Raises NotHere where it proves no person; TooManyAttempts."""
    office = office_of(request)
    found = await proven(office, token, source_of(request))
    if found is None:
        raise NotHere
    actor = actor_of_proven(office, *found)
    if not actor.person:
        raise NotHere
    return actor
