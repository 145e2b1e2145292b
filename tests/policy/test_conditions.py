"""Conditions: what does not load, and three truths."""

import threading

import pytest

from policy.samples import NOW, facts, identity
from policy.samples import policy as make
from wicketgate.model.statement import UNKNOWN_FACTS, Facts
from wicketgate.policy.conditions import Asking, Condition, ConditionError, Context, check, moment
from wicketgate.policy.truth import Truth, every

T, F, U = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN

REFUSED = [
    ("1", "of type int"),
    ("'a'", "of type string"),
    ("dyn(true)", "of type dyn"),
    ("identity.groups", "of type list"),
    ("1 + 'a' == 2", "no matching overload"),
    ("identity.nam == 'x'", "there is identity.agent"),
    ("user == 'x'", "statement can be asked does"),
    ("identity == 'x'", "undeclared reference to 'identity'"),
    ("does('drop')", "write statement.does"),
    ("statement.drops('x')", "undeclared reference to 'drops'"),
    ("statement.does(1)", "no matching overload"),
    ("statement.does('drop', 'x')", "undeclared reference to 'does'"),
    ("statement.does(", "Syntax error"),
    ("", "Syntax error"),
    ("statement.does('')", "one text in quotes"),
    ("statement.does(identity.name)", "one text in quotes"),
    ("statement.does('dr' + 'op')", "one text in quotes"),
    ("statement == statement", "can only be asked"),
    ("[statement].exists(s, s.does('drop'))", "can only be asked"),
    ("has(statement.yes)", "can only be asked"),
    ("statement.yes.size() == 0", "can only be asked"),
    ("{'a': statement}.size() == 1", "can only be asked"),
    ("wicketgate.Statement{yes: ['does drop']}.does('drop')", "can't make messages"),
    ("identity.name.matches('[')", "not a regular expression"),
    ("1 / 0 == 1", "can't be computed"),
    ("identity.name == '" + "x" * 5000 + "'", "at most 4096"),
    ("(" * 500 + "true" + ")" * 500, "recursion limit"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_does_not_load(text: str, message: str) -> None:
    with pytest.raises(ConditionError) as told:
        check(text)
    assert message in str(told.value)


def test_where_it_is_wrong() -> None:
    with pytest.raises(ConditionError) as told:
        check("true &&\n  identity.nam == 'x'")
    assert (told.value.line, told.value.column) == (2, 11)


READS = facts("read", reads="public.t", classes="email", functions="public.f")
DOUBTED = facts("read", reads="public.t", complete=False)
OPAQUE = facts("read", opaque=True)

# (condition, of READS, of DOUBTED, of UNKNOWN_FACTS, of no statement)
STATEMENT = [
    ("statement.does('select')", T, T, U, U),
    ("statement.does('drop')", F, F, U, U),
    ("!statement.does('drop')", T, T, U, U),
    ("statement.has('read')", T, T, U, U),
    ("statement.has('write')", F, U, U, U),
    ("statement.has('unknown')", F, U, T, U),
    ("statement.reads('public.t')", T, U, U, U),
    ("statement.reads('public.u')", F, U, U, U),
    ("statement.writes('public.t')", F, U, U, U),
    ("statement.reads_whole('public.t')", F, U, U, U),
    ("statement.touches('email')", T, U, U, U),
    ("statement.touches('card')", F, U, U, U),
    ("statement.calls('public.f')", T, U, U, U),
    ("statement.calls('public.g')", F, U, U, U),
    ("statement.reads('public.t') || true", T, T, T, T),
    ("statement.reads('public.t') && false", F, F, F, F),
    ("statement.reads('public.t') || statement.reads('public.u')", T, U, U, U),
    ("statement.reads('public.t') && !statement.reads('public.u')", T, U, U, U),
    ("statement.reads('public.u') == statement.reads('public.u')", T, U, U, U),
    ("statement.does('drop') ? false : true", T, T, U, U),
    ("true ? true : statement.reads('public.u')", T, T, T, T),
    ("[1, 2].exists(i, statement.reads('public.u'))", F, U, U, U),
    ("[1, 2].exists(i, i == 2 || statement.reads('public.u'))", T, T, T, T),
    ("[1, 2].all(i, i == 3 && statement.reads('public.u'))", F, F, F, F),
    ("[statement.reads('public.u')].size() == 1", T, U, U, U),
]


@pytest.mark.parametrize(("text", "known", "doubted", "unknown", "none"), STATEMENT)
def test_three_truths(text: str, known: Truth, doubted: Truth, unknown: Truth, none: Truth) -> None:
    condition = check(text)
    asked = [Asking(facts=each) for each in (READS, DOUBTED, UNKNOWN_FACTS, None)]
    for _ in range(2):  # the second time from memory
        assert [condition.ask(each) for each in asked] == [known, doubted, unknown, none]


def test_opaque_leaves_classes_unknown() -> None:
    assert check("statement.touches('email')").ask(Asking(facts=OPAQUE)) is U
    assert check("statement.reads('public.t')").ask(Asking(facts=OPAQUE)) is F


OPERATORS = {T: "statement.does('select')", F: "statement.does('drop')", U: "statement.reads('a.b')"}


@pytest.mark.parametrize("left", [T, F, U])
@pytest.mark.parametrize("right", [T, F, U])
def test_kleene_tables(left: Truth, right: Truth) -> None:
    about = Asking(facts=facts("read", complete=False))
    a, b = OPERATORS[left], OPERATORS[right]
    assert check(a).ask(about) is left
    assert check(f"{a} && {b}").ask(about) is every((left, right))
    flip = {T: F, F: T, U: U}
    assert check(f"{a} || {b}").ask(about) is flip[every((flip[left], flip[right]))]
    assert check(f"!{a}").ask(about) is flip[left]


WHO = identity("crew-bot", "a", "b")
OTHERS = [
    ("identity.name == 'crew-bot'", T),
    ("'a' in identity.groups", T),
    ("'c' in identity.groups", F),
    ("identity.kind == 'agent'", T),
    ("identity.agent == 'x'", U),
    ("identity.agent != 'x'", U),
    ("identity.kind == 'human' && identity.agent == 'x'", F),
    ("identity.name.matches('^crew-')", T),
    ("identity.groups.exists(g, g.startsWith('b'))", T),
    ("resource.name == 'sales'", T),
    ("resource.labels.env == 'prod'", T),
    ("resource.labels['team'] == 'x'", U),
    ("has(resource.labels.team) && resource.labels.team == 'x'", F),
    ("session.database == 'sales'", T),
    ("session.account == 'reader'", T),
    ("session.source == '10.0.0.1'", U),
    ("now == timestamp('2027-01-15T08:00:00Z')", T),
    ("now.getHours() >= 8 && now.getHours() < 18", T),
    ("now.getHours('Europe/Berlin') == 9", T),
    ("now - session.opened < duration('1h')", U),
    ("size(identity.groups) / (size(identity.groups) - 2) == 1", U),
]


@pytest.mark.parametrize(("text", "truth"), OTHERS)
def test_what_else_there_is(text: str, truth: Truth) -> None:
    resource = make("rules: [{name: x, deny: y}]").resources["sales"]
    about = Asking(WHO, resource, "reader", READS, Context(NOW, "sales"))
    assert check(text).ask(about) is truth


def test_what_it_speaks_of() -> None:
    def tells(text: str) -> tuple[bool, bool, bool, bool]:
        found = check(text)
        return found.of_statement, found.of_now, found.of_session, found.of_statement_alone

    assert tells("statement.does('drop')") == (True, False, False, True)
    assert tells("identity.name == 'x' || statement.does('drop')") == (True, False, False, False)
    assert tells("now.getHours() > 5") == (False, True, False, False)
    assert tells("session.database == 'x'") == (False, False, True, False)
    assert tells("[1].exists(i, now.getHours() > i)") == (False, True, False, False)
    assert tells("true") == (False, False, False, False)


@pytest.mark.parametrize(
    "text", ["false", "!true", "false && statement.does('drop')", "1 > 2 && now.getHours() > 1"]
)
def test_never(text: str) -> None:
    assert check(text).never()
    assert not check(f"({text}) || identity.name == 'x'").never()


def test_memory_is_not_shared_between_identities() -> None:
    condition = check("identity.name == 'a' && statement.does('select')")
    asked = [Asking(identity(name), facts=READS) for name in ("a", "b", "a")]
    assert [condition.ask(each) for each in asked] == [T, F, T]


def test_any_thread_may_ask() -> None:
    """CEL's activations belong to the thread that made them; conditions do not."""
    condition = check("identity.name == 'a' || statement.does('drop')")
    found: list[Truth] = []
    threads = [
        threading.Thread(target=lambda: found.append(condition.ask(Asking(WHO, facts=READS))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [F] * 4


def test_a_broken_program_is_unknown() -> None:
    class Broken:
        def eval(self, activation: object) -> object:
            raise RuntimeError("no arena")

    assert Condition("x", Broken(), frozenset({"statement"}), ()).ask(Asking(facts=READS)) is U


def test_moments() -> None:
    assert moment(NOW).isoformat() == "2027-01-15T08:00:00+00:00"
    assert moment(1_999).microsecond == 1


def test_a_truth_is_no_bool() -> None:
    with pytest.raises(TypeError):
        bool(T)


def test_facts_are_what_is_asked() -> None:
    """Every kind of fact has a question, so that a new one is not forgotten."""
    assert {"reads", "writes", "whole", "functions", "classes", "commands", "effects"} <= set(Facts.__slots__)
