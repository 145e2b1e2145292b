"""What an agent may do for somebody: what both may, and no more than the task declared. Pure.
It must never permit what only one of the two may, nor take what can't be told for declared.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from wicketgate.model.decision import Decision, Denial, Limit, Verdict
from wicketgate.model.statement import Effect, Facts
from wicketgate.model.task import DRIFT, Task
from wicketgate.model.terms import together

_REVEAL: Final = "reveal"
_REDACT: Final = "redact"
MOST_NAMED: Final = 5
"""Relations that a message names: it is one line."""


def drift(facts: Facts, task: Task) -> Denial | None:
    """What a statement does beyond what its task declared; None: nothing."""
    effects = facts.effects - task.effects - {Effect.SESSION} if task.effects else frozenset()
    if effects:
        names = ", ".join(sorted([effect.value for effect in effects]))
        declared = ", ".join(sorted([effect.value for effect in task.effects]))
        return _drift(task, f"effects ({names})", f"Declared effects: {declared}.")
    if not task.relations:
        return None
    if not facts.complete or Effect.UNKNOWN in facts.effects:
        return _drift(
            task,
            "relations that can't be told",
            "A statement that names its relations and calls no functions of its own can be.",
        )
    beyond = sorted((facts.reads | facts.writes) - task.relations)
    if not beyond:
        return None
    more = f" and {len(beyond) - MOST_NAMED} more" if len(beyond) > MOST_NAMED else ""
    return _drift(
        task,
        f"relations ({', '.join(beyond[:MOST_NAMED])}{more})",
        "What views read, partitions and what foreign keys change count as well.",
    )


def _drift(task: Task, what: str, hint: str) -> Denial:
    return Denial("drift", f"the task {task.name!r} did not declare these {what}", f"{DRIFT}: {what}", hint)


def ceiling(task: Task, credential: str | None) -> tuple[Limit, ...]:
    """The declared ceiling of rows: one for all sessions of the task's token."""
    if task.rows is None:
        return ()
    return (Limit(f"task {task.name} {credential}", "rows", task.rows, "task"),)


def counted_of(limits: tuple[Limit, ...], human: str) -> tuple[Limit, ...]:
    """A human's limits, as they count what is done for him: with all else of his, but for a session's own."""
    return tuple([each if each.per == "session" else replace(each, whose=human) for each in limits])


def joint(agent: Decision, human: Decision, name: str, ceilings: tuple[Limit, ...]) -> Decision:
    """One decision of both. name: the human's."""
    rules = tuple(sorted({*agent.rules, *human.rules}))
    observed = tuple(sorted({*agent.observed, *human.observed}, key=lambda each: (each.rule, each.would)))
    ends = [each.valid_until for each in (agent, human) if each.valid_until is not None]
    until = min(ends) if ends else None
    denied = next((each for each in (agent, human) if each.verdict is Verdict.DENY), None)
    if denied is not None:
        denial = denied.denial
        if denied is human and denial is not None:
            denial = replace(
                denial, message=f"{denial.message} (for {name})", cause=f"for {name}: {denial.cause}"
            )
        return Decision(
            Verdict.DENY, agent.policy, denied.rules, denial, observed=observed, valid_until=until
        )
    review = together(each.review for each in (agent, human) if each.review is not None)
    limits = dict.fromkeys((*agent.limits, *counted_of(human.limits, name), *ceilings))
    return Decision(
        Verdict.PERMIT if review is None else Verdict.REVIEW,
        agent.policy,
        rules,
        None,
        stricter(agent.mask, human.mask),
        tuple(limits),
        observed,
        until,
        agent.resolves & human.resolves,
        review,
    )


def stricter(one: Mapping[str, str], other: Mapping[str, str]) -> dict[str, str]:
    """The mask of both: a class is revealed where both reveal it; where two transforms differ, redact."""
    return {name: _stricter(one.get(name, one["*"]), other.get(name, other["*"])) for name in {*one, *other}}


def _stricter(one: str, other: str) -> str:
    if one == other or other == _REVEAL:
        return one
    return other if one == _REVEAL else _REDACT
