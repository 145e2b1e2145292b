"""The routes, over a real Unix socket as the same user."""

import base64
import json
import struct
from collections.abc import Callable

import pytest

from api.stage import ROW, Answer, Stage
from wicketgate.admin.ports import JournalLine
from wicketgate.identity import tokens
from wicketgate.model.secret import Secret

Local = Callable[..., Answer]


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">I", len(body) + 4) + body


ANSWER = (
    message(b"T", struct.pack(">H", 1) + b"email\0" + struct.pack(">IhIhih", 16384, 2, 25, -1, -1, 0))
    + message(b"D", struct.pack(">Hi", 1, 8) + b"********")
    + message(b"C", b"SELECT 1\0")
)


def test_anybody_may_ask_for_health(local: Local, stage: Stage) -> None:
    assert local("GET", "/api/v1/health").json == {"status": "ok"}
    assert local("GET", "/api/v1/ready").status == 200
    stage.control.draining = True
    drained = local("GET", "/api/v1/ready")
    assert (drained.status, drained.json) == (503, {"status": "draining"})


def test_the_same_user_administrates(local: Local) -> None:
    assert local("GET", "/api/v1/whoami").json["administrator"] is True
    assert local("GET", "/api/v1/status").json["ready"] is True
    [resource] = local("GET", "/api/v1/resources").json
    assert resource["accounts"] == ["reader"]
    assert "SALES_RO_PASSWORD" not in json.dumps(resource)


def test_a_token_lives_and_dies(local: Local, stage: Stage) -> None:
    issued = local("POST", "/api/v1/tokens", {"identity": "bot", "resources": ["sales"], "lifetime": 60})
    assert issued.status == 201
    assert issued.headers["cache-control"] == "no-store"
    text = issued.json["token"]
    assert tokens.parse(Secret(text.encode()))
    [(section, key, fields)] = stage.control.puts
    assert (section, key) == ("tokens", tokens.hash_of(Secret(text.encode())))
    assert fields is not None
    assert fields["resources"] == ["sales"]

    [listed] = local("GET", "/api/v1/tokens").json
    assert listed["holds"] is True
    assert "token" not in listed
    assert "hash" not in listed
    gone = local("DELETE", f"/api/v1/tokens/{listed['id']}")
    assert gone.json["holds"] is False
    assert [(section, key) for section, key, _ in stage.control.puts[1:]] == [
        ("revoked", listed["id"]),
        ("tokens", key),
    ]
    assert stage.control.puts[-1][2] is None
    assert [each["do"] for each in stage.control.records] == ["tokens.issue", "tokens.revoke"]
    for place in (json.dumps(stage.control.records), repr(stage.control.puts), repr(stage.logged)):
        assert text not in place
    for path in stage.folder.iterdir():
        if path.is_file():
            assert text[4:40].encode() not in path.read_bytes()


def test_an_identity_is_made_only_when_asked_for(local: Local, stage: Stage) -> None:
    missing = local("POST", "/api/v1/tokens", {"identity": "new"})
    assert missing.status == 404
    made = local("POST", "/api/v1/tokens", {"identity": "new", "groups": ["crew"], "create": True})
    assert made.json["created_identity"] is True
    assert ("identities", "new") in {(section, key) for section, key, _ in stage.control.puts}
    other = local("POST", "/api/v1/tokens", {"identity": "new", "groups": ["dba"], "create": True})
    assert other.status == 409
    again = local("POST", "/api/v1/tokens", {"identity": "new"})
    assert again.json["created_identity"] is False


def test_what_was_not_recorded_is_not_issued(local: Local, stage: Stage) -> None:
    stage.control.journal_full = True
    assert local("POST", "/api/v1/tokens", {"identity": "bot"}).status == 503
    assert local("GET", "/api/v1/tokens").json == []
    assert stage.control.puts == []


def test_a_token_is_revoked_even_if_nothing_can_be_recorded(local: Local, stage: Stage) -> None:
    issued = local("POST", "/api/v1/tokens", {"identity": "bot"}).json
    stage.control.journal_full = True
    assert local("DELETE", f"/api/v1/tokens/{issued['id']}").status == 503
    assert ("revoked", issued["id"]) in {(section, key) for section, key, _ in stage.control.puts}
    [listed] = local("GET", "/api/v1/tokens").json
    assert listed["holds"] is False


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind"),
    [
        ("GET", "/api/v1/absent", None, 404, "http"),
        ("GET", "/api/v1/tokens/", None, 404, "http"),
        ("GET", "/api/v1/health/", None, 404, "http"),
        ("PUT", "/api/v1/tokens", {}, 405, "http"),
        ("POST", "/api/v1/tokens", {"identity": "bot", "canary": "x"}, 422, "invalid"),
        ("POST", "/api/v1/tokens", b"{canary", 400, "malformed"),
        ("POST", "/api/v1/tokens", {"identity": "bot", "lifetime": "canary"}, 422, "invalid"),
        ("POST", "/api/v1/tokens", {"identity": "a/b", "create": True}, 422, "invalid"),
        ("POST", "/api/v1/tokens", {"identity": "bot", "resources": ["absent"]}, 409, "refused"),
        ("POST", "/api/v1/tokens", b" " * 70_000, 413, "http"),
        ("DELETE", "/api/v1/tokens/0000000000000000", None, 404, "not-found"),
        ("GET", "/api/v1/sessions/" + "0" * 32, None, 404, "not-found"),
        ("DELETE", "/api/v1/sessions/" + "0" * 32, None, 404, "not-found"),
        ("GET", "/api/v1/sessions?limit=0", None, 422, "invalid"),
    ],
)
def test_errors_are_problems(
    local: Local, method: str, path: str, body: object, status: int, kind: str
) -> None:
    answer = local(method, path, body)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status, answer.json["status"]) == (status, status)
    assert answer.json["type"] == f"urn:wicketgate:problem:{kind}"
    assert set(answer.json) <= {"type", "title", "status", "detail", "errors"}
    assert b"canary" not in answer.body.replace(b"body.canary", b"")


def test_what_nobody_foresaw_shows_nothing(
    local: Local, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr(stage.control, "standing", broken)
    answer = local("GET", "/api/v1/status")
    assert answer.status == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert b"canary" not in answer.body
    assert stage.logged == ["api: GET /api/v1/status: RuntimeError"]


def test_sessions_open_and_recorded(local: Local, stage: Stage) -> None:
    stage.recordings.known["b" * 32] = []
    found = {each["session"]: each["state"] for each in local("GET", "/api/v1/sessions").json}
    assert found == {ROW.session: "open", "b" * 32: "lost"}
    assert [each["session"] for each in local("GET", "/api/v1/sessions?open=true").json] == [ROW.session]
    assert local("GET", "/api/v1/sessions?identity=other").json == []
    assert local("GET", f"/api/v1/sessions/{ROW.session}").json["account"] == "reader"
    assert local("DELETE", f"/api/v1/sessions/{ROW.session}").status == 204
    assert stage.control.ended == [(ROW.session, "terminated")]
    assert local("DELETE", f"/api/v1/sessions/{'b' * 32}").status == 404


def test_a_recording_is_read_and_that_is_recorded(local: Local, stage: Stage) -> None:
    who = {"name": "bot", "groups": ["crew"], "resource": "sales", "database": "sales", "source": "10.0.0.9"}
    kept = {"len": len(ANSWER), "kept": len(ANSWER), "enc": "base64"}
    outcome = {"rows": 1, "bytes": 8, "ns": 5, "tag": "SELECT 1", "masked": {"email": 1}}
    stage.recordings.known["b" * 32] = [
        JournalLine({"k": "open", "q": 1, "t": 10, "i": who, "a": "reader"}, None),
        JournalLine(
            {"k": "ask", "q": 2, "t": 11, "d": "permit", "u": ["r"], "e": ["read"]}, {"text": "SELECT email"}
        ),
        JournalLine(
            {"k": "answer", "q": 3, "t": 12, "r": 2, "o": outcome, "b": kept},
            {"bytes": base64.b64encode(ANSWER).decode()},
        ),
        JournalLine({"k": "close", "q": 4, "t": 13, "o": {"tag": "client"}}, None),
    ]
    found = local("GET", f"/api/v1/sessions/{'b' * 32}/recording").json
    assert (found["identity"], found["resource"], found["reason"], found["whole"]) == (
        "bot",
        "sales",
        "client",
        True,
    )
    [event] = found["events"]
    assert event["text"] == "SELECT email"
    assert event["tables"] == [{"columns": ["email"], "rows": [["********"]], "tag": "SELECT 1"}]
    assert event["masked"] == {"email": 1}
    export = local("GET", f"/api/v1/sessions/{'b' * 32}/export")
    assert export.body == b"proof of " + b"b" * 32
    assert [each["do"] for each in stage.control.records] == ["sessions.replay", "sessions.export"]
    assert local("POST", "/api/v1/journal/verify").json == {
        "ok": False,
        "findings": ["n/w/000001.log: line 3 was changed"],
        "facts": {"lines": 7},
    }


def test_metrics_are_text_and_name_nobody(local: Local) -> None:
    answer = local("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = answer.body.decode()
    assert 'wicketgate_denied_total{kind="mask"} 1.0' in text
    assert "wicketgate_statements_total 7.0" in text
    assert "wicketgate_sessions 1.0" in text
    assert "bot" not in text


def test_the_description_holds_every_route(local: Local) -> None:
    described = local("GET", "/api/v1/openapi.json").json
    assert described["openapi"].startswith("3.")
    assert {"/api/v1/tokens", "/api/v1/sessions/{session}/recording", "/metrics"} <= set(described["paths"])
