"""The policy decision point: facts and rules in, a decision out. Pure: no clock, no I/O, no memory.
It must never permit because something failed or could not be told.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from wicketgate.model.decision import Decision, Denial, Limit, Verdict
from wicketgate.model.identity import Identity
from wicketgate.model.resource import Resource
from wicketgate.model.statement import Effect, Facts
from wicketgate.policy.conditions import Asking, Context, Memo
from wicketgate.policy.controls import CONTROLS
from wicketgate.policy.controls.access import deny
from wicketgate.policy.evaluation import Evaluation, Matched
from wicketgate.policy.load import Policy
from wicketgate.policy.rule import Rule
from wicketgate.policy.truth import Truth

__all__ = ["Context", "Engine", "Ruleset"]

_READING = frozenset({Effect.SESSION, Effect.READ})


@dataclass(frozen=True, slots=True)
class _Bound:
    """A rule in one session. truth: what it says whatever the statement, time and database; None: it hangs on
    them."""

    rule: Rule
    truth: Truth | None
    memo: Memo | None = None

    def applies(self, about: Asking, context: Context | None) -> Truth:
        return self.rule.applies(about, context, self.memo) if self.truth is None else self.truth


class Engine:
    """Answers for one policy. It keeps an index, so that rules for others cost a session nothing."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._everybody: dict[str, list[Rule]] = {}
        self._names: dict[tuple[str, str], list[Rule]] = {}
        self._groups: dict[tuple[str, str], list[Rule]] = {}
        for rule in sorted(policy.rules, key=lambda each: each.name):
            for resource in rule.accounts:
                if rule.identities.everybody:
                    self._everybody.setdefault(resource, []).append(rule)
                for name in rule.identities.names:
                    self._names.setdefault((resource, name), []).append(rule)
                for group in rule.identities.groups:
                    self._groups.setdefault((resource, group), []).append(rule)

    def accounts(self, identity: Identity, resource: Resource) -> frozenset[str]:
        """The accounts on the resource that some rule offers to the identity, on whatever condition."""
        if not self._open(resource):
            return frozenset()
        found: set[str] = set()
        for rule in self._rules(identity, resource):
            if rule.permit:
                for account in rule.accounts[resource.name] - found:
                    if self._bind(rule, identity, resource, account).truth in (Truth.TRUE, None):
                        found.add(account)
        return frozenset(found)

    def ruleset(self, identity: Identity, resource: Resource, account: str, now: int) -> "Ruleset | None":
        """The rules of a session. None: none of them permits anything now.

        now: wall clock ns. Ask again when the policy changed; `Ruleset.admission` tells the rest.
        """
        if not self._open(resource) or account not in resource.accounts:
            return None
        bound = [
            self._bind(rule, identity, resource, account)
            for rule in self._rules(identity, resource)
            if rule.covers(resource.name, account)
        ]
        ruleset = Ruleset(
            self.policy.digest, identity, resource, account, [b for b in bound if b.truth is not Truth.FALSE]
        )
        return ruleset if ruleset.may_permit(Context(now)) else None

    def _open(self, resource: Resource) -> bool:
        return resource.name in self.policy.resources and resource.name not in self.policy.closed

    def _rules(self, identity: Identity, resource: Resource) -> list[Rule]:
        """Those that speak of the identity on the resource, each once, by name."""
        found = {rule.name: rule for rule in self._everybody.get(resource.name, ())}
        for rule in self._names.get((resource.name, identity.name), ()):
            found[rule.name] = rule
        for group in identity.groups:
            for rule in self._groups.get((resource.name, group), ()):
                found[rule.name] = rule
        return [found[name] for name in sorted(found)]

    def _bind(self, rule: Rule, identity: Identity, resource: Resource, account: str) -> _Bound:
        when = rule.when
        alone = when is None or when.of_statement_alone  # then it was found at load that it can hold
        truth = Truth.TRUE if when is None else Truth.UNKNOWN
        if when is not None and not alone:
            truth = when.ask(Asking(identity, resource, account))
        if truth is Truth.FALSE:
            return _Bound(rule, truth)
        lasting = when is None or not (when.of_now or when.of_session)
        if rule.databases is not None or rule.of_statement or not lasting:
            return _Bound(rule, None, {} if lasting else None)
        return _Bound(rule, truth)


class Ruleset:
    """The rules of one session: an identity, a resource, an account. Immutable.

    read_only: whatever is permitted only reads. limits: all that may come to bear.
    """

    __slots__ = (
        "_account",
        "_bound",
        "_identity",
        "_offered",
        "_permits",
        "_policy",
        "_resource",
        "limits",
        "read_only",
    )

    def __init__(
        self, policy: str, identity: Identity, resource: Resource, account: str, bound: Iterable[_Bound]
    ) -> None:
        self._policy = policy
        self._identity = identity
        self._resource = resource
        self._account = account
        self._bound = tuple(bound)
        self._permits = tuple(each for each in self._bound if each.rule.permit)
        self._offered = {
            each.rule.name: each.rule.permit for each in self._permits if each.truth is not Truth.UNKNOWN
        }
        self.read_only = all(permit <= _READING for permit in self._offered.values())
        self.limits: tuple[Limit, ...] = tuple(
            limit for each in self._bound if not each.rule.observe for limit in each.rule.limits
        )

    def decide(self, facts: Facts, context: Context) -> Decision:
        """The answer for a statement with these facts. Same facts and same context but for `now`: the same
        answer, as long as `valid_until` says."""
        if facts.refusal is not None:
            return self._deny(Denial("policy", facts.refusal, f"refused: {facts.refusal}"))
        about = self._asking(facts, context)
        matched = []
        for each in self._bound:
            truth = each.applies(about, context)
            if truth is not Truth.FALSE:
                matched.append(Matched(each.rule, truth))
        timely = any(each.truth is None and each.rule.of_now for each in self._bound)
        opens = any(each.rule.permit and each.truth is Truth.TRUE for each in matched)
        opens = opens or self.may_permit(context)
        evaluation = Evaluation(facts, self._resource, tuple(matched), self._offered, opens)
        findings = [control(evaluation) for control in CONTROLS]
        until = context.now if timely else None
        observed = tuple(
            sorted(
                (each for finding in findings for each in finding.observed), key=lambda o: (o.rule, o.would)
            )
        )
        told = sorted(findings, key=lambda finding: not finding.sure)
        denials = [finding.denial for finding in told if finding.denial is not None]
        if denials:
            rules = sorted({rule for denial in denials for rule in denial.rules})
            return Decision(
                Verdict.DENY,
                self._policy,
                tuple(rules),
                denials[0],
                observed=observed,
                valid_until=until,
            )
        masks = [finding.mask for finding in findings if finding.mask is not None]
        return Decision(
            Verdict.PERMIT,
            self._policy,
            tuple(sorted({rule for finding in findings for rule in finding.rules})),
            None,
            masks[0],
            tuple(limit for finding in findings for limit in finding.limits),
            observed,
            until,
        )

    def admission(self, context: Context) -> Denial | None:
        """Why the session may not be open, if so. Rules that speak of the statement are not asked, but where
        they deny whatever it is."""
        about = self._asking(None, context)
        denying = []
        for each in self._bound:
            if each.rule.deny is None or each.rule.observe:
                continue
            truth = each.applies(about, context)
            if truth is Truth.TRUE or (truth is Truth.UNKNOWN and not each.rule.of_statement):
                denying.append(Matched(each.rule, truth))
        if denying:
            return deny(denying)
        if not self.may_permit(context):
            name = self._resource.name
            return Denial("policy", f"no rule permits you anything on {name} now", "no permit applies")
        return None

    def may_permit(self, context: Context) -> bool:
        """Whether some rule permits, or would permit some statement."""
        about: Asking | None = None
        for each in self._permits:
            if each.truth is not None:
                truth = each.truth
            else:
                about = about or self._asking(None, context)
                truth = each.applies(about, context)
            if truth is Truth.TRUE or (truth is Truth.UNKNOWN and self._may_turn_true(each, context)):
                return True
        return False

    def _may_turn_true(self, each: _Bound, context: Context) -> bool:
        """Whether an UNKNOWN may come from what is known later: the statement, or the session."""
        rule = each.rule
        if each.truth is not None:
            return False
        unopened = context.database is None and (
            rule.databases is not None or (rule.when is not None and rule.when.of_session)
        )
        return rule.of_statement or unopened

    def _asking(self, facts: Facts | None, context: Context) -> Asking:
        return Asking(self._identity, self._resource, self._account, facts, context)

    def _deny(self, denial: Denial) -> Decision:
        return Decision(Verdict.DENY, self._policy, denial.rules, denial)
