"""Idempotency-Key: what is posted twice under one key is done once, and answered alike for a day.
An answer that must not be stored (a token's text) is never kept: it is given once."""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, Final

from fastapi import Response
from starlette.exceptions import HTTPException

from wicketgate.admin.authorize import Actor
from wicketgate.admin.ports import Office
from wicketgate.api.problems import ACTOR, NotValid, Receive, Scope, Send, of_error, problem
from wicketgate.model.answered import KeptAnswer
from wicketgate.model.errors import GatewayError

HEADER: Final = b"idempotency-key"
LARGEST: Final = 64 * 1024
"""Bytes of an answer that is kept."""
_KEY: Final = re.compile(rb"[\x21-\x7e]{1,255}")


class Idempotent:
    """Around whatever answers a POST of somebody proven. office: asked for when it is needed."""

    def __init__(
        self, app: Callable[[Scope, Receive, Send], Awaitable[None]], office: Callable[[], Office]
    ) -> None:
        self._app = app
        self._office = office

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        keys = [value for name, value in scope["headers"] if name == HEADER]
        actor = scope.get(ACTOR)
        if scope["method"] != "POST" or not keys or not isinstance(actor, Actor):
            await self._app(scope, receive, send)
            return
        try:
            answer = await self._once(scope, receive, send, actor, keys)
        except GatewayError as error:
            answer = of_error(error)
        except HTTPException as error:
            answer = problem(error.status_code, "http", str(error.detail), str(error.detail))
        if answer is not None:
            await answer(scope, receive, send)

    async def _once(
        self, scope: Scope, receive: Receive, send: Send, actor: Actor, keys: list[bytes]
    ) -> Response | None:
        """What is answered in place of doing it; None: it was done and answered. Raises StoreFailed."""
        if len(keys) != 1 or not _KEY.fullmatch(keys[0]):
            raise NotValid("header.idempotency-key: it is one, of 1 to 255 visible ASCII characters")
        body = await _whole(receive)
        if body is None:
            return None
        office = self._office()
        who, key = _who(actor), hashlib.sha256(keys[0]).hexdigest()
        asked = _digest(scope["method"].encode(), scope["path"].encode(), scope["query_string"], body)
        kept = await office.once.begin(who, key, asked, office.clock())
        if kept is not None:
            return _again(kept, asked)
        start: MutableMapping[str, Any] = {}
        parts: list[bytes] = []

        async def again() -> MutableMapping[str, Any]:
            nonlocal body
            if body is None:
                return await receive()
            message, body = {"type": "http.request", "body": body, "more_body": False}, None
            return message

        async def hold(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                parts.append(message.get("body", b""))

        try:
            await self._app(scope, again, hold)
        except BaseException:
            await office.once.forget(who, key)
            raise
        answer = b"".join(parts)
        # it was done, or was not: where that can't be kept, the key stays taken and is never done again
        with suppress(GatewayError):
            if 200 <= start["status"] < 300:
                await office.once.end(who, key, _kept(asked, start, answer))
            else:
                await office.once.forget(who, key)
        await send(start)
        await send({"type": "http.response.body", "body": answer})
        return None


async def _whole(receive: Receive) -> bytes | None:
    """The request's body, which Bounded bounds; None: whoever sent it is gone."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


def _who(actor: Actor) -> str:
    """Whose key it is. Another token, or another standing, has keys of its own: what somebody was answered
    as an administrator is not told to him when he is none."""
    standing = [actor.name, actor.how, actor.credential_id, actor.administrator, sorted(actor.scope)]
    return _digest(json.dumps([*standing, actor.narrow]).encode("utf-8"))


def _digest(*parts: bytes) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()


def _kept(asked: str, start: MutableMapping[str, Any], answer: bytes) -> KeptAnswer:
    headers = dict(start.get("headers", ()))
    location = headers.get(b"location", b"").decode("latin-1")[:300] or None
    storable = b"no-store" not in headers.get(b"cache-control", b"") and len(answer) <= LARGEST
    return KeptAnswer(asked, start["status"], answer if storable else None, location)


def _again(kept: KeptAnswer, asked: str) -> Response:
    """What a key's second use is answered."""
    if kept.full:
        answer: Response = problem(
            429, "keys", "Too many keys", "Too many idempotency keys of yours are kept: each is, for a day."
        )
        answer.headers["retry-after"] = "3600"
    elif kept.request != asked:
        answer = problem(422, "key-reused", "Another request", "The key was used for another request.")
    elif kept.status is None:
        answer = problem(
            409,
            "under-way",
            "Under way",
            "It is under way, or its outcome is not known: look, then use a new key.",
        )
        answer.headers["retry-after"] = "1"
    elif kept.body is None:
        answer = problem(
            409, "answered", "Done already", "It was done; its answer was given once, and is kept nowhere."
        )
    else:
        answer = Response(kept.body, kept.status, media_type="application/json")
        answer.headers["cache-control"] = "no-store"
        answer.headers["idempotency-replayed"] = "true"
    if kept.location is not None and kept.request == asked:
        answer.headers["location"] = kept.location
    return answer
