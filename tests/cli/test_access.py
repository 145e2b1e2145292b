"""`wicket access`: what it prints can't speak to a terminal, nor run in a spreadsheet."""

import csv
import io
from typing import Any

import pytest
from typer.testing import CliRunner

from wicketgate.cli import access
from wicketgate.cli.main import app

EVIL = '=cmd|"/c calc"!A1\x1b[2J\u202e'
ROW: dict[str, Any] = {
    "identity": EVIL,
    "issuer": "local",
    "resource": "@sales",
    "account": "-reader",
    "rule": 'a "rule", with a comma\nand a line',
    "effects": ["read"],
    "conditional": True,
    "databases": [],
    "standing": True,
    "status": "used",
    "used": ["read"],
    "unused": [],
    "count": 3,
    "first": None,
    "last": 1_800_000_000_000_000_000,
    "relations": ["+public.t", "public.\x1b]0;x\x07"],
    "others": True,
}
REPORT: dict[str, Any] = {
    "policy": "d" * 64,
    "since": 5,
    "begins": 9,
    "lost": 2,
    "granted": [ROW],
    "former": [{**ROW, "rules": [EVIL], "effects": [EVIL]}],
    "groups": [{"at": 5, "identity": EVIL, "added": [EVIL], "removed": [], "gone": True}],
    "changed": {
        "at": 5,
        "author": EVIL,
        "policy_changed": True,
        "added": [{**ROW, "effect": EVIL}],
        "removed": [],
    },
}


class Api:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def ask(self, *asked: Any, **query: Any) -> Any:
        return self.answer


def printed(monkeypatch: pytest.MonkeyPatch, answer: Any, *arguments: str) -> str:
    monkeypatch.setattr(access, "client", lambda *where: Api(answer))
    done = CliRunner().invoke(app, ["access", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_terminals_are_not_spoken_to(monkeypatch: pytest.MonkeyPatch) -> None:
    difference = f"--- a\n+++ a\n@@ -1 +0,0 @@\n-{EVIL}\n"
    suggestion = {"difference": difference, "left_out": [EVIL], "since": 5, "begins": 1}
    for told in (
        printed(monkeypatch, REPORT, "report"),
        printed(monkeypatch, REPORT, "report", "--csv"),
        printed(monkeypatch, REPORT, "report", "--json"),
        printed(monkeypatch, suggestion, "suggest"),
    ):
        assert not set(told) & set("\x1b\x07\u202e")
    assert "not told apart" in printed(monkeypatch, REPORT, "report")


def test_spreadsheets_run_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    told = printed(monkeypatch, {**REPORT, "lost": 0, "begins": 1}, "report", "--csv")
    (row,) = csv.DictReader(io.StringIO(told))
    assert list(row) == list(access.COLUMNS)
    for value in row.values():
        assert not value.startswith(("=", "+", "-", "@"))
    assert row["identity"].startswith("'=cmd")
    assert row["rule"] == 'a "rule", with a comma\\x0aand a line'
    assert row["relations"].startswith("'+public.t")


@pytest.mark.parametrize("wrong", [("--csv", "--json"), ("--keep", "--identity", "x"), ("--days", "0")])
def test_what_does_not_go_together(wrong: tuple[str, ...]) -> None:
    assert CliRunner().invoke(app, ["access", "report", *wrong]).exit_code != 0
