"""A policy looked over in a process of its own: bounded, and nothing is changed by it."""

import asyncio
from pathlib import Path

import pytest

from api.shelf import MORE, POLICY, SETTINGS
from wicketgate import assay
from wicketgate.admin.access import Refused
from wicketgate.assay import Assay
from wicketgate.model.errors import PolicyError


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "wicket.yaml"
    path.write_text(SETTINGS.replace("SOURCE", "store"))
    return path


async def test_it_runs(config: Path) -> None:
    looking = Assay(config)
    good, bad, compared = await asyncio.gather(
        looking.check(MORE),
        looking.check(MORE.replace("deny: No.", "dney: No.")),
        looking.compare(POLICY, MORE, "revision 1", "policy"),
    )
    assert (good["ok"], good["rules"], good["errors"]) == (True, 2, [])
    [found] = bad["errors"]
    assert found["line"] == 16
    assert "did you mean 'deny'?" in found["message"]
    assert str(config.parent) not in found["message"]
    assert [each["name"] for each in compared["changes"]] == ["nobody writes"]
    assert compared["diff"].startswith("--- revision 1\n+++ policy\n")
    assert [each.name for each in config.parent.iterdir()] == ["wicket.yaml"]


def test_what_would_hold_workers_up_is_refused(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assay, "LOADING", 0.0)
    found = assay.check(config, POLICY)
    assert not found["ok"]
    assert "no worker may stand still" in found["errors"][0]["message"]


async def test_it_is_bounded(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assay, "SECONDS", 0.05)
    looking = Assay(config)
    with pytest.raises(Refused, match="longer than"):
        await looking.check(MORE)
    monkeypatch.setattr(assay, "WAITING", 0)
    with pytest.raises(Refused, match="too many"):
        await looking.check(MORE)
    with pytest.raises(PolicyError, match="UTF-8"):
        await Assay.check(_free(looking, monkeypatch), "\ud800")


def _free(looking: Assay, monkeypatch: pytest.MonkeyPatch) -> Assay:
    monkeypatch.setattr(assay, "WAITING", 8)
    return looking


def test_places(config: Path) -> None:
    """In a text that other messages name as well."""
    twice = assay.check(config, MORE + "resources: {}\n")["errors"]
    assert [(each["line"], each["column"]) for each in twice] == [(17, 1)]
    whole = assay.check(config, "# nothing\n")["errors"]
    assert whole[0]["message"].startswith("the file is empty")
    many = "rules:\n" + "".join(f"  - {{name: r{at}, nope: 1}}\n" for at in range(300))
    found = assay.check(config, many)["errors"]
    assert len(found) == assay.FINDINGS + 1
    assert found[-1]["message"].startswith("and ")
    warned = assay.check(config, POLICY.replace("identities: {groups: [crew]}", "identities: [nobody]"))
    assert warned["ok"]
    assert [each["line"] for each in warned["warnings"]] == [12]
    assert "does not declare" in warned["warnings"][0]["message"]
