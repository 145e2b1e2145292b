"""Issuers' keys: fetched from a server that behaves as it likes, on a free port."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from identity.issuer import issuers, key
from wicketgate.control import issuers as module
from wicketgate.control.issuers import KEEP, SECOND, IssuerKeys
from wicketgate.identity import keys as key_sets

NOW = 1_800_000_000 * SECOND
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Site:
    """An issuer's site. keys, discovery: what answers; asked: how often for keys."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer: Answer = self.good
        self.configuration: dict[str, Any] = {}
        self.url = ""
        self.published = [key("RSA")]

    async def good(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"keys": [each.as_dict(private=False) for each in self.published]})

    async def start(self) -> web.AppRunner:
        async def discovery(request: web.Request) -> web.StreamResponse:
            return web.json_response(
                {"issuer": self.url, "jwks_uri": self.url + "/jwks", **self.configuration}
            )

        async def listed(request: web.Request) -> web.StreamResponse:
            self.asked += 1
            return await self.answer(request)

        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", discovery)
        app.router.add_get("/jwks", listed)
        app.router.add_get("/elsewhere", self.good)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner


class Stage:
    def __init__(self, site: Site) -> None:
        self.site = site
        self.now = self.boot = NOW
        self.puts: list[tuple[str, str, Any]] = []
        self.log: list[str] = []
        self.keys = IssuerKeys(
            key_sets,
            lambda section, name, value, blob: self.puts.append((section, name, value)),
            lambda: self.now,
            lambda: self.boot,
            self.log.append,
        )

    async def adopt(self, more: str = "") -> None:
        self.keys.adopt(issuers(more, self.site.url))
        await self.keys.wanted("main")
        self.boot += 11 * SECOND

    async def again(self) -> None:
        await self.keys.wanted("main")
        self.boot += 11 * SECOND


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    site = Site()
    runner = await site.start()
    made = Stage(site)
    yield made
    await made.keys.stop()
    await runner.cleanup()


async def test_keys_are_found_and_replicated(stage: Stage) -> None:
    await stage.adopt()
    entry = stage.keys.entries["main"]
    assert stage.puts == [("issuers", "main", entry)]
    assert entry["until"] == NOW + KEEP * SECOND
    assert [each["kid"] for each in entry["keys"]] == ["one"]
    assert stage.log == ["issuer main: 1 keys"]
    stage.keys.adopt({})
    assert stage.keys.entries == {}
    assert stage.puts[-1] == ("issuers", "main", None)
    await stage.keys.wanted("main")
    assert stage.site.asked == 1


async def test_where_the_keys_are_may_be_said(stage: Stage) -> None:
    stage.site.configuration = {"issuer": "https://another.example.com"}
    await stage.adopt(f"jwks: {stage.site.url}/jwks")
    assert "main" in stage.keys.entries


async def test_clients_do_not_make_it_ask_often(stage: Stage) -> None:
    await stage.adopt()
    stage.site.published = [key("RSA", "two")]
    await asyncio.gather(*(stage.keys.wanted("main") for _ in range(50)))
    assert stage.site.asked == 2
    assert stage.keys.entries["main"]["keys"][0]["kid"] == "two"
    stage.boot += 9 * SECOND
    await stage.keys.wanted("main")
    assert stage.site.asked == 2
    stage.boot += 2 * SECOND
    await stage.keys.wanted("main")
    assert stage.site.asked == 3


async def test_readings_that_change_nothing_are_not_replicated(stage: Stage) -> None:
    await stage.adopt()
    stage.now += (KEEP // 2 - 1) * SECOND
    await stage.again()
    assert len(stage.puts) == 1
    stage.now += 2 * SECOND
    await stage.again()
    assert stage.site.asked == 3
    assert stage.puts[-1][2]["until"] == stage.now + KEEP * SECOND


async def test_a_clock_that_is_set_back_makes_keys_no_younger(stage: Stage) -> None:
    stage.now += 86_400 * SECOND
    await stage.adopt()
    stage.now -= 86_400 * SECOND
    await stage.again()
    assert stage.keys.entries["main"]["until"] == stage.now + KEEP * SECOND
    stage.now -= 86_400 * SECOND
    stage.site.answer = failing
    stage.boot += (KEEP - 60) * SECOND
    await stage.again()
    assert "main" in stage.keys.entries
    stage.boot += 60 * SECOND
    await stage.again()
    assert stage.keys.entries == {}
    assert stage.puts[-1] == ("issuers", "main", None)


async def test_another_source_makes_old_keys_count_no_more(stage: Stage) -> None:
    await stage.adopt()
    stage.keys.adopt(issuers(f"jwks: {stage.site.url}/elsewhere", stage.site.url))
    assert stage.puts[-1] == ("issuers", "main", None)
    assert stage.keys.entries == {}
    await stage.keys.wanted("main")
    assert stage.keys.entries["main"]["source"].endswith("/elsewhere\n")


async def slow(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(1)
    return web.Response()


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" " * 65536)


async def moved(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/elsewhere")


async def failing(request: web.Request) -> web.StreamResponse:
    return web.Response(status=500, text='{"keys": []}')


async def empty(request: web.Request) -> web.StreamResponse:
    return web.json_response({"keys": []})


async def symmetric(request: web.Request) -> web.StreamResponse:
    return web.json_response({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]})


async def zipped(request: web.Request) -> web.StreamResponse:
    response = web.json_response({"keys": [key("RSA").as_dict(private=False)]})
    response.enable_compression(web.ContentCoding.gzip)
    response.headers["content-encoding"] = "gzip"
    return response


FAULTS: dict[str, tuple[Answer, str]] = {
    "slow": (slow, "no answer in"),
    "endless": (endless, "more than 256 KiB"),
    "moved": (moved, "answers 302"),
    "failing": (failing, "answers 500"),
    "empty": (empty, "no key that can be used"),
    "symmetric": (symmetric, "no key that can be used"),
    "zipped": (zipped, "JSON"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_is_no_key_set_changes_nothing(
    stage: Stage, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.adopt()
    before = stage.keys.entries["main"]
    if fault == "slow":
        monkeypatch.setattr(module, "PATIENCE", 0.3)
    stage.site.answer, why = FAULTS[fault]
    stage.now += 3600 * SECOND
    await stage.again()
    assert stage.keys.entries["main"] is before
    assert why in stage.log[-1]
    # the last good ones count for a while, and then no more
    stage.now = NOW + KEEP * SECOND
    await stage.again()
    assert stage.keys.entries == {}
    assert stage.puts[-1] == ("issuers", "main", None)
    stage.site.answer = stage.site.good
    monkeypatch.undo()
    await stage.again()
    assert stage.keys.entries["main"]["until"] == stage.now + KEEP * SECOND


@pytest.mark.parametrize(
    "configuration",
    [{"issuer": "https://evil.example.com"}, {"jwks_uri": "http://192.0.2.1/jwks"}, {"jwks_uri": None}],
)
async def test_a_configuration_that_is_anothers(stage: Stage, configuration: dict[str, Any]) -> None:
    stage.site.configuration = configuration
    await stage.adopt()
    assert stage.keys.entries == {}
    assert len(stage.log) == 1
    assert json.dumps(stage.puts) == "[]"


async def test_nobody_at_home(stage: Stage) -> None:
    stage.keys.adopt(issuers("", "http://127.0.0.1:1"))
    await stage.keys.wanted("main")
    assert stage.keys.entries == {}
    assert "can't be read" in stage.log[0]
