"""A review's page as a browser has it, and every way to see or answer without having signed in to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import pytest

from api.asking import SHOWN, ask_for, found, link_of, review
from api.conftest import served as on_https
from api.stage import Answer, Remote, Stage
from wicketgate.api.rendering import safe
from wicketgate.model.identity import IdentityKind
from wicketgate.model.review import Asker, Panel, Status
from wicketgate.model.token import ServiceAccount

FORM = "application/x-www-form-urlencoded"
HOSTILE = "</pre><script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202e\x00\x1b[31m&lt;"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    stage = Stage(tmp_path_factory.mktemp("pages"))
    stage.filed += [
        ServiceAccount(name, IdentityKind.HUMAN, frozenset({"dba"}), "file") for name in ("ana", "ben")
    ]
    stage.filed.append(ServiceAccount("eve", IdentityKind.HUMAN, frozenset(), "file"))
    stage.filed.append(ServiceAccount("dba-bot", IdentityKind.AGENT, frozenset({"dba"}), "file"))
    with on_https(stage) as made:
        yield made


@dataclass
class Browser:
    """Keeps cookies, and goes where it is sent on this very site."""

    remote: Remote
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, target: str, form: dict[str, str] | None = None, **headers: str) -> Answer:
        sent = {"content-type": FORM} if form is not None else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = None if form is None else urlencode(form).encode()
        answer = self.remote.ask(method, target, body, headers=sent)
        for each in answer.cookies:
            pair, *rest = each.split("; ")
            name, _, value = pair.partition("=")
            assert name.startswith("__Host-wicket-review-")
            assert {part.lower() for part in rest} >= {"httponly", "secure", "samesite=strict", "path=/"}
            self.cookies[name] = value
            if "Max-Age=0" in rest:
                del self.cookies[name]
        return answer

    def sign_in(self, link: str, token: str) -> Answer:
        path, _, query = link.partition("?")
        answer = self.ask("POST", f"{path}/sign-in?{query}", {"token": token})
        return self.ask("GET", answer.headers["location"]) if answer.status == 303 else answer

    def answer(self, link: str, page: Answer | None = None, **form: str) -> Answer:
        path, _, query = link.partition("?")
        proof = re.search(rb'name=proof value="([0-9a-f]+)"', b"" if page is None else page.body)
        sent = {"answer": "approve", **({"proof": proof[1].decode()} if proof else {}), **form}
        return self.ask("POST", f"{path}/answer?{query}", sent)


def test_sign_in_see_and_answer(served: Remote) -> None:
    unseen = ["of $1 only the first 10 of <20> bytes"]
    number = ask_for(served.stage.folder, behalf="eve", quorum=2, shown={**SHOWN, "unseen": unseen})
    link, ana, ben = link_of(served.stage.folder, number), Browser(served), Browser(served)
    first = ana.ask("GET", link)
    assert (first.status, b"type=password" in first.body, number.encode() in first.body) == (200, True, True)
    assert b"orders" not in first.body
    page = ana.sign_in(link, served.issue("ana"))
    assert (page.status, b"DELETE FROM orders WHERE email = $2 AND id = $1" in page.body) == (200, True)
    for text in (b"bot (agent)", b"eve", b"INC-4711 &lt;b&gt;why&lt;/b&gt;", b"You are ana", b"hidden"):
        assert text in page.body, text
    assert (
        b"<strong>Not all of this statement is shown: of $1 only the first 10 of &lt;20&gt; bytes"
        in page.body
    )
    assert b"canary" not in page.body
    done = ana.answer(link, page, comment="fine\r\nby me", scope="shape", minutes="15", rows="9")
    assert (done.status, b"it waits for others" in done.body) == (200, True)
    assert b"You can't answer it: you have answered it already" in ana.ask("GET", link).body
    page = ben.sign_in(link, served.issue("ben"))
    assert b"fine\nby me" in page.body
    done = ben.answer(link, page, scope="shape", minutes="20")
    assert b"It is approved" in done.body
    kept = found(served.stage.folder, number)
    assert (kept.status, kept.conditions.minutes, kept.conditions.rows) == (Status.APPROVED, 15, 9)
    again = ben.answer(link, page, answer="deny")
    assert (again.status, b"it is approved already" in again.body) == (409, True), "a replay after the answer"
    lines = [each for each in served.stage.control.records if each.get("review") == number]
    assert [each["do"] for each in lines if each["by"] == "ben"] == ["reviews.show", "reviews.answer"]


def test_every_page_is_closed_to_others(served: Remote) -> None:
    number = ask_for(served.stage.folder)
    link = link_of(served.stage.folder, number)
    browser = Browser(served)
    answers = [browser.ask("GET", link), browser.sign_in(link, served.issue("ana")), browser.answer(link)]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script" not in policy
        assert "unsafe" not in policy
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert b"<script" not in answer.body
        assert "set-cookie" not in answer.headers


def test_nothing_is_told_before_sign_in(served: Remote) -> None:
    folder = served.stage.folder
    number, other = ask_for(folder), ask_for(folder)
    good, absent = link_of(folder, number), "0" * 26
    mark = good.partition("?k=")[2]
    forged = [
        f"/reviews/{number}",
        f"/reviews/{number}?k=",
        f"/reviews/{number}?k={mark[:-4]}AAAA",
        f"/reviews/{number}?k={link_of(folder, other).partition('?k=')[2]}",
        f"/reviews/{number}?k=AAAAAAAA{mark[8:]}",
        f"/reviews/{absent}?k={mark}",
        f"/reviews/{number}?k=%C3%A4",
        f"/reviews/{number}?k={'A' * 80}",
    ]
    pages = []
    for link in (good, *forged):
        answer = Browser(served).ask("GET", link)
        shown = re.sub(rb"/reviews/[0-9A-Z]{26}|\?k=[^\"]*", b"", answer.body)
        pages.append((answer.status, shown))
    assert len(set(pages)) == 1
    token = served.issue("ana")
    for link in forged:
        browser = Browser(served)
        answer = browser.sign_in(link, token)
        assert (answer.status, browser.cookies) == (403, {}), link
        assert answer.body == Browser(served).sign_in(good, "wkt_" + "x" * 45).body
        # one who has signed in to the page sees it by its link alone
        inside = Browser(served)
        inside.sign_in(good, token)
        assert b"type=password" in inside.ask("GET", link).body
        assert inside.answer(link).status == 403


def test_a_link_ends(served: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    from wicketgate.custody import seal

    number = ask_for(served.stage.folder)
    monkeypatch.setattr(seal, "LINK_SECONDS", -1)
    old = link_of(served.stage.folder, number)
    monkeypatch.undo()
    browser = Browser(served)
    assert browser.sign_in(old, served.issue("ana")).status == 403
    page = browser.sign_in(link_of(served.stage.folder, number), served.issue("ana"))
    assert b"Approve" in page.body
    assert browser.answer(old, page).status == 403


def test_who_may_not_answer_is_told_so(served: Remote) -> None:
    folder = served.stage.folder
    task = {"resources": ["sales"], "lifetime": 60, "task": {"purpose": "p", "behalf": "eve"}}
    own = ask_for(folder, identity="ana", kind_of="human")
    for who, bounds, number, status, text in (
        ("dba-bot", {}, ask_for(folder), 403, b"Open the link again"),
        ("root-bot", {}, ask_for(folder), 403, b"Open the link again"),
        ("ana", {"resources": ["sales"]}, ask_for(folder), 403, b"Open the link again"),
        ("bot", task, ask_for(folder), 403, b"Open the link again"),
        ("eve", {}, ask_for(folder), 403, b"There is no such review"),
        ("ana", {}, own, 200, b"nobody answers his own review"),
    ):
        link, browser = link_of(folder, number), Browser(served)
        page = browser.sign_in(link, served.issue(who, **bounds))
        assert (page.status, text in page.body) == (status, True), (who, page.body)
        assert b"name=proof" not in page.body
        assert browser.answer(link, page).status == 403
        assert found(folder, number).votes == ()


def test_forms_from_elsewhere(served: Remote) -> None:
    folder = served.stage.folder
    number, other = ask_for(folder), ask_for(folder)
    link, token = link_of(folder, number), served.issue("ana")
    path, _, query = link.partition("?")
    browser = Browser(served)
    page = browser.sign_in(link, token)
    stranger = Browser(served)
    strange = stranger.sign_in(link, served.issue("ben"))
    elsewhere = Browser(served)
    elsewhere_page = elsewhere.sign_in(link_of(folder, other), token)
    [cookie] = elsewhere.cookies.values()
    attacks = [
        browser.answer(link),  # without a proof: another site's form
        browser.answer(link, proof=""),
        browser.answer(link, proof="0" * 32),
        browser.answer(link, strange),  # another's proof
        browser.answer(link, elsewhere_page),  # of another review's page
        browser.answer(path, page),  # without the link's mark
        browser.answer(link_of(folder, other), page),
        Browser(served).answer(link, page),  # without the cookie
        Browser(served, {f"__Host-wicket-review-{number}": cookie}).answer(link, elsewhere_page),
        Browser(served, {f"__Host-wicket-review-{number}": "A" * 200}).answer(link, page),
        Browser(served, {f"__Host-wicket-review-{number}": token}).answer(link, page),
        browser.ask("POST", f"{path}/answer?{query}", {"answer": "approve"}, sec_fetch_site="cross-site"),
        browser.ask("POST", f"{path}/answer?{query}", {"answer": "approve"}, content_type="text/plain"),
        browser.ask("POST", f"{path}/sign-in?{query}", {"token": token}, sec_fetch_site="same-site"),
        # browsers that say no more than where a form comes from
        Browser(served).ask(
            "POST", f"{path}/sign-in?{query}", {"token": token}, origin="https://evil.example"
        ),
        Browser(served).ask("POST", f"{path}/sign-in?{query}", {"token": token}, origin="null"),
    ]
    assert {each.status for each in attacks} == {403}
    for more in (query, f"{query}&answer=approve", "answer=approve"):
        assert browser.ask("GET", f"{path}/answer?{more}").status == 405
        browser.ask("GET", f"{path}?{more}")
    twice = f"answer=deny&answer=approve&proof={'0' * 32}".encode()
    assert served.ask("POST", f"{path}/answer?{query}", twice, headers={"content-type": FORM}).status == 403
    assert found(folder, number).votes == ()
    assert found(folder, other).votes == ()
    assert browser.answer(link, page, answer="shrug").status == 409
    assert browser.answer(link, page, scope="forever").status == 409
    assert browser.answer(link, page, rows="-1").status == 409
    assert browser.answer(link, page, account="x'; --").status == 409
    assert found(folder, number).votes == ()
    # what is asked with the API's own token is no page's business, and the other way round
    bearer = {"authorization": f"Bearer {token}"}
    assert (
        Browser(served).ask("POST", f"{path}/answer?{query}", {"answer": "approve"}, **bearer).status == 403
    )
    cookies = {"cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
    assert served.ask("GET", f"/api/v1/reviews/{number}", headers=cookies).status == 401


def test_what_a_reviewer_has_to_know_stands_there(served: Remote) -> None:
    """What else runs in the same string, and that a reason is only what the asker wrote."""
    more = {"beside": 3, "transaction": True, "reason_claimed": True, "complete": False, "usable": 601}
    number = ask_for(served.stage.folder, shown={**SHOWN, **more})
    page = Browser(served).sign_in(link_of(served.stage.folder, number), served.issue("ana"))
    for text in (
        b"3 other statements",
        b"as the asker wrote it",
        b"in an open transaction",
        b"not all that it does",
        b"it can be used for 601 s",
    ):
        assert text in page.body, text
    number = ask_for(served.stage.folder)
    page = Browser(served).sign_in(link_of(served.stage.folder, number), served.issue("ana"))
    assert b"other statement" not in page.body


def test_many_pages_and_long_tokens(served: Remote) -> None:
    """A day's work: each page has cookies of its own, and all of them come in each request."""
    browser, token = Browser(served), served.issue("ana")
    links = [link_of(served.stage.folder, ask_for(served.stage.folder)) for _ in range(10)]
    browser.cookies |= {f"__Host-wicket-review-{at:026}": "x" * 3000 for at in range(7)}
    for link in links:
        assert browser.ask("GET", link).status == 200
        page = browser.sign_in(link, token)
        assert b"You are ana" in page.body
        assert sum(len(name) + len(value) for name, value in browser.cookies.items()) <= 24_000
    assert browser.ask("GET", links[-1]).status == 200


def test_a_sign_in_ends_with_its_token_and_its_time(served: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    from wicketgate.api import page_sessions

    number = ask_for(served.stage.folder)
    link, browser, token = link_of(served.stage.folder, number), Browser(served), served.issue("ben")
    page = browser.sign_in(link, token)
    mine = served.ask("GET", "/api/v1/tokens?state=good", token=token).json
    for each in mine:
        served.ask("DELETE", f"/api/v1/tokens/{each['id']}", token=token)
    assert browser.answer(link, page).status == 403
    assert b"type=password" in browser.ask("GET", link).body
    monkeypatch.setattr(page_sessions, "LASTS", -1)
    late = Browser(served)
    assert b"type=password" in late.sign_in(link, served.issue("ana")).body
    assert found(served.stage.folder, number).votes == ()


class Texts(HTMLParser):
    """What a browser makes of a page: its elements, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_hostile_texts_are_texts(served: Remote) -> None:
    number = ask_for(
        served.stage.folder,
        kept=replace(
            review(quorum=2),
            shown={
                **SHOWN,
                "classes": [],
                "statement": HOSTILE,
                "parameters": [{"value": HOSTILE, "class": None}],
                "effects": [HOSTILE],
                "relations": [HOSTILE],
                "lately": [HOSTILE],
                "pretty": HOSTILE,
                "estimate": HOSTILE,
            },
            reason=HOSTILE,
            asker=Asker(HOSTILE.replace("\0", ""), "agent", purpose=HOSTILE.replace("\0", "")),
            message=HOSTILE.replace("\0", ""),
            panels=(Panel(HOSTILE, groups=frozenset({"dba"}), quorum=2),),
        ),
    )
    link, browser = link_of(served.stage.folder, number), Browser(served)
    page = browser.sign_in(link, served.issue("ana"))
    browser.answer(link, page, comment=HOSTILE.replace("\0", ""))
    other = Browser(served)
    for answer in (page, other.sign_in(link, served.issue("ben"))):
        assert answer.status == 200
        parsed = Texts()
        parsed.feed(answer.body.decode())
        allowed = {
            "html",
            "head",
            "meta",
            "title",
            "style",
            "body",
            "main",
            "h1",
            "p",
            "dl",
            "dt",
            "dd",
            "pre",
        }
        allowed |= {
            "details",
            "summary",
            "bdi",
            "form",
            "input",
            "label",
            "textarea",
            "select",
            "option",
            "button",
        }
        assert {tag for tag, _ in parsed.elements} <= allowed
        assert not [name for _, given in parsed.elements for name in given if name.startswith("on")]
        assert "<script>alert(1)</script>" in parsed.text
        assert "\u202e" not in parsed.text
        assert "\x1b" not in parsed.text
        assert parsed.text.count("\\u202e") >= 8
    for odd in (
        "\u00ad\u034f\u115f\u1160\u17b4\u180e\u200b\u2060\u2800\u3164\ufe0f\uffa0\U000e0041\u00a0\u2003\u3000"
    ):
        assert odd not in safe(f"or{odd}ders"), hex(ord(odd))
    assert safe("gr\u00fc\u00df \u65e5\u672c\t\n") == "gr\u00fc\u00df \u65e5\u672c\t\n"
    assert safe("a<b>\u202e'\"") == "a&lt;b&gt;\\u202e&#x27;&quot;"
    assert json.dumps(HOSTILE)[1:-1] not in page.body.decode()


def test_attempts_are_counted(served: Remote) -> None:
    number = ask_for(served.stage.folder)
    link, browser = link_of(served.stage.folder, number), Browser(served)
    answers: list[Any] = [browser.sign_in(link, f"wkt_{at:045}") for at in range(30)]
    assert answers[0].status == 403
    assert answers[-1].status == 429
    assert int(answers[-1].headers["retry-after"]) > 0
