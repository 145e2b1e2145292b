"""`wicket channels`, against an API over HTTPS with a channel that leads to a real server."""

from collections.abc import Iterator

import pytest

from api.asking import ask_for
from channels.gate import Gate, gated
from cli.conftest import Run


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with gated(tmp_path_factory.mktemp("channels")) as made:
        yield made


def test_list_test_dead_and_replay(gate: Gate, wicket: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WICKET_TOKEN", gate.chief)
    where = ("--url", f"https://localhost:{gate.remote.handle.port}", "--ca", gate.remote.ca)
    gate.status = 404
    ask_for(gate.remote.stage.folder)
    gate.until("dead", 1)
    listed = wicket("channels", "list", *where)
    assert "ops" in listed.out
    assert "it answers 404" in listed.out
    assert "c4nary" not in listed.out
    assert wicket("channels", "list", *where, "--json").json[0]["dead"] == 1
    [dead] = wicket("channels", "dead", "ops", *where, "--json").json
    assert str(dead["number"]) in wicket("channels", "dead", "ops", *where).out
    failed = wicket("channels", "test", "ops", *where)
    assert (failed.code, failed.err) == (1, "wicket: ops: it did not arrive: it answers 404\n")
    gate.status = 204
    assert wicket("channels", "test", "ops", *where).out == "ops: it arrived\n"
    assert wicket("channels", "replay", "ops", str(dead["number"]), *where).out == "ops: 1 are tried again\n"
    gate.until("dead", 0)
    assert wicket("channels", "replay", "ops", *where, "--json").json == {"replayed": 0}
    assert wicket("channels", "test", "absent", *where).code == 1
