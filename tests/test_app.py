"""The composition root: what it opens late it closes, and what a policy declares is seen by all."""

from functools import partial
from pathlib import Path

import pytest

from api.stage import PlayedControl
from wicketgate.admin.access import NotFound, issue_token
from wicketgate.admin.authorize import Actor
from wicketgate.app import FilePolicy, LateStore, StoreOfLoop
from wicketgate.audit import Audit
from wicketgate.custodian import vault_of
from wicketgate.model.identity import IdentityKind
from wicketgate.model.token import ServiceAccount
from wicketgate.office import open_office, recordings
from wicketgate.protocols.registry import protocols
from wicketgate.settings import default_settings, load_settings


def held(file: Path) -> int:
    """How many descriptors of this process stand for the file."""
    return sum(each.exists() and each.resolve() == file for each in Path("/proc/self/fd").iterdir())


async def test_a_store_that_was_opened_late_is_closed(tmp_path: Path) -> None:
    settings = default_settings(tmp_path / "wicket.yaml")
    settings.state.mkdir()
    file = settings.state / "wicketgate.sqlite"
    store = LateStore(StoreOfLoop(settings))
    await store.close()
    assert not file.exists()
    number = await store.node_number("a" * 32)
    assert held(file)
    await store.close()
    await store.close()
    assert not held(file)
    assert await store.node_number("a" * 32) == number
    await store.close()


async def test_the_api_knows_the_accounts_of_the_policy_in_force(tmp_path: Path) -> None:
    """Those of a policy that was reloaded, not of the one that the gateway began with."""
    config = tmp_path / "wicket.yaml"
    settings = default_settings(config)
    settings.state.mkdir()
    late = StoreOfLoop(settings)
    policy = FilePolicy(config, protocols(), late)

    async def hold(accounts: str) -> None:
        config.write_text(f"service_accounts: {{{accounts}}}\n")
        policy.adopt(await policy.load())

    async def issued(name: str) -> str:
        account = ServiceAccount(name, IdentityKind.SERVICE, frozenset())
        made = await issue_token(office, Actor("local", "local", administrator=True), account)
        proven = await office.prove(made.secret, "10.0.0.9")
        return "" if proven is None else ",".join(proven[0].groups)

    await hold("")
    played = PlayedControl()
    journal = recordings(settings.state / "journal")
    async with open_office(
        None,
        settings.state,
        lambda: late.filed,
        played,
        journal,
        frozenset({"admins"}),
        Audit(config),
        partial(vault_of, load_settings(config).keepers),
    ) as office:
        with pytest.raises(NotFound):
            await issued("nightly")
        await hold("nightly: {groups: [jobs]}")
        assert await issued("nightly") == "jobs"
        await hold("nightly: {groups: [admins]}")
        assert await issued("nightly") == "admins"
        await hold("")
        with pytest.raises(NotFound):
            await issued("nightly")
