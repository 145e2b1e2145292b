"""Identities that a policy names, by name or by group.
It must never take a selector that can never match.
"""

from collections.abc import Callable

from wicketgate.model.token import check_group, check_name, is_any
from wicketgate.policy.document import Node
from wicketgate.policy.reading import Reading
from wicketgate.policy.rule import Identities


def read_identities_of(reading: Reading, node: Node, what: str = "identities") -> Identities:
    """what: the key that they stand under. Raises Invalid; names that nobody can have are collected."""
    if node.value == "any":
        return Identities()
    if isinstance(node.value, list):
        return Identities(False, _possible(reading, node, what, what, check_name))
    keys = reading.keys(node, what, ("names", "groups", "any"))
    if not keys:
        raise reading.fail(node, f"{what} is empty: it can never match")
    if "any" in keys:
        if keys["any"].value is not True or len(keys) > 1:
            raise reading.fail(keys["any"], "any is true and stands alone")
        return Identities()
    checks = {"names": check_name, "groups": check_group}
    lists = {key: _possible(reading, each, key, what, checks[key]) for key, each in keys.items()}
    return Identities(False, lists.get("names", frozenset()), lists.get("groups", frozenset()))


def _possible(
    reading: Reading, node: Node, key: str, what: str, check: Callable[[str], str]
) -> frozenset[str]:
    """The names in a list. One that nobody can have would make a rule that never matches: a denial that is
    none."""
    found = set()
    for each, text in reading.texts(node, key):
        everybody = text == "*" or is_any(text)
        try:
            check(text)
        except ValueError as error:
            message = f"{error}: it can never match"
        else:
            if not everybody:
                found.add(text)
                continue
            message = f"{text!r} in a list can never match"
        reading.problems.add(each, f"{message}; for everybody write `{what}: any`" if everybody else message)
    return frozenset(found)
