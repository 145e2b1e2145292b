"""Reads what Slack sends when somebody presses a button or submits the modal. Pure, but for what it is given.
It must never believe a body before its signature, nor a review's id that this channel has not told of.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from wicketgate.channels import slack
from wicketgate.channels.settings import Channel
from wicketgate.model.chat import Forged, Press, Step
from wicketgate.model.review import SCOPES, Conditions

_USER: Final = re.compile(r"[UW][A-Z0-9]{2,20}")
_REVIEW: Final = re.compile(r"[0-9A-Z]{26}")
_STAMP: Final = re.compile(r"[0-9]{1,12}\.[0-9]{1,9}")
_TRIGGER: Final = re.compile(r"[0-9a-f.]{1,200}")
_NUMBER: Final = re.compile(r"[0-9]{1,10}")


def read(channel: Channel, body: bytes) -> Press | None:
    """What somebody did; None: nothing that is ours. Raises Forged for what is not from this channel's
    workspace, or not as Slack's reference has it."""
    try:
        pairs = parse_qsl(body.decode("ascii"), strict_parsing=True, max_num_fields=2)
        [(name, text)] = pairs
        payload = json.loads(text)
    except (ValueError, RecursionError):
        raise Forged("it is no form with one payload") from None
    if name != "payload" or not isinstance(payload, dict):
        raise Forged("it is no form with one payload")
    team, user = _text(payload, "team", "id"), _text(payload, "user", "id")
    if team != channel.settings.team or _text(payload, "user", "team_id") not in ("", team):
        raise Forged("it is of another workspace")
    if not _USER.fullmatch(user):
        raise Forged("it names no user")
    if payload.get("type") == "block_actions":
        return _pressed(channel, payload, user)
    if payload.get("type") == "view_submission":
        return _submitted(channel, payload, user)
    return None


def _pressed(channel: Channel, payload: Mapping[str, Any], user: str) -> Press | None:
    actions = payload.get("actions")
    action = actions[0] if isinstance(actions, list) and len(actions) == 1 else None
    if not isinstance(action, dict):
        raise Forged("it has not one action")
    if action.get("action_id") not in (slack.APPROVE, slack.DENY):
        return None  # a link, or something in a modal
    if _text(payload, "container", "type") != "message":
        raise Forged("the button is in no message")
    where, stamp = _text(payload, "container", "channel_id"), _text(payload, "container", "message_ts")
    if where != channel.settings.channel or not _STAMP.fullmatch(stamp):
        raise Forged("the message is in another channel")
    review, trigger = action.get("value"), payload.get("trigger_id")
    if not isinstance(review, str) or not _REVIEW.fullmatch(review):
        raise Forged("the button has no review's id")
    if not isinstance(trigger, str) or not _TRIGGER.fullmatch(trigger):
        raise Forged("it has no trigger")
    approves = action["action_id"] == slack.APPROVE
    return Press(Step.BEGUN, user, review, approves, f"{where} {stamp}", trigger)


def held(channel: Channel, press: Press) -> dict[str, str]:
    """What the modal brings back."""
    return {
        "channel": channel.name,
        "review": press.review,
        "answer": "approve" if press.approves else "deny",
        "place": press.place,
        "user": press.user,
    }


def _submitted(channel: Channel, payload: Mapping[str, Any], user: str) -> Press | None:
    view = payload.get("view")
    if not isinstance(view, dict) or view.get("callback_id") != slack.ANSWER:
        return None
    if view.get("team_id") != channel.settings.team:
        raise Forged("the modal is of another workspace")
    try:
        kept = json.loads(view["private_metadata"])
        review, place, answer = str(kept["review"]), str(kept["place"]), kept["answer"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Forged("the modal is none of ours") from None
    if kept.get("channel") != channel.name or place.partition(" ")[0] != channel.settings.channel:
        raise Forged("the modal is of another channel")
    if kept.get("user") != user:
        raise Forged("the modal was opened by somebody else")
    if answer not in ("approve", "deny") or not _REVIEW.fullmatch(review):
        raise Forged("the modal is none of ours")
    state = view.get("state")
    values = state.get("values") if isinstance(state, dict) else None
    if not isinstance(values, dict):
        raise Forged("the modal has no values")
    comment = _value(values, slack.COMMENT)
    if len(comment) > slack.LONGEST_COMMENT:
        raise Forged("the comment is longer than the modal takes")
    scope = _value(values, slack.SCOPE) or "once"
    if scope not in SCOPES:
        raise Forged("the modal has no such scope")
    minutes, rows = _number(values, slack.MINUTES), _number(values, slack.ROWS)
    approves = answer == "approve"
    conditions = Conditions(scope, minutes, rows) if approves else Conditions()
    return Press(Step.GIVEN, user, review, approves, place, "", comment, conditions)


def _text(payload: Mapping[str, Any], outer: str, inner: str) -> str:
    """Of an object in an object; empty where it is not there."""
    found = payload.get(outer)
    text = found.get(inner) if isinstance(found, dict) else None
    return text if isinstance(text, str) else ""


def _value(values: Mapping[str, Any], block: str) -> str:
    """What an input of the modal holds; empty: nothing."""
    found = values.get(block)
    found = found.get(slack.VALUE) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        return ""
    option = found.get("selected_option")
    text = option.get("value") if isinstance(option, dict) else found.get("value")
    return text if isinstance(text, str) else ""


def _number(values: Mapping[str, Any], block: str) -> int | None:
    text = _value(values, block)
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise Forged("a number of the modal is none")
    return int(text)
