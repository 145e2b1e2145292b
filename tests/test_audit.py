"""The API verifies in a process of its own: it finds what `wicket sessions verify` finds and holds nobody."""

import asyncio
import os
import resource
from pathlib import Path
from typing import Any

import pytest

from journal.node import Node
from seam.house import Target, opened
from wicketgate import audit, office
from wicketgate.admin.access import Refused
from wicketgate.audit import FINDINGS, Audit, shortened
from wicketgate.model.errors import GatewayError

READERS = """\
  - name: crews read
    identities: {groups: [crew]}
    resources: [notes]
    account: reader
    permit: [read]
    mask: {"*": redact}
"""


def children() -> set[str]:
    """Processes that this one has started and that live."""
    return {
        pid for each in Path("/proc/self/task").iterdir() for pid in (each / "children").read_text().split()
    }


def recorded(folder: Path) -> tuple[Path, Node]:
    """A configuration whose journal holds one session, witnessed."""
    config, state = folder / "wicket.yaml", folder / "state"
    config.write_text("gateway: {workers: 1}\n")
    state.mkdir(mode=0o700)
    node = Node(state / "journal")
    (state / "checkpoint.pub").write_bytes(node.key.public_pem())
    writer = node.writer("worker1")
    node.play(writer)
    node.seal(writer)
    node.checkpoint()
    return config, node


async def test_it_finds_what_was_changed(tmp_path: Path) -> None:
    config, node = recorded(tmp_path)
    found = await Audit(config)()
    assert found["ok"] is True, found
    assert found["facts"]["sessions_closed"] == 1
    node.edit("worker1", lambda lines: [line.replace(b"SELECT 0", b"SELECT 9") for line in lines])
    found = await Audit(config)()
    assert found["ok"] is False
    assert any("body-changed" in each for each in found["findings"])


async def test_one_at_a_time_and_cancelled_it_leaves_nothing(tmp_path: Path) -> None:
    config, _ = recorded(tmp_path)
    before = children()
    verify = Audit(config)
    first = asyncio.create_task(verify(), name="first")
    async with asyncio.timeout(20):
        while not children() - before:  # noqa: ASYNC110 (it is the kernel's to tell)
            await asyncio.sleep(0.01)
    with pytest.raises(Refused, match="under way"):
        await verify()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert children() <= before
    assert (await verify())["ok"] is True


async def test_without_a_key_it_is_refused_in_words(tmp_path: Path) -> None:
    config, _ = recorded(tmp_path)
    (tmp_path / "state" / "checkpoint.pub").unlink()
    with pytest.raises(Refused, match="public key"):
        await Audit(config)()


@pytest.mark.parametrize(
    ("code", "kind", "words"), [(3, Refused, "too large"), (137, GatewayError, "can't be verified")]
)
async def test_a_process_that_fails_is_no_sound_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception], words: str
) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\necho '{{\"ok\":true}}'\nexit {code}\n")
    program.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(program))
    with pytest.raises(kind, match=words):
        await Audit(tmp_path / "wicket.yaml")()


def test_its_memory_is_bounded_and_it_yields(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []

    def verify(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(office, "verify", verify)
    monkeypatch.setattr(os, "nice", told.append)
    monkeypatch.setattr(resource, "setrlimit", lambda *what: told.append(what))
    assert audit.main(["wicket.yaml"]) == 3
    assert told == [audit.NICE, (resource.RLIMIT_AS, (audit.MEMORY, audit.MEMORY))]
    assert audit.main([]) == 2


def test_findings_are_bounded_and_faults_come_first() -> None:
    assert shortened(["note a", "FAULT b"]) == ["note a", "FAULT b"]
    many = [*(f"note clock-back: {n}" for n in range(FINDINGS)), "FAULT head-changed: x"]
    found = shortened(many)
    assert len(found) == FINDINGS + 1
    assert found[0] == "FAULT head-changed: x"
    assert found[-1] == "note: 1 more findings are not shown"


async def test_sign_ins_go_on_while_a_large_journal_is_verified(tmp_path: Path) -> None:
    async with Target() as target, opened(tmp_path, target.port, READERS) as house:
        state = tmp_path / "state"
        (state / "checkpoint.pub").write_bytes(house._key.public_pem())
        other = Node(state / "journal", "other", house._key)
        large = other.writer("large")
        for number in range(200):
            place = large.session(f"{number:032x}")
            place.line("open", b',"i":{"name":"crew-bot"}')
            for _ in range(500):
                place.line("ask", b',"d":"permit"', b'"text":"SELECT 1"')
            place.line("close", b',"o":{"reason":"client"}')
            other.seal(large)
        other.checkpoint()
        # on a thread and a loop of its own, as the API's
        verifying = asyncio.create_task(
            asyncio.to_thread(lambda: asyncio.run(Audit(tmp_path / "wicket.yaml")())),  # type: ignore[arg-type]
            name="verifying",
        )
        meanwhile = 0
        while not verifying.done():
            client = await house.client()
            assert (await client.ask("get people 1"))[-1] == "."
            await client.close()
            meanwhile += 1
        found = await verifying
        assert found["ok"] is True, found
        assert found["facts"]["lines"] > 100_000
        assert meanwhile > 20
