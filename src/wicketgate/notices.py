"""The composition of channels: their secrets, their rows in the store, what they tell of, and who delivers.
Like app.py it decides nothing. Nothing is sent by putting it together where there are no channels."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from wicketgate.admin.channels import ChannelPort
from wicketgate.admin.ports import LoadedPolicy
from wicketgate.channels.ports import Link
from wicketgate.channels.settings import Channel, ChannelSettings
from wicketgate.control.credentials import Credentials
from wicketgate.custodian import sources
from wicketgate.custody.settings import Keepers
from wicketgate.model.credential import CredentialMissing
from wicketgate.model.secret import Secret
from wicketgate.store.channels import ChannelRows
from wicketgate.store.db import Store
from wicketgate.store.grants import GrantRows
from wicketgate.store.reviews import Reviews

Policy = Callable[[], LoadedPolicy | None]
Telling = Callable[[Store, Reviews, Link, Policy], AbstractAsyncContextManager[ChannelPort | None]]
"""Given the store, what is told of, how people get there, and the policy: channels, while it is open."""
ENDS: Final = 5.0
"""Seconds that they may take to end."""


@asynccontextmanager
async def silent(store: Store, reviews: Reviews, link: Link, policy: Policy) -> AsyncIterator[None]:
    """No channels."""
    yield None


def telling(
    settings: Mapping[str, ChannelSettings],
    keepers: Keepers,
    node: str,
    log: Callable[[str], None],
    clock: Callable[[], int] = time.time_ns,
) -> Telling:
    """The channels that the settings name. node: this one's random id."""
    if not settings:
        return silent
    # with aiohttp: only where there are channels
    from wicketgate.channels.delivery import Deliveries
    from wicketgate.channels.desk import ChannelDesk
    from wicketgate.channels.senders import sender

    channels = {name: Channel(name, each) for name, each in settings.items()}

    @asynccontextmanager
    async def told(
        store: Store, reviews: Reviews, link: Link, policy: Policy
    ) -> AsyncIterator[ChannelPort | None]:
        async def opened() -> Store:
            return store

        def labels(resource: str) -> Mapping[str, str]:
            loaded = policy()
            found = None if loaded is None else loaded.resources.get(resource)
            return {} if found is None else found.labels

        credentials = Credentials(_no_inline, sources=sources(keepers, opened))
        rows = ChannelRows(store)
        senders = {name: sender(each, credentials.fetch, rows, clock) for name, each in channels.items()}
        deliveries = Deliveries(
            channels,
            senders,
            reviews,
            rows,
            link,
            labels,
            f"{node[:16]}-{os.urandom(16).hex()}",
            clock,
            time.monotonic_ns,
            random.SystemRandom().random,
            log,
            GrantRows(opened).of_review,
        )
        running = asyncio.get_running_loop().create_task(deliveries.run(), name="channels")
        try:
            yield ChannelDesk(channels, senders, deliveries, rows, credentials.fetch, link, clock)
        finally:
            running.cancel()
            await asyncio.wait([running], timeout=ENDS)
            await credentials.close()

    return told


def _no_inline(text: str) -> Secret:
    raise CredentialMissing("a channel's secret never stands in the configuration")
