"""How often may be asked: by one actor, and from one source. Told in RateLimit headers before it is over.
It must never grow without bound, nor count one actor's requests against another's."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import HTTPConnection

from wicketgate.admin.authorize import Actor
from wicketgate.api.people import LOCAL
from wicketgate.api.problems import ACTOR, Receive, Scope, Send, TooManyRequests, of_error
from wicketgate.model.network import source_network

SECOND: Final = 1_000_000_000
WINDOW: Final = 60 * SECOND
ENTRIES: Final = 10_000
"""Actors, and sources, that are remembered; the longest unheard of go first."""


@dataclass(frozen=True, slots=True)
class Taken:
    """left: how many more may be made at once. reset: seconds until all may. wait: 0, or seconds until the
    next may be made: this one may not."""

    left: int
    reset: int
    wait: int


class Buckets:
    """`quota` requests a minute, evenly, and so many at once (GCRA). clock: monotonic ns."""

    def __init__(
        self, quota: int, clock: Callable[[], int] = time.monotonic_ns, entries: int = ENTRIES
    ) -> None:
        self._quota = quota
        self._cost = WINDOW // quota
        self._clock = clock
        self._entries = entries
        self._full: OrderedDict[str, int] = OrderedDict()

    @property
    def policy(self) -> str:
        return f"q={self._quota};w={WINDOW // SECOND}"

    def take(self, key: str) -> Taken:
        """One request of that key, if there is room for it."""
        now = self._clock()
        until = max(now, self._full.get(key, 0))
        over = until + self._cost - now - WINDOW
        if over > 0:
            return Taken(0, _seconds(until - now), max(1, _seconds(over)))
        until += self._cost
        self._full[key] = until
        self._full.move_to_end(key)
        while len(self._full) > self._entries:
            self._full.popitem(last=False)
        return Taken((WINDOW - (until - now)) // self._cost, _seconds(until - now), 0)


def _seconds(span: int) -> int:
    return -(-span // SECOND)


def _source(scope: Scope) -> str | None:
    client = HTTPConnection(scope).client
    return None if scope.get(LOCAL) is not None else source_network("" if client is None else client.host)


def _actor(scope: Scope) -> str | None:
    actor = scope.get(ACTOR)
    return f"{actor.how} {actor.name}" if isinstance(actor, Actor) and scope.get(LOCAL) is None else None


class Limited:
    """Bounds requests by their actor or source, as `name` says. An answer tells of the innermost bound that
    it came to. Our own socket is not bounded: whoever may use it may stop the gateway."""

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        name: str,
        buckets: Buckets,
    ) -> None:
        self._app = app
        self._name = name
        self._buckets = buckets
        self._key = {"actor": _actor, "source": _source}[name]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = self._key(scope)
        if key is None:
            await self._app(scope, receive, send)
            return
        taken = self._buckets.take(key)
        told = (
            (b"ratelimit-policy", f'"{self._name}";{self._buckets.policy}'.encode("ascii")),
            (b"ratelimit", f'"{self._name}";r={taken.left};t={taken.reset}'.encode("ascii")),
        )

        async def telling(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                if not any(name == b"ratelimit" for name, _ in headers):
                    message["headers"] = [*headers, *told]
            await send(message)

        if taken.wait:
            await of_error(TooManyRequests(taken.wait))(scope, receive, telling)
        else:
            await self._app(scope, receive, telling)
