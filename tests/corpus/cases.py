"""The corpus as data: what each case asks, under which policy, and the answer that an operator would get.
Nothing here speaks to a server: e2e/play.py does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from e2e import wire

HERE = Path(__file__).parent

WHO = ("reader", "writer", "definer")
"""Identities of the corpus: permit [read]; and [write, delete]; and [define]. All mask payment-card by last4,
everything else by redact."""

WANTS = ("denied", "masked", "closed", "clean", "quiet")
"""denied: refused by the gateway. masked: rows come, planted values don't. closed: either of
these two. clean: the same bytes as direct.
quiet: the server's own error passes, its SQLSTATE kept, its text without a planted value."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages of one write. answers: ReadyForQuery frames to wait for. until: or a frame of this type."""

    sent: bytes
    answers: int
    until: bytes | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step: a batch on a connection of the client (0 or 1), or SQL that an administrator runs beside."""

    batch: Batch | None = None
    connection: int = 0
    beside: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One way around. login: further startup parameters. effect: SQL whose answer must not change.

    code: the SQLSTATE of a denial. least, most: server versions. safe: why it shows nothing directly, if so.
    ends: the connection may end. rows: what must come back, as text, where the answer is exact.
    equality: an `=` on a sensitive value is allowed, so answers may tell which guess was right.
    varies: the answer differs from run to run by itself.
    """

    kind: str
    name: str
    who: str
    want: str
    steps: tuple[Step, ...]
    login: Mapping[str, str]
    effect: str | None
    code: str
    least: int
    most: int
    safe: str | None
    ends: bool
    equality: bool
    varies: bool
    rows: tuple[tuple[str | None, ...], ...] | None

    @property
    def id(self) -> str:
        return f"{self.kind}: {self.name}"


_KEYS = frozenset(
    [
        "name",
        "who",
        "want",
        "steps",
        "login",
        "effect",
        "code",
        "least",
        "most",
        "safe",
        "ends",
        "equality",
        "varies",
        "rows",
    ]
)


def bypass() -> list[Case]:
    """Every case of corpus/bypass. Raises ValueError for a file that is not well-formed."""
    cases = [case for path in sorted((HERE / "bypass").glob("*.yaml")) for case in _read(path)]
    names = [case.id for case in cases]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"given twice: {sorted(twice)}")
    return cases


def _read(path: Path) -> Iterator[Case]:
    document = YAML(typ="safe").load(path)
    for entry in document["cases"]:
        unknown = set(entry) - _KEYS
        if unknown or entry["want"] not in WANTS or entry.get("who", "reader") not in WHO:
            raise ValueError(
                f"{path.name}: {entry.get('name')}: {unknown or 'want or who is not one of ours'}"
            )
        yield Case(
            kind=path.stem,
            name=entry["name"],
            who=entry.get("who", "reader"),
            want=entry["want"],
            steps=tuple(_step(step) for step in entry["steps"]),
            login=entry.get("login", {}),
            effect=entry.get("effect"),
            code=str(entry.get("code", "42501")),
            least=entry.get("least", 0),
            most=entry.get("most", 99),
            safe=entry.get("safe"),
            ends=entry.get("ends", False),
            equality=entry.get("equality", False),
            varies=entry.get("varies", False),
            rows=tuple(tuple(row) for row in entry["rows"]) if "rows" in entry else None,
        )


def _step(entry: Any) -> Step:
    if isinstance(entry, dict) and "beside" in entry:
        return Step(beside=entry["beside"])
    if isinstance(entry, dict) and "other" in entry:
        return Step(batch(entry["other"]), connection=1)
    return Step(batch(entry))


def batch(entry: Any) -> Batch:
    """A string is a simple query; a list is a batch of messages (see `message`), sent in one write."""
    if isinstance(entry, str):
        return Batch(wire.query(entry), 1)
    if isinstance(entry, dict):
        entry = [entry]
    sent, answers, until = b"", 0, None
    for item in entry:
        if isinstance(item, dict) and "until" in item:
            until = item["until"].encode()
            continue
        sent += message(item)
        answers += _answers(item)
    return Batch(sent, answers, until)


def _answers(item: Any) -> int:
    if item == "sync" or (isinstance(item, dict) and ("query" in item or "call" in item)):
        return 1
    return int(item.get("answers", 0)) if isinstance(item, dict) else 0


def message(item: Any) -> bytes:
    """One message of a batch:

    sync, flush, done (CopyDone) · {parse: text, as: name, types} · {bind: statement, portal, values,
    formats, results} · {describe: statement} · {describe-portal: portal} · {execute: portal, rows}
    · {close: statement} · {close-portal: portal} · {query: text, grow: part, times: n, end: text}
    · {data: text} · {fail: reason}
    · {call: oid, values} · {bytes: hex, answers: n}
    """
    if isinstance(item, str):
        return {"sync": wire.SYNC, "flush": wire.FLUSH, "done": wire.COPY_DONE}[item]
    match next(iter(item)):
        case "parse":
            return wire.parse(item.get("as", ""), _grown(item, "parse"), item.get("types", ()))
        case "bind":
            values = [
                value if value is None or isinstance(value, str) else str(value)
                for value in item.get("values", ())
            ]
            return wire.bind(
                item.get("portal", ""), item["bind"], values, item.get("formats", ()), item.get("results", ())
            )
        case "describe":
            return wire.describe_statement(item["describe"])
        case "describe-portal":
            return wire.describe_portal(item["describe-portal"])
        case "execute":
            return wire.execute(item["execute"], item.get("rows", 0))
        case "close":
            return wire.close_statement(item["close"])
        case "close-portal":
            return wire.close_portal(item["close-portal"])
        case "query":
            return wire.query(_grown(item, "query"))
        case "data":
            return wire.copy_data(item["data"])
        case "fail":
            return wire.copy_fail(item["fail"])
        case "call":
            return wire.function_call(item["call"], item.get("values", ()))
        case "bytes":
            return bytes.fromhex(item["bytes"])
        case other:
            raise ValueError(f"no such message: {other}")


def _grown(item: Mapping[str, Any], key: str) -> str:
    return str(item[key]) + str(item.get("grow", "")) * int(item.get("times", 0)) + str(item.get("end", ""))
