"""How a policy comes to hold on real workers: whole, on all of them, and never an older one."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from control.node import Client, FilePolicy, Node, running
from servers import system
from wicketgate.control import adoption
from wicketgate.control.ports import LoadedPolicy
from wicketgate.model.errors import GatewayError, JournalFailed, PolicyError, StoreFailed
from worker.echo import Target, resources


class StorePolicy(FilePolicy):
    """Revisions in memory. failing: what the next reading raises."""

    def __init__(self, node: Node, first: str) -> None:
        super().__init__(Path())
        self.node = node
        self.texts = {1: first}
        self.failing: dict[int, GatewayError] = {}
        self.loads: list[int] = []

    async def newest(self) -> int | None:
        return max(self.texts)

    async def load(self) -> LoadedPolicy:
        number = max(self.texts)
        self.loads.append(number)
        if number in self.failing:
            raise self.failing[number]
        text = self.texts[number]
        return LoadedPolicy(text, "", f"digest {number}", resources(text), revision=number)

    async def make(self, text: str, record: Callable[[bytes], None]) -> LoadedPolicy:
        """A MakePolicy."""
        record(b'"do":"policy.apply"')
        self.texts[max(self.texts) + 1] = text
        return await self.load()


def take_over(node: Node, first: Any) -> StorePolicy:
    """The running node's policy comes from revisions from now on."""
    policy = StorePolicy(node, json.dumps(first))
    node.control.adoption._port = policy
    return policy


async def opens(node: Node, resource: str) -> bool:
    client = await Client.connect(node.port)
    try:
        return (await client.sign_in(resource=resource)).startswith(b"key ")
    finally:
        await client.close()


async def test_what_is_applied_holds_on_every_worker_before_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}, workers=2) as node:
        main = {"main": {"port": target.port}}
        other = {"other": {"port": target.port}}
        policy = take_over(node, main)
        committed: list[int] = []
        taken = node.control.adoption._taken

        async def noted(number: int) -> None:
            committed.append(number)
            await taken(number)

        monkeypatch.setattr(node.control.adoption, "_taken", noted)
        await asyncio.wrap_future(node.face.reload_policy())
        assert node.face.standing().policy_revision == 1
        for number, wanted in ((2, other), (3, main)):
            text = json.dumps(wanted)

            async def make(record: Callable[[bytes], None], text: str = text) -> LoadedPolicy:
                return await policy.make(text, record)

            made = await asyncio.wrap_future(node.face.apply_policy(make))
            assert made.revision == number
            # others may commit at any time: what counts is the number that the policy was committed under
            holds = [child.holds for child in node.control.children.living.values()]
            assert len(committed) == number
            assert len(holds) == 2
            assert min(holds) >= committed[-1]
            # asked at once, of either worker
            answers = await asyncio.gather(*(opens(node, next(iter(wanted))) for _ in range(6)))
            assert answers == [True] * 6
        written = b"".join(each.read_bytes() for each in (tmp_path / "journal").rglob("*.log"))
        assert written.count(b'"do":"policy.apply"') == 2


async def test_what_fails_leaves_what_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}) as node:
        policy = take_over(node, {"main": {"port": target.port}})
        await asyncio.wrap_future(node.face.reload_policy())

        async def full(record: Callable[[bytes], None]) -> LoadedPolicy:
            raise JournalFailed("the journal can't be written")

        with pytest.raises(JournalFailed):
            await asyncio.wrap_future(node.face.apply_policy(full))
        assert node.face.standing().policy_error is None

        async def make(record: Callable[[bytes], None]) -> LoadedPolicy:
            return await policy.make(json.dumps({"other": {"port": target.port}}), record)

        broken = True
        adopt = node.control.versions.adopt

        async def versions(found: Any) -> Any:
            if broken:
                raise RuntimeError("no memory")
            return await adopt(found)

        monkeypatch.setattr(node.control.versions, "adopt", versions)
        with pytest.raises(GatewayError, match="revision 2 is kept, but could not be made to hold"):
            await asyncio.wrap_future(node.face.apply_policy(make))
        assert "revision 2 is kept" in str(node.face.standing().policy_error)
        assert node.face.standing().policy_revision == 1
        assert await opens(node, "main")
        broken = False
        node.face.poke_policy()
        await node.until(lambda: node.face.standing().policy_revision == 2)
        assert node.face.standing().policy_error is None
        assert await opens(node, "other")


async def test_the_stores_newest_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without being told, too. What can't be loaded is told once and not tried at each look."""
    text = {"main": {}}
    async with (
        Target() as target,
        running(tmp_path, {"main": {"port": target.port}}, store_every=0.05) as node,
    ):
        text = {"main": {"port": target.port}}
        policy = take_over(node, text)
        await node.until(lambda: node.face.standing().policy_revision == 1)
        policy.failing[2] = PolicyError("revision 2: corp is no vault here")
        policy.texts[2] = json.dumps({"other": {"port": target.port}})
        await node.until(lambda: node.face.standing().policy_error is not None)
        tried = policy.loads.count(2)
        for _ in range(5):
            await node.control.adoption._look()
        assert policy.loads.count(2) == tried
        assert sum("corp is no vault" in line for line in node.log) == 1
        assert await opens(node, "main")
        # a store that fails is asked again at once
        policy.failing[3] = StoreFailed("the store does not answer")
        policy.texts[3] = policy.texts[2]
        await node.until(lambda: policy.loads.count(3) > 1)
        del policy.failing[3]
        await node.until(lambda: node.face.standing().policy_revision == 3)
        assert node.face.standing().policy_error is None
        monkeypatch.setattr(adoption, "LOOKS", 1)
        policy.failing[4] = PolicyError("not yet")
        policy.texts[4] = policy.texts[1]
        await node.until(lambda: node.face.standing().policy_error == "not yet")
        del policy.failing[4]
        await node.until(lambda: node.face.standing().policy_revision == 4)


async def test_a_worker_that_does_not_take_it_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process: the policy holds without it, and another one takes its place."""
    monkeypatch.setattr(adoption, "TAKEN", 500_000_000)
    async with Target() as target, running(tmp_path, {"main": {"port": target.port}}) as node:
        pid = node.face.standing().pids[0]
        system.halt(pid)
        (tmp_path / "wicket.json").write_text(json.dumps({"other": {"port": target.port}}))
        assert "other" in (await asyncio.wrap_future(node.face.reload_policy())).resources
        assert "worker 0 did not take the policy: it is ended" in node.log
        await node.until(lambda: node.face.standing().pids.get(0, pid) != pid)
        await node.ready()
        assert await opens(node, "other")
