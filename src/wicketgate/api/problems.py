"""Errors of the API as RFC 9457 problems. They must never hold what was sent, nor an internal detail."""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from wicketgate.admin.access import NotFound, Refused
from wicketgate.admin.authorize import NotAllowed
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


_KINDS: Final[tuple[tuple[type[GatewayError], int, str, str], ...]] = (
    (SignInNeeded, 401, "sign-in", "Sign-in needed"),
    (TooManyAttempts, 429, "attempts", "Too many attempts"),
    (NotAllowed, 403, "not-allowed", "Not allowed"),
    (SignInRefused, 403, "sign-in-refused", "Sign-in refused"),
    (NotFound, 404, "not-found", "Not found"),
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
            answer = problem(status, name, title, error.public)
            if isinstance(error, TooManyAttempts):
                answer.headers["retry-after"] = str(error.wait)
            return answer
    return problem(500, "internal", "Internal error", "The gateway failed to do this.")


def install(app: FastAPI) -> None:
    """Every error that a route can raise becomes a problem."""

    @app.exception_handler(GatewayError)
    async def _gateway(request: Request, error: GatewayError) -> JSONResponse:
        return of_error(error)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        answer = problem(error.status_code, "http", str(error.detail), str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(RequestValidationError)
    async def _validation(request: Request, error: RequestValidationError) -> JSONResponse:
        # where and what, never the value that was sent: it may be a secret in the wrong place
        errors = [
            f"{'.'.join(str(part) for part in each.get('loc', ()))}: {each.get('msg', '')}"
            for each in error.errors()
        ]
        return problem(
            422, "invalid", "The request is not valid", "Something in it is missing or wrong.", errors
        )


class Bounded:
    """The outermost layer: bounds the body, and answers for what nobody caught, without a traceback.

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
        read = 0
        started = False
        paths, largest = self._larger
        most = largest if paths.fullmatch(scope["path"]) else BODY_MOST

        async def bounded() -> MutableMapping[str, Any]:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                raise HTTPException(413, "The request's body is too large.")
            return message

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, bounded, watched)
        except Exception as error:
            self._log(f"api: {scope['method']} {scope['path']}: {type(error).__name__}")
            if started:
                raise
            answer = problem(500, "internal", "Internal error", "The gateway failed to do this.")
            await answer(scope, receive, send)
