"""All channels of a gateway, as its verbs see them: how they stand, and what is done in chat.
It must never prove anybody: it says which verified e-mail address an account of Slack's has.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from wicketgate.channels import interaction, slack
from wicketgate.channels.delivery import Deliveries
from wicketgate.channels.notice import notice
from wicketgate.channels.ports import Fetch, Link, Rows
from wicketgate.channels.senders import Sender, SlackSender, secret_of
from wicketgate.channels.settings import Channel
from wicketgate.channels.signatures import FRESH, by_slack
from wicketgate.channels.wire import Unsent
from wicketgate.model.chat import Forged, NotMapped, Press, Shown
from wicketgate.model.delivery import Backlog, Delivery
from wicketgate.model.errors import GatewayError
from wicketgate.model.review import Review, ReviewEvent

SECOND: Final = 1_000_000_000
QUICK: Final = (0.1, 0.3)
"""Seconds between looks for a message that was written just now."""


class ChannelDesk:
    """admin.channels.ChannelPort. clock: wall ns. To be used on the loop that runs the deliveries."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        senders: Mapping[str, Sender],
        deliveries: Deliveries,
        rows: Rows,
        fetch: Fetch,
        link: Link,
        clock: Callable[[], int],
    ) -> None:
        self._channels = channels
        self._senders = senders
        self._deliveries = deliveries
        self._rows = rows
        self._fetch = fetch
        self._link = link
        self._clock = clock

    # -- how they stand -------------------------------------------------------------------------------------
    def listed(self) -> Sequence[tuple[str, str, str, str, Sequence[str]]]:
        """(name, kind, place, shows, events) of each, by name. There is no secret in it."""
        found = sorted(self._channels.items())
        return [
            (name, of.kind, of.place, of.shows, list(of.events))
            for name, of in ((name, each.settings) for name, each in found)
        ]

    async def backlogs(self) -> Mapping[str, Backlog]:
        return await self._rows.backlogs()

    async def test(self, name: str) -> str:
        """Why a message did not arrive; empty: it did."""
        return await self._deliveries.test(name)

    async def dead(self, name: str, after: int, most: int) -> Sequence[Delivery]:
        return await self._rows.dead(name, after, most)

    async def replay(self, name: str, seqs: Sequence[int] | None, now: int) -> int:
        found = await self._rows.replay(name, seqs, now)
        self._deliveries.poke()
        return found

    def poke(self) -> None:
        """Reviews have changed."""
        self._deliveries.poke()

    # -- what is done in chat -------------------------------------------------------------------------------
    async def taken(self, name: str, stamp: str, signature: str, body: bytes) -> Press | None:
        """What Slack says that somebody did; None: nothing that needs us. Raises Forged, GatewayError."""
        channel = self._channels.get(name)
        settings = None if channel is None else channel.settings
        if channel is None or settings is None or settings.kind != "slack":
            raise Forged("there is no such channel")
        try:
            secrets = [await secret_of(self._fetch, each) for each in settings.signing_secret or ()]
        except Unsent as error:
            raise Forged(f"the signing secret is not at hand: {error.why}") from None
        now = self._clock()
        if not by_slack(secrets, stamp, signature, body, now // SECOND):
            raise Forged("its signature is not good")
        digest = hashlib.sha256(f"{name}\0{stamp}\0{signature}".encode("ascii")).hexdigest()
        press = interaction.read(channel, body)
        # the last check: what is not ours takes no room
        if not await self._rows.seen(digest, now + 3 * FRESH * SECOND, now):
            raise Forged("it was sent before")
        if press is not None and await self._place(name, press.review) != press.place:
            raise Forged("this channel has not told of this review there")
        return press

    async def _place(self, name: str, review: str) -> str | None:
        """Where its message stands; who is quick may press before that is kept."""
        for wait in QUICK:
            if (found := await self._rows.message(name, review)) is not None:
                return found
            await asyncio.sleep(wait)
        return await self._rows.message(name, review)

    async def email(self, name: str, press: Press) -> str:
        """The verified e-mail address of an ordinary member of the workspace. Raises NotMapped."""
        settings = self._channels[name].settings
        try:
            answer = await self._slack(name).call("users.info", {"user": press.user})
        except Unsent as error:
            raise NotMapped("Slack does not say who you are now.", error.why) from None
        user: Any = answer.get("user")
        profile = user.get("profile") if isinstance(user, dict) else None
        if not isinstance(user, dict) or not isinstance(profile, dict) or user.get("id") != press.user:
            raise NotMapped("Slack does not say who you are.", "users.info answers about somebody else")
        if user.get("team_id") != settings.team:
            raise NotMapped("You are not of this workspace.", "another workspace's user")
        # what must be so is said, and what must not be is denied in words: silence is a doubt
        plain = all(user.get(each) is False for each in ("deleted", "is_bot"))
        plain &= all(user.get(each) is False for each in ("is_restricted", "is_ultra_restricted"))
        odd = any(user.get(each) for each in ("is_stranger", "is_invited_user", "is_workflow_bot"))
        if not plain or odd or press.user == "USLACKBOT":
            raise NotMapped("Only full members of the workspace answer here.", "a bot, a guest or a stranger")
        email = profile.get("email")
        if user.get("is_email_confirmed") is not True or not isinstance(email, str) or not email:
            raise NotMapped("Your e-mail address is not confirmed in Slack.", "an unconfirmed e-mail")
        return email

    def identity_of(self, name: str, email: str) -> str | None:
        return self._channels[name].settings.identity_of(email)

    def proven_for(self, name: str) -> int:
        """Nanoseconds that a sign-in at an identity provider proves somebody's groups here."""
        return int(self._channels[name].settings.proven_hours * 3600 * SECOND)

    async def ask(self, name: str, press: Press, review: Review) -> None:
        """Show him the modal. Raises GatewayError."""
        channel = self._channels[name]
        event = ReviewEvent(0, review.id, "asked", review.created, review.asker.identity)
        made = notice(event, review, self._link(review.id), channel.settings.shows)
        view = slack.modal(made, press.approves, interaction.held(channel, press))
        await self._open(name, press, view)

    async def tell(self, name: str, press: Press, text: str) -> None:
        """Show him a text, with the link. Raises GatewayError."""
        await self._open(name, press, slack.told(text, self._link(press.review)))

    def ended(self, press: Press, text: str, good: bool) -> Shown:
        """What the modal turns into."""
        view = slack.told(text, "" if good else self._link(press.review))
        return {"response_action": "update", "view": view}

    async def _open(self, name: str, press: Press, view: Mapping[str, Any]) -> None:
        try:
            await self._slack(name).call("views.open", {"trigger_id": press.trigger, "view": view})
        except Unsent as error:
            raise GatewayError("Slack did not show it", error.why) from None

    def _slack(self, name: str) -> SlackSender:
        found = self._senders[name]
        assert isinstance(found, SlackSender)
        return found
