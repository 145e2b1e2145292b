"""The command, in this process and as a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from api.stage import Stage
from wicketgate.api.server import ApiSettings, serve
from wicketgate.cli import main

SOURCE = Path(__file__).parent.parent.parent / "src"
CONFIG = """\
identities:
  bot: {kind: agent, groups: [crew]}
  root-bot: {kind: service, groups: [admins]}
resources:
  sales:
    protocol: postgres
    address: 127.0.0.1:1
    databases: [sales]
    tls: disable
    accounts: {reader: {username: ro, password: {env: WICKET_TEST_PASSWORD}}}
    sensitive: {}
rules:
  - name: crews read sales
    identities: {groups: [crew]}
    resources: [sales]
    account: reader
    permit: [read]
"""


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "wicket.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def wicket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in this process, in the test's folder: (arguments…) -> what it printed and its code."""
    monkeypatch.chdir(tmp_path)
    for name in ("WICKET_CONFIG", "WICKET_URL", "WICKET_TOKEN", "WICKET_CA", "WICKET_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object, stdin: str | None = None) -> Ran:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["wicket", *(str(each) for each in arguments)])
        if stdin is not None:
            import io

            monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code = main.run()
        shown = capsys.readouterr()
        return Ran(code, shown.out, shown.err)

    return run


@pytest.fixture
def process(tmp_path: Path) -> Run:
    """The command as a process of its own."""

    def run(*arguments: object, **environment: str) -> Ran:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("WICKET_")}
        done = subprocess.run(
            [sys.executable, "-m", "wicketgate.cli", *(str(each) for each in arguments)],
            cwd=tmp_path,
            env={**clean, "PYTHONPATH": str(SOURCE), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def gateway(config: Path) -> Iterator[Stage]:
    """An API on the socket that the configuration names; the control process is played."""
    state = config.parent / "state"
    state.mkdir(mode=0o700)
    stage = Stage(state)
    handle = serve(stage.office, ApiSettings(state / "api.sock"), stage.logged.append)
    yield stage
    handle.stop()
