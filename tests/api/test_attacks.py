"""Ways around roles, paths, bodies and headers, each with the answer that it gets."""

import json
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from api.stage import NOW, OTHER, RESOURCE, ROW, Answer, Remote, Stage, ask
from wicketgate.control.ports import SessionRow
from wicketgate.model.identity import IdentityKind
from wicketgate.model.token import ServiceAccount

Local = Callable[..., Answer]
NEAR, FAR, ABSENT = ROW.session, "b" * 32, "0" * 32
SECOND = b"GET /api/v1/tokens HTTP/1.1\r\nHost: x\r\n\r\n"
SECRET = "wkt_" + "S3cr3t" * 8 + "x"


@pytest.fixture
def roles(remote: Remote) -> Remote:
    """Sessions of `bot` on sales (env=prod) and on bravo, both recorded."""
    stage = remote.stage
    stage.control.resources["bravo"] = OTHER
    stage.control.rows = [ROW, SessionRow(FAR, "bot", "bravo", "d", "reader", "10.0.0.9", 1, NOW)]
    for row in stage.control.rows:
        stage.recordings.known[row.session] = []
        stage.recordings.whose[row.session] = (row.identity, row.resource)
    return remote


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/health/../tokens",
        "/api/v1/health/%2e%2e/tokens",
        "/api/v1/%2e%2e/%2e%2e/etc/passwd",
        "/api/v1/health%2f..%2ftokens",
        "/api/v1//tokens",
        "//api/v1/tokens",
        "/api/v1/tokens%00",
        "/api/v1/tokens%0a",
        "/api/v1/tokens;/health",
        "/api/v1/health;/../tokens",
        "/API/v1/tokens",
        "/api/v1/tokens\\",
        "/api/v1/health%0d%0aX: y",
        "/api/v1/%74okens",
        "/api/v1/health/",
        "/api/v1/health?/../tokens",
    ],
)
def test_no_path_leads_past_who_asks(remote: Remote, path: str) -> None:
    answer = remote.ask("GET", path.replace(" ", "%20"))
    assert answer.status in (200, 401, 404)
    if answer.status == 200:
        assert answer.json == {"status": "ok"}
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/api/v1/tokens%0a", "/api/v1/%74okens", "/api/v1/sessions%2f" + NEAR + "%2frecording"]
)
def test_an_escaped_path_is_no_path_for_an_administrator_either(local: Local, path: str) -> None:
    """A proxy in front may have read it as something else."""
    assert local("GET", path).status == 404


@pytest.mark.parametrize(
    "header",
    ["x-http-method-override", "x-method-override", "x-http-method", "x-original-url", "x-rewrite-url"],
)
def test_no_header_makes_another_request_of_it(remote: Remote, header: str) -> None:
    token = remote.issue("viewer")
    for value in ("DELETE", "/api/v1/health"):
        assert (
            remote.ask("POST", f"/api/v1/sessions/{NEAR}", {}, token=token, headers={header: value}).status
            == 405
        )
        assert (
            remote.ask("GET", "/api/v1/tokens?identity=bot", token=token, headers={header: value}).status
            == 403
        )
    assert remote.ask("GET", "/api/v1/tokens?_method=DELETE", token=token).status == 422
    assert remote.stage.control.ended == []


def test_every_method_that_a_path_knows_is_told(local: Local) -> None:
    answer = local("POST", "/api/v1/secrets/x")
    assert (answer.status, answer.headers["allow"]) == (405, "DELETE, GET, PUT")
    for method in ("TRACE", "OPTIONS", "HEAD", "CONNECT", "BREW"):
        assert local(method, "/api/v1/tokens").status in (400, 405)


@pytest.mark.parametrize(
    ("content", "kind", "statuses"),
    [
        (b"[" * 60_000, "application/json", (400,)),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "application/json", (400, 422)),
        (b'{"identity":"bot","task":' + b"[" * 500 + b"]" * 500 + b"}", "application/json", (422,)),
        (b"[" + b"1," * 30_000 + b"1]", "application/json", (422,)),
        (b" " * 70_000, "application/json", (413,)),
        (b'{"identity":"bot","note":"\\ud800"}', "application/json", (422,)),
        (b'{"\\ud800":1}', "application/json", (422,)),
        (b'{"identity":"bot","note":"a\\u0000b"}', "application/json", (422,)),
        (b'{"identity":"bot","lifetime":1e400}', "application/json", (422,)),
        (b'{"identity":"bot","lifetime":NaN}', "application/json", (422,)),
        (b'{"identity":"bot","lifetime":' + b"9" * 5000 + b"}", "application/json", (400, 422)),
        (b'{"identity":"bot","lifetime":true}', "application/json", (422,)),
        (b'{"identity":"bot"}', "text/plain", (415,)),
        (b'{"identity":"bot"}', "application/x-www-form-urlencoded", (415,)),
        (b'{"identity":"bot"}', "multipart/form-data; boundary=x", (415,)),
        (b'{"identity":"bot"}', "", (415,)),
        (b"\xff\xfe", "application/json", (400,)),
        (
            json.dumps({f"k{each}": 1 for each in range(5000)}).encode()[:60_000] + b"",
            "application/json",
            (400, 422),
        ),
    ],
)
def test_bodies(local: Local, stage: Stage, content: bytes, kind: str, statuses: tuple[int, ...]) -> None:
    answer = local("POST", "/api/v1/tokens", content, headers={"content-type": kind})
    assert answer.status in statuses, answer.body[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.body) < 10_000
    assert stage.control.records == []


@pytest.mark.parametrize(
    "more",
    [
        {"administrator": True},
        {"hash": "0" * 64},
        {"id": "0" * 16},
        {"token": "wkt_x"},
        {"created": 1},
        {"revoked": None},
        {"holds": True},
        {"__class__": "x"},
        {"task": {"purpose": "p", "behalf": "chief", "administrator": True}},
    ],
)
def test_mass_assignment(local: Local, stage: Stage, more: dict[str, Any]) -> None:
    assert local("POST", "/api/v1/tokens", {"identity": "bot", **more}).status == 422
    assert stage.control.records == []


@pytest.mark.parametrize(
    "sent",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND,
        b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + SECOND,
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: +5\r\n\r\n12345",
        b"X: a\x00b\r\n\r\n",
    ],
)
def test_one_request_is_not_two(remote: Remote, sent: bytes) -> None:
    token = remote.issue("bot")
    context = ssl.create_default_context(cafile=remote.ca)
    head = f"POST /api/v1/policy/reload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n".encode()
    assert remote.handle.port is not None
    with (
        socket.create_connection(("127.0.0.1", remote.handle.port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as sock,
    ):
        sock.sendall(head + sent)
        sock.settimeout(1.0)
        answer = b""
        try:
            while more := sock.recv(65536):
                answer += more
        except (TimeoutError, ssl.SSLError, ConnectionError):
            pass
    assert b"HTTP/1.1 200" not in answer


def test_two_credentials_are_none(remote: Remote) -> None:
    """Which of two headers counts must not be anybody's guess."""
    token = remote.issue("chief")
    context = ssl.create_default_context(cafile=remote.ca)
    assert remote.handle.port is not None
    for first, second in ((token, "x"), ("x", token)):
        head = (
            "GET /api/v1/whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            f"Authorization: Bearer {first}\r\nAuthorization: Bearer {second}\r\n\r\n"
        )
        with (
            socket.create_connection(("127.0.0.1", remote.handle.port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as sock,
        ):
            sock.sendall(head.encode())
            assert sock.recv(65536).startswith(b"HTTP/1.1 401")


def test_absent_and_out_of_reach_are_told_alike(roles: Remote) -> None:
    for role in ("prod-auditor", "prod-viewer", "reviewer", "bot"):
        token = roles.issue(role)
        for paths in (
            [f"/api/v1/sessions/{each}{rest}" for each in (ABSENT, FAR)]
            for rest in (("", "/recording", "/export") if role != "bot" else ())
        ):
            told = [roles.ask("GET", path, token=token) for path in paths]
            assert {(each.status, each.body) for each in told} == {(403, told[0].body)}
            assert not any("etag" in each.headers for each in told)
        told = [roles.ask("GET", f"/api/v1/resources/{each}", token=token) for each in ("absent", "bravo")]
        assert {(each.status, each.body) for each in told} == {(403, told[0].body)}
        told = [roles.ask("GET", f"/api/v1/identities/{each}", token=token) for each in ("absent", "chief")]
        assert {(each.status, each.body) for each in told} == {(403, told[0].body)}


def test_a_tag_tells_nothing_of_what_one_may_not_see(roles: Remote) -> None:
    chief, viewer = roles.issue("chief"), roles.issue("prod-viewer")
    path = f"/api/v1/sessions/{FAR}"
    tag = roles.ask("GET", path, token=chief).headers["etag"]
    for known in (tag, "*", f"W/{tag}"):
        assert roles.ask("GET", path, token=viewer, headers={"if-none-match": known}).status == 403
        assert roles.ask("GET", path, token=chief, headers={"if-none-match": known}).status == 304
    for one, other in ((chief, viewer), (viewer, chief)):
        tag = roles.ask("GET", "/api/v1/resources", token=one).headers["etag"]
        answer = roles.ask("GET", "/api/v1/resources", token=other, headers={"if-none-match": tag})
        assert (answer.status, answer.headers["vary"]) == (200, "authorization")
    # a recording is never answered from what somebody kept
    recording = roles.ask("GET", f"{path}/recording", token=chief)
    assert (recording.headers["cache-control"], "etag" in recording.headers) == ("no-store", False)


def test_a_resource_that_loses_its_label_is_out_of_reach_at_once(roles: Remote) -> None:
    auditor, reviewer = roles.issue("prod-auditor"), roles.issue("reviewer")
    for token in (auditor, reviewer):
        assert roles.ask("GET", f"/api/v1/sessions/{NEAR}", token=token).status == 200
    roles.stage.control.resources["sales"] = replace(RESOURCE, labels={"env": "test"})
    assert roles.ask("GET", f"/api/v1/sessions/{NEAR}", token=auditor).status == 403
    assert roles.ask("GET", f"/api/v1/sessions/{NEAR}/recording", token=auditor).status == 403
    assert roles.ask("GET", "/api/v1/sessions", token=auditor).json == []
    assert roles.ask("GET", "/api/v1/resources", token=auditor).json == []
    # one that is gone is out of reach of whoever is limited, and within that of whoever is not
    roles.stage.control.resources.clear()
    assert roles.ask("GET", f"/api/v1/sessions/{NEAR}", token=reviewer).status == 403
    assert roles.ask("GET", f"/api/v1/sessions/{NEAR}/recording", token=roles.issue("auditor")).status == 200


def test_a_group_is_not_had_by_naming_it(roles: Remote) -> None:
    stage = roles.stage
    stage.filed.append(
        ServiceAccount("near", IdentityKind.AGENT, frozenset({"chief", "Chiefs", "admin"}), "file")
    )
    token = roles.issue("near")
    found = roles.ask("GET", "/api/v1/whoami", token=token, headers={"x-groups": "chiefs"}).json
    assert (found["administrator"], found["roles"]) == (False, {})
    auditor = roles.issue("auditor")
    for method, path, body in (
        ("PATCH", "/api/v1/identities/auditor", {"groups": ["chiefs"]}),
        ("POST", "/api/v1/identities", {"name": "mine", "groups": ["chiefs"]}),
        ("POST", "/api/v1/tokens", {"identity": "mine", "groups": ["chiefs"], "create": True}),
        ("POST", "/api/v1/tokens", {"identity": "chief"}),
    ):
        for token in (auditor, roles.issue("viewer"), roles.issue("reviewer"), roles.issue("bot")):
            assert roles.ask(method, path, body, token=token).status == 403
    # a token that may do less than its identity has no role either
    for scope in (
        {"resources": ["sales"]},
        {"resources": ["sales"], "lifetime": 9, "task": {"purpose": "p", "behalf": "chief"}},
    ):
        narrow = roles.issue("root-bot", **scope)
        assert roles.ask("GET", "/api/v1/whoami", token=narrow).json["roles"] == {}
        assert roles.ask("GET", "/api/v1/resources", token=narrow).status == 403


def test_who_reads_a_recording_is_recorded_before(roles: Remote) -> None:
    auditor, stage = roles.issue("auditor"), roles.stage
    stage.control.records.clear()
    for rest, act in (("recording", "sessions.replay"), ("export", "sessions.export")):
        assert roles.ask("GET", f"/api/v1/sessions/{FAR}/{rest}", token=auditor).status == 200
        line = stage.control.records[-1]
        assert (line["by"], line["do"], line["name"]) == ("auditor", act, FAR)
        assert (line["identity"], line["resource"]) == ("bot", "bravo")
    stage.control.journal_full = True
    for rest in ("recording", "export"):
        answer = roles.ask("GET", f"/api/v1/sessions/{FAR}/{rest}", token=auditor)
        assert (answer.status, b"proof" in answer.body) == (503, False)


def test_nothing_is_given_that_cannot_be_recorded_and_what_ends_is_ended(local: Local, stage: Stage) -> None:
    for name in ("one", "two"):
        local("POST", "/api/v1/identities", {"name": name})
    token = local("POST", "/api/v1/tokens", {"identity": "one"}).json
    local("PUT", "/api/v1/secrets/kept", {"value": "v"})
    stage.control.journal_full = True
    for method, path, body in (
        ("POST", "/api/v1/tokens", {"identity": "bot"}),
        ("POST", "/api/v1/identities", {"name": "new"}),
        ("PATCH", "/api/v1/identities/one", {"groups": ["admins"]}),
        ("PATCH", "/api/v1/identities/one", {"groups": ["admins"], "disabled": True}),
        ("PUT", "/api/v1/secrets/kept", {"value": "w"}),
        ("POST", "/api/v1/secrets/rotate", None),
        ("POST", "/api/v1/policy/reload", None),
        # these take access away: done, and then the failure is told
        ("PATCH", "/api/v1/identities/two", {"disabled": True}),
        ("DELETE", f"/api/v1/tokens/{token['id']}", None),
        ("DELETE", f"/api/v1/sessions/{NEAR}", None),
    ):
        assert local(method, path, body).status == 503, path
    stage.control.journal_full = False
    found = {each["name"]: each for each in local("GET", "/api/v1/identities?origin=store").json}
    assert (found["one"]["groups"], found["one"]["disabled"], found["two"]["disabled"] is None) == (
        [],
        None,
        False,
    )
    assert local("GET", "/api/v1/secrets/kept").json["version"] == 1
    assert local("GET", f"/api/v1/tokens/{token['id']}").json["holds"] is False
    assert stage.control.ended == [(NEAR, "terminated")]


def test_who_was_refused_is_recorded_without_what_may_be_secret(roles: Remote) -> None:
    viewer, stage = roles.issue("viewer"), roles.stage
    stage.control.records.clear()
    for method, path, body in (
        ("GET", f"/api/v1/sessions/{NEAR}/recording", None),
        ("DELETE", f"/api/v1/sessions/{NEAR}", None),
        ("PUT", "/api/v1/secrets/sales", {"value": SECRET}),
        ("POST", "/api/v1/tokens", {"identity": "chief", "note": SECRET}),
        ("POST", "/api/v1/identities", {"name": "eyJhbGciOiJub25lIn0"}),
    ):
        assert roles.ask(method, path, body, token=viewer).status == 403
    told = [(each["by"], each["do"], each["name"], each["refused"]) for each in stage.control.records]
    assert told == [
        ("viewer", "sessions.replay", NEAR, True),
        ("viewer", "sessions.terminate", NEAR, True),
        ("viewer", "secrets.set", "sales", True),
        ("viewer", "tokens.issue", "chief", True),
        ("viewer", "identities.make", "(no name)", True),
    ]
    for path in (f"/api/v1/tokens/{SECRET}", f"/api/v1/sessions/{SECRET}", f"/api/v1/secrets/{SECRET}"):
        for method in ("GET", "DELETE"):
            answer = roles.ask(method, path, token=viewer)
            assert answer.status == 422
            assert b"S3cr3t" not in answer.body
    assert "S3cr3t" not in json.dumps(stage.control.records) + repr(stage.logged)
    # a refusal stays one where it can't be recorded
    stage.control.journal_full = True
    assert roles.ask("GET", "/api/v1/secrets", token=viewer).status == 403


def test_a_viewer_s_status_tells_of_what_it_reaches(roles: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    standing = roles.stage.control.standing()
    told = replace(
        standing, policy_error="wicket.yaml:3:1: no", catalogs={"sales/sales": None, "bravo/d": "gone"}
    )
    monkeypatch.setattr(roles.stage.control, "standing", lambda: told)
    limited = roles.ask("GET", "/api/v1/status", token=roles.issue("prod-viewer")).json
    assert (limited["catalogs"], limited["sessions"]) == ({"sales/sales": None}, 1)
    assert limited["policy_error"] == "the newest policy can't be loaded"
    whole = roles.ask("GET", "/api/v1/status", token=roles.issue("viewer")).json
    assert (whole["catalogs"]["bravo/d"], whole["sessions"]) == ("its catalog can't be read", 2)
    assert whole["policy_error"] == limited["policy_error"]
    chief = roles.ask("GET", "/api/v1/status", token=roles.issue("chief")).json
    assert (chief["catalogs"]["bravo/d"], chief["policy_error"]) == ("gone", "wicket.yaml:3:1: no")


def test_our_socket_needs_no_role(roles: Remote) -> None:
    assert ask(roles.settings.socket, "GET", "/api/v1/whoami").json["roles"] == {}
