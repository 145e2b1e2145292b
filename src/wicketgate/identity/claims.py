"""Reads claims of tokens: by path, against patterns, and the groups in them. Pure, and bounded in time."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from wicketgate.identity.jwt import NotProven
from wicketgate.model.issuer import Issuer
from wicketgate.model.token import check_group

MOST_GROUPS: Final = 1000
"""Groups in one token: a security limit."""
LONGEST: Final = 1024
"""Characters of a subject, or of a claim that is matched: a security limit."""


def matches(pattern: str, value: Any) -> bool:
    """Whether text fits a pattern; anything but text fits none. A `*` passes over no `:` and no `/`."""
    return (
        isinstance(value, str) and len(value) <= LONGEST and _compiled(pattern).fullmatch(value) is not None
    )


@lru_cache(1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    first, *others = pattern.split("*")
    found = re.escape(first)
    for at, part in enumerate(others, 1):
        text = re.escape(part)
        if at == len(others) or ":" in part or "/" in part:
            found += "[^:/]*" + text
        else:
            # up to the next star the first place is as good as any: none other is tried, or it takes hours
            found += f"(?>[^:/]*?{text})"
    return re.compile(found, re.DOTALL)


def look(claims: Mapping[str, Any], path: str) -> Any:
    """The claim at a path, or None."""
    if not path.startswith("/"):
        return claims.get(path)
    found: Any = claims
    for step in path[1:].split("/"):
        if not isinstance(found, dict):
            return None
        found = found.get(step.replace("~1", "/").replace("~0", "~"))
    return found


def groups_of(issuer: Issuer, claims: Mapping[str, Any]) -> frozenset[str]:
    """The groups that the token names and that a policy can. Raises NotProven where it does not tell."""
    if issuer.groups is None:
        return frozenset()
    elsewhere = claims.get("_claim_names")
    if elsewhere is not None and (not isinstance(elsewhere, dict) or issuer.groups in elsewhere):
        raise NotProven("the token leaves its groups out: there are too many (overage)")
    if issuer.groups == "groups" and claims.get("hasgroups"):
        raise NotProven("the token leaves its groups out: there are too many (overage)")
    found = look(claims, issuer.groups)
    listed = [found] if isinstance(found, str) else found
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise NotProven(f"the token has no groups at {issuer.groups}")
    if len(listed) > MOST_GROUPS:
        raise NotProven("the token has too many groups")
    groups = set()
    for each in listed:
        try:
            groups.add(check_group(issuer.group_prefix + each))
        except ValueError:
            continue  # no rule can name it, so none speaks of it
    return frozenset(groups)
