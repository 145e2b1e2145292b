"""A decision as a desk remembers it, with all that follows from it ready (compiled)."""

from wicketgate.gate import render
from wicketgate.model.decision import Decision, Denial, Limit, Verdict
from wicketgate.model.statement import Facts


class Decided:
    """A decision on some facts. head: the journal's part of it. rows, statements: limits that count it;
    limited: some does. until: wall ns, or None. revealed: data classes that it shows as they are."""

    __slots__ = ("decision", "denial", "head", "limited", "revealed", "rows", "statements", "until")

    def __init__(self, decision: Decision, facts: Facts) -> None:
        denial = decision.denial
        if decision.verdict is not Verdict.PERMIT and denial is None:
            denial = Denial("policy", "This statement is not permitted.", "no denial was given")
        rows = tuple([limit for limit in decision.limits if limit.what == "rows"])
        self.decision: Decision = decision
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
