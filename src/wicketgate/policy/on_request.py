"""What a rule on request says: who may grant it, for how long at most, and when. Data.
It must never count a grant that was given on other terms."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from wicketgate.model.grant import Grant
from wicketgate.model.review import Panel
from wicketgate.policy.schedule import Schedule

SECOND: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class OnRequest:
    """names, groups: of who decides; of broken glass: of who looks back. quorum, all_groups: see Panel.
    within: seconds that a request may wait. most: seconds that a grant holds at most. extend: how often it
    may be extended. reason: whether one must be given. schedule: when it can be had; None: always.
    break_glass: in force at once. by_connecting: a sign-in that lacks it alone asks for it.
    gives: what the rule gives, as far as those who decide see it, or what it hides."""

    names: frozenset[str]
    groups: frozenset[str]
    quorum: int = 1
    all_groups: bool = False
    within: int = 3600
    most: int = 8 * 3600
    extend: int = 0
    reason: bool = False
    schedule: Schedule | None = None
    break_glass: bool = False
    by_connecting: bool = False
    gives: str = ""

    def panel(self, rule: str) -> Panel:
        return Panel(rule, self.names, self.groups, self.quorum, self.all_groups)

    @property
    def terms(self) -> str:
        """Of who decides, how, and on what: a grant by others' decision, or of something else, is none."""
        told = [
            sorted(self.names),
            sorted(self.groups),
            self.quorum,
            self.all_groups,
            self.break_glass,
            self.gives,
        ]
        return hashlib.sha256(repr(told).encode()).hexdigest()[:32]

    def latest(self, grant: Grant) -> int:
        """When a grant of this rule ends (wall ns): no later than the rule allows by now."""
        times = 1 + min(grant.extended, self.extend)
        return min(grant.ends, grant.starts + times * self.most * SECOND)

    def holds(self, grant: Grant, now: int) -> int | None:
        """Until when a grant of this rule is in force now without a break (wall ns); None: it is not."""
        ends = self.latest(grant)
        if grant.terms != self.terms or not grant.in_force(now) or now >= ends:
            return None
        closes = None if self.schedule is None else self.schedule.closes(now)
        if self.schedule is not None and closes is None:
            return None
        return ends if closes is None else min(ends, closes)

    def turns(self, grant: Grant, now: int) -> Iterable[int | None]:
        """Moments at which a grant of this rule may come into force, or go out of it."""
        yield grant.starts
        yield self.latest(grant)
        if self.schedule is not None:
            yield self.schedule.turns(max(now, grant.starts))
            yield self.schedule.turns(now)
