"""`wicket policy …` against a served API: what people see, and exit codes that scripts can use."""

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.shelf import LOCKED, MORE, POLICY, SETTINGS, Shelf
from cli.conftest import Run
from wicketgate.api.server import ApiSettings, serve

Serving = Callable[[str], Shelf]


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path)
    handle = serve(shelf.office, ApiSettings(tmp_path / "api.sock"), shelf.logged.append)
    yield shelf
    handle.stop()


def test_a_policys_life(shelf: Shelf, wicket: Run) -> None:
    shown = wicket("policy", "show")
    assert (shown.code, shown.out) == (0, POLICY)
    assert "by the file's import (import)" in shown.err
    file = shelf.folder / "next.yaml"
    # settings are left out, and never sent
    file.write_text("gateway: {database_url: 'postgresql://w:hunter2@db/w'}\n" + MORE)
    looked = wicket("policy", "validate", file)
    assert (looked.code, looked.out) == (0, f"{file} can be applied: 2 rules on 1 resources\n")
    assert wicket("policy", "diff", file).err == "added    rules: nobody writes\n"
    made = wicket("policy", "apply", file, "-m", "nobody writes")
    assert made.code == 0, made.err
    assert made.out.startswith("revision 2 holds (digest ")
    again = wicket("policy", "apply", file, "-m", "again", "--json")
    assert (again.code, again.json["changed"]) == (0, False)
    moved = wicket("policy", "apply", file, "-m", "late", "--base", "1")
    assert moved.code == 6
    assert "revision 2 is the newest" in moved.err
    differ = wicket("policy", "diff", "1", "2", "--exit-code")
    assert differ.code == 1
    assert differ.out.startswith("--- revision 1\n+++ revision 2\n")
    assert wicket("policy", "diff").out == differ.out
    assert wicket("policy", "diff", "2", "2", "--exit-code").code == 0
    assert wicket("policy", "rollback", "1").out.startswith("revision 3 holds")
    history = wicket("policy", "history", "-n", "2")
    assert history.out.splitlines()[1].endswith("local  local  back to revision 1")
    assert "there are older ones" in history.err
    assert wicket("policy", "history", "--json").json[-1]["revision"] == 1
    out = shelf.folder / "out.yaml"
    assert wicket("policy", "export", "2", "-o", out).code == 0
    assert out.read_text() == MORE
    assert wicket("policy", "export", "2", "-o", out).code == 2
    assert wicket("policy", "export").out == POLICY
    assert wicket("policy", "export", "2", "--json").json["text"] == MORE
    for file in shelf.folder.glob("wicketgate.sqlite*"):
        assert b"hunter2" not in file.read_bytes()


def test_what_is_refused(shelf: Shelf, wicket: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    file = shelf.folder / "next.yaml"
    file.write_text("gateway:\n  workers: 2\n" + MORE.replace("deny: No.", "dney: No."))
    for verb in (("validate", file), ("apply", file, "-m", "x")):
        told = wicket("policy", *verb)
        assert told.code == 1
        assert f"error: {file}:18:" in told.err, told.err
    assert not wicket("policy", "validate", file, "--json").json["ok"]
    file.write_bytes(b"rules: \xff\n")
    assert wicket("policy", "apply", file, "-m", "x").code == 2
    assert wicket("policy", "apply", shelf.folder / "missing.yaml", "-m", "x").code == 2
    assert wicket("policy", "show", "9").code == 1
    assert wicket("policy", "rollback", "9").code == 1
    file.write_text(LOCKED)
    token = wicket("token", "issue", "root-bot", "--expires", "1h", "--json").json
    assert token["token"]
    locked = wicket("policy", "apply", file, "-m", "x")
    assert locked.code == 1
    assert "leaves nobody who administrates" in locked.err
    assert wicket("policy", "apply", file, "-m", "x", "--force").code == 0
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(POLICY.encode())))
    assert wicket("policy", "validate", "-").code == 0


def test_without_a_gateway(tmp_path: Path, wicket: Run) -> None:
    """Validating needs none; what changes something does."""
    config = tmp_path / "wicket.yaml"
    config.write_text(SETTINGS.replace("SOURCE", "store") + POLICY)
    looked = wicket("policy", "validate", config)
    assert (looked.code, "no gateway is running" in looked.err) == (0, True)
    told = wicket("check", "--offline")
    assert (told.code, "note: the policy comes from the store" in told.out) == (0, True)
    for verb in (("apply", config, "-m", "x"), ("show",), ("history",), ("rollback", "1")):
        assert wicket("policy", *verb).code == 3


def test_a_files_policy(tmp_path: Path, wicket: Run) -> None:
    shelf = Shelf(tmp_path, "file")
    handle = serve(shelf.office, ApiSettings(tmp_path / "api.sock"), shelf.logged.append)
    try:
        shown = wicket("policy", "show")
        assert (shown.code, shown.out) == (0, POLICY)
        assert "from the file" in shown.err
        told = wicket("policy", "apply", shelf.config, "-m", "x")
        assert (told.code, "source: store" in told.err) == (1, True)
        assert wicket("policy", "rollback", "1").code == 1
        assert wicket("policy", "history").code == 0
    finally:
        handle.stop()
