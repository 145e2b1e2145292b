"""Credentials out of a real OpenBao: every way to sign in, renewals, rotations, and all that goes wrong."""

import asyncio
import base64
import json
import signal
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from servers import system
from servers.openbao import OpenBao
from wicketgate.control.held import Held
from wicketgate.custody.kv import KvSource
from wicketgate.custody.server import Server
from wicketgate.custody.settings import VaultSettings
from wicketgate.model.credential import CredentialMissing
from wicketgate.model.secret import Secret

SALES = "corp:db/sales#password"
CANARY = Secret(b"c4nary-of-sales")


class Clock:
    """Monotonic nanoseconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000_000_000

    def __call__(self) -> int:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += int(seconds * 1e9)


@asynccontextmanager
async def source(
    openbao: OpenBao, clock: Clock | None = None, environment: dict[str, str] | None = None, **settings: Any
) -> AsyncIterator[Held]:
    """The source as the gateway holds it: signs in with the root token unless told otherwise."""
    if not settings.keys() & {"token", "approle", "kubernetes"}:
        settings["token"] = {"env": "BAO_TOKEN"}
        environment = {"BAO_TOKEN": openbao.token} if environment is None else environment
    chosen = VaultSettings.model_validate(
        {"address": openbao.address, "ca_file": str(openbao.authority.root), "cache_seconds": 30, **settings},
    )
    boot = clock or Clock()
    held = Held("vault", KvSource({"corp": Server("corp", chosen, environment or {}, boot)}), boot)
    try:
        yield held
    finally:
        await held.close()


async def why(fetched: Awaitable[Any]) -> str:
    """The operator's error; what the client sees says nothing."""
    with pytest.raises(CredentialMissing) as told:
        await fetched
    assert told.value.public == "The target can't be reached."
    assert told.value.__cause__ is None
    assert "c4nary" not in told.value.detail
    assert "c4nary" not in "".join(traceback.format_exception(told.value))
    return told.value.detail


async def test_a_field_by_a_token_from_the_environment(openbao: OpenBao) -> None:
    async with source(openbao) as held:
        assert await held.fetch(SALES) == CANARY
        assert await held.fetch("corp:db/sales#user") == Secret(b"app")


async def test_a_token_file_is_read_anew_when_its_token_is_refused(openbao: OpenBao, tmp_path: Path) -> None:
    file, clock = tmp_path / "token", Clock()
    first = openbao.new_token("sales")
    file.write_text(first + "\n")
    async with source(openbao, clock, token={"file": str(file)}, cache_seconds=1.0) as held:
        assert await held.fetch(SALES) == CANARY
        openbao.revoke(first)
        clock.pass_seconds(10)
        assert "does not accept the token" in await why(held.fetch(SALES))
        file.write_text(openbao.new_token("sales"))
        clock.pass_seconds(10)
        assert await held.fetch(SALES) == CANARY


async def test_approle(openbao: OpenBao, tmp_path: Path) -> None:
    openbao.call("POST", "sys/auth/crews", {"type": "approle"})
    openbao.call("POST", "auth/crews/role/wicket", {"token_policies": "sales", "token_ttl": "20m"})
    role = openbao.call("GET", "auth/crews/role/wicket/role-id")["data"]["role_id"]
    secret_id = openbao.call("POST", "auth/crews/role/wicket/secret-id")["data"]["secret_id"]
    file = tmp_path / "secret-id"
    file.write_text(secret_id)
    clock = Clock()
    approle = {"role_id": role, "secret_id": {"file": str(file)}, "mount": "crews"}
    async with source(openbao, clock, approle=approle, cache_seconds=1.0) as held:
        assert await held.fetch(SALES) == CANARY
        clock.pass_seconds(900)  # past two thirds: renewed
        assert await held.fetch(SALES) == CANARY
        clock.pass_seconds(7200)  # past its end, as we count: signed in anew
        assert await held.fetch(SALES) == CANARY
        accessors = openbao.call("LIST", "auth/token/accessors")["data"]["keys"]
        for each in accessors:
            found = openbao.call("POST", "auth/token/lookup-accessor", {"accessor": each})["data"]
            if "sales" in found["policies"]:
                openbao.call("POST", "auth/token/revoke-accessor", {"accessor": each})
        clock.pass_seconds(10)  # a token that somebody revoked
        assert await held.fetch(SALES) == CANARY
    file.write_text("wrong")
    async with source(openbao, approle=approle) as held:
        assert await why(held.fetch(SALES)) == "vault corp: it refuses the sign-in by auth/crews"
    file.unlink()
    async with source(openbao, approle=approle) as held:
        assert "No such file" in await why(held.fetch(SALES))


def _part(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


@asynccontextmanager
async def kubernetes(good: Callable[[str], bool]) -> AsyncIterator[str]:
    """The one call of a cluster's API that OpenBao makes: whose token is this?"""

    async def review(request: web.Request) -> web.Response:
        token = (await request.json())["spec"]["token"]
        status: dict[str, Any] = {"authenticated": good(token)}
        if good(token):
            status["user"] = {"username": "system:serviceaccount:data:wicket", "uid": "1"}
        return web.json_response(
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}, status=201
        )

    app = web.Application()
    app.router.add_post("/apis/authentication.k8s.io/v1/tokenreviews", review)
    async with served(app) as address:
        yield address


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = system.free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def test_kubernetes(openbao: OpenBao, tmp_path: Path) -> None:
    now = int(time.time())
    claims = {
        "kubernetes.io": {"namespace": "data", "serviceaccount": {"name": "wicket", "uid": "1"}},
        "sub": "system:serviceaccount:data:wicket",
        "nbf": now - 60,
        "iat": now - 60,
        "exp": now + 600,
    }
    jwt = f"{_part({'alg': 'RS256', 'kid': 'a'})}.{_part(claims)}.c2ln"
    file = tmp_path / "jwt"
    file.write_text(jwt)
    async with kubernetes(lambda token: token == jwt) as cluster:
        await asyncio.to_thread(openbao.call, "POST", "sys/auth/kubernetes", {"type": "kubernetes"})
        config = {
            "kubernetes_host": cluster,
            "kubernetes_ca_cert": openbao.authority.root.read_text(),
            "token_reviewer_jwt": jwt,
            "disable_local_ca_jwt": True,
        }
        await asyncio.to_thread(openbao.call, "POST", "auth/kubernetes/config", config)
        role = {
            "bound_service_account_names": "wicket",
            "bound_service_account_namespaces": "data",
            "token_policies": "sales",
        }
        await asyncio.to_thread(openbao.call, "POST", "auth/kubernetes/role/wicket", role)
        wanted = {"role": "wicket", "jwt_file": str(file)}
        async with source(openbao, kubernetes=wanted) as held:
            assert await held.fetch(SALES) == CANARY
        file.write_text(f"{jwt}x")
        async with source(openbao, kubernetes=wanted) as held:
            assert await why(held.fetch(SALES)) == "vault corp: it refuses the sign-in by auth/kubernetes"


async def test_a_namespace(openbao: OpenBao) -> None:
    openbao.call("POST", "sys/namespaces/teams", {})
    openbao.call("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}}, namespace="teams")
    openbao.put("db/teams", {"password": "of-the-teams"}, namespace="teams")
    async with source(openbao, namespace="teams") as held:
        assert await held.fetch("corp:db/teams#password") == Secret(b"of-the-teams")
    async with source(openbao) as held:
        assert "there is nothing at secret/data/db/teams" in await why(held.fetch("corp:db/teams#password"))


async def test_a_rotated_secret_is_noticed_when_its_time_is_over(openbao: OpenBao) -> None:
    openbao.put("db/turns", {"password": "one"})
    clock = Clock()
    async with source(openbao, clock) as held:
        assert await held.fetch("corp:db/turns#password") == Secret(b"one")
        openbao.put("db/turns", {"password": "two"})
        clock.pass_seconds(29)
        assert await held.fetch("corp:db/turns#password") == Secret(b"one")
        clock.pass_seconds(2)
        assert await held.fetch("corp:db/turns#password") == Secret(b"two")
        openbao.call("DELETE", "secret/data/db/turns")
        clock.pass_seconds(31)
        assert "there is nothing at secret/data/db/turns" in await why(held.fetch("corp:db/turns#password"))


@pytest.mark.parametrize(
    ("locator", "said"),
    [
        ("corp:db/missing#password", "there is nothing at secret/data/db/missing"),
        ("corp:db/sales#pasword", "secret/data/db/sales has no field 'pasword'"),
        ("corp:db/sales#port", "the field 'port' of secret/data/db/sales is no text"),
        ("corp:db/sales#none", "the field 'none' of secret/data/db/sales is no text, empty, or too large"),
        ("corp:other/place#password", "permission denied for secret/data/other/place"),
        ("crop:db/sales#password", "the gateway knew no vault 'crop' when it started"),
    ],
)
async def test_what_is_not_there_is_told(openbao: OpenBao, locator: str, said: str) -> None:
    async with source(openbao, environment={"T": openbao.new_token("sales")}, token={"env": "T"}) as held:
        assert said in await why(held.fetch(locator))
        assert await held.fetch(SALES) == CANARY  # the others work on


async def test_a_wrong_token(openbao: OpenBao) -> None:
    for token, said in (
        ("s.c4naryc4naryc4naryc4nary", "it does not accept the token"),
        ("with\r\nX-Evil: c4nary", "BAO_TOKEN holds no token"),
        ("", "the environment has no BAO_TOKEN"),
    ):
        async with source(openbao, environment={"BAO_TOKEN": token}) as held:
            assert said in await why(held.fetch(SALES))


async def test_a_certificate_of_somebody_else(openbao: OpenBao) -> None:
    async with source(openbao, ca_file=None) as held:
        assert "its certificate is not trusted" in await why(held.fetch(SALES))
    async with source(openbao, ca_file="/nowhere/ca.pem") as held:
        assert "/nowhere/ca.pem can't be read" in await why(held.fetch(SALES))
    other = openbao.address.replace("127.0.0.1", "127.0.0.2")
    async with source(openbao, address=other) as held:  # nobody listens there, or not with this name
        assert "it can't be reached" in await why(held.fetch(SALES))


async def test_sealed_then_unsealed(openbao: OpenBao) -> None:
    clock = Clock()
    async with source(openbao, clock, cache_seconds=5.0) as held:
        assert await held.fetch(SALES) == CANARY
        openbao.seal()
        try:
            assert await held.fetch(SALES) == CANARY  # its time is not over
            clock.pass_seconds(6)
            assert "it is sealed, or not ready" in await why(held.fetch(SALES))
        finally:
            openbao.unseal()
        clock.pass_seconds(6)
        for _ in range(50):
            try:
                assert await held.fetch(SALES) == CANARY
                break
            except CredentialMissing:
                clock.pass_seconds(6)
                await asyncio.sleep(0.1)
        else:
            raise AssertionError("it stays sealed")


async def test_a_server_that_hangs_holds_nobody_for_long(openbao: OpenBao) -> None:
    async with source(openbao, timeout_seconds=0.3, cache_seconds=0.0) as held:
        assert await held.fetch(SALES) == CANARY
        system.halt(openbao.process.pid)
        try:
            loop = asyncio.get_running_loop()
            before = loop.time()
            answers = await asyncio.gather(*(why(held.fetch(SALES)) for _ in range(50)))
            assert set(answers) == {"vault corp: no answer in 0.3 s"}
            assert loop.time() - before < 10  # one after the other: 15 s
        finally:
            openbao.process.send_signal(signal.SIGCONT)
