"""The client's side: what goes upstream, in which order, and what waits or is replaced."""

import pytest

from protocols.postgres import playbook as p
from protocols.postgres.playbook import Stage
from protocols.postgres.rehearsal import SIZES
from wicketgate.protocols.postgres.frames import POISON_PARSE, POISON_QUERY, PROBE


@pytest.fixture(params=SIZES)
def stage(request: pytest.FixtureRequest) -> Stage:
    return Stage(request.param)


ORDER = "SELECT note FROM orders"
MAIL = "SELECT email FROM customers"


def test_an_extended_unit_passes_as_it_came(stage: Stage) -> None:
    stage.client(p.whole(ORDER))
    stage.sent(p.whole(ORDER))
    assert stage.texts("ask") == [ORDER]
    answer = p.PARSED + p.BOUND + p.row("x") + p.done("SELECT 1") + p.ready()
    stage.server(answer)
    stage.seen(answer)
    outcome = stage.outcome(ORDER)
    assert (outcome.rows, outcome.tag, outcome.code) == (1, "SELECT 1", None)
    stage.quiet()


def test_a_parse_alone_is_noted_before_it_goes(stage: Stage) -> None:
    stage.client(p.parse(ORDER, "s"), p.FLUSH)
    stage.sent(p.parse(ORDER, "s"), p.FLUSH)
    assert stage.texts("note") == [ORDER]
    stage.client(p.bind("s"), p.execute(), p.SYNC)
    stage.server(p.PARSED, p.BOUND, p.done("SELECT 0"), p.ready())
    assert stage.texts("ask") == [ORDER]


def test_a_parse_whose_bind_waits_is_noted_before_it_goes(stage: Stage) -> None:
    stage.desk.wait.add(ORDER.encode())
    stage.client(p.whole(ORDER))
    stage.sent(p.parse(ORDER))
    assert stage.desk.events == [("note", ORDER)]
    stage.desk.answer()
    stage.sent(p.bind(), p.execute(), p.SYNC)
    assert stage.host.wakes


def test_an_undescribed_execute_of_masked_rows_is_described_by_us(stage: Stage) -> None:
    stage.client(p.whole(MAIL))
    stage.sent(p.parse(MAIL), p.bind(), p.describe(), p.execute(), p.SYNC)
    stage.server(p.PARSED, p.BOUND, p.EMAIL, p.row("alice@x.test"), p.done("SELECT 1"), p.ready())
    stage.seen(p.PARSED, p.BOUND, p.row("[redacted:email]"), p.done("SELECT 1"), p.ready())
    assert stage.outcome(MAIL).masked == {"email": 1}
    stage.quiet()


def test_a_denied_member_of_a_pipeline_is_replaced(stage: Stage) -> None:
    stage.desk.deny.add(b"secret")
    denied = "SELECT secret FROM orders"
    stage.client(p.parse(ORDER), p.bind(), p.execute(), p.parse(denied), p.bind(), p.execute(), p.SYNC)
    stage.sent(p.parse(ORDER), p.bind(), p.execute(), POISON_PARSE, p.SYNC)
    assert stage.texts("refused") == [denied]
    stage.server(p.PARSED, p.BOUND, p.done("SELECT 0"), p.SYNTAX, p.ready())
    stage.seen(p.PARSED, p.BOUND, p.done("SELECT 0"), *seen_denial(), p.ready())
    stage.quiet()


def seen_denial() -> list[bytes]:
    from wicketgate.protocols.postgres.messages import error_frame

    return [error_frame(p.NO)]


def test_a_denied_unnamed_parse_ends_the_one_before_it(stage: Stage) -> None:
    """As the server would: it forgets the unnamed statement before it reads another's text."""
    stage.desk.deny.add(b"secret")
    stage.client(p.parse(MAIL), p.SYNC)
    stage.server(p.PARSED, p.ready())
    stage.client(p.parse("SELECT secret FROM orders"), p.SYNC, p.bind(), p.execute(), p.SYNC)
    stage.sent(p.parse(MAIL), p.SYNC, POISON_PARSE, p.SYNC)
    stage.server(p.SYNTAX, p.ready())
    stage.sent(POISON_PARSE, p.SYNC)  # in the place of a Bind of what is not there
    assert stage.texts("ask") == []


def test_a_denied_unnamed_parse_that_the_server_skipped_ends_nothing(stage: Stage) -> None:
    stage.desk.deny.add(b"secret")
    stage.client(p.parse(MAIL), p.SYNC)
    stage.server(p.PARSED, p.ready())
    stage.up = b""
    stage.client(p.parse(ORDER, "bad"), p.parse("SELECT secret FROM orders"), p.SYNC)
    stage.client(p.bind(), p.execute(), p.SYNC)
    stage.server(p.error("42P05"), p.ready())
    stage.sent(p.parse(ORDER, "bad"), POISON_PARSE, p.SYNC, p.bind(), p.describe(), p.execute(), p.SYNC)
    assert stage.texts("ask") == [MAIL]


def test_an_unnamed_parse_that_the_server_skipped_leaves_the_old_one(stage: Stage) -> None:
    """SOUNDNESS: the Bind of a later unit in flight must not be judged by the text that never arrived."""
    stage.client(p.parse(MAIL), p.SYNC)
    stage.server(p.PARSED, p.ready())
    stage.client(p.bind("nosuch"), p.SYNC)  # missing: the poison fails the unit
    stage.server(p.SYNTAX, p.ready())
    stage.up = b""
    stage.client(p.parse(ORDER, "bad"), p.parse(ORDER), p.SYNC, p.bind(), p.execute(), p.SYNC)
    stage.sent(p.parse(ORDER, "bad"), p.parse(ORDER), p.SYNC)
    stage.server(p.error("42P05"), p.ready())
    stage.sent(p.bind(), p.describe(), p.execute(), p.SYNC)
    assert stage.texts("ask") == [MAIL]


def test_a_unit_with_its_own_unnamed_parse_does_not_wait(stage: Stage) -> None:
    stage.client(p.whole(MAIL), p.whole(ORDER), p.whole(ORDER))
    first = p.parse(MAIL) + p.bind() + p.describe() + p.execute() + p.SYNC
    stage.sent(first, p.whole(ORDER), p.whole(ORDER))


def test_a_parse_of_a_living_name_leaves_the_old_one(stage: Stage) -> None:
    stage.client(p.parse(MAIL, "s"), p.SYNC)
    stage.server(p.PARSED, p.ready())
    stage.client(p.parse(ORDER, "s"), p.SYNC)
    stage.server(p.error("42P05", 'prepared statement "s" already exists'), p.ready())
    stage.up = b""
    stage.client(p.bind("s"), p.execute(), p.SYNC)
    stage.sent(p.bind("s"), p.describe(), p.execute(), p.SYNC)
    assert stage.texts("ask") == [MAIL]


def test_a_close_that_was_skipped_is_no_close(stage: Stage) -> None:
    stage.client(p.parse(MAIL, "s"), p.SYNC)
    stage.server(p.PARSED, p.ready())
    stage.client(p.parse(ORDER, "x"), p.close("s"), p.SYNC, p.parse(ORDER, "s"), p.SYNC)
    stage.server(p.error(), p.ready())
    stage.up = b""
    stage.client(p.bind("s"), p.execute(), p.SYNC)
    stage.sent()  # the Parse of a name that lives may fail: its unit is waited for
    stage.server(p.error("42P05"), p.ready())
    stage.sent(p.bind("s"), p.describe(), p.execute(), p.SYNC)
    assert stage.texts("ask") == [MAIL]


@pytest.mark.parametrize("name", ["wicketgate.poison", "wicketgate.path", "x" * 64])
def test_names_that_a_client_may_not_use(stage: Stage, name: str) -> None:
    for frame in (p.parse(ORDER, name), p.query(f'PREPARE "{name}" AS {ORDER}') if len(name) < 64 else b""):
        if frame:
            stage.client(frame, p.SYNC if frame[0] == 80 else b"")
            stage.sent(*([POISON_PARSE, p.SYNC] if frame[0] == 80 else [POISON_QUERY]))
            stage.server(p.SYNTAX, p.ready())
            stage.seen_error("0A000", p.ready())
    stage.client(p.parse(ORDER), p.bind("", name), p.SYNC)
    stage.sent(p.parse(ORDER), POISON_PARSE, p.SYNC)


def test_names_that_differ_behind_63_bytes_are_one_to_the_server(stage: Stage) -> None:
    stage.client(p.parse(MAIL, "n" * 63), p.parse(ORDER, "n" * 63 + "b"), p.SYNC)
    stage.sent(p.parse(MAIL, "n" * 63), POISON_PARSE, p.SYNC)


def test_execute_of_what_another_parse_changed_is_looked_up_again(stage: Stage) -> None:
    stage.client(p.parse(ORDER, "s"), p.SYNC, p.parse("EXECUTE s", "e"), p.SYNC)
    stage.server(p.PARSED, p.ready(), p.PARSED, p.ready())
    stage.client(p.close("s"), p.parse(MAIL, "s"), p.SYNC)
    stage.server(p.CLOSED, p.PARSED, p.ready())
    stage.up = b""
    stage.client(p.bind("e"), p.execute(), p.SYNC)
    stage.sent(p.bind("e"), p.describe(), p.execute(), p.SYNC)


def test_execute_looks_its_name_up_at_execute(stage: Stage) -> None:
    stage.client(p.query("BEGIN"))
    stage.server(p.done("BEGIN"), p.ready("T"))
    stage.client(p.parse(ORDER, "s"), p.parse("EXECUTE s", "e"), p.bind("e", "por"), p.SYNC)
    stage.server(p.PARSED, p.PARSED, p.BOUND, p.ready("T"))
    stage.client(p.close("s"), p.parse(MAIL, "s"), p.SYNC)
    stage.server(p.CLOSED, p.PARSED, p.ready("T"))
    stage.up = b""
    stage.client(p.execute("por"), p.SYNC)
    stage.sent(p.describe("por"), p.execute("por"), p.SYNC)


def test_execute_of_a_prepared_utility_is_unknown(stage: Stage) -> None:
    """EXECUTE by SQL runs what the protocol prepared, DECLARE and SET among it: nothing is known of that."""
    stage.client(p.parse("DECLARE c CURSOR FOR SELECT email FROM customers", "d"), p.SYNC)
    stage.server(p.PARSED, p.ready())
    stage.up = b""
    stage.client(p.query("EXECUTE d"))
    stage.sent(POISON_QUERY)


def test_missing_names_get_the_servers_own_errors(stage: Stage) -> None:
    for text, code in (("EXECUTE nosuch", "26000"), ("FETCH ALL FROM nosuch", "34000")):
        stage.client(p.query(text))
        stage.sent(POISON_QUERY)
        stage.server(p.SYNTAX, p.ready())
        stage.seen_error(code, p.ready())
    stage.client(p.bind("nosuch"), p.execute("nosuch"), p.SYNC)
    stage.sent(POISON_PARSE, p.SYNC)
    stage.server(p.SYNTAX, p.ready())
    stage.seen_error("26000", p.ready())


def test_an_unknown_path_is_asked_for_only_when_a_name_has_several_meanings() -> None:
    stage = Stage(path=None)
    stage.client(p.query("SELECT note FROM public.orders"))
    stage.sent(p.query("SELECT note FROM public.orders"))
    stage.server(p.NOTE, p.done("SELECT 0"), p.ready())
    stage.client(p.query("SELECT value FROM t"))
    stage.sent(PROBE)
    stage.server(p.path_answer("s1"))
    stage.sent(p.query("SELECT value FROM t"))
    stage.server(p.described(("value", p.T1, 2, p.TEXT)), p.row("clean"), p.done("SELECT 1"), p.ready())
    assert b"clean" in stage.talk.to_client() + stage.down
    stage.client(p.query("SELECT value FROM t"))
    stage.sent(p.query("SELECT value FROM t"))


def test_a_path_that_was_set_in_a_unit_in_flight_is_waited_for(stage: Stage) -> None:
    stage.client(p.query("SET search_path = s1"), p.query("SELECT value FROM t"))
    stage.sent(p.query("SET search_path = s1"))
    stage.server(p.done("SET"), p.ready())
    stage.sent(p.query("SELECT value FROM t"))
    assert not stage.talk.state.head().executions[0].shape.hides  # type: ignore[union-attr, index]


def test_a_path_that_failed_to_be_set_is_unknown(stage: Stage) -> None:
    stage.client(p.query("SET search_path = s1; SELECT 1/0"))
    stage.server(p.done("SET"), p.error(), p.ready())
    stage.up = b""
    stage.client(p.query("SELECT value FROM t"))
    stage.sent(PROBE)


def test_a_path_set_in_a_later_unit_than_the_one_answered_stays_provisional(stage: Stage) -> None:
    """The end of an earlier unit must not make a path sure that a block in flight may take back."""
    stage.client(p.query("SELECT note FROM orders"), p.query("BEGIN; SET search_path = s1"))
    stage.server(p.NOTE, p.done("SELECT 0"), p.ready())
    stage.server(p.done("BEGIN"), p.done("SET"), p.ready("T"))
    stage.client(p.query("ROLLBACK"))
    stage.server(p.done("ROLLBACK"), p.ready())
    stage.up = b""
    stage.client(p.query("SELECT value FROM t"))
    stage.sent(PROBE)


def test_ddl_makes_the_next_unit_wait_for_a_new_catalog(stage: Stage) -> None:
    stage.client(p.query("CREATE TABLE extra (id int)"))
    stage.sent(p.query("CREATE TABLE extra (id int)"))
    stage.server(p.done("CREATE TABLE"), p.ready())
    assert stage.host.stales == 1  # for other sessions, at once
    stage.client(p.query("SELECT id FROM extra"))
    stage.sent()
    assert stage.host.stales == 2
    stage.host.now = p.make_catalog("extra")
    stage.host.resumes.pop()()
    stage.sent(p.query("SELECT id FROM extra"))


def test_without_a_catalog_nothing_is_decided(stage: Stage) -> None:
    stage = Stage(stage.size, catalog=None)
    stage.client(p.query("SELECT 1"), p.whole("SELECT 1"))
    stage.sent()
    stage.host.resumes.pop()()
    stage.sent(POISON_QUERY)
    stage.host.resumes.pop()()
    stage.sent(POISON_PARSE, p.SYNC)
    stage.server(p.SYNTAX, p.ready())
    stage.seen_error("57P03", p.ready())
    stage.host.now = p.CATALOG
    stage.client(p.query("SELECT 1"))
    stage.sent(p.query("SELECT 1"))


def test_function_calls_are_refused_in_place(stage: Stage) -> None:
    from wicketgate.protocols.postgres.frames import frame

    stage.client(frame(b"F", b"\0\0\0\1\0\0\0\0\0\0"), p.query("SELECT 1"))
    stage.sent(POISON_QUERY, p.query("SELECT 1"))
    stage.server(p.SYNTAX, p.ready())
    stage.seen_error("0A000", p.ready())


def test_a_query_in_the_middle_of_a_failed_unit_is_skipped(stage: Stage) -> None:
    stage.client(p.parse("SELECT 1/0"), p.bind(), p.execute(), p.query("SELECT 1"), p.whole("SELECT 2"))
    stage.server(p.PARSED, p.BOUND, p.error())
    assert stage.outcome("SELECT 1").code == "skipped"
    assert stage.outcome("SELECT 2").code == "skipped"
    stage.server(p.ready())
    assert stage.talk.idle()


@pytest.mark.parametrize(
    ("string", "waits"),
    [
        ("SELECT 1", p.execute("o")),  # of a portal that was bound by a unit which is not answered
        ("SET search_path = s1", p.parse("SELECT value FROM t")),  # by a path that is not told
    ],
    ids=["a portal", "the path"],
)
def test_what_waits_for_a_query_that_the_server_skipped_goes_on(
    stage: Stage, string: str, waits: bytes
) -> None:
    """The string is never answered: the server skips all up to Sync, which must not wait for its answer."""
    stage.client(p.parse("SELECT 2", "n"), p.SYNC)
    stage.server(p.PARSED, p.ready())
    stage.up = stage.down = b""
    stage.client(p.bind("n", "o"), p.execute("o"), p.query(string), waits, p.SYNC)
    stage.server(p.error())
    assert stage.up.endswith(p.SYNC)
    stage.server(p.ready())
    assert stage.down == p.error() + p.ready()
    assert stage.talk.idle()


def test_copy_in_by_the_extended_protocol_with_the_sync_sent_at_once(stage: Stage) -> None:
    """libpq: Parse, Bind, Describe, Execute, Sync; then the data, CopyDone, Sync. One Sync is swallowed."""
    text = "COPY orders FROM STDIN"
    stage.client(p.parse(text), p.bind(), p.describe(), p.execute(), p.SYNC)
    stage.sent(p.parse(text), p.bind(), p.describe(), p.execute(), p.FLUSH)
    stage.server(p.PARSED, p.BOUND, p.NO_DATA, p.copy_in())
    stage.client(p.copy_data(b"1\tx\n"), p.COPY_DONE, p.SYNC)
    stage.sent(p.copy_data(b"1\tx\n"), p.COPY_DONE, p.SYNC)
    stage.server(p.done("COPY 1"), p.ready())
    stage.seen(p.PARSED, p.BOUND, p.NO_DATA, p.copy_in(), p.done("COPY 1"), p.ready())
    assert b"1\tx\n" in stage.outcome(text).kept
    stage.quiet()


def test_copy_into_a_sensitive_table(stage: Stage) -> None:
    stage.client(p.query("COPY customers FROM STDIN"))
    stage.server(p.copy_in(3))
    stage.client(p.copy_data(b"1\tx\t2\n"), p.COPY_DONE)
    stage.server(p.error("23505", "duplicate key", D="Key (email)=(alice@x.test) already exists."), p.ready())
    stage.down = stage.down[len(p.copy_in(3)) :]
    assert "D" not in stage.seen_error("23505", p.ready())
    kept = stage.outcome("COPY customers FROM STDIN").kept
    assert b"1\tx\t2" not in kept
    assert b"[redacted] (" in kept
    assert stage.talk.idle()


def test_copy_data_is_recorded_by_digest_beyond_the_limit(stage: Stage) -> None:
    stage = Stage(stage.size, kept=64)
    stage.client(p.query("COPY orders FROM STDIN"))
    stage.server(p.copy_in())
    for _ in range(10):
        stage.client(p.copy_data(b"1\t" + b"x" * 30 + b"\n"))
    stage.client(p.COPY_DONE)
    stage.server(p.done("COPY 10"), p.ready())
    outcome = stage.outcome("COPY orders FROM STDIN")
    assert len(outcome.kept) == 64
    assert outcome.sha256 is not None
    assert outcome.length == 10 * 38 + len(p.copy_in()) + len(p.done("COPY 10"))


@pytest.mark.parametrize("fails", ["client", "server"])
def test_a_copy_that_fails(stage: Stage, fails: str) -> None:
    from wicketgate.protocols.postgres.frames import frame

    stage.client(p.parse("COPY orders FROM STDIN"), p.bind(), p.execute(), p.SYNC)
    stage.server(p.PARSED, p.BOUND, p.copy_in())
    stage.up = b""
    if fails == "client":
        stage.client(p.copy_data(b"1\n"), frame(b"f", b"no\0"), p.SYNC)
        stage.sent(p.copy_data(b"1\n"), frame(b"f", b"no\0"), p.SYNC)
        stage.server(p.error("57014"), p.ready())
    else:
        stage.client(p.copy_data(b"bad\n"))
        stage.server(p.error("22P04"))
        stage.client(p.copy_data(b"more\n"), p.COPY_DONE, p.SYNC)
        stage.sent(p.copy_data(b"bad\n"), p.SYNC)
        stage.server(p.ready())
    assert stage.outcome("COPY orders FROM STDIN").code == ("57014" if fails == "client" else "22P04")
    assert stage.talk.idle()


def test_a_second_copy_of_one_string_swallows_nothing(stage: Stage) -> None:
    """A Query sent behind the first CopyDone would be taken for COPY data, and its answer never come."""
    text = "COPY orders FROM STDIN; COPY orders FROM STDIN"
    stage.client(p.query(text))
    stage.server(p.copy_in())
    stage.client(p.copy_data(b"1\n"), p.COPY_DONE, p.query("SELECT 1"))
    stage.sent(p.query(text), p.copy_data(b"1\n"), p.COPY_DONE)
    stage.server(p.done("COPY 1"), p.copy_in())
    stage.sent(p.TERMINATE)
    stage.over("protocol-error")  # a Query amid COPY data


def test_copy_out_of_what_cannot_be_told_is_denied_in_place(stage: Stage) -> None:
    stage.client(p.query("COPY customers TO STDOUT (ENCODING 'EUC_JP')"))
    stage.sent(POISON_QUERY)
    stage.server(p.SYNTAX, p.ready())
    stage.seen_error("42501", p.ready())
    stage.client(p.query("COPY orders TO STDOUT"))
    stage.sent(p.query("COPY orders TO STDOUT"))
    answer = p.copy_out(2) + p.copy_data(b"1\t34\n") + p.COPY_DONE + p.done("COPY 1") + p.ready()
    stage.server(answer)
    stage.seen(answer)
    stage.quiet()


def test_many_messages_in_flight_wait(stage: Stage) -> None:
    stage.size = max(stage.size, 4096)  # what counts here is how many there are, not where they are cut
    stage.client(p.parse(ORDER, "s"), (p.bind("s") + p.execute()) * 6000, p.SYNC)
    assert stage.talk.pause_client
    stage.up = b""
    stage.server(p.PARSED, (p.BOUND + p.done("SELECT 0")) * 4000)
    assert not stage.talk.pause_client
    stage.server((p.BOUND + p.done("SELECT 0")) * 2000, p.ready())
    assert stage.talk.idle()


def test_large_statements_in_flight_wait() -> None:
    """What is known of each is held until it is answered, and takes much more memory than its text."""
    stage = Stage(1 << 30)
    wide = "SELECT " + ",".join(["1"] * 1600)
    stage.client(p.parse(wide) * 100, p.query(wide) * 2)
    assert stage.talk.pause_client
    assert 2 < len(stage.talk.state.steps) < 50
    stage.up = b""
    for _ in range(100):
        stage.server(p.PARSED)
    assert not stage.talk.pause_client
    stage.server((p.described() + p.done("SELECT 0") + p.ready()) * 2)
    assert stage.talk.idle()


def test_malformed_bytes_end_the_session(stage: Stage) -> None:
    for data in (b"Q\0\0\0\1", b"?\0\0\0\4", b"Q\xff\xff\xff\xff", b"Q\0\0\0\5x", b"B\0\0\0\5x"):
        stage = Stage(stage.size)
        stage.client(p.whole("SELECT 1"), data)
        stage.over("protocol-error")
        assert p.frames(stage.down)[-1][0] == "E"


def test_what_a_cascade_may_reach_is_known_again_once_the_catalog_is_read(stage: Stage) -> None:
    stage.client(p.query("DROP TABLE IF EXISTS nosuch CASCADE"))
    stage.server(p.done("DROP TABLE"), p.ready())
    names = stage.talk.state.names
    assert "\0" in names.environment.temporary
    stage.client(p.query("SELECT note FROM orders"))
    stage.host.resumes.pop()()
    assert not any(name.endswith("\0") for name in names.environment.temporary)
