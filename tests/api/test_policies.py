"""The routes on the policy: what a person does with it, and what attackers and slips try."""

import concurrent.futures
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.conftest import served
from api.shelf import LOCKED, MORE, POLICY, Shelf
from api.stage import Answer, Remote, ask
from wicketgate.api.server import ApiSettings, serve
from wicketgate.control.credentials import LocalKey
from wicketgate.model.secret import Secret

AT = "/api/v1/policy"
Ask = Callable[..., Answer]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def serving(shelf: Shelf) -> Iterator[Ask]:
    path = shelf.folder / "api.sock"
    handle = serve(shelf.office, ApiSettings(path), shelf.logged.append)

    def request(method: str, target: str = "", body: Any = None, against: int | None = None) -> Answer:
        headers = {} if against is None else {"if-match": f'"{against}"'}
        return ask(path, method, AT + target, body, headers=headers)

    yield request
    handle.stop()


@pytest.fixture
def local(shelf: Shelf) -> Iterator[Ask]:
    yield from serving(shelf)


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shelf, Ask]]:
    """One for all that is refused and changes nothing."""
    shelf = Shelf(tmp_path_factory.mktemp("shelf"))
    for request in serving(shelf):
        yield shelf, request


@pytest.fixture
def remote(shelf: Shelf) -> Iterator[Remote]:
    with served(shelf) as found:
        yield found


def wanted(text: str, message: str = "as reviewed", **more: Any) -> dict[str, Any]:
    return {"text": text, "message": message, **more}


def test_a_policys_life(local: Ask, shelf: Shelf) -> None:
    first = local("GET")
    assert first.status == 200
    assert first.headers["etag"] == '"1"'
    assert first.json["made"] | {"created": 0} == {
        "revision": 1,
        "digest": first.json["digest"],
        "text_digest": first.json["made"]["text_digest"],
        "author": "the file's import",
        "how": "import",
        "message": f"from {shelf.config}",
        "created": 0,
        "restores": None,
        "intact": True,
    }
    assert first.json["text"] == POLICY
    made = local("PUT", "", wanted(MORE), 1)
    assert (made.status, made.json["changed"], made.headers["etag"]) == (200, True, '"2"')
    assert shelf.kept.held is not None
    assert shelf.kept.held.digest == made.json["made"]["digest"]
    again = local("PUT", "", wanted(MORE), 2)
    assert (again.status, again.json["changed"]) == (200, False)
    late = local("PUT", "", wanted(POLICY), 1)
    assert (late.status, late.json["type"]) == (412, "urn:wicketgate:problem:moved")
    compared = local("GET", "/diff?old=1&new=2").json
    assert compared["changes"] == [
        {"section": "rules", "name": "nobody writes", "change": "added", "keys": []}
    ]
    assert compared["diff"].count("\n+") == 2
    assert local("POST", "/diff?old=1", {"text": MORE}).json["changes"] == compared["changes"]
    assert local("POST", "/rollback", {"revision": 2, "message": "x"}, 2).status == 409
    back = local("POST", "/rollback", {"revision": 1, "message": "back"}, 2)
    assert back.json["made"]["restores"] == 1
    assert local("GET").json["text"] == POLICY
    page = local("GET", "/revisions?limit=2")
    assert [each["revision"] for each in page.json] == [3, 2]
    assert "text" not in page.json[0]
    rest = local("GET", page.headers["link"].partition(">")[0].removeprefix(f"<{AT}"))
    assert ([each["revision"] for each in rest.json], "link" in rest.headers) == ([1], False)
    assert local("GET", "/revisions/2").json["text"] == MORE
    assert local("GET", "/revisions/9").status == 404
    lines = [each for each in shelf.control.records if each["kind"] == "policy"]
    assert [(each["do"], each["by"], each["revision"], each["restores"]) for each in lines] == [
        ("policy.apply", "the file's import", 1, None),
        ("policy.apply", "local", 2, None),
        ("policy.rollback", "local", 3, 1),
    ]
    assert lines[2]["old"] == lines[1]["new"]


def test_validation_tells_lines_and_changes_nothing(local: Ask) -> None:
    bad = MORE.replace("permit: [read]", "permit: [reed]").replace("databases", "databasis")
    found = local("POST", "/validate", {"text": bad})
    assert found.status == 200
    assert not found.json["ok"]
    assert [(each["line"], each["column"]) for each in found.json["errors"]] == [(7, 5), (9, 5)]
    assert "did you mean 'databases'?" in found.json["errors"][1]["message"]
    refused = local("PUT", "", wanted(bad), 1)
    assert refused.status == 422
    assert [each.split(": ")[0] for each in refused.json["errors"]] == ["7:5", "9:5"]
    good = local("POST", "/validate", {"text": MORE}).json
    assert (good["ok"], good["resources"], good["rules"]) == (True, 1, 2)
    assert local("GET").json["revision"] == 1


INLINE = "{env: WICKET_TEST_PASSWORD}"
REFUSED = {
    "an alias": (MORE.replace("groups: [crew]}", "groups: &a [crew]}", 1), "anchors and aliases"),
    "laughs": (
        "a: &a [x,x,x]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\nrules: [*c]\n",
        "anchors and aliases",
    ),
    "a tag": ("rules: !!python/object/apply:os.system [ls]\n", "the tag"),
    "a key twice": (MORE + "rules: []\n", "given twice"),
    "two documents": (MORE + "---\nrules: []\n", "second document"),
    "nothing": ("# nothing\n", "the file is empty"),
    "settings": (MORE + "gateway: {workers: 9}\n", "no part of the policy"),
    "too deep": ("rules: " + "[" * 40 + "]" * 40 + "\n", "nested deeper"),
    "a null byte": (MORE + "# \x00\n", ""),
    "half a character": (MORE + "# \ud800\n", "character that can't be kept"),
    "a password": (MORE.replace(INLINE, "hunter2"), "never written out"),
    "one as its own ciphertext": (MORE.replace(INLINE, "{inline: hunter2}"), "opens no such ciphertext"),
    "one in a comment": (MORE + "# password: hunter2\n", "credential in a comment"),
    "one in a comment at the end": (MORE.replace("# read only", "#password=hunter2"), "in a comment"),
    "one in an address": (MORE + "# postgresql://ro:hunter2@db.internal/sales\n", "an address with"),
    "a token": (MORE + "# wkt_hunter2hunter2hunter2\n", "token"),
    "a key": (MORE + "# -----BEGIN EC PRIVATE KEY-----hunter2\n", "private key"),
    "an unknown vault": (MORE.replace(INLINE, "{vault: 'corp:a#b'}"), "no server 'corp'"),
    "bidirectional text": (MORE + "# \u202e\n", "U+202E"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_applied(unchanged: tuple[Shelf, Ask], what: str) -> None:
    shelf, local = unchanged
    text, why = REFUSED[what]
    answer = local("PUT", "", json.dumps(wanted(text)).encode(), 1)
    assert answer.status == 422
    assert why in answer.body.decode("utf-8").replace('\\"', '"')
    assert b"hunter2" not in answer.body
    assert local("GET").json["newest"] == 1
    assert "hunter2" not in "".join(shelf.logged) + str(shelf.control.records)


def test_no_clear_secret_reaches_the_store(local: Ask, shelf: Shelf) -> None:
    """A ciphertext that the gateway's own key opens may; what it says may not."""
    key = LocalKey.load_or_make(shelf.folder / "local.key")
    text = MORE.replace(INLINE, f"{{inline: {key.encrypt(Secret(b'hunter2'))}}}")
    assert local("PUT", "", wanted(text), 1).status == 200
    for message in ("password: hunter2", "two\nlines", " ", "\x1b[2J", "see postgresql://a:hunter2@b/"):
        assert local("PUT", "", wanted(POLICY, message), 2).status in (409, 422)
    for file in shelf.folder.glob("wicketgate.sqlite*"):
        assert b"hunter2" not in file.read_bytes()


@pytest.mark.parametrize("tag", [None, "*", 'W/"1"', "1", '"1", "2"', '"x"', '"-1"', '"99999999999"'])
def test_a_change_says_what_it_was_made_against(unchanged: tuple[Shelf, Ask], tag: str | None) -> None:
    shelf, local = unchanged
    headers = {} if tag is None else {"if-match": tag}
    for method, target, body in (
        ("PUT", "", wanted(MORE)),
        ("POST", "/rollback", {"revision": 1, "message": "x"}),
    ):
        answer = ask(shelf.folder / "api.sock", method, AT + target, body, headers=headers)
        assert answer.status == 428
    assert local("GET").json["newest"] == 1


def test_too_much_is_not_read(local: Ask) -> None:
    """Beyond the bound of these routes, of the text itself, and where a policy has no business."""
    assert local("PUT", "", b'{"text": "' + b"x" * (10 << 20), 1).status == 413
    long = local("POST", "/validate", {"text": "#" * ((4 << 20) + 1)})
    assert long.status == 422
    assert len(long.body) < 1000
    assert local("POST", "/rollback", {"revision": 1, "message": "x" * 70_000}, 1).status == 413
    rules = "".join(
        f"  - {{name: rule {at}, resources: [sales], when: statement.has('write'), deny: No.}}\n"
        for at in range(1500)
    )
    assert len(rules) > 100_000
    applied = local("PUT", "", wanted(POLICY + rules), 1)
    assert applied.status == 200, applied.body
    assert local("PUT", "", b'{"text": "\xff", "message": "x"}', 2).status in (400, 422)


def test_who_may(remote: Remote) -> None:
    """Whole tokens of administrators alone; nobody else's long text is even read."""
    admin = remote.issue("root-bot", lifetime=3600)
    assert remote.ask("GET", AT, token=admin).json["revision"] == 1
    tokens = {
        "another's": remote.issue("bot"),
        "scoped": remote.issue("root-bot", resources=["sales"]),
        "of one rule": remote.issue("root-bot", rules=["crews read sales"]),
    }
    routes = [
        ("GET", "", None),
        ("GET", "/revisions", None),
        ("GET", "/revisions/1", None),
        ("GET", "/diff", None),
        ("POST", "/diff", {"text": POLICY}),
        ("POST", "/validate", {"text": POLICY}),
        ("PUT", "", wanted(MORE)),
        ("POST", "/rollback", {"revision": 1, "message": "x"}),
    ]
    for token in tokens.values():
        for method, target, body in routes:
            headers = {"if-match": '"1"'} if method == "PUT" or target == "/rollback" else {}
            answer = remote.ask(method, AT + target, body, token=token, headers=headers)
            assert answer.status == 403, (method, target, answer.body)
        big = remote.ask("POST", f"{AT}/validate", {"text": "#" * 100_000}, token=token)
        assert big.status == 413
    for method, target, body in routes:
        assert remote.ask(method, AT + target, body).status == 401
    made = remote.ask("PUT", AT, wanted(MORE), token=admin, headers={"if-match": '"1"'})
    assert made.json["made"]["author"] == "root-bot"
    own = remote.ask("PUT", AT, wanted(LOCKED), token=admin, headers={"if-match": '"2"'})
    assert (own.status, "root-bot would not administrate" in own.json["detail"]) == (409, True)
    nobody = ask(remote.settings.socket, "PUT", AT, wanted(LOCKED), headers={"if-match": '"2"'})
    assert (nobody.status, "leaves nobody" in nobody.json["detail"]) == (409, True)
    trusting = LOCKED + "identity: {issuers: {main: {url: https://id.internal, audiences: [w]}}}\n"
    assert remote.ask("PUT", AT, wanted(trusting), token=admin, headers={"if-match": '"2"'}).status == 409
    forced = ask(remote.settings.socket, "PUT", AT, wanted(LOCKED, force=True), headers={"if-match": '"2"'})
    assert forced.status == 200
    assert remote.ask("GET", AT, token=admin).status in (401, 403)
    assert [each["forced"] for each in remote.stage.control.records if each.get("revision") == 3] == [True]


def test_one_of_many_at_once_wins(local: Ask, shelf: Shelf) -> None:
    def apply(at: int) -> int:
        return local("PUT", "", wanted(f"{MORE}# {at}\n"), 1).status

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(apply, range(4)))
    assert answers == [200, 412, 412, 412]
    assert local("GET").json["newest"] == 2
    assert sum(each.get("revision") == 2 for each in shelf.control.records) == 1


def test_what_can_not_be_recorded_is_not_kept(local: Ask, shelf: Shelf) -> None:
    shelf.control.journal_full = True
    assert local("PUT", "", wanted(MORE), 1).status == 503
    assert local("GET").json["newest"] == 1
    shelf.control.journal_full = False
    assert local("PUT", "", wanted(MORE), 1).status == 200


def test_what_was_changed_in_the_store_is_not_loaded(local: Ask, shelf: Shelf) -> None:
    """tests/test_policies.py has all the ways; here is what people see."""
    assert local("PUT", "", wanted(MORE), 1).status == 200
    held = shelf.kept.held
    with sqlite3.connect(shelf.folder / "wicketgate.sqlite") as connection:
        connection.execute("UPDATE policy_revisions SET author = 'somebody else' WHERE number = 2")
    connection.close()
    assert local("POST", "/reload").status == 422
    assert shelf.kept.held is held
    shown = local("GET").json
    assert (shown["revision"], shown["text"], shown["made"]["intact"]) == (2, None, False)
    assert "is not as it was written" in shown["error"]
    assert local("PUT", "", wanted(POLICY + "# x\n"), 2).status == 422
    assert local("GET", "/revisions/2").status == 409
    assert local("POST", "/rollback", {"revision": 2, "message": "x"}, 2).status == 409
    assert [each["intact"] for each in local("GET", "/revisions").json] == [False, True]


def test_an_adoption_that_fails_says_so(local: Ask, shelf: Shelf) -> None:
    """It is kept; what held goes on, and a later one can be made upon it."""
    shelf.kept.broken = True
    told = local("PUT", "", wanted(MORE), 1)
    assert (told.status, told.json["detail"]) == (500, "it could not be made to hold")
    shown = local("GET").json
    assert (shown["revision"], shown["newest"]) == (1, 2)
    shelf.kept.broken = False
    assert local("PUT", "", wanted(MORE), 2).json["made"]["revision"] == 3
    assert local("GET").json["revision"] == 3


def test_a_files_policy_is_not_written(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, "file", POLICY + "# password: hunter2\n")
    for local in serving(shelf):
        shown = local("GET")
        assert (shown.json["source"], shown.json["revision"]) == ("file", None)
        assert shown.json["text"] == POLICY + "# left out: this looks like a credential in a comment\n"
        assert local("GET", "/revisions").json == []
        assert local("GET", "/revisions/1").status == 404
        for answer in (
            local("PUT", "", wanted(MORE), 1),
            local("POST", "/rollback", {"revision": 1, "message": "x"}, 1),
            local("PUT", "", wanted(MORE)),
        ):
            assert answer.status == 409
            assert "policy: {source: store}" in answer.json["detail"]
        assert local("POST", "/validate", {"text": MORE}).json["ok"]
        assert local("POST", "/diff", {"text": MORE}).json["changes"][0]["name"] == "nobody writes"
    assert os.listdir(tmp_path)
