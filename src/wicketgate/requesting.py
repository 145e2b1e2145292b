"""Requests that sign-ins make, for the control process: composition like app.py, which uses it.
It must never ask for what the policy does not offer to whoever is proven."""

import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from wicketgate.admin.requests import Asking, request_of, review_of, times
from wicketgate.model.errors import GatewayError
from wicketgate.model.grant import new_id
from wicketgate.model.identity import Identity
from wicketgate.policy.engine import Engine
from wicketgate.policy.offers import offers
from wicketgate.store.db import Store
from wicketgate.store.grants import GrantRows
from wicketgate.store.reviews import Reviews


class ByConnecting:
    """store: on the loop that asks. link: to a review's page. node: this one's random id."""

    def __init__(
        self,
        store: Callable[[], Awaitable[Store]],
        reviews: Reviews,
        link: Callable[[str], str],
        node: str,
    ) -> None:
        self._grants = GrantRows(store)
        self._reviews = reviews
        self._link = link
        self._node = node

    async def ask(
        self, engine: Engine, proven: Identity, resource: str, account: str, rule: str, now: int
    ) -> Mapping[str, Any]:
        """The request of somebody who is proven: a new one, or that which waits. Raises GatewayError."""
        found = [
            each
            for each in offers(engine, proven, resource)
            if (each.rule, each.account) == (rule, account) and each.terms.by_connecting
        ]
        if not found:
            raise GatewayError("sign-in refused", "nothing can be asked for by connecting")
        [offer] = found
        seconds, starts, ends = times(offer, Asking(resource), now)
        request = request_of(new_id(os.urandom), proven, offer, now, seconds, starts, ends)
        review = review_of(proven, offer, request, "", self._node)
        same = await self._grants.same(proven.name, review.exact, now)
        if same is not None:
            # granted, and not begun
            return {"review": same, "status": "used", "link": self._link(same)}
        await self._grants.asked(request)
        asked = None
        try:
            asked, _ = await self._reviews.ask(review, now)
        finally:
            if asked is None or asked.id != request.id:
                await self._grants.unasked(request.id)
        return {"review": asked.id, "status": asked.status.value, "link": self._link(asked.id)}
