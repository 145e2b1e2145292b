"""`wicket reviews` and `wicket review …`, against an API on real sockets."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.asking import SHOWN, ask_for, found
from api.conftest import served
from api.stage import Remote, Stage
from cli.conftest import Ran, Run
from wicketgate.model.identity import IdentityKind
from wicketgate.model.review import Conditions
from wicketgate.model.token import ServiceAccount


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    stage = Stage(tmp_path)
    people = (("ana", "dba"), ("ben", "dba"), ("eve", ""))
    stage.filed += [
        ServiceAccount(name, IdentityKind.HUMAN, frozenset(groups.split()), "file") for name, groups in people
    ]
    with served(stage) as made:
        yield made


class By:
    """The command as somebody runs it elsewhere."""

    def __init__(self, wicket: Run, remote: Remote, name: str) -> None:
        self.wicket = wicket
        file = remote.stage.folder / f"{name}.token"
        file.write_text(remote.issue(name))
        self.more = (
            "--url",
            f"https://localhost:{remote.handle.port}",
            "--token-file",
            file,
            "--ca",
            remote.ca,
        )

    def __call__(self, *arguments: object) -> Ran:
        return self.wicket(*arguments, *self.more)


def test_see_and_answer(wicket: Run, remote: Remote) -> None:
    folder = remote.stage.folder
    more = {"usable": 600, "unseen": ["of $1 only the first 10 of 20 bytes"]}
    number = ask_for(
        folder, behalf="eve", quorum=2, task="t-1", message="Say why\x1b[31m", shown={**SHOWN, **more}
    )
    ana, ben, bot = (By(wicket, remote, name) for name in ("ana", "ben", "bot"))
    listed = ana("reviews", "--mine")
    assert (listed.code, number in listed.out, "bot for eve in t-1" in listed.out) == (0, True, True)
    assert "0 of 2" in listed.out
    assert ana("reviews", "--status", "denied", "--status", "approved", "--json").json == []
    shown = ana("review", "show", number[:8].lower())
    assert shown.code == 0, shown.err
    for text in (
        "DELETE FROM orders WHERE email = $2 AND id = $1",
        "$1 = •••  (email)",
        "2 of group dba",
        "NOT ALL OF THIS STATEMENT IS SHOWN: of $1 only the first 10 of 20 bytes.",
        "can be used for 600 s after it is approved",
        "\\x1b[31m",
        "INC-4711 <b>why</b>",
        f"https://gateway.example/reviews/{number}?k=",
        f"wicket review approve {number}",
    ):
        assert text in shown.out, text
    assert "hidden" in shown.err
    assert "\x1b" not in shown.out
    assert "canary" not in shown.out
    first = ana("review", "approve", number, "--shape", "15m", "--rows", "5", "-m", "fine")
    assert (first.code, first.out.splitlines()) == (
        0,
        [f"{number} is pending: 1 of 2 have approved", "  ana: fine"],
    )
    again = ana("review", "deny", number)
    assert (again.code, again.err) == (4, "wicket: you have answered it already\n")
    assert bot("review", "approve", number).code == 4
    done = ben("review", "approve", number, "--shape", "20m")
    assert f"{number} is approved: approved by ana, ben" in done.out
    assert "its shape, for 15 minutes" in done.out
    assert "5 rows at most in each session: who connects anew may have as many again" in done.out
    assert found(folder, number).conditions == Conditions("shape", 15, 5)
    assert ana("review", "withdraw", number).out.startswith(f"{number} is withdrawn: withdrawn by ana")


def test_waiting_tells_scripts_how_it_ended(wicket: Run, remote: Remote) -> None:
    folder = remote.stage.folder
    bot, ana = By(wicket, remote, "bot"), By(wicket, remote, "ana")
    token = (folder / "ana.token").read_text()
    for what, code in (("approve", 0), ("deny", 10)):
        number = ask_for(folder)
        later = threading.Timer(
            0.5, remote.ask, ("POST", f"/api/v1/reviews/{number}/{what}", {"comment": "c"}), {"token": token}
        )
        later.start()
        ended = bot("review", "wait", number, "--timeout", "30s")
        later.join()
        assert (ended.code, "ana: c" in ended.out) == (code, True), ended
    number = ask_for(folder)
    began = time.monotonic()
    assert bot("review", "wait", number, "--timeout", "1s").code == 13
    assert time.monotonic() - began < 10
    assert bot("review", "withdraw", number, "--json").json["status"] == "withdrawn"
    assert bot("review", "wait", number).code == 12
    assert ana("review", "wait", number, "--json").json["status"] == "withdrawn"


def test_what_is_no_answer(wicket: Run, remote: Remote) -> None:
    ana = By(wicket, remote, "ana")
    number = ask_for(remote.stage.folder)
    ask_for(remote.stage.folder)
    for wrong in (
        ("review", "approve", number, "--once", "--session"),
        ("review", "approve", number, "--shape", "soon"),
        ("review", "approve", number, "--rows", "0"),
        ("review", "approve", "../x"),
        ("review", "show", "ab"),
        ("reviews", "--status", "open"),
        ("review", "wait", number, "--timeout", "1"),
    ):
        assert ana(*wrong).code == 2, wrong
    assert ana("review", "show", "zzzz").code == 1
    assert ana("review", "approve", number, "--minutes", "5").code == 1
    assert found(remote.stage.folder, number).votes == ()
