"""The outbox of what people wait for: what channels are told of, numbered in the order in which it holds.
It must never number a change before one that was kept earlier: a channel that has read on would miss it."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from wicketgate.store.db import Store
from wicketgate.store.review_tables import REVIEW_EVENTS

LOCK: Final = 0x7772_7677
"""Of PostgreSQL's advisory locks: the one that changes of reviews take (store/reviews.py)."""


async def alone(store: Store, connection: AsyncConnection) -> None:
    """Let nobody else tell anything until the transaction ends; to be called before anything is read."""
    if store.shared:
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
    else:
        # SQLite's one write lock
        await connection.exec_driver_sql("BEGIN IMMEDIATE")


async def tell(connection: AsyncConnection, review: str, what: str, at: int, by: str) -> None:
    """In a transaction that is alone. at: wall ns. by: who, or why."""
    await connection.execute(sa.insert(REVIEW_EVENTS).values(review=review, what=what, at=at, by=by))
