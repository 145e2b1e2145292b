"""Accounts changed and tokens paged in the store (admin.ports.AccountStore).
A change must never be made over another that nobody saw: what is replaced is named."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from wicketgate.model.identity import IdentityKind
from wicketgate.model.token import ServiceAccount, TokenRecord
from wicketgate.store.db import Store, _token
from wicketgate.store.tables import IDENTITIES, MEMBERSHIPS, TOKENS

Key = tuple[int, str]


class Accounts:
    """Over one open Store. Every method raises StoreFailed."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def add(self, account: ServiceAccount, now: int) -> bool:
        """False: there is one of that name."""
        insert = self._store.insert(IDENTITIES).values(
            name=account.name, created=now, kind=account.kind.value, disabled=account.disabled
        )
        async with self._store.transaction() as connection:
            if not (await connection.execute(insert.on_conflict_do_nothing())).rowcount:
                return False
            await _join(connection, account)
        return True

    async def change(self, old: ServiceAccount | None, new: ServiceAccount, now: int) -> bool:
        """False, and nothing is done: it is not `old` any more."""
        if old is None:
            return await self.add(new, now)
        async with self._store.transaction() as connection:
            if not await _is(connection, old):
                return False
            await connection.execute(
                sa.update(IDENTITIES)
                .where(IDENTITIES.c.name == new.name)
                .values(kind=new.kind.value, disabled=new.disabled)
            )
            await connection.execute(sa.delete(MEMBERSHIPS).where(MEMBERSHIPS.c.identity == new.name))
            await _join(connection, new)
        return True

    async def remove(self, old: ServiceAccount, now: int) -> list[TokenRecord] | None:
        """Its tokens that were revoked by it; None, and nothing is done: it is not `old` any more."""
        async with self._store.transaction() as connection:
            if not await _is(connection, old):
                return None
            found = await _end(connection, old.name, now)
            await connection.execute(sa.delete(MEMBERSHIPS).where(MEMBERSHIPS.c.identity == old.name))
            await connection.execute(sa.delete(IDENTITIES).where(IDENTITIES.c.name == old.name))
        return found

    async def end_tokens(self, identity: str, now: int) -> list[TokenRecord]:
        """Revoke all tokens of an identity; those that were not yet."""
        async with self._store.transaction() as connection:
            return await _end(connection, identity, now)

    async def tokens(
        self,
        *,
        identity: str | None,
        only: str | None,
        state: str | None,
        now: int,
        after: Key | None,
        most: int | None,
    ) -> list[TokenRecord]:
        """Oldest first. state: `good`, `expired` or `revoked` at `now`; None: any. only: the one of this id.
        after: created and id; what comes behind it."""
        table = TOKENS.c
        ended = sa.and_(table.expires.is_not(None), table.expires <= now)
        states = {
            "good": sa.and_(table.revoked.is_(None), sa.not_(ended)),
            "expired": sa.and_(table.revoked.is_(None), ended),
            "revoked": table.revoked.is_not(None),
        }
        query = sa.select(TOKENS).order_by(table.created, table.id).limit(most)
        if identity is not None:
            query = query.where(table.identity == identity)
        if only is not None:
            query = query.where(table.id == only)
        if state is not None:
            query = query.where(states[state])
        if after is not None:
            created, last = after
            query = query.where(
                sa.or_(table.created > created, sa.and_(table.created == created, table.id > last))
            )
        async with self._store.transaction() as connection:
            return [_token(row) for row in (await connection.execute(query)).all()]


async def _is(connection: AsyncConnection, old: ServiceAccount) -> bool:
    """Whether the account is still so; it stays so to the transaction's end. The update takes the lock."""
    table = IDENTITIES.c
    row = (
        await connection.execute(
            sa.update(IDENTITIES)
            .where(table.name == old.name)
            .values(kind=table.kind)
            .returning(table.kind, table.disabled)
        )
    ).first()
    groups = await connection.execute(
        sa.select(MEMBERSHIPS.c.group_name).where(MEMBERSHIPS.c.identity == old.name)
    )
    return (
        row is not None
        and IdentityKind(row.kind) is old.kind
        and row.disabled == old.disabled
        and frozenset(groups.scalars()) == old.groups
    )


async def _end(connection: AsyncConnection, identity: str, now: int) -> list[TokenRecord]:
    revoked = await connection.execute(
        sa.update(TOKENS)
        .where(TOKENS.c.identity == identity, TOKENS.c.revoked.is_(None))
        .values(revoked=now)
        .returning(TOKENS)
    )
    return [_token(row) for row in revoked.all()]


async def _join(connection: AsyncConnection, account: ServiceAccount) -> None:
    if account.groups:
        await connection.execute(
            sa.insert(MEMBERSHIPS),
            [{"identity": account.name, "group_name": group} for group in sorted(account.groups)],
        )
