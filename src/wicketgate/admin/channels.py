"""The verbs on channels, where people are told of reviews. Each starts with authorize().
None gives a secret, nor what a message holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from wicketgate.admin.access import NotFound
from wicketgate.admin.authorize import Action, Actor, Thing, authorize
from wicketgate.admin.ports import Office
from wicketgate.admin.records import record
from wicketgate.model.chat import Press, Shown
from wicketgate.model.delivery import Backlog, Delivery
from wicketgate.model.review import Review


class ChannelPort(Protocol):
    """All channels of this gateway (channels.desk.ChannelDesk). Raises GatewayError."""

    def listed(self) -> Sequence[tuple[str, str, str, str, Sequence[str]]]: ...
    async def backlogs(self) -> Mapping[str, Backlog]: ...
    async def test(self, name: str) -> str: ...
    async def dead(self, name: str, after: int, most: int) -> Sequence[Delivery]: ...
    async def replay(self, name: str, seqs: Sequence[int] | None, now: int) -> int: ...
    async def taken(self, name: str, stamp: str, signature: str, body: bytes) -> Press | None:
        """Raises Forged."""
        ...

    async def email(self, name: str, press: Press) -> str:
        """Raises NotMapped."""
        ...

    def identity_of(self, name: str, email: str) -> str | None: ...
    def proven_for(self, name: str) -> int: ...
    async def ask(self, name: str, press: Press, review: Review) -> None: ...
    async def tell(self, name: str, press: Press, text: str) -> None: ...
    def ended(self, press: Press, text: str, good: bool) -> Shown: ...
    def poke(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ChannelSeen:
    """One channel. place: where it leads, for people."""

    name: str
    kind: str
    place: str
    shows: str
    events: Sequence[str]
    backlog: Backlog


async def list_channels(office: Office, actor: Actor) -> list[ChannelSeen]:
    """All by name, and how they stand."""
    authorize(actor, Action.LIST_CHANNELS, Thing("channels"))
    if office.channels is None:
        return []
    backlogs = await office.channels.backlogs()
    return [ChannelSeen(*each, backlogs.get(each[0], Backlog())) for each in office.channels.listed()]


async def test_channel(office: Office, actor: Actor, name: str) -> str:
    """Send it a message that says that this is a test. Why it did not arrive; empty: it did. NotFound."""
    thing = Thing("channel", name)
    authorize(actor, Action.TEST_CHANNEL, thing)
    port = _port(office, name)
    await record(office, actor, Action.TEST_CHANNEL, thing)
    return await port.test(name)


async def list_dead(office: Office, actor: Actor, name: str, after: int, most: int) -> Sequence[Delivery]:
    """What was given up, oldest first. after: a number; what comes behind it. Raises NotFound."""
    authorize(actor, Action.LIST_DELIVERIES, Thing("channel", name))
    return await _port(office, name).dead(name, after, most)


async def replay_dead(office: Office, actor: Actor, name: str, seqs: Sequence[int] | None) -> int:
    """Have what was given up tried again; None: all of it. How many. Raises NotFound."""
    thing = Thing("channel", name)
    authorize(actor, Action.REPLAY_DELIVERIES, thing)
    port = _port(office, name)
    await record(
        office, actor, Action.REPLAY_DELIVERIES, thing, deliveries=None if seqs is None else list(seqs)
    )
    return await port.replay(name, seqs, office.clock())


def _port(office: Office, name: str) -> ChannelPort:
    port = office.channels
    if port is None or all(each[0] != name for each in port.listed()):
        raise NotFound("no channel has this name")
    return port
