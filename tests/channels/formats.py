"""The published formats of Slack and Teams, as far as we use them: what a stand-in refuses.

Slack: docs.slack.dev/reference/block-kit (text object, header, section, context, actions, input, rich text,
button, static select, number and plain text input, modal view). Teams: adaptivecards.io's schema 1.4.
"""

from collections.abc import Iterator
from typing import Any

from jsonschema_rs import validator_for

_TEXT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["type", "text", "emoji"],
    "properties": {
        "type": {"const": "plain_text"},
        "text": {"type": "string", "minLength": 1, "maxLength": 3000},
        "emoji": {"type": "boolean"},
    },
}


def _text(most: int) -> dict[str, Any]:
    return {
        **_TEXT,
        "properties": {**_TEXT["properties"], "text": {"type": "string", "minLength": 1, "maxLength": most}},
    }  # type: ignore[dict-item]


def _made(kind: str, required: list[str], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["type", *required],
        "properties": {"type": {"const": kind}, **properties},
    }


_ID = {"type": "string", "minLength": 1, "maxLength": 255}
_BUTTON = _made(
    "button",
    ["action_id", "text"],
    action_id=_ID,
    text=_text(75),
    value={"type": "string", "maxLength": 2000},
    url={"type": "string", "maxLength": 3000},
    style={"enum": ["primary", "danger"]},
)
_OPTION = {
    "type": "object",
    "additionalProperties": False,
    "required": ["text", "value"],
    "properties": {"text": _text(75), "value": {"type": "string", "maxLength": 150}},
}
_ELEMENTS = {
    "oneOf": [
        _made(
            "plain_text_input",
            ["action_id"],
            action_id=_ID,
            multiline={"type": "boolean"},
            max_length={"type": "integer", "minimum": 1, "maximum": 3000},
        ),
        _made(
            "static_select",
            ["action_id", "options"],
            action_id=_ID,
            options={"type": "array", "minItems": 1, "maxItems": 100, "items": _OPTION},
            initial_option=_OPTION,
        ),
        _made(
            "number_input",
            ["action_id", "is_decimal_allowed"],
            action_id=_ID,
            is_decimal_allowed={"type": "boolean"},
            min_value={"type": "string"},
            max_value={"type": "string"},
        ),
    ]
}
_BLOCKS = [
    _made("header", ["text"], text=_text(150)),
    _made(
        "section",
        [],
        text=_text(3000),
        fields={"type": "array", "minItems": 1, "maxItems": 10, "items": _text(2000)},
    ),
    _made("context", ["elements"], elements={"type": "array", "minItems": 1, "maxItems": 10, "items": _TEXT}),
    _made(
        "actions",
        ["elements"],
        block_id=_ID,
        elements={"type": "array", "minItems": 1, "maxItems": 25, "items": _BUTTON},
    ),
    _made(
        "rich_text",
        ["elements"],
        elements={
            "type": "array",
            "items": _made(
                "rich_text_preformatted",
                ["elements"],
                elements={
                    "type": "array",
                    "items": _made(
                        "text", ["text"], text={"type": "string", "minLength": 1, "maxLength": 3000}
                    ),
                },
            ),
        },
    ),
    _made(
        "input",
        ["label", "element"],
        block_id=_ID,
        optional={"type": "boolean"},
        label=_text(2000),
        element=_ELEMENTS,
    ),
]
_MESSAGE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["channel", "text", "blocks", "parse", "link_names"],
    "properties": {
        "channel": {"type": "string", "pattern": "^[CGD][A-Z0-9]+$"},
        "ts": {"type": "string"},
        "text": {"type": "string", "minLength": 1, "maxLength": 4000},
        "blocks": {"type": "array", "maxItems": 50, "items": {"oneOf": _BLOCKS}},
        "parse": {"const": "none"},
        "link_names": {"const": False},
        "mrkdwn": {"const": False},
        "unfurl_links": {"const": False},
        "unfurl_media": {"const": False},
    },
}
_VIEW = {
    "type": "object",
    "additionalProperties": False,
    "required": ["type", "title", "blocks"],
    "properties": {
        "type": {"const": "modal"},
        "callback_id": _ID,
        "private_metadata": {"type": "string", "maxLength": 3000},
        "title": _text(24),
        "submit": _text(24),
        "close": _text(24),
        "blocks": {"type": "array", "maxItems": 100, "items": {"oneOf": _BLOCKS}},
    },
}
_CARD = {
    "type": "object",
    "additionalProperties": False,
    "required": ["$schema", "type", "version", "body", "actions", "msteams"],
    "properties": {
        "$schema": {"const": "http://adaptivecards.io/schemas/adaptive-card.json"},
        "type": {"const": "AdaptiveCard"},
        "version": {"const": "1.4"},
        "msteams": {"const": {"width": "Full"}},
        "body": {
            "type": "array",
            "minItems": 1,
            "items": _made(
                "RichTextBlock",
                ["inlines"],
                inlines={
                    "type": "array",
                    "minItems": 1,
                    "items": _made(
                        "TextRun",
                        ["text"],
                        text={"type": "string", "minLength": 1},
                        weight={"enum": ["lighter", "default", "bolder"]},
                        size={"enum": ["default", "small", "medium", "large", "extraLarge"]},
                        fontType={"enum": ["default", "monospace"]},
                        isSubtle={"type": "boolean"},
                    ),
                },
            ),
        },
        "actions": {
            "type": "array",
            "items": _made(
                "Action.OpenUrl",
                ["url"],
                title={"type": "string"},
                url={"type": "string", "format": "uri", "pattern": "^https://"},
            ),
        },
    },
}
_POSTED = {
    "type": "object",
    "additionalProperties": False,
    "required": ["type", "attachments"],
    "properties": {
        "type": {"const": "message"},
        "attachments": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["contentType", "content"],
                "properties": {
                    "contentType": {"const": "application/vnd.microsoft.card.adaptive"},
                    "contentUrl": {"type": "null"},
                    "content": _CARD,
                },
            },
        },
    },
}
_CLOUD_EVENT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "minLength": 1, "format": "uri-reference"},
        "type": {"type": "string", "pattern": r"^org\.wicketgate\.[a-z.-]+$"},
        "subject": {"type": "string", "minLength": 1},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "data": {"type": "object"},
    },
}

MESSAGE, VIEW, POSTED = (validator_for(each) for each in (_MESSAGE, _VIEW, _POSTED))
CLOUD_EVENT = validator_for(_CLOUD_EVENT, validate_formats=True)


def texts(value: Any) -> Iterator[str]:
    """Every string in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


def check_slack_message(sent: Any) -> None:
    MESSAGE.validate(sent)
    ids = [
        each["action_id"]
        for block in sent["blocks"]
        for each in block.get("elements", [])
        if "action_id" in each
    ]
    assert len(ids) == len(set(ids)), "action ids are told apart within a block"
    _nothing_pings(sent)


def check_slack_view(sent: Any) -> None:
    VIEW.validate(sent)
    ids = [each["block_id"] for each in sent["blocks"] if "block_id" in each]
    assert len(ids) == len(set(ids))
    assert any(each["type"] == "input" for each in sent["blocks"]) == ("submit" in sent)
    _nothing_pings(sent)


def _nothing_pings(sent: Any) -> None:
    """No text that Slack reads holds its control characters; literal rich text may."""
    assert "<" not in sent.get("text", "")
    for block in sent["blocks"]:
        if block["type"] != "rich_text":
            for text in texts(block):
                assert "<" not in text
                assert ">" not in text


def check_teams(sent: Any) -> None:
    POSTED.validate(sent)
    for text in texts(sent["attachments"][0]["content"]["body"]):
        assert not any(each in text for each in ("<", ">", "{{", "}}"))


def check_cloud_event(sent: Any) -> None:
    CLOUD_EVENT.validate(sent)
