"""`wicket secret …`, against an API on a real socket, and straight on the store where none runs."""

import contextlib
import fcntl
import json
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from api.stage import Stage
from cli.conftest import SOURCE, Run
from wicketgate.journal.segments import writers

CANARY = "c4nary s3cret"


def found_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]


def test_set_list_rotate_remove(wicket: Run, gateway: Stage) -> None:
    ran = wicket("secret", "set", "sales", stdin=f"{CANARY}\n")
    assert (ran.code, ran.out, ran.err) == (0, "sales is set: version 1\n", "")
    assert wicket("secret", "set", "sales", "--json", stdin="other").json["version"] == 2
    shown = wicket("secret", "list")
    assert "sales" in shown.out
    assert "local:1" in shown.out
    [listed] = wicket("secret", "list", "--json").json
    assert sorted(listed) == ["author", "changed", "created", "key", "name", "version"]
    assert wicket("secret", "rotate").out == "1 secrets are under new keys\n"
    assert wicket("secret", "rotate", "--json").json == {"secrets": 1, "new_key": True, "segments": 0}
    assert wicket("secret", "list", "--json").json[0]["key"] == "local:3"
    assert wicket("secret", "remove", "sales").out == "sales is removed\n"
    gone = wicket("secret", "remove", "sales")
    assert (gone.code, gone.err) == (1, "wicket: no secret is named sales\n")
    done = [each["do"] for each in gateway.control.records]
    assert done == ["secrets.set"] * 2 + ["secrets.rotate"] * 2 + ["secrets.remove"] * 2
    assert CANARY not in json.dumps(gateway.control.records)
    assert found_in(gateway.folder) == []


def test_there_is_no_get_and_no_argument_for_a_value(wicket: Run, gateway: Stage) -> None:
    wicket("secret", "set", "sales", stdin=CANARY)
    for wrong in (
        ("get", "sales"),
        ("show", "sales"),
        ("set", "sales", CANARY),
        ("set", "sales", "--value", "x"),
    ):
        assert wicket("secret", *wrong, stdin="x").code == 2
    for name in ("Sales", "a/b", "../x"):
        assert wicket("secret", "set", name, stdin="x").code == 2
    assert wicket("secret", "set", "sales", stdin="\n").code == 2
    assert wicket("secret", "set", "sales", stdin="x" * 20_000).code == 2


def test_where_no_gateway_runs_it_is_done_in_the_store(wicket: Run, config: Path) -> None:
    ran = wicket("secret", "set", "sales", stdin=CANARY)
    assert (ran.code, ran.out) == (0, "sales is set: version 1\n")
    assert "no gateway is running" in ran.err
    assert [each["name"] for each in wicket("secret", "list", "--json").json] == ["sales"]
    assert wicket("secret", "rotate", "--json").json == {"secrets": 1, "new_key": True, "segments": 0}
    assert wicket("secret", "segments", "--json").json == []
    long = wicket("secret", "set", "sales", stdin=CANARY * 2000)
    assert (long.code, "a secret is 1 to 16384 characters" in long.err) == (1, True)
    assert CANARY not in long.err
    assert wicket("secret", "remove", "sales").code == 0
    gone = wicket("secret", "remove", "sales")
    assert (gone.code, "no secret is named sales" in gone.err) == (1, True)
    journal = config.parent / "state" / "journal"
    paths = [path for each in writers(journal) for path in each.segments.values()]
    text = b"".join(path.read_bytes() for path in paths)
    assert [text.count(each) for each in (b"secrets.set", b"secrets.rotate", b"secrets.remove")] == [1, 1, 2]
    assert found_in(config.parent) == []


def test_at_a_terminal_the_value_is_asked_for_and_not_shown(config: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "wicketgate.cli", "secret", "set", "sales"]
    process = subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=config.parent,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    shown = b""
    for prompt in (b"Value: ", b"confirmation: "):
        while not shown.endswith(prompt):
            shown += os.read(ours, 1000)
        os.write(ours, CANARY.encode() + b"\n")
    with contextlib.suppress(OSError):  # what a terminal says when its other end is gone
        while piece := os.read(ours, 1000):
            shown += piece
    os.close(ours)
    assert process.wait(30) == 0
    assert b"sales is set: version 1" in shown
    assert CANARY.encode() not in shown


@pytest.mark.parametrize("debug", ["", "1"])
def test_what_goes_wrong_says_why_and_shows_no_value(
    wicket: Run, config: Path, gateway: Stage, monkeypatch: pytest.MonkeyPatch, debug: str
) -> None:
    monkeypatch.setenv("WICKET_DEBUG", debug)
    wicket("secret", "set", "sales", stdin="x")
    (gateway.folder / "custody.keys").chmod(0o644)
    ran = wicket("secret", "set", "sales", stdin=CANARY)
    assert ran.code == 1
    assert "may be read by others: chmod 600 it" in ran.err
    gateway.control.journal_full = True
    full = wicket("secret", "set", "sales", stdin=CANARY)
    assert (full.code, "the journal can't be written" in full.err) == (3, True)
    assert wicket("secret", "list", "--json").json[0]["version"] == 1  # nothing that was not recorded
    assert CANARY not in ran.err + ran.out + full.err + full.out
    assert CANARY not in "".join(gateway.logged)
