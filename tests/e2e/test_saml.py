"""People sign in through independent SAML identity providers, with a played browser and the real command."""

from __future__ import annotations

import json
import os
import re
import ssl
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest

from corpus import worlds
from e2e.house import RULES, House
from e2e.watch import eventually, lines
from servers import system
from servers.browser import Browser
from servers.nanoidp import NanoIdp
from servers.postgres import Postgres
from servers.simplesamlphp import SimpleSamlPhp

TRUST = """\
identity:
  saml:
    corp:
      entity_id: {entity}
      metadata: corp.xml
      gateway: https://localhost:{https}
      name: mail
      groups: groups
      longest: 1h
{more}
    second:
      entity_id: {other}
      metadata: second.xml
      gateway: https://localhost:{https}
      groups: groups
      prefix: n.
      sign_requests: true
"""
ENCRYPTED = """
    'assertion.encryption' => true, 'sharedkey_algorithm' => '{algorithm}', 'certData' => '{certificate}',
"""
GCM = "http://www.w3.org/2009/xmlenc11#aes256-gcm"
CBC = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"


class Federated(House):
    """A house that trusts both providers. php: the one; nano: the port of the other."""

    php: SimpleSamlPhp
    nano: int
    https: int

    @property
    def base(self) -> str:
        return f"https://localhost:{self.https}/api/v1/saml"

    def trust(self, more: str = "") -> str:
        other = f"http://127.0.0.1:{self.nano}/saml"
        return RULES + TRUST.format(entity=self.php.entity_id, https=self.https, other=other, more=more)

    def adopt(self, rules: str) -> None:
        """Hold these rules from now on."""
        before = self.gateway.log().count(" holds")
        self.write_rules(rules)
        os.kill(self.gateway.pid, 1)
        eventually(lambda: self.gateway.log().count(" holds") > before, "the policy's reload")

    def certificate(self) -> str:
        """Ours, as base64, from what the API publishes."""
        page, _ = Browser({}, self.ca).fetch(f"{self.base}/corp/metadata")
        found = re.search(r"X509Certificate>([^<]+)<", page)
        assert found is not None
        return found[1]

    def told(self) -> list[dict[str, Any]]:
        """What the journal says of sign-ins."""
        return [
            line.body
            for line in lines(self.journal)
            if line.kind == "admin" and line.body and line.body["do"] == "sign-in"
        ]


@pytest.fixture(scope="module")
def php() -> Iterator[SimpleSamlPhp]:
    folder = system.folder("wicketgate-php")
    made = SimpleSamlPhp(folder)
    yield made
    made.stop()
    system.remove(folder)


@pytest.fixture(scope="module")
def house(frail: Postgres, php: SimpleSamlPhp) -> Iterator[Federated]:
    folder = system.folder("wicketgate-e2e")
    https = system.free_port()
    made = Federated(folder, frail, more=f'  api: {{https: "127.0.0.1:{https}"}}\n')
    made.php, made.nano, made.https = php, system.free_port(), https
    (folder / "corp.xml").write_bytes(php.metadata())
    made.write_rules(made.trust())
    made.gateway.start()
    php.know(f"{made.base}/corp/metadata", f"{made.base}/corp/acs")
    yield made
    made.gateway.stop()
    system.remove(folder)


def login(house: Federated, name: str, browser: Browser, *more: str) -> tuple[int, dict[str, Any], Path, str]:
    """`wicket login NAME` with the browser: exit code, what it printed, the file, the browser's last page."""
    file = house.folder / "kept" / f"token-{len(house.told())}"
    process = subprocess.Popen(
        [
            *(str(Path(sys.executable).parent / "wicket"), "login", name, "--no-browser", "--json"),
            *("--url", f"https://localhost:{house.https}", "--ca", str(house.ca), "--out", str(file), *more),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "HOME": str(house.folder)},
    )
    assert process.stderr is not None
    page = ""
    for line in process.stderr:
        if line.strip().startswith("https://"):
            page = browser.open(line.strip())
            break
    out, rest = process.communicate(timeout=30)
    return process.returncode, json.loads(out) if out else {"why": rest}, file, page


def connection(house: Federated, user: str, token: str) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host="localhost",
        port=house.gateway.port,
        user=user,
        password=token,
        dbname=worlds.ALPHA,
        sslmode="verify-full",
        sslrootcert=str(house.ca),
        autocommit=True,
    )


def ended(open_one: psycopg.Connection[Any]) -> bool:
    """Whether its session is over."""
    try:
        open_one.execute("SELECT 1")
    except psycopg.Error:
        return open_one.closed
    return False


def person(house: Federated, name: str = "ana") -> Browser:
    return Browser({"username": name, "password": name}, house.ca)


def test_a_person_signs_in_at_simplesamlphp_and_works(house: Federated) -> None:
    browser = person(house)
    code, told, file, page = login(house, "corp", browser)
    assert code == 0, (told, page, house.php.log(), house.told())
    assert (told["identity"], told["groups"]) == ("ana@example.com", ["readers", "staff"])
    assert "close this window" in page
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    token = file.read_text()
    assert token.startswith("wkt_")
    with connection(house, "ana@example.com", token) as open_one:
        assert open_one.execute("SELECT 1 + 1").fetchone() == (2,)
        with pytest.raises(psycopg.Error):
            open_one.execute("DELETE FROM orders")
        who = [line.head["i"] for line in lines(house.journal) if line.kind == "open"][-1]
        assert (who["name"], who["how"], who["issuer"]) == ("ana@example.com", "saml", house.php.entity_id)
        assert who["groups"] == ["readers", "staff"]

        request = urllib.request.Request(
            f"https://localhost:{house.https}/api/v1/whoami", headers={"authorization": f"Bearer {token}"}
        )
        context = ssl.create_default_context(cafile=str(house.ca))
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:
            found = json.load(answer)
        assert (found["name"], found["administrator"]) == ("ana@example.com", False)

        proven, issued = house.told()[-2:]
        assert proven["proven"]["name"] == issued["by"] == "ana@example.com"
        assert proven["issuer"] == house.php.entity_id
        assert (issued["how"], issued["token"]) == ("saml", found["credential_id"])

        # a policy that no longer trusts the provider ends what it began, and one that does lets it in again
        house.adopt(RULES)
        eventually(lambda: ended(open_one), "the session's end")
    with pytest.raises(psycopg.OperationalError, match="refused"):
        connection(house, "ana@example.com", token)
    house.adopt(house.trust())
    connection(house, "ana@example.com", token).close()

    # revoked: refused
    identifier = found["credential_id"]
    house.gateway.wicket("token", "revoke", identifier, "-c", str(house.gateway.configuration))
    with pytest.raises(psycopg.OperationalError, match="refused"):
        connection(house, "ana@example.com", token)

    # nothing of it all that would let somebody in stands in a file, nor in an address that was fetched
    response = browser.sent[-1][1]["SAMLResponse"]
    for path in [*house.journal.rglob("*"), house.folder / "serve.log"]:
        if path.is_file():
            content = path.read_bytes()
            assert token[4:40].encode() not in content
            assert response[:200].encode() not in content


def test_names_that_are_accounts_here_are_not_a_providers_to_give(house: Federated) -> None:
    account = "service_accounts:\n  eve@example.com: {kind: agent, groups: [readers]}\n"
    config = house.gateway.configuration
    whole = config.read_text()
    config.write_text(whole.replace("service_accounts:\n", account, 1))
    before = house.gateway.log().count(" holds")
    os.kill(house.gateway.pid, 1)
    eventually(lambda: house.gateway.log().count(" holds") > before, "the policy's reload")
    try:
        code, told, file, page = login(house, "corp", person(house, "eve"))
        assert (code, file.exists()) == (4, False)
        assert "refused" in told["why"]
        assert "account of this gateway" in house.told()[-1]["refused"]
        assert "account" not in page + told["why"]
    finally:
        config.write_text(whole)
        house.adopt(house.trust())


@pytest.mark.parametrize("algorithm", [GCM, CBC])
def test_encrypted_assertions(house: Federated, algorithm: str) -> None:
    more = ENCRYPTED.format(algorithm=algorithm, certificate=house.certificate())
    house.php.know(f"{house.base}/corp/metadata", f"{house.base}/corp/acs", more)
    house.adopt(house.trust("      encrypted: true"))
    try:
        browser = person(house)
        code, told, _, page = login(house, "corp", browser)
        assert code == 0, (told, page, house.php.log(), house.told()[-1])
        assert told["groups"] == ["readers", "staff"]
    finally:
        house.php.know(f"{house.base}/corp/metadata", f"{house.base}/corp/acs")
        house.adopt(house.trust())


def test_an_answer_is_for_one_browser_once(house: Federated) -> None:
    browser = person(house)
    code, *_ = login(house, "corp", browser)
    assert code == 0
    action, form = browser.sent[-1]
    body = urlencode({name: form[name] for name in ("SAMLResponse", "RelayState")}).encode()
    for again in (browser, person(house)):
        page, _ = again.fetch(action, body)
        assert "refused" in page
        assert "answers no sign-in that is under way" in house.told()[-1]["refused"]


def test_an_answer_to_nothing_is_refused_unless_it_is_permitted(house: Federated) -> None:
    start = f"{house.php.base}/saml2/idp/SSOService.php?spentityid={house.base}/corp/metadata"
    page = person(house).open(start + "&RelayState=https://evil.example.com/")
    assert "refused" in page
    assert "answers no sign-in" in house.told()[-1]["refused"]
    house.adopt(house.trust("      idp_initiated: true"))
    try:
        browser = person(house)
        page = browser.open(start + "&RelayState=https://evil.example.com/")
        assert "Signed in as ana@example.com" in page
        assert "evil" not in page
        token = re.search(r"wkt_\w+", page)
        assert token is not None
        connection(house, "ana@example.com", token[0]).close()
        action, form = browser.sent[-1]
        again = {"SAMLResponse": form["SAMLResponse"]}
        page, _ = browser.fetch(action, urlencode(again).encode())
        assert "refused" in page
        assert "used before" in house.told()[-1]["refused"]
    finally:
        house.adopt(house.trust())


def test_a_person_signs_in_at_nanoidp_by_a_signed_request(house: Federated) -> None:
    folder = system.folder("wicketgate-nano")
    pem = folder / "ours.pem"
    pem.write_text(f"-----BEGIN CERTIFICATE-----\n{house.certificate()}\n-----END CERTIFICATE-----\n")
    nano = NanoIdp(folder, house.nano, f"{house.base}/second/acs", pem)
    try:
        (house.folder / "second.xml").write_bytes(nano.metadata())
        code, told, file, page = login(house, "second", person(house, "bob"))
        assert code == 0, (told, page, nano.log(), house.told()[-1])
        assert (told["identity"], told["groups"]) == ("n.bob@example.com", ["readers"])
        with connection(house, "n.bob@example.com", file.read_text()) as open_one:
            assert open_one.execute("SELECT 1 + 1").fetchone() == (2,)
    finally:
        nano.stop()
        system.remove(folder)


def test_our_own_key_is_ours_alone(house: Federated) -> None:
    house.certificate()
    path = house.state / "saml.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"PRIVATE KEY" in path.read_bytes()
