"""What fault tests look at from outside: a gateway's workers, their memory and sockets, its journal's files.
It must never ask the gateway's own code: what is compared here has to come from elsewhere."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from e2e.wire import Address, Wire, WireClosed

T = TypeVar("T")
PATIENCE = 30.0
"""Seconds after which what should come is taken not to come. No test passes by waiting them out."""


def eventually(look: Callable[[], T | None], what: str, patience: float = PATIENCE) -> T:
    """The first true answer of `look`, asked again and again. Raises AssertionError when it never comes."""
    deadline = time.monotonic() + patience
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"never came: {what} (last seen: {found!r})"
        time.sleep(0.02)


def come_in(address: Address) -> Wire:
    """A signed-in connection. Raises WireClosed when it is refused.

    While the gateway says that the resource is closed for now, it is asked again: it may have looked for a
    world's catalog just while the world was made anew."""

    def attempt() -> Wire | None:
        try:
            return Wire.open(address)
        except WireClosed as error:
            if "57P03" in str(error):
                return None
            raise

    return eventually(attempt, "an open resource")


# -- processes ---------------------------------------------------------------------------------------------
def workers(control: int) -> set[int]:
    """Process ids of the control process's living workers."""
    try:
        children = Path(f"/proc/{control}/task/{control}/children").read_text().split()
    except FileNotFoundError:
        return set()
    return {int(pid) for pid in children if b"\0wicketgate.workshop\0" in _command(int(pid))}


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def memory(pid: int) -> int:
    """Bytes of a process that lie in memory (its resident set)."""
    (kilobytes,) = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(kilobytes) * 1024


def worker_of(wire: Wire, control: int) -> int:
    """The worker that holds the other end of a connection. Raises LookupError when none does."""
    mine, theirs = wire.peer.getsockname()[1], wire.peer.getpeername()[1]
    inode = _inode(theirs, mine)
    for pid in workers(control):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                if link.readlink().name == f"socket:[{inode}]":
                    return pid
            except FileNotFoundError:
                continue
    raise LookupError(f"no worker holds {theirs} -> {mine}")


def _inode(local: int, remote: int) -> str:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if [int(fields[at].rpartition(":")[2], 16) for at in (1, 2)] == [local, remote]:
                return fields[9]
    raise LookupError(f"no socket {local} -> {remote}")


def gone(wire: Wire) -> bool:
    """Whether the peer has closed a connection. What it said before that is thrown away."""
    return shut(wire.peer)


def shut(peer: socket.socket) -> bool:
    """The same of a socket."""
    peer.settimeout(0.05)
    try:
        return peer.recv(4096) == b""
    except TimeoutError:
        return False
    except OSError:
        return True
    finally:
        peer.settimeout(20)


def last_words(wire: Wire) -> tuple[str, list[bytes]]:
    """Read until the peer closes: the SQLSTATE of its last error (or ""), and the types of all frames."""
    frames = wire.rest()
    codes = [frame.fields.get("C", "") for frame in frames if frame.type == b"E"]
    return (codes[-1] if codes else ""), [frame.type for frame in frames]


def answer(wire: Wire, text: str) -> str:
    """What became of a query: its first cell, its error's SQLSTATE, or `closed`."""
    try:
        frames = wire.ask(text)
    except WireClosed:
        return "closed"
    for frame in frames:
        if frame.type == b"E":
            return frame.fields.get("C", "")
    cells = [frame.cells[0] for frame in frames if frame.type == b"D"]
    return (cells[0] or b"").decode() if cells else ""


# -- the journal's files -----------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Line:
    """One whole line: HEAD's members, and BODY's (empty where it has none)."""

    head: dict[str, Any]
    body: dict[str, Any]

    @property
    def kind(self) -> str:
        return str(self.head["k"])


def lines(journal: Path) -> Iterator[Line]:
    """Every whole line of every writer (JOURNAL.md), writer after writer. A torn last line is left out."""
    for path in sorted(journal.glob("*/*/*.log")):
        for raw in path.read_bytes().split(b"\n")[:-1]:
            head, _, body = raw.partition(b"\t")
            yield Line(json.loads(head), json.loads(body) if body else {})


def asked(journal: Path) -> list[str]:
    """The text of every statement that was let through, as often as it was."""
    texts: dict[tuple[str, int], str] = {}
    found = []
    for line in lines(journal):
        session, number = str(line.head.get("s")), int(line.head.get("q", 0))
        if "text" in line.body:
            texts[session, number] = line.body["text"]
        if line.kind == "ask":
            found.append(texts[session, line.head.get("x", number)])
    return found


def closes(journal: Path) -> dict[str, str]:
    """Session -> why it ended, of all that have."""
    return {line.head["s"]: line.head["o"]["tag"] for line in lines(journal) if line.kind == "close"}


def opened(journal: Path) -> set[str]:
    """Every session that was opened."""
    return {line.head["s"] for line in lines(journal) if line.kind == "open"}
