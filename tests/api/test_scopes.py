"""A token that is scoped to resources, on every route: it acts there on no more than on the wire."""

from dataclasses import replace
from typing import Any

import pytest

from api.stage import NOW, ROW, Remote
from wicketgate.control.ports import SessionRow

INSIDE, OUTSIDE, OTHERS = ROW.session, "b" * 32, "c" * 32
ROWS = [
    ROW,
    SessionRow(OUTSIDE, "bot", "bravo", "d", "reader", "10.0.0.9", 1, NOW),
    SessionRow(OTHERS, "root-bot", "sales", "sales", "reader", "10.0.0.9", 1, NOW),
]
ISSUE = {"identity": "bot", "resources": ["sales"]}

# what: method, path, body, status for the token of `bot` that is scoped to sales, and for that of `root-bot`
TABLE: list[tuple[str, str, Any, int, int]] = [
    ("GET", "/api/v1/whoami", None, 200, 200),
    ("GET", "/api/v1/status", None, 403, 403),
    ("GET", "/api/v1/resources", None, 403, 403),
    ("GET", "/metrics", None, 403, 403),
    ("GET", "/api/v1/openapi.json", None, 200, 200),
    ("POST", "/api/v1/policy/reload", None, 403, 403),
    ("POST", "/api/v1/journal/verify", None, 403, 403),
    ("GET", "/api/v1/tokens", None, 200, 200),
    ("GET", "/api/v1/tokens?identity=bot", None, 200, 403),
    ("POST", "/api/v1/tokens", ISSUE, 403, 403),
    ("POST", "/api/v1/tokens", {"identity": "bot"}, 403, 403),
    ("DELETE", "/api/v1/tokens/{wide}", None, 403, 403),
    ("DELETE", "/api/v1/tokens/{same}", None, 403, 403),
    ("DELETE", "/api/v1/tokens/{absent}", None, 403, 403),
    ("DELETE", "/api/v1/tokens/{own}", None, 200, 200),
    ("GET", "/api/v1/sessions", None, 200, 200),
    ("GET", f"/api/v1/sessions/{INSIDE}", None, 200, 403),
    ("GET", f"/api/v1/sessions/{OUTSIDE}", None, 403, 403),
    ("GET", f"/api/v1/sessions/{OTHERS}", None, 403, 200),
    ("GET", f"/api/v1/sessions/{INSIDE}/recording", None, 200, 403),
    ("GET", f"/api/v1/sessions/{OUTSIDE}/recording", None, 403, 403),
    ("GET", f"/api/v1/sessions/{OTHERS}/recording", None, 403, 200),
    ("GET", f"/api/v1/sessions/{INSIDE}/export", None, 403, 403),
    ("GET", f"/api/v1/sessions/{OUTSIDE}/export", None, 403, 403),
    ("DELETE", f"/api/v1/sessions/{INSIDE}", None, 204, 403),
    ("DELETE", f"/api/v1/sessions/{OUTSIDE}", None, 403, 403),
    ("DELETE", f"/api/v1/sessions/{OTHERS}", None, 403, 204),
]


@pytest.mark.parametrize("identity", ["bot", "root-bot"])
def test_every_route_by_a_scoped_token(remote: Remote, identity: str) -> None:
    remote.stage.control.rows = list(ROWS)
    for row in ROWS:
        remote.stage.recordings.known[row.session] = []
    ids = {"absent": "0" * 16}
    for name, scope in (("wide", []), ("same", ["sales"])):
        ids[name] = remote.ask("GET", "/api/v1/whoami", token=remote.issue(identity, resources=scope)).json[
            "credential_id"
        ]
    for method, path, body, *statuses in TABLE:
        # a token for each row: one of them ends itself
        token = remote.issue(identity, resources=["sales"])
        own = remote.ask("GET", "/api/v1/whoami", token=token).json
        assert (own["administrator"], own["resources"]) == (False, ["sales"])
        answer = remote.ask(method, path.format(own=own["credential_id"], **ids), body, token=token)
        assert answer.status == statuses[identity == "root-bot"], (method, path)
        if answer.status == 200 and path.startswith("/api/v1/tokens"):
            listed = answer.json if isinstance(answer.json, list) else [answer.json]
            assert [each["id"] for each in listed] == [own["credential_id"]]
        if answer.status == 200 and path == "/api/v1/sessions":
            mine = INSIDE if identity == "bot" else OTHERS
            assert [each["session"] for each in answer.json] == [mine]
    assert {session for session, _ in remote.stage.control.ended} == {INSIDE if identity == "bot" else OTHERS}


def test_an_ended_token_is_nobody(remote: Remote) -> None:
    """Whether it was revoked or has expired; whatever it was scoped to."""
    token = remote.issue("bot", resources=["sales"])
    own = remote.ask("GET", "/api/v1/whoami", token=token).json["credential_id"]
    assert remote.ask("DELETE", f"/api/v1/tokens/{own}", token=token).status == 200
    for method, path, body, *_ in TABLE:
        assert remote.ask(method, path.format(own=own, wide=own, same=own, absent=own), body).status == 401
    assert remote.ask("GET", "/api/v1/whoami", token=token).status == 401


def narrow(remote: Remote, **scope: Any) -> str:
    remote.stage.control.permits = frozenset({"crews read"})
    return remote.issue("root-bot", **scope)


def test_every_route_by_a_token_that_is_scoped_to_rules(remote: Remote) -> None:
    """It sees and ends itself: not even recordings of its identity, which other tokens of it made."""
    remote.stage.control.rows = [replace(row, identity="root-bot") for row in ROWS]
    remote.stage.recordings.known[INSIDE] = []
    ids = {"absent": "0" * 16, "wide": "0" * 16, "same": "0" * 16}
    for method, path, body, *_ in TABLE:
        token = narrow(remote, rules=["crews read"])
        own = remote.ask("GET", "/api/v1/whoami", token=token).json
        assert (own["administrator"], own["rules"]) == (False, ["crews read"])
        answer = remote.ask(method, path.format(own=own["credential_id"], **ids), body, token=token)
        itself = path in ("/api/v1/whoami", "/api/v1/openapi.json", "/api/v1/tokens") and method == "GET"
        assert answer.status == (200 if itself or "{own}" in path else 403), (method, path)
        if path == "/api/v1/tokens" and method == "GET":
            assert [each["id"] for each in answer.json] == [own["credential_id"]]
    assert remote.stage.control.ended == []


def test_a_token_from_another_network_is_nobody_s(remote: Remote) -> None:
    away = narrow(remote, networks=["192.0.2.0/24"])
    assert remote.ask("GET", "/api/v1/whoami", token=away).status == 401
    here = narrow(remote, networks=["127.0.0.0/8", "192.0.2.0/24"])
    found = remote.ask("GET", "/api/v1/whoami", token=here).json
    assert (found["administrator"], found["networks"]) == (True, ["127.0.0.0/8", "192.0.2.0/24"])
