"""The store's table of the policy's revisions. It must never change or remove one."""

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from wicketgate.model.revision import Revision
from wicketgate.store.db import Store
from wicketgate.store.tables import POLICY_REVISIONS

_TABLE = POLICY_REVISIONS
_FACTS = tuple(column for column in _TABLE.c if column.name != "text")


class RevisionRows:
    """Every method raises StoreFailed. What is read is as it stands there: whoever loads it checks seals."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def number(self) -> int:
        """The newest revision's number; 0: there is none."""
        async with self._store.transaction() as connection:
            found = (await connection.execute(sa.select(sa.func.max(_TABLE.c.number)))).scalar()
        return int(found or 0)

    async def newest(self) -> Revision | None:
        """The newest, with its text."""
        query = sa.select(_TABLE).order_by(_TABLE.c.number.desc()).limit(1)
        async with self._store.transaction() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else _revision(row)

    async def revision(self, number: int, text: bool = True) -> Revision | None:
        """One of them. text False: without its text."""
        query = sa.select(*(_TABLE.c if text else _FACTS)).where(_TABLE.c.number == number)
        async with self._store.transaction() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else _revision(row)

    async def revisions(self, before: int | None, most: int) -> Sequence[Revision]:
        """Those with a smaller number than `before`, newest first, without their texts."""
        query = sa.select(*_FACTS).order_by(_TABLE.c.number.desc()).limit(most)
        if before is not None:
            query = query.where(_TABLE.c.number < before)
        async with self._store.transaction() as connection:
            return [_revision(row) for row in (await connection.execute(query)).all()]

    async def add(self, revision: Revision, record: Callable[[], None]) -> bool:
        """Add it. False: one of its number is there already, and nothing was done.

        record: called when nobody else can add this number any more, and before the revision can be read by
        anybody; what it raises takes the revision back."""
        values = {
            column.name: getattr(revision, column.name) for column in _TABLE.c if column.name != "restores"
        }
        values["restores"] = sa.null() if revision.restores is None else revision.restores
        statement = self._store.insert(_TABLE).values(**values).on_conflict_do_nothing()
        async with self._store.transaction() as connection:
            if not (await connection.execute(statement)).rowcount:
                return False
            record()
        return True


def _revision(row: Any) -> Revision:
    return Revision(**row._mapping)
