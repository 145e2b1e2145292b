"""What somebody forges who may write files and has no key: each comes to its verdict, none to `sound`."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import orjson
import pytest

from journal.node import Node
from wicketgate.journal.blocks import START, leaf, root
from wicketgate.journal.contents import block_root
from wicketgate.journal.export import export
from wicketgate.journal.lines import render_seal, render_stamp
from wicketgate.journal.parse import Line, parse
from wicketgate.journal.report import Fault, Report, Verdict
from wicketgate.journal.verify import verify
from wicketgate.journal.verify_export import verify_export
from wicketgate.journal.witness import find_orphan

SESSION = f"{1:032x}"


@pytest.fixture
def done(node: Node) -> Node:
    """Two sessions of a worker that has ended; a clean end of all: every writer's end is on record."""
    writer = node.writer("worker1")
    node.play(writer)
    node.play(writer)
    node.seal(writer)
    node.checkpoint()
    writer.close()
    ended(node, "worker1", own=True)
    node.checkpoint()
    node.control.close()
    assert node.verify().findings == []
    return node


def ended(node: Node, writer: str, own: bool) -> None:
    found = find_orphan(node.path(writer).parent)
    assert found is not None
    node.control.line("orphan", None, replace(found, own=own).head())


def sealed(writer: str, heads: list[bytes]) -> bytes:
    """Lines renumbered as a whole writer of one block, sealed: no key is needed for that."""
    made: list[Line] = []
    for n, head in enumerate(heads, 1):
        head = re.sub(rb'"w":"[^"]*","n":\d+', b'"w":"%b","n":%d' % (writer.encode(), n), head, count=1)
        made.append(parse(head))
    digest = block_root(START, made)
    stamp = render_stamp(made[-1].wall, made[-1].boot)
    seal = render_seal(writer.encode(), len(made) + 1, stamp, 1, 1, len(made), START, digest)
    return b"".join(line.head + b"\n" for line in made) + seal + b"\n"


def heads(node: Node, keep: Callable[[bytes], bool] = lambda head: True) -> list[bytes]:
    """The worker's HEADs without seals; BODYs and their digests are left out."""
    found = [raw.rstrip(b"\n").partition(b"\t")[0] for raw in node.lines("worker1")]
    found = [re.sub(rb',"h":"[0-9a-f]{64}"', b"", head) for head in found if b'"k":"seal"' not in head]
    return [head for head in found if keep(head)]


def no_control(node: Node) -> None:
    shutil.rmtree(node.path("control").parent)


def no_control_and_one_session_less(node: Node) -> None:
    no_control(node)
    kept = heads(node, lambda head: SESSION.encode() not in head)
    node.path("worker1").write_bytes(sealed("worker1", kept))


def empty(node: Node) -> None:
    shutil.rmtree(node.folder)
    node.folder.mkdir()


def _forged(node: Node, later: int) -> None:
    place = node.path("f" * 32)
    place.parent.mkdir()
    made = [head.replace(SESSION.encode(), b"d" * 32) for head in heads(node)]
    moved = [re.sub(rb'"t":(\d+)', lambda found: b'"t":%d' % (int(found[1]) + later), head) for head in made]
    place.write_bytes(sealed("f" * 32, moved))


def added_writer(node: Node) -> None:
    _forged(node, -3600 * 10**9)


def added_writer_that_claims_to_be_new(node: Node) -> None:
    _forged(node, 3600 * 10**9)


def added_offline(node: Node) -> None:
    place = node.path("f" * 32)
    place.parent.mkdir()
    begin = heads(node)[0]
    place.write_bytes(sealed("f" * 32, [begin, re.sub(rb'"k":"begin".*', b'"k":"admin"}', begin)]))


def _append(node: Node, writer: str) -> None:
    last = parse(node.lines(writer)[-1].rstrip(b"\n"))
    line = b'{"v":1,"w":"%b","n":%d,"t":%d,"m":%d,"k":"open","s":"%b","q":1}\n' % (
        writer.encode(), last.n + 1, last.wall, last.boot, b"d" * 32
    )  # fmt: skip
    with node.path(writer).open("ab") as file:
        file.write(line)


def appended_to_an_ended_writer(node: Node) -> None:
    _append(node, "worker1")


def appended_to_the_control_writer(node: Node) -> None:
    _append(node, "control")


def added_bodies(node: Node) -> None:
    """Of seals: no HEAD speaks of them."""
    path = node.path("worker1")
    path.write_bytes(re.sub(rb'("k":"seal"[^\n]*)\n', rb'\1\t{"text":"added"}\n', path.read_bytes()))


FORGERIES: list[tuple[Callable[[Node], None], Verdict, set[Fault]]] = [
    (no_control, Verdict.UNWITNESSED, {Fault.UNWITNESSED}),
    (no_control_and_one_session_less, Verdict.UNWITNESSED, {Fault.UNWITNESSED}),
    (empty, Verdict.UNWITNESSED, {Fault.UNWITNESSED}),
    (added_writer, Verdict.BROKEN, {Fault.WRITER_STRANGE}),
    (added_writer_that_claims_to_be_new, Verdict.UNWITNESSED, {Fault.UNWITNESSED}),
    (added_offline, Verdict.SOUND, {Fault.OFFLINE}),
    (added_bodies, Verdict.BROKEN, {Fault.BODY_CHANGED}),
    (appended_to_an_ended_writer, Verdict.BROKEN, {Fault.TAIL_CHANGED, Fault.SESSION_OPEN}),
    (appended_to_the_control_writer, Verdict.BROKEN, {Fault.LINES_STRANGE, Fault.SESSION_OPEN}),
]


@pytest.mark.parametrize(
    ("forge", "verdict", "faults"), FORGERIES, ids=lambda each: getattr(each, "__name__", "")
)
def test_a_forged_journal_comes_to_its_verdict(
    done: Node, forge: Callable[[Node], None], verdict: Verdict, faults: set[Fault]
) -> None:
    forge(done)
    report = done.verify()
    assert report.verdict is verdict, report.findings
    assert {one.fault for one in report.findings} == faults


def test_with_the_store_s_checkpoints_what_was_taken_away_is_named(done: Node) -> None:
    empty(done)
    report = verify(done.folder, done.checkpoints, done.public)
    assert {one.writer for one in report.faults} == {"control", "worker1"}
    assert {one.fault for one in report.faults} == {Fault.WRITER_MISSING}


def test_the_newest_lines_of_a_writer_that_runs_are_an_ordinary_case(recorded: Node) -> None:
    report = recorded.verify()
    assert report.findings == []
    assert report.unwitnessed > 0


def test_what_a_killed_run_left_is_vouched_for_once_the_next_recorded_its_end(recorded: Node) -> None:
    ended(recorded, "worker1", own=False)
    recorded.checkpoint()
    report = recorded.verify()
    assert report.findings == []
    assert {tail.writer: tail.lines for tail in report.tails}["worker1"] == 0
    _append(recorded, "worker1")
    assert recorded.verify().has(Fault.TAIL_CHANGED)
    assert not recorded.verify().sound


def test_a_writer_that_none_named_is_not_made_true_by_a_start_that_found_it(recorded: Node) -> None:
    _forged(recorded, -3600 * 10**9)
    ended(recorded, "f" * 32, own=False)
    recorded.checkpoint()
    assert [one.fault for one in recorded.verify().faults] == [Fault.WRITER_STRANGE]


# -- exports -------------------------------------------------------------------------------------------------
Records = list[bytes]


def block(record: bytes, lines: Records, prev: bytes, shift: int, leaves: list[str]) -> tuple[bytes, bytes]:
    members = orjson.loads(record[2:])
    own = [raw[2:].partition(b"\t")[0] for raw in lines]
    given = [leaf(SESSION.encode(), own)] if own else []
    digest = root(prev, [*map(bytes.fromhex, leaves), *given])
    members |= {"prev": prev.hex(), "root": digest.hex(), "leaves": leaves}
    members |= {"last": members["last"] + shift, "block": members["block"] + shift}
    return b"B " + orjson.dumps(members), digest


def reforged(records: Records, shift: int) -> Records:
    """Another identity, another text, every digest made anew; no checkpoint."""
    made: Records = [records[0]]
    prev, starts = START, [at for at, one in enumerate(records) if one.startswith(b"B ")]
    for at in starts:
        lines: Records = []
        for raw in records[at + 1 :]:
            if not raw.startswith(b"L "):
                break
            head, tab, body = raw.replace(b"crew-bot", b"the-boss").partition(b"\t")
            body = body.replace(b"SELECT", b"DELETE")
            head = re.sub(rb'"n":(\d+)', lambda found: b'"n":%d' % (int(found[1]) + shift), head, count=1)
            if tab:
                told = b'"h":"%b"' % sha256(body).hexdigest().encode()
                head = re.sub(rb'"h":"[0-9a-f]{64}"', told, head)
            lines.append(head + tab + body)
        record, prev = block(records[at], lines, prev, shift, [])
        made += [record, *lines]
    return made


def _checkpoints(records: Records) -> Records:
    return [one for one in records if one.startswith(b"C ")]


def _last_block(records: Records) -> int:
    """Where the last block stands that holds lines of the session."""
    last = max(at for at, one in enumerate(records) if one.startswith(b"L "))
    return max(at for at in range(last) if records[at].startswith(b"B "))


def without_end(records: Records) -> Records:
    last = _last_block(records)
    return records[:last] + _checkpoints(records)


def hidden_end(records: Records) -> Records:
    """The last block's own lines given out as another session's leaf."""
    last = _last_block(records)
    own = [one[2:].partition(b"\t")[0] for one in records[last + 1 :] if one.startswith(b"L ")]
    members = orjson.loads(records[last][2:])
    members["leaves"] = sorted([*members["leaves"], leaf(SESSION.encode(), own).hex()])
    rest = [one for one in records[last + 1 :] if not one.startswith(b"L ")]
    return [*records[:last], b"B " + orjson.dumps(members), *rest]


EXPORTS: dict[str, tuple[Callable[[Records], Records], Verdict, set[Fault]]] = {
    "nothing": (lambda records: records, Verdict.SOUND, set()),
    "without checkpoints": (
        lambda records: [one for one in records if not one.startswith(b"C ")],
        Verdict.UNWITNESSED,
        {Fault.UNWITNESSED},
    ),
    "forged, without checkpoints": (
        lambda records: reforged(records, 0),
        Verdict.UNWITNESSED,
        {Fault.UNWITNESSED},
    ),
    "forged, with the true checkpoints": (
        lambda records: reforged(records, 0) + _checkpoints(records),
        Verdict.BROKEN,
        {Fault.CHECKPOINT_UNMET, Fault.UNWITNESSED},
    ),
    "forged and shifted, with the true checkpoints": (
        lambda records: reforged(records, 1000) + _checkpoints(records),
        Verdict.UNWITNESSED,
        {Fault.UNWITNESSED},
    ),
    "true blocks behind forged ones": (
        lambda records: reforged(records, 1000) + records[1:],
        Verdict.BROKEN,
        {Fault.BLOCKS_REORDERED, Fault.SESSION_GAP, Fault.LINES_REORDERED, Fault.UNWITNESSED},
    ),
    "the end cut off": (without_end, Verdict.UNWITNESSED, {Fault.UNWITNESSED, Fault.END_UNPROVEN}),
    "the end hidden": (hidden_end, Verdict.UNWITNESSED, {Fault.END_UNPROVEN}),
    "no lines at all": (
        lambda records: [records[0], *_checkpoints(records)],
        Verdict.UNWITNESSED,
        {Fault.UNWITNESSED, Fault.END_UNPROVEN},
    ),
}


def _proven(node: Node, change: Callable[[Records], Records], expect: int | None = None) -> Report:
    data = export(node.folder, SESSION)
    assert data is not None
    forged = b"\n".join([*change(data.splitlines()), b""])
    return verify_export(forged, node.public, None if expect is None else node.checkpoints[expect])


@pytest.mark.parametrize("name", EXPORTS)
def test_a_forged_export_comes_to_its_verdict(done: Node, name: str) -> None:
    change, verdict, faults = EXPORTS[name]
    report = _proven(done, change)
    assert report.verdict is verdict, report.findings
    assert {one.fault for one in report.findings} == faults


def test_an_expected_checkpoint_must_vouch_for_the_lines(done: Node) -> None:
    assert _proven(done, lambda records: records, expect=0).findings == []
    shifted = _proven(done, lambda records: reforged(records, 1000), expect=0)
    assert shifted.verdict is Verdict.UNWITNESSED
    assert shifted.has(Fault.EXPECT_UNTIED)
    cut = _proven(done, lambda records: [records[0], *_checkpoints(records)], expect=0)
    assert cut.has(Fault.EXPECT_UNTIED)
