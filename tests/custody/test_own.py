"""Our own vault: what is kept opens for a target alone, whatever somebody does to the store or the keys."""

import asyncio
import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from servers import stores
from servers.openbao import OpenBao
from servers.postgres import ADMINISTRATOR, Postgres
from wicketgate.custodian import LookedAt, sources
from wicketgate.custody.keys import EnvironmentKeys, FileKeys, TransitKeys, WrappingKeys
from wicketgate.custody.own import OwnSource, OwnVault
from wicketgate.custody.server import Server
from wicketgate.custody.settings import VaultSettings
from wicketgate.model.credential import CredentialMissing
from wicketgate.model.errors import StoreFailed
from wicketgate.model.keyring import Keyring
from wicketgate.model.secret import Secret
from wicketgate.settings import default_settings
from wicketgate.store.db import Store, store_url
from wicketgate.store.secrets import SecretRows

CANARY = Secret(b"c4nary-of-ours")


@asynccontextmanager
async def vault(folder: Path, keys: WrappingKeys | None = None) -> AsyncIterator[OwnVault]:
    stores.lay(folder)
    store = await Store.open(store_url(None, folder))
    chosen = keys or FileKeys(folder / "custody.keys", os.urandom)
    made = OwnVault(SecretRows(store), chosen, time.time_ns, os.urandom)
    try:
        yield made
    finally:
        await made.close()
        await store.close()


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def why(asked: object) -> str:
    with pytest.raises(CredentialMissing) as told:
        await asked  # type: ignore[misc]
    assert "c4nary" not in told.value.detail
    assert told.value.__cause__ is None
    return told.value.detail


async def test_set_again_list_and_remove(tmp_path: Path) -> None:
    async with vault(tmp_path) as own:
        first = await own.put("sales", CANARY, "root-bot")
        assert (first.version, first.author) == (1, "root-bot")
        assert (await own.credential("sales")).secret == CANARY
        second = await own.put("sales", Secret(b"another"), "local")
        assert (second.version, second.id, second.created) == (2, first.id, first.created)
        assert (await own.credential("sales")).secret == Secret(b"another")
        [(kept, key)] = await own.listed()
        assert (kept, key) == (second, "local:1")
        assert "sealed" not in repr(kept)
        assert await own.remove("sales")
        assert not await own.remove("sales")
        assert "there is no secret 'sales'" in await why(own.credential("sales"))
        third = await own.put("sales", CANARY, "local")
        assert (third.version, third.id != first.id) == (1, True)
    assert CANARY.reveal() not in everything(tmp_path)
    assert (tmp_path / "custody.keys").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["", "Sales", "a/b", "a b", "../a", "-a", "a" * 64, "ä", "a\n"])
async def test_names_that_are_none(tmp_path: Path, name: str) -> None:
    async with vault(tmp_path) as own:
        with pytest.raises(ValueError, match="can't name a secret"):
            await own.put(name, CANARY, "local")


async def test_what_was_changed_in_the_store_opens_nothing(tmp_path: Path) -> None:
    async with vault(tmp_path) as own:
        await own.put("one", CANARY, "local")
        await own.put("two", Secret(b"other"), "local")
        one, two = (kept for kept, _ in await own.listed())
        rows = own._rows
        forged = [
            replace(one, sealed=two.sealed, wrapped=two.wrapped),  # another's row under this name
            replace(one, id=two.id[::-1]),
            replace(one, version=2),  # an old value shown as a new one
            replace(one, sealed=one.sealed[:-1] + bytes([one.sealed[-1] ^ 1])),
            replace(one, sealed=one.sealed[:12]),
            replace(one, sealed=b""),
            replace(one, wrapped=two.wrapped),
            replace(one, wrapped="local:1:AAAA"),
            replace(one, wrapped="local:7" + one.wrapped.removeprefix("local:1")),
            replace(one, wrapped="local:x:" + one.wrapped),
            replace(one, wrapped="vault:v1:AAAA"),
            replace(one, wrapped=""),
        ]
        kept = one
        for each in forged:
            assert await rows.replace_secret(each, kept)
            await why(own.credential("one"))
            kept = each
        assert await rows.replace_secret(one, kept)
        assert (await own.credential("one")).secret == CANARY


async def test_a_key_that_is_missing_changed_or_seen_by_others(tmp_path: Path) -> None:
    file = tmp_path / "custody.keys"
    async with vault(tmp_path) as own:
        await own.put("sales", CANARY, "local")
        text = file.read_bytes()
        file.chmod(0o640)
        assert "may be read by others" in await why(own.credential("sales"))
        file.unlink()
        assert f"there is no {file}" in await why(own.credential("sales"))
        # and none is made in its place: what is there would be lost without a word
        assert f"there is no {file}" in await why(own.put("other", CANARY, "local"))
        assert f"there is no {file}" in await why(own.rotate())
        assert not file.exists()
        FileKeys(file, os.urandom).make()
        assert "the key does not open a secret" in await why(own.credential("sales"))
        assert "sales: custody: the key does not open a secret" in await why(own.rotate())
        file.write_bytes(b"1 c4nary\n")
        assert "line 1 holds no key" in await why(own.credential("sales"))
        file.write_bytes(text)
        assert (await own.credential("sales")).secret == CANARY


def test_a_crash_while_the_first_key_is_made_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(number: int) -> None:
        raise KeyboardInterrupt

    file = tmp_path / "custody.keys"
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", crash)
        with pytest.raises(KeyboardInterrupt):
            FileKeys(file, os.urandom).make()
    assert not file.exists()
    FileKeys(file, os.urandom).make()
    first = FileKeys(file, os.urandom).ring().written()
    FileKeys(file, os.urandom).make()
    assert FileKeys(file, os.urandom).ring().written() == first, "the first that was made stands"
    assert [path.name for path in tmp_path.iterdir()] == ["custody.keys"]
    assert file.stat().st_mode & 0o777 == 0o600


async def test_a_disk_that_is_full_leaves_the_key_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(number: int) -> None:
        raise OSError(28, "c4nary")

    async with vault(tmp_path) as own:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            assert "No space left on device" in await why(own.put("sales", CANARY, "local"))
        assert not (tmp_path / "custody.keys").exists()
        await own.put("sales", CANARY, "local")
        text = (tmp_path / "custody.keys").read_bytes()
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            assert "No space left on device" in await why(own.rotate())
        assert (tmp_path / "custody.keys").read_bytes() == text
        assert not (tmp_path / "custody.keys.new").exists()
        assert (await own.credential("sales")).secret == CANARY
        assert await own.rotate() == (1, True)


async def test_a_key_that_another_gateway_adds_meanwhile_is_not_lost(tmp_path: Path) -> None:
    file = tmp_path / "custody.keys"

    def slowly(count: int) -> bytes:
        # between this one's reading and its writing another rotates, from first to last
        asyncio.run_coroutine_threadsafe(other.renew(), aside).result()
        return os.urandom(count)

    other = FileKeys(file, os.urandom)
    aside = asyncio.new_event_loop()
    thread = threading.Thread(target=aside.run_forever)
    thread.start()
    async with vault(tmp_path) as own:
        await own.put("sales", CANARY, "local")
        mine = FileKeys(file, slowly)
        try:
            assert "was changed meanwhile" in await why(mine.renew())
        finally:
            aside.call_soon_threadsafe(aside.stop)
            thread.join()
            aside.close()
        assert sorted(other.ring().keys) == [1, 2]
        assert not (tmp_path / "custody.keys.new").exists()
        assert await own.rotate() == (1, True)
        assert (await own.credential("sales")).secret == CANARY


async def test_a_keyring_never_grows_beyond_what_is_read(tmp_path: Path) -> None:
    file = tmp_path / "custody.keys"
    file.write_bytes(Keyring({at: Secret(os.urandom(32)) for at in range(1, 945)}).written())
    file.chmod(0o600)
    async with vault(tmp_path) as own:
        await own.put("sales", CANARY, "local")
        for _ in range(30):
            with contextlib.suppress(CredentialMissing):
                await own.rotate()
        assert "is full: delete keys that nothing is under" in await why(own.rotate())
        assert (await own.credential("sales")).secret == CANARY


async def test_a_key_file_behind_a_link_stays_there(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    link = tmp_path / "custody.keys"
    async with vault(tmp_path, FileKeys(shared / "keys", os.urandom)) as own:
        await own.put("sales", CANARY, "local")
    link.symlink_to(shared / "keys")
    async with vault(tmp_path, FileKeys(link, os.urandom)) as own:
        assert await own.rotate() == (1, True)
    assert link.is_symlink()
    async with vault(tmp_path, FileKeys(shared / "keys", os.urandom)) as own:
        assert (await own.credential("sales")).secret == CANARY


async def test_rotation_goes_on_while_others_read_and_write(tmp_path: Path) -> None:
    async with vault(tmp_path) as own:
        for number in range(20):
            await own.put(f"s{number}", Secret(b"%d" % number), "local")
        before = {kept.name: kept for kept, _ in await own.listed()}
        stop = asyncio.Event()

        async def read() -> int:
            count = 0
            while not stop.is_set():
                for number in range(20):
                    found = (await own.credential(f"s{number}")).secret
                    assert found in (Secret(b"%d" % number), Secret(b"new"))
                    count += 1
                await asyncio.sleep(0)
            return count

        reading = asyncio.create_task(read(), name="reading")
        await asyncio.sleep(0)
        (count, made), _ = await asyncio.gather(own.rotate(), own.put("s7", Secret(b"new"), "root-bot"))
        stop.set()
        assert await reading >= 20
        assert (count, made) == (20, True)
        assert (await own.credential("s7")).secret == Secret(b"new")
        after = {kept.name: kept for kept, _ in await own.listed()}
        assert {key for _, key in await own.listed()} == {"local:2"}
        for name, kept in after.items():
            assert kept.sealed != before[name].sealed
            assert kept.version == (2 if name == "s7" else 1)
        (tmp_path / "custody.keys.new").touch()  # one that was cut short, or runs
        assert "another rotation runs" in await why(own.rotate())
        assert (await own.credential("s1")).secret == Secret(b"1")


async def test_keys_from_the_environment(tmp_path: Path) -> None:
    environment = {"KEYS": f"1 {'ab' * 32}"}
    keys = EnvironmentKeys("KEYS", environment, os.urandom)
    async with vault(tmp_path, keys) as own:
        await own.put("sales", CANARY, "local")
        environment["KEYS"] += f",2 {'cd' * 32}"
        assert (await own.credential("sales")).secret == CANARY
        assert await own.rotate() == (1, False)
        assert [key for _, key in await own.listed()] == ["local:2"]
        environment["KEYS"] = f"2 {'cd' * 32}"
        assert (await own.credential("sales")).secret == CANARY
        environment["KEYS"] = "2 c4nary"
        assert "line 1 holds no key" in await why(own.credential("sales"))
        del environment["KEYS"]
        assert "the environment has no KEYS" in await why(own.credential("sales"))
    assert not (tmp_path / "custody.keys").exists()


async def test_a_key_that_never_leaves_openbao(openbao: OpenBao, tmp_path: Path) -> None:
    openbao.call("POST", "sys/mounts/transit", {"type": "transit"})
    openbao.call("POST", "transit/keys/wicket", {})
    openbao.policy(
        "wicket-transit",
        'path "transit/encrypt/wicket" { capabilities = ["update"] }\n'
        'path "transit/decrypt/wicket" { capabilities = ["update"] }',
    )

    def keys(policy: str) -> TransitKeys:
        settings = VaultSettings.model_validate(
            {
                "address": openbao.address,
                "ca_file": str(openbao.authority.root),
                "token": {"env": "T"},
            }
        )
        server = Server("corp", settings, {"T": openbao.new_token(policy)}, time.monotonic_ns)
        return TransitKeys(server, "transit", "wicket")

    async with vault(tmp_path, keys("wicket-transit")) as own:
        one = await own.put("one", CANARY, "local")
        two = await own.put("two", Secret(b"other"), "local")
        assert (await own.credential("one")).secret == CANARY
        openbao.call("POST", "transit/keys/wicket/rotate")
        assert (await own.credential("one")).secret == CANARY
        assert await own.rotate() == (2, False)
        assert [key for _, key in await own.listed()] == ["vault:v2", "vault:v2"]
        openbao.call("POST", "transit/keys/wicket/config", {"min_decryption_version": 2})
        assert (await own.credential("one")).secret == CANARY
        # bound to its row: another's does not open here
        current = await own._rows.secret("one")
        assert current is not None
        assert await own._rows.replace_secret(replace(one, wrapped=two.wrapped), current)
        assert "vault corp: " in await why(own.credential("one"))
        assert (await own.credential("two")).secret == Secret(b"other")
    async with vault(tmp_path, keys("sales")) as own:
        assert "permission denied for transit/decrypt/wicket" in await why(own.credential("two"))
    async with vault(tmp_path) as own:
        assert "by other means than gateway.custody names" in await why(own.credential("two"))
    assert not (tmp_path / "custody.keys").exists()


async def test_the_same_on_a_real_postgresql(postgres15: Postgres, tmp_path: Path) -> None:
    name = postgres15.database()
    url = store_url(postgres15.dsn(ADMINISTRATOR, name, sslmode="require"), tmp_path)
    store = await Store.open(url)
    own = OwnVault(SecretRows(store), FileKeys(tmp_path / "k", os.urandom), time.time_ns, os.urandom)
    await own.put("first", CANARY, "local")
    done = await asyncio.gather(*(own.put("sales", Secret(b"%d" % at), "local") for at in range(3)))
    assert sorted(each.version for each in done) == [1, 2, 3]
    assert await own.rotate() == (2, True)
    assert (await own.credential("first")).secret == CANARY
    assert await own.remove("first")
    await store.close()


async def test_as_a_source_it_is_asked_late_and_makes_nothing(tmp_path: Path) -> None:
    settings = default_settings(tmp_path / "wicket.yaml")
    store = LookedAt(None, settings.state)
    source = sources(settings.keepers, store.get, store.close)["secret"]
    assert await why(source.fetch("sales")) == "there is no store yet, and no secret in it"
    await source.close()
    assert not settings.state.exists()
    settings.state.mkdir()
    async with vault(settings.state) as own:
        await own.put("sales", CANARY, "local")
        found = sources(settings.keepers, store.get, store.close)["secret"]
        assert (await found.fetch("sales")).secret == CANARY
        with sqlite3.connect(settings.state / "wicketgate.sqlite") as connection:
            connection.execute("DROP TABLE secrets")
        assert await why(found.fetch("sales")) == "custody: the store does not answer"
        await found.close()


async def test_while_the_store_is_away_open_sessions_have_a_set_time(tmp_path: Path) -> None:
    now, away = 0, False

    async with vault(tmp_path) as own:

        async def opened() -> OwnVault:
            if away:
                raise StoreFailed("the store does not answer", "c4nary")
            return own

        async def close() -> None:
            return

        await own.put("sales", CANARY, "local")
        await own.put("other", CANARY, "local")
        source = OwnSource(opened, close, lambda: now, 60.0)
        assert (await source.fetch("sales")).secret == CANARY
        away, now = True, 59_000_000_000
        assert (await source.fetch("sales")).secret == CANARY
        assert await why(source.fetch("other")) == "custody: the store does not answer"
        now = 60_000_000_000
        assert await why(source.fetch("sales")) == "custody: the store does not answer"
        away = False
        assert (await source.fetch("sales")).secret == CANARY
        await own.remove("sales")  # what is gone is gone, whatever becomes of the store
        assert "there is no secret 'sales'" in await why(source.fetch("sales"))
        away = True
        assert await why(source.fetch("sales")) == "custody: the store does not answer"
        none = OwnSource(opened, close, lambda: now, 0.0)
        assert await why(none.fetch("other")) == "custody: the store does not answer"
