"""Encrypted journals: nothing of what was said is to be seen, and `verify` proves them without a key."""

import errno
import json
import os
import tempfile
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journal.node import Clock, Node
from journal.wrapped import Plenty, Ring
from wicketgate.journal.decrypt import is_closed, open_line
from wicketgate.journal.encrypt import (
    BODY,
    HEAD,
    NotOpened,
    SegmentCipher,
    SessionCipher,
    padding,
)
from wicketgate.journal.erase import erase
from wicketgate.journal.export import export
from wicketgate.journal.index import AGAIN, Index, read_session, sessions
from wicketgate.journal.keyfile import KeySupply, read_key, rewrite_key
from wicketgate.journal.parse import parse
from wicketgate.journal.read_export import read_export
from wicketgate.journal.report import Fault
from wicketgate.journal.verify_export import verify_export
from wicketgate.journal.witness import Gone
from wicketgate.journal.writer import Disk, Writer
from wicketgate.model.errors import JournalFailed, KeyMissing
from wicketgate.model.secret import Secret

CANARY = b"canary7f3e"
S1 = "1" * 32


@pytest.fixture
def ring() -> Ring:
    return Ring()


def secret_writer(node: Node, ring: Ring, name: str = "w1", **options: object) -> Writer:
    return node.writer(name, keys=Plenty(ring, node.name, name), **options)


def talk(node: Node, writer: Writer, session: str = S1) -> None:
    """One session that says the canary wherever something can be said."""
    place = writer.session(session)
    place.line("open", b',"i":{"name":"%b","resource":"%b"},"a":"%b"' % (CANARY, CANARY, CANARY))
    ask = place.line(
        "ask", b',"d":"permit","u":["%b"],"l":["%b"]' % (CANARY, CANARY), b'"text":"%b"' % CANARY
    )
    place.line(
        "answer",
        b',"r":%d,"o":{"tag":"%b","rows":1,"bytes":7}' % (ask, CANARY),
        b'"bytes":"%b"' % CANARY,
    )
    place.line("ask", b',"x":%d' % ask, b'"parameters":["%b"]' % CANARY)
    place.line("close", b',"o":{"tag":"client"}')
    writer.line("admin", None, b',"do":"%b"' % CANARY, b'"by":"%b"' % CANARY)
    writer.flush()
    node.seal(writer)
    node.checkpoint()


def stored(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_nothing_said_is_found_in_any_file_and_verify_needs_no_key(node: Node, ring: Ring) -> None:
    talk(node, secret_writer(node, ring))
    found = stored(node.folder)
    assert CANARY not in found
    assert CANARY.hex().encode() not in found
    assert not any(key in found or key.hex().encode() in found for key in ring.keys.values())
    assert ring.asked == 0
    report = node.verify()
    assert report.sound
    assert not report.findings
    assert report.sessions_closed == 1


def test_with_the_key_all_is_there_as_it_was_handed_in(node: Node, ring: Ring) -> None:
    talk(node, secret_writer(node, ring))
    lines = read_session(node.folder, S1, ring.opener())
    assert [line.kind for line in lines] == ["open", "ask", "answer", "ask", "close"]
    assert lines[0].members == {"i": {"name": "canary7f3e", "resource": "canary7f3e"}, "a": "canary7f3e"}
    assert lines[1].content() == {"text": "canary7f3e"}
    assert lines[1].members["l"] == ["canary7f3e"]
    assert lines[2].content() == {"bytes": "canary7f3e"}
    assert lines[3].members == {"x": 2}
    (entry,) = sessions(node.folder, ring.opener())
    assert (entry.identity, entry.resource, entry.statements, entry.rows) == ("canary7f3e",) * 2 + (2, 1)
    assert (entry.reason, entry.size) == ("client", 7)


def test_without_the_key_a_reader_is_told_and_the_list_shows_what_is_in_clear(node: Node, ring: Ring) -> None:
    talk(node, secret_writer(node, ring))
    ring.away = True
    with pytest.raises(KeyMissing) as caught:
        read_session(node.folder, S1, ring.opener())
    assert caught.value.detail == "custody: there is no key"
    with pytest.raises(KeyMissing, match="key is not at hand") as caught:
        read_session(node.folder, S1)
    assert "-c" in caught.value.detail
    with pytest.raises(KeyMissing):
        export(node.folder, S1, (), ring.opener())
    (entry,) = sessions(node.folder, ring.opener())
    assert (entry.identity, entry.resource, entry.statements, entry.rows) == ("", "", 2, 0)
    assert entry.closed is not None
    assert node.verify().sound


def test_the_list_learns_who_it_was_once_the_key_is_back(node: Node, ring: Ring) -> None:
    talk(node, secret_writer(node, ring))
    ring.away = True
    clock = Clock(0)
    opener = ring.opener()
    opener._boot = clock
    index = Index(node.folder, None, opener)
    assert index.sessions()[0].identity == ""
    asked = ring.asked
    assert index.sessions()[0].identity == ""
    assert ring.asked == asked  # not at each look
    ring.away = False
    clock.at += AGAIN
    assert index.sessions()[0].identity == "canary7f3e"
    index.close()


def test_an_index_of_what_is_encrypted_is_never_a_file(node: Node, ring: Ring, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="index's file"):
        Index(node.folder, tmp_path / "index", ring.opener())


def test_older_clear_segments_and_encrypted_ones_are_read_together(node: Node, ring: Ring) -> None:
    clear = node.play(node.writer("old"))
    talk(node, secret_writer(node, ring))
    later = node.play(node.writer("new"))
    node.checkpoint()
    found = {each.session: each.identity for each in sessions(node.folder, ring.opener())}
    assert found == {clear: "crew-bot", S1: "canary7f3e", later: "crew-bot"}
    ring.away = True
    assert read_session(node.folder, clear, ring.opener())[1].content() == {"text": "SELECT 0"}
    assert node.verify().sound


def test_a_session_over_several_segments_has_a_key_in_each(node: Node, ring: Ring) -> None:
    writer = secret_writer(node, ring, segment_size=1500)
    place = writer.session(S1)
    place.line("open", b',"i":{"name":"bot"}')
    for at in range(12):
        place.line("ask", b"", b'"text":"SELECT %d"' % at)
        node.seal(writer)
    place.line("close")
    node.seal(writer)
    node.checkpoint()
    assert len(ring.keys) > 2
    assert len(set(ring.keys.values())) == len(ring.keys)
    texts = [line.content() for line in read_session(node.folder, S1, ring.opener()) if line.kind == "ask"]
    assert texts == [{"text": f"SELECT {at}"} for at in range(12)]
    assert node.verify().sound
    content = export(node.folder, S1, (), ring.opener())
    assert content is not None
    assert content.count(b"\nK ") == len(ring.keys)
    assert verify_export(content, node.public).sound


# -- keys --------------------------------------------------------------------------------------------------
def test_without_a_key_nothing_is_written(node: Node) -> None:
    with pytest.raises(JournalFailed) as caught:
        node.writer("w1", keys=KeySupply(node.name, "w1"))
    assert "no key" in caught.value.detail
    assert not list((node.folder / node.name / "w1").glob("*.log"))


def test_a_segment_goes_on_while_no_key_is_there_for_the_next(node: Node, ring: Ring) -> None:
    supply = Plenty(ring, node.name, "w1")
    writer = node.writer("w1", keys=supply, segment_size=600)
    supply.short = True
    for _ in range(3):
        node.play(writer)
        node.seal(writer)
    assert supply.wanted == 2
    assert not node.path("w1", 2).exists()
    supply.short = False
    node.play(writer)
    node.seal(writer)
    assert node.path("w1", 2).exists()
    node.checkpoint()
    assert node.verify().sound
    assert all(is_closed(parse(raw[:-1])) for raw in node.lines("w1") if b'"s":' in raw)


def test_the_key_s_file_is_private_and_names_no_key(node: Node, ring: Ring) -> None:
    secret_writer(node, ring)
    path = node.path("w1").with_name("000001.key")
    assert path.stat().st_mode & 0o777 == 0o600
    found = json.loads(path.read_bytes())
    assert sorted(found) == ["id", "v", "wrapped"]
    assert parse(node.lines("w1")[0][:-1]).members["key"] == found["id"]
    key = read_key(path, node.name, "w1", 1)
    assert key.wrapped not in repr(key)
    assert "Secret(…)" in repr(ring.made("n", "w", 1))


def test_wrapping_anew_changes_no_segment(node: Node, ring: Ring) -> None:
    talk(node, secret_writer(node, ring))
    before = {path: path.read_bytes() for path in node.folder.rglob("*.log")}
    path = node.path("w1").with_name("000001.key")
    old = read_key(path, node.name, "w1", 1)
    fresh = Ring()
    rewrite_key(path, old, fresh.wrap(ring.keys[node.name, "w1", 1], old.context))
    assert {path: path.read_bytes() for path in node.folder.rglob("*.log")} == before
    assert read_session(node.folder, S1, fresh.opener())[1].content() == {"text": "canary7f3e"}
    with pytest.raises(KeyMissing):
        read_session(node.folder, S1, ring.opener())
    assert node.verify().sound
    assert [each.name for each in path.parent.glob("*.key*")] == ["000001.key"]


def _lose(path: Path, other: Path) -> None:
    path.unlink()


def _swap(path: Path, other: Path) -> None:
    path.write_bytes(other.read_bytes())


def _empty(path: Path, other: Path) -> None:
    path.write_bytes(b"")


def _garble(path: Path, other: Path) -> None:
    path.write_bytes(b'{"v":1,"id":"x","wrapped":"y"}\n')


def _huge(path: Path, other: Path) -> None:
    path.write_bytes(b" " * (1 << 20))


def _link(path: Path, other: Path) -> None:
    path.unlink()
    path.symlink_to(other)


@pytest.mark.parametrize("change", [_lose, _swap, _empty, _garble, _huge, _link])
def test_a_key_s_file_that_is_not_its_segment_s_is_told(
    node: Node, ring: Ring, change: Callable[[Path, Path], None]
) -> None:
    talk(node, secret_writer(node, ring))
    talk(node, secret_writer(node, ring, "w2"), "2" * 32)
    paths = [node.path(name).with_name("000001.key") for name in ("w1", "w2")]
    change(*paths)
    report = node.verify()
    assert not report.sound
    assert report.has(Fault.KEY_LOST)
    with pytest.raises(KeyMissing):
        read_session(node.folder, S1, ring.opener())
    assert read_session(node.folder, "2" * 32, ring.opener())[1].content() == {"text": "canary7f3e"}


def test_a_wrapped_key_of_another_segment_does_not_open(node: Node, ring: Ring) -> None:
    """Its text moved into the right file, id and all: it is bound to its place, and the id to the key."""
    talk(node, secret_writer(node, ring))
    talk(node, secret_writer(node, ring, "w2"), "2" * 32)
    mine, other = (node.path(name).with_name("000001.key") for name in ("w1", "w2"))
    content = json.loads(mine.read_bytes())
    content["wrapped"] = json.loads(other.read_bytes())["wrapped"]
    mine.write_text(json.dumps(content))
    with pytest.raises(KeyMissing) as caught:
        read_session(node.folder, S1, ring.opener())
    assert "does not open" in caught.value.detail
    # even wrapped for this place by who holds the wrapping key
    content["wrapped"] = ring.wrap(ring.keys[node.name, "w2", 1], read_key(mine, node.name, "w1", 1).context)
    mine.write_text(json.dumps(content))
    with pytest.raises(KeyMissing) as caught:
        read_session(node.folder, S1, ring.opener())
    assert "another segment's" in caught.value.detail


# -- nonces ------------------------------------------------------------------------------------------------
class Breaking(Disk):
    full = False

    def write(self, file: int, data: bytes) -> int:
        if self.full:
            self.full = False
            super().write(file, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(file, data)


def _counters(raw: bytes) -> list[bytes]:
    line = parse(raw)
    closed = line.members.get("z")
    found = [] if closed is None else [b64decode(str(closed))[:6]]
    if line.body is not None and line.digest is not None:
        found.append(b64decode(json.loads(line.body)["cipher"])[:6])
    return found


def test_no_counter_is_used_twice_not_even_after_a_write_that_failed(node: Node, ring: Ring) -> None:
    """What was taken back may still lie on the disk: its counters are gone for good."""
    disk = Breaking()
    writer = secret_writer(node, ring, disk=disk, reserve=8192)
    place, other = writer.session(S1), writer.session("2" * 32)
    place.line("open", b',"i":{}')
    other.line("open", b',"i":{}')
    writer.flush()
    used = [number for raw in node.lines("w1") for number in _counters(raw[:-1])]
    place.line("ask", b',"d":"permit"', b'"text":"lost"')
    lost = {number for part in writer._lines.pending if part.startswith(b"{") for number in _lost(part)}
    assert len(lost) == 2
    disk.full = True
    with pytest.raises(JournalFailed):
        writer.flush()
    raws = [raw[:-1] for raw in node.lines("w1")]
    assert [parse(raw).kind for raw in raws] == ["begin", "open", "open", "close", "close", "seal"]
    after = [number for raw in raws for number in _counters(raw)]
    assert len(after) == len(set(after)) == 4
    assert not lost & set(after)
    assert set(used) < set(after)
    node.seals["w1"] = writer.last_seal  # type: ignore[assignment]
    node.checkpoint()
    assert node.verify().sound
    closes = [line for line in read_session(node.folder, S1, ring.opener()) if line.kind == "close"]
    assert closes[0].members == {"o": {"tag": "journal"}}


def _lost(part: bytes) -> list[bytes]:
    found = json.loads(part)
    return [b64decode(found[name])[:6] for name in ("z", "cipher") if name in found]


def test_a_torn_last_line_is_told_and_the_rest_is_read(node: Node, ring: Ring) -> None:
    writer = secret_writer(node, ring)
    place = writer.session(S1)
    place.line("open", b',"i":{"name":"bot"}')
    place.line("ask", b"", b'"text":"whole"')
    place.line("ask", b"", b'"text":"torn"')
    node.seal(writer)
    node.checkpoint()
    writer.session(S1).line("ask", b"", b'"text":"tail"')
    writer.flush()
    path = node.path("w1")
    path.write_bytes(path.read_bytes()[:-30])
    report = node.verify()
    assert report.sound
    assert report.has(Fault.TORN)
    texts = [line.content() for line in read_session(node.folder, S1, ring.opener())[1:]]
    assert texts == [{"text": "whole"}, {"text": "torn"}]


# -- tampering ---------------------------------------------------------------------------------------------
def test_each_changed_byte_is_found_without_a_key(node: Node, ring: Ring) -> None:
    talk(node, secret_writer(node, ring))
    path = node.path("w1")
    whole = path.read_bytes()
    for at in range(0, len(whole), 23):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert not node.verify().sound, at
    path.write_bytes(whole)
    assert node.verify().sound


def test_what_verify_would_find_does_not_open_either(node: Node, ring: Ring) -> None:
    """Whoever can compute digests anew (and forge seals) still can't move or change what is encrypted."""
    talk(node, secret_writer(node, ring))
    talk(node, secret_writer(node, ring, "w2"), "2" * 32)
    segment = SegmentCipher(ring.keys[node.name, "w1", 1], node.name, "w1", 1)
    cipher = SessionCipher(segment.session_key(S1.encode()))
    lines = [parse(raw[:-1]) for raw in node.lines("w1")]
    ask, answer = lines[2], lines[3]
    assert open_line(ask, cipher).content() == {"text": "canary7f3e"}

    def fails(head: bytes, body: bytes | None, by: SessionCipher = cipher) -> None:
        with pytest.raises(NotOpened):
            open_line(parse(head + (b"" if body is None else b"\t" + body)), by)

    fails(ask.head, answer.body)  # another line's BODY
    fails(answer.head, ask.body)
    for before, after in (
        (b'"n":3', b'"n":4'),
        (b'"k":"ask"', b'"k":"deny"'),
        (b'"q":2', b'"q":3'),
        (b'"w":"w1"', b'"w":"w2"'),
        (b'"s":"1', b'"s":"2'),
        (b'"t":', b'"t":1'),
        (b'"m":', b'"m":1'),
    ):
        assert before in ask.head
        fails(ask.head.replace(before, after, 1), ask.body)
    closed = str(ask.members["z"]).encode()
    fails(ask.head, b'{"cipher":"%b"}' % closed)  # HEAD's part as BODY
    fails(ask.head, b'{"text":"in clear"}')
    fails(ask.head.replace(closed, closed[:8] + closed[12:]), ask.body)
    fails(ask.head.replace(closed, b""), ask.body)
    fails(ask.head.replace(closed, b"!" + closed[1:]), ask.body)
    fails(ask.head.replace(closed, b"AAAA"), ask.body)
    fails(ask.head, ask.body[:-10] + b'"}' if ask.body else None)
    # the same place under other keys: another session's, another writer's segment, another segment's number
    for key, writer, number, session in (
        ("w1", "w1", 1, "2" * 32), ("w2", "w1", 1, S1), ("w1", "w2", 1, S1), ("w1", "w1", 2, S1),
    ):  # fmt: skip
        place = SegmentCipher(ring.keys[node.name, key, 1], node.name, writer, number)
        fails(ask.head, ask.body, SessionCipher(place.session_key(session.encode())))
    other = SegmentCipher(ring.keys[node.name, "w1", 1], "node2", "w1", 1)
    fails(ask.head, ask.body, SessionCipher(other.session_key(S1.encode())))


def test_a_line_that_was_changed_stays_closed_and_the_others_are_shown(node: Node, ring: Ring) -> None:
    talk(node, secret_writer(node, ring))

    def change(lines: list[bytes]) -> list[bytes]:
        at = next(at for at, raw in enumerate(lines) if b'"k":"answer"' in raw)
        lines[at] = lines[at].replace(b'{"cipher":"', b'{"cipher":"AAAA')
        return lines

    node.edit("w1", change)
    assert node.verify().has(Fault.BODY_CHANGED)
    lines = read_session(node.folder, S1, ring.opener())
    assert [is_closed(line) for line in lines] == [False, False, True, False, False]


def test_a_line_in_clear_among_encrypted_ones_is_not_shown(node: Node, ring: Ring) -> None:
    talk(node, secret_writer(node, ring))

    def forge(lines: list[bytes]) -> list[bytes]:
        for at, raw in enumerate(lines):
            line = parse(raw[:-1])
            before = line.head.partition(b',"z":')[0]
            if line.kind == "open":
                lines[at] = before + b',"i":{"name":"somebody-else"}}\n'
            elif line.kind == "answer":
                lines[at] = before + b',"o":{"rows":7},"h":"%b"}\t{"bytes":"QUJD"}\n' % (b"0" * 64)
        return lines

    node.edit("w1", forge)
    assert not node.verify().sound
    lines = read_session(node.folder, S1, ring.opener())
    assert [is_closed(line) for line in lines] == [True, False, True, False, False]
    assert lines[0].members.get("i") is None
    assert lines[2].content() is None
    (entry,) = sessions(node.folder, ring.opener())
    assert (entry.identity, entry.rows) == ("", 0)


def test_where_the_next_key_can_t_be_kept_nothing_more_is_written(node: Node, ring: Ring) -> None:
    writer = secret_writer(node, ring, segment_size=600)
    node.path("w1").with_name("000002.key").mkdir()
    with pytest.raises(JournalFailed):
        node.play(writer)  # it seals in the midst
    assert writer.failed
    assert not node.path("w1", 2).exists()
    node.seals["w1"] = writer.last_seal  # type: ignore[assignment]
    node.path("w1").with_name("000002.key").rmdir()
    node.checkpoint()
    assert node.verify().sound


# -- erasure -----------------------------------------------------------------------------------------------
def test_erasure_takes_the_content_and_leaves_who_and_what_was_decided(node: Node, ring: Ring) -> None:
    writer = secret_writer(node, ring)
    talk(node, writer)
    writer.close()
    gone = Gone("w1", 1, 100, "dpo", "case 7", S1)
    node.control.line("gone", None, gone.head())
    node.checkpoint()
    node.checkpoint()
    assert erase(node.folder, node.name, gone) == 3
    report = node.verify()
    assert report.sound
    assert report.erased == 3
    lines = read_session(node.folder, S1, ring.opener())
    assert [line.erased for line in lines] == [False, True, True, True, False]
    assert lines[1].members["d"] == "permit"
    assert sessions(node.folder, ring.opener())[0].identity == "canary7f3e"


# -- exports -----------------------------------------------------------------------------------------------
def test_an_export_is_proven_and_read_by_itself_and_opens_nothing_else(
    node: Node, ring: Ring, tmp_path: Path
) -> None:
    writer = secret_writer(node, ring)
    other = writer.session("2" * 32)
    other.line("open", b',"i":{"name":"somebody"}')
    other.line("ask", b"", b'"text":"theirs"')
    talk(node, writer)
    content = export(node.folder, S1, (), ring.opener())
    assert content is not None
    assert verify_export(content, node.public).sound
    assert CANARY not in content
    path = tmp_path / "evidence.wicket"
    path.write_bytes(content)
    session, lines = read_export(path)
    assert session == S1
    assert [line.content() for line in lines][1:4] == [
        {"text": "canary7f3e"}, {"bytes": "canary7f3e"}, {"parameters": ["canary7f3e"]},
    ]  # fmt: skip
    raw = ring.keys[node.name, "w1", 1]
    assert raw not in content
    assert urlsafe_b64encode(raw) not in content
    key = json.loads(next(one[2:] for one in content.split(b"\n") if one.startswith(b"K ")))["key"]
    theirs = [parse(one[:-1]) for one in node.lines("w1") if ('"s":"%s"' % ("2" * 32)).encode() in one]
    for line in theirs:
        with pytest.raises(NotOpened):
            open_line(line, SessionCipher(urlsafe_b64decode(key)))


@pytest.mark.parametrize("record", [b"K {}", b'K {"segment":1,"key":"AAAA"}', b"K nothing",
                                    b'K {"segment":1,"key":"' + b"A" * 43 + b'="}'])  # fmt: skip
def test_an_export_with_a_false_key_is_told(node: Node, ring: Ring, record: bytes, tmp_path: Path) -> None:
    talk(node, secret_writer(node, ring))
    content = export(node.folder, S1, (), ring.opener())
    assert content is not None
    changed = b"\n".join(record if one.startswith(b"K ") else one for one in content.split(b"\n"))
    report = verify_export(changed, node.public)
    assert not report.sound
    assert report.has(Fault.KEY_FALSE)
    path = tmp_path / "evidence.wicket"
    path.write_bytes(changed)
    assert all(is_closed(line) for line in read_export(path)[1])


def test_an_export_without_its_key_still_proves_and_shows_nothing(node: Node, ring: Ring) -> None:
    talk(node, secret_writer(node, ring))
    content = export(node.folder, S1, (), ring.opener()) or b""
    bare = b"\n".join(one for one in content.split(b"\n") if not one.startswith(b"K "))
    assert verify_export(bare, node.public).sound
    assert CANARY not in bare


@pytest.mark.parametrize("content", [b"", b"H {}\n", b"H nothing\n", b"\xff\xfe"])
def test_what_is_no_export_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "evidence.wicket"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not an exported session"):
        read_export(path)


# -- properties --------------------------------------------------------------------------------------------
@given(st.integers(0, 1 << 24))
def test_padding_is_small_and_leaves_few_lengths(size: int) -> None:
    padded = size + padding(size)
    assert padded % 64 == 0
    assert padding(padded) == 0
    assert padding(size) < 64 or padding(size) * 16 < size


@given(
    st.binary(max_size=3000), st.binary(max_size=40), st.sampled_from([HEAD, BODY]), st.integers(0, 1 << 40)
)
def test_what_is_encrypted_opens_in_its_place_alone(
    data: bytes, before: bytes, part: bytes, count: int
) -> None:
    segment = SegmentCipher(os.urandom(32), "n", "w", 1)
    segment.count = count
    cipher = segment.session(b"s")
    text = cipher.encrypt(data, part, before)
    assert segment.count == count + 1
    assert text != cipher.encrypt(data, part, before)
    found = cipher.decrypt(text, part, before)
    assert found == data + b" " * padding(len(data))
    for wrong in ((BODY if part == HEAD else HEAD, before), (part, before + b"x")):
        with pytest.raises(NotOpened):
            cipher.decrypt(text, *wrong)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.sampled_from(["a", "b", ""]), st.text(max_size=200)), max_size=20))
def test_whatever_is_said_comes_back(said: list[tuple[str, str]]) -> None:
    ring = Ring()
    with tempfile.TemporaryDirectory() as folder:
        writer = Writer(
            Path(folder), "n", "w", Clock(1), Clock(1), os.urandom, False, reserve=4096,
            keys=Plenty(ring, "n", "w"),
        )  # fmt: skip
        for session, text in said:
            place = writer.session(session * 32) if session else None
            told = json.dumps(text).encode()
            writer.line("ask" if session else "admin", place, b',"u":[%b]' % told, b'"text":%b' % told)
        writer.close()
        for session in ("a", "b"):
            wanted = [text for name, text in said if name == session]
            lines = read_session(Path(folder), session * 32, ring.opener())
            assert [line.content() for line in lines] == [{"text": text} for text in wanted]
            assert [line.members for line in lines] == [{"u": [text]} for text in wanted]


def test_no_key_is_shown_by_what_holds_one() -> None:
    key = os.urandom(32)
    cipher = SegmentCipher(key, "n", "w", 1)
    for thing in (cipher, cipher.session(b"s")):
        assert key.hex() not in repr(thing)
        assert repr(key) not in repr(thing)
    with pytest.raises(ValueError, match="only opens"):
        SessionCipher(key).encrypt(b"", HEAD, b"")
    with pytest.raises(ValueError, match="32 bytes"):
        SegmentCipher(b"short", "n", "w", 1)
    assert Secret(key) != Secret(os.urandom(32))
