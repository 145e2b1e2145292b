"""An agent exchanges a person's token of an independent provider and its own, and works on a real server."""

from __future__ import annotations

import json
import os
import signal
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from corpus import worlds
from e2e.house import RULES, House
from e2e.scripts import Target
from e2e.watch import eventually, lines
from servers import system
from servers.postgres import Postgres
from servers.provider import Provider

TRUSTING = """\
identity:
  exchange: {{agents: {{groups: [readers]}}}}
  issuers:
    people: {{url: "{url}", audiences: [wicketgate]}}
"""
FORBIDDEN = """\
  - {name: closed, identities: {names: [reporter]}, resources: any,
     when: 'statement.reads("public.orders")', deny: Orders are closed to reporters.}
"""
JWT = "urn:ietf:params:oauth:token-type:jwt"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    folder = system.folder("wicketgate-provider")
    made = Provider(folder)
    yield made
    made.stop()
    system.remove(folder)


@pytest.fixture(scope="module")
def house(postgres15: Postgres, provider: Provider) -> Iterator[House]:
    for name in (worlds.ALPHA, worlds.BRAVO):
        if not postgres15.sql("SELECT 1 FROM pg_database WHERE datname = %s", name, database="postgres"):
            worlds.build(postgres15)
    folder = system.folder("wicketgate-exchange")
    port = system.free_port()
    more = f'  api: {{https: "127.0.0.1:{port}", url: "https://localhost:{port}"}}\n'
    rules = RULES + FORBIDDEN + TRUSTING.format(url=provider.issuer)
    made = House(folder, postgres15, rules=rules, more=more)
    made.https = port  # type: ignore[attr-defined]
    made.gateway.start()
    eventually(lambda: "issuer people: 2 keys" in made.gateway.log(), "the provider's keys")
    yield made
    made.gateway.stop()
    system.remove(folder)


def exchange(house: House, subject: str, actor: str, **fields: str) -> dict[str, Any]:
    """As any OAuth client does it: where the endpoint is, its metadata says."""
    context = ssl.create_default_context(cafile=str(house.ca))
    base = f"https://localhost:{house.https}"  # type: ignore[attr-defined]
    with urllib.request.urlopen(f"{base}/.well-known/oauth-authorization-server", context=context) as told:
        metadata = json.loads(told.read())
    assert metadata["issuer"] == base
    [grant] = metadata["grant_types_supported"]
    form = {
        "grant_type": grant,
        "subject_token": subject,
        "subject_token_type": JWT,
        "audience": worlds.ALPHA,
        "purpose": "weekly report",
        **fields,
    }
    request = urllib.request.Request(metadata["token_endpoint"], urllib.parse.urlencode(form).encode())
    request.add_header("authorization", f"Bearer {actor}")
    try:
        with urllib.request.urlopen(request, context=context, timeout=20) as answer:
            return dict(json.loads(answer.read()))
    except urllib.error.HTTPError as error:
        return dict(json.loads(error.read()))


def connect(house: House, issued: dict[str, Any]) -> psycopg.Connection:
    token, port = issued["access_token"], house.gateway.port
    target = Target("localhost", port, issued["identity"], token, worlds.ALPHA, house.ca)
    return psycopg.connect(target.conninfo(), autocommit=True)


def ended(session: psycopg.Connection) -> bool:
    try:
        session.execute("SELECT 1")
    except psycopg.Error:
        return session.closed
    return False


def test_an_agent_works_for_a_person_whom_an_issuer_alone_knows(house: House, provider: Provider) -> None:
    agent = house.gateway.token("reader")
    issued = exchange(house, provider.token("reporter"), agent, scope="read", task="t-7")
    assert issued["token_type"] == "Bearer", issued
    with connect(house, issued) as session:
        assert session.execute("SELECT 40 + 2").fetchone() == (42,)
        with pytest.raises(
            psycopg.errors.InsufficientPrivilege, match=r"closed to reporters. \(for reporter\)"
        ):
            session.execute("SELECT * FROM orders")
        with pytest.raises(psycopg.Error):
            session.execute("DELETE FROM orders")
        who = [line.head["i"] for line in lines(house.journal) if line.kind == "open"][-1]
        assert (who["name"], who["how"], who["behalf"], who["behalf_issuer"], who["task"]) == (
            "reader", "exchange", "reporter", provider.issuer, "t-7",
        )  # fmt: skip
        # his other token, of which nothing was exchanged, is nothing to this; the agent's is
        listed = house.gateway.facts("token", "list", "reader", "-c", str(house.gateway.configuration))
        [made_of] = [each["exchange"]["agent"]["credential"] for each in listed if each["exchange"]]
        house.gateway.wicket("token", "revoke", made_of, "-c", str(house.gateway.configuration))
        eventually(lambda: ended(session), "the end of what a revoked token was exchanged for", 2.0)
    with pytest.raises(psycopg.OperationalError, match="sign-in refused"):
        connect(house, issued)


def test_it_ends_with_the_person_s_proof(house: House, provider: Provider) -> None:
    agent = house.gateway.token("reader")
    assert exchange(house, provider.token("ungrouped"), agent)["error"] == "invalid_request"
    issued = exchange(house, provider.token("brief"), agent, ttl="3600")
    assert issued["expires_in"] <= 5
    stays = exchange(house, provider.token("reporter"), agent, ttl="3600")
    with connect(house, issued) as session, connect(house, stays) as other:
        assert session.execute("SELECT 1").fetchone() == (1,)
        eventually(lambda: ended(session), "the end of a person's token", 8.0)
        assert other.execute("SELECT 1").fetchone() == (1,)
        # the issuer is trusted no more
        before = house.gateway.configuration.read_text()
        at = before.index("  issuers:\n    people")
        house.gateway.configuration.write_text(before[:at])
        os.kill(house.gateway.pid, signal.SIGHUP)
        eventually(lambda: ended(other), "the end with its issuer", 4.0)
        house.gateway.configuration.write_text(before)
        os.kill(house.gateway.pid, signal.SIGHUP)
