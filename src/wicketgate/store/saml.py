"""The store's tables of sign-ins by SAML that are under way, and of assertions that were taken.
They must never grow without bound, nor let two through where one may pass: each step is one UPDATE."""

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from wicketgate.model.sign_in import SignIn
from wicketgate.store.db import Store
from wicketgate.store.tables import SAML_LOGINS, SAML_SEEN

MOST: Final = 20_000
"""Sign-ins under way at once, and as many for each of these below: a security limit."""
MOST_OF_SOURCE: Final = 64
MOST_SEEN: Final = 500_000
"""Assertions remembered at once: where there are more, none is taken."""


class SignInRows:
    """Every method raises StoreFailed. Times: wall ns."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def begin(self, sign_in: SignIn) -> bool:
        """Keep a new one; False where there are too many. What has expired is forgotten."""
        count = sa.select(sa.func.count()).select_from(SAML_LOGINS)
        async with self._store.transaction() as connection:
            for table in (SAML_LOGINS, SAML_SEEN):
                await connection.execute(sa.delete(table).where(table.c.expires <= sign_in.created))
            of_source = count.where(SAML_LOGINS.c.source == sign_in.source)
            if (await connection.execute(of_source)).scalar_one() >= MOST_OF_SOURCE:
                return False
            if (await connection.execute(count)).scalar_one() >= MOST:
                return False
            await connection.execute(
                sa.insert(SAML_LOGINS).values(
                    ticket=sign_in.ticket,
                    issuer=sign_in.issuer,
                    source=sign_in.source,
                    challenge=sign_in.challenge,
                    port=sign_in.port,
                    state=sign_in.state,
                    created=sign_in.created,
                    expires=sign_in.expires,
                    proven=sa.null(),
                )
            )
        return True

    async def send(
        self, ticket: str, issuer: str, now: int, *, request: str, relay: str, browser: str
    ) -> bool:
        """A browser takes it to the identity provider; False where there is none, or one did before."""
        table = SAML_LOGINS.c
        statement = (
            sa.update(SAML_LOGINS)
            .where(table.ticket == ticket, table.issuer == issuer, table.expires > now, table.relay.is_(None))
            .values(request=request, relay=relay, browser=browser)
        )
        async with self._store.transaction() as connection:
            return bool((await connection.execute(statement)).rowcount)

    async def sent(self, relay: str, issuer: str, now: int) -> SignIn | None:
        """The one that was sent with this RelayState and that nothing has come of yet."""
        table = SAML_LOGINS.c
        query = sa.select(SAML_LOGINS).where(
            table.relay == relay, table.issuer == issuer, table.expires > now, table.code.is_(None)
        )
        async with self._store.transaction() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else _sign_in(row)

    async def take(self, issuer: str, assertion: str, expires: int) -> bool:
        """Remember an assertion (its digest) as taken; False where it was before."""
        statement = self._store.insert(SAML_SEEN).values(issuer=issuer, assertion=assertion, expires=expires)
        count = sa.select(sa.func.count()).select_from(SAML_SEEN)
        async with self._store.transaction() as connection:
            if (await connection.execute(count)).scalar_one() >= MOST_SEEN:
                return False
        # apart: SQLite would not let a transaction write that read before another one wrote
        async with self._store.transaction() as connection:
            return bool((await connection.execute(statement.on_conflict_do_nothing())).rowcount)

    async def prove(self, ticket: str, code: str, proven: Mapping[str, Any], expires: int) -> bool:
        """Something has come of it: to be had with the code, until it expires. False where it did before."""
        table = SAML_LOGINS.c
        statement = (
            sa.update(SAML_LOGINS)
            .where(table.ticket == ticket, table.code.is_(None))
            .values(code=code, proven=dict(proven), expires=expires)
        )
        async with self._store.transaction() as connection:
            return bool((await connection.execute(statement)).rowcount)

    async def redeem(self, ticket: str, issuer: str, code: str, challenge: str, now: int) -> SignIn | None:
        """What came of it, once, to who has all three; it is gone then."""
        table = SAML_LOGINS.c
        where = (
            table.ticket == ticket,
            table.issuer == issuer,
            table.code == code,
            table.challenge == challenge,
            table.expires > now,
        )
        statement = sa.delete(SAML_LOGINS).where(*where).returning(*SAML_LOGINS.c)
        async with self._store.transaction() as connection:
            row = (await connection.execute(statement)).first()
        return None if row is None else _sign_in(row)


def _sign_in(row: Any) -> SignIn:
    return SignIn(
        ticket=row.ticket,
        issuer=row.issuer,
        source=row.source,
        challenge=row.challenge,
        port=row.port,
        state=row.state,
        created=row.created,
        expires=row.expires,
        request=row.request,
        browser=row.browser,
        proven=row.proven,
    )
