"""What a policy grants to whom, and how much of that was used. Pure.
It must never call granted what no rule permits, nor used what another rule let through."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from wicketgate.model.errors import PolicyError
from wicketgate.model.grant import Grant
from wicketgate.model.identity import Identity, IdentityKind
from wicketgate.model.usage import Member, Use
from wicketgate.policy.conditions import Asking
from wicketgate.policy.load import Policy
from wicketgate.policy.rule import Rule
from wicketgate.policy.truth import Truth

MOST: Final = 50_000
"""Lines of one report: a memory limit."""


@dataclass(frozen=True, slots=True)
class Granted:
    """One rule's permit for one identity on one account. effects: by name, without `session`. conditional:
    only where its condition holds. databases: empty: all of the resource. standing: it needs no request."""

    identity: str
    issuer: str
    resource: str
    account: str
    rule: str
    effects: frozenset[str]
    conditional: bool = False
    databases: frozenset[str] = frozenset()
    standing: bool = True

    def told(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "identity": self.identity,
            "issuer": self.issuer,
            "resource": self.resource,
            "account": self.account,
            "rule": self.rule,
            "effects": sorted(self.effects),
            "conditional": self.conditional,
            "databases": sorted(self.databases),
            "standing": self.standing,
        }


@dataclass(frozen=True, slots=True)
class Line:
    """Something granted, and what of it was used. relations: those touched; others: and some that are not
    told. first, last: wall ns, None: never."""

    granted: Granted
    used: frozenset[str]
    count: int
    first: int | None
    last: int | None
    relations: frozenset[str]
    others: bool

    @property
    def unused(self) -> frozenset[str]:
        return self.granted.effects - self.used

    @property
    def status(self) -> str:
        if not self.count:
            return "unused"
        return "partly used" if self.unused else "used"


def granted(policy: Policy, members: Iterable[Member], resource: str | None = None) -> list[Granted]:
    """All that rules permit these identities. Raises PolicyError where that is too much for one report."""
    found: list[Granted] = []
    permits = [rule for rule in policy.rules if rule.permit]
    saml = {each.entity_id for each in policy.saml.values()}
    for member in members:
        identity = _identity(member, saml)
        for rule in permits:
            if not rule.identities.match(identity) or _never(rule, identity):
                continue
            for name, accounts in rule.accounts.items():
                if name in policy.closed or (resource is not None and name != resource):
                    continue
                found += [
                    _of(member, rule, name, account)
                    for account in sorted(accounts)
                    if _may_hold(rule, identity, policy, name, account)
                ]
                if len(found) > MOST:
                    raise PolicyError(f"more than {MOST} lines: ask for one identity, or one resource")
    found.sort(key=lambda each: (each.identity, each.resource, each.account, each.rule))
    return found


def _identity(member: Member, saml: Collection[str]) -> Identity:
    """saml: the entity ids of SAML identity providers."""
    how = "token" if member.issuer == "local" else "saml" if member.issuer in saml else "oidc"
    return Identity(member.name, member.subject, member.issuer, IdentityKind(member.kind), how, member.groups)


def _never(rule: Rule, identity: Identity) -> bool:
    """Whether it can never be granted: glass is broken by people alone."""
    asked = rule.on_request
    return asked is not None and asked.break_glass and identity.kind is not IdentityKind.HUMAN


def _of(member: Member, rule: Rule, resource: str, account: str) -> Granted:
    effects = frozenset(effect.value for effect in rule.permit) - {"session"}
    databases = rule.databases or frozenset()
    conditional = rule.when is not None
    return Granted(
        member.name,
        member.issuer,
        resource,
        account,
        rule.name,
        effects,
        conditional,
        databases,
        rule.on_request is None,
    )


def _may_hold(rule: Rule, identity: Identity, policy: Policy, resource: str, account: str) -> bool:
    when = rule.when
    if when is None or when.of_statement_alone:
        return True
    asking = Asking(identity, policy.resources[resource], account)
    return when.ask(asking) is not Truth.FALSE


def lines(found: Sequence[Granted], uses: Iterable[Use]) -> tuple[list[Line], list[Use]]:
    """Each of what is granted with its use; and what was used that nothing here grants any more."""
    index: dict[tuple[str, str, str, str, str], list[Use]] = {}
    for use in uses:
        shape = use.shape
        for rule in shape.rules:
            key = (shape.who.name, shape.who.issuer, shape.resource, shape.account, rule)
            index.setdefault(key, []).append(use)
    told: list[Line] = []
    covered: set[int] = set()
    for each in found:
        key = (each.identity, each.issuer, each.resource, each.account, each.rule)
        mine = [use for use in index.get(key, ()) if use.shape.effects & each.effects]
        covered |= {id(use) for use in mine}
        told.append(_line(each, mine))
    former = {id(use): use for uses in index.values() for use in uses if id(use) not in covered}
    return told, [use for use in former.values() if use.shape.effects - {"session"}]


def _line(found: Granted, uses: Sequence[Use]) -> Line:
    used = frozenset().union(*(use.shape.effects for use in uses)) & found.effects
    return Line(
        found,
        used,
        sum(use.count for use in uses),
        min((use.first for use in uses), default=None),
        max((use.last for use in uses), default=None),
        frozenset().union(*(use.shape.relations for use in uses)),
        any(use.shape.others or not use.shape.complete for use in uses),
    )


def with_uses(grants: Iterable[Grant], uses: Iterable[Use]) -> list[Grant]:
    """Grants, with what was done by their rules in their time as well as the sessions that were opened by
    them: one may have come into force in a session that was open. uses: of each day, as exact as they are."""
    index: dict[tuple[str, str, str, str, str], list[Use]] = {}
    for use in uses:
        shape = use.shape
        for rule in shape.rules:
            key = (shape.who.name, shape.who.issuer, shape.resource, shape.account, rule)
            index.setdefault(key, []).append(use)
    return [
        _used(each, index.get((each.identity, each.issuer, each.resource, each.account, each.rule), ()))
        for each in grants
    ]


def _used(grant: Grant, uses: Sequence[Use]) -> Grant:
    inside = [
        use
        for use in uses
        if use.first < grant.ends and use.last >= grant.starts and use.shape.behalf == grant.behalf
    ]
    if not inside:
        return grant
    first = max(grant.starts, min(use.first for use in inside))
    last = min(grant.ends, max(use.last for use in inside))
    return replace(
        grant,
        first_used=first if grant.first_used is None else min(first, grant.first_used),
        last_used=last if grant.last_used is None else max(last, grant.last_used),
    )


Key = tuple[str, str, str, str, str, str]


def keys(told: Iterable[Mapping[str, Any]]) -> set[Key]:
    """What is granted, an effect each, so that two reports can be compared. told: `Granted.told`s."""
    return {
        (each["identity"], each["issuer"], each["resource"], each["account"], each["rule"], effect)
        for each in told
        for effect in each["effects"]
    }
