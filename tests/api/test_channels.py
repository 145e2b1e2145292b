"""Channels through the API: how they stand, tests, what was given up; with no secret in any of it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from api.asking import ask_for
from channels.gate import Gate, gated


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with gated(tmp_path_factory.mktemp("channels")) as made:
        yield made


def test_what_does_not_arrive_is_listed_and_tried_again(gate: Gate) -> None:
    folder, token = gate.remote.stage.folder, gate.chief
    review = ask_for(folder)
    gate.arrived(review)
    gate.status = 410
    gone = ask_for(folder)
    gate.until("dead", 1)
    shown = gate.channel()
    assert (shown["kind"], shown["place"], shown["shows"]) == ("webhook", "https://localhost", "facts")
    assert shown["error"] == "it answers 410"
    [dead] = gate.remote.ask("GET", "/api/v1/channels/ops/dead", token=token).json
    assert (dead["review"], dead["what"], dead["attempts"], dead["error"]) == (
        gone,
        "asked",
        1,
        "it answers 410",
    )
    assert gate.remote.ask("GET", f"/api/v1/channels/ops/dead?after={dead['number']}", token=token).json == []
    told = gate.remote.ask("POST", "/api/v1/channels/ops/test", token=token)
    assert told.json == {"ok": False, "error": "it answers 410"}
    gate.status = 200
    body = {"numbers": [dead["number"], 99_999]}
    assert gate.remote.ask("POST", "/api/v1/channels/ops/replay", body, token=token).json == {"replayed": 1}
    gate.until("dead", 0)
    gate.arrived(gone, 2)
    assert gate.remote.ask("POST", "/api/v1/channels/ops/test", token=token).json == {"ok": True, "error": ""}
    assert gate.receiver.got[-1].json["type"] == "org.wicketgate.channel.test"
    done = [each["do"] for each in gate.remote.stage.control.records if each["do"].startswith("channels.")]
    assert done == ["channels.test", "channels.replay", "channels.test"]
    everything = (
        json.dumps(gate.remote.stage.control.records) + repr(gate.remote.stage.logged) + json.dumps(shown)
    )
    assert "c4nary" not in everything


ODD = [{"numbers": []}, {"numbers": [0]}, {"numbers": ["1"]}, {"number": 1}, {"numbers": [1 << 63]}]


@pytest.mark.parametrize("body", ODD)
def test_what_is_misread_replays_nothing(gate: Gate, body: Any) -> None:
    assert gate.remote.ask("POST", "/api/v1/channels/ops/replay", body, token=gate.chief).status == 422


def test_who_is_no_administrator_sees_no_channel(gate: Gate) -> None:
    token = gate.remote.issue("auditor")
    for method, path in (("GET", ""), ("POST", "/ops/test"), ("GET", "/ops/dead"), ("POST", "/ops/replay")):
        assert (
            gate.remote.ask(
                method, f"/api/v1/channels{path}", None if method == "GET" else {}, token=token
            ).status
            == 403
        )
