"""A running OpenID provider (npm oidc-provider): the tests' independent issuer of tokens."""

from __future__ import annotations

import base64
import json
import signal
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from servers import npm, system
from servers.binaries import HERE

AUDIENCE = "wicketgate"


class Provider:
    """`node provider.mjs` on a free port. Ends with the thread that made it."""

    def __init__(self, folder: Path) -> None:
        self.port = system.free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self._log = folder / "provider.log"
        with self._log.open("wb") as log:
            self._process = system.start(
                [npm.node(), HERE / "provider.mjs", str(self.port)],
                log,
                ends_by=signal.SIGKILL,
                environment={"NODE_ENV": "test"},
                privileged=True,
            )
        try:
            system.wait_for_port(self.port, self._process)
        except RuntimeError as error:
            raise RuntimeError(f"{error}\n{self._log.read_text()}") from None

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def token(self, client: str, audience: str = AUDIENCE) -> str:
        """An access token (JWT) by the client's own credentials."""
        fields = {"grant_type": "client_credentials", "resource": f"urn:{audience}"}
        basic = base64.b64encode(f"{client}:{client}-secret".encode()).decode()
        return str(json.loads(self._ask("/token", fields, basic))["access_token"])

    def rotate(self) -> None:
        """New keys; the old ones are forgotten."""
        self._ask("/rotate", {})

    def asked(self) -> int:
        """How often its key set was asked for."""
        return int(self._ask("/requests"))

    def people(self, **groups: list[str]) -> None:
        """These people there are now, in these groups, and no others."""
        told = {name: {"groups": each} for name, each in groups.items()}
        self._post("/people", json.dumps(told))

    def persons(self, told: Any) -> None:
        """The same, with whatever is said of each."""
        self._post("/people", json.dumps(told))

    def keys(self) -> bytes:
        """Its key set."""
        return self._ask("/jwks").encode()

    def trouble(self, kind: str) -> None:
        """What its userinfo does: 500, 302, silent, another (about somebody else); nothing: as it should."""
        self._post("/trouble", kind)

    def readings(self) -> int:
        """How often its userinfo was asked."""
        return int(self._ask("/readings"))

    def _post(self, path: str, text: str) -> None:
        urllib.request.urlopen(urllib.request.Request(self.issuer + path, text.encode()), timeout=20).close()

    def configuration(self) -> Any:
        """Its discovery document."""
        return json.loads(self._ask("/.well-known/openid-configuration"))

    def _ask(self, path: str, fields: dict[str, str] | None = None, basic: str = "") -> str:
        body = None if fields is None else urllib.parse.urlencode(fields).encode()
        request = urllib.request.Request(self.issuer + path, body)
        if basic:
            request.add_header("authorization", f"Basic {basic}")
        with urllib.request.urlopen(request, timeout=20) as answer:
            return str(answer.read().decode())
