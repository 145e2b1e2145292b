"""`wicket login` at an independent provider, with a played browser; and answers that must not be taken."""

from __future__ import annotations

import html
import http.cookiejar
import json
import os
import re
import stat
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import pytest
from typer.testing import CliRunner

from servers import system
from servers.provider import Provider
from wicketgate.cli.door import Door
from wicketgate.cli.ending import Ended
from wicketgate.cli.issuer import Site, Wanted, claims
from wicketgate.cli.login import _keep
from wicketgate.cli.main import app
from wicketgate.identity.issuers import IssuerTokens
from wicketgate.identity.keys import read_keys
from wicketgate.model.secret import Secret
from wicketgate.policy.load import load


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    folder = system.folder("wicketgate-provider")
    made = Provider(folder)
    yield made
    made.stop()
    system.remove(folder)


def browse(address: str, person: str = "ana") -> str:
    """Go there as a person does: whatever form comes is filled in, as them. The last page's text."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    data: bytes | None = None
    for _ in range(10):
        with opener.open(urllib.request.Request(address, data), timeout=20) as answer:
            page, address = answer.read().decode(), answer.geturl()
        form = re.search(r"<form(.*?)>(.*?)</form>", page, re.DOTALL)
        if form is None:
            return page
        action = re.search(r'action="(.*?)"', form[1])
        assert action is not None
        fields = {}
        for tag in re.findall(r"<input(.*?)/?>", form[2], re.DOTALL):
            name = re.search(r'name="(.*?)"', tag)
            value = re.search(r'value="(.*?)"', tag)
            if name is not None:
                fields[name[1]] = html.unescape(value[1]) if value is not None else person
        address, data = urljoin(address, html.unescape(action[1])), urlencode(fields).encode()
    raise AssertionError("a form came again and again")


def run(provider: Provider, folder: Path, *arguments: str) -> tuple[dict[str, Any], Path, str]:
    """`wicket login`, with a browser that goes where it says: what it printed, the file, standard error."""
    file = folder / "kept" / "token"
    process = subprocess.Popen(
        [
            str(Path(sys.executable).parent / "wicket"),
            *("login", "--issuer", provider.issuer, "--client-id", "cli", "--resource", "urn:wicketgate"),
            *("--no-browser", "--json", "--out", str(file), *arguments),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "HOME": str(folder)},
    )
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if (found := re.search(r"http://\S+", line)) is not None:
            browse(found[0])
            break
    out, rest = process.communicate(timeout=60)
    assert process.returncode == 0, said + rest
    return json.loads(out), file, said + rest


def test_a_person_signs_in(provider: Provider, tmp_path: Path) -> None:
    told, file, said = run(provider, tmp_path)
    assert (told["file"], told["subject"]) == (str(file), "ana")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    token = file.read_text()
    assert token not in said
    # what was kept is what a gateway takes
    text = f"identity: {{issuers: {{main: {{url: '{provider.issuer}', audiences: [wicketgate]}}}}}}"
    trusted = load(text, "wicket.yaml", {}).issuers
    with urllib.request.urlopen(provider.configuration()["jwks_uri"]) as answer:
        keys = read_keys(answer.read())
    entry = {"source": trusted["main"].source, "until": 1 << 62, "keys": keys}
    now = (claims(Secret(token.encode()))["exp"] - 1) * 1_000_000_000
    found = IssuerTokens(trusted, {"main": entry}).prove(Secret(token.encode()), {}, {}, now)
    assert (found.name, found.groups) == ("ana", {"readers"})


def test_a_person_signs_in_on_another_machine(provider: Provider) -> None:
    site = Site(Wanted(provider.issuer, "cli", resource="urn:wicketgate"))
    shown: list[tuple[str, str]] = []
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            browse(shown[0][0])

    token = site.device(lambda *told: shown.append(told), sleep)
    assert (claims(token)["sub"], claims(token)["aud"], pauses) == ("ana", "wicketgate", [5, 5])
    assert shown[0][1] in shown[0][0]
    with pytest.raises(Ended, match="in time"):
        site.device(lambda *told: None, lambda seconds: None)


def test_answers_that_are_not_ours(provider: Provider) -> None:
    site = Site(Wanted(provider.issuer, "cli", resource="urn:wicketgate"))
    with Door(0) as door:
        begun = site.begin(f"http://127.0.0.1:{door.server_port}/callback")
        query = dict(parse_qsl(urlsplit(begun.address).query))
        assert (query["code_challenge_method"], query["state"]) == ("S256", begun.state)
        assert begun.verifier not in begun.address
        strangers = [
            f"/callback?code=x&state=other&iss={provider.issuer}",
            f"/callback?code=x&state={begun.state}&state={begun.state}",
            f"/elsewhere?code=x&state={begun.state}",
            "/",
        ]

        def visit() -> None:
            for path in strangers:
                with pytest.raises(urllib.error.HTTPError):
                    urllib.request.urlopen(f"http://127.0.0.1:{door.server_port}{path}", timeout=20)
            browse(begun.address)

        browser = threading.Thread(target=visit)
        browser.start()
        answer = door.wait(begun.state)
        browser.join()
    good = {"state": begun.state, "iss": provider.issuer, "code": answer["code"]}
    for wrong, told in (
        ({"state": "other"}, "state"),
        ({"state": ""}, "state"),
        ({"iss": "https://evil.example.com"}, "iss"),
        ({"code": ""}, "refuses"),
        ({"error": "access_denied"}, "access_denied"),
        ({"code": "another"}, "invalid_grant"),
    ):
        with pytest.raises(Ended, match=told):
            site.finish(begun, good | wrong)
    with pytest.raises(Ended, match="iss"):
        site.finish(begun, {name: value for name, value in good.items() if name != "iss"})
    assert site.finish(begun, good)
    # a code is good once
    with pytest.raises(Ended, match="invalid_grant"):
        site.finish(begun, good)


def test_another_sign_ins_nonce(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(Wanted(provider.issuer, "cli"))
    begun = site.begin("http://127.0.0.1:1/callback")
    for told in (None, "a.b.c", "e30.eyJub25jZSI6Im90aGVyIn0.x"):
        answer = {"access_token": "e30.eyJhIjoxfQ.x", "id_token": told}
        monkeypatch.setattr(site, "_ask", lambda *rest, answer=answer: (200, answer))
        with pytest.raises(Ended, match="nonce"):
            site.finish(begun, {"state": begun.state, "iss": provider.issuer, "code": "x"})


def test_issuers_that_are_not_asked(provider: Provider) -> None:
    for issuer in ("http://id.example.com", "ftp://localhost", provider.issuer + "/", "http://127.0.0.1:1"):
        with pytest.raises(Ended):
            Site(Wanted(issuer, "cli"))


def test_a_token_that_can_not_be_kept_ends_in_a_word(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Ended, match="can't be written"):
        _keep(tmp_path / "file" / "token", b"x")


def test_who_names_no_provider_is_told_how(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WICKET_ISSUER", "WICKET_CLIENT_ID", "WICKET_URL"):
        monkeypatch.delenv(name, raising=False)
    for arguments, why in (
        ([], "name a SAML identity provider"),
        (["a/b", "--url", "https://127.0.0.1:1"], "is no identity provider's name"),
        (["corp", "--url", "http://127.0.0.1:1"], "--url must be https"),
    ):
        ended = CliRunner().invoke(app, ["login", *arguments, "--no-browser"]).exception
        assert isinstance(ended, Ended)
        assert ended.code == 2
        assert why in ended.message
