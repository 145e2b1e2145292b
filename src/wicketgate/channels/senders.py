"""Sends one notice to one channel, by the channel's kind. Secrets are fetched for each, and let go of.
It must never decide whether to try again: it says what happened.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from wicketgate.channels import slack, teams, webhook
from wicketgate.channels.notice import Notice
from wicketgate.channels.ports import Fetch, Rows
from wicketgate.channels.settings import Channel, Lies, check_address
from wicketgate.channels.signatures import key_of
from wicketgate.channels.slack_api import SaidNo, SlackApi
from wicketgate.channels.wire import Unsent, Wire
from wicketgate.model.errors import GatewayError
from wicketgate.model.secret import Secret

_GONE: Final = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
"""Slack's words for a message that can't be changed any more: a new one is written."""


class Sender(Protocol):
    """One channel's way. Raises Unsent."""

    async def send(self, notice: Notice) -> None: ...


async def secret_of(fetch: Fetch, lies: Lies) -> Secret:
    """Raises Unsent where it is not there: it may be there later."""
    try:
        found = await fetch(lies.reference)
    except GatewayError as error:
        raise Unsent(error.detail or error.public, again=True) from None
    if not found:
        raise Unsent("its secret is empty", again=True)
    return found


class _ByAddress:
    """What kinds share that are sent to an address."""

    def __init__(self, channel: Channel, wire: Wire, fetch: Fetch) -> None:
        self._settings = channel.settings
        self._wire = wire
        self._fetch = fetch

    async def _address(self) -> str:
        url = self._settings.url
        if isinstance(url, str):
            return url
        assert url is not None
        text = (await secret_of(self._fetch, url)).reveal().decode("utf-8", "replace").strip()
        try:
            return check_address(text, self._settings.private)
        except ValueError as error:
            raise Unsent(f"its address {error}", again=True) from None


class WebhookSender(_ByAddress):
    """clock: wall ns."""

    def __init__(self, channel: Channel, wire: Wire, fetch: Fetch, clock: Callable[[], int]) -> None:
        super().__init__(channel, wire, fetch)
        self._clock = clock

    async def send(self, notice: Notice) -> None:
        address = await self._address()
        try:
            keys = [key_of(await secret_of(self._fetch, each)) for each in self._settings.secrets or ()]
        except ValueError as error:
            raise Unsent(str(error), again=True) from None
        headers, body = webhook.request(notice, keys, self._clock() // 1_000_000_000)
        await self._wire.post(address, headers, body)


class TeamsSender(_ByAddress):
    async def send(self, notice: Notice) -> None:
        headers, body = teams.request(notice)
        await self._wire.post(await self._address(), headers, body)


class SlackSender:
    """One message for each review, changed as the review changes. clock: wall ns."""

    def __init__(
        self, channel: Channel, wire: Wire, fetch: Fetch, rows: Rows, clock: Callable[[], int]
    ) -> None:
        self._name = channel.name
        self._settings = channel.settings
        self._api = SlackApi(wire, channel.settings.api)
        self._fetch = fetch
        self._rows = rows
        self._clock = clock

    async def send(self, notice: Notice) -> None:
        made = slack.message(notice)
        place = None
        if notice.what != "test":
            try:
                place = await self._rows.message(self._name, notice.review)
            except GatewayError as error:
                raise Unsent(error.public, again=True) from None
        if place is None and notice.what not in ("test", *self._settings.events):
            return
        if place is not None:
            channel, _, stamp = place.partition(" ")
            kept = {key: made[key] for key in ("text", "blocks", "parse", "link_names")}
            try:
                await self.call("chat.update", {"channel": channel, "ts": stamp, **kept})
                return
            except SaidNo as error:
                if error.code not in _GONE:
                    raise
        answer = await self.call("chat.postMessage", {"channel": self._settings.channel, **made})
        stood = (answer.get("channel"), answer.get("ts"))
        if notice.what == "test":
            return
        if not all(isinstance(each, str) and 0 < len(each) <= 40 and each.isascii() for each in stood):
            raise Unsent("Slack does not say where the message is", again=False)
        try:
            await self._rows.keep_message(self._name, notice.review, f"{stood[0]} {stood[1]}", self._clock())
        except GatewayError as error:
            raise Unsent(error.public, again=True) from None

    async def call(self, method: str, sent: Mapping[str, Any]) -> Mapping[str, Any]:
        """One call of Slack's Web API with the channel's token. Raises Unsent."""
        assert self._settings.token is not None
        return await self._api.call(method, await secret_of(self._fetch, self._settings.token), sent)


def sender(channel: Channel, fetch: Fetch, rows: Rows, clock: Callable[[], int]) -> Sender:
    """By the channel's kind."""
    settings = channel.settings
    wire = Wire(settings.private, settings.ca_file, settings.timeout_seconds)
    if settings.kind == "slack":
        return SlackSender(channel, wire, fetch, rows, clock)
    if settings.kind == "teams":
        return TeamsSender(channel, wire, fetch)
    return WebhookSender(channel, wire, fetch, clock)
