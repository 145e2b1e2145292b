"""Limits: never exceeded, nothing lost, nobody denied what another only holds."""

import asyncio
from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.stage import HOUR, NOW, READ, SECOND, Stage, cleared, facts, more, never, statement, submitted
from wicketgate.gate.desk import Desk
from wicketgate.gate.leases import IDLE, SLICE
from wicketgate.model.clearance import Clearance, Outcome
from wicketgate.model.decision import Denial
from wicketgate.model.session import Admission


def limited(*limits: str) -> str:
    """The reading rule with these limits; further ones stand in rules of their own."""
    rules = READ + f"    limits: {{{limits[0]}}}\n"
    for number, each in enumerate(limits[1:]):
        whom = "identities: {groups: [crew]}, resources: [sales]"
        rules += f"  - {{name: more {number}, {whom}, limits: {{{each}}}}}\n"
    return rules


def emit(clearance: Clearance, rows: int) -> int:
    """Rows leave, as far as the allowance goes. How many."""
    went = min(rows, clearance.allowance.left)
    clearance.allowance.left -= went
    return went


async def read(desk: Desk, rows: int) -> tuple[int, Denial | None]:
    """A statement that returns so many rows: how many left, and what stopped it."""
    clearance = await submitted(desk)
    if isinstance(clearance, Denial):
        return 0, clearance
    went = 0
    while True:
        went += emit(clearance, rows - went)
        if went == rows:
            desk.settle(clearance, Outcome(rows=went))
            return went, None
        denial = await more(desk, clearance)
        if denial is not None:
            desk.settle(clearance, Outcome(rows=went, code="limit"))
            return went, denial


async def test_rows_per_session_are_counted_over_its_statements() -> None:
    stage = Stage(limited("rows: 10 per session"))
    desk = await stage.desk()
    assert await read(desk, 4) == (4, None)
    assert await read(desk, 0) == (0, None)
    went, denial = await read(desk, 100)
    assert went == 6
    assert denial is not None
    assert (denial.kind, denial.rules) == ("limit", ("crews read",))
    assert denial.message == "The limit of 10 rows per session of rule 'crews read' is used up."
    went, again = await read(desk, 1)
    assert (went, again) == (0, denial)
    assert stage.journal.of("deny")[-1]["u"] == ["crews read"]
    assert await read(await stage.desk(), 10) == (10, None)  # another session has its own
    assert stage.control.leases() == []


async def test_statements_ahead_in_a_session_share_what_is_left() -> None:
    stage = Stage(limited("rows: 10 per session"))
    desk = await stage.desk()
    several = [cleared(desk) for _ in range(12)]
    for clearance in several[:10]:
        assert emit(clearance, 1) == 1
        desk.settle(clearance, Outcome(rows=1))
    assert emit(several[10], 1) == 0
    denial = await more(desk, several[10])
    assert denial.kind == "limit"


async def test_statements_per_session_are_counted() -> None:
    stage = Stage(limited("statements: 3 per session"))
    desk = await stage.desk()
    for _ in range(3):
        desk.settle(cleared(desk), Outcome())
    denial = desk.submit(statement(), never)
    assert isinstance(denial, Denial)
    assert denial.hint == "Try again later."
    write = facts("write")
    assert isinstance(desk.submit(statement("insert", write), never), Denial)
    assert len(stage.journal.of("ask")) == 3


async def test_what_the_policy_denies_is_not_counted() -> None:
    stage = Stage(limited("statements: 1 per session"))
    desk = await stage.desk()
    assert isinstance(desk.submit(statement("insert", facts("write")), never), Denial)
    cleared(desk)


async def test_row_limits_leave_alone_what_returns_no_rows() -> None:
    stage = Stage(limited("rows: 1 per session"))
    desk = await stage.desk()
    assert (await read(desk, 1))[0] == 1
    assert cleared(desk, facts("session", returns_rows=False)).allowance.left > 1 << 60


async def test_rows_per_hour_are_leased_in_small_slices() -> None:
    stage = Stage(limited("rows: 1000 per hour"))
    desk = await stage.desk()
    assert await read(desk, 50) == (50, None)
    lease = stage.control.leases()[0]
    assert lease == {
        "identity": "bot",
        "rule": "crews read",
        "what": "rows",
        "per": "hour",
        "amount": 1000,
        "want": 20,
    }
    went, denial = await read(desk, 5000)
    assert went == 950
    assert denial is not None
    assert denial.kind == "limit"
    assert all(each["want"] <= SLICE for each in stage.control.leases())


async def test_a_limit_of_a_few_is_exact() -> None:
    stage = Stage(limited("rows: 3 per hour", "statements: 4 per hour"))
    desk = await stage.desk()
    assert await read(desk, 2) == (2, None)
    assert (await read(desk, 2))[0] == 1
    assert (await read(desk, 1))[0] == 0
    assert len(stage.journal.of("ask")) == 2


async def test_the_next_hour_begins_anew_and_takes_nothing_over() -> None:
    stage = Stage(limited("rows: 100 per hour"))
    desk = await stage.desk()
    stage.now = NOW + HOUR - 1
    late = await submitted(desk)
    assert emit(late, 1) == 1
    assert late.allowance.left == 1
    stage.now += 1
    other = await stage.desk()
    assert await read(other, 3) == (3, None)
    desk.settle(late, Outcome(rows=1))  # gives back what belonged to the hour before
    went, denial = await read(other, 500)
    assert went == 97
    assert denial is not None
    assert stage.control.free["crews read", "rows", NOW // HOUR] == 98  # what was held counts as spent


async def test_an_answer_that_came_after_the_hour_is_worth_nothing() -> None:
    stage = Stage(limited("rows: 10 per hour"))
    desk = await stage.desk()
    stage.now = NOW + HOUR - 1
    stage.control.on_ask = lambda what: setattr(stage, "now", stage.now)

    async def tick() -> None:
        stage.now = NOW + HOUR

    asking = asyncio.create_task(submitted(desk))
    await asyncio.sleep(0)
    await tick()
    clearance = await asking
    assert isinstance(clearance, Clearance)
    desk.settle(clearance, Outcome())
    went, _ = await read(desk, 100)
    assert went == 10


async def test_what_one_session_holds_is_there_for_another() -> None:
    stage = Stage(limited("rows: 10 per hour"))
    stage.control.most = 10
    holder, other = await stage.desk(), await stage.desk()
    held = await submitted(holder)
    assert held.allowance.left > 0
    went, denial = await read(other, 10)
    assert (went, denial) == (10, None)
    assert held.allowance.left == 0
    assert (await more(holder, held)).kind == "limit"


async def test_a_session_s_end_gives_back_what_it_never_settled() -> None:
    stage = Stage(limited("rows: 1000 per hour", "rows: 700 per hour"))
    admission, desk = await stage.admit()
    clearance = await submitted(desk)
    emit(clearance, 3)
    await stage.admit()
    stage.gate.close(admission, "client")
    other = await stage.desk()
    assert await read(other, 697) == (697, None)
    assert (await read(other, 1))[0] == 0


async def test_the_last_session_s_end_gives_the_slices_back() -> None:
    stage = Stage(limited("rows: 1000 per hour", "statements: 500 per hour"))
    first, second = await stage.admit(), await stage.admit()
    for _, desk in (first, second):
        emit(await submitted(desk), 2)
    stage.gate.close(first[0], "client")
    assert stage.control.out
    stage.gate.close(second[0], "client")
    assert not stage.control.out
    assert sorted(stage.control.free.values()) == [498, 996]


async def test_a_slice_that_nobody_uses_goes_back_after_a_while() -> None:
    stage = Stage(limited("rows: 1000 per hour"))
    desk = await stage.desk()
    slow = await submitted(desk)
    emit(slow, 1)
    stage.now += IDLE
    stage.gate.readmit()
    assert stage.control.out
    stage.now += 1
    stage.gate.readmit()
    assert not stage.control.out
    assert list(stage.control.free.values()) == [999]
    assert slow.allowance.left == 0
    assert await more(desk, slow) is None
    assert emit(slow, 1) == 1


async def test_settling_twice_gives_nothing_back_twice() -> None:
    stage = Stage(limited("rows: 10 per session"))
    desk = await stage.desk()
    clearance = cleared(desk)
    assert emit(clearance, 4) == 4
    for _ in range(3):
        desk.settle(clearance, Outcome(rows=4))
    assert await more(desk, clearance) is None  # a portal that is executed again
    assert emit(clearance, 100) == 6
    desk.settle(clearance, Outcome(rows=6))
    assert (await read(desk, 1))[0] == 0


@pytest.mark.parametrize("fault", ["away", "denial", "malformed"])
async def test_a_limit_that_cannot_be_checked_denies(fault: str) -> None:
    stage = Stage(limited("rows: 10 per hour"))
    desk = await stage.desk()
    if fault == "away":
        stage.control.away = True
    elif fault == "denial":
        stage.control.denial = ["unavailable", "no", "the store is away"]
    else:

        async def ask(what: str, body: Any) -> Any:
            raise KeyError("granted")

        stage.control.ask = ask  # type: ignore[method-assign]
    denial = await submitted(desk)
    assert isinstance(denial, Denial)
    assert denial.kind == "unavailable"
    assert denial.rules == ()
    (line,) = stage.journal.of("deny")
    assert line["denial"]["cause"].startswith("lease: ")
    stage.control.away, stage.control.denial = False, None


async def test_waiting_statements_are_decided_by_what_holds_when_they_go_on() -> None:
    stage = Stage(limited("rows: 10 per hour"))
    desk = await stage.desk()
    stage.control.gate = asyncio.Event()
    asking = asyncio.create_task(submitted(desk))
    await asyncio.sleep(0)
    stage.change(
        rules=limited("rows: 10 per hour")
        + "  - {name: shut, when: statement.reads('public.orders'), deny: Shut.}\n"
    )
    assert stage.gate.readmit() == []
    stage.control.gate.set()
    denial = await asking
    assert isinstance(denial, Denial)
    assert denial.rules == ("shut",)
    assert stage.journal.of("ask") == []


async def test_a_session_that_ends_while_it_waits_hears_nothing_more() -> None:
    stage = Stage(limited("rows: 10 per hour"))
    admission, desk = await stage.admit()
    stage.control.gate = asyncio.Event()
    assert desk.submit(statement(), never) is None
    await asyncio.sleep(0)
    stage.gate.close(admission, "client")
    stage.control.gate.set()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not stage.control.out  # what was granted meanwhile went back
    assert [line["k"] for line in stage.journal.lines] == ["open", "close"]


async def test_a_journal_that_fails_while_a_statement_waits_denies_it() -> None:
    stage = Stage(limited("rows: 10 per hour"))
    desk = await stage.desk()
    stage.control.on_ask = lambda what: setattr(stage.journal, "failed", True)
    denial = await submitted(desk)
    assert isinstance(denial, Denial)
    assert denial.kind == "unavailable"


async def test_a_conversation_that_fails_when_it_goes_on_ends_its_session_alone() -> None:
    stage = Stage(limited("rows: 10 per hour"))
    (admission, desk), other = await stage.admit(), await stage.desk()

    def fault(answer: object) -> None:
        raise RuntimeError("a bug")

    assert desk.submit(statement(), fault) is None
    assert isinstance(await submitted(other), Clearance)
    ((session, denial),) = stage.gate.readmit()
    assert (session, denial.kind) == (admission.session, "unavailable")


async def test_an_amount_that_changes_counts_what_was_used_before() -> None:
    stage = Stage(limited("rows: 10 per session"))
    desk = await stage.desk()
    assert await read(desk, 8) == (8, None)
    stage.change(rules=limited("rows: 12 per session"))
    stage.gate.readmit()
    assert (await read(desk, 100))[0] == 4
    stage.change(rules=limited("rows: 5 per session"))
    stage.gate.readmit()
    assert (await read(desk, 100))[0] == 0


async def test_leases_that_are_used_up_are_told_of_early() -> None:
    stage = Stage(limited("rows: 1000 per hour"))
    desk = await stage.desk()
    for _ in range(10):
        assert await read(desk, 30) == (30, None)
        assert len(stage.control.out) <= 2


async def test_statements_under_other_limits_share_the_session_s() -> None:
    stage = Stage(
        limited("rows: 10 per session")
        + "  - {name: wide, when: statement.reads('public.wide'), limits: {rows: 8 per session}}\n"
    )
    desk = await stage.desk()
    narrow = cleared(desk)
    wide = cleared(desk, facts("read", reads="public.wide"), "select wide")
    assert emit(narrow, 3) == 0  # the other one holds what is left
    assert await more(desk, narrow) is None
    assert emit(narrow, 3) == 2
    assert await more(desk, narrow) is None
    assert emit(narrow, 1) == 1
    assert await more(desk, wide) is None
    assert emit(wide, 100) == 7
    assert [(await more(desk, each)).rules for each in (wide, narrow)] == [("crews read",), ("crews read",)]


async def test_rows_are_not_given_for_another_s_clearance() -> None:
    stage = Stage(limited("rows: 10 per session"))
    one, other = await stage.desk(), await stage.desk()
    denial = await more(other, cleared(one))
    assert isinstance(denial, Denial)


# -- whatever the order ------------------------------------------------------------------------------------
SETS = [
    ("rows: {a} per session",),
    ("rows: {a} per hour",),
    ("{{rows: {a} per session}}", "rows: {b} per hour"),
    ("rows: {a} per hour", "rows: {b} per hour"),
    ("rows: {a} per hour", "rows: {b} per session", "statements: {c} per hour"),
    ("statements: {a} per session", "statements: {b} per hour"),
]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["submit", "submit", "rows", "rows", "rows", "settle", "close", "idle", "turn", "turn"]
        ),
        st.integers(0, 2),
        st.integers(1, 9),
    ),
    max_size=60,
)


class Player:
    """One session that reads, as a conversation does: strictly in order, several statements ahead."""

    def __init__(self, game: "Game", admission: Admission, desk: Desk) -> None:
        self.game = game
        self.admission = admission
        self.desk = desk
        self.rows = 0
        self.statements = 0
        self.waiting = False
        self.running: deque[Clearance] = deque()
        self.wanted = 0

    def submit(self) -> None:
        if self.waiting or len(self.running) > 3:
            return
        self.waiting = True
        found = self.desk.submit(statement(), self.answered)
        if found is not None:
            self.answered(found)

    def answered(self, found: Clearance | Denial) -> None:
        self.waiting = False
        if isinstance(found, Denial):
            self.game.check_denial(self, found)
            return
        self.statements += 1
        self.running.append(found)
        self.game.check()

    def emit(self, count: int) -> None:
        """The target has that many more rows of the statement that runs."""
        self.wanted += count
        self.go_on(None)

    def go_on(self, denial: Denial | None) -> None:
        if denial is not None:
            self.game.check_denial(self, denial)
            self.wanted = 0
        if not self.running:
            self.wanted = 0
            return
        went = emit(self.running[0], self.wanted)
        self.wanted -= went
        self.rows += went
        self.game.check()
        if self.wanted and not self.waiting:
            self.waiting = True
            self.desk.more(self.running[0], self.resumed)

    def resumed(self, denial: Denial | None) -> None:
        self.waiting = False
        self.go_on(denial)

    def settle(self) -> None:
        if self.running and not self.waiting:
            self.desk.settle(self.running.popleft(), Outcome())
            self.wanted = 0


class Game:
    """Three sessions of one identity under the limits. amounts: (what, per) -> of each rule."""

    def __init__(self, stage: Stage, limits: list[tuple[str, int, str, str]]) -> None:
        self.stage = stage
        self.limits = limits
        self.players: list[Player] = []
        self.gone: list[Player] = []

    def used(self, what: str) -> int:
        return sum(getattr(player, what) for player in self.players + self.gone)

    def check(self) -> None:
        for _, amount, what, per in self.limits:
            if per == "hour":
                assert self.used(what) <= amount
            else:
                assert all(getattr(player, what) <= amount for player in self.players)

    def check_denial(self, player: Player, denial: Denial) -> None:
        """Who is denied is denied by a limit that is truly used up."""
        assert denial.kind == "limit"
        (rule,) = denial.rules
        (found,) = [
            each for each in self.limits if each[0] == rule and f"{each[2]} per {each[3]}" in denial.message
        ]
        _, amount, what, per = found
        assert (self.used(what) if per == "hour" else getattr(player, what)) == amount

    async def play(self, steps: list[tuple[str, int, int]]) -> None:
        self.players = [Player(self, *await self.stage.admit()) for _ in range(3)]
        for what, who, count in steps:
            player = self.players[who]
            if what == "submit":
                player.submit()
            elif what == "rows":
                player.emit(count)
            elif what == "settle":
                player.settle()
            elif what == "close":
                self.stage.gate.close(player.admission, "client")
                self.gone.append(player)
                self.players[who] = Player(self, *await self.stage.admit())
            elif what == "idle":
                self.stage.now += 11 * SECOND
                self.stage.gate.readmit()
            else:
                for _ in range(count):
                    await asyncio.sleep(0)
            self.check()
        for _ in range(50):
            await asyncio.sleep(0)
        for player in self.players:
            self.stage.gate.close(player.admission, "client")
        for _ in range(50):
            await asyncio.sleep(0)
        self.check()
        self.nothing_is_lost()

    def nothing_is_lost(self) -> None:
        assert not self.stage.control.out
        for rule, amount, what, per in self.limits:
            if per == "hour":
                free = self.stage.control.free.get((rule, what, self.stage.now // HOUR), amount)
                assert free == amount - self.used(what)


@settings(max_examples=150)
@given(st.sampled_from(SETS), st.tuples(*[st.integers(1, 25)] * 3), st.integers(1, 30), STEPS)
def test_limits_hold_whatever_the_order(
    shape: tuple[str, ...], amounts: tuple[int, int, int], most: int, steps: list[tuple[str, int, int]]
) -> None:
    a, b, c = amounts
    parts = [each.format(a=a, b=b, c=c).strip("{}") for each in shape]
    limits = []
    for number, part in enumerate(parts):
        what, amount, per = part.replace(":", "").replace(" per", "").split()
        limits.append(("crews read" if not number else f"more {number - 1}", int(amount), what, per))
    stage = Stage(limited(*parts))
    stage.control.most = most
    asyncio.run(Game(stage, limits).play(steps))
