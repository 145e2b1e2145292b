"""Reviews and votes as rows, and back. It must never make a review of a row that does not read as one,
nor open a text in the place of another's.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from wicketgate.model.errors import Unreadable
from wicketgate.model.review import Asker, Conditions, Kind, Panel, Review, Status, Vote, folded


class Cipher(Protocol):
    """custody.seal.Cipher. context: what a text is bound to."""

    def close(self, clear: bytes, context: bytes) -> bytes: ...
    def open(self, closed: bytes, context: bytes) -> bytes:
        """Raises GatewayError."""
        ...


class Seal(Protocol):
    """custody.seal.Sealing."""

    async def cipher(self) -> Cipher:
        """Raises GatewayError where the key is not at hand."""
        ...


def row_of(cipher: Cipher | None, review: Review) -> dict[str, Any]:
    """A review's row, without its votes. cipher None: only for its columns in clear."""
    asker = review.asker
    row: dict[str, Any] = {
        "id": review.id,
        "kind": review.kind.value,
        "status": review.status.value,
        "identity": asker.identity,
        "task": asker.task,
        "asker": {
            "kind": asker.kind,
            "behalf": asker.behalf,
            "agent": asker.agent,
            "crew": asker.crew,
            "purpose": asker.purpose,
        },
        "panels": [
            {
                "rule": each.rule,
                "names": sorted(each.names),
                "groups": sorted(each.groups),
                "quorum": each.quorum,
                "all_groups": each.all_groups,
            }
            for each in review.panels
        ],
        "conditions": _conditions(review.conditions),
        "changes": 0,
    }
    for name in ("resource", "database", "account", "exact", "shape", "mode", "node", "session", "created"):
        row[name] = getattr(review, name)
    for name in ("expires", "usable_until", "ended", "ended_by", "message"):
        row[name] = getattr(review, name)
    if cipher is not None:
        told: dict[str, Any] = {
            "shown": None if review.shown is None else dict(review.shown),
            "reason": review.reason,
        }
        if review.usable is not None:
            told["usable"] = review.usable
        row["sealed"] = cipher.close(_text(told), _context(review))
    return row


def vote_row(cipher: Cipher, review: str, vote: Vote) -> dict[str, Any]:
    """A vote's row. Its voter is the person's name, folded: one row for whoever it is."""
    voter = folded(vote.person)
    return {
        "review": review,
        "voter": voter,
        "person": vote.person,
        "approves": int(vote.approves),
        "at": vote.at,
        "person_groups": sorted(vote.groups),
        "conditions": _conditions(vote.conditions),
        "comment": cipher.close(_text(vote.comment), _vote_context(review, voter)),
    }


def of_row(row: Any, votes: Sequence[Any], cipher: Cipher | None) -> Review:
    """The review. cipher None: it is not opened. Raises Unreadable for rows that are none of ours."""
    try:
        review = Review(
            id=row.id,
            kind=Kind(row.kind),
            status=Status(row.status),
            asker=Asker(row.identity, task=row.task, **row.asker),
            resource=row.resource,
            database=row.database,
            account=row.account,
            panels=tuple(_panel(each) for each in row.panels),
            exact=row.exact,
            shape=row.shape,
            mode=row.mode,
            created=row.created,
            expires=row.expires,
            node=row.node,
            session=row.session,
            message=row.message,
            votes=tuple(_vote(each, cipher) for each in votes),
            conditions=Conditions(**row.conditions),
            usable_until=row.usable_until,
            ended=row.ended,
            ended_by=row.ended_by,
        )
        if cipher is None:
            return review
        told = json.loads(cipher.open(bytes(row.sealed), _context(review)))
        return _with(review, told)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unreadable("a review in the store does not read as one", type(error).__name__) from None


def _with(review: Review, told: Mapping[str, Any]) -> Review:
    usable = told.get("usable")
    return replace(
        review,
        shown=told["shown"],
        reason=str(told["reason"]),
        usable=None if usable is None else int(usable),
    )


def _panel(told: Mapping[str, Any]) -> Panel:
    return Panel(
        str(told["rule"]),
        frozenset(told["names"]),
        frozenset(told["groups"]),
        int(told["quorum"]),
        bool(told["all_groups"]),
    )


def _vote(row: Any, cipher: Cipher | None) -> Vote:
    comment = ""
    if cipher is not None:
        comment = str(json.loads(cipher.open(bytes(row.comment), _vote_context(row.review, row.voter))))
    groups = frozenset(row.person_groups)
    return Vote(row.person, groups, bool(row.approves), row.at, comment, Conditions(**row.conditions))


def _conditions(conditions: Conditions) -> dict[str, Any]:
    return {
        "scope": conditions.scope,
        "minutes": conditions.minutes,
        "rows": conditions.rows,
        "account": conditions.account,
    }


def _context(review: Review) -> bytes:
    """A review's text is bound to what an approval of it is bound to: no other statement is shown for it."""
    return f"wicketgate review 1\0{review.id}\0{review.exact}\0{review.shape}".encode("utf-8", "replace")


def _vote_context(review: str, voter: str) -> bytes:
    return f"wicketgate vote 1\0{review}\0{voter}".encode("utf-8", "replace")


def _text(told: Any) -> bytes:
    return json.dumps(told, ensure_ascii=True, separators=(",", ":")).encode("ascii")
