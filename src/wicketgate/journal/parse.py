"""Reading a line back: HEAD's fixed members, typed, and BODY's bytes. Pure.
It must never take a line for good whose members don't have their types."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from wicketgate.model.event import KINDS


class LineMalformed(ValueError):
    """Bytes that are not a line of the journal."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line. session is "" and q is 0 for a line of no session.

    head, body: exact bytes; body None where there is none. digest: BODY's SHA-256 as HEAD gives it (hex), or
    None: then no BODY belongs here, and one that stands here means nothing. members: HEAD's other members,
    as JSON gave them.
    """

    head: bytes
    body: bytes | None
    writer: str
    n: int
    wall: int
    boot: int
    kind: str
    session: str
    q: int
    digest: str | None
    members: Mapping[str, Any]

    def all_members(self) -> Mapping[str, Any]:
        """HEAD whole, as JSON gives it."""
        found: dict[str, Any] = orjson.loads(self.head)
        return found

    def content(self) -> Mapping[str, Any] | None:
        """BODY without its salt, as JSON gives it; None where there is none that HEAD knows of."""
        if self.body is None or self.digest is None:
            return None
        try:
            found = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None
        if not isinstance(found, dict):
            return None
        found.pop("salt", None)
        return found

    @property
    def erased(self) -> bool:
        """HEAD speaks of a BODY that isn't there."""
        return self.digest is not None and self.body is None


def split(raw: bytes) -> tuple[bytes, bytes | None]:
    """A line without its LF -> (HEAD, BODY or None)."""
    head, tab, body = raw.partition(b"\t")
    return head, body if tab else None


def _integer(members: dict[str, Any], name: str, least: int) -> int:
    value = members.pop(name, None)
    if type(value) is not int or value < least:
        raise LineMalformed(f"{name} is not a number as it should be")
    return value


def _text(members: dict[str, Any], name: str) -> str:
    value = members.pop(name, None)
    if not isinstance(value, str) or not value:
        raise LineMalformed(f"{name} is not a text as it should be")
    return value


def parse(raw: bytes) -> Line:
    """A line without its LF. Raises LineMalformed."""
    head, body = split(raw)
    try:
        members = orjson.loads(head)
    except orjson.JSONDecodeError as error:
        raise LineMalformed("HEAD is not JSON") from error
    if not isinstance(members, dict):
        raise LineMalformed("HEAD is not an object")
    if _integer(members, "v", 1) != 1:
        raise LineMalformed("a schema that this program doesn't know")
    writer = _text(members, "w")
    n = _integer(members, "n", 1)
    wall = _integer(members, "t", 0)
    boot = _integer(members, "m", 0)
    kind = _text(members, "k")
    if kind not in KINDS:
        raise LineMalformed("a kind that this program doesn't know")
    session, q = "", 0
    if "s" in members or "q" in members:
        session = _text(members, "s")
        q = _integer(members, "q", 1)
    digest = _text(members, "h") if "h" in members else None
    return Line(head, body, writer, n, wall, boot, kind, session, q, digest, members)
