"""The store's tables of nodes: their numbers and lives, errands between them, open sessions, agreed keys.
It must never hold a key, only fingerprints; times here are the server's own, as nodes' clocks differ.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from wicketgate.model.errors import StoreFailed
from wicketgate.store.db import Store, server_clock
from wicketgate.store.tables import ERRANDS, NODES, OPEN_SESSIONS, SHARED_KEYS

SECOND: Final = 1_000_000_000
NODES_MOST: Final = 127
"""Node numbers are small: they travel in 64-bit cancel keys."""
ALIVE: Final = 20 * SECOND
"""A node that was not seen for so long counts as gone."""
FORGOTTEN: Final = 3600 * SECOND
"""What a node left behind is swept away after so long."""
ERRAND_LASTS: Final = 30 * SECOND
ERRANDS_MOST: Final = 500
"""Errands that are taken at once."""


@dataclass(frozen=True, slots=True)
class NodeRow:
    """number: the small one in cancel keys. node: its random id. seen: the store's clock, ns."""

    number: int
    node: str
    name: str
    seen: int
    alive: bool


@dataclass(frozen=True, slots=True)
class Errand:
    """What another node asks for. kind and body: see control/neighbours.py."""

    id: str
    kind: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ElsewhereSession:
    """A session that is open on another node. opened: that node's wall clock, ns. number: the node's."""

    session: str
    node: str
    node_name: str
    number: int
    identity: str
    resource: str
    database: str
    account: str
    source: str
    opened: int


class NodeRows:
    """store: opened when it is first asked. clock: wall ns, for a store that has none of its own.

    Every method raises StoreFailed where the store is away."""

    def __init__(self, store: Callable[[], Awaitable[Store]], clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    async def shared(self) -> bool:
        """Whether other nodes may be on it."""
        return (await self._store()).shared

    async def _now(self, store: Store, connection: AsyncConnection) -> int:
        if not store.shared:
            return self._clock()
        return int((await connection.execute(sa.select(server_clock()))).scalar_one())

    # -- lives -----------------------------------------------------------------------------------------------
    async def number(self, node: str, name: str = "", life: str = "") -> int:
        """The small number of a node (random id), 0 to NODES_MOST; given out once and kept.

        life: a random id of this run: another run under the same id ends with it. When all are taken, the one
        that was seen longest ago is given anew, unless it still lives.
        """
        store = await self._store()
        async with store.transaction() as connection:
            # before anything else: a lock that grows deadlocks with another that does
            if store.shared:
                await connection.execute(sa.text("LOCK TABLE nodes IN SHARE ROW EXCLUSIVE MODE"))
            now = await self._now(store, connection)
            row = {"seen": now, "name": name[:63], "life": life}
            found = (
                await connection.execute(
                    sa.update(NODES).where(NODES.c.node == node).values(**row).returning(NODES.c.number)
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
                if store.shared and taken[free] > now - ALIVE:
                    raise StoreFailed(f"{NODES_MOST + 1} nodes are on this store, and no more can be")
                await connection.execute(sa.delete(NODES).where(NODES.c.number == free))
            await connection.execute(sa.insert(NODES).values(number=free, node=node, created=now, **row))
        return free

    async def beat(self, node: str, life: str = "") -> int:
        """This node lives. How many ns the store's clock is ahead of ours.

        Raises StoreFailed where its number was given to another meanwhile, or another run has its id."""
        store = await self._store()
        async with store.transaction() as connection:
            before = self._clock()
            now = await self._now(store, connection)
            after = self._clock()
            done = await connection.execute(
                sa.update(NODES).where(NODES.c.node == node, NODES.c.life == life).values(seen=now)
            )
        if not done.rowcount:
            raise StoreFailed(
                "the store does not know this node any more",
                "another gateway runs with a copy of this one's state/node, or has taken its number",
            )
        return now - (before + after) // 2

    async def leave(self, node: str) -> None:
        """This node ends: it has no sessions, and lives no longer."""
        store = await self._store()
        async with store.transaction() as connection:
            now = await self._now(store, connection)
            await connection.execute(sa.update(NODES).where(NODES.c.node == node).values(seen=now - ALIVE))
            await connection.execute(sa.delete(OPEN_SESSIONS).where(OPEN_SESSIONS.c.node == node))

    async def nodes(self) -> list[NodeRow]:
        """All that have numbers, by number."""
        store = await self._store()
        async with store.transaction() as connection:
            now = await self._now(store, connection)
            rows = (await connection.execute(sa.select(NODES).order_by(NODES.c.number))).all()
        return [NodeRow(row.number, row.node, row.name, row.seen, row.seen > now - ALIVE) for row in rows]

    async def sweep(self) -> None:
        """Remove errands that nobody came for, and sessions of nodes that are long gone."""
        store = await self._store()
        async with store.transaction() as connection:
            now = await self._now(store, connection)
            await connection.execute(sa.delete(ERRANDS).where(ERRANDS.c.created < now - ERRAND_LASTS))
            living = sa.select(NODES.c.node).where(NODES.c.seen > now - FORGOTTEN)
            await connection.execute(sa.delete(OPEN_SESSIONS).where(OPEN_SESSIONS.c.node.not_in(living)))

    # -- errands ---------------------------------------------------------------------------------------------
    async def send(self, errands: Iterable[tuple[str, str, str, Mapping[str, Any]]]) -> None:
        """Each: id, the node that is to do it, kind, body."""
        store = await self._store()
        async with store.transaction() as connection:
            now = await self._now(store, connection)
            rows = [
                {"id": number, "node": node, "kind": kind, "body": dict(body), "created": now}
                for number, node, kind, body in errands
            ]
            if rows:
                await connection.execute(sa.insert(ERRANDS), rows)

    async def taken(self, errand: str) -> bool:
        """Whether the other node took it (or it is too old)."""
        query = sa.select(ERRANDS.c.id).where(ERRANDS.c.id == errand)
        async with (await self._store()).transaction() as connection:
            return (await connection.execute(query)).first() is None

    async def withdraw(self, errand: str) -> bool:
        """Take back what nobody took. False: it was taken."""
        gone = sa.delete(ERRANDS).where(ERRANDS.c.id == errand)
        async with (await self._store()).transaction() as connection:
            return bool((await connection.execute(gone)).rowcount)

    async def take(self, node: str) -> Sequence[Errand]:
        """What others ask of this node, oldest first; it is told once. What is too old is left out."""
        store = await self._store()
        async with store.transaction() as connection:
            now = await self._now(store, connection)
            mine = sa.select(ERRANDS.c.id).where(ERRANDS.c.node == node).order_by(ERRANDS.c.created)
            done = await connection.execute(
                sa.delete(ERRANDS)
                .where(ERRANDS.c.id.in_(mine.limit(ERRANDS_MOST)))
                .returning(ERRANDS.c.id, ERRANDS.c.kind, ERRANDS.c.body, ERRANDS.c.created)
            )
            rows = sorted(done.all(), key=lambda row: (row.created, row.id))
        return [Errand(row.id, row.kind, row.body) for row in rows if row.created >= now - ERRAND_LASTS]

    # -- open sessions ---------------------------------------------------------------------------------------
    async def share(
        self, node: str, opened: Iterable[Mapping[str, Any]], closed: Iterable[str], anew: bool = False
    ) -> None:
        """Tell others of sessions (rows of open_sessions without `node`). anew: these are all there are."""
        store = await self._store()
        rows = [{**row, "node": node} for row in opened]
        gone = list(closed)
        table = OPEN_SESSIONS.c
        async with store.transaction() as connection:
            if anew:
                await connection.execute(sa.delete(OPEN_SESSIONS).where(table.node == node))
            elif gone:
                await connection.execute(
                    sa.delete(OPEN_SESSIONS).where(table.node == node, table.session.in_(gone))
                )
            if rows:
                await connection.execute(store.insert(OPEN_SESSIONS).on_conflict_do_nothing(), rows)

    async def elsewhere(self, node: str, session: str | None = None) -> list[ElsewhereSession]:
        """Sessions that are open on other nodes that live; or the one with this id."""
        store = await self._store()
        table = OPEN_SESSIONS.c
        query = (
            sa.select(OPEN_SESSIONS, NODES.c.number, NODES.c.name, NODES.c.seen)
            .join(NODES, NODES.c.node == table.node)
            .where(table.node != node)
        )
        if session is not None:
            query = query.where(table.session == session)
        async with store.transaction() as connection:
            now = await self._now(store, connection)
            rows = (await connection.execute(query)).all()
        return [
            ElsewhereSession(
                row.session,
                row.node,
                row.name,
                row.number,
                row.identity,
                row.resource,
                row.database,
                row.account,
                row.source,
                row.opened,
            )
            for row in rows
            if row.seen > now - ALIVE
        ]

    # -- keys that all nodes have ----------------------------------------------------------------------------
    async def agree(self, node: str, name: str, prints: Mapping[int, str]) -> Mapping[int, tuple[str, str]]:
        """Keep the fingerprints of keys that nobody has told of, where the others agree; all that are kept
        then: version -> (fingerprint, the node that told it first)."""
        store = await self._store()
        table = SHARED_KEYS.c
        async with store.transaction() as connection:
            now = await self._now(store, connection)
            known = sa.select(table.version, table.fingerprint, table.node).where(table.name == name)
            kept = {row.version: row.fingerprint for row in await connection.execute(known)}
            together = kept.keys() & prints.keys()
            if not kept or (together and all(kept[version] == prints[version] for version in together)):
                rows = [
                    {"name": name, "version": version, "fingerprint": each, "node": node, "created": now}
                    for version, each in sorted(prints.items())
                    if version not in kept
                ]
                if rows:
                    await connection.execute(store.insert(SHARED_KEYS).on_conflict_do_nothing(), rows)
            found = (await connection.execute(known)).all()
        return {row.version: (row.fingerprint, row.node) for row in found}

    async def forget_keys(self, name: str) -> int:
        """Forget what was agreed. How many fingerprints there were. Raises StoreFailed while a node lives."""
        store = await self._store()
        async with store.transaction() as connection:
            if store.shared:
                await connection.execute(sa.text("LOCK TABLE nodes IN SHARE ROW EXCLUSIVE MODE"))
            now = await self._now(store, connection)
            living = (
                await connection.execute(
                    sa.select(sa.func.count()).select_from(NODES).where(NODES.c.seen > now - ALIVE)
                )
            ).scalar_one()
            if living:
                raise StoreFailed(f"{living} nodes run on this store, or did a moment ago")
            gone = await connection.execute(sa.delete(SHARED_KEYS).where(SHARED_KEYS.c.name == name))
        return int(gone.rowcount)
