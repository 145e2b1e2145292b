"""Which grants make rules on request hold for an identity, and until when. Pure.
It must never let a grant of one rule, resource, account, identity or task stand for another's."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from wicketgate.model.grant import Grant, next_turn
from wicketgate.model.identity import Identity
from wicketgate.model.statement import Effect, Facts
from wicketgate.policy.evaluation import Matched
from wicketgate.policy.rule import Rule
from wicketgate.policy.truth import Truth


@dataclass(frozen=True, slots=True)
class Held:
    """A grant that is in force. until: wall ns when it is not any more, by its end or its rule's schedule."""

    grant: Grant
    until: int


def held(
    rules: Mapping[str, Rule], identity: Identity, resource: str, account: str, now: int
) -> dict[str, Held]:
    """By rule: the grants in force on an account; of several of one rule, the one that lasts longest.

    rules: those on request, by name."""
    found: dict[str, Held] = {}
    for grant in identity.grants:
        rule = rules.get(grant.rule)
        if rule is None or rule.on_request is None or not grant.binds(identity):
            continue
        if grant.resource != resource or grant.account != account or not rule.covers(resource, account):
            continue
        until = rule.on_request.holds(grant, now)
        if until is not None and (grant.rule not in found or until > found[grant.rule].until):
            found[grant.rule] = Held(grant, until)
    return found


def turns(rules: Mapping[str, Rule], identity: Identity, resource: str, now: int) -> int | None:
    """When grants of the identity, or of the human behind it, come into force there or go out of it next
    (wall ns); None: they don't."""
    moments = [
        moment
        for who in (identity, identity.human)
        if who is not None
        for grant in who.grants
        if grant.resource == resource and (rule := rules.get(grant.rule)) is not None
        for moment in _turns(rule, grant, now)
    ]
    return next_turn(moments, now)


def _turns(rule: Rule, grant: Grant, now: int) -> Iterable[int | None]:
    return () if rule.on_request is None else rule.on_request.turns(grant, now)


def without_waived(matched: tuple[Matched, ...], facts: Facts) -> tuple[Matched, ...]:
    """What speaks of a statement, less the reviews where broken glass permits all that it does."""
    covered: frozenset[Effect] = frozenset().union(
        *(each.rule.permit for each in matched if each.rule.waives and each.truth is Truth.TRUE)
    )
    if not covered or facts.effects - covered - {Effect.SESSION}:
        return matched
    return tuple(each for each in matched if each.rule.review is None or each.rule.observe)
