"""Limits: how much may leave. All that apply are kept at once, so the smallest is what holds.

Not the smallest alone is given: a looser one counts other statements as well, and must see this one.
"""

from wicketgate.model.decision import Observed
from wicketgate.policy.evaluation import Evaluation, Finding


def judge(evaluation: Evaluation) -> Finding:
    limiting = [each.rule for each in evaluation.matched if each.rule.limits]
    enforced = [rule for rule in limiting if not rule.observe]
    found = [limit for rule in enforced for limit in rule.limits]
    found.sort(key=lambda limit: (limit.what, limit.per, limit.amount, limit.rule))
    return Finding(
        limits=tuple(found),
        rules=tuple(rule.name for rule in enforced),
        observed=tuple(Observed(rule.name, "limit") for rule in limiting if rule.observe),
    )
