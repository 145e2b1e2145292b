"""Dialling a target: TLS as its resource says, bindings, resumption, and what is kept."""

import asyncio
import hashlib
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding

from control.node import Client, running
from wicketgate.model.errors import UpstreamFailed
from wicketgate.model.resource import Account, CredentialReference, Resource, TlsMode
from wicketgate.model.secret import Secret
from wicketgate.protocols.base import Call
from wicketgate.worker.dial import Dialer, end_point_hash
from worker.echo import ECHO, Caller, Target

ACCOUNT = Account("reader", "ro", CredentialReference("none", ""), "1")


def server_side(folder: Path, *names: str) -> tuple[ssl.SSLContext, str, bytes]:
    """A target's TLS, the CA's file, and the certificate (DER)."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "target-ca.pem"))
    issued = ca.issue_cert(*names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    certificate = x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes())
    return context, str(folder / "target-ca.pem"), certificate.public_bytes(Encoding.DER)


def resource(port: int, tls: str, ca: str | None = None, host: str = "127.0.0.1") -> Resource:
    return Resource("main", "echo", host, port, ("main",), TlsMode(tls), {"reader": ACCOUNT}, ca_file=ca)


async def dial(dialer: Dialer, to: Resource, secret: bytes = b"s3cret") -> Any:
    async def give() -> Secret:
        return Secret(secret)

    def call(keys: dict[Any, Any]) -> Call:
        return Call(to, ACCOUNT, "main", False, None, keys)

    return await dialer.dial(ECHO, call, to, ACCOUNT, give)


def make_dialer(seconds: float = 5.0) -> Dialer:
    return Dialer(seconds, lambda resource, account: account.version)


@pytest.mark.parametrize(
    ("names", "tls", "trusted", "works"),
    [
        (["127.0.0.1"], "disable", True, True),
        (["other.test"], "require", False, True),
        (["other.test"], "verify-ca", True, True),
        (["other.test"], "verify-ca", False, False),
        (["127.0.0.1"], "verify-full", True, True),
        (["other.test"], "verify-full", True, False),
        (["127.0.0.1"], "verify-full", False, False),
    ],
)
async def test_tls_as_the_resource_says(
    tmp_path: Path, names: list[str], tls: str, trusted: bool, works: bool
) -> None:
    context, ca, certificate = server_side(tmp_path, *names)
    async with Target(context) as target:
        to = resource(target.port, tls, ca if trusted else None)
        if not works:
            with pytest.raises(UpstreamFailed) as error:
                await dial(make_dialer(), to)
            assert "certificate" in error.value.detail
            assert "certificate" not in error.value.public
            assert target.bindings == []
            return
        dialled = await dial(make_dialer(), to)
        dialled.transport.abort()
        binding = "-" if tls == "disable" else hashlib.sha256(certificate).hexdigest()
        assert target.bindings == [binding]


async def test_no_plain_text_where_tls_is_wanted() -> None:
    async with Target(None) as target:
        with pytest.raises(UpstreamFailed) as error:
            await dial(make_dialer(), resource(target.port, "require"))
        assert "no TLS" in error.value.detail
        assert target.bindings == []


async def test_tls_sessions_are_resumed(tmp_path: Path) -> None:
    context, ca, _ = server_side(tmp_path, "127.0.0.1")
    dialer = make_dialer()
    async with Target(context) as target:
        for _ in range(3):
            dialled = await dial(dialer, resource(target.port, "verify-full", ca))
            dialled.transport.abort()
        assert target.resumed == [False, True, True]
        assert len(set(target.bindings)) == 1


async def test_a_wrong_password_and_a_dead_target() -> None:
    async with Target() as target:
        with pytest.raises(UpstreamFailed) as error:
            await dial(make_dialer(), resource(target.port, "disable"), b"wrong")
        assert error.value.detail == "wrong password (28P01)"
        with pytest.raises(UpstreamFailed, match="refuses a setting"):
            await dial(make_dialer(), resource(target.port, "disable"), b"setting")
        port = target.port
    with pytest.raises(UpstreamFailed, match=r"can't be reached"):
        await dial(make_dialer(), resource(port, "disable"))


async def test_a_silent_target_is_given_up() -> None:
    async with await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(UpstreamFailed) as error:
            await dial(make_dialer(0.2), resource(port, "require"))
        assert error.value.detail == "timed out"


async def test_keys_go_with_the_version_and_after_the_last_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wicketgate.worker.dial.KEYS_KEPT", 0.0)
    versions = {"reader": "1"}
    dialer = Dialer(5.0, lambda resource, account: versions[account.name])
    seen: list[dict[Any, Any]] = []
    monkeypatch.setattr(Caller, "__init__", _remember(Caller.__init__, seen))
    async with Target() as target:
        to = resource(target.port, "disable")
        for _ in range(2):
            dialer.acquire(to, ACCOUNT)
            (await dial(dialer, to)).transport.abort()
            seen[-1]["key"] = "x"
        assert seen[0] is seen[1]
        versions["reader"] = "2"
        dialer.review(lambda name: to)
        assert seen[0] == {}
        (await dial(dialer, to)).transport.abort()
        assert seen[2] is not seen[0]
        seen[2]["key"] = "y"
        dialer.release(to, ACCOUNT)
        await asyncio.sleep(0.01)
        assert seen[2] == {"key": "y"}
        dialer.release(to, ACCOUNT)
        await asyncio.sleep(0.01)
        assert seen[2] == {}


def _remember(init: Any, seen: list[dict[Any, Any]]) -> Any:
    def remembering(self: Any, call: Call) -> None:
        seen.append(call.keys)
        init(self, call)

    return remembering


async def test_a_session_over_verified_tls(tmp_path: Path) -> None:
    context, ca, _ = server_side(tmp_path, "localhost")
    async with Target(context) as target:
        policy = {"main": {"port": target.port, "tls": "verify-full", "ca": ca, "host": "localhost"}}
        async with running(tmp_path, policy) as node:
            client = await node.client()
            await client.say(b"stuck")
            assert await client.line() == b"waiting\n"
            canceller = await Client.connect(node.port)
            await canceller.say(f"CANCEL {client.number} {client.proof.hex()}".encode())
            assert await client.line() == b"cancelled\n"


@pytest.mark.parametrize(
    ("algorithm", "name"),
    [(hashes.SHA256(), "sha256"), (hashes.SHA384(), "sha384"), (hashes.SHA512(), "sha512")],
)
def test_the_binding_uses_the_signature_s_hash(algorithm: Any, name: str) -> None:
    raw = _certificate(ec.generate_private_key(ec.SECP256R1()), algorithm)
    assert end_point_hash(raw) == hashlib.new(name, raw).digest()


def test_ed25519_has_no_binding() -> None:
    assert end_point_hash(_certificate(ed25519.Ed25519PrivateKey.generate(), None)) is None


def _certificate(key: Any, algorithm: Any) -> bytes:
    import datetime

    name = x509.Name([])
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, algorithm)
        .public_bytes(Encoding.DER)
    )
