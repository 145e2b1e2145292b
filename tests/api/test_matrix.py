"""Every route by every role, as a committed picture: matrix.yaml. A route without a row fails.

WICKET_REWRITE=1 writes the picture anew; what changed in it is to be looked at."""

import http.client
import json
import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from api.asking import ask_for, give
from api.conftest import served
from api.stage import FIRST, NOW, OTHER, ROW, SEATED, Stage, UnixConnection, routes_of
from identity.saml.idp import ISSUER
from wicketgate.api.routes import make
from wicketgate.control.ports import SessionRow
from wicketgate.model.identity import IdentityKind
from wicketgate.model.review import Kind
from wicketgate.model.token import ServiceAccount

PICTURE = Path(__file__).with_name("matrix.yaml")
COLUMNS = ("nobody", "bot", "scoped", "task", *SEATED)
OWN, NEAR, FAR, ABSENT = ROW.session, "b" * 32, "c" * 32, "0" * 32
ROWS = [
    ROW,
    SessionRow(NEAR, "other", "sales", "sales", "reader", "10.0.0.9", 1, NOW),
    SessionRow(FAR, "other", "bravo", "d", "reader", "10.0.0.9", 1, NOW),
]
TEXT = """\
# Role (column) by route and thing (row) -> status; tests/api/test_matrix.py says what they are.
# nobody: no token. bot: an identity without a role. scoped: its token for `sales` alone. task: its token for
# a task. prod-…: limited to resources with env=prod (`sales`; `bravo` is not). reviewer: limited to `sales`
# by name. chief: an admin.
"""


@dataclass(frozen=True)
class Case:
    """thing: its name in the picture, and what stands for it in the path."""

    method: str
    path: str
    thing: str = ""
    body: Any = None
    values: dict[str, str] = field(default_factory=dict)
    query: str = ""
    against: str | None = None

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}{self.query}" + (f" ({self.thing})" if self.thing else "")


def cases() -> list[Case]:
    api = "/api/v1"
    found = [
        Case("GET", f"{api}/health"),
        Case("GET", f"{api}/ready"),
        Case("GET", f"{api}/whoami"),
        Case("GET", f"{api}/openapi.json"),
        Case("GET", "/.well-known/oauth-authorization-server"),
        Case("POST", f"{api}/oauth/token", "a form that is none", {}),
        Case("GET", f"{api}/status"),
        Case("GET", "/metrics"),
        Case("POST", f"{api}/policy/reload"),
        Case("POST", f"{api}/journal/verify"),
        Case("GET", f"{api}/resources"),
    ]
    for name in ("sales", "bravo", "absent"):
        found.append(Case("GET", f"{api}/resources/{{name}}", name, values={"name": name}))
    found += [
        Case("GET", f"{api}/identities"),
        Case("POST", f"{api}/identities", body={"name": "made", "groups": ["admins"]}),
    ]
    for method, body in (("GET", None), ("PATCH", {"groups": ["admins"]}), ("DELETE", None)):
        for name, thing in (("{me}", "oneself"), ("extra", "another"), ("absent", "absent")):
            path = f"{api}/identities/{{name}}"
            found.append(Case(method, path, thing, body, {"name": name}))
    found += [
        Case("GET", f"{api}/tokens"),
        Case("GET", f"{api}/tokens", query="?identity=extra"),
        Case("POST", f"{api}/tokens", "for oneself", {"identity": "{me}"}),
        Case("POST", f"{api}/tokens", "for another", {"identity": "extra"}),
    ]
    for method in ("GET", "DELETE"):
        for thing in ("itself", "of the same", "of another", "absent"):
            found.append(
                Case(method, f"{api}/tokens/{{token_id}}", thing, values={"token_id": f"{{{thing}}}"})
            )
    found += [
        Case("GET", f"{api}/secrets"),
        Case("POST", f"{api}/secrets/rotate"),
        Case("GET", f"{api}/secrets/{{name}}", values={"name": "kept"}),
        Case("PUT", f"{api}/secrets/{{name}}", body={"value": "x"}, values={"name": "kept"}),
        Case("DELETE", f"{api}/secrets/{{name}}", values={"name": "kept"}),
        Case("GET", f"{api}/journal/keys"),
        Case("GET", f"{api}/nodes"),
        Case("GET", f"{api}/channels"),
        Case("POST", f"{api}/channels/{{name}}/test", "absent", values={"name": "absent"}),
        Case("GET", f"{api}/channels/{{name}}/dead", "absent", values={"name": "absent"}),
        Case("POST", f"{api}/channels/{{name}}/replay", "absent", {}, values={"name": "absent"}),
        Case("POST", f"{api}/channels/{{name}}/slack", "absent", {}, values={"name": "absent"}),
        Case("GET", f"{api}/access/report"),
        Case("GET", f"{api}/access/report", query="?resource=sales"),
        Case("POST", f"{api}/access/report"),
        Case("GET", f"{api}/access/suggestion"),
        Case("GET", f"{api}/sessions"),
        Case("GET", f"{api}/sessions", query="?identity=other"),
    ]
    found.append(Case("GET", f"{api}/reviews"))
    for method, rest, body in (
        ("GET", "", None),
        ("POST", "/approve", {"comment": "fine"}),
        ("POST", "/deny", {}),
        ("POST", "/withdraw", None),
    ):
        for thing in ("bot's on sales", "other's on bravo", "absent"):
            values = {"review": f"{{{thing}}}"}
            found.append(Case(method, f"{api}/reviews/{{review}}{rest}", thing, body, values))
    found += [
        Case("GET", f"{api}/requests/options"),
        Case("GET", f"{api}/requests"),
        Case("POST", f"{api}/requests", "absent", {"resource": "absent"}),
        *(Case("GET", f"{api}/requests/{{review}}", name, None, {"review": f"{{{name}}}"}) for name in _SEEN),
        Case("GET", f"{api}/grants"),
        Case("GET", f"{api}/grants", query="?identity=other"),
        *(
            Case(method, f"{api}/grants/{{grant}}{rest}", name, body, {"grant": f"{{{name}}}"})
            for method, rest, body in (("GET", "", None), ("POST", "/extend", {}), ("DELETE", "", None))
            for name in ("given to oneself", "given to another", "absent")
        ),
    ]
    text = {"text": FIRST.text}
    why = {"message": "why"}
    found += [
        Case("GET", f"{api}/policy"),
        Case("PUT", f"{api}/policy", "as it is", {**text, **why}, against='"1"'),
        Case("PUT", f"{api}/policy", "against none", {**text, **why}),
        Case("PUT", f"{api}/policy", "against another", {**text, **why}, against='"7"'),
        Case("GET", f"{api}/policy/revisions"),
        Case("GET", f"{api}/policy/revisions/{{number}}", "there", values={"number": "1"}),
        Case("GET", f"{api}/policy/revisions/{{number}}", "absent", values={"number": "7"}),
        Case("GET", f"{api}/policy/diff"),
        Case("POST", f"{api}/policy/diff", body=text),
        Case("POST", f"{api}/policy/validate", body=text),
        Case("POST", f"{api}/policy/rollback", "to absent", {"revision": 7, **why}, against='"1"'),
    ]
    wanted = {"challenge": "c" * 43, "port": 4711, "state": "s" * 16}
    asked = {"ticket": "0" * 64, "code": "0" * 64, "verifier": "v" * 43}
    # one that fails at `corp` for real would count against everybody at this address (tests/api/test_saml.py)
    for method, rest, body, query, known in (
        ("GET", "metadata", None, "", True),
        ("POST", "begin", wanted, "", True),
        ("GET", "login", None, "?ticket=0", True),
        ("POST", "acs", None, "", False),
        ("POST", "token", asked, "", False),
    ):
        for thing in ("corp", "absent") if known else ("absent",):
            found.append(Case(method, f"{api}/saml/{{name}}/{rest}", thing, body, {"name": thing}, query))
    for method, rest, values in (
        ("GET", "", {}),
        ("POST", "/sign-in", {}),
        ("POST", "/answer", {}),
        ("GET", "/signed-in", {}),
        ("GET", "/saml/{name}", {"name": "corp"}),
        ("GET", "/oidc/{name}", {"name": "corp"}),
    ):
        found.append(
            Case(method, f"/reviews/{{review}}{rest}", "a page", None, {**values, "review": "bot's on sales"})
        )
    found.append(Case("GET", "/sign-in/{name}/callback", "a page", None, {"name": "corp"}))
    things = (
        ("bot's on sales", OWN),
        ("other's on sales", NEAR),
        ("other's on bravo", FAR),
        ("absent", ABSENT),
    )
    for method, rest in (("GET", ""), ("GET", "/recording"), ("GET", "/export"), ("DELETE", "")):
        for thing, session in things:
            path = f"{api}/sessions/{{session}}{rest}"
            found.append(Case(method, path, thing, values={"session": session}))
    return found


def test_every_route_has_a_row() -> None:
    routes = routes_of(make(None, print))
    assert len(routes) > 20
    assert {(case.method, case.path) for case in cases()} == routes
    assert {case.name for case in cases()} == set(YAML(typ="safe").load(PICTURE.read_text()))


_SEEN = ("an access request", "absent")
REVIEWS: dict[str, Any] = {
    "bot's on sales": {"identity": "bot", "groups": "reviewers"},
    "other's on bravo": {"identity": "other", "resource": "bravo", "groups": "chiefs"},
    "an access request": {"identity": "other", "kind": Kind.ACCESS, "groups": "reviewers", "shown": None},
}
GRANTS = {"given to oneself": "", "given to another": "other"}
"""Whose they are; empty: the caller's."""


class Line:
    """One connection that stays open, over HTTPS or our socket."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self.connection = connection

    def ask(
        self, method: str, path: str, body: Any = None, token: str | None = None, against: str | None = None
    ) -> tuple[int, Any]:
        headers = {"content-type": "application/json"}
        if against is not None:
            headers["if-match"] = against
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        self.connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status >= 400 and not path.startswith(
            ("/api/v1/saml/corp/", "/api/v1/oauth/", "/reviews/", "/sign-in/")
        ):
            assert answer.headers["content-type"] == "application/problem+json"
        is_json = content and answer.headers.get("content-type") == "application/json"
        return answer.status, json.loads(content) if is_json else content


class Caller:
    """One role's requests."""

    def __init__(self, local: Line, remote: Line, folder: Path, column: str) -> None:
        self.folder = folder
        self.local = local
        self.remote = remote
        self.column = column
        self.me = "bot" if column in ("scoped", "task", "nobody") else column
        self.values = {"absent": "0" * 16, "itself": "0" * 16, "{me}": self.me}
        self.token: str | None = None
        self.stale = True

    def prepare(self) -> None:
        """What a case needs and the one before it may have taken away."""
        self.local.ask("POST", "/api/v1/identities", {"name": "extra"})
        self.local.ask("DELETE", "/api/v1/identities/made")
        for name, identity in (("of the same", self.me), ("of another", "extra")):
            self.values[name] = self.local.ask("POST", "/api/v1/tokens", {"identity": identity})[1]["id"]
        self.local.ask("PUT", "/api/v1/secrets/kept", {"value": "v"})
        for name in (*REVIEWS, *GRANTS):
            self.values.pop(name, None)
        if self.column != "nobody":
            more: dict[str, Any] = {} if self.column not in ("scoped", "task") else {"resources": ["sales"]}
            if self.column == "task":
                more |= {"lifetime": 60, "task": {"purpose": "why", "behalf": "chief"}}
            issued = self.local.ask("POST", "/api/v1/tokens", {"identity": self.me, **more})[1]
            self.token, self.values["itself"] = issued["token"], issued["id"]

    def value(self, named: str) -> str:
        """What stands for it in a path. Each making opens the store: only what is used is made."""
        name = named.strip("{}")
        if name in REVIEWS and name not in self.values:
            self.values[name] = ask_for(self.folder, **REVIEWS[name])
        elif name in GRANTS and name not in self.values:
            self.values[name] = give(self.folder, GRANTS[name] or self.me)
        return self.values.get(name, named)

    def run(self, case: Case) -> tuple[int, Any]:
        if self.stale:
            self.prepare()
        values = {name: self.value(value) for name, value in case.values.items()}
        for name in ("review", "grant"):
            if values.get(name) == self.values["absent"]:
                values[name] = "0" * 26
        values = {name: value.replace("{me}", self.me) for name, value in values.items()}
        body = None if case.body is None else json.loads(json.dumps(case.body).replace("{me}", self.me))
        path = case.path.format(**values) + case.query
        found = self.remote.ask(case.method, path, body, self.token, case.against)
        self.stale = case.method in ("DELETE", "PATCH", "POST") and found[0] < 300
        return found


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Line, Line, Path]]:
    """Our socket and HTTPS of one API, whose things are those of the picture."""
    stage = Stage(tmp_path_factory.mktemp("matrix"))
    stage.control.rows = list(ROWS)
    stage.control.resources["bravo"] = OTHER
    stage.saml["corp"] = ISSUER
    stage.filed.append(ServiceAccount("other", IdentityKind.AGENT, frozenset(), "file"))
    for row in ROWS:
        stage.recordings.known[row.session] = []
        stage.recordings.whose[row.session] = (row.identity, row.resource)
    with served(stage) as remote:
        context = ssl.create_default_context(cafile=remote.ca)
        assert remote.handle.port is not None
        local = UnixConnection(remote.settings.socket)
        https = http.client.HTTPSConnection("localhost", remote.handle.port, timeout=10, context=context)
        yield Line(local), Line(https), stage.folder
        local.close()
        https.close()


@pytest.mark.parametrize("column", COLUMNS)
def test_every_route_by_every_role(lines: tuple[Line, Line, Path], column: str) -> None:
    caller = Caller(*lines, column)
    found = {}
    for case in cases():
        found[case.name], answer = caller.run(case)
        if found[case.name] == 200:
            _check_seen(column, case, answer)
    at = COLUMNS.index(column)
    if os.environ.get("WICKET_REWRITE") == "1":
        _rewrite(found, at)
    picture = YAML(typ="safe").load(PICTURE.read_text())
    assert found == {name: int(row.split()[at]) for name, row in picture.items()}


def _check_seen(column: str, case: Case, answer: Any) -> None:
    """What lists hold for each."""
    limited = column in ("prod-auditor", "prod-viewer", "reviewer")
    everything = not limited and column not in ("bot", "scoped", "task", "nobody")
    if case.path.endswith("/resources"):
        assert [each["name"] for each in answer] == (["bravo", "sales"] if everything else ["sales"])
    elif case.path.endswith("/sessions") and not case.query:
        seen = {OWN, NEAR, FAR} if everything else {OWN, NEAR} if limited else {OWN}
        assert {each["session"] for each in answer} == (set() if column == "task" else seen)
    elif case.path.endswith("/sessions"):
        assert {each["session"] for each in answer} == ({NEAR, FAR} if everything else {NEAR})
    elif case.path.endswith("/status"):
        assert (answer["sessions"], list(answer["catalogs"])) == (3 if everything else 2, ["sales/sales"])
    elif case.path.endswith("/tokens") and column not in ("auditor", "chief"):
        assert {each["identity"] for each in answer} == {"bot" if column in ("scoped", "task") else column}


def _rewrite(found: dict[str, int], at: int) -> None:
    """Columns come one after another: run without -n."""
    old = YAML(typ="safe").load(PICTURE.read_text()) if PICTURE.exists() else {}
    width = max(len(name) for name in found) + 3
    lines = [TEXT + "# " + " " * (width - 1) + " ".join(COLUMNS)]
    for name, status in found.items():
        row = (old.get(name) or "").split()
        row += ["-"] * (len(COLUMNS) - len(row))
        row[at] = str(status)
        lines.append(f"{json.dumps(name)}: ".ljust(width) + json.dumps(" ".join(row)))
    PICTURE.write_text("\n".join(lines) + "\n")
