"""A review's page for browsers: a signed link opens it, a sign-in shows it, one form answers it.
It must never show, before a sign-in, whether there is such a review; nor take an answer from elsewhere.
"""

import base64
import hashlib
import hmac
import json
import re
from typing import Final
from urllib.parse import parse_qsl, quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from wicketgate.admin import reviews as verbs
from wicketgate.admin import saml
from wicketgate.admin.access import Refused
from wicketgate.admin.ports import Office
from wicketgate.api.page_sessions import (
    Id,
    Mark,
    NotHere,
    check_here,
    cookie_of,
    end_cookie,
    give_cookie,
    keep,
    office_of,
    page_errors,
    prove,
    signed_in,
    source_of,
)
from wicketgate.api.problems import TooManyAttempts
from wicketgate.api.rendering import HEADERS, answered, of_review, sign_in
from wicketgate.api.saml import HERE
from wicketgate.model.review import Conditions
from wicketgate.model.secret import Secret
from wicketgate.model.sign_in import SignInRefused

OPEN: Final = re.compile(
    r"/reviews/[0-9A-Z]{26}"
    r"(?:/sign-in|/answer|/signed-in|/(?:saml|oidc)/[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}))?"
    r"|/sign-in/[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62})/callback"
)
"""Paths that need nobody proven: the pages themselves see to that."""
_NUMBER: Final = re.compile(r"[0-9]{1,10}")
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")

pages = APIRouter(include_in_schema=False)


def _ways(office: Office) -> list[tuple[str, str]]:
    """Identity providers: how their path begins, and the name."""
    names = [] if office.saml is None else [("saml", name) for name in office.saml.names()]
    return names + ([] if office.codes is None else [("oidc", name) for name in office.codes.names()])


def _own(request: Request) -> None:
    """Raises NotHere for a form that another site's page sent, as far as browsers say."""
    check_here(request)
    origin = request.headers.get("origin")
    # browsers of before Sec-Fetch-Site say where a form stood; ours stand here
    if (
        origin is not None
        and "sec-fetch-site" not in request.headers
        and origin != f"https://{request.headers.get('host', '')}"
    ):
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


# -- pages ---------------------------------------------------------------------------------------------------
@pages.get("/reviews/{review}", response_class=HTMLResponse)
@page_errors
async def show(request: Request, review: Id, mark: Mark = "") -> Response:
    office = office_of(request)
    providers = _ways(office)
    if not await office.links.opens(review, mark):
        return sign_in(review, mark, providers)
    try:
        actor, proof = await signed_in(request, review)
    except NotHere:
        return sign_in(review, mark, providers)
    return of_review(await verbs.show_review(office, actor, review), mark, proof, actor.name)


@pages.post("/reviews/{review}/sign-in", response_class=HTMLResponse)
@page_errors
async def enter(request: Request, review: Id, mark: Mark = "") -> Response:
    """By a token. A link that is none is answered as a token that is none."""
    office = office_of(request)
    form = await _form(request)
    token = form.get("token", "").strip()
    await prove(request, token)
    if not await office.links.opens(review, mark):
        raise NotHere
    answer = _to(review, mark)
    await keep(request, answer, review, token)
    return answer


@pages.post("/reviews/{review}/answer", response_class=HTMLResponse)
@page_errors
async def answer_it(request: Request, review: Id, mark: Mark = "") -> Response:
    office = office_of(request)
    form = await _form(request)
    if not await office.links.opens(review, mark):
        raise NotHere
    actor, proof = await signed_in(request, review)
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
    check_here(request)
    office = office_of(request)
    if not await office.links.opens(review, mark):
        raise NotHere
    verifier = base64.urlsafe_b64encode(office.random(48)).decode("ascii")
    challenge = (
        base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode("ascii")
    )
    try:
        begun = await saml.begin(office, source_of(request), name, challenge, HERE, review)
    except saml.TooMany:
        raise TooManyAttempts(60) from None
    kept = {"ticket": begun.ticket.reveal().decode(), "verifier": verifier, "name": name, "k": mark}
    text = await office.links.ticket(f"sign-in {review}", json.dumps(kept).encode())
    answer = RedirectResponse(begun.address, 302, headers=HEADERS)
    give_cookie(answer, f"{cookie_of(review)}-saml", text)
    return answer


@pages.get("/reviews/{review}/signed-in", response_class=HTMLResponse)
@page_errors
async def back(request: Request, review: Id, code: str = "", state: str = "", error: str = "") -> Response:
    """The browser is back from the identity provider."""
    office = office_of(request)
    text = request.cookies.get(f"{cookie_of(review)}-saml", "")
    found = await office.links.of_ticket(f"sign-in {review}", text) if text else None
    if found is None or error or state != review or not re.fullmatch(r"[0-9a-f]{64}", code):
        raise NotHere
    kept = json.loads(found)
    shown = (Secret(str(each).encode()) for each in (kept["ticket"], code, kept["verifier"]))
    try:
        token, _ = await saml.redeem(office, source_of(request), str(kept["name"]), *shown)
    except SignInRefused:
        raise NotHere from None
    answer = _to(review, str(kept["k"]))
    end_cookie(answer, f"{cookie_of(review)}-saml")
    await keep(request, answer, review, token.reveal().decode())
    return answer
