"""The local administrator of a first start: made once, for embedded defaults alone, and nobody else's."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from pathlib import Path

import pytest

from servers import system
from servers.gateway import Gateway
from wicketgate import administrator, app
from wicketgate.identity import tokens
from wicketgate.model.errors import StoreFailed
from wicketgate.model.secret import Secret
from wicketgate.office import Site, default_site
from wicketgate.policy.load import load_sources, read_sources
from wicketgate.settings import load_settings
from wicketgate.store.db import Store, store_url


@pytest.fixture
def site(tmp_path: Path) -> Site:
    found = default_site(tmp_path / "wicket.yaml")
    found.prepare()
    return found


def make(site: Site, filed: tuple[str, ...] = ()) -> tuple[Path | None, list[str]]:
    logged: list[str] = []
    return asyncio.run(administrator.make(site, "admins", filed, time.time_ns(), logged.append)), logged


async def kept(site: Site) -> tuple[list[str], list[bool]]:
    """Accounts, and whether each token holds."""
    store = await Store.open(store_url(None, site.state))
    try:
        names = [each.name for each in await store.identities()]
        return names, [each.holds(time.time_ns()) for each in await store.tokens()]
    finally:
        await store.close()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_made_once_and_for_us_alone(site: Site, umask: int) -> None:
    asyncio.run(kept(site))  # the store's own files are not what is tried here
    before = os.umask(umask)
    try:
        os.umask(0o077 if umask == 0o777 else umask)
        path, logged = make(site)
    finally:
        os.umask(before)
    assert path == site.state / "admin.token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text().strip()
    assert tokens.parse(Secret(text.encode()))
    assert text not in "".join(logged)
    assert str(path) in logged[0]
    assert os.listdir(site.state).count("admin.token.new") == 0
    assert asyncio.run(kept(site)) == (["admin"], [True])
    for _ in range(2):
        assert make(site) == (None, [])
        path.unlink(missing_ok=True)
    assert asyncio.run(kept(site)) == (["admin"], [True])
    for file in site.state.rglob("*"):
        if file.is_file():
            assert text.encode() not in file.read_bytes()


def test_whoever_writes_with_any_umask(site: Site) -> None:
    before = os.umask(0o777)
    try:
        administrator._write(site.state / "x", b"secret")
    finally:
        os.umask(before)
    assert stat.S_IMODE((site.state / "x").stat().st_mode) == 0o600


def test_a_name_that_is_taken_is_left_alone(site: Site) -> None:
    assert make(site, ("admin",)) == (None, [])
    assert asyncio.run(kept(site)) == ([], [])


@pytest.mark.parametrize("what", ["file", "link", "dangling", "folder"])
def test_what_stands_in_the_way_is_neither_followed_nor_replaced(site: Site, what: str) -> None:
    path, elsewhere = site.state / "admin.token", site.state / "elsewhere"
    if what == "file":
        path.write_text("mine")
    elif what == "folder":
        path.mkdir()
    else:
        if what == "link":
            elsewhere.write_text("theirs")
        path.symlink_to(elsewhere)
    made, logged = make(site)
    assert made is None
    assert "in the way" in logged[0]
    assert asyncio.run(kept(site)) == ([], [])
    if what == "dangling":
        assert not elsewhere.exists()
    elif what != "folder":
        assert path.read_text() in ("mine", "theirs")


@pytest.mark.parametrize("what", ["file", "link"])
def test_one_that_comes_between_gets_nothing(site: Site, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put there after it was looked for, and before the token has its name."""
    path, elsewhere = site.state / "admin.token", site.state / "elsewhere"
    true = Store.add_token

    async def between(self: Store, record: tokens.TokenRecord) -> None:
        await true(self, record)
        if what == "link":
            path.symlink_to(elsewhere)
        else:
            path.write_text("theirs")

    monkeypatch.setattr(Store, "add_token", between)
    with pytest.raises(FileExistsError):
        make(site)
    assert asyncio.run(kept(site)) == (["admin"], [False])
    assert not elsewhere.exists()
    assert not (site.state / "admin.token.new").exists()


def test_a_link_under_the_first_name_is_not_written_through(site: Site) -> None:
    elsewhere = site.state / "elsewhere"
    elsewhere.write_text("theirs")
    (site.state / "admin.token.new").symlink_to(elsewhere)
    path, _ = make(site)
    assert path is not None
    assert not path.is_symlink()
    assert elsewhere.read_text() == "theirs"


def test_a_start_that_was_cut_off_is_ended_by_the_next(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the store's commit it is begun anew; behind it, the file gets its name."""

    async def away(self: Store, account: object, now: int) -> None:
        raise StoreFailed("the store does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(Store, "put_identity", away)
        with pytest.raises(StoreFailed):
            make(site)
    assert not (site.state / "admin.token").exists()

    def cut(fresh: Path, path: Path) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(administrator, "_show", cut)
        with pytest.raises(KeyboardInterrupt):
            make(site)
    text = (site.state / "admin.token.new").read_text()
    assert make(site)[0] == site.state / "admin.token"
    assert (site.state / "admin.token").read_text() == text
    assert asyncio.run(kept(site))[1].count(True) == 1
    # cut off between the two names: no second copy stays that nobody knows of
    os.link(site.state / "admin.token", site.state / "admin.token.new")
    assert make(site)[0] is None
    assert not (site.state / "admin.token.new").exists()
    assert (site.state / "admin.token").read_text() == text


class _Told(Gateway):
    def ready(self) -> bool:
        return " is ready (pid " in self.log()


def test_a_gateway_makes_it_and_it_works_from_afar(tmp_path: Path) -> None:
    config, https = tmp_path / "wicket.yaml", system.free_port()
    config.write_text(
        f"gateway:\n  api: {{https: '127.0.0.1:{https}'}}\n  listen: {{postgres: {system.free_port()}}}\n"
    )
    gateway = _Told(config, 0)
    path = tmp_path / "state" / "admin.token"
    try:
        gateway.start()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_text().strip() not in gateway.log()
        assert str(path) in gateway.log()
        ca = str(tmp_path / "state" / "ca" / "ca.pem")
        far = ("--url", f"https://localhost:{https}", "--ca", ca, "--token-file", str(path))
        assert "administrator" in gateway.wicket("whoami", *far).splitlines()
    finally:
        gateway.stop()
    # it has served from there: nothing is made again, not even where the store was lost
    path.unlink()
    assert administrator.begun(tmp_path / "state")
    (tmp_path / "state" / "wicketgate.sqlite").unlink()
    start(config)
    assert not path.exists()


def start(config: Path) -> None:
    """What `wicket serve` does of it."""
    policy = load_sources(read_sources(config), {})
    app._make_administrator(config, load_settings(config), lambda: policy)


ELSEWHERE = "{trust_domain: e.org, accept: [{path: /a, identity: a}]}"


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("gateway: {workers: 2}", True),
        ("gateway: {admin_groups: [bosses, admins]}", True),
        ("gateway: {admin_groups: []}", False),
        ("gateway: {database_url: 'postgresql://nobody@127.0.0.1:1/x'}", False),
        ("gateway: {database_url: 'sqlite:///x.sqlite'}", False),
        ("identity: {issuers: {main: {url: 'https://id.example.com', audiences: [w]}}}", False),
        (
            "identity: {saml: {corp: {entity_id: 'https://id.example.com', gateway: 'https://gate.example.com',"
            " metadata: corp.xml, groups: none}}}",
            False,
        ),
        (f"gateway: {{tls: {{client_ca: ca.pem}}}}\nidentity: {{spiffe: {ELSEWHERE}}}", False),
        ("service_accounts: {admin: {groups: [crew]}}", False),
    ],
)
def test_only_for_the_embedded_defaults(tmp_path: Path, text: str, made: bool) -> None:
    config = tmp_path / "wicket.yaml"
    config.write_text(text)
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "journal").mkdir(mode=0o700)
    start(config)
    assert (tmp_path / "state" / "admin.token").exists() == made
