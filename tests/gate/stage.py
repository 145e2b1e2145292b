"""A gate on a stage: a real policy, authenticator and engine; a control process and a journal in memory."""

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from wicketgate.gate.desk import Desk
from wicketgate.gate.gate import Gate
from wicketgate.gate.ports import PolicyInForce
from wicketgate.identity import tokens
from wicketgate.identity.authenticate import Authenticator
from wicketgate.model import ports
from wicketgate.model.clearance import Clearance
from wicketgate.model.errors import GatewayError, JournalFailed
from wicketgate.model.identity import Claim, IdentityKind
from wicketgate.model.secret import Secret
from wicketgate.model.session import Admission, Refused
from wicketgate.model.statement import Effect, Facts, Statement
from wicketgate.model.token import ServiceAccount, TokenRecord
from wicketgate.policy.engine import Engine
from wicketgate.policy.load import ProtocolRules, load

NOW = 1_800_000_000_000_000_000
"""2027-01-15T08:00:00Z, ns: a full hour."""
SECOND = 1_000_000_000
HOUR = 3600 * SECOND
ENDLESS = 9_000_000_000 * SECOND

PROTOCOLS = {
    "postgres": ProtocolRules(
        "postgres",
        5432,
        lambda settings: dict(settings),
        lambda column: None,
        frozenset({"redact", "null", "last4"}),
    )
}

RESOURCES = """\
resources:
  sales:
    protocol: postgres
    address: db.internal:5432
    databases: [sales, archive]
    accounts:
      reader: {username: ro, password: {env: SALES_RO}}
      writer: {username: rw, password: {env: SALES_RW}}
    sensitive:
      sales: {public.customers.email: email}
  notes:
    protocol: postgres
    address: db.internal
    databases: [notes]
    accounts: {reader: {username: ro}}
"""

READ = """\
  - name: crews read
    identities: {groups: [crew]}
    resources: [sales]
    account: reader
    permit: [read]
"""


@dataclass(frozen=True)
class Answered:
    body: Mapping[str, Any]
    denial: list[str] | None = None


class Control:
    """What the control process answers.

    free: (rule, what, window) -> what is left. out: lease -> what was granted. most: granted at a time.
    gate: where set, answers wait for it. away: every question raises. denial: of leases. on_ask: called
    before an answer.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.allowed: object = True
        self.away = False
        self.denial: list[str] | None = None
        self.free: dict[tuple[str, str, int], int] = {}
        self.out: dict[int, tuple[tuple[str, str, int], int]] = {}
        self.most = 1 << 30
        self.last = 0
        self.gate: asyncio.Event | None = None
        self.requests: dict[str, Any] | None = None
        self.on_ask: Callable[[str], None] = lambda what: None

    async def ask(self, what: str, body: Mapping[str, Any], secret: Secret | None = None) -> Answered:
        self.asked.append((what, dict(body)))
        await asyncio.sleep(0)
        if self.gate is not None:
            await self.gate.wait()
        self.on_ask(what)
        if self.away:
            raise GatewayError("the gateway can't decide now", "the control link is closed")
        if what == "attempt":
            return Answered({"allowed": self.allowed, "wait": 0})
        if what == "request":
            return Answered(self.requests or {}, None if self.requests else ["sign-in", "no", "not here"])
        if self.denial is not None:
            return Answered({}, self.denial)
        if what in ("inherit", "issuer", "token"):
            return Answered({})
        assert what == "lease"
        window = ENDLESS if body["per"] == "task" else self._clock() // HOUR
        key = (body["rule"], body["what"], window)
        free = self.free.setdefault(key, body["amount"])
        granted = min(free, body["want"], self.most)
        self.free[key] -= granted
        self.last += 1
        lease = self.last
        if granted:
            self.out[lease] = (key, granted)
        return Answered({"lease": lease, "granted": granted, "until": min((window + 1) * HOUR, ENDLESS)})

    def spent(self, lease: int, used: int) -> None:
        key, granted = self.out.pop(lease)
        assert 0 <= used <= granted
        self.free[key] += granted - used

    def leases(self) -> list[dict[str, Any]]:
        return [body for what, body in self.asked if what == "lease"]

    def attempts(self) -> list[str]:
        return [body["outcome"] for what, body in self.asked if what == "attempt"]


class Lines(ports.Lines):
    """A session's lines, parsed again."""

    def __init__(self, journal: "Journal", session: str) -> None:
        self.q = 0
        self._journal = journal
        self._session = session

    def line(self, kind: str, head: bytes = b"", body: bytes | None = None) -> int:
        self.q += 1
        self._journal.take(kind, head, body, {"s": self._session, "q": self.q})
        return self.q

    def moment(self) -> int:
        return self._journal.boot()


class Journal:
    """lines: HEAD and BODY together, `k` for the kind. broken: every line raises. boot: ns."""

    def __init__(self) -> None:
        self.failed = False
        self.boot: Callable[[], int] = lambda: 0
        self.lines: list[dict[str, Any]] = []
        self.raw = b""

    def session(self, session: str) -> Lines:
        return Lines(self, session)

    def line(self, kind: str, session: None, head: bytes, body: bytes | None) -> int:
        self.take(kind, head, body, {})
        return 0

    def take(self, kind: str, head: bytes, body: bytes | None, more: Mapping[str, Any]) -> None:
        if self.failed:
            raise JournalFailed("the session's record can't be written", "told by a test")
        assert head == b"" or head.startswith(b",")
        parsed = json.loads(b"{" + head[1:] + b"}")
        if body is not None:
            content = json.loads(b"{" + body + b"}")
            assert not content.keys() & parsed.keys()
            parsed |= content
        self.raw += head + (body or b"")
        self.lines.append({"k": kind, **parsed, **more})

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["k"] == kind]


@dataclass
class Stage:
    """Everything around one gate. now: wall ns."""

    rules: str = READ
    resources: str = RESOURCES
    now: int = NOW
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)
    identities: dict[str, dict[str, Any]] = field(default_factory=dict)
    grants: dict[str, dict[str, Any]] = field(default_factory=dict)
    journal: Journal = field(default_factory=Journal)
    counted: dict[str, int] = field(default_factory=dict)
    touched: int = 0

    def __post_init__(self) -> None:
        self.control = Control(lambda: self.now)
        self.journal.boot = lambda: self.now - NOW
        self.identities["bot"] = ServiceAccount("bot", IdentityKind.AGENT, frozenset({"crew"})).replicated()
        self.secret, self.record = self.issue("bot")
        self.gate = self.make(self.journal)

    def make(self, journal: Journal | None) -> Gate:
        return Gate(
            self.policy(),
            Authenticator(self.tokens, self.identities, None, self.grants),
            journal,
            self.control,
            lambda: self.now,
            lambda: self.now - NOW,
            os.urandom,
            self._touch,
            b"key of digests",
            self._count,
        )

    def _touch(self) -> None:
        self.touched += 1

    def _count(self, name: str, amount: int) -> None:
        self.counted[name] = self.counted.get(name, 0) + amount

    def policy(self) -> PolicyInForce:
        found = load(f"{self.resources}rules:\n{self.rules}", "wicket.yaml", PROTOCOLS)
        return PolicyInForce(Engine(found), found.digest)

    def change(self, rules: str | None = None, resources: str | None = None) -> None:
        """Another policy holds."""
        self.rules = self.rules if rules is None else rules
        self.resources = self.resources if resources is None else resources
        self.gate.policy = self.policy()

    def changed_people(self) -> None:
        """Tokens or identities changed."""
        self.gate.authenticator = Authenticator(self.tokens, self.identities, None, self.grants)

    def issue(self, name: str, **options: Any) -> tuple[Secret, TokenRecord]:
        secret, record = tokens.issue(name, NOW, os.urandom, **options)
        self.tokens[record.hash] = record.replicated()
        return secret, record

    def claim(self, **other: Any) -> Claim:
        fields = {"identity": "bot", "resource": "sales", "secret": self.secret, "source": "10.0.0.1"}
        return Claim(**(fields | other))

    async def admit(self, **other: Any) -> tuple[Admission, Desk]:
        found = await self.gate.admit(self.claim(**other))
        assert not isinstance(found, Refused), self.journal.lines[-1]
        return found

    async def desk(self, **other: Any) -> Desk:
        return (await self.admit(**other))[1]


def facts(*effects: str, **other: Any) -> Facts:
    made = {
        key: frozenset(value.split())
        if isinstance(value, str) and key not in ("refusal", "catalog")
        else value
        for key, value in other.items()
    }
    commands = made.pop("commands", frozenset({"select"}))
    return Facts(frozenset(Effect(each) for each in effects or ("read",)), commands, **made)


SELECT = facts("read", reads="public.orders")


def statement(text: str = "select 1", about: Facts = SELECT, *parameters: str | None) -> Statement:
    return Statement(about, text.encode(), text, parameters or None)


def never(answer: object) -> None:
    raise AssertionError(f"called with {answer}")


def cleared(desk: Desk, about: Facts = SELECT, text: str = "select 1") -> Clearance:
    """Submit what must be cleared at once."""
    found = desk.submit(statement(text, about), never)
    assert isinstance(found, Clearance), found
    return found


async def submitted(desk: Desk, about: Facts = SELECT, text: str = "select 1") -> Any:
    """Submit, and wait for the answer if need be."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    found = desk.submit(statement(text, about), future.set_result)
    return found if found is not None else await future


async def more(desk: Desk, clearance: Clearance) -> Any:
    """Ask for more rows: None, or the Denial."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    desk.more(clearance, future.set_result)
    assert not future.done()
    return await future
