"""The control process and real workers, whole."""

import asyncio
import json
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from control.node import Client, Node, alive, apart, running
from wicketgate.control.attempts import FREE_SOURCE
from wicketgate.journal.checkpoint import Position, parse_checkpoint
from wicketgate.journal.report import Report
from wicketgate.journal.verify import verify
from wicketgate.model.decision import Denial
from wicketgate.model.errors import PolicyError
from worker.echo import Target


async def test_a_session_from_sign_in_to_close(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}) as node:
        client = await node.client()
        assert await client.ask(b"echo hello") == b"hello\n"
        assert await client.ask(b"drop it") == b"! policy: Dropping is not done here.\n"
        assert await client.ask(b"echo on") == b"on\n"
        assert target.seen == [b"echo hello", b"echo on"]
        [row] = node.face.sessions()
        assert (row.identity, row.resource, row.account, row.source) == ("bot", "main", "reader", "127.0.0.1")
        await client.close()
        await node.until(lambda: not node.face.sessions())
        kinds = [line["k"] for line in node.lines() if line.get("s") == row.session]
        assert kinds == ["open", "ask", "answer", "deny", "ask", "answer", "close"]
        await node.until(lambda: len(node.store.checkpoints) > 0)
        await node.until(lambda: node.face.standing().counters.get("sessions_closed") == 1)


async def test_a_wrong_token_and_a_wrong_resource_get_the_same_answer(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}) as node:
        answers = set()
        for token, resource in (("bad", "main"), ("good", "other")):
            client = await Client.connect(node.port)
            answers.add(await client.sign_in(token, resource))
            assert await client.line() == b""
            await client.close()
        assert answers == {b"! sign-in: Access is not allowed.\n"}
        assert target.bindings == []


async def spread(node: Node, workers: int) -> dict[int, Client]:
    """A signed-in client on each worker."""
    found: dict[int, Client] = {}
    async with asyncio.timeout(20):
        while len(found) < workers:
            client = await node.client()
            worker = client.number >> 18 & 31
            if worker in found:
                await client.close()
            else:
                found[worker] = client
    return found


async def test_a_killed_worker_is_replaced_and_others_keep_going(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}, workers=2) as node:
        clients = await spread(node, 2)
        before = node.face.standing().pids
        os.kill(before[0], signal.SIGKILL)
        assert await clients[0].line() == b""
        assert await clients[1].ask(b"echo still") == b"still\n"
        await node.until(lambda: node.face.standing().live == 2 and node.face.standing().pids[0] != before[0])
        assert node.face.standing().pids[1] == before[1]
        assert {row.worker for row in node.face.sessions()} == {1}
        again = await spread(node, 2)
        assert await again[0].ask(b"echo again") == b"again\n"


async def test_what_a_killed_worker_left_is_recorded_once(tmp_path: Path) -> None:
    async with Target() as target:
        async with running(tmp_path, {"main": {"port": target.port}}) as node:
            client = await node.client()
            assert await client.ask(b"echo one") == b"one\n"
            os.kill(node.face.standing().pids[0], signal.SIGKILL)
            await node.until(lambda: any(line["k"] == "orphan" for line in node.lines()))
            asked = [line["text"] for line in node.lines() if line["k"] == "ask"]
            assert asked == ["echo one"]
        async with running(tmp_path, {"main": {"port": target.port}}) as node:
            assert sum(line["k"] == "orphan" for line in node.lines()) == 1


async def test_a_worker_ends_with_its_link(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}) as node:
        client = await node.client()
        child = node.control.children.living[0]
        child.link.close("told by a test")
        assert await client.line() == b"! unavailable: The gateway lost its control process.\n"
        assert await child.process.wait() == 0
        closed = [line for line in node.lines() if line["k"] == "close"]
        assert [line["o"]["reason"] for line in closed] == ["lost"]


async def test_a_cancel_reaches_the_worker_that_has_the_session(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}, workers=2) as node:
        clients = await spread(node, 2)
        wrong = bytes(32)
        await clients[0].say(b"stuck")
        assert await clients[0].line() == b"waiting\n"
        for _ in range(4):
            stranger = await Client.connect(node.port)
            await stranger.say(f"CANCEL {clients[0].number} {wrong.hex()}".encode())
            assert await stranger.line() == b""
        assert target.cancelled == 0
        target.stuck[0].set()
        assert await clients[0].line() == b"cancelled\n"
        assert await clients[0].line() == b".\n"
        # However the kernel spreads these, some reach the other worker: none may be lost.
        for index in range(8):
            client = clients[index % 2]
            assert await client.ask(b"echo next") == b"next\n"
            await client.say(b"stuck")
            assert await client.line() == b"waiting\n"
            canceller = await Client.connect(node.port)
            await canceller.say(f"CANCEL {client.number} {client.proof[:4].hex()}".encode())
            assert await canceller.line() == b""
            canceller = await Client.connect(node.port)
            await canceller.say(f"CANCEL {client.number} {client.proof.hex()}".encode())
            assert await canceller.line() == b""
            assert await client.line() == b"cancelled\n"
            assert await client.line() == b".\n"
        assert target.cancelled == 8


async def test_a_revoked_token_ends_its_sessions_on_every_worker(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}, workers=2) as node:
        clients = await spread(node, 2)
        await asyncio.wrap_future(node.face.put("tokens", "good", None))
        for client in clients.values():
            assert await client.line() == b"! revoked: Your access was revoked.\n"
            assert await client.line() == b""
        client = await Client.connect(node.port)
        assert await client.sign_in() == b"! sign-in: Access is not allowed.\n"
        await asyncio.wrap_future(node.face.put("tokens", "good", {"identity": "bot"}))
        await node.client()


async def test_attempts_are_counted_together_from_every_thread(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}) as node:

        async def attempt(outcome: str, identity: str | None = None) -> int:
            return await asyncio.wrap_future(node.face.attempt(outcome, "10.0.0.9", identity))

        waits = [await attempt("failed") for _ in range(FREE_SOURCE + 1)]
        assert waits == [0] * FREE_SOURCE + [2]
        assert node.control.attempts.wait("10.0.0.9", "bot") > 0
        with pytest.raises(ValueError, match="outcome"):
            await attempt("good")
        assert await attempt("good", "bot") == 0


async def test_an_operator_ends_one_session(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}) as node:
        one, two = await node.client(), await node.client()
        await node.until(lambda: len(node.face.sessions()) == 2)
        first = min(node.face.sessions(), key=lambda row: row.opened)
        assert await asyncio.wrap_future(node.face.end_session(first.session))
        assert await one.line() == b"! shutdown: An operator ended this session.\n"
        assert await two.ask(b"echo on") == b"on\n"
        assert not await asyncio.wrap_future(node.face.end_session("0" * 32))
        with pytest.raises(ValueError, match="not a section"):
            node.face.put("policy", "text", {})


async def test_the_policy_is_reloaded_whole_or_not_at_all(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}) as node:
        (tmp_path / "wicket.json").write_text("{")
        with pytest.raises(PolicyError):
            await asyncio.wrap_future(node.face.reload_policy())
        assert node.face.standing().policy_error is not None
        await node.client()
        (tmp_path / "wicket.json").write_text(json.dumps({"other": {"port": target.port}}))
        os.kill(os.getpid(), signal.SIGHUP)
        await node.until(lambda: node.face.policy() is not None and "other" in node.face.policy().resources)
        client = await Client.connect(node.port)
        assert (await client.sign_in(resource="main")).startswith(b"! sign-in")
        client = await Client.connect(node.port)
        assert (await client.sign_in(resource="other")).startswith(b"key ")


async def test_accounts_come_and_go_with_the_policy_that_declares_them(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}) as node:
        open_one = await node.client()
        node.store.tokens = {"fresh": {"identity": "bot"}}
        await asyncio.wrap_future(node.face.reload_policy())
        client = await Client.connect(node.port)
        assert (await client.sign_in(token="fresh")).startswith(b"key ")
        assert (await open_one.line()).startswith(b"! revoked")
        node.store.away = True
        (tmp_path / "wicket.json").write_text(json.dumps({"other": {"port": target.port}}))
        assert "other" in (await asyncio.wrap_future(node.face.reload_policy())).resources
        node.store.away = False


async def test_a_secret_is_decided_again_before_it_leaves(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}) as node:
        node.policy.denial = Denial("policy", "Access is not allowed.", "changed meanwhile")
        client = await Client.connect(node.port)
        assert await client.sign_in() == b"! unavailable: Access is not allowed.\n"
        assert target.bindings == []
        await node.until(lambda: any(line["k"] == "close" for line in node.lines()))
        assert [line["o"]["reason"] for line in node.lines() if line["k"] == "close"] == ["upstream"]


async def test_a_drain_lets_what_is_in_flight_finish(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}, workers=2) as node:
        idle, busy = await node.client(), await node.client()
        await busy.say(b"stuck")
        assert await busy.line() == b"waiting\n"
        node.control.stop()
        assert await idle.line() == b"! shutdown: The gateway is shutting down.\n"
        async with asyncio.timeout(10):
            with suppress(OSError):
                while True:
                    await (await Client.connect(node.port)).close()
        target.stuck[0].set()
        assert await busy.line() == b"cancelled\n"
        assert await busy.line() == b".\n"
        assert await busy.line() == b"! shutdown: The gateway is shutting down.\n"
        assert await busy.line() == b""


async def test_a_drain_is_bounded(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}, drain=0.2) as node:
        busy = await node.client()
        await busy.say(b"stuck")
        assert await busy.line() == b"waiting\n"
        node.control.stop()
        assert await busy.line() == b"! shutdown: The gateway is shutting down.\n"
        assert await busy.line() == b""


async def test_checkpoints_cover_every_writer_up_to_its_end(tmp_path: Path) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}, workers=2) as node:
        for client in (await spread(node, 2)).values():
            await client.ask(b"echo x")
    last: dict[str, Position] = {}
    numbers = []
    for number, raw in node.store.checkpoints:
        numbers.append(number)
        last |= {position.writer: position for position in parse_checkpoint(raw).writers}
    assert numbers == list(range(1, len(numbers) + 1))
    assert node.store.closed  # after the last checkpoint was kept: none may be asked of it then
    ends: dict[str, int] = {}
    for line in node.lines():
        if line["k"] != "checkpoint" or line["w"] not in ends:
            ends[line["w"]] = line["n"]
    for writer, position in last.items():
        if writer != node.control.ports.journal.writer:
            assert position.n >= ends[writer] - 1  # the seal's own line is behind what it seals
    assert len(last) == 3


async def test_without_the_store_nobody_new_is_let_in_and_then_nobody_stays(tmp_path: Path) -> None:
    policy: dict[str, Any] = {"port": 0}
    async with Target() as target:
        policy["port"] = target.port
        async with running(tmp_path, {"main": policy}, store_grace=0.2, store_every=0.1) as node:
            client = await node.client()
            node.store.away = True
            await node.until(lambda: node.face.standing().store_away)
            assert await client.line() == b"! shutdown: The gateway's store is away.\n"
            late = await Client.connect(node.port)
            assert (await late.sign_in()).startswith(b"! unavailable")
            node.store.away = False
            await node.until(lambda: not node.face.standing().store_away)
            got = b"!"
            while got.startswith(b"!"):
                again = await Client.connect(node.port)
                got = await again.sign_in()


async def test_catalogs_are_read_noticed_and_read_again_when_stale(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog"
    catalog.write_text("one")
    async with Target() as target:
        policy = {"main": {"port": target.port, "catalog": str(catalog), "sensitive": True}}
        async with running(tmp_path, policy, catalog_every=0.05) as node:
            client = await node.client()
            await client.say(b"catalog")
            assert await client.line() == b"catalog one\n"
            catalog.write_text("two")
            async with asyncio.timeout(20):
                while True:
                    await client.say(b"catalog")
                    if await client.line() == b"catalog two\n":
                        break
            await client.say(b"newer")
            assert await client.line() == b"newer\n"


async def test_a_resource_with_sensitive_columns_is_closed_without_its_catalog(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog"
    async with Target() as target:
        each = {"port": target.port, "catalog": str(catalog)}
        async with running(tmp_path, {"main": each | {"sensitive": True}, "open": each}) as node:
            client = await Client.connect(node.port)
            assert await client.sign_in() == b"! unavailable: This resource is closed for now.\n"
            client = await Client.connect(node.port)
            assert (await client.sign_in(resource="open")).startswith(b"key ")
            why = node.face.standing().catalogs["main/main"]
            assert why is not None
            assert "No such file" in why
            catalog.write_text("here")
            await node.until(lambda: node.face.standing().catalogs["main/main"] is None)
            await node.client()


def check_journal(node: Node, public: bytes) -> Report:
    """What `wicket sessions verify` would say; it must be sound."""
    checkpoints = [parse_checkpoint(raw) for _, raw in node.store.checkpoints]
    report = verify(node.folder / "journal", checkpoints, public)
    assert report.sound, report.findings
    return report


async def test_the_journal_verifies_after_a_killed_worker_and_a_restart(tmp_path: Path) -> None:
    async with Target() as target:
        policy = {"main": {"port": target.port}}
        async with running(tmp_path, policy, workers=2) as node:
            for client in (await spread(node, 2)).values():
                await client.ask(b"echo x")
            os.kill(node.face.standing().pids[0], signal.SIGKILL)
            await node.until(lambda: any(line["k"] == "orphan" for line in node.lines()))
            signing = node.control.ports.signing
        first = check_journal(node, signing.public)
        assert first.checkpoints > 0
        assert first.sessions_open == 1
        async with running(tmp_path, policy, store=node.store, signing=signing) as node:
            client = await node.client()
            await client.ask(b"echo y")
        assert check_journal(node, signing.public).checkpoints > first.checkpoints


async def test_a_killed_control_process_takes_its_workers_along(tmp_path: Path) -> None:
    async with Target() as target:
        async with apart(tmp_path, {"main": {"port": target.port}}) as (process, port, workers):
            client = await Client.connect(port)
            assert (await client.sign_in()).startswith(b"key ")
            assert await client.ask(b"echo one") == b"one\n"
            process.kill()
            assert await client.line() == b"! unavailable: The gateway lost its control process.\n"
            assert await client.line() == b""
            for pid in workers:
                async with asyncio.timeout(20):
                    while alive(pid):  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
        async with running(tmp_path, {"main": {"port": target.port}}) as node:
            lines = node.lines()
            assert [line["text"] for line in lines if line["k"] == "ask"] == ["echo one"]
            assert [line["o"]["reason"] for line in lines if line["k"] == "close"] == ["lost"]


async def test_a_terminated_control_process_drains(tmp_path: Path) -> None:
    async with Target() as target, apart(tmp_path, {"main": {"port": target.port}}) as (process, port, _):
        client = await Client.connect(port)
        assert (await client.sign_in()).startswith(b"key ")
        process.terminate()
        assert await client.line() == b"! shutdown: The gateway is shutting down.\n"
        async with asyncio.timeout(20):
            assert await process.wait() == 0


async def test_a_silent_control_process_holds_work_and_then_ends_it(tmp_path: Path) -> None:
    worker = {"hold_seconds": 0.6, "end_seconds": 3.0}
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}, worker=worker) as node:
        client = await node.client()
        [beat] = [task for task in node.control._tasks.running if task.get_name() == "commits"]
        beat.cancel()
        async with asyncio.timeout(20):
            held = asyncio.create_task(client.ask(b"echo 0"))
            count = 0
            while True:
                # Asked until one question is held; then the commits come back.
                done, _ = await asyncio.wait([held], timeout=0.4)
                if not done:
                    break
                count += 1
                held = asyncio.create_task(client.ask(b"echo %d" % count))
        again = node.control.start(node.control._beat(), "commits")
        assert await held == b"%d\n" % count
        again.cancel()
        assert await client.line() == b"! unavailable: The gateway lost its control process.\n"
        assert await client.line() == b""


async def test_too_many_sessions_of_one_identity(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"sessions_per_identity": 2}
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}, **settings) as node:
        first, _ = await node.client(), await node.client()
        late = await Client.connect(node.port)
        assert await late.sign_in() == b"! limit: Too many open sessions.\n"
        await first.close()
        await node.until(lambda: len(node.face.sessions()) == 1)
        await node.client()
