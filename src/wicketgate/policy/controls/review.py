"""Reviews: a statement that people have to see first. A rule of which it can't be told applies."""

from wicketgate.model.decision import Observed
from wicketgate.model.terms import together
from wicketgate.policy.evaluation import Evaluation, Finding


def judge(evaluation: Evaluation) -> Finding:
    reviewing = [each for each in evaluation.matched if each.rule.review is not None]
    observed = tuple(Observed(each.rule.name, "review") for each in reviewing if each.rule.observe)
    enforced = [each for each in reviewing if not each.rule.observe]
    return Finding(
        rules=tuple(each.rule.name for each in enforced),
        observed=observed,
        review=together(each.rule.review for each in enforced if each.rule.review is not None),
    )
