"""What a channel may show of a review: its id alone, facts, or the masked statement with them. Pure.
It must never hold what the asker wrote in free words, a parameter, a comment, nor a value of the data.

shows: `none`: that something happened, the review's id and its link. `facts`: who asks and for whom, the
resource, effects, relations, the rules, how many have answered and who; of access for a while from when
until when, and who ended it. `statement`: also the text of the statement without values (channels/masked.py).
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from wicketgate.channels.masked import REST, mask, plain_name
from wicketgate.model.delivery import event_id
from wicketgate.model.grant import Grant
from wicketgate.model.review import Kind, Review, ReviewEvent, Status
from wicketgate.model.statement import Effect
from wicketgate.model.unseen import UNSEEN

NOT_ALL: Final = (
    "Not all of this statement is shown here: open it before you answer. An approval is for all of it."
)
LONGEST: Final = 200
"""Characters of one fact."""
MOST_NAMES: Final = 20
"""Relations that are named; of more it is said how many."""
TEXTS: Final = ("pretty", "statement", "text")
RELATIONS: Final = ("relations", "reads", "writes")
"""Members of a review's `shown` that hold the statement's text, whatever is in it, and names of relations."""
_DONE: Final = re.compile(r" \((?:read|read whole|written)\)\Z")
"""What a review says behind a relation's name: what the statement does to it."""
UNNAMED: Final = "(a name that is not shown)"
_EFFECTS: Final = frozenset(each.value for each in Effect)

TITLES: Final[Mapping[str, str]] = {
    "asked": "waits for review",
    "voted": "was answered, and needs more answers",
    "approved": "was approved",
    "denied": "was denied",
    "expired": "has expired",
    "withdrawn": "was withdrawn",
    "used": "was approved and is used",
    "closed": "was closed",
    "break-glass": "went past the rules and waits to be looked at",
    "granted": "led to access for a while",
    "extended": "led to access that lasts longer",
    "grant-ended": "led to access that has ended",
    "test": "of a test: this channel works",
}
OF_GRANTS: Final = frozenset({"granted", "extended", "grant-ended"})
"""What becomes of access for a while, not of its review."""
_THINGS: Final = {
    Kind.STATEMENT: "A statement",
    Kind.ACCESS: "A request for access",
    Kind.AFTER: "An emergency access",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """One message. id: of the event. what: it is about; see TITLES. title: in words. at, expires: wall ns.

    link: empty where people can't reach the API. facts: label -> text, in order; data: the same for machines
    (JSON values). open: whether it can still be answered; answerable: and enough of it is shown for that.
    """

    id: str
    what: str
    review: str
    title: str
    link: str
    at: int
    expires: int | None = None
    status: str = ""
    kind: str = ""
    resource: str | None = None
    open: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    statement: str | None = None
    unseen: bool = False
    """Not all of the statement is shown."""

    @property
    def answerable(self) -> bool:
        return self.open and bool(self.facts)


def event_of(change: ReviewEvent, review: Review) -> str:
    """What settings call it: an after-review that begins is a glass that was broken."""
    return "break-glass" if change.what == "asked" and review.kind is Kind.AFTER else change.what


def notice(change: ReviewEvent, review: Review, link: str, shows: str, grant: Grant | None = None) -> Notice:
    """The message of a change, of the review as it is now. grant: what came of it by now."""
    what = event_of(change, review)
    status = review.status
    thing = _THINGS[review.kind] if shows != "none" else "A review"
    title = f"{thing} {TITLES.get(what, 'has changed')}"
    bare = {"review": review.id, "link": link}
    if shows == "none":
        return Notice(
            event_id(change),
            what,
            review.id,
            title,
            link,
            change.at,
            open=status is Status.PENDING,
            data=bare,
        )
    asker, shown = review.asker, review.shown or {}
    effects = sorted(each for each in _texts(shown.get("effects")) if each in _EFFECTS)
    named = sorted({each for name in RELATIONS for each in _texts(shown.get(name))})
    relations = [each if _known(each) else UNNAMED for each in named]
    rules = [clean(panel.rule) for panel in review.panels]
    answers = [f"{'approves' if vote.approves else 'denies'}: {clean(vote.person)}" for vote in review.votes]
    needed = max((panel.quorum for panel in review.panels), default=1)
    told: dict[str, str | None] = {
        "Asked by": clean(asker.identity),
        "On behalf of": asker.behalf and clean(asker.behalf),
        "Agent": asker.agent and clean(" of crew ".join(each for each in (asker.agent, asker.crew) if each)),
        "Task": asker.task and clean(asker.task),
        "Resource": clean(f"{review.resource}/{review.database}" if review.database else review.resource),
        "Account": clean(review.account),
        "Effects": ", ".join(effects),
        "Relations": _listed(relations),
        "Rule": _listed(rules),
        "Answers": _listed([*answers, f"{needed} needed"]),
        "Ended by": clean(change.by) if status is not Status.PENDING and what not in OF_GRANTS else None,
        "Access": None if grant is None else f"{moment(grant.starts)} to {moment(grant.ends)}",
        "Access ended by": None if grant is None or grant.ended_by is None else clean(grant.ended_by),
    }
    data: dict[str, Any] = {
        **bare,
        "kind": review.kind.value,
        "status": status.value,
        "by": clean(change.by),
        "created": moment(review.created),
        "expires": None if review.kind is Kind.AFTER else moment(review.expires),
        "identity": clean(asker.identity),
        "identity_kind": clean(asker.kind),
        "behalf": asker.behalf and clean(asker.behalf),
        "agent": asker.agent and clean(asker.agent),
        "crew": asker.crew and clean(asker.crew),
        "task": asker.task and clean(asker.task),
        "resource": clean(review.resource),
        "database": clean(review.database),
        "account": clean(review.account),
        "effects": effects,
        "relations": relations[:MOST_NAMES],
        "rules": rules[:MOST_NAMES],
        "quorum": needed,
        "answers": [
            {"person": clean(vote.person), "approves": vote.approves} for vote in review.votes[:MOST_NAMES]
        ],
    }
    if grant is not None:
        data["grant"] = {
            "id": grant.id,
            "starts": moment(grant.starts),
            "ends": moment(grant.ends),
            "extended": grant.extended,
            "ended_by": grant.ended_by and clean(grant.ended_by),
        }
    whole = shows == "statement" and review.kind is not Kind.ACCESS
    found = [shown[name] for name in TEXTS if name in shown] if whole else []
    statement = mask(found[0]) or None if found and isinstance(found[0], str) else None
    unseen = statement is not None and (statement.endswith(REST) or bool(shown.get("unseen")))
    return Notice(
        event_id(change),
        what,
        review.id,
        title,
        link,
        change.at,
        None if review.kind is Kind.AFTER else review.expires,
        status.value,
        review.kind.value,
        review.resource,
        status is Status.PENDING,
        {label: text for label, text in told.items() if text},
        data if statement is None else {**data, "statement": statement, "unseen": unseen},
        statement,
        unseen,
    )


def trial(name: str, now: int, link: str) -> Notice:
    """What `wicket channels test` sends. name: of the channel."""
    review = "0" * 26
    data = {"review": review, "link": link, "channel": name}
    return Notice(f"evt_{review}_{now}", "test", review, f"A message {TITLES['test']}", link, now, data=data)


def clean(text: str, most: int = LONGEST) -> str:
    """In one line, without characters that steer, hide or turn text; cut where it is long."""
    cut = text[: most + 1]
    made = "".join(
        " "
        if each in "\t\n\r"
        else "?"
        if unicodedata.category(each)[0] == "C" or UNSEEN.match(each)
        else each
        for each in cut
    )
    return made if len(text) <= most else made[: most - 1] + "…"


def moment(nanoseconds: int) -> str:
    """RFC 3339, UTC, to the second."""
    return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _known(relation: str) -> bool:
    """A relation of the classifier may be one that there is not: then its name is the asker's own word."""
    name = _DONE.sub("", relation)
    return 0 < len(name) <= LONGEST and all(plain_name(part) for part in name.split("."))


def _texts(found: object) -> Sequence[str]:
    return [each for each in found if isinstance(each, str)] if isinstance(found, list | tuple) else []


def _listed(names: Iterable[str]) -> str:
    several = list(names)
    more = len(several) - MOST_NAMES
    return clean(", ".join(several[:MOST_NAMES]) + (f" and {more} more" if more > 0 else ""), 900)
