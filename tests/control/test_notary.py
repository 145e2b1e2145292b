"""The notary never uses a checkpoint's number twice, whatever the store has lost."""

from pathlib import Path
from typing import Any

from journal.node import Node
from wicketgate.control.messages import Sealed
from wicketgate.control.notary import Notary
from wicketgate.journal.verify import verify


class Kept:
    """A store that keeps checkpoints, and may lose them."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, bytes]] = []

    async def keep_checkpoint(self, number: int, node: str, checkpoint: bytes) -> None:
        self.rows.append((number, checkpoint))

    async def last_checkpoint(self, node: str) -> tuple[int, bytes] | None:
        return max(self.rows, default=None)


async def run(node: Node, store: Any, name: str) -> None:
    """One life of a control process with one worker."""
    control = node.writer(name)
    notary = Notary(store, control, node.key, node.folder, node.name, print)
    await notary.start()
    await notary.dead_before()
    worker = node.writer(f"{name}-worker")
    node.play(worker)
    seal = worker.seal()
    assert seal is not None
    assert notary.sealed(worker.writer, Sealed(seal.segment, seal.block, seal.last, seal.root, seal.size))
    assert await notary.sign()
    worker.close()
    await notary.dead(worker.writer)
    assert await notary.sign()
    control.close()


async def test_numbers_go_on_where_the_store_has_lost_them(tmp_path: Path) -> None:
    node = Node(tmp_path / "journal")
    store = Kept()
    await run(node, store, "one")
    store.rows.clear()
    await run(node, store, "two")
    assert [number for number, _ in store.rows] == [3, 4]
    report = verify(node.folder, [], node.public)
    assert report.sound, report.faults


async def test_a_checkpoint_that_the_store_alone_has_is_written_down(tmp_path: Path) -> None:
    node = Node(tmp_path / "journal")
    store = Kept()
    await run(node, store, "one")
    path = node.path("one")
    lines = path.read_bytes().splitlines(keepends=True)
    newest = max(at for at, line in enumerate(lines) if b'"k":"checkpoint"' in line)
    path.write_bytes(b"".join(lines[:newest]))
    await run(node, store, "two")
    report = verify(node.folder, [], node.public)
    assert report.sound, report.faults
