"""Sign-ins by SAML in the store, on SQLite and on PostgreSQL: of two that come at once, one gets it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from servers.postgres import Postgres
from servers.stores import emptied
from wicketgate.identity import tokens
from wicketgate.model.saml import SignedInBy
from wicketgate.model.sign_in import SignIn
from wicketgate.store import saml
from wicketgate.store.db import Store, store_url
from wicketgate.store.saml import SignInRows

NOW = 1_800_000_000_000_000_000
ONE = SignIn("t" * 64, "corp", "10.0.0.1", "c" * 43, 4711, "s" * 16, NOW, NOW + 600)
SENT = {"request": "_r", "relay": "0" * 32, "browser": "b" * 64}


@pytest.fixture(params=["sqlite", "postgres"])
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[list[Store]]:
    """Two nodes on one store."""
    dsn = None
    if request.param == "postgres":
        server = request.getfixturevalue("postgres15")
        assert isinstance(server, Postgres)
        dsn = emptied(server)
    made = [await Store.open(store_url(dsn, tmp_path)) for _ in range(2)]
    yield made
    for each in made:
        await each.close()


async def test_each_step_is_taken_once(stores: list[Store]) -> None:
    rows = [SignInRows(store) for store in stores] * 4
    assert await rows[0].begin(ONE)
    assert await rows[0].sent(SENT["relay"], "corp", NOW) is None
    assert not await rows[0].send(ONE.ticket, "other", NOW, **SENT)
    assert not await rows[0].send("x" * 64, "corp", NOW, **SENT)
    assert not await rows[0].send(ONE.ticket, "corp", NOW + 600, **SENT)
    assert sum(await asyncio.gather(*(each.send(ONE.ticket, "corp", NOW, **SENT) for each in rows))) == 1
    assert await rows[1].sent(SENT["relay"], "other", NOW) is None
    assert await rows[1].sent(SENT["relay"], "corp", NOW + 600) is None
    assert await rows[1].sent(SENT["relay"], "corp", NOW) == replace(ONE, request="_r", browser="b" * 64)

    taken = await asyncio.gather(*(each.take("corp", "a" * 64, NOW + 300) for each in rows))
    assert sum(taken) == 1
    assert not await rows[0].take("corp", "a" * 64, NOW + 300)

    told = {"name": "ana", "groups": ["dba"]}
    proven = await asyncio.gather(*(each.prove(ONE.ticket, "d" * 64, told, NOW + 60) for each in rows))
    assert sum(proven) == 1
    assert await rows[0].sent(SENT["relay"], "corp", NOW) is None

    good = (ONE.ticket, "corp", "d" * 64, ONE.challenge, NOW)
    for at, wrong in enumerate(("x" * 64, "other", "x" * 64, "x" * 43, NOW + 60)):
        asked = [*good[:at], wrong, *good[at + 1 :]]
        assert await rows[1].redeem(*asked) is None  # type: ignore[arg-type]
    got = await asyncio.gather(*(each.redeem(*good) for each in rows))
    assert [each.proven for each in got if each is not None] == [told]


async def test_what_is_over_is_forgotten(stores: list[Store], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = SignInRows(stores[0])
    monkeypatch.setattr(saml, "MOST_OF_SOURCE", 2)
    for at in range(2):
        assert await rows.begin(replace(ONE, ticket=f"{at}" * 64))
    assert not await rows.begin(replace(ONE, ticket="2" * 64))
    assert await rows.begin(replace(ONE, ticket="3" * 64, source="10.0.0.2"))
    assert await rows.take("corp", "a" * 64, NOW + 300)
    assert await rows.begin(replace(ONE, ticket="4" * 64, created=NOW + 600, expires=NOW + 1200))
    assert await rows.take("corp", "a" * 64, NOW + 900)  # its age alone refuses it by then
    monkeypatch.setattr(saml, "MOST_SEEN", 1)
    assert not await rows.take("corp", "b" * 64, NOW + 900)


async def test_a_token_keeps_what_it_rests_on(stores: list[Store]) -> None:
    by = SignedInBy("corp", "https://idp", "ana@example.com", frozenset({"dba", "staff"}))
    _, record = tokens.issue("ana@example.com", NOW, os.urandom, expires=NOW + 9, proven=by)
    await stores[0].add_token(record)
    assert await stores[1].token(record.id) == record
    assert tokens.from_replicated(record.hash, record.replicated()).proven == by
    with pytest.raises(ValueError, match="ends"):
        tokens.issue("ana@example.com", NOW, os.urandom, proven=by)
