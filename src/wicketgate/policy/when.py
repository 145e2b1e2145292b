"""`when:` of a rule, compiled once and checked against what it speaks of.
It must never take a condition that can never hold, or one that asks for what does not exist.
"""

from collections.abc import Mapping
from typing import Final

from wicketgate.model.statement import COMMANDS, Effect
from wicketgate.policy.conditions import Asking, Condition, ConditionError, check
from wicketgate.policy.document import Node, Place
from wicketgate.policy.reading import Reading, near
from wicketgate.policy.selectors import Ground
from wicketgate.policy.truth import Truth

_RELATIONS: Final = frozenset({"reads", "writes", "reads_whole"})


def read_condition(reading: Reading, node: Node, ground: Ground, accounts: Mapping[str, object]) -> Condition:
    if node.value is False:
        raise reading.fail(node, "when is false: the rule can never match")
    text = reading.text(node, "when")
    condition = ground.compiled.get(text)
    if condition is None:
        try:
            condition = check(text)
        except ConditionError as error:
            place, inside = node.place, f" (line {error.line}, column {error.column} of it)"
            if error.line == 0 or (error.line == 1 and node.plain):
                place = Place(place.file, place.line, place.column + max(error.column - 1, 0))
                inside = ""
            raise reading.fail(place, f"when: {error}{inside}") from None
        ground.compiled[text] = condition
    if condition.never():
        raise reading.fail(node, "when is always false: the rule can never match")
    _check_asked(reading, node, condition, ground, accounts)
    about = (
        [] if condition.of_statement_alone else [Asking(resource=ground.resources[name]) for name in accounts]
    )
    if about and all(condition.ask(each) is Truth.FALSE for each in about):
        raise reading.fail(node, "when is false for every resource of the rule: it can never match")
    return condition


def _check_asked(
    reading: Reading, node: Node, condition: Condition, ground: Ground, accounts: Mapping[str, object]
) -> None:
    """Every argument against the closed list, or the names, that it is of."""
    effects = frozenset(effect.value for effect in Effect)
    for asked in condition.asked:
        word, what = asked.argument, f"when: statement.{asked.function}({asked.argument!r})"
        if asked.function == "does" and word not in COMMANDS:
            reading.problems.add(node, f"{what}: there is no such command{near(word, COMMANDS)}")
        elif asked.function == "has" and word not in effects:
            reading.problems.add(node, f"{what}: there is no such effect{near(word, effects)}")
        elif asked.function == "touches" and word not in (known := ground.classes(accounts)):
            reading.problems.add(
                node, f"{what}: no resource of this rule has a column of that data class{near(word, known)}"
            )
        elif asked.function in _RELATIONS:
            for protocol in {ground.resources[name].protocol for name in accounts}:
                try:
                    ground.protocols[protocol].check_column(f"{word}.column")
                except ValueError as error:
                    reading.problems.add(node, f"{what}: that is not a relation's full name ({error})")
