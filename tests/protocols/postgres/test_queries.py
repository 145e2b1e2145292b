"""Query strings: members decided in order, denied whole, taken back, waited for and cancelled."""

import pytest

from protocols.postgres import playbook as p
from protocols.postgres.playbook import Stage
from protocols.postgres.rehearsal import SIZES
from wicketgate.protocols.postgres.frames import POISON_PARSE, POISON_QUERY


@pytest.fixture(params=SIZES)
def stage(request: pytest.FixtureRequest) -> Stage:
    return Stage(request.param)


ORDER = "SELECT note FROM orders"
MAIL = "SELECT email FROM customers"


def test_each_member_is_recorded_and_settled(stage: Stage) -> None:
    stage.client(p.query(f"{ORDER}; SELECT 1"))
    stage.server(p.NOTE, p.done("SELECT 0"), p.described(("x", 0, 0, p.INT4)), p.done("SELECT 1"), p.ready())
    assert stage.texts("ask") == [ORDER, "SELECT 1"]
    assert [outcome.tag for _, outcome in stage.desk.settled] == ["SELECT 0", "SELECT 1"]


def test_an_empty_string_passes(stage: Stage) -> None:
    for text in ("", ";", "-- nothing"):
        stage.client(p.query(text))
        stage.sent(p.query(text))
        stage.server(p.EMPTY, p.ready())
        stage.seen(p.EMPTY, p.ready())
    stage.quiet()


def test_a_string_with_a_denied_member_is_replaced_whole(stage: Stage) -> None:
    stage.desk.deny.add(b"secret")
    stage.client(p.query(f"SET search_path = s1; PREPARE q AS {ORDER}; SELECT secret FROM orders"))
    stage.sent(POISON_QUERY)
    stage.server(p.SYNTAX, p.ready())
    stage.seen_error("42501", p.ready())
    assert stage.texts("ask") == []
    assert stage.talk.state.names.environment.path == ("public",)
    assert stage.talk.state.names.statements == {}


def test_a_syntax_error_reads_as_the_servers_own(stage: Stage) -> None:
    stage.client(p.query("SELEC 1"), p.parse("SELEC 1"), p.SYNC)
    stage.sent(POISON_QUERY, POISON_PARSE, p.SYNC)
    stage.server(p.SYNTAX, p.ready())
    fields = stage.seen_error("42601", p.ready())
    assert (fields["M"], fields["P"]) == ('syntax error at or near "SELEC"', "1")
    stage.server(p.SYNTAX, p.ready())
    assert stage.seen_error("42601", p.ready())["P"] == "1"


def test_members_after_a_failed_one_did_not_run(stage: Stage) -> None:
    text = f"PREPARE one AS {ORDER}; SELECT 1/0; PREPARE two AS {ORDER}"
    stage.client(p.query(text))
    stage.server(p.done("PREPARE"), p.error(), p.ready())
    assert set(stage.talk.state.names.statements) == {b"one"}
    assert [outcome.code for _, outcome in stage.desk.settled] == [None, "22012", "skipped"]


def test_members_see_what_those_before_them_mean(stage: Stage) -> None:
    stage.client(p.query("BEGIN; DECLARE c CURSOR FOR SELECT email FROM customers; FETCH 1 FROM c"))
    stage.server(p.done("BEGIN"), p.done("DECLARE CURSOR"), p.EMAIL, p.row("alice"), p.done("FETCH 1"))
    assert b"alice" not in stage.down
    stage.server(p.ready("T"))
    stage.down = b""
    stage.client(p.query("FETCH 1 FROM c"))
    stage.server(p.EMAIL, p.row("alice"), p.done("FETCH 1"), p.ready("T"))
    assert b"alice" not in stage.down
    stage.client(p.query("COMMIT"))
    stage.server(p.done("COMMIT"), p.ready())
    assert stage.talk.state.names.portals == {}


def test_a_held_cursor_outlives_its_transaction(stage: Stage) -> None:
    stage.client(p.query("DECLARE c CURSOR WITH HOLD FOR SELECT email FROM customers"))
    stage.server(p.done("DECLARE CURSOR"), p.ready())
    stage.down = b""
    stage.client(p.query("FETCH ALL FROM c"))
    stage.server(p.EMAIL, p.row("alice"), p.done("FETCH 1"), p.ready())
    assert p.row("[redacted:email]") in stage.down


def test_deallocate_and_discard_all(stage: Stage) -> None:
    for text in ("DEALLOCATE ALL", "DISCARD ALL"):
        stage.client(p.parse(ORDER, "s"), p.parse(ORDER), p.SYNC)
        stage.server(p.PARSED, p.PARSED, p.ready())
        stage.client(p.query(text))
        stage.server(p.done(text), p.ready())
        assert set(stage.talk.state.names.statements) == {b""}
    stage.client(p.parse(ORDER, "s"), p.SYNC)
    stage.server(p.PARSED, p.ready())
    stage.client(p.query("DISCARD ALL"))
    stage.server(p.error("25001"), p.ready())
    assert b"s" in stage.talk.state.names.statements


def test_members_wait_one_after_the_other(stage: Stage) -> None:
    stage.desk.wait.update({ORDER.encode(), b"SELECT 2"})
    stage.client(p.query(f"{ORDER}; SELECT 2"), p.query("SELECT 3"))
    stage.sent()
    stage.desk.answer()
    stage.sent()
    stage.desk.answer()
    stage.sent(p.query(f"{ORDER}; SELECT 2"), p.query("SELECT 3"))


def test_a_late_no_takes_all_back(stage: Stage) -> None:
    stage.desk.wait.add(b"SELECT 2")
    stage.client(p.query(f"PREPARE q AS {ORDER}; SELECT 2"))
    stage.desk.answer(p.NO)
    stage.sent(POISON_QUERY)
    assert stage.desk.settled[0][1].code == "withdrawn"
    assert stage.desk.open == {}
    assert stage.talk.state.names.statements == {}


@pytest.mark.parametrize("frames", [p.query(ORDER), p.whole(ORDER)])
def test_a_cancel_ends_a_wait_in_place(stage: Stage, frames: bytes) -> None:
    stage.desk.wait.add(ORDER.encode())
    stage.client(frames, p.query("SELECT 1"))
    assert stage.talk.cancel() is False
    if frames[0] == 81:
        stage.sent(POISON_QUERY, p.query("SELECT 1"))
    else:
        stage.sent(p.parse(ORDER), POISON_PARSE, p.SYNC, p.query("SELECT 1"))
        stage.server(p.PARSED)
        stage.down = b""
    stage.server(p.SYNTAX, p.ready())
    stage.seen_error("57014", p.ready())
    stage.desk.answer()  # too late: what it gives is given back
    assert [outcome.code for _, outcome in stage.desk.settled] == ["57014"]
    stage.sent()


def test_a_cancel_while_a_catalog_is_waited_for(stage: Stage) -> None:
    stage = Stage(stage.size, catalog=None)
    stage.client(p.query("SELECT 1"))
    assert stage.talk.cancel() is False
    stage.sent(POISON_QUERY)
    stage.server(p.SYNTAX, p.ready())
    stage.seen_error("57014", p.ready())


def test_a_cancel_of_what_runs_goes_to_the_server(stage: Stage) -> None:
    assert stage.talk.cancel() is False
    stage.client(p.query(ORDER))
    assert stage.talk.cancel() is True
    assert stage.talk.cancel_request() == p.CANCEL_PACKET


def test_a_verdict_that_comes_when_the_unit_has_failed(stage: Stage) -> None:
    """The server skips the rest: what was cleared must not go, or its answer would never come."""
    stage.desk.wait.add(ORDER.encode())
    stage.client(p.parse("SELECT 1/0"), p.bind(), p.execute(), p.whole(ORDER))
    stage.up = b""
    stage.server(p.PARSED, p.BOUND, p.error())
    stage.desk.answer()
    stage.sent(p.SYNC)
    stage.server(p.ready())
    assert stage.talk.idle()
    assert stage.outcome(ORDER).code == "skipped"


def test_a_query_whose_verdict_comes_when_the_unit_has_failed(stage: Stage) -> None:
    stage.desk.wait.add(ORDER.encode())
    stage.client(p.parse("SELECT 1/0"), p.bind(), p.execute(), p.query(ORDER), p.SYNC)
    stage.up = b""
    stage.server(p.PARSED, p.BOUND, p.error())
    stage.desk.answer()
    stage.sent(p.SYNC)
    stage.server(p.ready())
    assert stage.talk.idle()


def test_very_many_members(stage: Stage) -> None:
    stage.size = max(stage.size, 4096)  # what counts here is how many there are, not where they are cut
    stage.client(p.query("COMMIT;" * 9000))
    assert len(stage.texts("ask")) == 9000
    stage.server(p.done("COMMIT") * 9000, p.ready())
    assert stage.desk.open == {}


def test_execute_by_sql_of_what_sets_the_path(stage: Stage) -> None:
    text = "SELECT set_config('search_path', 's2', false)"
    stage.client(p.parse(text, "s"), p.SYNC)
    stage.server(p.PARSED, p.ready())
    assert stage.talk.state.names.environment.path == ("public",)
    stage.client(p.query("EXECUTE s"))
    if stage.talk.state.head() is not None and stage.talk.state.head().denial is None:  # type: ignore[union-attr]
        assert stage.talk.state.names.environment.path is None
