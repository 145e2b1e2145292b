"""Proves to the API whose a token is, by the store at each call. It must never remember that it held."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress

from wicketgate.admin.ports import Control
from wicketgate.identity import tokens
from wicketgate.identity.authenticate import Authenticator
from wicketgate.identity.issuers import IssuerTokens
from wicketgate.model.errors import GatewayError
from wicketgate.model.identity import Identity
from wicketgate.model.secret import Secret
from wicketgate.model.token import ServiceAccount, TokenRecord
from wicketgate.store.db import MINUTE, Store
from wicketgate.store.exchanges import with_origins

Unite = Callable[[Iterable[ServiceAccount]], Mapping[str, ServiceAccount]]


def prover(
    store: Store,
    together: Unite,
    clock: Callable[[], int],
    control: Control,
    issuers: Callable[[], IssuerTokens],
) -> Callable[[Secret, str, bytes | None], Awaitable[tuple[Identity, TokenRecord | None] | None]]:
    """For the API: a token as presented, its source and the certificate beside it (DER, verified by TLS) ->
    whose it is, proven by the store at each call."""

    async def prove(
        secret: Secret, source: str, certificate: bytes | None = None
    ) -> tuple[Identity, TokenRecord | None] | None:
        record = await store.token_by_hash(tokens.hash_of(secret))
        accounts = together(await store.identities())
        trusted = issuers()
        if (missing := trusted.missing(secret)) is not None:
            await asyncio.wrap_future(control.ask_issuer(missing))
            trusted = issuers()
        if Authenticator({}, {}, trusted).unread(secret, clock()):
            with suppress(GatewayError):  # then it proves nobody
                await asyncio.wrap_future(control.reread(secret))
            trusted = issuers()
        authenticator = Authenticator(
            await with_origins(store, record),
            {name: account.replicated() for name, account in accounts.items()},
            trusted,
        )
        now = clock()
        identity = authenticator.bearer(secret, source, now, certificate)
        if identity is not None and identity.proof is not None:
            return identity, None
        if identity is None or record is None:
            return None
        if record.last_used is None or now - record.last_used >= MINUTE:
            await store.used_token(record.id, now)
        return identity, record

    return prove
