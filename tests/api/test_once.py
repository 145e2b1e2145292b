"""Idempotency-Key: done once, whoever sends it and however many at once; a token is given once."""

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api.stage import Answer, Remote, Stage
from wicketgate.model.answered import KeptAnswer
from wicketgate.store.db import Store, store_url
from wicketgate.store.once import DAY, MOST, Answers

Local = Callable[..., Answer]
KEY = {"idempotency-key": "k-1"}
NOW = 1_800_000_000_000_000_000


def _post(local: Local, path: str, body: Any, headers: dict[str, str] = KEY) -> Answer:
    return local("POST", f"/api/v1/{path}", body, headers=headers)


def test_the_same_is_done_once_and_answered_alike(local: Local, stage: Stage) -> None:
    first = _post(local, "identities", {"name": "new", "groups": ["crew"]})
    again = _post(local, "identities", {"name": "new", "groups": ["crew"]})
    assert (first.status, again.status, again.body) == (201, 201, first.body)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["location"] == first.headers["location"] == "/api/v1/identities/new"
    assert [each["do"] for each in stage.control.records] == ["identities.make"]


def test_another_request_under_the_key_is_refused(local: Local) -> None:
    assert _post(local, "identities", {"name": "new"}).status == 201
    for path, body in (
        ("identities", {"name": "newer"}),
        ("identities", {"name": "new", "groups": []}),
        ("identities?", {"name": "newest"}),
        ("tokens", {"identity": "bot"}),
        ("secrets/rotate", None),
    ):
        other = _post(local, path, body)
        assert (other.status, other.json["type"]) == (422, "urn:wicketgate:problem:key-reused")
    assert local("GET", "/api/v1/tokens").json == []


def test_a_token_s_text_is_given_once_and_kept_nowhere(local: Local, stage: Stage) -> None:
    first = _post(local, "tokens", {"identity": "bot"})
    again = _post(local, "tokens", {"identity": "bot"})
    assert (again.status, again.json["type"]) == (409, "urn:wicketgate:problem:answered")
    assert again.headers["location"] == first.headers["location"] == f"/api/v1/tokens/{first.json['id']}"
    assert len(local("GET", "/api/v1/tokens").json) == 1
    for path in stage.folder.iterdir():
        if path.is_file():
            assert first.json["token"][4:40].encode() not in path.read_bytes()
            assert b"k-1" not in path.read_bytes()


def test_what_failed_may_be_tried_again(local: Local, stage: Stage) -> None:
    stage.control.journal_full = True
    assert _post(local, "tokens", {"identity": "bot"}).status == 503
    stage.control.journal_full = False
    assert _post(local, "tokens", {"identity": "bot", "canary": 1}).status == 422
    assert _post(local, "tokens", {"identity": "bot"}).status == 201


def test_many_at_once_have_one_effect(local: Local) -> None:
    answers: list[Answer] = []
    threads = [
        threading.Thread(target=lambda: answers.append(_post(local, "tokens", {"identity": "bot"})))
        for _ in range(8)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(each.status for each in answers) == [201] + [409] * 7
    assert len(local("GET", "/api/v1/tokens").json) == 1


def test_a_key_is_of_one_actor_and_his_standing(remote: Remote) -> None:
    chief, other = remote.issue("chief"), remote.issue("root-bot")
    body = {"name": "new"}

    def post(token: str) -> Answer:
        return remote.ask("POST", "/api/v1/identities", body, token=token, headers=KEY)

    assert post(chief).status == 201
    # another actor's key is another key: done anew, and refused for what it is
    assert (post(other).status, post(other).json["type"]) == (409, "urn:wicketgate:problem:refused")
    assert post(remote.issue("bot")).status == 403
    assert post(remote.issue("chief", resources=["sales"])).status == 403
    assert remote.ask("POST", "/api/v1/identities", body, headers=KEY).status == 401
    # who is no administrator any more is not told what he was answered as one
    remote.stage.filed = [each for each in remote.stage.filed if each.name != "chief"]
    assert post(chief).status == 401


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "käse", "a\tb"])
def test_a_key_that_is_none(local: Local, key: str) -> None:
    answer = _post(local, "tokens", {"identity": "bot"}, {"idempotency-key": key})
    assert (answer.status, answer.json["type"]) == (422, "urn:wicketgate:problem:invalid")
    assert local("GET", "/api/v1/tokens").json == []


def test_too_large_a_body_is_told_as_ever(local: Local) -> None:
    assert _post(local, "tokens", b" " * 70_000).status == 413
    assert _post(local, "tokens", {"identity": "bot"}).status == 201


async def test_what_is_kept_is_bounded(tmp_path: Path) -> None:
    store = await Store.open(store_url(None, tmp_path))
    answers = Answers(store)
    begun = await asyncio.gather(*(answers.begin("a", "k", "r", NOW) for _ in range(5)))
    assert [each for each in begun if each is None] == [None]
    await answers.end("a", "k", KeptAnswer("r", 201, b"{}", "/x"))
    assert await answers.begin("a", "k", "r", NOW) == KeptAnswer("r", 201, b"{}", "/x")
    assert await answers.begin("a", "k", "r", NOW + DAY + 1) is None
    await answers.forget("a", "k")
    import sqlalchemy as sa

    from wicketgate.store.tables import ANSWERS

    async with store.transaction() as connection:
        rows = [
            {"actor": "a", "key": os.urandom(8).hex(), "request": "r", "created": NOW} for _ in range(MOST)
        ]
        await connection.execute(sa.insert(ANSWERS), rows)
    full = await answers.begin("a", "k", "r", NOW)
    assert full is not None
    assert full.full
    assert await answers.begin("b", "k", "r", NOW) is None
    await store.close()
