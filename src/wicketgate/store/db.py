"""What lasts: identities, tokens, limits spent, checkpoints, node numbers; SQLite by default, or PostgreSQL.
It must never be asked per statement (an operation takes half a millisecond), nor hold a secret in clear."""

import errno
import os
import sqlite3
import stat
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from wicketgate.model.errors import StoreFailed
from wicketgate.model.identity import IdentityKind
from wicketgate.model.saml import signed_in_by
from wicketgate.model.task import task_of
from wicketgate.model.token import ServiceAccount, TokenRecord
from wicketgate.store.migrate import upgrade
from wicketgate.store.tables import CHECKPOINTS, IDENTITIES, INHERITED, LIMITS, MEMBERSHIPS, NODES, TOKENS

MINUTE: Final = 60_000_000_000
NODES_MOST: Final = 127
"""Node numbers are small: they travel in 64-bit cancel keys."""


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """line: the signed checkpoint as it stands in the journal. created: wall clock ns."""

    node: str
    number: int
    created: int
    line: str


def store_url(database_url: str | None, state: Path) -> URL:
    """The engine's URL: PostgreSQL as the operator wrote it, or a file in the state folder.

    Raises StoreFailed for an address that is neither; the message never repeats it (it may hold a password).
    """
    if database_url is None:
        return URL.create("sqlite+aiosqlite", database=str(state / "wicketgate.sqlite"))
    try:
        url = make_url(database_url)
    except ArgumentError:
        raise StoreFailed("database_url can't be read: postgresql://user:password@host:port/name") from None
    if url.get_backend_name() == "sqlite":
        return url.set(drivername="sqlite+aiosqlite")
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise StoreFailed("database_url must begin with postgresql:// or sqlite://")
    query = {("ssl" if key == "sslmode" else key): value for key, value in url.query.items()}
    return url.set(drivername="postgresql+asyncpg", query=query)


def _make_file(path: str) -> None:
    """Make SQLite's file for us alone, before SQLite makes it for whoever the umask says.

    Its -wal and -shm files take the same mode. A file that stands already is never opened here: closing it
    would drop the locks that SQLite holds on it for this whole process (fcntl(2)), and the next process to
    close the store would take itself for the last one and delete the log that we write to.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        _keep_private(path)
    except OSError as error:
        raise _unopened(path, error) from None


def _keep_private(path: str) -> None:
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.ELOOP, "it is no ordinary file")
        if stat.S_IMODE(found.st_mode) != 0o600:
            os.chmod(path, 0o600)
    except OSError as error:
        raise _unopened(path, error) from None


def _unopened(path: str, error: OSError) -> StoreFailed:
    return StoreFailed(f"the store {path} can't be opened: {error.strerror}", str(error))


class Store:
    """Typed rows in and out. Every method raises StoreFailed when the database can't answer.

    Bound to the event loop that opened it: each loop opens its own.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._insert: Any = insert_sqlite if engine.dialect.name == "sqlite" else insert_postgresql

    @classmethod
    async def open(cls, url: URL) -> "Store":
        """Connect, and bring the tables up to date. One process does it, others wait for it."""
        options: dict[str, Any] = {"hide_parameters": True, "pool_pre_ping": True}
        if url.get_backend_name() == "sqlite":
            if url.database and url.database != ":memory:":
                _make_file(url.database)
            options |= {"connect_args": {"timeout": 10}}
        else:
            options |= {"connect_args": {"timeout": 10, "command_timeout": 15}, "pool_size": 4}
        engine = create_async_engine(url, **options)
        if url.get_backend_name() == "sqlite":
            sa.event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        store = cls(engine)
        try:
            async with store._transaction() as connection:
                await connection.run_sync(upgrade)
        except BaseException:
            await engine.dispose()
            raise
        return store

    async def close(self) -> None:
        await self._engine.dispose()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            # the driver's text may quote an address, never a parameter (hide_parameters)
            raise StoreFailed("the store does not answer", f"{type(error).__name__}: {error}") from error

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
                )
            )

    async def tokens(self, identity: str | None = None) -> list[TokenRecord]:
        """All tokens, or one identity's, oldest first; revoked and expired ones too."""
        query = sa.select(TOKENS).order_by(TOKENS.c.created, TOKENS.c.id)
        if identity is not None:
            query = query.where(TOKENS.c.identity == identity)
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

    # -- nodes -----------------------------------------------------------------------------------------------
    async def node_number(self, node: str, now: int) -> int:
        """The small number of a node (random id), 0 to NODES_MOST; given out once and kept.

        When all are taken, the one that was seen longest ago is given anew. Call it at start and every hour.
        """
        async with self._transaction() as connection:
            # before anything else: a lock that grows deadlocks with another that does
            if connection.dialect.name == "postgresql":
                await connection.execute(sa.text("LOCK TABLE nodes IN SHARE ROW EXCLUSIVE MODE"))
            found = (
                await connection.execute(
                    sa.update(NODES).where(NODES.c.node == node).values(seen=now).returning(NODES.c.number)
                )
            ).scalar_one_or_none()
            if found is not None:
                return int(found)
            taken = {
                row.number: row.seen
                for row in await connection.execute(sa.select(NODES.c.number, NODES.c.seen))
            }
            free = next((number for number in range(NODES_MOST + 1) if number not in taken), None)
            if free is None:
                free = min(taken, key=lambda number: (taken[number], number))
                await connection.execute(sa.delete(NODES).where(NODES.c.number == free))
            await connection.execute(sa.insert(NODES).values(number=free, node=node, created=now, seen=now))
        return free


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
    )


def _prepare_sqlite(connection: Any, record: object) -> None:
    """WAL: the API reads while the main loop writes. FULL: a revocation once answered is on the disk."""
    cursor = connection.cursor()
    try:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
            cursor.execute(f"PRAGMA {pragma}")
    except sqlite3.OperationalError as error:
        raise StoreFailed("the store's file can't be used", str(error)) from None
    finally:
        cursor.close()
