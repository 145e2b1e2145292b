"""`on_request` and `waives` of a rule, read and checked.
It must never load what nobody could ever be granted, nor broken glass that nobody looks at after."""

import re
import zoneinfo
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from wicketgate.policy.document import Node
from wicketgate.policy.on_request import OnRequest
from wicketgate.policy.reading import Invalid, Reading, near
from wicketgate.policy.rule import Identities
from wicketgate.policy.schedule import DAYS, MINUTES, Schedule, days_of, minutes_of
from wicketgate.policy.whom import read_identities_of

KEYS: Final = (
    "by",
    "quorum",
    "all_groups",
    "within",
    "most",
    "extend",
    "reason",
    "schedule",
    "break_glass",
    "by_connecting",
)
_SCHEDULE: Final = ("days", "from", "to", "zone")
_NOT_AT_ONCE: Final = ("quorum", "all_groups", "within", "extend", "by_connecting")
"""What has no meaning where nobody is waited for."""
_LENGTH: Final = re.compile(r"([1-9][0-9]{0,5})(s|m|h|d)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST: Final = 30 * 86400
SHORTEST: Final = 60
GIVES: Final = ("permit", "reveal")


def seconds_of(text: str) -> int | None:
    """`90s`, `15m`, `2h`, `1d` in seconds; None: it is no length."""
    found = _LENGTH.fullmatch(text)
    return None if found is None else int(found[1]) * _SECONDS[found[2]]


def read_on_request(
    reading: Reading, keys: Mapping[str, Node], identities: Identities, rule: str
) -> OnRequest | None:
    """keys: the rule's. identities: who may ask."""
    node = keys.get("on_request")
    if node is None:
        return None
    if not any(key in keys for key in GIVES):
        reading.problems.add(
            node, f"on_request is for a rule that gives: {rule!r} has neither permit nor reveal"
        )
    with suppress(Invalid):
        return _on_request(reading, node, identities)
    return None


def read_waives(reading: Reading, keys: Mapping[str, Node], asked: OnRequest | None) -> bool:
    """Whether what the rule permits needs no review while its grant holds."""
    node = keys.get("waives")
    if node is None:
        return False
    with suppress(Invalid):
        reading.choice(node, "waives", ("reviews",))
        if "permit" not in keys:
            reading.problems.add(node, "waives is about what the rule permits, and it permits nothing")
        if "on_request" not in keys or (asked is not None and not asked.break_glass):
            reading.problems.add(node, "waives stands only beside on_request with break_glass")
    return True


def _on_request(reading: Reading, node: Node, identities: Identities) -> OnRequest:
    keys = reading.keys(node, "on_request", KEYS, ("by",))
    by = read_identities_of(reading, keys["by"], "by")
    if by.everybody:
        raise reading.fail(keys["by"], "on_request decided by anybody is none: name people or groups")
    glass = _flag(reading, keys.get("break_glass"), "break_glass")
    for key in _NOT_AT_ONCE if glass else ():
        if key in keys:
            reading.problems.add(keys[key], f"{key} can't be: broken glass is in force at once")
    quorum = reading.integer(keys["quorum"], "quorum", 1, 20) if "quorum" in keys else 1
    every = _flag(reading, keys.get("all_groups"), "all_groups")
    if every and len(by.groups) < 2:
        reading.problems.add(keys["all_groups"], "all_groups needs two groups or more in `by`")
    _check_enough(reading, keys, by, identities, quorum)
    reason = glass
    if "reason" in keys:
        reason = reading.choice(keys["reason"], "reason", ("required", "optional")) == "required"
        if glass and not reason:
            reading.problems.add(keys["reason"], "broken glass needs a reason")
    connecting = _flag(reading, keys.get("by_connecting"), "by_connecting")
    if connecting and reason and not glass:
        reading.problems.add(keys["by_connecting"], "who connects gives no reason, and the rule requires one")
    return OnRequest(
        by.names,
        by.groups,
        quorum,
        every,
        _length(reading, keys.get("within"), "within", 3600),
        _length(reading, keys.get("most"), "most", 8 * 3600),
        reading.integer(keys["extend"], "extend", 0, 20) if "extend" in keys else 0,
        reason,
        None if "schedule" not in keys else _schedule(reading, keys["schedule"]),
        glass,
        connecting,
    )


def _check_enough(
    reading: Reading, keys: Mapping[str, Node], by: Identities, identities: Identities, quorum: int
) -> None:
    """People that are named can be counted; whoever is in a group can't."""
    if by.groups:
        return
    if quorum > len(by.names):
        reading.problems.add(keys["quorum"], f"quorum: {quorum} of {len(by.names)} people can never be")
        return
    only = identities.names if not (identities.everybody or identities.groups) else frozenset()
    if only and all(len(by.names - {asker}) < quorum for asker in only):
        reading.problems.add(keys["by"], "nobody answers his own request: this can never be granted")


def _flag(reading: Reading, node: Node | None, what: str) -> bool:
    if node is None:
        return False
    if type(node.value) is not bool:
        raise reading.fail(node, f"{what} must be true or false, not {node.noun}")
    return node.value


def _length(reading: Reading, node: Node | None, what: str, default: int) -> int:
    if node is None:
        return default
    seconds = seconds_of(reading.text(node, what))
    if seconds is None:
        raise reading.fail(node, f"{what} must be like 15m, 2h or 1d")
    if not SHORTEST <= seconds <= LONGEST:
        raise reading.fail(node, f"{what} must be from a minute to 30 days")
    return seconds


# -- when ---------------------------------------------------------------------------------------------------
def _schedule(reading: Reading, node: Node) -> Schedule:
    keys = reading.keys(node, "schedule", _SCHEDULE, ("zone",))
    if len(keys) == 1:
        raise reading.fail(node, "schedule needs days, or from and to")
    if ("from" in keys) is not ("to" in keys):
        raise reading.fail(node, "schedule has both from and to, or neither")
    days = frozenset(range(len(DAYS)))
    if "days" in keys:
        days = frozenset().union(*(_days(reading, each) for each, _ in reading.texts(keys["days"], "days")))
    begin, end = 0, MINUTES
    if "from" in keys:
        begin, end = _time(reading, keys["from"], "from"), _time(reading, keys["to"], "to")
        if begin == MINUTES:
            raise reading.fail(keys["from"], "from can't be the end of a day: write 00:00")
        if begin == end:
            raise reading.fail(keys["to"], "from and to are the same: it would never be open")
    return Schedule(days, begin, end, _zone(reading, keys["zone"]))


def _days(reading: Reading, node: Node) -> frozenset[int]:
    text = reading.text(node, "each of days")
    found = days_of(text)
    if found is None:
        raise reading.fail(node, f"days can't have {text!r}: write mon or mon-fri{near(text, DAYS)}")
    return found


def _time(reading: Reading, node: Node, what: str) -> int:
    if type(node.value) is int:  # YAML 1.1 takes 22:00 for a number; in YAML 1.2 it is a text
        raise reading.fail(node, f'{what} must be text like "22:00"')
    minutes = minutes_of(reading.text(node, what))
    if minutes is None:
        raise reading.fail(node, f'{what} must be like "22:00"')
    return minutes


def _zone(reading: Reading, node: Node) -> zoneinfo.ZoneInfo:
    """By the system's data, or the tzdata package's: what is loaded by every worker alike."""
    text = reading.text(node, "zone")
    try:
        return zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        among = zoneinfo.available_timezones()
        raise reading.fail(node, f"there is no time zone {text!r}{near(text, among)}") from None
