"""What a throw-away server needs of the machine: an unprivileged login, a folder it may use, a free port."""

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def login() -> pwd.struct_passwd | None:
    """The login that servers run as: None is ourselves. PostgreSQL and pgbouncer refuse to run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("root needs an unprivileged login for servers: neither `postgres` nor `nobody` exists")


def folder(prefix: str) -> Path:
    """A new folder that the servers' login owns, below a folder that it can reach."""
    made = Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=_reachable_temporary_folder()))
    made.chmod(0o755)
    give(made)
    return made


def give(path: Path) -> None:
    """Hand a file or folder to the servers' login."""
    owner = login()
    if owner is not None:
        os.chown(path, owner.pw_uid, owner.pw_gid)


def reachable(path: Path) -> bool:
    """Whether everybody may enter every folder above path and read it."""
    path = path.resolve()
    parts = [path, *path.parents]
    return all(part.stat().st_mode & 0o005 == 0o005 for part in parts if part.is_dir())


def _reachable_temporary_folder() -> Path:
    for candidate in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):
        if login() is None or reachable(candidate):
            return candidate
    raise RuntimeError("no temporary folder that an unprivileged server can reach: set TMPDIR to one")


def free_port() -> int:
    """A port on loopback that nobody listened on a moment ago. Another process may still take it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: "subprocess.Popen[bytes]", seconds: float = 60) -> None:
    """Until somebody listens on loopback's port. Raises RuntimeError when the process ended or time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"process {process.pid} does not listen on port {port} (exit code {process.poll()})")


def _end_with_parent(how: signal.Signals) -> Callable[[], None]:
    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(how), 0, 0, 0)

    return prepare


def start(
    command: Sequence[str | Path],
    log: IO[bytes],
    ends_by: signal.Signals = signal.SIGINT,
    environment: Mapping[str, str] | None = None,
    privileged: bool = False,
    cwd: Path | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a server that ends (by `ends_by`) when the thread that called this does."""
    owner = None if privileged else login()
    extra: dict[str, Any] = {}
    if owner is not None:
        extra = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    return subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=_end_with_parent(ends_by),
        cwd=cwd or "/",
        env={**os.environ, **(environment or {})},
        **extra,
    )


def run(
    command: Sequence[str | Path], environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run to the end as the servers' login; raises RuntimeError with what it printed when it fails."""
    owner = login()
    extra: dict[str, Any] = {}
    if owner is not None:
        extra = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd="/",
        env={**os.environ, **(environment or {})},
        check=False,
        **extra,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def halt(pid: int, seconds: float = 10) -> None:
    """Stop a process, all of its threads, and wait until it stands: the signal alone takes a while."""
    os.kill(pid, signal.SIGSTOP)
    end = time.monotonic() + seconds
    while not all(_state(each) == "T" for each in Path(f"/proc/{pid}/task").iterdir()):
        if time.monotonic() > end:
            raise RuntimeError(f"process {pid} does not stop")
        time.sleep(0.005)


def _state(task: Path) -> str:
    """Source: proc(5), /proc/pid/stat: behind the name, which may hold anything but ends with a bracket."""
    return (task / "stat").read_text().rpartition(")")[2].split()[0]


def remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
