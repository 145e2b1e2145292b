"""Slack, played on a real socket: its Web API as far as we use it, strict about its published formats;
and what it sends when people press buttons."""

import asyncio
import hashlib
import hmac
import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from channels.formats import check_slack_message, check_slack_view, texts
from channels.stage import Received, receiving

TEAM, CHANNEL, TOKEN = "T0123", "C0123", "xoxb-t0ken"
SIGNING = b"8f742231b10e8888abcd99yyyzzz85a5"
_COUNT = itertools.count(1)
"""Nothing that Slack sends is ever the same twice."""


def member(user: str, email: str, **more: Any) -> dict[str, Any]:
    """An ordinary one, as users.info tells of him (with the scope users:read.email)."""
    return {
        "id": user,
        "team_id": TEAM,
        "deleted": False,
        "is_bot": False,
        "is_app_user": False,
        "is_restricted": False,
        "is_ultra_restricted": False,
        "is_email_confirmed": True,
        "profile": {"email": email},
        **more,
    }


@dataclass
class SlackPlayed:
    """members: by id. messages: by ts, as they are now. views: that were opened, by trigger."""

    members: dict[str, dict[str, Any]] = field(default_factory=dict)
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    views: list[dict[str, Any]] = field(default_factory=list)
    called: list[str] = field(default_factory=list)
    faults: list[BaseException] = field(default_factory=list)
    answers: list[web.Response] = field(default_factory=list)
    address: str = ""
    ca: Path = Path()

    async def take(self, received: Received) -> web.StreamResponse:
        method = received.path.removeprefix("/api/")
        self.called.append(method)
        if self.answers:
            return self.answers.pop(0)
        try:
            assert received.method == "POST"
            if received.headers.get("authorization") != f"Bearer {TOKEN}":
                return web.json_response({"ok": False, "error": "invalid_auth"})
            return web.json_response(self._answer(method, received))
        except BaseException as fault:
            self.faults.append(fault)
            return web.json_response({"ok": False, "error": "invalid_arguments"})

    def _answer(self, method: str, received: Received) -> dict[str, Any]:
        if method == "users.info":
            assert received.headers["content-type"] == "application/x-www-form-urlencoded"
            found = self.members.get(received.form["user"])
            return {"ok": False, "error": "user_not_found"} if found is None else {"ok": True, "user": found}
        assert received.headers["content-type"] == "application/json; charset=utf-8"
        sent = received.json
        if method == "views.open":
            assert set(sent) == {"trigger_id", "view"}
            check_slack_view(sent["view"])
            self.views.append(sent["view"])
            return {"ok": True, "view": {"id": "V1", **sent["view"]}}
        check_slack_message(sent)
        if method == "chat.postMessage":
            stamp = f"{1700000000 + len(self.messages)}.000100"
            self.messages[stamp] = sent
            return {"ok": True, "channel": sent["channel"], "ts": stamp, "message": {}}
        assert method == "chat.update"
        if sent["ts"] not in self.messages:
            return {"ok": False, "error": "message_not_found"}
        self.messages[sent["ts"]] = sent
        return {"ok": True, "channel": sent["channel"], "ts": sent["ts"]}

    def stamp_of(self, review: str, channel: str = CHANNEL) -> str:
        """Where the message of a review stands, once it does."""
        for _ in range(1000):
            for stamp, sent in list(self.messages.items()):
                if review in sent["text"] and sent["channel"] == channel:
                    return stamp
            time.sleep(0.01)
        raise AssertionError(f"nothing was told of {review}: {self.called} {self.faults}")

    def until(self, review: str, words: str) -> None:
        """Its message says this, at last."""
        stamp = self.stamp_of(review)
        for _ in range(1000):
            if words in "\n".join(texts(self.messages[stamp])):
                return
            time.sleep(0.01)
        raise AssertionError("\n".join(texts(self.messages[stamp])))


@contextmanager
def slack_played(folder: Path) -> Iterator[SlackPlayed]:
    """On a thread of its own."""
    played = SlackPlayed()
    ready, ended = threading.Event(), threading.Event()

    async def run() -> None:
        async with receiving(folder) as receiver:
            receiver.answer = played.take
            played.address, played.ca = f"{receiver.address}/api", receiver.ca
            ready.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield played
    finally:
        ended.set()
        thread.join(10)


def pressed(
    review: str, place: str, user: str, action: str = "wicket_approve", **more: Any
) -> dict[str, Any]:
    """The payload of a button (type block_actions)."""
    return {
        "type": "block_actions",
        "team": {"id": TEAM, "domain": "example"},
        "user": {"id": user, "team_id": TEAM, "username": "somebody"},
        "api_app_id": "A0123",
        "container": {"type": "message", "message_ts": place, "channel_id": CHANNEL, "is_ephemeral": False},
        "channel": {"id": CHANNEL, "name": "reviews"},
        "trigger_id": f"13345224609.{next(_COUNT)}.8088930838d88f008e0",
        "actions": [{"type": "button", "action_id": action, "block_id": "wicket", "value": review}],
        **more,
    }


def submitted(
    view: dict[str, Any], user: str, values: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """The payload of a modal (type view_submission). values: block -> what was put in."""
    state = {}
    for block, value in (values or {}).items():
        kind = {"scope": "static_select", "comment": "plain_text_input"}.get(block, "number_input")
        held = {"selected_option": {"value": value}} if block == "scope" else {"value": value}
        state[block] = {"value": {"type": kind, **held}}
    return {
        "type": "view_submission",
        "team": {"id": TEAM, "domain": "example"},
        "user": {"id": user, "team_id": TEAM},
        "view": {
            "id": "V1",
            "hash": f"156772938.{next(_COUNT)}",
            "team_id": TEAM,
            "type": "modal",
            "callback_id": view["callback_id"],
            "private_metadata": view.get("private_metadata", ""),
            "state": {"values": state},
        },
        **more,
    }


def signed(body: bytes, secret: bytes = SIGNING, at: int | None = None) -> dict[str, str]:
    """Slack's headers."""
    stamp = str(int(time.time()) if at is None else at)
    made = hmac.new(secret, b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": f"v0={made}",
    }


def form(payload: Any) -> bytes:
    return urlencode({"payload": json.dumps(payload)}).encode()
