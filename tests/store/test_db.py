"""The store, on a real SQLite file and on a real PostgreSQL alike."""

import asyncio
import os
from dataclasses import replace

import pytest
from sqlalchemy.engine import URL

from wicketgate.identity import tokens
from wicketgate.model.errors import StoreFailed
from wicketgate.model.identity import IdentityKind
from wicketgate.model.statement import Effect
from wicketgate.model.task import Task
from wicketgate.model.token import ServiceAccount
from wicketgate.store import db
from wicketgate.store.db import Store

NOW = 1_800_000_000_000_000_000


async def test_identities(store: Store) -> None:
    one = ServiceAccount("bot", IdentityKind.AGENT, frozenset({"crew", "dev"}))
    await store.put_identity(one, NOW)
    await store.put_identity(ServiceAccount("a"), NOW)
    assert await store.identities() == [ServiceAccount("a"), one]
    changed = replace(one, groups=frozenset({"dev"}), disabled=NOW)
    await store.put_identity(changed, NOW + 1)
    assert await store.identities() == [ServiceAccount("a"), changed]


async def test_tokens(store: Store) -> None:
    _, one = tokens.issue("bot", NOW, os.urandom, expires=NOW + 9, resources=frozenset({"b", "a"}), note="n")
    task = Task(
        "t", "why", "ana", "a", "crew", frozenset({Effect.READ}), frozenset({"public.o", "a.b.c"}), 1 << 52
    )
    scope = {"rules": frozenset({"a b"}), "networks": frozenset({"10.0.0.0/8", "::/0"}), "task": task}
    one = replace(one, **scope)
    _, two = tokens.issue("other", NOW + 1, os.urandom)
    assert tokens.from_replicated(one.hash, one.replicated()) == replace(one, note="")
    await store.add_token(two)
    await store.add_token(one)
    assert await store.tokens() == [one, two]
    assert await store.tokens("other") == [two]
    assert await store.token(one.id) == one
    assert await store.token("0" * 16) is None
    assert await store.revoke_token("0" * 16, NOW) is None
    assert await store.revoke_token(one.id, NOW + 3) == replace(one, revoked=NOW + 3)
    assert await store.revoke_token(one.id, NOW + 4) == replace(one, revoked=NOW + 3)
    with pytest.raises(StoreFailed):
        await store.add_token(two)


async def test_last_use_is_written_once_a_minute(store: Store) -> None:
    _, one = tokens.issue("bot", NOW, os.urandom)
    await store.add_token(one)
    for at, expected in ((NOW, NOW), (NOW + db.MINUTE - 1, NOW), (NOW + db.MINUTE, NOW + db.MINUTE)):
        await store.used_token(one.id, at)
        found = await store.token(one.id)
        assert found is not None
        assert found.last_used == expected


async def test_leases_never_exceed_the_limit(store: Store, url: URL) -> None:
    """Four openers of the same store, as nodes would be, asking at once."""
    others = [await Store.open(url) for _ in range(3)]
    try:
        asked = [each.lease("bot", "r", "rows", 0, 1000, 37) for each in (store, *others) for _ in range(10)]
        granted = await asyncio.gather(*asked)
        assert sum(granted) == 1000
        assert max(granted) == 37
        assert await store.lease("bot", "r", "rows", 0, 1000, 5) == 0
        await store.give_back("bot", "r", "rows", 0, 7)
        assert await store.lease("bot", "r", "rows", 0, 1000, 5) == 5
        assert await store.lease("bot", "r", "rows", 3600, 1000, 5) == 5
        assert await store.lease("bot", "r", "rows", 0, 10, 5) == 0
        assert await store.lease("bot", "r", "rows", 0, 1000, 0) == 0
        await store.give_back("bot", "r", "rows", 3600, 99)
        assert await store.lease("bot", "r", "rows", 3600, 10, 11) == 10
        await store.forget_limits(1)
        assert await store.lease("bot", "r", "rows", 0, 6, 7) == 6
        assert await store.lease("bot", "r", "rows", 3600, 10, 1) == 0
    finally:
        for other in others:
            await other.close()


async def test_checkpoints_are_kept_and_not_rewritten(store: Store) -> None:
    assert await store.last_checkpoint("n") is None
    await store.add_checkpoint("n", 1, '{"number":1}', NOW)
    await store.add_checkpoint("n", 2, '{"number":2}', NOW + 1)
    await store.add_checkpoint("m", 1, '{"number":1,"node":"m"}', NOW)
    last = await store.last_checkpoint("n")
    assert last is not None
    assert (last.number, last.line) == (2, '{"number":2}')
    assert [(each.node, each.number) for each in await store.checkpoints()] == [("m", 1), ("n", 1), ("n", 2)]
    assert len(await store.checkpoints("m")) == 1
    with pytest.raises(StoreFailed):
        await store.add_checkpoint("n", 2, "other", NOW)


async def test_parameters_stay_out_of_errors(store: Store) -> None:
    _, one = tokens.issue("bot", NOW, os.urandom, note="canary-note")
    await store.add_token(one)
    with pytest.raises(StoreFailed) as caught:
        await store.add_token(one)
    assert "canary-note" not in caught.value.detail
    assert one.hash not in caught.value.detail


async def test_inherited_classes_are_kept_once(store: Store) -> None:
    await store.inherit("sales", "main", [("public.a.b", "email"), ("public.a.c", "email")], NOW)
    await store.inherit("sales", "main", [("public.a.b", "email"), ("public.a.b", "iban")], NOW + 1)
    assert sorted(await store.inherited()) == [
        ("sales", "main", "public.a.b", "email"),
        ("sales", "main", "public.a.b", "iban"),
        ("sales", "main", "public.a.c", "email"),
    ]
