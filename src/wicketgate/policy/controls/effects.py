"""Permits: every effect of a statement must be covered by a rule that surely applies. Silence denies."""

from collections.abc import Iterable
from typing import Final

from wicketgate.model.decision import Denial
from wicketgate.model.statement import Effect
from wicketgate.policy.evaluation import Evaluation, Finding, quoted
from wicketgate.policy.truth import Truth

_ORDER: Final = tuple(Effect)
_DEEDS: Final = {
    Effect.SESSION: "use a session",
    Effect.READ: "read",
    Effect.WRITE: "write",
    Effect.DELETE: "delete",
    Effect.DEFINE: "define (change what the resource is made of)",
    Effect.GRANT: "grant (change who may do what)",
    Effect.EXECUTE: "execute",
    Effect.UNKNOWN: "do what can't be told",
}

MOST_NAMED = 3
"""Functions and types that a hint names: it is one line."""


def judge(evaluation: Evaluation) -> Finding:
    permitting = [each.rule for each in evaluation.matched if each.rule.permit and each.truth is Truth.TRUE]
    granted: frozenset[Effect] = frozenset().union(*(rule.permit for rule in permitting))
    missing = evaluation.facts.effects - granted - {Effect.SESSION}
    if not missing and (permitting or evaluation.opens):
        used = [rule.name for rule in permitting if rule.permit & evaluation.facts.effects]
        return Finding(rules=tuple(used))
    return Finding(_denial(evaluation, missing or frozenset({Effect.SESSION})))


def _denial(evaluation: Evaluation, missing: frozenset[Effect]) -> Denial:
    where = evaluation.resource.name
    deeds = " and ".join(_DEEDS[effect] for effect in _ORDER if effect in missing)
    message = f"no rule permits you to {deeds} on {where}"
    if Effect.UNKNOWN in missing:
        message = f"what this statement does can't be told, and no rule permits that on {where}"
    some = frozenset[Effect]().union(*evaluation.offered.values())
    offered = [effect.value for effect in _ORDER if effect in some]
    hints = [f"Permitted here: {', '.join(offered)}." if offered else "Nothing is permitted here."]
    unsure_of = sorted(evaluation.facts.functions)[:MOST_NAMED]
    if Effect.UNKNOWN in missing and unsure_of:
        hints.append(f"Not known here, or not known to be safe: {', '.join(unsure_of)}.")
    conditional = tuple(sorted(name for name, effects in evaluation.offered.items() if effects & missing))
    if conditional:
        unsure = any(
            each.truth is Truth.UNKNOWN and each.rule.name in conditional for each in evaluation.matched
        )
        met = "could not be told to hold" if unsure else "does not hold"
        hints.append(f"The condition of {quoted(conditional)} {met} for this statement.")
    return Denial("policy", message, f"effects not covered: {', '.join(_values(missing))}", " ".join(hints))


def _values(effects: Iterable[Effect]) -> list[str]:
    return sorted(effect.value for effect in effects)
