"""`review:` of a rule and `reviewers:` of a resource, read and checked.
It must never load terms that nobody could meet, nor take silence for an approval.
"""

import re
from contextlib import suppress
from typing import Final

from wicketgate.model.review import Panel
from wicketgate.model.terms import BINDS, MODES, Terms
from wicketgate.policy.document import Node
from wicketgate.policy.reading import Invalid, Reading
from wicketgate.policy.whom import read_identities_of

TERMS_KEYS: Final = frozenset(
    """by quorum all_groups within usable on_timeout mode in_transaction reason message bind""".split()
)
_TIME: Final = re.compile(r"([1-9][0-9]{0,5})(s|m|h)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
WITHIN: Final = 600
LONGEST: Final = 7 * 86400
"""Seconds that a review may wait."""


def read_terms(reading: Reading, node: Node | None, what: str, rule: str) -> Terms | None:
    """what: the key. rule: whose panel it is. What is wrong is collected."""
    if node is None:
        return None
    with suppress(Invalid):
        keys = reading.keys(node, what, TERMS_KEYS, ("by",))
        by = read_identities_of(reading, keys["by"], "by")
        if by.everybody:
            raise reading.fail(keys["by"], f"{what} by anybody is none: name people or groups")
        quorum = reading.integer(keys["quorum"], "quorum", 1, 20) if "quorum" in keys else 1
        all_groups = _truth(reading, keys.get("all_groups"), "all_groups")
        if all_groups and len(by.groups) < 2:
            raise reading.fail(keys["all_groups"], "all_groups is about several groups")
        if "quorum" in keys and by.names and not by.groups and quorum > len(by.names):
            raise reading.fail(keys["quorum"], f"quorum: {quorum} of {len(by.names)} people can never be met")
        if "on_timeout" in keys:
            reading.choice(keys["on_timeout"], "on_timeout", ("deny",))
        return Terms(
            (Panel(rule, by.names, by.groups, quorum, all_groups),),
            _time(reading, keys.get("within"), "within", WITHIN),
            _choice(reading, keys.get("mode"), "mode", MODES, MODES[0]),
            _choice(reading, keys.get("in_transaction"), "in_transaction", MODES, MODES[1]),
            _choice(reading, keys.get("reason"), "reason", ("optional", "required"), "") == "required",
            _choice(reading, keys.get("bind"), "bind", BINDS, BINDS[0]) == "shape",
            _message(reading, keys.get("message")),
            _time(reading, keys["usable"], "usable", WITHIN) if "usable" in keys else None,
        )
    return None


def _truth(reading: Reading, node: Node | None, what: str) -> bool:
    if node is None:
        return False
    if not isinstance(node.value, bool):
        raise reading.fail(node, f"{what} must be true or false, not {node.noun}")
    return node.value


def _choice(reading: Reading, node: Node | None, what: str, known: tuple[str, ...], default: str) -> str:
    return default if node is None else reading.choice(node, what, known)


def _time(reading: Reading, node: Node | None, what: str, default: int) -> int:
    if node is None:
        return default
    written = _TIME.fullmatch(reading.text(node, what))
    if written is None:
        raise reading.fail(node, f"{what} must be like 90s, 10m or 2h")
    seconds = int(written[1]) * _SECONDS[written[2]]
    if seconds > LONGEST:
        raise reading.fail(node, f"{what} is at most 168h")
    return seconds


def _message(reading: Reading, node: Node | None) -> str:
    if node is None:
        return ""
    text = " ".join(reading.text(node, "message").split())
    if len(text) > 500 or not text.isprintable():
        raise reading.fail(node, "message is a text of at most 500 characters")
    return text
