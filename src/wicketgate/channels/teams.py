"""A notice as an Adaptive Card (1.4), for a Teams workflow that posts what a webhook brings. Pure.
What others wrote must never be read as Markdown, a mention or a macro: it stands in text runs alone.

A workflow's webhook goes one way: a card can't be changed later, and answers go through its link.
"""

import json
from typing import Any, Final

from wicketgate.channels.notice import NOT_ALL, Notice, moment

LARGEST: Final = 28_000
"""Bytes of a message that Teams takes."""
VERSION: Final = "1.4"
_STATEMENT_MOST: Final = 1500
_LINES_MOST: Final = 40


def card(notice: Notice) -> dict[str, Any]:
    """The card, as JSON values."""
    body: list[dict[str, Any]] = [_run((notice.title, {"weight": "bolder", "size": "medium"}))]
    for label, text in notice.facts.items():
        body.append(_run((f"{label}: ", {"weight": "bolder"}), (text, {})))
    if notice.statement is not None:
        text = notice.statement
        shown = text if len(text) <= _STATEMENT_MOST else text[:_STATEMENT_MOST] + "…"
        lines = shown.split("\n")
        for line in lines[:_LINES_MOST]:
            body.append(_run((line or " ", {"fontType": "monospace"})))
        if notice.unseen or shown is not text or len(lines) > _LINES_MOST:
            body.append(_run((NOT_ALL, {"weight": "bolder"})))
    if notice.expires is not None and notice.open:
        body.append(_run((f"Until {moment(notice.expires)}", {"isSubtle": True})))
    body.append(_run((f"Review {notice.review}", {"isSubtle": True, "size": "small"})))
    title = "Review and answer" if notice.open else "See it"
    return {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": VERSION,
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": title, "url": notice.link}] if notice.link else [],
        "msteams": {"width": "Full"},
    }


def request(notice: Notice) -> tuple[dict[str, str], bytes]:
    """Headers and body of a message with the card attached."""
    made = card(notice)
    body = _message(made)
    if len(body) > LARGEST:  # only a text with nothing but escapes comes here
        made["body"] = [made["body"][0], made["body"][-1]]
        body = _message(made)
    return {"content-type": "application/json; charset=utf-8"}, body


def _message(made: dict[str, Any]) -> bytes:
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": made,
    }
    message = {"type": "message", "attachments": [attachment]}
    return json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def _run(*pieces: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """A line of text runs: these know no Markdown. Macros and tags are broken up all the same."""
    return {
        "type": "RichTextBlock",
        "inlines": [{"type": "TextRun", "text": plain(text), **style} for text, style in pieces],
    }


def plain(text: str) -> str:
    return text.replace("<", "‹").replace(">", "›").replace("{{", "{ {").replace("}}", "} }") or " "
