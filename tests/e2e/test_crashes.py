"""kill -9 and a full disk: sessions of others go on, what died is replaced, and nothing passed unrecorded.
What reached the server is read from PostgreSQL's own log, not from anything of ours."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.house import House
from e2e.watch import answer, asked, closes, eventually, gone, last_words, opened, worker_of, workers
from e2e.wire import Address, Wire, WireClosed, errors, query, rows
from servers import system
from servers.postgres import Postgres

Opens = Callable[..., House]


class Traffic:
    """Clients that ask marked statements as fast as they are answered, each in a thread of its own.

    answers: the marks that came back, per client. ended: per client, what its connection said last.
    """

    def __init__(self, name: str, wires: list[Wire]) -> None:
        self.name = name
        self.answers: list[list[str]] = [[] for _ in wires]
        self.ended: list[str | None] = [None for _ in wires]
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number, wire)) for number, wire in enumerate(wires)
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, client: int, wire: Wire) -> None:
        turn = 0
        while not self._stop.is_set():
            mark = f"{self.name}-{client}-{turn}"
            turn += 1
            try:
                frames = wire.ask(f"SELECT '{mark}' AS mark, id FROM orders WHERE id = {turn % 500 + 1}")
            except WireClosed:
                said = [frame.fields.get("C", "") for frame in wire.frames[-2:] if frame.type == b"E"]
                self.ended[client] = said[-1] if said else "cut"
                return
            if errors(frames):
                self.ended[client] = errors(frames)[0]["C"]
                return
            assert rows(frames)[0][0] == mark.encode()
            self.answers[client].append(mark)
            wire.frames.clear()

    def flows(self, least: int = 20, clients: list[int] | None = None) -> None:
        """Wait until each of these clients has had so many more answers."""
        chosen = range(len(self.answers)) if clients is None else clients
        before = {client: len(self.answers[client]) for client in chosen}
        eventually(
            lambda: all(len(self.answers[each]) >= before[each] + least for each in chosen), "more answers"
        )

    def join(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive(), "a client hangs"


def marks(texts: list[str], name: str) -> Counter[str]:
    """The marks of a traffic that stand in statements."""
    return Counter(mark for text in texts for mark in re.findall(rf"SELECT '({name}-\d+-\d+)'", text))


def forwarded(server: Postgres, name: str) -> Counter[str]:
    """The marks that reached the server, by its own log."""
    return marks(server.log().splitlines(), name)


def check_record(house: House, server: Postgres, traffic: Traffic) -> None:
    """Whatever reached the server or a client is on record as let through, and the record verifies."""
    recorded = marks(asked(house.journal), traffic.name)
    reached = forwarded(server, traffic.name)
    assert len(reached) > 100
    assert reached - recorded == Counter(), "statements reached the server that are not on record"
    answered = Counter(mark for answers in traffic.answers for mark in answers)
    assert answered - reached == Counter()
    found = house.verify()
    assert found["ok"], found["findings"]


def _both(house: House, each: int = 2, identity: str = "reader") -> dict[int, list[Wire]]:
    """Sessions on both workers, `each` of them at least."""
    found: dict[int, list[Wire]] = {pid: [] for pid in workers(house.gateway.pid)}
    assert len(found) == 2
    for _ in range(200):
        wire = Wire.open(house.through(identity))
        found[worker_of(wire, house.gateway.pid)].append(wire)
        if all(len(wires) >= each for wires in found.values()):
            return found
    raise AssertionError(f"one worker gets all: {found}")


# -- kill -9 -------------------------------------------------------------------------------------------------
def test_a_worker_is_killed(open_house: Opens, frail: Postgres) -> None:
    """Its sessions break off; the other's don't notice; it is replaced; nothing forwarded is unrecorded."""
    house = open_house(workers=2)
    held = _both(house, 3)
    (victim, mine), (other, theirs) = held.items()
    traffic = Traffic("slain", [*mine, *theirs])
    survivors = list(range(len(mine), len(mine) + len(theirs)))
    try:
        traffic.flows()
        os.kill(victim, signal.SIGKILL)
        traffic.flows(50, survivors)
        fresh = eventually(
            lambda: workers(house.gateway.pid) - {victim, other}, "a worker in place of the dead one"
        )
        assert len(fresh) == 1
        traffic.flows(50, survivors)
    finally:
        traffic.join()
    assert all(traffic.ended[client] for client in range(len(mine)))
    assert all(traffic.ended[client] is None for client in survivors)
    eventually(lambda: (workers(house.gateway.pid) - {other}) & _served(house), "sessions on the new worker")
    for wire in (*mine, *theirs):
        wire.close()
    assert house.gateway.stop() == 0
    check_record(house, frail, traffic)


def _served(house: House) -> set[int]:
    """The worker that a new session came to."""
    with Wire.open(house.through("reader")) as wire:
        assert answer(wire, "SELECT 1") == "1"
        return {worker_of(wire, house.gateway.pid)}


def test_the_control_process_is_killed(open_house: Opens, frail: Postgres) -> None:
    """Its workers end their sessions with the protocol's own error and go; it starts again on its state."""
    house = open_house(workers=2)
    traffic = Traffic("orphaned", [wire for wires in _both(house).values() for wire in wires])
    idle = Wire.open(house.through("reader"))
    alive = workers(house.gateway.pid)
    traffic.flows()
    house.gateway.kill()
    try:
        assert last_words(idle) == ("57P03", [b"E"])
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in alive), "the workers' end")
    finally:
        traffic.join()
    assert set(traffic.ended) <= {"57P03", "cut"}
    assert set(closes(house.journal)) == opened(house.journal), "workers that had time to close did not"
    check_record(house, frail, traffic)
    house.gateway.start()
    assert _served(house)
    check_record(house, frail, traffic)


def test_both_are_killed_at_once(open_house: Opens, frail: Postgres) -> None:
    """As when the power goes, but for the disk: nothing that was forwarded is lost, a torn line is told."""
    house = open_house(workers=2)
    traffic = Traffic("struck", [wire for wires in _both(house).values() for wire in wires])
    try:
        traffic.flows(60)
        for pid in (*workers(house.gateway.pid), house.gateway.pid):
            os.kill(pid, signal.SIGKILL)
        house.gateway.kill()
    finally:
        traffic.join()
    assert set(traffic.ended) == {"cut"}
    check_record(house, frail, traffic)
    house.gateway.start()
    assert _served(house)
    check_record(house, frail, traffic)
    with contextlib.closing(Wire.open(house.through("reader"))) as wire:
        assert answer(wire, "SELECT count(*) FROM orders") == "500"


def test_a_torn_last_line_is_told(open_house: Opens, frail: Postgres) -> None:
    """The half line that a killed worker left is named, and is no fault; a half line elsewhere is one."""
    house = open_house()
    with Wire.open(house.through("reader")) as wire:
        assert answer(wire, "SELECT 1") == "1"
        for pid in (*workers(house.gateway.pid), house.gateway.pid):
            os.kill(pid, signal.SIGKILL)
        house.gateway.kill()
    (segment,) = [path for path in house.journal.glob("*/*/*.log") if b'"k":"open"' in path.read_bytes()]
    whole = segment.read_bytes()
    with segment.open("ab") as file:
        file.write(b'{"v":1,"w":"half of a')
    found = house.verify()
    assert found["ok"], found["findings"]
    assert any("torn" in finding for finding in found["findings"])
    segment.write_bytes(whole.replace(b'"k":"open"', b'"k":"opex"', 1))
    assert not house.verify()["ok"]
    segment.write_bytes(whole)
    assert house.verify()["ok"]


# -- a full disk ---------------------------------------------------------------------------------------------
@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A folder with 6 MB of room: a file system of its own. Mounting one takes root, as `make demo` does."""
    folder = system.folder("wicketgate-disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)
    system.remove(folder)


def _fill(folder: Path) -> Path:
    """Take all the room that is left."""
    filler = folder / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)
    return filler


def test_the_journals_disk_is_full(open_house: Opens, frail: Postgres, small_disk: Path) -> None:
    """Open sessions end with the right error, new ones are refused, nothing passes unrecorded; and once there
    is room again, they come in."""
    journal = small_disk / "journal"
    journal.mkdir(mode=0o700)
    state = system.folder("wicketgate-state")
    (state / "journal").symlink_to(journal)
    house = open_house(state=state)
    try:
        idle, busy = (Wire.open(house.through("reader")) for _ in range(2))
        traffic = Traffic("full", [Wire.open(house.through("reader")) for _ in range(3)])
        busy.send(query("SELECT generate_series(1, 1000000000), repeat('x', 1000)"))
        busy.until(b"D")
        traffic.flows(50)
        filler = _fill(small_disk)
        assert last_words(idle) == ("57P03", [b"E"])
        assert last_words(busy)[0] == "57P03"
        traffic.join()
        assert set(traffic.ended) == {"57P03"}
        asker = Wire.dial(house.through("reader"))
        refused = asker.sign_in(house.through("reader"))
        assert refused is not None
        assert refused.fields["C"] == "57P03"
        check_record(house, frail, traffic)
        assert set(closes(house.journal)) == opened(house.journal)
        filler.unlink()
        again = eventually(lambda: _let_in(house.through("reader")), "a session, now that there is room")
        assert answer(again, "SELECT 'full-9-9' AS mark") == "full-9-9"
        again.close()
        check_record(house, frail, traffic)
    finally:
        house.gateway.stop()
        system.remove(state)


def _let_in(address: Address) -> Wire | None:
    try:
        return Wire.open(address)
    except (WireClosed, OSError):
        return None


def test_the_disk_is_full_from_the_start(open_house: Opens, small_disk: Path) -> None:
    """A worker that can't open its journal refuses every session, and says why."""
    journal = small_disk / "journal"
    journal.mkdir(mode=0o700)
    state = system.folder("wicketgate-state")
    (state / "journal").symlink_to(journal)
    house = open_house(state=state)
    try:
        (worker,) = workers(house.gateway.pid)
        _fill(small_disk)
        os.kill(worker, signal.SIGKILL)
        eventually(lambda: workers(house.gateway.pid) - {worker}, "another worker")
        wire = eventually(lambda: _dialled(house.through("reader")), "a connection")
        refused = wire.sign_in(house.through("reader"))
        assert refused is not None
        assert refused.fields["C"] == "57P03"
        eventually(lambda: gone(wire), "the end of the connection")
        assert "journal" in house.gateway.log()
    finally:
        house.gateway.stop()
        system.remove(state)


def _dialled(address: Address) -> Wire | None:
    try:
        return Wire.dial(address)
    except (WireClosed, OSError):
        return None
