"""Answers by idempotency key: what is asked twice under one key is done once, for a day.
It must never hold a key, an actor or a request in clear, nor an answer that holds a secret."""

from typing import Final

import sqlalchemy as sa

from wicketgate.model.answered import KeptAnswer
from wicketgate.store.db import Store
from wicketgate.store.tables import ANSWERS

DAY: Final = 86_400_000_000_000
MOST: Final = 1000
"""Keys of one actor that are kept at once."""


class Answers:
    """admin.ports.Once. Every method raises StoreFailed."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def begin(self, actor: str, key: str, request: str, now: int) -> KeptAnswer | None:
        """None: it is ours to do now, and `end` or `forget` must follow. Else what is kept.

        The insert comes first: it takes the lock, so that of several at once one alone is first.
        """
        table = ANSWERS.c
        mine = (table.actor == actor, table.key == key)
        insert = self._store.insert(ANSWERS).values(actor=actor, key=key, request=request, created=now)
        async with self._store.transaction() as connection:
            await connection.execute(sa.delete(ANSWERS).where(table.created < now - DAY))
            first = (await connection.execute(insert.on_conflict_do_nothing())).rowcount
            if not first:
                row = (await connection.execute(sa.select(ANSWERS).where(*mine))).one()
                body = None if row.body is None else bytes(row.body)
                return KeptAnswer(row.request, row.status, body, row.location)
            count = sa.select(sa.func.count()).select_from(ANSWERS).where(table.actor == actor)
            if (await connection.execute(count)).scalar_one() <= MOST:
                return None
            await connection.execute(sa.delete(ANSWERS).where(*mine))
        return KeptAnswer(request, full=True)

    async def end(self, actor: str, key: str, kept: KeptAnswer) -> None:
        """It is done, and this was the answer."""
        async with self._store.transaction() as connection:
            await connection.execute(
                sa.update(ANSWERS)
                .where(ANSWERS.c.actor == actor, ANSWERS.c.key == key)
                .values(status=kept.status, body=kept.body, location=kept.location)
            )

    async def forget(self, actor: str, key: str) -> None:
        """Nothing was done: the key may be used again."""
        async with self._store.transaction() as connection:
            await connection.execute(sa.delete(ANSWERS).where(ANSWERS.c.actor == actor, ANSWERS.c.key == key))
