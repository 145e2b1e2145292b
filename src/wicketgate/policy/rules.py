"""`rules:` of a policy, read and checked against the resources that they speak of.
It must never load a rule that can never match, or one that says what cannot be done.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final

from wicketgate.model.decision import Limit
from wicketgate.model.statement import Effect
from wicketgate.policy.document import Node, Place
from wicketgate.policy.reading import Invalid, Reading, near
from wicketgate.policy.requests import read_on_request, read_waives
from wicketgate.policy.reviewing import read_terms
from wicketgate.policy.rule import Identities, Rule
from wicketgate.policy.selectors import (
    Ground,
    Selected,
    read_accounts_of,
    read_resources_of,
)
from wicketgate.policy.when import read_condition
from wicketgate.policy.whom import read_identities_of

_KEYS: Final = frozenset(
    [
        "name",
        "identities",
        "resources",
        "account",
        "when",
        "permit",
        "mask",
        "reveal",
        "written",
        "limits",
        "deny",
        "review",
        "enforce",
        "on_request",
        "waives",
    ]
)
_LIMIT: Final = re.compile(r"([1-9][0-9]{0,14}) per (session|hour)")
OPTIONS: Final = {"truncate": ("month", "year"), "pseudonym": ("identity", "task", "all")}
"""What may stand behind a mask. truncate also takes a whole number: the size of a bucket."""

LARGEST_BUCKET: Final = 10**15
UNBOUNDED: Final = ("permit", "reveal")
"""What a rule gives. One that gives must say to whom and on what."""


def read_rules(reading: Reading, node: Node, ground: Ground) -> list[Rule]:
    """All rules. Those with something wrong are left out, and what is wrong is collected."""
    found: dict[str, Rule] = {}
    with suppress(Invalid):
        for entry in reading.sequence(node, "rules"):
            with suppress(Invalid):
                rule = _rule(reading, entry, ground)
                if rule.name in found:
                    first = found[rule.name].place
                    raise reading.fail(rule.place, f"the rule {rule.name!r} is given twice; first at {first}")
                found[rule.name] = rule
    return list(found.values())


def _rule(reading: Reading, node: Node, ground: Ground) -> Rule:
    keys = reading.keys(node, "a rule", _KEYS, ("name",))
    before = len(reading.problems)
    name = reading.text(keys["name"], "name")
    place = keys["name"].place
    if len(name) > 120 or not name.isprintable():
        raise reading.fail(keys["name"], "a rule's name is one line of at most 120 characters")
    _check_shape(reading, node, keys, name)
    identities, selected = Identities(), Selected(tuple(ground.resources), None, False)
    with suppress(Invalid):
        if "identities" in keys:
            identities = read_identities_of(reading, keys["identities"])
    with suppress(Invalid):
        if "resources" in keys:
            selected = read_resources_of(reading, keys["resources"], ground)
    accounts = read_accounts_of(reading, keys.get("account"), node, name, selected, ground, "permit" in keys)
    when = None
    if "when" in keys:
        with suppress(Invalid):
            when = read_condition(reading, keys["when"], ground, accounts)
    observe = ground.observe
    if "enforce" in keys:
        observe = reading.choice(keys["enforce"], "enforce", ("enforce", "observe")) == "observe"
    mask = _mask(reading, keys.get("mask"), ground, selected, accounts, observe)
    on_request = read_on_request(reading, keys, identities, name)
    rule = Rule(
        name,
        place,
        identities,
        accounts,
        selected.databases,
        when,
        permit=_permit(reading, keys.get("permit")),
        mask=mask,
        reveal=_reveal(reading, keys.get("reveal"), ground, accounts),
        resolve=_written(reading, keys.get("written"), mask),
        limits=_limits(reading, keys.get("limits"), name),
        deny=_message(reading, keys.get("deny")),
        review=read_terms(reading, keys.get("review"), "review", name),
        observe=observe,
        on_request=on_request,
        waives=read_waives(reading, keys, on_request),
    )
    if len(reading.problems) > before:
        raise Invalid
    return rule if on_request is None else replace(rule, on_request=replace(on_request, gives=rule.gives))


def _check_shape(reading: Reading, node: Node, keys: Mapping[str, Node], name: str) -> None:
    said = [key for key in ("permit", "mask", "reveal", "limits", "deny", "review") if key in keys]
    misspelt = isinstance(node.value, dict) and len(keys) < len(node.value)
    if not said and not misspelt:
        reading.problems.add(
            node, f"the rule {name!r} says nothing: it needs permit, mask, reveal, limits, deny or review"
        )
    for alone in ("deny", "review"):
        if alone in said and len(said) > 1:
            others = ", ".join(key for key in said if key != alone)
            reading.problems.add(keys[alone], f"{alone} stands alone: put {others} into a rule of its own")
    for gives in UNBOUNDED:
        for whom in ("identities", "resources"):
            if gives in said and whom not in keys:
                reading.problems.add(node, f"a rule with {gives} must say {whom} (`{whom}: any` for all)")
                break


def _permit(reading: Reading, node: Node | None) -> frozenset[Effect]:
    found = set()
    if node is not None:
        with suppress(Invalid):
            for each, _ in reading.texts(node, "permit"):
                with suppress(Invalid):
                    effects = [effect.value for effect in Effect]
                    found.add(Effect(reading.choice(each, "permit", effects)))
    return frozenset(found)


def _mask(
    reading: Reading,
    node: Node | None,
    ground: Ground,
    selected: Selected,
    accounts: Mapping[str, object],
    observe: bool,
) -> dict[str, str]:
    found: dict[str, str] = {}
    if node is None:
        return found
    with suppress(Invalid):
        entries = reading.keys(node, "mask")
        if not entries:
            raise reading.fail(node, "mask is empty")
        known = frozenset().union(*(rules.transforms for rules in ground.protocols.values()))
        for data_class, entry in entries.items():
            with suppress(Invalid):
                place = node.value[data_class][0] if isinstance(node.value, dict) else node.place
                _check_class(reading, place, data_class, ground, accounts)
                found[data_class] = _transform(reading, entry, known)
                _check_honoured(reading, entry, found[data_class], ground, selected, observe)
    return found


def _transform(reading: Reading, node: Node, known: frozenset[str]) -> str:
    """`last4`, or with an option `{truncate: month}`, as a decision has it: `last4`, `truncate:month`."""
    if node.value is None:  # an unquoted null in YAML
        return "null"
    if isinstance(node.value, dict):
        return _optioned(reading, node, known)
    text = reading.text(node, "mask")
    if text == "reveal":
        raise reading.fail(node, "a mask can't be reveal: write `reveal: [class]`")
    name, colon, option = text.partition(":")
    if colon and name in OPTIONS:
        raise reading.fail(node, f"mask can't be {text!r}: write `{{{name}: {option or OPTIONS[name][0]}}}`")
    chosen = reading.choice(node, "mask", known)
    return "pseudonym:identity" if chosen == "pseudonym" else chosen


def _optioned(reading: Reading, node: Node, known: frozenset[str]) -> str:
    entries = reading.keys(node, "mask")
    if len(entries) != 1:
        raise reading.fail(node, "a mask with an option has one key: `{truncate: month}`, `{pseudonym: all}`")
    [(name, entry)] = entries.items()
    if name not in OPTIONS:
        if name in known:
            raise reading.fail(node, f"{name} takes no option: write `{name}`")
        raise reading.fail(node, f"mask can't be {name!r}{near(name, OPTIONS)}")
    if name not in known:
        raise reading.fail(node, f"mask can't be {name!r}{near(name, known)}")
    if name == "truncate" and type(entry.value) is int:
        return f"truncate:{reading.integer(entry, 'truncate', 2, LARGEST_BUCKET)}"
    if not isinstance(entry.value, str) and name == "truncate":
        raise reading.fail(entry, f"truncate must be month, year or a whole number, not {entry.noun}")
    return f"{name}:{reading.choice(entry, name, OPTIONS[name])}"


def _check_honoured(
    reading: Reading, node: Node, transform: str, ground: Ground, selected: Selected, observe: bool
) -> None:
    """A mask that a protocol can't honour: refused where the resource is named, else that is closed."""
    for name in selected.names:
        protocol = ground.resources[name].protocol
        name_only = transform.partition(":")[0]
        if name_only in ground.protocols[protocol].transforms:
            continue
        message = f"{protocol} can't mask with {name_only}"
        if selected.named:
            reading.problems.add(node, f"{message}, and the resource {name!r} needs it")
        elif not observe:
            ground.closed.setdefault(name, message)
            ground.warn(node.place, f"the resource {name!r} is closed: {message}")


def _check_class(
    reading: Reading, place: Place, data_class: str, ground: Ground, accounts: Mapping[str, object]
) -> None:
    if data_class == "*":
        return
    known = ground.classes()
    if data_class not in known:
        raise reading.fail(
            place, f"no resource has a column of the data class {data_class!r}{near(data_class, known)}"
        )
    if data_class not in ground.classes(accounts):
        ground.warn(place, f"no resource of this rule has a column of the data class {data_class!r}")


def _reveal(
    reading: Reading, node: Node | None, ground: Ground, accounts: Mapping[str, object]
) -> frozenset[str]:
    found = set()
    if node is not None:
        with suppress(Invalid):
            for each, text in reading.texts(node, "reveal"):
                with suppress(Invalid):
                    _check_class(reading, each.place, text, ground, accounts)
                    found.add(text)
    return frozenset(found)


def _written(reading: Reading, node: Node | None, mask: Mapping[str, str]) -> bool:
    """Whether tokens that come back in a write are resolved; by default such a write is refused."""
    if node is None:
        return False
    with suppress(Invalid):
        resolve = reading.choice(node, "written", ("refuse", "resolve")) == "resolve"
        if resolve and not any(each.startswith("pseudonym") for each in mask.values()):
            raise reading.fail(node, "written: resolve is about tokens, and the rule's mask gives none out")
        return resolve
    return False


def _limits(reading: Reading, node: Node | None, name: str) -> tuple[Limit, ...]:
    found: list[Limit] = []
    if node is None:
        return ()
    with suppress(Invalid):
        entries = reading.keys(node, "limits", ("rows", "statements"))
        if not entries:
            raise reading.fail(node, "limits is empty")
        for what, entry in entries.items():
            with suppress(Invalid):
                several = reading.sequence(entry, what) if isinstance(entry.value, list) else [entry]
                for each in several:
                    written = _LIMIT.fullmatch(reading.text(each, what))
                    if written is None:
                        raise reading.fail(each, f"{what} must be like `10000 per hour` or `500 per session`")
                    limit = Limit(name, what, int(written[1]), written[2])
                    if any(other.per == limit.per and other.what == what for other in found):
                        raise reading.fail(each, f"{what} per {limit.per} is given twice")
                    found.append(limit)
    return tuple(found)


def _message(reading: Reading, node: Node | None) -> str | None:
    if node is None:
        return None
    with suppress(Invalid):
        text = " ".join(reading.text(node, "deny").split())
        if len(text) > 500 or not text.isprintable():
            raise reading.fail(node, "deny is a message of at most 500 characters")
        return text
    return ""
