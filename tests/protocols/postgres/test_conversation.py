"""A conversation's ends, and both sides at their worst: whatever comes, each clearance is settled once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.postgres import playbook as p
from protocols.postgres.playbook import Stage
from protocols.postgres.rehearsal import SIZES, frames
from wicketgate.model.decision import Denial
from wicketgate.model.session import CLOSE_REASONS
from wicketgate.protocols.postgres.frames import POISON_PARSE, POISON_QUERY, PROBE, frame

ORDER = "SELECT note FROM orders"
MAIL = "SELECT email FROM customers"
REVOKED = Denial("revoked", "Your access has ended.", "revoked")


@pytest.fixture(params=SIZES)
def stage(request: pytest.FixtureRequest) -> Stage:
    return Stage(request.param)


def busy(stage: Stage) -> None:
    """Bound, executed, a Query, and one that waits for its verdict."""
    stage.desk.wait.add(b"SELECT 2")
    stage.client(p.whole(ORDER), p.parse(ORDER), p.bind(), p.SYNC, p.query("SELECT 1; SELECT 3"))
    stage.client(p.query("SELECT 1; SELECT 2"))


def test_an_end_from_our_side(stage: Stage) -> None:
    busy(stage)
    stage.talk.end(REVOKED, "revoked")
    stage.seen_error("28000")
    stage.over("revoked")
    stage.up = stage.up[-5:]
    stage.sent(p.TERMINATE)
    stage.desk.answer()
    assert stage.desk.open == {}
    stage.client(p.query("SELECT 1"))
    stage.server(p.ready())
    stage.sent()
    stage.seen()


def test_a_client_that_is_gone(stage: Stage) -> None:
    busy(stage)
    stage.talk.client_gone()
    stage.over("client")
    stage.seen()
    stage.talk.client_gone()
    stage.talk.upstream_gone("later")
    stage.talk.end(REVOKED, "revoked")
    stage.over("client")
    stage.seen()


def test_a_server_that_is_gone(stage: Stage) -> None:
    busy(stage)
    stage.talk.upstream_gone("end of file")
    stage.seen_error("08006")
    stage.over("upstream")


def test_a_client_that_says_goodbye(stage: Stage) -> None:
    busy(stage)
    stage.desk.answer()
    stage.client(p.TERMINATE)
    stage.over("client")
    assert stage.up.endswith(p.TERMINATE)


def test_a_goodbye_amid_copy_data(stage: Stage) -> None:
    stage.client(p.query("COPY orders FROM STDIN"))
    stage.server(p.copy_in())
    stage.client(p.copy_data(b"1\n"), p.TERMINATE)
    stage.over("client")


def test_no_word_is_put_into_the_middle_of_a_row() -> None:
    stage = Stage()
    stage.client(p.query(ORDER))
    stage.server(p.NOTE, p.row("x" * 500_000)[:200_000])
    stage.down = b""
    stage.talk.end(REVOKED, "revoked")
    stage.over("revoked")
    stage.collect()
    assert stage.down == b""


def test_a_verdict_after_the_end_is_given_back(stage: Stage) -> None:
    stage.desk.wait.add(ORDER.encode())
    stage.client(p.whole(ORDER))
    stage.talk.client_gone()
    stage.desk.answer()
    stage.over("client")
    assert not stage.up.endswith(p.SYNC)


def test_idle_only_between_units(stage: Stage) -> None:
    assert stage.talk.idle()
    stage.client(p.parse(ORDER), p.FLUSH)
    stage.server(p.PARSED)
    assert not stage.talk.idle()
    stage.client(p.SYNC)
    stage.server(p.ready())
    assert stage.talk.idle()
    stage.client(p.query("BEGIN"))
    stage.server(p.done("BEGIN"), p.ready("T"))
    assert not stage.talk.idle()


def test_a_client_is_read_no_further_than_it_may_wait() -> None:
    stage = Stage()
    stage.desk.wait.add(ORDER.encode())
    stage.client(p.query(ORDER))
    assert not stage.talk.pause_client
    stage.client(p.query("SELECT 1") * 100_000)
    assert stage.talk.pause_client


def test_18_tells_the_path_by_itself() -> None:
    stage = Stage(path=None)
    stage.talk.state.names.reported = ("public",)
    stage.client(p.query("SELECT 1"))
    stage.server(
        p.described(("x", 0, 0, p.INT4)), p.done("SELECT 1"), p.parameter("search_path", "s1"), p.ready()
    )
    stage.up = b""
    stage.client(p.query("SELECT value FROM t"))
    stage.sent(p.query("SELECT value FROM t"))
    assert stage.talk.state.names.environment.path == ("s1",)


# -- both sides at their worst -----------------------------------------------------------------------------
TEXTS = [
    ORDER,
    MAIL,
    "SELECT id, email FROM customers",
    "SELECT 1/0",
    "this does not parse",
    "SELECT secret",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SET search_path = s1",
    "SELECT value FROM t",
    "INSERT INTO orders VALUES (1) RETURNING note",
    "COPY orders FROM STDIN",
    "COPY orders TO STDOUT",
    "PREPARE q AS SELECT email FROM customers",
    "EXECUTE q",
    "DEALLOCATE ALL",
    "DECLARE c CURSOR FOR SELECT email FROM customers",
    "FETCH 1 FROM c",
    "CREATE TABLE x (id int)",
    "DISCARD ALL",
    "",
]
texts = st.one_of(st.sampled_from(TEXTS), st.lists(st.sampled_from(TEXTS), max_size=3).map("; ".join))
names = st.sampled_from(["", "", "a", "b", "wicketgate.path"])
kinds = st.integers(0, 255).map(lambda kind: bytes([kind]))
client_frames = st.one_of(
    texts.map(p.query),
    st.builds(p.parse, texts, names),
    st.builds(p.bind, names, names),
    st.builds(p.describe, names),
    st.builds(p.describe_statement, names),
    st.builds(p.execute, names, st.integers(0, 2)),
    st.builds(p.close, names, st.sampled_from([b"S", b"P", b"?"])),
    st.sampled_from(
        [p.SYNC, p.SYNC, p.SYNC, p.FLUSH, p.COPY_DONE, p.copy_data(b"1\n"), frame(b"f", b"no\0")]
    ),
    texts.map(p.whole),
    st.builds(frame, kinds, st.binary(max_size=12)),
)
SECRET = "alice-secret"
server_frames = st.one_of(
    st.sampled_from(
        [p.PARSED, p.BOUND, p.CLOSED, p.NO_DATA, p.SUSPENDED, p.EMPTY, p.EMAIL, p.NOTE, p.COPY_DONE]
    ),
    st.sampled_from(
        [p.copy_in(), p.copy_out(), p.copy_data(b"1\n"), p.done("SELECT 1"), p.SYNTAX, p.error()]
    ),
    st.sampled_from("ITE").map(p.ready),
    st.sampled_from([p.row("x"), p.row("x", "y"), p.row(), p.row(None)]),
    st.sampled_from([p.notice("n"), p.parameter("search_path", "s1"), p.error(severity="FATAL")]),
    st.builds(frame, kinds, st.binary(max_size=12)),
)


def plausible(stage: Stage, draw: st.DataObject) -> bytes:
    """What an honest server could answer to the head, mostly."""
    step = stage.talk.state.head()
    if step is None:
        return draw.draw(server_frames)
    if draw.draw(st.integers(0, 9)) == 0:
        if step.sensitive:
            return p.error("23505", SECRET, D=SECRET)
        return draw.draw(server_frames)
    if step.denial is not None:
        return p.SYNTAX if not step.failed else p.ready(draw.draw(st.sampled_from("ITE")))
    if step.kind == 1:
        return p.PARSED
    if step.kind == 2:
        return p.BOUND
    if step.kind == 3:
        return draw.draw(st.sampled_from([p.EMAIL, p.NOTE, p.NO_DATA]))
    if step.kind == 5:
        return p.CLOSED
    if step.kind == 6 or step.failed or (step.executions is not None and step.index >= len(step.executions)):
        return p.ready(draw.draw(st.sampled_from("ITE")))
    if step.probe:
        return p.row("public") + p.done("SHOW")
    execution = stage.talk.answers.running(step)
    if execution.member.kind == "copy_in" and stage.talk.state.copying is None:
        return draw.draw(st.sampled_from([p.copy_in(), p.done("COPY 0")]))
    if execution.member.kind == "copy_out":
        return p.copy_out() + p.copy_data(b"1\n") + p.COPY_DONE + p.done("COPY 1")
    rows = (p.EMAIL if step.kind == 7 else b"") + p.row(SECRET) if execution.shape.hides else b""
    return rows + p.done("SELECT 1")


@given(st.data())
def test_whatever_comes_each_clearance_is_settled_once(data: st.DataObject) -> None:
    stage = Stage(path=data.draw(st.sampled_from([None, "public"])))
    stage.desk.deny.add(b"secret")
    stage.desk.rows = data.draw(st.sampled_from([None, None, 1]))
    stage.desk.wait.update(text.encode() for text in data.draw(st.sets(st.sampled_from(TEXTS), max_size=2)))
    forwarded = b""
    for _ in range(data.draw(st.integers(1, 40))):
        who = data.draw(st.integers(0, 12))
        if who < 5:
            stage.client(data.draw(client_frames))
        elif who < 10:
            stage.server(plausible(stage, data))
        elif who == 10 and stage.desk.waiting:
            stage.desk.answer(data.draw(st.sampled_from([None, p.NO])))
        elif who == 11 and stage.desk.leasing:
            stage.desk.leasing.pop(0)(data.draw(st.sampled_from([None, p.NO])))
        elif stage.host.resumes:
            stage.host.resumes.pop(0)()
        else:
            stage.talk.cancel()
        stage.collect()
        forwarded += stage.up
        stage.up = b""
        check_forwarded(stage, forwarded)
        if stage.talk.over is not None:
            break
    assert SECRET.encode() not in stage.down
    stage.talk.client_gone()
    while stage.desk.waiting:
        stage.desk.answer()
    assert stage.desk.open == {}
    assert stage.talk.over in CLOSE_REASONS


def check_forwarded(stage: Stage, forwarded: bytes) -> None:
    """No text went upstream that was not recorded as asked for, or noted."""
    recorded = {text.strip("; ") for text in stage.texts("ask") + stage.texts("note")}
    for kind, body in frames(forwarded):
        if kind == "Q" and body != frames(POISON_QUERY)[0][1]:
            members = [each.strip() for each in body[:-1].decode().split(";") if each.strip()]
            assert all(member in recorded for member in members), (members, recorded)
        if kind == "P" and body not in (frames(POISON_PARSE)[0][1], frames(PROBE)[0][1]):
            assert body.split(b"\0")[1].decode().strip("; ") in recorded


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_noise_from_both_sides(client: bytes, server: bytes) -> None:
    stage = Stage()
    stage.client(client)
    stage.server(server)
    stage.talk.client_gone()
    assert stage.desk.open == {}
