"""Entity tags: what was seen already is not sent again, and what changed meanwhile is not written over.
A tag must never be made of anything but what is shown: it tells whoever gets it nothing else."""

import hashlib
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Request

from wicketgate.api.problems import Changed, Receive, Scope, Send

_TAG: Final = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
CONDITIONS: Final = (b"if-match", b"if-none-match", b"if-unmodified-since")


def tag_of(shown: bytes | str) -> str:
    """A strong tag of a representation."""
    content = shown.encode("utf-8") if isinstance(shown, str) else shown
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def _names(values: list[str], tag: str, weak: bool) -> bool:
    """Whether a header's values name the tag, or anything (`*`). weak: weak tags count too (RFC 9110)."""
    text = ",".join(values)
    if text.strip() == "*":
        return True
    return any(found[2] == tag and (weak or not found[1]) for found in _TAG.finditer(text))


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a request says of the thing that it writes: If-Match, If-None-Match; None: nothing."""

    match: tuple[str, ...] | None = None
    none_match: tuple[str, ...] | None = None

    def hold(self, tag: str | None) -> None:
        """tag: of the thing as it is; None: there is none. Raises Changed."""
        if self.match is not None and (tag is None or not _names([*self.match], tag, False)):
            raise Changed
        if self.none_match is not None and tag is not None and _names([*self.none_match], tag, True):
            raise Changed


def conditions(request: Request) -> Conditions:
    """A route that depends on this hears them."""
    found = (request.headers.getlist(name) or None for name in ("if-match", "if-none-match"))
    match, none_match = (None if each is None else tuple(each) for each in found)
    return Conditions(match, none_match)


Conditional = Annotated[Conditions, Depends(conditions)]


def heed(request: Request) -> None:
    """A condition on a write that the route does not hear is taken for one that does not hold. Raises
    Changed."""
    if request.method not in ("GET", "HEAD") and any(
        name in CONDITIONS for name, _ in request.scope["headers"]
    ):
        route = request.scope["route"]
        heard = any(each.call is conditions for each in route.dependant.dependencies)
        if not heard or "if-unmodified-since" in request.headers:
            raise Changed


class Tagged:
    """Gives each JSON that a GET answers a tag, and answers 304 where the client has it already: after the
    route decided who sees what, and did what seeing it takes. What must not be stored has none."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        start: MutableMapping[str, Any] = {}
        held: list[bytes] = []

        async def tagging(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                if not _taggable(start):
                    await send(start)
            elif not _taggable(start):
                await send(message)
            else:
                held.append(message.get("body", b""))
                if not message.get("more_body"):
                    await self._answer(scope, start, b"".join(held), send)

        await self._app(scope, receive, tagging)

    @staticmethod
    async def _answer(scope: Scope, start: MutableMapping[str, Any], body: bytes, send: Send) -> None:
        headers = list(start["headers"])
        tag = next((value.decode("latin-1") for name, value in headers if name == b"etag"), None)
        if tag is None:
            tag = tag_of(body)
            headers.append((b"etag", tag.encode("ascii")))
        headers += [(b"cache-control", b"private, no-cache"), (b"vary", b"authorization")]
        known = [value.decode("latin-1") for name, value in scope["headers"] if name == b"if-none-match"]
        if known and _names(known, tag, True):
            start["status"], body = 304, b""
            headers = [each for each in headers if each[0] not in (b"content-length", b"content-type")]
        start["headers"] = headers
        await send(start)
        await send({"type": "http.response.body", "body": body})


def _taggable(start: MutableMapping[str, Any]) -> bool:
    headers = dict(start.get("headers", ()))
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip()
    return (
        start.get("status") == 200
        and kind == b"application/json"
        and b"no-store" not in headers.get(b"cache-control", b"")
    )
