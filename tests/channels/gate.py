"""An API with a channel that leads to a server of somebody's: all but the control process is real."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from api.conftest import served
from api.stage import Remote, Stage
from channels.stage import Received, Receiver, key, receiving
from wicketgate.channels import delivery
from wicketgate.channels.settings import ChannelSettings
from wicketgate.custody.settings import CustodySettings, Keepers
from wicketgate.notices import telling
from wicketgate.store.address import store_url
from wicketgate.store.channels import ChannelRows
from wicketgate.store.db import Store


def begun(folder: Path, many: int) -> None:
    """Waits until channels were looked at first: they begin with what comes after that."""

    async def wait() -> None:
        store = await Store.open(store_url(None, folder))
        for _ in range(500):
            if len(await ChannelRows(store).backlogs()) == many:
                break
            await asyncio.sleep(0.02)
        await store.close()

    asyncio.run(wait())


@dataclass
class Gate:
    remote: Remote
    receiver: Receiver
    status: int = 200

    async def answer(self, received: Received) -> web.StreamResponse:
        return web.Response(status=self.status)

    def channel(self, name: str = "ops") -> dict[str, Any]:
        found = self.remote.ask("GET", "/api/v1/channels", token=self.chief).json
        return next(dict(each) for each in found if each["name"] == name)

    def until(self, name: str, value: int) -> None:
        for _ in range(500):
            if self.channel()[name] == value:
                return
            time.sleep(0.02)
        raise AssertionError(self.channel())

    def arrived(self, review: str, times: int = 1) -> None:
        """The server was told of it so often."""
        for _ in range(500):
            if sum(each.json["subject"] == review for each in self.receiver.got) >= times:
                return
            time.sleep(0.02)
        raise AssertionError(self.channel())

    @property
    def chief(self) -> str:
        return self.remote.issue("chief")


@contextmanager
def gated(folder: Path) -> Iterator[Gate]:
    """One channel, `ops`, that leads to a server of somebody's."""
    stage = Stage(folder)
    delivery.EVERY, every = 0.1, delivery.EVERY
    os.environ["WICKET_TEST_HOOK"] = key().decode()
    ready, ended = threading.Event(), threading.Event()
    made: list[Receiver] = []

    async def run() -> None:
        async with receiving(folder) as receiver:
            made.append(receiver)
            ready.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert ready.wait(10)
    [receiver] = made
    settings = ChannelSettings.model_validate(
        {
            "kind": "webhook",
            "url": f"{receiver.address}/secret-path?key=c4nary",
            "secrets": [{"env": "WICKET_TEST_HOOK"}],
            "private": True,
            "ca_file": receiver.ca,
        }
    )
    keepers = Keepers({}, CustodySettings().located(folder, folder))
    stage.telling = telling({"ops": settings}, keepers, "n" * 32, stage.logged.append)
    with served(stage) as remote:
        begun(folder, 1)
        gate = Gate(remote, receiver)
        receiver.answer = gate.answer
        yield gate
    delivery.EVERY = every
    ended.set()
    thread.join(10)
    del os.environ["WICKET_TEST_HOOK"]
