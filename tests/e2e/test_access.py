"""The history of access on a live gateway: psql works, the report tells it, a narrower policy is tried."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from corpus import worlds
from e2e.house import House
from e2e.scripts import Target
from e2e.watch import eventually
from servers import system
from servers.postgres import Postgres
from wicketgate.cli.client import Client, Where
from wicketgate.cli.main import app

RULES = """\
rules:
  # people who read
  - {name: readers read, identities: {groups: [readers, interns]}, resources: any, account: common,
     permit: [read, write], mask: {payment-card: last4}}
  # they write
  - name: writers write
    identities: {groups: [writers]}
    resources: [alpha]
    account: common
    permit: [read, write, delete]
  - {name: "=definers define", identities: {groups: [definers]}, resources: any, account: owner,
     permit: [define]}
"""


@pytest.fixture(scope="module")
def house(postgres15: Postgres) -> Iterator[House]:
    if not postgres15.sql("SELECT 1 FROM pg_database WHERE datname = %s", worlds.ALPHA, database="postgres"):
        worlds.build(postgres15)
    folder = system.folder("wicketgate-access")
    rules = RULES.replace("[alpha]", f"[{worlds.ALPHA}]")
    more = "  history_days: 30\n"
    made = House(folder, postgres15, workers=2, rules=rules, databases=(worlds.ALPHA,), more=more)
    made.gateway.start()
    yield made
    made.gateway.stop()
    system.remove(folder)


def psql(house: House, identity: str, *texts: str) -> str:
    """What it prints of these statements, each as it is."""
    target = Target("localhost", house.gateway.port, identity, house.token(identity), worlds.ALPHA, house.ca)
    arguments = [part for text in texts for part in ("-c", text)]
    done = subprocess.run(
        ["psql", "-XAtq", *arguments],
        capture_output=True,
        text=True,
        env=target.environment(),
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


def asked(house: House, path: str = "report", method: str = "GET", **query: str) -> Any:
    """What the API says, on the local socket."""
    return Client(Where(socket=house.state / "api.sock")).ask(method, f"/access/{path}", None, **query)


def wicket(house: House, *arguments: str) -> str:
    """What `wicket access …` prints, run in this process."""
    command = ["access", *arguments, "-c", str(house.gateway.configuration)]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def counted(house: House) -> dict[tuple[str, str], dict[str, Any]]:
    """The report's lines, by identity and rule, once all is counted."""

    def look() -> dict[tuple[str, str], dict[str, Any]] | None:
        found = {(each["identity"], each["rule"]): each for each in asked(house)["granted"]}
        return found if found["writer", "writers write"]["count"] >= 2 else None

    return eventually(look, "what was used, counted")


def test_what_was_used_is_told_and_the_rest_left_out(house: House) -> None:
    secret = "'4111-secret'"
    assert "ERROR" not in psql(house, "reader", "SELECT id FROM vault", f"SELECT {secret}", "SELECT 1")
    write = "UPDATE vault SET label = label WHERE id = 1"
    assert "ERROR" not in psql(house, "writer", write, "SELECT count(*) FROM vault")
    assert "no rule permits you to delete" in psql(house, "reader", "DELETE FROM vault")
    found = counted(house)
    reader, writer = found["reader", "readers read"], found["writer", "writers write"]
    assert (reader["status"], reader["used"], reader["unused"]) == ("partly used", ["read"], ["write"])
    assert (reader["relations"], reader["standing"]) == (["public.vault"], True)
    assert (writer["used"], writer["unused"], writer["count"]) == (["read", "write"], ["delete"], 2)
    definer = found["definer", "=definers define"]
    assert (definer["status"], definer["count"], definer["last"]) == ("unused", 0, None)

    # neither values nor texts are kept
    everything = b"".join(path.read_bytes() for path in house.state.glob("wicketgate.sqlite*"))
    assert b"public.vault" in everything
    assert b"4111-secret" not in everything

    config = str(house.gateway.configuration)
    rows = list(csv.DictReader(io.StringIO(wicket(house, "report", "--csv"))))
    rules = {row["rule"] for row in rows}
    assert "'=definers define" in rules
    assert len(rows) == len(found)
    one = asked(house, identity="reader")["granted"]
    assert {each["identity"] for each in one} == {"reader"}
    assert asked(house, resource="nowhere")["granted"] == []
    shown = wicket(house, "report")
    assert "readers read" in shown
    assert "standing" in shown

    kept = json.loads(wicket(house, "report", "--keep", "--json"))
    assert kept["changed"] is None
    suggestion = asked(house, "suggestion")
    assert suggestion["left_out"] == [
        "rule 'readers read': without effects write",
        "rule 'writers write': without effects delete",
        "rule '=definers define': left out",
    ]
    told = wicket(house, "suggest")
    assert told == suggestion["difference"]
    assert "COMMON_PASSWORD" not in told

    # it is applied, and all that was done is still done
    subprocess.run(["patch", "-p0", config], input=told, text=True, check=True, stdout=subprocess.DEVNULL)
    before = asked(house)["policy"]
    os.kill(house.gateway.pid, signal.SIGHUP)
    eventually(lambda: asked(house)["policy"] != before, "the narrower policy")
    assert "ERROR" not in psql(house, "reader", "SELECT id FROM vault", "SELECT 1")
    assert "ERROR" not in psql(house, "writer", write, "SELECT count(*) FROM vault")
    assert "no rule permits you to delete" in psql(house, "writer", "DELETE FROM vault")
    changed = asked(house)["changed"]
    assert changed["policy_changed"] is True
    assert changed["added"] == []
    assert {(each["identity"], each["effect"]) for each in changed["removed"]} == {
        ("reader", "write"),
        ("writer", "delete"),
        ("definer", "define"),
    }
    assert asked(house, "suggestion")["difference"] == ""


def test_groups_that_change_are_told(house: House) -> None:
    config = house.gateway.configuration
    text = config.read_text()
    before = "definer: {kind: agent, groups: [definers]}"
    config.write_text(text.replace(before, before.replace("[definers]", "[readers]")))
    os.kill(house.gateway.pid, signal.SIGHUP)

    def told() -> Any:
        found = asked(house)["groups"]
        return [each for each in found if each["identity"] == "definer" and each["removed"]]

    (changed,) = eventually(told, "the change of groups")
    assert (changed["added"], changed["removed"], changed["gone"]) == (["readers"], ["definers"], False)
