"""The demo: `python -m demo [--once]`, or `make demo`."""

import argparse
import contextlib
import os
import re
import socket
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import psycopg
from rich.console import Console
from rich.rule import Rule

from demo import sales, show
from demo.script import RULES, SCRIPT
from servers import binaries, system
from servers.certificates import Authority
from servers.gateway import Gateway
from servers.postgres import Postgres, password

IDENTITY = "crew-bot"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description="A governed agent session, start to end.")
    parser.add_argument("--once", action="store_true", help="end after the session instead of staying up")
    parser.add_argument("--port", type=int, default=15432, help="of the gateway (another one if it is taken)")
    options = parser.parse_args()
    console = Console(highlight=False)
    started = time.monotonic()
    with ExitStack() as stack:
        folder = system.folder("wicketgate-demo")
        stack.callback(system.remove, folder)
        server = _database(console, folder, stack)
        gateway = _gateway(console, folder, server, options.port, stack)
        token = gateway.token(IDENTITY)
        ca = folder / "gateway-ca.pem"
        ca.write_text(gateway.wicket("ca", "-c", str(gateway.configuration)))
        where = f"postgresql://{IDENTITY}:{quote(token)}@localhost:{gateway.port}/sales"
        where += f"?sslmode=verify-full&sslrootcert={quote(str(ca))}"
        show.step(
            console,
            f"Token issued to [crew-bot]; its URL: …@localhost:{gateway.port}/sales?sslmode=verify-full",
        )
        console.print(Rule("the agent's session, through a stock driver (psycopg 3)"))
        surprises = _session(console, where, _Ana(gateway, ca))
        console.print(Rule("what was recorded"))
        surprises += _recording(console, gateway, server)
        console.print(Rule(f"done in {time.monotonic() - started:.0f} s"))
        for surprise in surprises:
            console.print(f"[bold red]unexpected:[/] {surprise}")
        if surprises:
            console.print(gateway.log()[-4000:], markup=False)
            return 1
        if not options.once:
            _stay(console, gateway, token, ca)
    return 0


def _database(console: Console, folder: Path, stack: ExitStack) -> Postgres:
    show.step(console, "Starting a real PostgreSQL, and filling a sales database …")
    server = Postgres.create(binaries.debian(), Authority(folder), planted=False)
    stack.callback(server.destroy)
    server.sql(f"CREATE ROLE app LOGIN PASSWORD '{password('app')}'", database="postgres")
    server.sql("CREATE DATABASE sales", database="postgres")
    server.sql(sales.SCHEMA)
    rows = 0
    with server.connect() as connection, connection.cursor() as cursor:
        for table in ("customers", "products", "orders"):
            with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                for row in getattr(sales, table)():
                    copy.write_row(row)
                    rows += 1
    server.sql(sales.INDEXES)
    version = server.sql("SHOW server_version")[0][0]
    show.step(console, f"PostgreSQL {version} on port {server.port}, {rows:,} rows")
    return server


def _gateway(console: Console, folder: Path, server: Postgres, wanted: int, stack: ExitStack) -> Gateway:
    port = wanted if _free(wanted) else system.free_port()
    home = folder / "gateway"
    home.mkdir(mode=0o700)
    configuration, secret = home / "wicket.yaml", home / "sales.password"
    secret.touch(mode=0o600)
    secret.write_text(password("app"))
    configuration.write_text(
        RULES.format(
            port=port,
            api=system.free_port(),
            state=home / "state",
            upstream=server.port,
            ca=server.authority.root,
            secret=secret,
        )
    )
    configuration.chmod(0o600)
    gateway = Gateway(configuration, port)
    gateway.start()
    stack.callback(gateway.stop)
    show.step(console, f"Wicketgate on port {port}, configured by {configuration}")
    return gateway


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class _Ana:
    """A person who answers what waits for her, from afar, by the command that people have."""

    def __init__(self, gateway: Gateway, ca: Path) -> None:
        token = ca.with_name("ana.token")
        token.touch(mode=0o600)
        token.write_text(gateway.token("ana"))
        url = re.search(r"url: \"(https://[^\"]+)", gateway.configuration.read_text())
        assert url is not None
        self._gateway = gateway
        self._where = ("--url", url[1], "--ca", str(ca), "--token-file", str(token))
        self._answers: threading.Thread | None = None
        self.seen = ""

    def answer_next(self) -> None:
        """Look for a review until there is one, show it, approve it."""
        self._answers = threading.Thread(target=self._answer)
        self._answers.start()

    def shown(self) -> str:
        """What she was shown."""
        if self._answers is not None:
            self._answers.join()
        return self.seen

    def _answer(self) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            waiting = self._gateway.facts("reviews", "--mine", *self._where)
            if waiting:
                review = waiting[0]["id"]
                told = self._gateway.wicket("review", "show", review, *self._where)
                comment = ("--comment", "for the quote")
                told += self._gateway.wicket("review", "approve", review, *comment, *self._where)
                self.seen = told
                return


def _session(console: Console, where: str, ana: _Ana) -> list[str]:
    """Ask all questions; what went otherwise than the demo says."""
    surprises = []
    received: list[str] = []
    answers: list[list[tuple[object, ...]]] = []
    with psycopg.connect(where, autocommit=True, application_name="demo agent") as connection:
        for question in SCRIPT:
            values = question.values
            if question.back is not None:
                asked, row, column = question.back
                values = (answers[asked][row][column],)
            if question.reviewed:
                ana.answer_next()
            try:
                cursor = connection.execute(question.sql, values or None)
                columns = [column.name for column in cursor.description or ()]
                rows = cursor.fetchall()
            except psycopg.Error as error:
                told = error.diag
                answers.append([])
                show.refusal(
                    console,
                    question,
                    told.sqlstate or "?",
                    told.message_primary or str(error),
                    told.message_hint,
                )
                if not question.refused:
                    surprises.append(f"refused: {question.sql}: {error}")
                if connection.closed:
                    surprises.append("the connection was closed")
                    break
                continue
            if question.reviewed:
                show.review(console, question, ana.shown())
                surprises += [] if ana.seen else ["Ana was not asked"]
            answers.append(rows)
            received += [str(cell) for row in rows for cell in row]
            show.answer(console, question, columns, rows)
            if question.refused:
                surprises.append(f"not refused: {question.sql}")
    secret = {str(cell) for row in sales.customers() for cell in (row[2], row[3], row[4]) if cell is not None}
    texts = "\n".join(cell for cell in received if len(cell) > 12)
    leaked = secret.intersection(received) | {value for value in secret if value in texts}
    show.step(
        console,
        f"The agent received {len(received):,} values; of the {len(secret):,} sensitive ones stored, "
        f"{len(leaked)} are among them.",
    )
    return surprises + [f"leaked: {value}" for value in sorted(leaked)]


def _recording(console: Console, gateway: Gateway, server: Postgres) -> list[str]:
    """Show the session's replay as the CLI prints it, and verify it."""
    config = ("-c", str(gateway.configuration))
    sessions = gateway.facts("sessions", "list", *config)
    session = next(one["session"] for one in sessions if one["identity"] == IDENTITY)
    console.print(f"[bold]$ wicket sessions replay {session}[/]")
    console.print(
        gateway.wicket("sessions", "replay", session, "--rows", "3", *config), markup=False, soft_wrap=True
    )
    console.print("[bold]$ wicket sessions verify[/]")
    console.print(gateway.wicket("sessions", "verify", *config), markup=False)
    return []


def _stay(console: Console, gateway: Gateway, token: str, ca: Path) -> None:
    console.print("\nThe gateway stays up. Try it by hand (Ctrl-C ends everything):\n")
    console.print(
        f'  PGPASSWORD={token} psql "host=localhost port={gateway.port} user={IDENTITY} dbname=sales '
        f'sslmode=verify-full sslrootcert={ca}"\n',
        markup=False,
        soft_wrap=True,
    )
    console.print(
        f"  {_command(gateway)} sessions list -c {gateway.configuration}", markup=False, soft_wrap=True
    )
    console.print(f"  {_command(gateway)} check -c {gateway.configuration}\n", markup=False, soft_wrap=True)
    with contextlib.suppress(KeyboardInterrupt):
        while gateway.running:
            time.sleep(0.5)
    console.print("\nStopping …")


def _command(gateway: Gateway) -> str:
    return os.path.relpath(Path(sys.executable).parent / "wicket")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
