"""Every YAML block of docs/policy.md loads, or is refused in the words that stand above it."""

import re
from pathlib import Path

import pytest

from policy.samples import PROTOCOLS
from wicketgate.model.errors import PolicyError
from wicketgate.policy.conditions import FUNCTIONS, VARIABLES
from wicketgate.policy.issuers import ACCEPT_KEYS, ISSUER_KEYS
from wicketgate.policy.load import SECTIONS, Source, load_sources, read_sources
from wicketgate.policy.resources import _KEYS as RESOURCE_KEYS
from wicketgate.policy.reviewing import TERMS_KEYS
from wicketgate.policy.rules import _KEYS as RULE_KEYS
from wicketgate.settings import LimitSettings, Settings, load_settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)
RESOURCES = next(block for block in BLOCKS if block.startswith("resources:"))


@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_means_what_it_says(block: str, tmp_path: Path) -> None:
    refused = re.match(r"# refused: rules\.yaml:(.*)\n", block)
    sources = [Source("rules.yaml", block)]
    if not block.startswith("resources:"):
        sources.insert(0, Source("resources.yaml", RESOURCES))
    if refused is not None:
        with pytest.raises(PolicyError) as told:
            load_sources(sources, PROTOCOLS)
        assert told.value.public == f"rules.yaml:{refused[1]}"
        return
    load_sources(sources, PROTOCOLS)
    (tmp_path / "wicket.yaml").write_text(block, encoding="utf-8")
    load_settings(tmp_path / "wicket.yaml")


def test_there_are_blocks() -> None:
    assert len(BLOCKS) >= 8


def test_every_key_is_told() -> None:
    names = {
        *SECTIONS,
        *ISSUER_KEYS,
        *ACCEPT_KEYS,
        *RESOURCE_KEYS,
        *RULE_KEYS,
        *TERMS_KEYS,
        *Settings.model_fields,
        *LimitSettings.model_fields,
    }
    assert {name for name in names if f"`{name}" not in TEXT and f".{name}`" not in TEXT} == set()


def test_everything_that_conditions_know_is_told() -> None:
    for name in FUNCTIONS:
        assert f"statement.{name}(" in TEXT or f"`.{name}(" in TEXT
    for name in VARIABLES - {"statement"}:
        assert f"`{name}`" in TEXT or f"`.{name.split('.')[-1]}`" in TEXT, name


def test_examples_load() -> None:
    found = load_sources(read_sources(ROOT / "examples" / "wicket.yaml"), PROTOCOLS)
    assert found.warnings == ()
    load_settings(ROOT / "examples" / "wicket.yaml")
