"""The server's side: masks, limits, errors, what is streamed, and servers that can't be trusted."""

import pytest

from protocols.postgres import playbook as p
from protocols.postgres.playbook import Stage
from protocols.postgres.rehearsal import SIZES
from wicketgate.model.decision import Decision, Verdict
from wicketgate.protocols.postgres.frames import POISON_PARSE, POISON_QUERY
from wicketgate.protocols.postgres.rows import LARGEST_HELD


@pytest.fixture(params=SIZES)
def stage(request: pytest.FixtureRequest) -> Stage:
    return Stage(request.param)


ORDER = "SELECT note FROM orders"
MAIL = "SELECT email FROM customers"
INSERT = "INSERT INTO orders VALUES (1) RETURNING note"
ROW = p.row("x")
LIMIT = "53400"


def limited(stage: Stage, rows: int = 2) -> None:
    stage.desk.rows = rows


# -- masks -------------------------------------------------------------------------------------------------
def test_rows_of_a_query_are_masked_column_by_column(stage: Stage) -> None:
    text = "SELECT id, email, 'x' FROM customers"
    stage.client(p.query(text))
    shape = p.described(
        ("id", p.CUSTOMERS, 1, p.INT4), ("email", p.CUSTOMERS, 2, p.TEXT), ("x", 0, 0, p.TEXT)
    )
    stage.server(shape, p.row("1", "alice@x.test", "x"), p.row("2", None, "x"), p.done("SELECT 2"), p.ready())
    stage.seen(
        shape, p.row("1", "[redacted:email]", "x"), p.row("2", None, "x"), p.done("SELECT 2"), p.ready()
    )
    assert stage.outcome(text).masked == {"email": 1}


def test_each_member_of_a_string_has_its_own_mask(stage: Stage) -> None:
    stage.client(p.query(f"{MAIL}; {ORDER}"))
    stage.server(p.EMAIL, p.row("a"), p.done("SELECT 1"), p.NOTE, p.row("a"), p.done("SELECT 1"), p.ready())
    stage.seen(
        p.EMAIL,
        p.row("[redacted:email]"),
        p.done("SELECT 1"),
        p.NOTE,
        p.row("a"),
        p.done("SELECT 1"),
        p.ready(),
    )


def test_a_column_that_names_an_unresolved_relation_is_masked(stage: Stage) -> None:
    stage.client(p.query(MAIL))
    stage.server(p.described(("email", 999, 1, p.TEXT)), p.row("a"), p.done("SELECT 1"), p.ready())
    assert p.row("[redacted]") in stage.down


def test_a_portal_under_new_names_is_described_anew(stage: Stage) -> None:
    """What was described under the old meaning must not serve as the plan of the new one."""
    stage.client(p.query("BEGIN"))
    stage.server(p.done("BEGIN"), p.ready("T"))
    stage.client(p.parse(ORDER), p.bind("", "one"), p.describe("one"), p.execute("one", 1), p.SYNC)
    stage.server(p.PARSED, p.BOUND, p.NOTE, ROW, p.SUSPENDED, p.ready("T"))
    stage.client(p.query("SET search_path = s2"))
    stage.server(p.done("SET"), p.ready("T"))
    stage.client(p.parse("SELECT value FROM t"), p.bind("", "two"), p.describe("two"), p.SYNC)
    stage.server(p.PARSED, p.BOUND, p.described(("value", p.T2, 2, p.TEXT)), p.ready("T"))
    stage.client(p.query("SET search_path = s1"))
    stage.server(p.done("SET"), p.ready("T"))
    stage.up = stage.down = b""
    stage.client(p.execute("two"), p.SYNC)
    stage.sent(p.describe("two"), p.execute("two"), p.SYNC)
    stage.server(p.described(("value", p.T2, 2, p.TEXT)), p.row("secret"), p.done("SELECT 1"), p.ready("T"))
    stage.seen(p.row("[redacted:national-id]"), p.done("SELECT 1"), p.ready("T"))


def test_a_suspended_portal_is_cleared_for_each_execute(stage: Stage) -> None:
    stage.client(p.parse(MAIL), p.bind(), p.execute("", 1), p.execute("", 1), p.SYNC)
    stage.sent(p.parse(MAIL), p.bind(), p.describe(), p.execute("", 1), p.execute("", 1), p.SYNC)
    stage.server(p.PARSED, p.BOUND, p.EMAIL, p.row("a"), p.SUSPENDED, p.row("b"), p.SUSPENDED, p.ready())
    mask = p.row("[redacted:email]")
    stage.seen(p.PARSED, p.BOUND, mask, p.SUSPENDED, mask, p.SUSPENDED, p.ready())
    assert [outcome.rows for _, outcome in stage.desk.settled] == [1, 1]
    stage.quiet()


def test_what_is_bound_and_never_executed_is_settled_with_its_unit(stage: Stage) -> None:
    stage.client(p.parse(ORDER), p.bind(), p.bind(), p.SYNC)
    stage.server(p.PARSED, p.BOUND, p.BOUND, p.ready())
    assert [outcome.tag for _, outcome in stage.desk.settled] == ["BIND", "BIND"]
    stage.down = stage.up = b""
    stage.quiet()


def test_a_revealed_column_passes_untouched(stage: Stage) -> None:
    stage.desk.decision = Decision(Verdict.PERMIT, "policy", mask={"*": "redact", "email": "reveal"})
    stage.client(p.whole(MAIL))
    stage.sent(p.whole(MAIL))
    answer = p.PARSED + p.BOUND + p.row("alice@x.test") + p.done("SELECT 1") + p.ready()
    stage.server(answer)
    stage.seen(answer)


# -- large rows --------------------------------------------------------------------------------------------
def test_large_rows_that_need_no_change_are_streamed() -> None:
    stage = Stage()
    stage.client(p.query(ORDER))
    big = p.row("x" * 1_000_000)
    stage.server(p.NOTE, big[:100_000])
    assert len(stage.down) > 100_000
    assert stage.talk.answers.size == 0
    stage.server(big[100_000:] + big[:10], big[10:], p.done("SELECT 2"), p.ready())
    stage.seen(p.NOTE, big, big, p.done("SELECT 2"), p.ready())
    outcome = stage.outcome(ORDER)
    assert (outcome.rows, len(outcome.kept)) == (2, 65536)
    assert outcome.sha256 is not None


def test_a_row_too_large_to_be_masked_ends_the_session() -> None:
    stage = Stage()
    stage.client(p.query(MAIL))
    stage.server(p.EMAIL)
    stage.down = b""
    stage.server(b"D" + (LARGEST_HELD + 100).to_bytes(4, "big") + b"\0\1")
    stage.seen_error("54000")
    stage.over("protocol-error")


# -- limits ------------------------------------------------------------------------------------------------
def test_rows_over_a_limit_cancel_the_statement(stage: Stage) -> None:
    limited(stage)
    stage.client(p.query(ORDER), p.query("SELECT 1"))
    stage.sent(p.query(ORDER))
    stage.server(p.NOTE, ROW, ROW, ROW)
    stage.seen(p.NOTE, ROW, ROW)
    assert stage.talk.pause_upstream
    stage.desk.leasing.pop()(p.NO)
    assert stage.host.cancels == 1
    stage.server(ROW, p.error("57014", "canceling statement"), p.ready())
    stage.seen_error("42501", p.ready())
    assert stage.desk.settled[0][1].rows == 2
    stage.sent(p.query("SELECT 1"))


def test_more_rows_are_leased(stage: Stage) -> None:
    limited(stage)
    stage.client(p.query(ORDER))
    stage.server(p.NOTE, ROW, ROW, ROW, ROW, ROW, p.done("SELECT 5"), p.ready())
    while stage.desk.leasing:
        stage.desk.leasing.pop()(None)
    stage.seen(p.NOTE, ROW, ROW, ROW, ROW, ROW, p.done("SELECT 5"), p.ready())
    assert stage.outcome(ORDER).rows == 5


@pytest.mark.parametrize("answer", [2, p.NO])
def test_a_lease_may_be_answered_at_once(stage: Stage, answer: object) -> None:
    limited(stage, 1)
    stage.desk.at_once = answer  # type: ignore[assignment]
    stage.client(p.query(ORDER))
    if answer == 2:
        stage.server(p.NOTE, ROW, ROW, ROW, ROW, p.done("SELECT 4"), p.ready())
        stage.seen(p.NOTE, ROW, ROW, ROW, ROW, p.done("SELECT 4"), p.ready())
    else:
        stage.server(p.NOTE, ROW, ROW, ROW, p.error("57014"), p.ready())
        stage.down = stage.down[len(p.NOTE + ROW) :]
        stage.seen_error("42501", p.ready())


def test_over_a_limit_in_a_block_when_the_server_has_finished(stage: Stage) -> None:
    """The client is told that the block failed, so it must fail."""
    limited(stage)
    stage.client(p.query("BEGIN"), p.query("INSERT INTO orders VALUES (1)"))
    stage.server(p.done("BEGIN"), p.ready("T"), p.done("INSERT 0 1"), p.ready("T"))
    stage.client(p.query(ORDER))
    stage.up = stage.down = b""
    stage.server(p.NOTE, ROW, ROW, ROW, p.done("SELECT 3"), p.ready("T"))
    stage.desk.leasing.pop()(p.NO)
    stage.sent(POISON_QUERY)
    stage.server(p.SYNTAX, p.ready("E"))
    stage.down = stage.down[len(p.NOTE + ROW + ROW) :]
    stage.seen_error("42501", p.ready("E"))
    assert stage.outcome(ORDER).code == "42501"


def test_a_limited_write_holds_back_the_sync(stage: Stage) -> None:
    limited(stage, 1)
    stage.client(p.whole(INSERT))
    stage.sent(p.parse(INSERT), p.bind(), p.execute(), p.FLUSH)
    stage.server(p.PARSED, p.BOUND, ROW, ROW, p.done("INSERT 0 2"))
    stage.desk.leasing.pop()(p.NO)
    stage.sent(POISON_PARSE, p.SYNC)  # the server had finished: it is made to fail before the commit
    stage.server(p.SYNTAX, p.ready())
    stage.down = stage.down[len(p.PARSED + p.BOUND + ROW) :]
    stage.seen_error("42501", p.ready())
    assert stage.desk.open == {}


def test_a_limited_write_within_its_limit_commits(stage: Stage) -> None:
    limited(stage)
    stage.client(p.whole(INSERT))
    stage.server(p.PARSED, p.BOUND, ROW, p.done("INSERT 0 1"))
    stage.sent(p.parse(INSERT), p.bind(), p.execute(), p.FLUSH, p.SYNC)
    stage.server(p.ready())
    stage.seen(p.PARSED, p.BOUND, ROW, p.done("INSERT 0 1"), p.ready())


def test_a_limited_read_lets_its_sync_pass_and_no_more(stage: Stage) -> None:
    limited(stage)
    stage.client(p.whole(ORDER), p.query("INSERT INTO orders VALUES (1)"))
    stage.sent(p.parse(ORDER), p.bind(), p.execute(), p.FLUSH, p.SYNC)
    stage.server(p.PARSED, p.BOUND, ROW, ROW, ROW, p.done("SELECT 3"), p.ready())
    stage.desk.leasing.pop()(p.NO)
    stage.sent(p.query("INSERT INTO orders VALUES (1)"))
    stage.down = stage.down[len(p.PARSED + p.BOUND + ROW + ROW) :]
    stage.seen_error("42501", p.ready())


def test_a_sync_behind_a_begin_of_the_same_unit_waits_for_limited_rows(stage: Stage) -> None:
    limited(stage)
    stage.client(p.parse("BEGIN"), p.bind(), p.execute(), p.whole(ORDER))
    begun = p.parse("BEGIN") + p.bind() + p.execute()
    stage.sent(begun, p.parse(ORDER), p.bind(), p.execute(), p.FLUSH)


@pytest.mark.parametrize(
    "text",
    [
        INSERT,
        f"INSERT INTO orders VALUES (1); {ORDER}",
        f"{ORDER}; DEALLOCATE s",
        f"SET search_path = s1; {ORDER}",
    ],
)
def test_limited_strings_that_could_leave_something_behind_are_refused(stage: Stage, text: str) -> None:
    limited(stage)
    stage.client(p.parse(ORDER, "s"), p.SYNC)
    stage.server(p.PARSED, p.ready())
    stage.up = stage.down = b""
    stage.client(p.query(text))
    stage.sent(POISON_QUERY)
    stage.server(p.SYNTAX, p.ready())
    stage.seen_error(LIMIT, p.ready())
    assert stage.desk.open == {}


def test_a_limited_read_that_would_commit_earlier_writes_is_refused(stage: Stage) -> None:
    limited(stage)
    stage.client(p.query("BEGIN"), p.query("INSERT INTO orders VALUES (1)"))
    stage.server(p.done("BEGIN"), p.ready("T"), p.done("INSERT 0 1"), p.ready("T"))
    stage.up = stage.down = b""
    stage.client(p.query(f"{ORDER}; COMMIT"))
    stage.sent(POISON_QUERY)


@pytest.mark.parametrize("size", [1 << 30, 6])
def test_the_end_of_a_binary_copy_is_no_row(size: int) -> None:
    stage = Stage(size=size)
    limited(stage)
    text = "COPY (SELECT note FROM orders) TO STDOUT (FORMAT binary)"
    stage.client(p.query(text))
    head = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
    rows = [p.copy_data(head + b"\0\1\0\0\0\1a"), p.copy_data(b"\0\1\0\0\0\1b"), p.copy_data(b"\xff\xff")]
    stage.server(p.copy_out(), *rows, p.COPY_DONE, p.done("COPY 2"), p.ready())
    stage.seen(p.copy_out(), *rows, p.COPY_DONE, p.done("COPY 2"), p.ready())
    assert stage.outcome(text).rows == 2
    stage.client(p.query(text))
    rows.insert(1, rows[1])
    stage.server(p.copy_out(), *rows)
    assert stage.desk.leasing, "a third row is one too many"


def test_rows_over_a_limit_in_copy_out(stage: Stage) -> None:
    limited(stage, 1)
    stage.client(p.query("COPY orders TO STDOUT"))
    stage.server(p.copy_out(), p.copy_data(b"1\n"), p.copy_data(b"2\n"))
    stage.desk.leasing.pop()(p.NO)
    stage.server(p.COPY_DONE, p.done("COPY 2"), p.ready())
    stage.down = stage.down[len(p.copy_out() + p.copy_data(b"1\n")) :]
    stage.seen_error("42501", p.ready())


def test_a_cancel_while_rows_wait_for_a_lease(stage: Stage) -> None:
    limited(stage, 1)
    stage.client(p.query(ORDER))
    stage.server(p.NOTE, ROW, ROW)
    assert stage.talk.cancel()
    assert not stage.talk.pause_upstream
    stage.desk.leasing.pop()(None)  # too late
    stage.server(p.error("57014", "canceling statement due to user request"), p.ready())
    stage.down = stage.down[len(p.NOTE + ROW) :]
    stage.seen_error("57014", p.ready())
    assert stage.outcome(ORDER).rows == 1


# -- errors ------------------------------------------------------------------------------------------------
LEAK = "Failing row contains (1, alice@x.test, 34)."


def test_errors_about_hidden_values_are_softened(stage: Stage) -> None:
    stage.client(p.whole("UPDATE customers SET age = 200 WHERE id = 1"))
    stage.server(p.PARSED, p.BOUND, p.error("23514", "new row violates", D=LEAK), p.ready())
    assert b"alice" not in stage.down
    assert b"23514" in stage.down


@pytest.mark.parametrize("extended", [True, False])
def test_errors_at_commit_are_softened_too(stage: Stage, extended: bool) -> None:
    """A deferred constraint speaks when the transaction ends, in an answer to COMMIT, or to Sync."""
    for text, state in (("BEGIN", "T"), ("UPDATE customers SET age = 2 WHERE id = 1", "T")):
        stage.client(p.query(text))
        stage.server(p.done("X"), p.ready(state))
    stage.client(p.whole("COMMIT") if extended else p.query("COMMIT"))
    stage.server(p.PARSED + p.BOUND if extended else b"", p.error("23505", "duplicate", D=LEAK), p.ready())
    assert b"alice" not in stage.down
    assert b"23505" in stage.down


def test_an_error_in_answer_to_sync(stage: Stage) -> None:
    text = "UPDATE customers SET age = 2 WHERE id = 1"
    stage.client(p.whole(text), p.query("SELECT 1"))
    stage.server(p.PARSED, p.BOUND, p.done("UPDATE 1"), p.error("23505", "duplicate", D=LEAK), p.ready())
    stage.server(p.described(("x", 0, 0, p.INT4)), p.row("1"), p.done("SELECT 1"), p.ready())
    assert b"alice" not in stage.down
    assert stage.talk.over is None
    assert stage.talk.idle()


def test_innocent_errors_pass_as_they_are(stage: Stage) -> None:
    wrong = p.error("22012", "division by zero", D="detail", H="hint")
    stage.client(p.query("SELECT 1/0"))
    stage.server(wrong, p.ready())
    stage.seen(wrong, p.ready())
    assert stage.outcome("SELECT 1/0").code == "22012"


def test_notices_are_softened_while_hidden_values_are_about(stage: Stage) -> None:
    stage.client(p.query(MAIL))
    stage.server(p.notice("alice@x.test"), p.EMAIL, p.done("SELECT 0"), p.ready())
    assert b"alice" not in stage.down
    stage.down = b""
    stage.server(p.notice("hello"))
    stage.seen(p.notice("hello"))


def test_parameter_status_is_filtered(stage: Stage) -> None:
    stage.client(p.query(MAIL))
    stage.server(p.parameter("application_name", "alice@x.test"), p.parameter("TimeZone", "UTC"))
    stage.seen(p.parameter("TimeZone", "UTC"))
    stage.server(p.parameter("some.secret", "x"), p.EMAIL, p.done("SELECT 0"), p.ready())
    assert b"some.secret" not in stage.down


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("standard_conforming_strings", "off"),
        ("Standard_Conforming_Strings", "OFF"),
        ("standard_conforming_strings", "?"),
        ("client_encoding", "SJIS"),
        ("session_authorization", "somebody else"),
    ],
)
def test_a_changed_setting_that_we_read_by_ends_the_session(stage: Stage, name: str, value: str) -> None:
    stage.client(p.query(MAIL))
    stage.down = b""
    stage.server(p.parameter(name, value), p.EMAIL, p.row("alice@x.test"), p.done("SELECT 1"), p.ready())
    assert b"alice" not in stage.down
    assert value.encode() not in stage.down
    stage.seen_error("57P03")
    stage.over("protocol-error")


def test_the_same_settings_as_before_pass(stage: Stage) -> None:
    stage.client(p.query(MAIL))
    stage.server(p.parameter("standard_conforming_strings", "on"), p.parameter("client_encoding", "UTF8"))
    stage.seen(p.parameter("standard_conforming_strings", "on"), p.parameter("client_encoding", "UTF8"))
    stage.server(p.EMAIL, p.done("SELECT 0"), p.ready())


def test_notifications_are_withheld_where_there_is_something_sensitive(stage: Stage) -> None:
    from wicketgate.protocols.postgres.frames import frame

    stage.server(frame(b"A", b"\0\0\0\1channel\0payload\0"))
    stage.seen()
    assert stage.host.counts == {"notifications_withheld": 1}


def test_a_fatal_error_ends_the_session(stage: Stage) -> None:
    stage.client(p.query(ORDER))
    stage.server(p.error("57P01", "terminating connection", "FATAL"))
    stage.seen_error("57P01")
    stage.over("upstream")
    assert stage.outcome(ORDER).code == "57P01"


def test_a_fatal_error_is_no_denial(stage: Stage) -> None:
    stage.desk.deny.add(b"secret")
    stage.client(p.query("SELECT secret"))
    stage.server(p.error("57P01", "terminating connection", "FATAL"))
    stage.seen_error("57P01")


# -- servers out of order ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", p.ready()),
        (b"", p.error()),
        (b"", ROW),
        (b"", p.done("SELECT 1")),
        (p.query(ORDER), p.ready()),
        (p.query(ORDER), p.PARSED),
        (p.query(MAIL), p.row("alice@x.test")),
        (p.query(MAIL), p.EMAIL + p.row("alice@x.test", "b")),
        (p.query(MAIL), p.EMAIL + p.row()),
        (p.query(MAIL), p.copy_out() + p.copy_data(b"alice")),
        (p.query(MAIL), p.copy_data(b"alice")),
        (p.query(ORDER), p.copy_data(b"alice")),
        (p.query(ORDER), p.copy_in()),
        (p.query(ORDER), p.NOTE + p.done("SELECT 0") + p.done("SELECT 0")),
        (p.query(ORDER), p.error() + p.error()),
        (p.whole(MAIL), p.PARSED + p.BOUND + p.row("alice")),
        (p.whole(MAIL), p.PARSED + p.BOUND + p.NO_DATA + p.row("alice")),
        (p.whole(ORDER), p.BOUND),
        (p.whole(ORDER), p.PARSED + p.BOUND + p.NOTE),
        (p.whole(ORDER), p.PARSED + p.BOUND + p.done("SELECT 0") + p.ready("?")),
        (p.whole(ORDER), p.PARSED + p.BOUND + p.COPY_DONE),
        (p.query("SELECT 1"), b"T\0\0\0\5\0"),
        (p.query("SELECT 1"), b"T\xff\xff\xff\xff"),
        (p.query("SELECT 1"), b"W\0\0\0\7\0\0\0"),
        (p.query("EXECUTE nosuch"), p.done("SELECT 1")),
        (p.query("EXECUTE nosuch"), p.ready()),
        (p.query("EXECUTE nosuch"), ROW),
        (p.parse("SELECT nosuch()") + p.SYNC, p.PARSED),
    ],
)
def test_answers_out_of_place_end_the_session(stage: Stage, sent: bytes, answer: bytes) -> None:
    stage.client(sent)
    stage.server(answer)
    assert b"alice" not in stage.down
    stage.over("protocol-error")
    assert stage.talk.answers.size == 0
