"""A narrower policy: what no use was made of is left out, as a difference of the files' texts. Pure.
It must never permit, reveal or unmask what the policy does not, nor deny anything that was used.

What carries a mask or a limit restrains other rules too, so that goes only where no other rule reaches.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from wicketgate.model.decision import Decision
from wicketgate.model.errors import PolicyError
from wicketgate.model.statement import Effect
from wicketgate.model.usage import Shape, Use
from wicketgate.policy.conditions import Context
from wicketgate.policy.document import Source
from wicketgate.policy.engine import Engine
from wicketgate.policy.load import Policy
from wicketgate.policy.rule import Identities, Rule

Load = Callable[[Sequence[Source]], Policy]

MOST_TRIES: Final = 200
"""Policies that are loaded for one suggestion."""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What is left out of one rule. gone: all of it. relations: (reads or writes, name) of its condition."""

    rule: str
    gone: bool = False
    effects: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    relations: frozenset[tuple[str, str]] = frozenset()

    def __bool__(self) -> bool:
        return bool(
            self.gone or self.effects or self.names or self.groups or self.resources or self.relations
        )


def narrowings(policy: Policy, uses: Sequence[Use]) -> list[Narrowing]:
    """What could be left out of each rule, by what was used."""
    # what is had on request alone is no standing access: that it was not needed is no fault of it
    standing = [rule for rule in policy.rules if rule.on_request is None]
    found = [_narrowing(policy, rule, uses) for rule in standing if rule.permit or rule.reveal]
    return [each for each in found if each]


def _narrowing(policy: Policy, rule: Rule, uses: Sequence[Use]) -> Narrowing:
    mine = _by(rule, uses)
    used = frozenset().union(*(shape.effects for shape in mine))
    effects = frozenset(effect.value for effect in rule.permit) - used - {Effect.SESSION.value}
    if not (rule.mask or rule.limits) or _alone(policy, rule):
        if not mine:
            return Narrowing(rule.name, gone=True)
        groups = frozenset().union(*(shape.who.groups for shape in mine))
        return Narrowing(
            rule.name,
            effects=effects,
            names=rule.identities.names - {shape.who.name for shape in mine},
            groups=rule.identities.groups - groups,
            resources=frozenset(rule.accounts) - {shape.resource for shape in mine},
            relations=_relations(rule, mine),
        )
    return Narrowing(rule.name, effects=effects)


def _by(rule: Rule, uses: Sequence[Use]) -> list[Shape]:
    """What was used by the rule, and would be by the rule as it is now."""
    return [
        use.shape
        for use in uses
        if rule.name in use.shape.rules
        and rule.identities.match(use.shape.identity())
        and rule.covers(use.shape.resource, use.shape.account)
    ]


def _alone(policy: Policy, rule: Rule) -> bool:
    """Whether no other rule gives anything to whom this one may speak of, where it does."""
    where = {(resource, account) for resource, accounts in rule.accounts.items() for account in accounts}
    for other in policy.rules:
        if other is rule or not (other.permit or other.reveal) or _apart(rule.identities, other.identities):
            continue
        there = {(name, account) for name, accounts in other.accounts.items() for account in accounts}
        if where & there:
            return False
    return True


def _apart(one: Identities, other: Identities) -> bool:
    """Whether nobody can be of both. Of groups that can't be told: anybody may be in several."""
    if one.everybody or other.everybody or one.groups or other.groups:
        return False
    return not one.names & other.names


_ASKED: Final = r'statement\.(reads|writes)\(\s*(?:"([^"\\]+)"|\'([^\'\\]+)\')\s*\)'
_ANY_OF: Final = re.compile(rf"\s*{_ASKED}(?:\s*\|\|\s*{_ASKED})*\s*")


def relations_of(condition: str) -> list[tuple[str, str]]:
    """The relations of a condition that asks for one of several and nothing else; else none."""
    if not _ANY_OF.fullmatch(condition):
        return []
    return [(found[1], found[2] or found[3]) for found in re.finditer(_ASKED, condition)]


def without(condition: str, gone: frozenset[tuple[str, str]]) -> str:
    """The same condition without some of its relations."""
    kept = [
        found[0] for found in re.finditer(_ASKED, condition) if (found[1], found[2] or found[3]) not in gone
    ]
    return " || ".join(kept)


def _relations(rule: Rule, mine: Sequence[Shape]) -> frozenset[tuple[str, str]]:
    if rule.when is None or any(shape.others or not shape.complete for shape in mine):
        return frozenset()
    asked = frozenset(relations_of(rule.when.text))
    used = {("reads", name) for shape in mine for name in shape.reads}
    used |= {("writes", name) for shape in mine for name in shape.writes}
    return asked - used if asked & used else frozenset()


# -- is it the same to all that was done? -------------------------------------------------------------------
def missed(old: Policy, new: Policy, uses: Sequence[Use]) -> Use | None:
    """Something used that the new policy does not let through as the old one does; None: there is none."""
    rules = {rule.name: rule for rule in new.rules}
    before, after = Engine(old), Engine(new)
    for use in uses:
        by = [rule for rule in old.rules if rule.name in use.shape.rules]
        if not all(_still(rule, rules.get(rule.name), use) for rule in by):
            return use
        decided = _decide(before, use)
        if decided is not None and decided.denial is None:
            again = _decide(after, use)
            if again is None or again.denial is not None or again.resolves != decided.resolves:
                return use
            if dict(again.mask) != dict(decided.mask):
                return use
    return None


_KEPT: Final = (
    *("databases", "mask", "resolve", "reveal", "limits", "deny", "review", "observe"),
    *("on_request", "waives"),
)


def check_narrower(old: Policy, new: Policy) -> None:
    """Raises PolicyError unless the new policy is the old one without some of what its rules give."""
    rules = {rule.name: rule for rule in new.rules}
    if not all(_narrower(rule, rules.pop(rule.name, None)) for rule in old.rules) or rules:
        raise PolicyError("what was written is another policy")
    if _besides(old) != _besides(new):
        raise PolicyError("what was written changes more than rules")


def _narrower(rule: Rule, now: Rule | None) -> bool:
    if now is None:
        return bool(rule.permit or rule.reveal)
    whom, whom_now = rule.identities, now.identities
    same = all(getattr(rule, name) == getattr(now, name) for name in _KEPT)
    before, after = (each.when.text if each.when is not None else "" for each in (rule, now))
    fewer = set(relations_of(after)) and set(relations_of(after)) <= set(relations_of(before))
    return (
        same
        and now.permit <= rule.permit
        and whom.everybody == whom_now.everybody
        and whom_now.names <= whom.names
        and whom_now.groups <= whom.groups
        and now.accounts.items() <= rule.accounts.items()
        and (before == after or bool(fewer))
    )


def _besides(policy: Policy) -> list[object]:
    """What the policy says besides its rules, file by file."""
    return [
        [file, {key: value for key, value in content.items() if key != "rules"}]
        for file, content in orjson.loads(policy.shipped)
    ]


def _still(rule: Rule, now: Rule | None, use: Use) -> bool:
    """Whether the rule gives to this use what it gave."""
    shape = use.shape
    if not rule.identities.match(shape.identity()) or not rule.covers(shape.resource, shape.account):
        return True
    effects = {effect for effect in rule.permit if effect.value in shape.effects}
    return (
        now is not None
        and now.identities.match(shape.identity())
        and now.covers(shape.resource, shape.account)
        and now.permit >= effects
        and now.reveal == rule.reveal
    )


def _decide(engine: Engine, use: Use) -> Decision | None:
    shape = use.shape
    resource = engine.policy.resources.get(shape.resource)
    if resource is None or shape.others:
        return None
    rules = engine.ruleset(shape.identity(), resource, shape.account, use.last)
    return None if rules is None else rules.decide(shape.facts(), Context(use.last, shape.database))


def settle(
    policy: Policy,
    uses: Sequence[Use],
    write: Callable[[Mapping[str, Narrowing]], Sequence[Source]],
    load: Load,
) -> tuple[Sequence[Source], dict[str, Narrowing]]:
    """The narrowest policy that loads and lets through all that was used, and what it leaves out, by rule.

    write: the texts without these. Raises PolicyError where none is found in time."""
    wanted = {each.rule: each for each in narrowings(policy, uses)}
    for _ in range(MOST_TRIES):
        sources = write(wanted)
        if not wanted:
            return sources, wanted
        try:
            new = _loaded(policy, sources, load)
        except PolicyError:
            # some rule can't be without what was taken from it: those that can are found one by one
            wanted = _loading(policy, wanted, write, load)
            continue
        use = missed(policy, new, uses)
        if use is None:
            return sources, wanted
        fewer = {name: each for name, each in wanted.items() if name not in use.shape.rules}
        if len(fewer) == len(wanted):
            break
        wanted = fewer
    raise PolicyError("no narrower policy was found in time")


def _loaded(policy: Policy, sources: Sequence[Source], load: Load) -> Policy:
    new = load(sources)
    check_narrower(policy, new)
    return new


def _loading(
    policy: Policy,
    wanted: Mapping[str, Narrowing],
    write: Callable[[Mapping[str, Narrowing]], Sequence[Source]],
    load: Load,
) -> dict[str, Narrowing]:
    kept: dict[str, Narrowing] = {}
    for name, each in list(wanted.items())[:MOST_TRIES]:
        try:
            _loaded(policy, write({**kept, name: each}), load)
        except PolicyError:
            continue
        kept[name] = each
    return kept


# -- told ---------------------------------------------------------------------------------------------------
def differences(old: Policy, new: Policy) -> list[str]:
    """What the new policy leaves out, a line each."""
    rules = {rule.name: rule for rule in new.rules}
    told = []
    for rule in old.rules:
        now = rules.get(rule.name)
        if now is None:
            told.append(f"rule {rule.name!r}: left out")
            continue
        effects = {each.value for each in rule.permit - now.permit}
        names = rule.identities.names - now.identities.names
        groups = rule.identities.groups - now.identities.groups
        resources = set(rule.accounts) - set(now.accounts)
        parts = [
            f"{what} {', '.join(sorted(gone))}"
            for what, gone in (
                ("effects", effects),
                ("identities", names),
                ("groups", groups),
                ("resources", resources),
            )
            if gone
        ]
        before, after = (relations_of(each.when.text) if each.when else [] for each in (rule, now))
        parts += [f"{asked} {name}" for asked, name in before if (asked, name) not in after]
        if parts:
            told.append(f"rule {rule.name!r}: without {'; '.join(parts)}")
    return told
