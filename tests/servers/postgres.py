"""A throw-away PostgreSQL: TLS, SCRAM, the planted database, and ways to stop, restart and kill it."""

import contextlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg

from servers import system
from servers.certificates import Authority

HERE = Path(__file__).parent
ADMINISTRATOR = "admin"
TEMPLATE = "planted"

_START_SECONDS = 60
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "ssl": "on",
    "password_encryption": "scram-sha-256",
    "logging_collector": "off",
    "log_min_messages": "warning",
    "lc_messages": "C",
    "timezone": "UTC",
}
_ACCESS = """\
# login by login, for each way to sign in that a gateway must know; all others with SCRAM
local   all  all                     scram-sha-256
host    all  app_trust  127.0.0.1/32 trust
host    all  app_md5    127.0.0.1/32 md5
hostssl all  app_password 127.0.0.1/32 password
hostssl all  app_tls    127.0.0.1/32 scram-sha-256
host    all  app_tls    127.0.0.1/32 reject
host    all  all        127.0.0.1/32 scram-sha-256
host    replication all 127.0.0.1/32 scram-sha-256
"""


class ServerFailed(RuntimeError):
    """The server did not start; the message holds its log."""


def password(user: str) -> str:
    """The password of every login here. It stands in no answer and no log, so tests may search for it."""
    return f"pw-{user}-9f3a1c"


class Postgres:
    """One PostgreSQL server with a data folder of its own.

    Made by `Postgres.create`; `port` stays the same over stop, start, restart and kill.
    """

    host = "127.0.0.1"

    def __init__(
        self, programs: Path, folder: Path, authority: Authority, settings: Mapping[str, str]
    ) -> None:
        self.programs = programs
        self.folder = folder
        self.authority = authority
        self.port = 0
        self._settings = {**_SETTINGS, "unix_socket_directories": str(folder), **settings}
        self._process: subprocess.Popen[bytes] | None = None
        self._copies = itertools.count(1)
        self._was_up = False
        told = subprocess.run(
            [programs / "postgres", "--version"], capture_output=True, text=True, check=True
        )
        self.version = int(re.findall(r"\d+", told.stdout)[0])

    # -- life ----------------------------------------------------------------------------------------------
    @classmethod
    def create(
        cls,
        programs: Path,
        authority: Authority,
        settings: Mapping[str, str] | None = None,
        planted: bool = True,
    ) -> "Postgres":
        """Make a cluster in a new folder, start it, and load the planted database (unless told not to).

        Raises ServerFailed when the server does not come up, RuntimeError when its files can't be made.
        """
        server = cls(programs, system.folder(f"wicketgate-{programs.parent.name}"), authority, settings or {})
        try:
            server._make_cluster()
            server.start()
            if planted:
                server._load_planted()
        except BaseException:
            server.destroy()
            raise
        return server

    def start(self) -> None:
        """Start and wait until it answers. Tries other ports while it has never run, as ports get taken."""
        for _ in range(5):
            if not self._was_up:
                self.port = system.free_port()
            if self._try_start():
                self._was_up = True
                return
        raise ServerFailed(f"PostgreSQL in {self.folder} did not start:\n{self.log()[-4000:]}")

    def stop(self) -> None:
        """Fast shutdown: open connections are told 57P01 and closed."""
        self._end(signal.SIGINT)

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill(self) -> None:
        """Kill -9 the server and its backends: connections break without a word."""
        if self._process is None:
            return
        # stopped first: it must not hear of its backends' deaths, nor they of its own
        system.halt(self._process.pid)
        for pid in self.backends():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._process = None
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)

    def destroy(self) -> None:
        """Stop at once and remove its files."""
        self._end(signal.SIGQUIT)
        system.remove(self.folder)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the postmaster; raises RuntimeError when it does not run."""
        if self._process is None:
            raise RuntimeError("the server does not run")
        return self._process.pid

    def backends(self) -> list[int]:
        """Process ids of the postmaster's children."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def log(self) -> str:
        """What the server logged so far."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    # -- use -----------------------------------------------------------------------------------------------
    def dsn(
        self, user: str = "app_ro", database: str = "sales", sslmode: str = "verify-full", **more: str
    ) -> str:
        """A URL for any driver on libpq; `more` are further parameters of libpq."""
        options = {"sslmode": sslmode, **more}
        if sslmode.startswith("verify"):
            options["sslrootcert"] = str(self.authority.root)
        secret = f":{quote(password(user), safe='')}"
        return (
            f"postgresql://{quote(user)}{secret}@localhost:{self.port}/{quote(database)}?{urlencode(options)}"
        )

    def connect(self, user: str = ADMINISTRATOR, database: str = "sales") -> "psycopg.Connection[Any]":
        """A direct connection in autocommit, over TLS."""
        return psycopg.connect(self.dsn(user, database), autocommit=True, connect_timeout=10)

    def sql(
        self, text: str, *values: Any, database: str = "sales", user: str = ADMINISTRATOR
    ) -> list[tuple[Any, ...]]:
        """Run SQL directly (as the administrator), several statements if without values; last rows."""
        with self.connect(user, database) as connection:
            cursor = connection.execute(text, values or None)
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []

    def database(self) -> str:
        """A fresh copy of the planted database; the name. For tests that change it."""
        name = f"copy{next(self._copies)}"
        self.sql(f'CREATE DATABASE "{name}" TEMPLATE "{TEMPLATE}" OWNER app_owner', database="postgres")
        return name

    def drop(self, database: str) -> None:
        """Drop a database and whoever is connected to it."""
        self.sql(f'DROP DATABASE "{database}" WITH (FORCE)', database="postgres")

    # -- how -----------------------------------------------------------------------------------------------
    def _make_cluster(self) -> None:
        data, secret = self.folder / "data", self.folder / "secret"
        secret.write_text(password(ADMINISTRATOR))
        system.give(secret)
        command: list[str | Path] = [
            self.programs / "initdb",
            "-D",
            data,
            "-U",
            ADMINISTRATOR,
            f"--pwfile={secret}",
        ]
        system.run([*command, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "-N"])
        secret.unlink()
        certificate = self.authority.issue(f"postgres-{self.folder.name}")
        for source, name in ((certificate.chain, "server.crt"), (certificate.key, "server.key")):
            shutil.copy(source, data / name)
            (data / name).chmod(0o600)
            system.give(data / name)
        lines = [f"{name} = '{value}'\n" for name, value in self._settings.items()]
        with (data / "postgresql.conf").open("a") as file:
            file.writelines(lines)
        (data / "pg_hba.conf").write_text(_ACCESS)

    def _try_start(self) -> bool:
        with (self.folder / "log").open("ab") as log:
            command: list[str | Path] = [
                self.programs / "postgres",
                "-D",
                self.folder / "data",
                "-p",
                str(self.port),
            ]
            self._process = system.start(command, log, ends_by=signal.SIGINT)
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with self.connect(database="postgres"):
                    return True
            except psycopg.OperationalError:
                time.sleep(0.02)
        self._end(signal.SIGQUIT)
        return False

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def _load_planted(self) -> None:
        logins = (HERE / "roles.sql").read_text()
        logins = re.sub(r"@password\((\w+)\)", lambda found: password(found[1]), logins)
        self.sql(logins, database="postgres")
        self.sql(f'CREATE DATABASE "{TEMPLATE}" OWNER app_owner', database="postgres")
        self.sql((HERE / "planted.sql").read_text(), database=TEMPLATE)
        self.sql(f'CREATE DATABASE sales TEMPLATE "{TEMPLATE}" OWNER app_owner', database="postgres")
