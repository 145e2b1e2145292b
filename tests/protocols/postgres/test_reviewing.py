"""Statements that wait for people, in their place of the stream; and what an approval of one is bound to."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from protocols.postgres import playbook as p
from wicketgate.model.clearance import Clearance
from wicketgate.model.decision import Decision, Denial, Verdict
from wicketgate.model.held import Holding, Particulars
from wicketgate.model.review import Panel
from wicketgate.model.shown import shown_to
from wicketgate.model.statement import Facts, Statement
from wicketgate.model.terms import Terms
from wicketgate.protocols.postgres.frames import FLUSH, POISON_PARSE, POISON_QUERY, PROBE, frame
from wicketgate.protocols.postgres.messages import fields_of, notice_frame
from wicketgate.protocols.postgres.reviewing import TOO_LONG
from wicketgate.sql.catalog import Catalog
from wicketgate.sql.sameness import HIDDEN, masked, tree

TERMS = Terms((Panel("look", frozenset({"ann"})),), 600)
HELD = Decision(Verdict.REVIEW, "policy", ("look",), review=TERMS)
ASKED = "SELECT id FROM orders WHERE id = 7"
NO = Denial("review", "denied", "by ann", None, ("look",), '{"status":"denied"}', "R1")


class Desk(p.FakeDesk):
    """Holds what names `orders` or `t`. holding: of what waits. left: withdrawn."""

    def __init__(self) -> None:
        super().__init__()
        self.holding: Holding | None = None
        self.told: Particulars | Denial | None = None
        self.left = 0
        self.resume: Callable[[Clearance | Denial], None] | None = None
        self.statement: Statement | None = None

    def judged(self, facts: Facts) -> Decision:
        return HELD if {"public.orders", "s1.t", "s2.t"} & (facts.reads | facts.writes) else self.decision

    def weigh(self, statement: Statement) -> Denial | None:
        return None if self.judged(statement.facts) is HELD else super().weigh(statement)

    def submit(
        self,
        statement: Statement,
        resume: Callable[[Clearance | Denial], None],
        holding: Holding | None = None,
    ) -> Clearance | Denial | None:
        if self.judged(statement.facts) is not HELD or holding is None:
            return super().submit(statement, resume, holding)
        self.told = holding.particulars(())
        self.holding, self.resume, self.statement = holding, resume, statement
        holding.waits(self.leave)
        return None

    def leave(self) -> None:
        self.left += 1

    def approve(self) -> None:
        assert self.resume is not None
        assert self.statement is not None
        self.resume(self.clear(self.statement))


class Play(p.Stage):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.people = Desk()
        self.desk = self.people
        self.talk.state.desk = self.people

    def tell(self) -> bytes:
        assert self.people.holding is not None
        assert self.people.holding.told("waiting", "ann", "{}")
        return notice_frame("waiting", "ann", "{}")


def particulars(text: str, *frames: bytes, **options: Any) -> Particulars:
    """Of a Query, or of what these frames hold."""
    play = Play(**options)
    play.client(*(frames or (p.query(text),)))
    assert isinstance(play.people.told, Particulars), play.people.told
    return play.people.told


# -- the place in the stream ---------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [1 << 30, 1, 3, 7])
def test_a_query_waits_and_what_follows_waits_behind_it(size: int) -> None:
    play = Play(size=size)
    play.client(p.query(ASKED), p.query("SELECT 2"))
    play.sent()
    play.seen(play.tell())
    play.people.approve()
    play.sent(p.query(ASKED), p.query("SELECT 2"))
    play.server(p.described(("id", p.ORDERS, 1, p.INT4)), p.row("7"), p.done("SELECT 1"), p.ready())
    play.server(p.described(("?", 0, 0, p.INT4)), p.row("2"), p.done("SELECT 1"), p.ready())
    assert play.texts("ask") == [ASKED, "SELECT 2"]


def test_what_came_before_is_answered_meanwhile() -> None:
    play = Play()
    play.client(p.query("SELECT 1"), p.query(ASKED))
    play.sent(p.query("SELECT 1"))
    notice = play.tell()
    play.sent(FLUSH)
    play.server(p.described(("?", 0, 0, p.INT4)), p.row("1"), p.done("SELECT 1"), p.ready())
    assert play.down.startswith(notice)
    assert p.done("SELECT 1") in play.down


def test_a_bind_waits_and_its_parse_locks_nothing_meanwhile() -> None:
    play = Play()
    text = "SELECT id FROM orders WHERE id = $1"
    play.client(p.whole(text, b"7"))
    play.sent()
    play.seen(play.tell())
    play.people.approve()
    play.sent(p.parse(text), p.bind("", "", b"7"), p.execute(), p.SYNC)
    assert play.texts("note") == []
    play.server(p.PARSED, p.BOUND, p.row("7"), p.done("SELECT 1"), p.ready())
    play.seen(p.PARSED, p.BOUND, p.row("7"), p.done("SELECT 1"), p.ready())


def test_a_parse_alone_goes_on() -> None:
    play = Play()
    text = "SELECT id FROM orders WHERE id = $1"
    play.client(p.parse(text, "s"), p.describe_statement("s"), p.SYNC)
    play.sent(p.parse(text, "s"), p.describe_statement("s"), p.SYNC)
    assert play.texts("note") == [text]
    play = Play()
    play.client(p.parse(text, "s"))
    play.sent(p.parse(text, "s"))


def test_a_denied_query_and_a_denied_bind() -> None:
    play = Play()
    play.client(p.query(ASKED))
    play.people.resume(NO)  # type: ignore[misc]
    play.sent(POISON_QUERY)
    play.server(p.SYNTAX, p.ready())
    fields = play.seen_error("42501", p.ready())
    assert json.loads(fields["D"]) == {"status": "denied"}
    play = Play()
    play.client(p.whole(ASKED))
    play.people.resume(NO)  # type: ignore[misc]
    play.sent(p.parse(ASKED), POISON_PARSE, p.SYNC)
    play.server(p.PARSED, p.SYNTAX, p.ready())
    play.collect()
    assert p.PARSED in play.down
    assert play.texts("note") == [ASKED]


def test_a_cancel_withdraws_and_the_connection_goes_on() -> None:
    play = Play()
    play.client(p.whole(ASKED))
    play.tell()
    assert not play.talk.cancel()
    assert play.people.left == 1
    play.collect()
    play.server(p.PARSED, p.SYNTAX, p.ready())
    play.collect()
    assert b"57014" in play.down
    play.people.approve()  # too late: it is settled, and goes nowhere
    play.up = b""
    play.sent()
    assert play.people.open == {}


@pytest.mark.parametrize("ending", ["client", "server", "gateway"])
def test_whoever_ends_the_session_withdraws(ending: str) -> None:
    play = Play()
    play.client(p.whole(ASKED))
    if ending == "client":
        play.talk.client_gone()
    elif ending == "server":
        play.talk.upstream_gone("gone")
    else:
        play.talk.end(Denial("revoked", "over", "test"), "revoked")
    assert play.people.left == 1
    play.collect()
    assert b"orders" not in play.up


def test_no_notice_in_the_middle_of_a_row() -> None:
    play = Play()
    play.client(p.query("SELECT 1"), p.query(ASKED))
    large = p.row("x" * 3_000_000)
    play.server(p.described(("?", 0, 0, p.TEXT)), large[:2_000_000])
    assert play.people.holding is not None
    assert play.people.holding.told("waiting", "ann", "{}") is False
    play.server(large[2_000_000:])
    assert play.people.holding.told("waiting", "ann", "{}") is True


# -- transactions --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("before", "answer", "open_block"),
    [
        ([], b"", False),
        ([p.query("SELECT 1")], b"", False),
        ([p.query("BEGIN")], b"", True),
        ([p.query("BEGIN")], p.done("BEGIN") + p.ready("T"), False),  # nothing is locked yet
        ([p.query("BEGIN")], p.done("BEGIN") + p.ready("E"), True),
        ([p.query("SELECT 1; BEGIN")], b"", True),
        ([p.parse("SELECT 1"), p.bind(), p.execute()], b"", True),
        ([p.whole("SELECT 1")], b"", False),
        ([p.whole("BEGIN")], b"", True),
    ],
)
def test_whether_a_transaction_is_open(before: list[bytes], answer: bytes, open_block: bool) -> None:
    play = Play()
    play.client(*before)
    play.server(answer)
    play.client(p.parse(ASKED), p.bind())
    assert play.people.holding is not None
    assert play.people.holding.in_transaction() is open_block


@pytest.mark.parametrize(
    ("asked", "answer", "holds"),
    [
        ([p.query("SET LOCAL application_name = 'a'")], p.done("SET") + p.ready("T"), False),
        ([p.query("SAVEPOINT a")], p.done("SAVEPOINT") + p.ready("T"), False),
        ([p.query("SELECT 1")], p.done("SELECT 1") + p.ready("T"), True),
        ([p.query("LOCK TABLE notes")], p.done("LOCK TABLE") + p.ready("T"), True),
        ([p.query("ROLLBACK")], p.done("ROLLBACK") + p.ready(), False),
        ([p.parse("SELECT 1", "kept"), p.SYNC], p.PARSED + p.ready("T"), True),
        ([p.parse(ASKED, "kept"), p.SYNC], p.PARSED + p.ready("T"), True),
        (
            [p.parse(ASKED) + p.parse("SET LOCAL application_name = 'a'") + p.SYNC],
            p.PARSED * 2 + p.ready("T"),
            True,
        ),
        ([p.parse("SET LOCAL application_name = 'a'", "kept"), p.SYNC], p.PARSED + p.ready("T"), False),
        ([p.query("SELECT 1"), p.query("COMMIT"), p.query("BEGIN")], None, False),
    ],
)
def test_what_a_transaction_holds_since_it_began(
    asked: list[bytes], answer: bytes | None, holds: bool
) -> None:
    play = Play()
    play.client(p.query("BEGIN"))
    play.server(p.done("BEGIN") + p.ready("T"))
    for each in [] if answer is None else [b"".join(asked)]:
        play.client(each)
        play.server(answer or b"")
    for each, tag in zip(asked, ("SELECT 1", "COMMIT", "BEGIN"), strict=False) if answer is None else ():
        play.client(each)
        if tag == "SELECT 1":
            play.server(p.described(("?", 0, 0, p.INT4)) + p.row("1"))
        play.server(p.done(tag) + p.ready("I" if tag == "COMMIT" else "T"))
    play.client(p.whole(ASKED))
    assert play.people.holding is not None
    assert play.people.holding.in_transaction() is holds


def test_what_was_prepared_with_its_begin_is_held() -> None:
    """BEGIN and a statement that is only prepared, in one unit: the server locks what it reads."""
    play = Play()
    begin = p.parse("BEGIN") + p.bind() + p.execute()
    play.client(begin + p.parse(ASKED, "kept") + p.SYNC)
    play.server(p.PARSED, p.BOUND, p.done("BEGIN"), p.PARSED, p.ready("T"))
    play.client(p.bind("kept"), p.execute(), p.SYNC)
    assert play.people.holding is not None
    assert play.people.holding.in_transaction()
    play = Play()
    play.client(begin + p.SYNC)
    play.server(p.PARSED, p.BOUND, p.done("BEGIN"), p.ready("T"))
    play.client(p.whole(ASKED))
    assert play.people.holding is not None
    assert not play.people.holding.in_transaction(), "a BEGIN that was prepared locks nothing"


def test_what_was_only_prepared_holds_nothing_while_people_look() -> None:
    """A driver that prepares first and awaits the description (asyncpg): the server began a transaction for
    it, in which the relation stays locked. A Sync of ours ends that, and nobody hears of its answer."""
    play = Play()
    text = "SELECT id FROM orders WHERE id = $1"
    play.client(p.parse(text, "one"), p.describe_statement("one"), p.FLUSH)
    play.sent(p.parse(text, "one"), p.describe_statement("one"), p.FLUSH)
    answer = p.PARSED + frame(b"t", b"\0\1\0\0\0\x17") + p.described(("id", p.ORDERS, 1, p.INT4))
    play.server(answer)
    play.seen(answer)
    bound = (p.bind("one", "", b"7"), p.execute(), p.SYNC)
    play.client(*bound)
    notice = play.tell()
    play.sent(p.SYNC)
    play.server(p.ready())
    play.seen(notice)
    assert play.people.holding is not None
    assert not play.people.holding.in_transaction()
    play.people.approve()
    play.sent(*bound)
    play.server(p.BOUND, p.row("7"), p.done("SELECT 1"), p.ready())
    play.seen(p.BOUND, p.row("7"), p.done("SELECT 1"), p.ready())


@pytest.mark.parametrize(
    ("before", "answer"),
    [
        ([p.parse("SELECT 1", "one"), p.bind("one", "kept"), p.FLUSH], p.PARSED + p.BOUND),
        ([p.parse(ASKED, "one"), p.FLUSH], b""),
    ],
    ids=["a portal would be closed", "not answered: it may fail, and what follows must be skipped"],
)
def test_no_sync_of_ours_where_it_would_change_something(before: list[bytes], answer: bytes) -> None:
    play = Play()
    play.client(*before)
    play.server(answer)
    play.client(p.parse(ASKED), p.bind())
    before_it = len(play.up)
    play.tell()
    assert p.SYNC not in play.up[before_it:]


# -- what an approval is bound to ----------------------------------------------------------------------------
SAME = {
    "spaces": "select   id from orders where id=7",
    "a comment": f"/* x */ {ASKED} -- y",
    "a reason": f"/* reason: INC-4711 */ {ASKED}",
    "its schema": "SELECT id FROM orders WHERE id = 7",
}
ANOTHER = {
    "a constant": "SELECT id FROM orders WHERE id = 8",
    "a constant's type": "SELECT id FROM orders WHERE id = '7'",
    "a column": "SELECT note FROM orders WHERE id = 7",
    "an operator": "SELECT id FROM orders WHERE id < 7",
    "a condition": "SELECT id FROM orders WHERE id = 7 OR true",
    "a limit": "SELECT id FROM orders WHERE id = 7 LIMIT 1",
    "a relation": "SELECT id FROM orders, s1.t WHERE id = 7",
    "a command": "DELETE FROM orders WHERE id = 7",
    "a lock": "SELECT id FROM orders WHERE id = 7 FOR UPDATE",
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_the_same_statement(text: str) -> None:
    assert particulars(text).exact == particulars(ASKED).exact


@pytest.mark.parametrize("text", ANOTHER.values(), ids=ANOTHER)
def test_another_statement(text: str) -> None:
    found, asked = particulars(text), particulars(ASKED)
    assert found.exact != asked.exact
    assert (found.shape == asked.shape) is (text in (ANOTHER["a constant"], ANOTHER["a constant's type"]))


@pytest.mark.parametrize(
    ("text", "one", "other", "alike"),
    [
        ("ALTER TABLE orders ALTER note SET DEFAULT {}", "'a'", "'b'", False),
        ("COPY (SELECT id FROM orders WHERE id = {}) TO STDOUT", "1", "2", True),
        ("COPY orders TO STDOUT (FORMAT {})", "csv", "text", False),
        ("COPY orders TO STDOUT (DELIMITER {})", "'a'", "'b'", False),
        ("SELECT id FROM {}", "ONLY orders", "orders", False),
        ("SELECT id FROM orders WHERE id = {}", "0", "NULL", True),
        ("SELECT id FROM orders WHERE note = {}", "U&'\\0041'", "U&'!0042' UESCAPE '!'", True),
        ("SELECT id FROM orders WHERE note = {}", "E'\\x41'", "B'1'", True),
        ("SELECT id FROM orders ORDER BY id {}", "", "DESC", False),
        ("SELECT id FROM orders WHERE id {} 1", "OPERATOR(pg_catalog.=)", "=", False),
    ],
)
def test_what_is_alike_but_for_constants(text: str, one: str, other: str, alike: bool) -> None:
    first, second = particulars(text.format(one)), particulars(text.format(other))
    assert first.exact != second.exact
    assert (first.shape == second.shape) is alike


def bound(value: bytes | None, types: tuple[int, ...] = (), formats: bytes = b"\0\0") -> Particulars:
    text = "SELECT id FROM orders WHERE id = $1"
    body = (
        b"\0\0"
        + formats
        + b"\0\1"
        + (b"\xff" * 4 if value is None else len(value).to_bytes(4, "big") + value)
    )
    return particulars("", p.parse(text, "", types), frame(b"B", body + b"\0\0"))


def test_what_nobody_can_look_at_is_not_asked_for() -> None:
    """Nobody reads a megabyte on a phone; and of what waits, the store keeps every copy."""
    for many, told in ((1 << 20, True), ((1 << 20) - 200, False)):
        body = b"\0\0\0\0\0\1" + many.to_bytes(4, "big") + b"x" * many
        play = Play()
        play.client(p.parse("SELECT id FROM orders WHERE id = $1"), frame(b"B", body + b"\0\0"))
        assert (play.people.told == TOO_LONG) is told
        assert play.people.told is not None
    assert TOO_LONG.hint is not None


def test_parameters_are_bound_with_their_types_and_formats() -> None:
    told = [
        bound(b"7"),
        bound(b"8"),
        bound(None),
        bound(b""),
        bound(b"7", (23,)),
        bound(b"7", (20,)),
        bound(b"7", (), b"\0\1\0\1"),
    ]
    assert len({each.exact for each in told}) == len(told)
    assert bound(b"7").exact == told[0].exact
    assert bound(b"7").shape == told[1].shape


def test_what_names_mean_is_bound() -> None:
    text = "SELECT id FROM t WHERE id = 1"
    here, there = particulars(text, path="s1"), particulars(text, path="s2")
    assert here.exact != there.exact
    assert here.shape != there.shape
    assert here.exact == particulars(text, path="s1, public").exact


def test_a_temporary_table_may_stand_for_any_name() -> None:
    play = Play()
    play.client(p.query("CREATE TEMP TABLE orders (id int)"))
    play.people.approve()
    play.server(p.done("CREATE TABLE"), p.ready())
    play.people.told = None
    play.host.resumes and play.host.resumes.pop()()
    play.client(p.query(ASKED))
    told = play.people.told
    assert told is None or (isinstance(told, Particulars) and told.exact != particulars(ASKED).exact)


CREATES = "CREATE TEMP TABLE x AS SELECT {} AS a"
READS = "SELECT a, (SELECT max(id) FROM orders) FROM x"


def done(play: Play, text: str, tag: str, transaction: str = "I") -> None:
    """A query that goes upstream, approved where it is asked about, and is answered."""
    play.up = b""
    play.people.told = None
    play.client(p.query(text))
    looked(play)
    if play.people.told is not None:
        play.people.approve()
    play.sent(p.query(text))
    play.server(p.done(tag), p.ready(transaction))


def looked(play: Play) -> None:
    """The catalog is read where that is waited for."""
    while play.host.resumes:
        play.host.resumes.pop()()


def exact(play: Play, text: str, frames: bytes = b"") -> str:
    """Of what is asked about this text, which is then denied."""
    play.people.told = None
    play.client(frames or p.query(text))
    looked(play)
    if play.up.endswith(PROBE):
        play.server(p.path_answer("public"))
    told = play.people.told
    assert isinstance(told, Particulars), told
    assert play.people.resume is not None
    play.people.resume(NO)
    play.server(p.SYNTAX, p.ready(play.talk.state.transaction.decode()))
    return told.exact


def session(number: str = "0") -> Play:
    play = Play()
    setting = play.talk.state.setting
    play.talk.state.setting = replace(setting, admission=replace(setting.admission, session=number * 32))
    return play


def test_a_temporary_table_is_of_its_session_and_of_its_time() -> None:
    one, two = session("1"), session("2")
    for each in (one, two):
        done(each, CREATES.format(1), "SELECT 1")
    first = exact(one, READS)
    assert exact(one, READS) == first, "the very same may be tried again"
    assert exact(two, READS) != first
    done(one, "DROP TABLE x", "DROP TABLE")
    done(one, CREATES.format("7"), "SELECT 1")
    assert exact(one, READS) != first, "another table of this name"
    plain = session("1"), session("2")
    assert exact(plain[0], ASKED) == exact(plain[1], ASKED)


def test_a_temporary_table_of_the_same_string() -> None:
    """It may be tried again with the very same string, and with no other one."""
    play = session()
    first = exact(play, f"{CREATES.format(1)}; {READS}")
    assert exact(play, f"{CREATES.format(1)}; {READS}") == first
    assert exact(play, f"{CREATES.format(2)}; {READS}") != first


def test_a_temporary_table_that_a_rollback_takes_away() -> None:
    play = session()
    done(play, CREATES.format(1), "SELECT 1")
    before = exact(play, READS)
    done(play, "BEGIN", "BEGIN", "T")
    done(play, "DROP TABLE x", "DROP TABLE", "T")
    done(play, CREATES.format(2), "SELECT 1", "T")
    within = exact(play, READS)
    done(play, "ROLLBACK", "ROLLBACK")
    after = exact(play, READS)
    assert len({before, within, after}) == 3


def test_a_temporary_table_that_is_discarded_or_made_by_code() -> None:
    play = session()
    done(play, CREATES.format(1), "SELECT 1")
    before = exact(play, READS)
    done(play, "DISCARD TEMP", "DISCARD TEMP")
    assert exact(play, READS) != before
    one, two = session("1"), session("2")
    unread = "SELECT count(*) FROM orders, nobody_knows"
    assert exact(one, unread) == exact(two, unread)
    for each in (one, two):
        each.talk.state.circumstances.unsettled(b"DO $$ ... $$", 0)
    assert exact(one, unread) != exact(two, unread)
    assert exact(one, ASKED) == exact(two, ASKED)


def test_what_fails_behind_the_end_of_another_transaction_is_taken_back() -> None:
    play = session()
    play.client(p.query("SELECT 1"), p.query("SET array_nulls = off"))
    play.server(p.described(("?", 0, 0, p.INT4)), p.row("1"), p.done("SELECT 1"), p.ready())
    before = play.talk.state.circumstances.moment
    play.server(p.error(), p.ready())
    assert play.talk.state.circumstances.moment.settings != before.settings


DATE = "DELETE FROM orders WHERE note < '01/02/2026'::date::text"


def reported(play: Play, name: str, value: str) -> None:
    play.client(p.query(f"SET {name} = '{value}'"))
    play.server(p.done("SET"), p.parameter(name, value), p.ready())


@pytest.mark.parametrize(
    ("name", "here", "there"),
    [
        ("DateStyle", "ISO, MDY", "ISO, DMY"),
        ("TimeZone", "UTC", "Asia/Tokyo"),
        ("IntervalStyle", "postgres", "sql_standard"),
    ],
)
def test_settings_by_which_constants_are_read_are_bound(name: str, here: str, there: str) -> None:
    one, two, other = session("1"), session("2"), session("3")
    for play, value in ((one, here), (two, here), (other, there)):
        reported(play, name, value)
    assert exact(one, DATE) == exact(two, DATE), "in another session it is the same"
    assert exact(one, DATE) != exact(other, DATE)
    one.client(p.query(f"SET {name} = '{there}'"))  # not answered yet
    assert exact(one, DATE) not in (exact(two, DATE), exact(other, DATE))
    two.client(p.query("SELECT 1"))
    two.server(p.described(("?", 0, 0, p.INT4)), p.row("1"), p.done("SELECT 1"), p.ready())
    string = exact(two, f"SET {name} = '{there}'; {DATE}")
    assert string == exact(session_like(here, name), f"SET {name} = '{there}'; {DATE}")
    assert string not in (exact(two, DATE), exact(other, DATE))


def test_what_was_prepared_under_another_setting_is_another_thing() -> None:
    """The server reads constants when it prepares, and parameters when it binds."""

    def bound(play: Play) -> str:
        return exact(play, "", p.bind("q") + p.execute() + p.SYNC)

    one, two = session("1"), session("2")
    for play in (one, two):
        reported(play, "DateStyle", "ISO, MDY")
        play.client(p.parse(DATE, "q"), p.SYNC)
        play.server(p.PARSED, p.ready())
    first = bound(one)
    assert bound(two) == first
    for value in ("ISO, DMY", "ISO, MDY"):
        reported(two, "DateStyle", value)
    assert bound(two) != first, "as far as can be told"
    assert bound(two) == bound(two), "it may be tried again"
    two.client(p.close("q"), p.parse(DATE, "q"), p.SYNC)
    two.server(p.CLOSED, p.PARSED, p.ready())
    assert bound(two) == first
    sent = {exact(play, "EXECUTE q") for play in (one, two)}
    assert len(sent) == 1
    reported(two, "DateStyle", "ISO, DMY")
    reported(two, "DateStyle", "ISO, MDY")
    assert exact(two, "EXECUTE q") not in sent


def test_a_pool_that_resets_its_connections_changes_nothing() -> None:
    """As asyncpg's does, whose statements stay prepared."""
    play, fresh = session("1"), session("2")
    for each in (play, fresh):
        each.client(p.parse(DATE, "q"), p.SYNC)
        each.server(p.PARSED, p.ready())
    done(play, "RESET ALL", "RESET")
    bound = p.bind("q") + p.execute() + p.SYNC
    assert exact(play, "", bound) == exact(fresh, "", bound)


def session_like(value: str, name: str) -> Play:
    play = session("9")
    reported(play, name, value)
    return play


@pytest.mark.parametrize("name", ["array_nulls", "default_text_search_config", "row_security", "xmloption"])
def test_settings_that_nobody_reports_are_bound_to_their_session(name: str) -> None:
    one, two = session("1"), session("2")
    before = exact(one, DATE)
    assert exact(two, DATE) == before
    for each in (one, two):
        done(each, f"SET {name} = 'off'", "SET")
    assert len({exact(one, DATE), exact(two, DATE), before}) == 3
    same = exact(one, DATE)
    done(one, "SET application_name = 'a'", "SET")
    assert exact(one, DATE) == same


MEANS: dict[str, Catalog] = {
    "the same": p.make_catalog("noise"),
    "sensitive": p.make_catalog(more={"public.orders.note": "hint"}),
    "another table": p.make_catalog(orders=30000),
}


@pytest.mark.parametrize("how", ["query", "string", "bind", "execute"])
@pytest.mark.parametrize("means", MEANS)
def test_what_its_names_mean_is_looked_up_again_when_it_goes(means: str, how: str) -> None:
    text = "SELECT note FROM orders"
    frames = {
        "query": p.query(text),
        "string": p.query(f"SELECT 1; {text}"),
        "bind": p.whole(text),
        "execute": p.query("EXECUTE q"),
    }
    play = Play()
    if how == "execute":
        play.client(p.query(f"PREPARE q AS {text}"))
        play.people.approve()
        play.server(p.done("PREPARE"), p.ready())
        play.people.holding = None
    play.client(frames[how])
    assert play.people.holding is not None
    assert play.people.holding.unchanged()
    play.host.now = MEANS[means]
    assert play.people.holding.unchanged() is (means == "the same")
    assert play.talk.state.names.environment.catalog is MEANS[means]


def test_a_member_of_a_string_is_bound_to_the_path_before_it() -> None:
    def meant(path: str) -> str:
        text = f"SET search_path = {path}; SELECT f(value) FROM s1.t; SET search_path = s1"
        return particulars(text, path="public").exact

    assert meant("s1") != meant("s2")
    assert meant("s1") == meant("s1")


def test_an_unknown_path_is_asked_for_and_is_no_other_unknown_path() -> None:
    text = "SELECT f(value) FROM s1.t"
    play = Play(path=None)
    play.client(p.query(text))
    play.sent(PROBE)
    play.server(p.path_answer("s1"))
    known = play.people.told
    assert isinstance(known, Particulars)
    assert known.exact == particulars(text, path="s1").exact != particulars(text, path="s2").exact
    left = f"BEGIN; SET search_path = s2; COMMIT; {text}"
    assert particulars(left, path="s1").exact not in (known.exact, particulars(text, path="s2").exact)


def test_places_are_left_out_and_a_tablespaces_location_is_not() -> None:
    one, other = (f"CREATE TABLESPACE s LOCATION '/{each}'".encode() for each in "ab")
    assert tree(one) != tree(other)
    assert tree(one) == tree(b"  " + one)


def test_an_execute_is_bound_to_the_types_that_were_declared() -> None:
    def meant(kind: int) -> str:
        parse = p.parse("SELECT id FROM orders WHERE id = $1", "q", (kind,))
        return particulars("", parse, p.SYNC, p.query("EXECUTE q (7)")).exact

    assert meant(23) != meant(20)


def test_another_account_may_be_named_for_what_means_the_same() -> None:
    """The account is compared beside the digest: an approval may name another one."""
    assert particulars(ASKED).exact == particulars(ASKED, user="other").exact
    text = "SELECT f(value) FROM s1.t"
    assert particulars(text, path="s1").exact != particulars(text, path="s1", user="other").exact


def test_a_cursor_is_not_reviewed_and_an_execute_tells_what_was_prepared() -> None:
    def prepared(text: str) -> Particulars | Denial | None:
        play = Play()
        play.client(p.query(f"PREPARE q (int) AS {text}"))
        play.people.approve() if play.people.resume else None
        play.server(p.done("PREPARE"), p.ready())
        play.client(p.query("EXECUTE q (7)"))
        return play.people.told

    one = prepared("SELECT id FROM orders WHERE id = $1")
    other = prepared("SELECT id FROM orders WHERE id < $1")
    assert isinstance(one, Particulars)
    assert isinstance(other, Particulars)
    assert one.exact != other.exact
    assert "WHERE id = $1" in one.shown["statement"]
    play = Play()
    play.client(p.query(f"BEGIN; DECLARE c CURSOR FOR {ASKED}"))
    assert isinstance(play.people.told, Denial), "nobody is asked for what no FETCH of may go"
    play.people.approve()  # as if the rule were newer than the cursor
    play.server(p.done("BEGIN"), p.done("DECLARE CURSOR"), p.ready("T"))
    play.people.told = None
    play.client(p.query("FETCH c"))
    assert isinstance(play.people.told, Denial)


# -- what reviewers see --------------------------------------------------------------------------------------
JOINED = (
    "SELECT o.id FROM orders o, customers c WHERE c.email = 'ann@x.test' AND o.note = 'hush' AND c.id = $1"
)


def test_constants_beside_sensitive_columns_are_hidden_from_who_may_not_see_them() -> None:
    found = particulars("", p.parse(f"/* ann@x.test */ {JOINED}"), p.bind("", "", b"5"))
    hidden = shown_to(found.shown, lambda name: False)
    assert "ann@x.test" not in json.dumps(hidden)
    assert "hush" not in json.dumps(hidden)
    assert "$2" in hidden["statement"]
    assert hidden["hides"] is True
    assert shown_to(found.shown, lambda name: name == "email")["statement"].endswith("c.id = $1")


def test_a_sensitive_parameter_is_told_apart() -> None:
    text = "SELECT o.id FROM orders o, customers c WHERE c.email = $1 AND o.id = $2"
    found = particulars("", p.parse(text), p.bind("", "", b"ann@x.test", b"5"))
    assert found.shown["parameters"] == [
        {"value": "ann@x.test", "class": "email"},
        {"value": "5", "class": None},
    ]


def test_a_text_that_its_printer_changes_is_not_shown_so() -> None:
    """postgast's printer loses COLLATE's space, and what JSON_VALUE is."""
    for text in (
        'SELECT note::text COLLATE "C" FROM orders WHERE id = 4711',
        "SELECT json_value(note::json, '$.a4711') FROM orders",
    ):
        assert particulars(text).shown["pretty"] is None
        hidden = masked(f"/* reason: 4711 */ {text}".encode())
        assert "note::" in hidden
        assert "4711" not in hidden
        assert masked(f"{text} -- 4711".encode()) == HIDDEN
    assert particulars(ASKED).shown["pretty"] == "SELECT id\nFROM orders\nWHERE id = 7"


def test_the_reason_stands_in_a_comment_at_the_beginning() -> None:
    found = particulars("/* reason: because */ SELECT id FROM orders")
    assert particulars("SELECT id /* reason: late */ FROM orders").reason == ""
    assert found.reason == "because"
    assert found.plan is not None
    assert found.plan["path"] == ["public"]


def test_nothing_is_planned_that_may_run_something() -> None:
    assert particulars("SELECT id FROM orders WHERE id = 7").plan is not None
    assert particulars("CREATE TABLE t AS SELECT id FROM orders").plan is None


def values(*given: bytes, binary: bool = False) -> dict[str, Any]:
    """What is shown of parameters."""
    text = "SELECT id FROM orders WHERE id = $1"
    formats = b"\0\1\0\1" if binary else b"\0\0"
    body = b"".join(len(each).to_bytes(4, "big") + each for each in given)
    told = particulars(
        "", p.parse(text), frame(b"B", b"\0\0" + formats + len(given).to_bytes(2, "big") + body + b"\0\0")
    )
    return dict(shown_to(told.shown, lambda name: True))


def test_what_is_too_long_to_be_shown_is_told() -> None:
    """An approval is for all of it, so people must know that they do not see all."""
    assert values(b"7")["unseen"] == []
    long = values(b"x" * 50_000)
    assert long["parameters"][0]["value"] == "x" * 10_000
    assert long["unseen"] == ["of $1 only the first 10000 of 50000 bytes"]
    assert values(b"\xff" * 10_001, binary=True)["parameters"][0]["value"] == "\\x" + "ff" * 10_000
    many = values(*[b"7"] * 3000)
    assert (len(many["parameters"]), many["unseen"]) == (2000, ["of 3000 parameters only the first 2000"])
    much = values(*[b"x" * 9_000] * 30)
    assert sum(len(each["value"]) for each in much["parameters"]) == 200_000
    assert much["unseen"][0] == "of $23 only the first 2000 of 9000 bytes"
    assert len(json.dumps(values(*[b"x" * 500] * 2000))) < 300_000
    assert values(b"x" * 10_001)["statement"] == values(b"x" * 10_002)["statement"]


def test_fields_of_the_notice() -> None:
    fields = fields_of(notice_frame("m", "h", "d")[5:])
    assert (fields["S"], fields["C"], fields["M"], fields["H"], fields["D"]) == (
        "NOTICE",
        "WG001",
        "m",
        "h",
        "d",
    )
