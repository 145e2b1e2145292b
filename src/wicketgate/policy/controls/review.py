"""Reviews: a statement that a human has to see first. Until there are reviews, it is denied."""

from wicketgate.model.decision import Denial, Observed
from wicketgate.policy.evaluation import Evaluation, Finding, quoted


def judge(evaluation: Evaluation) -> Finding:
    reviewing = [each.rule for each in evaluation.matched if each.rule.review is not None]
    observed = tuple(Observed(rule.name, "review") for rule in reviewing if rule.observe)
    names = tuple(rule.name for rule in reviewing if not rule.observe)
    if not names:
        return Finding(observed=observed)
    denial = Denial(
        "review",
        f"{quoted(names)} asks for a review before this may run",
        f"review asked for by {', '.join(names)}; there are no reviews yet, so it is denied",
        "Reviews are not available on this gateway yet: ask for less, or ask its operator.",
        names,
    )
    return Finding(denial, rules=names, observed=observed)
