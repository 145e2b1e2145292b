"""The policy decision point: facts and rules in, a decision out. Pure: no clock, no I/O, no memory.
It must never permit because something failed or could not be told.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from wicketgate.model.decision import Decision, Denial, Limit, Verdict
from wicketgate.model.grant import Grant, next_turn
from wicketgate.model.identity import Identity
from wicketgate.model.resource import Resource
from wicketgate.model.statement import Effect, Facts
from wicketgate.model.terms import together
from wicketgate.policy.conditions import Asking, Context, Memo, affirmed
from wicketgate.policy.controls import CONTROLS
from wicketgate.policy.controls.access import deny
from wicketgate.policy.delegation import ceiling, counted_of, drift, joint
from wicketgate.policy.evaluation import Evaluation, Matched
from wicketgate.policy.holding import Held, held, turns, without_waived
from wicketgate.policy.known import known_by
from wicketgate.policy.load import Policy
from wicketgate.policy.rule import Rule
from wicketgate.policy.syntax import Asked
from wicketgate.policy.truth import Truth

__all__ = ["Context", "Engine", "Ruleset"]

_READING: Final = frozenset({Effect.SESSION, Effect.READ})

MOST_RULESETS: Final = 4096
"""Sets of rules that an engine remembers; a memory limit."""


@dataclass(frozen=True, slots=True)
class _Bound:
    """A rule in one session. truth: what it says whatever the statement, time and database; None: it hangs on
    them. held: of a rule on request: the grant that it holds by, and until when."""

    rule: Rule
    truth: Truth | None
    memo: Memo | None = None
    held: Held | None = None

    def applies(self, about: Asking, context: Context | None) -> Truth:
        if self.held is not None and (context is None or context.now >= self.held.until):
            return Truth.FALSE
        return self.rule.applies(about, context, self.memo) if self.truth is None else self.truth


class Engine:
    """Answers for one policy. It keeps an index, so that rules for others cost a session nothing."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._made: dict[tuple[object, ...], Ruleset] = {}
        self._everybody: dict[str, list[Rule]] = {}
        self._names: dict[tuple[str, str], list[Rule]] = {}
        self._groups: dict[tuple[str, str], list[Rule]] = {}
        self._requested = {rule.name: rule for rule in policy.rules if rule.on_request is not None}
        for rule in sorted(policy.rules, key=lambda each: each.name):
            for resource in rule.accounts:
                if rule.identities.everybody:
                    self._everybody.setdefault(resource, []).append(rule)
                for name in rule.identities.names:
                    self._names.setdefault((resource, name), []).append(rule)
                for group in rule.identities.groups:
                    self._groups.setdefault((resource, group), []).append(rule)

    def accounts(self, identity: Identity, resource: Resource, now: int | None = None) -> frozenset[str]:
        """The accounts on the resource that some rule offers to the identity, on whatever condition.

        now: wall clock ns; None: what is had on request alone is left out."""
        if not self._open(resource):
            return frozenset()
        found: set[str] = set()
        for rule in self._rules(identity, resource):
            if rule.permit:
                for account in rule.accounts[resource.name] - found:
                    if rule.on_request is not None and (
                        now is None or rule.name not in self._held(identity, resource, account, now)
                    ):
                        continue
                    if self._bind(rule, identity, resource, account).truth in (Truth.TRUE, None):
                        found.add(account)
        return frozenset(found) & self._of_human(identity, resource, now)

    def _of_human(self, identity: Identity, resource: Resource, now: int | None) -> frozenset[str]:
        """The accounts that the human behind the identity may use; all of them where it acts for itself."""
        if identity.declared is None:
            return frozenset(resource.accounts)
        return frozenset() if identity.human is None else self.accounts(identity.human, resource, now)

    def _held(self, identity: Identity, resource: Resource, account: str, now: int) -> dict[str, Held]:
        if not identity.grants:
            return {}
        return held(self._requested, identity, resource.name, account, now)

    def holding(self, identity: Identity, resource: Resource, account: str, now: int) -> frozenset[str]:
        """The ids of its grants, and of those of the human behind it, that are in force there."""
        both = [who for who in (identity, identity.human) if who is not None]
        found = [self._held(who, resource, account, now).values() for who in both]
        return frozenset(each.grant.id for held_by in found for each in held_by)

    def turns(self, identity: Identity, resource: Resource, now: int) -> int | None:
        """When grants change what the identity may do there (wall ns): ask again then. None: they don't."""
        return turns(self._requested, identity, resource.name, now)

    def asks(self, identity: Identity, resource: Resource) -> list[Rule]:
        """The rules on request that speak of the identity there, by name."""
        if not self._open(resource):
            return []
        return [rule for rule in self._rules(identity, resource) if rule.on_request is not None]

    def may_speak(self, rule: Rule, identity: Identity, resource: Resource, account: str) -> bool:
        """Whether a rule's condition may hold for the identity there."""
        return self._bind(rule, identity, resource, account).truth in (Truth.TRUE, None)

    def ruleset(self, identity: Identity, resource: Resource, account: str, now: int) -> "Ruleset | None":
        """The rules of a session. None: none of them permits anything now.

        now: wall clock ns. Ask again when the policy changed; `Ruleset.admission` tells the rest.
        """
        if not self._open(resource) or account not in resource.accounts:
            return None
        mine = self._held(identity, resource, account, now)
        human = identity.human
        his = self._held(human, resource, account, now) if human is not None else {}
        grants = tuple((each.grant.id, each.until) for each in (*mine.values(), *his.values()))
        key = (*known_by(identity), id(resource), account, grants)
        ruleset = self._made.get(key)
        if ruleset is None or ruleset.resource is not resource:
            ruleset = self._make(identity, resource, account, mine, his)
            if len(self._made) >= MOST_RULESETS:
                self._made.clear()
            self._made[key] = ruleset
        return ruleset if ruleset.may_permit(Context(now)) else None

    def _make(
        self,
        identity: Identity,
        resource: Resource,
        account: str,
        mine: Mapping[str, Held],
        his: Mapping[str, Held],
    ) -> "Ruleset":
        """mine, his: by rule, the grants in force of the identity, and of the human behind it."""
        bound = [
            self._bind(rule, identity, resource, account, mine.get(rule.name))
            for rule in self._rules(identity, resource)
            if rule.covers(resource.name, account) and (rule.on_request is None or rule.name in mine)
        ]
        kept = [each for each in bound if each.truth is not Truth.FALSE]
        if identity.declared is None:
            return Ruleset(self.policy.digest, identity, resource, account, kept)
        human = None
        if identity.human is not None:
            human = self._make(identity.human, resource, account, his, {})
        return Delegated(self.policy.digest, identity, resource, account, kept, human)

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
        rules = [found[name] for name in sorted(found)]
        return [each.within(identity.rules) for each in rules] if identity.rules else rules

    def _bind(
        self, rule: Rule, identity: Identity, resource: Resource, account: str, by: Held | None = None
    ) -> _Bound:
        when = rule.when
        alone = when is None or when.of_statement_alone  # then it was found at load that it can hold
        truth = Truth.TRUE if when is None else Truth.UNKNOWN
        if when is not None and not alone:
            truth = when.ask(Asking(identity, resource, account))
        if truth is Truth.FALSE:
            return _Bound(rule, truth, None, by)
        lasting = when is None or not (when.of_now or when.of_session)
        if rule.databases is not None or rule.of_statement or not lasting:
            return _Bound(rule, None, {} if lasting else None, by)
        return _Bound(rule, truth, None, by)


def _known_later(rule: Rule, context: Context) -> bool:
    """Whether an UNKNOWN may come from what is known only later: the statement, or the session.
    Each statement is decided with all of it."""
    if rule.databases is not None and context.database is None:
        return True
    of_session = rule.when is not None and rule.when.of_session
    unopened = context.database is None or context.source is None or context.opened is None
    return rule.of_statement or (of_session and unopened)


class Ruleset:
    """The rules of one session: an identity, a resource, an account. Sessions of these share it; immutable.

    read_only: whatever is permitted only reads. limits: all that may come to bear. timely: what it says may
    change as time goes by. grants: those in force that it rests on as well. ends: wall ns when each of them
    goes out of force, and no rule by it applies any more.
    """

    __slots__ = (
        "_account",
        "_bound",
        "_identity",
        "_offered",
        "_permits",
        "_policy",
        "_resting",
        "_restless",
        "_waking",
        "ends",
        "grants",
        "limits",
        "read_only",
        "resource",
        "timely",
    )

    def __init__(
        self, policy: str, identity: Identity, resource: Resource, account: str, bound: Iterable[_Bound]
    ) -> None:
        self._policy = policy
        self._identity = identity
        self.resource = resource
        self._account = account
        self._bound = tuple(bound)
        # rules that ask of the statement alone are looked at only where an answer is yes
        self._restless: list[_Bound] = []
        self._resting: list[tuple[_Bound, Truth]] = []
        self._waking: dict[Asked, list[_Bound]] = {}
        for each in self._bound:
            when = each.rule.when
            roams = when is None or not when.of_statement_alone or each.rule.databases is not None
            if roams or when is None or each.held is not None:
                self._restless.append(each)
                continue
            for asked in when.asked:
                self._waking.setdefault(asked, []).append(each)
            if (rest := when.at_rest()) is not Truth.FALSE:
                self._resting.append((each, rest))
        self._permits = tuple(each for each in self._bound if each.rule.permit)
        self._offered = {
            each.rule.name: each.rule.permit for each in self._permits if each.truth is not Truth.UNKNOWN
        }
        holding = [each.held for each in self._bound if each.held is not None]
        self.grants: tuple[Grant, ...] = tuple(each.grant for each in holding)
        self.ends: tuple[int, ...] = tuple(each.until for each in holding)
        self.timely = any(each.truth is None and each.rule.of_now for each in self._bound)
        self.read_only = all(permit <= _READING for permit in self._offered.values())
        self.limits: tuple[Limit, ...] = tuple(
            limit for each in self._bound if not each.rule.observe for limit in each.rule.limits
        )

    def decide(self, facts: Facts, context: Context) -> Decision:
        """The answer for a statement with these facts. Same facts and same context but for `now`: the same
        answer, as long as `valid_until` says."""
        if facts.refusal is not None:
            return self._deny(Denial("policy", facts.refusal, f"refused: {facts.refusal}"))
        matched = without_waived(self._match(facts, context), facts)
        opens = any(each.rule.permit and each.truth is Truth.TRUE for each in matched)
        opens = opens or self.may_permit(context)
        evaluation = Evaluation(facts, self.resource, matched, self._offered, opens)
        findings = [control(evaluation) for control in CONTROLS]
        until = context.now if self.timely else next_turn(self.ends, context.now)
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
        review = together(finding.review for finding in findings if finding.review is not None)
        return Decision(
            Verdict.PERMIT if review is None else Verdict.REVIEW,
            self._policy,
            tuple(sorted({rule for finding in findings for rule in finding.rules})),
            None,
            masks[0],
            tuple(limit for finding in findings for limit in finding.limits),
            observed,
            until,
            frozenset().union(*(finding.resolves for finding in findings)),
            review,
        )

    def _match(self, facts: Facts, context: Context) -> tuple[Matched, ...]:
        """The rules that speak of the statement, or may, in the order of their names."""
        about = self._asking(facts, context)
        yes = affirmed(facts)
        if yes is None:
            truths = [(each, each.applies(about, context)) for each in self._bound]
        else:
            truths = [(each, each.applies(about, context)) for each in self._restless]
            awake = {id(each): each for asked in yes for each in self._waking.get(asked, ())}
            truths += [(each, each.applies(about, context)) for each in awake.values()]
            truths += [(each, truth) for each, truth in self._resting if id(each) not in awake]
            truths.sort(key=lambda pair: pair[0].rule.name)
        return tuple([Matched(each.rule, truth) for each, truth in truths if truth is not Truth.FALSE])

    def admission(self, context: Context) -> Denial | None:
        """Why the session may not be open, if so. Rules that speak of the statement are not asked, but where
        they deny whatever it is; nor those that speak of the session where the context does not tell it."""
        about = self._asking(None, context)
        denying = []
        for each in self._bound:
            if each.rule.deny is None or each.rule.observe:
                continue
            truth = each.applies(about, context)
            if truth is Truth.TRUE or (truth is Truth.UNKNOWN and not _known_later(each.rule, context)):
                denying.append(Matched(each.rule, truth))
        if denying:
            return deny(denying)
        if not self.may_permit(context):
            name = self.resource.name
            return Denial("policy", f"no rule permits you anything on {name} now", "no permit applies")
        return None

    def may_permit(self, context: Context) -> bool:
        """Whether some rule permits, or would permit some statement."""
        about: Asking | None = None
        for each in self._permits:
            if each.truth is not None and each.held is None:
                truth = each.truth
            else:
                about = about or self._asking(None, context)
                truth = each.applies(about, context)
            later = each.truth is None and _known_later(each.rule, context)
            if truth is Truth.TRUE or (truth is Truth.UNKNOWN and later):
                return True
        return False

    def _asking(self, facts: Facts | None, context: Context) -> Asking:
        return Asking(self._identity, self.resource, self._account, facts, context)

    def _deny(self, denial: Denial) -> Decision:
        return Decision(Verdict.DENY, self._policy, denial.rules, denial)


class Delegated(Ruleset):
    """The rules of an agent's session in its task: what the agent's permit, the human's permit as well, and
    the task declared. human None: nobody is behind it, so nothing is permitted."""

    __slots__ = ("_ceilings", "_human", "_task")

    def __init__(
        self,
        policy: str,
        identity: Identity,
        resource: Resource,
        account: str,
        bound: Iterable[_Bound],
        human: Ruleset | None,
    ) -> None:
        super().__init__(policy, identity, resource, account, bound)
        task = identity.declared
        if task is None:
            raise ValueError("these rules are for an identity with a task")
        self._task = task
        self._human = Ruleset(policy, identity, resource, account, ()) if human is None else human
        self._ceilings = ceiling(task, identity.credential_id)
        self.timely = self.timely or self._human.timely
        self.grants = (*self.grants, *self._human.grants)
        self.ends = (*self.ends, *self._human.ends)
        declared_reading = bool(task.effects) and task.effects <= _READING
        self.read_only = self.read_only or self._human.read_only or declared_reading
        self.limits = (*self.limits, *counted_of(self._human.limits, task.behalf), *self._ceilings)

    def decide(self, facts: Facts, context: Context) -> Decision:
        beyond = drift(facts, self._task)
        if beyond is not None and facts.refusal is None:
            return self._deny(beyond)
        agent = super().decide(facts, context)
        return joint(agent, self._human.decide(facts, context), self._task.behalf, self._ceilings)

    def admission(self, context: Context) -> Denial | None:
        return super().admission(context) or self._human.admission(context)

    def may_permit(self, context: Context) -> bool:
        return super().may_permit(context) and self._human.may_permit(context)
