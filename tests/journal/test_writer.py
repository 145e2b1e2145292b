"""A writer's files: whole lines or none, whatever the disk does."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from journal.node import Clock, Node
from wicketgate.journal.checkpoint import FIRST, Position
from wicketgate.journal.index import sessions
from wicketgate.journal.parse import parse
from wicketgate.journal.report import Fault
from wicketgate.journal.segments import read_lines
from wicketgate.journal.verify import verify
from wicketgate.journal.witness import find_orphan
from wicketgate.journal.writer import Disk, Seal, Writer
from wicketgate.model.errors import JournalFailed

S1, S2 = "1" * 32, "2" * 32


def kinds(node: Node, writer: str, segment: int = 1) -> list[str]:
    return [parse(one[:-1]).kind for one in node.lines(writer, segment)]


def test_lines_count_from_one_and_sessions_have_their_own_count(node: Node) -> None:
    writer = node.writer("w1")
    one, two = writer.session(S1), writer.session(S2)
    assert [one.line("open"), two.line("open"), one.line("ask"), writer.line("close", two)] == [1, 1, 2, 2]
    assert writer.line("admin", None) == 0
    writer.flush()
    lines = [parse(raw[:-1]) for raw in node.lines("w1")]
    assert [line.n for line in lines] == [1, 2, 3, 4, 5, 6]
    assert [(line.session, line.q) for line in lines[1:]] == [(S1, 1), (S2, 1), (S1, 2), (S2, 2), ("", 0)]


def test_nothing_is_on_disk_before_the_flush_and_one_call_writes_the_turn(tmp_path: Path) -> None:
    calls: list[int] = []

    class Counting(Disk):
        def write(self, file: int, data: bytes) -> int:
            calls.append(len(data))
            return super().write(file, data)

        def sync(self, file: int) -> None:
            calls.append(0)
            super().sync(file)

    writer = Writer(tmp_path, "n1", "w1", Clock(1), Clock(1), os.urandom, True, reserve=4096, disk=Counting())
    calls.clear()
    place = writer.session(S1)
    for _ in range(10):
        place.line("ask", b"", b'"text":"x"')
    assert calls == []
    assert writer.pending
    writer.flush()
    assert len(calls) == 2
    assert calls[1] == 0
    writer.flush()
    assert len(calls) == 2


def test_one_turn_has_one_time(node: Node) -> None:
    writer = node.writer("w1")
    place = writer.session(S1)
    place.line("open")
    place.line("ask")
    writer.flush()
    place.line("answer")
    writer.flush()
    times = [parse(raw[:-1]).wall for raw in node.lines("w1")][1:]
    assert times[0] == times[1] < times[2]


def test_every_body_has_a_salt_of_its_own(node: Node) -> None:
    writer = node.writer("w1")
    place = writer.session(S1)
    for _ in range(600):
        place.line("ask", b"", b'"text":"same"')
    writer.flush()
    lines = [parse(raw[:-1]) for raw in node.lines("w1")][1:]
    assert len({line.body for line in lines}) == 600
    assert len({line.digest for line in lines}) == 600
    assert all(line.content() == {"text": "same"} for line in lines)


def test_a_writer_is_never_resumed_and_its_folder_is_private_and_locked(node: Node) -> None:
    node.writer("w1")
    with pytest.raises(JournalFailed):
        node.writer("w1")
    path = node.path("w1")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    for place, flags in ((path.parent, os.O_DIRECTORY), (path, 0)):
        held = os.open(place, os.O_RDONLY | flags)
        with pytest.raises(BlockingIOError):
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(held)


@pytest.mark.parametrize("name", ["", "../x", "a/b", 'a"b', "ä", "x" * 65])
def test_ids_that_json_or_a_path_could_trip_over_are_refused(node: Node, name: str) -> None:
    with pytest.raises(ValueError, match="not an id"):
        node.writer(name)
    with pytest.raises(ValueError, match="not an id"):
        node.control.session(name)


def test_an_unknown_kind_and_a_line_after_close_are_refused_and_leave_no_gap(node: Node) -> None:
    writer = node.writer("w1")
    place = writer.session(S1)
    place.line("open")
    with pytest.raises(KeyError):
        place.line("opened")
    place.line("close")
    with pytest.raises(ValueError, match="closed"):
        place.line("ask")
    node.seal(writer)
    node.checkpoint()
    assert node.verify().sound


def test_a_block_is_sealed_only_if_something_stands_in_it(node: Node) -> None:
    writer = node.writer("w1")
    first = writer.seal()
    assert first is not None
    assert (first.segment, first.block, first.last) == (1, 1, 1)
    assert writer.seal() is None
    writer.session(S1).line("open")
    second = writer.seal()
    assert second is not None
    assert (second.block, second.last) == (2, 3)
    assert second.size == node.path("w1").stat().st_size
    assert kinds(node, "w1") == ["begin", "seal", "open", "seal"]


def test_a_segment_ends_by_size_behind_a_seal_and_the_next_one_continues(node: Node) -> None:
    writer = node.writer("w1", segment_size=2000)
    for _ in range(3):
        node.play(writer)
        node.seal(writer)
    node.checkpoint()
    assert kinds(node, "w1")[-1] == "seal"
    assert kinds(node, "w1", 2)[0] == "begin"
    last, begin = parse(node.lines("w1")[-1][:-1]), parse(node.lines("w1", 2)[0][:-1])
    assert begin.n == last.n + 1
    assert begin.members["prev"] == last.members["root"]
    assert node.verify().sound


def test_a_segment_ends_by_age_but_an_idle_writer_makes_no_files(node: Node) -> None:
    writer = node.writer("w1", segment_age=10)
    node.seal(writer)
    node.boot.at += 11_000_000_000
    assert node.seal(writer) is None
    writer.session(S1).line("open")
    node.seal(writer)
    assert node.path("w1", 2).exists()
    node.seal(writer)
    node.boot.at += 11_000_000_000
    assert node.seal(writer) is None
    assert not node.path("w1", 3).exists()
    node.checkpoint()
    assert node.verify().sound


def test_close_seals_and_lets_go(node: Node) -> None:
    writer = node.writer("w1")
    place = writer.session(S1)
    place.line("open")
    place.line("close")
    seal = writer.close()
    assert seal is not None
    assert seal.last == 3
    assert sorted(one.name for one in node.path("w1").parent.iterdir()) == ["000001.log"]
    assert writer.failed
    for call in (lambda: writer.session(S2).line("open"), writer.flush, writer.seal):
        with pytest.raises(JournalFailed):
            call()
    assert writer.close() == seal


# -- disks that fail ---------------------------------------------------------------------------------------
class Failing(Disk):
    """Fails when told: `writes` and `syncs` are lists of what the next calls do (None: as usual)."""

    def __init__(self) -> None:
        self.writes: list[int | OSError | None] = []
        self.syncs: list[OSError | None] = []
        self.truncates: list[OSError | None] = []

    def write(self, file: int, data: bytes) -> int:
        told = self.writes.pop(0) if self.writes else None
        if isinstance(told, OSError):
            raise told
        return super().write(file, data if told is None else data[:told])

    def sync(self, file: int) -> None:
        if self.syncs and (told := self.syncs.pop(0)) is not None:
            raise told
        super().sync(file)

    def truncate(self, file: int, size: int) -> None:
        if self.truncates and (told := self.truncates.pop(0)) is not None:
            raise told
        super().truncate(file, size)


FULL = OSError(errno.ENOSPC, "No space left on device")
BROKEN = OSError(errno.EIO, "Input/output error")


def _stop(writer: Writer) -> None:
    assert writer.failed
    for call in (lambda: writer.session(S2).line("open"), writer.flush, writer.seal):
        with pytest.raises(JournalFailed) as caught:
            call()
        assert "journal" not in caught.value.public


def test_a_short_write_is_carried_on(node: Node) -> None:
    disk = Failing()
    writer = node.writer("w1", disk=disk)
    disk.writes = [10, 1, None]
    node.play(writer)
    node.seal(writer)
    node.checkpoint()
    assert node.verify().sound


def test_a_write_that_fails_halfway_is_taken_back_and_nothing_is_written_after(node: Node) -> None:
    disk = Failing()
    writer = node.writer("w1", disk=disk)
    place = writer.session(S1)
    place.line("open")
    writer.flush()
    before = node.path("w1").read_bytes()
    place.line("ask", b"", b'"text":"x"')
    disk.writes = [100, BROKEN]
    with pytest.raises(JournalFailed) as caught:
        writer.flush()
    assert "Input/output error" in caught.value.detail
    assert node.path("w1").read_bytes() == before
    assert place.q == 1
    _stop(writer)
    assert node.path("w1").read_bytes() == before


def test_a_failed_fsync_is_never_tried_again(node: Node) -> None:
    disk = Failing()
    writer = node.writer("w1", disk=disk)
    writer._sync = True
    writer.session(S1).line("open")
    disk.syncs = [BROKEN]
    with pytest.raises(JournalFailed):
        writer.flush()
    size = node.path("w1").stat().st_size
    _stop(writer)
    assert node.path("w1").stat().st_size == size
    assert writer.close() is None


def test_where_even_truncating_fails_the_writer_is_poisoned_and_the_tear_is_told(node: Node) -> None:
    disk = Failing()
    writer = node.writer("w1", disk=disk)
    writer.session(S1).line("open")
    disk.writes, disk.truncates = [50, FULL], [BROKEN]
    with pytest.raises(JournalFailed):
        writer.flush()
    _stop(writer)
    node.checkpoint()
    report = node.verify()
    assert report.sound
    assert report.has(Fault.TORN)


def test_a_full_disk_closes_the_open_sessions_and_seals(node: Node) -> None:
    disk = Failing()
    writer = node.writer("w1", disk=disk)
    one, two = writer.session(S1), writer.session(S2)
    one.line("open")
    two.line("open")
    writer.flush()
    two.line("close")
    one.line("ask", b"", b'"text":"lost"')
    writer.session("3" * 32).line("open")
    disk.writes = [FULL]
    with pytest.raises(JournalFailed):
        writer.flush()
    _stop(writer)
    assert kinds(node, "w1") == ["begin", "open", "open", "close", "close", "seal"]
    assert writer.last_seal is not None
    node.seals["w1"] = writer.last_seal
    node.checkpoint()
    report = node.verify()
    assert report.findings == []
    assert (report.sessions_closed, report.sessions_open) == (2, 0)
    assert {one.reason for one in sessions(node.folder)} == {"journal"}
    assert not (node.path("w1").parent / "reserve").exists()


def test_a_disk_too_full_even_for_last_words_leaves_whole_lines_and_an_orphan(node: Node) -> None:
    disk = Failing()
    writer = node.writer("w1", disk=disk)
    place = writer.session(S1)
    place.line("open")
    writer.flush()
    place.line("ask")
    disk.writes = [FULL, 40, FULL]
    with pytest.raises(JournalFailed):
        writer.flush()
    _stop(writer)
    assert kinds(node, "w1") == ["begin", "open"]
    assert (node.path("w1").parent / "reserve").exists()
    orphan = find_orphan(node.path("w1").parent)
    assert orphan is not None
    assert orphan.lines == 2


def test_more_sessions_than_the_reserve_can_close_are_closed_as_far_as_it_goes(node: Node) -> None:
    disk = Failing()
    writer = node.writer("w1", disk=disk, reserve=16384)
    for at in range(100):
        writer.session(f"{at:032x}").line("open")
    writer.flush()
    writer.session("f" * 32).line("open")
    disk.writes = [FULL]
    with pytest.raises(JournalFailed):
        writer.flush()
    closed = kinds(node, "w1").count("close")
    assert 30 < closed < 100
    assert writer.last_seal is not None
    node.seals["w1"] = writer.last_seal
    node.checkpoint()
    assert node.verify().sound


@pytest.mark.parametrize("failing", [[None, FULL], [None, 30, FULL]])
def test_a_disk_that_fills_at_the_turn_of_a_segment_ends_in_the_old_one(
    node: Node, failing: list[int | OSError | None]
) -> None:
    disk = Failing()
    writer = node.writer("w1", disk=disk, segment_size=500)
    place = writer.session(S1)
    place.line("open")
    place.line("ask", b"", b'"text":"%b"' % (b"x" * 600))
    disk.writes = list(failing)
    with pytest.raises(JournalFailed):
        writer.seal()
    _stop(writer)
    assert not node.path("w1", 2).exists()
    assert kinds(node, "w1") == ["begin", "open", "ask", "seal", "close", "seal"]
    assert writer.last_seal is not None
    node.seals["w1"] = writer.last_seal
    node.checkpoint()
    assert node.verify().findings == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("sync", [False, True])
def test_a_real_disk_runs_full(small_disk: Path, sync: bool) -> None:
    node = Node(small_disk.parent / "control")
    node.control.close()
    writer = Writer(small_disk, "node1", "w1", Clock(1), Clock(1), os.urandom, sync, reserve=65536)
    places = [writer.session(f"{at:032x}") for at in range(20)]
    for place in places:
        place.line("open")
    writer.flush()
    written = 0
    with pytest.raises(JournalFailed) as caught:  # noqa: PT012 - the turn that fails is not known beforehand
        while True:
            for place in places:
                place.line("ask", b"", b'"text":"%b"' % (b"SELECT" * 50))
            writer.flush()
            written += 1
    assert "No space left" in caught.value.detail
    assert written > 10
    path = small_disk / "node1" / "w1" / "000001.log"
    lines = list(read_lines(path))
    assert not any(raw.torn for raw in lines)
    parsed = [parse(raw.data) for raw in lines]
    assert [line.kind for line in parsed[-21:]] == ["close"] * 20 + ["seal"]
    assert sum(line.kind == "ask" for line in parsed) == 20 * written
    seal = writer.last_seal
    assert seal is not None
    assert seal.size == path.stat().st_size
    writer.close()
    key = node.key
    checkpoint = key.sign(1, FIRST, "node1", [Position("w1", seal.segment, seal.last, seal.root)])
    report = verify(small_disk, [checkpoint], key.public)
    assert report.findings == []
    assert report.sessions_closed == 20


def test_a_disk_that_is_full_from_the_start_is_told(small_disk: Path) -> None:
    with pytest.raises(JournalFailed, match="can't be written"):
        Writer(small_disk, "n1", "w1", Clock(1), Clock(1), os.urandom, False, reserve=2 << 20)


def test_a_read_only_folder_is_told(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(JournalFailed) as caught:
        Writer(small_disk, "n1", "w1", Clock(1), Clock(1), os.urandom, False)
    assert "Read-only" in caught.value.detail


_KILLED = """
import os, sys, time
from pathlib import Path
from wicketgate.journal.writer import Writer
writer = Writer(
    Path(sys.argv[1]), "node1", "worker1", time.time_ns, time.monotonic_ns, os.urandom, False, reserve=4096
)
number = 0
while True:
    number += 1
    place = writer.session(f"{number:032x}")
    place.line("open")
    for _ in range(5):
        place.line("ask", b"", b'"text":"%b"' % (b"x" * 3000))
    place.line("close")
    writer.flush()
    if number % 7 == 0:
        seal = writer.seal()
        print(number, seal.segment, seal.last, seal.root, flush=True)
    else:
        print(number, flush=True)
"""


@pytest.mark.parametrize("turns", [3, 40])
def test_a_writer_that_is_killed_loses_nothing_that_it_said_was_written(node: Node, turns: int) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(node.folder)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    told = [child.stdout.readline().split() for _ in range(turns)]
    child.send_signal(signal.SIGKILL)
    told += [row.split() for row in child.stdout.read().splitlines() if row]
    child.wait()
    child.stdout.close()
    whole = [row for row in told if len(row) in (1, 4)]
    for row in whole:
        if len(row) == 4:
            node.seals["worker1"] = Seal(int(row[1]), 0, int(row[2]), row[3], 0)
    orphan = find_orphan(node.path("worker1").parent)
    assert orphan is not None
    node.control.line("orphan", None, replace(orphan, own=True).head())
    node.control.flush()
    node.checkpoint()
    report = node.verify()
    assert report.sound, report.faults
    recorded = {one.session for one in sessions(node.folder) if one.closed is not None}
    assert {f"{int(row[0]):032x}" for row in whole} <= recorded
