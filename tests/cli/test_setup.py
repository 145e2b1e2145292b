"""`wicket init`, `check` and `ca`, on a real PostgreSQL."""

import os
import re
import stat
from pathlib import Path

import pytest

from api.stage import Stage
from cli.conftest import CONFIG, Run
from servers.planted import SENSITIVE
from servers.postgres import Postgres, password
from wicketgate import office, offline
from wicketgate.identity import tokens
from wicketgate.model.errors import GatewayError
from wicketgate.protocols.postgres.discover import read


def everything(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_init_turns_an_address_into_a_configuration(
    wicket: Run, postgres15: Postgres, tmp_path: Path
) -> None:
    ran = wicket(
        "init", "-", "--identity", "crew-bot", "--group", "crew-agents", stdin=postgres15.dsn() + "\n"
    )
    assert ran.code == 0, ran.err
    address = read(ran.out.strip())
    assert (address.host, address.username, address.database) == ("localhost", "crew-bot", "sales")
    assert address.secret is not None
    assert tokens.parse(address.secret)
    assert address.ca_file is not None
    assert Path(address.ca_file).read_text().startswith("-----BEGIN CERTIFICATE")

    text = (tmp_path / "wicket.yaml").read_text()
    for column in (
        "public.customers.email",
        "public.customers.ssn",
        "public.customers.card",
        "public.people.ssn",
    ):
        assert f"{column}: {SENSITIVE[column]}" in text
    assert password("app_ro") not in text
    [credential] = (tmp_path / "state" / "credentials").iterdir()
    assert credential.read_text() == password("app_ro")
    assert stat.S_IMODE(credential.stat().st_mode) == 0o600
    assert stat.S_IMODE(credential.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    for shown in (ran.out, ran.err):
        assert password("app_ro") not in shown
    for path in everything(tmp_path):
        assert address.secret.reveal()[4:40] not in path.read_bytes(), path
        if path != credential:
            assert password("app_ro").encode() not in path.read_bytes(), path

    checked = wicket("check", "--json")
    assert checked.code == 0, checked.out
    assert checked.json["ok"] is True
    [token] = wicket("token", "list", "--json").json
    assert (token["identity"], token["holds"]) == ("crew-bot", True)
    again = wicket("init", postgres15.dsn())
    assert again.code == 2
    assert "left alone" in again.err
    assert (tmp_path / "wicket.yaml").read_text() == text


def test_init_as_json_and_for_clients_elsewhere(wicket: Run, postgres15: Postgres, tmp_path: Path) -> None:
    ran = wicket(
        "init",
        postgres15.dsn("app_owner"),
        "--host",
        "gw.internal",
        "-c",
        "other.yaml",
        "--name",
        "shop",
        "--json",
    )
    assert ran.code == 0, ran.err
    assert ran.json["resource"] == "shop"
    assert read(ran.json["address"]).host == "gw.internal"
    text = (tmp_path / "other.yaml").read_text()
    assert "gw.internal" in text
    # the account owns the tables: that is worth a warning, and no error
    checked = wicket("check", "-c", "other.yaml")
    assert checked.code == 0
    assert "warning: " in checked.out
    assert "own" in checked.out


def test_init_writes_nothing_when_it_fails(wicket: Run, postgres15: Postgres, tmp_path: Path) -> None:
    wrong = re.sub(password("app_ro"), "hunter2", postgres15.dsn())
    for address, code in (
        (wrong, 1),
        (re.sub(r":\d+/", ":1/", wrong), 1),
        ("mysql://u:hunter2@h/d", 2),
        ("postgresql://u:hunter2@h1,h2/d", 2),
    ):
        ran = wicket("init", address)
        assert (ran.code, ran.out) == (code, ""), ran.err
        assert "hunter2" not in ran.err
        assert ran.err.count("\n") == 1
    assert wicket("init", postgres15.dsn(), "--identity", "a/b").code == 2
    assert wicket("init", postgres15.dsn(), "--name", "Not Good").code == 2
    assert wicket("init", postgres15.dsn(), "-c", "absent/wicket.yaml").code == 2
    assert everything(tmp_path) == []


def test_init_leaves_what_was_there_and_nothing_else(
    wicket: Run, postgres15: Postgres, tmp_path: Path
) -> None:
    before = set(tmp_path.rglob("*"))
    config = tmp_path / "wicket.yaml"
    config.symlink_to(tmp_path / "elsewhere.yaml")
    ran = wicket("init", postgres15.dsn())
    assert (ran.code, ran.out) == (2, "")
    assert "left alone" in ran.err
    assert config.is_symlink()
    assert set(tmp_path.rglob("*")) - before == {config}
    config.unlink()
    # what the state folder held before stays, and only that
    credential = tmp_path / "state" / "credentials" / "sales-main"
    credential.parent.mkdir(parents=True)
    credential.write_text("mine")
    assert wicket("init", postgres15.dsn()).code == 2
    assert credential.read_text() == "mine"
    assert not config.exists()


@pytest.mark.parametrize("late", ["new_account", "authority"])
def test_init_that_fails_late_undoes_all(
    wicket: Run, postgres15: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: str
) -> None:
    def broken(*_: object) -> None:
        raise GatewayError("it failed late")

    monkeypatch.setattr(offline if late == "new_account" else office, late, broken)
    before = set(tmp_path.rglob("*"))
    ran = wicket("init", postgres15.dsn())
    assert ran.code != 0
    assert set(tmp_path.rglob("*")) == before


def test_folders_are_ours_alone_whatever_the_umask(tmp_path: Path) -> None:
    previous = os.umask(0o277)
    try:
        office.private_folder(tmp_path / "one")
        os.umask(0)
        office.private_folder(tmp_path / "two")
        office.default_site(tmp_path / "wicket.yaml").prepare()
        office.private_folder(tmp_path / "two")
    finally:
        os.umask(previous)
    for folder in ("one", "two", "state", "state/journal"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError):
        office.private_folder(tmp_path / "file")


@pytest.mark.parametrize(
    ("good", "bad"), [("permit: [read]", "permit: [reed]"), ("tls: disable", "tsl: disable")]
)
def test_check_tells_file_and_line(wicket: Run, config: Path, good: str, bad: str) -> None:
    config.write_text(CONFIG.replace(good, bad))
    line = next(at for at, text in enumerate(config.read_text().splitlines(), 1) if bad in text)
    ran = wicket("check", "--offline")
    assert ran.code == 1
    assert re.search(rf"^error: wicket\.yaml:{line}:\d+: ", ran.out, re.MULTILINE)


def test_check_reaches_for_targets(wicket: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert wicket("check", "--offline").code == 0
    monkeypatch.delenv("WICKET_TEST_PASSWORD", raising=False)
    missing = wicket("check")
    assert missing.code == 1
    assert "WICKET_TEST_PASSWORD" in missing.out
    monkeypatch.setenv("WICKET_TEST_PASSWORD", "hunter2")
    away = wicket("check", "--json")
    assert away.code == 1
    assert away.json["ok"] is False
    assert "hunter2" not in away.out
    assert not (config.parent / "state").exists()


def test_check_tells_settings_too(wicket: Run, config: Path) -> None:
    config.write_text("gateway: {wrokers: 2}\n" + CONFIG)
    ran = wicket("check", "--offline")
    assert ran.code == 1
    assert "wicket.yaml:1:" in ran.out
    assert "wrokers" in ran.out


def test_ca_is_made_once_and_printed(wicket: Run, config: Path) -> None:
    first = wicket("ca")
    assert first.code == 0
    assert first.out.startswith("-----BEGIN CERTIFICATE-----\n")
    assert wicket("ca").out == first.out
    assert wicket("ca", "--json").json["certificate"] == first.out
    path = Path(wicket("ca", "--path").out.strip())
    assert path.read_text() == first.out
    assert "PRIVATE" not in first.out


def test_whoami_and_status(wicket: Run, gateway: Stage) -> None:
    """The socket answers; what is sent over it needs no token."""
    assert wicket("whoami", "--json").json["administrator"] is True
    assert "the same user on this machine" in wicket("whoami").out
    assert wicket("status").code == 0
    assert wicket("status", "--json").json["workers"] == 1
    gateway.control.draining = True
    assert (wicket("status").code, wicket("status").out.splitlines()[0]) == (1, "draining")
