"""`wicket login` without a browser: by a refresh token of an independent provider, kept beside the token."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.test_login import run
from servers import system
from servers.provider import Provider


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    folder = system.folder("wicketgate-provider")
    made = Provider(folder)
    yield made
    made.stop()
    system.remove(folder)


def renew(provider: Provider, file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "wicket"), "login", "--renew", "--json", "--out", str(file)]
    options = ["--issuer", provider.issuer, "--client-id", "cli", "--resource", "urn:wicketgate", *arguments]
    return subprocess.run([*command, *options], capture_output=True, text=True, timeout=60, env=os.environ)


def test_a_person_signs_in_once(provider: Provider, tmp_path: Path) -> None:
    _, file, said = run(provider, tmp_path, "--offline")
    beside = file.with_name("token.refresh")
    first, kept = file.read_text(), json.loads(beside.read_text())
    assert stat.S_IMODE(beside.stat().st_mode) == 0o600
    assert kept["refresh"] not in said
    done = renew(provider, file)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["subject"] == "ana"
    assert kept["refresh"] not in done.stdout + done.stderr
    assert file.read_text() != first
    # the provider gives a new one each time; the old one is good no more
    assert json.loads(beside.read_text())["refresh"] != kept["refresh"]
    # it is used for what it was given for alone
    for other in (("--resource", "urn:other"), ("--id-token",)):
        assert renew(provider, file, *other).returncode == 1
    assert beside.exists()
    # who took a copy of an old one ends it for all, as the provider sees it; then nothing is kept
    beside.write_text(json.dumps(kept))
    done = renew(provider, file)
    assert (done.returncode, beside.exists()) == (1, False)
    assert "--offline" in done.stderr


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"refresh": 7}', "\xff"])
def test_what_can_not_be_read_is_no_token(provider: Provider, tmp_path: Path, text: str) -> None:
    (tmp_path / "token.refresh").write_text(text)
    done = renew(provider, tmp_path / "token")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
