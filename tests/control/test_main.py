"""The control process and real workers, whole."""

from pathlib import Path

from control.node import Client, running
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
