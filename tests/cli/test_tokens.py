"""`wicket token …`, against an API on a real socket, and straight on the store where none runs."""

import re
from pathlib import Path

import pytest

from api.stage import Stage
from cli.conftest import Run
from wicketgate.cli.ending import Ended
from wicketgate.cli.tokens import lifetime
from wicketgate.identity import tokens
from wicketgate.model.secret import Secret


def test_issue_prints_the_token_alone_and_once(wicket: Run, gateway: Stage) -> None:
    ran = wicket("token", "issue", "bot", "--expires", "8h", "--resource", "sales", "--note", "nightly")
    assert ran.code == 0
    text = ran.out.removesuffix("\n")
    assert tokens.parse(Secret(text.encode()))
    assert text not in ran.err
    [listed] = wicket("token", "list", "--json").json
    assert (listed["identity"], listed["note"], listed["resources"]) == ("bot", "nightly", ["sales"])
    assert round((listed["expires"] - listed["created"]) / 10**9 / 3600) == 8
    shown = wicket("token", "list").out
    assert listed["id"] in shown
    assert "good" in shown
    assert text not in shown
    revoked = wicket("token", "revoke", listed["id"])
    assert revoked.out == f"token {listed['id']} of bot is revoked\n"
    assert "revoked" in wicket("token", "list", "bot").out
    assert wicket("token", "list", "other", "--json").json == []


def test_the_answer_is_no(wicket: Run, gateway: Stage) -> None:
    nobody = wicket("token", "issue", "nobody")
    assert (nobody.code, nobody.out) == (1, "")
    assert nobody.err.count("\n") == 1
    assert wicket("token", "revoke", "0" * 16).code == 1
    assert wicket("token", "issue", "bot", "--resource", "absent").code == 1
    assert (
        wicket("token", "issue", "new", "--group", "crew", "--agent", "--json").json["created_identity"]
        is True
    )


def test_where_no_gateway_runs_the_store_is_used(wicket: Run, config: Path) -> None:
    ran = wicket("token", "issue", "bot")
    assert ran.code == 0
    assert tokens.parse(Secret(ran.out.strip().encode()))
    assert "no gateway is running" in ran.err
    made = wicket("token", "issue", "new", "-g", "crew", "--json").json
    assert made["created_identity"] is True
    assert wicket("token", "issue", "bot", "-r", "absent").code == 1
    listed = wicket("token", "list", "--json").json
    assert [each["identity"] for each in listed] == ["bot", "new"]
    assert wicket("token", "revoke", made["id"]).code == 0
    assert [each["holds"] for each in wicket("token", "list", "--json").json] == [True, False]
    for path in (config.parent / "state").iterdir():
        assert made["token"][4:40].encode() not in path.read_bytes()


def test_elsewhere_is_never_the_local_store(
    wicket: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WICKET_TOKEN", "wkt_x")
    assert wicket("token", "list", "--url", "https://127.0.0.1:1").code == 3
    assert not (config.parent / "state").exists()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(None, None), ("never", None), ("30d", 2_592_000), ("12h", 43_200), ("90m", 5400), ("2w", 1_209_600)],
)
def test_lifetimes(text: str | None, seconds: int | None) -> None:
    assert lifetime(text) == seconds


@pytest.mark.parametrize("text", ["", "0d", "1", "1y", "-1d", "1d ", "99999999999d"])
def test_lifetimes_that_are_none(text: str) -> None:
    with pytest.raises(Ended, match=re.escape("30d")):
        lifetime(text)
