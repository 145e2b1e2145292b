"""The store on a real SQLite file."""

import asyncio
import os
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from wicketgate.identity import tokens
from wicketgate.model.errors import StoreFailed
from wicketgate.model.identity import IdentityKind
from wicketgate.model.secret import Secret
from wicketgate.model.statement import Effect
from wicketgate.model.task import Task
from wicketgate.model.token import ServiceAccount
from wicketgate.store import db
from wicketgate.store.db import Store, store_url

NOW = 1_800_000_000_000_000_000


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(store_url(None, tmp_path))
    yield opened
    await opened.close()


async def test_the_file_and_its_companions_are_ours_alone(store: Store, tmp_path: Path) -> None:
    await store.put_identity(ServiceAccount("bot"), NOW)
    names = {path.name for path in files(tmp_path)}
    assert "wicketgate.sqlite" in names
    assert "wicketgate.sqlite-wal" in names
    for path in files(tmp_path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


async def test_a_file_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    file = tmp_path / "wicketgate.sqlite"
    file.touch(0o644)
    await (await Store.open(store_url(None, tmp_path))).close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


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


async def test_a_leaked_database_gives_nobody_a_token(store: Store, tmp_path: Path) -> None:
    secret, record = tokens.issue("bot", NOW, os.urandom, note="for the crew")
    await store.add_token(record)
    await store.used_token(record.id, NOW)
    await store.revoke_token(record.id, NOW)
    await store.close()
    body = secret.reveal()[4:-6]
    for path in files(tmp_path):
        content = path.read_bytes()
        for canary in (secret.reveal(), body, body[:16], body[16:32]):
            assert canary not in content, path
    # what stands there is not what signs in
    assert not tokens.parse(Secret(record.hash.encode()))


async def test_leases_never_exceed_the_limit(store: Store, tmp_path: Path) -> None:
    """Four openers of the same file, as nodes would be, asking at once."""
    others = [await Store.open(store_url(None, tmp_path)) for _ in range(3)]
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


async def test_node_numbers_are_small_and_stay(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "NODES_MOST", 2)
    assert [await store.node_number(name, NOW + at) for at, name in enumerate("abc")] == [0, 1, 2]
    assert await store.node_number("a", NOW + 10) == 0
    # b was seen longest ago
    assert await store.node_number("d", NOW + 11) == 1
    assert await store.node_number("d", NOW + 12) == 1


async def test_a_store_that_is_away_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed) as caught:
        await Store.open(store_url(None, tmp_path / "absent"))
    assert "absent" in caught.value.public
    (tmp_path / "wicketgate.sqlite").write_bytes(b"this is no database, but a text of some length" * 40)
    with pytest.raises(StoreFailed):
        await Store.open(store_url(None, tmp_path))


async def test_a_database_address_is_read_and_never_repeated(tmp_path: Path) -> None:
    url = store_url("postgresql://u:hunter2@h:5433/w?sslmode=verify-full", tmp_path)
    assert url.drivername == "postgresql+asyncpg"
    assert url.query == {"ssl": "verify-full"}
    for bad in ("mysql://u:hunter2@h/w", "hunter2://", "://hunter2"):
        with pytest.raises(StoreFailed) as caught:
            store_url(bad, tmp_path)
        assert "hunter2" not in caught.value.public + caught.value.detail
    refused = store_url("postgresql://u:hunter2@127.0.0.1:1/w", tmp_path)
    with pytest.raises(StoreFailed) as caught:
        await Store.open(refused)
    assert "hunter2" not in caught.value.public + caught.value.detail


async def test_parameters_stay_out_of_errors(store: Store) -> None:
    _, one = tokens.issue("bot", NOW, os.urandom, note="canary-note")
    await store.add_token(one)
    with pytest.raises(StoreFailed) as caught:
        await store.add_token(one)
    assert "canary-note" not in caught.value.detail
    assert one.hash not in caught.value.detail


def test_sqlite_can_do_what_we_ask_of_it() -> None:
    assert sqlite3.sqlite_version_info >= (3, 35)


async def test_a_second_store_leaves_the_first_ones_locks(tmp_path: Path) -> None:
    """One process may open the store twice; another that opens and closes it must not end its log."""
    url = store_url(None, tmp_path)
    first, second = await Store.open(url), await Store.open(url)
    try:
        script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM tokens')"
        program = script + "; c.close()"
        other = await asyncio.create_subprocess_exec(sys.executable, "-c", program, url.database or "")
        assert await other.wait() == 0
        await first.put_identity(ServiceAccount("late"), NOW)
        assert (tmp_path / "wicketgate.sqlite-wal").exists()
        third = await Store.open(url)
        assert [account.name for account in await third.identities()] == ["late"]
        await third.close()
    finally:
        await first.close()
        await second.close()


async def test_inherited_classes_are_kept_once(store: Store) -> None:
    await store.inherit("sales", "main", [("public.a.b", "email"), ("public.a.c", "email")], NOW)
    await store.inherit("sales", "main", [("public.a.b", "email"), ("public.a.b", "iban")], NOW + 1)
    assert sorted(await store.inherited()) == [
        ("sales", "main", "public.a.b", "email"),
        ("sales", "main", "public.a.b", "iban"),
        ("sales", "main", "public.a.c", "email"),
    ]


async def test_the_file_is_no_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").touch()
    (tmp_path / "wicketgate.sqlite").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreFailed, match="ordinary"):
        await Store.open(store_url(None, tmp_path))
