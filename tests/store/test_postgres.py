"""The same store on a real PostgreSQL: what differs there is locking, upserts and the driver."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.ext.asyncio import create_async_engine

from servers.postgres import ADMINISTRATOR, Postgres
from wicketgate.identity import tokens
from wicketgate.model.answered import KeptAnswer
from wicketgate.model.task import Task
from wicketgate.model.token import ServiceAccount
from wicketgate.store.accounts import Accounts
from wicketgate.store.db import Store, store_url
from wicketgate.store.once import Answers
from wicketgate.store.tables import METADATA

NOW = 1_800_000_000_000_000_000


async def test_it_does_what_sqlite_does(postgres15: Postgres, tmp_path: Path) -> None:
    name = postgres15.database()
    url = store_url(postgres15.dsn(ADMINISTRATOR, name, sslmode="require"), tmp_path)
    stores = await asyncio.gather(*(Store.open(url) for _ in range(3)))
    try:
        store = stores[0]
        account = ServiceAccount("bot", groups=frozenset({"crew"}))
        await store.put_identity(account, NOW)
        await store.put_identity(account, NOW)
        assert await store.identities() == [account]
        _, record = tokens.issue("bot", NOW, os.urandom, resources=frozenset({"sales"}))
        task = Task("t", "why", "ana", "a", relations=frozenset({"public.o"}))
        record = replace(record, expires=NOW + 1, networks=frozenset({"::/0"}), task=task)
        await store.add_token(record)
        assert await store.token_by_hash(record.hash) == record
        assert (await store.revoke_token(record.id, NOW)) is not None
        granted = await asyncio.gather(
            *(each.lease("bot", "r", "rows", 0, 100, 7) for each in stores for _ in range(8))
        )
        assert sum(granted) == 100
        await store.give_back("bot", "r", "rows", 0, 1000)
        assert await store.lease("bot", "r", "rows", 0, 100, 101) == 100
        numbers = await asyncio.gather(*(each.node_number(f"n{at}", NOW) for at, each in enumerate(stores)))
        assert sorted(numbers) == [0, 1, 2]
        answers = [Answers(each) for each in stores]
        begun = await asyncio.gather(*(each.begin("a", "k", "r", NOW) for each in answers * 4))
        assert sum(each is None for each in begun) == 1
        await answers[0].end("a", "k", KeptAnswer("r", 201, b"{}", None))
        assert await answers[1].begin("a", "k", "r", NOW) == KeptAnswer("r", 201, b"{}", None)
        accounts = [Accounts(each) for each in stores]
        changed = replace(account, disabled=NOW)
        done = await asyncio.gather(*(each.change(account, changed, NOW) for each in accounts))
        assert sorted(done) == [False, False, True]
        pages = await accounts[0].tokens(
            identity="bot", only=None, state="revoked", now=NOW, after=(NOW - 1, "x"), most=1
        )
        assert [each.id for each in pages] == [record.id]
        assert await accounts[1].remove(changed, NOW) == []
        assert await store.identities() == []
        await store.add_checkpoint("n0", 1, "{}", NOW)
        assert len(await store.checkpoints()) == 1
    finally:
        for each in stores:
            await each.close()
    engine = create_async_engine(url)

    def ours(name: str | None, kind: str, parents: object) -> bool:
        # the copy holds the planted tables too
        return kind != "table" or name in METADATA.tables

    def differences(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"include_name": ours})
        return list(compare_metadata(context, METADATA))

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()
    postgres15.drop(name)
