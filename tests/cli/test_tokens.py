"""`wicket token …`, against an API on a real socket, and straight on the store where none runs."""

import json
import os
import re
from pathlib import Path

import pytest

from api.stage import Stage
from cli.conftest import Run
from wicketgate.cli.ending import Ended
from wicketgate.cli.tokens import lifetime
from wicketgate.identity import tokens
from wicketgate.journal.checkpoint import SigningKey
from wicketgate.journal.parse import parse
from wicketgate.journal.report import Fault, Verdict
from wicketgate.journal.segments import read_lines, writers
from wicketgate.journal.verify import verify
from wicketgate.model.secret import Secret

RULE = "  - {name: never, resources: [sales], deny: No.}\n"


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


def test_a_token_is_scoped_to_rules_and_networks(wicket: Run, config: Path) -> None:
    config.write_text(config.read_text() + RULE)
    scope = ("--resource", "sales", "--rule", "crews read sales", "--from", "10.0.0.0/8", "--ttl", "15m")
    made = wicket("token", "issue", "bot", *scope, "--json").json
    assert (made["rules"], made["networks"], made["last_used"]) == (
        ["crews read sales"],
        ["10.0.0.0/8"],
        None,
    )
    assert round((made["expires"] - made["created"]) / 10**9) == 900
    assert "sales by crews read sales from 10.0.0.0/8" in wicket("token", "list").out
    for refused in (("--rule", "crews reed"), ("--rule", "never"), ("--from", "10.0.0.1/8"), ("--from", "*")):
        ran = wicket("token", "issue", "bot", *refused)
        assert (ran.code, ran.out) == (1, "")


FOR_ANA = ("--for-task", "weekly report", "--on-behalf-of", "ana", "--resource", "sales")
DECLARED = ("--crew", "sales", "--agent", "analyst", "--task", "t-42", "--effect", "read", "--rows", "100")


def test_a_token_for_a_task(wicket: Run, config: Path) -> None:
    config.write_text(config.read_text().replace("identities:", "identities:\n  ana: {groups: [staff]}", 1))
    made = wicket("token", "issue", "bot", *FOR_ANA, *DECLARED, "--relation", "public.orders", "--json").json
    assert made["task"] == {
        "name": "t-42",
        "purpose": "weekly report",
        "behalf": "ana",
        "agent": "analyst",
        "crew": "sales",
        "effects": ["read"],
        "relations": ["public.orders"],
        "rows": 100,
    }
    assert round((made["expires"] - made["created"]) / 10**9) == 900
    assert "sales for ana, task t-42" in wicket("token", "list").out
    unnamed = wicket("token", "issue", "bot", *FOR_ANA, "--json").json["task"]
    assert (unnamed["name"][:2], unnamed["agent"], unnamed["effects"]) == ("t-", "bot", [])


def test_an_agent_with_an_account_of_its_own(wicket: Run, config: Path) -> None:
    config.write_text(config.read_text().replace("identities:", "identities:\n  ana: {groups: [staff]}", 1))
    made = wicket("token", "issue", *FOR_ANA, "--crew", "sales", "--agent", "bot", "--json").json
    assert made["identity"] == "bot"
    assert (made["task"]["behalf"], made["task"]["crew"]) == ("ana", "sales")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("bot", *FOR_ANA[:2], *FOR_ANA[4:]), "needs --for-task and --on-behalf-of"),
        (("bot", *FOR_ANA[2:]), "needs --for-task and --on-behalf-of"),
        (("bot", "--relation", "public.orders"), "needs --for-task and --on-behalf-of"),
        (("bot", *FOR_ANA[:4]), "names the resources"),
        ((), "name it, or --agent"),
        (("bot", "--agent", "analyst"), "only for a task"),
        (("--agent", "nobody", *FOR_ANA), "nobody"),
        (("bot", *FOR_ANA, "--ttl", "25h"), "within a day"),
        (("bot", *FOR_ANA, "--ttl", "never"), "within a day"),
        (("bot", *FOR_ANA, "--on-behalf-of", "eve"), "no local account of a human"),
        (("bot", *FOR_ANA, "--on-behalf-of", "root-bot"), "no local account of a human"),
        (("bot", *FOR_ANA, "--on-behalf-of", "bot"), "no local account of a human"),
        (("ana", *FOR_ANA), "a human's account"),
        (("bot", *FOR_ANA, "--effect", "unknown"), "can't declare unknown"),
        (("bot", *FOR_ANA, "--effect", "reed"), "reed"),
        (("bot", *FOR_ANA, "--relation", "orders"), "full name"),
        (("bot", *FOR_ANA, "--task", "t 42"), "can't name a task"),
        (("bot", *FOR_ANA, "--crew", "a/b"), "can't name a crew"),
        (("bot", *FOR_ANA, "--for-task", "a\nb"), "one line"),
        (("bot", *FOR_ANA, "--rows", "0"), "--rows"),
    ],
)
def test_tasks_that_are_refused(wicket: Run, config: Path, arguments: tuple[str, ...], why: str) -> None:
    config.write_text(config.read_text().replace("identities:", "identities:\n  ana: {groups: [staff]}", 1))
    ran = wicket("token", "issue", *arguments)
    assert (ran.code != 0, ran.out) == (True, "")
    assert why in ran.err


def test_the_answer_is_no(wicket: Run, gateway: Stage) -> None:
    nobody = wicket("token", "issue", "nobody")
    assert (nobody.code, nobody.out) == (1, "")
    assert nobody.err.count("\n") == 1
    assert wicket("token", "revoke", "0" * 16).code == 1
    assert wicket("token", "issue", "bot", "--resource", "absent").code == 1
    assert (
        wicket("token", "issue", "--agent", "new", "--group", "crew", "--json").json["created_identity"]
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
    for path in (config.parent / "state").rglob("*"):
        assert path.is_dir() or made["token"][4:40].encode() not in path.read_bytes()


def test_where_no_gateway_runs_it_is_recorded_all_the_same(wicket: Run, config: Path) -> None:
    """By a writer of its own, one a command; listing records nothing. The journal holds."""
    journal = config.parent / "state" / "journal"
    assert wicket("token", "list").code == 0
    assert not journal.exists() or not list(journal.iterdir())
    made = wicket("token", "issue", "bot", "--json").json
    assert wicket("token", "revoke", made["id"]).code == 0
    assert wicket("token", "issue", "nobody").code == 1
    files = writers(journal)
    assert len(files) == 2
    assert len({each.node for each in files}) == 1
    lines = [parse(raw.data) for each in files for path in each.segments.values() for raw in read_lines(path)]
    told = [json.loads(line.body or b"") for line in lines if line.kind == "admin"]
    acts = {(each["do"], each["by"], each["token"] if "token" in each else each["name"]) for each in told}
    assert acts == {("tokens.issue", "local", made["id"]), ("tokens.revoke", "local", made["id"])}
    report = verify(journal, [], SigningKey.generate().public)
    assert report.verdict is Verdict.UNWITNESSED, report.faults
    assert sum(one.fault is Fault.OFFLINE for one in report.findings) == 2
    assert all(tail.last == tail.sealed > 0 for tail in report.tails)


def test_no_token_is_made_that_cannot_be_recorded(wicket: Run, config: Path) -> None:
    state = config.parent / "state"
    state.mkdir(mode=0o700)
    (state / "journal").write_text("no folder")
    ran = wicket("token", "issue", "bot")
    assert (ran.code, ran.out) == (1, "")
    assert "record" in ran.err
    assert wicket("token", "list", "--json").json == []


def test_another_users_state_is_left_alone(
    wicket: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    ran = wicket("token", "issue", "bot")
    assert ran.code != 0
    assert "another user" in ran.err
    assert wicket("token", "list", "--json").json == []


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
