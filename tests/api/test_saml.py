"""Signing in by SAML at the API: who gets a token, and who else tries to."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate

from api.asking import ask_for, link_of, review
from api.conftest import served as on_https
from api.stage import Answer, Remote, Stage
from identity.saml.idp import ENTITY, ISSUER, NOW, assertion, certificate, response, rsa_key, sign
from wicketgate.identity import tokens
from wicketgate.model.identity import IdentityKind
from wicketgate.model.saml import SamlIssuer
from wicketgate.model.secret import Secret
from wicketgate.model.token import ServiceAccount
from wicketgate.store import saml

PATH = "/api/v1/saml/corp"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
STATE = "s" * 32


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    """One API for all: each takes a second."""
    stage = Stage(tmp_path_factory.mktemp("saml"))
    stage.clock = lambda: stage.control.clock
    with on_https(stage) as made:
        yield made


@pytest.fixture
def stage(served: Remote) -> Stage:
    """The API's stage as if it had just begun: it trusts the played identity provider, its clock stands."""
    stage = served.stage
    pem = stage.folder / "idp.pem"
    pem.write_bytes(certificate(rsa_key()).public_bytes(Encoding.PEM))
    stage.saml.clear()
    stage.saml["corp"] = replace(ISSUER, certificates=(str(pem),))
    stage.control.__init__()  # type: ignore[misc]  # the API holds this one
    stage.filed = []
    with sqlite3.connect(stage.folder / "wicketgate.sqlite") as connection:
        for table in ("saml_logins", "saml_seen", "tokens"):
            connection.execute(f"DELETE FROM {table}")
    return stage


@pytest.fixture
def trusting(stage: Stage) -> SamlIssuer:
    return stage.saml["corp"]


@pytest.fixture
def remote(served: Remote, stage: Stage) -> Remote:
    return served


@dataclass
class Way:
    """One sign-in, step by step. cookie: what the browser has; None: nothing."""

    remote: Remote
    ticket: str = ""
    relay: str = ""
    request: str = ""
    cookie: str | None = None
    query: str = ""

    def begin(self, **more: Any) -> Answer:
        body = {"challenge": CHALLENGE, "port": 4711, "state": STATE, **more}
        answer = self.remote.ask("POST", f"{PATH}/begin", body)
        if answer.status == 201:
            self.ticket = answer.json["ticket"]
        return answer

    def go(self) -> Answer:
        answer = self.remote.ask("GET", f"{PATH}/login?ticket={self.ticket}")
        if answer.status == 302:
            self.query = urlsplit(answer.headers["location"]).query
            found = dict(parse_qsl(self.query))
            self.relay = found["RelayState"]
            message = zlib.decompress(base64.b64decode(found["SAMLRequest"]), -15).decode()
            identifier = re.search(r' ID="([^"]+)"', message)
            assert identifier is not None
            self.request = identifier[1]
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return answer

    def back(self, text: str | bytes | None = None, **changed: Any) -> Answer:
        """The browser brings an answer; by default the good one."""
        whole = (
            response(sign(assertion(request=self.request)), request=self.request) if text is None else text
        )
        content = whole.encode() if isinstance(whole, str) else whole
        form = {"SAMLResponse": base64.b64encode(content).decode(), "RelayState": self.relay, **changed}
        return self.post({name: value for name, value in form.items() if value is not None})

    def post(self, form: Any) -> Answer:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        if self.cookie is not None:
            headers["cookie"] = self.cookie
        return self.remote.ask("POST", f"{PATH}/acs", urlencode(form).encode(), headers=headers)

    def redeem(self, code: str, verifier: str = VERIFIER, ticket: str | None = None) -> Answer:
        body = {"ticket": ticket or self.ticket, "code": code, "verifier": verifier}
        return self.remote.ask("POST", f"{PATH}/token", body)


@pytest.fixture
def way(remote: Remote) -> Way:
    made = Way(remote)
    assert made.begin().status == 201
    assert made.go().status == 302
    return made


def onward(page: Answer) -> dict[str, list[str]]:
    """Where a page sends the browser: on this machine, whatever was said."""
    found = re.search(r"url=([^\"]+)\"", page.body.decode())
    assert found is not None
    address = urlsplit(html.unescape(found[1]))
    assert (address.scheme, address.netloc, address.path) == ("http", "127.0.0.1:4711", "/callback")
    return parse_qs(address.query)


def refused(stage: Stage) -> str:
    """Why the last one was, by the journal."""
    return str(stage.control.records[-1]["refused"])


def test_the_way_to_a_token(way: Way, stage: Stage) -> None:
    page = way.back()
    assert page.status == 200
    told = onward(page)
    assert told["state"] == [STATE]
    given = way.redeem(told["code"][0])
    assert given.status == 200
    assert given.headers["cache-control"] == "no-store"
    found = given.json
    assert (found["identity"], found["groups"]) == ("ana@example.com", ["dba", "staff"])
    assert found["expires"] == NOW + 7200 * 10**9
    assert tokens.parse(Secret(found["token"].encode()))
    [(section, _, record)] = stage.control.puts
    assert section == "tokens"
    assert record is not None
    assert record["proven"]["entity_id"] == ENTITY
    # the token is theirs, with those groups, and it does not administrate
    me = way.remote.ask("GET", "/api/v1/whoami", token=found["token"])
    assert (me.json["name"], me.json["groups"], me.json["administrator"]) == (
        "ana@example.com",
        ["dba", "staff"],
        False,
    )
    proven, issued = stage.control.records
    assert proven["proven"] == {
        "name": "ana@example.com",
        "groups": ["dba", "staff"],
        "subject": "ana@example.com",
    }
    assert (issued["by"], issued["how"], issued["token"]) == ("ana@example.com", "saml", found["id"])
    for path in stage.folder.iterdir():
        if path.is_file():
            content = path.read_bytes()
            for secret in (found["token"][4:40], way.ticket, told["code"][0], VERIFIER):
                assert secret.encode() not in content
    for place in (repr(stage.control.records), repr(stage.control.puts), repr(stage.logged)):
        assert found["token"][4:40] not in place


def test_a_review_s_page_signs_a_browser_in(remote: Remote, stage: Stage) -> None:
    times = {"created": NOW, "expires": NOW + 600 * 10**9}
    number = ask_for(stage.folder, kept=replace(review(behalf="eve"), **times))
    link = link_of(stage.folder, number, lambda: NOW)
    first = remote.ask("GET", link)
    found_at = re.search(rb'href="(/reviews/[^"]+/saml/corp[^"]+)"', first.body)
    assert found_at is not None
    for header in ({"sec-fetch-site": "cross-site"}, {"sec-purpose": "prefetch"}):
        asked = remote.ask("GET", html.unescape(found_at[1].decode()), headers=header)
        assert (asked.status, asked.cookies) == (403, ()), "no other site's page begins a sign-in"
    begun = remote.ask("GET", html.unescape(found_at[1].decode()))
    assert (begun.status, begun.headers["set-cookie"].startswith(f"__Host-wicket-review-{number}-saml=")) == (
        302,
        True,
    )
    kept = begun.headers["set-cookie"].partition(";")[0]
    way = Way(remote)
    way.ticket = parse_qs(urlsplit(begun.headers["location"]).query)["ticket"][0]
    assert way.go().status == 302
    page = way.back()
    found = re.search(r"url=([^\"]+)\"", page.body.decode())
    assert found is not None
    target = html.unescape(found[1])
    assert target.startswith(f"/reviews/{number}/signed-in?code=")
    # what is in the address alone opens nothing: not in another browser, nor for another review
    other = ask_for(stage.folder, kept=replace(review(), **times))
    for path, cookie in (
        (target, ""),
        (target, kept.replace("=", "=A", 1)),
        (target.replace("state=", "state=X"), kept),
        (target.replace(number, other), kept),
        (target.replace(number, other, 1), kept.replace(number, other)),
        (f"{target}&error=access_denied", kept),
    ):
        assert remote.ask("GET", path, headers={"cookie": cookie}).status == 403, path
    done = remote.ask("GET", target, headers={"cookie": kept})
    assert (done.status, done.headers["location"]) == (303, link)
    signed_in = re.search(rf"__Host-wicket-review-{number}=[A-Za-z0-9_-]+", done.headers["set-cookie"])
    assert signed_in is not None
    cookie = {"cookie": signed_in[0]}
    shown = remote.ask("GET", link, headers=cookie)
    assert (shown.status, b"You are ana@example.com" in shown.body) == (200, True)
    assert remote.ask("GET", target, headers={"cookie": kept}).status == 403, "once"
    proof = re.search(rb'name=proof value="([0-9a-f]+)"', shown.body)
    assert proof is not None
    form = urlencode({"answer": "approve", "proof": proof[1].decode()}).encode()
    more = {**cookie, "content-type": "application/x-www-form-urlencoded"}
    answered = remote.ask("POST", link.replace("?", "/answer?"), form, headers=more)
    assert (answered.status, b"approved by ana@example.com" in answered.body) == (200, True), answered.body


def test_no_command_begins_at_a_page(remote: Remote) -> None:
    """Port 0 is a page's: a command that could say so would bring a code of another's browser to a page."""
    for port in (0, -1, 80):
        assert Way(remote).begin(port=port).status == 422


def test_pages_load_and_run_nothing(way: Way) -> None:
    for page in (way.back(), Way(way.remote, ticket="0" * 64).go()):
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"


def test_the_cookie_is_for_this_host_over_https_alone(remote: Remote) -> None:
    way = Way(remote)
    way.begin()
    cookie = way.go().headers["set-cookie"]
    assert cookie.startswith("__Host-wicket-")
    for part in ("HttpOnly", "Secure", "Path=/", "SameSite=none", "Max-Age=600"):
        assert part in cookie
    assert "Domain" not in cookie


def test_who_else_asks_for_the_token_gets_none(way: Way, stage: Stage) -> None:
    code = onward(way.back())["code"][0]
    other = Way(way.remote)
    other.begin()
    for attempt in (
        way.redeem(code, "w" * 43),
        way.redeem("0" * 64),
        way.redeem(code, ticket="0" * 64),
        way.redeem(code, ticket=other.ticket),
        way.remote.ask(
            "POST",
            "/api/v1/saml/other/token",
            {"ticket": way.ticket, "code": code, "verifier": VERIFIER},
        ),
    ):
        assert attempt.status in (403, 404)
        assert b"wkt_" not in attempt.body
    assert way.redeem(code).status == 200
    assert way.redeem(code).status == 403
    assert "nothing waits" in refused(stage)


def test_a_token_that_nobody_fetches_is_gone(way: Way, stage: Stage) -> None:
    code = onward(way.back())["code"][0]
    stage.control.clock += 61 * 10**9
    assert way.redeem(code).status == 403


def test_a_sign_in_takes_ten_minutes_at_most(way: Way, stage: Stage) -> None:
    stage.control.clock += 601 * 10**9
    assert way.back().status == 403
    late = Way(way.remote)
    late.begin()
    stage.control.clock += 601 * 10**9
    assert late.go().status == 403


def test_a_ticket_is_taken_by_one_browser(way: Way) -> None:
    assert way.go().status == 403
    assert Way(way.remote, ticket="0" * 64).go().status == 403
    assert Way(way.remote, ticket="%00").go().status == 403


def test_another_browser_brings_the_answer(way: Way, stage: Stage) -> None:
    """Login CSRF: whoever can't show the cookie was not sent."""
    other = Way(way.remote)
    other.begin()
    other.go()
    kept = way.cookie
    assert kept is not None
    name, _, value = kept.partition("=")
    for cookie in (None, other.cookie, f"{name}={'0' * 64}", f"{name}=", f"{name}={value}0", f"x={value}"):
        way.cookie = cookie
        assert way.back().status == 403
        assert "not the one that was sent" in refused(stage)
    way.cookie = kept
    assert way.back().status == 200


def test_somebody_elses_answer_in_ones_own_browser(way: Way, stage: Stage) -> None:
    """The other login CSRF: mallory's own assertion, for mallory's request, in ana's browser."""
    mallory = Way(way.remote)
    mallory.begin()
    mallory.go()
    his = response(sign(assertion(request=mallory.request)), request=mallory.request)
    page = way.back(his)
    assert page.status == 403
    assert onward(page) == {"error": ["access_denied"], "state": [STATE]}
    assert "InResponseTo" in refused(stage)


def test_an_answer_counts_once(way: Way, stage: Stage) -> None:
    good = response(sign(assertion(request=way.request)), request=way.request)
    assert way.back(good).status == 200
    assert way.back(good).status == 403
    assert "no sign-in that is under way" in refused(stage)


def test_an_assertion_counts_once_whatever_it_answers(way: Way, stage: Stage, trusting: SamlIssuer) -> None:
    stage.saml["corp"] = replace(trusting, idp_initiated=True)
    alone = response(sign(assertion(request=None)), request=None)
    page = way.back(alone, RelayState="https://evil.example.com/")
    assert page.status == 200
    assert b"wkt_" in page.body
    assert b"evil" not in page.body
    again = response(sign(assertion(request=None)), request=None, identifier="_r2")
    for relay in (None, "https://evil.example.com/", "0" * 32):
        assert way.back(again, RelayState=relay).status == 403
        assert "used before" in refused(stage)


def test_an_answer_to_nothing_is_not_taken(way: Way, stage: Stage) -> None:
    alone = response(sign(assertion(request=None)), request=None)
    for relay in (None, "", "0" * 32, "https://evil.example.com/"):
        page = way.back(alone, RelayState=relay)
        assert page.status == 403
        assert b"url=" not in page.body
        assert "no sign-in that is under way" in refused(stage)


def test_relay_state_leads_nowhere(way: Way) -> None:
    for relay in (
        "https://evil.example.com/",
        "//evil.example.com",
        "javascript:alert(1)",
        '"><script>',
        "\r\nset-cookie: x=y",
        "0" * 5000,
    ):
        page = way.back(RelayState=relay)
        assert page.status == 403
        for part in (b"evil", b"script", b"javascript", b"url=", b"href"):
            assert part not in page.body


def test_forms_that_are_none(way: Way) -> None:
    forms: list[Any] = [
        {},
        {"SAMLResponse": ""},
        {"SAMLResponse": "!!!"},
        {"SAMLResponse": "AAAA", "RelayState": ""},
        [("SAMLResponse", "AAAA"), ("SAMLResponse", "BBBB")],
        [(f"a{at}", "") for at in range(9)],
        {"SAMLResponse": "ÿ"},
    ]
    assert [way.post(form).status for form in forms] == [403] * len(forms)


def test_a_form_is_bounded(way: Way) -> None:
    assert way.back(b"x" * (200 << 10)).status == 403  # larger than any other body, and read
    assert way.back(b"x" * (300 << 10)).status == 413


def test_too_many_refusals_wait(way: Way) -> None:
    way.cookie = None
    statuses = [way.back().status for _ in range(14)]
    assert statuses[:10] == [403] * 10
    assert 429 in statuses


def test_too_many_beginnings_wait(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saml, "MOST_OF_SOURCE", 3)
    assert [Way(remote).begin().status for _ in range(5)] == [201] * 3 + [429] * 2
    remote.stage.control.clock += 601 * 10**9
    monkeypatch.setattr(saml, "MOST", 2)
    assert [Way(remote).begin().status for _ in range(3)] == [201] * 2 + [429]


def test_a_beginning_that_is_none(remote: Remote) -> None:
    for wrong in (
        {"port": 80},
        {"port": 65536},
        {"port": "4711@evil.example.com"},
        {"port": True},
        {"challenge": "short"},
        {"state": "x"},
        {"state": 'aaaaaaaaaaaaaaaaaaaa">'},
        {"callback": "https://evil.example.com"},
    ):
        answer = Way(remote).begin(**wrong)
        assert answer.status == 422
        assert b"evil" not in answer.body


def test_unknown_providers(remote: Remote) -> None:
    body = {"challenge": CHALLENGE, "port": 4711, "state": STATE}
    for path in ("/api/v1/saml/nobody/metadata", "/api/v1/saml/nobody/login?ticket=x"):
        assert remote.ask("GET", path).status == 404
    assert remote.ask("POST", "/api/v1/saml/nobody/begin", body).status == 404
    # nor does asking for them often hold up who shows a token from there
    for _ in range(12):
        assert remote.ask("POST", "/api/v1/saml/nobody/acs", b"").status == 404
    # and nothing but these paths is open
    for path in (
        "/api/v1/saml/corp",
        "/api/v1/saml/corp/else",
        "/api/v1/saml/../tokens",
        "/api/v1/saml//acs",
    ):
        assert remote.ask("GET", path).status == 401


def test_a_name_that_an_account_has(way: Way, stage: Stage) -> None:
    stage.filed.append(ServiceAccount("ana@example.com", IdentityKind.HUMAN, frozenset({"admins"}), "file"))
    assert way.back().status == 403
    assert "account of this gateway" in refused(stage)


def test_a_token_dies_with_what_it_rests_on(way: Way, stage: Stage, trusting: SamlIssuer) -> None:
    token = way.redeem(onward(way.back())["code"][0]).json["token"]

    def status() -> int:
        return way.remote.ask("GET", "/api/v1/whoami", token=token).status

    assert status() == 200
    for other in (
        {},
        {"corp": replace(trusting, entity_id="https://other.example.com")},
        {"corp": replace(trusting, prefix="corp.")},
        {"corp": replace(trusting, group_prefix="corp-")},
        {"corp": replace(trusting, groups=None)},
        {"corp": replace(trusting, longest=60)},
        {"corp": trusting, "ana": replace(trusting, name="ana", entity_id="x", prefix="ana")},
        {"other": trusting},
    ):
        stage.saml.clear()
        stage.saml.update(other)
        assert status() == 401
        stage.control.attempts.__init__(lambda: stage.control.clock)  # type: ignore[misc]
    stage.saml.clear()
    stage.saml["corp"] = trusting
    assert status() == 200
    stage.filed.append(ServiceAccount("ana@example.com", IdentityKind.HUMAN, frozenset({"admins"}), "file"))
    assert status() == 401
    stage.filed.pop()
    stage.control.clock = NOW + 7200 * 10**9
    assert status() == 401


def test_what_is_not_recorded_is_not_done(way: Way, stage: Stage) -> None:
    stage.control.journal_full = True
    page = way.back()
    assert page.status == 503
    stage.control.journal_full = False
    assert way.back().status == 403  # the assertion was taken


def test_files_that_cannot_be_read_prove_nobody(way: Way, stage: Stage) -> None:
    (stage.folder / "idp.pem").write_text("nothing")
    assert way.back().status == 403
    assert "its files can't be used" in refused(stage)
    (stage.folder / "idp.pem").unlink()
    assert way.back().status == 403
    other = Way(way.remote)
    other.begin()
    assert other.go().status == 403
    assert "its files can't be used" in refused(stage)


def test_our_metadata_and_signed_requests(way: Way, stage: Stage, trusting: SamlIssuer) -> None:
    stage.saml["corp"] = replace(trusting, sign_requests=True, sso="https://idp.example.com/sso?tenant=1")
    found = way.remote.ask("GET", f"{PATH}/metadata")
    assert found.headers["content-type"].startswith("application/samlmetadata+xml")
    text = found.body.decode()
    assert f'entityID="{trusting.our_id}"' in text
    assert f'Location="{trusting.acs}"' in text
    told = re.search(r"X509Certificate>([^<]+)<", text)
    assert told is not None
    key = load_der_x509_certificate(base64.b64decode(told[1])).public_key()
    other = Way(way.remote)
    other.begin()
    location = other.go().headers["location"]
    assert location.startswith("https://idp.example.com/sso?tenant=1&SAMLRequest=")
    signed, _, signature = other.query.removeprefix("tenant=1&").partition("&Signature=")
    value = base64.b64decode(parse_qs(f"s={signature}")["s"][0])
    key.verify(value, signed.encode(), padding.PKCS1v15(), hashes.SHA256())  # type: ignore[union-attr, call-arg]
    assert other.back().status == 200
