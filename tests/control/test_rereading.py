"""Issuers that are asked again: by tokens that joserfc made, of a server that behaves as it likes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from identity.issuer import NOW, NOW_S, claims, issuers, key, published, signed
from wicketgate.control import rereading as module
from wicketgate.control.rereading import FRESH, IDLE, SECOND, Rereading
from wicketgate.identity import userinfo
from wicketgate.identity.authenticate import Authenticator
from wicketgate.identity.issuers import IssuerTokens
from wicketgate.model.errors import GatewayError
from wicketgate.model.identity import Claim, Identity
from wicketgate.model.secret import Secret

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
EVERY = "reread: {userinfo: true, every: 60s, grace: 30s}"


class Stage:
    """answer: what userinfo gives. now: boot ns, and wall ns beside it."""

    def __init__(self) -> None:
        self.url = ""
        self.groups: Any = ["dba", "crew-agents"]
        self.answer: Answer = self.good
        self.asked: list[str] = []
        self.boot = 0
        self.live = True
        self.puts: list[tuple[str, Any]] = []
        self.log: list[str] = []
        self.place: dict[str, Any] = {}
        self.most = self.at_once = 0
        self.rereading = Rereading(
            lambda secret: self.trusted().unread(secret, self.wall()),
            userinfo,
            lambda identity: self.live,
            lambda section, name, value, blob: self.puts.append((name, value)),
            self.wall,
            lambda: self.boot,
            self.log.append,
        )

    def wall(self) -> int:
        return NOW + self.boot

    async def good(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"sub": "ana", "groups": self.groups})

    async def start(self) -> web.AppRunner:
        async def discovery(request: web.Request) -> web.StreamResponse:
            told = {"issuer": self.url, "jwks_uri": f"{self.url}/jwks", "userinfo_endpoint": f"{self.url}/me"}
            return web.json_response(told | self.place)

        async def me(request: web.Request) -> web.StreamResponse:
            self.asked.append(request.headers["authorization"])
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            try:
                return await self.answer(request)
            finally:
                self.at_once -= 1

        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", discovery)
        app.router.add_get("/me", me)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self.adopt()
        return runner

    def adopt(self, more: str = EVERY) -> None:
        self.more = more
        self.rereading.adopt(issuers(more, self.url))

    def trusted(self) -> IssuerTokens:
        found = issuers(self.more, self.url)
        keys = {"source": found["main"].source, "until": 1 << 62, "keys": published(key("RSA"))}
        return IssuerTokens(found, {"main": keys}, seen=self.rereading.entries)

    def token(self, **more: Any) -> Secret:
        return Secret(signed(claims(iss=self.url, exp=NOW_S + 3600, **more), key("RSA")))

    def proven(self, secret: Secret) -> Identity | None:
        claim = Claim("ana", "sales", secret, "")
        return Authenticator({}, {}, self.trusted()).authenticate(claim, self.wall())

    async def pass_by(self, seconds: float) -> None:
        """Time goes by, and what is due is done."""
        self.boot += int(seconds * SECOND)
        self.rereading.look()
        if tasks := [held.reading for held in self.rereading._held.values() if held.reading is not None]:
            await asyncio.wait(tasks)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    runner = await made.start()
    yield made
    await made.rereading.stop()
    await runner.cleanup()


async def test_a_token_proves_nobody_until_its_issuer_says_so(stage: Stage) -> None:
    secret = stage.token()
    assert stage.proven(secret) is None
    await stage.rereading.asked(secret)
    found = stage.proven(secret)
    assert found is not None
    assert found.groups == {"dba", "crew-agents"}
    assert stage.asked == [f"Bearer {secret.reveal().decode()}"]
    # neither the token nor what could sign in stands in what workers get
    assert secret.reveal().decode() not in repr(stage.puts) + repr(stage.log) + repr(stage.rereading._held)


async def test_readings_take_away_and_never_give(stage: Stage) -> None:
    secret = stage.token()
    stage.groups = ["crew-agents", "root"]
    await stage.rereading.asked(secret)
    found = stage.proven(secret)
    assert found is not None
    assert found.groups == {"crew-agents"}
    still = Authenticator({}, {}, stage.trusted())
    stage.groups = []
    await stage.pass_by(61)
    again = Authenticator({}, {}, stage.trusted()).still_holds(found, "sales", stage.wall(), None)
    assert again is not None
    assert again.groups == frozenset()
    assert still.still_holds(found, "sales", stage.wall(), None) is not None


async def test_nothing_is_put_where_nothing_changed(stage: Stage) -> None:
    secret = stage.token()
    await asyncio.gather(*(stage.rereading.asked(secret) for _ in range(20)))
    assert (len(stage.asked), len(stage.puts)) == (1, 1)
    await stage.rereading.asked(secret)
    assert len(stage.asked) == 1
    stage.boot += int(FRESH * SECOND)
    await stage.rereading.asked(secret)
    assert (len(stage.asked), len(stage.puts)) == (2, 1)
    await stage.pass_by(59)
    assert len(stage.asked) == 2
    await stage.pass_by(1)
    assert (len(stage.asked), len(stage.puts)) == (3, 1)


async def refused(request: web.Request) -> web.StreamResponse:
    return web.json_response({"error": "invalid_token"}, status=401)


async def forbidden(request: web.Request) -> web.StreamResponse:
    return web.json_response({"sub": "ana", "groups": ["dba"]}, status=403)


async def another(request: web.Request) -> web.StreamResponse:
    return web.json_response({"sub": "eve", "groups": ["dba"]})


async def nobody(request: web.Request) -> web.StreamResponse:
    return web.json_response({"groups": ["dba"]})


async def groupless(request: web.Request) -> web.StreamResponse:
    return web.json_response({"sub": "ana"})


async def crowded(request: web.Request) -> web.StreamResponse:
    return web.json_response({"sub": "ana", "groups": ["dba"], "_claim_names": {"groups": "src1"}})


@pytest.mark.parametrize("gone", [refused, forbidden, another, nobody, groupless, crowded])
async def test_a_no_ends_it_at_once(stage: Stage, gone: Answer) -> None:
    secret = stage.token()
    await stage.rereading.asked(secret)
    found = stage.proven(secret)
    assert found is not None
    stage.answer = gone
    await stage.pass_by(60)
    assert stage.proven(secret) is None
    assert Authenticator({}, {}, stage.trusted()).still_holds(found, "sales", stage.wall(), None) is None
    assert stage.puts[-1] == (found.credential_id, None)
    assert stage.rereading._held == {}


async def failing(request: web.Request) -> web.StreamResponse:
    return web.json_response({"sub": "ana", "groups": ["dba"]}, status=500)


async def moved(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/elsewhere")


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" " * 65536)


async def slow(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(3)
    return web.json_response({"sub": "ana", "groups": ["dba"]})


async def signed_answer(request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"e30.e30.x", content_type="application/jwt")


async def twice(request: web.Request) -> web.StreamResponse:
    return web.Response(body=b'{"sub": "ana", "sub": "ana", "groups": ["dba"]}')


@pytest.mark.parametrize("fault", [failing, moved, endless, slow, signed_answer, twice])
async def test_no_answer_counts_for_the_grace_alone(
    stage: Stage, fault: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault is slow:
        monkeypatch.setattr(module, "PATIENCE", 1.0)
    stage.answer = fault
    secret = stage.token()
    await stage.rereading.asked(secret)
    assert stage.proven(secret) is None  # nothing was read before: there is nothing to go on with
    stage.answer = stage.good
    await stage.rereading.asked(secret)
    stage.answer = fault
    await stage.pass_by(60)
    assert stage.proven(secret) is not None
    await stage.pass_by(29)
    assert stage.proven(secret) is not None
    asked = len(stage.asked)
    await stage.pass_by(1)
    assert stage.proven(secret) is None
    assert len(stage.asked) == asked
    told = [line for line in stage.log if "can't be asked" in line]
    assert len(told) == 2  # not for each of many readings


async def test_an_issuer_that_is_back_is_believed(stage: Stage) -> None:
    secret = stage.token()
    await stage.rereading.asked(secret)
    stage.answer = failing
    await stage.pass_by(60)
    stage.answer = stage.good
    await stage.pass_by(15)
    await stage.pass_by(59)
    assert stage.proven(secret) is not None
    assert stage.log[-1] == "issuer main: it answers again"


async def test_tokens_that_are_not_sound_are_shown_to_nobody(stage: Stage) -> None:
    good = stage.token().reveal()
    for bad in (good[:-8] + b"AAAAAAAA", b"a.b.c", stage.token(aud="other").reveal(), b"wkt_x"):
        with pytest.raises(GatewayError):
            await stage.rereading.asked(Secret(bad))
    assert stage.asked == []


@pytest.mark.parametrize("place", ["http://192.0.2.1/me", "file:///etc/passwd", 7, None])
async def test_a_token_goes_to_its_issuers_userinfo_alone(stage: Stage, place: Any) -> None:
    stage.place = {"userinfo_endpoint": place}
    await stage.rereading.asked(stage.token())
    assert (stage.asked, stage.puts) == ([], [])


async def test_what_is_not_used_is_let_go_of(stage: Stage) -> None:
    secret = stage.token()
    await stage.rereading.asked(secret)
    stage.live = False
    await stage.pass_by(IDLE - 1)
    assert stage.proven(secret) is not None
    await stage.pass_by(1)
    assert (stage.proven(secret), stage.rereading._held) == (None, {})
    await stage.rereading.asked(secret)
    stage.live = True
    for _ in range(70):
        await stage.pass_by(60)
    assert stage.rereading._held == {}  # the token has ended


async def test_who_is_trusted_no_more_counts_no_more(stage: Stage) -> None:
    secret = stage.token()
    await stage.rereading.asked(secret)
    stage.rereading.adopt({})
    assert (stage.rereading.entries, stage.rereading._held) == ({}, {})
    # an issuer that begins to be asked again ends what it was not asked about
    stage.adopt("")
    assert stage.proven(secret) is not None
    stage.adopt()
    assert stage.proven(secret) is None


async def test_many_are_read_a_few_at_a_time_and_no_more_are_held(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def a_while(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.3)
        return await stage.good(request)

    stage.answer = a_while
    monkeypatch.setattr(module, "MOST", 24)
    monkeypatch.setattr(module, "AT_ONCE", 4)
    stage.rereading.adopt({})
    stage.adopt()
    tokens = [stage.token(jti=str(at)) for at in range(24)]
    await asyncio.gather(*(stage.rereading.asked(each) for each in tokens))
    assert (stage.most, len(stage.rereading.entries)) == (4, 24)
    with pytest.raises(GatewayError):
        await stage.rereading.asked(stage.token(jti="one more"))
