"""The gateway's own settings: defaults, what is read, what stops the start, and where."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from wicketgate.admin.rate import Rate
from wicketgate.admin.roles import Role, Seat
from wicketgate.model.errors import PolicyError
from wicketgate.settings import Listener, Settings, default_settings, load_settings


@dataclass(frozen=True)
class Spec:
    default_port: int


SPECS = {"postgres": Spec(5432), "http": Spec(443)}


def read(folder: Path, text: str) -> Settings:
    file = folder / "wicket.yaml"
    file.write_text(text)
    return load_settings(file)


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(PolicyError) as told:
        read(folder, text).listeners(SPECS)
    return told.value.public.replace(f"{folder}/", "").splitlines()


def test_defaults(tmp_path: Path) -> None:
    found = read(tmp_path, "rules: []\n")
    assert found == default_settings(tmp_path / "wicket.yaml")
    assert not found.journal.encrypt
    assert found.state == tmp_path / "state"
    assert found.api.socket == tmp_path / "state" / "api.sock"
    assert (found.workers, found.plain_text, found.database_url) == (1, "never", None)
    assert (found.journal.durability, found.journal.synced, found.journal.kept_bytes) == (
        "written",
        False,
        65536,
    )
    assert (found.tls.certificate, found.tls.names) == (None, ["localhost", "127.0.0.1", "::1"])
    assert found.listeners(SPECS) == {"postgres": Listener(15432), "http": Listener(10443)}
    assert found.listeners(SPECS)["postgres"].hosts == ("127.0.0.1", "::1")


def test_what_is_read(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
gateway:
  listen: {postgres: ["0.0.0.0:15432", "[::]:15432"], http: localhost:18443}
  plain_text: loopback
  workers: 2
  state: /var/lib/wicketgate
  database_url: postgresql://wicket@db/wicket
  drain_seconds: 10
  store_grace_seconds: 30.5
  journal: {durability: synced, kept_bytes: 0, encrypt: true}
  tls: {certificate: keys/server.pem, key: keys/server.key, client_ca: /etc/ca.pem, names: [gw.internal]}
  api: {socket: run/api.sock, https: "0.0.0.0:18080"}
  limits: {handshake_seconds: 5, sessions_per_identity: 10, buffer_bytes: 65536}
  policy: {source: file}
  admin_groups: [dba, platform]
""",
    )
    assert found.listeners(SPECS) == {
        "postgres": Listener(15432, ("0.0.0.0", "::"), True),
        "http": Listener(18443, ("127.0.0.1", "::1"), True),
    }
    assert (found.workers, found.state) == (2, Path("/var/lib/wicketgate"))
    assert (found.drain_seconds, found.store_grace_seconds) == (10.0, 30.5)
    assert found.journal.synced
    assert found.of_workers()["encrypt"] is True
    assert found.tls.certificate == tmp_path / "keys/server.pem"
    assert found.tls.client_ca == Path("/etc/ca.pem")
    assert (found.api.socket, found.api.https) == (tmp_path / "run/api.sock", ("0.0.0.0", 18080))
    assert found.admin_groups == ["dba", "platform"]
    told = found.of_workers()
    assert (told["synced"], told["kept"], told["handshake_seconds"], told["buffer"]) == (True, 0, 5.0, 65536)


def test_a_port_alone_is_on_loopback(tmp_path: Path) -> None:
    found = read(tmp_path, "gateway: {listen: {postgres: 5433}}")
    assert found.listeners(SPECS) == {"postgres": Listener(5433)}


FAULTS = [
    ("gateway: 5", "wicket.yaml:1:10: gateway must be a map, not a number"),
    ("gateway: {listn: 1}", "wicket.yaml:1:11: gateway.listn: there is no such key; did you mean 'listen'?"),
    ("gateway: {workers: '2'}", "wicket.yaml:1:11: gateway.workers: input should be a valid integer"),
    ("gateway: {workers: true}", "wicket.yaml:1:11: gateway.workers: input should be a valid integer"),
    (
        "gateway: {workers: 0}",
        "wicket.yaml:1:11: gateway.workers: input should be greater than or equal to 1",
    ),
    (
        "gateway: {plain_text: always}",
        "wicket.yaml:1:11: gateway.plain_text: input should be 'never' or 'loopback'",
    ),
    ("gateway: {listen: {postgres: no}}", "wicket.yaml:1:20: gateway.listen.postgres: must be host:port or"),
    (
        "gateway: {listen: {postgres: 0}}",
        "wicket.yaml:1:20: gateway.listen.postgres: the port must be from 1",
    ),
    (
        "gateway: {listen: {postgres: 'h:99999'}}",
        "wicket.yaml:1:20: gateway.listen.postgres: the port must be",
    ),
    ("gateway: {listen: {postgres: ['a:1', 'b:2']}}", "several addresses with the same port"),
    ("gateway: {listen: {postgres: ['a:1', 'a:1']}}", "an address is given twice"),
    (
        "gateway: {listen: {postgrs: 1}}",
        "gateway: listen: there is no protocol 'postgrs'; did you mean 'postgres'?",
    ),
    ("gateway: {listen: {postgres: 1, http: 1}}", "gateway: listen: http and postgres on one port (1)"),
    ("gateway: {tls: {certificate: a}}", "wicket.yaml:1:11: gateway.tls: certificate and key go together"),
    (
        "gateway: {journal: {durability: fast}}",
        "wicket.yaml:1:21: gateway.journal.durability: input should be",
    ),
    ("gateway: {journal: {kept: 5}}", "gateway.journal.kept: there is no such key"),
    (
        "gateway: {policy: {source: vault}}",
        "wicket.yaml:1:20: gateway.policy.source: input should be 'file' or",
    ),
    ("gateway: {admin_groups: [a b]}", "wicket.yaml:1:26: gateway.admin_groups.0: must be up to 63"),
    ("gateway: {api: {https: x}}", "wicket.yaml:1:17: gateway.api.https: must be host:port"),
    ("gateway: {journal: {encrypt: 'yes'}}", "wicket.yaml:1:21: gateway.journal.encrypt: input should be a"),
    ("gateway: {journal: {encrypted: true}}", "there is no such key; did you mean 'encrypt'?"),
    ("gateway: {state: ''}", "wicket.yaml:1:11: gateway.state: must be a path"),
    ("gateway: {drain_seconds: 0}", "gateway.drain_seconds: input should be greater than 0"),
    ("gateway: {workers: 1, workers: 2}", "wicket.yaml:1:23: 'workers' is given twice"),
]


@pytest.mark.parametrize(("text", "fault"), FAULTS)
def test_what_stops_the_start(tmp_path: Path, text: str, fault: str) -> None:
    assert any(fault in line for line in faults(tmp_path, text)), faults(tmp_path, text)


def test_no_message_repeats_the_database_s_password(tmp_path: Path) -> None:
    found = "\n".join(faults(tmp_path, "gateway: {database_url: [postgresql://u:hunter2@h/d]}"))
    assert "gateway.database_url" in found
    assert "hunter2" not in found


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("rules: []")
    (tmp_path / "b.yaml").write_text("gateway: {workers: 3}")
    found = load_settings(tmp_path)
    assert (found.workers, found.state) == (3, tmp_path / "state")
    (tmp_path / "c.yaml").write_text("gateway: {workers: 4}")
    with pytest.raises(PolicyError, match="'gateway' is given twice"):
        load_settings(tmp_path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="No such file"):
        load_settings(tmp_path / "none.yaml")


ROLES = """gateway:
  roles:
    admin: [{groups: [platform]}]
    auditor:
      - {groups: [audit], resources: {labels: {env: prod, tier: 1, live: true}}}
      - {groups: [auditors-of-all]}
    viewer: [{groups: [support], resources: [sales]}]
  api: {rate: {actor: 60}}
"""


def test_roles(tmp_path: Path) -> None:
    found = read(tmp_path, ROLES)
    assert found.api.rate.rate == Rate(60, 3000)
    assert found.roles.seats == (
        Seat(Role.ADMIN, frozenset({"platform"})),
        Seat(Role.AUDITOR, frozenset({"audit"}), labels={"env": "prod", "tier": "1", "live": "true"}),
        Seat(Role.AUDITOR, frozenset({"auditors-of-all"})),
        Seat(Role.VIEWER, frozenset({"support"}), names=frozenset({"sales"})),
    )


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("{admins: [{groups: [a]}]}", "no such key"),
        ("{auditor: []}", "at least 1 item"),
        ("{auditor: [{groups: []}]}", "at least 1 item"),
        ("{auditor: [{resources: [sales]}]}", "required"),
        ("{auditor: [{groups: [a], resources: {}}]}", "takes one of names and labels"),
        ("{auditor: [{groups: [a], resources: []}]}", "at least 1 item"),
        ("{auditor: [{groups: [a], resources: {labels: {}}}]}", "at least 1 item"),
        ("{auditor: [{groups: [a], resources: {names: [s], labels: {a: b}}}]}", "takes one of"),
        ("{auditor: [{groups: [a], resources: any}]}", "dictionary"),
        ("{auditor: [{groups: [any]}]}", "group"),
        ("{auditor: [{groups: ['*']}]}", "group"),
        ("{auditor: [{groups: [a], resources: {labels: {env: [b]}}}]}", "string"),
        ("{auditor: {groups: [a]}}", "list"),
        ("{admin: [{groups: [a], resources: [sales]}]}", "an admin is one over everything"),
    ],
)
def test_roles_that_stop_the_start(tmp_path: Path, written: str, fault: str) -> None:
    told = faults(tmp_path, f"gateway:\n  roles: {written}\n")
    assert fault in told[0]
    assert told[0].startswith("wicket.yaml:2:")


@pytest.mark.parametrize(
    "said",
    ["{env: 'hunter2 x'}", "{env: A, file: hunter2}", "{url: hunter2}", "7", "''", "{file: ''}", "[hunter2]"],
)
def test_a_store_that_is_said_wrong_is_not_repeated(tmp_path: Path, said: str) -> None:
    found = "\n".join(faults(tmp_path, f"gateway: {{database_url: {said}}}"))
    assert "gateway.database_url" in found
    assert "hunter2" not in found


def test_a_store_that_is_said_elsewhere(tmp_path: Path) -> None:
    found = read(tmp_path, "gateway: {database_url: {file: keys/url}, name: gw-a}").database_url
    assert found is not None
    assert found.file == tmp_path / "keys/url"
    found = read(tmp_path, "gateway: {database_url: 'postgresql://u:hunter2@h/d'}")
    assert "hunter2" not in repr(found) + str(found)
