"""The journal's keys and our own vault's have one key above them: rotated together, and never made anew in
the place of one that is missing."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from journal.node import Node
from servers import stores
from servers.openbao import OpenBao
from wicketgate.custodian import Segments, key_supply, unwrapper, vault_of
from wicketgate.custody.aws import _bound as kms_context
from wicketgate.custody.keys import FileKeys
from wicketgate.custody.own import OwnVault
from wicketgate.custody.settings import CustodySettings, Keepers, KeySettings, VaultSettings
from wicketgate.journal.decrypt import Opener
from wicketgate.journal.encrypt import bound
from wicketgate.journal.index import read_session
from wicketgate.journal.keyfile import WrappedKey
from wicketgate.model.credential import CredentialMissing
from wicketgate.model.errors import JournalFailed, KeyMissing, PolicyError
from wicketgate.model.secret import Secret
from wicketgate.store.db import Store, store_url


class Place:
    """A state folder with a journal in it, and where its key lies."""

    def __init__(self, folder: Path) -> None:
        self.state = folder
        self.keys = folder / "custody.keys"
        self.keepers = Keepers({}, CustodySettings(key=KeySettings(file=self.keys)))
        self.node = Node(folder / "journal")

    async def record(self, name: str) -> str:
        """One session by a new writer; its id."""
        supply = await key_supply(self.keepers, None, self.state, self.node.name, name)
        writer = self.node.writer(name, keys=supply)
        session = self.node.play(writer)
        self.node.seal(writer)
        self.node.checkpoint()
        return session

    def read(self, session: str) -> object:
        opener = Opener(unwrapper(lambda: self.keepers), time.monotonic_ns, 0)
        return read_session(self.node.folder, session, opener)[1].content()

    @asynccontextmanager
    async def vault(self) -> AsyncIterator[OwnVault]:
        stores.lay(self.state)
        store = await Store.open(store_url(None, self.state))
        made = vault_of(self.keepers, self.node.folder, store)
        try:
            yield made
        finally:
            await made.close()
            await store.close()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def _apart(place: Place, session: str) -> object:
    return await asyncio.to_thread(place.read, session)


async def test_rotation_wraps_the_journal_s_keys_anew_and_leaves_its_segments(place: Place) -> None:
    sessions = [await place.record("w1"), await place.record("w2")]
    before = {path: path.read_bytes() for path in place.node.folder.rglob("*.log")}
    async with place.vault() as own:
        assert await own.segments() == {"local:1": 2}
        await own.put("sales", Secret(b"value"), "me")
        assert await own.rotate() == (1, True)
        assert await own.segments() == {"local:1": 2}
        assert await own.rewrap() == 2
        assert await own.segments() == {"local:2": 2}
    first, second = place.keys.read_text().splitlines()
    place.keys.write_text(second + "\n")
    assert [await _apart(place, each) for each in sessions] == [{"text": "SELECT 0"}] * 2
    place.keys.write_text(first + "\n")
    with pytest.raises(KeyMissing) as caught:
        await _apart(place, sessions[0])
    assert "version 2 of the key is not there" in caught.value.detail
    assert {path: path.read_bytes() for path in place.node.folder.rglob("*.log")} == before
    assert place.node.verify().sound


async def test_a_rotation_makes_a_key_for_the_journal_alone_too(place: Place) -> None:
    await place.record("w1")
    async with place.vault() as own:
        assert await own.rotate() == (0, True)
        assert await own.rewrap() == 1
        assert await own.segments() == {"local:2": 1}


async def test_no_key_is_made_where_segments_need_one_that_is_missing(place: Place) -> None:
    await place.record("w1")
    place.keys.rename(place.state / "away")
    with pytest.raises(JournalFailed) as caught:
        await place.record("w2")
    assert f"there is no {place.keys}" in caught.value.detail
    async with place.vault() as own:
        with pytest.raises(CredentialMissing):
            await own.put("sales", Secret(b"value"), "me")
        with pytest.raises(CredentialMissing):
            await own.rotate()
        with pytest.raises(CredentialMissing):
            await own.rewrap()
    assert not place.keys.exists()


async def test_nor_where_secrets_do(place: Place) -> None:
    async with place.vault() as own:
        await own.put("sales", Secret(b"value"), "me")
    place.keys.unlink()
    with pytest.raises(JournalFailed):
        await place.record("w1")
    assert not place.keys.exists()


@pytest.mark.parametrize("change", ["garbled", "no json", "another's"])
async def test_a_rotation_that_meets_a_false_key_says_so_and_keeps_the_others(
    place: Place, change: str
) -> None:
    sessions = [await place.record(name) for name in ("w1", "w2")]
    one, two = (place.node.path(name).with_name("000001.key") for name in ("w1", "w2"))
    before, other = one.read_bytes(), two.read_bytes()
    if change == "garbled":
        one.write_bytes(before.replace(b"local:1:", b"local:1:AAAA"))
    elif change == "no json":
        one.write_bytes(b"{")
    else:
        one.write_bytes(two.read_bytes())
    spoilt = one.read_bytes()
    async with place.vault() as own:
        with pytest.raises(CredentialMissing) as caught:
            await own.rewrap()
    assert str(one) in caught.value.detail
    assert one.read_bytes() == spoilt
    assert two.read_bytes() != other
    assert await _apart(place, sessions[1]) == {"text": "SELECT 0"}
    one.write_bytes(before)
    assert await _apart(place, sessions[0]) == {"text": "SELECT 0"}


async def test_a_key_whose_segment_never_began_hinders_nobody(place: Place) -> None:
    await place.record("w1")
    torn = place.node.path("w1").with_name("000002.key")
    torn.write_bytes(b"")
    torn.with_name("000001.key.0123456789abcdef").write_bytes(b"{")
    async with place.vault() as own:
        assert await own.rewrap() == 1
    assert place.node.verify().sound


def test_what_says_where_the_key_lies_may_be_missing_itself(tmp_path: Path) -> None:
    def lost() -> Keepers:
        raise PolicyError("wicket.yaml:3: there is no such key")

    (found,) = unwrapper(lost)([WrappedKey("n", "w", 1, "0" * 32, "local:1:x")])
    assert isinstance(found, PolicyError)


def test_what_kms_binds_a_key_to_is_text() -> None:
    assert kms_context(bound("n", "w", 7)) == {"wicketgate": "wicketgate journal 1 n w 7"}


async def test_there_are_none_where_there_is_no_journal(tmp_path: Path) -> None:
    segments = Segments(tmp_path / "journal")
    assert not segments.any()
    assert await segments.rewrap(FileKeys(tmp_path / "k", os.urandom)) == 0


async def test_with_a_key_that_never_leaves_openbao(openbao: OpenBao, place: Place) -> None:
    """A gateway that may only encrypt there writes what others read; many keys are one reader's sign-in."""
    openbao.call("POST", "sys/mounts/journals", {"type": "transit"})
    openbao.call("POST", "journals/keys/wicket", {})
    for verb in ("encrypt", "decrypt"):
        openbao.policy(verb, f'path "journals/{verb}/wicket" {{ capabilities = ["update"] }}')

    def keepers(policy: str) -> Keepers:
        file = place.state / f"{policy}.token"
        file.write_text(openbao.new_token(policy))
        vault = {
            "address": openbao.address,
            "ca_file": str(openbao.authority.root),
            "token": {"file": str(file)},
        }
        transit = {"vault": "corp", "key": "wicket", "mount": "journals"}
        return Keepers(
            {"corp": VaultSettings.model_validate(vault)},
            CustodySettings.model_validate({"key": {"transit": transit}}),
        )

    place.keepers = keepers("encrypt")
    sessions = [await place.record(name) for name in ("w1", "w2", "w3")]
    assert not place.keys.exists()
    with pytest.raises(KeyMissing) as caught:
        await _apart(place, sessions[0])
    assert "permission denied for journals/decrypt/wicket" in caught.value.detail
    place.keepers = keepers("decrypt")
    assert [await _apart(place, each) for each in sessions] == [{"text": "SELECT 0"}] * 3
    with pytest.raises(JournalFailed):
        await place.record("w4")
    assert place.node.verify().sound
