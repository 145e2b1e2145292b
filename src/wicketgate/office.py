"""The composition of what administrates: store, journal and protocols, for the API's verbs and the CLI's.
Like app.py it may import everyone; like app.py it decides nothing."""

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from wicketgate.admin.ports import Control, Office, Recordings
from wicketgate.identity import tokens
from wicketgate.identity.authenticate import Authenticator
from wicketgate.identity.service_accounts import unite
from wicketgate.model.identity import Identity
from wicketgate.model.secret import Secret
from wicketgate.model.token import ServiceAccount, TokenRecord
from wicketgate.protocols.base import Shown
from wicketgate.store.db import Store, store_url

Unite = Callable[[Iterable[ServiceAccount]], Mapping[str, ServiceAccount]]


def prover(
    store: Store, together: Unite, clock: Callable[[], int]
) -> Callable[[Secret, str], Awaitable[tuple[Identity, TokenRecord] | None]]:
    """For the API: a token as presented and its source -> whose it is, proven by the store at each call."""

    async def prove(secret: Secret, source: str) -> tuple[Identity, TokenRecord] | None:
        record = await store.token_by_hash(tokens.hash_of(secret))
        accounts = together(await store.identities())
        authenticator = Authenticator(
            {} if record is None else {record.hash: record.replicated()},
            {name: account.replicated() for name, account in accounts.items()},
        )
        now = clock()
        identity = authenticator.bearer(secret, source, now)
        if identity is None or record is None:
            return None
        await store.used_token(record.id, now)
        return identity, record

    return prove


def show(protocol: str, answer: bytes) -> Shown:
    """An answer's recorded bytes, by its protocol's own hook. Unknown protocols show nothing."""
    from wicketgate.protocols.registry import protocols

    known = protocols()
    spec = known.get(protocol) or (next(iter(known.values())) if len(known) == 1 else None)
    if spec is None or spec.show is None:
        return Shown((), (f"{len(answer)} bytes of an unknown protocol",), False)
    return spec.show(answer)


@asynccontextmanager
async def open_office(
    database_url: str | None,
    state: Path,
    filed: Iterable[ServiceAccount],
    control: Control,
    recordings: Recordings,
    admin_groups: frozenset[str],
    clock: Callable[[], int] = time.time_ns,
    random: Callable[[int], bytes] = os.urandom,
) -> AsyncIterator[Office]:
    """What the API's verbs are given; opened on the API's own loop. filed: accounts of the policy file."""
    store = await Store.open(store_url(database_url, state))
    together: Any = partial(unite, tuple(filed))
    try:
        yield Office(
            store=store,
            control=control,
            recordings=recordings,
            unite=together,
            issue=tokens.issue,
            prove=prover(store, together, clock),
            show=show,
            admin_groups=admin_groups,
            clock=clock,
            random=random,
        )
    finally:
        await store.close()
