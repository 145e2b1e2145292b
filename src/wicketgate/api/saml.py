"""Signing in by SAML: our metadata, and the way of a browser to the identity provider and back.
It must never put a token into an address, nor send a browser elsewhere than to the provider or to itself."""

import base64
import html
import re
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, Field

from wicketgate.admin import saml as verbs
from wicketgate.admin.ports import Office
from wicketgate.api.people import attempt
from wicketgate.api.problems import TooManyAttempts
from wicketgate.api.shapes import Strict
from wicketgate.model.secret import Secret
from wicketgate.model.sign_in import SignInRefused

OPEN: Final = re.compile(r"/api/v1/saml/[A-Za-z0-9._-]{1,63}/(?:metadata|begin|login|acs|token)")
"""Paths that need nobody proven: they are how somebody gets proven."""
FORM: Final = re.compile(r"/api/v1/saml/[A-Za-z0-9._-]{1,63}/acs")
FORM_MOST: Final = 288 * 1024
"""Bytes of the form that a browser brings back, at most: a security limit."""
HERE: Final = 0
"""The port of a sign-in that a page of ours began: its state is a review's id."""
COOKIE: Final = "__Host-wicket-"
"""A cookie of this prefix is sent to this very host alone, over https alone."""
_HEX: Final = re.compile(r"[0-9a-f]{32,64}")
_PAGE_HEADERS: Final = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
}

_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"description": "A body that is no JSON"},
    401: {"description": "No name of an identity provider: such a path is not open"},
    403: {"description": "Refused"},
    404: {"description": "No such identity provider"},
    413: {"description": "Too large a body"},
    429: {"description": "Too many attempts"},
    503: {"description": "Store or journal is away"},
}
_PAGE: Final[dict[int | str, dict[str, Any]]] = {
    403: {"content": {"text/html": {}}, "description": "Refused, as a page"}
}
routes = APIRouter(prefix="/saml/{name}", tags=["sign-in"], responses=_PROBLEMS)


class LoginWanted(Strict):
    """challenge: base64url of the SHA-256 of what the asker keeps. port: on the browser's own machine, where
    it goes back to. state: what it says there."""

    challenge: str = Field(pattern=r"^[A-Za-z0-9_-]{43}$")
    port: int = Field(ge=1024, le=65535)
    state: str = Field(pattern=r"^[A-Za-z0-9_-]{16,128}$")


class LoginBegun(BaseModel):
    """address: for a browser on this machine. ticket: to be shown again. expires: ns since the epoch."""

    ticket: str
    address: str
    expires: int


class TokenAsked(Strict):
    """ticket: of the beginning. code: what the browser brought. verifier: what the challenge is of."""

    ticket: str = Field(pattern=r"^[0-9a-f]{64}$")
    code: str = Field(pattern=r"^[0-9a-f]{64}$")
    verifier: str = Field(pattern=r"^[A-Za-z0-9_-]{43,128}$")


class TokenGiven(BaseModel):
    """token: its text, shown this once. identity: whose it is, the `user` of a connection."""

    token: str
    id: str
    identity: str
    groups: list[str]
    expires: int | None


def _office(request: Request) -> Office:
    office: Office = request.app.state.office
    return office


def _source(request: Request) -> str:
    return request.client.host if request.client is not None else ""


@routes.get("/metadata", summary="Our SAML metadata, for the identity provider", response_class=Response)
async def metadata(request: Request, name: str) -> Response:
    content = await verbs.see_metadata(_office(request), name)
    return Response(content, media_type="application/samlmetadata+xml")


@routes.post("/begin", summary="Begin a sign-in, from a command", status_code=201)
async def begin(request: Request, name: str, wanted: LoginWanted, response: Response) -> LoginBegun:
    response.headers["cache-control"] = "no-store"
    try:
        begun = await verbs.begin(
            _office(request), _source(request), name, wanted.challenge, wanted.port, wanted.state
        )
    except verbs.TooMany:
        raise TooManyAttempts(60) from None
    return LoginBegun(ticket=begun.ticket.reveal().decode(), address=begun.address, expires=begun.expires)


@routes.get(
    "/login",
    summary="Where a browser begins",
    response_class=RedirectResponse,
    status_code=302,
    responses=_PAGE,
)
async def login(request: Request, name: str, ticket: Annotated[str, Query(max_length=64)]) -> Response:
    try:
        gone = await verbs.go(_office(request), _source(request), name, Secret(ticket.encode()))
    except SignInRefused:
        return _page(403, "The sign-in can't go on. Begin it again.")
    answer = RedirectResponse(gone.address, 302, headers=_PAGE_HEADERS)
    # None: the identity provider's page posts across sites; what it is checked against is in the store
    answer.set_cookie(
        COOKIE + gone.relay[:16],
        gone.browser.reveal().decode(),
        max_age=600,
        path="/",
        secure=True,
        httponly=True,
        samesite="none",
    )
    return answer


@routes.post(
    "/acs",
    summary="The assertion consumer service (HTTP-POST)",
    response_class=HTMLResponse,
    responses=_PAGE,
)
async def consume(request: Request, name: str) -> Response:
    office, source = _office(request), _source(request)
    text, relay = _form(await request.body())
    cookie = request.cookies.get(COOKIE + relay[:16]) if relay else None
    browser = Secret(cookie.encode()) if cookie is not None and _HEX.fullmatch(cookie) else None
    verbs.check_known(office, name)
    claimed = f"saml {name}"
    await attempt(office, "begin", source, claimed)
    back = await verbs.come_back(office, source, name, text, relay, browser)
    await attempt(office, "failed" if back.name is None else "good", source, claimed)
    status = 403 if back.name is None else 200
    said = "The sign-in was refused." if back.name is None else f"Signed in as {back.name}."
    if back.port is not None:
        # a browser that began at a page of ours (nobody else can begin so): it goes back there
        onward = (
            f"/reviews/{back.state}/signed-in"
            if back.port == HERE
            else f"http://127.0.0.1:{back.port}/callback"
        )
        kept = {"error": "access_denied"} if back.code is None else {"code": back.code.reveal().decode()}
        query = urlencode({**kept, "state": back.state})
        return _page(status, said, f"{onward}?{query}")
    return _page(status, said, token=back.token)


@routes.post("/token", summary="The token of a sign-in, once, for who began it")
async def token(request: Request, name: str, asked: TokenAsked, response: Response) -> TokenGiven:
    response.headers["cache-control"] = "no-store"
    office, source = _office(request), _source(request)
    verbs.check_known(office, name)
    claimed = f"saml {name}"
    await attempt(office, "begin", source, claimed)
    shown = (Secret(each.encode()) for each in (asked.ticket, asked.code, asked.verifier))
    try:
        secret, record = await verbs.redeem(office, source, name, *shown)
    except SignInRefused:
        await attempt(office, "failed", source, claimed)
        raise
    await attempt(office, "good", source, claimed)
    return TokenGiven(
        token=secret.reveal().decode(),
        id=record.id,
        identity=record.identity,
        groups=sorted(record.proven.groups) if record.proven is not None else [],
        expires=record.expires,
    )


def _form(body: bytes) -> tuple[bytes, str]:
    """The response's XML and RelayState; nothing and nothing where it is no such form: that proves nobody."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=4)
        found = dict(pairs)
        if len(found) != len(pairs):
            return b"", ""
        relay = found.get("RelayState", "")
        text = base64.b64decode("".join(found.get("SAMLResponse", "").split()), validate=True)
    except ValueError:
        return b"", ""
    return text, relay if _HEX.fullmatch(relay) else ""


def _page(status: int, said: str, onward: str | None = None, token: Secret | None = None) -> HTMLResponse:
    """A page that loads and runs nothing. onward: where the browser goes by itself, on its own machine."""
    parts = ["<!doctype html><html lang=en><meta charset=utf-8><title>Wicketgate</title>"]
    if onward is not None:
        address = html.escape(onward, quote=True)
        parts.append(f'<meta http-equiv=refresh content="0; url={address}">')
        parts.append(f'<p>{html.escape(said)}<p><a href="{address}">Go on</a>')
    else:
        parts.append(f"<p>{html.escape(said)}")
    if token is not None:
        text = html.escape(token.reveal().decode())
        parts.append(f"<p>Your token, shown this once:<pre>{text}</pre>")
    return HTMLResponse("".join(parts), status, headers=_PAGE_HEADERS)
