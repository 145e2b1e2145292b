"""A review: what waits for people, who may answer, what they answered, and what comes of it. Pure.
It must never let one person count twice, nor anybody answer for himself."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from wicketgate.model.errors import GatewayError


def folded(name: str) -> str:
    """A person's name, for a comparison: two spellings of one name are no two people."""
    return unicodedata.normalize("NFKC", name).casefold()


def chairs(person: str, groups: frozenset[str]) -> frozenset[str]:
    """The chairs that somebody has, on whatever panel."""
    return frozenset({f"person:{person}"} | {f"group:{each}" for each in groups})


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

MINUTE: Final = 60_000_000_000
MINUTES_MOST: Final = 1440
ROWS_MOST: Final = 1_000_000_000
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

    @property
    def chairs(self) -> frozenset[str]:
        """The same for a search: who has one of these chairs is one of them (see `chairs`)."""
        return frozenset(
            {f"person:{name}" for name in self.names} | {f"group:{each}" for each in self.groups}
        )


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
        """Whose review it is, folded: none of these may answer it."""
        return frozenset(folded(name) for name in (self.identity, self.behalf, self.agent) if name)

    @property
    def whole(self) -> tuple[str | None, ...]:
        """What must be the same for one to use what another was approved."""
        return self.identity, self.kind, self.behalf, self.agent, self.crew, self.task


@dataclass(frozen=True, slots=True)
class Review:
    """As the store keeps it.

    id: 26 characters, unguessable. exact, shape: hex digests that an approval is bound to (statement, its
    parameters, relations by OID, resource, database / the same without constants); of an access request: of
    what is asked for. account: that it would run by; it is compared beside them (a condition may name another
    one), and is in neither. mode: `wait` | `retry`. node, session: where it waits. reason: the asker's.
    shown: what reviewers see (JSON; see docs/approvals.md), sealed at rest, as the reason is and comments.
    created, expires, ended, usable_until: wall ns; usable_until: of an approval. usable: ns that an approval
    can be used for; None: for as long as there was to answer.
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
    usable: int | None = None


@dataclass(frozen=True, slots=True)
class ReviewEvent:
    """A change of a review. seq: rises, in the order in which changes hold. at: wall ns. by: who, or why.

    what: `asked`, `voted` (and it waits on), or the status that it has by now."""

    seq: int
    review: str
    what: str
    at: int
    by: str


@dataclass(frozen=True, slots=True)
class Sought:
    """Which reviews; None: any. Seen by somebody: `everything`, or those of the `reach` (resources), those of
    which he has a chair, and his own (`own`: folded name). scope: only of these resources; empty: of all.
    task: of his own only those of this task. mine: those alone that he may answer and has not."""

    status: frozenset[Status] | None = None
    kind: Kind | None = None
    resource: str | None = None
    identity: str | None = None
    everything: bool = False
    reach: frozenset[str] = frozenset()
    chairs: frozenset[str] = frozenset()
    own: str = ""
    scope: frozenset[str] = frozenset()
    task: str | None = None
    mine: bool = False


class TooManyWait(GatewayError):
    """One identity asks for more than people could answer."""


class NotAnswerable(ValueError):
    """Why somebody can't answer; told to him."""


def answered(review: Review, vote: Vote, now: int, usable: int) -> Review:
    """The review after an answer. usable: ns that an approval can be used for. Raises NotAnswerable.

    One denial denies. An approval by all panels approves, with the narrowest of what its votes allow."""
    check_answer(review, vote.person, vote.groups, now)
    if vote.approves:
        check_conditions(review, vote.conditions)
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
    timed = conditions.minutes is not None and review.kind is Kind.STATEMENT
    lasts = (conditions.minutes or 0) * MINUTE if timed else usable
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
    if folded(person) in review.asker.own:
        raise NotAnswerable("nobody answers his own review, or one of an agent that acts for him")
    if not any(panel.seats(person, groups) for panel in review.panels):
        raise NotAnswerable("it is for others to answer")
    if any(folded(each.person) == folded(person) for each in review.votes):
        raise NotAnswerable("you have answered it already")


def check_conditions(review: Review, conditions: Conditions) -> None:
    """Whether an approval may have these. Raises NotAnswerable."""
    if conditions.scope not in SCOPES:
        raise NotAnswerable(f"an approval is for {', '.join(SCOPES)}")
    if review.kind is not Kind.STATEMENT:
        if (conditions.scope, conditions.rows, conditions.account) != ("once", None, None):
            raise NotAnswerable("it is about no statement: only its time may be made shorter")
    elif (conditions.scope == "shape") != (conditions.minutes is not None):
        raise NotAnswerable("an approval of a shape is for some minutes, and no other is")
    if conditions.minutes is not None and not 0 < conditions.minutes <= MINUTES_MOST:
        raise NotAnswerable(f"minutes are from 1 to {MINUTES_MOST}")
    if conditions.rows is not None and not 0 < conditions.rows <= ROWS_MOST:
        raise NotAnswerable(f"rows are from 1 to {ROWS_MOST}")
    if conditions.scope == "session" and review.session is None:
        raise NotAnswerable("no session asked for it")
    if conditions.account is not None and (review.mode != "retry" or conditions.scope == "session"):
        raise NotAnswerable("another account is for a statement that is tried again, in another session")
    if any(each.conditions.account != conditions.account for each in review.votes if each.approves):
        raise NotAnswerable("who approved before named another account, or none")


def fits(review: Review, asked: Review, now: int) -> bool:
    """Whether an approval is one for what is asked. Panels are compared: a stricter rule asks anew."""
    return (
        review.status is Status.APPROVED
        and review.usable_until is not None
        and now < review.usable_until
        and _same_asker(review, asked)
        and set(review.panels) == set(asked.panels)
        and asked.account == (review.conditions.account or review.account)
        and _in_scope(review, asked)
    )


def _in_scope(review: Review, asked: Review) -> bool:
    scope = review.conditions.scope
    if scope == "shape":
        return review.shape == asked.shape
    if review.exact != asked.exact:
        return False
    if scope == "session" or review.mode == "wait":
        return review.session is not None and review.session == asked.session
    return scope == "once"


def stands_for(review: Review, asked: Review, now: int) -> bool:
    """Whether one that was asked before, and waits or was denied, answers this one too."""
    if review.status is Status.PENDING:
        shared = review.mode == asked.mode == "retry"
    else:
        shared = review.status is Status.DENIED
    return (
        shared
        and now < review.expires
        and _same_asker(review, asked)
        and review.exact == asked.exact
        and review.account == asked.account
        and set(review.panels) == set(asked.panels)
    )


def standing(asked: Sequence[Review], like: Sequence[Sequence[Review]], now: int) -> list[Review | None]:
    """What answers each of several questions that are one: an approval that fits, else what waits, else what
    was denied; None: nothing does. like: what there is for each. What is good for once, and what waits,
    answers one of them alone."""
    taken: set[str] = set()
    found: list[Review | None] = []
    for each, there in zip(asked, like, strict=True):
        free = [one for one in there if one.id not in taken]
        waits = [one for one in free if stands_for(one, each, now)]
        one = next((one for one in free if fits(one, each, now)), None)
        for status in (Status.PENDING, Status.DENIED):
            one = one or next((each for each in waits if each.status is status), None)
        if one is not None and (one.status is Status.PENDING or _once(one)):
            taken.add(one.id)
        found.append(one)
    return found


def _once(review: Review) -> bool:
    return review.status is Status.APPROVED and review.conditions.scope == "once"


def may_go(found: Sequence[Review | None]) -> bool:
    """Whether all that was asked together is approved."""
    return all(each is not None and each.status is Status.APPROVED for each in found)


def _same_asker(review: Review, asked: Review) -> bool:
    return (
        review.kind is asked.kind
        and review.asker.whole == asked.asker.whole
        and (review.resource, review.database) == (asked.resource, asked.database)
    )


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
    same = len({each.scope for each in conditions}) == 1
    scope = conditions[0].scope if same else "once"
    minutes = [each.minutes for each in conditions if each.minutes is not None]
    rows = [each.rows for each in conditions if each.rows is not None]
    accounts = [each.account for each in conditions if each.account is not None]
    return Conditions(
        scope,
        min(minutes) if minutes and same else None,
        min(rows) if rows else None,
        accounts[0] if accounts else None,
    )
