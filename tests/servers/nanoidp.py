"""A running nanoidp (PyPI): the tests' second opinion on SAML. It verifies the signatures of requests."""

from __future__ import annotations

import signal
import sys
import urllib.request
from pathlib import Path

from servers import system

_SETTINGS = """\
config_version: 1
server: {{host: "127.0.0.1", port: {port}}}
oauth:
  issuer: "http://127.0.0.1:{port}"
  audience: played
  clients: [{{client_id: played, client_secret: played}}]
saml:
  default_acs_url: "{acs}"
  export_groups: true
  want_authn_requests_signed: true
  sp_certificates: ["{certificate}"]
  c14n_algorithm: exc_c14n
"""
_USERS = """\
config_version: 1
users:
  bob:
    password: bob
    email: bob@example.com
    groups: [readers]
    roles: [USER]
default_user: bob
"""


class NanoIdp:
    """`nanoidp` on a free port, in a folder of its own. people: bob, with the name as password.

    certificate: PEM of the one that signs requests."""

    def __init__(self, folder: Path, port: int, acs: str, certificate: Path) -> None:
        self.port = port
        self.base = f"http://127.0.0.1:{self.port}"
        self.entity_id = f"{self.base}/saml"
        self._log = folder / "nanoidp.log"
        (folder / "keys").mkdir()
        settings = _SETTINGS.format(port=self.port, acs=acs, certificate=certificate)
        (folder / "settings.yaml").write_text(settings)
        (folder / "users.yaml").write_text(_USERS)
        with self._log.open("wb") as log:
            self._process = system.start(
                [Path(sys.executable).parent / "nanoidp", "--config", str(folder)],
                log,
                ends_by=signal.SIGKILL,
                privileged=True,
                cwd=folder,
            )
        try:
            system.wait_for_port(self.port, self._process)
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{self._log.read_text()}") from None

    def metadata(self) -> bytes:
        """Its own, as an administrator downloads it."""
        with urllib.request.urlopen(f"{self.base}/saml/metadata", timeout=20) as answer:
            return bytes(answer.read())

    def log(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
