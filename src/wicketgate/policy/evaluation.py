"""What controls are given, and what each gives back. A control must never look at another's finding."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wicketgate.model.decision import Denial, Limit, Observed
from wicketgate.model.resource import Resource
from wicketgate.model.statement import Effect, Facts
from wicketgate.model.terms import Terms
from wicketgate.policy.rule import Rule
from wicketgate.policy.truth import Truth


@dataclass(frozen=True, slots=True)
class Matched:
    """A rule that speaks of the statement, or may (truth is TRUE or UNKNOWN, never FALSE)."""

    rule: Rule
    truth: Truth


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The question: a statement's facts, and the rules that speak of it in this session.

    matched: in the order of their names, so that the file's order can't show through.
    offered: effects that rules of this session permit, on whatever condition, by rule.
    opens: whether some rule permits the session as such, whatever the statement.
    """

    facts: Facts
    resource: Resource
    matched: tuple[Matched, ...]
    offered: Mapping[str, frozenset[Effect]]
    opens: bool

    def classes(self) -> frozenset[str]:
        """Data classes that the resource has."""
        return frozenset(
            data_class for columns in self.resource.sensitive.values() for data_class in columns.values()
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """What one control says. mask None: it says nothing of masks.

    resolves: classes whose tokens may be stored as their values. review: what somebody has to look at first.
    sure False: the denial is for want of knowledge, and one that is sure is told instead, if there is one.
    rules: those that it rests on. observed: what observing rules would have done.
    """

    denial: Denial | None = None
    sure: bool = True
    mask: Mapping[str, str] | None = None
    resolves: frozenset[str] = frozenset()
    limits: tuple[Limit, ...] = ()
    rules: tuple[str, ...] = ()
    observed: tuple[Observed, ...] = ()
    review: Terms | None = None


Control = Callable[[Evaluation], Finding]


def quoted(names: tuple[str, ...]) -> str:
    """Rules' names for a message: `rule "a"`, `rules "a" and "b"`."""
    if len(names) == 1:
        return f'rule "{names[0]}"'
    return "rules " + ", ".join(f'"{name}"' for name in names[:-1]) + f' and "{names[-1]}"'
