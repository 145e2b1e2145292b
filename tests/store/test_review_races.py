"""Reviews under races, against a plain model: whatever two nodes do at once has one of the outcomes that one
after the other would have had."""

from __future__ import annotations

import asyncio
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from store.test_reviews import MINUTE, NOW, TWO, asked, number, place, sealing, vote
from wicketgate.model.review import Conditions, NotAnswerable, Status
from wicketgate.store.db import Store
from wicketgate.store.reviews import Reviews

__all__ = ["place"]
PEOPLE = ("ana", "ben", "cyd", "ANA")
ACTS = some.one_of(
    some.tuples(some.sampled_from(("approve", "deny")), some.sampled_from(PEOPLE)),
    some.tuples(some.sampled_from(("withdraw", "expire", "spend", "ask", "together")), some.just("")),
)


def number_of() -> str:
    return number().lower().ljust(64, "0")


@dataclass
class Plain:
    """A review as somebody would write it who has no races to fear."""

    reusable: bool
    status: str = "pending"
    until: int = NOW + 10 * MINUTE
    approved: set[str] = field(default_factory=set)
    used: int = 0

    def act(self, what: str, who: str, now: int) -> bool:
        if what in ("approve", "deny"):
            if self.status != "pending" or now >= self.until or who.lower() in self.approved:
                return False
            if what == "deny":
                self.status = "denied"
                return True
            self.approved = {*self.approved, who.lower()}
            if len(self.approved) == 2:
                self.status, self.until = "approved", now + (5 if self.reusable else 10) * MINUTE
            return True
        if what == "withdraw":
            done = self.status in ("pending", "approved")
            self.status = "withdrawn" if done else self.status
            return done
        if what == "expire":
            done = self.status in ("pending", "approved") and now >= self.until
            self.status = "expired" if done else self.status
            return done
        if what == "together":  # with what nobody has approved: nothing of it goes
            return False
        done = self.status == "approved" and now < self.until
        if done:
            self.used += 1
            self.status = "approved" if self.reusable else "used"
        return done


class Machine(RuleBasedStateMachine):
    """Two nodes, one review, and a clock that goes on."""

    loop: asyncio.AbstractEventLoop
    nodes: list[Reviews]

    @initialize(reusable=some.booleans())
    def begin(self, reusable: bool) -> None:
        self.now = NOW
        self.exact = number_of()
        self.review = self.again()
        self.conditions = Conditions("shape", 5) if reusable else Conditions()
        self.plain = Plain(reusable)
        self.run(self.nodes[0].ask(self.review, NOW))

    def again(self) -> Any:
        return asked(panels=(TWO,), exact=self.exact, shape=self.exact, session="1" * 32)

    def run(self, *things: Any) -> list[Any]:
        async def together() -> list[Any]:
            return list(await asyncio.gather(*things))

        return self.loop.run_until_complete(together())

    async def act(self, node: Reviews, what: str, who: str) -> bool:
        number, now = self.review.id, self.now
        if what in ("approve", "deny"):
            conditions = self.conditions if what == "approve" else Conditions()
            try:
                await node.answer(number, vote(who, what == "approve", now, conditions=conditions), now)
            except NotAnswerable:
                return False
            return True
        if what == "withdraw":
            before = await node.events(0, 100_000)
            await node.end(number, Status.WITHDRAWN, f"{id(node)}", now)
            after = await node.events(before[-1].seq, 100)
            return any(
                each.review == number and each.what == "withdrawn" and each.by == str(id(node))
                for each in after
            )
        if what == "expire":
            return number in [each.id for each in await node.expired(now)]
        if what == "spend":
            return (await node.spend(number, "1" * 32, now))[1]
        if what == "together":
            other = number_of()
            both = await node.ask_all([self.again(), replace(self.again(), exact=other, shape=other)], now)
            for each, _ in both:
                if each.id != number:
                    await node.end(each.id, Status.WITHDRAWN, "not of this test", now)
            return any(good for _, good in both)
        found, good = await node.ask(self.again(), now)
        if found.id != number and not good:
            await node.end(found.id, Status.WITHDRAWN, "not of this test", now)
        return good

    @rule(seconds=some.sampled_from((1, 60, 299, 301)))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * 1_000_000_000

    @rule(act=ACTS, node=some.sampled_from((0, 1)))
    def one(self, act: tuple[str, str], node: int) -> None:
        expected = self.plain.act(*act, self.now)
        assert self.run(self.act(self.nodes[node], *act)) == [expected], act

    @rule(first=ACTS, second=ACTS)
    def two_at_once(self, first: tuple[str, str], second: tuple[str, str]) -> None:
        outcomes = []
        for order in ((0, 1), (1, 0)):
            plain = copy(self.plain)
            told = [False, False]
            for at in order:
                told[at] = plain.act(*(first, second)[at], self.now)
            outcomes.append((told, plain))
        seen = self.run(self.act(self.nodes[0], *first), self.act(self.nodes[1], *second))
        status = self.status()
        fitting = [plain for told, plain in outcomes if told == seen and plain.status == status]
        assert fitting, (first, second, seen, status, outcomes)
        self.plain = fitting[0]

    def status(self) -> str:
        [found] = self.run(self.nodes[1].review(self.review.id))
        return str(found.status.value)

    @invariant()
    def it_is_as_the_model_says(self) -> None:
        if not hasattr(self, "plain"):
            return
        [found] = self.run(self.nodes[0].review(self.review.id))
        assert found.status.value == self.plain.status
        assert {each.person.lower() for each in found.votes if each.approves} == self.plain.approved
        if not self.plain.reusable:
            assert self.plain.used <= 1
        events = [each for each in self.run(self.nodes[0].events(0, 100_000))[0] if each.review == found.id]
        ends = [each.what for each in events if each.what not in ("asked", "voted", "approved")]
        assert len(ends) <= 1, "one outcome, recorded"


def test_races_have_one_outcome(place: Any) -> None:
    loop = asyncio.new_event_loop()
    try:
        stores = [loop.run_until_complete(Store.open(place)) for _ in range(2)]

        def opened(store: Store) -> Any:
            async def get() -> Store:
                return store

            return get

        class Here(Machine):
            nodes = [Reviews(opened(store), sealing()) for store in stores]  # noqa: RUF012

        Here.loop = loop
        checks = list(HealthCheck)
        run_state_machine_as_test(
            Here,
            settings=settings(
                max_examples=12,
                stateful_step_count=12,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=checks,
            ),
        )
        for store in stores:
            loop.run_until_complete(store.close())
    finally:
        loop.close()


RACES: list[tuple[str, str]] = [
    ("approve ben", "approve cyd"),
    ("approve ben", "withdraw"),
    ("approve ben", "deny cyd"),
    ("approve ben", "expire"),
    ("spend", "expire"),
    ("spend", "withdraw"),
    ("spend", "ask"),
    ("spend", "spend"),
    ("spend", "together"),
]


def test_each_race_that_matters(place: Any) -> None:
    """The same pairs, each many times, from two nodes."""
    loop = asyncio.new_event_loop()
    stores = [loop.run_until_complete(Store.open(place)) for _ in range(2)]

    def opened(store: Store) -> Any:
        async def get() -> Store:
            return store

        return get

    class Here(Machine):
        nodes = [Reviews(opened(store), sealing()) for store in stores]  # noqa: RUF012

    Here.loop = loop
    try:
        for first, second in RACES:
            for _ in range(3):
                machine = Here()
                machine.begin(False)
                machine.one(("approve", "ana"), 0)
                if first == "spend":
                    machine.one(("approve", "ben"), 1)
                if "expire" in (first, second) and first != "spend":
                    machine.now += 10 * MINUTE
                acts = [(*each.split(), "")[:2] for each in (first, second)]
                machine.two_at_once(acts[0], acts[1])
                machine.it_is_as_the_model_says()
    finally:
        for store in stores:
            loop.run_until_complete(store.close())
        loop.close()
