"""Denials: a rule that denies, denies, whatever others permit; where it can't be told, it does too."""

from wicketgate.model.decision import Denial, Observed
from wicketgate.policy.evaluation import Evaluation, Finding, Matched, quoted
from wicketgate.policy.truth import Truth


def judge(evaluation: Evaluation) -> Finding:
    denying = [each for each in evaluation.matched if each.rule.deny is not None]
    observed = tuple(Observed(each.rule.name, "deny") for each in denying if each.rule.observe)
    enforced = [each for each in denying if not each.rule.observe]
    if not enforced:
        return Finding(observed=observed)
    return Finding(
        deny(enforced),
        sure=any(each.truth is Truth.TRUE for each in enforced),
        rules=tuple(each.rule.name for each in enforced),
        observed=observed,
    )


def deny(denying: list[Matched]) -> Denial:
    """The denial of rules that deny; one that is sure speaks before one that can't tell."""
    sure = [each for each in denying if each.truth is Truth.TRUE]
    first = (sure or denying)[0].rule
    names = tuple(each.rule.name for each in denying)
    hint = None
    if not sure:
        hint = (
            "It could not be told whether the rule applies; "
            "a statement that names its relations and calls no functions of its own can be."
        )
    cause = "denied by " + ", ".join(f"{each.rule.name} ({each.truth.value})" for each in denying)
    return Denial("policy", f"denied by {quoted((first.name,))}: {first.deny}", cause, hint, names)
