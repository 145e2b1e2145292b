"""Whatever is done to a journal's files is noticed, and named for what it is and where it stands."""

import shutil
from collections.abc import Callable
from dataclasses import replace

import pytest

from journal.node import Node
from wicketgate.journal.checkpoint import SigningKey
from wicketgate.journal.contents import block_root
from wicketgate.journal.lines import render_seal, render_stamp
from wicketgate.journal.parse import parse, split
from wicketgate.journal.report import Fault, Finding, Verdict
from wicketgate.journal.verify import verify
from wicketgate.journal.witness import Gone, find_orphan

Lines = list[bytes]


def only(node: Node) -> Finding:
    faults = node.verify().faults
    assert len(faults) == 1, faults
    return faults[0]


def test_an_untouched_journal_is_sound_and_says_how_far_it_is_witnessed(recorded: Node) -> None:
    report = recorded.verify()
    assert report.findings == []
    assert report.sound
    assert (report.writers, report.segments, report.sessions_closed, report.sessions_open) == (2, 2, 4, 0)
    tails = {tail.writer: tail for tail in report.tails}
    worker = tails["worker1"]
    behind = recorded.lines("worker1")[worker.witnessed + 1 :]
    assert worker.lines == len(behind) == 5
    assert worker.size == sum(map(len, behind))


def _position(lines: Lines, n: int, what: str) -> int:
    """An offset into line n that lies in a part of it."""
    line = lines[n - 1]
    head, body = split(line[:-1])
    found = {
        "version": head.index(b'"v":1') + 4,
        "writer": head.index(b"worker1") + 3,
        "number": head.index(b'"n":') + 4,
        "wall": head.index(b'"t":') + 8,
        "boot": head.index(b'"m":') + 6,
        "kind": head.index(b'"k":"') + 6,
        "brace": 0,
        "end": len(head) - 1,
    }
    if b'"s":"' in head:
        found |= {"session": head.index(b'"s":"') + 10, "q": head.index(b'"q":') + 4}
    if b'"h":"' in head:
        found |= {"digest": head.index(b'"h":"') + 20}
    if body is not None:
        found |= {"body": len(head) + 60, "salt": len(head) + 15, "tab": len(head)}
    if b'"root":"' in head:
        found |= {"root": head.index(b'"root":"') + 20, "prev": head.index(b'"prev":"') + 20}
        found |= {"block": head.index(b'"block":') + 8, "last": head.index(b'"last":') + 7}
    return found[what]


def _flip(node: Node, n: int, what: str) -> None:
    def change(lines: Lines) -> Lines:
        at = _position(lines, n, what)
        line = bytearray(lines[n - 1])
        line[at] ^= 1
        lines[n - 1] = bytes(line)
        return lines

    node.edit("worker1", change)


IN_HEAD = ["version", "writer", "number", "wall", "boot", "kind", "brace", "end", "session", "q", "digest"]


@pytest.mark.parametrize("n", [3, 9, 17])
@pytest.mark.parametrize("what", IN_HEAD)
def test_a_changed_head_names_its_block(recorded: Node, n: int, what: str) -> None:
    _flip(recorded, n, what)
    report = recorded.verify()
    assert not report.sound
    block = {3: 1, 9: 2, 17: 3}[n]
    changed = [one for one in report.faults if one.fault is Fault.HEAD_CHANGED]
    assert [one.block for one in changed] == [block], report.faults
    assert {one.fault for one in report.faults} <= {Fault.HEAD_CHANGED, Fault.BODY_CHANGED, Fault.SESSION_GAP}


@pytest.mark.parametrize("what", ["body", "salt"])
@pytest.mark.parametrize("n", [3, 18, 33])
def test_a_changed_body_names_its_line(recorded: Node, n: int, what: str) -> None:
    _flip(recorded, n, what)
    found = only(recorded)
    assert (found.fault, found.line, found.writer) == (Fault.BODY_CHANGED, n, "worker1")


def test_a_lost_tab_makes_the_line_unreadable_and_names_the_block(recorded: Node) -> None:
    _flip(recorded, 9, "tab")
    gap, found = recorded.verify().faults
    assert gap.fault is Fault.SESSION_GAP
    assert (found.fault, found.block) == (Fault.HEAD_CHANGED, 2)
    assert "line 9" in found.detail


@pytest.mark.parametrize("what", ["kind", "root", "wall", "boot", "number", "brace", "block", "last"])
@pytest.mark.parametrize("n", [7, 20, 35])
def test_a_changed_seal_is_named(recorded: Node, n: int, what: str) -> None:
    """35 is the last line: nothing follows that would show it, but a seal follows from its block."""
    _flip(recorded, n, what)
    report = recorded.verify()
    assert not report.sound
    block = {7: 1, 20: 3, 35: 6}[n]
    named = [one for one in report.faults if one.block in (block, None) or one.line == n]
    assert named, report.faults


def test_a_seal_with_a_false_root_is_blamed_and_not_its_lines(recorded: Node) -> None:
    _flip(recorded, 7, "root")
    faults = {one.fault for one in recorded.verify().faults}
    assert Fault.SEAL_CHANGED in faults
    assert Fault.HEAD_CHANGED not in faults


def _delete(at: int) -> Callable[[Lines], Lines]:
    return lambda lines: lines[: at - 1] + lines[at:]


def _swap(one: int, other: int) -> Callable[[Lines], Lines]:
    def change(lines: Lines) -> Lines:
        lines[one - 1], lines[other - 1] = lines[other - 1], lines[one - 1]
        return lines

    return change


def test_a_deleted_line_is_named(recorded: Node) -> None:
    recorded.edit("worker1", _delete(9))
    found = [one for one in recorded.verify().faults if one.fault is Fault.LINES_MISSING]
    assert [(one.block, one.line) for one in found] == [(2, 9)]


def test_the_last_line_of_the_tail_may_not_be_deleted_before_its_seal(recorded: Node) -> None:
    recorded.edit("worker1", _delete(34))
    assert recorded.verify().has(Fault.LINES_MISSING)


def test_a_duplicated_line_is_named(recorded: Node) -> None:
    recorded.edit("worker1", lambda lines: [*lines[:9], lines[8], *lines[9:]])
    found = [one for one in recorded.verify().faults if one.fault is Fault.LINES_DUPLICATED]
    assert [(one.block, one.line) for one in found] == [(2, 9)]


@pytest.mark.parametrize(("one", "other"), [(8, 9), (10, 11), (12, 15)])
def test_swapped_lines_are_named_also_between_sessions(recorded: Node, one: int, other: int) -> None:
    recorded.edit("worker1", _swap(one, other))
    found = [fault for fault in recorded.verify().faults if fault.fault is Fault.LINES_REORDERED]
    assert [fault.block for fault in found] == [2]


def test_lines_moved_to_another_block_are_named(recorded: Node) -> None:
    recorded.edit("worker1", lambda lines: [*lines[:8], *lines[9:18], lines[8], *lines[18:]])
    faults = {(one.fault, one.block) for one in recorded.verify().faults}
    assert (Fault.LINES_MISSING, 2) in faults
    assert (Fault.LINES_STRANGE, 3) in faults


def test_a_deleted_block_is_named(recorded: Node) -> None:
    recorded.edit("worker1", lambda lines: lines[:7] + lines[16:])
    found = [one for one in recorded.verify().faults if one.fault is Fault.BLOCKS_MISSING]
    assert [(one.block, one.line, one.through) for one in found] == [(2, 8, 16)]


def test_swapped_blocks_are_named(recorded: Node) -> None:
    recorded.edit("worker1", lambda lines: lines[:7] + lines[16:20] + lines[7:16] + lines[20:])
    faults = {(one.fault, one.block) for one in recorded.verify().faults}
    assert (Fault.BLOCKS_REORDERED, 2) in faults
    assert Fault.HEAD_CHANGED not in {fault for fault, _ in faults}


def test_a_repeated_block_is_named(recorded: Node) -> None:
    recorded.edit("worker1", lambda lines: lines[:16] + lines[7:16] + lines[16:])
    assert (Fault.BLOCKS_DUPLICATED, 2) in {(one.fault, one.block) for one in recorded.verify().faults}


def test_a_seal_that_is_gone_is_named_and_its_lines_are_known_to_be_whole(recorded: Node) -> None:
    recorded.edit("worker1", _delete(16))
    found = [one for one in recorded.verify().faults if one.fault is Fault.SEAL_CHANGED]
    assert [one.block for one in found] == [2]


def test_a_line_that_is_no_line_is_strange(recorded: Node) -> None:
    recorded.edit("worker1", lambda lines: [*lines[:9], b"hello\n", *lines[9:]])
    assert (Fault.LINES_STRANGE, 2) in {(one.fault, one.block) for one in recorded.verify().faults}


def test_lines_of_another_session_spliced_in_are_named(recorded: Node) -> None:
    """Session 1's answer is put in place of session 2's, whole lines with their BODYs."""
    recorded.edit("worker1", lambda lines: [*lines[:12], lines[8], *lines[13:]])
    found = [one for one in recorded.verify().faults if one.fault is Fault.HEAD_CHANGED]
    assert [one.block for one in found] == [2]
    assert "13" in found[0].detail


def test_bodies_exchanged_between_lines_are_named(recorded: Node) -> None:
    def change(lines: Lines) -> Lines:
        one, other = split(lines[2][:-1]), split(lines[4][:-1])
        lines[2] = one[0] + b"\t" + (other[1] or b"") + b"\n"
        lines[4] = other[0] + b"\t" + (one[1] or b"") + b"\n"
        return lines

    recorded.edit("worker1", change)
    assert [(one.fault, one.line) for one in recorded.verify().faults] == [
        (Fault.BODY_CHANGED, 3),
        (Fault.BODY_CHANGED, 5),
    ]


def test_a_body_where_head_has_none_is_named(recorded: Node) -> None:
    recorded.edit("worker1", lambda lines: [*lines[:1], lines[1][:-1] + b'\t{"a":1}\n', *lines[2:]])
    found = only(recorded)
    assert (found.fault, found.line) == (Fault.BODY_CHANGED, 2)


def test_a_cut_in_the_witnessed_part_is_told(recorded: Node) -> None:
    recorded.edit("worker1", lambda lines: lines[:22])
    found = [one for one in recorded.verify().faults if one.fault is Fault.TAIL_CUT]
    assert [(one.line, one.through) for one in found] == [(21, 29)]


def test_a_cut_behind_the_last_checkpoint_can_not_be_seen_but_what_is_left_is_told(recorded: Node) -> None:
    recorded.edit("worker1", lambda lines: lines[:32])
    report = recorded.verify()
    assert report.sound
    assert {tail.writer: tail.lines for tail in report.tails}["worker1"] == 2
    assert report.sessions_open == 1
    assert report.has(Fault.SESSION_OPEN)


def test_a_torn_last_line_is_told_as_such(recorded: Node) -> None:
    path = recorded.path("worker1")
    path.write_bytes(path.read_bytes()[:-150])
    report = recorded.verify()
    assert report.sound
    assert [one.line for one in report.findings if one.fault is Fault.TORN] == [35]


def test_a_tear_in_the_witnessed_part_is_a_cut(recorded: Node) -> None:
    path = recorded.path("worker1")
    path.write_bytes(path.read_bytes()[:-3500])
    report = recorded.verify()
    assert report.has(Fault.TAIL_CUT)
    assert report.has(Fault.TORN)


def _reseal(node: Node, lines: Lines, since: int) -> Lines:
    """What a forger does who has the files but not the key: compute every digest behind a change again."""
    made: Lines = []
    block: Lines = []
    prev = bytes(32)
    for raw in lines:
        line = parse(raw[:-1])
        if line.kind != "seal":
            block.append(raw)
            made.append(raw)
            continue
        parsed = [parse(one[:-1]) for one in block]
        stamp = render_stamp(parsed[-1].wall, parsed[-1].boot)
        first, last, number = parsed[0].n, parsed[-1].n, int(line.members["block"])
        digest = block_root(prev, parsed)
        made.append(render_seal(b"worker1", last + 1, stamp, number, first, last, prev, digest) + b"\n")
        prev, block = digest, []
    assert len(made) >= since
    return made


def test_a_forger_who_seals_anew_meets_the_checkpoint(recorded: Node) -> None:
    def change(lines: Lines) -> Lines:
        lines[8] = lines[8].replace(b'"r":6', b'"r":4')
        return _reseal(recorded, lines, 9)

    recorded.edit("worker1", change)
    found = [one for one in recorded.verify().faults if one.fault is Fault.CHECKPOINT_UNMET]
    assert len(found) == 1
    assert found[0].block == 1
    assert found[0].through == 19


def test_a_missing_writer_is_told(recorded: Node) -> None:
    shutil.rmtree(recorded.path("worker1").parent)
    found = only(recorded)
    assert (found.fault, found.writer) == (Fault.WRITER_MISSING, "worker1")


def _segments(node: Node) -> None:
    writer = node.writer("worker1", segment_size=2000)
    for _ in range(4):
        node.play(writer)
        node.seal(writer)
    node.checkpoint()
    assert len(list(node.path("worker1").parent.glob("*.log"))) >= 4


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_missing_segment_is_told(node: Node, number: int) -> None:
    _segments(node)
    assert node.verify().sound
    node.path("worker1", number).unlink()
    found = [one for one in node.verify().faults if one.fault is Fault.SEGMENT_MISSING]
    assert [one.segment for one in found] == [number]


def test_the_last_segments_missing_are_told_by_the_checkpoint(node: Node) -> None:
    _segments(node)
    paths = sorted(node.path("worker1").parent.glob("*.log"))
    for path in paths[-2:]:
        path.unlink()
    found = [one for one in node.verify().faults if one.fault is Fault.SEGMENT_MISSING]
    assert len(found) == 1


def test_exchanged_segments_are_told(node: Node) -> None:
    _segments(node)
    one, other = node.path("worker1", 2), node.path("worker1", 3)
    a, b = one.read_bytes(), other.read_bytes()
    one.write_bytes(b)
    other.write_bytes(a)
    report = node.verify()
    assert report.has(Fault.SEGMENT_MISPLACED)
    assert not report.sound


def test_a_segment_that_ends_early_with_a_later_one_there_is_told(node: Node) -> None:
    _segments(node)
    node.edit("worker1", lambda lines: lines[:-1], 2)
    assert not node.verify().sound


def test_files_that_do_not_belong_are_told(recorded: Node) -> None:
    (recorded.path("worker1").parent / "notes.txt").write_text("x")
    (recorded.folder / "stray").write_text("x")
    assert [one.fault for one in recorded.verify().faults] == [Fault.STRANGE_FILE] * 2


def test_a_rollback_of_everything_is_seen_with_an_expected_checkpoint_alone(node: Node) -> None:
    writer = node.writer("worker1")
    node.play(writer)
    node.seal(writer)
    node.checkpoint()
    older = node.folder.parent / "older"
    shutil.copytree(node.folder, older)
    node.play(writer)
    node.seal(writer)
    kept = node.checkpoint()
    shutil.rmtree(node.folder)
    shutil.copytree(older, node.folder)
    assert node.verify().sound
    report = node.verify(expect=kept)
    assert [(one.fault, one.writer) for one in report.faults] == [
        (Fault.TAIL_CUT, "control"),
        (Fault.TAIL_CUT, "worker1"),
    ]


def test_an_expected_checkpoint_that_is_met_changes_nothing(recorded: Node) -> None:
    for checkpoint in recorded.checkpoints:
        assert recorded.verify(expect=checkpoint).sound


def test_a_forged_checkpoint_is_named(recorded: Node) -> None:
    forger = SigningKey.generate()
    last = recorded.checkpoints[-1]
    forged = forger.sign(3, last.digest(), last.node, last.writers)
    report = verify(recorded.folder, [forged], recorded.public)
    assert [one.fault for one in report.faults] == [Fault.CHECKPOINT_FORGED]
    moved = replace(last, number=3, prev=last.digest())
    report = verify(recorded.folder, [moved], recorded.public)
    assert [one.fault for one in report.faults] == [Fault.CHECKPOINT_FORGED]


def test_a_checkpoint_changed_in_the_control_journal_is_named(recorded: Node) -> None:
    recorded.edit(
        "control", lambda lines: [one.replace(b'"worker1",1,19', b'"worker1",1,18') for one in lines]
    )
    faults = {one.fault for one in recorded.verify().faults}
    assert Fault.CHECKPOINT_FORGED in faults
    assert Fault.HEAD_CHANGED in faults


def test_the_wrong_public_key_trusts_nothing(recorded: Node) -> None:
    report = verify(recorded.folder, [], SigningKey.generate().public)
    assert not report.sound
    assert all(tail.witnessed == 0 for tail in report.tails)


def test_two_histories_under_one_number_are_named(recorded: Node) -> None:
    last = recorded.checkpoints[-1]
    other = recorded.key.sign(last.number, last.prev, last.node, last.writers[:1])
    report = verify(recorded.folder, [other], recorded.public)
    assert [one.fault for one in report.faults] == [Fault.CHECKPOINT_FORKED]


def test_a_missing_checkpoint_is_named(recorded: Node) -> None:
    recorded.seal(recorded.control)
    number = len(recorded.checkpoints) + 2
    later = recorded.key.sign(number, "1" * 64, recorded.name, recorded.checkpoints[-1].writers)
    report = verify(recorded.folder, [later], recorded.public)
    assert [one.fault for one in report.faults] == [Fault.CHECKPOINT_MISSING]


def test_a_key_that_the_old_one_introduced_is_trusted_and_the_old_one_no_longer(recorded: Node) -> None:
    old, recorded.key = recorded.key, SigningKey.generate()
    new, recorded.key = recorded.key, old
    recorded.checkpoint(next_key=new.public)
    recorded.key = new
    recorded.checkpoint()
    assert recorded.verify().sound
    recorded.key = old
    recorded.checkpoint()
    assert [one.fault for one in recorded.verify().faults] == [Fault.CHECKPOINT_FORGED]


def test_without_any_checkpoint_the_report_says_that_nothing_vouches(node: Node) -> None:
    writer = node.writer("worker1")
    node.play(writer)
    node.seal(writer)
    report = node.verify()
    assert report.verdict is Verdict.UNWITNESSED
    assert report.has(Fault.UNWITNESSED)
    assert report.unwitnessed == report.lines


def test_a_clock_that_steps_back_is_told(node: Node) -> None:
    writer = node.writer("worker1")
    node.play(writer)
    node.wall.at -= 3_000_000_000
    node.play(writer)
    node.seal(writer)
    node.checkpoint()
    report = node.verify()
    assert report.sound
    told = [one for one in report.findings if one.fault is Fault.CLOCK_BACK]
    assert len(told) == 2  # the worker's, and the control process's, once each
    assert "3.0" in told[0].detail


def test_a_gap_in_a_session_is_told(node: Node) -> None:
    writer = node.writer("worker1")
    place = writer.session("f" * 32)
    place.line("open")
    place.q += 1
    place.line("close")
    node.seal(writer)
    node.checkpoint()
    found = only(node)
    assert (found.fault, found.session, found.line) == (Fault.SESSION_GAP, "f" * 32, 3)


def test_an_orphaned_tail_is_told_and_may_not_change_afterwards(recorded: Node) -> None:
    writer = recorded.writer("worker2")
    recorded.play(writer)
    with recorded.path("worker2").open("ab") as file:
        file.write(b'{"v":1,"w":"wor')
    orphan = find_orphan(recorded.path("worker2").parent)
    assert orphan is not None
    assert (orphan.lines, orphan.torn) == (3, 15)
    assert sum(map(len, recorded.lines("worker2")[:7])) == orphan.offset
    recorded.control.line("orphan", None, orphan.head())
    recorded.control.flush()
    recorded.checkpoint()
    report = recorded.verify()
    assert report.sound
    assert {Fault.ORPHAN, Fault.TORN} <= {one.fault for one in report.findings}
    recorded.edit("worker2", lambda lines: lines[:-1])
    assert [one.fault for one in recorded.verify().faults] == [Fault.TAIL_CHANGED]


def test_a_body_may_be_missing_only_with_a_witnessed_authority(recorded: Node) -> None:
    recorded.edit("worker1", lambda lines: [split(one[:-1])[0] + b"\n" for one in lines[:9]] + lines[9:])
    assert [one.fault for one in recorded.verify().faults] == [Fault.BODY_MISSING] * 6
    session = parse(recorded.lines("worker1")[2][:-1]).session
    gone = Gone("worker1", 1, 9, "dana@example.org", "request 17", session)
    recorded.control.line("gone", None, gone.head())
    recorded.control.flush()
    assert not recorded.verify().sound
    recorded.checkpoint()
    report = recorded.verify()
    assert report.sound
    assert report.erased == 6


def test_a_writer_can_not_give_itself_authority(recorded: Node) -> None:
    recorded.edit(
        "worker1",
        lambda lines: [
            split(lines[0][:-1])[0] + b"\n",
            lines[1],
            split(lines[2][:-1])[0] + b"\n",
            *lines[3:],
        ],
    )
    evil = recorded.writer("evil")
    evil.line("gone", None, Gone("worker1", 1, 9, "nobody", "none").head())
    recorded.seal(evil)
    recorded.checkpoint()
    assert [one.fault for one in recorded.verify().faults] == [Fault.BODY_MISSING]


def test_a_folder_that_is_not_there_is_told(node: Node) -> None:
    report = verify(node.folder / "nowhere", [], node.public)
    assert [one.fault for one in report.faults] == [Fault.UNREADABLE]


@pytest.mark.parametrize("writer", ["worker1", "control"])
def test_no_byte_of_a_sealed_line_can_be_changed_cut_or_added_unseen(recorded: Node, writer: str) -> None:
    recorded.checkpoint()
    path = recorded.path(writer)
    whole = path.read_bytes()
    sealed = sum(len(raw) for raw in recorded.lines(writer)[: -1 if writer == "control" else None])
    for at in range(0, sealed, 61):
        for changed in (
            whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :],
            whole[:at] + whole[at + 1 :],
            whole[:at] + b"\n" + whole[at:],
            whole[:at] + b"\0\t\xff" + whole[at + 3 :],
        ):
            path.write_bytes(changed)
            assert not recorded.verify().sound, (at, changed[at - 30 : at + 30])
