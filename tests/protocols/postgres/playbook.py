"""Playbooks: a conversation on a stage, with a client, a server and a desk that are played.

A test says what the client and the server send, in order, and what each must see. It is played whole and in
pieces; the desk notes everything in `events`, and at the end each clearance must have been settled once.
"""

import json
import struct
from collections.abc import Callable
from typing import Any

from protocols.postgres.rehearsal import frames
from wicketgate.model import ports
from wicketgate.model.clearance import UNLIMITED, Allowance, Clearance, Outcome
from wicketgate.model.decision import Decision, Denial, Verdict
from wicketgate.model.detector import Detection
from wicketgate.model.held import Holding
from wicketgate.model.identity import Identity, IdentityKind
from wicketgate.model.resource import Account, CredentialReference, Resource, TlsMode
from wicketgate.model.session import Admission
from wicketgate.model.statement import Effect, Facts, Statement
from wicketgate.protocols.conversing import Host, Setting
from wicketgate.protocols.postgres.conversation import PostgresConversation
from wicketgate.protocols.postgres.frames import frame
from wicketgate.protocols.postgres.messages import fields_of
from wicketgate.protocols.postgres.names import Names
from wicketgate.sql.catalog import FORMAT, Catalog, load

WELCOME = b"(welcome)"
CANCEL_PACKET = b"(cancel)"
CUSTOMERS, ORDERS, T1, T2 = 20001, 20002, 20003, 20004
TEXT, INT4 = 25, 23
MOOD, MOODS = 20101, 20102


# -- the database ------------------------------------------------------------------------------------------
def make_catalog(
    extra: str | None = None, checked: bool = False, more: dict[str, str] | None = None, orders: int = 0
) -> Catalog:
    """customers (email is sensitive), orders, s1.t (clean), s2.t (value is sensitive); `extra`: one more.
    MOOD is a domain, MOODS are arrays of it; checked: it runs a user's code. more: columns that are
    sensitive, too. orders: another OID of that table."""
    tables: list[tuple[int, str, str, list[tuple[str, int]]]] = [
        (CUSTOMERS, "public", "customers", [("id", INT4), ("email", TEXT), ("age", INT4)]),
        (orders or ORDERS, "public", "orders", [("id", INT4), ("note", TEXT)]),
        (T1, "s1", "t", [("id", INT4), ("value", TEXT)]),
        (T2, "s2", "t", [("id", INT4), ("value", TEXT)]),
    ]
    if extra is not None:
        tables.append((20005, "public", extra, [("id", INT4)]))
    source: dict[str, Any] = {
        "format": FORMAT,
        "database": "sales",
        "server": 150004,
        "relations": [[oid, schema, name, "r", 0, 0, False, False, None] for oid, schema, name, _ in tables],
        "columns": [
            [
                oid,
                list(range(1, len(columns) + 1)),
                [name for name, _ in columns],
                [kind for _, kind in columns],
                [""] * len(columns),
            ]
            for oid, _, _, columns in tables
        ],
        "keys": [[oid, [1]] for oid, *_ in tables],
        "builtin_functions": [["count", 2, True, False], ["set_config", 0, False, False]],
        "builtin_operators": ["=", "<", "+", "/"],
        "builtin_types": ["int4", "text", "bool"],
    }
    for key in ("views", "uses", "generated", "inherits", "functions", "operators", "casts", "types"):
        source[key] = []
    for key in ("names", "expressions", "code", "event_triggers", "foreign", "collations", "patterned"):
        source[key] = []
    source["sequences"] = source["collated_types"] = []
    source["types"] = [
        [MOOD, "public", "mood", "d", 0, 0, TEXT, checked, None, None],
        [MOODS, "public", "_mood", "b", 0, MOOD, 0, False, None, None],
    ]
    sensitive = {"public.customers.email": "email", "s2.t.value": "national-id", **(more or {})}
    return load(json.dumps(source).encode(), sensitive, {})


# -- frames of a client ------------------------------------------------------------------------------------
SYNC = frame(b"S", b"")
FLUSH = frame(b"H", b"")
TERMINATE = frame(b"X", b"")
COPY_DONE = frame(b"c", b"")


def query(text: str) -> bytes:
    return frame(b"Q", text.encode() + b"\0")


def parse(text: str, name: str = "", types: tuple[int, ...] = ()) -> bytes:
    counted = struct.pack(f">H{len(types)}I", len(types), *types)
    return frame(b"P", name.encode() + b"\0" + text.encode() + b"\0" + counted)


def bind(name: str = "", portal: str = "", *values: bytes | None) -> bytes:
    body = portal.encode() + b"\0" + name.encode() + b"\0\0\0" + struct.pack(">H", len(values))
    for value in values:
        body += struct.pack(">i", -1) if value is None else struct.pack(">i", len(value)) + value
    return frame(b"B", body + b"\0\0")


def describe(portal: str = "") -> bytes:
    return frame(b"D", b"P" + portal.encode() + b"\0")


def describe_statement(name: str = "") -> bytes:
    return frame(b"D", b"S" + name.encode() + b"\0")


def execute(portal: str = "", most: int = 0) -> bytes:
    return frame(b"E", portal.encode() + b"\0" + struct.pack(">i", most))


def close(name: str, kind: bytes = b"S") -> bytes:
    return frame(b"C", kind + name.encode() + b"\0")


def copy_data(data: bytes) -> bytes:
    return frame(b"d", data)


def whole(text: str, *values: bytes | None) -> bytes:
    """The unnamed statement, parsed, bound, executed and synced."""
    return parse(text) + bind("", "", *values) + execute() + SYNC


# -- frames of a server ------------------------------------------------------------------------------------
PARSED, BOUND, CLOSED = (frame(kind, b"") for kind in (b"1", b"2", b"3"))
NO_DATA = frame(b"n", b"")
SUSPENDED = frame(b"s", b"")
EMPTY = frame(b"I", b"")


def described(*columns: tuple[str, int, int, int]) -> bytes:
    """Columns: (name, table OID, attribute, type OID), all in text."""
    body = struct.pack(">H", len(columns))
    for name, table, attribute, kind in columns:
        body += name.encode() + b"\0" + struct.pack(">IhIhih", table, attribute, kind, -1, -1, 0)
    return frame(b"T", body)


def row(*cells: str | bytes | None) -> bytes:
    body = struct.pack(">H", len(cells))
    for cell in cells:
        raw = cell.encode() if isinstance(cell, str) else cell
        body += struct.pack(">i", -1) if raw is None else struct.pack(">i", len(raw)) + raw
    return frame(b"D", body)


def done(tag: str) -> bytes:
    return frame(b"C", tag.encode() + b"\0")


def ready(state: str = "I") -> bytes:
    return frame(b"Z", state.encode())


def error(
    code: str = "22012", message: str = "division by zero", severity: str = "ERROR", **more: str
) -> bytes:
    body = b"".join(
        f"{key}{value}\0".encode()
        for key, value in {"S": severity, "V": severity, "C": code, "M": message, **more}.items()
    )
    return frame(b"E", body + b"\0")


def notice(message: str) -> bytes:
    return frame(b"N", f"SNOTICE\0VNOTICE\0C00000\0M{message}\0\0".encode())


def parameter(name: str, value: str) -> bytes:
    return frame(b"S", f"{name}\0{value}\0".encode())


def copy_in(columns: int = 1) -> bytes:
    return frame(b"G", b"\0" + struct.pack(">H", columns) + b"\0\0" * columns)


def copy_out(columns: int = 1) -> bytes:
    return frame(b"H", b"\0" + struct.pack(">H", columns) + b"\0\0" * columns)


EMAIL = described(("email", CUSTOMERS, 2, TEXT))
NOTE = described(("note", ORDERS, 2, TEXT))
SYNTAX = error("42601", 'syntax error at or near "wicketgate"')
PATH_ANSWER = PARSED + BOUND


def path_answer(path: str, state: str = "I") -> bytes:
    """What a server answers to the gateway's question for the search_path."""
    return PARSED + BOUND + row(path) + done("SHOW") + CLOSED + CLOSED + ready(state)


# -- the gate ----------------------------------------------------------------------------------------------
PERMIT = Decision(Verdict.PERMIT, "policy", ("all",))
NO = Denial("policy", "No.", "the test says so", rules=("never",))


class FakeDesk(ports.Desk):
    """Permits what is known and not named in `deny`. events: what it was told, in order.

    rows: how many rows may leave, None for any number; more_rows: what each further lease gives.
    wait: texts whose answer waits until `answer` is called.
    """

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.open: dict[int, tuple[Clearance, bytes]] = {}
        self.settled: list[tuple[bytes, Outcome]] = []
        self.deny: set[bytes] = set()
        self.wait: set[bytes] = set()
        self.waiting: list[tuple[Statement, Callable[[Clearance | Denial], None]]] = []
        self.leasing: list[Callable[[Denial | None], None]] = []
        self.rows: int | None = None
        self.at_once: Denial | int | None = None
        self.decision = PERMIT
        self.detection: Detection | None = None
        self.due = ports.NEVER
        self.q = 0

    def weigh(self, statement: Statement) -> Denial | None:
        facts = statement.facts
        if any(word in statement.text for word in self.deny):
            return NO
        if facts.refusal is not None:
            return Denial("policy", facts.refusal, "refusal")
        if Effect.UNKNOWN in facts.effects or facts.opaque or facts.steered or facts.spilled:
            return Denial("policy", "Unknown.", f"{facts}")
        return None

    def upheld(self, clearance: Clearance, statement: Statement) -> Denial | None:
        return self.weigh(statement)

    def judged(self, facts: Facts) -> Decision:
        return self.decision

    def submit(
        self,
        statement: Statement,
        resume: Callable[[Clearance | Denial], None],
        holding: Holding | None = None,
    ) -> Clearance | Denial | None:
        denial = self.weigh(statement)
        if denial is not None:
            self.refused(statement, denial)
            return denial
        if statement.text in self.wait:
            self.waiting.append((statement, resume))
            return None
        return self.clear(statement)

    def clear(self, statement: Statement) -> Clearance:
        self.q += 1
        counted = self.rows is not None and statement.facts.returns_rows
        allowance = Allowance(self.rows if counted and self.rows is not None else UNLIMITED)
        clearance = Clearance(self.q, self.decision, allowance, 0)
        self.open[self.q] = (clearance, statement.text)
        self.events.append(("ask", statement.text.decode()))
        return clearance

    def answer(self, denial: Denial | None = None) -> None:
        """The oldest waiting statement gets its answer."""
        statement, resume = self.waiting.pop(0)
        if denial is not None:
            self.refused(statement, denial)
            resume(denial)
        else:
            resume(self.clear(statement))

    def more(self, clearance: Clearance, resume: Callable[[Denial | None], None]) -> None:
        if self.at_once is not None:
            if isinstance(self.at_once, int):
                clearance.allowance.left += self.at_once
                resume(None)
            else:
                resume(self.at_once)
            return

        def go_on(denial: Denial | None) -> None:
            if denial is None:
                clearance.allowance.left += 2
            resume(denial)

        self.leasing.append(go_on)

    def note(self, statement: Statement) -> None:
        self.events.append(("note", statement.text.decode()))

    def refused(self, statement: Statement, denial: Denial) -> None:
        self.events.append(("refused", statement.text.decode(errors="replace"), denial.kind))

    def settle(self, clearance: Clearance, outcome: Outcome) -> None:
        assert clearance.q in self.open, "settled twice, or never cleared"
        _, text = self.open.pop(clearance.q)
        clearance.settled = True
        self.settled.append((text, outcome))
        self.events.append(("settle", text.decode(), outcome.code, outcome.tag))


class FakeHost(Host):
    def __init__(self, catalog: Catalog | None) -> None:
        self.now: Catalog | None = catalog
        self.cancels = 0
        self.wakes = 0
        self.stales = 0
        self.counts: dict[str, int] = {}
        self.remarks: list[str] = []
        self.resumes: list[Callable[[], None]] = []

    def wake(self) -> None:
        self.wakes += 1

    def cancel_upstream(self) -> None:
        self.cancels += 1

    def stale(self) -> None:
        self.stales += 1

    def catalog(self) -> Catalog | None:
        return self.now

    def on_catalog(self, resume: Callable[[], None]) -> None:
        self.resumes.append(resume)

    def monotonic(self) -> int:
        return 0

    def remark(self, text: str) -> None:
        self.remarks.append(text)

    def count(self, name: str, amount: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + amount


ACCOUNT = Account("common", "app", CredentialReference("none", ""), "1")
ADMISSION = Admission(
    "0" * 32,
    Identity("crew", "crew", "local", IdentityKind.AGENT, "token"),
    Resource("sales", "postgres", "localhost", 5432, ("sales",), TlsMode.DISABLE, {"common": ACCOUNT}),
    "sales",
    ACCOUNT,
    False,
)
CATALOG = make_catalog()


class Stage:
    """size: bytes of the pieces in which both sides' bytes arrive. path: None where the server is silent."""

    def __init__(
        self,
        size: int = 1 << 30,
        path: str | None = "public",
        catalog: Catalog | None = CATALOG,
        kept: int = 65536,
        user: str = "app",
    ) -> None:
        self.size = size
        self.desk = FakeDesk()
        self.host = FakeHost(catalog)
        names = Names(catalog, user, "sales", False)  # type: ignore[arg-type]
        setting = Setting(ADMISSION, self.desk, self.host, None, None, (1, b"proof"), kept)
        self.talk = PostgresConversation(setting, names, CANCEL_PACKET, WELCOME, None)
        if path is not None:
            names.path(tuple(each.strip() for each in path.split(",")))
        assert self.talk.to_client() == WELCOME
        self.up = b""
        self.down = b""

    # -- what is sent -------------------------------------------------------------------------------------
    def client(self, *data: bytes) -> None:
        self.put(b"".join(data), self.talk.receive_client)

    def server(self, *data: bytes) -> None:
        self.put(b"".join(data), self.talk.receive_upstream)

    def put(self, data: bytes, receive: Callable[[bytes], None]) -> None:
        for at in range(0, len(data), self.size):
            receive(data[at : at + self.size])
            self.collect()

    def collect(self) -> None:
        self.up += self.talk.to_upstream()
        self.down += self.talk.to_client()

    # -- what must be seen --------------------------------------------------------------------------------
    def sent(self, *data: bytes) -> None:
        """This, and no more, has gone upstream since the last look."""
        self.collect()
        found, self.up = self.up, b""
        assert frames(found) == frames(b"".join(data))

    def seen(self, *data: bytes) -> None:
        """This, and no more, has reached the client since the last look."""
        self.collect()
        found, self.down = self.down, b""
        assert frames(found) == frames(b"".join(data))

    def seen_error(self, code: str, *after: bytes) -> dict[str, str]:
        """An error with this SQLSTATE has reached the client, then `after`."""
        self.collect()
        found, self.down = frames(self.down), b""
        assert [kind for kind, _ in found[:1]] == ["E"], found
        fields = fields_of(found[0][1])
        assert fields["C"] == code, fields
        assert found[1:] == frames(b"".join(after))
        return fields

    def texts(self, what: str) -> list[str]:
        return [event[1] for event in self.desk.events if event[0] == what]

    def outcome(self, text: str) -> Outcome:
        [found] = [outcome for each, outcome in self.desk.settled if each.decode() == text]
        return found

    def over(self, reason: str) -> None:
        """The session has ended for this reason, and everything cleared has been settled."""
        assert self.talk.over == reason
        assert self.desk.open == {}

    def quiet(self) -> None:
        """All is answered."""
        assert self.desk.open == {}
        assert self.talk.over is None
        assert self.talk.idle() or self.talk.state.transaction != b"I"
        self.sent()
        self.seen()
