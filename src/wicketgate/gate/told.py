"""What clients are told of reviews: for people, and in one line of JSON for programs.
It must never say that something may go.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from wicketgate.model.decision import Denial
from wicketgate.model.terms import Terms

RETRY_AFTER: Final = 15
"""Seconds that a client is told to wait before it tries again."""
LONGEST_REASON: Final = 500


@dataclass(frozen=True, slots=True)
class Told:
    """What the control process says of a review. expires: wall ns. passes: the statement may go."""

    review: str
    status: str
    expires: int
    link: str
    by: str
    reason: str
    passes: bool
    rows: int | None

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Told":
        """Raises KeyError, TypeError, ValueError."""
        rows = body["conditions"].get("rows")
        return cls(
            str(body["review"]),
            str(body["status"]),
            int(body["expires"]),
            str(body["link"]),
            str(body["by"]),
            str(body["reason"]),
            body["passes"] is True,
            None if rows is None else int(rows),
        )


def waits(terms: Terms, told: Told, now: int) -> tuple[str, str, str]:
    """Message, hint and detail for a client that is held."""
    message = f"waiting for a review (asked for by {_quoted(terms.rules)}): {told.review}"
    hint = f"Who may approve: {terms.seats()}. Until {_time(told.expires)}. {told.link}"
    if terms.message:
        hint = f"{hint} {terms.message}"
    return message, hint, _detail(terms, told, "waits", now, ())


def denial(terms: Terms, told: Told, now: int, others: Sequence[str] = ()) -> Denial:
    """Why it does not go now. others: reviews that wait, too, before it may."""
    rules = terms.rules
    hint = terms.message or None
    if told.status == "pending":
        message = f"{_quoted(rules)} asks for a review before this may run"
        also = f" All of these are asked for: {', '.join((told.review, *others))}." if others else ""
        hint = (
            f"Who may approve: {terms.seats()}.{also} Wait with `wicket review wait {told.review}`,"
            f" then send the same statement again. {terms.message}"
        ).rstrip()
        why = f"asked for by {', '.join(rules)}"
    elif told.status == "denied":
        message = f"this statement was denied in a review ({told.review})"
        why = told.reason or told.by
    elif told.status == "expired":
        message = f"nobody answered the review in time ({told.review})"
        why = "nobody answered in time"
    else:
        message = f"the review of this statement is {told.status} ({told.review})"
        why = told.by
    cause = f"review {told.review}: {told.status}, {told.by}"
    detail = _detail(terms, told, why, now, others)
    return Denial("review", message, cause, hint, rules, detail, told.review)


def _detail(terms: Terms, told: Told, reason: str, now: int, others: Sequence[str]) -> str:
    left = max(0, (told.expires - now) // 1_000_000_000)
    return orjson.dumps(
        {
            "review": told.review,
            "status": told.status,
            "retry_after": min(RETRY_AFTER, left) if told.status == "pending" else None,
            "expires": _time(told.expires),
            "reason": reason[:LONGEST_REASON],
            "alternatives": [terms.message] if terms.message else [],
            "link": told.link,
            "others": list(others),
        }
    ).decode()


def _quoted(names: tuple[str, ...]) -> str:
    quoted = [f'"{name}"' for name in names]
    return f"rule {quoted[0]}" if len(quoted) == 1 else f"rules {', '.join(quoted)}"


def _time(wall: int) -> str:
    return datetime.datetime.fromtimestamp(wall // 1_000_000_000, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
