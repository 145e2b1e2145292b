"""What is measured: each peer is an address that pgbench can be pointed at, and the processes behind it."""

import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench import cpu
from servers import binaries, system, wheel
from servers.certificates import Authority
from servers.gateway import Gateway
from servers.pgbouncer import Pgbouncer
from servers.postgres import Postgres, password

HERE = Path(__file__).parent
DATABASE = "bench"
USER = "bench"
IDLE = 2000
DETECTED, TOKENS = "bench-detected", "bench-tokens"
"""The same database as resources whose values are looked at, and whose masks are pseudonyms."""
MASKING = ((DETECTED, "settings: {}"), (TOKENS, "detect: []"))
SENSITIVE = {
    "public.people.email": "email",
    "public.people.card": "payment-card",
    "public.people.national_id": "national-id",
}


@dataclass(frozen=True, slots=True)
class Peer:
    """name: in the report. pids: the processes whose CPU and memory count (none for the server itself)."""

    name: str
    port: int
    user: str
    password: str
    database: str
    pids: Callable[[], list[int]]


def server(folder: Path, stack: ExitStack) -> Postgres:
    """PostgreSQL with pgbench's tables at scale 10 and the rows to stream. All peers use plain text."""
    settings = {"max_connections": str(2 * IDLE + 300), "shared_buffers": "512MB"}
    made = Postgres.create(binaries.debian(), Authority(folder), settings, planted=False)
    stack.callback(made.destroy)
    made.sql(f"CREATE ROLE {USER} LOGIN PASSWORD '{password(USER)}'", database="postgres")
    made.sql(f"CREATE DATABASE {DATABASE} OWNER {USER}", database="postgres")
    login = {"PGPASSWORD": password(USER), "PGSSLMODE": "disable", "PGGSSENCMODE": "disable"}
    where = ["-h", "127.0.0.1", "-p", str(made.port), "-U", USER]
    system.run([made.programs / "pgbench", "-i", "-q", "-s", "10", *where, DATABASE], login)
    for statement in (HERE / "data.sql").read_text().split(";\n"):
        if statement.strip():
            made.sql(statement, database=DATABASE, user=USER)
    return made


def direct(made: Postgres) -> Peer:
    return Peer("direct", made.port, USER, password(USER), DATABASE, list)


def relay(made: Postgres, folder: Path, stack: ExitStack) -> Peer:
    port = system.free_port()
    command = [sys.executable, "-m", "bench.relay", str(port), str(made.port)]
    log = stack.enter_context((folder / "relay.log").open("ab"))
    process = system.start(command, log, signal.SIGTERM, privileged=True, cwd=HERE.parent)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    system.wait_for_port(port, process)
    return Peer("relay", port, USER, password(USER), DATABASE, lambda: [process.pid])


def pgbouncer(made: Postgres, stack: ExitStack) -> Peer:
    pooler = Pgbouncer(made, USER, DATABASE, pool=IDLE + 100)
    stack.callback(pooler.destroy)
    return Peer("pgbouncer", pooler.port, USER, password(USER), DATABASE, lambda: [pooler.pid])


def gateway(
    name: str,
    made: Postgres,
    folder: Path,
    site: Path,
    stack: ExitStack,
    rules: int,
    durability: str = "written",
) -> Peer:
    """Wicketgate, from an installed wheel, with so many rules: policy, masking and journal on."""
    home = folder / name
    home.mkdir()
    port = system.free_port()
    configuration = home / "wicket.yaml"
    configuration.write_text(policy(port, made.port, rules, durability))
    configuration.chmod(0o600)
    running = Gateway(configuration, port, site, {"BENCH_PASSWORD": password(USER)})
    running.start()
    stack.callback(running.stop)
    token = running.token("bench-bot")
    return Peer(name, port, "bench-bot", token, DATABASE, lambda: cpu.family(running.pid))


def assert_compiled(site: Path) -> list[str]:
    """Every listed module is imported from a compiled file, or the bench would measure something else."""
    files: Mapping[str, str] = wheel.files(site)
    plain = {name: file for name, file in files.items() if not file.endswith(".so")}
    if plain or not files:
        raise RuntimeError(f"not compiled: {plain or 'pyproject.toml lists no module'}")
    return list(files)


def _resource(name: str, upstream: int, settings: str) -> str:
    sensitive = "".join(f"      {column}: {kind}\n" for column, kind in SENSITIVE.items())
    label = "tokens" if name == TOKENS else "bench"
    return f"""\
  {name}:
    protocol: postgres
    address: 127.0.0.1:{upstream}
    databases: [{DATABASE}]
    tls: disable
    labels: {{env: {label}}}
    accounts: {{reader: {{username: {USER}, password: {{env: BENCH_PASSWORD}}}}}}
    {settings}
    sensitive:
{sensitive}"""


def policy(port: int, upstream: int, rules: int, durability: str) -> str:
    """So many rules: the first permits reading with masks, the rest speak of other things."""
    resources = "".join(
        _resource(name, upstream, settings) for name, settings in ((DATABASE, "detect: []"), *MASKING)
    )
    head = f"""\
gateway:
  listen: {{postgres: 127.0.0.1:{port}}}
  plain_text: loopback
  journal: {{durability: {durability}}}
  limits: {{sessions_per_identity: 10000}}
service_accounts:
  bench-bot: {{groups: [benches]}}
resources:
{resources}rules:
  - name: benches read
    identities: {{groups: [benches]}}
    resources: {{labels: {{env: bench}}}}
    account: reader
    permit: [read]
    mask: {{email: redact, payment-card: last4, "*": redact}}
  - name: benches get tokens
    identities: {{groups: [benches]}}
    resources: [{TOKENS}]
    account: reader
    permit: [read]
    mask: {{email: pseudonym, payment-card: pseudonym, national-id: pseudonym}}
"""
    kinds = (
        "  - {{name: drop {n}, identities: {{groups: [team-{n}]}}, resources: [bench], "
        "when: 'statement.does(\"drop\")', deny: No.}}\n",
        "  - {{name: other {n}, identities: {{groups: [team-{n}]}}, resources: [bench], account: reader, "
        "permit: [read]}}\n",
        "  - {{name: table {n}, identities: {{groups: [benches]}}, resources: [bench], "
        "when: 'statement.writes(\"public.table_{n}\")', deny: No.}}\n",
    )
    return head + "".join(kinds[n % len(kinds)].format(n=n) for n in range(1, rules))
