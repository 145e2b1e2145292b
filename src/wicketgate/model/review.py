"""A review: what waits for people, who may answer, what they answered, and what comes of it. Pure.
It must never let one person count twice, nor anybody answer for himself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final


class Kind(Enum):
    """statement: waits before it is forwarded. access: an access request. after: a look back at a glass that
    was broken; it never ends by itself."""

    STATEMENT = "statement"
    ACCESS = "access"
    AFTER = "after"


class Status(Enum):
    """PENDING is the only one in which people may answer; APPROVED the only one that can be used."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    USED = "used"
    CLOSED = "closed"


NEXT: Final[Mapping[Status, frozenset[Status]]] = {
    Status.PENDING: frozenset(
        {Status.APPROVED, Status.DENIED, Status.EXPIRED, Status.WITHDRAWN, Status.CLOSED}
    ),
    Status.APPROVED: frozenset({Status.USED, Status.EXPIRED, Status.WITHDRAWN}),
    Status.DENIED: frozenset(),
    Status.EXPIRED: frozenset(),
    Status.WITHDRAWN: frozenset(),
    Status.USED: frozenset(),
    Status.CLOSED: frozenset(),
}
"""What may follow. WITHDRAWN of what is approved: its asker, or who approved it, took it back before use."""

SCOPES: Final = ("once", "session", "shape")
"""How far an approval goes: the very statement once; the very statement as often as the asking session likes;
statements of the same shape by the same asker, for a while."""


@dataclass(frozen=True, slots=True)
class Panel:
    """Who decides for one rule: people by name or by group. quorum: distinct people.

    all_groups: one of each group, too; nobody stands for two of them."""

    rule: str
    names: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    quorum: int = 1
    all_groups: bool = False

    def seats(self, person: str, groups: frozenset[str]) -> bool:
        """Whether somebody is one of those who decide."""
        return person in self.names or not self.groups.isdisjoint(groups)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What an approval is narrowed or widened to. scope: of SCOPES. minutes: how long `shape` holds.

    rows: at most so many leave. account: only through this account (then the asker signs in anew)."""

    scope: str = "once"
    minutes: int | None = None
    rows: int | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's answer. groups: as they were proven when it was given. at: wall ns."""

    person: str
    groups: frozenset[str]
    approves: bool
    at: int
    comment: str = ""
    conditions: Conditions = Conditions()


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asked: the identity, and in whose name. All proven, none claimed."""

    identity: str
    kind: str
    behalf: str | None = None
    agent: str | None = None
    crew: str | None = None
    task: str | None = None
    purpose: str | None = None

    @property
    def own(self) -> frozenset[str]:
        """Whose review it is: none of these may answer it."""
        return frozenset(name for name in (self.identity, self.behalf, self.agent) if name)


@dataclass(frozen=True, slots=True)
class Review:
    """As the store keeps it.

    id: 26 characters, unguessable. exact, shape: hex digests that an approval is bound to (statement, its
    parameters, relations by OID, resource, database, account / the same without constants); of an access
    request: of what is asked for. account: that it would run by. mode: `wait` | `retry`. node, session: where
    it waits. reason: the asker's. shown: what reviewers see (JSON; see docs/approvals.md), sealed at rest.
    created, expires, ended, usable_until: wall ns; usable_until: of an approval.
    ended_by: who, or why (`withdrawn by its asker`, `its session ended`, `the gateway restarted` …).
    """

    id: str
    kind: Kind
    status: Status
    asker: Asker
    resource: str
    database: str
    account: str
    panels: tuple[Panel, ...]
    exact: str
    shape: str
    mode: str
    created: int
    expires: int
    node: str
    session: str | None = None
    reason: str = ""
    message: str = ""
    shown: Mapping[str, Any] | None = None
    votes: tuple[Vote, ...] = ()
    conditions: Conditions = Conditions()
    usable_until: int | None = None
    ended: int | None = None
    ended_by: str = ""


class NotAnswerable(ValueError):
    """Why somebody can't answer; told to him."""


def answered(review: Review, vote: Vote, now: int, usable: int) -> Review:
    """The review after an answer. usable: ns that an approval can be used for. Raises NotAnswerable.

    One denial denies. An approval by all panels approves, with the narrowest of what its votes allow."""
    check_answer(review, vote.person, vote.groups, now)
    votes = (*review.votes, vote)
    if not vote.approves:
        return replace(
            review, votes=votes, status=Status.DENIED, ended=now, ended_by=f"denied by {vote.person}"
        )
    if not all(satisfied(panel, votes) for panel in review.panels):
        return replace(review, votes=votes)
    if review.kind is Kind.AFTER:
        return replace(
            review, votes=votes, status=Status.CLOSED, ended=now, ended_by=f"closed by {vote.person}"
        )
    conditions = narrowest([each.conditions for each in votes if each.approves])
    lasts = usable if conditions.minutes is None else conditions.minutes * 60_000_000_000
    return replace(
        review,
        votes=votes,
        status=Status.APPROVED,
        conditions=conditions,
        usable_until=now + lasts,
        ended=now,
        ended_by=f"approved by {', '.join(each.person for each in votes if each.approves)}",
    )


def check_answer(review: Review, person: str, groups: frozenset[str], now: int) -> None:
    """Whether this person may answer now. Raises NotAnswerable."""
    if review.status is not Status.PENDING:
        raise NotAnswerable(f"it is {review.status.value} already")
    if review.kind is not Kind.AFTER and now >= review.expires:
        raise NotAnswerable("it has expired")
    if person in review.asker.own:
        raise NotAnswerable("nobody answers his own review, or one of an agent that acts for him")
    if not any(panel.seats(person, groups) for panel in review.panels):
        raise NotAnswerable("it is for others to answer")
    if any(each.person == person for each in review.votes):
        raise NotAnswerable("you have answered it already")


def satisfied(panel: Panel, votes: Sequence[Vote]) -> bool:
    """Whether those who approved are enough for one panel."""
    people = {
        each.person: each.groups for each in votes if each.approves and panel.seats(each.person, each.groups)
    }
    if len(people) < max(1, panel.quorum):
        return False
    return not panel.all_groups or _each_group(sorted(panel.groups), people)


def _each_group(groups: Sequence[str], people: Mapping[str, frozenset[str]]) -> bool:
    """Whether each group can be stood for by a person of its own (a matching, by augmenting paths)."""
    stands: dict[str, str] = {}

    def place(group: str, tried: set[str]) -> bool:
        for person, of in people.items():
            if group in of and person not in tried:
                tried.add(person)
                if person not in stands or place(stands[person], tried):
                    stands[person] = group
                    return True
        return False

    return all(place(group, set()) for group in groups)


def narrowest(conditions: Sequence[Conditions]) -> Conditions:
    """What all of them allow. Different accounts can't be met: the caller refuses the later one before.

    Scopes that differ come down to `once`."""
    scopes = {each.scope for each in conditions}
    scope = scopes.pop() if len(scopes) == 1 else "once"
    minutes = [each.minutes for each in conditions if each.minutes is not None]
    rows = [each.rows for each in conditions if each.rows is not None]
    accounts = [each.account for each in conditions if each.account is not None]
    return Conditions(
        scope,
        min(minutes) if minutes and scope == "shape" else None,
        min(rows) if rows else None,
        accounts[0] if accounts else None,
    )
