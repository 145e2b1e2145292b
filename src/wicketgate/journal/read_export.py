"""An exported session's lines, to be shown: opened with the keys that the file carries.
It must never be taken for proof: what a file says is read here, and proven by verify_export."""

from pathlib import Path

import orjson

from wicketgate.journal.decrypt import opened
from wicketgate.journal.encrypt import SessionCipher
from wicketgate.journal.parse import Line, LineMalformed, parse
from wicketgate.journal.verify_export import read_cipher

LARGEST = 1 << 30
"""Bytes of a file that is read."""


def read_export(path: Path) -> tuple[str, list[Line]]:
    """The session's id, and its lines in order. Raises OSError, and ValueError for what is no such file."""
    with path.open("rb") as file:
        records = file.read(LARGEST).split(b"\n")
    try:
        header = orjson.loads(records[0].removeprefix(b"H "))
    except orjson.JSONDecodeError:
        header = None
    match header:
        case {"export": "session", "session": str(session)}:
            return session, _lines(records, session)
    raise ValueError("this is not an exported session")


def _lines(records: list[bytes], session: str) -> list[Line]:
    cipher: SessionCipher | None = None
    found: list[Line] = []
    for record in records:
        if record.startswith(b"K "):
            cipher = read_cipher(record[2:])
        if not record.startswith(b"L "):
            continue
        try:
            line = parse(record[2:])
        except LineMalformed:
            continue
        if line.session != session:
            continue
        found.append(opened(line, cipher))
    return found
