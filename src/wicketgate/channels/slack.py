"""A notice in Slack's Block Kit: the message in the channel, and the modal in which somebody answers. Pure.
What others wrote must never ping, link or format: it stands in plain text and in literal rich text alone.

Lengths and counts are those of Slack's reference (docs.slack.dev/reference/block-kit).
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from wicketgate.channels.notice import NOT_ALL, Notice, clean, moment

APPROVE: Final = "wicket_approve"
DENY: Final = "wicket_deny"
OPEN: Final = "wicket_open"
ANSWER: Final = "wicket_answer"
"""The modal's callback_id."""
COMMENT: Final = "comment"
SCOPE: Final = "scope"
MINUTES: Final = "minutes"
ROWS: Final = "rows"
VALUE: Final = "value"
"""The action_id of each of the modal's inputs; above, their block_ids."""
LONGEST_COMMENT: Final = 1000
_SCOPES: Final = {
    "once": "This very statement, once",
    "session": "This very statement, in this session",
    "shape": "Statements of this shape, for a while",
}


def escaped(text: str) -> str:
    """Slack's three control characters written out."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def message(notice: Notice) -> dict[str, Any]:
    """What chat.postMessage and chat.update take beside `channel` and `ts`."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(notice.title, 150)},
    ]
    facts = list(notice.facts.items())
    for start in range(0, len(facts), 10):
        fields = [_plain(f"{label}\n{text}", 1900) for label, text in facts[start : start + 10]]
        blocks.append({"type": "section", "fields": fields})
    if notice.statement is not None:
        blocks.append(
            {
                "type": "rich_text",
                "elements": [
                    {
                        "type": "rich_text_preformatted",
                        "elements": [{"type": "text", "text": notice.statement[:2900]}],
                    }
                ],
            }
        )
    if notice.unseen:
        blocks.append({"type": "header", "text": _plain(NOT_ALL, 150)})
    until = f" · until {moment(notice.expires)}" if notice.open and notice.expires is not None else ""
    blocks.append({"type": "context", "elements": [_plain(f"Review {notice.review}{until}", 300)]})
    if elements := _buttons(notice):
        blocks.append({"type": "actions", "block_id": "wicket", "elements": elements})
    return {
        # shown in notifications: our own words alone
        "text": escaped(f"{notice.title} ({notice.review})"),
        "blocks": blocks,
        "parse": "none",
        "link_names": False,
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _buttons(notice: Notice) -> list[dict[str, Any]]:
    link = {"type": "button", "action_id": OPEN, "text": _plain("Open", 75), "url": notice.link}
    links = [link] if notice.link else []
    if not notice.answerable:
        return links
    closes = notice.kind == "after"
    approve = {
        "type": "button",
        "action_id": APPROVE,
        "text": _plain("Close…" if closes else "Approve…", 75),
        "style": "primary",
        "value": notice.review,
    }
    deny = {
        "type": "button",
        "action_id": DENY,
        "text": _plain("Deny…", 75),
        "style": "danger",
        "value": notice.review,
    }
    return [approve, *links] if closes else [approve, deny, *links]


def modal(notice: Notice, approves: bool, held: Mapping[str, str]) -> dict[str, Any]:
    """The view in which an answer is given. held: comes back with it (private_metadata)."""
    verb = "Deny" if not approves else "Close" if notice.kind == "after" else "Approve"
    blocks: list[dict[str, Any]] = [
        {"type": "section", "text": _plain(f"{notice.title}\nReview {notice.review}", 300)},
        {
            "type": "section",
            "fields": [
                _plain(f"{label}\n{text}", 500)
                for label, text in notice.facts.items()
                if label in ("Asked by", "On behalf of", "Resource", "Effects", "Relations", "Rule")
            ]
            or [_plain("Nothing of it is shown here.", 100)],
        },
        {
            "type": "input",
            "block_id": COMMENT,
            "optional": True,
            "label": _plain("Comment", 100),
            "element": {
                "type": "plain_text_input",
                "action_id": VALUE,
                "multiline": True,
                "max_length": LONGEST_COMMENT,
            },
        },
    ]
    if approves and notice.kind == "statement":
        blocks += _conditions()
    return {
        "type": "modal",
        "callback_id": ANSWER,
        "private_metadata": json.dumps(dict(held), separators=(",", ":")),
        "title": _plain("Answer a review", 24),
        "submit": _plain(verb, 24),
        "close": _plain("Not now", 24),
        "blocks": blocks,
    }


def _conditions() -> list[dict[str, Any]]:
    options = [{"text": _plain(text, 75), "value": value} for value, text in _SCOPES.items()]
    numbers = [
        (MINUTES, "For how many minutes (of a shape)", 1440),
        (ROWS, "At most so many rows", 1_000_000_000),
    ]
    return [
        {
            "type": "input",
            "block_id": SCOPE,
            "label": _plain("How far the approval goes", 100),
            "element": {
                "type": "static_select",
                "action_id": VALUE,
                "options": options,
                "initial_option": options[0],
            },
        },
        *(
            {
                "type": "input",
                "block_id": block,
                "optional": True,
                "label": _plain(label, 100),
                "element": {
                    "type": "number_input",
                    "action_id": VALUE,
                    "is_decimal_allowed": False,
                    "min_value": "1",
                    "max_value": str(most),
                },
            }
            for block, label, most in numbers
        ),
    ]


def told(text: str, link: str = "") -> dict[str, Any]:
    """A view that says something, with the link where the review can be answered instead."""
    blocks: list[dict[str, Any]] = [{"type": "section", "text": _plain(text, 1000)}]
    if link:
        button = {"type": "button", "action_id": OPEN, "text": _plain("Open in the browser", 75), "url": link}
        blocks.append({"type": "actions", "elements": [button]})
    return {
        "type": "modal",
        "callback_id": "wicket_told",
        "title": _plain("Review", 24),
        "close": _plain("Close", 24),
        "blocks": blocks,
    }


def _plain(text: str, most: int) -> dict[str, Any]:
    """A text object in which nothing is read: no formatting, no mention, no emoji, no link."""
    # what is escaped is longer: it is cut before, and never within
    made = "\n".join(clean(line, most) for line in text.split("\n"))
    while len(escaped(made)) > most:
        made = made[: len(made) - (len(escaped(made)) - most + 4) // 5 - 1] + "…"
    return {"type": "plain_text", "text": escaped(made) or " ", "emoji": False}
