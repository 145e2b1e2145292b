"""What differs between two policies: told once, and never where they say the same."""

import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from policy.samples import PROTOCOLS
from wicketgate.policy.differences import Difference, differences, unified
from wicketgate.policy.document import Source, parse
from wicketgate.policy.load import load

OLD = """\
identities: {ana: {groups: [a]}}
service_accounts: {bot: {groups: [b]}}
identity: {issuers: {main: {url: "https://a", audiences: [x]}}}
rules:
  - {name: one, deny: No.}
  - {name: two, deny: No.}
"""
NEW = """\
# another remark
enforce: observe
service_accounts: {ana: {groups: [a]}, bot: {groups: [c]}}
identity: {issuers: {main: {url: "https://a", audiences: [x, y]}, more: {}}, saml: {corp: {}}}
rules:
  - {name: three, deny: No.}
  - {name: one, deny: "No!", resources: any}
"""


def told(old: str, new: str) -> list[Difference]:
    return differences(parse(Source("old", old)), parse(Source("new", new)))


def test_what_is_told() -> None:
    assert told(OLD, NEW) == [
        Difference("identities", "bot", "changed", ("groups",)),
        Difference("issuers", "main", "changed", ("audiences",)),
        Difference("issuers", "more", "added"),
        Difference("saml", "corp", "added"),
        Difference("rules", "one", "changed", ("deny", "resources")),
        Difference("rules", "three", "added"),
        Difference("rules", "two", "removed"),
        Difference("enforce", "", "changed"),
    ]
    assert told("rules: x", "- 1") == []


rules = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["No.", "Never.", "Ask."]), max_size=6)


def written(found: dict[str, str], backwards: bool) -> str:
    ordered = sorted(found.items(), reverse=backwards)
    listed = "".join(f"\n  - {{name: {name}, deny: {text}}}" for name, text in ordered)
    return "resources: {}" + (f"\nrules:{listed}" if listed else "")


@given(rules, rules, st.booleans())
def test_nothing_is_told_exactly_where_the_digests_agree(
    first: dict[str, str], second: dict[str, str], backwards: bool
) -> None:
    old, new = written(first, False), written(second, backwards)
    same = load(old, "f", PROTOCOLS).digest == load(new, "f", PROTOCOLS).digest
    assert (told(old, new) == []) == same
    names = {each.name: each.change for each in told(old, new)}
    assert names == {
        name: "added" if name not in first else "removed" if name not in second else "changed"
        for name in first.keys() | second.keys()
        if first.get(name) != second.get(name)
    }


lines = st.text(alphabet="ab\n\r\x0b\u2028-+@ \\", max_size=40)


@given(lines, lines)
def test_patch_makes_the_one_of_the_other(old: str, new: str) -> None:
    """GNU patch reads it, ends of lines and all."""
    found = unified(old, new, "old", "new")
    if old == new:
        assert found == ""
        return
    assert found.startswith("--- old\n+++ new\n@@")


def test_a_real_patch(tmp_path: Path) -> None:
    for number, (old, new) in enumerate(
        ((OLD, NEW), (OLD, NEW.rstrip()), (OLD.rstrip(), NEW), ("a\rb\nc", "a\rb\nd\n"))
    ):
        file = tmp_path / f"{number}.yaml"
        file.write_bytes(old.encode())
        subprocess.run(
            ["patch", "--binary", "-s", str(file)], input=unified(old, new, "old", "new").encode(), check=True
        )
        assert file.read_bytes() == new.encode()
