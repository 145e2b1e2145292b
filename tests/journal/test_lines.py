"""Lines round-trip; whatever is written verifies, and whatever is not a line is refused."""

import os
import tempfile
from hashlib import sha256
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from journal.node import Node
from wicketgate.journal.blocks import START, leaf, root
from wicketgate.journal.export import export
from wicketgate.journal.index import read_session
from wicketgate.journal.lines import Lines
from wicketgate.journal.parse import LineMalformed, parse
from wicketgate.journal.verify_export import verify_export
from wicketgate.model.event import KINDS


def test_a_line_reads_as_the_format_says() -> None:
    """Pinned byte for byte: changing this breaks every journal that was ever written."""
    lines = Lines("w1", lambda: 17, lambda: 5, lambda size: b"\xab" * size)
    assert lines.session("c" * 32).line("ask", b',"d":"permit"', b'"text":"SELECT 1"') == 1
    body = b'{"salt":"' + b"ab" * 16 + b'","text":"SELECT 1"}'
    head = (
        b'{"v":1,"w":"w1","n":1,"t":17,"m":5,"k":"ask","s":"cccccccccccccccccccccccccccccccc","q":1'
        b',"d":"permit","h":"' + sha256(body).hexdigest().encode() + b'"}'
    )
    assert b"".join(lines.pending) == head + b"\t" + body + b"\n"
    block = lines.close_block()
    assert block is not None
    length = lambda part: len(part).to_bytes(8, "big") + part  # noqa: E731
    own = sha256(length(b"c" * 32) + length((1).to_bytes(8, "big")) + length(head)).digest()
    digest = sha256(length(bytes(32)) + length(own))
    assert block.root == digest.digest()
    assert block.line == (
        b'{"v":1,"w":"w1","n":2,"t":17,"m":5,"k":"seal","block":1,"first":1,"last":1,"prev":"%b","root":"%b"}'
        % (b"0" * 64, digest.hexdigest().encode())
    )


def test_leaves_come_in_the_order_of_their_bytes() -> None:
    leaves = [leaf(bytes([at]), [b"x"]) for at in range(9)]
    assert root(START, leaves) == root(START, reversed(leaves))
    assert root(START, leaves) != root(START, leaves[1:])
    assert leaf(b"a", [b"bc"]) != leaf(b"a", [b"b", b"c"])


texts = st.text(max_size=40)
kinds = st.sampled_from(sorted(KINDS - {"seal", "close", "checkpoint", "gone", "orphan", "begin"}))
steps = st.one_of(
    st.tuples(
        st.just("line"),
        st.integers(0, 4),
        kinds,
        st.dictionaries(
            st.sampled_from(["d", "u", "x", "i"]), texts | st.integers(0, 99) | st.lists(texts, max_size=2)
        ),
        st.none() | texts,
    ),
    st.tuples(st.just("own"), kinds, st.none() | texts),
    st.just(("flush",)),
    st.just(("seal",)),
    st.just(("rollback",)),
    st.just(("checkpoint",)),
    st.tuples(st.just("close"), st.integers(0, 4)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, max_size=40), st.integers(400, 4000))
def test_whatever_is_written_verifies_and_reads_back(play: list[tuple[object, ...]], size: int) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        node = Node(Path(folder) / "journal")
        writer = node.writer("worker1", segment_size=size, reserve=4096)
        written: dict[str, list[tuple[str, object]]] = {}
        pending: list[tuple[str, str, object]] = []
        closed: set[str] = set()

        def settle() -> None:
            for session, kind, content in pending:
                written.setdefault(session, []).append((kind, content))
                if kind == "close":
                    closed.add(session)
            pending.clear()

        for step in play:
            match step:
                case ("line", int(at), str(kind), dict(extra), text):
                    session = f"{at:032x}"
                    if session in closed or (session, "close", None) in pending:
                        continue
                    head = b"," + orjson.dumps(extra)[1:-1] if extra else b""
                    body = None if text is None else b'"text":' + orjson.dumps(text)
                    writer.session(session).line(kind, head, body)
                    pending.append((session, kind, text))
                case ("close", int(at)):
                    session = f"{at:032x}"
                    if session in closed or (session, "close", None) in pending:
                        continue
                    writer.session(session).line("close")
                    pending.append((session, "close", None))
                case ("own", str(kind), text):
                    writer.line(kind, None, b"", None if text is None else b'"text":' + orjson.dumps(text))
                case ("flush",):
                    writer.flush()
                    settle()
                case ("seal",):
                    node.seal(writer)
                    settle()
                case ("rollback",):
                    writer._lines.rollback()
                    pending.clear()
                case ("checkpoint",):
                    node.seal(writer)
                    settle()
                    node.checkpoint()
        node.seal(writer)
        settle()
        node.checkpoint()
        report = node.verify()
        assert report.sound, report.faults
        assert report.sessions_closed == len(closed)
        for session, expected in written.items():
            lines = read_session(node.folder, session)
            read = [(line.kind, (line.content() or {}).get("text")) for line in lines]
            assert read == expected
            data = export(node.folder, session)
            assert data is not None
            proof = verify_export(data, node.public)
            assert proof.faults == []
            assert proof.sound == (session in closed), proof.findings
            assert proof.unwitnessed == 0
        writer.close()
        node.control.close()


@given(st.binary(max_size=300))
def test_bytes_that_are_no_line_are_refused_and_nothing_worse(data: bytes) -> None:
    try:
        line = parse(data)
    except LineMalformed:
        return
    assert line.n >= 1


GOOD = {"v": 1, "w": "w1", "n": 1, "t": 1, "m": 1, "k": "ask", "s": "x", "q": 1, "h": "00"}


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2}, {"v": True}, {"v": None}, {"w": ""}, {"w": 3}, {"n": 0}, {"n": -1}, {"n": 1.5}, {"n": "1"},
        {"t": -1}, {"m": None}, {"k": "asks"}, {"k": 1}, {"s": ""}, {"s": 1}, {"q": 0}, {"q": None},
        {"h": ""}, {"h": 1},
    ],
)  # fmt: skip
def test_members_of_another_type_are_refused(change: dict[str, object]) -> None:
    assert parse(orjson.dumps(GOOD)).q == 1
    with pytest.raises(LineMalformed):
        parse(orjson.dumps(GOOD | change))


@pytest.mark.parametrize("member", sorted(set(GOOD) - {"h"}))
def test_members_that_are_missing_are_refused(member: str) -> None:
    with pytest.raises(LineMalformed):
        parse(orjson.dumps({name: value for name, value in GOOD.items() if name != member}))


@pytest.mark.parametrize("data", [b"", b"[]", b"1", b"{", b"null", b'"x"', b"{}\t{}"])
def test_heads_that_are_no_objects_are_refused(data: bytes) -> None:
    with pytest.raises(LineMalformed):
        parse(data)


def test_salts_come_from_the_random_source() -> None:
    lines = Lines("w1", lambda: 1, lambda: 1, os.urandom)
    salts = {lines.salt() for _ in range(1000)}
    assert len(salts) == 1000
    assert {len(salt) for salt in salts} == {32}
