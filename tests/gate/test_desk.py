"""One session's desk: what is decided, what is remembered, and what each line says."""

import hashlib
import hmac

import pytest

from gate.stage import (
    HOUR,
    NOW,
    READ,
    SELECT,
    Stage,
    cleared,
    facts,
    more,
    never,
    statement,
)
from wicketgate.gate.desk import MOST_DECISIONS
from wicketgate.gate.texts import MOST_TEXT, MOST_TEXTS
from wicketgate.model.clearance import UNLIMITED, Outcome
from wicketgate.model.decision import Denial
from wicketgate.model.errors import JournalFailed
from wicketgate.model.statement import Facts, Statement
from wicketgate.policy.engine import Context, Ruleset

DENIAL = Denial("syntax", 'syntax error at or near "hunter2"', "libpg_query", None)


async def test_a_text_is_stated_once_and_referred_to_after() -> None:
    stage = Stage()
    desk = await stage.desk()
    for _ in range(3):
        clearance = cleared(desk, text="select 'ä'")
        assert clearance.allowance.left == UNLIMITED
        desk.settle(clearance, Outcome(tag="SELECT 1"))
    first, second, third = stage.journal.of("ask")
    assert (first["q"], first["text"], "x" in first) == (2, "select 'ä'", False)
    assert (second["x"], "text" in second, third["x"]) == (2, False, 2)
    assert [line["r"] for line in stage.journal.of("answer")] == [2, 4, 6]
    cleared(desk, text="select 2")
    assert stage.journal.lines[-1]["text"] == "select 2"


async def test_a_text_that_was_denied_or_noted_counts_as_stated() -> None:
    stage = Stage()
    desk = await stage.desk()
    drop = statement("drop table t", facts("define", commands="drop"))
    assert isinstance(desk.submit(drop, never), Denial)
    assert isinstance(desk.submit(drop, never), Denial)
    desk.note(statement("select 3"))
    cleared(desk, text="select 3")
    denied, again, noted, asked = stage.journal.lines[1:]
    assert (denied["k"], denied["text"], again["x"], "text" in again) == ("deny", "drop table t", 2, False)
    assert (noted["k"], noted["o"], noted["text"]) == ("ask", {"tag": "PARSE"}, "select 3")
    assert asked["x"] == noted["q"]


async def test_text_that_is_no_utf8_is_kept_as_bytes() -> None:
    stage = Stage()
    desk = await stage.desk()
    desk.submit(Statement(SELECT, b"\xff\x00", b"\xff\x00"), never)
    assert stage.journal.lines[-1]["text_base64"] == "/wA="


async def test_parameters_stand_with_each_asking() -> None:
    stage = Stage()
    desk = await stage.desk()
    desk.submit(statement("select $1", SELECT, "ä", None), never)
    desk.submit(statement("select $1", SELECT, "\udc80", "b"), never)
    desk.submit(statement("select $1"), never)
    first, second, third = stage.journal.of("ask")
    assert (first["text"], first["parameters"]) == ("select $1", ["ä", None])
    assert (second["x"], second["parameters"]) == (2, ["?", "b"])
    assert "parameters" not in third


async def test_a_secret_in_a_text_leaves_a_keyed_digest() -> None:
    stage = Stage(READ + "  - {name: quiet, enforce: observe, when: statement.has('unknown'), deny: No.}\n")
    desk = await stage.desk()
    secret = facts("read", redact_text=True)
    text = "select set_it('hunter2')"
    desk.submit(statement(text, secret, "hunter2"), never)
    desk.submit(statement(text, secret, "hunter2"), never)
    desk.note(statement(text + " ", secret, "hunter2"))
    unread = facts("unknown", redact_text=True)
    desk.refused(statement("alter role x password hunter2", unread), DENIAL)
    assert isinstance(desk.submit(statement("password 'hunter2'", unread, "hunter2"), never), Denial)
    assert b"hunter2" not in stage.journal.raw
    digest = hmac.new(b"key of digests", text.encode(), hashlib.sha256).hexdigest()
    asked, again, noted, refused, denied = (
        each for each in stage.journal.lines[1:] if each["k"] != "observed"
    )
    assert (asked["redacted"], again["x"]) == (digest, 2)
    assert noted["redacted"] != digest
    assert refused["denial"] == {"kind": "syntax"}
    assert denied["denial"]["message"] != ""


async def test_a_line_tells_rules_effects_relations() -> None:
    stage = Stage()
    desk = await stage.desk()
    cleared(desk, facts("read", "session", reads="b.t a.t"))
    desk.submit(statement("x", facts("write", writes="c.t", reads="a.t")), never)
    asked, denied = stage.journal.lines[1:]
    assert (asked["d"], asked["u"], asked["e"]) == ("permit", ["crews read"], ["read", "session"])
    assert asked["l"] == ["a.t", "b.t"]
    assert (denied["d"], denied["e"], denied["l"]) == ("deny", ["write"], ["a.t", "c.t"])
    assert denied["denial"]["kind"] == "policy"


async def test_policy_and_catalog_are_told_when_they_change() -> None:
    stage = Stage()
    desk = await stage.desk()
    before = stage.gate.policy.digest
    one, two = (facts("read", catalog=version) for version in ("v1", "v2"))
    for each in (SELECT, one, one, SELECT, two, facts("read", catalog="v2")):
        cleared(desk, each)
    assert [line.get("p") for line in stage.journal.lines] == [before] + [None] * 6
    assert [line.get("c") for line in stage.journal.lines] == [None, None, "v1", None, None, "v2", None]
    stage.change(rules=READ + "  - {name: never drop, when: statement.does('drop'), deny: No.}\n")
    stage.gate.readmit()
    after = stage.gate.policy.digest
    desk.refused(statement(), DENIAL)
    cleared(desk)
    assert [line.get("p") for line in stage.journal.lines[-2:]] == [after, None]
    assert before != after


async def test_a_decision_is_asked_for_once_and_dies_with_its_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Facts] = []
    decide = Ruleset.decide

    def counting(self: Ruleset, about: Facts, context: Context) -> object:
        asked.append(about)
        assert (context.database, context.source, context.opened) == ("sales", "10.0.0.1", NOW)
        return decide(self, about, context)

    monkeypatch.setattr(Ruleset, "decide", counting)
    stage = Stage()
    desk = await stage.desk()
    for _ in range(3):
        assert desk.weigh(statement()) is None
        cleared(desk)
    assert asked == [SELECT]
    stage.change(rules=READ + "  - {name: shut, when: statement.reads('public.orders'), deny: Shut.}\n")
    assert stage.gate.readmit() == []
    denial = desk.submit(statement(), never)
    assert isinstance(denial, Denial)
    assert desk.weigh(statement()) == denial
    assert len(asked) == 2


async def test_a_decision_about_time_is_asked_for_each_time() -> None:
    stage = Stage(
        READ
        + "  - name: night\n    deny: Night.\n"
        + "    when: now > timestamp('2027-01-15T08:30:00Z') && statement.has('read')\n"
    )
    desk = await stage.desk()
    first = cleared(desk)
    assert first.decision.valid_until == NOW
    cleared(desk)
    stage.now += HOUR
    denial = desk.submit(statement(), never)
    assert isinstance(denial, Denial)
    assert denial.rules == ("night",)
    stage.now -= HOUR
    cleared(desk)


async def test_a_rule_of_the_session_s_database_is_decided() -> None:
    stage = Stage(
        READ
        + "  - {name: archive, when: \"session.database == 'archive' && statement.has('read')\", deny: No.}\n"
    )
    cleared(await stage.desk())
    desk = await stage.desk(database="archive")
    assert isinstance(desk.submit(statement(), never), Denial)


async def test_a_decision_that_fails_denies(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    desk = await stage.desk()

    def fail(self: Ruleset, about: Facts, context: Context) -> object:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(Ruleset, "decide", fail)
        denial = desk.submit(statement(), never)
    assert isinstance(denial, Denial)
    assert denial.kind == "unavailable"
    assert "RuntimeError" in stage.journal.lines[-1]["denial"]["cause"]
    cleared(desk)


async def test_every_reveal_is_recorded_and_counted() -> None:
    stage = Stage(READ + "  - {name: see, identities: any, resources: [sales], reveal: [email]}\n")
    desk = await stage.desk()
    cleared(desk, facts("read", classes="email national-id"))
    asked, revealed = stage.journal.lines[-2:]
    assert (revealed["k"], revealed["r"], revealed["o"]) == ("revealed", asked["q"], {"classes": ["email"]})
    assert stage.counted["revealed{class=email}"] == 1
    cleared(desk, facts("read", classes="national-id"))
    assert stage.journal.lines[-1]["k"] == "ask"
    assert stage.counted["revealed{class=email}"] == 1


async def test_what_observing_rules_would_have_done_stands_in_the_journal_alone() -> None:
    stage = Stage(
        READ
        + "  - {name: look, enforce: observe, when: statement.reads('public.orders'), deny: Would.}\n"
        + "  - {name: write, enforce: observe, when: statement.has('write'), deny: Would.}\n"
    )
    desk = await stage.desk()
    clearance = cleared(desk)
    observed = stage.journal.lines[-1]
    assert (observed["k"], observed["r"], observed["d"], observed["u"]) == (
        "observed",
        clearance.q,
        "deny",
        ["look"],
    )
    assert isinstance(desk.submit(statement("insert", facts("write")), never), Denial)
    observed = stage.journal.lines[-1]
    assert (observed["k"], observed["u"], observed["r"]) == (
        "observed",
        ["write"],
        stage.journal.lines[-2]["q"],
    )
    desk.refused(statement(), Denial("unsupported", "Not here.", "the protocol's own"))
    assert stage.journal.lines[-1]["k"] == "deny"
    assert stage.counted["observed{would=deny}"] == 2
    assert stage.counted["denials{kind=policy}"] == stage.counted["denials{kind=unsupported}"] == 1


async def test_a_protocol_s_own_refusal_says_why() -> None:
    stage = Stage()
    desk = await stage.desk()
    desk.refused(statement(), Denial("unsupported", "Not here.", "cause", "Do this.", ("a rule",)))
    line = stage.journal.lines[-1]
    assert (line["k"], line["d"], line["u"], line["e"], line["text"]) == (
        "deny",
        "deny",
        ["a rule"],
        ["read"],
        "select 1",
    )
    assert line["denial"] == {
        "kind": "unsupported",
        "message": "Not here.",
        "cause": "cause",
        "hint": "Do this.",
    }


async def test_an_answer_s_line_holds_the_outcome() -> None:
    stage = Stage()
    desk = await stage.desk()
    clearance = cleared(desk)
    stage.now += 1234
    desk.settle(
        clearance,
        Outcome(
            rows=2,
            size=9,
            masked={"ssn": 1, "email": 2},
            tag='SELECT "2"',
            kept=b"\xffrow",
            length=9,
            sha256="ab",
        ),
    )
    desk.settle(clearance, Outcome(code="57014"))
    first, second = stage.journal.of("answer")
    assert first["o"] == {
        "rows": 2,
        "bytes": 9,
        "ns": 1234,
        "tag": 'SELECT "2"',
        "masked": {"email": 2, "ssn": 1},
    }
    assert first["b"] == {"len": 9, "kept": 4, "enc": "base64", "sha": "ab"}
    assert first["bytes"] == "/3Jvdw=="
    assert second["o"] == {"rows": 0, "bytes": 0, "ns": 1234, "sqlstate": "57014"}
    assert "b" not in second
    assert "bytes" not in second
    assert clearance.settled


async def test_what_a_session_remembers_is_bounded() -> None:
    stage = Stage()
    desk = await stage.desk()
    for number in range(MOST_DECISIONS * 2):
        cleared(desk, facts("read"), f"select {number}")
    assert len(desk._decided) <= MOST_DECISIONS  # type: ignore[attr-defined]
    assert len(desk._texts) <= MOST_TEXTS  # type: ignore[attr-defined]
    long = "x" * (MOST_TEXT // 2)
    for number in range(5):
        cleared(desk, text=f"{long}{number}")
    assert len(desk._texts) == 1  # type: ignore[attr-defined]
    cleared(desk, text=f"{long}4")
    assert stage.journal.lines[-1]["x"] == stage.journal.lines[-2]["q"]


async def test_nothing_is_cleared_that_is_not_recorded() -> None:
    stage = Stage()
    desk = await stage.desk()
    stage.journal.failed = True
    with pytest.raises(JournalFailed):
        desk.submit(statement(), never)
    with pytest.raises(JournalFailed):
        desk.note(statement())


async def test_statements_are_counted_for_the_metrics() -> None:
    stage = Stage()
    admission, desk = await stage.admit()
    for _ in range(3):
        cleared(desk)
    stage.gate.readmit()
    cleared(desk)
    stage.gate.close(admission, "client")
    assert stage.counted == {"statements": 4}


async def test_more_without_a_limit_is_refused() -> None:
    desk = await Stage().desk()
    assert (await more(desk, cleared(desk))).kind == "limit"
