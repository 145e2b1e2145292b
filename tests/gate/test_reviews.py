"""Statements that wait for people: what an approval lets through, and a table of attacks on it."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from gate.stage import NOW, SECOND, Answered, Control, Stage, statement
from wicketgate.control.reviews import Reviews
from wicketgate.gate.desk import Desk
from wicketgate.model.clearance import Clearance, Outcome
from wicketgate.model.decision import Denial
from wicketgate.model.errors import GatewayError
from wicketgate.model.held import Approval, Particulars
from wicketgate.model.review import Conditions, Review, Status, TooManyWait, Vote, answered, may_go, standing
from wicketgate.model.statement import Statement

LOOK = "  - {name: look, review: {by: {groups: [dba]}, within: 5m, bind: shape, message: Ask for less.}}\n"
RETRY = LOOK.replace("bind: shape", "bind: shape, mode: retry")
READ = """\
  - {name: crews read, identities: {groups: [crew]}, resources: [sales], account: reader, permit: [read]}
"""


class Store:
    """control.shared.ReviewStore, in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, Review] = {}
        self.away = False

    def _there(self) -> None:
        if self.away:
            raise GatewayError("the store is away", "told by a test")

    async def ask(self, asked: Review, now: int, room: bool = True) -> tuple[Review, bool]:
        return (await self.ask_all([asked], now, room))[0]

    async def ask_all(
        self, asked: Sequence[Review], now: int, room: bool = True
    ) -> Sequence[tuple[Review, bool]]:
        self._there()
        found = standing(asked, [list(self.kept.values())] * len(asked), now)
        if not room and None in found:
            raise TooManyWait("no room")
        told = []
        for one, each in zip(found, asked, strict=True):
            self.kept.setdefault((one or each).id, one or each)
            told.append((self._use(one) if one and may_go(found) else one or each, may_go(found)))
        return told

    def _use(self, found: Review) -> Review:
        if found.conditions.scope == "once":
            found = self.kept[found.id] = replace(found, status=Status.USED)
        return found

    async def spend(self, review: str, session: str, now: int) -> tuple[Review, bool]:
        self._there()
        found = self.kept[review]
        if found.status is not Status.APPROVED or found.session != session:
            return found, False
        return self._use(found), True

    async def end(self, review: str, status: Status, by: str, now: int) -> Review | None:
        found = self.kept[review]
        if found.status is Status.PENDING:
            found = self.kept[review] = replace(found, status=status, ended=now, ended_by=by)
        return found

    async def review(self, review: str) -> Review | None:
        return self.kept.get(review)

    async def expired(self, now: int) -> Sequence[Review]:
        return []

    async def abandon(self, node: str, why: str, now: int) -> Sequence[Review]:
        waits = [each for each in self.kept.values() if each.node == node and each.mode == "wait"]
        return [(await self.end(each.id, Status.WITHDRAWN, why, now)) or each for each in waits]


class Reviewing(Control):
    """Workers' questions about reviews go to the real thing, over that store."""

    def __init__(self, clock: Callable[[], int]) -> None:
        super().__init__(clock)
        self.store = Store()
        self.recorded: list[dict[str, Any]] = []
        self.ids = 0

        async def estimate(body: Mapping[str, Any]) -> int | None:
            return 42

        self.reviews = Reviews(
            self.store,
            "node",
            lambda review: f"https://gateway.example/reviews/{review}",
            estimate,
            self.token,
            clock,
            lambda body: self.recorded.append(json.loads(b"{" + body + b"}")),
            lambda text: None,
        )

    def token(self, size: int) -> bytes:
        self.ids += 1
        return self.ids.to_bytes(size, "big")

    async def ask(self, what: str, body: Mapping[str, Any], secret: Any = None) -> Any:
        if what not in ("review", "reviews", "reviewed", "withdraw"):
            return await super().ask(what, body)
        self.asked.append((what, dict(body)))
        await asyncio.sleep(0)
        if self.away:
            raise GatewayError("the gateway can't decide now", "the control link is closed")
        verbs = {
            "review": self.reviews.ask,
            "reviews": self.reviews.ask_all,
            "reviewed": self.reviews.answered,
            "withdraw": self.reviews.withdraw,
        }
        try:
            return Answered(await verbs[what](1, json.loads(json.dumps(body))))
        except Exception as error:
            denial = getattr(error, "denial", None) or ["unavailable", str(error), type(error).__name__]
            return Answered({}, denial)

    def vote(self, review: str, approves: bool = True, **conditions: Any) -> None:
        vote = Vote("ann", frozenset({"dba"}), approves, NOW, "why", Conditions(**conditions))
        found = self.store.kept[review]
        self.store.kept[review] = answered(found, vote, NOW, found.expires - found.created)
        self.reviews.heard(review)


class Holding:
    """A statement's protocol, played. exact, shape: what it says that it is."""

    def __init__(
        self, exact: str = "e1", shape: str = "s1", open_block: bool = False, reason: str = ""
    ) -> None:
        self.exact, self.shape, self.open_block, self.reason = exact, shape, open_block, reason
        self.notices: list[tuple[str, str, dict[str, Any]]] = []
        self.withdraw: Callable[[], None] = lambda: None
        self.fault: Exception | None = None
        self.moved = False
        self.string: list[tuple[Statement, Holding]] = []
        self.approvals: dict[int, Approval] = {}

    def beside(self) -> Sequence[Statement]:
        return [each for each, _ in self.string]

    def about(self, statement: Statement, recent: Sequence[object]) -> Particulars | Denial:
        [holding] = [holding for each, holding in self.string if each is statement]
        return holding.particulars(recent)

    def keep(self, statement: Statement, approval: Approval) -> None:
        [holding] = [holding for each, holding in self.string if each is statement]
        holding.approvals[0] = approval

    def kept(self, statement: Statement) -> Approval | None:
        return self.approvals.pop(0, None)

    def particulars(self, recent: Sequence[object]) -> Particulars | Denial:
        if self.fault is not None:
            raise self.fault
        return Particulars(self.exact, self.shape, {"statement": "select"}, self.reason)

    def unchanged(self) -> bool:
        return not self.moved

    def in_transaction(self) -> bool:
        return self.open_block

    def waits(self, withdraw: Callable[[], None]) -> None:
        self.withdraw = withdraw

    def told(self, message: str, hint: str, detail: str) -> bool:
        self.notices.append((message, hint, json.loads(detail)))
        return True


class Play:
    """One stage with reviews, and what was answered to a statement."""

    def __init__(self, rules: str = READ + LOOK) -> None:
        self.stage = Stage(rules=rules)
        self.control = self.stage.control = Reviewing(lambda: self.stage.now)
        self.stage.gate = self.stage.make(self.stage.journal)
        self.answers: list[Clearance | Denial] = []

    def submit(self, desk: Desk, holding: Holding, about: Statement | None = None) -> None:
        found = desk.submit(about or statement(), self.answers.append, holding)
        if found is not None:
            self.answers.append(found)

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    @property
    def review(self) -> str:
        return list(self.control.store.kept)[-1]

    async def string(self, desk: Desk, *holdings: Holding) -> list[Clearance | Denial]:
        """What becomes of one string of several statements: of each in turn, until one is denied."""
        members = [(statement(), each) for each in holdings]
        self.answers.clear()
        for at, (about, holding) in enumerate(members):
            holding.string = members[at + 1 :]
            self.submit(desk, holding, about)
            await self.settle()
            if isinstance(self.answers[-1], Denial):
                break
        return self.answers

    def kinds(self) -> list[str]:
        return [line["k"] for line in self.stage.journal.lines if line["k"] != "open"]


def denial(answer: Clearance | Denial) -> Denial:
    assert isinstance(answer, Denial), answer
    return answer


async def test_it_waits_is_told_and_goes_on() -> None:
    play = Play()
    desk, holding = await play.stage.desk(), Holding(reason="INC-1")
    play.submit(desk, holding)
    await play.settle()
    assert play.answers == []
    [(message, hint, detail)] = holding.notices
    assert play.review in message
    assert "group dba" in hint
    assert (detail["status"], detail["alternatives"]) == ("pending", ["Ask for less."])
    kept = play.control.store.kept[play.review]
    assert (kept.reason, kept.message, kept.mode, kept.account) == (
        "INC-1",
        "Ask for less.",
        "wait",
        "reader",
    )
    assert kept.shown is not None
    assert (kept.shown["reason_claimed"], kept.shown["estimate"]) == (True, None)
    play.control.vote(play.review)
    await play.settle()
    assert isinstance(play.answers[0], Clearance)
    assert play.kinds() == ["held", "ask"]
    ask = play.stage.journal.of("ask")[0]
    assert ask["review"] == {"id": play.review, "by": "approved by ann"}
    assert (ask["d"], ask["x"]) == ("permit", play.stage.journal.of("held")[0]["q"])
    assert desk.upheld(play.answers[0], statement()) is None


async def test_a_denial_says_why() -> None:
    play = Play()
    play.submit(await play.stage.desk(), holding := Holding())
    await play.settle()
    play.control.vote(play.review, approves=False)
    await play.settle()
    found = denial(play.answers[0])
    assert (found.kind, found.hint, found.review) == ("review", "Ask for less.", play.review)
    assert json.loads(found.detail or "")["reason"] == "why"
    assert play.kinds() == ["held", "deny"]
    assert play.stage.journal.of("deny")[0]["review"] == {"id": play.review}
    assert len(holding.notices) == 1


ATTACKS: dict[str, Callable[[Play], Any]] = {
    "another statement or parameter": lambda play: {"exact": "e2"},
    "another statement of the same shape": lambda play: {"exact": "e2", "shape": "s1"},
    "twice": lambda play: play.control.store.kept.update(
        {play.review: replace(play.control.store.kept[play.review], status=Status.USED)}
    ),
    "too late": lambda play: setattr(play.stage, "now", NOW + 301 * SECOND),
    "another account": lambda play: {"account": "writer"},
    "another database": lambda play: {"database": "archive"},
    "other people have to look": lambda play: play.stage.change(READ + RETRY.replace("dba", "dpo")),
    "more people have to look": lambda play: play.stage.change(
        READ + RETRY.replace("[dba]}", "[dba]}, quorum: 2")
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_an_approval_lets_nothing_else_through(attack: str) -> None:
    writes = READ.replace("crews read,", "others write,").replace("reader", "writer")
    play = Play(READ + writes + RETRY)
    play.submit(await play.stage.desk(account="reader"), Holding())
    await play.settle()
    assert json.loads(denial(play.answers[0]).detail or "")["status"] == "pending"
    play.control.vote(play.review)
    done = ATTACKS[attack](play)
    changed = dict(done) if isinstance(done, dict) else {}
    where = {key: changed.pop(key) for key in ("account", "database") if key in changed}
    desk = await play.stage.desk(**{"account": "reader", **where})
    play.submit(desk, Holding(**changed))
    await play.settle()
    assert isinstance(play.answers[1], Denial)
    assert play.stage.journal.of("ask") == []


async def test_the_same_passes_once_from_another_session() -> None:
    play = Play(READ + RETRY)
    play.submit(await play.stage.desk(), Holding())
    await play.settle()
    first = play.review
    play.control.vote(first)
    desk = await play.stage.desk()
    play.submit(desk, Holding())
    await play.settle()
    assert isinstance(play.answers[1], Clearance)
    play.submit(desk, Holding())
    await play.settle()
    assert denial(play.answers[2]).review == play.review != first


async def test_a_shape_is_asked_for_each_time_and_its_rows_are_counted() -> None:
    play = Play(READ + RETRY)
    desk = await play.stage.desk()
    play.submit(desk, Holding())
    await play.settle()
    play.control.vote(play.review, scope="shape", minutes=5, rows=7)
    play.submit(desk, Holding(exact="e2"))
    await play.settle()
    cleared = play.answers[1]
    assert isinstance(cleared, Clearance)
    assert cleared.allowance.left == 7
    cleared.allowance.left -= 5
    desk.settle(cleared, Outcome())
    play.submit(desk, Holding(exact="e3"))
    await play.settle()
    again = play.answers[2]
    assert isinstance(again, Clearance)
    assert again.allowance.left == 2


async def test_what_binds_to_the_statement_has_no_shape() -> None:
    play = Play(READ + RETRY.replace("bind: shape", "bind: statement"))
    desk = await play.stage.desk()
    play.submit(desk, Holding())
    await play.settle()
    play.control.vote(play.review, scope="shape", minutes=5)
    play.submit(desk, Holding(exact="e2"))
    await play.settle()
    assert isinstance(play.answers[1], Denial)


@pytest.mark.parametrize(
    "change",
    [
        "  - {name: no, deny: Never.}\n" + LOOK + READ,
        READ,
        READ + LOOK.replace("dba", "dpo"),
        LOOK + READ.replace("[read]", "[write]"),
    ],
)
async def test_it_is_decided_again_before_it_goes(change: str) -> None:
    play = Play()
    play.submit(await play.stage.desk(), Holding())
    await play.settle()
    play.stage.change(change)
    play.stage.gate.readmit()
    play.control.vote(play.review)
    await play.settle()
    if change == READ:  # nobody has to look any more
        assert isinstance(play.answers[0], Clearance)
    else:
        assert isinstance(play.answers[0], Denial)
        assert play.stage.journal.of("ask") == []


async def test_what_means_something_else_by_now_does_not_go() -> None:
    play = Play()
    play.submit(await play.stage.desk(), holding := Holding())
    await play.settle()
    holding.moved = True
    play.control.vote(play.review)
    await play.settle()
    assert "ask again" in denial(play.answers[0]).message
    assert play.kinds() == ["held", "deny"]


async def test_a_journal_that_fails_lets_nothing_through() -> None:
    play = Play()
    play.submit(await play.stage.desk(), Holding())
    await play.settle()
    play.stage.journal.failed = True
    play.control.vote(play.review)
    await play.settle()
    assert denial(play.answers[0]).kind == "unavailable"


async def test_nothing_passes_where_the_wait_can_not_be_recorded() -> None:
    play = Play()
    desk = await play.stage.desk()
    play.stage.journal.failed = True
    play.submit(desk, holding := Holding())
    await play.settle()
    assert denial(play.answers[0]).kind == "unavailable"
    assert holding.notices == []
    assert play.control.store.kept[play.review].status is Status.WITHDRAWN


@pytest.mark.parametrize("away", ["store", "link"])
async def test_where_nobody_can_be_asked_it_is_denied(away: str) -> None:
    play = Play()
    desk = await play.stage.desk()
    play.control.store.away = away == "store"
    play.control.away = away == "link"
    play.submit(desk, Holding())
    await play.settle()
    assert denial(play.answers[0]).kind == "unavailable"


async def test_doubt_about_what_it_is_is_a_denial() -> None:
    play = Play()
    desk, holding = await play.stage.desk(), Holding()
    holding.fault = RecursionError()
    play.submit(desk, holding)
    assert denial(play.answers[0]).kind == "review"
    assert denial(desk.submit(statement(), play.answers.append) or play.answers[0]).kind == "review"


async def test_a_reason_that_is_required() -> None:
    play = Play(READ + LOOK.replace("bind: shape", "reason: required"))
    desk = await play.stage.desk()
    play.submit(desk, Holding())
    assert "needs a reason" in denial(play.answers[0]).message
    play.submit(desk, Holding(reason="INC-2"))
    await play.settle()
    assert play.control.store.kept[play.review].reason == "INC-2"


async def test_in_a_transaction_it_is_tried_again_unless_the_rule_says_so() -> None:
    play = Play()
    play.submit(await play.stage.desk(), Holding(open_block=True))
    await play.settle()
    assert json.loads(denial(play.answers[0]).detail or "")["status"] == "pending"
    play = Play(READ + LOOK.replace("bind: shape", "in_transaction: wait"))
    play.submit(await play.stage.desk(), Holding(open_block=True))
    await play.settle()
    assert play.answers == []


async def test_who_does_not_want_it_any_more_withdraws() -> None:
    play = Play()
    admission, desk = await play.stage.admit()
    play.submit(desk, holding := Holding())
    await play.settle()
    holding.withdraw()
    holding.withdraw()
    await play.settle()
    assert play.kinds() == ["held", "withdrawn"]
    assert play.control.store.kept[play.review].ended_by == "withdrawn by its asker"
    assert play.control.recorded[0]["do"] == "review.withdrawn"
    play.submit(desk, Holding())
    await play.settle()
    play.stage.gate.close(admission, "client")
    await play.settle()
    assert play.control.store.kept[play.review].status is Status.WITHDRAWN
    assert play.answers == []


async def test_a_client_that_waits_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wicketgate.control.reviews.PATIENCE", 0.0)
    play = Play()
    play.submit(await play.stage.desk(), holding := Holding())
    await play.settle()
    assert len(holding.notices) == 1
    play.stage.now += 31 * SECOND
    await play.settle()
    assert len(holding.notices) == 2
    play.stage.now += 300 * SECOND
    await play.settle()
    assert json.loads(denial(play.answers[0]).detail or "")["status"] == "expired"
    assert play.control.recorded[0]["do"] == "review.expired"


async def test_one_identity_does_not_flood_people() -> None:
    play = Play(READ + RETRY)
    desk = await play.stage.desk()
    for number in range(21):
        play.submit(desk, Holding(exact=f"e{number}"))
        await play.settle()
    assert len(play.control.store.kept) == 20
    assert (denial(play.answers[20]).kind, "Too many reviews" in denial(play.answers[20]).message) == (
        "limit",
        True,
    )
    play.submit(desk, Holding(exact="e3"))
    await play.settle()
    assert denial(play.answers[21]).kind == "review"


async def test_nobody_floods_by_asking_the_same_at_once() -> None:
    play = Play()
    for number in range(30):
        play.submit(await play.stage.desk(), Holding(exact=f"e{number % 3}"))
    await play.settle()
    assert len(play.control.store.kept) == 20
    assert [denial(each).kind for each in play.answers] == ["limit"] * 10


async def test_what_was_approved_passes_however_many_wait() -> None:
    play = Play(READ + RETRY)
    desk = await play.stage.desk()
    for number in range(21):
        play.submit(desk, Holding(exact=f"e{number}"))
        await play.settle()
        if not number:
            play.control.vote(play.review)
            await play.settle()
    assert "20 reviews" not in denial(play.answers[20]).message
    play.submit(desk, Holding(exact="e0"))
    await play.settle()
    assert isinstance(play.answers[21], Clearance)


async def test_a_clearance_from_before_the_review_is_not_upheld() -> None:
    play = Play(READ)
    desk = await play.stage.desk()
    cleared = desk.submit(statement(), play.answers.append)
    assert isinstance(cleared, Clearance)
    play.stage.change(READ + LOOK)
    play.stage.gate.readmit()
    assert desk.weigh(statement()) is None
    assert denial(desk.upheld(cleared, statement()) or cleared).kind == "review"


async def test_the_control_process_starts_or_loses_a_worker() -> None:
    play = Play()
    play.submit(await play.stage.desk(), Holding())
    await play.settle()
    play.control.reviews.worker_gone(2)
    await play.settle()
    assert play.control.store.kept[play.review].status is Status.PENDING
    play.control.reviews.worker_gone(1)
    await play.settle()
    assert "the worker died" in play.control.store.kept[play.review].ended_by
    play.submit(await play.stage.desk(), Holding(exact="e2"))
    await play.settle()
    await play.control.reviews.begin()
    assert play.control.store.kept[play.review].ended_by == "the gateway restarted"


# -- several of one string -----------------------------------------------------------------------------------
async def test_of_a_string_nothing_is_spent_before_all_of_it_may_go() -> None:
    play = Play(READ + RETRY)
    desk = await play.stage.desk()
    asked = denial((await play.string(desk, Holding("e1"), Holding("e2")))[0])
    one, two = play.control.store.kept
    told = json.loads(asked.detail or "")
    assert (told["review"], told["others"]) == (one, [two])
    assert one in (asked.hint or "")
    assert two in (asked.hint or "")
    play.control.vote(one)
    again = denial((await play.string(desk, Holding("e1"), Holding("e2")))[0])
    assert (again.review, json.loads(again.detail or "")["others"]) == (two, [])
    assert play.control.store.kept[one].status is Status.APPROVED, "it is kept for when both may go"
    play.control.vote(two)
    found = await play.string(desk, Holding("e1"), Holding("e2"))
    assert [type(each) for each in found] == [Clearance, Clearance]
    assert [each.status for each in play.control.store.kept.values()] == [Status.USED] * 2
    assert [line["review"]["id"] for line in play.stage.journal.of("ask")] == [one, two]
    assert isinstance((await play.string(desk, Holding("e1"), Holding("e2")))[0], Denial)


async def test_a_string_of_twice_the_same_needs_two_approvals() -> None:
    play = Play(READ + RETRY)
    desk = await play.stage.desk()
    await play.string(desk, Holding("e1"), Holding("e1"))
    one, two = play.control.store.kept
    play.control.vote(one)
    assert isinstance((await play.string(desk, Holding("e1"), Holding("e1")))[0], Denial)
    play.control.vote(two)
    assert len(await play.string(desk, Holding("e1"), Holding("e1"))) == 2
    assert [type(each) for each in play.answers] == [Clearance, Clearance]


async def test_a_denial_of_one_denies_the_string_and_spends_nothing() -> None:
    play = Play(READ + RETRY)
    desk = await play.stage.desk()
    await play.string(desk, Holding("e1"), Holding("e2"))
    one, two = play.control.store.kept
    play.control.vote(one)
    play.control.vote(two, approves=False)
    found = denial((await play.string(desk, Holding("e1"), Holding("e2")))[0])
    assert (found.review, json.loads(found.detail or "")["status"]) == (two, "denied")
    assert play.control.store.kept[one].status is Status.APPROVED


async def test_what_was_approved_together_goes_only_as_what_it_was() -> None:
    """Its names mean something else by then, or the policy asks others: it is no approval of that."""
    for attack in ("moved", "rule"):
        play = Play(READ + RETRY)
        desk = await play.stage.desk()
        await play.string(desk, Holding("e1"), Holding("e2"))
        for review in list(play.control.store.kept):
            play.control.vote(review)
        second = Holding("e2")
        members = [(statement(), Holding("e1")), (statement(), second)]
        play.answers.clear()
        members[0][1].string = members[1:]
        play.submit(desk, members[0][1], members[0][0])
        await play.settle()
        assert isinstance(play.answers[0], Clearance)
        second.moved = attack == "moved"
        if attack == "rule":
            play.stage.change(READ + RETRY.replace("dba", "dpo"))
            play.stage.gate.readmit()
        play.submit(desk, second, members[1][0])
        await play.settle()
        assert "changed: ask again" in denial(play.answers[1]).message


async def test_a_string_of_too_many_asks_nobody() -> None:
    play = Play(READ + RETRY)
    desk = await play.stage.desk()
    found = await play.string(desk, *[Holding(f"e{at}") for at in range(21)])
    assert "More than 20" in denial(found[0]).message
    assert play.control.store.kept == {}
    assert [what for what, _ in play.control.asked if what.startswith("review")] == []


async def test_a_string_that_waits_waits_for_each_in_turn() -> None:
    play = Play()
    desk = await play.stage.desk()
    first, second = Holding("e1"), Holding("e2")
    first.string = [(statement(), second)]
    play.submit(desk, first)
    await play.settle()
    assert [each.mode for each in play.control.store.kept.values()] == ["wait"]
    assert len(first.notices) == 1
