"""A grant: access for a while, to one rule of the policy, for one identity on one account. Pure.
It must never be taken for in force where a part of it can't be read, or names another."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from wicketgate.model.identity import Identity

ID: Final = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
"""Of a grant: of the request that it was given for, or of the look back at the glass that was broken."""


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """What an access request asks for. The review with the same id is where people answer it.

    starts: None: when it is approved. ends: it holds no longer than that. lasts: ns. extends: a grant's id.
    most_extended: how often that may be. created, settled: when it was asked for, and when what came of the
    answer was done."""

    id: str
    identity: str
    issuer: str
    rule: str
    resource: str
    account: str
    terms: str
    lasts: int
    created: int
    behalf: str | None = None
    task: str | None = None
    starts: int | None = None
    ends: int | None = None
    extends: str | None = None
    most_extended: int = 0
    settled: int | None = None

    def period(self, approved: int, most: int | None) -> tuple[int, int] | None:
        """From when until when it holds, approved then (wall ns). most: ns that who approved allows at most.
        None: never, its time is over."""
        lasts = self.lasts if most is None else min(self.lasts, most)
        starts = approved if self.starts is None else max(self.starts, approved)
        ends = starts + lasts if self.ends is None else min(starts + lasts, self.ends)
        return (starts, ends) if starts < ends else None


@dataclass(frozen=True, slots=True)
class Grant:
    """What is kept of a grant. Times: wall clock, ns since the epoch; it holds from starts up to ends.

    id: 26 characters. identity, issuer: whose it is, and who proved that one. behalf, task: of an agent in a
    task: it holds in that one alone. terms: of the rule as it was asked by (policy.on_request).
    created: when it came to be. extended: how often. ended_by: who, where somebody ended it early; `ends` is
    when then. approved_by: who said yes; empty: nobody was asked. first_used, last_used: by sessions.
    """

    id: str
    identity: str
    issuer: str
    rule: str
    resource: str
    account: str
    starts: int
    ends: int
    terms: str
    behalf: str | None = None
    task: str | None = None
    break_glass: bool = False
    created: int = 0
    extended: int = 0
    ended_by: str | None = None
    approved_by: tuple[str, ...] = ()
    first_used: int | None = None
    last_used: int | None = None

    def __post_init__(self) -> None:
        if not ID.fullmatch(self.id):
            raise ValueError("a grant's id is 26 characters")
        if not (self.identity and self.issuer and self.rule and self.resource and self.account):
            raise ValueError("a grant names an identity, who proved it, a rule, a resource and an account")
        if (self.task is None) is not (self.behalf is None):
            raise ValueError("a grant in a task names whom it is done for")
        if not self.terms or self.ends < self.starts or self.extended < 0:
            raise ValueError("a grant has terms, and does not end before it begins")

    def in_force(self, now: int) -> bool:
        """One that somebody ended is over by every clock: those of nodes differ."""
        return self.ended_by is None and self.starts <= now < self.ends

    def binds(self, identity: Identity) -> bool:
        """Whether it is this identity's, as it acts now."""
        acts = identity.declared
        return (
            self.identity == identity.name
            and self.issuer == identity.issuer
            and self.task == (None if acts is None else acts.name)
            and self.behalf == (None if acts is None else acts.behalf)
        )

    def replicated(self) -> dict[str, Any]:
        """What workers get of it, as JSON values."""
        return {
            "identity": self.identity,
            "issuer": self.issuer,
            "rule": self.rule,
            "resource": self.resource,
            "account": self.account,
            "starts": self.starts,
            "ends": self.ends,
            "terms": self.terms,
            "behalf": self.behalf,
            "task": self.task,
            "break_glass": self.break_glass,
            "extended": self.extended,
        }


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that people said yes to, and of which nothing has come yet. at: wall ns. most: ns."""

    request: AccessRequest
    at: int
    most: int | None
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SoughtGrants:
    """Which grants; None and empty: any. live: those alone that have not ended by then (wall ns)."""

    identities: frozenset[str] = frozenset()
    resource: str | None = None
    live: int | None = None


def grant_of(grant_id: str, fields: Mapping[str, Any]) -> Grant:
    """The grant that `replicated` gave. Raises KeyError, TypeError, ValueError: doubt is no grant."""
    texts = [fields[key] for key in ("identity", "issuer", "rule", "resource", "account", "terms")]
    behalf, task, loud = fields["behalf"], fields["task"], fields["break_glass"]
    if not all(type(each) is str for each in texts) or type(loud) is not bool:
        raise TypeError("a grant's fields are texts")
    if not all(type(fields[key]) is int for key in ("starts", "ends", "extended")):
        raise TypeError("a grant's times are whole numbers")
    if not all(each is None or type(each) is str for each in (behalf, task)):
        raise TypeError("a grant's task is a text")
    identity, issuer, rule, resource, account, terms = texts
    starts, ends = fields["starts"], fields["ends"]
    more = {"behalf": behalf, "task": task, "break_glass": loud, "extended": fields["extended"]}
    return Grant(grant_id, identity, issuer, rule, resource, account, starts, ends, terms, **more)


def grants_of(entries: Mapping[str, Mapping[str, Any]], identity: Identity, now: int) -> tuple[Grant, ...]:
    """This identity's that have not ended, by their ids. One that can't be read is none."""
    found = []
    for grant_id, fields in entries.items():
        try:
            if fields["identity"] != identity.name:
                continue
            grant = grant_of(grant_id, fields)
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        if grant.binds(identity) and now < grant.ends:
            found.append(grant)
    return tuple(sorted(found, key=lambda each: each.id))


def next_turn(moments: Iterable[int | None], now: int) -> int | None:
    """The first of these that is still to come."""
    return min((each for each in moments if each is not None and each > now), default=None)


_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id(random: Callable[[int], bytes]) -> str:
    """128 bits that nobody can guess, as 26 characters (Crockford's base 32)."""
    number = int.from_bytes(random(16), "big")
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
