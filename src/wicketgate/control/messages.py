"""The control link's messages: a closed list, framed and parsed strictly in both directions.
A secret must never go through JSON or repr: it travels as the raw tail of an `answer`.

A message is `kind (1 byte) | length of fields (4 bytes) | fields (JSON array, in the order declared) | tail`.
It travels as frames `length (4 bytes) | more (1 byte) | part`, none above FRAME bytes, so that a large put
(a catalog) never needs one large write. Both ends run the same build: anything unexpected is LinkBroken.
"""

import struct
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import orjson

from wicketgate.model.secret import Secret

FRAME = 1 << 18
"""Bytes of a frame's part at most (256 KiB)."""
MESSAGE = 1 << 28
"""Bytes of a message at most (256 MiB): a catalog of a very large database."""
FIELDS = 1 << 26
"""Bytes of a message's JSON fields at most (64 MiB): a policy's text is one."""

_HEAD = struct.Struct(">IB")
_BODY = struct.Struct(">BI")


class LinkBroken(Exception):
    """The peer sent what it must not send. The link is closed; for a worker that is its end."""


# -- down: control process to worker -----------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Welcome:
    """The first message down: all that a worker is told at its start.

    node: the node's random id. number: its small number. worker: this worker's small number. writer: the
    journal writer's random id. ports: (file descriptor, protocol, plain allowed). tls: paths.
    """

    KIND: ClassVar[int] = 1
    node: str
    number: int
    worker: int
    writer: str
    journal: str
    ports: list[list[Any]]
    tls: dict[str, Any]
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Put:
    """An entry of the replicated dictionary; value None (and no blob) removes it. Takes effect at commit."""

    KIND: ClassVar[int] = 2
    section: str
    key: str
    value: Any
    blob: bytes | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """All puts before this hold now. Repeated every 250 ms as a sign of life."""

    KIND: ClassVar[int] = 3
    number: int


@dataclass(frozen=True, slots=True)
class Answer:
    """To one ask. denial: [kind, public message, cause] or None. secret: raw bytes, never JSON."""

    KIND: ClassVar[int] = 4
    id: int
    body: dict[str, Any]
    denial: list[str] | None = None
    secret: Secret | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Both ways: cancel what the session of this key runs. proof: hex."""

    KIND: ClassVar[int] = 5
    number: int
    proof: str


@dataclass(frozen=True, slots=True)
class End:
    """End one session. reason: one of CLOSE_REASONS. message: what its client is told."""

    KIND: ClassVar[int] = 6
    session: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Drain:
    """No new sessions; what is open ends when idle, and after `seconds` in any case."""

    KIND: ClassVar[int] = 7
    seconds: float


# -- up: worker to control process -------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Ready:
    KIND: ClassVar[int] = 32
    writer: str


@dataclass(frozen=True, slots=True)
class Ask:
    """what: `secret`, `lease`, `inherit`, `issuer`, `reread`, `keys`, `segment`, `review`, `reviewed`,
    `withdraw`, `request`, `token` or `attempt`.
    body: see answers.py.

    secret: raw bytes, never JSON: what a client proved itself with, so that it is judged here again."""

    KIND: ClassVar[int] = 33
    id: int
    what: str
    body: dict[str, Any]
    secret: Secret | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    KIND: ClassVar[int] = 34
    session: str
    identity: str
    resource: str
    database: str
    account: str
    source: str
    at: int


@dataclass(frozen=True, slots=True)
class Closed:
    KIND: ClassVar[int] = 35
    session: str
    reason: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """A block was sealed. root: hex. size: bytes of the segment up to and with the seal's line."""

    KIND: ClassVar[int] = 36
    segment: int
    block: int
    last: int
    root: str
    size: int


@dataclass(frozen=True, slots=True)
class Spent:
    """Of this lease, `used` were used; what else was granted may be given back. The lease is over."""

    KIND: ClassVar[int] = 37
    lease: int
    used: int


@dataclass(frozen=True, slots=True)
class Stale:
    """The catalog of this resource's database changed through us: read it again."""

    KIND: ClassVar[int] = 38
    resource: str
    database: str


@dataclass(frozen=True, slots=True)
class Counters:
    """What was added to counters since the last of these."""

    KIND: ClassVar[int] = 39
    added: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Holds:
    """Up: what was put up to this commit holds here."""

    KIND: ClassVar[int] = 47
    number: int


@dataclass(frozen=True, slots=True)
class Used:
    """What sessions did: [shape, uses, first, last (wall ns)] each (model.usage), and who was seen in which
    groups. lost: uses that found no room."""

    KIND: ClassVar[int] = 48
    shapes: list[list[Any]]
    members: list[dict[str, Any]]
    lost: int


Down = Welcome | Put | Commit | Answer | Cancel | End | Drain
Up = Ready | Ask | Opened | Closed | Sealed | Spent | Cancel | Stale | Counters | Holds | Used
Message = Down | Up

DOWN: dict[int, type] = {kind.KIND: kind for kind in (Welcome, Put, Commit, Answer, Cancel, End, Drain)}
UP: dict[int, type] = {
    kind.KIND: kind
    for kind in (Ready, Ask, Opened, Closed, Sealed, Spent, Cancel, Stale, Counters, Holds, Used)
}
_TAILS = {Put: "blob", Answer: "secret", Ask: "secret"}
_FIELDS: dict[type, list[tuple[str, Any]]] = {
    kind: [(each.name, each.type) for each in fields(kind) if each.name != _TAILS.get(kind)]
    for kind in {*DOWN.values(), *UP.values()}
}
_CHECKS: dict[Any, tuple[type, ...]] = {
    str: (str,),
    int: (int,),
    float: (float, int),
    dict[str, Any]: (dict,),
    dict[str, int]: (dict,),
    list[list[Any]]: (list,),
    list[dict[str, Any]]: (list,),
    list[str] | None: (list, type(None)),
    Any: (object,),
}


def encode(message: Message) -> bytes:
    """A message as frames. Raises ValueError where it is too large or holds what JSON can't."""
    kind = type(message)
    values = [getattr(message, name) for name, _ in _FIELDS[kind]]
    tail = b""
    if isinstance(message, Put):
        values.append(message.blob is not None)
        tail = message.blob or b""
    elif isinstance(message, Answer | Ask):
        values.append(message.secret is not None)
        tail = message.secret.reveal() if message.secret is not None else b""
    text = orjson.dumps(values)
    whole = b"".join((_BODY.pack(message.KIND, len(text)), text, tail))
    if len(whole) > MESSAGE or len(text) > FIELDS:
        raise ValueError(f"a {kind.__name__} of {len(whole)} bytes is too large for the control link")
    parts = []
    for at in range(0, len(whole), FRAME):
        part = whole[at : at + FRAME]
        parts.append(_HEAD.pack(len(part), at + FRAME < len(whole)))
        parts.append(part)
    return b"".join(parts)


def _decode(whole: bytes, kinds: dict[int, type]) -> Any:
    if len(whole) < _BODY.size:
        raise LinkBroken("a message without a head")
    number, length = _BODY.unpack_from(whole)
    kind = kinds.get(number)
    end = _BODY.size + length
    if kind is None or length > FIELDS or end > len(whole):
        raise LinkBroken(f"a message of kind {number} that may not come here, or is cut")
    try:
        values = orjson.loads(whole[_BODY.size : end])
    except orjson.JSONDecodeError:
        raise LinkBroken("fields that are not JSON") from None
    tail_name = _TAILS.get(kind)
    declared = _FIELDS[kind]
    if not isinstance(values, list) or len(values) != len(declared) + (tail_name is not None):
        raise LinkBroken(f"{kind.__name__} with another number of fields")
    for value, (name, want) in zip(values, declared, strict=False):
        if not isinstance(value, _CHECKS[want]) or (isinstance(value, bool) and want is not Any):
            raise LinkBroken(f"{kind.__name__}.{name} has another type")
    if tail_name is None:
        if end != len(whole):
            raise LinkBroken(f"bytes behind a {kind.__name__}")
        return kind(*values)
    has_tail = values.pop()
    if not isinstance(has_tail, bool) or (not has_tail and end != len(whole)):
        raise LinkBroken(f"bytes behind a {kind.__name__}")
    tail = whole[end:] if has_tail else None
    return kind(*values, Secret(tail) if kind in (Answer, Ask) and tail is not None else tail)


class Parser:
    """Bytes of one direction of the link -> messages. Raises LinkBroken; after that it must not be used."""

    def __init__(self, kinds: dict[int, type]) -> None:
        self._kinds = kinds
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._held = 0

    def receive(self, data: bytes) -> list[Any]:
        """The messages that are whole now, in order."""
        self._buffer += data
        messages = []
        at = 0
        size = len(self._buffer)
        while size - at >= _HEAD.size:
            length, more = _HEAD.unpack_from(self._buffer, at)
            if not 0 < length <= FRAME or more > 1:
                raise LinkBroken("a frame of a size that we never send")
            if size - at - _HEAD.size < length:
                break
            at += _HEAD.size
            self._parts.append(bytes(self._buffer[at : at + length]))
            at += length
            self._held += length
            if self._held > MESSAGE:
                raise LinkBroken("a message that is too large")
            if not more:
                messages.append(_decode(b"".join(self._parts), self._kinds))
                self._parts.clear()
                self._held = 0
        del self._buffer[:at]
        return messages
