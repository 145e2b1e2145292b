"""What an identity can ask for: the rules on request that speak of it, resource by resource. Pure.
It must never offer what a token, or a task that was declared, leaves out."""

from collections.abc import Iterator
from dataclasses import dataclass

from wicketgate.model.identity import Identity
from wicketgate.model.review import Panel
from wicketgate.model.statement import Effect
from wicketgate.policy.engine import Engine
from wicketgate.policy.on_request import OnRequest


@dataclass(frozen=True, slots=True)
class Offer:
    """One rule on one account of a resource. effects: what it lets through, as far as the identity's task
    declared it. reveals: data classes. conditional: only where its condition holds."""

    rule: str
    resource: str
    account: str
    effects: frozenset[str]
    reveals: frozenset[str]
    databases: frozenset[str]
    conditional: bool
    terms: OnRequest
    waives: bool

    @property
    def panel(self) -> Panel:
        return self.terms.panel(self.rule)


def offers(engine: Engine, identity: Identity, resource: str | None = None) -> list[Offer]:
    """By resource, rule and account. resource: only on this one."""
    found = [
        each
        for name in sorted(engine.policy.resources)
        if resource in (None, name)
        for each in _on(engine, identity, name)
    ]
    return sorted(found, key=lambda each: (each.resource, each.rule, each.account))


def _on(engine: Engine, identity: Identity, name: str) -> Iterator[Offer]:
    resource = engine.policy.resources[name]
    task = identity.declared
    for rule in engine.asks(identity, resource):
        effects = rule.permit
        if task is not None and task.effects:
            effects &= task.effects
        if not (effects or rule.reveal) or (task is not None and identity.human is None):
            continue
        for account in sorted(rule.accounts[name]):
            if rule.on_request is not None and engine.may_speak(rule, identity, resource, account):
                yield Offer(
                    rule.name,
                    name,
                    account,
                    frozenset(each.value for each in effects - {Effect.SESSION}),
                    rule.reveal,
                    rule.databases or frozenset(),
                    rule.when is not None,
                    rule.on_request,
                    rule.waives,
                )
