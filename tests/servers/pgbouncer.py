"""A throw-away pgbouncer in session pooling, in front of one PostgreSQL: what the bench compares with."""

import shutil
import signal
import subprocess
from pathlib import Path

from servers import system
from servers.binaries import MissingServer
from servers.postgres import Postgres, password

_START_SECONDS = 20


class Pgbouncer:
    """`dsn` for clients (plain text, any password); signs in upstream as `user` does."""

    host = "127.0.0.1"

    def __init__(self, server: Postgres, user: str, database: str, pool: int = 100) -> None:
        program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
        if program is None:
            raise MissingServer("no pgbouncer on this machine: run `make setup`")
        self.folder = system.folder("wicketgate-pgbouncer")
        self.user, self.database = user, database
        self.port = system.free_port()
        self._program = Path(program)
        self._write(server, pool)
        with (self.folder / "log").open("ab") as log:
            self._process = system.start(
                [program, self.folder / "pgbouncer.ini"], log, ends_by=signal.SIGTERM
            )
        self._wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def dsn(self) -> str:
        return f"postgresql://{self.user}:{password(self.user)}@{self.host}:{self.port}/{self.database}?sslmode=disable"

    def destroy(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        system.remove(self.folder)

    def _write(self, server: Postgres, pool: int) -> None:
        users = self.folder / "users.txt"
        users.write_text(f'"{self.user}" "{password(self.user)}"\n')
        users.chmod(0o600)
        system.give(users)
        settings = self.folder / "pgbouncer.ini"
        settings.write_text(
            f"""[databases]
{self.database} = host={server.host} port={server.port} dbname={self.database}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = session
max_client_conn = 5000
default_pool_size = {pool}
server_tls_sslmode = disable
server_idle_timeout = 5
log_connections = 0
log_disconnections = 0
ignore_startup_parameters = extra_float_digits,options
"""
        )
        settings.chmod(0o600)
        system.give(settings)

    def _wait(self) -> None:
        try:
            system.wait_for_port(self.port, self._process, _START_SECONDS)
        except RuntimeError:
            log = (self.folder / "log").read_text(errors="replace")
            self.destroy()
            raise RuntimeError(f"pgbouncer did not start:\n{log[-4000:]}") from None
