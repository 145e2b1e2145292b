"""Columns that take over a data class: nobody is told that it is kept before a catalog says so."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from control.node import MemoryStore
from wicketgate.control.catalogs import Catalogs
from wicketgate.control.credentials import Credentials
from wicketgate.control.main import Control
from wicketgate.control.messages import Answer, Ask
from wicketgate.control.state import State
from wicketgate.model.errors import GatewayError
from wicketgate.model.resource import Account, CredentialReference, Resource, TlsMode
from wicketgate.model.secret import Secret
from wicketgate.model.statement import Inherits
from wicketgate.protocols.base import CatalogAccess
from worker.echo import ECHO

ACCOUNT = Account("main", "app", CredentialReference("none", ""), "1")
SALES = Resource("sales", "echo", "localhost", 7, ("db",), TlsMode.DISABLE, {"main": ACCOUNT})
BODY = ("s1.t.value", "national-id")


class Stage:
    """Catalogs whose readings wait until they are let through. events: what was put, in order."""

    def __init__(self) -> None:
        self.reading = asyncio.Event()
        self.told = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.readings = 0
        self.fails = False
        self.store = MemoryStore()
        self.events: list[str] = []
        spec = replace(ECHO, read_catalog=self.read, bind_catalog=bound, catalog_changed=never)
        self.catalogs = Catalogs(
            {"echo": spec},
            Credentials(lambda text: Secret(b"")),
            self.store,
            self.put,
            time.monotonic_ns,
            3600,
            lambda line: None,
        )

    def put(self, section: str, key: str, value: Any, blob: bytes | None) -> None:
        self.events.append(f"{section} {blob.decode()}" if blob is not None else section)
        if section == "catalog-read":
            self.told.set()

    async def read(self, access: CatalogAccess) -> bytes:
        self.readings += 1
        self.reading.set()
        await self.gate.wait()
        if self.fails:
            raise OSError("gone")
        return b"columns"

    def asked(self) -> "asyncio.Task[None]":
        return asyncio.ensure_future(self.catalogs.inherit("sales", "db", [BODY]))


def bound(previous: bytes | None, raw: bytes, resource: Resource, database: str, inherits: Inherits) -> bytes:
    return raw + b"".join(b" %b" % column.encode() for column, _ in inherits)


async def never(access: CatalogAccess, raw: bytes) -> bool:
    return False


@asynccontextmanager
async def watched() -> AsyncIterator[Stage]:
    stage = Stage()
    stage.catalogs.adopt({"sales": SALES})
    await stage.told.wait()
    assert stage.catalogs.closed() == {"sales/db": None}
    yield stage
    stage.gate.set()
    await stage.catalogs.stop()


async def test_it_is_kept_when_the_catalog_was_read_with_it() -> None:
    async with watched() as stage:
        await stage.asked()
        assert stage.store.kept == [("sales", "db", *BODY)]
        assert stage.events[-2:] == ["catalog columns s1.t.value", "catalog-read"]


async def test_a_second_worker_waits_for_the_same_reading() -> None:
    """It is in the store already, and in no catalog yet: that is not kept."""
    async with watched() as stage:
        stage.gate.clear()
        stage.reading.clear()
        first = stage.asked()
        await stage.reading.wait()
        second = stage.asked()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not first.done()
        assert not second.done()
        stage.gate.set()
        await asyncio.gather(first, second)
        assert "catalog columns s1.t.value" in stage.events
        readings = stage.readings
        await stage.asked()
        assert stage.readings == readings, "what is kept is not read again"


async def test_a_reading_that_fails_keeps_nothing() -> None:
    async with watched() as stage:
        stage.fails = True
        for _ in range(2):
            with pytest.raises(GatewayError):
                await stage.asked()


async def test_what_was_put_holds_before_the_answer_arrives() -> None:
    events: list[str] = []
    state = State(lambda frame: events.append("frame"))

    class Answers:
        async def answer(self, worker: int, ask: Ask, writer: str) -> Answer:
            state.put("catalog", "sales/db", {}, b"newer")
            return Answer(ask.id, {})

    link = SimpleNamespace(send=lambda answer: events.append("answer"))
    control: Any = SimpleNamespace(answers=Answers(), state=state)
    await Control._answer(control, SimpleNamespace(number=0, link=link, writer="w"), Ask(1, "inherit", {}))  # type: ignore[arg-type]
    assert events == ["frame", "frame", "answer"], "put, commit, and only then the answer"
