"""Records what clients send: a relay notes each statement, and the innocent corpus is written from that.
For making the corpus grow by hand: `PYTHONPATH=tests .venv/bin/python -m corpus.record`. No test runs it."""

from __future__ import annotations

import collections
import json
import os
import pty
import select
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from corpus import worlds
from e2e import scripts
from servers import binaries
from servers.certificates import Authority
from servers.postgres import Postgres, password

INNOCENT = Path(__file__).parent / "innocent"
_CONTEXT = (
    "fetch",
    "move",
    "close",
    "savepoint",
    "release",
    "rollback",
    "commit",
    "begin",
    "start",
    "execute",
)
"""First words of statements that mean something only after others; the client scripts run these."""

COMPLETIONS = (
    "SELECT * FROM cust",
    "UPDATE ord",
    "INSERT INTO no",
    "DELETE FROM vic",
    "SELECT id FROM s1.",
    "\\d ord",
    "\\df wi",
    "ALTER TABLE customers ALTER COLUMN em",
    "DROP VIEW v_",
    "SET search_p",
    "SET timezone TO ",
    "SHOW server_v",
    "\\dn s",
    "GRANT SELECT ON orders TO ",
    "ALTER TABLE orders DROP CONSTRAINT ",
    "CREATE INDEX ON orders (",
    "COPY no",
    "\\c ",
    "\\dT mo",
    "REFRESH MATERIALIZED VIEW m",
    "TABLE or",
    "COMMENT ON COLUMN customers.",
    "EXECUTE ",
    "LISTEN ",
    "VACUUM or",
    "ANALYZE or",
    "\\sf wi",
    "\\dv v",
    "ALTER SEQUENCE ",
    "CALL ti",
    "SET ROLE app",
)


class Relay:
    """Carries one server's traffic in clear and notes what clients ask. notes: in the order of asking."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.notes: list[dict[str, Any]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listening.accept()
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._upstream))
        asked, started = bytearray(), False
        parsed: dict[bytes, dict[str, Any]] = {}
        while True:
            readable, _, _ = select.select([client, server], [], [])
            for side in readable:
                data = side.recv(1 << 16)
                if not data:
                    client.close()
                    server.close()
                    return
                (server if side is client else client).sendall(data)
                if side is client:
                    asked += data
            while len(asked) >= (5 if started else 4):
                length = struct.unpack_from("!I", asked, 1 if started else 0)[0] + started
                if len(asked) < length:
                    break
                message = bytes(asked[:length])
                del asked[:length]
                if started:
                    self._note(message[:1], message[5:], parsed)
                else:
                    started = struct.unpack_from("!I", message, 4)[0] >> 16 == 3

    def _note(self, kind: bytes, body: bytes, parsed: dict[bytes, dict[str, Any]]) -> None:
        if kind == b"Q":
            self.notes.append({"text": body[:-1].decode()})
        elif kind == b"P":
            name, text, rest = body.split(b"\0", 2)
            (count,) = struct.unpack_from("!H", rest)
            parsed[name] = {"text": text.decode(), "types": list(struct.unpack_from(f"!{count}I", rest, 2))}
        elif kind == b"B":
            self._bound(body, parsed)

    def _bound(self, body: bytes, parsed: dict[bytes, dict[str, Any]]) -> None:
        _, name, rest = body.split(b"\0", 2)
        (count,) = struct.unpack_from("!H", rest)
        formats, at = list(struct.unpack_from(f"!{count}H", rest, 2)), 2 + 2 * count
        (count,) = struct.unpack_from("!H", rest, at)
        at, values = at + 2, []
        for number in range(count):
            (length,) = struct.unpack_from("!i", rest, at)
            raw = rest[at + 4 : at + 4 + max(length, 0)]
            at += 4 + max(length, 0)
            binary = formats[number if len(formats) > 1 else 0] if formats else 0
            values.append(None if length < 0 else {"hex": raw.hex()} if binary else raw.decode())
        (count,) = struct.unpack_from("!H", rest, at)
        results = list(struct.unpack_from(f"!{count}H", rest, at + 2))
        given = {"types": parsed[name]["types"], "formats": formats, "values": values, "results": results}
        self.notes.append({"text": parsed[name]["text"], "extended": {k: v for k, v in given.items() if v}})


def complete(target: scripts.Target) -> None:
    """Type into psql on a terminal and press Tab twice after each text: what it asks by itself."""
    number, terminal = pty.openpty()
    environment = target.environment() | {"TERM": "dumb", "PSQL_HISTORY": "/dev/null", "PSQL_PAGER": "cat"}
    shell = subprocess.Popen(
        ["psql", "-X"], stdin=terminal, stdout=terminal, stderr=terminal, env=environment
    )
    os.close(terminal)
    _settle(number)
    for text in COMPLETIONS:
        os.write(number, text.encode() + b"\t\t")
        _settle(number)
        os.write(number, b"\x15")  # Ctrl-U: forget the line
        _settle(number)
    os.write(number, b"\\q\n")
    _settle(number)
    shell.terminate()
    shell.wait()
    os.close(number)


def _settle(number: int) -> None:
    """Read until the terminal is still: this is for hands, not for tests."""
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline and select.select([number], [], [], 0.3)[0]:
        try:
            os.read(number, 1 << 16)
        except OSError:
            return


def write(name: str, heading: str, notes: list[dict[str, Any]]) -> int:
    """One file of the corpus: each statement once, and each text with at most two sets of parameters."""
    seen: set[str] = set()
    texts: collections.Counter[str] = collections.Counter()
    entries = []
    for note in notes:
        first = note["text"].strip().split(None, 1)
        if not first or first[0].lower().rstrip(";") in _CONTEXT or repr(note) in seen:
            continue
        seen.add(repr(note))
        texts[note["text"]] += 1
        if texts[note["text"]] > 2:
            continue
        entries.append(_entry(note))
    (INNOCENT / f"{name}.yaml").write_text(f"# {heading}\nstatements:\n" + "".join(entries))
    return len(entries)


def _entry(note: dict[str, Any]) -> str:
    """One statement as YAML: several lines as a block where that says exactly the same."""
    text = note["text"]
    lines = text.split("\n")
    plain = len(lines) > 1 and lines[0][:1].strip() and lines[-1] and all(map(str.isprintable, lines))
    told = json.dumps(text, ensure_ascii=False)
    if plain:
        told = "|-\n" + "\n".join(f"    {line}" if line else "" for line in lines)
    extended = f"\n  extended: {json.dumps(note['extended'])}" if "extended" in note else ""
    return f"- text: {told}{extended}\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        server = Postgres.create(binaries.debian(), Authority(Path(folder)))
        try:
            worlds.build(server)
            todo: dict[str, Callable[[scripts.Target], Any]] = {**scripts.READS, "psql-completion": complete}
            for name, script in todo.items():
                relay = Relay(server.port)
                script(scripts.Target("127.0.0.1", relay.port, "app_rw", password("app_rw"), worlds.ALPHA))
                count = write(
                    name,
                    f"What {name} sent to PostgreSQL {server.version}; made by corpus/record.py.",
                    relay.notes,
                )
                sys.stdout.write(f"{name}: {count}\n")
        finally:
            server.destroy()


if __name__ == "__main__":
    main()
