"""Slack's Web API, as far as channels need it. It must never put a token, or what Slack answers, into an
error: of an answer that says no, its code alone is told.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from wicketgate.channels.settings import SLACK
from wicketgate.channels.wire import Unsent, Wire
from wicketgate.model.secret import Secret

_AGAIN: Final = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
)
_CODE: Final = re.compile(r"[a-z_]{1,60}")
_FORMS: Final = frozenset({"users.info", "auth.test"})
"""Methods that take no JSON."""


class SaidNo(Unsent):
    """Slack answered, and did not do it. code: its own word for why."""

    def __init__(self, method: str, code: str) -> None:
        super().__init__(f"Slack says {code} to {method}", again=code in _AGAIN)
        self.code = code


class SlackApi:
    """One workspace's. base: where its methods are; None: at Slack's own address."""

    def __init__(self, wire: Wire, base: str | None) -> None:
        self._wire = wire
        self._base = (base or SLACK).rstrip("/")

    async def call(self, method: str, token: Secret, sent: Mapping[str, Any]) -> Mapping[str, Any]:
        """What Slack answers. Raises Unsent."""
        if method in _FORMS:
            kind, body = "application/x-www-form-urlencoded", urlencode(dict(sent)).encode("ascii")
        else:
            kind = "application/json; charset=utf-8"
            body = json.dumps(dict(sent), ensure_ascii=True, separators=(",", ":")).encode("ascii")
        try:
            bearer = token.reveal().strip().decode("ascii")
        except UnicodeDecodeError:
            raise Unsent("the token is none of Slack's", again=True) from None
        if not bearer.isprintable() or " " in bearer:
            raise Unsent("the token is none of Slack's", again=True)
        reply = await self._wire.post(
            f"{self._base}/{method}", {"authorization": f"Bearer {bearer}", "content-type": kind}, body
        )
        try:
            found = json.loads(reply.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise Unsent(f"Slack's answer to {method} is no JSON object", again=True)
        if found.get("ok") is not True:
            code = str(found.get("error"))
            raise SaidNo(method, code if _CODE.fullmatch(code) else "no")
        return found
