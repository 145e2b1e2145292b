"""`rules:` of a policy, read and checked against the resources that they speak of.
It must never load a rule that can never match, or one that says what cannot be done.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from wicketgate.model.decision import Limit
from wicketgate.model.resource import Resource
from wicketgate.model.statement import COMMANDS, Effect
from wicketgate.policy.conditions import Condition, ConditionError, asking, check
from wicketgate.policy.document import Node, Place
from wicketgate.policy.reading import Invalid, Reading, near
from wicketgate.policy.resources import ProtocolRules
from wicketgate.policy.rule import Identities, Review, Rule
from wicketgate.policy.truth import Truth

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
        "limits",
        "deny",
        "review",
        "enforce",
    ]
)
_LIMIT: Final = re.compile(r"([1-9][0-9]{0,14}) per (session|hour)")
_WITHIN: Final = re.compile(r"([1-9][0-9]{0,5})(s|m|h)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
_RELATIONS: Final = frozenset({"reads", "writes", "reads_whole"})
UNBOUNDED: Final = ("permit", "reveal")
"""What a rule gives. One that gives must say to whom and on what."""


@dataclass(slots=True)
class Ground:
    """What rules are checked against, and what comes up beside errors.

    closed: resource -> why nothing on it may be permitted. warnings: lines, each with its place.
    """

    resources: Mapping[str, Resource]
    protocols: Mapping[str, ProtocolRules]
    observe: bool = False
    closed: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    compiled: dict[str, Condition] = field(default_factory=dict)

    def warn(self, place: Place, message: str) -> None:
        self.warnings.append(f"{place}: {message}")

    def classes(self, names: Mapping[str, object] | None = None) -> frozenset[str]:
        """Data classes of all resources, or of those named."""
        chosen = self.resources if names is None else {name: self.resources[name] for name in names}
        return frozenset(
            data_class
            for resource in chosen.values()
            for columns in resource.sensitive.values()
            for data_class in columns.values()
        )


@dataclass(frozen=True, slots=True)
class _Selected:
    """Resources that a selector chose. named: their names were written out."""

    names: tuple[str, ...]
    databases: frozenset[str] | None
    named: bool


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
    identities, selected = Identities(), _Selected(tuple(ground.resources), None, False)
    with suppress(Invalid):
        if "identities" in keys:
            identities = _identities(reading, keys["identities"])
    with suppress(Invalid):
        if "resources" in keys:
            selected = _resources(reading, keys["resources"], ground)
    accounts = _accounts(reading, keys.get("account"), node, name, selected, ground, "permit" in keys)
    when = None
    if "when" in keys:
        with suppress(Invalid):
            when = _condition(reading, keys["when"], ground, accounts)
    observe = ground.observe
    if "enforce" in keys:
        observe = reading.choice(keys["enforce"], "enforce", ("enforce", "observe")) == "observe"
    rule = Rule(
        name,
        place,
        identities,
        accounts,
        selected.databases,
        when,
        permit=_permit(reading, keys.get("permit")),
        mask=_mask(reading, keys.get("mask"), ground, selected, accounts, observe),
        reveal=_reveal(reading, keys.get("reveal"), ground, accounts),
        limits=_limits(reading, keys.get("limits"), name),
        deny=_message(reading, keys.get("deny")),
        review=_review(reading, keys.get("review")),
        observe=observe,
    )
    if len(reading.problems) > before:
        raise Invalid
    return rule


def _check_shape(reading: Reading, node: Node, keys: Mapping[str, Node], name: str) -> None:
    said = [key for key in ("permit", "mask", "reveal", "limits", "deny", "review") if key in keys]
    if not said:
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


def _identities(reading: Reading, node: Node) -> Identities:
    if node.value == "any":
        return Identities()
    if isinstance(node.value, list):
        return Identities(False, frozenset(text for _, text in reading.texts(node, "identities")))
    keys = reading.keys(node, "identities", ("names", "groups", "any"))
    if not keys:
        raise reading.fail(node, "identities is empty: it can never match")
    if "any" in keys:
        if keys["any"].value is not True or len(keys) > 1:
            raise reading.fail(keys["any"], "any is true and stands alone")
        return Identities()
    lists = {key: frozenset(text for _, text in reading.texts(each, key)) for key, each in keys.items()}
    return Identities(False, lists.get("names", frozenset()), lists.get("groups", frozenset()))


def _resources(reading: Reading, node: Node, ground: Ground) -> _Selected:
    every = tuple(ground.resources)
    if node.value == "any":
        return _Selected(every, None, False)
    if isinstance(node.value, list):
        return _Selected(_named(reading, node, ground), None, True)
    keys = reading.keys(node, "resources", ("names", "labels", "any", "databases"))
    ways = [key for key in ("names", "labels", "any") if key in keys]
    if len(ways) != 1:
        raise reading.fail(node, "resources takes one of names, labels and any")
    chosen, named = every, False
    if "names" in keys:
        chosen, named = _named(reading, keys["names"], ground), True
    elif "labels" in keys:
        wanted = reading.labels(keys["labels"], "labels")
        if not wanted:
            raise reading.fail(keys["labels"], "labels is empty: it can never match")
        chosen = tuple(name for name in every if wanted.items() <= ground.resources[name].labels.items())
        if not chosen:
            written = ", ".join(f"{key}={value}" for key, value in wanted.items())
            raise reading.fail(keys["labels"], f"no resource has the labels {written}: it can never match")
    elif keys["any"].value is not True:
        raise reading.fail(keys["any"], "any can only be true")
    if "databases" not in keys:
        return _Selected(chosen, None, named)
    databases = reading.texts(keys["databases"], "databases")
    known = {database for name in chosen for database in ground.resources[name].databases}
    for each, text in databases:
        if text not in known:
            reading.problems.add(
                each, f"no resource of this rule has the database {text!r}{near(text, known)}"
            )
    wanted_databases = frozenset(text for _, text in databases)
    chosen = tuple(
        name for name in chosen if not wanted_databases.isdisjoint(ground.resources[name].databases)
    )
    return _Selected(chosen, wanted_databases, named)


def _named(reading: Reading, node: Node, ground: Ground) -> tuple[str, ...]:
    found = []
    for each, text in reading.texts(node, "resources"):
        if text in ground.resources:
            found.append(text)
        else:
            reading.problems.add(each, f"there is no resource {text!r}{near(text, ground.resources)}")
    return tuple(found)


def _accounts(
    reading: Reading,
    node: Node | None,
    rule: Node,
    name: str,
    selected: _Selected,
    ground: Ground,
    permits: bool,
) -> dict[str, frozenset[str]]:
    """resource -> accounts that the rule speaks of. A rule that permits offers exactly one on each."""
    found: dict[str, frozenset[str]] = {}
    wanted = None
    if node is not None:
        with suppress(Invalid):
            wanted = reading.text(node, "account")
    for resource in selected.names:
        accounts = ground.resources[resource].accounts
        if wanted is not None and node is not None:
            if wanted in accounts:
                found[resource] = frozenset({wanted})
            elif selected.named:
                reading.problems.add(
                    node, f"the resource {resource!r} has no account {wanted!r}{near(wanted, accounts)}"
                )
            elif permits:
                ground.warn(
                    node.place, f"the rule {name!r} permits nothing on {resource!r}: no account {wanted!r}"
                )
        elif permits and node is None and len(accounts) > 1:
            listed = ", ".join(sorted(accounts))
            reading.problems.add(rule, f"the rule must name an account: {resource!r} has {listed}")
        else:
            found[resource] = frozenset(accounts)
    if wanted is not None and node is not None and selected.names and not found and not selected.named:
        reading.problems.add(node, f"no resource of this rule has an account {wanted!r}: it can never match")
    return found


def _condition(reading: Reading, node: Node, ground: Ground, accounts: Mapping[str, object]) -> Condition:
    if node.value is False:
        raise reading.fail(node, "when is false: the rule can never match")
    text = reading.text(node, "when")
    condition = ground.compiled.get(text)
    if condition is None:
        try:
            condition = check(text)
        except ConditionError as error:
            place, inside = node.place, f" (line {error.line}, column {error.column} of it)"
            if error.line == 0 or (error.line == 1 and node.plain):
                place = Place(place.file, place.line, place.column + max(error.column - 1, 0))
                inside = ""
            raise reading.fail(place, f"when: {error}{inside}") from None
        ground.compiled[text] = condition
    if condition.never():
        raise reading.fail(node, "when is always false: the rule can never match")
    _check_asked(reading, node, condition, ground, accounts)
    about = [asking(resource=ground.resources[name]) for name in accounts]
    if about and all(condition.ask(each) is Truth.FALSE for each in about):
        raise reading.fail(node, "when is false for every resource of the rule: it can never match")
    return condition


def _check_asked(
    reading: Reading, node: Node, condition: Condition, ground: Ground, accounts: Mapping[str, object]
) -> None:
    """Every argument against the closed list, or the names, that it is of."""
    effects = frozenset(effect.value for effect in Effect)
    for asked in condition.asked:
        word, what = asked.argument, f"when: statement.{asked.function}({asked.argument!r})"
        if asked.function == "does" and word not in COMMANDS:
            reading.problems.add(node, f"{what}: there is no such command{near(word, COMMANDS)}")
        elif asked.function == "has" and word not in effects:
            reading.problems.add(node, f"{what}: there is no such effect{near(word, effects)}")
        elif asked.function == "touches" and word not in (known := ground.classes(accounts)):
            reading.problems.add(
                node, f"{what}: no resource of this rule has a column of that data class{near(word, known)}"
            )
        elif asked.function in _RELATIONS:
            for protocol in {ground.resources[name].protocol for name in accounts}:
                try:
                    ground.protocols[protocol].check_column(f"{word}.column")
                except ValueError as error:
                    reading.problems.add(node, f"{what} can never be true: {error}")


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
    selected: _Selected,
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
    if node.value is None:  # an unquoted null in YAML
        return "null"
    text = reading.text(node, "mask")
    if text == "pseudonym":
        raise reading.fail(node, "pseudonym is not there yet: use redact, null, last4, partial or truncate")
    if text == "reveal":
        raise reading.fail(node, "a mask can't be reveal: write `reveal: [class]`")
    return reading.choice(node, "mask", known)


def _check_honoured(
    reading: Reading, node: Node, transform: str, ground: Ground, selected: _Selected, observe: bool
) -> None:
    """A mask that a protocol can't honour: refused where the resource is named, else that is closed."""
    for name in selected.names:
        protocol = ground.resources[name].protocol
        if transform in ground.protocols[protocol].transforms:
            continue
        message = f"{protocol} can't mask with {transform}"
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


def _review(reading: Reading, node: Node | None) -> Review | None:
    if node is None:
        return None
    with suppress(Invalid):
        keys = reading.keys(node, "review", ("by", "quorum", "within"), ("by",))
        by = _identities(reading, keys["by"])
        quorum = reading.integer(keys["quorum"], "quorum", 1, 20) if "quorum" in keys else 1
        within = 600
        if "within" in keys:
            written = _WITHIN.fullmatch(reading.text(keys["within"], "within"))
            if written is None:
                raise reading.fail(keys["within"], "within must be like 90s, 10m or 2h")
            within = int(written[1]) * _SECONDS[written[2]]
        if by.everybody:
            raise reading.fail(keys["by"], "review by anybody is none: name people or groups")
        return Review(by.names, by.groups, quorum, within)
    return None
