"""AWS Secrets Manager and KMS, played by moto's server; and by servers that are worse."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from aiohttp import web
from moto.server import ThreadedMotoServer

from custody.test_openbao import served
from custody.test_own import everything, vault, why
from servers import system
from wicketgate.custody.aws import Aws, AwsSource, KmsKeys
from wicketgate.custody.settings import AwsSettings
from wicketgate.model.secret import Secret

CANARY = Secret(b"c4nary-of-aws")


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The address of a server that plays AWS."""
    server = ThreadedMotoServer("127.0.0.1", system.free_port(), verbose=False)
    server.start()
    yield f"http://127.0.0.1:{server._port}"
    server.stop()


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "c4nary-key")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def aws(url: str, service: str = "secretsmanager", **more: Any) -> Aws:
    settings = {"region": "eu-central-1", "timeout_seconds": 20, **more}
    return Aws(AwsSettings.model_validate(settings), service, url)


def client(moto: str, service: str) -> Any:
    return boto3.client(service, region_name="eu-central-1", endpoint_url=moto)


async def test_secrets_manager(moto: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    manager = client(moto, "secretsmanager")
    arn = manager.create_secret(Name="prod/sales", SecretString='{"password": "c4nary-of-aws", "n": 1}')[
        "ARN"
    ]
    manager.create_secret(Name="whole", SecretString="c4nary-of-aws")
    manager.create_secret(Name="binary", SecretBinary=b"c4nary-of-aws")
    caplog.clear()  # boto3 itself says all; we must not
    source = AwsSource(aws(moto))
    for locator in ("prod/sales#password", f"{arn}#password", "whole", "binary"):
        found = await source.fetch(locator)
        assert (found.secret, found.keep) == (CANARY, 60.0)
    manager.put_secret_value(SecretId="whole", SecretString="another")
    assert (await source.fetch("whole")).secret == Secret(b"another")
    for locator, said in (
        ("prod/none#password", "it refuses: ResourceNotFoundException"),
        ("prod/sales#pasword", "prod/sales has no field 'pasword'"),
        ("prod/sales#n", "prod/sales#n is no text, empty, or too large"),
        ("whole#password", "whole is no JSON object, so it has no field 'password'"),
        ("binary#password", "binary is no JSON object, so it has no field 'password'"),
    ):
        assert await why(source.fetch(locator)) == f"aws secretsmanager: {said}"
    await source.close()
    ours = [each.getMessage() for each in caplog.records if each.threadName.startswith("aws-")]
    assert "c4nary" not in "".join(ours)


async def test_kms_wraps_what_only_it_unwraps(moto: str, tmp_path: Path) -> None:
    kms = client(moto, "kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    async with vault(tmp_path, KmsKeys(aws(moto, "kms"), key)) as own:
        one = await own.put("one", CANARY, "local")
        two = await own.put("two", Secret(b"other"), "local")
        assert (await own.credential("one")).secret == CANARY
        assert await own.rotate() == (2, False)
        assert {version for _, version in await own.listed()} == {"kms:aws"}
        now = await own._rows.secret("one")
        assert now is not None
        assert await own._rows.replace_secret(replace(one, wrapped=two.wrapped), now)
        assert await why(own.credential("one")) == "aws kms: it refuses: InvalidCiphertextException"
    async with vault(tmp_path, KmsKeys(aws(moto, "kms"), "alias/none")) as own:
        assert "aws kms: it refuses: " in await why(own.credential("two"))
    async with vault(tmp_path) as own:
        assert "by other means than gateway.custody names" in await why(own.credential("two"))
    assert CANARY.reveal() not in everything(tmp_path)


async def test_without_credentials_of_ours(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    source = AwsSource(aws(moto))
    assert await why(source.fetch("whole")) == (
        "aws secretsmanager: no credentials of ours (environment, profile, role)"
    )
    other = AwsSource(aws(moto, profile="none"))
    assert await why(other.fetch("whole")) == (
        "aws secretsmanager: it does not answer as it should (ProfileNotFound)"
    )


Answer = Callable[[web.Request], Any]


async def _slow(request: web.Request) -> web.Response:
    await asyncio.sleep(3)
    return web.Response()


async def _garbage(request: web.Request) -> web.Response:
    return web.Response(body=b"c4nary", content_type="application/x-amz-json-1.1")


async def _refusal(request: web.Request) -> web.Response:
    body = {"__type": "c4nary 1<>", "message": "c4nary"}
    return web.json_response(body, status=400, content_type="application/x-amz-json-1.1")


async def _elsewhere(request: web.Request) -> web.Response:
    return web.Response(status=307, headers={"Location": "http://127.0.0.1:1/"})


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (_slow, "no answer in 0.3 s"),
        (_garbage, "whole is no text, empty, or too large"),
        (_refusal, "it refuses: no reason known"),
        (_elsewhere, "aws secretsmanager: it"),
    ],
)
async def test_servers_that_are_worse(answer: Answer, said: str) -> None:
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", answer)
    async with served(app) as address:
        source = AwsSource(aws(address, timeout_seconds=0.3 if answer is _slow else 2.0))
        before = time.monotonic()
        assert said in await why(source.fetch("whole"))
        assert time.monotonic() - before < 2.5
        await source.close()


async def test_nobody_listens() -> None:
    source = AwsSource(aws(f"http://127.0.0.1:{system.free_port()}"))
    assert await why(source.fetch("whole")) == (
        "aws secretsmanager: it does not answer as it should (EndpointConnectionError)"
    )
