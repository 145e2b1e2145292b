"""Local accounts through the API and the command: made, changed, disabled, removed; and tags on them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api.stage import Answer, Remote, Stage
from wicketgate.model.token import ServiceAccount
from wicketgate.store.accounts import Accounts
from wicketgate.store.db import Store, store_url

Local = Callable[..., Answer]
AT = "/api/v1/identities"


def test_an_account_lives(remote: Remote) -> None:
    root = remote.issue("chief")

    def ask(method: str, path: str = "", body: Any = None, **headers: str) -> Answer:
        return remote.ask(method, AT + path, body, token=root, headers=headers)

    made = ask("POST", "", {"name": "new", "kind": "agent", "groups": ["crew"]})
    assert (made.status, made.headers["location"]) == (201, f"{AT}/new")
    assert made.json == {
        "name": "new",
        "kind": "agent",
        "groups": ["crew"],
        "origin": "store",
        "disabled": None,
    }
    assert ask("POST", "", {"name": "new"}).status == 409
    token = remote.issue("new")
    assert remote.ask("GET", "/api/v1/whoami", token=token).json["groups"] == ["crew"]
    changed = ask("PATCH", "/new", {"groups": ["support"], "kind": "service"})
    assert (changed.json["groups"], changed.json["kind"]) == (["support"], "service")
    assert remote.stage.control.puts[-1][:2] == ("identities", "new")
    off = ask("PATCH", "/new", {"disabled": True})
    assert off.json["disabled"] is not None
    assert remote.ask("GET", "/api/v1/whoami", token=token).status == 401
    assert remote.stage.control.puts[-1][2] == {
        "kind": "service", "groups": ["support"], "subject": "new", "issuer": "local",
        "disabled": off.json["disabled"],
    }  # fmt: skip
    assert ask("PATCH", "/new", {"disabled": True}).json == off.json
    assert ask("PATCH", "/new", {"disabled": False}).json["disabled"] is None
    assert remote.ask("GET", "/api/v1/whoami", token=token).status == 200
    assert ask("DELETE", "/new").status == 204
    assert ask("GET", "/new").status == 404
    ended = remote.stage.control.puts[-3:]
    assert [(section, value is None) for section, _, value in ended] == [
        ("identities", True),
        ("revoked", False),
        ("tokens", True),
    ]
    # whoever is made anew under the name does not get the old one's tokens
    assert ask("POST", "", {"name": "new", "groups": ["admins"]}).status == 201
    assert remote.ask("GET", "/api/v1/whoami", token=token).status == 401
    acts = [each["do"] for each in remote.stage.control.records if each["do"].startswith("identities")]
    assert acts == ["identities.make"] + ["identities.change"] * 3 + ["identities.remove", "identities.make"]


def test_the_file_s_accounts_keep_what_the_file_says(local: Local) -> None:
    for body in ({"groups": ["admins"]}, {"kind": "human"}, {"groups": []}):
        assert local("PATCH", f"{AT}/bot", body).status == 409
    assert local("DELETE", f"{AT}/bot").status == 409
    off = local("PATCH", f"{AT}/bot", {"disabled": True}).json
    assert (off["groups"], off["origin"], off["disabled"] is None) == (["crew"], "file", False)
    assert local("PATCH", f"{AT}/bot", {"disabled": False}).json["disabled"] is None


@pytest.mark.parametrize(
    "body",
    [
        {"name": "any"},
        {"name": "ANY", "groups": []},
        {"name": "new", "groups": ["any"]},
        {"name": "new", "groups": ["a/b"]},
        {"name": "new", "groups": ["a"] * 65},
        {"name": "a/b"},
        {"name": "new", "kind": "god"},
        {"name": "new", "administrator": True},
        {"name": "new", "origin": "file"},
        {"name": "new", "disabled": None},
        {"name": "new\x00"},
        {"name": "new", "groups": "admins"},
        {"name": ["new"]},
        [],
        "new",
        None,
    ],
)
def test_what_is_no_account(local: Local, stage: Stage, body: Any) -> None:
    assert local("POST", AT, body).status in (409, 415, 422)
    assert {each["origin"] for each in local("GET", AT).json} == {"file"}
    assert stage.control.puts == []


def test_what_changed_meanwhile_is_not_written_over(local: Local) -> None:
    made = local("POST", AT, {"name": "new"})
    tag = made.headers["etag"]
    assert local("GET", f"{AT}/new").headers["etag"] == tag
    assert local("GET", f"{AT}/new", headers={"if-none-match": f'"x", {tag}'}).status == 304
    changed = local("PATCH", f"{AT}/new", {"groups": ["crew"]}, headers={"if-match": tag})
    assert changed.status == 200
    for method, body in (("PATCH", {"groups": ["dba"]}), ("DELETE", None)):
        for wrong in (tag, 'W/"x"', f"W/{changed.headers['etag']}", "nonsense", ""):
            answer = local(method, f"{AT}/new", body, headers={"if-match": wrong})
            assert (answer.status, answer.json["type"]) == (412, "urn:wicketgate:problem:changed")
    assert local("GET", f"{AT}/new").json["groups"] == ["crew"]
    assert local("DELETE", f"{AT}/new", headers={"if-match": changed.headers["etag"]}).status == 204


def test_secrets_have_versions(local: Local) -> None:
    at = "/api/v1/secrets/sales"
    assert local("PUT", at, {"value": "v"}, headers={"if-match": "*"}).status == 412
    assert local("PUT", at, {"value": "v"}, headers={"if-none-match": "*"}).status == 200
    assert local("PUT", at, {"value": "w"}, headers={"if-none-match": "*"}).status == 412
    tag = local("GET", at).headers["etag"]
    assert local("PUT", at, {"value": "w"}, headers={"if-match": tag}).json["version"] == 2
    assert local("PUT", at, {"value": "x"}, headers={"if-match": tag}).status == 412
    assert local("GET", at).json["version"] == 2


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/v1/tokens", {"identity": "bot"}),
        ("POST", "/api/v1/policy/reload", None),
        ("DELETE", f"/api/v1/sessions/{'a' * 32}", None),
        ("DELETE", "/api/v1/secrets/sales", None),
    ],
)
def test_a_condition_that_nobody_hears_does_not_hold(
    local: Local, stage: Stage, method: str, path: str, body: Any
) -> None:
    for name in ("if-match", "if-none-match", "if-unmodified-since"):
        assert local(method, path, body, headers={name: "*"}).status == 412
    assert stage.control.records == []


async def test_the_store_changes_only_what_was_seen(tmp_path: Path) -> None:
    store = await Store.open(store_url(None, tmp_path))
    accounts = Accounts(store)
    old = ServiceAccount("new", groups=frozenset({"a"}))
    new = ServiceAccount("new", groups=frozenset({"b"}), disabled=7)
    assert await accounts.add(old, 1)
    assert not await accounts.add(new, 1)
    assert await accounts.change(old, new, 2)
    assert not await accounts.change(old, old, 2)
    assert not await accounts.change(None, old, 2)
    assert await accounts.remove(old, 3) is None
    assert await store.identities() == [new]
    assert await accounts.remove(new, 3) == []
    assert not await accounts.change(new, new, 2)
    assert await store.identities() == []
    await store.close()
