"""Whom and what a rule speaks of, read and checked against the resources that there are.
It must never take a selector that can never match.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from wicketgate.model.detector import Custom
from wicketgate.model.resource import Resource
from wicketgate.model.token import is_any
from wicketgate.policy.conditions import Condition
from wicketgate.policy.document import Node, Place
from wicketgate.policy.reading import Invalid, Reading, near
from wicketgate.policy.resources import ProtocolRules


@dataclass(slots=True)
class Ground:
    """What rules are checked against, and what comes up beside errors.

    closed: resource -> why nothing on it may be permitted. warnings: lines, each with its place.
    """

    resources: Mapping[str, Resource]
    protocols: Mapping[str, ProtocolRules]
    observe: bool = False
    detectors: Mapping[str, Custom] = field(default_factory=dict)
    closed: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    compiled: dict[str, Condition] = field(default_factory=dict)

    def warn(self, place: Place, message: str) -> None:
        self.warnings.append(f"{place}: {message}")

    def classes(self, names: Mapping[str, object] | None = None) -> frozenset[str]:
        """Data classes of all resources, or of those named: of columns, and those that are looked for."""
        chosen = self.resources if names is None else {name: self.resources[name] for name in names}
        return frozenset(
            data_class
            for resource in chosen.values()
            for columns in resource.sensitive.values()
            for data_class in columns.values()
        ).union(*(resource.detected(self.detectors) for resource in chosen.values()))


@dataclass(frozen=True, slots=True)
class Selected:
    """Resources that a selector chose. named: their names were written out."""

    names: tuple[str, ...]
    databases: frozenset[str] | None
    named: bool


def read_resources_of(reading: Reading, node: Node, ground: Ground) -> Selected:
    every = tuple(ground.resources)
    if node.value == "any":
        return Selected(every, None, False)
    if isinstance(node.value, list):
        return Selected(_named(reading, node, ground), None, True)
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
        return Selected(chosen, None, named)
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
    return Selected(chosen, wanted_databases, named)


def _named(reading: Reading, node: Node, ground: Ground) -> tuple[str, ...]:
    found = []
    for each, text in reading.texts(node, "resources"):
        if text in ground.resources:
            found.append(text)
        elif text == "*" or is_any(text):
            hint = "for all of them write `resources: any`"
            reading.problems.add(each, f"there is no resource {text!r}: it can never match; {hint}")
        else:
            reading.problems.add(each, f"there is no resource {text!r}{near(text, ground.resources)}")
    return tuple(found)


def read_accounts_of(
    reading: Reading,
    node: Node | None,
    rule: Node,
    name: str,
    selected: Selected,
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
