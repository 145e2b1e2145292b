"""The index says which sessions there are, follows what is written, and can be thrown away."""

from pathlib import Path

import pytest

from journal.node import Node
from wicketgate.journal.erase import SegmentOpen, erase
from wicketgate.journal.index import Index, read_session, sessions
from wicketgate.journal.parse import parse
from wicketgate.journal.report import Fault
from wicketgate.journal.witness import Gone


def told(node: Node) -> str:
    """One session as the gate writes it."""
    writer = node.writer("worker1", segment_size=1500)
    place = writer.session("a" * 32)
    place.line("open", b',"i":{"name":"crew-bot","resource":"sales","database":"crm"},"a":"reader"')
    for at in range(4):
        q = place.line("ask", b',"d":"permit"', b'"text":"SELECT %d"' % at)
        place.line("answer", b',"r":%d,"o":{"rows":3,"bytes":100,"ns":5}' % q, b'"bytes":"QUJD"')
        other = writer.session("b" * 32)
        other.line("ask", b"", b'"text":"other"')
        node.seal(writer)
    place.line("deny", b',"d":"deny"', b'"denial":{"cause":"x"}')
    place.line("close", b',"o":{"tag":"client"}')
    writer.flush()
    return "a" * 32


def test_a_session_is_listed_with_who_what_and_how_much(node: Node) -> None:
    session = told(node)
    assert node.path("worker1", 2).exists()
    found, other = sorted(sessions(node.folder), key=lambda one: one.session)
    assert found.session == session
    assert (found.identity, found.resource, found.database, found.account) == (
        "crew-bot",
        "sales",
        "crm",
        "reader",
    )
    assert (found.node, found.writer, found.reason) == ("node1", "worker1", "client")
    assert (found.statements, found.denied, found.rows, found.size, found.lines) == (4, 1, 12, 400, 11)
    assert found.closed is not None
    assert found.closed > found.opened > 0
    assert other.closed is None


def test_a_sessions_lines_are_read_over_segments_and_no_others(node: Node) -> None:
    session = told(node)
    lines = read_session(node.folder, session)
    assert [line.q for line in lines] == list(range(1, 12))
    assert {line.session for line in lines} == {session}
    assert lines[1].content() == {"text": "SELECT 0"}
    assert read_session(node.folder, "c" * 32) == []


def test_an_index_follows_what_is_written(node: Node, tmp_path: Path) -> None:
    index = Index(node.folder, tmp_path / "index.db")
    assert index.sessions() == []
    writer = node.writer("worker1")
    place = writer.session("a" * 32)
    place.line("open")
    writer.flush()
    assert [one.lines for one in index.sessions()] == [1]
    place.line("ask")
    assert [one.lines for one in index.sessions()] == [1]
    writer.flush()
    assert [(one.lines, one.statements) for one in index.sessions()] == [(2, 1)]
    index.close()
    again = Index(node.folder, tmp_path / "index.db")
    found = again.find("a" * 32)
    assert found is not None
    assert found.lines == 2
    assert (tmp_path / "index.db").stat().st_mode & 0o777 == 0o600
    before = again.sessions()
    again.rebuild()
    assert again.sessions() == before
    again.close()


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to look at" * 100, b""])
def test_an_index_that_is_damaged_is_made_again(node: Node, tmp_path: Path, content: bytes) -> None:
    told(node)
    (tmp_path / "index.db").write_bytes(content)
    index = Index(node.folder, tmp_path / "index.db")
    assert len(index.sessions()) == 2
    index.close()


def test_lines_that_were_taken_back_are_forgotten(node: Node) -> None:
    writer = node.writer("worker1")
    writer.session("a" * 32).line("open")
    writer.flush()
    size = node.path("worker1").stat().st_size
    writer.session("b" * 32).line("open")
    writer.flush()
    index = Index(node.folder)
    assert len(index.sessions()) == 2
    with node.path("worker1").open("r+b") as file:
        file.truncate(size)
    assert [one.session for one in index.sessions()] == ["a" * 32]
    index.close()


def test_a_torn_line_is_read_once_it_is_whole(node: Node) -> None:
    writer = node.writer("worker1")
    writer.session("a" * 32).line("open")
    writer.flush()
    whole = node.path("worker1").read_bytes()
    node.path("worker1").write_bytes(whole[:-5])
    index = Index(node.folder)
    assert index.sessions() == []
    node.path("worker1").write_bytes(whole)
    assert len(index.sessions()) == 1
    index.close()


# -- erasure ------------------------------------------------------------------------------------------------
def _authority(node: Node, session: str | None = None) -> Gone:
    gone = Gone("worker1", 1, 10_000, "dana@example.org", "retention", session)
    node.control.line("gone", None, gone.head())
    node.checkpoint()
    return gone


def test_erasing_takes_bodies_of_closed_segments_alone_and_the_journal_stays_sound(node: Node) -> None:
    session = told(node)
    index = Index(node.folder)
    before = index.sessions()
    gone = _authority(node, session)
    with pytest.raises(SegmentOpen):
        erase(node.folder, node.name, gone)
    closed = parse(node.lines("worker1", 1)[-1][:-1]).n
    part = Gone(gone.writer, 1, closed, gone.by, gone.why, session)
    report = node.verify()
    assert report.sound
    erased = report.erased
    assert erased > 0
    assert erase(node.folder, node.name, part) == 0
    lines = index.read(session)
    assert [line.q for line in lines] == list(range(1, 12))
    assert any(line.erased for line in lines)
    assert all(line.body is not None for line in index.read("b" * 32))
    assert index.sessions() == before
    assert b"SELECT 0" not in node.path("worker1").read_bytes()
    index.close()


def test_an_open_segment_without_any_of_the_lines_does_not_hinder(node: Node) -> None:
    session = told(node)
    closed = parse(node.lines("worker1", 1)[-1][:-1]).n
    assert erase(node.folder, node.name, Gone("worker1", 1, closed, "dana", "retention", session)) > 0
    assert node.path("worker1").stat().st_mode & 0o777 == 0o600


def test_an_interrupted_erasure_is_told_and_done_again(node: Node) -> None:
    session = told(node)
    _authority(node, session)
    (node.path("worker1").parent / "000001.log.erasing").write_bytes(b"half")
    report = node.verify()
    assert report.sound
    assert report.has(Fault.ERASING)
    closed = parse(node.lines("worker1", 1)[-1][:-1]).n
    assert erase(node.folder, node.name, Gone("worker1", 1, closed, "dana", "retention", session)) > 0
    assert not (node.path("worker1").parent / "000001.log.erasing").exists()
