"""What differs between two policies: line by line, and in what they say. Pure."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wicketgate.policy.document import Node

SECTIONS = ("resources", "identities", "issuers", "saml", "detectors", "rules")


@dataclass(frozen=True, slots=True)
class Difference:
    """change: `added`, `removed` or `changed`. name: empty for what a file has once (`enforce`).
    keys: of what was changed, those that differ."""

    section: str
    name: str
    change: str
    keys: tuple[str, ...] = ()


def differences(old: Node, new: Node) -> list[Difference]:
    """What differs in what two policies say; neither the order of rules nor comments matter."""
    first, second = old.content(), new.content()
    found: list[Difference] = []
    for section in SECTIONS:
        was, now = _entries(first, section), _entries(second, section)
        for name in sorted(was.keys() | now.keys()):
            if name not in was:
                found.append(Difference(section, name, "added"))
            elif name not in now:
                found.append(Difference(section, name, "removed"))
            elif was[name] != now[name]:
                found.append(Difference(section, name, "changed", _keys(was[name], now[name])))
    if _enforce(first) != _enforce(second):
        found.append(Difference("enforce", "", "changed"))
    return found


def unified(old: str, new: str, old_name: str, new_name: str) -> str:
    """The texts' difference as `diff -u` has it; empty where there is none."""
    made = difflib.unified_diff(_lines(old), _lines(new), old_name, new_name)
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in made
    )


def _lines(text: str) -> list[str]:
    """Lines with their ends. Only a line feed ends one: in YAML nothing else that splitlines() knows does."""
    lines = [f"{line}\n" for line in text.split("\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _entries(content: Any, section: str) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        return {}
    if section == "identities":
        return {**_map(content.get("service_accounts")), **_map(content.get("identities"))}
    if section in ("issuers", "saml"):
        return _map(_map(content.get("identity")).get(section))
    if section == "rules":
        rules = content.get("rules")
        return {
            str(rule.get("name")): rule
            for rule in (rules if isinstance(rules, list) else ())
            if isinstance(rule, dict)
        }
    return _map(content.get(section))


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _enforce(content: Any) -> Any:
    return content.get("enforce", "enforce") if isinstance(content, dict) else "enforce"


def _keys(was: Any, now: Any) -> tuple[str, ...]:
    first, second = _map(was), _map(now)
    return tuple(
        sorted(
            key
            for key in first.keys() | second.keys()
            if key not in first or key not in second or first[key] != second[key]
        )
    )
