"""The store as the control process sees it."""

import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from wicketgate.identity import tokens
from wicketgate.identity.service_accounts import ServiceAccount, unite
from wicketgate.model.errors import StoreFailed
from wicketgate.store.control import ControlStore
from wicketgate.store.db import Store, store_url

NOW = 1_800_000_000_000_000_000


@dataclass(frozen=True)
class Counted:
    identity: str
    rule: str
    what: str
    window: int


@pytest.fixture
def port(store: Store) -> ControlStore:
    return ControlStore(store, partial(unite, [ServiceAccount("filed", origin="file")]), lambda: NOW)


async def test_limits_are_reserved_and_given_back(port: ControlStore) -> None:
    counted = Counted("bot", "r", "rows", 1_800_000_000)
    assert await port.reserve(counted, 6, 10) == 6
    assert await port.reserve(counted, 6, 10) == 4
    await port.give_back(counted, 3)
    assert await port.reserve(counted, 6, 10) == 3
    assert await port.reserve(replace(counted, window=1_800_003_600), 6, 10) == 6


async def test_checkpoints_and_numbers(port: ControlStore, store: Store) -> None:
    assert await port.last_checkpoint("n") is None
    await port.keep_checkpoint(3, "n", b'{"number":3}')
    assert await port.last_checkpoint("n") == (3, b'{"number":3}')
    assert await port.node_number("n") == 0
    assert await port.ping() == 0 or store.shared


async def test_what_workers_get(port: ControlStore, store: Store) -> None:
    await store.put_identity(ServiceAccount("bot"), NOW)
    _, good = tokens.issue("bot", NOW, os.urandom, note="never replicated")
    _, ended = tokens.issue("bot", NOW - 9, os.urandom, expires=NOW)
    _, revoked = tokens.issue("bot", NOW, os.urandom)
    for record in (good, ended, revoked):
        await store.add_token(record)
    await store.revoke_token(revoked.id, NOW)
    entries = await port.replicated()
    assert {(section, key) for section, key, _ in entries} == {
        ("identities", "bot"),
        ("identities", "filed"),
        ("tokens", good.hash),
        ("revoked", revoked.id),
    }
    assert "never replicated" not in repr(entries)


async def test_tokens_by_their_ids(port: ControlStore, store: Store) -> None:
    _, good = tokens.issue("bot", NOW, os.urandom)
    _, revoked = tokens.issue("bot", NOW, os.urandom)
    for record in (good, revoked):
        await store.add_token(record)
    await store.revoke_token(revoked.id, NOW)
    assert list(await port.tokens_of([revoked.id])) == [
        ("tokens", revoked.hash, None),
        ("revoked", revoked.id, {"at": NOW}),
    ]
    assert list(await port.tokens_of([good.id, "0" * 16])) == [("tokens", good.hash, good.replicated())]


async def test_a_store_that_is_away_is_told(tmp_path: Path) -> None:
    opened = await Store.open(store_url(None, tmp_path))
    alone = ControlStore(opened, unite_nothing, lambda: NOW)
    await opened.close()
    (tmp_path / "wicketgate.sqlite").unlink()
    (tmp_path / "wicketgate.sqlite").mkdir()
    with pytest.raises(StoreFailed):
        await alone.ping()


def unite_nothing(stored: object) -> dict[str, ServiceAccount]:
    return {}
