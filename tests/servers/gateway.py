"""A running gateway, started as a person does: `wicket serve -c FILE`, tokens by `wicket token issue`."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from servers import system, wheel
from wicketgate.cli.client import Client, Where
from wicketgate.settings import load_settings

_START_SECONDS = 60
_STOP_SECONDS = 30


class Gateway:
    """`wicket serve` on a configuration file. site: an installed wheel to run instead of the checkout."""

    host = "127.0.0.1"

    def __init__(
        self,
        configuration: Path,
        port: int,
        site: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.configuration = configuration
        self.port = port
        self._environment = dict(environment or {})
        if site is None:
            self._wicket: list[str] = [str(Path(sys.executable).parent / "wicket")]
        else:
            self._wicket = [sys.executable, str(site / "bin" / "wicket")]
            self._environment["PYTHONPATH"] = wheel.search_path(site)
        self._log = configuration.parent / "serve.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it is ready; raises RuntimeError with its log when it is not in time.

        It is asked itself: another process may listen on the port by now."""
        with self._log.open("ab") as log:
            self._process = system.start(
                [*self._wicket, "serve", "-c", self.configuration],
                log,
                ends_by=signal.SIGTERM,
                environment=self._environment,
                privileged=True,
                cwd=self.configuration.parent,
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if self.ready():
                return
            time.sleep(0.1)
        self.kill()
        raise RuntimeError(f"wicket serve did not start:\n{self.log()[-6000:]}")

    def ready(self) -> bool:
        """Whether `wicket status` says so; asked when the log does: it is a program of its own."""
        if " is ready (pid " not in self.log():
            return False
        told = self.wicket("status", "-c", str(self.configuration), check=False)
        return told.startswith("ready")

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the control process; raises RuntimeError when it does not run."""
        if self._process is None:
            raise RuntimeError("the gateway does not run")
        return self._process.pid

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def stop(self) -> int:
        """SIGTERM, wait for the drain; the exit code."""
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            return self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            self._process = None

    def kill(self) -> None:
        """kill -9 of the control process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wicket(self, *arguments: str, check: bool = True) -> str:
        """Run a command of the CLI; what it printed. Raises RuntimeError when it fails, if check."""
        done = subprocess.run(
            [*self._wicket, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.configuration.parent,
            env={**os.environ, **self._environment},
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"wicket {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def facts(self, *arguments: str) -> Any:
        """What a command of the CLI prints with --json."""
        return json.loads(self.wicket(*arguments, "--json"))

    def token(self, identity: str, more: Sequence[str] = ()) -> str:
        """A new token for an identity of the configuration; as `wicket token issue` asks for one, without the
        program: there are hundreds."""
        if not more and self.running:
            client = Client(Where(load_settings(self.configuration).api.socket))
            return str(client.ask("POST", "/tokens", {"identity": identity, "lifetime": 86_400})["token"])
        return str(self.facts("token", "issue", identity, *more, "-c", str(self.configuration))["token"])
