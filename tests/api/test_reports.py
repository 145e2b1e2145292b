"""Reports of access through the API: for administrators alone, and honest about what is not known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from api.stage import Answer, Remote, Stage, ask
from policy.samples import PROTOCOLS, RESOURCES
from wicketgate.api.server import ApiSettings, serve
from wicketgate.model.usage import DAY, Member, Shape, Use
from wicketgate.office import open_office
from wicketgate.policy.document import Source
from wicketgate.policy.load import Policy, load_sources
from wicketgate.store.db import Store, store_url
from wicketgate.store.history import HistoryRows

TEXT = RESOURCES + (
    "rules:\n"
    "  - {name: crews, identities: {groups: [crew]}, resources: [sales], account: reader,\n"
    "     permit: [read, write]}\n"
    "  - {name: all, identities: any, resources: [notes], account: reader, permit: [read],\n"
    "     when: identity.kind == 'human'}\n"
)
BOT = Member("bot", "local", "agent", "bot", frozenset({"crew"}))
EVE = Member("eve@example.com", "https://id.example.com", "human", "e", frozenset({"staff"}))
READ = Shape(BOT, "token", "sales", "sales", "reader", ("crews",), frozenset({"read"}))


class Texts:
    def sources(self) -> tuple[Source, ...]:
        return (Source("wicket.yaml", TEXT),)

    def compile(self, sources: Sequence[Source]) -> Policy:
        return load_sources(sources, PROTOCOLS)


class Reporting(Stage):
    """The stage, with a policy's texts."""

    def office(self):  # type: ignore[no-untyped-def]
        return open_office(
            None,
            self.folder,
            lambda: self.filed,
            self.control,
            self.recordings,
            frozenset({"admins"}),
            self.recordings.audit,
            self.vault,
            clock=lambda: 20_000 * DAY,
            texts=Texts(),
        )


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Reporting(tmp_path)


async def kept(folder: Path, *uses: Use, members: Sequence[Member] = (), lost: int = 0) -> None:
    store = await Store.open(store_url(None, folder))
    at = 19_990 * DAY
    await HistoryRows(store).keep(uses, [(at, each) for each in members], lost, at)
    await store.close()


use = partial(Use, first=19_990 * DAY, last=19_995 * DAY)


async def test_a_report(local: Callable[..., Answer], stage: Stage) -> None:
    gone = replace(READ, resource="closed")
    await kept(stage.folder, use(READ, 3), use(gone, 1), members=[EVE])
    found = local("GET", "/api/v1/access/report?days=30").json
    granted = [each for each in found["granted"] if each["identity"] in ("bot", "eve@example.com")]
    told = [(each["identity"], each["rule"], each["status"], each["unused"]) for each in granted]
    assert told == [
        ("bot", "crews", "partly used", ["write"]),
        ("eve@example.com", "all", "unused", ["read"]),
    ]
    assert granted[1]["conditional"] is True
    assert [each["resource"] for each in found["former"]] == ["closed"]
    assert (found["covered"], found["changed"]) == (False, None)
    assert found["groups"][0]["added"] == ["staff"]
    assert local("POST", "/api/v1/access/report?days=30").status == 200
    assert stage.control.records[-1]["do"] == "access.keep"
    changed = local("GET", "/api/v1/access/report?days=30").json["changed"]
    assert (changed["author"], changed["added"], changed["removed"]) == ("local", [], [])
    told = local("GET", "/api/v1/access/suggestion?days=30").json
    assert told["left_out"] == ["rule 'crews': without effects write", "rule 'all': left out"]


async def test_what_is_not_known_is_no_suggestion(local: Callable[..., Answer], stage: Stage) -> None:
    refused = local("GET", "/api/v1/access/suggestion")
    assert (refused.status, "nothing was used" in refused.json["detail"]) == (409, True)
    await kept(stage.folder, use(READ, 3), lost=2)
    refused = local("GET", "/api/v1/access/suggestion")
    assert (refused.status, "2 uses" in refused.json["detail"]) == (409, True)
    assert local("GET", "/api/v1/access/report").json["lost"] == 2


LONG = f"identity={'x' * 64}"


@pytest.mark.parametrize("query", ["days=0", "days=9999", "days=x", LONG, "resource=" + "y" * 99])
def test_what_can_not_be_asked(local: Callable[..., Answer], query: str) -> None:
    assert local("GET", f"/api/v1/access/report?{query}").status == 422


def test_others_are_told_nothing(remote: Remote) -> None:
    for identity, more, status in (
        ("bot", {}, 403),
        ("root-bot", {"resources": ["sales"]}, 403),
        ("root-bot", {}, 200),
    ):
        token = remote.issue(identity, **more)
        assert remote.ask("GET", "/api/v1/access/report", token=token).status == status
        assert remote.ask("POST", "/api/v1/access/report", token=token).status == status
        suggested = remote.ask("GET", "/api/v1/access/suggestion", token=token).status
        assert suggested == (403 if status == 403 else 409)
    assert remote.ask("GET", "/api/v1/access/report").status == 401


def test_without_a_policy(tmp_path: Path) -> None:
    bare = Stage(tmp_path)
    handle = serve(bare.office, ApiSettings(tmp_path / "api.sock"), bare.logged.append)
    try:
        assert ask(tmp_path / "api.sock", "GET", "/api/v1/access/report").status == 409
    finally:
        handle.stop()
