"""Masks: which transform each data class gets, and which statements can't be masked and so don't pass.
It must never let a reveal lift a mask that another rule names.
"""

from collections.abc import Mapping
from typing import Final

from wicketgate.model.decision import Denial, Observed
from wicketgate.policy.evaluation import Evaluation, Finding, Matched
from wicketgate.policy.truth import Truth

DEFAULT: Final = "redact"
REVEAL: Final = "reveal"
REST: Final = "*"


def judge(evaluation: Evaluation) -> Finding:
    masking = [each for each in evaluation.matched if each.rule.mask and not each.rule.observe]
    revealing = [
        each
        for each in evaluation.matched
        if each.rule.reveal and each.truth is Truth.TRUE and not each.rule.observe
    ]
    mask = unite(masking, revealing)
    rules = tuple(sorted({each.rule.name for each in (*masking, *revealing)}))
    observed = tuple(
        Observed(each.rule.name, "mask")
        for each in evaluation.matched
        if each.rule.mask and each.rule.observe and _would_change(evaluation, mask, masking, revealing, each)
    )
    denial, asks = _denial(evaluation, mask)
    return Finding(
        denial,
        mask=mask,
        resolves=_resolves(evaluation, mask, masking),
        rules=rules,
        observed=observed,
        review=evaluation.resource.reviewers if asks and denial is None else None,
    )


def _resolves(evaluation: Evaluation, mask: Mapping[str, str], masking: list[Matched]) -> frozenset[str]:
    """Classes whose tokens may be stored as values: every rule that masks them says so, for sure, and to be
    equal may be asked of them, as keys do."""
    found = set()
    for data_class in evaluation.classes():
        speaking = [each for each in masking if data_class in each.rule.mask]
        speaking = speaking or [each for each in masking if REST in each.rule.mask]
        if (
            mask.get(data_class, mask[REST]).startswith("pseudonym")
            and evaluation.resource.predicate(data_class) in ("allow", "equality-only")
            and all(each.rule.resolve and each.truth is Truth.TRUE for each in speaking)
        ):
            found.add(data_class)
    return frozenset(found)


def unite(masking: list[Matched], revealing: list[Matched]) -> dict[str, str]:
    """Data class -> transform; `*` is always there.

    A class has what rules name for it; if they differ, redact. What none names has what they name for `*`; if
    they differ or none does, redact. A reveal lifts a class that no other rule masks, by name or by `*`.
    """
    explicit: dict[str, set[str]] = {}
    for each in masking:
        for data_class, transform in each.rule.mask.items():
            explicit.setdefault(data_class, set()).add(transform)
    united = {data_class: _one(transforms) for data_class, transforms in explicit.items()}
    united.setdefault(REST, DEFAULT)
    for each in revealing:
        for data_class in each.rule.reveal:
            others = [other.rule.mask for other in masking if other.rule is not each.rule]
            if data_class in each.rule.mask or any(data_class in mask or REST in mask for mask in others):
                continue
            united[data_class] = REVEAL
    return united


def _one(transforms: set[str]) -> str:
    return next(iter(transforms)) if len(transforms) == 1 else DEFAULT


def _would_change(
    evaluation: Evaluation,
    mask: Mapping[str, str],
    masking: list[Matched],
    revealing: list[Matched],
    observing: Matched,
) -> bool:
    """Whether the mask of a class that the statement touches would be another with this rule enforced."""
    would = unite([*masking, observing], revealing)
    classes = evaluation.classes() if evaluation.facts.opaque else evaluation.facts.classes
    return any(would.get(each, would[REST]) != mask.get(each, mask[REST]) for each in (*classes, REST))


def _denial(evaluation: Evaluation, mask: Mapping[str, str]) -> tuple[Denial | None, bool]:
    """Unmaskable is unpassable (law 5). And whether somebody has to look, where that is all."""
    facts = evaluation.facts
    hidden = sorted(each for each in evaluation.classes() if mask.get(each, mask[REST]) != REVEAL)
    spilled = sorted(each for each in facts.spilled if mask.get(each, mask[REST]) != REVEAL)
    if spilled:
        return Denial(
            "mask",
            f"sensitive values ({', '.join(spilled)}) would go where they can't be masked",
            f"spilled: {', '.join(spilled)}",
            "A column of this kind may stand in the answer, where it is masked, not in what is kept.",
        ), False
    asked = {each: evaluation.resource.predicate(each) for each in sorted(facts.steered | facts.compared)}
    refused = {
        each: mode
        for each, mode in asked.items()
        if mode != "allow"
        and mask.get(each, mask[REST]) != REVEAL
        and (mode != "equality-only" or each in facts.steered)
    }
    if refused.keys() - {each for each, mode in refused.items() if mode == "review"}:
        return _steering(refused), False
    if refused and evaluation.resource.reviewers is None:  # refused at load; a doubt is a denial
        return _unseen(refused), False
    if facts.opaque and hidden:
        return Denial(
            "mask",
            f"it can't be told which values this statement gives, and {evaluation.resource.name} holds "
            f"sensitive ones ({', '.join(hidden)})",
            "opaque on a resource with sensitive columns",
            "Functions that the gateway does not know, dynamic SQL and DO can't be followed; "
            "ask for columns by name.",
        ), False
    return None, bool(refused)


def _unseen(refused: Mapping[str, str]) -> Denial:
    classes = ", ".join(refused)
    return Denial(
        "review",
        f"a statement whose answer depends on {classes} asks for a review, and there is nobody to give it",
        f"predicates: review for {classes}, without reviewers",
    )


def _steering(refused: Mapping[str, str]) -> Denial:
    """What comes back would tell of values that are masked. refused: class -> its `predicates` mode."""
    denied = ", ".join(each for each, mode in refused.items() if mode != "review")
    only = "by itself." if "deny" in refused.values() else "by itself, or be compared with = or IN."
    return Denial(
        "mask",
        f"sensitive values ({denied}) stand where they can't be masked",
        f"steered: {denied}",
        f"A column of this kind may stand as an output column {only}",
    )
