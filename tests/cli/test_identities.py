"""`wicket identity …`: against an API, and straight on the store where no gateway runs."""

from pathlib import Path

import pytest

from api.stage import Stage
from cli.conftest import Run


def test_an_account_lives(wicket: Run, gateway: Stage) -> None:
    added = wicket("identity", "add", "new", "--kind", "agent", "-g", "crew", "--json").json
    assert (added["name"], added["kind"], added["groups"], added["origin"]) == (
        "new",
        "agent",
        ["crew"],
        "store",
    )
    assert wicket("identity", "add", "new").code == 1
    assert "new" in {each["name"] for each in wicket("identity", "list", "-g", "crew", "--json").json}
    assert wicket("identity", "change", "new", "-g", "a", "-g", "b").out == "new: agent, a, b, enabled\n"
    assert wicket("identity", "change", "new", "--no-groups").out == "new: agent, no groups, enabled\n"
    assert "disabled 20" in wicket("identity", "disable", "new").out
    assert "disabled 20" in wicket("identity", "list").out
    assert wicket("identity", "enable", "new").out == "new: agent, no groups, enabled\n"
    assert wicket("identity", "show", "new").code == 0
    assert wicket("identity", "remove", "new").out == "new is removed\n"
    gone = wicket("identity", "show", "new")
    assert (gone.code, gone.err) == (1, "wicket: no identity is named new\n")
    file = wicket("identity", "remove", "bot")
    assert (file.code, "configuration file" in file.err) == (1, True)
    assert gateway.control.records[0]["do"] == "identities.make"


@pytest.mark.parametrize(
    "wrong",
    [
        ("show", "a/b"),
        ("show", ".."),
        ("add", "a b"),
        ("add", "new", "--kind", "god"),
        ("change", "bot"),
        ("change", "bot", "-g", "a", "--no-groups"),
        ("change", "bot", "--kind", "god"),
        ("add", "new", "-g", "a/b"),
    ],
)
def test_wrong_usage(wicket: Run, gateway: Stage, wrong: tuple[str, ...]) -> None:
    assert wicket("identity", *wrong).code == 2
    assert gateway.control.records == []


def test_without_a_gateway_it_is_done_in_the_store(wicket: Run, config: Path) -> None:
    added = wicket("identity", "add", "new", "-g", "crew")
    assert (added.code, "no gateway is running" in added.err) == (0, True)
    assert {each["name"] for each in wicket("identity", "list", "--json").json} == {"bot", "new", "root-bot"}
    assert wicket("identity", "disable", "new", "--json").json["disabled"] is not None
    assert wicket("identity", "show", "new", "--json").json["groups"] == ["crew"]
    assert wicket("identity", "remove", "new").code == 0
    assert wicket("identity", "show", "new").code == 1
    assert wicket("identity", "list", "--url", "https://127.0.0.1:1").code in (2, 3)


def test_long_lists_come_whole(wicket: Run, gateway: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    from wicketgate.cli import client

    monkeypatch.setattr(client, "PAGE", 2)
    for each in range(5):
        wicket("token", "issue", "bot", "--note", f"n {each} & +")
    assert len(wicket("token", "list", "bot", "--json").json) == 5
    assert len(wicket("identity", "list", "--json").json) == len(gateway.filed)
    assert len(wicket("sessions", "list", "-n", "1", "--json").json) == 1
