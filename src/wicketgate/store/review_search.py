"""Which reviews a list holds, as conditions on the store's tables.
It must never leave out what narrows a list to what somebody may see.
"""

from typing import Any

import sqlalchemy as sa

from wicketgate.model.review import Sought, Status
from wicketgate.store.review_tables import REVIEW_CHAIRS, REVIEW_VOTES, REVIEWS


def wanted(sought: Sought) -> list[Any]:
    """What a page is of: what somebody may see, and of that what is sought."""
    table, chair = REVIEWS.c, REVIEW_CHAIRS.c

    def seated(names: list[str]) -> Any:
        return table.id.in_(sa.select(chair.review).where(chair.chair.in_(names)))

    own = seated([f"own:{sought.own}"]) if sought.own else sa.false()
    if sought.task is not None:
        own = sa.and_(own, table.task == sought.task)
    seats = seated(sorted(sought.chairs)) if sought.chairs else sa.false()
    where: list[Any] = []
    if not sought.everything:
        where.append(sa.or_(own, seats, table.resource.in_(sorted(sought.reach))))
    if sought.scope:
        where.append(table.resource.in_(sorted(sought.scope)))
    if sought.mine:
        voted = sa.select(REVIEW_VOTES.c.review).where(REVIEW_VOTES.c.voter == sought.own)
        where += [table.status == Status.PENDING.value, seats, sa.not_(own), table.id.not_in(voted)]
    if sought.status is not None:
        where.append(table.status.in_([each.value for each in sought.status]))
    for column, one in ((table.resource, sought.resource), (table.identity, sought.identity)):
        if one is not None:
            where.append(column == one)
    if sought.kind is not None:
        where.append(table.kind == sought.kind.value)
    return where
