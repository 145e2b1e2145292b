"""The composition root: what it opens late it closes, and what a policy declares is seen by all."""

import time
from functools import partial
from pathlib import Path

import pytest

from api.stage import PlayedControl
from identity.issuer import URL, issuers, key, published, secret
from wicketgate.admin.access import NotFound, issue_token
from wicketgate.admin.authorize import Actor
from wicketgate.app import FilePolicy
from wicketgate.audit import Audit
from wicketgate.custodian import vault_of
from wicketgate.model.identity import IdentityKind
from wicketgate.model.secret import Secret
from wicketgate.model.token import ServiceAccount
from wicketgate.office import open_office, recordings
from wicketgate.protocols.registry import protocols
from wicketgate.settings import default_settings, load_settings
from wicketgate.stores import LateStore, StoreOfLoop


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
        partial(vault_of, load_settings(config).keepers, load_settings(config).state / "journal"),
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


TRUSTING = f"""\
resources:
  sales:
    protocol: postgres
    address: db.internal:5432
    databases: [sales]
    accounts: {{reader: {{username: ro, password: {{env: X}}}}}}
identity: {{issuers: {{main: {{url: {URL}, audiences: [wicketgate]}}}}}}
rules:
  - {{name: all, identities: {{groups: [dba]}}, resources: any, permit: [read]}}
"""


async def test_no_secret_leaves_on_a_workers_word(tmp_path: Path) -> None:
    """Who signs in by an issuer's token is proven again by the token itself."""
    config = tmp_path / "wicket.yaml"
    config.write_text(TRUSTING)
    settings = default_settings(config)
    settings.state.mkdir()
    late = StoreOfLoop(settings)
    policy = FilePolicy(config, protocols(), late)
    policy.adopt(await policy.load())
    source = issuers("", URL)["main"].source
    second = time.time_ns() // 1_000_000_000
    policy.keys = lambda: {"main": {"source": source, "until": 1 << 62, "keys": published(key("RSA"))}}
    fresh = {"iat": second - 1, "exp": second + 600}
    good, other = secret(**fresh), secret(**fresh, sub="bo")

    async def asked(
        proof: Secret | None, identity: str = "ana", credential: str = "jwt-0123456789abcdef"
    ) -> str:
        denial = await policy.may_open(identity, credential, "sales", "sales", "reader", proof)
        return "" if denial is None else denial.cause

    assert await asked(good) == ""
    for proof in (None, other, Secret(b"wkt_x"), Secret(b""), secret(iat=second - 9, exp=second - 1)):
        assert "who may not have it" in await asked(proof)
    assert "who may not have it" in await asked(good, "root")
    assert await asked(secret(**fresh, groups=["visitors"])) != ""
    policy.keys = dict
    assert "who may not have it" in await asked(good)
    await late.close()
