"""A review's page for browsers: a signed link opens it, a sign-in shows it, one form answers it.
It must never show, before a sign-in, whether there is such a review; nor take an answer from elsewhere.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import wraps
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, quote

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from wicketgate.admin import reviews as verbs
from wicketgate.admin import saml
from wicketgate.admin.access import NotFound, Refused
from wicketgate.admin.authorize import Actor, NotAllowed
from wicketgate.admin.ports import Office
from wicketgate.admin.records import record_refused
from wicketgate.api.people import actor_of_proven, proven
from wicketgate.api.problems import TooManyAttempts
from wicketgate.api.rendering import HEADERS, answered, of_review, sign_in, told
from wicketgate.api.saml import HERE
from wicketgate.model.errors import GatewayError
from wicketgate.model.review import Conditions
from wicketgate.model.secret import Secret
from wicketgate.model.sign_in import SignInRefused

OPEN: Final = re.compile(
    r"/reviews/[0-9A-Z]{26}(?:/sign-in|/answer|/signed-in|/saml/[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}))?"
)
"""Paths that need nobody proven: the pages themselves see to that."""
LASTS: Final = 600
"""Seconds that a sign-in here is good for."""
COOKIE_MOST: Final = 4000
"""Bytes that browsers keep of a cookie."""
MARK_MOST: Final = 80
_NUMBER: Final = re.compile(r"[0-9]{1,10}")
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
SECOND: Final = 1_000_000_000

pages = APIRouter(include_in_schema=False)
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


def _office(request: Request) -> Office:
    office: Office = request.app.state.office
    return office


def _source(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def _own(request: Request) -> None:
    """Raises NotHere for a form that another site's page sent, as far as browsers say."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise NotHere
    if (
        request.headers.get("content-type", "").partition(";")[0].strip()
        != "application/x-www-form-urlencoded"
    ):
        raise NotHere


async def _form(request: Request) -> dict[str, str]:
    """Raises NotHere for what is no form of ours."""
    _own(request)
    try:
        text = (await request.body()).decode("ascii")
        pairs = parse_qsl(
            text, keep_blank_values=True, strict_parsing=True, max_num_fields=12, errors="strict"
        )
    except ValueError:
        raise NotHere from None
    found = dict(pairs)
    if len(found) != len(pairs) or any("\0" in each for each in found.values()):
        raise NotHere
    return found


# -- who has signed in here ----------------------------------------------------------------------------------
def _cookie(review: str) -> str:
    return f"__Host-wicket-review-{review}"


def _set(answer: Response, name: str, text: str) -> None:
    answer.set_cookie(name, text, max_age=LASTS, path="/", secure=True, httponly=True, samesite="strict")


async def _keep(office: Office, answer: Response, review: str, token: str) -> None:
    """The browser keeps the token for this page alone, closed. Raises Refused where it is too long."""
    until = office.clock() // SECOND + LASTS
    kept = {"token": token, "until": until, "proof": office.random(16).hex()}
    text = await office.links.ticket(f"review {review}", json.dumps(kept).encode())
    if len(text) > COOKIE_MOST:
        raise Refused("the token is too long for a browser: answer with `wicket review`")
    _set(answer, _cookie(review), text)


async def _signed_in(request: Request, review: str) -> tuple[Actor, str]:
    """Who has signed in to this page, proven anew, and what its form proves itself by. Raises NotHere."""
    office = _office(request)
    text = request.cookies.get(_cookie(review), "")
    found = await office.links.of_ticket(f"review {review}", text) if text else None
    if found is None:
        raise NotHere
    kept = json.loads(found)
    if office.clock() // SECOND >= kept["until"]:
        raise NotHere
    return await _prove(request, str(kept["token"])), str(kept["proof"])


async def _prove(request: Request, token: str) -> Actor:
    """Raises NotHere where it proves no person; TooManyAttempts."""
    office = _office(request)
    found = await proven(office, token, _source(request))
    if found is None:
        raise NotHere
    actor = actor_of_proven(office, *found)
    if not actor.person:
        raise NotHere
    return actor


# -- pages ---------------------------------------------------------------------------------------------------
@pages.get("/reviews/{review}", response_class=HTMLResponse)
@page_errors
async def show(request: Request, review: Id, mark: Mark = "") -> Response:
    office = _office(request)
    providers = () if office.saml is None else office.saml.names()
    if not await office.links.opens(review, mark):
        return sign_in(review, mark, providers)
    try:
        actor, proof = await _signed_in(request, review)
    except NotHere:
        return sign_in(review, mark, providers)
    return of_review(await verbs.show_review(office, actor, review), mark, proof, actor.name)


@pages.post("/reviews/{review}/sign-in", response_class=HTMLResponse)
@page_errors
async def enter(request: Request, review: Id, mark: Mark = "") -> Response:
    """By a token. A link that is none is answered as a token that is none."""
    office = _office(request)
    form = await _form(request)
    token = form.get("token", "").strip()
    await _prove(request, token)
    if not await office.links.opens(review, mark):
        raise NotHere
    answer = _to(review, mark)
    await _keep(office, answer, review, token)
    return answer


@pages.post("/reviews/{review}/answer", response_class=HTMLResponse)
@page_errors
async def answer_it(request: Request, review: Id, mark: Mark = "") -> Response:
    office = _office(request)
    form = await _form(request)
    if not await office.links.opens(review, mark):
        raise NotHere
    actor, proof = await _signed_in(request, review)
    if not proof or not hmac.compare_digest(form.get("proof", "").encode(), proof.encode()):
        raise NotHere
    return answered(await verbs.answer_review(office, actor, review, _answer(form)))


def _answer(form: dict[str, str]) -> verbs.Answer:
    """Raises Refused."""
    said = form.get("answer")
    if said not in ("approve", "deny"):
        raise Refused("approve it, or deny it")
    comment = form.get("comment", "").replace("\r\n", "\n")
    if said == "deny":
        return verbs.Answer(False, comment)
    account = form.get("account", "").strip()
    if account and not _ACCOUNT.fullmatch(account):
        raise Refused("no account has such a name")
    scope = form.get("scope", "once")
    return verbs.Answer(
        True,
        comment,
        Conditions(scope, _number(form, "minutes"), _number(form, "rows"), account or None),
    )


def _number(form: dict[str, str], name: str) -> int | None:
    text = form.get(name, "").strip()
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise Refused(f"{name} are a number")
    return int(text)


def _to(review: str, mark: str) -> RedirectResponse:
    return RedirectResponse(f"/reviews/{review}?k={quote(mark, safe='')}", 303, headers=HEADERS)


# -- sign-in by SAML -----------------------------------------------------------------------------------------
@pages.get("/reviews/{review}/saml/{name}", response_class=HTMLResponse)
@page_errors
async def begin_saml(request: Request, review: Id, name: str, mark: Mark = "") -> Response:
    """To the identity provider. What comes back is this browser's alone: the rest of it is in a cookie."""
    office = _office(request)
    if not await office.links.opens(review, mark):
        raise NotHere
    verifier = base64.urlsafe_b64encode(office.random(48)).decode("ascii")
    challenge = (
        base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode("ascii")
    )
    try:
        begun = await saml.begin(office, _source(request), name, challenge, HERE, review)
    except saml.TooMany:
        raise TooManyAttempts(60) from None
    kept = {"ticket": begun.ticket.reveal().decode(), "verifier": verifier, "name": name, "k": mark}
    text = await office.links.ticket(f"sign-in {review}", json.dumps(kept).encode())
    answer = RedirectResponse(begun.address, 302, headers=HEADERS)
    _set(answer, f"{_cookie(review)}-saml", text)
    return answer


@pages.get("/reviews/{review}/signed-in", response_class=HTMLResponse)
@page_errors
async def back(request: Request, review: Id, code: str = "", state: str = "", error: str = "") -> Response:
    """The browser is back from the identity provider."""
    office = _office(request)
    text = request.cookies.get(f"{_cookie(review)}-saml", "")
    found = await office.links.of_ticket(f"sign-in {review}", text) if text else None
    if found is None or error or state != review or not re.fullmatch(r"[0-9a-f]{64}", code):
        raise NotHere
    kept = json.loads(found)
    shown = (Secret(str(each).encode()) for each in (kept["ticket"], code, kept["verifier"]))
    try:
        token, _ = await saml.redeem(office, _source(request), str(kept["name"]), *shown)
    except SignInRefused:
        raise NotHere from None
    answer = _to(review, str(kept["k"]))
    await _keep(office, answer, review, token.reveal().decode())
    return answer
