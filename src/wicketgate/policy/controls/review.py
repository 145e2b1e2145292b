"""Reviews: a statement that a human has to see first. Until there are reviews, it is denied."""

from wicketgate.model.decision import Denial, Observed
from wicketgate.policy.evaluation import Evaluation, Finding, quoted
from wicketgate.policy.truth import Truth


def judge(evaluation: Evaluation) -> Finding:
    reviewing = [each for each in evaluation.matched if each.rule.review is not None]
    observed = tuple(Observed(each.rule.name, "review") for each in reviewing if each.rule.observe)
    enforced = [each for each in reviewing if not each.rule.observe]
    if not enforced:
        return Finding(observed=observed)
    names = tuple(each.rule.name for each in enforced)
    sure = any(each.truth is Truth.TRUE for each in enforced)
    hint = "Reviews are not available on this gateway yet: ask for less, or ask its operator."
    if not sure:
        hint = (
            "It could not be told whether the rule applies; does every relation exist, named with its "
            f"schema? {hint}"
        )
    denial = Denial(
        "review",
        f"{quoted(names)} asks for a review before this may run",
        f"review asked for by {', '.join(names)}; there are no reviews yet, so it is denied",
        hint,
        names,
    )
    return Finding(denial, sure=sure, rules=names, observed=observed)
