"""Accepting clients: TLS both ways, injection, half-open handshakes by the hundred."""

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path

import pytest

from control.node import Client, make_certificates, running
from wicketgate.worker.listen import HandshakeLimits, Porch, plain_address
from worker.echo import Target


def descriptors(pid: int) -> int:
    """How many a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def test_tls_is_asked_for_in_plain_text(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}, plain=False) as node:
        client = await Client.connect(node.port, node.client_context)
        assert (await client.sign_in()).startswith(b"key ")
        assert await client.ask(b"echo secure") == b"secure\n"
        client = await Client.connect(node.port)
        client.writer.write(b"GSS\n")
        assert await client.reader.readexactly(1) == b"N"
        client.writer.write(b"T")
        await client.writer.drain()
        client.writer.write(b"LS\n")
        assert await client.reader.readexactly(1) == b"S"
        await client.writer.start_tls(node.client_context, server_hostname="localhost")
        assert (await client.sign_in()).startswith(b"key ")


async def test_direct_tls_needs_its_alpn(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}, plain=False) as node:
        node.client_context.set_alpn_protocols(["echo"])
        client = await Client.connect(node.port, node.client_context, direct=True)
        assert (await client.sign_in()).startswith(b"key ")
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        client = await Client.connect(node.port, context, direct=True)
        got = b""
        with contextlib.suppress(OSError):
            got = await client.sign_in()
        assert got == b""


async def test_plain_text_is_refused_unless_allowed(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}, plain=False) as node:
        client = await Client.connect(node.port)
        assert await client.sign_in() == b"! TLS is wanted\n"
        assert await client.line() == b""
        client = await Client.connect(node.port)
        await client.say(b"BAD")
        assert await client.line() == b"no\n"
        assert await client.line() == b""


async def test_old_tls_is_refused(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}) as node:
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(OSError, match=r"(?i)ssl|tls|reset|protocol|cipher"):
            await Client.connect(node.port, context)


async def test_bytes_injected_before_tls_are_refused(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}) as node:
        client = await Client.connect(node.port)
        client.writer.write(b"TLS\nHELLO bot good main\n")
        answer = b""
        with contextlib.suppress(OSError):
            answer = await client.reader.read(100)
        assert answer == b""
        assert target.bindings == []


async def test_client_certificates_are_verified(tmp_path: Path) -> None:
    ca = make_certificates(tmp_path)
    mine, foreign = ca.issue_cert("client@bot"), type(ca)().issue_cert("client@bot")
    settings = {"client_ca": str(tmp_path / "ca.pem")}
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}, **settings) as node:
        mine.configure_cert(node.client_context)
        client = await Client.connect(node.port, node.client_context)
        assert (await client.sign_in()).startswith(b"key ")
        context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        foreign.configure_cert(context)
        got = b""
        try:
            client = await Client.connect(node.port, context)
            got = await client.sign_in()
        except OSError:
            pass
        assert got == b""


async def test_half_open_handshakes_hinder_nobody(tmp_path: Path) -> None:
    worker = {"handshake_seconds": 2.0, "handshakes_per_source": 400}
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}, worker=worker) as node:
        working = await Client.connect(node.port, node.client_context)
        assert (await working.sign_in()).startswith(b"key ")
        half = []
        for index in range(300):
            _, writer = await asyncio.open_connection("127.0.0.1", node.port)
            writer.write((b"", b"T", b"TLS\n", b"\x16", b"\x16\x03\x01\x02", b"HELLO bot")[index % 6])
            half.append(writer)
            if index % 50 == 0:
                assert await working.ask(b"echo on") == b"on\n"
        newcomer = await Client.connect(node.port, node.client_context)
        assert (await newcomer.sign_in()).startswith(b"key ")
        assert await working.ask(b"echo on") == b"on\n"
        # The deadline ends them all, and nothing of them stays open.
        pid = node.face.standing().pids[0]
        await node.until(lambda: descriptors(pid) < 100)
        for writer in half:
            writer.close()


async def test_above_the_bound_the_oldest_goes(tmp_path: Path) -> None:
    worker = {"handshake_seconds": 20.0, "handshakes_per_source": 5}
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}, worker=worker) as node:
        half = [await Client.connect(node.port) for _ in range(6)]
        assert await half[0].line() == b""
        assert (await half[5].sign_in()).startswith(b"key ")


def test_the_porch_evicts_from_the_source_with_most() -> None:
    gone: list[str] = []
    porch = Porch(HandshakeLimits(most=4, per_source=3))
    for source, visit in (("a", "a1"), ("b", "b1"), ("a", "a2"), ("a", "a3"), ("b", "b2"), ("a", "a4")):
        porch.enter(source, visit, lambda visit=visit: gone.append(visit))  # type: ignore[misc]
    assert gone == ["a1", "a2"] or gone == ["a1", "b1"]
    assert len(porch) == 4
    for source, visit in (("a", "a1"), ("a", "a2"), ("a", "a3"), ("a", "a4"), ("b", "b1"), ("b", "b2")):
        porch.leave(source, visit)
    assert len(porch) == 0


@pytest.mark.parametrize(
    ("address", "plain"),
    [("::ffff:10.0.0.1", "10.0.0.1"), ("fe80::1%eth0", "fe80::1"), ("127.0.0.1", "127.0.0.1")],
)
def test_addresses_are_plain(address: str, plain: str) -> None:
    assert plain_address(address) == plain


async def test_a_client_that_resets_leaves_nothing(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}) as node:
        pid = node.face.standing().pids[0]
        before = descriptors(pid)
        for _ in range(20):
            client = socket.create_connection(("127.0.0.1", node.port))
            client.send(b"TLS\n\x16")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
        await node.until(lambda: descriptors(pid) <= before)
        await node.client()
