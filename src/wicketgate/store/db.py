"""What lasts: identities, tokens, limits spent, checkpoints, node numbers; SQLite by default, or PostgreSQL.
It must never be asked per statement (an operation takes half a millisecond), nor hold a secret in clear."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from wicketgate.model.errors import StoreFailed
from wicketgate.model.exchange import exchange_of
from wicketgate.model.identity import IdentityKind
from wicketgate.model.saml import signed_in_by
from wicketgate.model.task import task_of
from wicketgate.model.token import ServiceAccount, TokenRecord
from wicketgate.store.address import connecting
from wicketgate.store.address import store_url as store_url
from wicketgate.store.file import make_file, prepare
from wicketgate.store.migrate import upgrade
from wicketgate.store.tables import CHECKPOINTS, IDENTITIES, INHERITED, LIMITS, MEMBERSHIPS, TOKENS

MINUTE: Final = 60_000_000_000
DRIVERS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, sqlite3.Error)
"""What a driver raises by itself while a connection is made: nobody wraps that."""
MIGRATION: Final = 600
"""Seconds that bringing the tables up to date may take, with the wait for another who does it."""


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """line: the signed checkpoint as it stands in the journal. created: wall clock ns."""

    node: str
    number: int
    created: int
    line: str


class Store:
    """Typed rows in and out. Every method raises StoreFailed when the database can't answer.

    Bound to the event loop that opened it: each loop opens its own.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._insert: Any = insert_sqlite if engine.dialect.name == "sqlite" else insert_postgresql
        self.shared = engine.dialect.name != "sqlite"
        """Whether several nodes may be on it."""
        path = None if self.shared else engine.url.database
        self._path = None if path == ":memory:" else path
        self._file: tuple[int, int] | None = None

    @classmethod
    async def open(cls, url: URL) -> "Store":
        """Connect, and bring the tables up to date. One process does it, others wait for it."""
        if url.get_backend_name() == "sqlite":
            if url.database and url.database != ":memory:":
                make_file(url.database)
            engine = _engine(url, connect_args={"timeout": 10})
            sa.event.listen(engine.sync_engine, "connect", prepare)
        else:
            url, given = connecting(url)
            await _migrate(url, given)
            engine = _engine(
                url,
                connect_args=given | {"command_timeout": 15},
                pool_size=4,
                pool_timeout=10,
                pool_use_lifo=True,
            )
        store = cls(engine)
        if store.shared:
            return store
        try:
            async with store._transaction() as connection:
                await connection.run_sync(upgrade)
        except BaseException:
            await engine.dispose()
            raise
        return store

    async def close(self) -> None:
        await self._engine.dispose()

    async def let_go(self) -> None:
        """It did not answer: connections that lie idle may be dead, and are not used again."""
        if self.shared:
            await self._engine.dispose(close=False)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        try:
            if self._path is not None:
                await self._same_file(self._path)
            async with self._engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, *DRIVERS, OSError, TimeoutError) as error:
            # the driver's text may quote an address, never a parameter (hide_parameters)
            raise StoreFailed("the store does not answer", f"{type(error).__name__}: {error}") from error

    async def _same_file(self, path: str) -> None:
        """A file that was put in the other's place (a backup) is the store now; one that is gone is none.

        Connections that are open would go on with what nobody else sees any more.
        """
        found = os.stat(path)
        if self._file is not None and self._file != (found.st_dev, found.st_ino):
            await self._engine.dispose()
        self._file = (found.st_dev, found.st_ino)

    def transaction(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """For tables that have a module of their own: errors become StoreFailed."""
        return self._transaction()

    @property
    def insert(self) -> Any:
        """The dialect's INSERT, which knows ON CONFLICT."""
        return self._insert

    async def ready(self) -> None:
        """Raises StoreFailed unless the store answers."""
        async with self._transaction() as connection:
            await connection.execute(sa.select(sa.literal(1)))

    # -- identities ------------------------------------------------------------------------------------------
    async def put_identity(self, account: ServiceAccount, now: int) -> None:
        """Add a service account, or replace its kind, groups and `disabled`."""
        row = {"kind": account.kind.value, "disabled": account.disabled}
        statement = self._insert(IDENTITIES).values(name=account.name, created=now, **row)
        async with self._transaction() as connection:
            await connection.execute(
                statement.on_conflict_do_update(index_elements=[IDENTITIES.c.name], set_=row)
            )
            await connection.execute(sa.delete(MEMBERSHIPS).where(MEMBERSHIPS.c.identity == account.name))
            if account.groups:
                await connection.execute(
                    sa.insert(MEMBERSHIPS),
                    [{"identity": account.name, "group_name": group} for group in sorted(account.groups)],
                )

    async def identities(self) -> list[ServiceAccount]:
        """All stored service accounts, by name."""
        async with self._transaction() as connection:
            rows = (await connection.execute(sa.select(IDENTITIES).order_by(IDENTITIES.c.name))).all()
            groups: dict[str, set[str]] = {}
            for identity, group in await connection.execute(
                sa.select(MEMBERSHIPS.c.identity, MEMBERSHIPS.c.group_name)
            ):
                groups.setdefault(identity, set()).add(group)
        return [
            ServiceAccount(
                row.name,
                IdentityKind(row.kind),
                frozenset(groups.get(row.name, ())),
                "store",
                row.disabled,
            )
            for row in rows
        ]

    # -- tokens ----------------------------------------------------------------------------------------------
    async def add_token(self, record: TokenRecord) -> None:
        async with self._transaction() as connection:
            await connection.execute(
                sa.insert(TOKENS).values(
                    id=record.id,
                    hash=record.hash,
                    identity=record.identity,
                    created=record.created,
                    expires=record.expires,
                    resources=sorted(record.resources),
                    note=record.note,
                    last_used=record.last_used,
                    revoked=record.revoked,
                    rules=sorted(record.rules),
                    networks=sorted(record.networks),
                    task=sa.null() if record.task is None else record.task.replicated(),
                    proven=sa.null() if record.proven is None else record.proven.replicated(),
                    exchange=sa.null() if record.exchange is None else record.exchange.replicated(),
                )
            )

    async def tokens(self, identity: str | None = None, ends_after: int | None = None) -> list[TokenRecord]:
        """All tokens, or one identity's, oldest first; revoked and expired ones too, but for those that
        ended by `ends_after` where it is given."""
        query = sa.select(TOKENS).order_by(TOKENS.c.created, TOKENS.c.id)
        if ends_after is not None:
            query = query.where(sa.or_(TOKENS.c.expires.is_(None), TOKENS.c.expires > ends_after))
        if identity is not None:
            query = query.where(TOKENS.c.identity == identity)
        async with self._transaction() as connection:
            return [_token(row) for row in (await connection.execute(query)).all()]

    async def tokens_by_id(self, ids: Iterable[str]) -> list[TokenRecord]:
        """Those that there are."""
        query = sa.select(TOKENS).where(TOKENS.c.id.in_(sorted(ids)))
        async with self._transaction() as connection:
            return [_token(row) for row in (await connection.execute(query)).all()]

    async def token(self, token_id: str) -> TokenRecord | None:
        async with self._transaction() as connection:
            row = (await connection.execute(sa.select(TOKENS).where(TOKENS.c.id == token_id))).first()
        return None if row is None else _token(row)

    async def token_by_hash(self, token_hash: str) -> TokenRecord | None:
        async with self._transaction() as connection:
            row = (await connection.execute(sa.select(TOKENS).where(TOKENS.c.hash == token_hash))).first()
        return None if row is None else _token(row)

    async def revoke_token(self, token_id: str, now: int) -> TokenRecord | None:
        """Revoke it, for good; the first revocation's time stays. None: there is no such token."""
        async with self._transaction() as connection:
            await connection.execute(
                sa.update(TOKENS)
                .where(TOKENS.c.id == token_id, TOKENS.c.revoked.is_(None))
                .values(revoked=now)
            )
            row = (await connection.execute(sa.select(TOKENS).where(TOKENS.c.id == token_id))).first()
        return None if row is None else _token(row)

    async def used_token(self, token_id: str, now: int) -> None:
        """Remember that it was used; at most one write a minute for each token."""
        async with self._transaction() as connection:
            await connection.execute(
                sa.update(TOKENS)
                .where(
                    TOKENS.c.id == token_id,
                    sa.or_(TOKENS.c.last_used.is_(None), TOKENS.c.last_used <= now - MINUTE),
                )
                .values(last_used=now)
            )

    # -- limits ----------------------------------------------------------------------------------------------
    async def lease(self, identity: str, rule: str, what: str, window: int, most: int, want: int) -> int:
        """Take up to `want` of what is left of `most` in the window that began at `window` (ns); else 0.

        Counted as spent from now on, whoever asks at the same time and on whatever node.
        """
        if want <= 0:
            return 0
        key = {"identity": identity, "rule": rule, "what": what, "window": window}
        where = [LIMITS.c[name] == value for name, value in key.items()]
        async with self._transaction() as connection:
            # the insert comes first: it takes SQLite's write lock, so nobody writes between read and update
            await connection.execute(self._insert(LIMITS).values(spent=0, **key).on_conflict_do_nothing())
            spent = (
                await connection.execute(sa.select(LIMITS.c.spent).where(*where).with_for_update())
            ).scalar_one()
            granted = max(0, min(want, most - spent))
            if granted:
                await connection.execute(sa.update(LIMITS).where(*where).values(spent=spent + granted))
        return int(granted)

    async def give_back(self, identity: str, rule: str, what: str, window: int, amount: int) -> None:
        """Return what was leased and not used. Never makes spent negative."""
        if amount <= 0:
            return
        left = LIMITS.c.spent - amount
        async with self._transaction() as connection:
            await connection.execute(
                sa.update(LIMITS)
                .where(
                    LIMITS.c.identity == identity,
                    LIMITS.c.rule == rule,
                    LIMITS.c.what == what,
                    LIMITS.c.window == window,
                )
                .values(spent=sa.case((left < 0, 0), else_=left))
            )

    async def forget_limits(self, before: int) -> None:
        """Drop windows that began before `before` (ns): they can't be asked for any more."""
        async with self._transaction() as connection:
            await connection.execute(sa.delete(LIMITS).where(LIMITS.c.window < before))

    # -- inherited classes -----------------------------------------------------------------------------------
    async def inherit(
        self, resource: str, database: str, inherits: Iterable[tuple[str, str]], now: int
    ) -> None:
        """Keep that these columns hold values of these data classes."""
        rows = [
            {"resource": resource, "database": database, "column_name": column, "data_class": data_class}
            for column, data_class in inherits
        ]
        async with self._transaction() as connection:
            for row in rows:
                statement = self._insert(INHERITED).values(created=now, **row)
                await connection.execute(statement.on_conflict_do_nothing())

    async def inherited(self) -> Sequence[tuple[str, str, str, str]]:
        """(resource, database, column, data class) of all that is kept."""
        table = INHERITED.c
        query = sa.select(table.resource, table.database, table.column_name, table.data_class)
        async with self._transaction() as connection:
            return [tuple(row) for row in (await connection.execute(query)).all()]

    # -- checkpoints -----------------------------------------------------------------------------------------
    async def add_checkpoint(self, node: str, number: int, line: str, now: int) -> None:
        """Keep a signed checkpoint. A number given twice raises StoreFailed: history is not rewritten."""
        async with self._transaction() as connection:
            await connection.execute(
                sa.insert(CHECKPOINTS).values(node=node, number=number, created=now, line=line)
            )

    async def last_checkpoint(self, node: str) -> StoredCheckpoint | None:
        query = (
            sa.select(CHECKPOINTS)
            .where(CHECKPOINTS.c.node == node)
            .order_by(CHECKPOINTS.c.number.desc())
            .limit(1)
        )
        async with self._transaction() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else StoredCheckpoint(row.node, row.number, row.created, row.line)

    async def checkpoints(self, node: str | None = None) -> Sequence[StoredCheckpoint]:
        query = sa.select(CHECKPOINTS).order_by(CHECKPOINTS.c.node, CHECKPOINTS.c.number)
        if node is not None:
            query = query.where(CHECKPOINTS.c.node == node)
        async with self._transaction() as connection:
            rows = (await connection.execute(query)).all()
        return [StoredCheckpoint(row.node, row.number, row.created, row.line) for row in rows]


def _token(row: Any) -> TokenRecord:
    return TokenRecord(
        hash=row.hash,
        id=row.id,
        identity=row.identity,
        created=row.created,
        expires=row.expires,
        resources=frozenset(row.resources),
        note=row.note,
        last_used=row.last_used,
        revoked=row.revoked,
        rules=frozenset(row.rules),
        networks=frozenset(row.networks),
        task=None if row.task is None else task_of(row.task),
        proven=None if row.proven is None else signed_in_by(row.proven),
        exchange=None if row.exchange is None else exchange_of(row.exchange),
    )


def server_clock() -> Any:
    """PostgreSQL's own clock as a column: wall ns."""
    return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()) * 1_000_000_000, sa.BigInteger)


def _engine(url: URL, **options: Any) -> AsyncEngine:
    return create_async_engine(url, hide_parameters=True, pool_pre_ping=True, **options)


async def _migrate(url: URL, given: dict[str, Any]) -> None:
    """Over a connection of its own, which may take its time."""
    patient = given["server_settings"] | {"statement_timeout": "0"}
    options = {"poolclass": sa.pool.NullPool, "isolation_level": "READ COMMITTED"}
    store = Store(_engine(url, connect_args=given | {"server_settings": patient}, **options))
    try:
        async with asyncio.timeout(MIGRATION), store.transaction() as connection:
            await connection.run_sync(upgrade)
    except TimeoutError:
        raise StoreFailed(f"the store's tables were not up to date in {MIGRATION} s") from None
    finally:
        await store.close()
