"""Errors of the API as RFC 9457 problems. They must never hold what was sent, nor an internal detail."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from itertools import islice
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from wicketgate.admin.access import NotFound, Refused
from wicketgate.admin.authorize import Actor, NotAllowed
from wicketgate.admin.policies import Moved, NotHolding, Unconditional, Unloadable
from wicketgate.admin.records import record_refused
from wicketgate.admin.reviews import NotYours
from wicketgate.model.errors import (
    GatewayError,
    JournalFailed,
    KeyMissing,
    NodeSilent,
    PolicyError,
    StoreFailed,
)
from wicketgate.model.sign_in import SignInRefused

MEDIA_TYPE: Final = "application/problem+json"
BODY_MOST: Final = 64 * 1024
"""Bytes of a request's body at most: a security limit."""
POLICY_MOST: Final = 9 << 20
"""The same, where an administrator sends a policy: as JSON its text may be twice as long."""
POLICIES: Final = frozenset({"/api/v1/policy", "/api/v1/policy/validate", "/api/v1/policy/diff"})
"""Paths that a policy is sent to."""
ACTOR: Final = "wicketgate.actor"
"""Key in the ASGI scope under which people.SignedIn leaves whom it has proven."""
ERRORS_MOST: Final = 20
ERROR_LONGEST: Final = 300

_PATH: Final = re.compile(rb"(?:[A-Za-z0-9._~@/-]|%40)*")
"""What a path here is made of. Whatever else is escaped could mean one thing to a proxy and another to us."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(examples=["urn:wicketgate:problem:not-allowed"])
    title: str
    status: int
    detail: str
    errors: list[str] | None = None


class SignInNeeded(GatewayError):
    """Who asks is not proven."""


class TooManyAttempts(GatewayError):
    """Too many sign-ins from there failed. wait: seconds until the next one may be tried."""

    def __init__(self, wait: int) -> None:
        super().__init__("Too many attempts: try again later.")
        self.wait = wait


class TooManyRequests(GatewayError):
    """Too many requests of one actor, or from one source. wait: seconds until the next one may be made."""

    def __init__(self, wait: int) -> None:
        super().__init__("Too many requests: try again later.")
        self.wait = wait


class NotValid(GatewayError):
    """A request with something missing or wrong. errors: where and what, never the value that was sent."""

    def __init__(self, *errors: str) -> None:
        super().__init__("Something in it is missing or wrong.")
        self.errors = errors


class Changed(GatewayError):
    """What If-Match or If-None-Match says of the thing is not so (any more)."""

    def __init__(self) -> None:
        super().__init__("It is not as the request says it is: look at it again.")


class NotJson(GatewayError):
    """A body that is not said to be JSON."""

    def __init__(self) -> None:
        super().__init__("The body must be application/json.")


_KINDS: Final[tuple[tuple[type[GatewayError], int, str, str], ...]] = (
    (SignInNeeded, 401, "sign-in", "Sign-in needed"),
    (TooManyAttempts, 429, "attempts", "Too many attempts"),
    (TooManyRequests, 429, "requests", "Too many requests"),
    (NotValid, 422, "invalid", "The request is not valid"),
    (Changed, 412, "changed", "Not as it was"),
    (NotJson, 415, "not-json", "No JSON"),
    (NotAllowed, 403, "not-allowed", "Not allowed"),
    (SignInRefused, 403, "sign-in-refused", "Sign-in refused"),
    (NotFound, 404, "not-found", "Not found"),
    (Unconditional, 428, "unconditional", "It must say what it was made against"),
    (Moved, 412, "moved", "The policy has moved on"),
    (Unloadable, 422, "policy", "The policy can't be loaded"),
    (NotHolding, 500, "not-holding", "It is kept, and does not hold"),
    (NotYours, 403, "not-answerable", "Not yours to answer"),
    (Refused, 409, "refused", "Can't be done"),
    (PolicyError, 422, "policy", "The policy can't be loaded"),
    (StoreFailed, 503, "store", "The store does not answer"),
    (NodeSilent, 503, "node", "A node does not answer"),
    (KeyMissing, 503, "key", "The key is not at hand"),
    (JournalFailed, 503, "journal", "The journal can't be written"),
)


def problem(status: int, kind: str, title: str, detail: str, errors: list[str] | None = None) -> JSONResponse:
    body = {"type": f"urn:wicketgate:problem:{kind}", "title": title, "status": status, "detail": detail}
    headers = {"cache-control": "no-store"}
    if status == 401:
        headers["www-authenticate"] = 'Bearer realm="wicketgate"'
    return JSONResponse(
        body if errors is None else {**body, "errors": errors}, status, headers=headers, media_type=MEDIA_TYPE
    )


def of_error(error: GatewayError) -> JSONResponse:
    """A GatewayError's public message; an unlisted one is our fault."""
    for kind, status, name, title in _KINDS:
        if isinstance(error, kind):
            errors = _clean(error.errors) if isinstance(error, NotValid) else None
            if isinstance(error, Unloadable):
                errors = error.errors
            answer = problem(status, name, title, error.public, errors)
            if isinstance(error, TooManyAttempts | TooManyRequests):
                answer.headers["retry-after"] = str(error.wait)
            return answer
    return problem(500, "internal", "Internal error", "The gateway failed to do this.")


def _clean(errors: Iterable[str]) -> list[str]:
    """Names of keys come from whoever sends them: not many, not long, and what can be written."""
    return [
        each.encode("utf-8", "backslashreplace").decode("utf-8")[:ERROR_LONGEST]
        for each in islice(errors, ERRORS_MOST)
    ]


def install(app: FastAPI) -> None:
    """Every error that a route can raise becomes a problem; a refusal is recorded before it is told."""

    @app.exception_handler(GatewayError)
    async def _gateway(request: Request, error: GatewayError) -> JSONResponse:
        if isinstance(error, NotAllowed):
            # what can't be recorded is refused all the same
            with suppress(GatewayError):
                await record_refused(request.app.state.office, error)
        return of_error(error)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        answer = problem(error.status_code, "http", str(error.detail), str(error.detail))
        answer.headers.update(error.headers or {})
        if error.status_code == 405:
            answer.headers["allow"] = ", ".join(sorted(_methods(app, request.scope)))
        return answer

    @app.exception_handler(RequestValidationError)
    async def _validation(request: Request, error: RequestValidationError) -> JSONResponse:
        found = error.errors()
        if any(each.get("type") == "json_invalid" for each in found):
            return problem(400, "malformed", "No JSON", "The body is not well-formed JSON.")
        # where and what, never the value that was sent: it may be a secret in the wrong place
        return of_error(
            NotValid(
                *(
                    f"{'.'.join(str(part) for part in each.get('loc', ()))}: {each.get('msg', '')}"
                    for each in found
                )
            )
        )


def _methods(app: FastAPI, scope: Scope) -> set[str]:
    """All that the path knows."""
    asked = {name: scope[name] for name in ("type", "path", "root_path", "headers") if name in scope}
    return {
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if any(route.matches({**asked, "method": method})[0] is Match.FULL for route in app.routes)
    }


def _place(path: str) -> str:
    """A path for the log; a long part of it may be a secret in the wrong place."""
    return "/".join(part if len(part) <= 32 else "…" for part in path.split("/"))


def _most(scope: Scope) -> int:
    """How long the body may be. Asked when the body is read: by then it is known who sends it."""
    actor = scope.get(ACTOR)
    by_administrator = isinstance(actor, Actor) and actor.administrator
    return POLICY_MOST if by_administrator and scope["path"] in POLICIES else BODY_MOST


class Bounded:
    """The outermost layer: bounds path and body, and answers for what nobody caught, without a traceback.

    larger: paths that may have a larger body, and how large."""

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        log: Callable[[str], None],
        larger: tuple[re.Pattern[str], int],
    ) -> None:
        self._app = app
        self._log = log
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if not _PATH.fullmatch(scope.get("raw_path", b"")):
            await problem(404, "http", "Not Found", "Not Found")(scope, receive, send)
            return
        read = 0
        started = False
        paths, largest = self._larger
        wide = paths.fullmatch(scope["path"]) is not None

        async def bounded() -> MutableMapping[str, Any]:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > (largest if wide else _most(scope)):
                raise HTTPException(413, "The request's body is too large.")
            return message

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, bounded, watched)
        except asyncio.CancelledError:
            # the gateway is stopped under a request that waits; whoever asks may ask again
            if not started:
                with suppress(Exception):
                    answer = problem(503, "stopping", "The gateway is stopping", "Ask again in a while.")
                    await answer(scope, receive, send)
            raise
        except Exception as error:
            self._log(f"api: {scope['method']} {_place(scope['path'])}: {type(error).__name__}")
            if started:
                raise
            answer = problem(500, "internal", "Internal error", "The gateway failed to do this.")
            await answer(scope, receive, send)
