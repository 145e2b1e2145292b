"""`gateway: channels:`: strict, and no secret is ever written out in it."""

from pathlib import Path
from typing import Any

import pytest

from wicketgate.channels.settings import EVENTS, ChannelSettings
from wicketgate.model.errors import PolicyError
from wicketgate.settings import load_settings

HEAD = """\
gateway:
  state: .
  channels:
"""
GOOD = """\
    ops:
      kind: webhook
      url: https://hooks.example.org/wicket?x=1
      secrets: [{env: HOOK_KEY}, {env: HOOK_KEY_OLD}]
      events: [asked, break-glass]
      resources: {labels: {env: prod, tier: 1}}
      shows: statement
    dba:
      kind: slack
      token: {secret: slack-token}
      signing_secret: {file: slack.secret}
      team: T0123
      channel: C0123
      people: {ana@example.org: ana}
    teams: {kind: teams, url: {env: TEAMS_WORKFLOW_URL}, resources: [sales]}
"""


def load(folder: Path, text: str) -> Any:
    config = folder / "wicket.yaml"
    config.write_text(HEAD + text)
    return load_settings(config)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    found = load(tmp_path, GOOD).channels
    assert sorted(found) == ["dba", "ops", "teams"]
    assert [each.reference.locator for each in found["ops"].secrets] == ["HOOK_KEY", "HOOK_KEY_OLD"]
    assert found["dba"].signing_secret[0].reference.locator == str(tmp_path / "slack.secret")
    assert (found["dba"].token.reference.source, found["dba"].shows) == ("secret", "facts")
    assert found["ops"].wants("asked", "sales", {"env": "prod", "tier": "1"})
    assert not found["ops"].wants("asked", "sales", {"env": "prod"})
    assert not found["ops"].wants("denied", "sales", {"env": "prod", "tier": "1"})
    assert found["teams"].wants("denied", "sales", {})
    assert not found["teams"].wants("denied", "bravo", {})
    assert not found["teams"].wants("voted", "sales", {})
    assert set(EVENTS) - set(found["teams"].events) == {"voted"}
    assert load_settings(tmp_path / "wicket.yaml").channels["dba"].place == "T0123 C0123"


WEBHOOK = {"kind": "webhook", "url": "https://hook.example/", "secrets": [{"env": "K"}]}
SLACK = {
    "kind": "slack",
    "token": {"env": "T"},
    "signing_secret": {"env": "S"},
    "team": "T01",
    "channel": "C01",
}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"kind": "carrier-pigeon"}, "kind"),
    ({"kind": "webhook", "url": "https://hook.example/"}, "needs secrets"),
    ({"kind": "webhook", "secrets": [{"env": "K"}]}, "needs url"),
    ({"kind": "teams"}, "needs url"),
    ({**SLACK, "token": None}, "needs token"),
    ({key: value for key, value in SLACK.items() if key != "team"}, "needs team"),
    ({**SLACK, "url": "https://hook.example/"}, "takes no url"),
    ({**WEBHOOK, "token": {"env": "T"}}, "takes no token"),
    ({**WEBHOOK, "secrets": ["whsec_c4nary"]}, "secrets"),
    ({**WEBHOOK, "secrets": []}, "secrets"),
    ({**WEBHOOK, "secrets": [{"env": "K"}] * 5}, "secrets"),
    ({**WEBHOOK, "secrets": [{"value": "c4nary"}]}, "secrets"),
    ({**WEBHOOK, "secrets": [{"env": "K", "file": "x"}]}, "takes one of"),
    ({**WEBHOOK, "secrets": [{}]}, "takes one of"),
    ({**SLACK, "token": "xoxb-c4nary"}, "token"),
    ({**WEBHOOK, "url": "http://hook.example/c4nary"}, "https"),
    ({**WEBHOOK, "url": "http://127.0.0.1/c4nary"}, "https"),
    ({**WEBHOOK, "url": "http://10.0.0.1/", "private": True}, "https"),
    ({**WEBHOOK, "url": "https://c4nary:pw@hook.example/"}, "user name"),
    ({**WEBHOOK, "url": "https://hook.example/#x"}, "fragment"),
    ({**WEBHOOK, "url": "https:///x"}, "https"),
    ({**WEBHOOK, "url": "https://hook.example:0/"}, "https"),
    ({**WEBHOOK, "url": "https://hook.example:99999/"}, "address"),
    ({**WEBHOOK, "url": "ftp://hook.example/"}, "https"),
    ({**WEBHOOK, "url": "https://hook.example/\\@evil"}, "ASCII"),
    ({**WEBHOOK, "url": "https://hook.example/a b"}, "ASCII"),
    ({**WEBHOOK, "events": ["asked", "exploded"]}, "events"),
    ({**WEBHOOK, "events": []}, "events"),
    ({**WEBHOOK, "shows": "everything"}, "shows"),
    ({**WEBHOOK, "resources": {"names": ["a"], "labels": {"b": "c"}}}, "takes one of"),
    ({**WEBHOOK, "resources": {}}, "takes one of"),
    ({**WEBHOOK, "timeout_seconds": 60}, "timeout_seconds"),
    ({**WEBHOOK, "retries": 3}, "retries"),
    ({**SLACK, "people": {"Ana@example.org": "ana"}}, "lower-case"),
    ({**SLACK, "people": {"ana": "ana"}}, "e-mail"),
    ({**SLACK, "people": {"ana@example.org": "a b"}}, "identity"),
    (
        {**SLACK, "people": {"ana@example.org": "ana"}, "domain": "example.org"},
        "takes one of people and domain",
    ),
    ({**SLACK, "domain": "*"}, "domain"),
    ({**SLACK, "team": "example"}, "team"),
    ({**SLACK, "channel": "#dba"}, "channel"),
    ({**SLACK, "api": "http://slack.example/api"}, "https"),
]


@pytest.mark.parametrize(("channel", "why"), WRONG)
def test_what_is_wrong_stops_the_start(tmp_path: Path, channel: dict[str, Any], why: str) -> None:
    import json

    with pytest.raises(PolicyError) as caught:
        load(tmp_path, f"    ops: {json.dumps(channel)}\n")
    told = caught.value.public
    assert why in told, told
    assert "gateway.channels.ops" in told
    assert "c4nary" not in told


@pytest.mark.parametrize("name", ["Ops", "a b", "a" * 64, "-a", "a/b"])
def test_names_that_can_not_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(PolicyError):
        load(tmp_path, f'    "{name}": {{kind: teams, url: {{env: X}}}}\n')


def test_whom_a_verified_email_stands_for() -> None:
    mapped = ChannelSettings.model_validate({**SLACK, "people": {"ana@example.org": "ana"}})
    assert mapped.identity_of(" ANA@Example.org ") == "ana"
    for email in (
        "ben@example.org",
        "ana@example.org.evil",
        "ana@example.org\nx",
        "",
        "ana",
        "аna@example.org",
    ):
        assert mapped.identity_of(email) is None
    domain = ChannelSettings.model_validate({**SLACK, "domain": "example.org"})
    assert domain.identity_of("Ben@example.org") == "ben@example.org"
    for email in ("ben@evil.example.org", "ben@example.org.evil", "ben@evil@example.org", "@example.org"):
        assert domain.identity_of(email) is None
    assert ChannelSettings.model_validate(SLACK).identity_of("ana@example.org") is None
