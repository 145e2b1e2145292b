"""A server that is not what it should be: it gets no second secret, no long wait, no word in our errors."""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from custody.test_openbao import Clock, served, why
from wicketgate.control.held import Held
from wicketgate.custody.kv import KvSource
from wicketgate.custody.server import Server
from wicketgate.custody.settings import VaultSettings

TOKEN = "s.c4naryc4naryc4naryc4nary"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def told(answer: Answer, timeout_seconds: float = 2.0) -> str:
    """What the operator reads when the secret is asked for. Looking the token up is answered well."""

    async def lookup(request: web.Request) -> web.Response:
        return web.json_response({"data": {"ttl": 0, "renewable": False}})

    app = web.Application()
    app.router.add_get("/v1/auth/token/lookup-self", lookup)
    app.router.add_get("/v1/secret/data/db/sales", answer)
    async with served(app) as address:
        settings = VaultSettings.model_validate(
            {"address": address, "token": {"env": "T"}, "timeout_seconds": timeout_seconds}
        )
        clock = Clock()
        held = Held("vault", KvSource({"corp": Server("corp", settings, {"T": TOKEN}, clock)}), clock)
        try:
            return await why(held.fetch("corp:db/sales#password"))
        finally:
            await held.close()


def text(body: str | bytes, **more: str) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        assert request.headers["X-Vault-Token"] == TOKEN
        content = body if isinstance(body, bytes) else body.encode()
        return web.Response(body=content, content_type="application/json", headers=more)

    return answer


WRONG = [
    ("", "is not of a key-value store"),
    ("c4nary", "its answer is not JSON"),
    ("[1]", "its answer is not a JSON object"),
    ("[" * 100_000, "its answer is not JSON"),
    ('{"data": "c4nary"}', "is not of a key-value store"),
    ('{"data": {"data": null}}', "is not of a key-value store"),
    ('{"data": {"data": {"password": {"a": "c4nary"}}}}', "is no text"),
    ('{"data": {"data": {"password": "\\ud800"}}}', "is no text"),
    (json.dumps({"data": {"data": {"password": "c4nary" * 20_000}}}), "too large"),
    (json.dumps({"data": {"data": {"password": "c4nary" * 200_000}}}), "its answer is larger than 1 MiB"),
]


@pytest.mark.parametrize(("body", "said"), WRONG)
async def test_answers_that_are_none(body: str, said: str) -> None:
    assert said in await told(text(body))


async def test_an_answer_that_grows_when_it_is_unpacked() -> None:
    packed = gzip.compress(b'{"a": "' + b"c" * (64 << 20) + b'"}')
    assert "its answer is not JSON" in await told(text(packed, **{"Content-Encoding": "gzip"}))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirection_gets_no_token(status: int) -> None:
    seen: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append(request.headers.get("X-Vault-Token", ""))
        return web.json_response({"data": {"data": {"password": "evil"}}})

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", elsewhere)
    async with served(app) as other:

        async def answer(request: web.Request) -> web.Response:
            return web.Response(status=status, headers={"Location": f"{other}/v1/secret/data/db/sales"})

        assert "it sends us elsewhere, where no token goes" in await told(answer)
    assert seen == []


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "a wrong request"),
        (403, "permission denied for secret/data/db/sales"),
        (429, "too many requests"),
        (473, "a standby"),
        (500, "it answers secret/data/db/sales with 500"),
        (418, "it answers secret/data/db/sales with 418"),
        (501, "it is not initialised"),
        (503, "it is sealed, or not ready"),
    ],
)
async def test_an_error_is_told_in_our_words(status: int, said: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"errors": [f"c4nary, and your token is {TOKEN}"]}, status=status)

    assert said in await told(answer)


async def test_an_answer_that_trickles() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse()
        await stream.prepare(request)
        for _ in range(100):
            await stream.write(b" ")
            await asyncio.sleep(0.05)
        return stream

    assert await told(answer, timeout_seconds=0.3) == "vault corp: no answer in 0.3 s"


async def test_an_answer_that_breaks_off() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Length": "1000"})
        await stream.prepare(request)
        await stream.write(b'{"data": ')
        assert request.transport is not None
        request.transport.abort()
        return stream

    assert "it does not answer as it should" in await told(answer)


async def test_nobody_listens() -> None:
    async with served(web.Application()) as address:
        pass
    settings = VaultSettings.model_validate({"address": address, "token": {"env": "T"}})
    clock = Clock()
    held = Held("vault", KvSource({"corp": Server("corp", settings, {"T": TOKEN}, clock)}), clock)
    assert "it can't be reached" in await why(held.fetch("corp:db/sales#password"))
    await held.close()


async def test_a_path_that_is_refused_leaves_no_trail_of_tokens() -> None:
    given: list[str] = []

    async def login(request: web.Request) -> web.Response:
        given.append(f"{TOKEN}{len(given)}")
        auth = {"client_token": given[-1], "lease_duration": 3600, "renewable": False}
        return web.json_response({"auth": auth})

    async def answer(request: web.Request) -> web.Response:
        if request.headers["X-Vault-Token"] not in given[-1:]:
            return web.Response(status=403)
        if request.path.endswith("/closed"):
            return web.Response(status=403)
        return web.json_response({"data": {"data": {"password": "p"}}})

    app = web.Application()
    app.router.add_post("/v1/auth/approle/login", login)
    app.router.add_get("/v1/{any:.*}", answer)
    async with served(app) as address:
        approle = {"role_id": "r", "secret_id": {"env": "S"}}
        settings = VaultSettings.model_validate({"address": address, "approle": approle, "cache_seconds": 0})
        clock = Clock()
        held = Held("vault", KvSource({"corp": Server("corp", settings, {"S": "s"}, clock)}), clock)
        for _ in range(50):
            assert "permission denied" in await why(held.fetch("corp:closed#password"))
            clock.pass_seconds(6)
        assert len(given) <= 2  # at the start, and after five minutes: its role may have got more rights
        given.append("another")  # ours is revoked
        assert await held.fetch("corp:db/sales#password") is not None
        await held.close()
