"""A decision as a desk remembers it, with all that follows from it ready (compiled)."""

from typing import Final

from wicketgate.gate import render
from wicketgate.model.decision import Decision, Denial, Limit, Verdict
from wicketgate.model.statement import Facts


class Decided:
    """A decision on some facts. head: the journal's part of it. rows, statements: limits that count it;
    limited: some does. until: wall ns, or None. revealed: data classes that it shows as they are.
    uses: statements that were let through by it, since that was last asked."""

    __slots__ = (
        "decision",
        "denial",
        "facts",
        "head",
        "limited",
        "revealed",
        "rows",
        "statements",
        "until",
        "uses",
    )

    def __init__(self, decision: Decision, facts: Facts) -> None:
        denial = decision.denial
        if decision.verdict is not Verdict.PERMIT and denial is None:
            denial = Denial("policy", "This statement is not permitted.", "no denial was given")
        rows = tuple([limit for limit in decision.limits if limit.what == "rows"])
        self.decision: Decision = decision
        self.facts: Facts = facts
        self.uses: int = 0
        self.denial: Denial | None = denial
        self.head: bytes = render.judged(decision.verdict.value, decision.rules, facts)
        self.rows: tuple[Limit, ...] = rows if facts.returns_rows else ()
        self.statements: tuple[Limit, ...] = tuple(
            [limit for limit in decision.limits if limit.what == "statements"]
        )
        self.limited: bool = bool(self.rows) or bool(self.statements)
        self.until: int | None = decision.valid_until
        self.revealed: tuple[str, ...] = tuple(
            [name for name in sorted(facts.classes) if decision.mask and decision.transform(name) == "reveal"]
        )

    def use(self, fresh: list["Decided"]) -> None:
        """A statement is let through. fresh: the decisions that were used."""
        self.uses += 1
        if self.uses == 1:
            fresh.append(self)
            if len(fresh) > MOST_FRESH:
                merge(fresh)


MOST_FRESH: Final = 1024


def merge(fresh: list[Decided]) -> None:
    """Decisions that were made again and again for the same facts count as one."""
    found: dict[tuple[Facts, tuple[str, ...]], Decided] = {}
    for each in fresh:
        first = found.setdefault((each.facts, each.decision.rules), each)
        if first is not each:
            first.uses += each.uses
            each.uses = 0
    fresh[:] = list(found.values())
