"""The store's history of access: what was used, by day; who was in which groups; reports that were kept.
It must never hold a value or a statement's text: shapes of use are all there is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from wicketgate.model.usage import DAY, Member, Use, digest, member_of, shape_of
from wicketgate.store.db import Store
from wicketgate.store.tables import ACCESS_REPORTS, GROUP_HISTORY, SHAPES, USES

LOST: Final = "lost"
"""In place of a shape's id: how many uses of a day nothing is known of."""
MOST_CHANGES: Final = 1000
"""Changes of one identity's groups that are kept: of more, the newest."""
MOST_REPORTS: Final = 100
PART: Final = 200
"""Rows of one statement: SQLite takes so many parameters, and no more."""


@dataclass(frozen=True, slots=True)
class KeptReport:
    """A report that was kept: what the next is compared with. granted: JSON (policy.granted.Granted.told)."""

    at: int
    author: str
    policy: str
    granted: list[dict[str, Any]]


class HistoryRows:
    """Every method raises StoreFailed. Times are wall ns."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def keep(
        self, uses: Sequence[Use], members: Sequence[tuple[int, Member]], lost: int, now: int
    ) -> None:
        """control.ports.HistoryStore.keep."""
        shapes: dict[str, dict[str, Any]] = {}
        days: dict[tuple[int, str], dict[str, Any]] = {}
        for use in uses:
            told = use.shape.told()
            name = digest(told)
            shapes[name] = {
                "id": name,
                "identity": use.shape.who.name,
                "resource": use.shape.resource,
                "told": told,
            }
            row = {"first": use.first, "last": use.last, "count": use.count}
            days[use.last // DAY, name] = {"day": use.last // DAY, "shape": name, **row}
        if lost:
            row = {"first": now, "last": now, "count": lost}
            days[now // DAY, LOST] = {"day": now // DAY, "shape": LOST, **row}
        async with self._store.transaction() as connection:
            # sorted: two nodes that write the same rows must not wait for each other
            for part in _parts([shapes[name] for name in sorted(shapes)]):
                await connection.execute(self._store.insert(SHAPES).on_conflict_do_nothing(), part)
            if days:
                insert = self._store.insert(USES)
                new = insert.excluded
                insert = insert.on_conflict_do_update(
                    index_elements=[USES.c.day, USES.c.shape],
                    set_={
                        "count": USES.c.count + new.count,
                        "first": sa.case((USES.c.first < new.first, USES.c.first), else_=new.first),
                        "last": sa.case((USES.c.last > new.last, USES.c.last), else_=new.last),
                    },
                )
                for part in _parts([days[key] for key in sorted(days)]):
                    await connection.execute(insert, part)
            for at, member in members:
                changed = {"identity": member.name, "at": at, "told": member.told()}
                insert = self._store.insert(GROUP_HISTORY).values(**changed)
                await connection.execute(insert.on_conflict_do_nothing())
                of = GROUP_HISTORY.c.identity == member.name
                newest = sa.select(GROUP_HISTORY.c.at).where(of).order_by(GROUP_HISTORY.c.at.desc())
                oldest = newest.offset(MOST_CHANGES).limit(1).scalar_subquery()
                await connection.execute(sa.delete(GROUP_HISTORY).where(of, GROUP_HISTORY.c.at <= oldest))

    async def members(self) -> list[Member]:
        """Each identity as it was last, those that changed last at the end."""
        return [member for _, member in await self.changes(0, latest=True)]

    async def changes(self, since: int, *, latest: bool = False) -> list[tuple[int, Member]]:
        """Changes of groups since then, oldest first. latest: of each identity the last one alone."""
        query = sa.select(GROUP_HISTORY).where(GROUP_HISTORY.c.at >= since).order_by(GROUP_HISTORY.c.at)
        if latest:
            query = query.where(~_later())
        async with self._store.transaction() as connection:
            return [(row.at, member_of(row.told)) for row in await connection.execute(query)]

    async def before(self, moment: int) -> dict[str, Member]:
        """Each identity as it was at a moment."""
        found = {}
        query = sa.select(GROUP_HISTORY).where(GROUP_HISTORY.c.at <= moment).order_by(GROUP_HISTORY.c.at)
        async with self._store.transaction() as connection:
            for row in await connection.execute(query):
                found[row.identity] = member_of(row.told)
        return found

    async def uses(
        self, since: int, identity: str | None = None, resource: str | None = None, *, daily: bool = False
    ) -> tuple[list[Use], int]:
        """What was used since that day, summed over days; and how many uses nothing is known of.
        daily: each day by itself."""
        sums = (
            sa.func.sum(USES.c.count).label("times"),
            sa.func.min(USES.c.first).label("begun"),
            sa.func.max(USES.c.last).label("ended"),
        )
        days = sa.select(USES.c.shape, *sums).where(USES.c.day >= since // DAY)
        days = days.group_by(USES.c.shape, *([USES.c.day] if daily else []))
        summed = days.subquery()
        whole = sa.select(SHAPES.c.told, summed).join(summed, summed.c.shape == SHAPES.c.id)
        if identity is not None:
            whole = whole.where(SHAPES.c.identity == identity)
        if resource is not None:
            whole = whole.where(SHAPES.c.resource == resource)
        lost = sa.select(sa.func.sum(USES.c.count)).where(USES.c.day >= since // DAY, USES.c.shape == LOST)
        async with self._store.transaction() as connection:
            rows = (await connection.execute(whole)).all()
            missing = (await connection.execute(lost)).scalar()
        uses = [Use(shape_of(row.told), int(row.times), row.begun, row.ended) for row in rows]
        return uses, int(missing or 0)

    async def begins(self) -> int | None:
        """The first moment of which anything is known; None: nothing is."""
        async with self._store.transaction() as connection:
            moments = (
                (await connection.execute(sa.select(sa.func.min(USES.c.first)))).scalar(),
                (await connection.execute(sa.select(sa.func.min(GROUP_HISTORY.c.at)))).scalar(),
            )
        known: list[int] = [each for each in moments if each is not None]
        return min(known) if known else None

    async def forget(self, before: int) -> None:
        """Forget what was before, but for each identity's last groups."""
        async with self._store.transaction() as connection:
            await connection.execute(sa.delete(USES).where(USES.c.day < before // DAY))
            await connection.execute(sa.delete(SHAPES).where(~sa.exists().where(USES.c.shape == SHAPES.c.id)))
            old = GROUP_HISTORY.c.at < before
            await connection.execute(sa.delete(GROUP_HISTORY).where(old, _later()))
            await connection.execute(sa.delete(ACCESS_REPORTS).where(ACCESS_REPORTS.c.at < before))

    # -- reports --------------------------------------------------------------------------------------------
    async def keep_report(self, at: int, author: str, policy: str, granted: list[dict[str, Any]]) -> None:
        oldest = sa.select(ACCESS_REPORTS.c.at).order_by(ACCESS_REPORTS.c.at.desc()).offset(MOST_REPORTS - 1)
        async with self._store.transaction() as connection:
            await connection.execute(
                sa.delete(ACCESS_REPORTS).where(ACCESS_REPORTS.c.at <= oldest.limit(1).scalar_subquery())
            )
            await connection.execute(
                self._store.insert(ACCESS_REPORTS)
                .values(at=at, author=author, policy=policy, granted=granted)
                .on_conflict_do_nothing()
            )

    async def last_report(self) -> KeptReport | None:
        query = sa.select(ACCESS_REPORTS).order_by(ACCESS_REPORTS.c.at.desc()).limit(1)
        async with self._store.transaction() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else KeptReport(row.at, row.author, row.policy, list(row.granted))


def _later() -> Any:
    """Whether there is a later change of the same identity's groups."""
    other = GROUP_HISTORY.alias()
    return sa.exists().where(other.c.identity == GROUP_HISTORY.c.identity, other.c.at > GROUP_HISTORY.c.at)


def _parts(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    return [rows[at : at + PART] for at in range(0, len(rows), PART)]
