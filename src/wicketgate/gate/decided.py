"""A decision as a desk remembers it, with all that follows from it ready (compiled)."""

from dataclasses import replace
from typing import Final

from wicketgate.gate import render
from wicketgate.model.decision import Decision, Denial, Limit, Verdict
from wicketgate.model.held import Approval
from wicketgate.model.statement import Facts, Statement
from wicketgate.model.terms import Terms


class Decided:
    """A decision on some facts. head: the journal's part of it. rows, statements: limits that count it;
    limited: some does. review: what must be met first; `denial` is then for who knows of no reviews.
    until: wall ns, or None. revealed: data classes that it shows as they are.
    uses: statements that were let through by it, since that was last asked."""

    __slots__ = (
        "decision",
        "denial",
        "facts",
        "head",
        "limited",
        "revealed",
        "review",
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
        self.review: Terms | None = decision.review if decision.verdict is Verdict.REVIEW else None
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


class Approved(Statement):
    """A statement that people have approved, on its way through the rest of the gate."""

    __slots__ = ("approval",)

    def __init__(self, statement: Statement, approval: Approval) -> None:
        super().__init__(statement.facts, statement.text, statement.text_key, statement.parameters)
        self.approval: Approval = approval

    def decided(self, decided: Decided) -> Decided:
        """The same decision as a permit, narrowed to what was approved."""
        approval = self.approval
        limits = decided.decision.limits
        if approval.rows is not None:
            limits = (*limits, Limit(f"review {approval.review}", "rows", approval.rows, "session"))
        found = Decided(replace(decided.decision, verdict=Verdict.PERMIT, limits=limits), decided.facts)
        found.head += render.reviewed(approval.review, approval.by)
        return found


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
