"""What was used: who did what kind of thing on which relations, by which rules; and who was in which groups.
It must never hold a value, a statement's text or a parameter: names of relations are the finest there is."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from wicketgate.model.identity import Identity, IdentityKind
from wicketgate.model.statement import Effect, Facts

MOST_NAMES: Final = 256
"""Names of relations and functions in one shape; one with more tells none of them."""
LONGEST: Final = 200
"""Characters of such a name."""
DAY: Final = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class Member:
    """An identity and its groups. issuer: `local` for accounts of the gateway. gone: it is one no more."""

    name: str
    issuer: str
    kind: str
    subject: str
    groups: frozenset[str]
    gone: bool = False

    @classmethod
    def of(cls, identity: Identity) -> "Member":
        return cls(
            identity.name, identity.issuer, identity.kind.value, identity.subject, frozenset(identity.groups)
        )

    def told(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "name": self.name,
            "issuer": self.issuer,
            "kind": self.kind,
            "subject": self.subject,
            "groups": sorted(self.groups),
            "gone": self.gone,
        }


def member_of(told: Mapping[str, Any]) -> Member:
    """What `told` gave. Raises KeyError, TypeError, ValueError."""
    return Member(
        str(told["name"]),
        str(told["issuer"]),
        IdentityKind(told["kind"]).value,
        str(told["subject"]),
        frozenset(str(each) for each in told["groups"]),
        told["gone"] is True,
    )


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of use: all that a rule can ask of a statement but time, source, task and purpose.

    rules: those that the decision rested on. scoped: the rules that the token was for; empty: all.
    others: too many different ones came, or one has too many names: of these, relations are not told.
    """

    who: Member
    how: str
    resource: str
    database: str
    account: str
    rules: tuple[str, ...]
    effects: frozenset[str]
    behalf: str | None = None
    agent: str | None = None
    crew: str | None = None
    scoped: frozenset[str] = frozenset()
    commands: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    steered: frozenset[str] = frozenset()
    compared: frozenset[str] = frozenset()
    spilled: frozenset[str] = frozenset()
    complete: bool = True
    opaque: bool = False
    others: bool = False

    @property
    def relations(self) -> frozenset[str]:
        return self.reads | self.writes

    def coarse(self) -> "Shape":
        """The same without what it touched."""
        none: dict[str, Any] = {name: frozenset() for name in _DETAILS}
        return replace(self, others=True, **none)

    def identity(self) -> Identity:
        """Who it was, as the policy is asked about them."""
        return Identity(
            self.who.name,
            self.who.subject,
            self.who.issuer,
            IdentityKind(self.who.kind),
            self.how,
            self.who.groups,
            behalf=self.behalf,
            agent=self.agent,
            crew=self.crew,
            rules=self.scoped,
        )

    def facts(self) -> Facts:
        """What was done, as the policy is asked about it."""
        return Facts(
            frozenset(Effect(each) for each in self.effects),
            self.commands,
            self.reads,
            self.writes,
            self.whole,
            self.functions,
            self.complete,
            self.classes,
            self.steered,
            self.compared,
            self.spilled,
            opaque=self.opaque,
        )

    def told(self) -> dict[str, Any]:
        """As JSON values; what is empty is left out."""
        found: dict[str, Any] = {"who": self.who.told(), "rules": list(self.rules)}
        for name in (*_PLAIN, *_FLAGS):
            found[name] = getattr(self, name)
        for name in _SETS:
            if values := getattr(self, name):
                found[name] = sorted(values)
        return found


_PLAIN: Final = ("how", "resource", "database", "account", "behalf", "agent", "crew")
_FLAGS: Final = ("complete", "opaque", "others")
_NAMES: Final = ("reads", "writes", "whole", "functions")
_DETAILS: Final = ("commands", *_NAMES, "classes", "steered", "compared", "spilled")
_SETS: Final = ("effects", "scoped", *_DETAILS)


def shape(
    identity: Identity, resource: str, database: str, account: str, facts: Facts, rules: tuple[str, ...]
) -> Shape:
    """The shape of a statement that was let through."""
    names = facts.reads | facts.writes | facts.functions
    made = Shape(
        Member.of(identity),
        identity.how,
        resource,
        database,
        account,
        rules,
        frozenset(effect.value for effect in facts.effects),
        identity.behalf,
        identity.agent,
        identity.crew,
        identity.rules,
        facts.commands,
        _plain(facts.reads),
        _plain(facts.writes),
        _plain(facts.whole),
        _plain(facts.functions),
        facts.classes,
        facts.steered,
        facts.compared,
        facts.spilled,
        facts.complete,
        facts.opaque,
    )
    return made if len(names) <= MOST_NAMES and all(len(name) <= LONGEST for name in names) else made.coarse()


def _plain(names: frozenset[str]) -> frozenset[str]:
    """As UTF-8 can hold them."""
    return (
        names
        if all(name.isascii() for name in names)
        else frozenset(name.encode("utf-8", "replace").decode("utf-8") for name in names)
    )


def shape_of(told: Mapping[str, Any]) -> Shape:
    """What `Shape.told` gave. Raises KeyError, TypeError, ValueError."""
    plain = {name: None if told[name] is None else str(told[name]) for name in _PLAIN}
    flags = {name: told[name] is True for name in _FLAGS}
    sets = {name: frozenset(str(each) for each in told.get(name, ())) for name in _SETS}
    for effect in sets["effects"]:
        Effect(effect)
    rules = tuple(str(each) for each in told["rules"])
    return Shape(who=member_of(told["who"]), rules=rules, **plain, **flags, **sets)  # type: ignore[arg-type]


def digest(told: Mapping[str, Any]) -> str:
    """Names a shape in the store: 32 hex digits."""
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Use:
    """How often, and when first and last (wall ns; exact to a few seconds)."""

    shape: Shape
    count: int
    first: int
    last: int
