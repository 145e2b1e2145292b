"""Proofs besides a token of one's own, on a real server: exchanged tokens, and certificates of workloads."""

from __future__ import annotations

import datetime
import http.client
import json
import os
import signal
import socket
import ssl
import struct
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
from e2e.watch import answer, eventually, lines
from e2e.wire import Address, Wire, WireClosed
from servers import system
from servers.postgres import Postgres
from servers.provider import Provider
from servers.svid import ID, Shown, authority, make

TRUSTING = """\
identity:
  exchange: {{agents: {{groups: [readers]}}}}
  issuers:
    people: {{url: "{url}", audiences: [wicketgate]}}
  spiffe:
    trust_domain: example.org
    accept:
      - {{path: /ns/agents/sa/bot, identity: meshbot, groups: [readers]}}
      - {{path: /ns/crews/sa/*, prefix: mesh., groups: [readers]}}
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
    authority().write(folder, "mesh")
    more += f"  tls: {{client_ca: {folder / 'mesh.pem'}}}\n"
    rules = RULES + FORBIDDEN + TRUSTING.format(url=provider.issuer)
    made = House(folder, postgres15, rules=rules, more=more)
    made.https = port
    made.gateway.start()
    eventually(lambda: "issuer people: 2 keys" in made.gateway.log(), "the provider's keys")
    yield made
    made.gateway.stop()
    system.remove(folder)


def exchange(house: House, subject: str, actor: str, **fields: str) -> dict[str, Any]:
    """As any OAuth client does it: where the endpoint is, its metadata says."""
    context = ssl.create_default_context(cafile=str(house.ca))
    base = f"https://localhost:{house.https}"
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
        known = house.gateway.log().count("issuer people: 2 keys")
        house.gateway.configuration.write_text(before)
        os.kill(house.gateway.pid, signal.SIGHUP)
        eventually(lambda: house.gateway.log().count("issuer people: 2 keys") > known, "the issuer again")


# -- certificates ------------------------------------------------------------------------------------------
def showing(house: House, certificate: Shown | None, user: str, password: str = "", **more: Any) -> Address:
    context = ssl.create_default_context(cafile=str(house.ca))
    if certificate is not None:
        context.load_cert_chain(*certificate.write(house.folder, "client"))
    if more.get("direct"):
        context.set_alpn_protocols(["postgresql"])
    return Address("localhost", house.gateway.port, user, worlds.ALPHA, password, context, **more)


def refused(house: House, certificate: Shown | None, user: str, password: str = "") -> str:
    """What a client is told that is not let in; nothing, where TLS itself fails."""
    try:
        with Wire.open(showing(house, certificate, user, password)):
            return "let in"
    except WireClosed as told:
        return str(told) if "refused: {" in str(told) else ""
    except OSError:
        return ""


def test_a_workload_signs_in_by_its_certificate(house: House) -> None:
    chain, key = make(ID).write(house.folder, "bot")
    with psycopg.connect(
        host="localhost",
        port=house.gateway.port,
        user="meshbot",
        dbname=worlds.ALPHA,
        sslmode="verify-full",
        sslrootcert=str(house.ca),
        sslcert=str(chain),
        sslkey=str(key),
        autocommit=True,
    ) as session:
        assert session.execute("SELECT 40 + 2").fetchone() == (42,)
        with pytest.raises(psycopg.Error):
            session.execute("DELETE FROM orders")
    who = [line.head["i"] for line in lines(house.journal) if line.kind == "open"][-1]
    assert (who["name"], who["how"], who["subject"]) == ("meshbot", "spiffe", ID)
    assert who["credential"].startswith("x509-")
    for direct in (False, True):
        other = make(ID.replace("agents/sa/bot", "crews/sa/one"))
        with Wire.open(showing(house, other, "mesh.one", direct=direct)) as wire:
            assert answer(wire, "SELECT 7") == "7"


def test_what_certificates_do_not_open(house: House) -> None:
    """Alike, and like a wrong token; what does not come from the CA does not get as far."""
    token = house.gateway.token("reader")
    # a name in CN is nobody's: it leaves room for a token, and only that counts
    named = make(common="meshbot")
    assert refused(house, named, "reader", token) == "let in"
    plain = refused(house, None, "reader", "wkt_" + "0" * 49)
    assert "sign-in refused" in plain
    assert refused(house, named, "meshbot", "x") == plain
    for certificate, user, password in (
        (make(ID), "reader", token),
        (make(ID), "reader", ""),
        (make(ID), "mesh.one", ""),
        (make(ID, ID + "2"), "meshbot", ""),
        (make(ID.replace("example.org", "evil.org")), "meshbot", ""),
        (make(ID.replace("spiffe", "SPIFFE")), "meshbot", token),
        (make(ID.replace("bot", "%62ot")), "meshbot", ""),
        (make(ID.replace("agents", "others")), "meshbot", ""),
        (make(ID, usages=None), "meshbot", ""),
        (authority("one", ID), "meshbot", ""),
    ):
        assert refused(house, certificate, user, password) in (plain, "")
    for stranger in (
        make(ID, ca="two"),
        make(ID, ends=-datetime.timedelta(minutes=1)),
        make(ID, client=False),
    ):
        assert refused(house, stranger, "meshbot") == ""


def test_a_session_ends_with_its_certificate(house: House) -> None:
    brief = make(ID, ends=datetime.timedelta(seconds=10))
    with Wire.open(showing(house, brief, "meshbot")) as wire:
        assert answer(wire, "SELECT 1") == "1"
        eventually(lambda: answer(wire, "SELECT 1") == "closed", "the end of a certificate", 20.0)
    assert refused(house, brief, "meshbot") == ""


def test_a_resumed_connection_proves_no_other(house: House) -> None:
    """TLS 1.2 by the server's memory; of TLS 1.3 there are no tickets."""
    address = showing(house, make(ID), "meshbot")
    assert address.tls is not None
    first: ssl.SSLSession | None = None
    for version, user, expected in (
        (ssl.TLSVersion.TLSv1_2, "meshbot", None),
        (ssl.TLSVersion.TLSv1_2, "meshbot", None),
        (ssl.TLSVersion.TLSv1_2, "mesh.one", "E"),
        (ssl.TLSVersion.TLSv1_3, "meshbot", None),
    ):
        address.tls.maximum_version = version
        raw = socket.create_connection(("localhost", house.gateway.port), 20)
        raw.sendall(struct.pack(">II", 8, 80877103))
        assert raw.recv(1) == b"S"
        session = first if version is ssl.TLSVersion.TLSv1_2 else None
        peer = address.tls.wrap_socket(raw, server_hostname="localhost", session=session)
        with Wire(peer) as wire:
            got = wire.sign_in(Address("localhost", 0, user, worlds.ALPHA))
            assert (None if got is None else got.type.decode()) == expected
            if version is ssl.TLSVersion.TLSv1_3:
                assert peer.session is None or not peer.session.has_ticket
            first = first or peer.session
            assert peer.session_reused == (session is not None)


def api(house: House, certificate: Shown | None, bearer: str = "") -> Any:
    """Who the API takes a client for; the status, where that is nobody; None, where TLS fails."""
    context = ssl.create_default_context(cafile=str(house.ca))
    if certificate is not None:
        context.load_cert_chain(*certificate.write(house.folder, "client"))
    # of an address of its own: failures of others are not in its way
    port, source = house.https, ("127.0.0.9", 0)  # type: ignore[attr-defined]
    connection = http.client.HTTPSConnection(
        "localhost", port, timeout=20, context=context, source_address=source
    )
    try:
        connection.request(
            "GET", "/api/v1/whoami", headers={"authorization": f"Bearer {bearer}"} if bearer else {}
        )
        told = connection.getresponse()
        return json.loads(told.read()) if told.status == 200 else told.status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def test_the_api_takes_certificates_too(house: House, provider: Provider) -> None:
    found = api(house, make(ID))
    assert (found["name"], found["how"], found["administrator"]) == ("meshbot", "spiffe", False)
    token = house.gateway.token("reader")
    assert api(house, make(common="meshbot"), token)["name"] == "reader"
    for certificate, bearer, expected in (
        (make(ID), token, 401),
        (make(ID), provider.token("reporter"), 401),
        (make(ID, ID + "2"), "", 401),
        (make(ID.replace("example.org", "evil.org")), token, 401),
        (make(ID.replace("agents", "others")), "", 401),
        (make(common="meshbot"), "", 401),
        (make(ID, ca="two"), token, None),
        (make(ID, ends=-datetime.timedelta(minutes=1)), token, None),
    ):
        assert api(house, certificate, bearer) == expected


def test_no_administrator_is_made_where_issuers_are(house: House) -> None:
    assert not (house.state / "admin.token").exists()
