"""Reviews for tests of the API: as the control process would ask for them, into the store of a stage."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wicketgate.custody.keys import FileKeys
from wicketgate.custody.own import OwnVault
from wicketgate.custody.seal import Sealing
from wicketgate.model.grant import Grant
from wicketgate.model.review import Asker, Kind, Panel, Review, Status
from wicketgate.store.address import store_url
from wicketgate.store.db import Store
from wicketgate.store.grants import GrantRows
from wicketgate.store.reviews import Reviews
from wicketgate.store.secrets import SecretRows

MINUTE = 60_000_000_000
SHOWN = {
    "statement": "DELETE FROM orders WHERE email = 'canary@example.com' AND id = $1",
    "masked": "DELETE FROM orders WHERE email = $2 AND id = $1",
    "parameters": [{"value": "canary-4711", "class": "email"}, {"value": "17", "class": None}],
    "classes": ["email"],
    "effects": ["delete"],
    "relations": ["public.orders"],
    "rules": ["deletes"],
}


def review(**more: Any) -> Review:
    """identity, kind_of, behalf, agent, task, groups, names, quorum: of its asker and its panel."""
    now = time.time_ns()
    identity = more.pop("identity", "bot")
    asker = Asker(
        identity,
        more.pop("kind_of", "agent"),
        more.pop("behalf", None),
        more.pop("agent", None),
        None,
        more.pop("task", None),
    )
    panel = Panel(
        "deletes",
        frozenset(more.pop("names", "").split()),
        frozenset(more.pop("groups", "dba").split()),
        more.pop("quorum", 1),
    )
    given: dict[str, Any] = {
        "id": os.urandom(13).hex().upper(),
        "kind": Kind.STATEMENT,
        "status": Status.PENDING,
        "asker": asker,
        "resource": "sales",
        "database": "sales",
        "account": "writer",
        "panels": (panel,),
        "exact": os.urandom(32).hex(),
        "shape": os.urandom(32).hex(),
        "mode": "retry",
        "created": now,
        "expires": now + 10 * MINUTE,
        "node": "node-a",
        "session": "1" * 32,
        "reason": "INC-4711 <b>why</b>",
        "shown": SHOWN,
    }
    return Review(**(given | more))


async def desk(folder: Path, clock: Callable[[], int] = time.time_ns) -> tuple[Store, Reviews, Sealing]:
    """The stage's store, opened once more, as the control process has it."""
    store = await Store.open(store_url(None, folder))
    keys = FileKeys(folder / "custody.keys", os.urandom)
    vault = OwnVault(SecretRows(store), keys, time.time_ns, os.urandom)

    async def source() -> OwnVault:
        return vault

    async def opened() -> Store:
        return store

    sealing = Sealing(source, time.monotonic_ns, clock, os.urandom, "https://gateway.example")
    return store, Reviews(opened, sealing), sealing


def ask_for(folder: Path, **more: Any) -> str:
    """Ask for a review: its id. kept: a review as it is, in place of what more says."""

    async def ask() -> str:
        store, reviews, _ = await desk(folder)
        try:
            asked = more["kept"] if "kept" in more else review(**more)
            return (await reviews.ask(asked, time.time_ns()))[0].id
        finally:
            await store.close()

    return asyncio.run(ask())


def link_of(folder: Path, number: str, clock: Callable[[], int] = time.time_ns) -> str:
    """The signed link of a review, without the host."""

    async def ask() -> str:
        store, _, sealing = await desk(folder, clock)
        try:
            await sealing.cipher()
            return sealing.link(number).removeprefix("https://gateway.example")
        finally:
            await store.close()

    return asyncio.run(ask())


def found(folder: Path, number: str) -> Review:
    async def ask() -> Review:
        store, reviews, _ = await desk(folder)
        try:
            kept = await reviews.review(number)
            assert kept is not None
            return kept
        finally:
            await store.close()

    return asyncio.run(ask())


def give(folder: Path, identity: str) -> str:
    """A grant that holds: its id."""

    async def run() -> str:
        store, _, _ = await desk(folder)

        async def opened() -> Store:
            return store

        try:
            now = time.time_ns()
            given = Grant(
                os.urandom(13).hex().upper(),
                identity,
                "local",
                "on request",
                "sales",
                "reader",
                now,
                now + 10 * MINUTE,
                "t" * 32,
                created=now,
            )
            await GrantRows(opened).add(given)
            return given.id
        finally:
            await store.close()

    return asyncio.run(run())
