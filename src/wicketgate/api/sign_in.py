"""Signing in to a review's page by an issuer (OIDC), with the browser: the way there, and the way back.
It must never put a token into an address, nor send a browser elsewhere than to the issuer or to that page.
"""

from typing import Final
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from wicketgate.admin import code_flow
from wicketgate.api.page_sessions import (
    Id,
    Mark,
    NotHere,
    check_here,
    end_cookie,
    give_cookie,
    keep,
    make_room,
    office_of,
    page_errors,
    prove,
    source_of,
)
from wicketgate.api.people import attempt
from wicketgate.api.rendering import HEADERS, onward, told
from wicketgate.model.errors import GatewayError
from wicketgate.model.sign_in import SignInRefused

KNOWN: Final = frozenset({"code", "state", "iss", "error"})
"""What is read of an issuer's answer."""
LONGEST: Final = 4096

codes = APIRouter(include_in_schema=False)


def _cookie(state: str) -> str:
    """Each sign-in has one of its own: two tabs do not take each other's."""
    return f"__Host-wicket-code-{state[:16]}"


@codes.get("/reviews/{review}/oidc/{name}", response_class=HTMLResponse)
@page_errors
async def begin(request: Request, review: Id, name: str, mark: Mark = "") -> Response:
    """To the issuer. What comes back is this browser's alone: the rest of it is in a cookie."""
    check_here(request)
    office, source = office_of(request), source_of(request)
    if not await office.links.opens(review, mark):
        raise NotHere
    try:
        begun = await code_flow.begin(office, source, name, review, mark)
    except SignInRefused:
        return told(503, "Not now", "Nobody can sign in there now. Try it again, or sign in otherwise.")
    answer = RedirectResponse(begun.address, 302, headers=HEADERS)
    answer.headers["referrer-policy"] = "no-referrer"
    make_room(request, answer, "__Host-wicket-review-", len(begun.ticket))
    # lax: the issuer sends the browser back across sites
    give_cookie(answer, _cookie(begun.state), begun.ticket, "lax")
    return answer


@codes.get("/sign-in/{name}/callback", response_class=HTMLResponse)
@page_errors
async def back(request: Request, name: str) -> Response:
    """The browser is back from the issuer."""
    office, source = office_of(request), source_of(request)
    code_flow.check_known(office, name)
    answered = _answer(request)
    cookie = _cookie(answered.get("state", ""))
    claimed = f"oidc {name}"
    await attempt(office, "begin", source, claimed)
    try:
        done = await code_flow.come_back(office, source, name, answered, request.cookies.get(cookie, ""))
    except GatewayError as error:
        await attempt(office, "failed", source, claimed)
        if not isinstance(error, SignInRefused):
            raise
        answer: Response = told(403, "Not signed in", NotHere().public)
        answer.headers["referrer-policy"] = "no-referrer"
    else:
        await attempt(office, "good", source, claimed)
        token = done.token.reveal().decode("ascii")
        await prove(request, token)
        answer = onward("Signed in", f"/reviews/{done.review}?k={quote(done.mark, safe='')}")
        await keep(request, answer, done.review, token)
    if cookie in request.cookies:
        end_cookie(answer, cookie)
    return answer


def _answer(request: Request) -> dict[str, str]:
    """What the issuer says, each thing once. What says one twice says nothing."""
    pairs = [each for each in request.query_params.multi_items() if each[0] in KNOWN]
    found = dict(pairs)
    good = len(found) == len(pairs) and all(len(each) <= LONGEST for each in found.values())
    return found if good else {}
