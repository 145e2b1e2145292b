"""The store's file, on SQLite: whose it is, and who else may use it."""

import asyncio
import os
import sqlite3
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from wicketgate.identity import tokens
from wicketgate.model.errors import StoreFailed
from wicketgate.model.secret import Secret
from wicketgate.model.token import ServiceAccount
from wicketgate.store.address import store_url
from wicketgate.store.db import Store

NOW = 1_800_000_000_000_000_000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(store_url(None, tmp_path))
    yield opened
    await opened.close()


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


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


async def test_a_store_that_is_away_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed) as caught:
        await Store.open(store_url(None, tmp_path / "absent"))
    assert "absent" in caught.value.public
    (tmp_path / "wicketgate.sqlite").write_bytes(b"this is no database, but a text of some length" * 40)
    with pytest.raises(StoreFailed):
        await Store.open(store_url(None, tmp_path))


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


async def test_the_file_is_no_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").touch()
    (tmp_path / "wicketgate.sqlite").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreFailed, match="ordinary"):
        await Store.open(store_url(None, tmp_path))


async def test_a_file_in_the_others_place_is_the_store(store: Store, tmp_path: Path) -> None:
    """A backup that is put back counts at once; what is gone is away, and comes back by itself."""
    await store.put_identity(ServiceAccount("old"), NOW)
    kept = tmp_path / "wicketgate.sqlite"
    kept.rename(tmp_path / "aside")
    with pytest.raises(StoreFailed):
        await store.identities()
    other = tmp_path / "other"
    other.mkdir()
    fresh = await Store.open(store_url(None, other))
    await fresh.put_identity(ServiceAccount("new"), NOW)
    await fresh.close()
    for path in files(tmp_path):
        if path.name.startswith("wicketgate.sqlite-"):
            path.unlink()
    (other / "wicketgate.sqlite").rename(kept)
    assert [account.name for account in await store.identities()] == ["new"]
