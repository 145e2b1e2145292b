"""A stage for the API: a real store and real sockets; the control process is played."""

import asyncio
import concurrent.futures
import http.client
import json
import os
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from servers import stores
from wicketgate.admin.policies import Draft
from wicketgate.admin.ports import JournalLine, Office, RecordedSession
from wicketgate.admin.rate import Rate
from wicketgate.admin.roles import Role, Seat
from wicketgate.api.server import ApiHandle, ApiSettings
from wicketgate.control.attempts import Attempts
from wicketgate.control.ports import LoadedPolicy, SessionRow, Standing
from wicketgate.custody.keys import FileKeys
from wicketgate.custody.own import OwnVault
from wicketgate.identity.issuers import IssuerTokens
from wicketgate.model.errors import JournalFailed
from wicketgate.model.grant import Grant
from wicketgate.model.identity import Identity, IdentityKind
from wicketgate.model.resource import Account, CredentialReference, Resource, TlsMode
from wicketgate.model.revision import Revision, revise
from wicketgate.model.saml import SamlIssuer
from wicketgate.model.token import ServiceAccount
from wicketgate.notices import Telling, silent
from wicketgate.office import open_office
from wicketgate.signing_in import Browsing, unseen
from wicketgate.store.db import Store
from wicketgate.store.secrets import SecretRows

NOW = 1_800_000_000_000_000_000
SEATS = (
    Seat(Role.ADMIN, frozenset({"chiefs"})),
    Seat(Role.AUDITOR, frozenset({"auditors"})),
    Seat(Role.AUDITOR, frozenset({"prod-auditors"}), labels={"env": "prod"}),
    Seat(Role.REVIEWER, frozenset({"reviewers"}), names=frozenset({"sales"})),
    Seat(Role.VIEWER, frozenset({"viewers"})),
    Seat(Role.VIEWER, frozenset({"prod-viewers"}), labels={"env": "prod"}),
)
SEATED = ("chief", "auditor", "prod-auditor", "reviewer", "viewer", "prod-viewer")
"""Humans of the file, each in the group that is his name and an s."""
ROW = SessionRow("a" * 32, "bot", "sales", "sales", "reader", "10.0.0.9", 1, NOW)
RESOURCE = Resource(
    "sales",
    "postgres",
    "db.internal",
    5432,
    ("sales",),
    TlsMode.VERIFY_FULL,
    {"reader": Account("reader", "ro", CredentialReference("env", "SALES_RO_PASSWORD"), "1")},
    labels={"env": "prod"},
    sensitive={"sales": {"public.customers.email": "email"}},
)
OTHER = replace(RESOURCE, name="bravo", labels={"env": "test"})


def done(value: Any = None) -> "concurrent.futures.Future[Any]":
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()
    future.set_result(value)
    return future


@dataclass
class PlayedControl:
    """The control process, played: keeps what was asked of it."""

    rows: list[SessionRow] = field(default_factory=lambda: [ROW])
    puts: list[tuple[str, str, Mapping[str, Any] | None]] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    ended: list[tuple[str, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    journal_full: bool = False
    draining: bool = False
    clock: int = NOW
    permits: frozenset[str] = frozenset()
    exchanges: Callable[[Identity], bool] = lambda agent: False
    resources: dict[str, Resource] = field(default_factory=lambda: {"sales": RESOURCE})
    attempts: Attempts = field(init=False)

    def __post_init__(self) -> None:
        self.attempts = Attempts(lambda: self.clock)

    def sessions(self) -> list[SessionRow]:
        return list(self.rows)

    def standing(self) -> Standing:
        counters = {"statements_total": 7, 'denied{kind="policy"}': 2, 'denied{kind="mask"}': 1}
        return Standing(
            addresses=(("db", "127.0.0.1", 15432),),
            live=1,
            wanted=1,
            pids={0: 4711},
            policy="d" * 64,
            policy_error=None,
            store_away=False,
            draining=self.draining,
            catalogs={"sales/sales": None},
            counters=counters,
        )

    def policy(self) -> LoadedPolicy:
        return LoadedPolicy(
            "",
            "wicket.yaml",
            "d" * 64,
            dict(self.resources),
            permits=self.permits,
            exchanges=self.exchanges,
            revision=1,
        )

    def end_session(self, session: str, reason: str = "terminated") -> "concurrent.futures.Future[bool]":
        self.ended.append((session, reason))
        return done(any(row.session == session for row in self.rows))

    def reload_policy(self) -> "concurrent.futures.Future[LoadedPolicy]":
        return done(self.policy())

    def apply_policy(self, make: Any) -> "concurrent.futures.Future[Any]":
        raise AssertionError("nothing is applied on this stage")

    def put(
        self, section: str, key: str, value: Mapping[str, Any] | None
    ) -> "concurrent.futures.Future[None]":
        self.puts.append((section, key, value))
        return done()

    def record(self, head: bytes, body: bytes | None) -> "concurrent.futures.Future[None]":
        future: concurrent.futures.Future[None] = concurrent.futures.Future()
        if self.journal_full:
            future.set_exception(JournalFailed("the journal can't be written", "ENOSPC"))
            return future
        self.records.append(json.loads(b"{" + (body or b"") + b"}"))
        future.set_result(None)
        return future

    def ask_issuer(self, issuer: str) -> "concurrent.futures.Future[None]":
        self.asked.append(issuer)
        return done()

    def heard_review(self, review: str) -> "concurrent.futures.Future[None]":
        self.heard.append(review)
        return done()

    def break_glass(self, grant: Grant, reason: str) -> "concurrent.futures.Future[None]":
        raise AssertionError("no glass stands on this stage")

    def end_grant(self, grant: str, by: str, what: str) -> "concurrent.futures.Future[Grant | None]":
        """Played only so far: tests/api/test_requests.py has the control process's own grants."""
        self.ended.append((grant, what))
        return done()

    def settle_grants(self) -> "concurrent.futures.Future[None]":
        return done()

    def attempt(self, outcome: str, source: str, identity: str | None) -> "concurrent.futures.Future[int]":
        loop = asyncio.get_running_loop()
        return asyncio.run_coroutine_threadsafe(self.attempts.tell(outcome, source, identity), loop)


@dataclass
class PlayedRecordings:
    known: dict[str, list[JournalLine]] = field(default_factory=dict)
    whose: dict[str, tuple[str, str]] = field(default_factory=dict)

    def sessions(self) -> Sequence[RecordedSession]:
        return [
            RecordedSession(each, *self.whose.get(each, ("bot", "sales")), NOW - 5, None, None, 1)
            for each in self.known
        ]

    def lines(self, session: str) -> Sequence[JournalLine]:
        return self.known.get(session, [])

    def export(self, session: str) -> bytes | None:
        return b"proof of " + session.encode() if session in self.known else None

    async def audit(self) -> Mapping[str, Any]:
        return {"ok": False, "findings": ["n/w/000001.log: line 3 was changed"], "facts": {"lines": 7}}


FIRST = revise(None, "rules: []\n", "d" * 64, "somebody", "local", "why", NOW)


class PlayedPolicies:
    """A store with one revision, which holds: admin.ports.PolicyDesk. tests/api/shelf.py has a real one."""

    source = "store"
    config = "wicket.yaml"

    async def newest(self) -> Revision:
        return FIRST

    async def revision(self, number: int, text: bool = True) -> Revision | None:
        return FIRST if number == 1 else None

    async def revisions(self, before: int | None, most: int) -> Sequence[Revision]:
        return [FIRST] if before is None or before > 1 else []

    async def filed(self) -> str:
        raise AssertionError("the policy of this stage comes from the store")

    async def check(self, text: str) -> Mapping[str, Any]:
        errors = [{"line": 1, "column": 1, "message": "it is not played"}]
        return {"ok": False, "errors": errors, "warnings": [], "digest": None, "resources": 0, "rules": 0}

    async def compare(self, old: str, new: str, old_name: str, new_name: str) -> Mapping[str, Any]:
        return {"diff": "", "changes": []}

    async def apply(self, draft: Draft) -> None:
        raise AssertionError("nothing loads here")


@dataclass
class Stage:
    folder: Path
    control: PlayedControl = field(default_factory=PlayedControl)
    recordings: PlayedRecordings = field(default_factory=PlayedRecordings)
    filed: list[ServiceAccount] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    rate: Rate = field(default_factory=Rate)
    saml: dict[str, SamlIssuer] = field(default_factory=dict)
    clock: Callable[[], int] = time.time_ns
    issuers: IssuerTokens = field(default_factory=lambda: IssuerTokens({}, {}))
    revealed: dict[str, frozenset[str]] = field(default_factory=dict)
    telling: Telling = silent
    browsing: Browsing = unseen

    def __post_init__(self) -> None:
        stores.lay(self.folder)
        self.filed = [
            ServiceAccount("bot", IdentityKind.AGENT, frozenset({"crew"}), "file"),
            ServiceAccount("root-bot", IdentityKind.SERVICE, frozenset({"admins"}), "file"),
            *(ServiceAccount(name, IdentityKind.HUMAN, frozenset({f"{name}s"}), "file") for name in SEATED),
        ]

    def office(self) -> AbstractAsyncContextManager[Office]:
        return open_office(
            None,
            self.folder,
            lambda: self.filed,
            self.control,
            self.recordings,
            frozenset({"admins"}),
            self.recordings.audit,
            self.vault,
            seats=SEATS,
            rate=self.rate,
            clock=self.clock,
            issuers=lambda: IssuerTokens({}, {}, self.saml) if self.saml else self.issuers,
            policies=lambda store: PlayedPolicies(),
            reveals=lambda identity, resource, data_class: data_class in self.revealed.get(identity.name, ()),
            public_url="https://gateway.example",
            telling=self.telling,
            browsing=self.browsing,
        )

    def vault(self, store: Store) -> OwnVault:
        keys = FileKeys(self.folder / "custody.keys", os.urandom)
        return OwnVault(SecretRows(store), keys, time.time_ns, os.urandom)


def routes_of(app: FastAPI) -> set[tuple[str, str]]:
    """(method, path) of every route, in routers that are included too (FastAPI does not flatten these)."""
    found: set[tuple[str, str]] = set()
    left: list[Any] = list(app.routes)
    while left:
        each = left.pop()
        if hasattr(each, "effective_candidates"):
            left += each.effective_candidates()
        else:
            found |= {(method, each.path) for method in each.methods}
    return found


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: tuple[str, ...] = ()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(10)
        self.sock.connect(str(self._path))


def ask(
    where: "Path | tuple[str, int]",
    method: str,
    path: str,
    body: Any = None,
    token: str | None = None,
    ca: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request over our socket, or over HTTPS."""
    connection: http.client.HTTPConnection
    if isinstance(where, Path):
        connection = UnixConnection(where)
    else:
        context = ssl.create_default_context(cafile=ca)
        connection = http.client.HTTPSConnection(*where, timeout=30, context=context)
    sent = {"content-type": "application/json", **(headers or {})}
    if token is not None:
        sent["authorization"] = f"Bearer {token}"
    try:
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body)
        connection.request(method, path, content, sent)
        answer = connection.getresponse()
        pairs = [(name.lower(), value) for name, value in answer.getheaders()]
        cookies = tuple(value for name, value in pairs if name == "set-cookie")
        return Answer(answer.status, dict(pairs), answer.read(), cookies)
    finally:
        connection.close()


@dataclass
class Remote:
    stage: Stage
    handle: ApiHandle
    settings: ApiSettings
    ca: str

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        assert self.handle.port is not None
        return ask(("localhost", self.handle.port), method, path, body, ca=self.ca, **more)

    def issue(self, identity: str, **more: Any) -> str:
        body = {"identity": identity, **more}
        answer = ask(self.settings.socket, "POST", "/api/v1/tokens", body)
        assert answer.status == 201, (answer.body, self.stage.logged)
        text: str = answer.json["token"]
        return text
