"""Reviews to tell of, a store and a clock that are played, and servers that receive: real sockets."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import trustme
from aiohttp import web

from wicketgate.model.errors import Unreadable
from wicketgate.model.resource import CredentialReference
from wicketgate.model.review import Asker, Kind, Panel, Review, ReviewEvent, Status, Vote
from wicketgate.model.secret import Secret

SECOND = 1_000_000_000
NOW = 1_800_000_000 * SECOND
ID = "0123456789ABCDEFGHJKMNPQRS"
LINK = f"https://gateway.example:18443/reviews/{ID}?k=abc"
CANARY = "c4n4ry"
"""In everything that no channel may show."""
REVIEW = Review(
    id=ID,
    kind=Kind.STATEMENT,
    status=Status.PENDING,
    asker=Asker("crew-bot", "agent", "ana", "crew-bot", "analysts", "t-42", f"purpose {CANARY}"),
    resource="sales",
    database="shop",
    account="reader",
    panels=(Panel("whole tables need a look", groups=frozenset({"dba"}), quorum=2),),
    exact="e" * 64,
    shape="5" * 64,
    mode="retry",
    created=NOW,
    expires=NOW + 600 * SECOND,
    node="n",
    session="s" * 32,
    reason=f"reason {CANARY}",
    message=f"message {CANARY}",
    shown={
        "statement": f"SELECT * FROM customers WHERE email = '{CANARY}@example.org'",
        "parameters": [CANARY],
        "effects": ["read"],
        "relations": ["public.customers"],
        "lately": [f"SELECT '{CANARY}'"],
        "estimate": 4711,
    },
    votes=(Vote("bea", frozenset({"dba"}), True, NOW, f"comment {CANARY}"),),
)
CHANGE = ReviewEvent(1, ID, "asked", NOW, "crew-bot")


def link(review: str) -> str:
    return LINK.replace(ID, review)


def key(letter: str = "k") -> bytes:
    """A webhook's secret as it lies somewhere."""
    import base64

    return b"whsec_" + base64.b64encode(letter.encode() * 32)


@dataclass
class Vault:
    """Where secrets lie: environment variables alone."""

    kept: dict[str, bytes] = field(default_factory=dict)

    async def fetch(self, reference: CredentialReference) -> Secret | None:
        from wicketgate.model.credential import CredentialMissing

        if reference.source != "env" or reference.locator not in self.kept:
            raise CredentialMissing(f"the environment has no {reference.locator}")
        return Secret(self.kept[reference.locator])


@dataclass
class Box:
    """The outbox and the reviews, played."""

    rows: list[ReviewEvent] = field(default_factory=list)
    reviews: dict[str, Review] = field(default_factory=dict)
    unreadable: set[str] = field(default_factory=set)

    def add(self, review: Review, what: str, by: str = "somebody", at: int = NOW) -> ReviewEvent:
        self.reviews[review.id] = review
        self.rows.append(ReviewEvent(len(self.rows) + 1, review.id, what, at, by))
        return self.rows[-1]

    async def events(self, after: int, most: int) -> Sequence[ReviewEvent]:
        return [each for each in self.rows if each.seq > after][:most]

    async def review(self, review: str) -> Review | None:
        if review in self.unreadable:
            raise Unreadable("a review was changed beside the gateway")
        return self.reviews.get(review)


def another(number: int) -> Review:
    return replace(REVIEW, id=f"{number:026d}")


@dataclass
class Received:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    request: web.Request

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))


Answering = Callable[[Received], Awaitable[web.StreamResponse]]


async def fine(received: Received) -> web.StreamResponse:
    return web.Response()


@dataclass
class Receiver:
    """A server of somebody's: keeps what comes, and answers as it is told."""

    address: str = ""
    ca: Path = Path()
    answer: Answering = fine
    got: list[Received] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def _take(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        received = Received(request.method, request.path_qs, headers, await request.read(), request)
        self.got.append(received)
        self.arrived.set()
        return await self.answer(received)

    async def some(self, many: int = 1) -> list[Received]:
        async with asyncio.timeout(10):
            while len(self.got) < many:
                self.arrived.clear()
                await self.arrived.wait()
        return self.got


@asynccontextmanager
async def receiving(folder: Path) -> AsyncIterator[Receiver]:
    """Over HTTPS, on a free port of this machine."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    receiver = Receiver(ca=folder / "receiver-ca.pem")
    authority.cert_pem.write_to_path(str(receiver.ca))
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", receiver._take)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    receiver.address = f"https://localhost:{port}"
    try:
        yield receiver
    finally:
        await runner.cleanup()
