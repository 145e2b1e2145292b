"""Secrets through the API: set by administrators alone, given to nobody, repeated by no error."""

import json
from collections.abc import Callable

import pytest

from api.stage import Answer, Remote, Stage

Local = Callable[..., Answer]
CANARY = "c4nary s3cret"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("sales", {"value": ["c4nary s3cret"]}, 422),
        ("sales", {"value": {"c4nary s3cret": 1}}, 422),
        ("sales", {"value": "c4nary s3cret", "version": "c4nary s3cret"}, 422),
        ("sales", {"value": ""}, 422),
        ("sales", {"value": "c4nary s3cret" * 2000}, 422),
        ("sales", b'{"value": "c4nary s3cret', 400),
        ("sales", b'{"value": "c4nary s3cret\\ud800"}', 422),
        ("Sales", {"value": "c4nary s3cret"}, 422),
        ("..", {"value": "c4nary s3cret"}, 422),
    ],
)
def test_what_is_refused_is_not_repeated(
    local: Local, stage: Stage, path: str, body: object, status: int
) -> None:
    answer = local("PUT", f"/api/v1/secrets/{path}", body)
    assert answer.status == status, answer.body
    assert b"c4nary" not in answer.body
    assert local("GET", "/api/v1/secrets").json == []
    assert "c4nary" not in json.dumps(stage.control.records) + repr(stage.logged)


def test_no_answer_holds_a_value(local: Local, stage: Stage) -> None:
    seen = [local("PUT", "/api/v1/secrets/sales", {"value": CANARY})]
    for method, path in (
        ("GET", "/api/v1/secrets"),
        ("GET", "/api/v1/secrets/sales"),
        ("POST", "/api/v1/secrets/rotate"),
        ("GET", "/metrics"),
        ("GET", "/api/v1/status"),
        ("GET", "/api/v1/openapi.json"),
    ):
        seen.append(local(method, path))
    assert [each.status for each in seen] == [200, 200, 200, 200, 200, 200, 200]
    assert not any(b"c4nary" in each.body for each in seen)
    assert local("DELETE", "/api/v1/secrets/sales").status == 204
    assert "c4nary" not in json.dumps(stage.control.records) + repr(stage.logged) + repr(stage.control.puts)


def test_for_administrators_alone(remote: Remote) -> None:
    crew, scoped = remote.issue("bot"), remote.issue("root-bot", resources=["sales"])
    for token in (None, crew, scoped):
        for method, path, body in (
            ("PUT", "/api/v1/secrets/sales", {"value": CANARY}),
            ("GET", "/api/v1/secrets", None),
            ("POST", "/api/v1/secrets/rotate", None),
            ("DELETE", "/api/v1/secrets/sales", None),
        ):
            answer = remote.ask(method, path, body, token=token)
            assert answer.status == (401 if token is None else 403)
            assert b"c4nary" not in answer.body
    assert remote.ask("GET", "/api/v1/secrets", token=remote.issue("root-bot")).json == []
