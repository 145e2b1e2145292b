"""Pages: whole, in order, stable while things are added; cursors widen nothing; filters are exact."""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from api.stage import NOW, RESOURCE, ROW, Answer, Remote, Stage

Local = Callable[..., Answer]


def _next(answer: Answer) -> str | None:
    found = re.fullmatch(r'<(/[^>]*)>; rel="next"', answer.headers.get("link", ""))
    return None if found is None else found[1]


def _all(local: Local, path: str, between: Callable[[], Any] = lambda: None) -> list[list[Any]]:
    pages = []
    following: str | None = path
    while following is not None:
        answer = local("GET", following)
        assert answer.status == 200, answer.body
        pages.append(answer.json)
        following = _next(answer)
        between()
    return pages


def test_every_list_has_pages(local: Local, stage: Stage) -> None:
    stage.control.rows = [replace(ROW, session=f"{each:032x}", opened=NOW + each // 2) for each in range(7)]
    stage.control.resources = {f"r{each}": replace(RESOURCE, name=f"r{each}") for each in range(7)}
    for each in range(7):
        local("PUT", f"/api/v1/secrets/s{each}", {"value": "v"})
        local("POST", "/api/v1/tokens", {"identity": "bot"})
    for path, name in (
        ("sessions", "session"),
        ("resources", "name"),
        ("secrets", "name"),
        ("tokens", "id"),
        ("identities", "name"),
    ):
        whole = local("GET", f"/api/v1/{path}").json
        pages = _all(local, f"/api/v1/{path}?limit=3")
        assert [len(page) for page in pages] == [3] * (len(whole) // 3) + [len(whole) % 3]
        assert [each[name] for page in pages for each in page] == [each[name] for each in whole]


def test_pages_are_stable_while_things_are_added(local: Local, stage: Stage) -> None:
    stage.control.rows = [replace(ROW, session=f"{each:032x}", opened=NOW) for each in range(6)]
    before = {row.session for row in stage.control.rows}

    def newer() -> None:
        stage.control.rows.append(replace(ROW, session="f" * 32, opened=NOW + 1))

    seen = [each["session"] for page in _all(local, "/api/v1/sessions?limit=2", newer) for each in page]
    assert seen == sorted(before, reverse=True)


def test_a_link_names_no_host_and_keeps_the_filter(local: Local, stage: Stage) -> None:
    stage.control.rows = [replace(ROW, session=f"{each:032x}") for each in range(3)]
    answer = local("GET", "/api/v1/sessions?limit=1&identity=bot", headers={"host": "evil.example"})
    assert "evil" not in answer.headers["link"]
    following = _next(answer)
    assert following is not None
    assert following.startswith("/api/v1/sessions?limit=1&identity=bot&cursor=")


def test_filters(local: Local, stage: Stage) -> None:
    stage.control.rows = [ROW, replace(ROW, session="b" * 32, identity="other", resource="bravo", opened=9)]
    stage.recordings.known["c" * 32] = []
    bravo = replace(RESOURCE, name="bravo", labels={"env": "test", "a": "b=c"})
    stage.control.resources["bravo"] = bravo
    issued = [
        local("POST", "/api/v1/tokens", {"identity": "bot", "lifetime": 1}).json["id"] for _ in range(2)
    ]
    local("DELETE", f"/api/v1/tokens/{issued[0]}")
    local("POST", "/api/v1/identities", {"name": "new", "kind": "human", "groups": ["crew"]})
    local("PATCH", "/api/v1/identities/new", {"disabled": True})
    for path, key, found in (
        ("sessions?state=open", "session", {"a" * 32, "b" * 32}),
        ("sessions?open=true", "session", {"a" * 32, "b" * 32}),
        ("sessions?state=lost", "session", {"c" * 32}),
        ("sessions?resource=bravo", "session", {"b" * 32}),
        ("sessions?identity=other", "session", {"b" * 32}),
        ("sessions?begins=aa", "session", {"a" * 32}),
        ("sessions?since=10&until=11", "session", set()),
        ("sessions?until=10", "session", {"b" * 32}),
        ("tokens?state=revoked", "id", {issued[0]}),
        ("tokens?state=good&identity=bot", "id", {issued[1]}),
        ("tokens?state=expired", "id", set()),
        ("resources?label=env%3Dtest&label=a%3Db%3Dc", "name", {"bravo"}),
        ("resources?label=env%3Dprod", "name", {"sales"}),
        ("resources?protocol=other", "name", set()),
        ("identities?group=crew", "name", {"bot", "new"}),
        ("identities?origin=store&kind=human&disabled=true", "name", {"new"}),
        ("identities?disabled=true&origin=file", "name", set()),
    ):
        assert {each[key] for each in local("GET", f"/api/v1/{path}").json} == found, path


@pytest.mark.parametrize(
    "query",
    [
        "identiy=bot",
        "most=5",
        "identity=bot&identity=other",
        "limit=1&limit=1000",
        "limit=0",
        "limit=1001",
        "limit=x",
        "state=open&open=true&state=open",
        "state=closed&open=true",
        "state=everything",
        "begins=%27",
        "since=-1",
        "until=99999999999999999999",
        "identity=%00",
        "identity=a%0Ab",
        "resource=..",
        "cursor=",
        "cursor=AAAA",
    ],
)
def test_a_filter_that_is_not_understood_shows_nothing(local: Local, query: str) -> None:
    answer = local("GET", f"/api/v1/sessions?{query}")
    assert (answer.status, answer.json["type"]) == (422, "urn:wicketgate:problem:invalid")


def _cursor(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


FORGED = [
    _cursor("tokens", 0, ""),
    _cursor("sessions"),
    _cursor("sessions", -1, "x"),
    _cursor("sessions", 1 << 63, "x"),
    _cursor("sessions", 1e30, "x"),
    _cursor("sessions", True, "x"),
    _cursor("sessions", "0", "x"),
    _cursor("sessions", 0, None),
    _cursor("sessions", 0, "\0"),
    _cursor("sessions", 0, "\ud800"),
    _cursor("sessions", 0, "x", "y"),
    base64.urlsafe_b64encode(b"[" * 300).decode(),
    base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    "x" * 600,
    "é",
    "' OR 1=1 --",
]


@pytest.mark.parametrize("cursor", FORGED)
def test_a_cursor_that_is_none(local: Local, cursor: str) -> None:
    from urllib.parse import quote

    answer = local("GET", f"/api/v1/sessions?cursor={quote(cursor)}")
    assert (answer.status, answer.json["type"]) == (422, "urn:wicketgate:problem:invalid")


def test_a_forged_cursor_shows_nothing_more(remote: Remote) -> None:
    stage = remote.stage
    stage.control.rows = [ROW, replace(ROW, session="b" * 32, identity="other")]
    bot, viewer = remote.issue("bot"), remote.issue("prod-viewer")
    stage.control.rows.append(replace(ROW, session="c" * 32, identity="other", resource="bravo"))
    highest = _cursor("sessions", (1 << 63) - 1, "f" * 33)
    for token, seen in ((bot, {"a" * 32}), (viewer, {"a" * 32, "b" * 32})):
        answer = remote.ask("GET", f"/api/v1/sessions?cursor={highest}", token=token)
        assert {each["session"] for each in answer.json} == seen
    mine = remote.ask("GET", f"/api/v1/tokens?cursor={_cursor('tokens', 0, '')}", token=bot).json
    assert {each["identity"] for each in mine} == {"bot"}
    assert (
        remote.ask("GET", f"/api/v1/identities?cursor={_cursor('identities', 0, '')}", token=bot).status
        == 403
    )
