"""Signing in to a page with a browser by an issuer: at an independent provider, and every way around it."""

from __future__ import annotations

import base64
import hashlib
import html
import http.client
import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urljoin, urlsplit

import pytest

from api.asking import ask_for, found, link_of
from api.conftest import served as on_https
from api.stage import Remote, Stage
from identity.issuer import claims, key, published, signed
from servers import system
from servers.provider import Provider
from wicketgate.admin import code_flow as verbs
from wicketgate.api.server import ApiSettings, serve
from wicketgate.custody.settings import CustodySettings, Keepers
from wicketgate.identity.issuers import IssuerTokens
from wicketgate.identity.keys import read_keys
from wicketgate.model.issuer import Issuer
from wicketgate.policy.load import load
from wicketgate.signing_in import browsing

HERE = "https://gateway.example"
MAIN = """\
identity:
  issuers:
    main:
      url: {url}
      audiences: [wicketgate]
      parties: [page]
      sign_in: {{client_id: page, client_secret: {{file: secret}}, resource: "urn:wicketgate"}}
"""


def trusting(stage: Stage, text: str, keys: list[dict[str, str]]) -> dict[str, Issuer]:
    """The stage trusts what the policy says, by these keys of its one issuer."""
    issuers = dict(load(text, str(stage.folder / "wicket.yaml"), {}).issuers)
    until = 4_000_000_000_000_000_000
    entries = {name: {"source": each.source, "until": until, "keys": keys} for name, each in issuers.items()}
    stage.issuers = IssuerTokens(issuers, entries)
    return issuers


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    folder = system.folder("wicketgate-provider")
    made = Provider(folder)
    yield made
    made.stop()
    system.remove(folder)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    stage = Stage(tmp_path_factory.mktemp("sign-in"))
    keepers = Keepers({}, CustodySettings().located(stage.folder, stage.folder))
    (stage.folder / "secret").write_text("page:secret %")
    stage.browsing = browsing(lambda: stage.issuers, keepers, HERE, lambda text: pytest.fail(text))
    with on_https(stage) as made:
        yield made


@pytest.fixture
def stage(served: Remote, provider: Provider) -> Stage:
    """It trusts the provider; nobody has tried anything."""
    served.stage.control.__init__()  # type: ignore[misc]  # the API holds this one
    provider.people(ana=["dba"], ben=["dba", "crew"], eve=["visitors"])
    trusting(served.stage, MAIN.format(url=provider.issuer), read_keys(provider.keys()))
    return served.stage


@dataclass
class Page:
    status: int
    headers: list[tuple[str, str]]
    text: str
    address: str

    def header(self, name: str) -> str:
        return next((value for each, value in self.headers if each == name), "")


@dataclass
class Browser:
    """A person's. What goes to the gateway's public name comes to the one that listens at `port`. It keeps
    cookies by site, and sends strict ones along only where a page of that site sent it."""

    ca: str
    port: int
    person: str = "ana"
    cookies: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    def get(self, address: str, form: dict[str, str] | None = None, site: str = "", **headers: str) -> Page:
        """One page. site: which one's page sent it there; nothing: somebody typed the address."""
        parts = urlsplit(address)
        self.seen.append(address)
        host = parts.netloc
        if host == "gateway.example":
            context = ssl.create_default_context(cafile=self.ca)
            link: http.client.HTTPConnection = http.client.HTTPSConnection(
                "localhost", self.port, timeout=10, context=context
            )
        else:
            link = http.client.HTTPConnection(host, timeout=10)
        kept = [
            f"{name}={value}"
            for (whose, name), (value, same) in self.cookies.items()
            if whose == host and (not site or site == host or same != "strict")
        ]
        sent = {"cookie": "; ".join(kept)} if kept else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if form is not None:
            sent["content-type"] = "application/x-www-form-urlencoded"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        link.request("GET" if form is None else "POST", target, form and urlencode(form), sent)
        answer = link.getresponse()
        page = Page(answer.status, [(n.lower(), v) for n, v in answer.getheaders()], "", address)
        page.text = answer.read().decode()
        link.close()
        for name, value in page.headers:
            if name == "set-cookie":
                self._keep(host, value)
        return page

    def _keep(self, host: str, text: str) -> None:
        pair, *rest = text.split("; ")
        name, _, value = pair.partition("=")
        told = {each.lower() for each in rest}
        if host == "gateway.example":
            assert name.startswith("__Host-wicket-")
            assert len(text) <= 4096
            assert {"httponly", "secure", "path=/"} <= told
            assert not [each for each in told if each.startswith("domain")]
        if "max-age=0" in told or not value.strip('"'):
            self.cookies.pop((host, name), None)
        else:
            same = next((each.partition("=")[2] for each in told if each.startswith("samesite")), "lax")
            self.cookies[host, name] = (value, same)

    def begin(self, link: str, name: str = "main") -> Page:
        """To the issuer: the redirection."""
        path, _, query = link.partition("?")
        return self.get(f"{HERE}{path}/oidc/{name}?{query}", site="gateway.example")

    def there(self, address: str) -> str:
        """At the issuer: forms are filled in, until it sends the browser back. That address."""
        form = None
        for _ in range(12):
            page = self.get(address, form)
            form = None
            if page.header("location"):
                address = urljoin(address, page.header("location"))
                if address.startswith(HERE):
                    return address
                continue
            body = re.search(r"<form(.*?)>(.*?)</form>", page.text, re.DOTALL)
            assert body is not None, page.text
            action = re.search(r'action="(.*?)"', body[1])
            address = urljoin(address, html.unescape(action[1]) if action else "")
            form = {"login": self.person, "password": "x"}
            for tag in re.findall(r"<input(.*?)/?>", body[2], re.DOTALL):
                name, value = re.search(r'name="(.*?)"', tag), re.search(r'value="(.*?)"', tag)
                if name is not None and name[1] not in form:
                    form[name[1]] = value[1] if value else ""
        raise AssertionError("it never comes back")

    def onward(self, page: Page) -> Page:
        """Where a page of ours sends it by itself."""
        found = re.search(r'http-equiv=refresh content="0; url=(.*?)"', page.text)
        assert found is not None, page.text
        return self.get(urljoin(page.address, html.unescape(found[1])), site="gateway.example")

    def back(self, address: str) -> Page:
        return self.get(address, site="127.0.0.1")

    def sign_in(self, link: str) -> Page:
        back = self.back(self.there(self.begin(link).header("location")))
        return self.onward(back) if back.status == 200 else back


@pytest.fixture
def browser(served: Remote) -> Callable[..., Browser]:
    def made(person: str = "ana", port: int | None = None) -> Browser:
        return Browser(served.ca, port or served.handle.port or 0, person)

    return made


def ours(browser: Browser) -> dict[str, str]:
    return {name: value for (host, name), (value, _) in browser.cookies.items() if host == "gateway.example"}


def answer(browser: Browser, link: str, page: Page) -> Page:
    proof = re.search(r'name=proof value="([0-9a-f]+)"', page.text)
    path, _, query = link.partition("?")
    form = {"answer": "approve", "proof": proof[1] if proof else ""}
    return browser.get(f"{HERE}{path}/answer?{query}", form, site="gateway.example")


def test_two_people_sign_in_and_answer(stage: Stage, browser: Callable[..., Browser]) -> None:
    number = ask_for(stage.folder, quorum=2)
    link = link_of(stage.folder, number)
    ana, ben = browser("ana"), browser("ben")
    first = ana.get(HERE + link)
    assert f'href="/reviews/{number}/oidc/main?k=' in first.text
    assert "Sign in with main" in first.text
    begun = ana.begin(link)
    asked = {name: each for name, [each] in parse_qs(urlsplit(begun.header("location")).query).items()}
    assert asked["redirect_uri"] == f"{HERE}/sign-in/main/callback"
    assert (asked["code_challenge_method"], asked["client_id"]) == ("S256", "page")
    back = ana.back(ana.there(begun.header("location")))
    assert (back.status, back.header("referrer-policy")) == (200, "no-referrer")
    assert [name for name in ours(ana) if "code" in name] == [], "what was begun is over"
    page = ana.onward(back)
    assert "You are ana" in page.text
    assert "it waits for others" in answer(ana, link, page).text
    page = ben.sign_in(link)
    assert "It is approved" in answer(ben, link, page).text
    lines = [each for each in stage.control.records if each["do"] == "sign-in"]
    assert [(each["by"], each["how"], each["kind"], each["name"]) for each in lines] == [
        ("ana", "oidc", "sign-in", "main"),
        ("ben", "oidc", "sign-in", "main"),
    ]
    assert lines[0]["proven"] == {"name": "ana", "groups": ["dba"], "subject": "ana"}
    assert lines[0]["credential"].startswith("jwt-")
    whole = json.dumps(stage.control.records) + "".join(stage.logged)
    for word in ("eyJ", asked["state"], asked["nonce"], "secret %"):
        assert word not in whole, word
    for each in [*ana.seen, *ben.seen]:
        assert "eyJ" not in each, "no token is in an address"


def test_by_its_id_token(stage: Stage, provider: Provider, browser: Callable[..., Browser]) -> None:
    text = MAIN.format(url=provider.issuer).replace("[wicketgate]", "[page]")
    text = text.replace(
        "sign_in: {",
        "groups: none\n      accept: [{subject: '*', groups: [dba]}]\n      sign_in: {token: id, ",
    )
    text = text.replace(', resource: "urn:wicketgate"', "").replace("parties: [page]", "skew: 30s")
    trusting(stage, text, read_keys(provider.keys()))
    link = link_of(stage.folder, ask_for(stage.folder))
    assert "You are ana" in browser().sign_in(link).text


def test_another_browser_and_another_sign_in(stage: Stage, browser: Callable[..., Browser]) -> None:
    """State, code and cookie are one browser's, of one sign-in; a review's is that review's."""
    number, other = ask_for(stage.folder), ask_for(stage.folder)
    link, elsewhere = link_of(stage.folder, number), link_of(stage.folder, other)
    ana, eve = browser("ana"), browser("eve")
    hers = eve.there(eve.begin(link).header("location"))
    page = ana.back(hers)
    assert (page.status, ours(ana)) == (403, {}), (
        "eve's answer in ana's browser: she would be signed in as eve"
    )
    assert "Open the link again" in page.text
    mine = ana.there(ana.begin(link).header("location"))
    told, own = dict(parse_qsl(urlsplit(hers).query)), dict(parse_qsl(urlsplit(mine).query))
    mixed = {**own, "code": told["code"]}
    tickets = [dict(browser_cookies) for browser_cookies in (ours(ana), ours(eve))]
    where = f"{HERE}/sign-in/main/callback?"
    assert ana.back(where + urlencode({**own, "state": told["state"]})).status == 403
    assert ours(ana) == tickets[0], "another's state ends nothing of hers"
    # eve's code under ana's state: it was given for another challenge
    assert ana.back(where + urlencode(mixed)).status == 403
    assert ours(ana) == {}, "what was tried once is over"
    assert ana.back(mine).status == 403
    # what she stole of ana's cookie opens nothing without ana's state, and ana's state nothing without it
    [text] = tickets[0].values()
    eve.cookies["gateway.example", f"__Host-wicket-code-{told['state'][:16]}"] = (text, "lax")
    assert eve.back(hers).status == 403
    # a code is taken once
    ben = browser("ben")
    again = ben.there(ben.begin(link).header("location"))
    kept = dict(ben.cookies)
    assert ben.back(again).status == 200
    ben.cookies = kept
    assert ben.back(again).status == 403
    # and a sign-in to one review's page is none to another's
    ben = browser("ben")
    assert "You are ben" in ben.sign_in(link).text
    assert "You are" not in ben.get(HERE + elsewhere).text
    assert found(stage.folder, number).votes == ()


def test_what_comes_back_otherwise(
    stage: Stage, browser: Callable[..., Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    link = link_of(stage.folder, ask_for(stage.folder))
    where = f"{HERE}/sign-in/main/callback?"

    def begun() -> tuple[Browser, dict[str, str]]:
        made = browser()
        return made, dict(parse_qsl(urlsplit(made.there(made.begin(link).header("location"))).query))

    ana, own = begun()
    attacks = [
        {**own, "iss": "https://evil.example"},
        {name: each for name, each in own.items() if name != "iss"},
        {name: each for name, each in own.items() if name != "code"},
        {**own, "code": ""},
        {**own, "code": "x" * 5000},
        {**own, "code": "x\r\nhost: evil"},
        {**own, "error": "access_denied"},
        {**own, "state": ""},
        {**own, "state": own["state"][:-1] + ("1" if own["state"].endswith("0") else "0")},
        {**own, "state": "\U0001f600"},
        {},
    ]
    kept = dict(ana.cookies)
    for attack in attacks:
        ana.cookies = dict(kept)
        stage.control.__init__()  # type: ignore[misc]
        page = ana.back(where + urlencode(attack))
        assert (page.status, "Open the link again" in page.text) == (403, True), attack
        assert not [name for name in ours(ana) if "review" in name]
    ana.cookies = dict(kept)
    twice = where + urlencode([*own.items(), ("code", "another")])
    assert ana.back(twice).status == 403
    for name in ("nobody", "..", "%2e%2e", "a" * 64, "main%0d%0ax"):
        assert ana.back(f"{HERE}/sign-in/{name}/callback?{urlencode(own)}").status in (401, 403, 404)
    ana.cookies = dict(kept)
    assert ana.back(where + urlencode({**own, "return": "https://evil.example", "review": "x"})).status == 200
    monkeypatch.setattr(verbs, "PATIENCE", -1)
    late, own = begun()
    assert late.back(where + urlencode(own)).status == 403


def test_who_begins(stage: Stage, provider: Provider, browser: Callable[..., Browser]) -> None:
    """Nobody else's page begins a sign-in, nor one that has no link; it leads to nobody but the issuer."""
    number = ask_for(stage.folder)
    link = link_of(stage.folder, number)
    path, _, query = link.partition("?")
    ana = browser()
    for headers in (
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_purpose": "prefetch"},
        {"purpose": "prefetch"},
    ):
        assert ana.get(f"{HERE}{path}/oidc/main?{query}", **headers).status == 403, headers
    for target in (
        f"{path}/oidc/main",
        f"{path}/oidc/main?k=AAAA",
        f"/reviews/{'0' * 26}/oidc/main?{query}",
        f"{path}/oidc/nobody?{query}",
        f"{path}/oidc/main?{query}&k=x",
    ):
        assert ana.get(HERE + target).status == 403, target
    assert ours(ana) == {}
    more = quote("https://evil.example/", safe="")
    sent = ana.get(f"{HERE}{path}/oidc/main?{query}&return={more}&redirect_uri={more}", host="evil.example")
    assert sent.header("location").startswith(f"{provider.issuer}/auth?")
    assert "evil" not in sent.header("location")
    assert (sent.header("referrer-policy"), sent.header("cache-control")) == ("no-referrer", "no-store")
    # two tabs at once, both good, in any order; and many are no harm
    one, two = ana.there(ana.begin(link).header("location")), ana.there(ana.begin(link).header("location"))
    assert (ana.back(two).status, ana.back(one).status) == (200, 200)
    for _ in range(24):
        page = ana.begin(link)
        assert page.status == 302
        assert sum(len(name) + len(value) for name, value in ours(ana).items()) < 24_000
    assert ana.back(ana.there(page.header("location"))).status == 200


def test_people_who_may_not(stage: Stage, provider: Provider, browser: Callable[..., Browser]) -> None:
    number = ask_for(stage.folder)
    link = link_of(stage.folder, number)
    page = browser("eve").sign_in(link)
    assert "There is no such review, or it is not for you." in page.text
    good = {"groups": ["dba"], "email": "ana@example.com"}
    text = MAIN.format(url=provider.issuer) + "      name: email\n"
    trusting(stage, text, read_keys(provider.keys()))
    for more, told in (({"email_verified": True}, True), ({"email_verified": False}, False), ({}, False)):
        provider.persons({"ana": {**good, **more}})
        page = browser().sign_in(link)
        assert ("You are ana@example.com" in page.text) is told, more
    # its policy says that machines sign in by it: then no page does, and if one did, no machine gets in
    machines = MAIN.format(url=provider.issuer).replace("parties", "kind: service\n      parties")
    with pytest.raises(Exception, match="kind service has no sign_in"):
        load(machines, "w.yaml", {})
    assert found(stage.folder, number).votes == ()


def test_begun_on_one_node_and_finished_on_another(
    stage: Stage, served: Remote, browser: Callable[..., Browser], tmp_path: Path
) -> None:
    """They share the store, and no memory."""
    settings = served.settings
    second = ApiSettings(tmp_path / "b.sock", ("127.0.0.1", 0), settings.certificate, settings.key)
    handle = serve(stage.office, second, stage.logged.append)
    try:
        link = link_of(stage.folder, ask_for(stage.folder))
        ana = browser()
        address = ana.there(ana.begin(link).header("location"))
        ana.port = handle.port or 0
        assert "You are ana" in ana.onward(ana.back(address)).text
    finally:
        handle.stop()


# -- an issuer that lies -----------------------------------------------------------------------------------
class Liar:
    """An issuer of which every answer is made up. says: what its token endpoint answers (status, body)."""

    def __init__(self) -> None:
        self.says: tuple[int, bytes] = (200, b"")
        self.asked: list[dict[str, str]] = []
        self.configuration: dict[str, Any] = {}
        liar = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._tell(200, json.dumps(liar.configuration).encode())

            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers["content-length"])).decode()
                liar.asked.append(
                    {**dict(parse_qsl(text)), "authorization": self.headers["authorization"] or ""}
                )
                self._tell(*liar.says)

            def _tell(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("location", f"{liar.url}/elsewhere")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.good = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/auth",
            "token_endpoint": f"{self.url}/token",
        }
        self.configuration = self.good
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def liar() -> Iterator[Liar]:
    made = Liar()
    yield made
    made.stop()


def halved(token: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(token).digest()[:16]).rstrip(b"=").decode()


def test_what_an_issuer_may_not_give(
    stage: Stage, served: Remote, liar: Liar, browser: Callable[..., Browser]
) -> None:
    import time

    text = MAIN.format(url=liar.url) + "      name: email\n"
    trusting(stage, text, published(key("RSA"), key("RSA", "two")))
    now = int(time.time())
    link = link_of(stage.folder, ask_for(stage.folder))
    common: dict[str, Any] = {"iss": liar.url, "iat": now, "exp": now + 300}
    person = {**common, "sub": "ana", "groups": ["dba"], "email": "ana@example.com", "email_verified": True}
    access = signed(claims(**person, azp="page"), key("RSA"))
    own = served.issue("chief")

    def told(own: str, **more: Any) -> bytes:
        return signed(claims(**{**common, "sub": "ana", "aud": "page", "nonce": own, **more}), key("RSA"))

    def given(nonce: str, **more: Any) -> bytes:
        whole = {"token_type": "Bearer", "access_token": access.decode(), "id_token": told(nonce).decode()}
        return json.dumps({name: each for name, each in {**whole, **more}.items() if each}).encode()

    def tried(says: Callable[[str], tuple[int, bytes]]) -> Page:
        stage.control.__init__()  # type: ignore[misc]
        ana = browser()
        begun = ana.begin(link)
        asked = dict(parse_qsl(urlsplit(begun.header("location")).query))
        liar.says = says(asked["nonce"])
        page = ana.back(f"{HERE}/sign-in/main/callback?{urlencode({'code': 'c', 'state': asked['state']})}")
        assert [name for name in ours(ana) if "code" in name] == []
        verifier = liar.asked[-1]["code_verifier"]
        made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        assert made == asked["code_challenge"]
        return page

    def lies(**more: Any) -> Callable[[str], tuple[int, bytes]]:
        return lambda nonce: (200, given(nonce, **more))

    def by_id(**more: Any) -> Callable[[str], tuple[int, bytes]]:
        return lambda nonce: (200, given(nonce, id_token=told(nonce, **more).decode()))

    def by_access(**more: Any) -> Callable[[str], tuple[int, bytes]]:
        return lies(access_token=signed(claims(**{**person, "azp": "page", **more}), key("RSA")).decode())

    assert tried(lies()).status == 200
    pair = base64.b64decode(liar.asked[-1]["authorization"].removeprefix("Basic ")).decode()
    assert pair == "page:page%3Asecret+%25"
    assert "client_secret" not in liar.asked[-1]
    assert tried(by_id(at_hash=halved(access), sub="pairwise")).status == 200
    another = key("RSA", "three")
    attacks: dict[str, Callable[[str], tuple[int, bytes]]] = {
        "another sign-in's nonce": by_id(nonce="0" * 64),
        "no nonce": by_id(nonce=None),
        "a nonce that is no text": by_id(nonce=["x"]),
        "another client's ID token": by_id(aud="other"),
        "an ID token for several": by_id(aud=["page", "other"]),
        "an ID token by another party": by_id(azp="other"),
        "an ID token of another issuer": by_id(iss="https://id.example.com"),
        "an ID token that is over": by_id(exp=now - 1),
        "an ID token about somebody else": by_id(sub="ben"),
        "an ID token of another access token": by_id(at_hash=halved(access + b"x")),
        "an ID token with an odd hash": by_id(at_hash=7),
        "an ID token by another's key": lambda nonce: (
            200,
            given(
                nonce, id_token=signed(claims(**common, sub="ana", aud="page", nonce=nonce), another).decode()
            ),
        ),
        "no ID token": lies(id_token=None),
        "an unsigned ID token": lambda nonce: (
            200,
            given(nonce, id_token=told(nonce).decode().rpartition(".")[0] + "."),
        ),
        "the access token for the ID token": lies(id_token=access.decode()),
        "the ID token for the access token": lambda nonce: (
            200,
            given(nonce, access_token=told(nonce).decode()),
        ),
        "a token of the gateway": lies(access_token=own),
        "another audience": by_access(aud="elsewhere"),
        "another party": by_access(azp="cli"),
        "no groups": by_access(groups=None),
        "an e-mail that is not verified": by_access(email_verified=False),
        "an e-mail nobody speaks of": by_access(email_verified=None),
        "a name of an account here": by_access(email="chief"),
        "a token that is bound to a key": by_access(cnf={"jkt": "x"}),
        "another kind of token": lies(token_type="DPoP"),
        "no kind of token": lies(token_type=None),
        "a number": lies(access_token=7),
        "a refusal": lambda nonce: (400, b'{"error": "invalid_grant"}'),
        "a redirection": lambda nonce: (302, given(nonce)),
        "no JSON": lambda nonce: (200, b"<html>"),
        "a list": lambda nonce: (200, b"[]"),
        "a member twice": lambda nonce: (200, given(nonce)[:-1] + b',"token_type":"Bearer"}'),
        "too much": lambda nonce: (200, given(nonce)[:-1] + b" " * (1 << 18) + b"}"),
    }
    for what, attack in attacks.items():
        page = tried(attack)
        assert (page.status, "Open the link again" in page.text) == (403, True), what
        [line] = [each for each in stage.control.records if each["do"] == "sign-in"]
        assert (line["by"], bool(line["refused"])) == ("nobody", True), what
        assert "eyJ" not in json.dumps(line), what
        assert line["refused"] not in page.text
    assert found(stage.folder, urlsplit(link).path.rpartition("/")[2]).votes == ()
