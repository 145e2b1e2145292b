"""The store's table of secrets, which come here closed. It must never hold what opens them."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from wicketgate.model.kept import KeptSecret
from wicketgate.store.db import Store
from wicketgate.store.tables import SECRETS


class SecretRows:
    """custody.own.Rows. Every method raises StoreFailed."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def secrets(self) -> Sequence[KeptSecret]:
        async with self._store.transaction() as connection:
            rows = await connection.execute(sa.select(SECRETS).order_by(SECRETS.c.name))
            return [_kept(row) for row in rows]

    async def secret(self, name: str) -> KeptSecret | None:
        async with self._store.transaction() as connection:
            row = (await connection.execute(sa.select(SECRETS).where(SECRETS.c.name == name))).first()
        return None if row is None else _kept(row)

    async def add_secret(self, kept: KeptSecret) -> bool:
        statement = self._store.insert(SECRETS).values(**_row(kept)).on_conflict_do_nothing()
        async with self._store.transaction() as connection:
            return bool((await connection.execute(statement)).rowcount)

    async def replace_secret(self, kept: KeptSecret, old: KeptSecret) -> bool:
        statement = (
            sa.update(SECRETS)
            .where(
                SECRETS.c.name == old.name,
                SECRETS.c.id == old.id,
                SECRETS.c.version == old.version,
                SECRETS.c.wrapped == old.wrapped,
            )
            .values(**_row(kept))
        )
        async with self._store.transaction() as connection:
            return bool((await connection.execute(statement)).rowcount)

    async def remove_secret(self, name: str) -> bool:
        async with self._store.transaction() as connection:
            return bool((await connection.execute(sa.delete(SECRETS).where(SECRETS.c.name == name))).rowcount)


def _kept(row: Any) -> KeptSecret:
    return KeptSecret(
        row.name, row.id, row.version, row.created, row.changed, row.author, bytes(row.sealed), row.wrapped
    )


def _row(kept: KeptSecret) -> dict[str, Any]:
    return {
        "name": kept.name,
        "id": kept.id,
        "version": kept.version,
        "created": kept.created,
        "changed": kept.changed,
        "author": kept.author,
        "sealed": kept.sealed,
        "wrapped": kept.wrapped,
    }
