"""Which data classes somebody may see on a resource, whatever he asks there: for what others asked.
It must never say more than his own sessions would show him: what hangs on a condition is not revealed here.
"""

from wicketgate.model.identity import Identity
from wicketgate.policy.load import Policy

REST = "*"


def reveals(policy: Policy, identity: Identity, resource: str, data_class: str) -> bool:
    """Whether some rule reveals the class to the identity on the resource, unconditionally, and none masks it
    for him. What it is there by, an account or a database, is not asked: every rule that masks counts."""
    if resource not in policy.resources or identity.declared is not None:
        return False
    rules = [
        rule
        for rule in policy.rules
        if resource in rule.accounts and not rule.observe and rule.identities.match(identity)
    ]
    if any(data_class in rule.mask or REST in rule.mask for rule in rules):
        return False
    return any(
        (data_class in rule.reveal or REST in rule.reveal)
        and rule.when is None
        and rule.databases is None
        and (not identity.rules or rule.name in identity.rules)
        for rule in rules
    )
