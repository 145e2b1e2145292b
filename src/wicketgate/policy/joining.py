"""Several files of configuration as one. It must never let one file overrule another in silence.

By itself: the settings are read from the same files, by commands that need nothing of the policy."""

from collections.abc import Sequence
from typing import Final

from wicketgate.policy.document import Node, Place, Problems

SECTIONS: Final = (
    "gateway",
    "resources",
    "identities",
    "service_accounts",
    "identity",
    "rules",
    "enforce",
    "detectors",
)
"""Keys at the top of a file. `gateway` is not the policy's: settings.py reads it."""


def merge(trees: Sequence[Node]) -> Node:
    """Several files as one: a section may stand in several, what it holds may not be given twice.

    Raises PolicyError."""
    problems = Problems()
    sections: dict[str, tuple[Place, Node]] = {}
    for tree in trees:
        if not isinstance(tree.value, dict):
            problems.add(tree, f"the file must be a map ({', '.join(SECTIONS)}), not {tree.noun}")
            continue
        for key, (place, node) in tree.value.items():
            if key not in sections:
                sections[key] = (place, node)
            else:
                first = sections[key][1]
                sections[key] = (sections[key][0], _join(key, first, place, node, problems))
    problems.raise_any()
    root = trees[0].place if trees else Place("")
    return Node(root, sections)


def _join(key: str, first: Node, place: Place, second: Node, problems: Problems) -> Node:
    if isinstance(first.value, list) and isinstance(second.value, list):
        return Node(first.place, [*first.value, *second.value])
    if isinstance(first.value, dict) and isinstance(second.value, dict) and key != "gateway":
        for name, (where, _) in second.value.items():
            if name in first.value:
                problems.add(where, f"{name!r} is given twice; first at {first.value[name][0]}")
        return Node(first.place, {**first.value, **second.value})
    problems.add(place, f"{key!r} is given twice; first at {first.place}")
    return first
