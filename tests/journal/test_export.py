"""An exported session proves itself, and carries nothing of anybody else but digests."""

import re
from collections.abc import Callable

import pytest

from journal.node import Node
from wicketgate.journal.checkpoint import SigningKey
from wicketgate.journal.erase import erase
from wicketgate.journal.export import export
from wicketgate.journal.report import Fault, Verdict
from wicketgate.journal.verify_export import verify_export
from wicketgate.journal.witness import Gone

Records = list[bytes]


@pytest.fixture
def busy(node: Node) -> Node:
    """Three sessions at once over many blocks and two segments; checkpoints now and then."""
    writer = node.writer("worker1", segment_size=6000)
    places = [writer.session(f"{at:032x}") for at in (1, 2, 3)]
    for place in places:
        place.line("open", b',"i":{"name":"n%b"}' % place.session[-1:])
    for turn in range(24):
        place = places[turn % 5 % 3]
        q = place.line("ask", b"", b'"text":"SELECT %d FROM secret%b"' % (turn, place.session[-1:]))
        place.line("answer", b',"r":%d' % q, b'"bytes":"QUJD"')
        if turn % 2:
            node.seal(writer)
        if turn % 6 == 5:
            node.checkpoint()
    for place in places:
        place.line("close")
    node.seal(writer)
    node.checkpoint()
    assert node.path("worker1", 2).exists()
    return node


def exported(node: Node, session: int = 2) -> bytes:
    data = export(node.folder, f"{session:032x}")
    assert data is not None
    return data


@pytest.mark.parametrize("session", [1, 2, 3])
def test_a_session_verifies_alone(busy: Node, session: int) -> None:
    report = verify_export(exported(busy, session), busy.public)
    assert report.findings == []
    assert report.sessions_closed == 1
    assert report.unwitnessed == 0
    assert report.checkpoints >= 2


def test_nothing_of_other_sessions_is_in_it(busy: Node) -> None:
    data = exported(busy)
    assert set(re.findall(rb"[0-9a-f]{31}[0-9](?![0-9a-f])", data)) >= {b"2".rjust(32, b"0")}
    for other in (1, 3):
        assert f"{other:032x}".encode() not in data
        assert b"secret%d" % other not in data
        assert b"n%d" % other not in data
    assert b'"k":"begin"' not in data


def _edit(data: bytes, change: Callable[[Records], Records]) -> bytes:
    return b"\n".join([*change(data.splitlines()), b""])


def _nth(records: Records, letter: bytes, at: int) -> int:
    return [n for n, one in enumerate(records) if one.startswith(letter)][at]


def _without(letter: bytes, at: int) -> Callable[[Records], Records]:
    def change(records: Records) -> Records:
        del records[_nth(records, letter, at)]
        return records

    return change


def _replace(letter: bytes, at: int, old: bytes, new: bytes) -> Callable[[Records], Records]:
    def change(records: Records) -> Records:
        where = _nth(records, letter, at)
        assert old in records[where]
        records[where] = records[where].replace(old, new, 1)
        return records

    return change


def _without_last_block(records: Records) -> Records:
    """The last block that holds lines, its lines and all blocks behind it."""
    last = max(at for at, one in enumerate(records) if one.startswith(b"L "))
    begin = max(at for at in range(last) if records[at].startswith(b"B "))
    return records[:begin] + [one for one in records[begin:] if one.startswith(b"C ")]


def _swap_lines(records: Records) -> Records:
    one = _nth(records, b"L ", 0)
    other = _nth(records, b"L ", 1)
    records[one], records[other] = records[other], records[one]
    return records


TAMPERINGS: dict[str, tuple[Callable[[Records], Records], Fault]] = {
    "a line's HEAD": (_replace(b"L ", 2, b'"r":2', b'"r":1'), Fault.HEAD_CHANGED),
    "a line's BODY": (_replace(b"L ", 2, b"QUJD", b"QUJE"), Fault.BODY_CHANGED),
    "a line left out": (_without(b"L ", 2), Fault.HEAD_CHANGED),
    "lines swapped": (_swap_lines, Fault.LINES_REORDERED),
    "a line garbled": (_replace(b"L ", 1, b"{", b""), Fault.HEAD_CHANGED),
    "a block left out, not its lines": (_without(b"B ", 2), Fault.HEAD_CHANGED),
    "a leaf": (_replace(b"B ", 0, b'"leaves":["', b'"leaves":["00'), Fault.HEAD_CHANGED),
    "a root": (_replace(b"B ", 1, b'"root":"', b'"root":"00'), Fault.HEAD_CHANGED),
    "a block's record": (_replace(b"B ", 1, b'"last":', b'"last":"x","was":'), Fault.SEAL_CHANGED),
    "a checkpoint": (_replace(b"C ", 0, b'"number":1', b'"number":2'), Fault.CHECKPOINT_FORGED),
    "a checkpoint garbled": (_replace(b"C ", 0, b'{"number"', b'{ "number"'), Fault.CHECKPOINT_FORGED),
    "the header": (_replace(b"H ", 0, b'"v":1', b'"v":2'), Fault.UNREADABLE),
    "another session's header": (_replace(b"H ", 0, b"2", b"1"), Fault.LINES_STRANGE),
    "a strange record": (lambda records: [*records, b"X"], Fault.LINES_STRANGE),
    "the session's end": (_without_last_block, Fault.END_UNPROVEN),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_what_is_changed_is_named(busy: Node, name: str) -> None:
    change, fault = TAMPERINGS[name]
    report = verify_export(_edit(exported(busy), change), busy.public)
    assert report.has(fault), report.findings
    assert not report.sound


def test_blocks_in_between_may_not_be_missing(busy: Node) -> None:
    """Without the blocks that lead to a checkpoint, nothing vouches for the lines."""
    records = exported(busy, 3).splitlines()
    bare = [
        at
        for at, one in enumerate(records)
        if one.startswith(b"B ") and not records[at + 1].startswith(b"L ")
    ]
    assert bare
    assert verify_export(b"\n".join([*records, b""]), busy.public).findings == []
    del records[bare[0]]
    report = verify_export(b"\n".join([*records, b""]), busy.public)
    assert [one.fault for one in report.faults] == [Fault.BLOCKS_MISSING]


def test_every_byte_counts(busy: Node) -> None:
    """Whatever byte is flipped, something is told."""
    data = exported(busy)
    at = 0
    for record in data.splitlines(keepends=True):
        named = record.startswith(b"H ")
        described = (
            range(record.index(b'"block":'), record.index(b',"last"')) if b'"block":' in record else ()
        )
        for offset in range(0, len(record), 29):
            if named or offset in described:
                continue
            changed = bytearray(data)
            changed[at + offset] ^= 1
            assert verify_export(bytes(changed), busy.public).findings, (record, offset)
        at += len(record)


def test_without_its_checkpoints_or_with_another_key_nothing_vouches(busy: Node) -> None:
    data = exported(busy)
    bare = _edit(data, lambda records: [one for one in records if not one.startswith(b"C ")])
    report = verify_export(bare, busy.public)
    assert report.verdict is Verdict.UNWITNESSED
    assert report.has(Fault.UNWITNESSED)
    assert report.unwitnessed == report.lines
    assert verify_export(data, SigningKey.generate().public).has(Fault.CHECKPOINT_FORGED)


def test_a_session_that_is_still_open_or_unsealed_says_so(node: Node) -> None:
    writer = node.writer("worker1")
    place = writer.session("5" * 32)
    place.line("open")
    node.seal(writer)
    node.checkpoint()
    place.line("ask", b"", b'"text":"x"')
    writer.flush()
    data = export(node.folder, "5" * 32)
    assert data is not None
    report = verify_export(data, node.public)
    assert {one.fault for one in report.findings} == {Fault.UNWITNESSED, Fault.END_UNPROVEN}
    assert report.verdict is Verdict.UNWITNESSED
    assert report.unwitnessed == 1


def test_a_session_that_nobody_knows_has_no_export(busy: Node) -> None:
    assert export(busy.folder, "e" * 32) is None


def test_a_key_that_was_changed_in_between_is_proven_by_the_export_itself(node: Node) -> None:
    first = node.public
    writer = node.writer("worker1")
    new = SigningKey.generate()
    node.checkpoint(next_key=new.public)
    node.key = new
    session = node.play(writer)
    node.seal(writer)
    node.checkpoint()
    data = export(node.folder, session)
    assert data is not None
    assert verify_export(data, first).findings == []


def test_an_erased_body_leaves_the_proof_and_is_told(busy: Node) -> None:
    gone = Gone("worker1", 1, 10_000, "dana@example.org", "request 17", f"{2:032x}")
    busy.control.line("gone", None, gone.head())
    busy.checkpoint()
    erased = erase(
        busy.folder, busy.name, Gone("worker1", 1, 20, "dana@example.org", "request 17", f"{2:032x}")
    )
    assert erased
    report = verify_export(exported(busy), busy.public)
    assert report.sound
    assert report.erased == erased
    assert report.has(Fault.ERASED)


@pytest.mark.parametrize("data", [b"", b"\n", b"H \n", b"H []\n", b"\xff\xfe", b"L x\n"])
def test_what_is_no_export_is_told(data: bytes) -> None:
    assert verify_export(data, b"\0" * 32).has(Fault.UNREADABLE)
