"""Tokens that were made of others: how many hold, what they rest on, and those that ended long ago forgotten.
It must never forget a token that an administrator made.
"""

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from wicketgate.model.token import TokenRecord
from wicketgate.store.db import Store
from wicketgate.store.tables import TOKENS

FORGET: Final = 7 * 86_400_000_000_000
"""Nanoseconds after its end that such a token is still listed; the journal keeps that it was made."""


async def holding(store: Store, identity: str, now: int) -> int:
    """How many exchanged tokens of an agent hold now; its old ones are dropped. now: wall ns."""
    mine = (TOKENS.c.identity == identity, TOKENS.c.exchange.is_not(sa.null()))
    async with store.transaction() as connection:
        await connection.execute(sa.delete(TOKENS).where(*mine, TOKENS.c.expires < now - FORGET))
        query = sa.select(sa.func.count()).where(*mine, TOKENS.c.revoked.is_(None), TOKENS.c.expires > now)
        return int((await connection.execute(query)).scalar_one())


async def with_origins(store: Store, record: TokenRecord | None) -> dict[str, Mapping[str, Any]]:
    """A token as an Authenticator wants it, with those of ours that it was made of."""
    if record is None:
        return {}
    found: dict[str, Mapping[str, Any]] = {record.hash: record.replicated()}
    for credential in () if record.exchange is None else record.exchange.tokens:
        origin = await store.token(credential)
        if origin is not None:
            found[origin.hash] = origin.replicated()
    return found
