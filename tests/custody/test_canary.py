"""Law 7, tried on a running gateway: a canary secret goes through success, rotation and every failure, with
asyncio's debugging on, and is found in nothing that the gateway wrote, logged, recorded or answered."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from api.stage import ask
from e2e.watch import eventually, workers
from servers import system
from servers.gateway import Gateway
from servers.openbao import OpenBao
from servers.postgres import Postgres, password

FIRST, SECOND, WRONG, OURS = "c4nary-one-Xq7", "c4nary-two-Xq7", "c4nary-wrong-Xq7", "c4nary-ours-Xq7"
CANARY = "c4nary-"

_CONFIGURATION = """\
gateway:
  listen: {{postgres: "127.0.0.1:{port}"}}
  drain_seconds: 1
  vaults:
    corp:
      address: {address}
      ca_file: {ca}
      token: {{env: CORP_TOKEN}}
      cache_seconds: 1
      timeout_seconds: 1
service_accounts:
  crew-bot: {{kind: agent, groups: [crew]}}
resources:
  sales: {{protocol: postgres, address: "localhost:{upstream}", databases: [sales], ca_file: {ca},
          accounts: {{a: {{username: app_custody, password: {{vault: corp:db/canary#password}}}}}}}}
  own: {{protocol: postgres, address: "localhost:{upstream}", databases: [sales], ca_file: {ca},
          accounts: {{a: {{username: app_own, password: {{secret: app-own}}}}}}}}
  plain: {{protocol: postgres, address: "localhost:{upstream}", databases: [sales], ca_file: {ca},
          accounts: {{a: {{username: app_ro, password: {{env: PLAIN_PASSWORD}}}}}}}}
rules:
  - {{name: crew reads, identities: {{groups: [crew]}}, resources: any, permit: [read]}}
"""


class _Told(Gateway):
    """Ready when its log says so: asking through the CLI costs seconds."""

    def ready(self) -> bool:
        return " is ready (pid " in self.log()


class Stage:
    """The gateway, its target and its vault. seen: all that was ever answered."""

    def __init__(self, openbao: OpenBao, postgres: Postgres) -> None:
        self.openbao, self.postgres = openbao, postgres
        self.folder = system.folder("wicketgate-custody")
        self.port = system.free_port()
        configuration = self.folder / "wicket.yaml"
        configuration.write_text(
            _CONFIGURATION.format(
                port=self.port, address=openbao.address, ca=postgres.authority.root, upstream=postgres.port
            )
        )
        self.bao_token = openbao.new_token("sales")
        environment = {
            "CORP_TOKEN": self.bao_token,
            "PLAIN_PASSWORD": password("app_ro"),
            "PYTHONASYNCIODEBUG": "1",
        }
        self.gateway = _Told(configuration, self.port, environment=environment)
        self.gateway.start()
        self.gateway._environment.pop("PYTHONASYNCIODEBUG")  # the CLI has nothing to debug
        self.token = self.gateway.token("crew-bot")
        ca = self.folder / "ca.pem"
        ca.write_text(self.wicket("ca"))
        self.ca = ca
        self.seen: list[str] = []

    def wicket(self, *arguments: str) -> str:
        return self.gateway.wicket(*arguments, "-c", str(self.gateway.configuration), check=False)

    def connect(self, resource: str) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host="localhost",
            port=self.port,
            user="crew-bot",
            password=self.token,
            dbname=resource,
            sslmode="verify-full",
            sslrootcert=str(self.ca),
            connect_timeout=10,
        )

    def works(self, resource: str = "sales") -> bool:
        """Whether a new session gets an answer; what is said otherwise is kept."""
        try:
            with self.connect(resource) as connection:
                return connection.execute("SELECT 1").fetchall() == [(1,)]
        except psycopg.Error as error:
            self.seen.append(f"{error} {error.diag.message_primary} {error.diag.message_detail}")
            return False

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The API on its socket; what it said is kept."""
        answer = ask(self.folder / "state" / "api.sock", method, path, body)
        assert answer.status == 200, answer.body
        self.seen.append(answer.body.decode())
        return answer

    def rotate(self, value: str) -> None:
        self.postgres.sql(f"ALTER ROLE app_custody PASSWORD '{value}'")


@pytest.fixture(scope="module")
def stage(openbao: OpenBao, postgres15: Postgres) -> Iterator[Stage]:
    openbao.put("db/canary", {"password": FIRST})
    postgres15.sql(f"CREATE ROLE app_custody LOGIN PASSWORD '{FIRST}' IN ROLE readers")
    postgres15.sql(f"CREATE ROLE app_own LOGIN PASSWORD '{OURS}' IN ROLE readers")
    made = Stage(openbao, postgres15)
    yield made
    made.gateway.stop()
    system.remove(made.folder)
    postgres15.sql("DROP ROLE app_custody; DROP ROLE app_own")


def _refused(stage: Stage) -> Callable[[], bool]:
    return lambda: not stage.works()


def test_a_canary_is_found_nowhere(stage: Stage) -> None:
    assert eventually(stage.works, "the first session")
    # our own vault: refused while there is no secret, let in seconds after it was set, and while it rotates
    assert not stage.works("own")
    assert "own/a: no credential: there is no secret 'app-own'" in stage.gateway.log()
    assert stage.ask("PUT", "/api/v1/secrets/app-own", {"value": OURS}).json["version"] == 1
    assert eventually(lambda: stage.works("own"), "the secret was set")
    assert stage.ask("POST", "/api/v1/secrets/rotate").json == {"secrets": 1, "new_key": True, "segments": 0}
    assert eventually(lambda: stage.works("own"), "the keys were rotated")
    [listed] = stage.ask("GET", "/api/v1/secrets").json
    assert (listed["name"], listed["version"], listed["key"]) == ("app-own", 1, "local:2")
    with stage.connect("sales") as live:
        # rotated: in the vault and at the target
        stage.rotate(SECOND)
        stage.openbao.put("db/canary", {"password": SECOND})
        assert eventually(stage.works, "the rotated secret")
        assert eventually(lambda: "sales/a: its credential changed" in stage.gateway.log(), "told")
        # wrong at the target
        stage.openbao.put("db/canary", {"password": WRONG})
        assert eventually(_refused(stage), "the wrong secret")
        stage.openbao.put("db/canary", {"password": SECOND})
        # sealed: this target is refused, the other works on
        stage.openbao.seal()
        try:
            assert eventually(_refused(stage), "the sealed vault")
            assert stage.works("plain")
            seen = stage.wicket("check", "--json")
            assert "it is sealed, or not ready" in seen
            stage.seen.append(seen)
        finally:
            stage.openbao.unseal()
        assert eventually(stage.works, "the vault is unsealed")
        live.close()
    # whatever the gateway tells
    for path in ("/api/v1/status", "/api/v1/sessions", "/api/v1/resources", "/metrics"):
        stage.ask("GET", path)
    # a worker that crashes
    stage.seen.append(_environments(stage.gateway.pid))
    for worker in workers(stage.gateway.pid):
        os.kill(worker, 6)
    assert eventually(stage.works, "a new worker")
    stage.gateway.stop()
    canaries = [CANARY.encode(), stage.bao_token.encode()]
    for text in stage.seen:
        assert not any(each in text.encode() for each in canaries), text
    looked = 0
    for path in sorted(stage.folder.rglob("*")):
        if path.is_file():
            looked += 1
            content = path.read_bytes()
            assert not any(each in content for each in canaries), path
    assert looked > 5
    recorded = b"".join(path.read_bytes() for path in (stage.folder / "state" / "journal").rglob("*.log"))
    assert recorded.count(b"secrets.set") == recorded.count(b"secrets.rotate") == 1


def _environments(control: int) -> str:
    """Of the workers: their environment and arguments."""
    return "".join(
        Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace")
        for pid in workers(control)
        for name in ("environ", "cmdline")
    )
