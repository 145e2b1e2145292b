"""A session's journal lines, told as people read them: each statement with its decision and its answer.
It must never fail on a line: what can't be read is shown as such. It shows what the client saw, no more."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wicketgate.admin.ports import JournalLine

_ACTING = ("behalf", "crew", "agent", "task", "purpose")


@dataclass(frozen=True, slots=True)
class Table:
    """One result, as the client saw it (masked)."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    tag: str | None = None


@dataclass(slots=True)
class Told:
    """One event. at: wall clock ns. kind: the line's kind; a statement is `ask`, with its answer in it.

    text None: the text is gone (erased) or was none. decision: `permit`, `deny`, `review`. duration: ns.
    truncated: the answer was longer than what was kept; length says how long.
    """

    q: int
    at: int
    kind: str
    text: str | None = None
    parameters: tuple[str | None, ...] | None = None
    decision: str | None = None
    rules: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()
    message: str | None = None
    cause: str | None = None
    rows: int | None = None
    masked: Mapping[str, int] = field(default_factory=dict)
    code: str | None = None
    tag: str | None = None
    duration: int | None = None
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    answered: bool = False
    truncated: bool = False
    length: int | None = None
    erased: bool = False


@dataclass(slots=True)
class Replay:
    """One session. whole: its lines have no gap from the first to `close`. acting: on whose
    `behalf`, as which `agent` of which `crew`, in which `task`, for what `purpose`."""

    session: str
    identity: str = ""
    groups: tuple[str, ...] = ()
    resource: str = ""
    database: str = ""
    account: str = ""
    source: str = ""
    acting: Mapping[str, str] = field(default_factory=dict)
    opened: int = 0
    closed: int | None = None
    reason: str | None = None
    whole: bool = True
    events: list[Told] = field(default_factory=list)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list | tuple) else ()


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _decoded(value: object) -> bytes:
    try:
        return base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        return b""


def _statement(body: Mapping[str, Any]) -> str | None:
    """The text as it was asked. One that carries a secret was recorded without it."""
    if "redacted" in body:
        return "(recorded without its text: it carries a secret)"
    raw = body.get("text_base64", body.get("bytes"))
    if raw is not None:
        return _decoded(raw).decode("utf-8", "backslashreplace")
    return _text(body.get("text"))


class _Teller:
    def __init__(self, session: str, show: Callable[[str, bytes], Any], protocols: Mapping[str, str]) -> None:
        self.replay = Replay(session)
        self.show = show
        self.protocols = protocols
        self.texts: dict[int, str] = {}
        self.asked: dict[int, Told] = {}
        self.last = 0

    def take(self, line: JournalLine) -> None:
        head, body = line.head, line.body
        q, kind = _whole(head.get("q")) or 0, str(head.get("k", ""))
        if q != self.last + 1:
            self.replay.whole = False
        self.last = max(self.last, q)
        told = Told(q, _whole(head.get("t")) or 0, kind)
        closed = head.get("closed") is True
        told.erased = body is None and "h" in head and not closed
        body = body or {}
        if closed:
            told.message = "this line is not what was encrypted: verify the recording"
            self.replay.events.append(told)
        elif kind == "open":
            self._open(head, body, told)
        elif kind == "close":
            self.replay.closed = told.at
            outcome = _mapping(head.get("o"))
            self.replay.reason = _text(outcome.get("reason")) or _text(outcome.get("tag"))
        elif kind == "answer" and (asked := self.asked.get(_whole(head.get("r")) or 0)) is not None:
            self._settle(asked, head, body, told)
        else:
            self._event(told, head, body)

    def _open(self, head: Mapping[str, Any], body: Mapping[str, Any], told: Told) -> None:
        identity = _mapping(head.get("i"))
        replay = self.replay
        replay.opened = told.at
        replay.identity = str(identity.get("name") or identity.get("subject") or "")
        replay.groups = _texts(identity.get("groups"))
        replay.acting = {key: text for key in _ACTING if (text := _text(identity.get(key))) is not None}
        replay.account = _text(head.get("a")) or ""
        for name in ("resource", "database", "source"):
            found = (_text(each.get(name)) for each in (head, identity, body))
            setattr(replay, name, next((text for text in found if text), ""))

    def _event(self, told: Told, head: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        first = _whole(head.get("x"))
        text = _statement(body)
        if text is not None:
            self.texts[told.q] = text
        elif first is not None:
            text = self.texts.get(first)
            told.erased = told.erased or text is None
        told.text = text
        parameters = body.get("parameters")
        if isinstance(parameters, list):
            told.parameters = tuple(None if each is None else str(each) for each in parameters)
        told.decision, told.rules = _text(head.get("d")), _texts(head.get("u"))
        told.effects, told.relations = _texts(head.get("e")), _texts(head.get("l"))
        denial = _mapping(body.get("denial")) or body
        told.message, told.cause = _text(denial.get("message")), _text(denial.get("cause"))
        told.tag = _text(_mapping(head.get("o")).get("tag"))
        if told.kind == "deny" and told.decision is None:
            told.decision = "deny"
        self.replay.events.append(told)
        if told.kind == "ask":
            self.asked[told.q] = told
        elif told.kind == "deny" and (asked := self.asked.get(_whole(head.get("r")) or 0)) is not None:
            told.text = told.text or asked.text

    def _settle(self, asked: Told, head: Mapping[str, Any], body: Mapping[str, Any], told: Told) -> None:
        outcome, kept = _mapping(head.get("o")), _mapping(head.get("b"))
        asked.answered = True
        asked.rows, asked.duration = _whole(outcome.get("rows")), _whole(outcome.get("ns"))
        masked = _mapping(outcome.get("masked"))
        asked.masked = {str(name): _whole(count) or 0 for name, count in masked.items()}
        asked.code, asked.tag = _text(outcome.get("sqlstate")), _text(outcome.get("tag"))
        asked.length = _whole(kept.get("len"))
        asked.truncated = (_whole(kept.get("kept")) or 0) < (asked.length or 0)
        asked.erased = asked.erased or told.erased
        answer = _decoded(body.get("bytes"))
        if answer:
            shown = self.show(self.protocols.get(self.replay.resource, ""), answer)
            asked.tables = tuple(Table(each.columns, each.rows, each.tag) for each in shown.tables)
            asked.notes = tuple(shown.notes)


def replay(
    session: str,
    lines: Sequence[JournalLine],
    show: Callable[[str, bytes], Any],
    protocols: Mapping[str, str],
) -> Replay:
    """Tell a session. show: a protocol's name (`""`: unknown) and an answer's bytes -> protocols.base.Shown.

    protocols: resource -> its protocol's name."""
    teller = _Teller(session, show, protocols)
    for line in lines:
        teller.take(line)
    if teller.replay.closed is None:
        teller.replay.whole = False
    return teller.replay
