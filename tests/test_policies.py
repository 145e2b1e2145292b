"""The policy's origin on real stores: imported once, kept in order, whoever writes, whenever it is killed."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.shelf import MORE, POLICY, SETTINGS
from servers.postgres import ADMINISTRATOR, Postgres
from servers.stores import lay
from wicketgate.admin.access import Refused
from wicketgate.admin.policies import Draft, Moved
from wicketgate.model.errors import GatewayError, JournalFailed, PolicyError
from wicketgate.model.revision import Revision, digest_of, revise
from wicketgate.policies import StoreOrigin, held_policy
from wicketgate.protocols.registry import protocols
from wicketgate.store.db import Store, store_url
from wicketgate.store.revisions import RevisionRows
from wicketgate.workshop import rules_of

RULES = rules_of(protocols())


class Kept:
    """One node's origin, and what it told."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.records: list[bytes] = []
        self.logged: list[str] = []
        self.failing = False
        self._lock = asyncio.Lock()

        async def given() -> Store:
            return store

        self.rows = RevisionRows(store)
        self.origin = StoreOrigin(folder / "wicket.yaml", RULES, given, self.record, self.logged.append)

    def record(self, body: bytes) -> None:
        if self.failing:
            raise JournalFailed("the journal can't be written")
        self.records.append(body)

    async def adopt(self) -> int:
        found = await self.origin.load()
        self.origin.adopted(found)
        assert found.revision is not None
        return found.revision.number

    async def keep(self, text: str, base: int, **more: Any) -> int:
        async with self._lock:
            found = await self.origin.keep(Draft(text, base, "ana", "token", "why", **more), self.record)
            self.origin.adopted(found)
        assert found.revision is not None
        return found.revision.number


@asynccontextmanager
async def node(folder: Path, file: str = POLICY, url: str | None = None) -> AsyncIterator[Kept]:
    (folder / "wicket.yaml").write_text(SETTINGS.replace("SOURCE", "store") + file)
    if url is None:
        lay(folder)
    store = await Store.open(store_url(url, folder))
    try:
        yield Kept(folder, store)
    finally:
        await store.close()


async def test_a_file_is_imported_once(tmp_path: Path) -> None:
    async with node(tmp_path) as first:
        assert await first.adopt() == 1
        newest = await first.rows.newest()
        assert newest is not None
        assert newest.text == POLICY
        assert len(first.records) == 1
    async with node(tmp_path, MORE) as again:
        assert await again.adopt() == 1
        assert again.records == []
        assert "is not read: revision 1 of the store holds" in again.logged[-1]
        assert (await again.rows.newest()) == newest
    async with node(tmp_path, POLICY.replace("# what", "# whatever")) as same:
        await same.adopt()
        assert same.logged == []
    async with node(tmp_path, "") as settings_alone:
        await settings_alone.adopt()
        assert settings_alone.logged == []
    async with node(tmp_path, "rules: [x]\n") as broken:
        await broken.adopt()
        assert "(which does not load) is not read" in broken.logged[-1]


async def test_settings_alone_begin_with_nothing_permitted(tmp_path: Path) -> None:
    async with node(tmp_path, "") as kept:
        assert await kept.adopt() == 1
        assert await kept.keep(POLICY, 1) == 2


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("# password: hunter2\nrules: []\n", "wicket.yaml:1:3: this looks like a credential in a comment"),
        (POLICY.replace("{env: WICKET_TEST_PASSWORD}", "{inline: hunter2}"), "opens no such ciphertext"),
        ("rules: [x]\n", "must be a map"),
    ],
)
async def test_what_may_not_be_kept_stops_the_first_start(tmp_path: Path, file: str, why: str) -> None:
    async with node(tmp_path, file) as kept:
        with pytest.raises(PolicyError, match=why) as told:
            await kept.adopt()
        assert "hunter2" not in told.value.public
        assert await kept.origin.newest() == 0
        kept.failing = True
        (tmp_path / "wicket.yaml").write_text(SETTINGS.replace("SOURCE", "store") + POLICY)
        with pytest.raises(JournalFailed):
            await kept.adopt()
        assert await kept.origin.newest() == 0


async def test_relative_paths_are_of_the_configurations_folder(tmp_path: Path) -> None:
    text = "gateway: {policy: {source: store, files: [keys]}, state: .}\n" + POLICY
    async with node(tmp_path) as kept:
        text = text.replace("{env: WICKET_TEST_PASSWORD}", "{file: keys/sales}")
        (tmp_path / "wicket.yaml").write_text(text)
        found = await kept.origin.load()
        account = found.policy.resources["sales"].accounts["reader"]
        assert account.credential.locator == str(tmp_path / "keys" / "sales")


async def test_what_is_refused_leaves_no_trace(tmp_path: Path) -> None:
    async with node(tmp_path) as kept:
        await kept.adopt()

        def no(old: Any, new: Any) -> None:
            assert old.digest != new.digest
            raise Refused("no")

        for text, base, guard, error in (
            (MORE, 2, None, Moved),
            (MORE, 0, None, Moved),
            ("rules: [x]\n", 1, None, PolicyError),
            (MORE, 1, no, Refused),
        ):
            with pytest.raises(error):
                await kept.keep(text, base, guard=guard)
        kept.failing = True
        with pytest.raises(JournalFailed):
            await kept.keep(MORE, 1)
        assert await kept.origin.newest() == 1
        assert len(kept.records) == 1
        kept.failing = False
        assert await kept.keep(MORE, 1) == 2


async def race(one: Kept, two: Kept) -> None:
    """Imports and changes at the same time: one wins each, and what follows is one chain."""
    assert await asyncio.gather(one.adopt(), two.adopt()) == [1, 1]
    assert len(one.records) + len(two.records) == 1
    for base in (1, 2, 3):

        async def attempt(kept: Kept, at: int, base: int = base) -> int | None:
            try:
                return await kept.keep(f"{POLICY}# {base} {at}\n", base)
            except Moved:
                return None

        made = await asyncio.gather(*(attempt(each, at) for at, each in enumerate((one, two, one, two))))
        assert sorted(each for each in made if each is not None) == [base + 1]
        assert len(one.records) + len(two.records) == base + 1
    assert await one.adopt() == await two.adopt() == 4
    listed = await one.rows.revisions(None, 100)
    assert [each.number for each in listed] == [4, 3, 2, 1]
    for newer, older in zip(listed, [*listed[1:], None], strict=True):
        assert newer.sealed
        assert newer.follows(older)


async def test_two_at_once_on_sqlite(tmp_path: Path) -> None:
    async with node(tmp_path) as one, node(tmp_path) as two:
        await race(one, two)


async def test_two_at_once_on_postgresql(tmp_path: Path, postgres15: Postgres) -> None:
    name = postgres15.database()
    url = postgres15.dsn(ADMINISTRATOR, name, sslmode="require")
    async with node(tmp_path, url=url) as one, node(tmp_path, url=url) as two:
        await race(one, two)
    postgres15.drop(name)


texts = st.lists(
    st.sampled_from([POLICY, MORE, POLICY + "# é\r\n", MORE + "\n", POLICY.rstrip()]), max_size=4
)


@settings(max_examples=8)  # each has a store of its own
@given(texts, st.integers(1, 5))
def test_going_back_gives_the_same_text(tmp_path_factory: Any, written: list[str], to: int) -> None:
    async def run(folder: Path) -> None:
        async with node(folder) as kept:
            await kept.adopt()
            for base, text in enumerate(written, 1):
                await kept.keep(text, base)
            number = min(to, len(written) + 1)
            wanted = await kept.rows.revision(number)
            assert wanted is not None
            assert wanted.text == [POLICY, *written][number - 1]
            made = await kept.keep(wanted.text, len(written) + 1, restores=number)
            restored = await kept.rows.revision(made)
            assert restored is not None
            assert (restored.text, restored.digest, restored.restores) == (wanted.text, wanted.digest, number)
            loaded = await kept.origin.load()
            assert loaded.policy.digest == wanted.digest

    asyncio.run(run(tmp_path_factory.mktemp("round")))


KILLED = """\
import asyncio, os, signal, sys
from pathlib import Path
from test_policies import MORE, Draft, node
from wicketgate.store.revisions import RevisionRows

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

async def main(folder, when):
    async with node(folder) as kept:
        if when != "import":
            await kept.adopt()
        def record(body):
            with (folder / "recorded").open("ab") as file:
                file.write(body + b"\\n")
                os.fsync(file.fileno())
            if when in ("recorded", "import"):
                die()
        kept.origin._record = record
        if when == "import":
            await kept.adopt()
        await kept.origin.keep(Draft(MORE, 1, "ana", "token", "why"), record)
        die()

asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
"""


@pytest.mark.parametrize(("when", "left"), [("recorded", 1), ("kept", 2), ("import", 0)])
async def test_killed_in_between(tmp_path: Path, when: str, left: int) -> None:
    """Between recording, keeping and adopting: one revision holds afterwards, and all before it are whole."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        KILLED,
        str(tmp_path),
        when,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )
    _, errors = await process.communicate()
    assert process.returncode == -signal.SIGKILL, errors
    assert (tmp_path / "recorded").exists()  # what holds was recorded; what was recorded may not hold
    async with node(tmp_path) as kept:
        assert await kept.origin.newest() == left
        assert await kept.adopt() == max(left, 1)
        found = await kept.origin.load()
        text = (await kept.rows.newest()).text  # type: ignore[union-attr]
        assert text == (MORE if left == 2 else POLICY)
        assert await kept.keep(POLICY + "# more\n", max(left, 1)) == max(left, 1) + 1
        assert found.policy.resources


async def test_a_history_that_was_made_anew_is_not_followed(tmp_path: Path) -> None:
    """Whoever writes to the database may seal anew what he changes: who runs still knows what held."""
    async with node(tmp_path) as kept, node(tmp_path) as other:
        await kept.adopt()
        await kept.keep(MORE, 1)
        async with kept.rows._store.transaction() as connection:
            await connection.exec_driver_sql("DELETE FROM policy_revisions WHERE number = 2")
        await other.adopt()
        await other.keep(POLICY + "# another\n", 1)
        with pytest.raises(PolicyError, match="is not the one that holds"):
            await kept.adopt()
        await other.keep(MORE + "# another\n", 2)
        with pytest.raises(PolicyError, match="is not the one that holds"):
            await kept.adopt()
        with pytest.raises(PolicyError, match="is not the one that holds"):
            await kept.keep(POLICY, 3)


UPDATE = "UPDATE policy_revisions SET"
TAMPERED = {
    "its text": f"{UPDATE} text = text || '  - {{name: all, resources: any}}' WHERE number = 2",
    "its digest too": f"{UPDATE} text = 'x: 1', text_digest = '{digest_of('x: 1')}' WHERE number = 2",
    "its author": f"{UPDATE} author = 'somebody else' WHERE number = 2",
    "its seal": f"{UPDATE} seal = '{'1' * 64}' WHERE number = 2",
    "the one before": f"{UPDATE} seal = '{'1' * 64}' WHERE number = 1",
    "gone": "DELETE FROM policy_revisions WHERE number = 2",
    "all gone": "DELETE FROM policy_revisions",
    "another one": "DELETE FROM policy_revisions WHERE number = 1",
}


@pytest.mark.parametrize("what", TAMPERED)
async def test_what_was_changed_in_the_store_is_not_loaded(tmp_path: Path, what: str) -> None:
    async with node(tmp_path) as kept:
        await kept.adopt()
        await kept.keep(MORE, 1)
        async with kept.rows._store.transaction() as connection:
            await connection.exec_driver_sql(TAMPERED[what])
        with pytest.raises(PolicyError):
            await kept.adopt()
        for newest in (1, 2, 3):
            with pytest.raises(GatewayError):
                await kept.keep(POLICY + "# x\n", newest)
    async with node(tmp_path) as started:
        if "gone" not in what:
            with pytest.raises(PolicyError, match="is not as it was written"):
                await started.adopt()


async def test_verbs_without_a_gateway_read_what_holds(tmp_path: Path) -> None:
    async with node(tmp_path) as kept:
        assert (await held_policy(tmp_path / "wicket.yaml")).permits == {"crews read sales"}
        await kept.adopt()
        await kept.keep(POLICY.replace("crews read sales", "other"), 1)
        assert (await held_policy(tmp_path / "wicket.yaml")).permits == {"other"}


def changed(revision: Revision, name: str, value: Any) -> Revision:
    from dataclasses import replace

    return replace(revision, **{name: value})


@pytest.mark.parametrize(
    "name", ["number", "digest", "text_digest", "author", "how", "message", "created", "restores", "before"]
)
def test_a_seal_covers_everything(name: str) -> None:
    first = revise(None, "a", "d", "ana", "token", "why", 1)
    second = revise(first, "b", "e", "ana", "token", "why", 2, 1)
    assert first.sealed
    assert second.sealed
    assert second.follows(first)
    assert not first.follows(second)
    assert not changed(second, "text", "c").sealed
    assert changed(second, "text", None).sealed
    value = getattr(second, name)
    assert not changed(second, name, value + 1 if isinstance(value, int) else value + "x").sealed


def test_a_store_that_is_away_stops_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from wicketgate.app import serve

    (tmp_path / "wicket.yaml").write_text(
        "gateway: {policy: {source: store}, state: s, database_url: 'postgresql://w:hunter2@127.0.0.1:1/x'}\n"
    )
    assert serve(tmp_path / "wicket.yaml") == 1
    told = capsys.readouterr().err
    assert "the gateway can't start: the store does not answer" in told
    assert "hunter2" not in told


async def test_a_store_that_goes_away_changes_nothing(tmp_path: Path) -> None:
    async with node(tmp_path) as kept:
        await kept.adopt()

        async def away() -> Store:
            raise GatewayError("the store does not answer")

        kept.origin._store = away
        for ask in (kept.origin.newest(), kept.origin.load()):
            with pytest.raises(GatewayError):
                await ask
