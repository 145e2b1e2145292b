"""Writes a policy's texts anew without some entries of its rules, and shows the difference as patches do.
It must never change what it was not told to, nor show a line of the settings, which may hold a password."""

import difflib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from wicketgate.policy.cutting import Cut, Text, member
from wicketgate.policy.document import Source
from wicketgate.policy.narrowing import Narrowing, relations_of, without

CONTEXT: Final = 3
"""Lines around a change."""


def rewrite(sources: Sequence[Source], wanted: Mapping[str, Narrowing]) -> tuple[Source, ...]:
    """The texts without these; what can't be told apart in a text stays."""
    return tuple(Source(each.file, _rewritten(each.text, wanted)) for each in sources)


def _rewritten(text: str, wanted: Mapping[str, Narrowing]) -> str:
    whole = _read(text)
    rules = member(whole.root, "rules")
    if not isinstance(rules, SequenceNode):
        return text
    cuts: list[Cut] = []
    gone = []
    for at, rule in enumerate(rules.value):
        narrowing = wanted.get(_scalar(member(rule, "name")))
        if narrowing is None:
            continue
        if narrowing.gone:
            gone.append(at)
        else:
            cuts += _inside(whole, rule, narrowing)
    if len(gone) == len(rules.value):
        cuts = (whole.key(whole.root, "rules") if len(whole.root.value) > 1 else None) or []
    elif gone:
        cuts += whole.entries(rules, gone) or []
    if rules.flow_style and gone:
        # one cut holds all that is kept, as it stands: what is taken out inside of it waits for the next time
        cuts = whole.entries(rules, gone) or []
    return whole.cut(cuts)


@lru_cache(16)
def _read(text: str) -> Text:
    return Text(text)


def _scalar(node: Any) -> str:
    return str(node.value) if isinstance(node, ScalarNode) else ""


def _inside(whole: Text, rule: Any, narrowing: Narrowing) -> list[Cut]:
    found: list[Cut] = []
    permit = member(rule, "permit")
    if narrowing.effects and isinstance(permit, SequenceNode):
        if all(_scalar(each) in narrowing.effects for each in permit.value):
            found += whole.key(rule, "permit") or []
        else:
            found += _listed(whole, permit, narrowing.effects)
    identities = member(rule, "identities")
    if isinstance(identities, SequenceNode):
        found += _listed(whole, identities, narrowing.names)
    elif isinstance(identities, MappingNode):
        found += _selected(whole, identities, {"names": narrowing.names, "groups": narrowing.groups})
    resources = member(rule, "resources")
    if isinstance(resources, SequenceNode):
        found += _listed(whole, resources, narrowing.resources)
    elif isinstance(member(resources, "names"), SequenceNode):
        found += _listed(whole, member(resources, "names"), narrowing.resources)
    when = member(rule, "when")
    if narrowing.relations and isinstance(when, ScalarNode) and when.start_mark.line == when.end_mark.line:
        found.append(_condition(whole, when, narrowing))
    return found


def _listed(whole: Text, node: SequenceNode, gone: frozenset[str]) -> list[Cut]:
    """Some of a list, never all of it."""
    at = [number for number, each in enumerate(node.value) if _scalar(each) in gone]
    return (whole.entries(node, at) or []) if at and len(at) < len(node.value) else []


def _selected(whole: Text, node: MappingNode, gone: Mapping[str, frozenset[str]]) -> list[Cut]:
    """Names and groups: of one of the two all may go, as long as something of the other stays."""
    lists = {key: member(node, key) for key in gone}
    there = {key: each for key, each in lists.items() if isinstance(each, SequenceNode)}
    emptied = [key for key, each in there.items() if all(_scalar(one) in gone[key] for one in each.value)]
    if len(emptied) == len(there):
        return []
    found: list[Cut] = []
    for key, each in there.items():
        found += (whole.key(node, key) or []) if key in emptied else _listed(whole, each, gone[key])
    return found


def _condition(whole: Text, node: ScalarNode, narrowing: Narrowing) -> Cut:
    text = without(str(node.value), narrowing.relations)
    start, end = whole.at(node.start_mark), whole.at(node.end_mark)
    plain = node.style in (None, "")
    written = text if plain and relations_of(text) else f"'{text}'" if "'" not in text else json.dumps(text)
    return start, end, written


# -- the difference -----------------------------------------------------------------------------------------
def difference(before: Sequence[Source], after: Sequence[Source]) -> str:
    """As `diff -u` shows it, file by file; empty: there is none."""
    return "".join(_of(old, new) for old, new in zip(before, after, strict=True) if old.text != new.text)


def _of(old: Source, new: Source) -> str:
    hidden = _settings(old.text)
    lines, others = old.text.splitlines(True), new.text.splitlines(True)
    for context in range(CONTEXT, -1, -1):
        found = list(difflib.unified_diff(lines, others, old.file, new.file, n=context))
        if not hidden & _shown(found):
            break
    return "".join(
        each if each.endswith("\n") else f"{each}\n\\ No newline at end of file\n" for each in found
    )


def _settings(text: str) -> set[int]:
    """The lines of `gateway:`, counted from 1."""
    root = _read(text).root
    names = list(root.value) if isinstance(root, MappingNode) else []
    for key, value in names:
        if _scalar(key) == "gateway":
            last: int = value.end_mark.line
            return set(range(key.start_mark.line + 1, last + 2))
    return set()


def _shown(difference: Sequence[str]) -> set[int]:
    """The old file's lines that a difference shows, counted from 1."""
    shown: set[int] = set()
    at = 0
    for line in difference:
        if line.startswith("@@"):
            at = int(line.split()[1].lstrip("-").split(",")[0])
        elif at and line[:1] in (" ", "-"):
            shown.add(at)
            at += 1
    return shown
