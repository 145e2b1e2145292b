"""Open sessions: slow readers, faults, a journal that fails, targets and clients that vanish."""

import asyncio
from pathlib import Path

from control.node import Client, running
from worker.echo import Target


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


async def test_a_slow_reader_bounds_memory_and_hinders_nobody(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}) as node:
        pid = node.face.standing().pids[0]
        other, slow = await node.client(), await node.client(limit=4096)
        assert await other.ask(b"echo on") == b"on\n"
        before = resident(pid)
        size = 200 << 20
        await slow.say(b"big %d" % size)
        for _ in range(50):
            assert await other.ask(b"echo on") == b"on\n"
            await asyncio.sleep(0.01)
        assert resident(pid) - before < 32 << 20
        # It was held, not lost.
        got = 0
        while got < size // 65536 * 65536:
            got += len(await slow.reader.read(1 << 20))
        assert resident(pid) - before < 32 << 20


async def test_a_fault_ends_its_session_alone(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}) as node:
        one, two = await node.client(), await node.client()
        await one.say(b"echo first\nfault")
        assert await one.line() == b""
        assert await two.ask(b"echo on") == b"on\n"
        await node.until(lambda: any(line["k"] == "close" for line in node.lines()))
        assert [x["o"]["reason"] for x in node.lines() if x["k"] == "close"] == ["protocol-error"]


async def test_nothing_passes_that_the_journal_did_not_take(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}) as node:
        one, two = await node.client(), await node.client()
        assert await one.ask(b"echo first") == b"first\n"
        pid = node.face.standing().pids[0]
        (tmp_path / "broken").touch()
        await one.say(b"echo second")
        told = b"! unavailable: The session's record can't be written, so nothing may pass.\n"
        assert await one.line() == told
        assert await two.line() == told
        assert await one.line() == b""
        assert target.seen == [b"echo first"]
        late = await Client.connect(node.port)
        assert await late.sign_in() == told
        # The worker that lost its journal is replaced.
        (tmp_path / "broken").unlink()
        await node.until(lambda: node.face.standing().pids.get(0, pid) != pid)
        await node.ready()
        await node.client()


async def test_without_a_journal_a_worker_only_refuses(tmp_path: Path) -> None:
    (tmp_path / "unopenable").touch()
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}) as node:
        client = await Client.connect(node.port)
        assert (await client.sign_in()).startswith(b"! unavailable: The session's record")
        assert target.bindings == []


async def test_the_target_vanishes(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}) as node:
        client = await node.client()
        await client.say(b"quit")
        assert await client.line() == b"! upstream\n"
        assert await client.line() == b""
        await node.until(lambda: any(line["k"] == "close" for line in node.lines()))
        assert [x["o"]["reason"] for x in node.lines() if x["k"] == "close"] == ["upstream"]


async def test_the_client_vanishes_while_its_statement_runs(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}) as node:
        client = await node.client()
        await client.say(b"stuck")
        assert await client.line() == b"waiting\n"
        client.writer.transport.abort()
        await node.until(lambda: not node.face.sessions())
        assert [x["o"]["reason"] for x in node.lines() if x["k"] == "close"] == ["client"]


async def test_pipelined_lines_are_one_turn(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}) as node:
        client = await node.client()
        await client.say(b"\n".join(b"echo %d" % index for index in range(200)))
        for index in range(200):
            assert await client.line() == b"%d\n" % index
            assert await client.line() == b".\n"
        asked = [line for line in node.lines() if line["k"] == "ask"]
        assert len(asked) == 200


async def test_bytes_behind_the_sign_in_are_not_lost(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}) as node:
        client = await Client.connect(node.port)
        await client.say(b"HELLO bot good main\necho early")
        assert (await client.line()).startswith(b"key ")
        assert await client.line() == b"early\n"
