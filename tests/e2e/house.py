"""A gateway set up for the corpus: its configuration, its tokens, and addresses through it and around it.
It must never let a test reach for a credential: clients get tokens, the gateway gets the passwords."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from corpus import worlds
from e2e.scripts import Target
from e2e.wire import Address
from servers import stores, system
from servers.gateway import Gateway
from servers.postgres import Postgres, password

ACCOUNTS = {"reader": "app_rw", "writer": "app_rw", "definer": "app_owner"}
"""Identity -> the login behind it. The reader's may write: the gateway must be what stops it."""

IDENTITIES = {"reader": "readers", "writer": "writers", "definer": "definers"}
"""The corpus's identities, each with its group."""

_HEAD = """\
gateway:
  listen: {{postgres: "127.0.0.1:{port}"}}
  workers: {workers}
  state: {state}
{more}
service_accounts:
{accounts}
resources:
"""
_RESOURCE = """\
  {name}:
    protocol: postgres
    address: localhost:{upstream}
    databases: [{name}]
    tls: verify-full
    ca_file: {ca}
    accounts:
      common: {{username: app_rw, password: {{env: COMMON_PASSWORD}}}}
      owner: {{username: app_owner, password: {{env: OWNER_PASSWORD}}}}
{each}
    sensitive:
{sensitive}
"""
RULES = """\
rules:
  - {name: readers read, identities: {groups: [readers]}, resources: any, account: common,
     permit: [read], mask: {payment-card: last4}}
  - {name: writers write, identities: {groups: [writers]}, resources: any, account: common,
     permit: [read, write, delete], mask: {payment-card: last4}}
  - {name: definers define, identities: {groups: [definers]}, resources: any, account: owner,
     permit: [read, write, delete, define], mask: {payment-card: last4}}
"""


class _Told(Gateway):
    """Ready when its own log says that each worker is: asking through the CLI costs a second each time."""

    workers = 1

    def start(self) -> None:
        self._before = self._count()
        super().start()

    def ready(self) -> bool:
        return self._count() - self._before >= self.workers

    def _count(self) -> int:
        return self.log().count(" is ready (pid ")


class House:
    """One gateway before one server. `through` and `around` give addresses of the same database both ways.

    more: further lines of `gateway:`. each: further lines of each resource. rules: in place of the corpus's.
    identities: in place of the corpus's, name -> group. state: a folder for what lasts.
    """

    def __init__(
        self,
        folder: Path,
        server: Postgres,
        workers: int = 1,
        more: str = "",
        rules: str = RULES,
        databases: tuple[str, ...] = (worlds.ALPHA, worlds.BRAVO),
        state: Path | None = None,
        identities: Mapping[str, str] = IDENTITIES,
        drain: int = 2,
        each: str = "",
    ) -> None:
        self.folder = folder
        self.server = server
        port = system.free_port()
        sensitive = "\n".join(f"      {column}: {name}" for column, name in worlds.SENSITIVE.items())
        self.state = state or folder / "state"
        stores.lay(self.state)
        accounts = "\n".join(
            f"  {name}: {{kind: agent, groups: [{group}]}}" for name, group in identities.items()
        )
        more = f"  drain_seconds: {drain}\n{more}"
        text = _HEAD.format(port=port, workers=workers, state=self.state, more=more, accounts=accounts)
        for name in databases:
            text += _RESOURCE.format(
                name=name, upstream=server.port, ca=server.authority.root, sensitive=sensitive, each=each
            )
        self._common = text
        configuration = folder / "wicket.yaml"
        configuration.write_text(text + rules)
        secrets = {"COMMON_PASSWORD": password("app_rw"), "OWNER_PASSWORD": password("app_owner")}
        self.gateway = _Told(configuration, port, environment=secrets)
        self.gateway.workers = workers
        self._tokens: dict[str, str] = {}
        self.https = 0
        """The API's port for browsers and the like, where whoever made this has configured one."""

    def api(self, token: str, method: str, path: str, body: Any = None) -> Any:
        """An answer of the API over https, as whose token it is; or the status of a refusal."""
        content = None if body is None else json.dumps(body).encode()
        url = f"https://localhost:{self.https}/api/v1{path}"
        request = urllib.request.Request(url, content, method=method)
        request.add_header("authorization", f"Bearer {token}")
        request.add_header("content-type", "application/json")
        try:
            with urllib.request.urlopen(request, context=self._inside, timeout=20) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code

    def write_rules(self, rules: str) -> None:
        """Change the configuration's rules; nobody is told."""
        self.gateway.configuration.write_text(self._common + rules)

    @property
    def journal(self) -> Path:
        return self.state / "journal"

    def verify(self) -> Any:
        """What `wicket sessions verify` says: {"ok", "findings", "facts"}."""
        told = self.gateway.wicket(
            "sessions", "verify", "--json", "-c", str(self.gateway.configuration), check=False
        )
        return json.loads(told)

    def token(self, identity: str) -> str:
        """A token for the identity: issued once."""
        if identity not in self._tokens:
            self._tokens[identity] = self.gateway.token(identity)
        return self._tokens[identity]

    @cached_property
    def ca(self) -> Path:
        """The gateway's own certificate authority, as clients get it (`wicket ca`)."""
        kept = self.state / "ca" / "ca.pem"
        if kept.exists():
            return kept
        path = self.folder / "gateway-ca.pem"
        path.write_text(self.gateway.wicket("ca", "-c", str(self.gateway.configuration)))
        return path

    @cached_property
    def _inside(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca))

    @cached_property
    def _outside(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.server.authority.root))

    def through(self, identity: str, database: str = worlds.ALPHA) -> Address:
        """As the identity, through the gateway."""
        return Address("localhost", self.gateway.port, identity, database, self.token(identity), self._inside)

    def around(self, identity: str, database: str = worlds.ALPHA) -> Address:
        """Directly, as the login that the identity gets behind the gateway."""
        login = ACCOUNTS.get(identity, ACCOUNTS["reader"])
        return Address("localhost", self.server.port, login, database, password(login), self._outside)

    def target(self, identity: str, database: str = worlds.ALPHA) -> Target:
        """`through`, for ordinary clients."""
        return Target("localhost", self.gateway.port, identity, self.token(identity), database, self.ca)

    def direct_target(self, identity: str, database: str = worlds.ALPHA) -> Target:
        """`around`, for ordinary clients."""
        login = ACCOUNTS.get(identity, ACCOUNTS["reader"])
        root = self.server.authority.root
        return Target("localhost", self.server.port, login, password(login), database, root)
