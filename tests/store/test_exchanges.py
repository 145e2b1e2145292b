"""Exchanged tokens in the store, SQLite's and PostgreSQL's: counted, and dropped when they ended long ago."""

import os
from pathlib import Path

import pytest

from servers.postgres import Postgres
from servers.stores import emptied
from wicketgate.identity import tokens
from wicketgate.model.exchange import Exchange, Party
from wicketgate.model.identity import Proof
from wicketgate.model.task import Task
from wicketgate.model.token import TokenRecord
from wicketgate.store.db import Store, store_url
from wicketgate.store.exchanges import FORGET, holding, with_origins

NOW = 1_800_000_000_000_000_000
SAID = Proof("main", "thumb", '{"sub":"ana \u00e9"}'.encode())


def made(name: str, created: int, origin: TokenRecord | None) -> TokenRecord:
    """A token for a task: exchanged of this one, or an administrator's."""
    exchange = None if origin is None else Exchange(Party("jwt-1", SAID), Party(origin.id))
    return tokens.issue(
        name,
        created,
        os.urandom,
        expires=created + 100,
        resources=frozenset({"sales"}),
        task=Task("t", "why", "ana", name),
        exchange=exchange,
    )[1]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_they_are_counted_and_forgotten(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    address = None
    if kind == "postgres":
        server: Postgres = request.getfixturevalue("postgres15")
        address = emptied(server)
    store = await Store.open(store_url(address, tmp_path))
    try:
        _, origin = tokens.issue("bot", NOW, os.urandom)
        long_ago = NOW - FORGET - 1000
        plain, old_plain = made("bot", NOW, None), made("bot", long_ago, None)
        exchanged, old = made("bot", NOW, origin), made("bot", long_ago, origin)
        other = made("other", NOW, origin)
        for each in (origin, plain, old_plain, exchanged, old, other):
            await store.add_token(each)
        assert await store.token(exchanged.id) == exchanged
        assert await holding(store, "bot", NOW + 1) == 1
        assert {each.id for each in await store.tokens("bot")} == {
            each.id for each in (origin, plain, old_plain, exchanged)
        }
        assert await holding(store, "bot", NOW + 100) == 0
        await store.revoke_token(exchanged.id, NOW + 1)
        assert await holding(store, "bot", NOW + 1) == 0
        assert set(await with_origins(store, exchanged)) == {exchanged.hash, origin.hash}
        assert set(await with_origins(store, plain)) == {plain.hash}
        assert await with_origins(store, None) == {}
    finally:
        await store.close()
