"""People whose issuer is asked again, on live psql sessions: groups taken away, people who are gone."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from cli.test_login import browse
from corpus import worlds
from e2e.house import IDENTITIES, RULES, House
from e2e.scripts import Target
from e2e.watch import eventually, lines
from servers import system
from servers.postgres import Postgres
from servers.provider import Provider
from wicketgate.cli.issuer import Site, Wanted

ISSUERS = """\
identity:
  issuers:
    main:
      url: {url}
      audiences: [wicketgate]
      parties: [cli]
      reread: {{userinfo: true, every: 1s, grace: 3s}}
"""
BOTH = {"ana": ["readers"], "ben": ["readers", "writers"]}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    folder = system.folder("wicketgate-provider")
    made = Provider(folder)
    yield made
    made.stop()
    system.remove(folder)


@pytest.fixture(scope="module")
def house(postgres15: Postgres, provider: Provider) -> Iterator[House]:
    if not postgres15.sql("SELECT 1 FROM pg_database WHERE datname = %s", worlds.ALPHA, database="postgres"):
        worlds.build(postgres15)
    folder = system.folder("wicketgate-rereading")
    made = House(
        folder,
        postgres15,
        rules=RULES + ISSUERS.format(url=provider.issuer),
        databases=(worlds.ALPHA,),
        identities={**IDENTITIES, "clerk": "readers"},
    )
    made.gateway.start()
    eventually(lambda: "issuer main: 2 keys" in made.gateway.log(), "the provider's keys")
    yield made
    made.gateway.stop()
    system.remove(folder)


@pytest.fixture(autouse=True)
def good(provider: Provider) -> None:
    provider.trouble("")
    provider.people(**BOTH)


class Psql:
    """A psql that stays open, as a person has it."""

    def __init__(self, house: House, person: str, secret: str) -> None:
        target = Target("localhost", house.gateway.port, person, secret, worlds.ALPHA, house.ca)
        self._process = subprocess.Popen(
            ["psql", "-XAtq", "-v", "ON_ERROR_STOP=0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
            env=target.environment(),
        )

    def ask(self, text: str) -> str:
        """What it prints of a statement; `over` where it has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        said = ""
        try:
            self._process.stdin.write(f"{text};\n\\echo (done)\n")
            self._process.stdin.flush()
        except OSError:
            return "over"
        while (line := self._process.stdout.readline()) != "(done)\n":
            if not line:
                return "over"
            said += line
        return "over" if "connection to server was lost" in said else said.strip()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def opened(house: House, provider: Provider) -> Iterator[dict[str, Psql]]:
    """A live session each of ana and ben."""
    made = {person: Psql(house, person, sign_in(provider, person)) for person in BOTH}
    for each in made.values():
        assert each.ask("SELECT 40 + 2") == "42"
    yield made
    for each in made.values():
        each.end()


def sign_in(provider: Provider, person: str) -> str:
    site = Site(Wanted(provider.issuer, "cli", resource="urn:wicketgate"))
    shown: list[str] = []
    found = site.device(lambda address, code: shown.append(address), lambda _: browse(shown[0], person))
    return found.reveal().decode()


WRITE = "UPDATE vault SET label = label WHERE id = 1"


def test_groups_that_are_taken_away(house: House, provider: Provider, opened: dict[str, Psql]) -> None:
    ana, ben = opened["ana"], opened["ben"]
    assert "ERROR" not in ben.ask(WRITE)
    provider.people(ana=["readers"], ben=["readers", "others"])
    before = time.monotonic()
    # what is permitted now only reads, and needs another kind of session: the old one is over
    eventually(lambda: ben.ask("SELECT 1") == "over", "the end of ben's session")
    assert time.monotonic() - before < 5
    assert ana.ask("SELECT 1") == "1"
    groups = [line.head["i"]["groups"] for line in lines(house.journal) if line.kind == "open"]
    assert sorted(groups) == [["readers"], ["readers", "writers"]]
    again = Psql(house, "ben", sign_in(provider, "ben"))
    assert again.ask("SELECT 1") == "1"
    assert "no rule permits you to write" in again.ask(WRITE)
    again.end()


def test_a_person_who_is_gone(house: House, provider: Provider, opened: dict[str, Psql]) -> None:
    provider.people(ben=["readers", "writers"])
    before = time.monotonic()
    eventually(lambda: opened["ana"].ask("SELECT 1") == "over", "the end of ana's session")
    assert time.monotonic() - before < 5
    assert opened["ben"].ask("SELECT 1") == "1"
    assert "ana is over: its issuer says 401" in house.gateway.log()


def test_an_issuer_that_does_not_answer(house: House, provider: Provider, opened: dict[str, Psql]) -> None:
    secret = sign_in(provider, "ben")
    provider.trouble("500")
    before = time.monotonic()
    eventually(lambda: opened["ana"].ask("SELECT 1") == "over", "the end of ana's session")
    assert 2.5 < time.monotonic() - before < 9
    # nor does anybody sign in by it
    assert Psql(house, "ben", secret).ask("SELECT 1") == "over"
    provider.trouble("")
    back = Psql(house, "ben", secret)
    assert back.ask("SELECT 1") == "1"
    back.end()
    everything = b"".join(path.read_bytes() for path in house.journal.rglob("*.log"))
    assert secret.encode() not in everything
    assert secret not in house.gateway.log()


def test_one_that_answers_about_somebody_else(
    house: House, provider: Provider, opened: dict[str, Psql]
) -> None:
    provider.trouble("another")
    eventually(lambda: opened["ana"].ask("SELECT 1") == "over", "the end of ana's session")
    assert "its issuer answers about somebody else" in house.gateway.log()


def test_local_accounts_change_at_once(house: House) -> None:
    """No issuer is asked about them: the policy says who they are."""
    clerk = Psql(house, "clerk", house.token("clerk"))
    other = Psql(house, "reader", house.token("reader"))
    assert (clerk.ask("SELECT 1"), other.ask("SELECT 1")) == ("1", "1")
    config = house.gateway.configuration
    before = config.read_text()
    changed = before.replace(
        "clerk: {kind: agent, groups: [readers]}", "clerk: {kind: agent, groups: [others]}"
    )
    assert changed != before
    config.write_text(changed)
    os.kill(house.gateway.pid, signal.SIGHUP)
    eventually(lambda: clerk.ask("SELECT 1") == "over", "the end of the clerk's session", 5)
    assert other.ask("SELECT 1") == "1"
    config.write_text(before)
    os.kill(house.gateway.pid, signal.SIGHUP)
    for each in (clerk, other):
        each.end()
